//! One call, from its first byte to its audit record.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use crate::audit::{Durable, OpenRecord, Record};
use crate::refusal::Refusal;
use crate::telemetry::Trace;

/// The call's id and its record, shared by the steps. Cheap to clone.
///
/// Steps write down what they found; nothing is ever read from here to decide: decisions travel in the steps' own types.
/// When the last clone is gone the record is closed: as abandoned, unless [`Call::end`] said otherwise.
#[derive(Clone)]
pub struct Call {
    id: Uuid,
    record: Arc<Mutex<OpenRecord>>,
    trace: Option<Arc<Trace>>,
}

/// A value that belongs to a call.
pub trait OfCall {
    /// Whose record and trace it is noted in.
    fn call(&self) -> &Call;
}

impl Call {
    /// A call that has just begun, and its trace where it has one.
    pub fn new(record: OpenRecord, trace: Option<Trace>) -> Self {
        Self { id: record.call, record: Arc::new(Mutex::new(record)), trace: trace.map(Arc::new) }
    }
    /// Its trace; `None` where nothing is traced.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }
    /// The id that faults, logs and audit share.
    pub fn id(&self) -> Uuid {
        self.id
    }
    /// Writes something into the record.
    pub fn note(&self, write: impl FnOnce(&mut Record)) {
        write(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }
    /// Puts the record, as it stands, on its way to the disk.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub fn admit(&self) -> impl Future<Output = Result<Durable, Refusal>> + Send + use<> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).admit()
    }
    /// How the call ended.
    pub fn end(&self, refusal: Option<&Refusal>) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.end(refusal);
        if let Some(trace) = &self.trace {
            let binding = record.binding.map(|binding| binding.name().to_owned());
            let facts = [("hjemmel.operation", record.operation.clone()), ("hjemmel.binding", binding)];
            trace.end(&self.id, &facts, refusal.map(Refusal::code));
        }
    }
    /// The beginning of a step.
    pub fn start(&self) -> Instant {
        Instant::now()
    }
    /// The end of a step: what it took goes into the record.
    pub fn finish(&self, step: &'static str, started: Instant) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).step(step, started.elapsed());
        if let Some(trace) = &self.trace {
            trace.step(step, started);
        }
    }
}
