//! The public contract: WSDL and schemas, written for this project.
//!
//! The schemas describe what is sent and answered. Persons are judged one by one and never by these files: a schema would refuse a whole
//! call for one value that is too long.

use std::sync::Arc;

use super::names;
use crate::agreements::basis::Contract;
use crate::schema::meaning::Meaning;
use crate::schema::source::Sources;
use crate::services::contract::{self, Documents};

/// The address that stands in the WSDL files, to be replaced by the service's own.
const PLACEHOLDER: &str = "https://localhost/service/Campus/PersonImport/1";

/// The schemas by the name under which they are served; those of the platform are every service's.
const SCHEMAS: [(&str, &str); 5] = [
    ("PersonImport", include_str!("PersonImport.xsd")),
    contract::AUTHORITY_CONTEXT,
    contract::CALL_CONTEXT,
    contract::SERVICEPLATFORM_FAULT,
    contract::REQUEST_HEADER,
];

const DOCUMENTS: Documents = Documents {
    placeholder: PLACEHOLDER,
    wsdl: include_str!("PersonImport.wsdl"),
    wsdl_token: include_str!("PersonImport-token.wsdl"),
    schemas: &SCHEMAS,
};

/// The document that the query of a GET names ([`Documents::get`]).
pub fn contract(query: &str, service_url: &str) -> Option<(&'static str, String)> {
    DOCUMENTS.get(query, service_url)
}

/// The contract, as agreements are bound to it.
pub fn approved() -> Contract {
    let mut sources = Sources::default();
    SCHEMAS.iter().for_each(|(name, text)| sources.add(name, *text));
    let meaning = Meaning::of(&sources).with(names::OPERATION, [(names::NS, names::REQUEST), (names::NS, names::RESPONSE)]);
    Contract { digest: digest(), meaning: Arc::new(meaning) }
}

/// SHA-256 of the contract, in hexadecimal.
pub fn digest() -> String {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for text in [DOCUMENTS.wsdl, DOCUMENTS.wsdl_token].into_iter().chain(SCHEMAS.iter().map(|(_, text)| *text)) {
        digest.update(&(text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    crate::hex::encode(digest.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;
    use crate::persons::field::{Field, Need, form};
    use crate::services::persons::door::MOST;

    const URL: &str = "https://gw.example:8443/service/Campus/PersonImport/1";

    fn served(query: &str) -> String {
        contract(query, URL).unwrap_or_else(|| panic!("?{query} is not served")).1
    }

    /// The elements of a person, by the table of fields.
    fn elements() -> String {
        let mut elements = String::new();
        for field in Field::ALL {
            let spec = field.spec();
            let (da, en) = match spec.need {
                Need::Always => ("Skal altid udfyldes.", "Always needed."),
                Need::Creation => ("Skal udfyldes, når personen oprettes.", "Needed where the person is created."),
                Need::Never => ("Kan udelades (uændret); tomt sletter.", "May be left out (unchanged); empty clears."),
            };
            let form = form(spec.kind);
            let _ = write!(
                elements,
                "      <xs:element name=\"{}\" minOccurs=\"0\">\n        <xs:annotation>\n          <xs:documentation xml:lang=\"da\">{}: {}. {da}</xs:documentation>\n          \
                 <xs:documentation xml:lang=\"en\">{}: {}. {en}</xs:documentation>\n        </xs:annotation>\n        <xs:simpleType>\n          \
                 <xs:restriction base=\"xs:string\">\n            <xs:maxLength value=\"{}\"/>\n          </xs:restriction>\n        </xs:simpleType>\n      </xs:element>\n",
                spec.name,
                spec.da,
                form.da(),
                spec.en,
                form.en(),
                spec.longest,
            );
        }
        elements
    }

    #[test]
    fn the_schema_has_the_fields_of_the_table_and_no_others() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/services/persons/contract/PersonImport.xsd");
        let on_disk = std::fs::read_to_string(path).unwrap();
        let (begin, end) = ("    <xs:all>\n", "    </xs:all>\n");
        let (head, rest) = on_disk.split_once(begin).unwrap();
        let (_, tail) = rest.split_once(end).unwrap();
        let current = format!("{head}{begin}{}{end}{tail}", elements());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        assert!(on_disk == current, "PersonImport.xsd is of another table: UPDATE_GOLDEN=1 cargo test --lib persons::contract");
        assert!(on_disk.contains(&format!("name=\"Person\" type=\"tns:PersonType\" maxOccurs=\"{MOST}\"")));
        assert!(on_disk.contains(&format!("name=\"Svar\" type=\"tns:SvarType\" maxOccurs=\"{MOST}\"")));
    }

    #[test]
    fn every_import_of_every_document_is_served_so_that_a_client_never_meets_a_dead_link() {
        let mut open = vec!["wsdl".to_owned(), "wsdl=token".to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(query) = open.pop() {
            if !seen.insert(query.clone()) {
                continue;
            }
            for import in served(&query).split("schemaLocation=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let (address, next) = import.split_once('?').unwrap();
                assert_eq!(address, URL, "in ?{query}");
                open.push(next.to_owned());
            }
        }
        assert_eq!(seen.len(), 2 + SCHEMAS.len(), "every schema is reached from a WSDL: {seen:?}");
    }

    #[test]
    fn the_documents_carry_the_names_that_the_gateway_answers_to() {
        assert!(PLACEHOLDER.ends_with(names::PATH));
        for query in ["wsdl", "wsdl=token"] {
            let wsdl = served(query);
            assert!(wsdl.contains(&format!("address location=\"{URL}\"")) && !wsdl.contains(PLACEHOLDER), "?{query}");
            assert!(wsdl.contains(&format!("soapAction=\"{}\"", names::ACTION)));
            assert!(wsdl.contains(&format!("<wsdl:operation name=\"{}\">", names::OPERATION)));
            for element in [names::REQUEST, names::RESPONSE] {
                assert!(wsdl.contains(&format!("element=\"tns:{element}\"")), "?{query}");
                assert!(served("xsd=PersonImport").contains(&format!("<xs:element name=\"{element}\"")));
            }
        }
        assert!(served("wsdl=token").contains(&format!("wsam:Action=\"{}\"", names::RESPONSE_ACTION)));
        assert!(served("xsd=PersonImport").contains(&format!("targetNamespace=\"{}\"", names::NS)));
    }
}
