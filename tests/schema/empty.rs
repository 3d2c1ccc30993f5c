//! Types whose content is empty (XML Schema 1.0 Structures § 3.4.2): nothing may stand in them, and no white space either, which stands
//! freely between elements. The JDK, where it is installed, says the same of each.

use std::fs;
use std::path::Path;
use std::process::Command;

use hjemmel::schema::violation::Rule;

use crate::not_run::did_not_run;
use crate::support::{schema, verdict};

/// Declarations of a type `T`, and whether white space may stand in it.
const TYPES: &[(&str, bool)] = &[
    ("<xs:complexType name='T'/>", false),
    ("<xs:complexType name='T'><xs:sequence/></xs:complexType>", false),
    ("<xs:complexType name='T'><xs:sequence><xs:annotation/></xs:sequence></xs:complexType>", false),
    ("<xs:complexType name='T'><xs:sequence/><xs:attribute name='x'/></xs:complexType>", false),
    ("<xs:complexType name='T'><xs:all/></xs:complexType>", false),
    ("<xs:complexType name='T'><xs:choice minOccurs='0'/></xs:complexType>", false),
    (
        "<xs:complexType name='T'><xs:sequence minOccurs='0' maxOccurs='0'><xs:element name='b'/></xs:sequence></xs:complexType>",
        false,
    ),
    // Derived from what is empty, or emptied.
    (
        "<xs:complexType name='B'><xs:sequence/></xs:complexType><xs:complexType name='T'><xs:complexContent>
           <xs:extension base='B'><xs:attribute name='x'/></xs:extension></xs:complexContent></xs:complexType>",
        false,
    ),
    (
        "<xs:complexType name='B'><xs:sequence/></xs:complexType><xs:complexType name='T'><xs:complexContent>
           <xs:extension base='B'><xs:sequence/></xs:extension></xs:complexContent></xs:complexType>",
        false,
    ),
    (
        "<xs:complexType name='B'/><xs:complexType name='T'><xs:complexContent>
           <xs:extension base='B'><xs:sequence/></xs:extension></xs:complexContent></xs:complexType>",
        false,
    ),
    (
        "<xs:complexType name='B'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType>
         <xs:complexType name='T'><xs:complexContent><xs:restriction base='B'><xs:sequence/></xs:restriction></xs:complexContent></xs:complexType>",
        false,
    ),
    (
        "<xs:complexType name='T'><xs:complexContent><xs:restriction base='xs:anyType'><xs:sequence/></xs:restriction></xs:complexContent></xs:complexType>",
        false,
    ),
    // Not empty: elements, though none or none now, or text.
    ("<xs:complexType name='T'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType>", true),
    (
        "<xs:complexType name='T'><xs:sequence><xs:element name='b' minOccurs='0' maxOccurs='0'/></xs:sequence></xs:complexType>",
        true,
    ),
    ("<xs:complexType name='T'><xs:sequence><xs:sequence/></xs:sequence></xs:complexType>", true),
    ("<xs:group name='g'><xs:sequence/></xs:group><xs:complexType name='T'><xs:group ref='g'/></xs:complexType>", true),
    (
        "<xs:complexType name='B'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType>
         <xs:complexType name='T'><xs:complexContent><xs:extension base='B'><xs:sequence/></xs:extension></xs:complexContent></xs:complexType>",
        true,
    ),
    (
        "<xs:complexType name='B'><xs:sequence/></xs:complexType><xs:complexType name='T'><xs:complexContent>
           <xs:extension base='B'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>",
        true,
    ),
    ("<xs:complexType name='T' mixed='true'><xs:sequence/></xs:complexType>", true),
    (
        "<xs:complexType name='B' mixed='true'><xs:sequence/></xs:complexType><xs:complexType name='T'><xs:complexContent>
           <xs:extension base='B'/></xs:complexContent></xs:complexType>",
        true,
    ),
];

/// What stands in an element, and whether it is white space.
const CONTENTS: &[(&str, bool)] = &[
    ("", false),
    ("<!-- ingen -->", false),
    ("<![CDATA[]]>", false),
    (" ", true),
    ("\n\t", true),
    ("&#32;", true),
    ("<![CDATA[ ]]>", true),
    ("<!-- ingen -->\n", true),
];

fn text(types: &str) -> String {
    format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><xs:element name=\"a\"><xs:complexType><xs:sequence>
         <xs:element name=\"t\" type=\"T\"/></xs:sequence></xs:complexType></xs:element>{types}</xs:schema>"
    )
}

/// White space between elements stands in each.
fn message(content: &str) -> String {
    format!("<a>\n  <t>{content}</t>\n</a>")
}

fn is_taken((_, lets_space): &(&str, bool), (_, is_space): &(&str, bool)) -> bool {
    *lets_space || !is_space
}

#[test]
fn no_white_space_stands_where_the_content_is_empty_and_it_stands_where_elements_could() {
    for kind in TYPES {
        let schema = schema(&[("main.xsd", &text(kind.0))]).unwrap_or_else(|problems| panic!("{}: {problems:?}", kind.0));
        for content in CONTENTS {
            let judged = verdict(&schema, &message(content.0));
            if is_taken(kind, content) {
                assert_eq!(judged, Ok(()), "{} {:?}", kind.0, content.0);
            } else {
                let told = judged.map_or_else(|violations| violations.told, |()| Vec::new());
                let told: Vec<(Rule, &str)> = told.iter().map(|one| (one.rule, one.path.as_str())).collect();
                assert_eq!(told, [(Rule::Text, "/a/t")], "{} {:?}", kind.0, content.0);
            }
        }
    }
}

#[test]
fn the_type_that_an_element_names_itself_counts() {
    let types = "<xs:complexType name='T'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType>
         <xs:complexType name='Tom'><xs:complexContent><xs:restriction base='T'><xs:sequence/></xs:restriction></xs:complexContent></xs:complexType>";
    let schema = schema(&[("main.xsd", &text(types))]).unwrap();
    let named = |kind: &str| {
        let xsi = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'";
        verdict(&schema, &format!("<a {xsi}><t xsi:type='{kind}'> </t></a>"))
    };
    assert_eq!(named("T"), Ok(()));
    assert_eq!(named("Tom").unwrap_err().told[0].rule, Rule::Text);
}

/// Types of each kind of content, of which an element is nil.
const NIL: &[&str] = &[
    "<xs:complexType name='T'/>",
    "<xs:complexType name='T'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType>",
    "<xs:complexType name='T'><xs:sequence><xs:element name='b'/></xs:sequence></xs:complexType>",
    "<xs:complexType name='T' mixed='true'><xs:sequence/></xs:complexType>",
    "<xs:complexType name='T'><xs:simpleContent><xs:extension base='xs:token'/></xs:simpleContent></xs:complexType>",
    "<xs:simpleType name='T'><xs:restriction base='xs:string'/></xs:simpleType>",
    "<xs:simpleType name='T'><xs:restriction base='xs:base64Binary'/></xs:simpleType>",
    "<xs:simpleType name='T'><xs:restriction base='xs:date'/></xs:simpleType>",
];

fn nillable(types: &str) -> String {
    text(types).replace("type=\"T\"/>", "type=\"T\" nillable=\"true\"/>")
}

fn nil(content: &str) -> String {
    let xsi = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'";
    message(content).replace("<a>", &format!("<a {xsi}>")).replace("<t>", "<t xsi:nil='true'>")
}

#[test]
fn no_white_space_stands_in_what_is_nil_whatever_its_type() {
    for types in NIL {
        let schema = schema(&[("main.xsd", &nillable(types))]).unwrap_or_else(|problems| panic!("{types}: {problems:?}"));
        for (content, is_space) in CONTENTS {
            let told = verdict(&schema, &nil(content)).map_or_else(|violations| violations.told, |()| Vec::new());
            assert_eq!(told.iter().any(|one| one.rule == Rule::Nil && one.path == "/a/t"), *is_space, "{types} {content:?}");
            assert_eq!(!told.is_empty(), *is_space, "{types} {content:?}");
        }
    }
}

#[test]
fn the_jdk_says_the_same_of_each_content() {
    let folder = tempfile::tempdir().unwrap();
    let (mut list, mut ours) = (String::new(), String::new());
    for (number, content) in CONTENTS.iter().enumerate() {
        fs::write(folder.path().join(format!("{number}.xml")), message(content.0)).unwrap();
        fs::write(folder.path().join(format!("nil-{number}.xml")), nil(content.0)).unwrap();
    }
    let mut case = |number: usize, xml: &str, xsd: &str, is_taken: bool| {
        list.push_str(&format!("{xml}{number}.xml\t{xsd}.xsd\n"));
        ours.push_str(if is_taken { "accepted\n" } else { "refused\n" });
    };
    for (at, kind) in TYPES.iter().enumerate() {
        fs::write(folder.path().join(format!("{at}.xsd")), text(kind.0)).unwrap();
        for (number, content) in CONTENTS.iter().enumerate() {
            case(number, "", &at.to_string(), is_taken(kind, content));
        }
    }
    for (at, types) in NIL.iter().enumerate() {
        fs::write(folder.path().join(format!("nil-{at}.xsd")), nillable(types)).unwrap();
        for (number, (_, is_space)) in CONTENTS.iter().enumerate() {
            case(number, "nil-", &format!("nil-{at}"), !is_space);
        }
    }
    let cases = folder.path().join("cases.txt");
    fs::write(&cases, list).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/xsd_suite/Judge.java");
    let Ok(said) = Command::new("java").arg(judge).arg(folder.path()).arg(cases).output() else {
        return did_not_run("the JDK's judge", "apt-get install default-jdk-headless");
    };
    assert_eq!(String::from_utf8(said.stdout).unwrap(), ours, "{}", String::from_utf8_lossy(&said.stderr));
}
