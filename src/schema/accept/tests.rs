use std::sync::Arc;

use bytes::Bytes;

use crate::schema::compile::{Compiled, Schema};
use crate::schema::drive;
use crate::schema::pool::validator;
use crate::schema::source::Sources;
use crate::soap::document::Document;
use crate::soap::strict::Limits;

const SCHEMA: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:b" targetNamespace="urn:b" elementFormDefault="qualified">
  <xs:element name="Bilag">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="Id" type="Uuid"/>
        <xs:element name="Dato" type="xs:date" minOccurs="0"/>
        <xs:choice maxOccurs="3">
          <xs:element name="Beloeb" type="Beloeb"/>
          <xs:element name="Antal" type="xs:unsignedInt"/>
        </xs:choice>
        <xs:group ref="Linjer"/>
        <xs:element name="Tid" type="xs:dateTime"/>
        <xs:element name="Fil" type="xs:base64Binary" minOccurs="0"/>
        <xs:element name="Slut"><xs:complexType/></xs:element>
      </xs:sequence>
      <xs:attribute name="art" type="Art" use="required"/>
    </xs:complexType>
  </xs:element>
  <xs:group name="Linjer"><xs:sequence><xs:element name="Linje" type="Linje" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:group>
  <xs:complexType name="Linje"><xs:simpleContent><xs:extension base="Tekst"><xs:attribute name="nr" type="xs:positiveInteger"/></xs:extension></xs:simpleContent></xs:complexType>
  <xs:simpleType name="Tekst"><xs:restriction base="xs:string"><xs:minLength value="1"/><xs:maxLength value="5"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Art"><xs:restriction base="xs:token"><xs:enumeration value="NOR"/><xs:enumeration value="PRI"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Uuid"><xs:restriction base="xs:string"><xs:pattern value="[0-9a-f]{8}-[0-9a-f]{4}"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Beloeb"><xs:restriction base="xs:decimal"><xs:minInclusive value="0"/><xs:totalDigits value="6"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>
</xs:schema>"#;

const MESSAGE: &str = r#"<Bilag xmlns="urn:b" art="NOR">
  <Id>0123abcd-00ff</Id>
  <Dato>2028-02-29</Dato>
  <Beloeb>1234.50</Beloeb><Antal>4294967295</Antal>
  <Linje nr="1">æøåÆØ</Linje><!-- a comment --><Linje>x<![CDATA[<]]></Linje>
  <Tid>2026-11-30T23:59:59.999+01:00</Tid>
  <Fil>QUJD
 RA==</Fil>
  <Slut/>
</Bilag>"#;

fn compiled() -> Compiled {
    let mut sources = Sources::default();
    sources.add("a.xsd", SCHEMA);
    Schema::checked(Arc::new(sources), ["a.xsd".to_owned()]).unwrap().1
}

/// Whether the message is accepted here, and whether the library takes it.
fn judged(compiled: &Compiled, message: &str) -> (bool, bool) {
    let document = Document::parse(Bytes::copy_from_slice(message.as_bytes()), &Limits::default()).unwrap();
    let root = ("urn:b", "Bilag");
    let accepted = compiled.accepted.as_ref().unwrap().accepts(document.root(), root);
    (accepted, drive::validate(compiled, &validator(compiled), document.root(), root).is_ok())
}

#[test]
fn a_plain_message_is_accepted_without_the_library() {
    assert_eq!(judged(&compiled(), MESSAGE), (true, true));
}

#[test]
fn nothing_is_accepted_that_the_library_refuses() {
    let changes = [
        ("art=\"NOR\"", ""),
        ("art=\"NOR\"", "art=\"SUP\""),
        ("art=\"NOR\"", "art=\"NOR\" andet=\"1\""),
        ("0123abcd-00ff", "0123abcd-00fF"),
        ("0123abcd-00ff", " 0123abcd-00ff"),
        ("2028-02-29", "2027-02-29"),
        ("2028-02-29", "2028-13-01"),
        ("1234.50", "12345.678"),
        ("1234.50", "1234567"),
        ("1234.50", "-0.01"),
        ("1234.50", "1e3"),
        ("4294967295", "4294967296"),
        ("4294967295", "1.0"),
        ("<Antal>4294967295</Antal>", "<Antal>1</Antal><Antal>2</Antal><Antal>3</Antal>"),
        ("<Antal>4294967295</Antal>", "<Antal>1</Antal>tekst"),
        ("<Beloeb>1234.50</Beloeb><Antal>4294967295</Antal>", ""),
        ("æøåÆØ", "æøåÆØÅ"),
        ("æøåÆØ", ""),
        ("nr=\"1\"", "nr=\"0\""),
        ("T23:59:59.999", "T24:00:01"),
        ("+01:00", "+14:01"),
        ("QUJD", "QUJ"),
        ("RA==", "RB=="),
        ("<Slut/>", "<Slut> </Slut>"),
        ("<Slut/>", "<Slut>x</Slut>"),
        ("<Slut/>", "<Slut/><Slut/>"),
        ("<Slut/>", "<Slut xmlns=\"urn:other\"/>"),
        ("<Dato>2028-02-29</Dato>", "<Dato xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\" x:nil=\"true\"/>"),
    ];
    let compiled = compiled();
    for (was, is) in changes {
        assert!(MESSAGE.contains(was), "{was}");
        assert_eq!(judged(&compiled, &MESSAGE.replacen(was, is, 1)), (false, false), "{was} became {is}");
    }
}

#[test]
fn what_is_written_in_an_unusual_way_is_left_to_the_library() {
    let changes = [
        ("4294967295", "+1"),
        ("4294967295", " 1 "),
        ("1234.50", "1234."),
        ("1234.50", "0001234.500"),
        ("art=\"NOR\"", "art=\" NOR \""),
        ("T23:59:59.999", "T24:00:00"),
        ("2028-02-29", "-0001-02-01"),
        ("art=\"NOR\"", "art=\"NOR\" xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\" x:schemaLocation=\"urn:b a.xsd\""),
    ];
    let compiled = compiled();
    for (was, is) in changes {
        assert_eq!(judged(&compiled, &MESSAGE.replacen(was, is, 1)), (false, true), "{was} became {is}");
    }
}

#[test]
fn with_identity_constraints_nothing_is_accepted() {
    let unique = r#"</xs:complexType><xs:unique name="u"><xs:selector xpath="*"/><xs:field xpath="@nr"/></xs:unique></xs:element>
  <xs:group"#;
    let mut sources = Sources::default();
    let at = "</xs:complexType>\n  </xs:element>\n  <xs:group";
    assert!(SCHEMA.contains(at));
    sources.add("a.xsd", SCHEMA.replacen(at, unique, 1));
    let (_, compiled) = Schema::checked(Arc::new(sources), ["a.xsd".to_owned()]).unwrap();
    assert!(compiled.accepted.is_none());
}

/// A schema of one element and what stands in it.
fn of_one(declared: &str) -> Compiled {
    let mut sources = Sources::default();
    let begin = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:b" targetNamespace="urn:b">"#;
    sources.add("a.xsd", format!("{begin}{declared}</xs:schema>"));
    Schema::checked(Arc::new(sources), ["a.xsd".to_owned()]).unwrap().1
}

#[test]
fn an_attribute_that_a_group_requires_must_be_there_whatever_else_prohibits_it() {
    let group = r#"<xs:attributeGroup name="g"><xs:attribute name="a" use="required" type="xs:string"/></xs:attributeGroup>"#;
    let other = r#"<xs:attributeGroup name="h"><xs:attribute name="b" use="prohibited" type="xs:string"/></xs:attributeGroup>"#;
    let element = r#"<xs:element name="Bilag"><xs:complexType><xs:complexContent><xs:restriction base="Base">
      <xs:attributeGroup ref="h"/></xs:restriction></xs:complexContent></xs:complexType></xs:element>"#;
    let base = r#"<xs:complexType name="Base"><xs:attribute name="b" use="required" type="xs:string"/><xs:attributeGroup ref="g"/></xs:complexType>"#;
    let compiled = of_one(&format!("{group}{other}{base}{element}"));
    for attributes in ["", r#"a="1""#, r#"b="1""#] {
        let message = format!(r#"<b:Bilag xmlns:b="urn:b" {attributes}/>"#);
        let document = Document::parse(Bytes::from(message), &Limits::default()).unwrap();
        assert!(!compiled.accepted.as_ref().unwrap().accepts(document.root(), ("urn:b", "Bilag")), "{attributes}");
    }
}

#[test]
fn a_sequence_of_nothing_holds_no_white_space() {
    for content in ["<xs:sequence/>", "<xs:sequence><xs:sequence/></xs:sequence>", "<xs:choice/>"] {
        let compiled = of_one(&format!(r#"<xs:element name="Bilag"><xs:complexType>{content}</xs:complexType></xs:element>"#));
        let document = Document::parse(Bytes::from_static(b"<b:Bilag xmlns:b='urn:b'> </b:Bilag>"), &Limits::default()).unwrap();
        assert!(!compiled.accepted.as_ref().unwrap().accepts(document.root(), ("urn:b", "Bilag")), "{content}");
    }
}

#[test]
fn base64_with_facets_or_in_an_attribute_is_judged_as_the_library_does() {
    let kind = r#"<xs:simpleType name="K"><xs:restriction base="xs:base64Binary"><xs:pattern value=".{8,}"/></xs:restriction></xs:simpleType>"#;
    let compiled = of_one(&format!(r#"{kind}<xs:element name="Bilag" type="K"/>"#));
    assert_eq!(judged(&compiled, "<b:Bilag xmlns:b='urn:b'>QUJD          </b:Bilag>"), (false, false));
    let attribute = r#"<xs:complexType><xs:attribute name="a" type="xs:base64Binary"/></xs:complexType>"#;
    let compiled = of_one(&format!(r#"<xs:element name="Bilag">{attribute}</xs:element>"#));
    assert_eq!(judged(&compiled, "<b:Bilag xmlns:b='urn:b' a='QUJDRA=='/>"), (true, true));
    let document = Document::parse(Bytes::from_static(b"<b:Bilag xmlns:b='urn:b' a='QUJD RA=='/>"), &Limits::default()).unwrap();
    assert!(!compiled.accepted.as_ref().unwrap().accepts(document.root(), ("urn:b", "Bilag")));
}

#[test]
fn a_reference_that_is_supplied_where_none_is_written_is_judged_by_the_library() {
    for (supplied, valid) in
        [(r#"type="xs:IDREFS" default="abc""#, false), (r#"type="xs:IDREF" fixed="abc""#, false), (r#"type="xs:IDREF""#, true)]
    {
        let compiled = of_one(&format!(
            r#"<xs:element name="Bilag"><xs:complexType><xs:attribute name="a" {supplied}/></xs:complexType></xs:element>"#
        ));
        let document = Document::parse(Bytes::from_static(b"<b:Bilag xmlns:b='urn:b'/>"), &Limits::default()).unwrap();
        assert_eq!(compiled.accepted.as_ref().unwrap().accepts(document.root(), ("urn:b", "Bilag")), valid, "{supplied}");
    }
}
