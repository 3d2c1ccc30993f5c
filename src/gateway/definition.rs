//! What one service calls its things. The gateway knows no service by name; `services` fills this in.

use crate::address;
use crate::soap::document::Element;
use crate::soap::names::WSA_ANONYMOUS;

/// An element's expanded name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The local name.
    pub local: String,
}

impl Name {
    /// A name.
    pub fn new(namespace: &str, local: &str) -> Self {
        Self { namespace: namespace.to_owned(), local: local.to_owned() }
    }
    /// Whether `element` has it.
    pub fn is(&self, element: Element<'_>) -> bool {
        element.is(&self.namespace, &self.local)
    }
}

/// The security models that a service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bindings {
    /// A SAML token and a signed message (OIO IDWS).
    pub token: bool,
    /// Mutual TLS with `AuthorityContext`.
    pub authority_context: bool,
}

impl Bindings {
    /// The list as the platform's own fault spells it.
    pub fn supported(self) -> String {
        match (self.token, self.authority_context) {
            (true, true) => "[KombitToken, AuthorityContext]",
            (true, false) => "[KombitToken]",
            (false, true) => "[AuthorityContext]",
            (false, false) => "[]",
        }
        .to_owned()
    }
}

impl Definition {
    /// What `wsa:To` may say: the address, in any spelling of it; the entity id, letter by letter, since it is a name (SAML
    /// Core 1.3.2); or WS-Addressing's anonymous one, likewise (WS-Addressing 1.0, 2.1).
    pub fn is_addressed(&self, to: &str) -> bool {
        to == self.entity_id || to == WSA_ANONYMOUS || address::same(to, &self.address)
    }
}

/// One service's names and settings, as far as the way of a request needs them.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What people call it.
    pub name: String,
    /// Its UUID in agreements.
    pub uuid: uuid::Uuid,
    /// The operation.
    pub operation: String,
    /// The element of a request, as the index takes it.
    pub request: Name,
    /// The wrapper around a request.
    pub wrapper_request: Name,
    /// The wrapper around an answer.
    pub wrapper_response: Name,
    /// The action that names the operation for a request on its own.
    pub action: String,
    /// The action that names it for a request in its wrapper.
    pub wrapper_action: String,
    /// The action of an answer on its own.
    pub response_action: String,
    /// The action of an answer in its wrapper.
    pub wrapper_response_action: String,
    /// The address at which callers reach it.
    pub address: String,
    /// The entity id, which tokens name as audience and recipient.
    pub entity_id: String,
    /// The HTTP status of a SOAP 1.2 fault that is the sender's.
    pub sender_fault_status: u16,
    /// The security models.
    pub bindings: Bindings,
    /// A privilege that the token must give for its authority; `None`: the token's authority is enough.
    pub required_privilege: Option<String>,
    /// The entity id of the index, for which tokens are fetched.
    pub index_entity_id: String,
    /// The action of a request to the index.
    pub index_action: String,
}
