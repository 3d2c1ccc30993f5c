//! Contracts written for this project, as clients fetch them: WSDL and schemas with the service's own address in them.
//!
//! The schemas of the platform's elements stand here, for they are of every service.

/// The media type of all documents of a contract.
const XML: &str = "text/xml; charset=utf-8";

/// `AuthorityContext`, by the name under which it is served, and its text.
pub const AUTHORITY_CONTEXT: (&str, &str) = ("AuthorityContext", include_str!("AuthorityContext.xsd"));
/// `CallContext`, likewise.
pub const CALL_CONTEXT: (&str, &str) = ("CallContext", include_str!("CallContext.xsd"));
/// `ServiceplatformFault`, likewise.
pub const SERVICEPLATFORM_FAULT: (&str, &str) = ("ServiceplatformFault", include_str!("ServiceplatformFault.xsd"));
/// `RequestHeader`, likewise.
pub const REQUEST_HEADER: (&str, &str) = ("RequestHeader", include_str!("RequestHeader.xsd"));

/// The documents of one contract. There is one WSDL a binding, for generic tools pick the first port they meet: `?wsdl`
/// (AuthorityContext, which any client with a certificate can call) and `?wsdl=token` (OIO IDWS). Both import the schemas by `?xsd=NAME`.
#[allow(missing_docs)] // the names say it
pub struct Documents {
    /// The address that stands in the WSDL files, to be replaced by the service's own.
    pub placeholder: &'static str,
    /// The WSDL for AuthorityContext.
    pub wsdl: &'static str,
    pub wsdl_token: &'static str,
    /// The schemas by the name under which they are served.
    pub schemas: &'static [(&'static str, &'static str)],
}

impl Documents {
    /// The document that the query of a GET names, as its media type and its text, or `None` where it names none.
    ///
    /// Known are `wsdl` and `wsdl=authoritycontext`, `wsdl=token`, and `xsd=NAME`; the key is read without regard to case,
    /// for .NET asks for `?WSDL`. `service_url` is the service's own public address, without a query, as the configuration
    /// has it: never the `Host` header, which is untrusted and could send clients elsewhere.
    pub fn get(&self, query: &str, service_url: &str) -> Option<(&'static str, String)> {
        let (key, name) = query.split_once('=').unwrap_or((query, ""));
        let document = if key.eq_ignore_ascii_case("wsdl") {
            match name {
                "" | "authoritycontext" => self.wsdl,
                "token" => self.wsdl_token,
                _ => return None,
            }
        } else if key.eq_ignore_ascii_case("xsd") {
            self.schemas.iter().find(|(known, _)| *known == name)?.1
        } else {
            return None;
        };
        Some((XML, self.addressed(document, &escaped(service_url))))
    }

    /// The document with the placeholder address and the file names of its imports replaced by addresses of the service.
    fn addressed(&self, document: &str, service_url: &str) -> String {
        // Whole attributes: namespaces end in `.xsd` too.
        self.schemas.iter().fold(document.replace(self.placeholder, service_url), |document, (name, _)| {
            document.replace(&format!("schemaLocation=\"{name}.xsd\""), &format!("schemaLocation=\"{service_url}?xsd={name}\""))
        })
    }
}

/// `text` as it may stand in an attribute value.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
