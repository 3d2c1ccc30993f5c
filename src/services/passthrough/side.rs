//! A contract at work: its operations, and the validators of its messages.

use std::io;
use std::sync::Arc;

use super::folder::{Contract, Folder};
use super::settings::Settings;
use super::wsdl::{Name, Operation, Security};
use crate::gateway::definition::{self, Bindings, Layout, Shape};
use crate::refusal::Refusal;
use crate::schema::pool::{NoVerdict, Pool};
use crate::schema::violation::Violations;
use crate::soap::document::{Document, NodeId};
use crate::soap::envelope::Version;

/// A binding's contract and its validators.
pub struct Side {
    contract: Contract,
    /// SHA-256 of the published files, in hexadecimal.
    digest: String,
    schema: Pool,
}

/// What one service folder offers, with its validators running.
pub struct Sides {
    settings: Settings,
    sides: Vec<Side>,
}

/// An operation as one binding has it.
#[derive(Clone)]
pub struct Bound {
    sides: Arc<Sides>,
    side: usize,
    operation: usize,
}

impl Sides {
    /// Starts the validators: for each binding as many as there are processors.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(folder: &Folder) -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let side = |contract: &Contract| {
            let schema = Pool::start(&contract.schema, threads)?;
            Ok(Side { contract: contract.clone(), digest: contract.schema.digest(), schema })
        };
        let sides = folder.contracts.iter().map(side).collect::<io::Result<_>>()?;
        Ok(Self { settings: folder.settings.clone(), sides })
    }

    /// What `service.toml` says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How the operations are asked for, in each binding.
    pub fn shapes(&self) -> Vec<Arc<Shape>> {
        let of_side = |side: &Side| {
            let security = side.contract.security;
            let bindings =
                Bindings { token: security == Security::Token, authority_context: security == Security::AuthorityContext };
            let shape = |operation: &Operation| {
                Arc::new(Shape {
                    operation: operation.name.clone(),
                    element: definition::Name::new(&operation.request.namespace, &operation.request.local),
                    layout: if operation.contexts { Layout::Contexts } else { Layout::Header },
                    bindings,
                    action: operation.request_action.clone(),
                    http_action: operation.action.clone(),
                    answer_action: operation.answer_action.clone(),
                    answer_wrapper: None,
                })
            };
            side.contract.wsdl.operations.iter().map(shape).collect::<Vec<_>>()
        };
        self.sides.iter().flat_map(of_side).collect()
    }

    /// The names of a binding's operations, for whoever asks for another.
    pub fn names(&self, security: Security) -> String {
        let sides = self.sides.iter().filter(|side| side.contract.security == security);
        let names: Vec<&str> =
            sides.flat_map(|side| &side.contract.wsdl.operations).map(|operation| operation.name.as_str()).collect();
        names.join(", ")
    }

    /// The operation of a request that came in this binding.
    pub fn operation(self: &Arc<Self>, name: &str, security: Security) -> Option<Bound> {
        let side = self.sides.iter().position(|side| side.contract.security == security)?;
        let operations = &self.sides.get(side)?.contract.wsdl.operations;
        let operation = operations.iter().position(|operation| operation.name == name)?;
        Some(Bound { sides: self.clone(), side, operation })
    }

    /// The same operation as the provider's binding has it; where the folder has no contract for that, as it came.
    pub fn towards(self: &Arc<Self>, came: &Bound, security: Security) -> Bound {
        let name = came.operation().map(|operation| operation.name.clone());
        name.and_then(|name| self.operation(&name, security)).unwrap_or_else(|| came.clone())
    }
}

impl Bound {
    /// The operation.
    pub fn operation(&self) -> Option<&Operation> {
        self.sides.sides.get(self.side)?.contract.wsdl.operations.get(self.operation)
    }

    /// Its binding.
    pub fn security(&self) -> Security {
        self.sides.sides.get(self.side).map_or(Security::Token, |side| side.contract.security)
    }

    /// SHA-256 of the published files that its messages are judged by, in hexadecimal.
    pub fn schema_digest(&self) -> &str {
        self.sides.sides.get(self.side).map_or("", |side| &side.digest)
    }

    /// The version of SOAP of its binding.
    pub fn version(&self) -> Version {
        self.sides.sides.get(self.side).map_or(Version::V11, |side| side.contract.wsdl.version)
    }

    /// Judges a node of a message by the element `root` of the schema.
    ///
    /// # Errors
    /// `Internal`, where there was no verdict; inside, what is wrong with the message.
    pub async fn judge(&self, document: Arc<Document>, node: NodeId, root: &Name) -> Result<Result<(), Violations>, Refusal> {
        let side = self.sides.sides.get(self.side).ok_or(Refusal::Internal)?;
        let root = Arc::new((root.namespace.clone(), root.local.clone()));
        side.schema.validate(document, node, root).await.map_err(|NoVerdict| Refusal::Internal)
    }
}
