//! SOAP itself, in both versions: codes and statuses of faults, the headers beside them, addresses, and what is signed.

use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::refusal::{Detail, QNames, Refusal};
use hjemmel::signature::key::Certificate;
use hjemmel::signature::verify::{Parts, verify_whole_response};
use hjemmel::soap::document::Document;
use hjemmel::soap::envelope::{Envelope, Version};
use hjemmel::soap::fault;
use hjemmel::soap::names::{LIBERTY_SB, SOAP12};
use hjemmel::soap::strict::Limits;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;

use crate::process::in_runtime;
use crate::request::{and, search};
use crate::stage::{INDEX_ACTION, SOAP11, Signed, Stage, WRAPPER, WSA, lines, on_stage, options, person};
use crate::wire::{Answer, Http, Sent};

const V11: Version = Version::V11;
const V12: Version = Version::V12;

fn input() -> String {
    search(&and(&[&person(demo::UDK_ONLY)]))
}

fn envelope(answer: &Answer) -> Envelope {
    Envelope::read(Document::parse(answer.body.clone(), &Limits::default()).unwrap()).unwrap()
}

/// The headers with these names, in SOAP 1.2's namespace, as the expanded names that their `qname`s stand for.
fn qnames(answer: &Answer, local: &str) -> Vec<(String, String)> {
    let read = envelope(answer);
    let header = read.header().into_iter().flat_map(|header| header.descendants());
    let named = header.filter(|block| block.is(SOAP12, local));
    named
        .map(|block| {
            let (prefix, local) = block.attribute("", "qname").unwrap().split_once(':').unwrap();
            (block.namespace_of(prefix).unwrap().to_owned(), local.to_owned())
        })
        .collect()
}

/// SOAP 1.1, 4.4.1 and 6.2; SOAP 1.2 part 1, 5.4.6, and part 2, table 20.
#[test]
fn each_code_of_a_fault_has_its_name_and_its_status_in_each_version() {
    let unknown = QNames::from_iter([("urn:x", "T")]);
    let detail = Detail::new("x", "x");
    let table = [
        (Refusal::NotSoap, ("VersionMismatch", 500), ("VersionMismatch", 500, 500)),
        (Refusal::MustUnderstand { headers: unknown }, ("MustUnderstand", 500), ("MustUnderstand", 500, 500)),
        (Refusal::DataEncodingUnknown { place: "x".into() }, ("Client", 500), ("DataEncodingUnknown", 500, 500)),
        (Refusal::RequestInvalid { what: detail }, ("Client", 500), ("Sender", 500, 400)),
        (Refusal::PEER_FAULT, ("Server", 500), ("Receiver", 500, 500)),
    ];
    for (refusal, (name11, status11), (name12, usual, by_the_letter)) in table {
        let code = |version| {
            let body = String::from_utf8(fault::body(version, &refusal, "id")).unwrap();
            let from = if version == V11 { "<faultcode>s:" } else { "<s:Code><s:Value>s:" };
            body.split_once(from).unwrap().1.split_once('<').unwrap().0.to_owned()
        };
        assert_eq!((code(V11).as_str(), code(V12).as_str()), (name11, name12));
        for sender in [500, 400] {
            assert_eq!(fault::status(V11, &refusal, sender), status11, "{name11}");
        }
        assert_eq!((fault::status(V12, &refusal, 500), fault::status(V12, &refusal, 400)), (usual, by_the_letter), "{name12}");
    }
}

/// An anonymous message, its names as long as any may be: had each been copied, these would have been seven megabytes.
#[test]
fn ten_thousand_headers_that_are_not_understood_are_told_in_few_words() {
    let (namespace, local) = (format!("urn:{}", "x".repeat(500)), "a".repeat(250));
    let header = |local: &str| format!("<p:{local} s:mustUnderstand=\"1\"/>");
    let headers = header(&local).repeat(3000) + &header("a").repeat(10_000);
    let message = format!(
        "<s:Envelope xmlns:s=\"{SOAP12}\" xmlns:p=\"{namespace}\"><s:Header>{headers}</s:Header><s:Body><p:b/></s:Body></s:Envelope>"
    );
    let refusal = Envelope::read(Document::parse(message.into(), &Limits::default()).unwrap()).unwrap_err();
    assert!(format!("{refusal:?}").len() < 10_000, "what is kept of it");
    let told = String::from_utf8(fault::body(V12, &refusal, "id")).unwrap();
    assert!(told.contains("MustUnderstand") && told.len() < 20_000, "{told}");
    assert_eq!(fault::headers(V12, &refusal), "", "a name that cannot be said whole is not said");
}

#[test]
fn each_header_that_is_not_understood_is_named_beside_the_fault_in_soap_1_2() {
    on_stage(async |stage| {
        for version in [V11, V12] {
            let one = "<x:One xmlns:x=\"urn:one?a&amp;b\" s:mustUnderstand=\"1\"/>";
            let two = "<Two xmlns=\"urn:two\" s:mustUnderstand=\"1\"/><y:Three xmlns:y=\"urn:three\"/>";
            let message = stage.by_tls(version, KORSBAEK, &input());
            let message = message.replace("<s:Body>", &format!("<s:Header>{one}{two}</s:Header><s:Body>"));
            let answer = stage.call(version, Some(Role::Korsbaek), message).await;
            stage.refused(&answer, "MustUnderstand");
            assert_eq!(answer.status, 500);
            let both = [("urn:one?a&b".to_owned(), "One".to_owned()), ("urn:two".to_owned(), "Two".to_owned())];
            assert_eq!(qnames(&answer, "NotUnderstood"), if version == V12 { &both[..] } else { &[] });
            assert!(answer.text().contains("urn:two}Two") && !answer.text().contains("urn:three"), "{}", answer.text());
        }
    });
}

#[test]
fn an_envelope_of_no_known_version_is_told_which_are_known() {
    on_stage(async |stage| {
        for version in [V11, V12] {
            let draft = "http://www.w3.org/2001/12/soap-envelope";
            let message = stage.by_tls(version, KORSBAEK, &input()).replace(version.namespace(), draft);
            let answer = stage.call(version, Some(Role::Korsbaek), message).await;
            stage.refused(&answer, "NotSoap");
            assert_eq!((answer.status, answer.header("content-type")), (500, version.content_type()));
            let known = [SOAP12, SOAP11].map(|namespace| (namespace.to_owned(), "Envelope".to_owned()));
            assert_eq!(qnames(&answer, "SupportedEnvelope"), known);
            assert_eq!(envelope(&answer).version(), version);
        }
    });
}

/// SOAP 1.2 part 1, appendix A: either way round the fault is one of SOAP 1.1.
#[test]
fn an_envelope_of_the_other_version_than_its_content_type_is_told_the_right_type() {
    on_stage(async |stage| {
        for (said, written, right) in [(V12, V11, "text/xml"), (V11, V12, "application/soap+xml")] {
            let answer = stage.call(said, Some(Role::Korsbaek), stage.by_tls(written, KORSBAEK, &input())).await;
            stage.refused(&answer, "ContentTypeMismatch");
            assert_eq!((answer.status, answer.header("content-type")), (500, "text/xml; charset=utf-8"));
            assert_eq!(envelope(&answer).version(), V11);
            assert!(answer.text().contains("<faultcode>s:VersionMismatch<"));
            for told in [format!("Content-Type {right},"), format!("envelope of {}.", written.name())] {
                assert!(answer.text().contains(&told), "{told}: {}", answer.text());
            }
        }
    });
}

#[test]
fn to_may_be_any_spelling_of_the_services_address() {
    on_stage(async |stage| {
        let token = stage.token(Role::Korsbaek, KORSBAEK).await;
        let address = stage.world.service.to_string();
        for to in [
            address.clone(),
            address.replace("https://localhost", "HTTPS://LocalHost"),
            address.replace("TerminalAdgang", "%54erminalAdgang"),
            format!("{WSA}/anonymous"),
            hjemmel::cli::demo::world::ENTITY_ID.to_owned(),
        ] {
            let message = stage.signed(&Signed { to: Some(to.clone()), ..Signed::new(V12, &token, input()) });
            assert_eq!(stage.call(V12, None, message).await.status, 200, "{to}");
        }
    });
}

#[test]
fn another_address_is_told_beside_the_right_one_unless_it_could_hold_a_persons_number() {
    on_stage(async |stage| {
        let token = stage.token(Role::Korsbaek, KORSBAEK).await;
        let address = stage.world.service.to_string();
        let entity = hjemmel::cli::demo::world::ENTITY_ID;
        for (to, said) in [
            (address.replace("/TerminalAdgang/6", "/terminaladgang/6"), true),
            (format!("{address}/"), true),
            (format!("{address}?"), true),
            (format!("{WSA}/none"), true),
            (entity.to_uppercase(), true),
            (format!("{address}?cpr={}", demo::UDK_ONLY), false),
        ] {
            let message = stage.signed(&Signed { to: Some(to.clone()), ..Signed::new(V12, &token, input()) });
            let answer = stage.call(V12, None, message).await;
            stage.refused(&answer, "AddressingInvalid");
            let text = answer.text();
            assert!(text.contains(&address), "{text}");
            assert_eq!(text.contains(&format!("To is {to}")), said, "{text}");
        }
    });
}

#[test]
fn an_action_that_is_another_is_told_where_it_stands_beside_the_right_one() {
    on_stage(async |stage| {
        let wrapped = format!("{WRAPPER}fremsoeg");
        let other = "http://kombit.dk/sts/ydelseindeks/slet";
        for version in [V11, V12] {
            let message = stage.by_tls(version, KORSBAEK, &input());
            let mut request = stage.request(Http::Two, version).body(Sent::whole(message.clone())).unwrap();
            let place = match version {
                V11 => {
                    request.headers_mut().insert("soapaction", format!("\"{other}\"").parse().unwrap());
                    "SOAPAction"
                }
                V12 => {
                    let kind = format!("application/soap+xml; action=\"{other}\"");
                    request.headers_mut().insert("content-type", kind.parse().unwrap());
                    "action (Content-Type)"
                }
            };
            let by_http = stage.send(Http::Two, Some(Role::Korsbaek), request).await.unwrap();
            let header = format!("<s:Header><a:Action xmlns:a=\"{WSA}\">{other}</a:Action></s:Header><s:Body>");
            let by_header = stage.call(version, Some(Role::Korsbaek), message.replace("<s:Body>", &header)).await;
            for (answer, place) in [(by_http, place), (by_header, "wsa:Action")] {
                stage.refused(&answer, "ActionMismatch");
                let told = format!("{place} is {other}, but must be {wrapped}");
                assert!(answer.text().contains(&told), "{told}: {}", answer.text());
            }
        }
    });
}

/// Unsigned by the index's policy, which is for SOAP 1.2; signed by the platform's, which is for SOAP 1.1.
#[test]
fn libertys_framework_must_be_signed_in_soap_1_1_alone() {
    on_stage(async |stage| {
        let token = stage.token(Role::Korsbaek, KORSBAEK).await;
        for (version, served) in [(V11, false), (V12, true)] {
            let framework =
                format!("<l:Framework xmlns:l=\"{LIBERTY_SB}\" version=\"2.0\" soap:mustUnderstand=\"1\"/><wsse:Security ");
            let message = stage.signed(&Signed::new(version, &token, input())).replacen("<wsse:Security ", &framework, 1);
            let answer = stage.call(version, None, message).await;
            match served {
                true => assert!(!lines(&answer).is_empty(), "{}", answer.text()),
                false => drop(stage.refused(&answer, "SignatureCoverage")),
            }
            let signed = stage.signed(&Signed { framework: true, ..Signed::new(version, &token, input()) });
            assert!(!lines(&stage.call(version, None, signed).await).is_empty(), "{version:?}, signed");
        }
    });
}

async fn answered(stage: &Stage, version: Version, body: String) -> Answer {
    let token = stage.token(Role::Korsbaek, KORSBAEK).await;
    let answer = stage.call(version, None, stage.signed(&Signed::new(version, &token, body))).await;
    assert!(!lines(&answer).is_empty(), "{}", answer.text());
    answer
}

#[test]
fn an_answer_has_libertys_framework_in_soap_1_1_alone_and_signed() {
    on_stage(async |stage| {
        let gateway = Certificate::from_der(stage.world.pki.credentials(Role::GatewayClient).unwrap().leaf()).unwrap();
        for version in [V11, V12] {
            let read = envelope(&answered(stage, version, input()).await);
            let (header, security, body) = (read.header().unwrap(), read.security().unwrap(), read.body().unwrap());
            let framework: Vec<_> = header.elements().filter(|block| block.is(LIBERTY_SB, "Framework")).collect();
            assert_eq!(framework.len(), usize::from(version == V11));
            for block in &framework {
                assert_eq!((block.attribute("", "version"), block.attribute(SOAP11, "mustUnderstand")), (Some("2.0"), None));
            }
            let parts = Parts { header, security, body, must_cover: framework };
            verify_whole_response(read.document(), &parts, std::slice::from_ref(&gateway)).unwrap();
        }
    });
}

#[test]
fn an_answer_names_the_operation_of_the_contract_that_its_request_was_written_by() {
    on_stage(async |stage| {
        let wrapper = format!("<ta:FremsoegRequest xmlns:ta=\"{WRAPPER}\">{}</ta:FremsoegRequest>", input());
        for version in [V11, V12] {
            for (body, action) in
                [(input(), format!("{INDEX_ACTION}Response")), (wrapper.clone(), format!("{WRAPPER}fremsoegResponse"))]
            {
                let read = envelope(&answered(stage, version, body).await);
                assert_eq!(read.addressing().action, Some(action));
            }
        }
    });
}

#[test]
fn only_a_senders_fault_of_soap_1_2_has_the_status_that_the_operator_chose() {
    for (setting, sender) in [
        ("", 500),
        ("[service.terminaladgang-6]\nsender_fault_status = 500\n", 500),
        ("[service.terminaladgang-6]\nsender_fault_status = 400\n", 400),
    ] {
        in_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            let world = World::start(options(dir.path(), Clock::system(), setting)).await.unwrap();
            let client = world.client(Some(Role::Korsbaek)).unwrap();
            let good = Client::authority_context_message(KORSBAEK.parse().unwrap(), input().as_bytes());
            let good = String::from_utf8(good.to_vec()).unwrap();
            let ask = async |version: Version, message: &str| {
                let said = client.send(version, message.replace(SOAP11, version.namespace()).into()).await.unwrap();
                (said.status, String::from_utf8(said.answer.to_vec()).unwrap())
            };
            let unknown = good.replace("FremsoegRequest", "SletRequest");
            for (version, status) in [(V12, sender), (V11, 500)] {
                let (told, text) = ask(version, &unknown).await;
                assert!(told == status && text.contains(">OperationUnknown<"), "{setting:?} {version:?}: {told} {text}");
            }
            world.index_mode.set(FaultMode::Unsigned);
            for version in [V12, V11] {
                let (told, text) = ask(version, &good).await;
                assert!(told == 500 && text.contains(">PeerSignatureInvalid<"), "{setting:?} {version:?}: {told} {text}");
            }
            world.index_mode.set(FaultMode::Honest);
            assert_eq!(ask(V12, &good).await.0, 200, "{setting:?}");
            assert_eq!(world.stop().await, 0);
        });
    }
}
