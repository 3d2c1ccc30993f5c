//! PgBouncer, before a cluster of the tests.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;

use super::process::{Folder, Signal, free_port, signal};
use super::{Cluster, PASSWORD, ROLE, Shown, address};
use crate::not_run::did_not_run;

/// Debian 12's: 1.18, which keeps no prepared statements apart.
const PROGRAM: &str = "/usr/sbin/pgbouncer";
/// Debian 13's: 1.24, which does. `pgbouncer.sh` beside this file lays it there.
const NEWER: &str = "/usr/local/lib/hjemmel-tests/pgbouncer/pgbouncer";

/// What the watcher does at the end, in PgBouncer's folder.
const END: &str = "if [ -f pid ]; then p=$(cat pid); kill -CONT $p; kill -KILL $p; fi";

/// Whom a connection to the server is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A client, for as long as it is connected.
    Session,
    /// Each transaction.
    Transaction,
}

/// A PgBouncer of its own.
pub struct Bouncer {
    program: &'static Path,
    folder: Folder,
    port: u16,
    running: Mutex<Child>,
    /// As `pgbouncer --version` says: major, minor.
    pub version: (u32, u32),
}

impl Bouncer {
    /// Before `cluster`, in `mode`, with at most `pool` connections to each of its databases. `None`, and a line that says what did not
    /// run, without PgBouncer.
    pub fn before(cluster: &Cluster, mode: Mode, pool: usize) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            did_not_run("PgBouncer", "apt-get install pgbouncer");
            return None;
        }
        Some(Self::of(Path::new(PROGRAM), cluster, mode, pool, ""))
    }

    /// The same with one that keeps prepared statements apart, and `more` settings.
    pub fn newer(cluster: &Cluster, mode: Mode, pool: usize, more: &str) -> Option<Self> {
        if !Path::new(NEWER).exists() {
            did_not_run("PgBouncer 1.24 in transaction mode", "tests/support/postgres/pgbouncer.sh, as root");
            return None;
        }
        Some(Self::of(Path::new(NEWER), cluster, mode, pool, more))
    }

    fn of(program: &'static Path, cluster: &Cluster, mode: Mode, pool: usize, more: &str) -> Self {
        let folder = Folder::new("hjemmel-pgbouncer", END);
        let (certificate, key) = cluster.certificates.of(Shown::Good);
        folder.write("server.pem", certificate);
        folder.write("server.key", key);
        folder.write("root.pem", &cluster.certificates.root);
        folder.write("users", &format!("\"{ROLE}\" \"{PASSWORD}\"\n"));
        for _ in 0..5 {
            let port = free_port();
            let path = folder.path().display();
            let mode = if mode == Mode::Session { "session" } else { "transaction" };
            folder.write(
                "pgbouncer.ini",
                &format!(
                    "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                     unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {path}/users\npidfile = {path}/pid\n\
                     logfile = {path}/log\npool_mode = {mode}\ndefault_pool_size = {pool}\n\
                     ignore_startup_parameters = extra_float_digits\nserver_login_retry = 0.2\n\
                     client_tls_sslmode = require\nclient_tls_cert_file = {path}/server.pem\n\
                     client_tls_key_file = {path}/server.key\nserver_tls_sslmode = verify-full\n\
                     server_tls_ca_file = {path}/root.pem\n{more}\n",
                    cluster.port()
                ),
            );
            if let Some(running) = started(program, &folder, port) {
                return Self { version: version(program, &folder), program, folder, port, running: Mutex::new(running) };
            }
        }
        panic!("PgBouncer did not start:\n{}", log(&folder));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, database: &str) -> String {
        address(self.port, database, &self.folder.path().join("root.pem"))
    }

    /// Ends it as its machine would, with all connections, and starts it again on the same port.
    pub fn restart(&self) {
        let mut running = self.running.lock().unwrap();
        signal(Signal::Kill, &[running.id()]);
        running.wait().unwrap();
        let _ = std::fs::remove_file(self.folder.path().join("pid"));
        *running = started(self.program, &self.folder, self.port)
            .unwrap_or_else(|| panic!("PgBouncer did not start:\n{}", log(&self.folder)));
    }
}

fn started(program: &Path, folder: &Folder, port: u16) -> Option<Child> {
    let mut command = folder.command(program);
    let mut running = command.arg("-q").arg("pgbouncer.ini").stdout(Stdio::null()).spawn().unwrap();
    loop {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && folder.path().join("pid").exists() {
            return Some(running);
        }
        if running.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::yield_now();
    }
}

fn version(program: &Path, folder: &Folder) -> (u32, u32) {
    let said = folder.run(program, &["--version"]);
    let number = said.lines().next().and_then(|line| line.split_whitespace().last()).unwrap();
    let mut parts = number.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

fn log(folder: &Folder) -> String {
    std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
}
