//! Golden files: the audit record's JSON, the metrics and the log's fields, as operators, auditors and dashboards read them.
//!
//! A gateway in a process of its own answers the same calls each time. What differs from run to run (ids, instants,
//! digests, ciphertexts) is replaced by its kind, a number by 0, a log line's module by `<module>`; names, their order and
//! everything else must be as the files in `tests/gateway/golden/` say. A change that is meant is written with
//! `UPDATE_GOLDEN=1 cargo test --test gateway golden`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, UDK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use jiff::SignedDuration;
use serde_json::Value;

use crate::process::{Gateway, comes_to, in_runtime};
use crate::request::{and, delimited, search};
use crate::stage::{admin, options, person};

/// Calls are made one after the other, so the log holds them in this order.
const CALLS: [&str; 7] = [
    "served-authority-context",
    "served-token",
    "served-token-udk",
    "refused-before-authentication",
    "refused-after-authentication",
    "refused-after-admission",
    "abandoned",
];

#[test]
fn the_audit_record_the_metrics_and_the_log_are_as_the_golden_files_say() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "log_format = \"json\"")).await.unwrap();
        let gateway = Gateway::start(&world).await;
        make_the_calls(&world).await;
        let metrics = once_all_are_counted(&world).await;
        gateway.signal("-TERM");
        assert!(gateway.ended().await);

        let mut golden = Golden::default();
        let audit = std::fs::read_to_string(dir.path().join("audit/segment-00000001.jsonl")).unwrap();
        let (calls, frame) = by_call(&audit);
        assert_eq!(calls.len(), CALLS.len(), "{audit}");
        for (name, lines) in CALLS.iter().zip(&calls) {
            golden.holds(&format!("record-{name}.json"), &lines.iter().map(|line| shape(line)).collect::<String>());
        }
        // The demo's persons decide many times alike.
        let mut shapes: Vec<_> = frame.iter().map(|line| shape(line)).collect();
        let mut seen = BTreeSet::new();
        shapes.retain(|shape| seen.insert(shape.clone()));
        golden.holds("record-frame.json", &shapes.concat());
        golden.holds("metrics.txt", &families(&metrics));
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        for (name, lines) in CALLS.iter().zip(&calls) {
            let call = call_of(lines[0]).unwrap();
            let told: String = log.lines().filter(|line| line.contains(&call)).map(shape).collect();
            golden.holds(&format!("log-{name}.json"), &told);
        }
        golden.end();
    });
}

async fn make_the_calls(world: &World) {
    let about = |cpr: &str| search(&and(&[&person(cpr)]));
    let by_tls = |input: &str| Client::authority_context_message(KORSBAEK.parse().unwrap(), input.as_bytes());
    let client = world.client(Some(Role::Korsbaek)).unwrap();
    let is = |expected: u16, exchange: hjemmel::cli::call::client::Exchange| {
        assert_eq!(exchange.status, expected, "{}", String::from_utf8_lossy(&exchange.answer));
    };

    is(200, client.send(Version::V11, by_tls(&about(demo::BOTH))).await.unwrap());
    // The default window always begins at least 89 days back.
    let (now, most_of_it) = (world.clock.now(), SignedDuration::from_hours(24 * 85));
    let dates = delimited(&(now - most_of_it).to_string(), &now.to_string());
    let dated = search(&and(&[&person(demo::BOTH), &dates]));
    for (role, cvr, input) in [(Role::Korsbaek, KORSBAEK, dated), (Role::Udk, UDK, about(demo::BOTH))] {
        let (client, token) = (world.client(None).unwrap(), world.token(role, cvr).await.unwrap());
        let (message, _) =
            client.token_message(token.assertion(), &world.key(role).unwrap(), input.as_bytes(), world.clock.now()).unwrap();
        is(200, client.send(Version::V12, message).await.unwrap());
    }
    is(500, client.send(Version::V11, Bytes::from_static(b"<no xml")).await.unwrap());
    let two = search(&and(&[&person(demo::BOTH), &person(demo::NOTHING)]));
    is(500, client.send(Version::V11, by_tls(&two)).await.unwrap());
    world.index_mode.set(FaultMode::SoapFault);
    is(500, client.send(Version::V11, by_tls(&about(demo::BOTH))).await.unwrap());

    world.index_mode.set(FaultMode::Hang);
    let before = world.index_requests();
    let message = by_tls(&about(demo::BOTH));
    let call = tokio::spawn(async move { client.send(Version::V11, message).await.map(drop) });
    comes_to("the index is asked", async || world.index_requests() > before).await;
    call.abort();
}

/// What `/metrics` says once it counts every call.
async fn once_all_are_counted(world: &World) -> String {
    let mut text = String::new();
    comes_to("every call is counted", async || {
        text = admin(world.admin, "/metrics").await.1;
        let counted = text.lines().filter(|line| line.starts_with("hjemmel_calls_total{"));
        counted.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum::<usize>() == CALLS.len()
    })
    .await;
    text
}

/// The lines of the audit log, those of a call together, and the others.
fn by_call(audit: &str) -> (Vec<Vec<&str>>, Vec<&str>) {
    let (mut order, mut calls, mut frame) = (Vec::new(), BTreeMap::<String, Vec<&str>>::new(), Vec::new());
    for line in audit.lines() {
        match call_of(line) {
            Some(call) => {
                if !calls.contains_key(&call) {
                    order.push(call.clone());
                }
                calls.entry(call).or_default().push(line);
            }
            None => frame.push(line),
        }
    }
    (order.iter().map(|call| calls[call].clone()).collect(), frame)
}

fn call_of(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).unwrap();
    let event = &line["entry"]["event"];
    let record = event.get("admitted").or_else(|| event.get("closed"))?;
    Some(record["call"].as_str().unwrap().to_owned())
}

/// The families of `/metrics`: name, type, help, and the labels of each series; no values.
fn families(metrics: &str) -> String {
    let (_, body) = metrics.split_once("\r\n\r\n").unwrap();
    let series = |line: &str| match line.starts_with('#') {
        true => line.to_owned(),
        false => line.rsplit_once(' ').unwrap().0.replace(env!("CARGO_PKG_VERSION"), "<version>"),
    };
    body.lines().map(|line| series(line) + "\n").collect()
}

/// A line of JSON, indented, its names in their order, its texts by [`kind`], its numbers 0.
fn shape(json: &str) -> String {
    assert!(serde_json::from_str::<Value>(json).is_ok(), "{json}");
    let (mut out, mut depth, mut rest) = (String::new(), 0, json);
    let line = |out: &mut String, depth: usize| *out += &format!("\n{}", "  ".repeat(depth));
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '0'..='9' | '-' | 'a'..='z' => rest.find([',', '}', ']']).unwrap_or(rest.len()),
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '{' | '[' if rest.starts_with(['}', ']']) => {
                out += token;
                out += &rest[..1];
                rest = &rest[1..];
            }
            '{' | '[' => {
                out += token;
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out += token;
            }
            ',' => {
                out += token;
                line(&mut out, depth);
            }
            ':' => out += ": ",
            '"' if !rest.starts_with(':') => {
                assert!(!token.contains('\\'), "a value with an escape: {token}");
                out += &format!("\"{}\"", kind(token.trim_matches('"')));
            }
            '0'..='9' | '-' => out.push('0'),
            _ => out += token,
        }
    }
    out + "\n"
}

/// What kind of value a text is, if it differs from run to run; otherwise the text.
fn kind(text: &str) -> String {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let base64 = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    if uuid::Uuid::try_parse(text).is_ok() {
        "<uuid>".to_owned()
    } else if text.parse::<jiff::Timestamp>().is_ok() {
        "<instant>".to_owned()
    } else if text.starts_with("hjemmel::") {
        "<module>".to_owned()
    } else if text.len() >= 16 && hexadecimal {
        format!("<{} hexadecimal digits>", text.len())
    } else if text.len() >= 40 && base64 {
        format!("<{} characters of base64>", text.len())
    } else {
        text.to_owned()
    }
}

/// What is held against the golden files, each difference told at the end.
#[derive(Default)]
struct Golden {
    stale: Vec<String>,
}

impl Golden {
    fn holds(&mut self, name: &str, now: &str) {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/golden")).join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, now).unwrap();
        }
        let held = std::fs::read_to_string(&path).unwrap_or_default();
        if held != now {
            let first = held.lines().zip(now.lines()).find(|(held, now)| held != now);
            self.stale.push(format!("{name} differs first at {first:?}; it is now:\n{now}"));
        }
    }

    fn end(self) {
        let remedy = "If the change is meant: UPDATE_GOLDEN=1 cargo test --test gateway golden";
        assert!(self.stale.is_empty(), "{}\n{remedy}", self.stale.join("\n"));
    }
}
