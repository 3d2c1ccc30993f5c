//! Requests by hand: small functions, one an element, so that a case reads as the search it makes.

use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::law::kle::Constraint;
use hjemmel::services::terminaladgang::law::request::{Search, check};
use hjemmel::services::terminaladgang::law::rules::RequestRules;
use hjemmel::services::terminaladgang::law::window::Window;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;

pub const PERSON: &str = "6101801234";
pub const NOW: &str = "2026-11-22T12:00:00+01:00";
pub const FROM: &str = "2026-08-01T00:00:00+02:00";
pub const TO: &str = "2026-12-01T00:00:00+01:00";

pub const RULES: &str = r#"
criteria = ["Dispositionsdato", "Startdato", "Slutdato", "SamletBruttobeloeb", "Klassifikationsbeskrivelse",
  "OekonomiskYdelseEffektueringRelation", "Ydelsesbeloeb", "YdelsesperiodeStartdato", "YdelsesperiodeSlutdato",
  "Ejer", "OekonomiskEffektueringPart"]
sorting = ["Dispositionsdato", "Ydelsesnavn"]

[roles]
owner = "a91824c4-da1d-47f9-bce2-5d6597879415"
party = "68d4b903-acae-4f2f-aafc-45bd999ed81f"
grantee = "3102fa7e-f56e-4510-b0d4-1650c590dc3b"
"#;

pub fn rules(more: &str) -> RequestRules {
    toml::from_str(&format!("{more}\n{RULES}")).unwrap()
}

pub fn window(rules: &RequestRules) -> Window {
    Window::at(NOW.parse().unwrap(), rules.reading).unwrap()
}

pub fn parse(xml: &str) -> Result<Document, Refusal> {
    Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default())
}

pub fn ask_with(xml: &str, rules: &RequestRules, constraint: &Constraint) -> Result<Search, Refusal> {
    check(parse(xml)?.root(), rules, &window(rules), constraint)
}

pub fn ask(xml: &str) -> Result<Search, Refusal> {
    ask_with(xml, &rules(""), &Constraint::unconstrained())
}

pub fn forwarded(search: &Search) -> &str {
    std::str::from_utf8(search.forward()).unwrap()
}

pub fn input(content: &str) -> String {
    format!(
        "<yi:FremsoegYdelseIndeksInput xmlns:yi='urn:oio:sts:ydelse:ydelseindeks:6' xmlns:oei='urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6' \
         xmlns:bi='urn:oio:sts:ydelse:bevillingindeks:6' xmlns:go='urn:oio:sts:generelleoperationer:6' \
         xmlns:gd='urn:oio:sts:generelledefinitioner:6' xmlns:sd='urn:oio:sagdok:3.0.0' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{content}</yi:FremsoegYdelseIndeksInput>"
    )
}

pub fn search(root: &str) -> String {
    input(root)
}

pub fn expression(operation: &str, operands: &[&str]) -> String {
    let operation = if operation.is_empty() { String::new() } else { format!("<yi:operation>{operation}</yi:operation>") };
    format!("<yi:SoegUdtryk>{operation}{}</yi:SoegUdtryk>", operands.concat())
}

pub fn and(operands: &[&str]) -> String {
    expression("AND", operands)
}

pub fn or(operands: &[&str]) -> String {
    expression("OR", operands)
}

pub fn not(operands: &[&str]) -> String {
    format!("<yi:NOT>{}</yi:NOT>", operands.concat())
}

pub fn grant(relations: &str) -> String {
    grant_with("", "", relations)
}

pub fn grant_with(paging: &str, attributes: &str, relations: &str) -> String {
    format!(
        "<yi:SoegBevillingIndeks>{paging}<bi:AttributListe>{attributes}</bi:AttributListe><bi:TilstandListe/>\
         <bi:RelationListe>{relations}</bi:RelationListe></yi:SoegBevillingIndeks>"
    )
}

pub fn party(reference: &str) -> String {
    format!("<bi:Bevillingspart><gd:ReferenceID>{reference}</gd:ReferenceID></bi:Bevillingspart>")
}

pub fn urn(urn: &str) -> String {
    format!("<sd:URNIdentifikator>{urn}</sd:URNIdentifikator>")
}

pub fn uuid(uuid: &str) -> String {
    format!("<sd:UUIDIdentifikator>{uuid}</sd:UUIDIdentifikator>")
}

pub fn cpr(number: &str) -> String {
    urn(&format!("urn:oio:cpr-nr:{number}"))
}

/// `B(P)`
pub fn person() -> String {
    grant(&party(&cpr(PERSON)))
}

/// `E` with what stands in its lists.
pub fn effectuation(attributes: &str, relations: &str) -> String {
    effectuation_with("", attributes, "", relations)
}

pub fn effectuation_with(before: &str, attributes: &str, states: &str, relations: &str) -> String {
    format!(
        "<yi:SoegOekonomiskEffektueringIndeks>{before}<oei:AttributListe>{attributes}</oei:AttributListe>\
         <oei:TilstandListe>{states}</oei:TilstandListe><oei:RelationListe>{relations}</oei:RelationListe>\
         </yi:SoegOekonomiskEffektueringIndeks>"
    )
}

pub fn extensions(extensions: &[&str]) -> String {
    let all: String = extensions
        .iter()
        .map(|one| format!("<oei:SoegEgenskaberLokalUdvidelse>{one}</oei:SoegEgenskaberLokalUdvidelse>"))
        .collect();
    format!("<gd:LokalUdvidelseListe>{all}</gd:LokalUdvidelseListe>")
}

pub fn stamp(date: &str) -> String {
    format!("<sd:TidsstempelDatoTid>{date}</sd:TidsstempelDatoTid>")
}

pub const INFINITE: &str = "<sd:GraenseIndikator>true</sd:GraenseIndikator>";

pub fn bounds(name: &str, from: &str, to: &str) -> String {
    format!("<oei:{name}><go:FraTidspunkt>{from}</go:FraTidspunkt><go:TilTidspunkt>{to}</go:TilTidspunkt></oei:{name}>")
}

pub fn interval(from: &str, to: &str) -> String {
    bounds("DispositionsDatoInterval", &stamp(from), &stamp(to))
}

/// `E(interval)`
pub fn delimited(from: &str, to: &str) -> String {
    effectuation(&extensions(&[&interval(from, to)]), "")
}

/// `E(in W)`
pub fn inside() -> String {
    delimited("2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00")
}

pub fn properties(content: &str) -> String {
    format!("<oei:Egenskaber>{content}</oei:Egenskaber>")
}

pub fn point(date: &str) -> String {
    format!("<oei:Dispositionsdato>{date}</oei:Dispositionsdato>")
}

pub fn line(content: &str) -> String {
    format!("<oei:OekonomiskYdelseEffektueringRelation>{content}</oei:OekonomiskYdelseEffektueringRelation>")
}

pub fn kle(number: &str) -> String {
    line(&format!("<oei:Klassifikationsbeskrivelse>{number}</oei:Klassifikationsbeskrivelse>"))
}

pub fn payee(number: &str) -> String {
    format!("<oei:OekonomiskEffektueringPart><gd:ReferenceID>{}</gd:ReferenceID></oei:OekonomiskEffektueringPart>", cpr(number))
}
