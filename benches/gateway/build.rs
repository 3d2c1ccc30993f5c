//! A build of the gateway in a world that it made itself. Configuration and store change from version to version, so each
//! build runs its own `demo` for token service, keys and agreements; the gateway that is measured is a process beside it,
//! with the static backend for an index.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::demo::world::{ENTITY_ID, STS_ENTITY_ID};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::saml::trust::Issuer;
use hjemmel::services::terminaladgang::names::SERVICE_PATH;
use hjemmel::signature::key::SigningKey;
use hjemmel::sts::Token;
use hjemmel::sts::cache::Source;
use hjemmel::sts::client::{Https, StsClient, StsSettings};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::serve::PATH;
use tokio::net::TcpListener;

use super::backend::{Backend, Prepared};
use super::driver::{Binding, Caller};
use super::keys::Keys;
use super::process::{Process, free};

/// A running gateway of one build.
pub struct Build {
    pub gateway: Process,
    pub backend: Backend,
    address: SocketAddr,
    keys: Keys,
    client: Client,
    token: Token,
    key: SigningKey,
    _demo: Process,
    _dir: tempfile::TempDir,
}

impl Build {
    /// Starts `program`, the gateway itself by way of `under` (a profiler with its arguments).
    pub async fn start(program: &str, under: &[&str], answer: Prepared) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = dir.path().join("world");
        let mut demo = Process::start(program, &["demo", "--dir", world.to_str().unwrap()], &dir.path().join("demo.log"));
        let invitation = demo.writes(&world.join("demo.json")).await;
        let keys = Keys::of(&world);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Backend::start(listener, &keys, answer);
        let (address, file) = configure(&world, &backend);
        let arguments: Vec<&str> = under.iter().copied().chain([program, "serve", "--config", file.to_str().unwrap()]).collect();
        let mut gateway = Process::start(arguments[0], &arguments[1..], &dir.path().join("gateway.log"));
        gateway.listens(address);
        let invitation: serde_json::Value = serde_json::from_str(&invitation).unwrap();
        let (outbound, token) = token(&keys, invitation["sts"].as_str().unwrap()).await;
        let client = Client { outbound, service: format!("https://localhost:{}{SERVICE_PATH}", address.port()).parse().unwrap() };
        let key = keys.signing_key(Role::Korsbaek);
        Self { gateway, backend, address, keys, client, token, key, _demo: demo, _dir: dir }
    }

    pub fn caller(&self, binding: Binding) -> Caller {
        Caller::new(&self.keys, self.address, SERVICE_PATH, binding)
    }

    /// Signed messages of the token binding, each with an id of its own.
    pub fn signed(&self, count: usize) -> Vec<Bytes> {
        let input = input();
        let now = Clock::system().now();
        let one = || self.client.token_message(self.token.assertion(), &self.key, &input, now).unwrap().0;
        tokio::task::block_in_place(|| (0..count).map(|_| one()).collect())
    }
}

fn input() -> Vec<u8> {
    Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input()
}

/// A call of the AuthorityContext binding.
pub fn question() -> Bytes {
    Client::authority_context_message(KORSBAEK.parse().unwrap(), &input())
}

/// A token for the municipality from the demo's own token service.
async fn token(keys: &Keys, address: &str) -> (Outbound, Token) {
    let issuer = Issuer::from_certificates(STS_ENTITY_ID, vec![keys.certificate(Role::StsSigning)]).unwrap();
    let settings = StsSettings {
        to: address.to_owned(),
        issuer,
        certificate: keys.certificate(Role::Korsbaek),
        key: keys.signing_key(Role::Korsbaek),
        on_behalf_of: None,
    };
    let outbound = || Outbound::new(OutboundSettings { retry: false, ..OutboundSettings::new(keys.root()) }).unwrap();
    let transport = Https { outbound: outbound(), uri: address.parse().unwrap(), timeout: Duration::from_secs(10) };
    let token = StsClient::new(settings, transport, Clock::system()).issue(KORSBAEK, ENTITY_ID).await.unwrap();
    (outbound(), token)
}

/// The demo's configuration with other addresses, a copy of its store and an audit of its own; and where it listens. What
/// changes is found by what it says, not by its name, where that is not the same in all versions.
fn configure(world: &Path, backend: &Backend) -> (SocketAddr, PathBuf) {
    let (address, admin) = (free(), free());
    let mut config: toml::Table = std::fs::read_to_string(world.join("hjemmel.toml")).unwrap().parse().unwrap();
    for file in ["agreements.sqlite", "agreements.sqlite-wal"] {
        if world.join(file).exists() {
            std::fs::copy(world.join(file), world.join(format!("measured-{file}"))).unwrap();
        }
    }
    std::fs::create_dir(world.join("measured-audit")).unwrap();
    config["listen"]["address"] = address.to_string().into();
    config["listen"]["public_url"] = format!("https://localhost:{}", address.port()).into();
    config["admin"]["address"] = admin.to_string().into();
    config["audit"]["directory"] = "measured-audit".into();
    adapt(&mut config, &format!("https://localhost:{}{PATH}", backend.address.port()));
    let file = world.join("measured.toml");
    std::fs::write(&file, config.to_string()).unwrap();
    (address, file)
}

fn adapt(table: &mut toml::Table, index: &str) {
    let is_index = |value: &toml::Value| value.as_str().is_some_and(|text| text.starts_with("https://") && text.ends_with(PATH));
    if table.get("address").is_some_and(is_index) {
        table.insert("address".to_owned(), index.into());
        table.insert("deadline".to_owned(), "2m".into());
    }
    for (_, value) in table.iter_mut() {
        match value {
            toml::Value::Table(inner) => adapt(inner, index),
            toml::Value::String(text) => *text = text.replace("agreements.sqlite", "measured-agreements.sqlite"),
            _ => {}
        }
    }
}

impl Process {
    /// Waits until it has written that file, and gives what stands there.
    async fn writes(&mut self, file: &Path) -> String {
        let until = Instant::now() + Duration::from_mins(2);
        while Instant::now() < until && self.runs() {
            if let Ok(text) = std::fs::read_to_string(file)
                && serde_json::from_str::<serde_json::Value>(&text).is_ok()
            {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} does not come: {}", file.display(), self.log());
    }
}
