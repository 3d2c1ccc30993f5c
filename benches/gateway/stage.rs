//! Everything that a round needs: the throw-away PKI, token service and agreements of the demo, the static backend, and the
//! peers in front of it, each a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hjemmel::agreements::{Agreement, Side, Store, Thumbprint};
use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::demo::world::{Options, World};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::services::terminaladgang::names::SERVICE_PATH;
use hjemmel::signature::key::SigningKey;
use hjemmel::sts::Token;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::serve::PATH;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::backend::{Backend, Prepared};
use super::driver::{Binding, Caller};
use super::held::Held;
use super::keys::Keys;
use super::process::{Process, free};

/// TerminalAdgang, as agreements name it.
const SERVICE: Uuid = Uuid::from_u128(0x3053ec89_31fe_4206_878b_bba6783d7a88);
/// About so many agreements the demo has itself.
const DEMOS: usize = 8;

/// The gateway: this build, or another to compare it with.
pub fn hjemmel() -> String {
    another().unwrap_or_else(|| env!("CARGO_BIN_EXE_hjemmel").to_owned())
}

/// Another build than this, where one is named.
pub fn another() -> Option<String> {
    std::env::var("HJEMMEL_BENCH_GATEWAY").ok()
}

/// The world of a run.
pub struct Stage {
    pub world: World,
    pub backend: Backend,
    pub keys: Keys,
    /// A call of the AuthorityContext binding, the same each time.
    pub question: Bytes,
    /// The same in a file, for `oha`.
    pub question_file: PathBuf,
    token: Token,
    key: SigningKey,
    _dir: tempfile::TempDir,
}

/// A process in front of the backend.
pub struct Peer {
    pub name: &'static str,
    pub address: SocketAddr,
    pub process: Process,
}

impl Peer {
    /// Where `oha` calls it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}{SERVICE_PATH}", self.address.port())
    }
}

impl Stage {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let extra = format!("[peer.ydelsesindeks]\naddress = \"https://localhost:{port}{PATH}\"\ndeadline = \"2m\"\n");
        let clock = Clock::system();
        let options = Options { dir: dir.path().to_path_buf(), port: 0, seed: 1, persons: 50, clock, extra, pki: None };
        let world = World::without_gateway(options).await.unwrap();
        let keys = Keys::of(&world.dir);
        let answer = Prepared::new(&world.policy, &world.population, 0, 0);
        let backend = Backend::start(listener, &keys, answer);
        let input = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input();
        let question = Client::authority_context_message(KORSBAEK.parse().unwrap(), &input);
        let question_file = dir.path().join("question.xml");
        std::fs::write(&question_file, &question).unwrap();
        let token = world.token(Role::Korsbaek, KORSBAEK).await.unwrap();
        let key = world.key(Role::Korsbaek).unwrap();
        Self { world, backend, keys, question, question_file, token, key, _dir: dir }
    }

    /// An answer about the person that is asked about.
    pub fn prepared(&self, bytes: u64, alike: u64) -> Prepared {
        Prepared::new(&self.world.policy, &self.world.population, bytes, alike)
    }

    /// A file of this run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.world.dir.join(name)
    }

    /// A file of the PKI, as a command line wants it.
    pub fn pki_file(&self, role: Role, ending: &str) -> String {
        self.keys.file(role, ending).display().to_string()
    }

    /// Signed messages of the token binding for that gateway, each with an id of its own.
    pub async fn signed(&self, gateway: &Peer, count: usize) -> Vec<Bytes> {
        let mut client = self.world.client(None).unwrap();
        client.service = gateway.url().parse().unwrap();
        let input = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input();
        let one = || client.token_message(self.token.assertion(), &self.key, &input, self.world.clock.now()).unwrap().0;
        tokio::task::block_in_place(|| (0..count).map(|_| one()).collect())
    }

    /// A caller of that peer.
    pub fn caller(&self, peer: &Peer, binding: Binding) -> Caller {
        Caller::new(&self.keys, peer.address, SERVICE_PATH, binding)
    }

    /// Starts a gateway under `name`, which only files are called by. `settings` goes over the demo's; with `agreements`
    /// its store is filled up to so many.
    pub async fn gateway(&self, name: &str, settings: &str, agreements: Option<usize>) -> Peer {
        let strangers: Vec<_> = (0..agreements.unwrap_or(0)).map(|number| Thumbprint::of_der(&number.to_be_bytes())).collect();
        self.gateway_that_knows(name, settings, strangers.get(DEMOS..).unwrap_or_default()).await
    }

    /// The same, which has a front agreement for each of these certificates too.
    pub async fn gateway_that_knows(&self, name: &str, settings: &str, certificates: &[Thumbprint]) -> Peer {
        let (file, address) = self.configured(name, settings, certificates).await;
        let arguments = ["serve", "--config", file.to_str().unwrap()];
        let mut process = Process::start(&hjemmel(), &arguments, &self.file(&format!("{name}.log")));
        process.listens(address);
        Peer { name: "hjemmel", address, process }
    }

    /// A gateway with this configuration, held to its part of the machine.
    pub fn held(&self, held: &Held, file: &Path, name: &str) -> Process {
        let serves = [hjemmel(), "serve".to_owned(), "--config".to_owned(), file.display().to_string()];
        let words: Vec<String> = held.prefix().into_iter().chain(serves).collect();
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        Process::start(&words[0], &arguments, &self.file(&format!("{name}.log")))
    }

    /// The configuration of a gateway with a store, ports and an audit log of its own, and where it will listen.
    pub async fn configured(&self, name: &str, settings: &str, certificates: &[Thumbprint]) -> (PathBuf, SocketAddr) {
        let (address, admin) = (free(), free());
        let mut config: toml::Table = std::fs::read_to_string(&self.world.configuration).unwrap().parse().unwrap();
        let (store, audit) = (format!("{name}.sqlite"), format!("audit-{name}"));
        std::fs::copy(self.file("agreements.sqlite"), self.file(&store)).unwrap();
        std::fs::create_dir_all(self.file(&audit)).unwrap();
        if !certificates.is_empty() {
            self.fill(&self.file(&store), certificates).await;
        }
        let store_of_its_own = format!("[store]\nurl = \"sqlite:{store}\"\n");
        let store = if settings.contains("[store]") { "" } else { &store_of_its_own };
        // What stands before the sections comes first.
        let (top, settings) = settings.split_at(settings.find('[').unwrap_or(settings.len()));
        let own = format!(
            "{top}[listen]\naddress = \"{address}\"\npublic_url = \"https://localhost:{}\"\n[admin]\naddress = \"{admin}\"\n\
             {store}[audit]\ndirectory = \"{audit}\"\n{settings}",
            address.port()
        );
        for (section, values) in own.parse::<toml::Table>().unwrap() {
            if !values.is_table() {
                config.insert(section, values);
                continue;
            }
            let table = config.entry(section).or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap();
            table.extend(values.as_table().unwrap().clone());
        }
        let file = self.file(&format!("{name}.toml"));
        std::fs::write(&file, config.to_string()).unwrap();
        (file, address)
    }

    /// Adds front agreements of other systems to a store.
    async fn fill(&self, store: &Path, certificates: &[Thumbprint]) {
        let store = Store::open(&hjemmel::store::Settings::sqlite(store)).await.unwrap();
        let held = store.list().await.unwrap();
        // Several services are agreed on: the one that is called here.
        let is_asked = |agreement: &&Agreement| {
            agreement.side == Side::Front && agreement.service == SERVICE && agreement.authority.to_string() == KORSBAEK
        };
        let model = held.iter().find(is_asked).unwrap();
        let another = |(number, certificate): (usize, &Thumbprint)| {
            let id = Uuid::from_u128(0x6000_0000_0000_4000_8000_0000_0000_0000 + number as u128);
            Agreement { id, system: id, certificates: vec![*certificate], ..model.clone() }
        };
        let agreements = certificates.iter().enumerate().map(another).collect();
        let import = hjemmel::agreements::import::Import { authorities: Vec::new(), agreements };
        store.import(&import, self.world.clock.now()).await.unwrap();
        store.close().await;
    }

    /// nginx as a plain pass-through with mutual TLS on both sides, its answers not spooled to disk.
    pub fn nginx(&self) -> Peer {
        self.nginx_for("nginx", SERVICE_PATH, self.backend.address, PATH)
    }

    /// The same in files of this name, for another service and what stands behind it; bodies stay in memory.
    pub fn nginx_for(&self, name: &str, path: &str, backend: SocketAddr, behind: &str) -> Peer {
        let address = free();
        let [cert, key] = [".pem", ".key.pem"].map(|ending| self.pki_file(Role::GatewayServer, ending));
        let [own_cert, own_key] = [".pem", ".key.pem"].map(|ending| self.pki_file(Role::GatewayClient, ending));
        let (root, dir) = (self.file("pki/root.pem").display().to_string(), self.world.dir.display());
        let config = format!(
            "user root; worker_processes auto; pid {dir}/{name}.pid; error_log {dir}/{name}-error.log warn;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n  access_log off; client_body_temp_path {dir}/nginx-body; proxy_temp_path {dir}/nginx-proxy; client_max_body_size 32m; client_body_buffer_size 16m;\n\
             \x20 fastcgi_temp_path {dir}/nginx-f; uwsgi_temp_path {dir}/nginx-u; scgi_temp_path {dir}/nginx-s;\n\
             \x20 keepalive_requests 1000000000;\n\
             \x20 upstream index {{ server {backend}; keepalive 64; keepalive_requests 1000000000; }}\n\
             \x20 server {{\n    listen {address} ssl;\n    ssl_certificate {cert}; ssl_certificate_key {key};\n\
             \x20   ssl_client_certificate {root}; ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3;\n\
             \x20   ssl_verify_depth 3; ssl_session_cache off; ssl_session_tickets off;\n\
             \x20   location / {{ return 404; }}\n\
             \x20   location {path} {{\n      proxy_pass https://index{behind}; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             \x20     proxy_ssl_certificate {own_cert}; proxy_ssl_certificate_key {own_key}; proxy_ssl_verify on; proxy_ssl_verify_depth 3;\n\
             \x20     proxy_ssl_trusted_certificate {root}; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.2 TLSv1.3;\n\
             \x20     proxy_max_temp_file_size 0;\n    }}\n  }}\n}}\n"
        );
        let file = self.file(&format!("{name}.conf"));
        std::fs::write(&file, config).unwrap();
        let arguments = ["-c", file.to_str().unwrap(), "-g", "daemon off;"];
        let mut process = Process::start("nginx", &arguments, &self.file(&format!("{name}.log")));
        process.listens(address);
        Peer { name: "nginx", address, process }
    }

    /// The gateway's own libraries as the same.
    pub fn hyper(&self) -> Peer {
        let (address, program) = (free(), std::env::current_exe().unwrap());
        let (listen, backend, pki) = (address.to_string(), self.backend.address.to_string(), self.file("pki"));
        let arguments = ["--bench", super::PASS_THROUGH, &listen, &backend, pki.to_str().unwrap()];
        let mut process = Process::start(program.to_str().unwrap(), &arguments, &self.file("hyper.log"));
        process.listens(address);
        Peer { name: "hyper", address, process }
    }

    /// haproxy as the same; `None` where it is not installed.
    pub fn haproxy(&self) -> Option<Peer> {
        if super::process::said("haproxy", &["-v"]).is_empty() {
            return None;
        }
        let address = free();
        // haproxy wants certificate and key in one file.
        for (role, name) in [(Role::GatewayServer, "front.pem"), (Role::GatewayClient, "back.pem")] {
            let both: String =
                [".pem", ".key.pem"].map(|end| std::fs::read_to_string(self.pki_file(role, end)).unwrap()).concat();
            std::fs::write(self.file(name), both).unwrap();
        }
        let (dir, backend) = (self.world.dir.display(), self.backend.address);
        let config = format!(
            "global\n  maxconn 4096\n  tune.ssl.cachesize 0\n  ssl-default-bind-options no-tls-tickets\n\
             defaults\n  mode http\n  timeout connect 5s\n  timeout client 120s\n  timeout server 120s\n  http-reuse always\n\
             frontend front\n  bind {address} ssl crt {dir}/front.pem ca-file {dir}/pki/root.pem verify required alpn http/1.1\n\
             \x20 http-request set-path {PATH} if {{ path {SERVICE_PATH} }}\n  http-request return status 404 unless {{ path {PATH} }}\n\
             \x20 default_backend index\n\
             backend index\n  server index {backend} ssl crt {dir}/back.pem ca-file {dir}/pki/root.pem verify required verifyhost localhost alpn http/1.1\n"
        );
        let file = self.file("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let mut process = Process::start("haproxy", &["-db", "-f", file.to_str().unwrap()], &self.file("haproxy.log"));
        process.listens(address);
        Some(Peer { name: "haproxy", address, process })
    }
}
