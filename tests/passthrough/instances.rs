//! Messages that the stub makes from a schema: valid by our validator, xmllint and the JDK, varied, the same for the same seed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hjemmel::schema::compile::Schema;
use hjemmel::schema::pool::Pool;
use hjemmel::schema::source::Sources;

use hjemmel::services::passthrough::folder;
use hjemmel::services::passthrough::wsdl::Name;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::service::instance::Maker;
use proptest::prelude::*;

use crate::jdk::jdk;
use crate::not_run::did_not_run;
use crate::support::{official, service};

const SEEDS: u64 = 60;
/// The one element whose published type holds nothing: there is one message of it.
const EMPTY: &str = "FordelingskvitteringModtagResponse";

fn maker(schema: &Schema) -> Maker {
    Maker::new(schema.inspect().unwrap().model().unwrap())
}

fn judge(pool: &Pool, root: &Name, message: &[u8]) -> Result<(), String> {
    let document = Document::parse(bytes::Bytes::copy_from_slice(message), &Limits::default()).unwrap();
    let (document, name) = (Arc::new(document), Arc::new((root.namespace.clone(), root.local.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let node = document.root().id();
    let verdict = runtime.block_on(pool.validate(document, node, name)).unwrap();
    verdict.map_err(|violations| format!("{}\n{}", violations.detail().en(), String::from_utf8_lossy(message)))
}

/// Every file that xmllint does not find valid, with what it says; `None` where it is not installed.
///
/// It gets 20 seconds of a processor and 2 GB: with libxml2 2.9.14 a message of a few hundred bytes can take it hours and all memory where
/// parts of a choice that repeats may be empty. Then it has found nothing valid.
fn xmllint(schema: &Path, files: &Path) -> Option<Vec<String>> {
    const BOUNDED: &str = "ulimit -t 20 && ulimit -v 2000000 && exec xmllint --noout --nonet --schema \"$@\"";
    let names = fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path());
    let done = Command::new("sh").args(["-c", BOUNDED, "sh"]).arg(schema).args(names).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    match done.status.code() {
        Some(127) => return None,
        Some(_) => {}
        None => return Some(vec![format!("{}, after {said}", done.status)]),
    }
    let count = fs::read_dir(files).unwrap().count();
    let valid = said.lines().filter(|line| line.ends_with(" validates")).count();
    let refused: Vec<String> = said.lines().filter(|line| !line.ends_with(" validates")).map(str::to_owned).collect();
    assert!(valid == count || !refused.is_empty(), "{said}");
    Some(refused)
}

/// Each message of each operation of an official folder, from many seeds. `imports` are its schemas, for xmllint.
fn every_message(what: &str, offered: &[(&str, &str)], imports: &[(&str, &str)]) {
    let Some(dir) = official(what, &service(offered)) else { return };
    let folder = folder::load(dir.path()).unwrap();
    let imports: String = imports.iter().map(|(ns, at)| format!("<import namespace='{ns}' schemaLocation='{at}'/>")).collect();
    let all = dir.path().join("all-for-xmllint.xsd");
    fs::write(&all, format!("<schema xmlns='http://www.w3.org/2001/XMLSchema'>{imports}</schema>")).unwrap();
    let files = tempfile::tempdir().unwrap();
    let mut written = 0;
    for contract in &folder.contracts {
        let (maker, again) = (maker(&contract.schema), maker(&contract.schema));
        let pool = Pool::start(&contract.schema, 1).unwrap();
        for operation in &contract.wsdl.operations {
            let faults = operation.faults.iter().map(|fault| &fault.element);
            let headers = operation.request_headers.iter().chain(&operation.answer_headers);
            for root in [&operation.request, &operation.answer].into_iter().chain(faults).chain(headers) {
                let mut distinct = BTreeSet::new();
                for seed in 0..SEEDS {
                    let made = maker.make(&root.namespace, &root.local, seed).unwrap_or_else(|unmade| panic!("{root}: {unmade}"));
                    assert_eq!(
                        Ok(&made),
                        again.make(&root.namespace, &root.local, seed).as_ref(),
                        "the same seed, the same bytes"
                    );
                    judge(&pool, root, &made).unwrap_or_else(|told| panic!("{} {root} from seed {seed}: {told}", operation.name));
                    fs::write(files.path().join(format!("{written}.xml")), &made).unwrap();
                    written += 1;
                    distinct.insert(made);
                }
                println!("{what} {} {}: {} distinct of {SEEDS}", operation.name, root.local, distinct.len());
                let varied = distinct.len() as u64 * 2 > SEEDS;
                assert!(varied || root.local == EMPTY, "{root}: only {} distinct", distinct.len());
            }
        }
    }
    match xmllint(&all, files.path()) {
        None => did_not_run("xmllint", "apt-get install libxml2-utils"),
        Some(refused) => assert!(refused.is_empty(), "xmllint: {refused:#?}"),
    }
    match jdk(&all, files.path(), written) {
        None => did_not_run("the JDK's judge", "apt-get install default-jdk-headless"),
        Some(verdicts) => assert_eq!(verdicts.iter().position(|valid| !valid), None, "the JDK, by the file's number"),
    }
    println!("{what}: {written} messages");
}

#[test]
fn every_message_of_the_distribution_service_is_valid_and_varied() {
    let offered =
        [("token", "wsdl/token/DistributionService.wsdl"), ("authority-context", "wsdl/context/DistributionService.wsdl")];
    let types = "http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/3/types";
    every_message("sf2900", &offered, &[(types, "DistributionServiceMsg.xsd")]);
}

#[test]
fn every_message_of_the_benefit_index_is_valid_and_varied() {
    let imports = [
        ("urn:oio:sts:ydelse:ydelseindeks:6", "xsd/6.0.STS-0/YdelseIndeksOperationer.xsd"),
        ("http://kombit.dk/xml/schemas/RequestHeader/1/", "xsd/common/RequestHeader.xsd"),
    ];
    every_message("ydelsesindeks-6", &[("token", "wsdl/YdelseIndeks.wsdl")], &imports);
}

#[test]
fn every_message_of_the_message_broker_is_valid_and_varied() {
    let imports = [
        ("urn:oio:sts:beskedfordeler:vaerdiliste:1.0.0", "spec/xsd/VaerdilisteOperationer.xsd"),
        ("urn:oio:sts:beskedfordeler:1.0.0", "spec/xsd/BeskedfordelerOperationer.xsd"),
    ];
    every_message("sf1461", &[("token", "spec/wsdl/Beskedfordeler.wsdl")], &imports);
}

/// The schema `text` alone.
fn alone(text: &str) -> Schema {
    let mut sources = Sources::default();
    sources.add("s.xsd", text);
    Schema::new(Arc::new(sources), ["s.xsd".to_owned()]).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

/// Sixty messages with the root `{urn:s}Rod`, each valid by our validator and by xmllint or the JDK.
fn valid_messages(text: &str) -> Vec<String> {
    let (schema, root) = (alone(text), Name { namespace: "urn:s".to_owned(), local: "Rod".to_owned() });
    let (maker, pool) = (maker(&schema), Pool::start(&schema, 1).unwrap());
    let files = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for seed in 0..SEEDS {
        let made = maker.make(&root.namespace, &root.local, seed).unwrap_or_else(|unmade| panic!("{unmade}\n{text}"));
        judge(&pool, &root, &made).unwrap_or_else(|told| panic!("seed {seed}: {told}\n{text}"));
        fs::write(files.path().join(format!("{seed}.xml")), &made).unwrap();
        all.push(String::from_utf8(made).unwrap());
    }
    let schema = tempfile::NamedTempFile::new().unwrap();
    fs::write(schema.path(), text).unwrap();
    match xmllint(schema.path(), files.path()) {
        None => did_not_run("xmllint", "apt-get install libxml2-utils"),
        Some(refused) if refused.is_empty() => {}
        // libxml2 refuses what follows a repeated group one of whose turns was empty, or finds no end: another judge has the last word.
        Some(refused) => match jdk(schema.path(), files.path(), all.len()) {
            None => did_not_run("the JDK's judge, where xmllint refuses", "apt-get install default-jdk-headless"),
            Some(verdicts) => assert!(verdicts.iter().all(|valid| *valid), "xmllint and the JDK: {refused:#?}\n{text}"),
        },
    }
    all
}

/// Everything that a grammar can ask for.
const ALL: &str = include_str!("fixtures/all.xsd");

#[test]
fn whatever_a_schema_can_ask_for_is_written_and_what_may_vary_does() {
    let all = valid_messages(ALL);
    for part in [
        "<n1:One>",
        "<n1:Two>to</n1:Two>",
        "<Fork>",
        "<Leaf>",
        "xsi:type=\"n1:Circle\"",
        "xsi:type=\"n1:Square\"",
        "xsi:nil=\"true\"",
        "<Fixed>true</Fixed>",
        "<P>",
        "<Q>",
        "<B>",
        " n1:may=\"",
        "currency=\"DKK\"",
        "<Union>ingen</Union>",
        "urn:hjemmel:stub",
        "n1:Qualified",
    ] {
        let with = all.iter().filter(|message| message.contains(part)).count();
        assert!(with > 0, "{part} in none of {}", all.len());
    }
    for part in ["<B>", "xsi:nil", "<Fork>", "n1:Two", "n1:may", "xsi:type=\"n1:Circle\"", "<Union>ingen"] {
        assert!(all.iter().any(|message| !message.contains(part)), "{part} in every one");
    }
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len() as u64, SEEDS);
    assert!(all.iter().all(|message| message.len() < 200_000), "bounded, however a type holds itself");
}

#[test]
fn what_cannot_be_written_is_told_by_its_place() {
    let of = |body: &str| {
        let text = format!(
            "<x:schema xmlns:x='http://www.w3.org/2001/XMLSchema' xmlns='urn:s' targetNamespace='urn:s'>\
             <x:element name='Rod'><x:complexType><x:sequence>{body}</x:sequence></x:complexType></x:element>\
             <x:complexType name='Endless'><x:sequence><x:element name='A' type='Endless'/></x:sequence></x:complexType>\
             <x:complexType name='None' abstract='true'/></x:schema>"
        );
        maker(&alone(&text))
            .make("urn:s", "Rod", 1)
            .map(|made| String::from_utf8(made).unwrap())
            .map_err(|unmade| unmade.to_string())
    };
    assert!(of("<x:element name='E' type='x:ENTITY'/>").unwrap_err().starts_with("/Rod/E: a value of xs:ENTITY"));
    let block = "<x:element name='G'><x:simpleType><x:restriction base='x:string'><x:pattern value='\\p{IsGreek}'/></x:restriction></x:simpleType></x:element>";
    assert!(of(block).unwrap_err().contains("/Rod/G: the pattern \\p{IsGreek} names a block"));
    assert!(of("<x:element name='L' type='Endless'/>").is_err() && of("<x:element name='N' type='None'/>").is_err());
    let huge = "<x:sequence minOccurs='2000000000' maxOccurs='unbounded'><x:sequence/></x:sequence>";
    assert!(of(huge).unwrap_err().contains("larger than a stub writes"));
    for (base, facet) in [("x:string", "minLength"), ("x:base64Binary", "length"), ("x:NMTOKENS", "minLength")] {
        let long = format!(
            "<x:element name='S'><x:simpleType><x:restriction base='{base}'><x:{facet} value='4000000000'/></x:restriction></x:simpleType></x:element>"
        );
        assert_eq!(of(&long).unwrap_err(), "/Rod/S: a value longer than a stub writes");
    }
    // What may be left out is.
    for (kind, name) in [("x:ENTITY", "E"), ("Endless", "L"), ("None", "N")] {
        let made = of(&format!("<x:element name='{name}' type='{kind}' minOccurs='0'/>")).unwrap();
        assert!(!made.contains(&format!("<{name}>")), "{made}");
    }
}

/// A content model of elements and groups, nested, from a list of numbers.
fn content(tape: &mut impl Iterator<Item = u8>, depth: usize, names: &mut usize) -> String {
    const TYPES: [&str; 12] = [
        "x:string",
        "x:int",
        "x:date",
        "x:boolean",
        "x:dateTime",
        "x:anyURI",
        "x:base64Binary",
        "x:decimal",
        "Small",
        "Listed",
        "Kind",
        "Held",
    ];
    let occurs = |tape: &mut dyn Iterator<Item = u8>| {
        let (min, more) = (tape.next().unwrap_or(1) % 3, tape.next().unwrap_or(0) % 4);
        let max = if more == 3 { "unbounded".to_owned() } else { (min + more).max(1).to_string() };
        format!("minOccurs='{min}' maxOccurs='{max}'")
    };
    match tape.next().unwrap_or(0) % 5 {
        kind @ (0 | 1) if depth > 0 => {
            let group = if kind == 0 { "sequence" } else { "choice" };
            let parts: String = (0..1 + tape.next().unwrap_or(0) % 3).map(|_| content(tape, depth - 1, names)).collect();
            format!("<x:{group} {}>{parts}</x:{group}>", occurs(tape))
        }
        // Names of their own, so that no two parts of a model can be taken for each other.
        _ => {
            *names += 1;
            let kind = TYPES[tape.next().unwrap_or(0) as usize % TYPES.len()];
            let more = if tape.next().unwrap_or(0).is_multiple_of(4) { " nillable='true'" } else { "" };
            format!("<x:element name='e{names}' type='{kind}'{more} {}/>", occurs(tape))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn messages_of_small_schemas_are_valid(tape in proptest::collection::vec(any::<u8>(), 8..80), low in -50..50_i32, span in 0..100_i32, length in 1..12_u8) {
        let (mut tape, mut names) = (tape.into_iter(), 0);
        let (model, held) = (content(&mut tape, 3, &mut names), content(&mut tape, 2, &mut names).replace("'Held'", "'x:string'"));
        let high = low + span;
        let text = format!(
            "<x:schema xmlns:x='http://www.w3.org/2001/XMLSchema' xmlns='urn:s' targetNamespace='urn:s' elementFormDefault='qualified'>\
             <x:element name='Rod'><x:complexType><x:sequence>{model}</x:sequence></x:complexType></x:element>\
             <x:complexType name='Held'><x:sequence>{held}<x:element ref='Rod' minOccurs='0'/></x:sequence>\
             <x:attribute name='a' type='Small'/><x:attribute name='b' type='Kind' use='required'/></x:complexType>\
             <x:simpleType name='Small'><x:restriction base='x:decimal'><x:minInclusive value='{low}'/><x:maxInclusive value='{high}'/>\
             <x:fractionDigits value='1'/></x:restriction></x:simpleType>\
             <x:simpleType name='Listed'><x:list itemType='Kind'/></x:simpleType>\
             <x:simpleType name='Kind'><x:restriction base='x:token'><x:pattern value='[a-c]{{1,{length}}}|\\d{{{length}}}'/>\
             <x:maxLength value='{length}'/></x:restriction></x:simpleType></x:schema>"
        );
        valid_messages(&text);
    }
}

#[test]
fn no_message_of_the_official_services_holds_a_number_that_could_be_a_persons() {
    let Some(dir) = official("sf2900", &service(&[("token", "wsdl/token/DistributionService.wsdl")])) else { return };
    let folder = folder::load(dir.path()).unwrap();
    let maker = maker(&folder.contracts[0].schema);
    // Ten digits apart from others, with a day and a month at their beginning.
    let person = regex::Regex::new(r"(^|[^0-9])(0[1-9]|[12][0-9]|3[01])(0[1-9]|1[0-2])[0-9]{2}-?[0-9]{4}([^0-9]|$)").unwrap();
    for operation in &folder.contracts[0].wsdl.operations {
        for seed in 0..SEEDS {
            let made = maker.make(&operation.request.namespace, &operation.request.local, seed).unwrap();
            let made = String::from_utf8(made).unwrap();
            assert!(!person.is_match(&made), "{:?} in {made}", person.find(&made));
        }
    }
}
