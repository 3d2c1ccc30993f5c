//! The token service and its client, each against the other: what is issued is accepted, every fault has its case, and
//! whatever is not the token asked for is refused for the reason given.

use super::*;
use crate::refusal::{Detail, Refusal};
use crate::saml::trust::Issuer;
use crate::signature::names::SAML_TOKEN;
use crate::sts::cache::Source;
use crate::sts::client::{Flaw, NoAnswer, StsClient, StsSettings, Transport, Unfit};
use crate::stub::pki::{Role, for_tests};

const INDEX: &str = "http://entityid.kombit.dk/service/ydi/ydelseindeks/6";
const STS: &str = "https://sts.test/runtime";

/// The instant of every clock here, in whole seconds: the real one, for which [`for_tests`] makes its certificates.
fn now() -> Timestamp {
    static NOW: std::sync::OnceLock<Timestamp> = std::sync::OnceLock::new();
    *NOW.get_or_init(|| Timestamp::from_second(Clock::system().now().as_second()).unwrap())
}

fn credentials(role: Role) -> Credentials {
    for_tests().credentials(role).unwrap().clone()
}

fn certificate(role: Role) -> Certificate {
    Certificate::from_der(credentials(role).leaf()).unwrap()
}

fn key(role: Role) -> SigningKey {
    SigningKey::from_der(credentials(role).key()).unwrap()
}

fn config() -> StsConfig {
    let group = PrivilegeGroup {
        scope: "11111111".into(),
        privileges: vec!["http://kombit.dk/roles/servicesystemrole/fremsoeg/1".into()],
        constraints: vec![("http://sts.kombit.dk/constraints/KLE/1".into(), "32.*".into())],
    };
    StsConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server: credentials(Role::StsServer),
        signing: credentials(Role::StsSigning),
        also_trusted: vec![credentials(Role::IndexSigning)],
        entity_id: STS.into(),
        registrations: vec![
            Registration {
                system: credentials(Role::GatewayClient).thumbprint(),
                services: vec![INDEX.into()],
                authorities: vec![("11111111".into(), vec![group])],
                on_behalf_of: vec![credentials(Role::Korsbaek).thumbprint()],
            },
            Registration {
                system: credentials(Role::Korsbaek).thumbprint(),
                services: vec!["urn:test:terminaladgang".into()],
                authorities: vec![("11111111".into(), vec![]), ("99999981".into(), vec![])],
                on_behalf_of: vec![],
            },
        ],
        lifetime: SignedDuration::from_hours(8),
        mode: Switch::default(),
        clock: Clock::fixed(now()),
    }
}

/// Straight into the service, without a network.
struct Direct(Sts);

impl Transport for Direct {
    async fn post(&self, envelope: Bytes) -> Result<Bytes, NoAnswer> {
        match self.0.config.mode.get() {
            StsMode::Down => Err(NoAnswer::Unreachable("down".into())),
            mode => Ok(self.0.issue(envelope, mode).2.into()),
        }
    }
}

fn issuer(entity_id: &str, role: Role) -> Issuer {
    Issuer::from_certificates(entity_id, vec![certificate(role)]).unwrap()
}

fn settings() -> StsSettings {
    StsSettings {
        to: STS.into(),
        issuer: issuer(STS, Role::StsSigning),
        certificate: certificate(Role::GatewayClient),
        key: key(Role::GatewayClient),
        on_behalf_of: None,
    }
}

fn client(settings: StsSettings, mode: StsMode) -> StsClient<Direct> {
    let config = config();
    config.mode.set(mode);
    StsClient::new(settings, Direct(Sts::new(config).unwrap()), Clock::fixed(now()))
}

#[tokio::test]
async fn the_token_asked_for_is_issued_and_accepted() {
    let token = client(settings(), StsMode::Honest).issue("11111111", INDEX).await.unwrap();
    assert_eq!((token.authority(), token.service()), ("11111111", INDEX));
    assert_eq!(token.not_on_or_after(), now() + SignedDuration::from_hours(8));
    let text = std::str::from_utf8(token.assertion().bytes()).unwrap();
    for name in ["SpecVer", "KombitSpecVer", "AssuranceLevel", "CvrNumberIdentifier", "Privileges_intermediate"] {
        assert!(text.contains(&format!("dk:gov:saml:attribute:{name}\"")), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_token_asked_for_is_refused_for_its_reason() {
    let untrusted = Flaw::Signature(Refusal::TokenIssuerUntrusted);
    let of_the_answer =
        Flaw::Signature(Refusal::SignatureInvalid { of: Detail::new("svarets signatur", "the answer's signature") });
    let id = "urn:uuid:1";
    let end = now() + SignedDuration::from_hours(8);
    let expired = |until: Timestamp, ours: Timestamp| {
        let from = until - SignedDuration::from_hours(8);
        let text = |at: Timestamp| at.to_string();
        Flaw::Signature(Refusal::TokenExpired { not_before: text(from), not_on_or_after: text(until), ours: text(ours) })
    };
    let get = |client: &StsClient<Direct>, mode, authority: &str, service: &str| {
        let request = client.request(authority, service, id).unwrap();
        client_transport(client, request, mode)
    };
    let modes = [
        (StsMode::WrongAudience, Flaw::Signature(Refusal::TokenAudience { expected: INDEX.into() })),
        (StsMode::WrongAuthority, Flaw::Unfit(Unfit::OtherAuthority)),
        (StsMode::WrongKey, Flaw::Unfit(Unfit::OtherKey)),
        (StsMode::Expired, expired(now() - SignedDuration::from_hours(16), now())),
        (StsMode::Fault(101), Flaw::Fault("101".into())),
    ];
    for (mode, flaw) in modes {
        let client = client(settings(), mode);
        let answer = get(&client, mode, "11111111", INDEX);
        assert_eq!(client.accept(answer, "11111111", INDEX, id).unwrap_err(), flaw, "{mode:?}");
    }
    // The altered token stands in an answer that is signed over the alteration: its own signature gives it away.
    let honest = client(settings(), StsMode::Honest);
    let altered = get(&honest, StsMode::BadSignature, "11111111", INDEX);
    let flaw = honest.accept(altered, "11111111", INDEX, id).unwrap_err();
    assert!(matches!(flaw, Flaw::Signature(Refusal::DigestMismatch { .. })), "{flaw:?}");

    let answer = get(&honest, StsMode::Honest, "11111111", INDEX);
    assert_eq!(honest.accept(answer.clone(), "11111111", INDEX, "urn:uuid:2").unwrap_err(), Flaw::Unfit(Unfit::OtherRequest));
    let other = client(StsSettings { issuer: issuer("https://other.test", Role::StsSigning), ..settings() }, StsMode::Honest);
    assert_eq!(other.accept(answer.clone(), "11111111", INDEX, id).unwrap_err(), untrusted.clone());
    let strange = client(StsSettings { issuer: issuer(STS, Role::IndexSigning), ..settings() }, StsMode::Honest);
    assert_eq!(strange.accept(answer.clone(), "11111111", INDEX, id).unwrap_err(), of_the_answer);

    // Without the outer signature, the token's own decides.
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let (from, to) = (text.find("<wsse:Security").unwrap(), text.find("</wsse:Security>").unwrap() + 16);
    let bare = Bytes::from(format!("{}{}", text.get(..from).unwrap(), text.get(to..).unwrap()));
    assert!(honest.accept(bare.clone(), "11111111", INDEX, id).is_ok());
    assert_eq!(strange.accept(bare.clone(), "11111111", INDEX, id).unwrap_err(), untrusted.clone());
    // A second Header, in which no signature would be looked for, is no way round the first.
    let twice = answer.to_vec();
    let twice = String::from_utf8(twice).unwrap().replacen("<soap:Header>", "<soap:Header></soap:Header><soap:Header>", 1);
    assert_eq!(honest.accept(twice.into(), "11111111", INDEX, id).unwrap_err(), Flaw::Unfit(Unfit::PartRepeated));
    for (seconds, flaw) in [(59, Flaw::Unfit(Unfit::Over)), (61, expired(end, end + SignedDuration::from_secs(61)))] {
        let clock = Clock::fixed(end + SignedDuration::from_secs(seconds));
        let later = StsClient::new(settings(), Direct(Sts::new(config()).unwrap()), clock);
        assert_eq!(later.accept(bare.clone(), "11111111", INDEX, id).unwrap_err(), flaw, "{seconds} s after its end");
    }
}

fn client_transport(_: &StsClient<Direct>, request: Vec<u8>, mode: StsMode) -> Bytes {
    Sts::new(config()).unwrap().issue(request.into(), mode).2.into()
}

#[tokio::test]
async fn what_the_gateway_tells_of_it() {
    let cases = [
        (StsMode::Down, Refusal::StsUnavailable),
        (StsMode::Fault(100), Refusal::StsUnavailable),
        (StsMode::Fault(106), Refusal::StsUnavailable),
        (StsMode::Fault(130), Refusal::StsUnavailable),
        (StsMode::Fault(111), Refusal::StsRefused { fault: "111".into() }),
        (StsMode::BadSignature, Refusal::StsAnswerInvalid),
        (StsMode::WrongKey, Refusal::StsAnswerInvalid),
    ];
    for (mode, refusal) in cases {
        assert_eq!(client(settings(), mode).issue("11111111", INDEX).await.unwrap_err(), refusal, "{mode:?}");
    }
}

#[tokio::test]
async fn the_registration_decides() {
    let code = |settings: StsSettings, authority: &'static str, service: &'static str| async move {
        match client(settings, StsMode::Honest).issue(authority, service).await {
            Ok(_) => "issued".to_owned(),
            Err(Refusal::StsRefused { fault }) => fault,
            Err(other) => panic!("{other:?}"),
        }
    };
    let korsbaek = || StsSettings { certificate: certificate(Role::Korsbaek), key: key(Role::Korsbaek), ..settings() };
    let intruder = || StsSettings { certificate: certificate(Role::Intruder), key: key(Role::Intruder), ..settings() };
    let for_korsbaek = || StsSettings { on_behalf_of: Some(certificate(Role::Korsbaek)), ..settings() };
    let for_intruder = || StsSettings { on_behalf_of: Some(certificate(Role::Intruder)), ..settings() };
    assert_eq!(code(intruder(), "11111111", INDEX).await, "101", "a system that is not registered");
    assert_eq!(code(settings(), "11111111", "urn:test:unknown").await, "101", "a service that nobody is registered for");
    assert_eq!(code(settings(), "11111111", "urn:test:terminaladgang").await, "111", "a service of somebody else");
    assert_eq!(code(settings(), "99999981", INDEX).await, "111", "an authority that the system does not act for");
    assert_eq!(code(korsbaek(), "99999981", "urn:test:terminaladgang").await, "issued");
    assert_eq!(code(for_korsbaek(), "99999981", "urn:test:terminaladgang").await, "issued", "by the other system's rights");
    assert_eq!(code(for_korsbaek(), "11111111", INDEX).await, "111", "not by one's own");
    assert_eq!(code(for_intruder(), "11111111", INDEX).await, "111", "a system that it may not speak for");
}

/// Signs `body` as the gateway's system and gives the fault code, if it comes to one.
fn ask(body: &str, created: Timestamp) -> Option<u16> {
    let message = Message {
        version: SoapVersion::V11,
        action: Some(ISSUE),
        message_id: "urn:uuid:1",
        relates_to: None,
        to: Some(STS),
        reply_to: false,
        framework: false,
        created,
        lifetime: SignedDuration::from_mins(5),
        extra_headers: &[],
        body: &canonical_content(body.as_bytes()).unwrap(),
    };
    let signed = with_certificate(&message, &certificate(Role::GatewayClient), &key(Role::GatewayClient)).unwrap();
    code_of(signed)
}

fn code_of(envelope: Vec<u8>) -> Option<u16> {
    let (_, fault, answer) = Sts::new(config()).unwrap().issue(envelope.into(), StsMode::Honest);
    let text = String::from_utf8(answer).unwrap();
    let code = text.split_once("stub:sts\">").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
    assert_eq!(fault, code.is_some());
    code
}

#[test]
fn every_fault_of_a_request_has_its_code() {
    let der = crate::signature::base64::encode(certificate(Role::GatewayClient).der());
    let claim = r#"<auth:ClaimType xmlns:auth="http://docs.oasis-open.org/wsfed/authorization/200706" Uri="dk:gov:saml:attribute:CvrNumberIdentifier"><auth:Value>11111111</auth:Value></auth:ClaimType>"#;
    let good = format!(
        r#"<wst:RequestSecurityToken xmlns:wst="{wst}" Context="c"><wst:TokenType>{SAML_TOKEN}</wst:TokenType><wst:RequestType>{wst}/Issue</wst:RequestType><wst:KeyType>{wst}/PublicKey</wst:KeyType><wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2002/12/policy"><wsa:EndpointReference xmlns:wsa="{WSA}"><wsa:Address>{INDEX}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo><wst:Claims>{claim}</wst:Claims><wst:UseKey>{der}</wst:UseKey></wst:RequestSecurityToken>"#,
        wst = issue::WST
    );
    let without = |part: &str| good.replace(part, "");
    let cases = [
        (good.clone(), None, "good, in SOAP 1.1, with the certificate as plain base64"),
        (without(&format!("<wst:TokenType>{SAML_TOKEN}</wst:TokenType>")), None, "no TokenType means SAML 2.0"),
        (good.replace(&der, &lines(&der)), None, "a certificate with line breaks"),
        (without(claim), Some(103), "no claim"),
        (good.replace(claim, &claim.repeat(2)), Some(103), "two claims"),
        (good.replace("CvrNumberIdentifier", "PidNumberIdentifier"), Some(103), "another claim"),
        (good.replace("11111111", "1111111x"), Some(103), "no CVR number"),
        (without(&format!("<wst:UseKey>{der}</wst:UseKey>")), Some(103), "no UseKey"),
        (good.replace(&der, "AAAA"), Some(103), "a UseKey that is no certificate"),
        (good.replace("/Issue", "/Validate"), Some(110), "another request type"),
        (good.replace("/PublicKey", "/SymmetricKey"), Some(110), "another key type"),
        (good.replace("SAMLV2.0", "SAMLV1.1"), Some(110), "another token type"),
        (good.replace("RequestSecurityToken", "Something"), Some(103), "another request"),
        (good.replace(INDEX, "urn:test:unknown"), Some(101), "an unknown service"),
    ];
    for (body, code, what) in cases {
        assert_eq!(ask(&body, now()), code, "{what}");
    }
    assert_eq!(ask(&good, now() - SignedDuration::from_mins(10)), Some(103), "an old message");
    assert_eq!(code_of(b"<not><soap/></not>".to_vec()), Some(103));
    assert_eq!(code_of(b"junk".to_vec()), Some(103));
    let request = client(settings(), StsMode::Honest).request("11111111", INDEX, "urn:uuid:1").unwrap();
    let altered = String::from_utf8(request).unwrap().replace(">11111111<", ">99999981<");
    assert_eq!(code_of(altered.into_bytes()), Some(103), "altered after signing");
    assert_eq!(fault::CODES.map(|(code, ..)| code), [100, 101, 103, 104, 106, 110, 111, 130]);
}

/// Base64 as PEM breaks it.
fn lines(base64: &str) -> String {
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("\n{}\n", lines.join("\r\n"))
}

/// A good request of the gateway's system with further header blocks, unsigned.
fn request_with_headers(extra_headers: &[&[u8]]) -> Vec<u8> {
    let request = client(settings(), StsMode::Honest).request("11111111", INDEX, "urn:uuid:1").unwrap();
    let text = String::from_utf8(request).unwrap();
    let (head, rest) = text.split_once("<wsse:Security").unwrap();
    let extra = String::from_utf8(extra_headers.concat()).unwrap();
    format!("{head}{extra}<wsse:Security{rest}").into_bytes()
}

#[test]
fn a_framework_header_that_the_services_policy_does_not_list_need_not_be_signed() {
    let framework = br#"<sbf:Framework xmlns:sbf="urn:liberty:sb:2006-08" version="2.0"/>"#;
    assert_eq!(code_of(request_with_headers(&[framework])), None);
    let addressing = format!("<wsa:From xmlns:wsa=\"{WSA}\"><wsa:Address>urn:test:x</wsa:Address></wsa:From>");
    assert_eq!(code_of(request_with_headers(&[addressing.as_bytes()])), Some(103), "a WS-Addressing header must be");
}

/// What a refusal says, in Danish and in English.
fn texts_of(envelope: Vec<u8>) -> Vec<String> {
    let (_, _, answer) = Sts::new(config()).unwrap().issue(envelope.into(), StsMode::Honest);
    let document = Document::parse(answer.into(), &Limits::default()).unwrap();
    let texts = document.root().descendants().filter(|element| element.local() == "Text");
    let told = texts.map(|text| {
        let language = text.attributes().find(|attribute| attribute.local == "lang").unwrap().value.to_owned();
        format!("{language} {}", text.text().unwrap())
    });
    told.collect()
}

#[test]
fn a_refusal_says_what_is_wrong_in_danish_and_in_english() {
    let good = String::from_utf8(request_with_headers(&[])).unwrap();
    let intruder = || StsSettings { certificate: certificate(Role::Intruder), key: key(Role::Intruder), ..settings() };
    let of = |settings: StsSettings, authority, service| {
        client(settings, StsMode::Honest).request(authority, service, "urn:uuid:1").unwrap()
    };
    let other_key = StsSettings { key: key(Role::Korsbaek), ..settings() };
    let cases = [
        (good.replace("rsa-sha256", "rsa-sha1").into_bytes(), "103", ["Brug RSA-SHA256", "Use RSA-SHA256"]),
        (good.replace(">11111111<", ">99999981<").into_bytes(), "103", ["#body (Body)", "#body (Body)"]),
        (of(other_key, "11111111", INDEX), "103", ["nøgle, der hører til", "key that belongs to"]),
        (of(intruder(), "11111111", INDEX), "101", ["ikke registreret hos STS'en", "not registered at the STS"]),
        (of(settings(), "11111111", "urn:x"), "101", ["»urn:x« i AppliesTo kendes ikke", "\"urn:x\" in AppliesTo is not known"]),
        (of(settings(), "99999981", INDEX), "111", ["CVR-nummer 99999981", "CVR number 99999981"]),
        (b"<a><b></a>".to_vec(), "103", ["ikke velformet XML", "not well-formed XML"]),
    ];
    for (envelope, code, [danish, english]) in cases {
        let told = texts_of(envelope);
        let [da, en] = told.as_slice() else { panic!("{told:?}") };
        assert!(da.starts_with(&format!("da {code}: ")) && da.contains(danish), "{da}");
        assert!(en.starts_with(&format!("en {code}: ")) && en.contains(english), "{en}");
    }
}

#[tokio::test]
async fn a_token_is_laid_out_as_kombits_sts_does() {
    let token = client(settings(), StsMode::Honest).issue("11111111", INDEX).await.unwrap();
    let text = std::str::from_utf8(token.assertion().bytes()).unwrap();
    // Not one prefixed name: the Signature too stands in its own default namespace.
    assert!(text.contains("</Issuer><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo>"), "{text}");
    let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap();
    assert!(document.root().descendants().all(|element| element.prefix().is_empty()));
    let children: Vec<_> = document.root().elements().map(|element| element.local().to_owned()).collect();
    assert_eq!(children, ["Issuer", "Signature", "Subject", "Conditions", "AttributeStatement", "AuthnStatement"]);
    let attributes: Vec<_> = document
        .root()
        .descendants()
        .filter(|element| element.local() == "Attribute")
        .filter_map(|element| element.attribute("", "Name")?.strip_prefix("dk:gov:saml:attribute:").map(str::to_owned))
        .collect();
    let order = ["CvrNumberIdentifier", "AssuranceLevel", "SpecVer", "KombitSpecVer", "Privileges_intermediate"];
    assert_eq!(attributes, order);
}

#[test]
fn the_metadata_names_every_signing_certificate() {
    let sts = Sts::new(config()).unwrap();
    let metadata = issue::metadata(STS, "https://sts.test/sts", &sts.trusted);
    let document = Document::parse(metadata.into(), &Limits::default()).unwrap();
    let root = document.root();
    assert_eq!(root.attribute("", "entityID"), Some(STS));
    assert_eq!(root.descendants().filter(|element| element.local() == "X509Certificate").count(), 2);
}

#[test]
fn the_development_systems_may_do_what_the_demonstration_needs() {
    let names = development::Names::default();
    let registered = development::registrations(&names, |role| Some(credentials(role).thumbprint()));
    let of = |role| {
        let system = credentials(role).thumbprint();
        registered.iter().find(|registration| registration.system == system)
    };
    let scopes = |role, authority: &str| {
        let (_, groups) = of(role).unwrap().authorities.iter().find(|(cvr, _)| cvr == authority)?;
        Some(groups.iter().map(|group| group.scope.clone()).collect::<Vec<_>>())
    };
    let for_udk = ["99999991", "11111111", "99999981", "99999982", "99999983"].map(str::to_owned).to_vec();
    assert_eq!(scopes(Role::GatewayClient, "99999991"), Some(for_udk), "UDK on behalf of the municipalities");
    assert_eq!(scopes(Role::GatewayClient, "11111111"), Some(vec!["11111111".into(), "99999991".into()]));
    assert_eq!(scopes(Role::Korsbaek, "11111111"), Some(vec!["11111111".into()]));
    assert_eq!(scopes(Role::Korsbaek, "99999981"), None, "no other authority");
    assert!(of(Role::Intruder).is_none());
}

#[test]
fn every_mode_in_the_help_is_read_and_nothing_else() {
    for name in MODE_NAMES.split(", ") {
        let text = name.replace("CODE", "101").replace("SECONDS", "2");
        assert!(text.parse::<StsMode>().is_ok(), "{text}");
    }
    for wrong in ["", "evil", "fault=999", "slow=", "down=1"] {
        assert!(wrong.parse::<StsMode>().is_err(), "{wrong}");
    }
}
