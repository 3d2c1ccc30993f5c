//! What time does to calls under way: a node's clock steps, and the gateway's own certificate ends while it runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hjemmel::audit::{Outcome as Ended, search};
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use http_body_util::BodyExt;
use jiff::SignedDuration;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256};
use tokio_rustls::TlsConnector;

use crate::database::{Caller, Outcome, Shared};
use crate::nodes::Connection;
use crate::not_run::did_not_run;
use crate::postgres::free_port;
use crate::process::{Gateway, HJEMMEL, comes_to, in_runtime};
use crate::stage::options;
use crate::wire::Http;

/// The clock of one process, which can be set while it runs; how long something takes is measured by the machine's.
struct OwnClock {
    file: PathBuf,
    library: PathBuf,
}

impl OwnClock {
    /// `None`, and a line that says what did not run, without libfaketime.
    fn new(dir: &Path) -> Option<Self> {
        let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let library = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|file| file.exists());
        let Some(library) = library else {
            did_not_run("a clock that steps", "apt-get install libfaketime");
            return None;
        };
        let clock = Self { file: dir.join("clock"), library };
        clock.set(0);
        Some(clock)
    }

    /// So many seconds beside this program's clock, from now on.
    fn set(&self, seconds: i64) {
        // `tests/days.sh` sets this program's own.
        let of_this_program = std::env::var("FAKETIME").ok().and_then(|offset| offset.parse::<i64>().ok()).unwrap_or(0);
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{:+}s\n", of_this_program + seconds)).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

#[test]
fn a_node_whose_clock_steps_while_calls_are_under_way_answers_them_passes_nothing_twice_and_serves_once_it_is_right() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let Some(clock) = OwnClock::new(shared.dir.path()) else { return };
        let configuration = shared.configuration("steps", free_port(), "");
        let steps = shared.launched_in("steps", &configuration, &clock.environment()).await.expect("it starts");
        let (right, caller) = (shared.node("right").await, shared.caller().await);
        let before = caller.message();
        assert_eq!(steps.asks(&before).await, Outcome::Served, "{}", steps.logged());
        let mut passed = vec![before];
        for seconds in [600, -600] {
            shared.world.index_mode.set(FaultMode::Slow(Duration::from_secs(10)));
            let (message, asked) = (caller.message(), shared.world.index_requests());
            let step = async {
                comes_to("the index is asked", async || shared.world.index_requests() > asked).await;
                clock.set(seconds);
            };
            let (under_way, ()) = tokio::join!(steps.asks(&message), step);
            // The index's answer is of another time than the node's, so that nothing of it counts.
            assert_eq!(under_way.code(), "PeerSignatureInvalid", "{seconds}");
            assert!(steps.logged().contains("a peer's answer is of another time"), "{}", steps.logged());
            // It was admitted, so it is known.
            passed.push(message);
            shared.world.index_mode.set(FaultMode::Honest);

            let refused = caller.calls(&steps).await;
            let due = if seconds > 0 { "TimestampOutside" } else { "TokenExpired" };
            assert_eq!(refused.code(), due, "the clock is {seconds} s beside the caller's");
            let message = caller.message();
            assert_eq!(right.asks(&message).await, Outcome::Served, "the other node does not mind");
            passed.push(message);
            for message in &passed {
                for node in [&steps, &right] {
                    assert_ne!(node.asks(message).await, Outcome::Served, "{seconds}");
                }
            }
            clock.set(0);
            caller.is_served_again(&steps).await;
        }
        for message in &passed {
            for node in [&steps, &right] {
                assert_eq!(node.asks(message).await.code(), "Replay", "with the right clock each is known");
            }
        }
        for node in [steps, right] {
            node.gateway.signal("-TERM");
            assert!(node.gateway.ended().await);
        }
        let mut verify = Command::new(HJEMMEL);
        verify.current_dir(shared.dir.path()).args(["audit", "verify", "--key", "audit-keys/checkpoint.pub"]);
        let said = verify.args(["audit-steps", "audit-right"]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        let (calls, unreadable) = search::follow(&shared.dir.path().join("audit-steps"), |_| true).unwrap();
        assert_eq!(unreadable, 0);
        for call in &calls {
            let took = Duration::from_micros(call.record.duration_us.expect("each is closed"));
            assert!(took < Duration::from_secs(60), "how long a call took is not measured by the clock: {took:?}");
        }
        assert!(calls.iter().filter(|call| call.record.outcome == Some(Ended::Served)).count() >= 3);
    });
}

/// A CA of the test's own, and a server's certificate that ends before long.
struct Short {
    root: String,
    ca: Issuer<'static, KeyPair>,
}

impl Short {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().pem();
        Self { root, ca: Issuer::new(params, key) }
    }

    /// Certificate and key, in these files.
    fn writes(&self, certificate: &Path, key: &Path, lives: SignedDuration) {
        let own = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let now = Clock::system().now();
        let at = |instant: jiff::Timestamp| std::time::SystemTime::from(instant).into();
        params.not_before = at(now - SignedDuration::from_hours(1));
        params.not_after = at(now + lives);
        std::fs::write(certificate, params.signed_by(&own, &self.ca).unwrap().pem() + &self.root).unwrap();
        std::fs::write(key, own.serialize_pem()).unwrap();
    }

    fn client(&self) -> TlsConnector {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(self.root.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

#[test]
fn a_gateway_whose_own_certificate_ends_while_it_runs_says_so_serves_who_is_connected_and_takes_another_with_a_reload() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let text = std::fs::read_to_string(&world.configuration).unwrap();
        let mut settings: toml::Table = text.parse().unwrap();
        let own = "[listen]\ncertificate = \"short.pem\"\nkey = \"short.key.pem\"\n";
        hjemmel::cli::demo::world::merge(&mut settings, own.parse().unwrap());
        std::fs::write(&world.configuration, settings.to_string()).unwrap();
        let (short, files) = (Short::new(), ["short.pem", "short.key.pem"].map(|file| dir.path().join(file)));
        // Longer than a gateway takes to start on a machine that is busy.
        short.writes(&files[0], &files[1], SignedDuration::from_secs(30));
        let gateway = Gateway::start(&world).await;
        let (caller, tls) = (Caller::of(&world).await, short.client());
        let at = ([127, 0, 0, 1], world.service.port_u16().unwrap()).into();
        let mut kept = Connection::open(&tls, at, Http::One).await.unwrap();
        let serves = async |kept: &mut Connection| {
            let response = kept.send(caller.message()).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
            assert!(kept.is_open().await);
        };
        serves(&mut kept).await;

        let mut refused = String::new();
        comes_to("clients take the certificate no more", async || match Connection::open(&tls, at, Http::One).await {
            Ok(_) => false,
            Err(how) => {
                refused = how;
                true
            }
        })
        .await;
        assert!(refused.to_lowercase().contains("expired"), "{refused}");
        let log = || std::fs::read_to_string(dir.path().join("log")).unwrap();
        comes_to("the operator is told when it has ended", async || log().contains("certificate has ended")).await;
        // Who is connected is served.
        for _ in 0..3 {
            serves(&mut kept).await;
        }

        short.writes(&files[0], &files[1], SignedDuration::from_hours(1));
        gateway.signal("-HUP");
        comes_to("the next certificate is taken up", async || Connection::open(&tls, at, Http::One).await.is_ok()).await;
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
    });
}
