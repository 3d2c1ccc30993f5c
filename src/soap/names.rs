//! Namespaces of SOAP, WS-Addressing, WS-Security and their kin, spelt as on the wire.

/// SOAP 1.1 envelope.
pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// SOAP 1.2 envelope.
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing 1.0.
pub const WSA: &str = "http://www.w3.org/2005/08/addressing";
/// WS-Addressing's "answer on the same connection".
pub const WSA_ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// WS-Security extension elements.
pub const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// WS-Security utility: `wsu:Id`, `wsu:Timestamp`.
pub const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// The Liberty framework header, understood and signed where present.
pub const LIBERTY_SB: &str = "urn:liberty:sb:2006-08";
/// XML Schema.
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// XML Schema's own attributes: `xsi:nil`, `xsi:type`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The platform's request header, `RequestHeader/TransactionUUID`.
pub const REQUEST_HEADER: &str = "http://kombit.dk/xml/schemas/RequestHeader/1/";
/// The platform's fault detail.
pub const SERVICEPLATFORM_FAULT: &str = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/";
/// The platform's `AuthorityContext`, which names the authority where no token does.
pub const AUTHORITY_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/";
/// The platform's `CallContext`, the caller's own particulars of the call.
pub const CALL_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/CallContext/1/";
