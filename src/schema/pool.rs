//! Threads that validate: each owns a schema of its own, for the library's tables are not shared between threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use xsd_schema::validation::{SchemaValidator, ValidationFlags};

use super::compile::{Compiled, Schema};
use super::drive;
use super::violation::Violations;
use crate::soap::document::{Document, NodeId};

/// How many messages wait for each thread before one more waits to be taken.
const WAITING: usize = 16;
/// A worker's stack, in bytes: the deepest message that the strict reader lets in, many times over.
const STACK: usize = 16 * 1024 * 1024;

struct Job {
    document: Arc<Document>,
    node: NodeId,
    root: Arc<(String, String)>,
    answer: oneshot::Sender<Result<(), Violations>>,
}

/// Why there is no verdict. The call is then refused: nothing counts as valid that was not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the schema validator gave no verdict")]
pub struct NoVerdict;

/// A schema's validators.
#[derive(Clone)]
pub struct Pool {
    jobs: mpsc::Sender<Job>,
}

impl Pool {
    /// Starts `threads` validators of one schema. They end when the pool and its clones are gone.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(schema: &Schema, threads: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING.saturating_mul(threads.max(1)));
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads.max(1) {
            let (schema, waiting) = (schema.clone(), waiting.clone());
            std::thread::Builder::new().name("schema".to_owned()).stack_size(STACK).spawn(move || work(&schema, &waiting))?;
        }
        Ok(Self { jobs })
    }

    /// Validates a node of a message against the element `root` (namespace, local name).
    ///
    /// # Errors
    /// [`NoVerdict`] where a validator failed; inside, what is wrong with the message.
    pub async fn validate(
        &self,
        document: Arc<Document>,
        node: NodeId,
        root: Arc<(String, String)>,
    ) -> Result<Result<(), Violations>, NoVerdict> {
        let (answer, verdict) = oneshot::channel();
        self.jobs.send(Job { document, node, root, answer }).await.map_err(|_| NoVerdict)?;
        verdict.await.map_err(|_| NoVerdict)
    }
}

/// A validator that reports what is wrong, and nothing else.
pub(super) fn validator(compiled: &Compiled) -> SchemaValidator<'_> {
    let flags = ValidationFlags::default() - ValidationFlags::BUILD_PSVI_TYPED_VALUES - ValidationFlags::REPORT_WARNINGS;
    SchemaValidator::new(&compiled.set, flags)
}

fn next(waiting: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

/// Works until nobody can ask any more. The schema is made anew when messages have doubled its names, which the library
/// keeps for ever, and after a panic, whose call is refused.
fn work(schema: &Schema, waiting: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let compiled = match schema.compile() {
            Ok(compiled) => compiled,
            Err(problems) => {
                // It compiled when it was loaded. Each call is refused, for its answer is dropped.
                tracing::error!(problem = %problems.first().map(ToString::to_string).unwrap_or_default(), "a schema no longer compiles");
                while next(waiting).is_some() {}
                return;
            }
        };
        let validator = validator(&compiled);
        while compiled.set.name_table.len() < 2 * compiled.names {
            let Some(Job { document, node, root, answer }) = next(waiting) else { return };
            let judge = || document.element(node).map(|apex| drive::validate(&compiled, &validator, apex, (&root.0, &root.1)));
            match catch_unwind(AssertUnwindSafe(judge)) {
                // Nobody waits any more where the caller hung up.
                Ok(Some(verdict)) => drop(answer.send(verdict)),
                Ok(None) => {}
                Err(_) => {
                    tracing::error!("the schema validator panicked; its call is refused");
                    break;
                }
            }
        }
    }
}
