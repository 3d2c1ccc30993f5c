//! What the index finds and how it tells it. The expected hits are worked out by hand on a population of five objects.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Padding};
use super::evaluate::{Found, Index, Join};
use super::request::{self, Filter};
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::stub::moment::Moment;
use crate::stub::population::{
    Effectuation, Grant, LifeCycle, Line, Person, Population, Properties, Registration, UDK, UDK_BENEFITS, demo,
};

const P: &str = "6101801234";
const Q: &str = "6202751235";
const NAMESPACES: &str = r#"xmlns:yi="urn:oio:sts:ydelse:ydelseindeks:6" xmlns:bi="urn:oio:sts:ydelse:bevillingindeks:6" xmlns:oei="urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6" xmlns:gd="urn:oio:sts:generelledefinitioner:6" xmlns:go="urn:oio:sts:generelleoperationer:6" xmlns:sd="urn:oio:sagdok:3.0.0""#;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// P has a grant with a pension in September and one in March. Q has a grant with a benefit that is paid to P in
/// September, and a payment without reference that is paid to Q.
fn small() -> Arc<Population> {
    let grant = |n: u128, grantee: &str| Grant {
        uuid: Uuid::from_u128(n),
        registered: now(),
        life_cycle: LifeCycle::Opstaaet,
        grantees: vec![grantee.to_owned()],
        name: String::new(),
        sensitivity: "FORTROLIGE_PERSONOPLYSNINGER",
        owner: UDK.to_owned(),
        benefits: vec![("Y1".to_owned(), UDK_BENEFITS[0])],
    };
    let payment = |n: u128, date: &str, kle: &str, grant: Option<u128>, payee: &str| Effectuation {
        uuid: Uuid::from_u128(n),
        registrations: vec![Registration {
            registered: now(),
            life_cycle: LifeCycle::Opstaaet,
            properties: vec![Properties {
                disposition: Some(Moment::read(date).unwrap()),
                start: None,
                end: None,
                gross: Some("100.50".to_owned()),
                paid: None,
            }],
            lines: vec![Line {
                kle: Some(kle.to_owned()),
                class: None,
                amount: Some("100.50".to_owned()),
                start: None,
                end: None,
                grant: grant.map(|grant| (Uuid::from_u128(grant), "Y1".to_owned())),
            }],
            owners: vec![Some(UDK.to_owned())],
            payees: vec![payee.to_owned()],
        }],
    };
    let person = |cpr: &str| Person { cpr: cpr.to_owned(), name: String::new() };
    Arc::new(Population {
        persons: vec![person(P), person(Q)],
        grants: vec![grant(1, P), grant(2, Q)],
        effectuations: vec![
            payment(11, "2026-09-29T11:00:00", "32.03.04", Some(1), P),
            payment(12, "2026-03-30T11:00:00", "32.06.04", Some(1), P),
            payment(13, "2026-09-29T11:00:00", "32.12.04", Some(2), P),
            payment(14, "2026-09-29T11:00:00", "32.12.04", None, Q),
        ],
        now: now(),
    })
}

fn b(person: &str) -> String {
    format!(
        "<yi:SoegBevillingIndeks><bi:AttributListe/><bi:TilstandListe/><bi:RelationListe><bi:Bevillingspart><gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{person}</sd:URNIdentifikator></gd:ReferenceID></bi:Bevillingspart></bi:RelationListe></yi:SoegBevillingIndeks>"
    )
}

fn e(attributes: &str, relations: &str) -> String {
    format!(
        "<yi:SoegOekonomiskEffektueringIndeks><oei:AttributListe>{attributes}</oei:AttributListe><oei:TilstandListe/><oei:RelationListe>{relations}</oei:RelationListe></yi:SoegOekonomiskEffektueringIndeks>"
    )
}

fn interval(from: &str, to: &str) -> String {
    format!(
        "<gd:LokalUdvidelseListe><oei:SoegEgenskaberLokalUdvidelse><oei:DispositionsDatoInterval><go:FraTidspunkt>{from}</go:FraTidspunkt><go:TilTidspunkt>{to}</go:TilTidspunkt></oei:DispositionsDatoInterval></oei:SoegEgenskaberLokalUdvidelse></gd:LokalUdvidelseListe>"
    )
}

fn at(date: &str) -> String {
    format!("<sd:TidsstempelDatoTid>{date}</sd:TidsstempelDatoTid>")
}

fn autumn() -> String {
    e(&interval(&at("2026-08-01T00:00:00"), &at("2026-12-01T00:00:00")), "")
}

fn kle(kle: &str) -> String {
    e(
        "",
        &format!(
            "<oei:OekonomiskYdelseEffektueringRelation><oei:Klassifikationsbeskrivelse>{kle}</oei:Klassifikationsbeskrivelse></oei:OekonomiskYdelseEffektueringRelation>"
        ),
    )
}

fn read(inside: &str) -> Result<request::Search, request::BadSearch> {
    let xml = format!("<yi:FremsoegYdelseIndeksInput {NAMESPACES}>{inside}</yi:FremsoegYdelseIndeksInput>");
    let document = Document::parse(Bytes::from(xml), &Limits::default()).unwrap();
    request::read(&document.root())
}

fn search(index: &Index, join: Join, inside: &str) -> Found {
    index.search(&read(inside).unwrap(), join)
}

/// The last two digits of the objects found: 01 and 02 are grants, 11 to 14 payments.
fn found(join: Join, expression: &str) -> Vec<u128> {
    let population = small();
    let found = search(&Index::new(Arc::clone(&population)), join, &format!("<yi:SoegUdtryk>{expression}</yi:SoegUdtryk>"));
    let grants = found.grants.iter().map(|n| population.grants[*n].uuid.as_u128());
    grants.chain(found.effectuations.iter().map(|n| population.effectuations[*n].uuid.as_u128())).collect()
}

#[test]
fn the_two_joins_find_what_their_definitions_say() {
    let or = |a: &str, b: &str| format!("<yi:SoegUdtryk><yi:operation>OR</yi:operation>{a}{b}</yi:SoegUdtryk>");
    let not = |a: &str| format!("<yi:NOT>{a}</yi:NOT>");
    let payee = e(
        "",
        &format!(
            "<oei:OekonomiskEffektueringPart><gd:ReferenceID><sd:URNIdentifikator>urn:oio:cpr-nr:{P}</sd:URNIdentifikator></gd:ReferenceID></oei:OekonomiskEffektueringPart>"
        ),
    );
    let owner = |cvr: &str| e("", &format!("<oei:Aktoer><oei:CVR-nr>{cvr}</oei:CVR-nr></oei:Aktoer>"));
    // What is asked, what judging pairs finds, what searching leaf by leaf finds.
    let cases: Vec<(&str, String, &[u128], &[u128])> = vec![
        ("P alone: leafwise returns the B leaf's own hits only", b(P), &[1, 11, 12], &[1]),
        ("P in autumn: leafwise also finds what is paid to P on Q's grant", b(P) + &autumn(), &[1, 11], &[1, 2, 11, 13]),
        (
            "dates and KLE in one tree: leafwise finds each leaf's own, so the housing benefit of March",
            b(P) + &autumn() + &kle("32.06.04"),
            &[],
            &[1, 2, 11, 12, 13],
        ),
        ("either KLE", b(P) + &or(&kle("32.03.04"), &kle("32.06.04")), &[1, 11, 12], &[1, 11, 12]),
        (
            "autumn but no pension: leafwise, having any pension fails the whole",
            b(P) + &autumn() + &not(&kle("32.03.04")),
            &[],
            &[],
        ),
        ("autumn but not a KLE that P does not have", b(P) + &autumn() + &not(&kle("32.24.04")), &[1, 11], &[1, 2, 11, 13]),
        ("Q: the payment without reference is paired by its payee", b(Q) + &autumn(), &[2, 13, 14], &[2, 13, 14]),
        ("P as payee, whoever the grantee is", payee, &[1, 2, 11, 12, 13], &[1, 2, 11, 12, 13]),
        ("an owner who has nothing", b(P) + &owner("99999981"), &[], &[]),
        ("an owner who has everything", b(P) + &owner(UDK), &[1, 11, 12], &[1, 2, 11, 12, 13]),
        ("nobody", b("6303701236") + &autumn(), &[], &[]),
        ("an empty AND is true of every pair; no leaf found anything", String::new(), &[1, 2, 11, 12, 13, 14], &[]),
        ("an empty OR is false", or("", ""), &[], &[]),
    ];
    for (what, expression, pointwise, leafwise) in cases {
        assert_eq!(found(Join::Pointwise, &expression), pointwise, "pointwise: {what}");
        assert_eq!(found(Join::Leafwise, &expression), leafwise, "leafwise: {what}");
    }
}

#[test]
fn from_is_inclusive_and_to_exclusive_and_both_are_instants() {
    // The payments of P and Q in September lie at 2026-09-29T09:00:00Z.
    let cases = [
        (at("2026-09-29T09:00:00Z"), at("2026-09-29T09:00:01Z"), true),
        (at("2026-09-29T08:00:00Z"), at("2026-09-29T09:00:00Z"), false),
        (at("2026-09-29T11:00:00"), at("2026-09-30T00:00:00"), true),
        (at("2026-09-29T23:00:00+14:00"), at("2026-09-29T23:00:01+14:00"), true),
        ("<sd:GraenseIndikator>true</sd:GraenseIndikator>".to_owned(), at("2026-09-30T00:00:00"), true),
        (at("2026-09-30T00:00:00"), "<sd:GraenseIndikator>true</sd:GraenseIndikator>".to_owned(), false),
    ];
    for (from, to, hit) in cases {
        let found = found(Join::Pointwise, &(b(P) + &e(&interval(&from, &to), "")));
        assert_eq!(found.contains(&11), hit, "{from} {to}");
    }
    let point = e("<oei:Egenskaber><oei:Dispositionsdato>2026-09-29T11:00:00+02:00</oei:Dispositionsdato></oei:Egenskaber>", "");
    assert_eq!(found(Join::Pointwise, &(b(P) + &point)), [1, 11], "a point is an instant too");
}

#[test]
fn paging_stands_on_each_search_element_and_the_counts_tell_of_the_whole() {
    let page = |first, most| {
        format!(
            "<sd:FoersteResultatReference>{first}</sd:FoersteResultatReference><sd:MaksimalAntalKvantitet>{most}</sd:MaksimalAntalKvantitet>"
        )
    };
    let e = autumn().replace("Indeks><oei:Attribut", &format!("Indeks>{}<oei:Attribut", page(1, 1)));
    let index = Index::new(small());
    let found = search(&index, Join::Pointwise, &format!("<yi:SoegUdtryk>{}{e}</yi:SoegUdtryk>", b(Q)));
    assert_eq!((found.effectuations.as_slice(), found.all_effectuations, found.grants.len()), (&[3][..], 2, 1));
}

#[test]
fn sorting_follows_its_sequence_and_direction() {
    let sorting = |direction| {
        format!(
            "<yi:SoegUdtryk>{}</yi:SoegUdtryk><yi:Sortering><yi:OekonomiskEffektueringSortering><yi:Element>Dispositionsdato</yi:Element><yi:Retning>{direction}</yi:Retning><yi:Sekvens>1</yi:Sekvens></yi:OekonomiskEffektueringSortering></yi:Sortering>",
            b(P)
        )
    };
    let index = Index::new(small());
    assert_eq!(search(&index, Join::Pointwise, &sorting("Stigende")).effectuations, [1, 0]);
    assert_eq!(search(&index, Join::Pointwise, &sorting("Faldende")).effectuations, [0, 1]);
}

#[test]
fn a_search_that_cannot_be_carried_out_is_told_and_no_criterion_is_passed_over() {
    let cases = [
        (String::new(), 41, "no SoegUdtryk"),
        ("<yi:SoegUdtryk><yi:operation>XOR</yi:operation></yi:SoegUdtryk>".into(), 41, "an unknown operation"),
        (
            format!(
                "<yi:SoegUdtryk>{}</yi:SoegUdtryk>",
                e("<oei:Egenskaber><oei:UdbetaltTekst>x</oei:UdbetaltTekst></oei:Egenskaber>", "")
            ),
            40,
            "a text criterion",
        ),
        (
            format!("<yi:SoegUdtryk>{}</yi:SoegUdtryk>", e(&interval(&at("in May"), &at("2026-12-01T00:00:00")), "")),
            41,
            "no date",
        ),
        (
            format!(
                "<yi:SoegUdtryk>{}</yi:SoegUdtryk>",
                autumn().replace(
                    "Indeks><oei:Attribut",
                    "Indeks><sd:MaksimalAntalKvantitet>-1</sd:MaksimalAntalKvantitet><oei:Attribut"
                )
            ),
            40,
            "a negative page",
        ),
        (
            format!(
                "<yi:SoegUdtryk>{}</yi:SoegUdtryk>",
                b(P).replace("<bi:AttributListe/>", "<sd:SoegVirkning/><bi:AttributListe/>")
            ),
            40,
            "validity",
        ),
    ];
    for (request, status, what) in cases {
        assert_eq!(read(&request).map_err(|bad| bad.status), Err(status), "{what}");
    }
}

fn answer(population: &Arc<Population>, person: &str, filter: Option<Filter>, padding: Option<Padding>) -> Answer {
    let index = Index::new(Arc::clone(population));
    let found = search(&index, Join::Leafwise, &format!("<yi:SoegUdtryk>{}{}</yi:SoegUdtryk>", b(person), e("", "")));
    Answer { population: Arc::clone(population), status: 20, text: None, found, filter, padding }
}

fn whole(answer: &Answer) -> String {
    String::from_utf8(answer.pieces().flatten().collect()).unwrap()
}

#[test]
fn an_empty_filter_shows_no_data_and_an_absent_one_everything() {
    let population = Arc::new(Population::generate(1, 10, now()));
    let count =
        |filter: Option<Filter>, what: &str| whole(&answer(&population, demo::UDK_ONLY, filter, None)).matches(what).count();
    let filter = |grants: &[&str], effectuations: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Some(Filter { grants: list(grants), effectuations: list(effectuations) })
    };
    assert_eq!(count(filter(&[], &[]), "UUIDIdentifikator"), 0);
    assert_eq!(count(filter(&[], &[]), "<yi:Antal"), 6, "the counts stay: three, each with an inner one");
    assert_eq!(count(None, "<oei:ObjektType"), 10);
    assert_eq!(count(filter(&[], &["aktoer"]), "<oei:ObjektType"), 10);
    assert_eq!(count(filter(&[], &["aktoer"]), "<bi:"), 0);
    assert_eq!(count(filter(&[], &["aktoer"]), "Dispositionsdato"), 0);
    assert_eq!(count(filter(&["part"], &["egenskaber"]), "<bi:Bevillingspart"), 1);
    assert_eq!(count(filter(&["part"], &["egenskaber"]), "<oei:Dispositionsdato"), 10);
}

#[test]
fn padding_reaches_the_size_and_only_the_stated_part_is_alike() {
    let population = Arc::new(Population::generate(1, 10, now()));
    let padded = answer(&population, demo::UDK_ONLY, None, Some(Padding { bytes: 1_000_000, alike: 200_000 }));
    let text = whole(&padded);
    assert!((1_000_000..1_010_000).contains(&text.len()), "{}", text.len());
    let first = padded.found.effectuations[0];
    let date = population.effectuations[first].registrations[0].properties[0].disposition.clone().unwrap();
    let alike = text.matches(&format!("<oei:Dispositionsdato>{}<", date.text())).count();
    let objects = text.matches("<oei:ObjektType").count();
    let size = text.len() / objects;
    assert!((alike * size).abs_diff(200_000) < 20_000, "{alike} of {objects}, each {size} bytes");
    let longest = padded.pieces().map(|piece| piece.len()).max().unwrap();
    assert!(longest < 8 * 1024, "no more than an object is held at a time: {longest} bytes");
    assert_eq!(whole(&padded), text, "the second writing equals the first: the digest is of what is sent");
}

/// The folder of the index's schemas, where present.
fn schemas() -> Option<PathBuf> {
    let base = std::env::var_os("HJEMMEL_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from);
    let folder = base.join("ydelsesindeks-6/xsd/6.0.STS-0");
    let here = folder.is_dir() && Command::new("xmllint").arg("--version").stderr(Stdio::null()).status().is_ok();
    if !here {
        println!("NOT RUN: the index's schemas or xmllint are not at hand");
    }
    here.then_some(folder)
}

fn xmllint(arguments: &[&str], input: &str) -> (bool, String, String) {
    let mut child = Command::new("xmllint")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// What stands inside the Body, as a document of its own.
fn payload(body: &str) -> &str {
    let from = body.find("<yi:").unwrap();
    let to = body.rfind("</soap:Body>").unwrap();
    body.get(from..to).unwrap()
}

#[test]
fn every_persons_answer_is_valid_against_the_indexs_own_schema() {
    let Some(folder) = schemas() else { return };
    let schema = folder.join("YdelseIndeksOperationer.xsd");
    let population = Arc::new(Population::generate(7, 60, now()));
    let mut documents = Vec::new();
    for person in &population.persons {
        documents.push(whole(&answer(&population, &person.cpr, None, None)));
    }
    documents.push(whole(&answer(&population, demo::BOTH, Some(Filter::default()), None)));
    documents.push(whole(&answer(&population, demo::BOTH, None, Some(Padding { bytes: 100_000, alike: 1000 }))));
    let bad = Answer { status: 40, text: Some("forkert".into()), ..answer(&population, demo::NOTHING, None, None) };
    documents.push(whole(&bad));
    for document in documents {
        let (valid, _, errors) = xmllint(&["--noout", "--nonet", "--schema", schema.to_str().unwrap()], payload(&document));
        assert!(valid, "{errors}");
    }
}

#[test]
fn what_is_written_is_its_own_exclusive_canonical_form() {
    if schemas().is_none() {
        return;
    }
    let population = Arc::new(Population::generate(7, 40, now()));
    for person in [demo::UDK_ONLY, demo::BOTH, demo::NOTHING, &population.persons[20].cpr] {
        let body = whole(&answer(&population, person, None, None));
        let (ok, canonical, errors) = xmllint(&["--exc-c14n"], &body);
        assert!(ok, "{errors}");
        // xmllint ends its output with nothing of its own in canonical mode.
        assert_eq!(canonical.trim_end_matches('\n'), body);
    }
}
