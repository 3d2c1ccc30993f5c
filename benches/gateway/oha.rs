//! `oha`, which drives all peers alike where one message may be sent again and again.

use std::process::Command;
use std::sync::LazyLock;

use hjemmel::stub::pki::Role;

use super::driver::Binding;
use super::process::said;
use super::stage::{Peer, Stage};

/// Where it is: `OHA`, or on the path.
static OHA: LazyLock<String> = LazyLock::new(|| std::env::var("OHA").unwrap_or_else(|_| "oha".to_owned()));

/// What it says of one run.
pub struct Went {
    pub calls: f64,
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

/// The version, or nothing where it is not installed.
pub fn version() -> String {
    said(&OHA, &["--version"]).trim().to_owned()
}

/// Calls `peer` for so long over so many connections, and waits for the last answers. Every answer must be 200.
pub fn drive(stage: &Stage, peer: &Peer, connections: usize, seconds: f64) -> Went {
    let root = stage.file("pki/root.pem").display().to_string();
    let [cert, key] = [".pem", ".key.pem"].map(|ending| stage.pki_file(Role::Korsbaek, ending));
    let mut command = Command::new(&*OHA);
    command.args(["--no-tui", "--output-format", "json", "-w", "--ipv4", "-m", "POST"]);
    command.args(["--cacert", &root, "--cert", &cert, "--key", &key]);
    command.args(["-c", &connections.to_string(), "-z", &format!("{}ms", (seconds * 1000.0) as u64)]);
    for (name, value) in Binding::AuthorityContext.headers() {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output = command.arg("-D").arg(&stage.question_file).arg(peer.url()).output().expect("oha runs");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("oha: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    let statuses = told["statusCodeDistribution"].as_object().cloned().unwrap_or_default();
    let calls = statuses.get("200").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    let failed = told["errorDistribution"].as_object().map_or(0, serde_json::Map::len);
    assert!(statuses.len() == 1 && calls > 0.0 && failed == 0, "{} through {}: {told:#}", peer.name, peer.url());
    let number = |group: &str, name: &str| told[group][name].as_f64().unwrap_or(f64::NAN);
    Went {
        calls,
        per_second: number("summary", "requestsPerSec"),
        p50: number("latencyPercentiles", "p50"),
        p99: number("latencyPercentiles", "p99"),
    }
}
