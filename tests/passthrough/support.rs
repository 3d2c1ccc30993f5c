//! Folders made for a test, and the official ones.

use std::fs;
use std::path::Path;

use hjemmel::services::passthrough::folder::{self, Folder};
use tempfile::TempDir;

use crate::reference::reference;

/// What `service.toml` says beside its bindings, with nothing wrong in it.
pub const REST: &str = r#"
[service]
uuid = "11111111-1111-4111-8111-111111111111"
entity_id = "http://entityid.eksempel.dk/service/brev/1"
path = "/service/Brev/1"

[provider]
security = "authority-context"
receiver = "fixed"

[law]
legal_basis_da = "Lov om breve § 1"
legal_basis_en = "Act on letters § 1"
purpose_da = "At sende breve"
purpose_en = "To send letters"
"#;

pub const NO_PERSONS: &str = "[paths]\npersons = []\n";

/// The text of a `service.toml` that offers WSDLs: pairs of binding and path.
pub fn service(offered: &[(&str, &str)]) -> String {
    let offered: String = offered.iter().map(|(binding, wsdl)| format!("[{binding}]\nwsdl = \"{wsdl}\"\n")).collect();
    format!("{offered}{REST}{NO_PERSONS}")
}

/// A folder with these files.
pub fn write(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// What keeps a folder with these files from being offered, one line each.
pub fn refused(files: &[(&str, &str)]) -> Vec<String> {
    let dir = write(files);
    folder::load(dir.path()).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The one problem of such a folder.
pub fn only(files: &[(&str, &str)]) -> String {
    let mut problems = refused(files);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

pub fn loaded(files: &[(&str, &str)]) -> Folder {
    let dir = write(files);
    folder::load(dir.path()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A copy of an official folder with a `service.toml`.
pub fn official(what: &str, toml: &str) -> Option<TempDir> {
    let dir = tempfile::tempdir().unwrap();
    copy(&reference(what)?, dir.path());
    fs::write(dir.path().join("service.toml"), toml).unwrap();
    Some(dir)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// A WSDL with one operation, `send`: an element and a header each way, and a fault.
pub const WSDL: &str = r##"<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:b="urn:test:brev" xmlns:t="urn:test:brev:wsdl" targetNamespace="urn:test:brev:wsdl">
  <w:types>
    <x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:test:brev" elementFormDefault="qualified">
      <x:include schemaLocation="brev.xsd"/>
      <x:element name="Fejl" type="b:Linje"/>
    </x:schema>
  </w:types>
  <w:message name="SendIn"><w:part name="h" element="b:Hoved"/><w:part name="p" element="b:Brev"/></w:message>
  <w:message name="SendUd"><w:part name="p" element="b:Kvittering"/></w:message>
  <w:message name="SendFejl"><w:part name="p" element="b:Fejl"/></w:message>
  <w:portType name="Brev">
    <w:operation name="send">
      <w:input message="t:SendIn"/><w:output message="t:SendUd"/><w:fault name="fejl" message="t:SendFejl"/>
    </w:operation>
  </w:portType>
  <w:binding name="BrevSoap" type="t:Brev">
    <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="send">
      <s:operation soapAction="urn:send"/>
      <w:input><s:header message="t:SendIn" part="h" use="literal"/><s:body use="literal"/></w:input>
      <w:output><s:body use="literal"/></w:output>
      <w:fault name="fejl"><s:fault name="fejl" use="literal"/></w:fault>
    </w:operation>
  </w:binding>
  <w:service name="Brev"><w:port name="BrevPort" binding="t:BrevSoap"><s:address location="http://localhost/"/></w:port></w:service>
</w:definitions>
"##;

pub const XSD: &str = r##"<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:b="urn:test:brev" targetNamespace="urn:test:brev"
    elementFormDefault="qualified">
  <x:simpleType name="Linje"><x:restriction base="x:string"><x:maxLength value="80"/></x:restriction></x:simpleType>
  <x:group name="Parter"><x:sequence><x:element name="Modtager" type="b:Part"/><x:element ref="b:Kopi" minOccurs="0"/></x:sequence></x:group>
  <x:complexType name="Part"><x:sequence><x:element name="Id" type="b:Linje"/></x:sequence><x:attribute name="art" type="x:string"/></x:complexType>
  <x:element name="Kopi" type="b:Part"/>
  <x:complexType name="Udvidet"><x:complexContent><x:extension base="b:Part"><x:sequence><x:element name="Navn" type="b:Linje"/></x:sequence></x:extension></x:complexContent></x:complexType>
  <x:element name="Hoved" type="b:Linje"/>
  <x:element name="Brev"><x:complexType><x:sequence>
    <x:group ref="b:Parter"/><x:element name="Afsender" type="b:Udvidet" minOccurs="0"/>
  </x:sequence></x:complexType></x:element>
  <x:element name="Kvittering" type="b:Linje"/>
</x:schema>
"##;

/// The folder of [`WSDL`] with `from` in it replaced by `to`.
pub fn changed(from: &str, to: &str) -> Vec<(&'static str, String)> {
    assert!(WSDL.contains(from), "{from}");
    vec![
        ("service.toml", service(&[("token", "brev.wsdl")])),
        ("brev.wsdl", WSDL.replace(from, to)),
        ("brev.xsd", XSD.to_owned()),
    ]
}

pub fn borrowed<'f>(files: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    files.iter().map(|(path, text)| (*path, text.as_str())).collect()
}
