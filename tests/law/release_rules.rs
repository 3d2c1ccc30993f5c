//! What the case files of the release (`cases/release`, tried by `tests/law/cases.rs`) cannot say: the same bytes, the counts,
//! what is held in memory, validity by the index's schema. The clock stands still at 2026-11-22.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::not_run::did_not_run;
use crate::release_run::{ask, filter, policy};
use hjemmel::services::terminaladgang::law::release::{Ask, Limits};
use hjemmel::services::terminaladgang::law::rules::Asked;

const NOW: &str = "2026-11-22T12:00:00Z";
const OWNER: &str = "a91824c4-da1d-47f9-bce2-5d6597879415";
const PARTY: &str = "68d4b903-acae-4f2f-aafc-45bd999ed81f";
const GRANTEE: &str = "3102fa7e-f56e-4510-b0d4-1650c590dc3b";
const P: &str = "6101801234";
const Q: &str = "6202755678";
const G1: &str = "b0000000-0000-4000-8000-000000000001";
const G2: &str = "b0000000-0000-4000-8000-000000000002";
const ID: &str = "e0000000-0000-4000-8000-000000000001";

/// The parts of an answer that a case changes.
#[derive(Clone)]
struct Answer {
    head: String,
    counts: String,
    grants: String,
    registration_head: String,
    properties: String,
    lines: String,
    actors: String,
    parties: String,
    after: String,
}

fn id(uuid: &str) -> String {
    format!("<sd:UUIDIdentifikator>{uuid}</sd:UUIDIdentifikator>")
}

fn person(cpr: &str) -> String {
    format!("<gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{cpr}</sd:URNIdentifikator></gd:ReferenceID>")
}

fn role(uuid: &str) -> String {
    format!("<gd:Rolle>{}</gd:Rolle>", id(uuid))
}

fn grantee(cpr: &str) -> String {
    format!("<bi:Bevillingspart>{}{}<bi:FuldtNavn>hidden</bi:FuldtNavn></bi:Bevillingspart>", role(GRANTEE), person(cpr))
}

fn grant(uuid: &str, parties: &str, sensitivity: &str) -> String {
    format!(
        "<yi:BevillingFiltreretOejebliksbillede><bi:ObjektType>{}</bi:ObjektType><bi:Registrering><bi:AttributListe>\
         <bi:Egenskaber>{sensitivity}</bi:Egenskaber></bi:AttributListe><bi:TilstandListe/>\
         <bi:RelationListe>{parties}</bi:RelationListe></bi:Registrering></yi:BevillingFiltreretOejebliksbillede>",
        id(uuid)
    )
}

fn properties(date: &str) -> String {
    format!(
        "<oei:Egenskaber><oei:BrugervendtNoegle>hidden</oei:BrugervendtNoegle><oei:Startdato>2026-09-01T00:00:00+02:00</oei:Startdato>\
         <oei:SamletBruttobeloeb>7001.50</oei:SamletBruttobeloeb>{date}<oei:BeloebUdbetalt>6001</oei:BeloebUdbetalt>\
         <oei:UdbetaltTekst>hidden</oei:UdbetaltTekst></oei:Egenskaber>"
    )
}

fn date(text: &str) -> String {
    format!("<oei:Dispositionsdato>{text}</oei:Dispositionsdato>")
}

fn line(kle: &str, amount: &str, grant: &str) -> String {
    format!(
        "<oei:OekonomiskYdelseEffektueringRelation><gd:Rolle>{}</gd:Rolle><gd:Indeks>1</gd:Indeks>\
         <oei:Ydelsesbeloeb>{amount}</oei:Ydelsesbeloeb><oei:Klassifikationsbeskrivelse>{kle}</oei:Klassifikationsbeskrivelse>\
         <oei:BevilgetYdelseRef>{}<oei:BevilgetYdelseId>hidden</oei:BevilgetYdelseId></oei:BevilgetYdelseRef>\
         </oei:OekonomiskYdelseEffektueringRelation>",
        id("d0000000-0000-4000-8000-000000000001"),
        id(grant)
    )
}

fn actor(cvr: &str) -> String {
    format!("<oei:Aktoer>{}<oei:FuldtNavn>hidden</oei:FuldtNavn><oei:CVR-nr>{cvr}</oei:CVR-nr></oei:Aktoer>", role(OWNER))
}

fn party(cpr: &str) -> String {
    format!(
        "<oei:OekonomiskEffektueringPart>{}{}<oei:FuldtNavn>hidden</oei:FuldtNavn></oei:OekonomiskEffektueringPart>",
        role(PARTY),
        person(cpr)
    )
}

impl Answer {
    /// One payment of UDK's to the person asked about, on 1 October 2026.
    fn plain() -> Self {
        Self {
            head: "<sd:StandardRetur><sd:StatusKode>20</sd:StatusKode></sd:StandardRetur>".to_owned(),
            counts: "<yi:Antal><yi:Element>effektueringer</yi:Element><yi:Antal>9</yi:Antal></yi:Antal>\
                     <yi:Antal><yi:Element>bevillinger</yi:Element><yi:Antal>9</yi:Antal></yi:Antal>"
                .to_owned(),
            grants: grant(G1, &grantee(P), "") + &grant(G2, &grantee(Q), ""),
            registration_head: String::new(),
            properties: properties(&date("2026-10-01T00:00:00+02:00")),
            lines: line("32.03.04", "7001.50", G1),
            actors: actor("99999991"),
            parties: party(P),
            after: String::new(),
        }
    }

    fn xml(&self) -> String {
        let Self { head, counts, grants, registration_head, properties, lines, actors, parties, after } = self;
        format!(
            "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\" xmlns:oei=\"urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6\" \
             xmlns:bi=\"urn:oio:sts:ydelse:bevillingindeks:6\" xmlns:gd=\"urn:oio:sts:generelledefinitioner:6\" xmlns:sd=\"urn:oio:sagdok:3.0.0\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{head}{counts}{grants}\
             <yi:OekonomiskEffektueringFiltreretOejebliksbillede><oei:ObjektType>{}</oei:ObjektType><oei:Registrering>{registration_head}\
             <oei:AttributListe>{properties}</oei:AttributListe><oei:TilstandListe/><oei:RelationListe>{lines}{actors}{parties}</oei:RelationListe>\
             </oei:Registrering></yi:OekonomiskEffektueringFiltreretOejebliksbillede>{after}</yi:FremsoegYdelseIndeksOutput>",
            id(ID)
        )
    }
}

#[test]
fn nothing_found_and_nothing_left_are_the_same_bytes() {
    let policy = policy(&[]);
    let mut found = Answer::plain();
    found.actors = actor("99999981");
    let start = &found.xml()[..found.xml().find("<sd:StandardRetur>").unwrap()];
    let not_found =
        format!("{start}<sd:StandardRetur><sd:StatusKode>44</sd:StatusKode></sd:StandardRetur></yi:FremsoegYdelseIndeksOutput>");
    let left = filter(&policy, ask(NOW), &found.xml()).unwrap();
    let none = filter(&policy, ask(NOW), &not_found).unwrap();
    assert_eq!(left.body(), none.body());
}

#[test]
fn counts_and_decisions_name_the_rules_and_no_values() {
    let released = filter(&policy(&[]), Ask { decisions: true, ..ask(NOW) }, &Answer::plain().xml()).unwrap();
    let counts = released.counts();
    assert_eq!(released.objects_seen(), 3);
    assert_eq!(counts.objects_removed.get("grant"), Some(&2));
    assert_eq!(counts.fields_released.get("gross-amount"), Some(&1));
    assert_eq!(counts.fields_removed.get("net-amounts"), Some(&1));
    // BrugervendtNoegle, UdbetaltTekst, TilstandListe, the line's grant (UUID and id), two names.
    assert_eq!(counts.fields_removed.get("unnamed"), Some(&7), "{counts:?}");
    // Where they stood, as the policy spells it: one is a field that the policy switches off, the others stand where no rule is.
    let places = serde_json::to_value(&counts.places_removed).unwrap();
    assert_eq!(places["net-amounts"], serde_json::json!({ "E/oei:BeloebUdbetalt": 1 }), "{places}");
    assert_eq!(places["unnamed"], serde_json::json!({ "*": 7 }), "{places}");
    let by_place: std::collections::BTreeMap<_, u64> =
        counts.places_removed.iter().map(|(rule, places)| (rule.clone(), places.values().sum())).collect();
    assert_eq!(by_place, counts.fields_removed, "each removed field has one place");
    let decisions = serde_json::to_string(released.decisions().unwrap()).unwrap();
    assert!(decisions.contains("oei:Egenskaber/oei:SamletBruttobeloeb") && !decisions.contains("7001"), "{decisions}");
}

#[test]
fn what_is_passed_over_is_not_held() {
    let mut answer = Answer::plain();
    answer.registration_head =
        format!("<gd:LokalUdvidelseListe><x xmlns=\"urn:x:y\">{}</x></gd:LokalUdvidelseListe>", "hidden ".repeat(60_000));
    answer.registration_head += &"<sd:NoteTekst>hidden</sd:NoteTekst>".repeat(60_000);
    let limits = Limits { object_bytes: 16 * 1024, ..Limits::default() };
    let released = filter(&policy(&[]), Ask { limits, ..ask(NOW) }, &answer.xml()).unwrap();
    assert_eq!(released.counts().objects_released, 1);
}

/// The reference material beside the project, or why a test that needs it does not run.
fn schema() -> Option<PathBuf> {
    let root = std::env::var_os("HJEMMEL_REFERENCE")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"));
    let schema = root.join("ydelsesindeks-6/xsd/6.0.STS-0/YdelseIndeksOperationer.xsd");
    let xmllint = Command::new("xmllint").arg("--version").output().is_ok_and(|output| output.status.success());
    if !schema.exists() || !xmllint {
        did_not_run(
            "xmllint and the index's schema",
            "apt-get install libxml2-utils; set HJEMMEL_REFERENCE to the folder of reference material",
        );
        return None;
    }
    Some(schema)
}

#[test]
fn released_answers_are_valid_against_the_index_schema() {
    let Some(schema) = schema() else { return };
    let directory = tempfile::tempdir().unwrap();
    let net = ("form = \"amount\"\nrelease = false", "form = \"amount\"\nrelease = true");
    let everything = policy(&[net]);
    let parts = |properties, actors, lines| Asked::Parts { properties, actors, lines };
    let mut files = Vec::new();
    for (n, asked) in
        [Asked::Everything, Asked::Nothing, parts(true, false, false), parts(false, true, false), parts(false, false, true)]
            .into_iter()
            .enumerate()
    {
        let mut answer = Answer::plain();
        answer.counts = answer.counts.replacen(
            "</yi:Antal></yi:Antal>",
            "</yi:Antal><yi:Paginering><sd:FoersteResultatReference>0</sd:FoersteResultatReference></yi:Paginering></yi:Antal>",
            1,
        );
        let file = directory.path().join(format!("{n}.xml"));
        std::fs::write(&file, filter(&everything, Ask { asked, ..ask(NOW) }, &answer.xml()).unwrap().body()).unwrap();
        files.push(file);
    }
    let output = Command::new("xmllint").args(["--noout", "--schema"]).arg(&schema).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
