//! The public contract: WSDL and schemas, written for this project, on which a generic SOAP client builds its call.
//!
//! The schemas describe what the service takes and answers, which is less than the index's own: a message that is valid
//! by ours is valid by the index's, not the other way round (`tests/interop/validate.py` shows it). They are a
//! description for clients; requests are judged by the policy, never by these files.

use crate::services::contract::{self, Documents};

/// The address that stands in the WSDL files, to be replaced by the service's own.
const PLACEHOLDER: &str = "https://localhost/service/Ydelse/TerminalAdgang/6";

const WSDL: &str = include_str!("TerminalAdgang.wsdl");
const WSDL_TOKEN: &str = include_str!("TerminalAdgang-token.wsdl");

/// The schemas by the name under which they are served.
const SCHEMAS: [(&str, &str); 11] = [
    ("TerminalAdgang", include_str!("TerminalAdgang.xsd")),
    ("YdelseIndeks", include_str!("YdelseIndeks.xsd")),
    ("OekonomiskEffektueringIndeks", include_str!("OekonomiskEffektueringIndeks.xsd")),
    ("BevillingIndeks", include_str!("BevillingIndeks.xsd")),
    ("GenerelleOperationer", include_str!("GenerelleOperationer.xsd")),
    ("GenerelleDefinitioner", include_str!("GenerelleDefinitioner.xsd")),
    ("SagDok", include_str!("SagDok.xsd")),
    contract::AUTHORITY_CONTEXT,
    contract::CALL_CONTEXT,
    contract::SERVICEPLATFORM_FAULT,
    contract::REQUEST_HEADER,
];

const DOCUMENTS: Documents = Documents { placeholder: PLACEHOLDER, wsdl: WSDL, wsdl_token: WSDL_TOKEN, schemas: &SCHEMAS };

/// The document that the query of a GET names ([`Documents::get`]).
pub fn contract(query: &str, service_url: &str) -> Option<(&'static str, String)> {
    DOCUMENTS.get(query, service_url)
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    const URL: &str = "https://gw.example:8443/service/Ydelse/TerminalAdgang/6";

    fn served(query: &str) -> String {
        contract(query, URL).unwrap_or_else(|| panic!("?{query} is not served")).1
    }

    /// Every address that the document sends a client to.
    fn imports(document: &str) -> Vec<&str> {
        document.split("schemaLocation=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn every_import_of_every_document_is_served_so_that_a_client_never_meets_a_dead_link() {
        let mut open = vec!["wsdl".to_owned(), "wsdl=token".to_owned()];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(query) = open.pop() {
            if !seen.insert(query.clone()) {
                continue;
            }
            for import in imports(&served(&query)) {
                let (address, next) = import.split_once('?').unwrap();
                assert_eq!(address, URL, "in ?{query}");
                open.push(next.to_owned());
            }
        }
        assert_eq!(seen.len(), 2 + SCHEMAS.len(), "every schema is reached from a WSDL: {seen:?}");
    }

    #[test]
    fn both_wsdls_send_the_call_to_the_services_own_address() {
        for query in ["wsdl", "WSDL", "wsdl=authoritycontext", "wsdl=token"] {
            let wsdl = served(query);
            assert!(wsdl.contains(&format!("address location=\"{URL}\"")), "?{query}");
            assert!(!wsdl.contains(PLACEHOLDER), "?{query}");
        }
    }

    #[test]
    fn the_address_is_escaped_because_it_stands_in_attributes() {
        let (_, wsdl) = contract("wsdl", "https://gw.example/?a=1&b=\"<").unwrap();
        assert!(wsdl.contains("location=\"https://gw.example/?a=1&amp;b=&quot;&lt;\""));
    }

    #[test]
    fn namespaces_that_end_as_file_names_do_stay_as_they_are_or_no_tool_finds_the_policy() {
        assert!(served("wsdl=token").contains(&format!("xmlns:wsu=\"{}\"", crate::soap::names::WSU)));
    }

    #[test]
    fn whatever_is_not_in_the_contract_is_not_served() {
        for query in ["", "xsd", "xsd=", "xsd=../Cargo", "wsdl=other", "wsdl&x", "disco", "xsd=sagdok"] {
            assert_eq!(contract(query, URL), None, "?{query}");
        }
    }

    #[test]
    fn the_wsdls_carry_the_names_that_the_gateway_answers_to() {
        let (wrapper, token) = (served("wsdl"), served("wsdl=token"));
        assert!(PLACEHOLDER.ends_with(names::SERVICE_PATH));
        assert!(wrapper.contains(&format!("targetNamespace=\"{}\"", names::WRAPPER_NS)));
        assert!(wrapper.contains(&format!("soapAction=\"{}\"", names::WRAPPER_ACTION)));
        assert!(wrapper.contains(&format!("element=\"tns:{}\"", names::WRAPPER_REQUEST)));
        assert!(wrapper.contains(&format!("element=\"tns:{}\"", names::WRAPPER_RESPONSE)));
        assert!(token.contains(&format!("soapAction=\"{}\"", names::INDEX_ACTION)));
        assert!(token.contains(&format!("wsam:Action=\"{}\"", names::INDEX_RESPONSE_ACTION)));
        assert!(token.contains(&format!("element=\"yi:{}\"", names::INDEX_REQUEST)));
        assert!(token.contains(&format!("element=\"yi:{}\"", names::INDEX_RESPONSE)));
        for wsdl in [&wrapper, &token] {
            assert!(wsdl.contains(&format!("<wsdl:operation name=\"{}\">", names::OPERATION)));
        }
        let targets = [
            ("TerminalAdgang", names::WRAPPER_NS),
            ("YdelseIndeks", names::YI_NS),
            ("OekonomiskEffektueringIndeks", names::OEI_NS),
            ("BevillingIndeks", names::BI_NS),
            ("GenerelleOperationer", names::GO_NS),
            ("GenerelleDefinitioner", names::GD_NS),
            ("SagDok", names::SD_NS),
            ("AuthorityContext", names::AUTHORITY_CONTEXT_NS),
            ("CallContext", names::CALL_CONTEXT_NS),
            ("ServiceplatformFault", names::FAULT_NS),
            ("RequestHeader", names::REQUEST_HEADER_NS),
        ];
        for (name, namespace) in targets {
            let schema = served(&format!("xsd={name}"));
            assert!(schema.contains(&format!("targetNamespace=\"{namespace}\"")), "{name}");
        }
    }
}
