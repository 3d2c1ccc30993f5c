//! The names of the service on the wire, in one place.
//!
//! The index's names are its own (SF1490, version 6). The wrapper's are inferred, by analogy with the pass-through of
//! the sister index: should the real ones differ, they change here and in `contract/`, and a test holds the two together.

use crate::refusal::PeerName;
pub use crate::services::terminaladgang::law::schema::{
    BI as BI_NS, GD as GD_NS, GO as GO_NS, OEI as OEI_NS, SD as SD_NS, YI as YI_NS,
};
pub use crate::soap::names::{
    AUTHORITY_CONTEXT as AUTHORITY_CONTEXT_NS, CALL_CONTEXT as CALL_CONTEXT_NS, REQUEST_HEADER as REQUEST_HEADER_NS,
    SERVICEPLATFORM_FAULT as FAULT_NS,
};

/// Where the service answers, below the gateway's address.
pub const SERVICE_PATH: &str = "/service/Ydelse/TerminalAdgang/6";
/// The one operation that the service offers.
pub const OPERATION: &str = "fremsoeg";

/// The namespace of the wrapper and of the WSDL (AuthorityContext binding).
pub const WRAPPER_NS: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/";
/// The wrapper around a request, in [`WRAPPER_NS`].
pub const WRAPPER_REQUEST: &str = "FremsoegRequest";
/// The wrapper around an answer, in [`WRAPPER_NS`].
pub const WRAPPER_RESPONSE: &str = "FremsoegResponse";
/// The prefix that the gateway declares their namespace with in an answer.
pub const WRAPPER_PREFIX: &str = "ta";
/// The SOAPAction of the AuthorityContext binding.
pub const WRAPPER_ACTION: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/fremsoeg";

/// The index's request, in [`YI_NS`]: the body of the token binding, and the content of the wrapper.
pub const INDEX_REQUEST: &str = "FremsoegYdelseIndeksInput";
/// The index's answer, in [`YI_NS`].
pub const INDEX_RESPONSE: &str = "FremsoegYdelseIndeksOutput";
/// The action of a request in the token binding and to the index: `wsa:Action` and the `action` of the Content-Type.
pub const INDEX_ACTION: &str = "http://kombit.dk/sts/ydelseindeks/fremsoeg";
/// The `wsa:Action` of an answer in the token binding.
pub const INDEX_RESPONSE_ACTION: &str = "http://kombit.dk/sts/ydelseindeks/fremsoegResponse";

/// What callers are told that the index is called.
pub fn index() -> PeerName {
    PeerName::new("Ydelsesindekset", "the benefit index")
}
