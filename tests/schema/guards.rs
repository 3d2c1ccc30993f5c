//! Schemas that the validator would take and XML Schema 1.0 does not have: refused by name and line when a service is
//! loaded. The JDK, where it is installed, refuses the same ones and takes the others.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::not_run::did_not_run;
use crate::support::{schema, verdict};

/// A schema with its other documents, and what is said of it: nothing where it stands.
struct Case {
    documents: Vec<(&'static str, String)>,
    refused: Option<&'static str>,
}

fn within(content: &str) -> String {
    format!("<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\n{content}\n</xs:schema>")
}

/// A base type and a restriction of it.
fn restriction(base: &str, derived: &str, refused: Option<&'static str>) -> Case {
    let text = within(&format!(
        r#"<xs:element name="hoved" type="xs:string"/>
<xs:element name="del" type="xs:string" substitutionGroup="hoved"/>
<xs:group name="valg"><xs:choice><xs:element name="a"/><xs:element name="b"/></xs:choice></xs:group>
<xs:complexType name="Base">{base}</xs:complexType>
<xs:complexType name="Snaever"><xs:complexContent><xs:restriction base="Base">
{derived}</xs:restriction></xs:complexContent></xs:complexType>"#
    ));
    Case { documents: vec![("main.xsd", text)], refused }
}

/// Two documents that redefine a group of a third.
fn redefinitions(first: &str, second: &str, refused: Option<&'static str>) -> Case {
    let redefine = |name: &str| {
        within(&format!(
            "<xs:redefine schemaLocation=\"base.xsd\"><xs:attributeGroup name=\"{name}\"><xs:attribute name=\"x\" type=\"xs:int\"/></xs:attributeGroup></xs:redefine>"
        ))
    };
    let group = |name: &str| format!("<xs:attributeGroup name=\"{name}\"><xs:attribute name=\"x\"/></xs:attributeGroup>");
    let main = within("<xs:include schemaLocation=\"first.xsd\"/><xs:include schemaLocation=\"second.xsd\"/>");
    let base = within(&format!("{}{}", group("g"), group("h")));
    let documents =
        vec![("main.xsd", main), ("first.xsd", redefine(first)), ("second.xsd", redefine(second)), ("base.xsd", base)];
    Case { documents, refused }
}

const AGAIN: Option<&str> = Some("main.xsd:7: Snaever lets a stand more or less often");

fn cases() -> Vec<Case> {
    let repeated = "<xs:choice minOccurs='0' maxOccurs='unbounded'><xs:element name='a'/><xs:element name='b'/></xs:choice>";
    let repeated_group = "<xs:group ref='valg' maxOccurs='unbounded'/>";
    let once = "<xs:choice><xs:element name='a' minOccurs='0' maxOccurs='unbounded'/><xs:element name='b'/></xs:choice>";
    vec![
        restriction(repeated, "<xs:sequence><xs:element name='a' minOccurs='0' maxOccurs='unbounded'/></xs:sequence>", AGAIN),
        restriction(repeated, "<xs:sequence><xs:element name='a' maxOccurs='2'/></xs:sequence>", AGAIN),
        restriction(repeated, "<xs:sequence><xs:element name='a' minOccurs='0'/></xs:sequence>", AGAIN),
        restriction(repeated_group, "<xs:sequence><xs:element name='a' maxOccurs='2'/></xs:sequence>", AGAIN),
        restriction(repeated, "<xs:sequence><xs:element name='a'/></xs:sequence>", None),
        restriction(repeated, "<xs:choice maxOccurs='2'><xs:element name='a'/></xs:choice>", None),
        restriction(once, "<xs:sequence><xs:element name='a' maxOccurs='2'/></xs:sequence>", None),
        restriction(
            "<xs:sequence><xs:element ref='hoved' maxOccurs='unbounded'/></xs:sequence>",
            "<xs:sequence><xs:element ref='del' maxOccurs='unbounded'/></xs:sequence>",
            Some("main.xsd:7: Snaever lets del stand"),
        ),
        restriction(
            "<xs:sequence><xs:element ref='hoved' maxOccurs='unbounded'/></xs:sequence>",
            "<xs:sequence><xs:element ref='hoved' maxOccurs='2'/></xs:sequence>",
            None,
        ),
        redefinitions("g", "g", Some("second.xsd:2: The attribute group g of base.xsd is redefined in two places")),
    ]
}

#[test]
fn what_xml_schema_1_0_does_not_have_is_refused_by_name_and_line_and_nothing_else_is() {
    for case in cases() {
        let documents: Vec<(&str, &str)> = case.documents.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let problems = schema(&documents).map(|_| ()).err().unwrap_or_default();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        match case.refused {
            None => assert!(said.is_empty(), "{said:?}"),
            Some(refused) => assert!(said.len() == 1 && said[0].starts_with(refused), "{refused}: {said:?}"),
        }
    }
}

#[test]
fn the_jdk_says_the_same_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for (number, case) in cases().iter().enumerate() {
        let own = folder.path().join(number.to_string());
        fs::create_dir(&own).unwrap();
        case.documents.iter().for_each(|(path, text)| fs::write(own.join(path), text).unwrap());
        list.push_str(&format!("-\t{number}/main.xsd\n"));
    }
    let cases_file = folder.path().join("cases.txt");
    fs::write(&cases_file, list).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/xsd_suite/Judge.java");
    let Ok(said) = Command::new("java").arg(judge).arg(folder.path()).arg(cases_file).output() else {
        return did_not_run("the JDK's judge", "apt-get install default-jdk-headless");
    };
    let verdicts = String::from_utf8(said.stdout).unwrap();
    let ours = cases().iter().map(|case| if case.refused.is_some() { "refused\n" } else { "accepted\n" }).collect::<String>();
    assert_eq!(verdicts, ours, "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn the_attributes_of_the_xml_namespace_are_known_without_a_document_of_the_folder() {
    let text = within(
        r#"<xs:import namespace="http://www.w3.org/XML/1998/namespace"/>
<xs:element name="a"><xs:complexType><xs:simpleContent><xs:extension base="xs:string">
<xs:attribute ref="xml:lang" use="required"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>"#,
    );
    let schema = schema(&[("main.xsd", &text)]).unwrap();
    assert_eq!(verdict(&schema, "<a xml:lang='da'>tekst</a>"), Ok(()));
    assert!(verdict(&schema, "<a xml:lang='!'>tekst</a>").is_err());
    assert!(verdict(&schema, "<a>tekst</a>").is_err());
}
