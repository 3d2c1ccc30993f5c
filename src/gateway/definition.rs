//! What one service calls its things. The gateway knows no service by name; `services` fills this in.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address;
use crate::audit::Binding;
use crate::refusal::Refusal;
use crate::soap::document::Element;
use crate::soap::names::WSA_ANONYMOUS;

/// An element's expanded name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Name {
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
    /// Whether it is one of them.
    pub fn have(self, binding: Binding) -> bool {
        match binding {
            Binding::Token => self.token,
            Binding::AuthorityContext => self.authority_context,
        }
    }
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

/// What stands in the element of a request's Body beside the request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The element is the request.
    Request,
    /// The element is a wrapper of the platform's: `CallContext?`, `AuthorityContext?`, and the request, of this name.
    Wrapped(Name),
    /// The element is the request, and its schema lets `CallContext?`, `AuthorityContext?` stand first in it.
    Contexts,
    /// The element is the request, and its schema has no place for them: an AuthorityContext is a header.
    Header,
}

/// One way in which an operation is asked for and answered. An operation may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Shape {
    pub operation: String,
    /// The element in a request's Body.
    pub element: Name,
    /// What else may stand in it.
    pub layout: Layout,
    /// The security bindings that it is for.
    pub bindings: Bindings,
    /// The action of a request.
    pub action: String,
    /// The `SOAPAction` that names it too, where the contract has another for HTTP.
    pub http_action: Option<String>,
    pub answer_action: String,
    /// What an answer is wrapped in.
    pub answer_wrapper: Option<Wrapper>,
}

/// An element that an answer is wrapped in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Wrapper {
    /// The prefix that it declares its namespace with: part of the bytes that are signed.
    pub prefix: &'static str,
    pub name: Name,
}

impl Shape {
    fn is_named(&self, action: &str) -> bool {
        self.action == action || self.http_action.as_deref() == Some(action)
    }
}

/// One service's names and settings, as far as the way of a request needs them.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What people call it.
    pub name: String,
    /// Its UUID in agreements.
    pub uuid: uuid::Uuid,
    /// How its operations are asked for.
    pub shapes: Vec<Arc<Shape>>,
    /// The address at which callers reach it.
    pub address: String,
    /// The entity id, which tokens name as audience and recipient.
    pub entity_id: String,
    /// The HTTP status of a SOAP 1.2 fault that is the sender's.
    pub sender_fault_status: u16,
    /// The security models.
    pub bindings: Bindings,
    /// A privilege that the token must give for its authority; `None`: the token's authority is enough.
    pub required_privilege: Option<Arc<str>>,
}

impl Definition {
    /// What `wsa:To` may say: the address, in any spelling of it; the entity id, letter by letter, since it is a name (SAML
    /// Core 1.3.2); or WS-Addressing's anonymous one, likewise (WS-Addressing 1.0, 2.1).
    pub fn is_addressed(&self, to: &str) -> bool {
        to == self.entity_id || to == WSA_ANONYMOUS || address::same(to, &self.address)
    }

    /// The shape of a message with this element in its Body, `None` where it asks for no operation. Where the element alone
    /// does not tell, the security binding does, and then the action.
    pub fn shape(&self, element: Element<'_>, binding: Binding, action: Option<&str>) -> Option<&Arc<Shape>> {
        let named: Vec<_> = self.shapes.iter().filter(|shape| shape.element.is(element)).collect();
        let of_binding: Vec<_> = named.iter().copied().filter(|shape| shape.bindings.have(binding)).collect();
        let fitting = if of_binding.is_empty() { named } else { of_binding };
        let by_action = fitting.iter().copied().find(|shape| action.is_some_and(|action| shape.is_named(action)));
        // One that names none is taken for what all of them do, never for the first of several operations.
        let first = fitting.first().copied();
        let one = |shape: &&Arc<Shape>| action.is_some() || fitting.iter().all(|other| other.operation == shape.operation);
        by_action.or_else(|| first.filter(one))
    }

    /// The refusal of a message that asks for none of the operations, which names them.
    pub fn unknown_operation(&self) -> Refusal {
        let operations: BTreeSet<&str> = self.shapes.iter().map(|shape| &*shape.operation).collect();
        Refusal::OperationUnknown { operations: operations.into_iter().collect::<Vec<_>>().join(", ") }
    }

    /// Whether an action names the operation of `shape`, in whatever of its shapes.
    pub fn names(&self, action: &str, shape: &Shape) -> bool {
        self.shapes.iter().any(|other| other.operation == shape.operation && other.is_named(action))
    }
}
