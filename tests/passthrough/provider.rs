//! The stub of any service, called as a gateway calls a provider: both security models, and every way to fail.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hjemmel::clock::Clock;
use hjemmel::saml::trust::{Issuer, Trust};
use hjemmel::schema::pool::Pool;
use hjemmel::services::passthrough::folder::{self, Folder};
use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::sign::{Message, SoapVersion, Token, canonical_content, with_token};
use hjemmel::signature::verify::Parts;
use hjemmel::signature::verify::verify_whole_response;
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;
use hjemmel::stub::pki::{DevPki, KeyBits, Role};
use hjemmel::stub::service::instance::Maker;
use hjemmel::stub::service::mode::Mode;
use hjemmel::stub::service::serve::{MODE_HEADER, MODE_PATH, Received};
use hjemmel::stub::sts::Switch;
use hjemmel::stub::sts::issue::Assertion;
use hjemmel::stub::{Running, ServiceConfig, start_service};
use http::Request;
use jiff::SignedDuration;

use crate::judges::DELIVERY;
use crate::support::{WSDL, XSD, loaded, official, service};
use crate::wire::{Answer, Http, Sent, send, tls};

const STS: &str = "https://sts.test/";
const PROVIDER: &str = "http://entityid.eksempel.dk/service/brev/1";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSA: &str = "http://www.w3.org/2005/08/addressing";
const CONTEXT: &str = "<a:AuthorityContext xmlns:a='http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/'>\
    <a:MunicipalityCVR>11111111</a:MunicipalityCVR></a:AuthorityContext>";
const HEADER: &str = "<b:Hoved xmlns:b='urn:test:brev'>et hoved</b:Hoved>";

fn letter(to: &str) -> String {
    format!("<b:Brev xmlns:b=\"urn:test:brev\"><b:Modtager><b:Id>{to}</b:Id></b:Modtager></b:Brev>")
}

fn pki() -> &'static DevPki {
    static PKI: OnceLock<DevPki> = OnceLock::new();
    PKI.get_or_init(|| DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap())
}

fn certificate(role: Role) -> Certificate {
    Certificate::from_der(pki().credentials(role).unwrap().leaf()).unwrap()
}

fn key(role: Role) -> SigningKey {
    SigningKey::from_der(pki().credentials(role).unwrap().key()).unwrap()
}

/// A provider that runs, and what a caller of it needs.
struct Provider {
    running: Running,
    mode: Switch<Mode>,
    received: Switch<Received>,
    folder: Folder,
}

async fn provider(folder: Folder, security: Security) -> Provider {
    let (mode, received) = (Switch::default(), Switch::default());
    let config = ServiceConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server: pki().credentials(Role::IndexServer).unwrap().clone(),
        folder: folder.clone(),
        security: Some(security),
        signing: pki().credentials(Role::IndexSigning).unwrap().clone(),
        trust: Trust::new(vec![Issuer::from_certificates(STS, vec![certificate(Role::StsSigning)]).unwrap()]),
        entity_id: PROVIDER.to_owned(),
        clients: vec![pki().root().clone()],
        mode: mode.clone(),
        received: received.clone(),
        content: None,
        clock: Clock::system(),
    };
    Provider { running: start_service(config).await.unwrap(), mode, received, folder }
}

fn brev() -> Folder {
    let wsdl = WSDL.replace(
        "<w:output><s:body use=\"literal\"/>",
        "<w:output><s:header message=\"t:SendIn\" part=\"h\" use=\"literal\"/><s:body use=\"literal\"/>",
    );
    loaded(&[("service.toml", &service(&[("token", "brev.wsdl")])), ("brev.wsdl", &wsdl), ("brev.xsd", XSD)])
}

fn token(audience: &str, signer: Role) -> Token {
    let assertion = Assertion {
        issuer: STS,
        audience,
        cvr: "11111111",
        holder: &certificate(Role::GatewayClient),
        groups: &[],
        from: Clock::system().now(),
        lifetime: SignedDuration::from_hours(1),
    };
    Token::from_bytes(&assertion.signed(&certificate(signer), &key(signer)).unwrap()).unwrap()
}

/// A signed request, with its MessageID.
fn signed(token: &Token, version: SoapVersion, action: &str, headers: &[&[u8]], body: &str) -> (Bytes, String) {
    let id = format!("urn:uuid:{}", uuid::Uuid::new_v4());
    let message = Message {
        version,
        action: Some(action),
        message_id: &id,
        relates_to: None,
        to: Some("https://localhost/"),
        reply_to: false,
        framework: true,
        created: Clock::system().now(),
        lifetime: SignedDuration::from_mins(5),
        extra_headers: headers,
        body: &canonical_content(body.as_bytes()).unwrap(),
    };
    (with_token(&message, token, &key(Role::GatewayClient)).unwrap().into(), id)
}

fn in_context(header: &str, body: &str) -> Bytes {
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    format!("<s:Envelope xmlns:s='{soap}'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>").into()
}

impl Provider {
    async fn call(&self, by: Option<Role>, body: Bytes, more: &[(&str, &str)]) -> hyper::Result<Answer> {
        self.ask("POST", &self.folder.settings.path, by, body, more).await
    }

    async fn ask(&self, method: &str, path: &str, by: Option<Role>, body: Bytes, more: &[(&str, &str)]) -> hyper::Result<Answer> {
        let port = self.running.address().port();
        let stream = tls(pki().root(), port, by.map(|role| pki().credentials(role).unwrap()), Http::One).await;
        let version = self.folder.contracts[0].wsdl.version;
        let mime = if version == SoapVersion::V11 { "text/xml" } else { "application/soap+xml" };
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost").header("content-type", mime);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        send(stream, Http::One, request.body(Sent::whole(body)).unwrap()).await
    }

    /// A letter with a token that is in order.
    async fn letter(&self, to: &str, more: &[(&str, &str)]) -> (Answer, String) {
        let (body, id) =
            signed(&token(PROVIDER, Role::StsSigning), SoapVersion::V11, "urn:send", &[HEADER.as_bytes()], &letter(to));
        (self.call(None, body, more).await.unwrap(), id)
    }
}

fn parsed(answer: &Answer) -> Document {
    Document::parse(answer.body.clone(), &Limits { nodes: 1_000_000, ..Limits::default() })
        .unwrap_or_else(|refusal| panic!("{refusal:?}: {}", answer.text()))
}

fn named<'d>(document: &'d Document, local: &str) -> Option<Element<'d>> {
    document.root().descendants().find(|element| element.local() == local)
}

/// Whether the provider's own key signed all of the answer.
fn is_signed(document: &Document) -> bool {
    let (header, body) = (named(document, "Header").unwrap(), named(document, "Body").unwrap());
    let Some(security) = header.only(WSSE, "Security").unwrap() else { return false };
    let parts = Parts { header, security, body, must_cover: vec![] };
    let verified = verify_whole_response(document, &parts, &[certificate(Role::IndexSigning)]);
    verified.is_ok_and(|verified| verified.covers(body))
}

fn addressed(document: &Document, name: &str) -> String {
    named(document, "Header").unwrap().only(WSA, name).unwrap().unwrap().text().unwrap().into_owned()
}

#[tokio::test]
async fn a_token_and_a_valid_request_get_a_valid_signed_answer_that_relates_to_it() {
    let provider = provider(brev(), Security::Token).await;
    let (answer, id) = provider.letter("1", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document = parsed(&answer);
    assert!(is_signed(&document));
    assert_eq!(addressed(&document, "RelatesTo"), id);
    assert_eq!(addressed(&document, "To"), format!("{WSA}/anonymous"));
    assert_eq!(addressed(&document, "Action"), provider.folder.contracts[0].wsdl.operations[0].answer_action);
    assert!(named(&document, "Kvittering").is_some());
    // The request's own header comes back.
    assert_eq!(named(&document, "Hoved").unwrap().text().unwrap(), "et hoved");
    let received = provider.received.get();
    assert_eq!((received.count, received.accepted, received.operation.as_deref()), (1, 1, Some("send")));
    assert!(String::from_utf8_lossy(&received.last).contains("<b:Id>1</b:Id>"));
}

#[tokio::test]
async fn equal_requests_get_equal_answers_and_others_get_others() {
    let provider = provider(brev(), Security::Token).await;
    let said = |answer: &Answer| named(&parsed(answer), "Kvittering").unwrap().text().unwrap().into_owned();
    let (once, again) = (provider.letter("1", &[]).await.0, provider.letter("1", &[]).await.0);
    assert_eq!(said(&once), said(&again));
    let mut all = std::collections::BTreeSet::new();
    for to in 0..10 {
        all.insert(said(&provider.letter(&to.to_string(), &[]).await.0));
    }
    assert!(all.len() >= 8, "{all:?}");
}

#[tokio::test]
async fn whoever_is_not_proven_and_whatever_is_not_valid_gets_a_fault_that_says_so() {
    let provider = provider(brev(), Security::Token).await;
    let by = |token: &Token, action: &str, body: &str| signed(token, SoapVersion::V11, action, &[HEADER.as_bytes()], body).0;
    let (good, other) = (token(PROVIDER, Role::StsSigning), token("http://another.example/", Role::StsSigning));
    let forged = token(PROVIDER, Role::Intruder);
    let too_long = letter(&"x".repeat(81));
    for (body, part) in [
        (by(&other, "urn:send", &letter("1")), "TokenAudience"),
        (by(&forged, "urn:send", &letter("1")), "Token"),
        (by(&good, "urn:another", &letter("1")), "wsa:Action"),
        (by(&good, "urn:send", &too_long), "/Brev/Modtager/Id"),
        (by(&good, "urn:send", "<b:Andet xmlns:b='urn:test:brev'></b:Andet>"), "no operation"),
        (in_context("", &letter("1")), "Security"),
        (Bytes::from_static(b"no XML"), "XML"),
    ] {
        let answer = provider.call(None, body, &[]).await.unwrap();
        assert!(answer.status == 500 && answer.text().contains("Fault"), "{part}: {}", answer.text());
        assert!(answer.text().contains(part), "{part}: {}", answer.text());
        assert!(!answer.text().contains("xxxx"), "no value: {}", answer.text());
    }
    assert_eq!((provider.received.get().count, provider.received.get().accepted), (7, 0));
}

#[tokio::test]
async fn with_authority_context_the_certificate_and_the_context_are_demanded_and_nothing_is_signed() {
    let provider = provider(brev(), Security::AuthorityContext).await;
    let header = format!("{HEADER}{CONTEXT}");
    let by = Some(Role::GatewayClient);
    let answer = provider.call(by, in_context(&header, &letter("1")), &[]).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document = parsed(&answer);
    assert!(named(&document, "Kvittering").is_some() && named(&document, "Security").is_none());
    assert_eq!(named(&document, "Hoved").unwrap().text().unwrap(), "et hoved");
    let without = provider.call(by, in_context(HEADER, &letter("1")), &[]).await.unwrap();
    assert!(without.status == 500 && without.text().contains("AuthorityContext"), "{}", without.text());
    let signed = signed(&token(PROVIDER, Role::StsSigning), SoapVersion::V11, "urn:send", &[], &letter("1")).0;
    let signed = provider.call(by, signed, &[]).await.unwrap();
    assert!(signed.text().contains("wsse:Security where AuthorityContext is expected"), "{}", signed.text());
    // TLS 1.3 tells a client that it was turned away when it first reads.
    assert!(provider.call(None, in_context(&header, &letter("1")), &[]).await.is_err());
}

#[tokio::test]
async fn a_mode_is_asked_for_by_the_body_by_a_header_or_set_by_the_tester() {
    let provider = provider(brev(), Security::Token).await;
    let (answer, _) = provider.letter("prøve stub:declared-fault", &[]).await;
    assert!(answer.status == 500 && named(&parsed(&answer), "Fejl").is_some(), "{}", answer.text());
    let (answer, _) = provider.letter("1", &[(MODE_HEADER, "status=503")]).await;
    assert_eq!(answer.status, 503);
    let (answer, _) = provider.letter("stub:sleep", &[]).await;
    assert!(answer.text().contains("undeclared-fault"), "the names are told: {}", answer.text());
    let set = |mode: &'static str| provider.ask("PUT", MODE_PATH, None, Bytes::from_static(mode.as_bytes()), &[]);
    assert_eq!(set("undeclared-fault").await.unwrap().status, 200);
    let (answer, _) = provider.letter("1", &[]).await;
    assert!(answer.status == 500 && answer.text().contains("6101801234"), "{}", answer.text());
    // What a request asks for comes before what is set.
    assert_eq!(provider.letter("stub:honest", &[]).await.0.status, 200);
    assert_eq!(set("nonsense").await.unwrap().status, 400);
    let told = provider.ask("GET", MODE_PATH, None, Bytes::new(), &[]).await.unwrap().text();
    assert!(told.contains("mode undeclared-fault\nreceived 5\naccepted 4\nlast send "), "{told}");
}

#[tokio::test]
async fn each_way_to_fail_fails_in_that_way_alone() {
    let provider = provider(brev(), Security::Token).await;
    let pool = Pool::start(&provider.folder.contracts[0].schema, 1).unwrap();
    let root = Arc::new(("urn:test:brev".to_owned(), "Kvittering".to_owned()));
    for (mode, is_in_order) in [
        ("honest", true),
        ("slow=0", true),
        ("wrong-signer", false),
        ("unsigned", false),
        ("altered", false),
        ("wrong-relation", true),
        ("invalid", true),
    ] {
        let (answer, id) = provider.letter("1", &[(MODE_HEADER, mode)]).await;
        assert_eq!(answer.status, 200, "{mode}: {}", answer.text());
        let document = Arc::new(parsed(&answer));
        assert_eq!(is_signed(&document), is_in_order, "{mode}: {}", answer.text());
        assert_eq!(addressed(&document, "RelatesTo") == id, mode != "wrong-relation", "{mode}");
        let content = named(&document, "Body").unwrap().elements().next().unwrap().id();
        let verdict = pool.validate(document.clone(), content, root.clone()).await.unwrap();
        assert_eq!(verdict.is_ok(), mode != "invalid", "{mode}: {verdict:?}");
    }
    for mode in ["declared-fault", "declared-fault=fejl"] {
        let (answer, id) = provider.letter("1", &[(MODE_HEADER, mode)]).await;
        let document = parsed(&answer);
        assert!(answer.status == 500 && is_signed(&document) && named(&document, "Fejl").is_some(), "{}", answer.text());
        assert_eq!(addressed(&document, "RelatesTo"), id);
    }
    let (answer, _) = provider.letter("1", &[(MODE_HEADER, "declared-fault=anden")]).await;
    assert!(answer.text().contains("declares no such fault"), "{}", answer.text());
    for mode in ["reset", "cut"] {
        let body = signed(&token(PROVIDER, Role::StsSigning), SoapVersion::V11, "urn:send", &[], &letter("1")).0;
        assert!(provider.call(None, body, &[(MODE_HEADER, mode)]).await.is_err(), "{mode}");
    }
    provider.mode.set(Mode::Says("<b:Kvittering xmlns:b='urn:test:brev'>mit</b:Kvittering>".into()));
    let (answer, _) = provider.letter("1", &[]).await;
    let document = parsed(&answer);
    assert!(is_signed(&document) && named(&document, "Kvittering").unwrap().text().unwrap() == "mit", "{}", answer.text());
    provider.mode.set(Mode::Hang);
    let hanging = tokio::time::timeout(std::time::Duration::from_millis(200), provider.letter("1", &[]));
    assert!(hanging.await.is_err());
}

/// Every operation of an official folder, asked with a request that the stub's own generator made, in both models.
async fn every_operation(what: &str, binding: &str, wsdl: &str) {
    let Some(dir) = official(what, &service(&[(binding, wsdl)])) else { return };
    let folder = folder::load(dir.path()).unwrap();
    let contract = &folder.contracts[0];
    let maker = Maker::new(contract.schema.inspect().unwrap().model().unwrap());
    let pool = Pool::start(&contract.schema, 1).unwrap();
    for security in [Security::Token, Security::AuthorityContext] {
        let provider = provider(folder.clone(), security).await;
        let token = token(PROVIDER, Role::StsSigning);
        for operation in &contract.wsdl.operations {
            let make = |name: &hjemmel::services::passthrough::wsdl::Name, seed| {
                String::from_utf8(maker.make(&name.namespace, &name.local, seed).unwrap()).unwrap()
            };
            // The reader of signed messages takes a second Signature anywhere for a decoy, and refuses it.
            let body = (0..100).map(|seed| make(&operation.request, seed)).find(|body| !body.contains("Signature")).unwrap();
            let headers: Vec<String> = operation.request_headers.iter().map(|name| make(name, 7)).collect();
            let (message, by) = match security {
                Security::Token => {
                    let headers: Vec<&[u8]> = headers.iter().map(String::as_bytes).collect();
                    (signed(&token, contract.wsdl.version, &operation.request_action, &headers, &body).0, None)
                }
                Security::AuthorityContext => {
                    let soap = contract.wsdl.version.namespace();
                    let header = format!("{}{CONTEXT}", headers.concat());
                    let message =
                        format!("<s:Envelope xmlns:s='{soap}'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>");
                    (message.into(), Some(Role::GatewayClient))
                }
            };
            let answer = provider.call(by, message, &[]).await.unwrap();
            assert_eq!(answer.status, 200, "{what} {}: {}", operation.name, answer.text());
            let document = Arc::new(parsed(&answer));
            assert_eq!(is_signed(&document), security == Security::Token);
            let content = named(&document, "Body").unwrap().elements().next().unwrap().id();
            let root = Arc::new((operation.answer.namespace.clone(), operation.answer.local.clone()));
            assert_eq!(pool.validate(document.clone(), content, root).await.unwrap(), Ok(()), "{}", operation.name);
            for header in &operation.answer_headers {
                let is = named(&document, "Header").unwrap().only(&header.namespace, &header.local).unwrap();
                assert!(is.is_some(), "{header} in the answer of {}", operation.name);
            }
        }
        let count = contract.wsdl.operations.len() as u64;
        assert_eq!((provider.received.get().count, provider.received.get().accepted), (count, count));
    }
}

#[tokio::test]
async fn contexts_that_a_platform_adds_to_the_body_do_not_change_the_answer() {
    let wsdl = [("authority-context", "wsdl/context/DistributionService.wsdl")];
    let Some(dir) = official("sf2900", &service(&wsdl)) else { return };
    let provider = provider(folder::load(dir.path()).unwrap(), Security::AuthorityContext).await;
    let start = DELIVERY.find("<c:CallContext").unwrap();
    let end = DELIVERY.find("<d:anmodning").unwrap();
    let without = format!("{}{}", &DELIVERY[..start], &DELIVERY[end..]);
    let mut said = Vec::new();
    for message in [in_context("", DELIVERY), in_context(CONTEXT, &without)] {
        let answer = provider.call(Some(Role::GatewayClient), message, &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        said.push(answer.text());
    }
    assert_eq!(said[0], said[1]);
    // The context is demanded all the same.
    let answer = provider.call(Some(Role::GatewayClient), in_context("", &without), &[]).await.unwrap();
    assert!(answer.text().contains("MunicipalityCVR"), "{}", answer.text());
}

#[tokio::test]
async fn every_operation_of_the_distribution_service_answers() {
    every_operation("sf2900", "token", "wsdl/token/DistributionService.wsdl").await;
    every_operation("sf2900", "authority-context", "wsdl/context/DistributionService.wsdl").await;
}

#[tokio::test]
async fn every_operation_of_the_benefit_index_answers() {
    every_operation("ydelsesindeks-6", "token", "wsdl/YdelseIndeks.wsdl").await;
}

#[tokio::test]
async fn every_operation_of_the_message_broker_answers() {
    every_operation("sf1461", "token", "spec/wsdl/Beskedfordeler.wsdl").await;
}
