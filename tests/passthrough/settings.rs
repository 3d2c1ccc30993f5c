//! `service.toml`, read strictly.

use hjemmel::clock::Clock;
use hjemmel::config::{Binding, Draft, Offer, ServiceSection};
use hjemmel::refusal::Audience;
use hjemmel::services::Service;
use hjemmel::services::passthrough::path::Path;
use hjemmel::services::passthrough::settings;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;

use crate::support::{NO_PERSONS, REST, WSDL, XSD, loaded, refused, service, write};

fn problems(text: &str) -> Vec<String> {
    settings::parse(text).1.map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The problems of a good file with something replaced.
fn changed(from: &str, to: &str) -> Vec<String> {
    let text = format!("[codes]\naudience = \"DRIFT\"\n[limits]\ndeadline = \"5s\"\n{}", service(&[("token", "a.wsdl")]));
    assert!(text.contains(from), "{from}");
    problems(&text.replace(from, to))
}

#[test]
fn every_wrong_value_is_told_with_its_line_and_a_remedy() {
    let cases = [
        ("11111111-1111-4111", "11111111-1111", "service.toml:9: service.uuid is not a UUID. Write"),
        ("http://entityid.eksempel.dk/service/brev/1", "brev", "service.toml:10: service.entity_id is not an entity id."),
        ("/service/Brev/1", "service/../x", "service.toml:11: service.path is not the path of an address."),
        (
            "receiver = \"fixed\"",
            "receiver = \"fast\"",
            "service.toml:15: provider.receiver is not known. Use \"implicit-by-entity-id\" or \"fixed\".",
        ),
        ("security = \"authority-context\"", "security = 3", "service.toml:14: provider.security is integer."),
        ("persons = []", "persons = [\"Brev/Id\"]", "service.toml:23: paths.persons \"Brev/Id\" is not a path."),
        ("purpose_en = \"To send letters\"", "", "service.toml:17: law.purpose_en is missing. Add purpose_en in [law]."),
        ("uuid =", "uiid =", "service.toml:9: service.uiid is not a setting. Did you mean uuid?"),
        ("[law]", "[lav]", "service.toml:17: lav is not a section. Did you mean [law]?"),
        ("\"DRIFT\"", "\"ALLE\"", "service.toml:2: codes.audience is not known."),
        ("deadline = \"5s\"", "deadline = \"5h\"", "service.toml:4: limits.deadline is out of range."),
        ("deadline = \"5s\"", "request_bytes = 12", "service.toml:4: limits.request_bytes is out of range."),
        (
            "[token]\nwsdl = \"a.wsdl\"\n",
            "",
            "service.toml: token is missing, and so is authority-context. Offer at least one binding.",
        ),
        ("uuid = \"", "uuid = ", "service.toml:9: It is not TOML:"),
    ];
    for (from, to, expected) in cases {
        let told = changed(from, to);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{from} → {to}: {told:#?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_in_the_order_of_its_lines() {
    let told = problems("[service]\nuuid = \"x\"\npath = \"x\"\n[provider]\nsecurity = \"x\"\n");
    let places: Vec<&str> = told.iter().map(|problem| problem.split_once(": ").unwrap().1.split(' ').next().unwrap()).collect();
    for expected in [
        "service.uuid",
        "service.path",
        "provider.security",
        "service.entity_id",
        "provider.receiver",
        "token",
        "law.legal_basis_da",
    ] {
        assert!(places.contains(&expected), "{expected}: {told:#?}");
    }
}

#[test]
fn a_receivers_path_beside_a_fixed_receiver_is_a_contradiction() {
    let told = changed("persons = []", "persons = []\nreceiver = [\"/Brev/Modtager/Id\"]");
    assert!(told.len() == 1 && told[0].contains("paths.receiver is given though provider.receiver is fixed"), "{told:?}");
}

#[test]
fn an_annotated_file_is_read_whole() {
    let text =
        format!("[codes]\naudience = \"SLUTBRUGER\"\n{}", service(&[("token", "a.wsdl"), ("authority-context", "b.wsdl")]));
    let (offered, settings) = settings::parse(&text);
    assert_eq!(offered.iter().map(|offered| offered.wsdl.value.as_str()).collect::<Vec<_>>(), ["a.wsdl", "b.wsdl"]);
    let settings = settings.unwrap();
    assert_eq!((settings.audience, settings.legal_basis.da.as_str()), (Some(Audience::User), "Lov om breve § 1"));
    assert_eq!((settings.limits.request_bytes, settings.limits.deadline.as_secs()), (10 * 1024 * 1024, 30));
}

fn with_paths(paths: &str) -> [(String, String); 3] {
    let toml =
        format!("[token]\nwsdl = \"brev.wsdl\"\n{}[paths]\n{paths}\n", REST.replace("\"fixed\"", "\"implicit-by-entity-id\""));
    [("service.toml".to_owned(), toml), ("brev.wsdl".to_owned(), WSDL.to_owned()), ("brev.xsd".to_owned(), XSD.to_owned())]
}

#[test]
fn a_path_leads_through_groups_references_extensions_and_to_attributes() {
    let files = with_paths(
        r#"receiver = ["/Brev/Modtager/Id"]
idempotency = ["/Brev/Afsender/Navn"]
persons = ["/Brev/Afsender/Id", "/Brev/Kopi/Id", "/Brev/Kopi/@art", "/Kvittering", "/Fejl"]"#,
    );
    let folder = loaded(&files.each_ref().map(|(path, text)| (path.as_str(), text.as_str())));
    assert_eq!(folder.settings.persons.len(), 5);
}

#[test]
fn a_path_that_the_schema_does_not_have_refuses_the_folder() {
    for (paths, expected) in [
        (
            r#"persons = ["/Brev/Modtager/Nummer"]"#,
            "paths.persons: in /Brev/Modtager/Nummer the schema has no Nummer where it stands.",
        ),
        (
            r#"persons = ["/Brev/Modtager/@nummer"]"#,
            "paths.persons: in /Brev/Modtager/@nummer the schema has no nummer where it stands.",
        ),
        (r#"persons = ["/Andet/Id"]"#, "paths.persons: no message begins with Andet."),
        ("persons = []\nidempotency = [\"/Kvittering\"]", "paths.idempotency: no message begins with Kvittering."),
        ("persons = []\nreceiver = [\"/Brev/Modtager/Id\", \"/Brev/Kopi/Id\"]", "paths.receiver has two paths for Brev."),
    ] {
        let files = with_paths(paths);
        let told = refused(&files.each_ref().map(|(path, text)| (path.as_str(), text.as_str())));
        assert!(told.len() == 1 && told[0].contains(expected), "{paths}: {told:#?}");
    }
}

#[test]
fn a_path_finds_every_value_as_its_receiver_reads_it_and_no_guess_where_elements_stand_in_one() {
    // What is passed on is canonical: CDATA is text there, and comments are gone.
    let xml = "<b:Brev xmlns:b='urn:b'><b:Part art='x'><b:Id><![CDATA[1]]></b:Id></b:Part>\
               <b:Part><b:Id>2<!--3-->4</b:Id><b:Id/><b:Id>5<b:Id>6</b:Id></b:Id></b:Part></b:Brev>";
    let document = Document::parse(xml.into(), &Limits::default()).unwrap();
    let values = |path: &str| {
        let found = Path::parse(path).unwrap().values(document.root());
        found.into_iter().map(|value| value.map(|value| value.into_owned())).collect::<Vec<_>>()
    };
    assert_eq!(values("/Brev/Part/Id"), [Some("1".to_owned()), Some("24".to_owned()), Some(String::new()), None]);
    assert_eq!(values("/Brev/Part/@art"), [Some("x".to_owned())]);
    assert!(values("/Andet/Part/Id").is_empty());
}

#[test]
fn a_service_without_a_word_on_persons_is_refused() {
    let text = service(&[("token", "a.wsdl")]).replace(NO_PERSONS, "[paths]\n");
    assert!(problems(&text)[0].contains("paths.persons is missing"));
}

/// What a configuration says of a service that is this folder: its problems, and where it is offered.
fn configured(files: &[(&str, &str)], more: &str) -> (Vec<(String, String)>, Option<Offer>) {
    let dir = write(files);
    let file = dir.path().join("hjemmel.toml");
    std::fs::write(&file, format!("[service.brev]\nfolder = \".\"\n{more}")).unwrap();
    let draft = Draft::<Service>::open(&file, Clock::system().now());
    let offer = draft.sections().services.get("brev").map(|service| service.offer().clone());
    let problems = draft.finish().problems;
    let own = problems.problems().iter().filter(|problem| problem.setting.starts_with("service."));
    (own.map(|problem| (problem.setting.clone(), problem.text.clone())).collect(), offer)
}

#[test]
fn a_configuration_offers_a_folder_as_its_service_toml_says() {
    let own = service(&[("token", "a.wsdl")]);
    let files = [("service.toml", own.as_str()), ("a.wsdl", WSDL), ("brev.xsd", XSD)];
    let (problems, offer) = configured(&files, "connect_timeout = \"5s\"\nbreaker_failures = 3\nsender_fault_status = 400\n");
    assert_eq!(problems, []);
    let offer = offer.unwrap();
    assert_eq!((offer.path.as_str(), offer.sender_fault_status), ("/service/Brev/1", 400));
    assert_eq!(offer.service_uuid.to_string(), "11111111-1111-4111-8111-111111111111");
    assert_eq!((offer.entity_id.as_str(), offer.bindings), ("http://entityid.eksempel.dk/service/brev/1", vec![Binding::Token]));

    let (problems, _) = configured(&files, "path = \"/elsewhere\"\n");
    assert_eq!(problems[0].0, "service.brev.path", "what the folder says is not said twice: {problems:?}");
}

#[test]
fn what_is_wrong_in_a_folder_is_told_at_the_line_that_names_it() {
    let wrong = service(&[("token", "a.wsdl")]).replace("11111111-1111-4111", "11111111-1111");
    let (problems, offer) = configured(&[("service.toml", &wrong), ("a.wsdl", WSDL), ("brev.xsd", XSD)], "");
    assert!(offer.is_none() && problems.len() == 1, "{problems:?}");
    let (setting, text) = &problems[0];
    assert_eq!(setting, "service.brev.folder");
    assert!(text.contains("service.toml:5: service.uuid is not a UUID; write it as"), "{text}");
}
