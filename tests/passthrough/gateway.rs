//! Calls through a gateway that offers a folder: both bindings to both kinds of provider, and everything that is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::agreements::basis::Contract;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::{Agreement, Scope, Side, Store};
use hjemmel::audit::Outcome;
use hjemmel::config::{Draft, ServiceSection as _};
use hjemmel::services::{Service, vocabulary_of};
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::sign::sign_enveloped;
use hjemmel::signature::verify::{Parts, RequestSignature, verify_metadata};
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;
use jiff::SignedDuration;
use tempfile::TempDir;

use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::stub::service::instance::Maker;

use crate::support::{official, service, write};
use crate::wire::Answer;
use crate::world::{BY_CONTEXT, BY_TOKEN, NOBODY, Passing, authority_context, content, named, parsed};

pub const SERVICE: &str = r#"
[token]
wsdl = "token.wsdl"
[authority-context]
wsdl = "context.wsdl"
[service]
uuid = "22222222-2222-4222-8222-222222222222"
entity_id = "http://entityid.eksempel.dk/service/post/1"
path = "/service/Post/1"
[provider]
security = "token"
receiver = "implicit-by-entity-id"
[paths]
receiver = ["/Levering/Modtager"]
persons = ["/Levering/Person"]
[law]
legal_basis_da = "Lov om breve § 1"
legal_basis_en = "Act on letters § 1"
purpose_da = "At sende breve"
purpose_en = "To send letters"
[limits]
request_bytes = 16384
answer_bytes = 2048
deadline = "2s"
"#;

pub const WSDL: &str = r##"<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:p="urn:test:post" xmlns:t="urn:test:post:wsdl" xmlns:r="http://kombit.dk/xml/schemas/RequestHeader/1/" targetNamespace="urn:test:post:wsdl">
  <w:types>
    <x:schema xmlns:x="http://www.w3.org/2001/XMLSchema">
      <x:import namespace="urn:test:post" schemaLocation="post.xsd"/>
      <x:import namespace="http://kombit.dk/xml/schemas/RequestHeader/1/" schemaLocation="header.xsd"/>
    </x:schema>
  </w:types>
  <w:message name="LeverInd"><w:part name="p" element="p:Levering"/></w:message>
  <w:message name="Hoved"><w:part name="h" element="r:RequestHeader"/></w:message>
  <w:message name="Afvist"><w:part name="p" element="p:Afvist"/></w:message>
  <w:message name="LeverUd"><w:part name="p" element="p:Kvittering"/></w:message>
  <w:portType name="Post"><w:operation name="lever"><w:input message="t:LeverInd"/><w:output message="t:LeverUd"/><w:fault name="afvist" message="t:Afvist"/></w:operation></w:portType>
  <w:binding name="PostSoap" type="t:Post">
    <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="lever">
      <s:operation soapAction="urn:lever"/>
      <w:input><s:header message="t:Hoved" part="h" use="literal"/><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output>
      <w:fault name="afvist"><s:fault name="afvist" use="literal"/></w:fault>
    </w:operation>
  </w:binding>
  <w:service name="Post"><w:port name="PostPort" binding="t:PostSoap"><s:address location="http://localhost/"/></w:port></w:service>
</w:definitions>
"##;

pub const POST: &str = r##"<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:p="urn:test:post" xmlns:a="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"
    xmlns:c="http://serviceplatformen.dk/xml/schemas/CallContext/1/" targetNamespace="urn:test:post" elementFormDefault="qualified">
  <x:import namespace="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/" schemaLocation="authority.xsd"/>
  <x:import namespace="http://serviceplatformen.dk/xml/schemas/CallContext/1/" schemaLocation="call.xsd"/>
  <x:element name="Levering"><x:complexType><x:sequence>
    <x:element ref="c:CallContext" minOccurs="0"/><x:element ref="a:AuthorityContext" minOccurs="0"/>
    <x:element name="Modtager" type="x:string" maxOccurs="2"/>
    <x:element name="Person" type="x:string" minOccurs="0"/>
    <x:element name="Antal" type="x:int"/>
    <x:element name="Fyld" type="x:string" minOccurs="0"/>
  </x:sequence></x:complexType></x:element>
  <x:element name="Afvist"><x:complexType><x:sequence><x:element name="Aarsag" type="x:string"/></x:sequence></x:complexType></x:element>
  <x:element name="Kvittering"><x:complexType><x:sequence>
    <x:element name="Kode"><x:simpleType><x:restriction base="x:string"><x:enumeration value="OK"/><x:enumeration value="FEJL"/></x:restriction></x:simpleType></x:element>
    <x:element name="Tekst" minOccurs="0"><x:simpleType><x:restriction base="x:string"><x:maxLength value="4000"/></x:restriction></x:simpleType></x:element>
  </x:sequence></x:complexType></x:element>
</x:schema>
"##;

const AUTHORITY: &str = r##"<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"
    elementFormDefault="qualified"><x:element name="AuthorityContext"><x:complexType><x:sequence>
    <x:element name="MunicipalityCVR"><x:simpleType><x:restriction base="x:string"><x:pattern value="[0-9]{8}"/></x:restriction></x:simpleType></x:element>
    </x:sequence></x:complexType></x:element></x:schema>"##;

const CALL: &str = r##"<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="http://serviceplatformen.dk/xml/schemas/CallContext/1/"
    elementFormDefault="qualified"><x:element name="CallContext"><x:complexType><x:sequence>
    <x:element name="OnBehalfOfUser" type="x:string" minOccurs="0"/><x:element name="CallersServiceCallIdentifier" type="x:string" minOccurs="0"/>
    </x:sequence></x:complexType></x:element></x:schema>"##;

const HEADER: &str = r##"<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="http://kombit.dk/xml/schemas/RequestHeader/1/"
    elementFormDefault="qualified"><x:element name="RequestHeader"><x:complexType><x:sequence>
    <x:element name="TransactionUUID"><x:simpleType><x:restriction base="x:string"><x:pattern value="[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/></x:restriction></x:simpleType></x:element>
    </x:sequence></x:complexType></x:element></x:schema>"##;

/// A person whose number cannot be real.
const PERSON: &str = "6101801234";
const CALL_CONTEXT: &str = "<c:CallContext xmlns:c=\"http://serviceplatformen.dk/xml/schemas/CallContext/1/\"><c:CallersServiceCallIdentifier>k1</c:CallersServiceCallIdentifier></c:CallContext>";

pub fn folder() -> TempDir {
    with_schema(POST)
}

/// The folder with another schema.
pub fn with_schema(post: &str) -> TempDir {
    with(post, WSDL, WSDL)
}

fn with(post: &str, token: &str, context: &str) -> TempDir {
    with_settings(SERVICE, post, token, context)
}

/// The folder with another `service.toml` too.
pub fn with_settings(service: &str, post: &str, token: &str, context: &str) -> TempDir {
    write(&[
        ("service.toml", service),
        ("token.wsdl", token),
        ("context.wsdl", context),
        ("post.xsd", post),
        ("authority.xsd", AUTHORITY),
        ("call.xsd", CALL),
        ("header.xsd", HEADER),
    ])
}

/// A delivery to an authority, with `contexts` in front.
pub fn delivery(contexts: &str, receiver: &str, rest: &str) -> String {
    format!("<p:Levering xmlns:p=\"urn:test:post\">{contexts}<p:Modtager>{receiver}</p:Modtager>{rest}</p:Levering>")
}

pub fn plain(receiver: &str) -> String {
    delivery("", receiver, "<p:Antal>1</p:Antal>")
}

pub fn code(answer: &Answer) -> String {
    let document = parsed(&answer.body);
    named(&document, "ErrorCode").unwrap_or_else(|| panic!("{}", answer.text())).text().unwrap().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_by_token_reaches_the_provider_of_its_receiver_as_it_was_signed_and_the_answer_comes_back_as_it_was() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let receipt = "<p:Kvittering xmlns:p=\"urn:test:post\"><p:Kode>OK</p:Kode><p:Tekst>Taget imod</p:Tekst></p:Kvittering>";
    passing.by_token.mode.set(Mode::Says(receipt.into()));
    let sent = delivery("", BY_TOKEN, &format!("<p:Person>urn:oio:cpr-nr:{PERSON}</p:Person><p:Antal>7</p:Antal>"));
    let answer = passing.by_token(&[], &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = passing.by_token.received.get();
    assert_eq!((received.accepted, passing.by_context.received.get().count), (1, 0));
    assert_eq!(content(&received.last), sent, "what was signed is what arrives");
    assert!(passing.is_signed(&answer));
    assert_eq!(content(&answer.body), receipt);
    let record = passing.record();
    assert_eq!(record.outcome, Some(Outcome::Served));
    assert_eq!((record.service.as_str(), record.operation.as_deref()), ("pass", Some("lever")));
    assert_eq!(record.authority.unwrap().to_string(), KORSBAEK);
    assert_eq!(record.back_agreements.len(), 1);
    assert_eq!(record.persons.len(), 1, "the person is sealed");
    let json = serde_json::to_string(&record).unwrap();
    assert!(!json.contains(PERSON) && json.contains("7a000000-0000-4000-8000-000000000003"), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_binding_of_a_caller_reaches_each_kind_of_provider_with_the_contexts_that_it_wants() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let own = authority_context(KORSBAEK);
    let ours = format!(
        "<AuthorityContext xmlns=\"{}\"><MunicipalityCVR>{KORSBAEK}</MunicipalityCVR></AuthorityContext>",
        crate::world::AUTHORITY_CONTEXT
    );
    let rest = "<p:Antal>1</p:Antal>";
    let last = |provider: &crate::world::Provider| content(&provider.received.get().last);

    let answer = passing.by_context(Role::Korsbaek, "", &delivery(&own, BY_TOKEN, rest)).await;
    assert_eq!((answer.status, passing.is_signed(&answer)), (200, false), "{}", answer.text());
    assert_eq!(last(&passing.by_token), plain(BY_TOKEN), "the token names the authority");

    let both = format!("{CALL_CONTEXT}{own}");
    let answer = passing.by_context(Role::Korsbaek, "", &delivery(&both, BY_CONTEXT, rest)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(last(&passing.by_context), delivery(&both, BY_CONTEXT, rest), "untouched");

    let answer = passing.by_token(&[], &plain(BY_CONTEXT)).await;
    assert_eq!((answer.status, passing.is_signed(&answer)), (200, true), "{}", answer.text());
    assert_eq!(last(&passing.by_context), delivery(&ours, BY_CONTEXT, rest), "the proven authority is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_the_schema_is_refused_by_path_and_rule_without_its_values_and_goes_nowhere() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let answer = passing.by_token(&[], &delivery("", BY_TOKEN, "<p:Antal>hemmeligt</p:Antal>")).await;
    assert_eq!((answer.status, code(&answer).as_str()), (500, "SchemaViolated"));
    let text = answer.text();
    assert!(text.contains("/Levering/Antal") && !text.contains("hemmeligt"), "{text}");
    assert!(passing.is_signed(&answer), "a proven caller gets a signed fault");
    assert_eq!(passing.by_token.received.get().count, 0);
    assert_eq!(passing.record().refusal.as_deref(), Some("SchemaViolated"));

    let bad = "<r:RequestHeader xmlns:r=\"http://kombit.dk/xml/schemas/RequestHeader/1/\"><r:TransactionUUID>7</r:TransactionUUID></r:RequestHeader>";
    let answer = passing.by_token(&[bad], &plain(BY_TOKEN)).await;
    assert_eq!(code(&answer), "HeaderViolated", "{}", answer.text());
    assert!(answer.text().contains("/RequestHeader/TransactionUUID"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_named_twice_or_has_no_route_gets_nothing() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let twice = delivery("", BY_TOKEN, &format!("<p:Modtager>{BY_CONTEXT}</p:Modtager><p:Antal>1</p:Antal>"));
    for (sent, due) in [(twice, "ReceiverMissing"), (plain("nobody"), "ReceiverMissing"), (plain(NOBODY), "RouteNotFound")] {
        let answer = passing.by_token(&[], &sent).await;
        assert_eq!(code(&answer), due, "{}", answer.text());
    }
    assert!(passing.by_token(&[], &plain("nobody")).await.text().contains("/Levering/Modtager"));
    assert_eq!((passing.by_token.received.get().count, passing.by_context.received.get().count), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authoritys_context_another_system_and_two_proofs_are_refused() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let rest = "<p:Antal>1</p:Antal>";
    let own = authority_context(KORSBAEK);
    let calls = [
        (Role::Korsbaek, "", delivery(&authority_context("99999981"), BY_TOKEN, rest), "ServiceAgreementNotFound"),
        (Role::Udk, "", delivery(&own, BY_TOKEN, rest), "ServiceAgreementNotFound"),
        (Role::Korsbaek, "", plain(BY_TOKEN), "SecurityModelMissing"),
        (Role::Korsbaek, own.as_str(), plain(BY_TOKEN), "SecurityModelMissing"),
    ];
    for (by, header, body, due) in calls {
        let answer = passing.by_context(by, header, &body).await;
        assert_eq!(code(&answer), due, "{}", answer.text());
    }
    let answer = passing.by_token(&[], &delivery(&own, BY_TOKEN, rest)).await;
    assert_eq!(code(&answer), "SecurityModelAmbiguous", "{}", answer.text());
    assert_eq!(passing.by_token.received.get().count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_that_is_narrowed_by_what_a_service_without_a_law_cannot_apply_lets_nothing_through() {
    let folder = folder();
    for side in [Side::Front, Side::Back] {
        let passing = Passing::start(folder.path(), "").await;
        let store = Store::open(&Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
        let of_service = |agreement: &Agreement| agreement.side == side && agreement.service == passing.folder.settings.uuid;
        let held = store.list().await.unwrap().into_iter().find(of_service).unwrap();
        let narrowed = Agreement { scope: Scope::read(r#"{"kle":["32.*"]}"#).unwrap(), ..held };
        let import = Import { authorities: vec![], agreements: vec![narrowed] };
        assert_eq!(store.import(&import, passing.world.clock.now()).await.unwrap().changed, 1);
        store.close().await;
        let answer = passing.by_token(&[], &plain(BY_TOKEN)).await;
        assert_eq!(code(&answer), "ServiceAgreementNotActive", "{side:?}: {}", answer.text());
        assert!(answer.text().contains("afgrænset på en måde, som servicen ikke anvender"), "{}", answer.text());
        assert_eq!(passing.by_token.received.get().count, 0, "{side:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_beside_the_configuration_refuses_what_would_narrow_an_agreement_of_such_a_service() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let draft = Draft::<Service>::open(&passing.world.configuration, passing.world.clock.now());
    let vocabulary = vocabulary_of(&draft.sections().services);
    let told = |service: uuid::Uuid| {
        let problems =
            Import::parse(&format!("[[agreement]]\nservice = \"{service}\"\nkle = [\"32.*\"]\n"), &vocabulary).unwrap_err();
        let problems = problems.into_iter().map(|problem| problem.to_string());
        problems.filter(|problem| !problem.ends_with("is missing")).collect::<Vec<_>>()
    };
    assert_eq!(
        told(passing.folder.settings.uuid),
        ["line 3: kle narrows nothing of this service, which would refuse the calls; remove it"]
    );
    let others = draft.sections().services.values().map(|service| service.offer().service_uuid);
    let terminaladgang = others.into_iter().find(|uuid| *uuid != passing.folder.settings.uuid).unwrap();
    assert_eq!((told(terminaladgang), told(uuid::Uuid::nil())), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_provider_answers_amiss_is_its_fault_and_never_handed_on() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let large = format!(
        "<p:Kvittering xmlns:p=\"urn:test:post\"><p:Kode>OK</p:Kode><p:Tekst>{}</p:Tekst></p:Kvittering>",
        "x".repeat(3000)
    );
    let amiss = [
        (Mode::Invalid, "AnswerViolated"),
        (Mode::Says(large.into()), "ProviderAnswerTooLarge"),
        (Mode::WrongSigner, "PeerSignatureInvalid"),
        (Mode::Unsigned, "PeerSignatureInvalid"),
        (Mode::Altered, "PeerSignatureInvalid"),
        (Mode::WrongRelation, "PeerAnswerInvalid"),
        (Mode::UndeclaredFault, "PeerFault"),
        (Mode::Status(404), "PeerAnswerInvalid"),
        (Mode::Hang, "PeerTimeout"),
    ];
    for (mode, due) in amiss {
        passing.by_token.mode.set(mode.clone());
        let answer = passing.by_token(&[], &plain(BY_TOKEN)).await;
        assert_eq!((code(&answer).as_str(), answer.status), (due, if due == "PeerResting" { 503 } else { 500 }), "{mode}");
        passing.by_token.mode.set(Mode::Honest);
        // A success in between keeps the breaker closed.
        assert_eq!(passing.by_token(&[], &plain(BY_TOKEN)).await.status, 200);
    }
    passing.by_context.mode.set(Mode::Invalid);
    let answer = passing.by_token(&[], &plain(BY_CONTEXT)).await;
    assert_eq!(code(&answer), "AnswerViolated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_delivery_after_delivery_is_not_shut_out_and_one_that_breaks_off_is() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "breaker_failures = 3\nbreaker_rest = \"60s\"").await;
    passing.by_token.mode.set(Mode::UndeclaredFault);
    for _ in 0..5 {
        assert_eq!(code(&passing.by_token(&[], &plain(BY_TOKEN)).await), "PeerFault");
    }
    passing.by_token.mode.set(Mode::Reset);
    for _ in 0..3 {
        assert_eq!(code(&passing.by_token(&[], &plain(BY_TOKEN)).await), "PeerUnavailable");
    }
    let resting = passing.by_token(&[], &plain(BY_TOKEN)).await;
    assert_eq!((resting.status, code(&resting).as_str()), (503, "PeerResting"));
    assert_eq!(passing.by_token(&[], &plain(BY_CONTEXT)).await.status, 200, "the other provider has a breaker of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_the_contract_declares_is_handed_on_as_the_providers_and_of_another_nothing_is() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    for (receiver, provider) in [(BY_TOKEN, &passing.by_token), (BY_CONTEXT, &passing.by_context)] {
        provider.mode.set(Mode::DeclaredFault(None));
        let answer = passing.by_token(&[], &plain(receiver)).await;
        assert_eq!((answer.status, code(&answer).as_str()), (500, "ProviderFault"), "{}", answer.text());
        assert!(passing.is_signed(&answer));
        let document = parsed(&answer.body);
        let detail = named(&document, "detail").unwrap();
        let parts: Vec<_> = detail.elements().map(|part| (part.namespace(), part.local())).collect();
        assert_eq!(parts[1..], [("urn:test:post", "Afvist")], "{}", answer.text());
        assert!(answer.text().contains("receiving system") && answer.text().contains("modtagerens system"));
        assert_eq!(passing.record().refusal.as_deref(), Some("ProviderFault"));

        provider.mode.set(Mode::UndeclaredFault);
        let answer = passing.by_token(&[], &plain(receiver)).await;
        assert_eq!(code(&answer), "PeerFault");
        let document = parsed(&answer.body);
        assert_eq!(named(&document, "detail").unwrap().elements().count(), 1, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_document_in_a_message_by_token_reaches_the_provider_with_its_signature_whole() {
    let any = "<x:any namespace=\"##other\" processContents=\"skip\" minOccurs=\"0\"/>";
    let fyld = "<x:element name=\"Fyld\" type=\"x:string\" minOccurs=\"0\"/>";
    let folder = with_schema(&POST.replace(fyld, &format!("{fyld}{any}")));
    let passing = Passing::start(folder.path(), "").await;
    let author = passing.world.pki.credentials(Role::OtherMunicipality).unwrap();
    let key = SigningKey::from_der(author.key()).unwrap();
    let certificate = Certificate::from_der(author.leaf()).unwrap();
    // Its id is one that we give a part of a message ourselves.
    let document = sign_enveloped(b"<d:Brev xmlns:d=\"urn:test:brev\" ID=\"body\">Bilag</d:Brev>", &key, &certificate).unwrap();
    let document = String::from_utf8(document).unwrap();
    let sent = delivery("", BY_TOKEN, &format!("<p:Antal>1</p:Antal>{document}"));
    let answer = passing.by_token(&[], &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = passing.by_token.received.get();
    assert_eq!(received.accepted, 1, "the provider found our signature good beside the document's");
    let content = content(&received.last);
    let at = content.find("<d:Brev").unwrap();
    let document = &content[at..content.find("</d:Brev>").unwrap() + "</d:Brev>".len()];
    verify_metadata(parsed(document.as_bytes()).root(), &[certificate.key().clone()]).unwrap();
}

/// A schema in which an element takes any type.
fn with_types() -> TempDir {
    with_schema(&POST.replace("<x:element name=\"Antal\" type=\"x:int\"/>", "<x:element name=\"Antal\"/>").replace(
        "<x:element name=\"Afvist\">",
        "<x:simpleType name=\"Tal\"><x:restriction base=\"x:int\"/></x:simpleType><x:element name=\"Afvist\">",
    ))
}

/// A type with a prefix that no element uses, as programs of .NET and Java write it.
const TYPED: &str = "<p:Antal xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:y=\"http://www.w3.org/2001/XMLSchema\" i:type=\"y:int\">7</p:Antal>";

#[tokio::test(flavor = "multi_thread")]
async fn a_type_of_a_request_that_its_connection_proves_keeps_its_prefix_towards_either_kind_of_provider() {
    let folder = with_types();
    let passing = Passing::start(folder.path(), "").await;
    for (receiver, provider) in [(BY_TOKEN, &passing.by_token), (BY_CONTEXT, &passing.by_context)] {
        let answer = passing.by_context(Role::Korsbaek, "", &delivery(&authority_context(KORSBAEK), receiver, TYPED)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = provider.received.get();
        assert_eq!(received.accepted, 1);
        let sent = String::from_utf8(received.last.to_vec()).unwrap();
        assert!(sent.contains("xmlns:y=\"http://www.w3.org/2001/XMLSchema\"") && sent.contains("i:type=\"y:int\""), "{sent}");
    }
    // Our signature says what the prefix stands for: a message in which it stands for something else is not ours.
    let last = String::from_utf8(passing.by_token.received.get().last.to_vec()).unwrap();
    assert!(last.contains("PrefixList=\"y\""), "{last}");
    let verified = |message: &str| {
        let document = parsed(message.as_bytes());
        let header = named(&document, "Header").unwrap();
        let security =
            header.only("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd", "Security");
        let security = security.unwrap().unwrap();
        let parts = Parts { header, security, body: named(&document, "Body").unwrap(), must_cover: vec![] };
        let own = Certificate::from_der(passing.world.pki.credentials(Role::GatewayClient).unwrap().leaf()).unwrap();
        RequestSignature::locate(&document, &parts).unwrap().verify(own.key(), None).map(|_| ())
    };
    verified(&last).unwrap();
    let bound_anew = last.replace("xmlns:y=\"http://www.w3.org/2001/XMLSchema\"", "xmlns:y=\"urn:another\"");
    assert_eq!(verified(&bound_anew).unwrap_err().code(), "DigestMismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_of_a_signed_request_goes_on_where_the_signature_names_its_prefix() {
    let folder = with_types();
    let passing = Passing::start(folder.path(), "").await;
    for (receiver, provider) in [(BY_TOKEN, &passing.by_token), (BY_CONTEXT, &passing.by_context)] {
        let sent = delivery("", receiver, TYPED);
        let answer = passing.send_signed(&sent, passing.signed(&[], &sent, "y").await).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = provider.received.get();
        let last = String::from_utf8(received.last.to_vec()).unwrap();
        assert!(received.accepted == 1 && last.contains("xmlns:y=\"http://www.w3.org/2001/XMLSchema\""), "{last}");
        let bound_anew = passing.signed(&[], &sent, "y").await.replace("/2001/XMLSchema\"", "/2001/XMLSchemas\"");
        assert_eq!(code(&passing.send_signed(&sent, bound_anew).await), "DigestMismatch");
        let of_another =
            passing.signed(&[], &sent, "z").await.replace(" i:type=", " xmlns:y=\"http://www.w3.org/2001/XMLSchema\" i:type=");
        assert_eq!(code(&passing.send_signed(&sent, of_another).await), "SchemaViolated");
        assert_eq!(provider.received.get().count, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_of_a_signed_request_whose_prefix_no_element_uses_is_refused_and_one_that_an_element_uses_passes() {
    let folder = with_types();
    let passing = Passing::start(folder.path(), "").await;
    let sent = delivery("", BY_TOKEN, TYPED);
    let declaration = " xmlns:y=\"http://www.w3.org/2001/XMLSchema\"";
    // Whoever puts it back where canonical form has lost it, or puts another there, leaves the signature good.
    for put_back in ["", declaration] {
        let signed = passing.signed(&[], &sent, "").await;
        assert!(!signed.contains(declaration));
        let answer = passing.send_signed(&sent, signed.replace(" i:type=", &format!("{put_back} i:type="))).await;
        assert_eq!(code(&answer), "SchemaViolated", "{}", answer.text());
        assert!(answer.text().contains("/Levering/Antal"), "{}", answer.text());
    }
    assert_eq!(passing.by_token.received.get().count, 0);
    // Here an element uses the prefix, so that the signature covers what it stands for.
    let kept =
        "<y:Antal xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:y=\"urn:test:post\" i:type=\"y:Tal\">7</y:Antal>";
    let answer = passing.by_token(&[], &delivery("", BY_TOKEN, kept)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_the_schema_once_its_contexts_are_the_providers_is_a_fault_of_the_set_up_and_goes_nowhere() {
    let log = crate::log::now();
    let optional = "<x:element ref=\"a:AuthorityContext\" minOccurs=\"0\"/>";
    assert!(POST.contains(optional));
    // The schema demands the context that a provider by token has no use for.
    let folder = with_schema(&POST.replace(optional, "<x:element ref=\"a:AuthorityContext\"/>"));
    let passing = Passing::start(folder.path(), "").await;
    let to = |receiver: &str| delivery(&authority_context(KORSBAEK), receiver, "<p:Antal>1</p:Antal>");
    let answer = passing.by_context(Role::Korsbaek, "", &to(BY_TOKEN)).await;
    assert_eq!(code(&answer), "Internal", "{}", answer.text());
    assert_eq!(passing.by_token.received.get().count, 0);
    assert_eq!(passing.record().refusal.as_deref(), Some("Internal"));
    let lines = String::from_utf8(log.lines()).unwrap();
    let told = lines.lines().find(|line| line.contains("a request breaks the schema once its contexts are the provider's"));
    assert!(told.is_some_and(|line| line.contains("AuthorityContext")), "{told:?}");
    // As it came it follows the schema, so it reaches the provider that takes it so.
    assert_eq!(passing.by_context(Role::Korsbaek, "", &to(BY_CONTEXT)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_certificate_is_of_another_ca_than_its_route_names_gets_nothing() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    passing.routed_by_another_ca(NOBODY).await;
    let answer = passing.by_token(&[], &plain(NOBODY)).await;
    assert_eq!(code(&answer), "PeerUnavailable", "{}", answer.text());
    assert_eq!(passing.by_token.received.get().count, 0);
    // The same provider by a route that names its CA.
    assert_eq!(passing.by_token(&[], &plain(BY_TOKEN)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_the_services_own_bound_is_refused_before_it_is_parsed() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let large = delivery("", BY_TOKEN, &format!("<p:Antal>1</p:Antal><p:Fyld>{}</p:Fyld>", "x".repeat(17_000)));
    let answer = passing.by_context(Role::Korsbaek, "", &large).await;
    assert_eq!((answer.status, code(&answer).as_str()), (413, "BodyTooLarge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_takes_no_more_than_its_places_and_nothing_from_another() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "calls_at_once = 2\nbreaker_failures = 100").await;
    passing.by_token.mode.set(Mode::Hang);
    let hanging = async {
        let text = plain(BY_TOKEN);
        let call = || passing.by_token(&[], &text);
        <[_; 6]>::from(tokio::join!(call(), call(), call(), call(), call(), call()))
    };
    let other = async {
        // Once the first is waiting.
        let waited = Instant::now();
        while passing.by_token.received.get().count == 0 {
            assert!(waited.elapsed() < Duration::from_secs(60), "the first call did not reach its provider");
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let answer = passing.by_token(&[], &plain(BY_CONTEXT)).await;
        (answer.status, begun.elapsed())
    };
    let (hung, (status, took)) = tokio::join!(hanging, other);
    let (busy, waited): (Vec<_>, Vec<_>) = hung.iter().partition(|answer| code(answer) == "PeerBusy");
    assert_eq!((waited.len(), busy.len(), status), (2, 4, 200));
    assert!(waited.iter().all(|answer| code(answer) == "PeerTimeout"));
    assert!(busy.iter().all(|answer| answer.status == 503 && !answer.header("retry-after").is_empty()));
    assert!(took < Duration::from_secs(20), "{took:?}: it waited for the other");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_served_as_it_was_published_with_each_import_at_an_address_of_the_service() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "").await;
    let service = format!("{}{}", passing.address(), "/service/Post/1");
    let (mut open, mut seen) = (vec!["wsdl".to_owned()], std::collections::BTreeSet::new());
    while let Some(query) = open.pop().filter(|query| seen.insert(query.clone())) {
        let answer = passing.get(&format!("/service/Post/1?{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        let text = answer.text();
        let starts = text.match_indices("ocation=\"").map(|(at, found)| &text[at + found.len()..]);
        for location in starts.map(|rest| rest.split('"').next().unwrap()) {
            let rest = location.strip_prefix(&service).unwrap_or_else(|| panic!("?{query} leads to {location}"));
            open.extend(rest.strip_prefix('?').map(str::to_owned));
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    for other in ["wsdl=other", "file=service.toml", "file=../x", "file=", "x"] {
        assert_eq!(passing.get(&format!("/service/Post/1?{other}")).await.status, 405, "{other} is no document");
    }
}

/// Every operation of an official folder, in each binding that it offers, to a provider of each kind. No line of the product
/// knows its names.
async fn every_operation(what: &str, offered: &[(&str, &str)]) {
    let toml = service(offered).replace("receiver = \"fixed\"", "receiver = \"implicit-by-entity-id\"");
    let Some(dir) = official(what, &toml) else { return };
    for own in [Security::Token, Security::AuthorityContext] {
        let passing = Passing::start_for(dir.path(), "", own).await;
        let mut passed = 0;
        for contract in &passing.folder.contracts {
            let maker = Maker::new(contract.schema.inspect().unwrap().model().unwrap());
            for operation in &contract.wsdl.operations {
                let name = &operation.request;
                let make = |seed| String::from_utf8(maker.make(&name.namespace, &name.local, seed).unwrap()).unwrap();
                // A signed message has one Signature; and a context that the maker invented names nobody.
                let fits = |body: &String| {
                    !body.contains("Signature") && !body.contains("AuthorityContext") && !body.contains("CallContext")
                };
                let body = (0..500).map(make).find(fits).unwrap();
                let context = authority_context(KORSBAEK);
                let answer = match (contract.security, operation.contexts) {
                    (Security::Token, _) => passing.by_token(&[], &body).await,
                    (Security::AuthorityContext, false) => passing.by_context(Role::Korsbaek, &context, &body).await,
                    (Security::AuthorityContext, true) => {
                        let (start, rest) = body.split_at(body.find('>').unwrap() + 1);
                        passing.by_context(Role::Korsbaek, "", &format!("{start}{context}{rest}")).await
                    }
                };
                assert_eq!(answer.status, 200, "{what} {}: {}", operation.name, answer.text());
                assert!(content(&answer.body).contains(&operation.answer.local), "{}", answer.text());
                let provider = if own == Security::Token { &passing.by_token } else { &passing.by_context };
                let received = provider.received.get();
                passed += 1;
                assert_eq!((received.accepted, received.operation.as_deref()), (passed, Some(operation.name.as_str())));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_distribution_service_passes_in_both_bindings_to_both_kinds_of_provider() {
    let both = [("token", "wsdl/token/DistributionService.wsdl"), ("authority-context", "wsdl/context/DistributionService.wsdl")];
    every_operation("sf2900", &both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_benefit_index_passes_as_its_policy_says_to_both_kinds_of_provider() {
    every_operation("ydelsesindeks-6", &[("token", "wsdl/YdelseIndeks.wsdl")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_message_broker_passes_in_both_bindings_to_both_kinds_of_provider() {
    let wsdl = "spec/wsdl/Beskedfordeler.wsdl";
    every_operation("sf1461", &[("token", wsdl), ("authority-context", wsdl)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_nobody_proved_reaches_no_provider_from_wherever_the_schema_lets_it_stand() {
    let further = "<x:element ref=\"a:AuthorityContext\" minOccurs=\"0\"/>";
    let modtager = "<x:element name=\"Modtager\" type=\"x:string\" maxOccurs=\"2\"/>";
    let wildcard = "<x:any namespace=\"##other\" processContents=\"lax\" minOccurs=\"0\"/>";
    let contexts = "<x:element ref=\"c:CallContext\" minOccurs=\"0\"/><x:element ref=\"a:AuthorityContext\" minOccurs=\"0\"/>";
    assert!(POST.contains(modtager) && POST.contains(contexts));
    let other = authority_context("99999981");
    let between = |receiver: &str| {
        format!(
            "<p:Levering xmlns:p=\"urn:test:post\"><p:Modtager>{receiver}</p:Modtager>{other}<p:Antal>1</p:Antal></p:Levering>"
        )
    };
    let schemas = [
        POST.replace(modtager, &format!("{modtager}{further}")),
        POST.replace(modtager, &format!("{modtager}{wildcard}")).replace(contexts, ""),
    ];
    for schema in schemas {
        let folder = with_schema(&schema);
        let passing = Passing::start(folder.path(), "").await;
        for receiver in [BY_TOKEN, BY_CONTEXT] {
            let answer = passing.by_token(&[], &between(receiver)).await;
            assert_eq!(answer.status, 500, "{}: {}", receiver, content(&passing.by_context.received.get().last));
            assert_eq!(code(&answer), "RequestInvalid", "{}", answer.text());
        }
        assert_eq!((passing.by_token.received.get().count, passing.by_context.received.get().count), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_a_wildcard_or_an_element_of_its_own_would_take_a_context_the_authority_is_a_header() {
    let contexts = "<x:element ref=\"c:CallContext\" minOccurs=\"0\"/><x:element ref=\"a:AuthorityContext\" minOccurs=\"0\"/>";
    let fyld = "<x:element name=\"Fyld\" type=\"x:string\" minOccurs=\"0\"/>";
    assert!(POST.contains(fyld));
    let more = [
        "<x:any namespace=\"##other\" processContents=\"lax\" minOccurs=\"0\"/>",
        "<x:element name=\"AuthorityContext\" type=\"x:string\" minOccurs=\"0\"/>",
    ];
    for more in more {
        let folder = with_schema(&POST.replace(contexts, "").replace(fyld, &format!("{fyld}{more}")));
        let passing = Passing::start(folder.path(), "").await;
        let answer = passing.by_token(&[], &plain(BY_CONTEXT)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = passing.by_context.received.get().last.clone();
        assert_eq!(content(&received), plain(BY_CONTEXT));
        let document = parsed(&received);
        let claimed = named(&document, "Header").unwrap().descendants().find(|found| found.local() == "MunicipalityCVR").unwrap();
        assert_eq!(claimed.text().unwrap(), KORSBAEK);
        assert_eq!(passing.by_context(Role::Korsbaek, &authority_context(KORSBAEK), &plain(BY_CONTEXT)).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_two_operations_share_and_no_action_tells_apart_is_neither() {
    let (offered, bound) = ("<w:portType name=\"Post\">", "transport=\"http://schemas.xmlsoap.org/soap/http\"/>");
    assert!(WSDL.contains(offered) && WSDL.contains(bound));
    let second = "<w:operation name=\"slet\"><w:input message=\"t:LeverInd\"/><w:output message=\"t:LeverUd\"/></w:operation>";
    let second_bound = "<w:operation name=\"slet\"><s:operation soapAction=\"urn:slet\"/><w:input><s:body use=\"literal\"/></w:input>\
                        <w:output><s:body use=\"literal\"/></w:output></w:operation>";
    let wsdl = WSDL.replace(offered, &format!("{offered}{second}")).replace(bound, &format!("{bound}{second_bound}"));
    let folder = with(POST, &wsdl, &wsdl);
    let passing = Passing::start(folder.path(), "").await;
    let body = delivery(&authority_context(KORSBAEK), BY_CONTEXT, "<p:Antal>1</p:Antal>");
    for (action, operation) in [("urn:lever", "lever"), ("urn:slet", "slet")] {
        assert_eq!(passing.by_context_as(action, "", &body).await.status, 200);
        assert_eq!(passing.record().operation.as_deref(), Some(operation));
    }
    let answer = passing.by_context_as("", "", &body).await;
    assert_eq!(code(&answer), "OperationUnknown", "{}", answer.text());
    assert_eq!(code(&passing.by_context_as("urn:andet", "", &body).await), "ActionMismatch");
    assert_eq!(passing.by_context.received.get().count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_only_the_other_binding_has_is_unknown_and_no_fault_of_the_gateway() {
    let (offered, bound) = ("<w:portType name=\"Post\">", "transport=\"http://schemas.xmlsoap.org/soap/http\"/>");
    let second = "<w:operation name=\"slet\"><w:input message=\"t:LeverUd\"/><w:output message=\"t:LeverUd\"/></w:operation>";
    let second_bound = "<w:operation name=\"slet\"><s:operation soapAction=\"urn:slet\"/><w:input><s:body use=\"literal\"/></w:input>\
                        <w:output><s:body use=\"literal\"/></w:output></w:operation>";
    let token = WSDL.replace(offered, &format!("{offered}{second}")).replace(bound, &format!("{bound}{second_bound}"));
    let folder = with(POST, &token, WSDL);
    let passing = Passing::start(folder.path(), "").await;
    let body = "<p:Kvittering xmlns:p=\"urn:test:post\"><p:Kode>OK</p:Kode></p:Kvittering>";
    let answer = passing.by_context_as("urn:slet", &authority_context(KORSBAEK), body).await;
    assert_eq!(code(&answer), "OperationUnknown", "{}", answer.text());
    assert!(answer.text().contains("lever") && !answer.text().contains("slet"), "{}", answer.text());
}

/// A person who is born in 2057.
const SOMEBODY: &str = "0101575234";

#[tokio::test(flavor = "multi_thread")]
async fn in_the_environment_for_tests_nobody_is_named_whose_number_may_be_somebodys() {
    let folder = folder();
    let passing = Passing::start(folder.path(), "environment = \"exttest\"\n---\n").await;
    let named = |person: &str| delivery("", BY_TOKEN, &format!("<p:Person>{person}</p:Person><p:Antal>1</p:Antal>"));
    // The agreements are of another environment, and are asked for afterwards.
    for (person, due) in [(SOMEBODY, "PersonNotForTest"), (PERSON, "ServiceAgreementNotFound")] {
        let answer = passing.by_token(&[], &named(person)).await;
        assert_eq!(code(&answer), due, "{}", answer.text());
        assert!(!answer.text().contains(SOMEBODY) && !answer.text().contains("010157"), "{}", answer.text());
    }
    // The schema takes any text there, and whatever stands behind it reads each of these as a number.
    let (day, rest) = SOMEBODY.split_at(6);
    for between in ["-", " ", "\u{2013}", "."] {
        let answer = passing.by_token(&[], &named(&format!("{day}{between}{rest}"))).await;
        assert_eq!(code(&answer), "PersonNotForTest", "{between}: {}", answer.text());
    }
    let urn = delivery("", BY_TOKEN, &format!("<p:Antal>1</p:Antal><p:Fyld>urn:oio:cpr-nr:{SOMEBODY}</p:Fyld>"));
    assert_eq!(code(&passing.by_token(&[], &urn).await), "PersonNotForTest");
    assert_eq!(passing.by_token.received.get().count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_no_further_than_the_contract_that_each_agreement_was_approved_under() {
    let optional = "<x:element name=\"Fyld\" type=\"x:string\" minOccurs=\"0\"/>";
    let (less, more) =
        (POST.replace(optional, ""), POST.replace(optional, &format!("{optional}{}", optional.replace("Fyld", "Mere"))));
    let told_otherwise = POST.replace("<x:element name=\"Afvist\">", "<!-- Ord --><x:element name=\"Afvist\">");
    let cases: [(&str, Option<&str>, Side, Option<&str>); 6] = [
        ("approved less", Some(&less), Side::Front, Some("element Fyld")),
        ("approved less", Some(&less), Side::Back, Some("element Fyld")),
        ("approved more", Some(&more), Side::Front, None),
        ("approved more", Some(&more), Side::Back, None),
        ("approved the same in other words", Some(&told_otherwise), Side::Front, None),
        ("approved what is not kept", None, Side::Front, Some("det godkendte er ikke bevaret")),
    ];
    let folder = folder();
    for (name, approved, side, due) in cases {
        let passing = Passing::start(folder.path(), "").await;
        let store = Store::open(&Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
        let of_service = |agreement: &Agreement| agreement.side == side && agreement.service == passing.folder.settings.uuid;
        let held = store.list().await.unwrap().into_iter().find(of_service).unwrap();
        let mut change = store.change().await.unwrap();
        let digest = match approved {
            None => "00".repeat(32),
            Some(schema) => {
                let before = hjemmel::services::passthrough::folder::load(with_schema(schema).path()).unwrap();
                let contract = Contract { digest: before.digest(), meaning: Arc::new(before.meaning()) };
                change.keep_basis(&contract, passing.world.clock.now()).await.unwrap();
                contract.digest
            }
        };
        // One that began later, so that it is the one that counts: those that are there are bound by the node.
        let valid_from = held.valid_from + SignedDuration::from_secs(1);
        let bound = Agreement { id: uuid::Uuid::new_v4(), basis: Some(digest), valid_from, ..held };
        let import = Import { authorities: vec![], agreements: vec![bound] };
        assert_eq!(change.import(&import, passing.world.clock.now()).await.unwrap().added, 1);
        change.commit().await.unwrap();
        store.close().await;
        let answer = passing.by_token(&[], &plain(BY_TOKEN)).await;
        match due {
            None => assert_eq!(passing.by_token.received.get().count, 1, "{name} {side:?}: {}", answer.text()),
            Some(what) => {
                assert_eq!(code(&answer), "ServiceAgreementOutgrown", "{name} {side:?}: {}", answer.text());
                assert!(answer.text().contains(what), "{name} {side:?}: {}", answer.text());
                assert_eq!(passing.by_token.received.get().count, 0, "{name} {side:?}");
            }
        }
    }
}
