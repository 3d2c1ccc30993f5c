//! PostgreSQL and PgBouncer for tests: Debian's programs, in a temporary folder, on a port of their own, with TLS.
//!
//! A cluster belongs to one test program ([`Cluster::shared`], one database a test) or to one test that stops, kills or
//! reconfigures it ([`Cluster::own`]). A watcher process ends the server and removes its folder when the pipe to it closes,
//! so also when the program panics or is killed. The programs get an environment of their own: a clock that is set for the
//! tests alone does not reach them.

mod bouncer;
mod certificates;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hjemmel::store::settings::{At, Postgres, Settings};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::not_run::did_not_run;
pub use bouncer::{Bouncer, Mode};
use certificates::Certificates;
pub use certificates::Shown;
pub use process::free_port;
use process::{Folder, Signal, signal, tree};

/// The role that tests log on as; it owns its databases and is nothing else.
pub const ROLE: &str = "hjemmel";
pub const PASSWORD: &str = "only-for-tests";

/// A server of its own.
pub struct Cluster {
    programs: PathBuf,
    folder: Folder,
    port: u16,
    databases: AtomicU32,
    certificates: Certificates,
    settings: &'static str,
}

/// What spares the tests time. What is measured has none of it: nobody runs such a server.
const IN_TESTS: &str = "shared_buffers = '16MB'\nfsync = off\nautovacuum = off\n";

/// A database that was made for one test.
pub struct TestDatabase {
    pub name: String,
    /// With TLS, verified in full.
    pub url: String,
}

impl Cluster {
    /// The cluster of this test program; nobody stops it. `None`, and a line that says what did not run, without PostgreSQL.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::own).as_ref().or_else(|| {
            did_not_run("PostgreSQL", "apt-get install postgresql");
            None
        })
    }

    /// A cluster for one test, which may do with it as it likes. `None`, and a line that says what did not run, without
    /// PostgreSQL.
    pub fn own() -> Option<Self> {
        Self::with(IN_TESTS, &of_one_round(PASSWORD))
    }

    /// A cluster to measure: the server as it comes, which keeps on the disk what it is told and hashes a password in as many rounds as usual.
    /// `None`, and a line that says what did not run, without PostgreSQL.
    pub fn as_it_comes() -> Option<Self> {
        Self::with("", PASSWORD)
    }

    fn with(settings: &'static str, password: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            did_not_run("PostgreSQL", "apt-get install postgresql");
            return None;
        };
        let folder = Folder::new("hjemmel-postgres", END);
        let certificates = Certificates::make();
        let mut cluster = Self { programs, folder, port: 0, databases: AtomicU32::new(0), certificates, settings };
        let data = cluster.data();
        cluster.run("initdb", &["-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8", "-D", &data]);
        cluster
            .folder
            .write("data/pg_hba.conf", "local all,replication postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
        cluster.folder.write("password", PASSWORD);
        cluster.folder.write("root.pem", &cluster.certificates.root);
        cluster.write_certificate(Shown::Good);
        cluster.try_ports("");
        cluster.psql(&format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'"));
        Some(cluster)
    }

    /// A standby that follows this one by streaming replication. With `synchronous` nothing is committed here from now on that
    /// it has not, too.
    pub async fn standby(&self, synchronous: bool) -> Self {
        let folder = Folder::new("hjemmel-postgres", END);
        let (programs, certificates, settings) = (self.programs.clone(), self.certificates.clone(), self.settings);
        let mut standby = Self { programs, folder, port: 0, databases: AtomicU32::new(0), certificates, settings };
        let (data, sockets, port) = (standby.data(), self.folder.path().display().to_string(), self.port.to_string());
        let taken = ["-D", &data, "-h", &sockets, "-p", &port, "-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync"];
        standby.run("pg_basebackup", &taken);
        standby.folder.write("password", PASSWORD);
        standby.folder.write("root.pem", &standby.certificates.root);
        standby.folder.write("data/standby.signal", "");
        standby.try_ports(&format!("primary_conninfo = 'host={sockets} port={port} user=postgres'\n"));
        if synchronous {
            self.set("synchronous_standby_names", "*");
            self.wait_until("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'").await;
        }
        standby
    }

    /// A standby takes over.
    pub fn promote(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "promote"]);
    }

    /// A free port may be taken by another before the server has it, so several are tried.
    fn try_ports(&mut self, more: &str) {
        for _ in 0..5 {
            self.port = free_port();
            let sockets = self.folder.path().display();
            self.folder.write(
                "data/postgresql.auto.conf",
                &format!(
                    "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{sockets}'\nssl = on\n\
                     ssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\npassword_encryption = 'scram-sha-256'\n\
                     max_connections = 200\n{}log_min_messages = 'warning'\nlog_line_prefix = '%m %d [%p] '\n{more}",
                    self.port, self.settings
                ),
            );
            if self.started() {
                return;
            }
        }
        panic!("PostgreSQL did not start:\n{}", self.log());
    }

    fn started(&self) -> bool {
        let log = self.folder.path().join("log").display().to_string();
        self.folder
            .command(&self.programs.join("pg_ctl"))
            .args(["-D", &self.data(), "-w", "-t", "60", "-l", &log, "start"])
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Starts what was stopped or killed, on the same port.
    pub fn start(&self) {
        assert!(self.started(), "PostgreSQL did not start again:\n{}", self.log());
    }

    /// Stops it as an administrator does who does not wait for clients (`fast`: their connections are ended, open
    /// transactions rolled back).
    pub fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", "fast", "stop"]);
    }

    /// Starts it as a standby that then takes over, as after a fail-over: another timeline of the same server.
    pub fn fail_over(&self) {
        self.stop();
        self.folder.write("data/standby.signal", "");
        self.start();
        self.promote();
    }

    /// A database as SQL that makes its tables anew.
    pub fn dump(&self, database: &str) -> String {
        let sockets = self.folder.path().display().to_string();
        let port = self.port.to_string();
        self.run("pg_dump", &["-U", "postgres", "-h", &sockets, "-p", &port, "--clean", "--if-exists", database])
    }

    /// Puts a database back from what [`dump`](Self::dump) gave.
    pub fn restore(&self, database: &str, dump: &str) {
        self.folder.write("dump.sql", dump);
        let sockets = self.folder.path().display().to_string();
        let port = self.port.to_string();
        let common = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-f", "dump.sql"];
        self.run("psql", &[&common[..], &["-h", &sockets, "-p", &port, "-d", database]].concat());
    }

    /// Keeps a snapshot of the server's disk as it is now.
    pub fn snapshot(&self) {
        self.stop();
        self.folder.run(Path::new("/bin/cp"), &["-a", "data", "snapshot"]);
        self.start();
    }

    /// Puts the disk back as the last [`snapshot`](Self::snapshot) has it: to the server itself nothing has happened since.
    pub fn put_disk_back(&self) {
        self.stop();
        self.folder.run(Path::new("/bin/rm"), &["-r", "data"]);
        self.folder.run(Path::new("/bin/mv"), &["snapshot", "data"]);
        self.start();
    }

    /// The rows of a database alone, as SQL that fills them in.
    pub fn rows(&self, database: &str) -> String {
        let sockets = self.folder.path().display().to_string();
        let port = self.port.to_string();
        self.run("pg_dump", &["-U", "postgres", "-h", &sockets, "-p", &port, "--data-only", database])
    }

    /// Puts the rows of what [`rows`](Self::rows) gave in the place of those that are there, as only a superuser can: no trigger
    /// is asked.
    pub fn put_rows_back(&self, database: &str, rows: &str) {
        let all = "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class
                   WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let tables = self.psql_in(database, all);
        self.restore(database, &format!("SET session_replication_role = replica; TRUNCATE {};\n{rows}", tables.trim()));
    }

    /// `stop` and `start`.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// SIGKILL to the whole server, as if its machine had gone. What was committed is on disk.
    pub fn kill(&self) {
        let postmaster = self.postmaster();
        signal(Signal::Kill, &tree(postmaster));
        while Path::new(&format!("/proc/{postmaster}/stat")).exists() && !process::is_zombie(postmaster) {
            std::thread::yield_now();
        }
        // Where nobody asks for processes that have ended, their locks look as if they were held.
        for lock in ["data/postmaster.pid".to_owned(), format!(".s.PGSQL.{}.lock", self.port)] {
            let _ = fs::remove_file(self.folder.path().join(lock));
        }
    }

    /// Freezes every process of the server until the value is dropped: connections stay open, and nothing answers.
    pub fn pause(&self) -> Paused {
        let processes = tree(self.postmaster());
        signal(Signal::Stop, &processes);
        Paused(processes)
    }

    /// The certificate that is shown to those who connect from now on.
    pub fn show(&self, shown: Shown) {
        self.write_certificate(shown);
        self.reload();
    }

    /// Whether TLS is offered to those who connect from now on.
    pub fn offer_tls(&self, offered: bool) {
        self.psql(&format!("ALTER SYSTEM SET ssl = {}", if offered { "on" } else { "off" }));
        self.reload();
    }

    /// Changes a setting of the server (`ALTER SYSTEM`) for those who connect from now on.
    pub fn set(&self, name: &str, value: &str) {
        self.psql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.reload();
    }

    /// Takes the files of configuration up again, and waits until the server has.
    fn reload(&self) {
        let asked = self.psql("SELECT pg_conf_load_time()");
        self.psql("SELECT pg_reload_conf()");
        while self.psql("SELECT pg_conf_load_time()") == asked {
            std::thread::yield_now();
        }
    }

    /// An empty database, owned by [`ROLE`].
    pub fn database(&self) -> TestDatabase {
        self.database_from("template0")
    }

    /// A copy of `template`, to which nobody may be connected.
    pub fn database_from(&self, template: &str) -> TestDatabase {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}"));
        let url = self.url(&name);
        TestDatabase { name, url }
    }

    /// How the gateway's store is told to reach a database.
    pub fn settings(&self, database: &str) -> Settings {
        self.settings_at(self.port, database)
    }

    pub fn settings_at(&self, port: u16, database: &str) -> Settings {
        let address = format!("postgres://{ROLE}@localhost:{port}/{database}").parse().unwrap();
        let tls_roots = self.certificates.root.clone();
        let server = Postgres { tls_roots, password_file: Some(self.password_file()), ..Postgres::at(address) };
        Settings::usual(At::Postgres(Box::new(server)))
    }

    /// A file that holds the password of [`ROLE`].
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        address(self.port, database, &self.root())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The root that signed the server's certificate.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A root that signed nothing here.
    pub fn another_root(&self) -> PathBuf {
        self.folder.write("another-root.pem", &self.certificates.another_root);
        self.folder.path().join("another-root.pem")
    }

    /// One or more statements as the superuser, through psql; what they answered, unaligned.
    pub fn psql(&self, sql: &str) -> String {
        self.psql_in("postgres", sql)
    }

    pub fn psql_in(&self, database: &str, sql: &str) -> String {
        let sockets = self.folder.path().display().to_string();
        let port = self.port.to_string();
        let common = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres"];
        self.run("psql", &[&common[..], &["-h", &sockets, "-p", &port, "-d", database, "-c", sql]].concat())
    }

    /// A connection of the superuser's, for what must stay open: a lock, a transaction.
    pub async fn superuser(&self, database: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .port(self.port)
            .username("postgres")
            .database(database);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// Ends every connection of [`ROLE`] to a database, as an administrator or a fail-over does. How many there were.
    pub fn terminate(&self, database: &str) -> usize {
        let ended = self.psql(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{ROLE}'"
        ));
        ended.trim().parse().unwrap()
    }

    /// Waits until `sql`, as the superuser, answers `t`.
    pub async fn wait_until(&self, sql: &str) {
        let mut connection = self.superuser("postgres").await;
        loop {
            let row = connection.fetch_one(AssertSqlSafe(sql.to_owned())).await.unwrap();
            if sqlx::Row::get::<bool, _>(&row, 0) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// The server's first process, of which all others are children.
    pub fn postmaster(&self) -> u32 {
        let file = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    fn write_certificate(&self, shown: Shown) {
        let (certificate, key) = self.certificates.of(shown);
        self.folder.write("data/server.pem", certificate);
        self.folder.write("data/server.key", key);
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        self.folder.run(&self.programs.join(program), arguments)
    }
}

/// A server that stands still.
pub struct Paused(Vec<u32>);

impl Drop for Paused {
    fn drop(&mut self) {
        signal(Signal::Continue, &self.0);
    }
}

/// What the watcher does at the end, in the cluster's folder.
const END: &str = "if [ -f data/postmaster.pid ]; then
  p=$(head -n 1 data/postmaster.pid); all=\"$p $(cat /proc/$p/task/$p/children 2>/dev/null)\"
  kill -CONT $all; kill -QUIT $p
  for i in $(seq 100); do [ -f data/postmaster.pid ] || break; sleep 0.1; done
  kill -KILL $all
fi";

fn address(port: u16, database: &str, root: &Path) -> String {
    format!("postgres://{ROLE}:{PASSWORD}@localhost:{port}/{database}?sslmode=verify-full&sslrootcert={}", root.display())
}

/// What the server keeps of a password (RFC 5802), of one round instead of the 4,096 that each connection of a debug build pays for.
fn of_one_round(password: &str) -> String {
    let (salt, base64) = ("salt of the tests", |bytes: &[u8]| STANDARD.encode(bytes));
    let signed = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let salted = signed(password.as_bytes(), &[salt.as_bytes(), &1_u32.to_be_bytes()].concat());
    let stored = digest::digest(&digest::SHA256, signed(salted.as_ref(), b"Client Key").as_ref());
    let server = signed(salted.as_ref(), b"Server Key");
    format!("SCRAM-SHA-256$1:{}${}:{}", base64(salt.as_bytes()), base64(stored.as_ref()), base64(server.as_ref()))
}

/// Where the programs of the newest PostgreSQL are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    found.sort();
    let on_path = || std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("initdb").exists());
    found.pop().map(|(_, programs)| programs).or_else(on_path)
}
