//! The official folders, as they were published. What is in them is read a second time here, event by event and without
//! namespaces, and must be the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hjemmel::services::passthrough::folder::{self, Folder};
use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::soap::envelope::Version;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::support::{official, service};

fn load(what: &str, offered: &[(&str, &str)]) -> Option<(tempfile::TempDir, Folder)> {
    let dir = official(what, &service(offered))?;
    let folder = folder::load(dir.path()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Some((dir, folder))
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let found = tag.attributes().flatten().find(|attribute| attribute.key.as_ref() == name);
    found.map(|attribute| attribute.value.into_owned()).unwrap_or_default()
}

fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap().to_owned()
}

/// Operation → action, request, answer: by the local names of the bound operations, of the port type's messages, and of
/// their parts (but those named `header`).
fn by_events(file: &Path) -> BTreeMap<String, (String, String, String)> {
    let text = fs::read_to_string(file).unwrap();
    let mut reader = Reader::from_str(&text);
    let (mut parts, mut messages, mut actions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut message, mut operation) = (String::new(), String::new());
    loop {
        let event = reader.read_event().unwrap();
        let (Event::Start(tag) | Event::Empty(tag)) = &event else {
            if matches!(event, Event::Eof) {
                break;
            }
            continue;
        };
        match local(tag.name().as_ref()).as_str() {
            "message" => message = attribute(tag, "name"),
            "part" if attribute(tag, "name") != "header" => {
                drop(parts.insert(message.clone(), local(&attribute(tag, "element"))))
            }
            // The SOAP binding's own element has the same local name and no name.
            "operation" if attribute(tag, "name").is_empty() => {
                drop(actions.insert(operation.clone(), attribute(tag, "soapAction")))
            }
            "operation" => operation = attribute(tag, "name"),
            side @ ("input" | "output") if !attribute(tag, "message").is_empty() => {
                drop(messages.insert((operation.clone(), side.to_owned()), local(&attribute(tag, "message"))));
            }
            _ => {}
        }
    }
    let element = |operation: &str, side: &str| parts[&messages[&(operation.to_owned(), side.to_owned())]].clone();
    actions
        .into_iter()
        .map(|(name, action)| (name.clone(), (action, element(&name, "input"), element(&name, "output"))))
        .collect()
}

fn as_read(dir: &Path, folder: &Folder) {
    for contract in &folder.contracts {
        let ours: BTreeMap<_, _> = contract
            .wsdl
            .operations
            .iter()
            .map(|operation| {
                let action = operation.action.clone().unwrap_or_default();
                (operation.name.clone(), (action, operation.request.local.clone(), operation.answer.local.clone()))
            })
            .collect();
        assert_eq!(ours, by_events(&dir.join(&contract.wsdl.path)), "{}", contract.wsdl.path);
    }
}

#[test]
fn the_distribution_service_loads_with_both_bindings_and_all_its_operations() {
    let offered =
        [("token", "wsdl/token/DistributionService.wsdl"), ("authority-context", "wsdl/context/DistributionService.wsdl")];
    let Some((dir, folder)) = load("sf2900", &offered) else { return };
    as_read(dir.path(), &folder);
    let [token, context] = folder.contracts.as_slice() else { panic!("two bindings") };
    assert_eq!((token.wsdl.security, context.wsdl.security), (Some(Security::Token), Some(Security::AuthorityContext)));
    let names: Vec<_> = token.wsdl.operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(
        names,
        ["FordelingsobjektAfsend", "FordelingskvitteringModtag", "FordelingsmodtagerList", "FordelingsmodtagerValider"]
    );
    for contract in [token, context] {
        assert_eq!(contract.wsdl.version, Version::V11);
        let types = "http://serviceplatformen.dk/xml/wsdl/soap11/DistributionService/3/types";
        assert!(
            contract
                .wsdl
                .operations
                .iter()
                .all(|operation| operation.request.namespace == types && operation.answer.namespace == types)
        );
        assert!(contract.wsdl.operations.iter().all(|operation| operation.faults.len() == 1), "{:?}", folder.warnings);
    }
}

#[test]
fn the_receivers_and_the_senders_end_points_of_distribution_load() {
    for (wsdl, operation) in [
        ("DistributionServiceModtagerV2.wsdl", "FordelingsobjektModtag"),
        ("DistributionServiceAnvenderV2.wsdl", "FordelingskvitteringModtag"),
    ] {
        let Some((dir, folder)) = load("sf2900/SF2900_EP_MS1-2", &[("authority-context", wsdl)]) else { return };
        as_read(dir.path(), &folder);
        let [only] = folder.contracts[0].wsdl.operations.as_slice() else { panic!("one operation") };
        assert_eq!((only.name.as_str(), only.action.as_deref(), folder.contracts[0].wsdl.security), (operation, None, None));
    }
}

#[test]
fn the_benefit_index_loads_with_import_update_and_search() {
    let Some((dir, folder)) = load("ydelsesindeks-6", &[("token", "wsdl/YdelseIndeks.wsdl")]) else { return };
    as_read(dir.path(), &folder);
    let wsdl = &folder.contracts[0].wsdl;
    assert_eq!((wsdl.version, wsdl.security), (Version::V12, Some(Security::Token)));
    let names: Vec<_> = wsdl.operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(names, ["importer", "fremsoeg", "opdater"]);
    for operation in &wsdl.operations {
        for headers in [&operation.request_headers, &operation.answer_headers] {
            assert_eq!(
                headers.iter().map(ToString::to_string).collect::<Vec<_>>(),
                ["{http://kombit.dk/xml/schemas/RequestHeader/1/}RequestHeader"]
            );
        }
    }
}

#[test]
fn the_benefit_indexs_other_services_load() {
    for wsdl in ["wsdl/BevillingIndeks.wsdl", "wsdl/OekonomiskEffektueringIndeks.wsdl"] {
        let Some((dir, folder)) = load("ydelsesindeks-6", &[("token", wsdl)]) else { return };
        as_read(dir.path(), &folder);
    }
}

#[test]
fn the_message_broker_loads_with_its_eleven_operations() {
    let Some((dir, folder)) = load("sf1461", &[("token", "spec/wsdl/Beskedfordeler.wsdl")]) else { return };
    as_read(dir.path(), &folder);
    let wsdl = &folder.contracts[0].wsdl;
    assert_eq!((wsdl.operations.len(), wsdl.version, wsdl.security), (11, Version::V11, None));
}

#[test]
fn the_platforms_example_is_refused_with_every_document_that_it_lacks() {
    for wsdl in ["SagDokumentIndeksService-token.wsdl", "SagDokumentIndeksService-authoritycontext.wsdl"] {
        let toml = service(&[("token", &format!("wsdl/token/{wsdl}"))]);
        let Some(dir) = official("serviceplatform/passthrough-example", &toml) else { return };
        // At the place from which its own locations lead to the schema that is there.
        fs::create_dir_all(dir.path().join("wsdl/token")).unwrap();
        fs::rename(dir.path().join(wsdl), dir.path().join("wsdl/token").join(wsdl)).unwrap();
        let told: Vec<String> = folder::load(dir.path()).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect();
        // What the files name, found by their text alone.
        let mut lacking = Vec::new();
        for file in [format!("wsdl/token/{wsdl}"), "SagDokumentIndeksServiceMsg.xsd".to_owned()] {
            let file = dir.path().join(file);
            let text = fs::read_to_string(&file).unwrap();
            let named = text.split("ocation=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let missing = named.filter(|name| !name.contains("://") && !file.with_file_name(name).exists());
            lacking.extend(missing.map(|name| name.trim_start_matches("../").to_owned()));
        }
        assert!(lacking.len() >= 5, "{lacking:?}");
        for name in &lacking {
            assert!(told.iter().any(|problem| problem.contains(name)), "{name} is not in {told:#?}");
        }
        assert_eq!(told.len(), lacking.len(), "nothing but what is lacking: {told:#?}");
    }
}
