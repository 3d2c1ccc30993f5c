//! What comes back from a provider, and what of a message goes no further: the answer as it was, headers, the notice of an
//! answer that breaks the contract.

use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::notices::Kind;
use hjemmel::notices::outbox::{Waiting, jobs};
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;
use hjemmel::users::rights;

use crate::finance::gateway::told_by_mail;
use crate::gateway::{POST, SERVICE, WSDL, code, delivery, folder, plain, with_schema, with_settings};
use crate::wire::Answer;
use crate::world::{BY_CONTEXT, BY_TOKEN, Passing, authority_context, content, named, parsed};

/// The letters that wait in a store's outbox, whose gateway sends none.
pub struct Letters<'s>(&'s Store);

impl<'s> Letters<'s> {
    pub fn of(store: &'s Store) -> Self {
        Self(store)
    }

    /// Takes letters until these are enough; in the order of their addresses.
    pub async fn until(&self, enough: impl Fn(&[Waiting]) -> bool) -> Vec<Waiting> {
        let (deadline, mut letters) = (Instant::now() + Duration::from_secs(60), Vec::<Waiting>::new());
        while !enough(&letters) {
            assert!(Instant::now() < deadline, "{letters:#?}");
            let taken = jobs(self.0.database()).take(100).await.unwrap();
            letters.extend(taken.iter().map(|job| serde_json::from_slice::<Waiting>(&job.payload).unwrap()));
            letters.sort_by(|one, other| one.to.cmp(&other.to));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        letters
    }
}

/// A call in this binding, with what it is in Body.
async fn call(passing: &Passing, by_token: bool, receiver: &str) -> Answer {
    match by_token {
        true => passing.by_token(&[], &plain(receiver)).await,
        false => {
            let body = delivery(&authority_context(KORSBAEK), receiver, "<p:Antal>1</p:Antal>");
            passing.by_context(Role::Korsbaek, "", &body).await
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_back_whole_as_the_provider_wrote_it_from_either_kind_of_provider_in_either_binding() {
    let end = "<x:maxLength value=\"4000\"/></x:restriction></x:simpleType></x:element>\n  </x:sequence>";
    assert!(POST.contains(end));
    let more = "<x:any namespace=\"##other\" processContents=\"lax\" minOccurs=\"0\"/></x:sequence>\
                <x:attribute name=\"nummer\" type=\"x:int\"/><x:attribute name=\"art\" type=\"x:string\"/>";
    let folder = with_schema(&POST.replace(end, &end.replace("</x:sequence>", more)));
    let passing = Passing::start(folder.path(), "").await;
    // Attributes in another order than the canonical one, CDATA, letters of two bytes and of four, references, white space between
    // elements, a prefix that nothing uses and a default namespace.
    let said = "<Kvittering xmlns=\"urn:test:post\" xmlns:ubrugt=\"urn:test:ubrugt\" nummer=\"7\" art='a &quot;b&quot; &#xE6;'>\n  \
                <Kode>OK</Kode>\t<Tekst><![CDATA[<æøå> & \u{1F4EE}]]> &amp; &lt;b&gt; &#13;\u{a0}</Tekst>\
                <z:Andet xmlns:z=\"urn:test:andet\" z:k=\"1\" a=\"2\"><z:Tom/></z:Andet>\n</Kvittering>";
    let canonical = String::from_utf8(canonical_bytes(parsed(said.as_bytes()).root())).unwrap();
    assert!(
        canonical.contains("&lt;æøå&gt; &amp; \u{1F4EE} &amp; &lt;b&gt; &#xD;\u{a0}") && !canonical.contains("ubrugt"),
        "{canonical}"
    );
    for (receiver, provider) in [(BY_TOKEN, &passing.by_token), (BY_CONTEXT, &passing.by_context)] {
        provider.mode.set(Mode::Says(said.into()));
        for by_token in [true, false] {
            let answer = call(&passing, by_token, receiver).await;
            assert_eq!((answer.status, passing.is_signed(&answer)), (200, by_token), "{}", answer.text());
            assert_eq!(content(&answer.body), canonical, "{receiver}, by token: {by_token}");
        }
    }
}

/// An element of this name in this namespace, as often as it stands in the Header.
fn headers(message: &[u8], namespace: &str, local: &str) -> Vec<String> {
    let document = parsed(message);
    let header = named(&document, "Header").unwrap();
    let found = header.elements().filter(|block| block.is(namespace, local));
    found.map(|block| block.descendants().filter_map(|part| part.text()).collect::<String>()).collect()
}

const HEADER: &str = "http://kombit.dk/xml/schemas/RequestHeader/1/";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_header_of_ours_goes_onward_the_callers_comes_back_and_every_other_header_ends_here() {
    let (answered, with_header) = (
        "<w:output><s:body use=\"literal\"/></w:output>",
        "<w:output><s:header message=\"t:Hoved\" part=\"h\" use=\"literal\"/><s:body use=\"literal\"/></w:output>",
    );
    assert!(WSDL.contains(answered));
    // The provider answers with the header that it got, which is the gateway's.
    let wsdl = WSDL.replace(answered, with_header);
    let folder = with_settings(SERVICE, POST, &wsdl, &wsdl);
    let passing = Passing::start(folder.path(), "").await;
    let theirs = "3f0c8a52-5b7e-4a5d-8f0e-0123456789ab";
    let own = format!("<r:RequestHeader xmlns:r=\"{HEADER}\"><r:TransactionUUID>{theirs}</r:TransactionUUID></r:RequestHeader>");
    let other = "<x:Andet xmlns:x=\"urn:test:andet\"><x:Felt>hemmeligt</x:Felt></x:Andet>";
    for (receiver, provider) in [(BY_TOKEN, &passing.by_token), (BY_CONTEXT, &passing.by_context)] {
        let by_token = passing.by_token(&[&own, other], &plain(receiver)).await;
        let mut calls = vec![(by_token, passing.record(), provider.received.get().last)];
        let body = delivery(&authority_context(KORSBAEK), receiver, "<p:Antal>1</p:Antal>");
        let by_context = passing.by_context(Role::Korsbaek, &format!("{own}{other}"), &body).await;
        calls.push((by_context, passing.record(), provider.received.get().last));
        for (answer, record, onward) in calls {
            assert_eq!(answer.status, 200, "{}", answer.text());
            let ours = record.own_transaction.unwrap().to_string();
            assert_eq!(headers(&onward, HEADER, "RequestHeader"), [ours.as_str()]);
            assert!(
                !String::from_utf8_lossy(&onward).contains("hemmeligt") && !String::from_utf8_lossy(&onward).contains(theirs)
            );
            assert_eq!(headers(&answer.body, HEADER, "RequestHeader"), [theirs]);
            assert!(!answer.text().contains("hemmeligt") && !answer.text().contains(&ours), "{}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_gives_the_callers_request_header_back_too() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let theirs = "3f0c8a52-5b7e-4a5d-8f0e-0123456789ab";
    let own = format!("<r:RequestHeader xmlns:r=\"{HEADER}\"><r:TransactionUUID>{theirs}</r:TransactionUUID></r:RequestHeader>");
    let answer = passing.by_token(&[&own], &delivery("", BY_TOKEN, "<p:Antal>et</p:Antal>")).await;
    assert_eq!(code(&answer), "SchemaViolated");
    assert_eq!(headers(&answer.body, HEADER, "RequestHeader"), [theirs]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_that_breaks_the_contract_its_receivers_people_and_the_operators_are_told_once_and_no_value_of_it() {
    let log = crate::log::now();
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let store = Store::open(&Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
    told_by_mail(&store, None, rights::Role::Operator, "drift@example.dk").await;
    told_by_mail(&store, Some(BY_TOKEN), rights::Role::SystemResponsible, "modtager@example.dk").await;
    told_by_mail(&store, Some(BY_CONTEXT), rights::Role::SystemResponsible, "anden@example.dk").await;
    // The log is that of all tests at once, so that these words are this one's alone.
    let (person, word) = ("6701801239", "hemmelighed-i-et-svar");
    let said = format!("<p:Kvittering xmlns:p=\"urn:test:post\"><p:Kode>{person} {word}</p:Kode></p:Kvittering>");
    // Twice before anybody looks, and the other's provider once.
    for (receiver, provider) in [(BY_TOKEN, &passing.by_token), (BY_TOKEN, &passing.by_token), (BY_CONTEXT, &passing.by_context)]
    {
        provider.mode.set(Mode::Says(said.clone().into()));
        let answer = passing.by_token(&[], &plain(receiver)).await;
        assert_eq!(code(&answer), "AnswerViolated");
        assert!(!answer.text().contains(word) && !answer.text().contains(person), "{}", answer.text());
    }
    let of = |receiver: &str| {
        let receiver = receiver.parse().unwrap();
        move |letter: &&Waiting| letter.notice.authority == Some(receiver)
    };
    // What is noted is looked at in one order, so that nothing more of the first receiver comes once the other's is there.
    let letters = Letters::of(&store).until(|letters| letters.iter().filter(of(BY_CONTEXT)).count() >= 2).await;
    for (receiver, number, holder) in [(BY_TOKEN, 3, "modtager@example.dk"), (BY_CONTEXT, 4, "anden@example.dk")] {
        let own: Vec<&Waiting> = letters.iter().filter(of(receiver)).collect();
        let mut to: Vec<&str> = own.iter().map(|letter| letter.to.as_str()).collect();
        to.sort_unstable();
        let mut due = ["drift@example.dk", holder];
        due.sort_unstable();
        assert_eq!(to, due, "{letters:#?}");
        for letter in own {
            assert_eq!(letter.notice.kind, Kind::ProviderAnswerRefused);
            assert_eq!(letter.notice.service, Some(passing.folder.settings.uuid));
            let system = format!("7a000000-0000-4000-8000-00000000010{number}");
            assert_eq!(letter.notice.system.unwrap().to_string(), system);
        }
    }
    let told = serde_json::to_string(&letters).unwrap() + &String::from_utf8_lossy(&log.lines());
    assert!(told.contains("/Kvittering/Kode"), "the log says where");
    assert!(!told.contains(word) && !told.contains(person));
    store.close().await;
}
