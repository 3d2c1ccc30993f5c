//! Traces by OTLP, as a collector gets them from a process of its own.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::outbound::Front;
use crate::process::{Gateway, comes_to, in_runtime};
use crate::request::{and, search};
use crate::stage::{admin, options, person};

/// A collector on the loopback, which keeps what it is sent.
struct Collector {
    port: u16,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        Self::on(std::net::TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn on(listener: std::net::TcpListener) -> Self {
        let collector = Self { port: listener.local_addr().unwrap().port(), bodies: Arc::default() };
        let bodies = collector.bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, bodies) = (stream.unwrap(), bodies.clone());
                std::thread::spawn(move || while take(&mut stream, &bodies).is_some() {});
            }
        });
        collector
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap().clone();
        let decoded = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap());
        let scopes = decoded.flat_map(|request| request.resource_spans).flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn settings(&self, more: &str) -> String {
        format!("\n[telemetry]\nurl = \"http://127.0.0.1:{}/v1/traces\"\n{more}\n", self.port)
    }
}

/// Takes one request; none where the connection ends.
fn take(stream: &mut std::net::TcpStream, bodies: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces ") && head.contains("content-type: application/x-protobuf"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    // For tests/interop/traces.py, which reads them with the definitions that OpenTelemetry publishes for Python.
    if let Ok(folder) = std::env::var("HJEMMEL_TRACES_TO") {
        std::fs::write(std::path::Path::new(&folder).join(uuid::Uuid::new_v4().to_string()), &body).unwrap();
    }
    bodies.lock().unwrap().push(body);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute<'s>(span: &'s Span, key: &str) -> Option<&'s str> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A call over mutual TLS, with this context of the caller's.
async fn call(world: &World, cprs: &[&str], context: Option<&str>) -> u16 {
    let client = world.client(Some(Role::Korsbaek)).unwrap();
    let persons: Vec<_> = cprs.iter().map(|cpr| person(cpr)).collect();
    let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
    let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), search(&and(&persons)).as_bytes());
    let action = format!("\"{}\"", hjemmel::services::terminaladgang::names::WRAPPER_ACTION);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/xml; charset=utf-8"));
    headers.insert("soapaction", action.parse().unwrap());
    if let Some(context) = context {
        headers.insert("traceparent", context.parse().unwrap());
        headers.insert("baggage", HeaderValue::from_static("person=6101801234"));
        headers.insert("tracestate", HeaderValue::from_static("vendor=6101801234"));
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let answer = client.outbound.post(&client.service, headers, message, deadline).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

/// A world whose process sends its traces there, and the index behind a server that sees what it is sent.
async fn traced(dir: &std::path::Path, settings: &str) -> (World, Front) {
    let world = World::without_gateway(options(dir, Clock::system(), "log_format = \"json\"")).await.unwrap();
    let text = std::fs::read_to_string(&world.configuration).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let index = table["peer"]["ydelsesindeks"]["address"].as_str().unwrap().to_owned();
    let port = index.parse::<http::Uri>().unwrap().port_u16().unwrap();
    let front = Front::of(&world, Role::IndexServer, port).await;
    let through = index.replace(&format!(":{port}/"), &format!(":{}/", front.port));
    std::fs::write(&world.configuration, text.replace(&index, &through) + settings).unwrap();
    (world, front)
}

#[test]
fn a_call_is_one_trace_of_its_steps_with_the_callers_as_a_link_the_peers_as_a_child_and_nothing_of_a_person() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let collector = Collector::start();
        let (world, front) = traced(dir.path(), &collector.settings("per_mille = 1000")).await;
        let gateway = Gateway::start(&world).await;
        let (theirs, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        // The caller says that it is not sampled: that is the caller's affair.
        assert_eq!(call(&world, &[demo::BOTH], Some(&format!("00-{theirs}-{span}-00"))).await, 200);
        assert_eq!(call(&world, &[demo::BOTH, demo::NOTHING], None).await, 500, "two persons in one search");
        gateway.signal("-TERM");
        assert!(gateway.ended().await);

        let spans = collector.spans();
        let roots: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
        assert_eq!(roots.len(), 2, "{spans:?}");
        let root = roots.iter().find(|root| attribute(root, "hjemmel.outcome") == Some("served")).unwrap();
        assert_eq!((&*root.name, attribute(root, "hjemmel.operation")), ("call", Some("fremsoeg")));
        assert_ne!(hex(&root.trace_id), theirs, "an outsider's trace is not ours");
        let links: Vec<_> = root.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect();
        assert_eq!(links, [(theirs.to_owned(), span.to_owned())]);

        // The steps are those of the audit record, and each lies within the call.
        let audit = std::fs::read_to_string(dir.path().join("audit/segment-00000001.jsonl")).unwrap();
        let closed = audit.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let closed = closed.map(|line| line["entry"]["event"]["closed"].clone());
        let record = closed.into_iter().find(|closed| closed["outcome"] == "served").unwrap();
        let timed: BTreeSet<&str> = record["timings_us"].as_object().unwrap().keys().map(String::as_str).collect();
        let of_call: Vec<_> =
            spans.iter().filter(|span| span.trace_id == root.trace_id && !span.parent_span_id.is_empty()).collect();
        let named: BTreeSet<&str> = of_call.iter().map(|span| span.name.as_str()).filter(|name| *name != "peer").collect();
        assert_eq!(named, timed);
        assert_eq!(attribute(root, "hjemmel.call"), record["call"].as_str());
        for span in &of_call {
            assert_eq!(span.parent_span_id, root.span_id);
            let within =
                root.start_time_unix_nano <= span.end_time_unix_nano && span.end_time_unix_nano <= root.end_time_unix_nano;
            assert!(within && span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        }
        let peer = of_call.iter().find(|span| span.name == "peer").unwrap();
        let sent = format!("00-{}-{}-01", hex(&root.trace_id), hex(&peer.span_id));
        assert_eq!(front.contexts.lock().unwrap().first().unwrap().as_deref(), Some(&*sent), "what the index was sent");

        // Each line of the call has the id, and nothing that was sent has a person, an authority or a word of the caller's.
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(record["call"].as_str().unwrap())).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&hex(&root.trace_id))), "{lines:?}");
        for body in collector.bodies.lock().unwrap().iter() {
            for secret in [demo::BOTH, KORSBAEK, "6101801234", "vendor", "PersonIdentifikator"] {
                assert!(!body.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
            }
        }
    });
}

#[test]
fn no_caller_makes_itself_sampled_and_where_callers_and_peers_are_not_told_of_nothing_goes_in_or_out() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let collector = Collector::start();
        let settings = collector.settings("per_mille = 0\npeers = false\ncallers = \"ignore\"");
        let (world, front) = traced(dir.path(), &settings).await;
        let gateway = Gateway::start(&world).await;
        let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(call(&world, &[demo::BOTH], Some(theirs)).await, 200);
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
        assert_eq!(collector.spans(), []);
        assert_eq!(*front.contexts.lock().unwrap(), [None]);
    });
}

#[test]
fn a_collector_that_is_away_stops_no_call_and_gets_what_comes_after_it_is_there() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        // A port that nobody listens on, until the collector does.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let away = Collector { port, bodies: Arc::default() };
        let (world, _front) = traced(dir.path(), &away.settings("per_mille = 1000")).await;
        let gateway = Gateway::start(&world).await;
        assert_eq!(call(&world, &[demo::BOTH], None).await, 200);
        comes_to("what was lost is counted", async || {
            let (_, text) = admin(world.admin, "/metrics").await;
            text.lines().any(|line| line.starts_with("hjemmel_trace_batches_lost_total ") && !line.ends_with(" 0"))
        })
        .await;
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(log.matches("traces cannot be sent, and are dropped until they can").count(), 1, "{log}");
        let collector = Collector::on(std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
        comes_to("a later call is there", async || {
            assert_eq!(call(&world, &[demo::BOTH], None).await, 200);
            !collector.spans().is_empty()
        })
        .await;
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
    });
}
