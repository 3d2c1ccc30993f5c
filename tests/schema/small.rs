//! Each rule on a schema of a few lines.

use std::sync::Arc;

use hjemmel::schema::pool::Pool;
use hjemmel::schema::violation::{Rule, TOLD};

use crate::support::{document, schema, verdict};

const NAME: &str = "urn:test:brev";

const BREV: &str = r###"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:test:brev" targetNamespace="urn:test:brev"
  elementFormDefault="qualified">
  <xs:simpleType name="Cpr"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{10}"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Farve"><xs:restriction base="xs:string"><xs:enumeration value="gul"/><xs:enumeration value="blå"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Kort"><xs:restriction base="xs:string"><xs:maxLength value="5"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Beloeb"><xs:restriction base="xs:decimal"><xs:fractionDigits value="2"/><xs:maxInclusive value="1000"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Underskrift"><xs:restriction base="xs:base64Binary"><xs:maxLength value="6"/></xs:restriction></xs:simpleType>
  <xs:element name="Brev"><xs:complexType><xs:sequence>
    <xs:element name="Modtager" type="Cpr"/>
    <xs:element name="Dato" type="xs:date"/>
    <xs:element name="Farve" type="Farve" minOccurs="0"/>
    <xs:element name="Kort" type="Kort" minOccurs="0"/>
    <xs:element name="Beloeb" type="Beloeb" minOccurs="0" maxOccurs="unbounded"/>
    <xs:element name="Bilag" type="Underskrift" minOccurs="0"/>
    <xs:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence><xs:attribute name="nummer" type="xs:int" use="required"/></xs:complexType></xs:element>
</xs:schema>"###;

fn brev(content: &str) -> String {
    format!("<Brev xmlns='{NAME}' nummer='1'>{content}</Brev>")
}

const GOOD: &str = "<Modtager>6101801234</Modtager><Dato>2026-11-28</Dato>";

#[test]
fn a_message_that_follows_its_schema_is_valid() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    for more in ["", "<Farve>blå</Farve>", "<Kort>æøåÆØ</Kort>", "<Beloeb>12.50</Beloeb><Beloeb>1000</Beloeb>"] {
        assert_eq!(verdict(&schema, &brev(&format!("{GOOD}{more}"))), Ok(()), "{more}");
    }
}

#[test]
fn each_rule_is_named_with_its_place_and_what_was_expected() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let modtager = "<Modtager>6101801234</Modtager>";
    let cases = [
        ("", Rule::Content, "/Brev", "Modtager"),
        (modtager, Rule::Content, "/Brev", "Dato"),
        ("<Dato>2026-11-28</Dato>", Rule::Content, "/Brev", "Modtager"),
        (&format!("{GOOD}<Dato>2026-11-28</Dato>"), Rule::Content, "/Brev", "Farve"),
        ("tekst<Modtager>6101801234</Modtager><Dato>2026-11-28</Dato>", Rule::Text, "/Brev", ""),
        (&format!("{modtager}<Dato>28-11-2026</Dato>"), Rule::Value, "/Brev/Dato", "xs:date"),
        ("<Modtager>610180123x</Modtager><Dato>2026-11-28</Dato>", Rule::Pattern, "/Brev/Modtager", "pattern [0-9]{10}"),
        (&format!("{GOOD}<Farve>rød</Farve>"), Rule::Enumeration, "/Brev/Farve", "blå"),
        (&format!("{GOOD}<Kort>seks!!</Kort>"), Rule::Length, "/Brev/Kort", "maxLength 5"),
        (&format!("{GOOD}<Beloeb>1</Beloeb><Beloeb>1000.01</Beloeb>"), Rule::Range, "/Brev/Beloeb[2]", "maxInclusive 1000"),
        (&format!("{GOOD}<Beloeb>1.001</Beloeb>"), Rule::Digits, "/Brev/Beloeb", "fractionDigits 2"),
    ];
    for (content, rule, path, expected) in cases {
        let violations = verdict(&schema, &brev(content)).unwrap_err();
        let first = &violations.told[0];
        assert_eq!((first.rule, first.path.as_str()), (rule, path), "{content}: {violations:?}");
        assert!(expected.is_empty() || first.expected.iter().any(|said| said == expected), "{content}: {violations:?}");
    }
}

#[test]
fn attributes_are_judged_like_elements() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let with = |attributes: &str| format!("<Brev xmlns='{NAME}' {attributes}>{GOOD}</Brev>");
    let first = |attributes: &str| verdict(&schema, &with(attributes)).unwrap_err().told.swap_remove(0);
    let missing = first("");
    assert_eq!((missing.rule, missing.expected), (Rule::AttributeMissing, vec!["@nummer".to_owned()]));
    assert_eq!(first("nummer='1' ukendt='2'").rule, Rule::AttributeUnknown);
    let wrong = first("nummer='et'");
    assert_eq!((wrong.rule, wrong.path.as_str()), (Rule::Value, "/Brev/@nummer"));
}

#[test]
fn of_the_attributes_of_instances_only_their_own_names_stand_and_locations_stand_anywhere() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let xsi = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'";
    let with = |on_root: &str, on_simple: &str| {
        let content = format!("<Modtager {xsi} {on_simple}>6101801234</Modtager><Dato>2026-11-28</Dato>");
        verdict(&schema, &format!("<Brev xmlns='{NAME}' nummer='1' {xsi} {on_root}>{content}</Brev>"))
    };
    for location in ["xsi:schemaLocation='urn:test:brev other.xsd'", "xsi:noNamespaceSchemaLocation='other.xsd'"] {
        assert_eq!(with(location, location), Ok(()), "libraries of clients write it at the element that they marshal");
    }
    for (on_root, on_simple, path) in [("xsi:kind='1'", "", "/Brev/@?"), ("", "xsi:kind='1'", "/Brev/Modtager/@?")] {
        let violations = with(on_root, on_simple).unwrap_err();
        assert_eq!(violations.count, 1, "{violations:?}");
        assert_eq!((violations.told[0].rule, violations.told[0].path.as_str()), (Rule::AttributeUnknown, path));
    }
}

#[test]
fn a_no_break_space_is_no_white_space() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    for space in ["\u{a0}", "\u{2003}", "\u{85}", " \u{3000}\n"] {
        let between = verdict(&schema, &brev(&format!("<Modtager>6101801234</Modtager>{space}<Dato>2026-11-28</Dato>")));
        assert_eq!(between.unwrap_err().told[0].rule, Rule::Text, "{space:?}");
        let within = |value: &str| verdict(&schema, &brev(&format!("<Modtager>6101801234</Modtager>{value}")));
        for value in ["<Dato>S2026-11-28</Dato>", "<Dato>2026-11-28S</Dato>", "<Dato>2026-11-28</Dato><Beloeb>S5</Beloeb>"] {
            assert!(within(&value.replace('S', space)).is_err(), "{space:?} {value}");
        }
        assert_eq!(verdict(&schema, &brev(&format!("{GOOD}<Kort>{space}</Kort>"))), Ok(()), "a text like any other");
    }
}

#[test]
fn neither_a_value_nor_a_name_that_the_schema_does_not_have_is_told() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    const SECRET: &str = "6212345678";
    for content in [
        format!("<Modtager>{SECRET}9</Modtager><Dato>{SECRET}</Dato>"),
        format!("{GOOD}<Beloeb>{SECRET}</Beloeb><N{SECRET}/>"),
        format!("{GOOD}<Kort>{SECRET}</Kort>{SECRET}"),
        format!(
            "{GOOD}<Farve a{SECRET}='{SECRET}' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='{SECRET}'>gul</Farve>"
        ),
    ] {
        let violations = verdict(&schema, &brev(&content)).unwrap_err();
        assert!(!format!("{violations:?} {:?}", violations.detail()).contains(SECRET), "{violations:?}");
    }
}

#[test]
fn many_violations_are_counted_and_the_first_are_told() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let violations = verdict(&schema, &brev(&format!("{GOOD}{}", "<Beloeb>x</Beloeb>".repeat(200)))).unwrap_err();
    assert_eq!(violations.told.len(), TOLD);
    assert!(violations.count >= 200, "{}", violations.count);
    let (detail, more) = (violations.detail(), violations.count - TOLD);
    assert!(detail.da().ends_with(&format!("; og {more} fejl mere")), "{}", detail.da());
    assert!(detail.en().ends_with(&format!("; and {more} more errors")), "{}", detail.en());
}

#[test]
fn base64_with_line_breaks_is_everyday_and_its_length_counts_octets() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let bilag = |text: &str| verdict(&schema, &brev(&format!("{GOOD}<Bilag>{text}</Bilag>")));
    assert_eq!(bilag("\n  AQID\r\n\tBAUG\n"), Ok(()));
    assert_eq!(bilag("AQIDBAUGBwg=").unwrap_err().told[0].rule, Rule::Length);
    assert_eq!(bilag("AQI!").unwrap_err().told[0].rule, Rule::Value);
}

#[test]
fn a_root_that_is_not_the_operations_is_refused_also_where_it_names_its_own_type() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let message = document(
        "<x xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:xs='http://www.w3.org/2001/XMLSchema' xsi:type='xs:string'>a</x>",
    );
    let pool = Pool::start(&schema, 1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let root = Arc::new((NAME.to_owned(), "Brev".to_owned()));
    let verdict = runtime.block_on(pool.validate(message.clone(), message.root().id(), root)).unwrap();
    assert_eq!(verdict.unwrap_err().told[0].rule, Rule::Root);
}

#[test]
fn a_schema_that_is_not_whole_is_refused_with_the_name_of_what_is_missing() {
    let with =
        |inner: &str| format!("<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:o=\"urn:o\">{inner}</xs:schema>");
    let cases = [
        ("<xs:import namespace=\"urn:o\" schemaLocation=\"other.xsd\"/><xs:element name=\"a\" type=\"o:T\"/>", "other.xsd"),
        ("<xs:include schemaLocation=\"../../outside.xsd\"/><xs:element name=\"a\"/>", "outside.xsd"),
        (
            "<xs:include schemaLocation=\"http://example.org/remote.xsd\"/><xs:element name=\"a\"/>",
            "http://example.org/remote.xsd",
        ),
        ("<xs:element name=\"a\" type=\"Missing\"/>", "a"),
        (
            "<xs:element name=\"a\"><xs:complexType><xs:sequence><xs:element name=\"inner\" type=\"Missing\"/></xs:sequence></xs:complexType></xs:element>",
            "Missing",
        ),
        ("<xs:simpleType name=\"l\"><xs:list itemType=\"Missing\"/></xs:simpleType>", "l"),
        (
            "<xs:element name=\"a\"><xs:complexType><xs:sequence><xs:element ref=\"b\"/></xs:sequence></xs:complexType></xs:element>",
            "b",
        ),
    ];
    for (inner, named) in cases {
        let problems = schema(&[("main.xsd", &with(inner))]).map(|_| ()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.what.contains(named)), "{inner}: {problems:?}");
    }
}

#[test]
fn names_that_messages_invent_do_not_stay_in_memory() {
    let schema = schema(&[("brev.xsd", BREV)]).unwrap();
    let pool = Pool::start(&schema, 1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let root = Arc::new((NAME.to_owned(), "Brev".to_owned()));
    let mut resident = Vec::new();
    for round in 0..60 {
        let invented: String = (0..2_000).map(|n| format!("<o:n{round}x{n} xmlns:o='urn:o'/>")).collect();
        let message = document(&brev(&format!("{GOOD}{invented}")));
        assert_eq!(runtime.block_on(pool.validate(message.clone(), message.root().id(), root.clone())).unwrap(), Ok(()));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        resident.push(line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap());
    }
    assert!(resident[59] < resident[20] + 8 * 1024, "KiB after each round: {resident:?}");
}
