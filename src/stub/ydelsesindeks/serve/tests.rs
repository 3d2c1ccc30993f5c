//! The index over real TLS, called with a token that the token service issued for it.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::*;
use crate::outbound::{AnswerBody, Outbound, OutboundError, OutboundSettings};
use crate::refusal::Detail;
use crate::saml::trust::Issuer;
use crate::signature::key::{Certificate, SigningKey};
use crate::signature::names::WSSE;
use crate::signature::sign::{canonical_content, with_token};
use crate::signature::verify::{Parts, verify_whole_response};
use crate::sts::Token;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient, StsSettings};
use crate::stub::pki::{Role, for_tests, pem};
use crate::stub::population::demo;
use crate::stub::sts::{PATH as STS_PATH, Registration, StsConfig, StsMode, start_sts};

const INDEX: &str = "http://entityid.kombit.dk/service/ydi/ydelseindeks/6";
const STS: &str = "https://sts.test/runtime";
const TRANSACTION: &str = "0b5a9d3e-1c55-4c8e-9f3e-2a64b1a0c001";

fn credentials(role: Role) -> Credentials {
    for_tests().credentials(role).unwrap().clone()
}

fn certificate(role: Role) -> Certificate {
    Certificate::from_der(credentials(role).leaf()).unwrap()
}

fn key(role: Role) -> SigningKey {
    SigningKey::from_der(credentials(role).key()).unwrap()
}

fn issuer() -> Issuer {
    Issuer::from_certificates(STS, vec![certificate(Role::StsSigning)]).unwrap()
}

struct World {
    index: Running,
    _sts: Running,
    outbound: Outbound,
    tokens: TokenCache<StsClient<Https>>,
    mode: Switch<FaultMode>,
    padding: Switch<Option<Padding>>,
    sts_mode: Switch<StsMode>,
    clock: Clock,
}

/// Certificates of the test PKI hold from today, so the clock is the machine's.
async fn world() -> World {
    let clock = Clock::system();
    let (mode, padding, sts_mode) = (Switch::default(), Switch::default(), Switch::default());
    let sts = start_sts(StsConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server: credentials(Role::StsServer),
        signing: credentials(Role::StsSigning),
        also_trusted: vec![],
        entity_id: STS.into(),
        registrations: vec![Registration {
            system: credentials(Role::GatewayClient).thumbprint(),
            services: vec![INDEX.into(), "urn:test:other".into()],
            authorities: vec![("11111111".into(), vec![])],
            on_behalf_of: vec![],
        }],
        lifetime: SignedDuration::from_hours(8),
        mode: sts_mode.clone(),
        clock: clock.clone(),
    })
    .await
    .unwrap();
    let index = start_ydelsesindeks(IndexConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server: credentials(Role::IndexServer),
        signing: credentials(Role::IndexSigning),
        trust: Trust::new(vec![issuer()]),
        entity_id: INDEX.into(),
        population: Arc::new(Population::generate(1, 50, clock.now())),
        received: Switch::default(),
        join: Switch::default(),
        mode: mode.clone(),
        padding: padding.clone(),
        empty_status: 44,
        clock: clock.clone(),
    })
    .await
    .unwrap();
    let outbound = Outbound::new(OutboundSettings::new(vec![for_tests().root().clone()])).unwrap();
    let transport = Https {
        outbound: outbound.clone(),
        uri: format!("https://localhost:{}{STS_PATH}", sts.address().port()).parse().unwrap(),
        timeout: Duration::from_secs(20),
    };
    let settings = StsSettings {
        to: STS.into(),
        issuer: issuer(),
        certificate: certificate(Role::GatewayClient),
        key: key(Role::GatewayClient),
        on_behalf_of: None,
    };
    let tokens = TokenCache::new(StsClient::new(settings, transport, clock.clone()), clock.clone(), Arc::default());
    World { index, _sts: sts, outbound, tokens, mode, padding, sts_mode, clock }
}

impl World {
    fn request(&self, token: &Token, signer: Role, person: &str) -> Bytes {
        let body = format!(
            "<yi:FremsoegYdelseIndeksInput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\" xmlns:bi=\"urn:oio:sts:ydelse:bevillingindeks:6\" \
             xmlns:gd=\"urn:oio:sts:generelledefinitioner:6\" xmlns:sd=\"urn:oio:sagdok:3.0.0\"><yi:SoegUdtryk><yi:SoegBevillingIndeks>\
             <bi:AttributListe/><bi:TilstandListe/><bi:RelationListe><bi:Bevillingspart><gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{person}\
             </sd:URNIdentifikator></gd:ReferenceID></bi:Bevillingspart></bi:RelationListe></yi:SoegBevillingIndeks></yi:SoegUdtryk>\
             </yi:FremsoegYdelseIndeksInput>"
        );
        let header = format!(
            "<h:RequestHeader xmlns:h=\"{REQUEST_HEADER}\"><h:TransactionUUID>{TRANSACTION}</h:TransactionUUID></h:RequestHeader>"
        );
        let message = Message {
            version: SoapVersion::V12,
            action: Some(SEARCH),
            message_id: "urn:uuid:question-1",
            relates_to: None,
            to: Some(INDEX),
            reply_to: true,
            framework: true,
            created: self.clock.now(),
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &[header.as_bytes()],
            body: &canonical_content(body.as_bytes()).unwrap(),
        };
        with_token(&message, token.assertion(), &key(signer)).unwrap().into()
    }

    async fn post(&self, request: Bytes, seconds: u64) -> Result<Response<AnswerBody>, OutboundError> {
        let uri = format!("https://localhost:{}{PATH}", self.index.address().port()).parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(SoapVersion::V12)));
        self.outbound.post(&uri, headers, request, Instant::now() + Duration::from_secs(seconds)).await
    }

    async fn ask(&self, person: &str) -> (u16, String) {
        let token = self.tokens.token("11111111", INDEX).await.unwrap();
        let answer = self.post(self.request(&token, Role::GatewayClient, person), 60).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Whether an answer holds against the index's pinned certificate.
    fn holds(&self, answer: &str) -> Result<(), Refusal> {
        let document = Document::parse(Bytes::from(answer.to_owned()), &Limits { nodes: 1_000_000, ..Limits::default() })?;
        let parts = envelope(&document).unwrap();
        let places = Parts {
            header: parts.header,
            security: parts.header.only(WSSE, "Security").unwrap().ok_or(Refusal::Internal)?,
            body: parts.payload.parent().unwrap(),
            must_cover: vec![],
        };
        verify_whole_response(&document, &places, &[certificate(Role::IndexSigning)])?;
        assert_eq!(soap::header(&parts, WSA, "Action").as_deref(), Some(SEARCH_ANSWER));
        match soap::header(&parts, WSA, "RelatesTo").as_deref() == Some("urn:uuid:question-1") {
            true => Ok(()),
            false => Err(Refusal::AddressingInvalid { what: Detail::name("RelatesTo") }),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_answered_signed_related_and_with_its_transaction() {
    let world = world().await;
    let (status, answer) = world.ask(demo::UDK_ONLY).await;
    assert_eq!(status, 200);
    world.holds(&answer).unwrap();
    assert_eq!(answer.matches("<oei:ObjektType").count(), 10);
    assert!(answer.contains(TRANSACTION));
    let (_, nothing) = world.ask(demo::NOTHING).await;
    world.holds(&nothing).unwrap();
    assert!(nothing.contains("<sd:StatusKode>44<") && !nothing.contains("ObjektType"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_caller_with_a_token_for_the_index_and_its_key_is_let_in() {
    let world = world().await;
    let refused = async |token: &Token, signer| {
        let answer = world.post(world.request(token, signer, demo::UDK_ONLY), 60).await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(text.to_vec()).unwrap())
    };
    let good = world.tokens.token("11111111", INDEX).await.unwrap();
    let other = world.tokens.token("11111111", "urn:test:other").await.unwrap();
    for (token, signer, code) in [(&good, Role::Intruder, "SignatureInvalid"), (&other, Role::GatewayClient, "TokenAudience")] {
        let (status, text) = refused(token, signer).await;
        assert!(status == 500 && text.contains(code) && !text.contains("ObjektType"), "{code}: {text}");
    }
    let altered = String::from_utf8(world.request(&good, Role::GatewayClient, demo::UDK_ONLY).to_vec()).unwrap();
    let altered = altered.replace(demo::UDK_ONLY, demo::BOTH);
    let answer = world.post(altered.into(), 60).await.unwrap();
    assert_eq!(answer.status(), 500, "a body altered after signing");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_mode_does_what_it_says() {
    let world = world().await;
    let set = |mode: &str| world.mode.set(mode.parse().unwrap());
    let digest = |refusal: Refusal| matches!(refusal, Refusal::DigestMismatch { .. });

    set("soap-fault");
    let (status, text) = world.ask(demo::UDK_ONLY).await;
    assert!(status == 500 && text.contains("<soap:Fault>"));
    for status in [40, 41] {
        set(&format!("status={status}"));
        let (_, text) = world.ask(demo::UDK_ONLY).await;
        world.holds(&text).unwrap();
        assert!(text.contains(&format!("<sd:StatusKode>{status}<")));
    }
    set("truncated");
    let (status, text) = world.ask(demo::UDK_ONLY).await;
    assert!(status == 200 && text.starts_with("<soap:Envelope") && !text.contains("</soap:Envelope>"));
    set("dtd");
    assert_eq!(world.holds(&world.ask(demo::UDK_ONLY).await.1), Err(Refusal::DtdRefused));
    set("wrong-relation");
    assert!(matches!(world.holds(&world.ask(demo::UDK_ONLY).await.1), Err(Refusal::AddressingInvalid { .. })));
    set("unsigned");
    let (_, text) = world.ask(demo::UDK_ONLY).await;
    assert!(text.contains("ObjektType") && world.holds(&text) == Err(Refusal::Internal), "{text}");
    set("wrong-signer");
    assert!(matches!(world.holds(&world.ask(demo::UDK_ONLY).await.1), Err(Refusal::SignatureInvalid { .. })));
    set("altered");
    assert!(digest(world.holds(&world.ask(demo::UDK_ONLY).await.1).unwrap_err()));
    set("two-answers");
    assert!(matches!(world.holds(&world.ask(demo::UDK_ONLY).await.1), Err(Refusal::MalformedXml { .. })));
    set("huge-text=2000000");
    let (_, text) = world.ask(demo::UDK_ONLY).await;
    assert!(text.len() > 2_000_000);

    let token = world.tokens.token("11111111", INDEX).await.unwrap();
    let post = async |seconds| world.post(world.request(&token, Role::GatewayClient, demo::UDK_ONLY), seconds).await;
    set("cut");
    assert!(post(60).await.unwrap().into_body().collect().await.is_err(), "the connection breaks half-way");
    set("reset");
    assert!(matches!(post(60).await, Err(OutboundError::Broken(_) | OutboundError::Protocol(_))));
    set("hang");
    assert!(matches!(post(1).await, Err(OutboundError::Timeout)));
    set("slow=2");
    assert!(matches!(post(1).await, Err(OutboundError::Timeout)));
    assert!(post(60).await.is_ok());
    let header_of = async |name: header::HeaderName| {
        let answer = post(60).await.unwrap();
        (answer.status().as_u16(), answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()))
    };
    set("wrong-content-type");
    assert_eq!(header_of(header::CONTENT_TYPE).await, (200, Some("text/html".into())));
    set("gzip-claim");
    assert_eq!(header_of(header::CONTENT_ENCODING).await, (200, Some("gzip".into())));
    set("redirect");
    assert_eq!(header_of(header::LOCATION).await, (307, Some("https://127.0.0.1:9/elsewhere".into())));
    set("garbage");
    let body = post(60).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(std::str::from_utf8(&body).is_err());
    set("honest");
    world.holds(&world.ask(demo::UDK_ONLY).await.1).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_streams_and_what_was_digested_is_what_was_sent() {
    let world = world().await;
    world.padding.set(Some(Padding { bytes: 5_000_000, alike: 100_000 }));
    let (_, answer) = world.ask(demo::UDK_ONLY).await;
    assert!(answer.len() > 5_000_000);
    world.holds(&answer).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_service_serves_its_metadata_and_fails_over_tls_as_told() {
    let world = world().await;
    let uri = format!("https://localhost:{}/metadata", world._sts.address().port()).parse().unwrap();
    let answer = world.outbound.get(&uri, Instant::now() + Duration::from_secs(60)).await.unwrap();
    let metadata = answer.into_body().collect().await.unwrap().to_bytes();
    let issuer = Issuer::from_metadata(metadata, None, world.clock.now()).unwrap();
    assert_eq!((issuer.entity_id(), issuer.certificates()), (STS, &[certificate(Role::StsSigning)][..]));
    for (mode, refusal) in [
        (StsMode::Down, Refusal::StsUnavailable),
        (StsMode::Slow(Duration::from_secs(60)), Refusal::StsUnavailable),
        (StsMode::Fault(104), Refusal::StsRefused { fault: "104".into() }),
    ] {
        world.sts_mode.set(mode);
        assert_eq!(world.tokens.token("11111111", INDEX).await.unwrap_err(), refusal, "{mode:?}");
    }
}

/// Asks xmlsec1, which this project did not write, about a signature.
fn xmlsec1(document: &str, signer: Role, ids: &[(&str, &str)]) -> Option<bool> {
    let Ok(version) = Command::new("xmlsec1").arg("--version").output() else {
        println!("NOT RUN: xmlsec1 is not at hand");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let (certificate, file) = (folder.path().join("signer.pem"), folder.path().join("document.xml"));
    std::fs::write(&certificate, pem("CERTIFICATE", credentials(signer).leaf())).unwrap();
    std::fs::File::create(&file).unwrap().write_all(document.as_bytes()).unwrap();
    let mut command = Command::new("xmlsec1");
    command.arg("--verify");
    // From 1.3 on, a key that KeyInfo does not name must be asked for.
    if String::from_utf8_lossy(&version.stdout).contains("xmlsec1 1.3") {
        command.arg("--lax-key-search");
    }
    command.arg("--pubkey-cert-pem").arg(certificate);
    for (attribute, element) in ids {
        command.arg(format!("--id-attr:{attribute}")).arg(element);
    }
    let output = command.arg(file).output().unwrap();
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Some(output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn xmlsec1_agrees_with_the_assertion_and_with_a_streamed_answer() {
    let world = world().await;
    let token = world.tokens.token("11111111", INDEX).await.unwrap();
    let assertion = std::str::from_utf8(token.assertion().bytes()).unwrap();
    let id = [("ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion")];
    let spoilt = assertion.replace(">11111111<", ">99999981<");
    let wsa = |name: &str| format!("{WSA}:{name}");
    let wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    let names = [
        wsa("Action"),
        wsa("MessageID"),
        wsa("RelatesTo"),
        wsa("To"),
        format!("{wsu}:Timestamp"),
        format!("{WSSE}:BinarySecurityToken"),
        "http://www.w3.org/2003/05/soap-envelope:Body".to_owned(),
    ];
    let ids: Vec<(&str, &str)> = names.iter().map(|name| ("Id", name.as_str())).collect();
    world.padding.set(Some(Padding { bytes: 300_000, alike: 0 }));
    let (_, answer) = world.ask(demo::BOTH).await;
    let altered = answer.replacen("Dispositionsdato>2", "Dispositionsdato>3", 1);
    for (what, document, signer, ids, verdict) in [
        ("the assertion", assertion, Role::StsSigning, &id[..], true),
        ("an altered assertion", &spoilt, Role::StsSigning, &id[..], false),
        ("the answer", &answer, Role::IndexSigning, &ids, true),
        ("an altered answer", &altered, Role::IndexSigning, &ids, false),
    ] {
        assert_eq!(xmlsec1(document, signer, ids).unwrap_or(verdict), verdict, "{what}");
    }
}
