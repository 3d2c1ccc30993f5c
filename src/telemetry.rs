//! Traces by OpenTelemetry: what each step of a call took, sent to a collector by OTLP (protobuf over HTTP).
//!
//! Off where the configuration says nothing of it; a call then costs one look at a pointer. A trace says which service and
//! operation, which steps, which peer and how it ended: never whom a call was about, for whom it was made, or what it said.
//!
//! Whether a call is traced is decided here alone. A caller's `traceparent` becomes a link at the most: with it as the parent an
//! outsider would decide what is sampled, and could put calls into traces of others. What it says beside (`tracestate`, `baggage`)
//! is untrusted and is ignored.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanLimits};
use rustls_pki_types::CertificateDer;
use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::outbound::{Outbound, OutboundSettings, SetupError};

/// How long a collector may take to take a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer of a collector is longer.
const ANSWER: usize = 64 << 10;
/// Spans that wait for the collector, and those of one batch. Beyond that they are dropped: nothing waits for a collector.
const WAITING: usize = 8192;
const BATCH: usize = 512;

/// What `[telemetry]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The collector's address for traces.
    pub url: Uri,
    /// The CAs of its TLS server; none where it is reached in clear text on the loopback.
    pub roots: Vec<CertificateDer<'static>>,
    /// How many calls of a thousand are traced.
    pub per_mille: u64,
    /// What a caller's `traceparent` becomes.
    pub callers: Callers,
    /// Whether peers are sent a `traceparent`.
    pub peers: bool,
}

/// What a caller's `traceparent` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// A link to the caller's span.
    Link,
    /// Nothing.
    Ignore,
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum TelemetryError {
    /// The client for the collector.
    #[error("telemetry.roots: {0}")]
    Client(#[from] SetupError),
    #[error("telemetry: traces cannot be sent with these settings: {0}")]
    Exporter(String),
}

/// One process has one, as it has one log.
static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
/// Batches that no collector took.
static LOST: AtomicU64 = AtomicU64::new(0);

struct Telemetry {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    callers: Callers,
    peers: bool,
}

/// Begins to trace. A second time changes nothing.
///
/// # Errors
/// [`TelemetryError`]. A collector that is away is none: spans are dropped until it is there.
pub fn start(settings: &Settings, environment: &str) -> Result<(), TelemetryError> {
    let clear = settings.roots.is_empty();
    let outbound = Outbound::new(OutboundSettings { clear, ..OutboundSettings::new(settings.roots.clone()) })?;
    let collector = Collector { outbound, runtime: Handle::current(), failing: AtomicBool::new(false) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(settings.url.to_string())
        .with_timeout(PATIENCE)
        .build()
        .map_err(|error| TelemetryError::Exporter(error.to_string()))?;
    // Every figure is given: what is not would be read from variables of the environment.
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(Duration::from_secs(1))
        .build();
    let limits = SpanLimits {
        max_events_per_span: 8,
        max_attributes_per_span: 16,
        max_links_per_span: 1,
        max_attributes_per_event: 4,
        max_attributes_per_link: 0,
    };
    #[allow(clippy::cast_precision_loss)] // 1000 at the most
    let share = settings.per_mille as f64 / 1000.0;
    let resource = Resource::builder_empty().with_service_name("hjemmel").with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("deployment.environment.name", environment.to_owned()),
    ]);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_span_limits(limits)
        .with_resource(resource.build())
        .build();
    let tracer = provider.tracer("hjemmel");
    let _ = TELEMETRY.set(Telemetry { tracer, provider, callers: settings.callers, peers: settings.peers });
    Ok(())
}

/// Sends what waits, and ends. Waits for the collector: not for a thread that serves.
pub fn stop(patience: Duration) {
    if let Some(telemetry) = TELEMETRY.get() {
        drop(telemetry.provider.shutdown_with_timeout(patience));
    }
}

/// How many batches of spans no collector took.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// The trace of one call.
pub struct Trace {
    telemetry: &'static Telemetry,
    clock: Clock,
    context: Context,
    ended: AtomicBool,
}

impl Trace {
    /// The trace of a call that has just begun; `None` where nothing is traced.
    pub fn begin(service: &str, headers: &HeaderMap, clock: &Clock) -> Option<Self> {
        let telemetry = TELEMETRY.get()?;
        let link = match telemetry.callers {
            Callers::Link => traceparent(headers).map(Link::with_context),
            Callers::Ignore => None,
        };
        let builder = telemetry
            .tracer
            .span_builder("call")
            .with_kind(SpanKind::Server)
            .with_start_time(SystemTime::from(clock.now()))
            .with_links(link.into_iter().collect())
            .with_attributes([KeyValue::new("hjemmel.service", service.to_owned())]);
        let span = telemetry.tracer.build_with_context(builder, &Context::new());
        let context = Context::new().with_span(span);
        Some(Self { telemetry, clock: clock.clone(), context, ended: AtomicBool::new(false) })
    }

    /// Its id, as log lines carry it.
    pub fn id(&self) -> String {
        self.context.span().span_context().trace_id().to_string()
    }

    /// A step that has just ended.
    pub fn step(&self, name: &'static str, started: Instant) {
        if !self.context.span().is_recording() {
            return;
        }
        let end = SystemTime::from(self.clock.now());
        let begin = end.checked_sub(started.elapsed()).unwrap_or(end);
        let builder = self.telemetry.tracer.span_builder(name).with_start_time(begin);
        self.telemetry.tracer.build_with_context(builder, &self.context).end_with_timestamp(end);
    }

    /// What is sent to a peer. The span ends when it is dropped.
    pub fn towards(&self, peer: &str) -> Outward {
        let builder = self
            .telemetry
            .tracer
            .span_builder("peer")
            .with_kind(SpanKind::Client)
            .with_start_time(SystemTime::from(self.clock.now()))
            .with_attributes([KeyValue::new("hjemmel.peer", peer.to_owned())]);
        Outward { span: self.telemetry.tracer.build_with_context(builder, &self.context), told: self.telemetry.peers }
    }

    /// How the call ended.
    pub fn end(&self, call: &dyn fmt::Display, facts: &[(&'static str, Option<String>)], refusal: Option<&str>) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let span = self.context.span();
        span.set_attribute(KeyValue::new("hjemmel.call", call.to_string()));
        for (name, value) in facts {
            if let Some(value) = value {
                span.set_attribute(KeyValue::new(*name, value.clone()));
            }
        }
        span.set_attribute(KeyValue::new("hjemmel.outcome", if refusal.is_some() { "refused" } else { "served" }));
        if let Some(code) = refusal {
            span.set_attribute(KeyValue::new("hjemmel.refusal", code.to_owned()));
            span.set_status(Status::error(code.to_owned()));
        }
        span.end_with_timestamp(SystemTime::from(self.clock.now()));
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            let span = self.context.span();
            span.set_attribute(KeyValue::new("hjemmel.outcome", "abandoned"));
            span.end_with_timestamp(SystemTime::from(self.clock.now()));
        }
    }
}

/// A request to a peer.
pub struct Outward {
    span: Span,
    told: bool,
}

impl Outward {
    /// Puts the W3C context into the request's headers, where peers are told.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let context = self.span.span_context();
        let text = format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8() & 1);
        if let (true, Ok(value)) = (self.told && context.is_valid(), HeaderValue::from_str(&text)) {
            headers.insert("traceparent", value);
        }
    }

    /// The peer answered with this status.
    pub fn answered(&mut self, status: u16) {
        self.span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    }
}

/// The caller's span, by W3C Trace Context. None where there is no header, there are several, or it is not as the standard has it.
fn traceparent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all("traceparent").iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let mut parts = value.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex =
        |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // A later version may have more parts, this one has not; ff is none.
    let whole = version != "ff" && (version != "00" || parts.next().is_none());
    if !whole || !is_hex(version, 2) || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, TraceFlags::default(), true, TraceState::default());
    context.is_valid().then_some(context)
}

/// The collector, reached as peers are: no proxy, no redirect, and only the configured roots.
struct Collector {
    outbound: Outbound,
    runtime: Handle,
    failing: AtomicBool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl Collector {
    /// Logs once when it begins to fail, and once when it is over.
    fn log_failure(&self, error: Option<&HttpError>) {
        if let Some(error) = error {
            LOST.fetch_add(1, Ordering::Relaxed);
            if !self.failing.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "traces cannot be sent, and are dropped until they can");
            }
        } else if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("traces are sent again");
        }
    }
}

impl HttpClient for Collector {
    // As `async_trait` writes it: the exporter's thread has no runtime of its own.
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        let outbound = self.outbound.clone();
        let sending = self.runtime.spawn(async move {
            let (head, body) = request.into_parts();
            let deadline = tokio::time::Instant::now() + PATIENCE;
            let answer = outbound.post(&head.uri, head.headers, body, deadline).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            match head.status.is_success() {
                true => Ok(Response::from_parts(head, body)),
                false => Err(HttpError::from(format!("the collector answers with HTTP {}", head.status.as_u16()))),
            }
        });
        Box::pin(async move {
            let sent = sending.await.unwrap_or_else(|error| Err(error.into()));
            self.log_failure(sent.as_ref().err());
            sent
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", HeaderValue::from_str(value).unwrap());
        }
        let context = traceparent(&headers)?;
        assert!(!context.is_sampled(), "the caller has no say in that");
        Some((context.trace_id().to_string(), context.span_id().to_string()))
    }

    #[test]
    fn a_callers_context_is_taken_as_the_standard_has_it_and_in_no_other_form() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let right = Some((trace.to_owned(), span.to_owned()));
        assert_eq!(of(&[&format!("00-{trace}-{span}-01")]), right);
        assert_eq!(of(&[&format!("00-{trace}-{span}-00")]), right);
        assert_eq!(of(&[&format!("cc-{trace}-{span}-01-what-the-future-has")]), right);
        for wrong in [
            String::new(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{span}-1"),
            format!(" 00-{trace}-{span}-01"),
            format!("0-{trace}-{span}-01"),
        ] {
            assert_eq!(of(&[&wrong]), None, "{wrong}");
        }
        let one = format!("00-{trace}-{span}-01");
        assert_eq!(of(&[&one, &one]), None, "two of them");
        assert_eq!(of(&[]), None);
    }
}
