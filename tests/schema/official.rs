//! The Danish schemas as they were published.

use std::sync::Arc;

use hjemmel::schema::compile::Schema;
use hjemmel::schema::source::Sources;

use crate::reference::reference;

fn compiles(folder: &str, roots: &[&str]) {
    let Some(folder) = reference(folder) else { return };
    let sources = Arc::new(Sources::read(&folder).unwrap());
    Schema::new(sources, roots.iter().map(|root| (*root).to_owned())).unwrap();
}

#[test]
fn the_benefit_indexs_schemas_compile() {
    compiles("ydelsesindeks-6", &["xsd/6.0.STS-0/YdelseIndeksOperationer.xsd", "xsd/common/RequestHeader.xsd"]);
}

#[test]
fn the_distribution_services_schemas_compile() {
    compiles("sf2900", &["DistributionServiceMsg.xsd", "sp/Kvittering_1.xsd"]);
}

#[test]
fn the_message_brokers_schemas_compile() {
    compiles("sf1461", &["spec/xsd/BeskedfordelerOperationer.xsd", "spec/xsd/VaerdilisteOperationer.xsd"]);
}

#[test]
fn the_file_services_schemas_compile() {
    let Some(folder) = reference("sftp") else { return };
    let sources = Arc::new(Sources::read(&folder).unwrap());
    let roots: Vec<String> = sources.paths().filter(|path| path.ends_with(".xsd")).map(str::to_owned).collect();
    assert!(!roots.is_empty());
    Schema::new(sources, roots).unwrap();
}

#[test]
fn the_platforms_example_is_refused_with_the_names_of_the_schemas_that_it_lacks() {
    let Some(folder) = reference("serviceplatform/passthrough-example") else { return };
    let sources = Arc::new(Sources::read(&folder).unwrap());
    let root = "SagDokumentIndeksServiceMsg.xsd";
    let problems = Schema::new(sources, [root.to_owned()]).map(|_| ()).unwrap_err();
    let text = std::fs::read_to_string(folder.join(root)).unwrap();
    let named: Vec<&str> = text.split("schemaLocation=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() >= 3, "{named:?}");
    for name in &named {
        let told = problems.iter().any(|problem| problem.file == root && problem.line.is_some() && problem.what.contains(name));
        assert!(told, "{name} is not in {problems:#?}");
    }
}
