//! Calls through a gateway that offers the service with its rules: what the ledger gets, what the sender hears, what is recorded.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::audit::{Outcome, Record};
use hjemmel::clock::Clock;
use hjemmel::decisions::statement::Signer;
use hjemmel::decisions::{Because, By, user};
use hjemmel::notices::address::Language;
use hjemmel::services::finance::lists::draft;
use hjemmel::services::finance::lists::publish::{Notice, Proposal};
use hjemmel::services::finance::rules::delivery::NAMESPACE;
use hjemmel::services::finance::rules::sortiment::{List, xml};
use hjemmel::services::finance::trials::Trial;
use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::signature::key::Certificate;
use hjemmel::store::Settings;
use hjemmel::stub::finance::ledger::{Ledger, UNMAPPED};
use hjemmel::stub::finance::sample::{LIST, Parties, Sample, VERSION, kroner};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, UDK};
use hjemmel::stub::service::mode::Mode;
use hjemmel::stub::service::serve::Content;
use hjemmel::users::{Kind, User, rights};
use tempfile::TempDir;

use super::contract::judged;
use super::folder;
use super::rules::list;
use crate::wire::Answer;
use crate::world::{BY_CONTEXT, BY_TOKEN, NOBODY, Passing, authority_context, content, named, parsed};

pub struct Finance {
    pub passing: Passing,
    pub ledger: Arc<Ledger>,
    _lists: TempDir,
}

impl Finance {
    pub async fn start(more: &str) -> Self {
        let lists = tempfile::tempdir().unwrap();
        fs::write(lists.path().join("list.xml"), xml::write(&list()).unwrap()).unwrap();
        let ledger = Arc::new(Ledger::default());
        let section = format!("kind = \"finance\"\nsortiment = \"{}\"\n{more}", lists.path().display());
        let passing = Passing::start_with(&folder(), &section, Security::Token, Some(ledger.clone())).await;
        Self { passing, ledger, _lists: lists }
    }

    /// The same with these value lists, by this clock.
    pub async fn start_at(lists_there: &[List], more: &str, clock: Clock) -> Self {
        let lists = tempfile::tempdir().unwrap();
        for (at, list) in lists_there.iter().enumerate() {
            fs::write(lists.path().join(format!("{at}.xml")), xml::write(list).unwrap()).unwrap();
        }
        let ledger = Arc::new(Ledger::default());
        let section = format!("kind = \"finance\"\nsortiment = \"{}\"\n{more}", lists.path().display());
        let passing = Passing::start_at(&folder(), &section, ledger.clone(), clock).await;
        Self { passing, ledger, _lists: lists }
    }

    /// What Korsbæk's system sends to the ledger of `receiver`.
    pub fn sample(seed: u64, receiver: &str, vouchers: usize) -> Sample {
        Sample::ordinary(seed, &Self::parties(receiver), vouchers)
    }

    /// Korsbæk's system, and the ledger of `receiver`.
    pub fn parties(receiver: &str) -> Parties {
        let system = Role::Korsbaek.uuid().parse().unwrap();
        let (sender, receiver) = (KORSBAEK.parse().unwrap(), receiver.parse().unwrap());
        Parties { system, sender, receiver, day: jiff::civil::date(2026, 11, 27) }
    }

    pub async fn send(&self, sample: &Sample) -> (Answer, Record) {
        let answer = self.passing.by_token(&[], &sample.request("")).await;
        (answer, self.passing.record())
    }
}

pub fn texts(xml: &str, name: &str) -> Vec<String> {
    let document = parsed(xml.as_bytes());
    let found = document.root().descendants().filter(|element| element.local() == name);
    found.map(|element| element.text().unwrap().into_owned()).collect()
}

/// SumDebet and SumKredit of a delivery.
fn sums(sample: &Sample) -> [String; 2] {
    let xml = sample.delivery();
    ["SumDebet", "SumKredit"].map(|name| texts(&xml, name).remove(0))
}

/// The receipt in an answer, valid by the contract.
pub async fn receipt(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let receipt = content(&answer.body);
    assert_eq!(judged(&receipt, "FinansbilagKvittering").await, Ok(()), "{receipt}");
    receipt
}

/// A user of these roles of an authority, who is told by mail here.
pub async fn told_by_mail(store: &Store, party: Option<&str>, role: rights::Role, address: &str) {
    let (now, person) = (Clock::system().now(), uuid::Uuid::new_v4());
    let user = User {
        id: person,
        person,
        name: address.to_owned(),
        kind: Kind::Person,
        party: party.map(|party| party.parse().unwrap()),
        roles: vec![role],
        services: Vec::new(),
        certificates: Vec::new(),
        valid_from: now - jiff::SignedDuration::from_hours(1),
        valid_to: None,
        known: hjemmel::users::Known::default(),
    };
    user::add(store, None, &user, &[], &Because::new("sag 7".to_owned(), now)).await.unwrap();
    let mut change = store.change().await.unwrap();
    change.set_address(user.id, Some((address, Language::En)), now).await.unwrap();
    change.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_after_a_ledger_that_answers_against_the_contract_or_is_lost_and_the_operators_are_told_by_mail() {
    let mail = tempfile::tempdir().unwrap();
    let section = format!(
        "kind = \"finance\"\n[service.pass.rules]\nFB002 = \"off\"\n[mail]\nfrom = \"Hjemmel <hjemmel@example.dk>\"\nfolder = \"{}\"\n",
        mail.path().display()
    );
    let passing = Passing::start_with(&folder(), &section, Security::Token, Some(Arc::new(Ledger::default()))).await;
    let store = Store::open(&Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
    told_by_mail(&store, None, rights::Role::Operator, "drift@example.dk").await;
    told_by_mail(&store, Some(BY_TOKEN), rights::Role::SystemResponsible, "modtager@example.dk").await;
    told_by_mail(&store, Some(BY_CONTEXT), rights::Role::SystemResponsible, "anden@example.dk").await;
    let person = "6101801234";
    for (seed, mode) in (1..).zip([Mode::Invalid, Mode::Cut]) {
        passing.by_token.mode.set(mode);
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        sample.vouchers[0].postings[0].rest = vec![("Part", format!("urn:oio:cpr-nr:{person}"))];
        let told = receipt(&passing.by_token(&[], &sample.request("")).await).await;
        // In Danish and in English.
        assert_eq!(texts(&told, "FejlKode"), ["FB090", "FB090"], "{told}");
    }
    let letters = || -> Vec<String> {
        let files = fs::read_dir(mail.path()).unwrap().filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
        files.map(|letter| letter.replace("\r\n ", " ")).collect()
    };
    let expected: BTreeSet<(&str, &str)> = ["drift@example.dk", "modtager@example.dk"]
        .into_iter()
        .flat_map(|to| ["answers against the contract", "Answer to a delivery is lost"].map(|subject| (to, subject)))
        .collect();
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        let letters = letters();
        let found: BTreeSet<(&str, &str)> = expected
            .iter()
            .filter(|(to, subject)| letters.iter().any(|letter| letter.contains(to) && letter.contains(subject)))
            .copied()
            .collect();
        assert!(letters.iter().all(|letter| !letter.contains("anden@example.dk") && !letter.contains(person)), "{letters:?}");
        if found == expected {
            break;
        }
        assert!(Instant::now() < until, "{letters:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_accepted_in_both_bindings_by_ledgers_of_both_models() {
    let finance = Finance::start("").await;
    let mut seed = 0;
    for (receiver, by_token) in [(BY_TOKEN, true), (BY_TOKEN, false), (BY_CONTEXT, true), (BY_CONTEXT, false)] {
        seed += 1;
        let sample = Finance::sample(seed, receiver, 3);
        let answer = match by_token {
            true => finance.passing.by_token(&[], &sample.request("")).await,
            false => finance.passing.by_context(Role::Korsbaek, "", &sample.request(&authority_context(KORSBAEK))).await,
        };
        let receipt = receipt(&answer).await;
        assert_eq!(finance.passing.is_signed(&answer), by_token);
        assert_eq!(texts(&receipt, "LeveranceID"), std::slice::from_ref(&sample.id));
        assert_eq!(texts(&receipt, "ForretningsValideringsKode"), ["ACCEPTERET"]);
        let ids: Vec<String> = sample.vouchers.iter().map(|voucher| voucher.id.clone()).collect();
        assert_eq!(texts(&receipt, "BilagID"), ids);
        assert!(!receipt.contains("Platform"), "{receipt}");
        // What the ledger booked is what was sent.
        let ledger = if receiver == BY_TOKEN { &finance.passing.by_token } else { &finance.passing.by_context };
        let got = ledger.received.get().last;
        let delivery = parsed(&got);
        let delivery = hjemmel::signature::c14n::canonical_bytes(named(&delivery, "FinansbilagLeverance").unwrap());
        assert_eq!(String::from_utf8(delivery).unwrap(), sample.delivery());
        let record = finance.passing.record();
        let about = record.about.finance().unwrap();
        assert_eq!(record.outcome, Some(Outcome::Served));
        assert_eq!(about.pass.receiver.unwrap().to_string(), receiver);
        assert_eq!((about.figures.delivery.to_string(), about.figures.vouchers), (sample.id.clone(), 3));
        assert_eq!(about.figures.postings, sample.vouchers.iter().map(|voucher| voucher.postings.len() as u64).sum::<u64>());
        assert_eq!((about.figures.receipt.as_deref(), about.figures.accepted), (Some("ACCEPTERET"), Some(3)));
        assert_eq!([&about.figures.debit, &about.figures.credit], sums(&sample).each_ref());
        assert_eq!((about.figures.list, about.figures.list_version.as_deref()), (LIST, Some(VERSION)));
    }
    assert!(finance.ledger.booked().values().all(|count| *count == 1));
    assert_eq!(finance.ledger.booked().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_s_verdict_by_voucher_is_passed_on_with_whom_it_is_for() {
    let finance = Finance::start("[service.pass.rules]\nFB010 = \"off\"\nFB002 = \"off\"\nFB020 = \"off\"").await;
    let mut sample = Finance::sample(7, BY_TOKEN, 4);
    sample.vouchers[0].date = "2025-12-31".to_owned();
    sample.vouchers[1].postings[0].codes[0][1] = UNMAPPED.to_owned();
    sample.vouchers[2].postings[0].side = "K";
    let (answer, record) = finance.send(&sample).await;
    let receipt = receipt(&answer).await;
    assert_eq!(texts(&receipt, "ForretningsValideringsKode"), ["AFVIST"]);
    assert_eq!(texts(&receipt, "Resultat"), ["AFVIST", "AFVIST", "AFVIST", "ACCEPTERET"]);
    let of_vouchers = |name| {
        texts(
            &receipt
                .split_once("<fb:BilagResultat>")
                .map(|(_, rest)| {
                    format!(
                        "<fb:R xmlns:fb=\"{NAMESPACE}\"><fb:BilagResultat>{}</fb:R>",
                        rest.replace("</fb:FinansbilagKvittering>", "")
                    )
                })
                .unwrap(),
            name,
        )
    };
    assert_eq!(of_vouchers("FejlKode"), ["FB012", "FB022", "FB010"]);
    assert_eq!(of_vouchers("Maalgruppe"), ["SLUTBRUGER", "ADMINISTRATOR", "SLUTBRUGER"]);
    assert_eq!(of_vouchers("SortimentKode"), [UNMAPPED]);
    let about = record.about.finance().unwrap();
    assert_eq!((about.figures.accepted, about.figures.rejected), (Some(1), Some(3)));
    let sums = sums(&sample);
    assert!(sums[0] != sums[1], "a debit was made a credit");
    assert_eq!([&about.figures.debit, &about.figures.credit], sums.each_ref());
    let audiences: Vec<_> = about.figures.audiences.iter().map(|(audience, count)| (audience.as_str(), *count)).collect();
    assert_eq!(audiences, [("ADMINISTRATOR", 1), ("SLUTBRUGER", 2)]);
    assert_eq!(record.outcome, Some(Outcome::Served), "the call was served; what the ledger says is the ledger's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_refuses_tells_the_sender_all_and_the_ledger_nothing() {
    let refuse = "[service.pass.rules]\nFB002 = \"refuse\"\nFB020 = \"refuse\"\nFB021 = \"refuse\"\nFB040 = \"refuse\"";
    let finance = Finance::start(refuse).await;
    let mut seen = BTreeSet::new();
    for (at, (code, plant)) in super::rules::FAULTS.iter().enumerate() {
        let mut sample = Finance::sample(at as u64, BY_TOKEN, 2);
        plant(&mut sample);
        let (answer, record) = finance.send(&sample).await;
        let receipt = receipt(&answer).await;
        assert!(finance.passing.is_signed(&answer));
        assert_eq!(texts(&receipt, "TransportValideringsKode"), ["FEJL"], "{code}");
        assert_eq!(texts(&receipt, "LeveranceID"), [sample.id]);
        let codes: BTreeSet<String> = texts(&receipt, "FejlKode").into_iter().collect();
        assert_eq!(codes, [(*code).to_owned()].into(), "{receipt}");
        assert_eq!(texts(&receipt, "Alvor").first().map(String::as_str), Some("FEJL"));
        assert!(receipt.contains("Hele leverancen er afvist") && receipt.contains("The whole delivery is refused"));
        assert_eq!((record.outcome, record.refusal.as_deref()), (Some(Outcome::Refused), Some(*code)));
        assert_eq!(record.about.finance().unwrap().figures.findings.keys().collect::<Vec<_>>(), [code]);
        for party in ["urn:oio", "6101801234", "7202811235", "8503823236", "3102801234"] {
            assert!(!receipt.contains(party), "{receipt}");
        }
        seen.insert(*code);
    }
    assert_eq!(seen.len(), 13);
    assert_eq!(finance.passing.by_token.received.get().count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_stands_in_the_ledger_s_receipt_and_stops_nothing() {
    let finance = Finance::start("[service.pass.authority.11111111.rules]\nFB010 = \"warn\"").await;
    let mut sample = Finance::sample(1, BY_TOKEN, 2);
    sample.vouchers[0].postings[0].codes[0][1] = "4711".to_owned();
    sample.vouchers[1].postings[0].side = "K";
    sample.vouchers[1].postings[0].amount = "1.00".to_owned();
    let (answer, record) = finance.send(&sample).await;
    let receipt = receipt(&answer).await;
    assert!(finance.passing.is_signed(&answer), "what was added is signed too");
    assert_eq!(texts(&receipt, "ForretningsValideringsKode"), ["AFVIST"], "by the ledger, for the voucher that does not balance");
    let (ledger, platform) = receipt.split_once("<fb:Platform>").unwrap();
    assert!(
        ledger.contains("FB010") && platform.contains("<fb:FejlKode>FB020</fb:FejlKode><fb:Alvor>ADVARSEL</fb:Alvor>"),
        "{receipt}"
    );
    assert!(platform.contains("<fb:SortimentKode>4711</fb:SortimentKode>") && platform.contains("Leverancen er sendt videre."));
    assert_eq!(record.about.finance().unwrap().figures.findings.len(), 2);
    // The same in the prefix and order of another ledger, which declares the namespace as its default.
    let says = |text: &str| finance.passing.by_token.mode.set(Mode::Says(text.into()));
    let shared = "http://serviceplatformen.dk/xml/schemas/kvittering/1/";
    let results = |judged: &[(&str, &str)]| -> String {
        let one = |(id, result): &(&str, &str)| {
            format!("<BilagResultat><BilagID>{id}</BilagID><Resultat>{result}</Resultat></BilagResultat>")
        };
        judged.iter().map(one).collect()
    };
    let receipt_of = |id: &str, code: &str, results: &str| {
        format!(
            "<FinansbilagKvittering xmlns=\"{NAMESPACE}\"><LeveranceID>{id}</LeveranceID><k:Forretningskvittering xmlns:k=\"{shared}\"><k:ForretningsValideringsKode>{code}</k:ForretningsValideringsKode></k:Forretningskvittering>{results}</FinansbilagKvittering>"
        )
    };
    let of = |id: &str, sample: &Sample, more: &str| {
        let judged: Vec<(&str, &str)> = sample.vouchers.iter().map(|voucher| (voucher.id.as_str(), "ACCEPTERET")).collect();
        receipt_of(id, "ACCEPTERET", &(results(&judged) + more))
    };
    let mut next = 100;
    let mut fresh = || {
        next += 1;
        let mut sample = Finance::sample(next, BY_TOKEN, 2);
        sample.vouchers[0].postings[0].codes[0][1] = "4711".to_owned();
        sample
    };
    let mut sample = fresh();
    says(&of(&sample.id, &sample, ""));
    let (answer, _) = finance.send(&sample).await;
    assert!(finance.passing.is_signed(&answer));
    assert!(self::receipt(&answer).await.contains("FB020"));
    // A ledger that takes the platform's place is passed on as it answered.
    let own = "<Platform><Fejl><FejlKode>X001</FejlKode><Alvor>INFORMATION</Alvor><Maalgruppe>DRIFT</Maalgruppe><Tekst>a</Tekst><Konsekvens>b</Konsekvens><Handling>c</Handling></Fejl></Platform>";
    sample = fresh();
    says(&of(&sample.id, &sample, own));
    let (answer, _) = finance.send(&sample).await;
    assert_eq!(texts(&self::receipt(&answer).await, "FejlKode"), ["X001"]);
    // A receipt for another delivery is none, and neither is one that does not judge each voucher, judges another, or is not as its vouchers are.
    sample = fresh();
    let empty = |inside: &str| {
        format!(
            "<FinansbilagKvittering xmlns=\"{NAMESPACE}\"><LeveranceID>{}</LeveranceID>{inside}</FinansbilagKvittering>",
            sample.id
        )
    };
    let [first, second] = [&sample.vouchers[0].id, &sample.vouchers[1].id].map(String::as_str);
    let judged = |code: &str, judged: &[(&str, &str)]| receipt_of(&sample.id, code, &results(judged));
    let (accepted, rejected, other) = ("ACCEPTERET", "AFVIST", "0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e11");
    let transport = format!(
        "<k:TransportKvittering xmlns:k=\"{shared}\"><k:TransportValideringsKode>OK</k:TransportValideringsKode></k:TransportKvittering>"
    );
    for none in [
        of(other, &sample, ""),
        empty(""),
        empty(&transport),
        judged(accepted, &[]),
        judged(accepted, &[(first, accepted)]),
        judged(rejected, &[(first, rejected)]),
        judged(accepted, &[(first, accepted), (second, accepted), (other, accepted)]),
        judged(accepted, &[(first, accepted), (other, accepted)]),
        judged(accepted, &[(first, accepted), (second, rejected)]),
        judged(rejected, &[(first, accepted), (second, accepted)]),
        judged(rejected, &[(first, accepted), (second, rejected), (second, accepted)]),
        judged("MODTAGET", &[(first, accepted), (second, accepted)]),
    ] {
        says(&none);
        let (answer, record) = finance.send(&sample).await;
        assert_eq!(texts(&self::receipt(&answer).await, "FejlKode"), ["FB090", "FB090"]);
        assert_eq!(record.refusal.as_deref(), Some("AnswerViolated"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_reaches_the_ledger_only_within_the_time_that_is_open_for_the_authority_that_sends() {
    let now = hjemmel::clock::Clock::system().now();
    let hours = |hours| now + jiff::SignedDuration::from_hours(hours);
    let time = |cvr: &str, from, to| {
        format!("[service.pass.authority.{cvr}.proeve]\nfrom = \"{}\"\nto = \"{}\"\n", hours(from), hours(to))
    };
    let mut seed = 0;
    for (open, taken) in [
        (String::new(), false),
        (time(KORSBAEK, -2, -1), false),
        (time(KORSBAEK, 24, 25), false),
        (time(UDK, -1, 24), false),
        (time(KORSBAEK, -1, 24), true),
    ] {
        let finance = Finance::start(&open).await;
        seed += 1;
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        sample.trial = true;
        let (answer, record) = finance.send(&sample).await;
        let told = receipt(&answer).await;
        assert!(record.about.finance().unwrap().figures.trial);
        assert_eq!(finance.passing.by_token.received.get().count, u64::from(taken), "{open}");
        if taken {
            assert_eq!(texts(&told, "ForretningsValideringsKode"), ["ACCEPTERET"]);
            assert!(finance.ledger.booked().is_empty(), "a test books nothing");
            // The same vouchers for real, in a delivery of its own.
            let own = Finance::sample(seed + 20, BY_TOKEN, 1).id;
            let (answer, _) = finance.send(&Sample { id: own, trial: false, ..sample }).await;
            assert_eq!(texts(&receipt(&answer).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
            assert_eq!(finance.ledger.booked().into_values().collect::<Vec<_>>(), [1]);
            continue;
        }
        assert_eq!(texts(&told, "TransportValideringsKode"), ["FEJL"]);
        assert_eq!(texts(&told, "FejlKode"), ["FB006", "FB006"], "{open}");
        assert_eq!(texts(&told, "Maalgruppe"), ["ADMINISTRATOR"]);
        assert!(told.contains("åbne et tidsrum for prøver") && told.contains("open a time for tests"), "{told}");
        assert_eq!((record.outcome, record.refusal.as_deref()), (Some(Outcome::Refused), Some("FB006")));
        // The same that is no test is passed on.
        let (answer, _) = finance.send(&Finance::sample(seed + 10, BY_TOKEN, 1)).await;
        assert_eq!(texts(&receipt(&answer).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_in_a_text_of_a_delivery_asks_the_stub_ledger_for_a_failure_and_it_tells_what_it_booked() {
    let finance = Finance::start("").await;
    // An ordinary one in between: a ledger that fails again and again is left alone.
    let words = [
        ("slow=0", "", true),
        ("declared-fault", "", false),
        ("reset", "FB090", false),
        ("honest", "", true),
        ("cut", "FB090", true),
    ];
    let mut due = 0;
    for (seed, (word, code, booked)) in (1..).zip(words) {
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        sample.vouchers[0].after = vec![("Bilagstekst", format!("Prøve stub:{word} af vejen"))];
        let (answer, _) = finance.send(&sample).await;
        if word == "declared-fault" {
            assert_eq!(answer.status, 500, "{}", answer.text());
        } else {
            let told = receipt(&answer).await;
            assert_eq!(texts(&told, "FejlKode").first().map_or("", String::as_str), code, "{word}: {told}");
            assert_eq!(told.contains("ACCEPTERET"), code.is_empty(), "{word}: {told}");
        }
        let voucher: uuid::Uuid = sample.vouchers[0].id.parse().unwrap();
        assert_eq!(finance.ledger.booked().contains_key(&voucher), booked, "{word}");
        due += usize::from(booked);
        let done = finance.ledger.done().unwrap();
        assert!(done.starts_with(&format!("booked {due} vouchers, 0 more than once\n")), "{word}: {done}");
        assert_eq!(done.contains(&format!("{voucher} 1\n")), booked, "{word}: {done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_behind_the_rules_has_a_code_of_the_service_and_its_cause_in_the_record() {
    let finance = Finance::start("").await;
    let (answer, record) = finance.send(&Finance::sample(1, NOBODY, 1)).await;
    let told = receipt(&answer).await;
    assert_eq!(texts(&told, "FejlKode"), ["FB001", "FB001"]);
    assert!(told.contains(NOBODY) && texts(&told, "Maalgruppe") == ["ADMINISTRATOR"], "{told}");
    assert_eq!(record.refusal.as_deref(), Some("RouteNotFound"));
    for (at, (mode, cause)) in [
        (Mode::UndeclaredFault, "PeerFault"),
        (Mode::Invalid, "AnswerViolated"),
        (Mode::Unsigned, "PeerSignatureInvalid"),
        (Mode::Cut, "PeerUnavailable"),
    ]
    .into_iter()
    .enumerate()
    {
        finance.passing.by_token.mode.set(mode);
        let (answer, record) = finance.send(&Finance::sample(10 + at as u64, BY_TOKEN, 1)).await;
        let told = receipt(&answer).await;
        assert_eq!(texts(&told, "FejlKode"), ["FB090", "FB090"], "{cause}");
        assert_eq!(texts(&told, "Maalgruppe"), ["DRIFT"]);
        assert!(!told.contains("intet er sendt videre") && told.contains("det vides ikke"), "{told}");
        assert!(!told.contains("6101801234"), "{told}");
        assert_eq!(record.refusal.as_deref(), Some(cause));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_s_vouchers_with_one_wrong_sum_are_refused_as_a_whole_and_a_bad_element_by_its_path() {
    let finance = Finance::start("").await;
    let mut sample = Finance::sample(3, BY_TOKEN, 450);
    assert!(sample.vouchers.iter().map(|voucher| voucher.postings.len()).sum::<usize>() > 1_500);
    // By one øre.
    let sum: u64 = texts(&sample.delivery(), "SumKredit")[0].replace('.', "").parse().unwrap();
    sample.control[3] = Some(kroner(sum + 1));
    let (answer, record) = finance.send(&sample).await;
    assert_eq!(texts(&receipt(&answer).await, "FejlKode"), ["FB005", "FB005"]);
    assert_eq!(record.about.finance().unwrap().figures.vouchers, 450);
    assert_eq!((record.persons.len(), record.persons_left_out), (3, 0), "each party sealed, once");
    sample.control[3] = None;
    let (answer, _) = finance.send(&sample).await;
    assert_eq!(texts(&receipt(&answer).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
    sample.vouchers[0].postings[0].amount = "12,50".to_owned();
    let (answer, record) = finance.send(&sample).await;
    assert_eq!((answer.status, record.refusal.as_deref()), (500, Some("SchemaViolated")));
    let path = "/ModtagFinansbilagStraksleveranceRequest/FinansbilagLeverance/Finansbilag/Finanspostering/Beloeb";
    assert!(answer.text().contains(path) && !answer.text().contains("12,50"), "{}", answer.text());
}

/// An operator of the gateway's store, which another process has open.
async fn operator(passing: &Passing) -> (Store, Signer, Because) {
    let store = Store::open(&Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
    let now = Clock::system().now();
    let signer = operator_with(&store, passing, Role::Intruder).await;
    (store, signer, Because::new("sag 7".to_owned(), now))
}

/// A person of the operators who has this key.
async fn operator_with(store: &Store, passing: &Passing, key: Role) -> Signer {
    let now = Clock::system().now();
    let credentials = passing.world.pki.credentials(key).unwrap();
    let certificate = Certificate::from_der(credentials.leaf()).unwrap();
    let person = uuid::Uuid::new_v4();
    let operator = User {
        id: person,
        person,
        name: "drift".to_owned(),
        kind: Kind::Person,
        party: None,
        roles: vec![rights::Role::Operator],
        services: Vec::new(),
        certificates: vec![(*certificate.thumbprint()).into()],
        // Before whatever instant the test decides at.
        valid_from: now - jiff::SignedDuration::from_hours(1),
        valid_to: None,
        known: hjemmel::users::Known::default(),
    };
    let because = Because::new("sag 7".to_owned(), now);
    user::add(store, None, &operator, &[certificate], &because).await.unwrap();
    Signer::new(credentials).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_taken_while_a_time_of_the_store_is_open_and_refused_within_a_second_of_its_end() {
    let finance = Finance::start("").await;
    let (store, signer, because) = operator(&finance.passing).await;
    let mut seed = 0;
    let mut refused = async || {
        seed += 1;
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        sample.trial = true;
        let (answer, record) = finance.send(&sample).await;
        receipt(&answer).await;
        record.refusal
    };
    let in_force = Duration::from_secs(1);
    let trial = |authority: &str| {
        let to = because.at + jiff::SignedDuration::from_hours(1);
        Trial::new(finance.passing.folder.settings.uuid, authority.parse().unwrap(), because.at, to, because.at).unwrap()
    };
    let others = trial(UDK);
    others.open(&store, By::Key(&signer), &because, None).await.unwrap();
    assert_eq!(refused().await.as_deref(), Some("FB006"), "another authority's");
    let mut took = Vec::new();
    for _ in 0..3 {
        let own = trial(KORSBAEK);
        own.open(&store, By::Key(&signer), &because, None).await.unwrap();
        for end in [false, true] {
            if end {
                own.end(&store, By::Key(&signer), &because, None).await.unwrap();
            }
            let (began, expected) = (Instant::now(), end.then_some("FB006"));
            // When the last was sent that was answered as before.
            let mut last = Duration::ZERO;
            loop {
                let sent = began.elapsed();
                if refused().await.as_deref() == expected {
                    break;
                }
                assert!(sent < Duration::from_secs(60), "ended: {end}");
                last = sent;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            took.push((end, last));
        }
    }
    // The least: another program may have the machine meanwhile.
    for end in [false, true] {
        let least = took.iter().filter(|(of, _)| *of == end).map(|(_, last)| *last).min().unwrap();
        assert!(least < in_force, "ended: {end}: {took:?}");
    }
    let booked = finance.passing.by_token.received.get().count;
    assert_eq!(refused().await.as_deref(), Some("FB006"));
    assert_eq!(finance.passing.by_token.received.get().count, booked, "nothing reaches the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_the_store_is_known_to_calls_once_it_is_published() {
    let ledger = Arc::new(Ledger::default());
    let section = "kind = \"finance\"\nsortiment = \"store\"\n[service.pass.rules]\nFB002 = \"refuse\"\n";
    let passing = Passing::start_with(&folder(), section, Security::Token, Some(ledger.clone())).await;
    let send = async |seed| {
        let sample = Finance::sample(seed, BY_TOKEN, 1);
        let answer = passing.by_token(&[], &sample.request("")).await;
        receipt(&answer).await
    };
    assert!(send(1).await.contains("FB002"), "nothing is published");
    let (store, signer, because) = operator(&passing).await;
    let service = passing.folder.settings.uuid;
    let importer = operator_with(&store, &passing, Role::Udk).await;
    let (imported, _) = draft::import(&store, service, &list(), By::Key(&importer), &because, None).await.unwrap();
    let proposal = Proposal::of(&store, imported.id()).await.unwrap();
    let soon = Notice { days: 30, sooner: true };
    proposal.publish(&store, By::Key(&signer), soon, &because, None).await.unwrap();
    // SQLite tells nobody: it is asked for.
    let began = Instant::now();
    let mut seed = 2;
    while send(seed).await.contains("FB002") {
        assert!(began.elapsed() < Duration::from_secs(60), "never");
        tokio::time::sleep(Duration::from_millis(100)).await;
        seed += 1;
    }
    assert_eq!(ledger.booked().len(), 1);
}
