//! Threads that validate: each owns a schema of its own, for the library's tables are not shared between threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot};
use xsd_schema::validation::{SchemaValidator, ValidationFlags};

use super::accept::Accepted;
use super::compile::{Compiled, Schema};
use super::drive;
use super::violation::Violations;
use crate::soap::document::{Document, Element, NodeId};

/// How many messages wait for each thread before one more waits to be taken.
const WAITING: usize = 16;
/// A worker's stack, in bytes: the deepest message that the strict reader lets in, many times over.
const STACK: usize = 16 * 1024 * 1024;
/// The bytes of a message that is accepted, where it is plainly valid, sooner than a thread is woken for it.
const SMALL: usize = 64 * 1024;
/// How deep its elements lie in each other: it is judged on a stack that is not a worker's.
const DEEP: usize = 32;

/// What is accepted without the library, once a thread has compiled the schema.
type Plainly = Arc<OnceLock<Arc<Accepted>>>;

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
    plainly: Plainly,
    /// Whether what is plainly valid is accepted without the library. In a debug build that is asked of each message, and only a thread has it.
    without_library: bool,
}

impl Pool {
    /// Starts `threads` validators of one schema. They end when the pool and its clones are gone.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(schema: &Schema, threads: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING.saturating_mul(threads.max(1)));
        let (waiting, plainly) = (Arc::new(Mutex::new(waiting)), Plainly::default());
        for _ in 0..threads.max(1) {
            let (schema, waiting, plainly) = (schema.clone(), waiting.clone(), plainly.clone());
            let worker = std::thread::Builder::new().name("schema".to_owned()).stack_size(STACK);
            worker.spawn(move || work(&schema, &waiting, &plainly))?;
        }
        Ok(Self { jobs, plainly, without_library: !cfg!(debug_assertions) })
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
        if self.without_library && self.accepts(&document, node, (&root.0, &root.1)) {
            return Ok(Ok(()));
        }
        let (answer, verdict) = oneshot::channel();
        self.jobs.send(Job { document, node, root, answer }).await.map_err(|_| NoVerdict)?;
        verdict.await.map_err(|_| NoVerdict)
    }

    /// Whether a message is small and plainly valid. What is not is for a thread to judge.
    fn accepts(&self, document: &Document, node: NodeId, root: (&str, &str)) -> bool {
        let (Some(accepted), Some(apex)) = (self.plainly.get(), document.element(node)) else { return false };
        let fits = apex.source_range().len() <= SMALL && !is_deep(apex);
        fits && drive::other_root(apex, root).is_none() && accepted.accepts(apex, root)
    }
}

fn is_deep(apex: Element<'_>) -> bool {
    let mut open = vec![apex.elements()];
    while let Some(children) = open.last_mut() {
        match children.next() {
            Some(_) if open.len() >= DEEP => return true,
            Some(child) => open.push(child.elements()),
            None => drop(open.pop()),
        }
    }
    false
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
fn work(schema: &Schema, waiting: &Mutex<mpsc::Receiver<Job>>, plainly: &OnceLock<Arc<Accepted>>) {
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
        if let Some(accepted) = &compiled.accepted {
            plainly.get_or_init(|| accepted.clone());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::source::Sources;
    use crate::soap::strict::Limits;

    #[tokio::test]
    async fn a_small_message_that_is_plainly_valid_needs_no_thread_and_every_other_does() {
        let xsd = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:a' targetNamespace='urn:a'
            elementFormDefault='qualified'><xs:element name='a'><xs:complexType><xs:sequence><xs:element ref='a' minOccurs='0'/>
            <xs:element name='b' type='xs:string' minOccurs='0' maxOccurs='unbounded'/></xs:sequence></xs:complexType></xs:element>
            </xs:schema>";
        let mut sources = Sources::default();
        sources.add("a.xsd", xsd);
        let schema = Schema::new(Arc::new(sources), ["a.xsd".to_owned()]).unwrap();
        let pool = Pool::start(&schema, 1).unwrap();
        let document = |inside: &str| {
            let xml = format!("<a xmlns='urn:a'>{inside}</a>");
            Arc::new(Document::parse(xml.into_bytes().into(), &Limits::default()).unwrap())
        };
        let of = |local: &str| ("urn:a".to_owned(), local.to_owned());
        let valid = document("<b>x</b>");
        let verdict = pool.validate(valid.clone(), valid.root().id(), Arc::new(of("a"))).await.unwrap();
        assert_eq!(verdict, Ok(()), "a thread has compiled the schema by now");
        let nested = |deep: usize| document(&format!("{}{}", "<a>".repeat(deep), "</a>".repeat(deep)));
        let (large, invalid) = (document(&"<b>x</b>".repeat(SMALL / 8)), document("<c/>"));
        let (flat, deep) = (nested(DEEP - 2), nested(DEEP));
        for (document, local, plainly) in [
            (&valid, "a", true),
            (&flat, "a", true),
            (&deep, "a", false),
            (&large, "a", false),
            (&invalid, "a", false),
            (&valid, "b", false),
        ] {
            assert_eq!(pool.accepts(document, document.root().id(), ("urn:a", local)), plainly, "{local}");
        }
        // As a release has it, with no thread that would answer.
        let (jobs, _) = mpsc::channel(1);
        let alone = Pool { jobs, plainly: pool.plainly.clone(), without_library: true };
        for document in [&valid, &flat] {
            let verdict = alone.validate(document.clone(), document.root().id(), Arc::new(of("a"))).await;
            assert_eq!(verdict.ok(), Some(Ok(())));
        }
        for document in [large, deep] {
            let verdict = pool.validate(document.clone(), document.root().id(), Arc::new(of("a"))).await.unwrap();
            assert_eq!(verdict, Ok(()));
            assert!(alone.validate(document.clone(), document.root().id(), Arc::new(of("a"))).await.is_err());
        }
    }
}
