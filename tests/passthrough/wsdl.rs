//! A WSDL of a few lines: what is read from it, and each thing that keeps it from being offered.

use hjemmel::services::passthrough::folder;
use hjemmel::services::passthrough::wsdl::{Name, Security};
use hjemmel::soap::envelope::Version;

use crate::support::{WSDL, XSD, borrowed, changed, loaded, only, refused, service, write};

fn name(local: &str) -> Name {
    Name { namespace: "urn:test:brev".to_owned(), local: local.to_owned() }
}

/// The one problem of the small WSDL with something replaced.
fn problem(from: &str, to: &str) -> String {
    only(&borrowed(&changed(from, to)))
}

fn fine(from: &str, to: &str) -> folder::Folder {
    loaded(&borrowed(&changed(from, to)))
}

#[test]
fn an_operation_has_its_elements_headers_faults_and_actions() {
    let folder = fine("urn:send", "urn:send");
    let wsdl = &folder.contracts[0].wsdl;
    assert_eq!((wsdl.version, wsdl.binding.as_str(), wsdl.security), (Version::V11, "BrevSoap", None));
    let [send] = wsdl.operations.as_slice() else { panic!("one operation") };
    assert_eq!((send.name.as_str(), send.action.as_deref()), ("send", Some("urn:send")));
    assert_eq!((&send.request, &send.answer), (&name("Brev"), &name("Kvittering")));
    assert_eq!((send.request_headers.clone(), send.answer_headers.clone()), (vec![name("Hoved")], vec![]));
    assert_eq!(send.faults.iter().map(|fault| fault.element.clone()).collect::<Vec<_>>(), [name("Fejl")]);
    assert_eq!((send.request_action.as_str(), send.answer_action.as_str()), ("urn:send", "urn:test:brev:wsdl:Brev:sendResponse"));
    assert_eq!(folder.contracts[0].documents, ["brev.wsdl", "brev.xsd"]);
    assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
}

#[test]
fn an_action_that_is_written_for_addressing_goes_before_soap_action() {
    let folder = fine(
        r#"<w:input message="t:SendIn"/>"#,
        r#"<w:input message="t:SendIn" a:Action="urn:skrevet" xmlns:a="http://www.w3.org/2007/05/addressing/metadata"/>"#,
    );
    let send = &folder.contracts[0].wsdl.operations[0];
    assert_eq!((send.request_action.as_str(), send.action.as_deref()), ("urn:skrevet", Some("urn:send")));
}

#[test]
fn soap_1_2_is_told_by_its_binding() {
    let folder = fine("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/");
    assert_eq!(folder.contracts[0].wsdl.version, Version::V12);
}

#[test]
fn what_cannot_be_offered_is_told_with_its_line_and_a_remedy() {
    let cases = [
        ("<s:operation soap", "<s:operation style=\"rpc\" soap", "brev.wsdl:20: The operation send has style \"rpc\"."),
        ("<s:binding tr", "<s:binding style=\"rpc\" tr", "brev.wsdl:20: The operation send has style \"rpc\"."),
        ("<w:output><s:body use=\"literal\"/>", "<w:output><s:body use=\"encoded\"/>", "brev.wsdl:23: It is \"encoded\"."),
        ("part=\"h\"", "part=\"q\"", "brev.wsdl:22: The message SendIn has no part \"q\"."),
        ("<s:fault name=\"fejl\" use=\"literal\"", "<s:fault name=\"fejl\" use=\"encoded\"", "brev.wsdl:24: It is \"encoded\"."),
        ("<w:output message=\"t:SendUd\"/>", "", "brev.wsdl:14: The operation send does not have both an input and an output."),
        (
            "<w:output message=\"t:SendUd\"",
            "<w:output message=\"t:Ingen\"",
            "brev.wsdl:15: There is no message {urn:test:brev:wsdl}Ingen.",
        ),
        (
            "<w:output message=\"t:SendUd\"",
            "<w:output message=\"q:SendUd\"",
            "brev.wsdl:15: The prefix of \"q:SendUd\" is not declared.",
        ),
        ("element=\"b:Kvittering\"", "type=\"b:Linje\"", "brev.wsdl:11: The part \"p\" names no element."),
        (
            "element=\"b:Kvittering\"",
            "element=\"b:Ukendt\"",
            "brev.wsdl:20: No schema declares {urn:test:brev}Ukendt, the answer of send.",
        ),
        ("<s:header message=\"t:SendIn\" part=\"h\" use=\"literal\"/>", "", "brev.wsdl:22: The body has 2 parts: h, p."),
        (
            "<w:operation name=\"send\">\n      <w:i",
            "<w:operation name=\"anden\">\n      <w:i",
            "brev.wsdl:20: The port type does not have exactly one operation send.",
        ),
        ("http://schemas.xmlsoap.org/soap/http", "http://schemas.xmlsoap.org/soap/smtp", "brev.wsdl:19: The binding's transport"),
        ("type=\"t:Brev\"", "type=\"t:Andet\"", "brev.wsdl:18: There is no portType {urn:test:brev:wsdl}Andet."),
        ("<s:binding transport=\"http://schemas.xmlsoap.org/soap/http\"/>", "", "brev.wsdl:2: There is no SOAP binding in it."),
        (
            "<w:types>",
            "<w:import namespace=\"urn:a\" location=\"a.wsdl\"/><w:types>",
            "brev.wsdl:4: It needs a.wsdl, which is not in the folder.",
        ),
        (
            "<w:message name=\"SendUd\">",
            "<w:message name=\"SendUd\"/><w:message name=\"SendUd\">",
            "brev.wsdl:15: There are two of the message",
        ),
        (
            "<s:body use=\"literal\"/></w:output>",
            "<m:multipartRelated xmlns:m=\"http://schemas.xmlsoap.org/wsdl/mime/\"/></w:output>",
            "brev.wsdl:23: It is bound to MIME parts.",
        ),
    ];
    let more = [
        (
            "<s:binding tr",
            "<o:OptimizedMimeSerialization xmlns:o=\"http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization\"/><s:binding tr",
            "brev.wsdl:19: It asks for MTOM.",
        ),
        (
            "<w:output><s:body",
            "<w:output><q:noget xmlns:q=\"urn:q\" w:required=\"true\"/><s:body",
            "brev.wsdl:23: It demands {urn:q}noget, which is not known here.",
        ),
        ("<w:types>", "<w:import namespace=\"urn:a\"/><w:types>", "brev.wsdl:4: It imports a document and does not say which."),
        (
            "<w:types>",
            "<w:import namespace=\"urn:a\" location=\"service.wsdl\"/><w:types>",
            "brev.wsdl:4: It needs service.wsdl,",
        ),
    ];
    for (from, to, expected) in cases.into_iter().chain(more) {
        let told = refused(&borrowed(&changed(from, to)));
        let found = told.iter().find(|problem| problem.starts_with(expected));
        let found = found.unwrap_or_else(|| panic!("{from} → {to}: {told:#?}"));
        assert!(found.len() > expected.len() + 10, "no remedy: {found}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let mut files = changed("element=\"b:Kvittering\"", "type=\"b:Linje\"");
    files[1].1 = files[1].1.replace(
        "<w:fault name=\"fejl\"><s:fault name=\"fejl\" use=\"literal\"",
        "<w:fault name=\"fejl\"><s:fault name=\"fejl\" use=\"encoded\"",
    );
    files[1].1 = files[1]
        .1
        .replace("part=\"h\"", "part=\"q\"")
        .replace("include schemaLocation=\"brev.xsd\"", "include schemaLocation=\"ingen.xsd\"");
    files[0].1 = files[0].1.replace("uuid = \"1", "uuid = \"x");
    let told = refused(&borrowed(&files)).join("\n");
    for part in ["service.uuid", "ingen.xsd", "no part \"q\"", "\"p\" names no element", "\"encoded\""] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

#[test]
fn a_second_operation_with_the_same_element_must_have_an_action_of_its_own() {
    let second = |action: &str| {
        let wsdl = WSDL.replace("  </w:portType>", "<w:operation name=\"gem\"><w:input message=\"t:SendIn\"/><w:output message=\"t:SendUd\"/></w:operation></w:portType>");
        let bound = format!(
            "<w:operation name=\"gem\"><s:operation soapAction=\"{action}\"/><w:input><s:body parts=\"p\" use=\"literal\"/></w:input>\
             <w:output><s:body use=\"literal\"/></w:output></w:operation></w:binding>"
        );
        wsdl.replace("  </w:binding>", &bound)
    };
    let toml = service(&[("token", "brev.wsdl")]);
    for action in ["", "urn:send"] {
        let told = only(&[("service.toml", &toml), ("brev.wsdl", &second(action)), ("brev.xsd", XSD)]);
        assert!(told.contains("send and gem have the same request element"), "{told}");
    }
    let folder = loaded(&[("service.toml", &toml), ("brev.wsdl", &second("urn:gem")), ("brev.xsd", XSD)]);
    let contract = &folder.contracts[0];
    let found = |action| contract.operation("urn:test:brev", "Brev", action).map(|operation| operation.name.as_str());
    assert_eq!(
        (found(Some("urn:gem")), found(Some("urn:send")), found(Some("urn:x")), found(None)),
        (Some("gem"), Some("send"), None, None)
    );
}

#[test]
fn one_of_several_bindings_is_chosen_by_its_name_or_its_ports() {
    let binding = &WSDL[WSDL.find("  <w:binding").unwrap()..WSDL.find("  <w:service").unwrap()];
    let second = binding.replace("BrevSoap", "BrevSoap12").replace("<s:", "<s12:");
    let port = "<w:port name=\"Port12\" binding=\"t:BrevSoap12\"/></w:service>";
    let wsdl = WSDL
        .replace("  <w:service", &format!("{second}  <w:service"))
        .replace("</w:service>", port)
        .replace("xmlns:b=", "xmlns:s12=\"http://schemas.xmlsoap.org/wsdl/soap12/\" xmlns:b=");
    let toml = service(&[("token", "brev.wsdl")]);
    let told = only(&[("service.toml", &toml), ("brev.wsdl", &wsdl), ("brev.xsd", XSD)]);
    assert!(told.contains("several SOAP bindings: BrevSoap, BrevSoap12") && told.contains("binding = "), "{told}");
    for (chosen, version) in [("BrevSoap", Version::V11), ("BrevSoap12", Version::V12), ("Port12", Version::V12)] {
        let toml = toml.replace("brev.wsdl\"", &format!("brev.wsdl\"\nbinding = \"{chosen}\""));
        assert_eq!(
            loaded(&[("service.toml", &toml), ("brev.wsdl", &wsdl), ("brev.xsd", XSD)]).contracts[0].wsdl.version,
            version
        );
    }
    let toml = toml.replace("brev.wsdl\"", "brev.wsdl\"\nbinding = \"Andet\"");
    assert!(
        only(&[("service.toml", &toml), ("brev.wsdl", &wsdl), ("brev.xsd", XSD)]).contains("no SOAP binding or port \"Andet\"")
    );
}

#[test]
fn a_fault_that_no_schema_declares_is_a_warning_and_is_not_declared() {
    let folder = fine("element=\"b:Fejl\"", "element=\"b:Ukendt\"");
    assert!(folder.contracts[0].wsdl.operations[0].faults.is_empty());
    let [warning] = folder.warnings.as_slice() else { panic!("{:?}", folder.warnings) };
    assert!(warning.what.contains("{urn:test:brev}Ukendt") && warning.line == Some(15), "{warning}");
}

#[test]
fn an_operation_that_is_not_bound_is_a_warning() {
    let folder = fine("  </w:portType>", "<w:operation name=\"gem\"><w:input message=\"t:SendIn\"/></w:operation></w:portType>");
    assert!(folder.warnings[0].what.contains("operation gem has no place in the binding"), "{:?}", folder.warnings);
}

const POLICIES: &str = r##"<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:p="http://www.w3.org/ns/ws-policy"
  xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
  xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702" targetNamespace="urn:test:policies">
  <p:Policy u:Id="A"><p:PolicyReference URI="#B"/></p:Policy>
  <p:Policy u:Id="B"><sp:TransportBinding/><p:PolicyReference URI="#A"/></p:Policy>
  <p:Policy u:Id="C"><sp:SignedSupportingTokens><p:Policy><sp:IssuedToken/></p:Policy></sp:SignedSupportingTokens></p:Policy>
</w:definitions>"##;

/// The small WSDL with a policy reference in its binding, and the policies beside it.
fn with_policy(uri: &str, binding: &str) -> Vec<(&'static str, String)> {
    let mut files = changed(
        "<s:binding tr",
        &format!("<p:PolicyReference xmlns:p=\"http://schemas.xmlsoap.org/ws/2004/09/policy\" URI=\"{uri}\"/><s:binding tr"),
    );
    files[1].1 =
        files[1].1.replace("<w:types>", "<w:import namespace=\"urn:test:policies\" location=\"p/policies.wsdl\"/><w:types>");
    files[0].1 = service(&[(binding, "brev.wsdl")]);
    files.push(("p/policies.wsdl", POLICIES.to_owned()));
    files
}

#[test]
fn a_policy_tells_the_binding_through_references_and_imports() {
    for (uri, binding, security) in [
        ("p/policies.wsdl#A", "authority-context", Security::AuthorityContext),
        ("#B", "authority-context", Security::AuthorityContext),
        ("p/policies.wsdl#C", "token", Security::Token),
    ] {
        let folder = loaded(&borrowed(&with_policy(uri, binding)));
        assert_eq!(folder.contracts[0].wsdl.security, Some(security), "{uri}");
    }
}

#[test]
fn a_policy_for_the_other_binding_or_one_that_is_not_there_refuses_the_folder() {
    let told = only(&borrowed(&with_policy("#C", "authority-context")));
    assert!(told.contains("whose WS-Policy is for token"), "{told}");
    let told = only(&borrowed(&with_policy("p/policies.wsdl#X", "token")));
    assert!(told.contains("There is no policy p/policies.wsdl#X."), "{told}");
}

#[test]
fn nothing_outside_the_folder_is_read() {
    for location in
        ["../brev.xsd", "/etc/brev.xsd", "http://example.org/brev.xsd", "file:///etc/passwd", "..\\brev.xsd", "a/../../brev.xsd"]
    {
        let told = problem("schemaLocation=\"brev.xsd\"", &format!("schemaLocation=\"{location}\""));
        assert!(told.starts_with(&format!("brev.wsdl:6: It needs {location}, which lies outside the folder.")), "{told}");
        let told = refused(&borrowed(&changed(
            "<w:types>",
            &format!("<w:import namespace=\"urn:a\" location=\"{location}\"/><w:types>"),
        )));
        assert!(told.iter().any(|problem| problem.contains("outside the folder")), "{told:?}");
    }
}

#[test]
fn a_symbolic_link_refuses_the_folder() {
    let files = changed("urn:send", "urn:send");
    for name in ["brev.xsd", "service.toml"] {
        let dir = write(&borrowed(&files));
        let file = dir.path().join(name);
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::rename(&file, elsewhere.path().join(name)).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join(name), &file).unwrap();
        let told = folder::load(dir.path()).map(|_| ()).unwrap_err();
        assert!(told.iter().any(|problem| problem.file == name), "{told:?}");
    }
}

#[test]
fn circles_of_includes_and_imports_are_harmless() {
    let mut files = changed("<w:types>", "<w:import namespace=\"urn:test:brev:wsdl\" location=\"anden.wsdl\"/><w:types>");
    files.push(("anden.wsdl", "<w:definitions xmlns:w=\"http://schemas.xmlsoap.org/wsdl/\"><w:import namespace=\"u\" location=\"brev.wsdl\"/><w:import namespace=\"u\" location=\"anden.wsdl\"/></w:definitions>".to_owned()));
    files[2].1 =
        XSD.replace("  <x:simpleType name=\"Linje\"", "<x:include schemaLocation=\"igen.xsd\"/>\n  <x:simpleType name=\"Linje\"");
    let again = "<x:schema xmlns:x=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:test:brev\"><x:include schemaLocation=\"brev.xsd\"/></x:schema>";
    files.push(("igen.xsd", again.to_owned()));
    assert_eq!(loaded(&borrowed(&files)).contracts[0].wsdl.operations.len(), 1);
}

#[test]
fn a_schema_inside_a_wsdl_uses_the_prefixes_of_the_wsdl_and_keeps_its_lines() {
    // `b:` is declared on the root; the type is used at line 7.
    let told = problem("type=\"b:Linje\"/>\n    </x:schema>", "type=\"b:Ukendt\"/>\n    </x:schema>");
    assert!(told.starts_with("brev.wsdl:7: ") && told.contains("Fejl"), "{told}");
}

#[test]
fn a_wsdl_of_thousands_of_elements_is_refused_before_its_names_are_looked_up() {
    let many = "<w:message name=\"SendUd\"/>".repeat(6000);
    let told = problem("<w:portType", &format!("{many}<w:portType"));
    assert!(told.contains("more than 5000 elements beside its schemas"), "{told}");
}
