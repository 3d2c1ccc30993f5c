//! Messages that the stub makes from a schema: valid by our validator and by xmllint, varied, the same for the same seed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hjemmel::schema::compile::Schema;
use hjemmel::schema::pool::Pool;

use hjemmel::services::passthrough::folder;
use hjemmel::services::passthrough::wsdl::Name;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::service::instance::Maker;

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
fn xmllint(schema: &Path, files: &Path) -> Option<Vec<String>> {
    let names = fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path());
    let done = Command::new("xmllint").args(["--noout", "--nonet", "--schema"]).arg(schema).args(names).output().ok()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
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
        None => println!("NOT RUN: xmllint is not installed"),
        Some(refused) => assert!(refused.is_empty(), "xmllint: {refused:#?}"),
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
