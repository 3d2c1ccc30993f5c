//! Every refusal of the table, provoked through the running gateway where a caller can provoke it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::agreements::import::Import;
use hjemmel::audit::{Outcome, keys};
use hjemmel::refusal::Refusal;
use hjemmel::replay::{Seen, node::NodeMemory};
use hjemmel::soap::envelope::Version;
use hjemmel::soap::fault;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::sts::StsMode;
use hjemmel::stub::ydelsesindeks::answer::Padding;
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use jiff::SignedDuration;

use crate::request::{
    and, bounds, cpr, effectuation, effectuation_with, extensions, grant, grant_with, input, interval, kle, not, or, party,
    properties, search, stamp, urn,
};
use crate::stage::{Mint, RELEASED_BYTES, REQUEST_BYTES, Signed, Stage, on_hasty_stage, on_stage, person};
use crate::wire::{Answer, Http, Sent};

const P: &str = demo::UDK_ONLY;
const BOTH_VERSIONS: [Version; 2] = [Version::V11, Version::V12];

/// Where a refusal is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By HTTP and plain text, before there is anything to call SOAP.
    Plain,
    /// As a fault whose cause is the caller's: 500.
    Sender,
    /// As a fault whose cause is the gateway's or lies behind it: 500.
    Receiver,
    /// As a fault under this status in both versions.
    Under(u16),
    /// It takes a failing disk: `process.rs` shows it on a gateway in a process of its own.
    InProcess,
    /// It takes a certificate that ends or is revoked while its connection lasts: `tests/gateway/operations.rs` shows it over TLS.
    InOperations,
    /// It takes a pass-through service: `gateway.rs` and `deliveries.rs` in `tests/passthrough/` show it.
    InPassthrough,
    /// As a receipt of SF1590_A Finans, the platform's or the ledger's: `gateway.rs` and `deliveries.rs` in `tests/passthrough/finance/` show it.
    InFinance,
    /// It takes a person import: `imports.rs` shows it, and what takes a store that does not answer at the step alone.
    InImports,
    /// It takes what cannot be brought about from outside: shown on the step or the fault alone.
    AtItsStep(u16),
}
use Shown::{AtItsStep, InFinance, InImports, InOperations, InPassthrough, InProcess, Plain, Receiver, Sender, Under};

/// The list that the table is held against, written by hand so that no change of the table goes unseen.
const CASES: &[(&str, Shown)] = &[
    ("MethodNotAllowed", Plain),
    ("HttpsRequired", Plain),
    ("HostAmbiguous", Plain),
    ("NoSuchService", Plain),
    ("MediaTypeRefused", Under(415)),
    ("ContentCodingRefused", Under(415)),
    ("BodyTooLarge", Under(413)),
    ("BodyTimeout", Under(408)),
    ("BodyIncomplete", Under(400)),
    ("Overloaded", Plain),
    ("MalformedXml", Sender),
    ("DtdRefused", Sender),
    ("ProcessingInstructionRefused", Sender),
    ("EncodingRefused", Sender),
    ("XmlTooComplex", Sender),
    ("CommentRefused", Sender),
    ("NotSoap", Sender),
    ("ContentTypeMismatch", Sender),
    ("EnvelopeStructure", Sender),
    ("MustUnderstand", Sender),
    ("DataEncodingUnknown", Sender),
    ("AddressingInvalid", Sender),
    ("ActionMismatch", Sender),
    ("OperationUnknown", Sender),
    ("RequestInvalid", Sender),
    ("SecurityModelMissing", Sender),
    ("SecurityModelAmbiguous", Sender),
    ("SecurityStructure", Sender),
    ("DuplicateId", Sender),
    ("SignatureCoverage", Sender),
    ("SignatureAlgorithm", Sender),
    ("DigestMismatch", Sender),
    ("SignatureInvalid", Sender),
    ("TimestampOutside", Sender),
    ("TokenIssuerUntrusted", Sender),
    ("TokenExpired", Sender),
    ("TokenAudience", Sender),
    ("HolderOfKey", Sender),
    ("TokenInvalid", Sender),
    ("PrivilegeMissing", Sender),
    ("ClientCertificateMissing", Sender),
    ("ClientCertificateInvalid", InOperations),
    ("AuthorityContextInvalid", Sender),
    ("PersonNotForTest", InPassthrough),
    ("Replay", Sender),
    ("ReplayMemoryFull", AtItsStep(503)),
    ("ReplayMemoryUnavailable", AtItsStep(503)),
    ("CreatedBeforeStart", Sender),
    ("CreatedBeforeMemory", AtItsStep(500)),
    ("ServiceAgreementNotFound", Sender),
    ("ServiceAgreementNotActive", Sender),
    ("ServiceAgreementOutgrown", InPassthrough),
    ("BackAgreementNotFound", Sender),
    ("AuthorityUnknown", Sender),
    ("RouteNotFound", InPassthrough),
    ("FixedRouteNotFound", InPassthrough),
    ("AgreementsUnavailable", Receiver),
    ("StsUnavailable", Receiver),
    ("StsRefused", Receiver),
    ("StsAnswerInvalid", Receiver),
    ("StsNotSoap", Receiver),
    ("PeerUnavailable", Receiver),
    ("PeerTimeout", Receiver),
    ("PeerResting", Under(503)),
    ("PeerBusy", InPassthrough),
    ("PeerFault", Receiver),
    ("PeerAnswerInvalid", Receiver),
    ("PeerSignatureInvalid", Receiver),
    ("AuditUnavailable", InProcess),
    ("AnswerTooLarge", Receiver),
    ("Internal", AtItsStep(500)),
    ("PersonMissing", Sender),
    ("PersonSeveral", Sender),
    ("PersonShape", Sender),
    ("PersonScheme", Sender),
    ("PersonInvalid", Sender),
    ("WindowOutside", Sender),
    ("WindowInfinite", Sender),
    ("WindowInverted", Sender),
    ("WindowOpen", Sender),
    ("WindowApart", Sender),
    ("DateUnreadable", Sender),
    ("DateMisplaced", Sender),
    ("TemporalCriterion", Sender),
    ("DirectLookup", Sender),
    ("NotArity", Sender),
    ("CriterionWithheld", Sender),
    ("SortingWithheld", Sender),
    ("PagingOutside", Sender),
    ("IncludeRefused", Sender),
    ("KleOutside", Sender),
    ("PersonUnproven", Receiver),
    ("SchemaViolated", InPassthrough),
    ("HeaderViolated", InPassthrough),
    ("ReceiverMissing", InPassthrough),
    ("ProviderFault", InPassthrough),
    ("DeliveryAltered", InPassthrough),
    ("DeliveryUnderWay", InPassthrough),
    ("DeliveryUnknown", InPassthrough),
    ("DeliveriesUnavailable", InPassthrough),
    ("AnswerViolated", InPassthrough),
    ("ProviderAnswerTooLarge", InPassthrough),
    ("FB001", InFinance),
    ("FB002", InFinance),
    ("FB003", InFinance),
    ("FB004", InFinance),
    ("FB005", InFinance),
    ("FB006", InFinance),
    ("FB010", InFinance),
    ("FB011", InFinance),
    ("FB012", InFinance),
    ("FB013", InFinance),
    ("FB014", InFinance),
    ("FB015", InFinance),
    ("FB016", InFinance),
    ("FB020", InFinance),
    ("FB021", InFinance),
    ("FB022", InFinance),
    ("FB030", InFinance),
    ("FB031", InFinance),
    ("FB032", InFinance),
    ("FB040", InFinance),
    ("FB041", InFinance),
    ("FB090", InFinance),
    ("ImportEmpty", InImports),
    ("ImportTooMany", InImports),
    ("ImportUnreadable", InImports),
    ("ImportUnavailable", AtItsStep(500)),
];

fn status(shown: Shown) -> u16 {
    match shown {
        Under(status) | AtItsStep(status) => status,
        _ => 500,
    }
}

/// The answer is the fault due, with its status; nothing was forwarded, unless the refusal comes of the index's answer.
fn is_refused(stage: &Stage, answer: &Answer, code: &str, version: Version) {
    let (_, shown) = CASES.iter().find(|(name, _)| *name == code).unwrap_or_else(|| panic!("{code} is in the list"));
    assert_eq!(answer.status, status(*shown), "{code} in {version:?}: {}", answer.text());
    let party = match (shown, version) {
        _ if code == "MustUnderstand" => "s:MustUnderstand<",
        _ if code == "NotSoap" => "s:VersionMismatch<",
        _ if code == "DataEncodingUnknown" && version == Version::V12 => "s:DataEncodingUnknown<",
        _ if hjemmel::services::refusals()
            .iter()
            .any(|r| r.code() == code && r.entry().party == hjemmel::refusal::Party::Gateway) =>
        {
            if version == Version::V11 {
                "s:Server<"
            } else {
                "s:Receiver<"
            }
        }
        _ => {
            if version == Version::V11 {
                "s:Client<"
            } else {
                "s:Sender<"
            }
        }
    };
    let text = answer.text().replace("soap:", "s:");
    assert!(text.contains(party), "{code} in {version:?}: {party} {text}");
    if code.starts_with("Peer") || code == "BackAgreementNotFound" {
        let named = text.contains("Ydelsesindekset") && text.contains("the benefit index");
        assert!(named, "{code} in {version:?} names the system behind the service: {text}");
    }
    let record = stage.refused(answer, code);
    assert_eq!(record.outcome, Some(Outcome::Refused));
    let key = keys::pseudonym_key(&stage.world.dir.join("audit-keys/pseudonym.key")).unwrap();
    let due: Vec<_> = sealed(code).iter().map(|person| key.pseudonym(person).unwrap()).collect();
    let found: Vec<_> = record.persons.into_iter().map(|person| person.pseudonym).collect();
    assert_eq!(found, due, "{code} in {version:?}: the record names whom the call asked about");
}

/// Whom the message that was refused so names: everybody, from the step on that knows who calls.
fn sealed(code: &str) -> &'static [&'static str] {
    let proven = CASES.iter().position(|(name, _)| *name == "Replay").unwrap();
    match code {
        // Its body is read by the schema after the caller is proven.
        "RequestInvalid" => &[P],
        _ if CASES.iter().position(|(name, _)| *name == code) < Some(proven) => &[],
        // Nobody is named in the way of the service.
        "PersonMissing" | "PersonScheme" | "PersonInvalid" => &[],
        "PersonSeveral" => &[P, demo::BOTH],
        "PersonUnproven" => &[demo::UNPROVEN],
        _ => &[P],
    }
}

#[test]
fn the_list_of_cases_is_that_of_the_table() {
    let listed: Vec<_> = CASES.iter().map(|(code, _)| *code).collect();
    let table: Vec<_> = hjemmel::services::refusals().iter().map(Refusal::code).collect();
    assert_eq!(listed, table, "a refusal without a case here is a refusal nobody has seen");
}

#[test]
fn what_stands_in_no_search_for_a_person_in_the_window_is_refused() {
    on_stage(async |stage| {
        let now = stage.world.clock.now();
        let day = |back: i64| (now - SignedDuration::from_hours(24 * back)).strftime("%Y-%m-%dT00:00:00Z").to_string();
        let (from, to) = (day(10), day(1));
        let within = interval(&from, &to);
        let inside = effectuation(&extensions(&[&within]), "");
        let open = effectuation("", &kle("32.03.04"));
        let p = person(P);
        let q = |operand: &str| search(&and(&[&p, operand]));
        let dated = |from: &str, to: &str| effectuation(&extensions(&[&interval(from, to)]), "");
        let infinite = bounds("DispositionsDatoInterval", &stamp(&from), "<sd:GraenseIndikator>true</sd:GraenseIndikator>");
        let uuid = "70355b26-6028-4e42-9eb1-1a93aa9890b1";
        let sorting =
            "<yi:Sortering><yi:BevillingSortering><yi:Element>FuldtNavn</yi:Element></yi:BevillingSortering></yi:Sortering>";
        let paging = "<sd:MaksimalAntalKvantitet>501</sd:MaksimalAntalKvantitet>";
        let include = "<yi:Filter><yi:OekonomiskEffektueringInkluder>oekonomiskeydelseeffektueringer</yi:OekonomiskEffektueringInkluder></yi:Filter>";
        let cases = [
            ("RequestInvalid", q("<yi:Noget/>")),
            ("PersonMissing", search(&and(&[&open]))),
            ("PersonSeveral", search(&and(&[&p, &person(demo::BOTH)]))),
            ("PersonShape", search(&or(&[&p, &inside]))),
            ("PersonScheme", search(&and(&[&grant(&party(&urn("urn:oio:cvr-nr:11111111")))]))),
            ("PersonInvalid", search(&and(&[&grant(&party(&cpr("6113801234")))]))),
            ("WindowOutside", q(&dated(&day(396), &to))),
            ("WindowInfinite", q(&effectuation(&extensions(&[&infinite]), ""))),
            ("WindowInverted", q(&dated(&to, &from))),
            ("WindowOpen", search(&and(&[&p, &inside, &open]))),
            ("WindowApart", q(&effectuation(&properties(""), ""))),
            ("DateUnreadable", q(&dated("2026-13-45T00:00:00Z", &to))),
            ("DateMisplaced", q(&effectuation_with("", "", &extensions(&[&within]), ""))),
            ("TemporalCriterion", q(&effectuation_with("<sd:SoegVirkning/>", "", "", ""))),
            ("DirectLookup", input(&format!("<yi:BevillingUuid>{uuid}</yi:BevillingUuid>{}", and(&[&p])))),
            ("NotArity", q(&not(&[]))),
            ("CriterionWithheld", q(&effectuation("", "<oei:ItSystem/>"))),
            ("SortingWithheld", input(&format!("{}{sorting}", and(&[&p])))),
            ("PagingOutside", search(&and(&[&grant_with(paging, "", &party(&cpr(P)))]))),
            ("IncludeRefused", input(&format!("{}{include}", and(&[&p])))),
            ("CommentRefused", search(&and(&[&grant(&party(&cpr("61018<!-- -->01234")))]))),
        ];
        let before = stage.world.index_requests();
        for (code, input) in &cases {
            for version in BOTH_VERSIONS {
                let message = stage.by_tls(version, KORSBAEK, input);
                let answer = stage.call(version, Some(Role::Korsbaek), message).await;
                is_refused(stage, &answer, code, version);
            }
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
    });
}

#[test]
fn of_a_crowd_in_one_refused_call_sixteen_are_sealed_and_the_others_counted() {
    on_stage(async |stage| {
        let crowd: Vec<_> = (0..20).map(|n| person(&format!("61018012{n:02}"))).collect();
        let crowd: Vec<_> = crowd.iter().map(String::as_str).collect();
        let message = stage.by_tls(Version::V11, KORSBAEK, &search(&and(&crowd)));
        let record = stage.refused(&stage.call(Version::V11, Some(Role::Korsbaek), message).await, "PersonSeveral");
        assert_eq!((record.persons.len(), record.persons_left_out), (16, 4));
    });
}

#[test]
fn what_is_no_message_of_the_service_is_refused() {
    on_stage(async |stage| {
        let before = stage.world.index_requests();
        for version in BOTH_VERSIONS {
            let good = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
            let soap = version.namespace();
            let header = |block: &str| good.replace("<s:Body>", &format!("<s:Header>{block}</s:Header><s:Body>"));
            let deep = format!("{}{}", "<x>".repeat(70), "</x>".repeat(70));
            let wsa = "http://www.w3.org/2005/08/addressing";
            let style = format!("<ta:FremsoegRequest s:encodingStyle=\"{}\"", "http://schemas.xmlsoap.org/soap/encoding/");
            let yes = if version == Version::V11 { "1" } else { "true" };
            let cases = [
                ("MalformedXml", good[..good.len() - 20].to_owned()),
                ("DtdRefused", format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{good}")),
                ("ProcessingInstructionRefused", format!("<?target data?>{good}")),
                ("EncodingRefused", format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{good}")),
                ("XmlTooComplex", good.replace("<ta:", &format!("{deep}<ta:"))),
                ("NotSoap", good.replace(soap, "urn:no-soap")),
                ("EnvelopeStructure", good.replace("</s:Body>", "</s:Body><s:Body/>")),
                ("MustUnderstand", header(&format!("<x:T xmlns:x=\"urn:x\" s:mustUnderstand=\"{yes}\"/>"))),
                ("DataEncodingUnknown", good.replace("<ta:FremsoegRequest", &style)),
                ("AddressingInvalid", header(&format!("<w:To xmlns:w=\"{wsa}\">https://elsewhere.example/</w:To>"))),
                ("ActionMismatch", header(&format!("<w:Action xmlns:w=\"{wsa}\">urn:another</w:Action>"))),
                ("OperationUnknown", good.replace("FremsoegRequest", "SletRequest")),
                ("SecurityModelMissing", without_context(&good)),
                ("AuthorityContextInvalid", good.replace(KORSBAEK, "1234567")),
            ];
            for (code, message) in cases {
                let answer = stage.call(version, Some(Role::Korsbaek), message).await;
                is_refused(stage, &answer, code, version);
            }
            let answer = stage.call(version, None, good.clone()).await;
            is_refused(stage, &answer, "ClientCertificateMissing", version);
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
    });
}

fn without_context(message: &str) -> String {
    let (start, end) = (message.find("<ac:AuthorityContext").unwrap(), message.find("</ac:AuthorityContext>").unwrap());
    format!("{}{}", &message[..start], &message[end + "</ac:AuthorityContext>".len()..])
}

#[test]
fn what_http_alone_can_tell_is_refused_before_a_message_is_read() {
    on_stage(async |stage| {
        let before = stage.world.index_requests();
        let elsewhere = hjemmel_request("POST", &format!("https://localhost:{}/elsewhere", stage.port()));
        let put = hjemmel_request("PUT", &stage.world.service.to_string());
        let mut other = hjemmel_request("POST", &stage.world.service.to_string());
        other.headers_mut().insert("host", "other".parse().unwrap());
        let all = [("NoSuchService", 404, elsewhere), ("MethodNotAllowed", 405, put), ("HostAmbiguous", 400, other)];
        for (code, status, request) in all {
            let answer = stage.send(Http::Two, None, request).await.unwrap();
            assert_eq!(answer.status, status);
            assert!(answer.text().starts_with(code), "{}", answer.text());
        }
        let plain = crate::stage::admin(std::net::SocketAddr::from(([127, 0, 0, 1], stage.port())), "/").await;
        assert!(plain.0 == 400 && plain.1.contains("\r\n\r\nHttpsRequired\n"), "{}", plain.1);
        for version in BOTH_VERSIONS {
            let good = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
            let role = Some(Role::Korsbaek);
            let mut request = stage.post(version).body(Sent::whole(good.clone())).unwrap();
            let mime = if version == Version::V11 { "text/html" } else { "multipart/related; type=\"application/soap+xml\"" };
            request.headers_mut().insert("content-type", mime.parse().unwrap());
            is_refused(stage, &stage.send(Http::Two, role, request).await.unwrap(), "MediaTypeRefused", version);

            let request = stage.post(version).header("content-encoding", "gzip").body(Sent::whole(good.clone())).unwrap();
            is_refused(stage, &stage.send(Http::Two, role, request).await.unwrap(), "ContentCodingRefused", version);

            let answer = stage.call(version, role, good.clone() + &" ".repeat(REQUEST_BYTES)).await;
            is_refused(stage, &answer, "BodyTooLarge", version);

            let request = stage.post(version).body(Sent::stalled(good[..100].to_owned())).unwrap();
            is_refused(stage, &stage.send(Http::Two, role, request).await.unwrap(), "BodyTimeout", version);

            is_refused(stage, &broken_chunk(stage, version).await, "BodyIncomplete", version);
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
    });
}

fn hjemmel_request(method: &str, uri: &str) -> http::Request<Sent> {
    http::Request::builder().method(method).uri(uri).body(Sent::whole("")).unwrap()
}

/// A chunked body whose second chunk has no length.
async fn broken_chunk(stage: &Stage, version: Version) -> Answer {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = crate::wire::tls(stage.world.pki.root(), stage.port(), None, Http::One).await;
    let mime = if version == Version::V11 { "text/xml" } else { "application/soap+xml" };
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {mime}\r\ntransfer-encoding: chunked\r\n\r\n3\r\n<s:\r\nzz\r\n",
        stage.world.service.path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // The gateway closes without a TLS farewell where the stream below is out of step: what came before it counts.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("an answer came: {text:?}"));
    let mut headers = http::HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        headers.insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    Answer { status: head[9..12].parse().unwrap(), headers, body: body.to_owned().into() }
}

#[test]
fn what_a_token_and_a_signature_do_not_prove_is_refused() {
    on_stage(async |stage| {
        let before = stage.world.index_requests();
        let input = search(&and(&[&person(P)]));
        let cvr = |cvr: &str| Mint { cvr: cvr.to_owned(), ..Mint::default() };
        let tokens = [
            ("TokenIssuerUntrusted", stage.mint(&Mint { signer: Role::Intruder, ..Mint::default() })),
            ("TokenExpired", stage.mint(&Mint { from: SignedDuration::from_hours(-9), ..Mint::default() })),
            ("TokenAudience", stage.mint(&Mint { audience: "http://another.example/".to_owned(), ..Mint::default() })),
            ("HolderOfKey", stage.mint_with(&Mint::default(), |xml| xml.replace("cm:holder-of-key", "cm:bearer"))),
            ("TokenInvalid", stage.mint(&cvr("123"))),
            (
                "PrivilegeMissing",
                stage.mint(&Mint { privileges: vec!["http://another.example/role/1".to_owned()], ..Mint::default() }),
            ),
        ];
        for version in BOTH_VERSIONS {
            for (code, token) in &tokens {
                let answer = stage.call(version, None, stage.signed(&Signed::new(version, token, &*input))).await;
                is_refused(stage, &answer, code, version);
            }
            let token = stage.token(Role::Korsbaek, KORSBAEK).await;
            let signed = |change: &dyn Fn(&mut Signed<'_>)| {
                let mut signed = Signed::new(version, &token, &*input);
                change(&mut signed);
                stage.signed(&signed)
            };
            let good = signed(&|_| {});
            let soap = if good.contains("<soap:Body") { "soap" } else { "s" };
            let end = format!("</{soap}:Header>");
            let block = |block: &str| good.replacen(&end, &format!("{block}{end}"), 1);
            let id = good.split(&format!("<{soap}:Body")).nth(1).unwrap().split("Id=\"").nth(1).unwrap();
            let id = id.split('"').next().unwrap();
            let wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
            let timestamp = &good[good.find("<wsu:Timestamp").unwrap()..good.find("</wsu:Timestamp>").unwrap() + 16];
            let wrapped = stage.by_tls(version, KORSBAEK, &input);
            let payload = &wrapped[wrapped.find("<ta:").unwrap()..wrapped.find("</s:Body>").unwrap()];
            let cases = [
                (
                    "SecurityStructure",
                    good.replacen(timestamp, &format!("{timestamp}{}", timestamp.replace("Id=\"", "Id=\"b")), 1),
                ),
                ("DuplicateId", block(&format!("<x:T xmlns:x=\"urn:x\" xmlns:wsu=\"{wsu}\" wsu:Id=\"{id}\"/>"))),
                (
                    "SignatureCoverage",
                    block(&format!("<w:From xmlns:w=\"{}\"><w:Address>urn:x</w:Address></w:From>", crate::stage::WSA)),
                ),
                (
                    "SignatureAlgorithm",
                    good.replace(
                        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
                    ),
                ),
                ("DigestMismatch", good.replace(P, demo::BOTH)),
                ("SignatureInvalid", signed(&|signed| signed.signer = Role::Intruder)),
                ("TimestampOutside", signed(&|signed| signed.age = SignedDuration::from_mins(-20))),
                ("AddressingInvalid", signed(&|signed| signed.to = Some("https://elsewhere.example/".to_owned()))),
                ("SecurityModelAmbiguous", signed(&|signed| signed.body = payload.to_owned())),
            ];
            for (code, message) in cases {
                let answer = stage.call(version, None, message).await;
                is_refused(stage, &answer, code, version);
            }
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
    });
}

#[test]
fn a_message_counts_once_and_one_from_before_the_start_not_at_all() {
    on_stage(async |stage| {
        let token = stage.token(Role::Korsbaek, KORSBAEK).await;
        let input = search(&and(&[&person(P)]));
        for version in BOTH_VERSIONS {
            let message = stage.signed(&Signed::new(version, &token, &*input));
            assert_eq!(stage.call(version, None, message.clone()).await.status, 200);
            let before = stage.world.index_requests();
            is_refused(stage, &stage.call(version, None, message).await, "Replay", version);
            assert_eq!(stage.world.index_requests(), before);
        }
        // A minute after the start, a message from before it could have been used up in the process that was here then.
        let back = stage.started.duration_since(stage.world.clock.now()) + SignedDuration::from_secs(60);
        stage.travel(back);
        let token = stage.mint(&Mint { from: SignedDuration::from_mins(-10), ..Mint::default() });
        for version in BOTH_VERSIONS {
            let mut signed = Signed::new(version, &token, &*input);
            signed.age = SignedDuration::from_secs(-120);
            is_refused(stage, &stage.call(version, None, stage.signed(&signed)).await, "CreatedBeforeStart", version);
        }
        stage.travel(-back);
    });
}

#[test]
fn nobody_calls_without_agreements_on_both_sides() {
    on_stage(async |stage| {
        let before = stage.world.index_requests();
        let (suspended, register, region) = ("99999986", "99999985", "99999984");
        import(stage, suspended, register, region).await;
        let cases = [
            ("ServiceAgreementNotFound", Role::Intruder, KORSBAEK),
            ("ServiceAgreementNotActive", Role::Intruder, suspended),
            ("BackAgreementNotFound", Role::OtherMunicipality, "99999981"),
            ("AuthorityUnknown", Role::Intruder, register),
            ("AuthorityUnknown", Role::Intruder, region),
        ];
        for (code, role, cvr) in cases {
            for version in BOTH_VERSIONS {
                let message = stage.by_tls(version, cvr, &search(&and(&[&person(P)])));
                is_refused(stage, &stage.call(version, Some(role), message).await, code, version);
            }
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
    });
}

/// An agreement that is suspended, one of an authority that the register calls UDK and the configuration does not, and one of
/// an authority whose role the service does not know.
async fn import(stage: &Stage, suspended: &str, register: &str, region: &str) {
    let role = Role::Intruder;
    let thumbprint: String =
        stage.world.pki.credentials(role).unwrap().thumbprint().iter().map(|byte| format!("{byte:02x}")).collect();
    let agreement = |id: &str, cvr: &str, state: &str| {
        format!(
            "\n[[agreement]]\nid = \"5a9e0000-0000-4000-9000-0000000000{id}\"\nside = \"front\"\nsystem = \"{}\"\ncertificates = [\"{thumbprint}\"]\n\
             service = \"3053ec89-31fe-4206-878b-bba6783d7a88\"\nauthority = \"{cvr}\"\nenvironment = \"demo\"\n\
             valid_from = \"2026-01-01T00:00:00Z\"\nstate = \"{state}\"\nlegal_basis = \"Lov om Udbetaling Danmark § 8, stk. 1\"\n\
             purpose = \"test\"\ndecided_by = \"Test\"\ndecided_at = \"2026-01-01T00:00:00Z\"\nreason = \"test\"\n",
            role.uuid()
        )
    };
    let text = format!(
        "[[authority]]\ncvr = \"{suspended}\"\nname = \"Prøveby Kommune\"\nrole = \"municipality\"\n\
         [[authority]]\ncvr = \"{register}\"\nname = \"En anden\"\nrole = \"udk\"\n\
         [[authority]]\ncvr = \"{region}\"\nname = \"Prøveregionen\"\nrole = \"region\"\n{}{}{}",
        agreement("01", suspended, "SUSPENDERET"),
        agreement("02", register, "GODKENDT"),
        agreement("03", region, "GODKENDT")
    );
    let store = Store::open(&Settings::sqlite(&stage.world.dir.join("agreements.sqlite"))).await.unwrap();
    let mut vocabulary = hjemmel::services::vocabulary();
    vocabulary.roles.push("region");
    let import = Import::parse(&text, &vocabulary).unwrap_or_else(|problems| panic!("{problems:?}"));
    store.import(&import, stage.world.clock.now()).await.unwrap();
    store.close().await;
    // The register is remembered for a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[test]
fn a_kind_outside_what_the_token_gives_is_refused() {
    on_stage(async |stage| {
        let only = vec![("http://sts.kombit.dk/constraints/KLE/1".to_owned(), "32.03.04".to_owned())];
        let token = stage.mint(&Mint { constraints: only, ..Mint::default() });
        for version in BOTH_VERSIONS {
            let outside = search(&and(&[&person(P), &effectuation("", &kle("32.06.04"))]));
            let answer = stage.call(version, None, stage.signed(&Signed::new(version, &token, outside))).await;
            is_refused(stage, &answer, "KleOutside", version);
        }
    });
}

#[test]
fn a_failing_index_is_told_as_the_gateways_fault() {
    on_hasty_stage(async |stage| {
        let cases = [
            ("PeerUnavailable", FaultMode::Reset),
            ("PeerTimeout", FaultMode::Hang),
            ("PeerFault", FaultMode::SoapFault),
            ("PeerAnswerInvalid", FaultMode::Garbage),
            ("PeerSignatureInvalid", FaultMode::Unsigned),
        ];
        for (code, mode) in cases {
            for version in BOTH_VERSIONS {
                stage.world.index_mode.set(mode);
                let message = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
                is_refused(stage, &stage.call(version, Some(Role::Korsbaek), message).await, code, version);
                stage.world.index_mode.set(FaultMode::Honest);
                stage.serves().await;
            }
        }
        for version in BOTH_VERSIONS {
            let message = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(demo::UNPROVEN)])));
            let answer = stage.call(version, Some(Role::Korsbaek), message).await;
            is_refused(stage, &answer, "PersonUnproven", version);

            stage.world.padding.set(Some(Padding { bytes: 3 * RELEASED_BYTES, alike: 3 * RELEASED_BYTES }));
            let message = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
            let answer = stage.call(version, Some(Role::Korsbaek), message).await;
            stage.world.padding.set(None);
            is_refused(stage, &answer, "AnswerTooLarge", version);
        }
    });
}

#[test]
fn an_index_that_fails_again_and_again_is_left_alone_until_it_recovers() {
    on_stage(async |stage| {
        let message = |version| stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
        stage.world.index_mode.set(FaultMode::Garbage);
        for _ in 0..3 {
            is_refused(stage, &stage.ask(P).await, "PeerAnswerInvalid", Version::V11);
        }
        let rests = crate::stage::admin(stage.world.admin, "/metrics").await.1;
        assert!(
            rests.lines().any(|line| line.contains("breaker") && line.contains("\"open\"") && line.ends_with(" 1")),
            "{rests}"
        );
        let before = stage.world.index_requests();
        let answer = stage.call(Version::V12, Some(Role::Korsbaek), message(Version::V12)).await;
        is_refused(stage, &answer, "PeerResting", Version::V12);
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1, "and says when to come again");
        assert_eq!(stage.world.index_requests(), before, "it is left alone");
        stage.world.index_mode.set(FaultMode::Honest);
        let mut answer = stage.ask(P).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        while answer.status != 200 && Instant::now() < deadline {
            is_refused(stage, &answer, "PeerResting", Version::V11);
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = stage.ask(P).await;
        }
        stage.serves().await;
    });
}

#[test]
fn a_failing_token_service_is_told_as_the_gateways_fault_and_old_tokens_serve_on() {
    on_hasty_stage(async |stage| {
        stage.serves().await;
        stage.world.sts_mode.set(StsMode::Down);
        stage.serves().await;
        let cases = [
            ("StsUnavailable", StsMode::Down),
            ("StsUnavailable", StsMode::Slow(Duration::from_secs(60))),
            ("StsRefused", StsMode::Fault(101)),
            ("StsRefused", StsMode::Fault(111)),
            ("StsAnswerInvalid", StsMode::BadSignature),
            ("StsAnswerInvalid", StsMode::Expired),
            ("StsAnswerInvalid", StsMode::WrongAudience),
            ("StsAnswerInvalid", StsMode::WrongAuthority),
            ("StsAnswerInvalid", StsMode::WrongKey),
            ("StsNotSoap", StsMode::Page(404)),
            ("StsNotSoap", StsMode::Page(302)),
            ("StsUnavailable", StsMode::Page(503)),
        ];
        // Nine hours on, the token that the gateway holds has expired.
        stage.travel(SignedDuration::from_hours(9));
        let before = stage.world.index_requests();
        for (code, mode) in cases {
            stage.world.sts_mode.set(mode);
            for version in BOTH_VERSIONS {
                let message = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
                is_refused(stage, &stage.call(version, Some(Role::Korsbaek), message).await, code, version);
            }
        }
        assert_eq!(stage.world.index_requests(), before, "nothing was forwarded");
        stage.world.sts_mode.set(StsMode::Honest);
        stage.serves().await;
    });
}

#[test]
fn agreements_are_remembered_while_the_store_fails_and_no_longer() {
    use sqlx::{Connection, Executor};
    on_stage(async |stage| {
        stage.serves().await;
        let file = format!("sqlite://{}", stage.world.dir.join("agreements.sqlite").display());
        let mut store = sqlx::sqlite::SqliteConnection::connect(&file).await.unwrap();
        store.execute("PRAGMA busy_timeout = 60000").await.unwrap();
        let known = Instant::now();
        stage.serves().await;
        store.execute("PRAGMA legacy_alter_table = ON; ALTER TABLE revision RENAME TO gone").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let remembered = stage.ask(P).await;
        // It had been asked for a second before that at most.
        let in_time = known.elapsed() < Duration::from_secs(4);
        let mut refused = Vec::new();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            for version in BOTH_VERSIONS {
                let message = stage.by_tls(version, KORSBAEK, &search(&and(&[&person(P)])));
                let answer = stage.call(version, Some(Role::Korsbaek), message).await;
                if answer.status != 200 {
                    refused.push((version, answer));
                }
            }
            if refused.len() > 1 {
                break;
            }
        }
        store.execute("ALTER TABLE gone RENAME TO revision").await.unwrap();
        store.close().await.unwrap();
        // Where the machine stood still for so long, it serves no more, and rightly.
        assert!(remembered.status == 200 || !in_time, "what was known a second ago still serves: {}", remembered.text());
        assert!(!refused.is_empty(), "what was known five seconds ago does not");
        for (version, answer) in refused {
            is_refused(stage, &answer, "AgreementsUnavailable", version);
        }
        let mended = Instant::now();
        while stage.ask(P).await.status != 200 {
            assert!(mended.elapsed() < Duration::from_secs(60), "the store is there, and nobody asks it");
        }
        stage.serves().await;
    });
}

#[test]
fn what_cannot_be_brought_about_from_outside_is_shown_at_its_step() {
    let started = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let memory = NodeMemory::new(1, Duration::from_secs(60), started);
    let refusals: BTreeSet<_> = (0..200)
        .filter_map(|n| memory.remember(Seen::new(b"sender", &format!("urn:uuid:{n}"), started), started).err())
        .map(|refusal| refusal.code())
        .collect();
    assert_eq!(refusals, BTreeSet::from(["ReplayMemoryFull"]));
    for (code, shown) in CASES {
        let AtItsStep(due) = shown else { continue };
        let refusal = hjemmel::services::refusals().into_iter().find(|refusal| refusal.code() == *code).unwrap();
        for version in BOTH_VERSIONS {
            assert_eq!(fault::status(version, &refusal, 500), *due, "{code}");
            let body = String::from_utf8(fault::body(version, &refusal, "7f3c")).unwrap();
            assert_eq!(body.matches("Call-id: 7f3c</spf:ErrorText>").count(), 2, "{body}");
        }
    }
}
