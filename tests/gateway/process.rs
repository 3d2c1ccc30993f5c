//! `hjemmel serve` and `hjemmel check` as processes of their own.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hjemmel::agreements::{State, Store};
use hjemmel::audit::Outcome::Served;
use hjemmel::audit::chain::Event;
use hjemmel::audit::log::{Limits, Log};
use hjemmel::audit::{AuditSettings, Record, Subject, anchors, keys, retire};
use hjemmel::cli::call::client::{Client, Exchange};
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::invitation::Invitation;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::soap::envelope::Version;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use uuid::Uuid;

use crate::decides::Decides;
use crate::request::{and, search};
use crate::stage::{admin, options, person};

pub const HJEMMEL: &str = env!("CARGO_BIN_EXE_hjemmel");

/// A gateway in a process of its own, killed if the test fails.
pub struct Gateway(pub Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Gateway {
    /// Starts it, its log in `log` beside the configuration, and waits until it is ready. A write past the limit on file
    /// sizes, where one is set, is an error rather than its end.
    pub async fn start(world: &World) -> Self {
        let log = std::fs::File::create(world.dir.join("log")).unwrap();
        let line = "trap '' XFSZ; exec \"$0\" serve --config \"$1\"";
        let child = Command::new("sh").args(["-c", line, HJEMMEL]).arg(&world.configuration).stderr(log).spawn().unwrap();
        Self(child).ready(world).await
    }

    pub async fn ready(self, world: &World) -> Self {
        for _ in 0..2400 {
            if tokio::net::TcpStream::connect(world.admin).await.is_ok() && admin(world.admin, "/readyz").await.0 == 200 {
                return self;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the gateway is not ready: {}", std::fs::read_to_string(world.dir.join("log")).unwrap_or_default());
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the gateway does not end");
    }
}

pub fn in_runtime(play: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(play);
}

pub async fn ask(client: &Client) -> Exchange {
    let input = search(&and(&[&person(demo::UDK_ONLY)]));
    let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), input.as_bytes());
    client.send(Version::V11, message).await.unwrap()
}

#[test]
fn sigterm_drains_the_process_and_closes_the_log() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let gateway = Gateway::start(&world).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        assert_eq!(ask(&client).await.status, 200);
        world.index_mode.set(FaultMode::Slow(Duration::from_secs(1)));
        let (before, calling) = (world.index_requests(), client.clone());
        let call = tokio::spawn(async move { ask(&calling).await });
        comes_to("the index is asked", async || world.index_requests() > before).await;
        gateway.signal("-TERM");
        let exchange = call.await.unwrap();
        assert_eq!(exchange.status, 200, "the call under way is finished");
        assert!(gateway.ended().await, "{}", std::fs::read_to_string(dir.path().join("log")).unwrap());
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(
            log.contains(" INFO ") && !log.contains('\u{1b}'),
            "a log in a file has no colours, which nobody could search: {log}"
        );
        let key = hjemmel::audit::keys::checkpoint_public_key(&dir.path().join("audit-keys/checkpoint.pub")).unwrap();
        let verified = hjemmel::audit::verify::verify(&dir.path().join("audit"), &[key], &[]).unwrap();
        assert!(verified.stopped && verified.unclosed == 0 && verified.closed == 2, "{verified:?}");
    });
}

#[test]
fn after_a_crash_the_record_on_disk_still_leads_to_the_entry_in_the_indexs_log() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let mut gateway = Gateway::start(&world).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        world.index_mode.set(FaultMode::Slow(Duration::from_secs(60)));
        let call = tokio::spawn(async move {
            let input = search(&and(&[&person(demo::UDK_ONLY)]));
            client.send(Version::V11, Client::authority_context_message(KORSBAEK.parse().unwrap(), input.as_bytes())).await
        });
        comes_to("the index is asked", async || world.index_requests() > 0).await;
        gateway.0.kill().unwrap();
        gateway.0.wait().unwrap();
        assert!(call.await.unwrap().is_err(), "the caller was never answered");

        let found = hjemmel::audit::search::search(&dir.path().join("audit"), |_| true).unwrap();
        let [record] = found.calls.values().collect::<Vec<_>>()[..] else { panic!("one call: {found:?}") };
        assert_eq!(record.outcome, None, "admitted, never closed");
        let sent = String::from_utf8(world.received.get().last.to_vec()).unwrap();
        let own = record.own_transaction.expect("the record of admission names it").to_string();
        assert!(sent.contains(&format!("TransactionUUID>{own}<")), "{own} is what the index was sent: {sent}");
    });
}

#[test]
fn without_a_record_on_disk_nothing_is_forwarded() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let gateway = Gateway::start(&world).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        assert_eq!(ask(&client).await.status, 200);

        // From here no file of the process grows past a byte, as on a full disk.
        let limit = |limit: &str| {
            let process = gateway.0.id().to_string();
            let done = Command::new("prlimit").args(["--pid", &process, &format!("--fsize={limit}:unlimited")]).status();
            assert!(done.expect("prlimit (util-linux) is there").success());
        };
        limit("1");
        let before = world.index_requests();
        let refused = ask(&client).await;
        match Said::read(&refused.answer) {
            Said::Fault { code, texts } => assert_eq!((&*code, texts.len(), refused.status), ("AuditUnavailable", 2, 500)),
            other => panic!("{} {other:?}", refused.status),
        }
        assert_eq!(world.index_requests(), before, "nothing is forwarded");
        let (status, why) = admin(world.admin, "/readyz").await;
        assert_eq!(status, 503, "{why}");
        assert!(why.contains("audit log cannot be written: File too large"), "{why}");
        for _ in 0..30 {
            assert_eq!(ask(&client).await.status, 500);
        }

        limit("unlimited");
        comes_to("it is ready again", async || admin(world.admin, "/readyz").await.0 == 200).await;
        assert_eq!(ask(&client).await.status, 200, "it recovers when the disk does");
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        let told = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        // That it began cannot stand in a log that could not grow either; `audit::writer` shows it.
        assert_eq!(told("the audit log is written again"), 1, "{log}");
        let key = hjemmel::audit::keys::checkpoint_public_key(&dir.path().join("audit-keys/checkpoint.pub")).unwrap();
        hjemmel::audit::verify::verify(&dir.path().join("audit"), &[key], &[]).unwrap();
    });
}

/// Waits until it is so; gives up after a minute, however slow the machine.
pub async fn comes_to(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_store_that_a_restore_replaces_is_obeyed_and_one_that_is_gone_ends_the_calls() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let text = std::fs::read_to_string(&world.configuration).unwrap();
        let short = text.replacen("[store]\n", "[agreements]\ncache_ttl = \"1s\"\nmax_staleness = \"1s\"\n[store]\n", 1);
        assert_ne!(text, short);
        std::fs::write(&world.configuration, short).unwrap();
        let gateway = Gateway::start(&world).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        let code = async || match Said::read(&ask(&client).await.answer) {
            Said::Fault { code, .. } => Some(code.to_string()),
            _ => None,
        };
        assert_eq!(code().await, None, "a call is served");

        let (store, copy, away) = (dir.path().join("agreements.sqlite"), dir.path().join("copy"), dir.path().join("away"));
        let mv = |from: &Path, to: &Path| assert!(Command::new("mv").arg("-f").args([from, to]).status().unwrap().success());
        // Nobody writes to it meanwhile, so that the copy is as far as the gateway has seen the store.
        mv(&store, &away);
        std::fs::copy(&away, &copy).unwrap();
        let backup = Store::open(&Settings::sqlite(&copy)).await.unwrap();
        for agreement in backup.list().await.unwrap().iter().filter(|agreement| agreement.authority.to_string() == KORSBAEK) {
            backup.decide(agreement.id, State::Suspended, "Prøve", "prøve", world.clock.now()).await.unwrap();
        }
        backup.close().await;
        mv(&copy, &store);
        comes_to("the restored suspension holds", async || code().await.as_deref() == Some("ServiceAgreementNotActive")).await;
        assert_eq!(admin(world.admin, "/readyz").await.0, 200);

        mv(&store, &away);
        comes_to("calls are refused without a store", async || code().await.as_deref() == Some("AgreementsUnavailable")).await;
        comes_to("readiness tells", async || admin(world.admin, "/readyz").await.1.contains("agreements store")).await;
        mv(&away, &store);
        comes_to("it is ready again", async || admin(world.admin, "/readyz").await.0 == 200).await;
        assert_eq!(code().await.as_deref(), Some("ServiceAgreementNotActive"));
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
    });
}

#[test]
fn a_copy_that_was_written_over_the_store_keeps_the_gateway_from_starting_until_somebody_accepts_it() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let once = async || {
            let gateway = Gateway::start(&world).await;
            gateway.signal("-TERM");
            assert!(gateway.ended().await);
        };
        once().await;
        let (file, copy) = (dir.path().join("agreements.sqlite"), dir.path().join("copy"));
        std::fs::copy(&file, &copy).unwrap();
        // A node that serves counts up, also where nobody decides anything.
        once().await;
        std::fs::copy(&copy, &file).unwrap();
        let hjemmel = |arguments: &[&str]| {
            Command::new(HJEMMEL).args(arguments).arg("--config").arg(&world.configuration).output().unwrap()
        };
        let started = hjemmel(&["serve"]);
        let told = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(!started.status.success() && told.contains("earlier state than this node has seen"), "{told}");
        assert!(hjemmel(&["store", "restored", "--reason", "sag 7"]).status.success());
        let gateway = Gateway::start(&world).await;
        assert_eq!(ask(&world.client(Some(Role::Korsbaek)).unwrap()).await.status, 200);
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
    });
}

#[test]
fn a_file_of_the_log_that_goes_away_is_told_while_running_at_start_and_by_check_and_mended_by_a_statement_alone() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let text = std::fs::read_to_string(&world.configuration).unwrap();
        let settings = "segment_bytes = 1048576\nretention_days = 30\n";
        std::fs::write(&world.configuration, text.replace("[audit]\n", &format!("[audit]\n{settings}"))).unwrap();
        let gateway = Gateway::start(&world).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        assert_eq!(ask(&client).await.status, 200);

        let (segment, aside) = (dir.path().join("audit/segment-00000001.jsonl"), dir.path().join("aside"));
        std::fs::rename(&segment, &aside).unwrap();
        std::fs::copy(&aside, &segment).unwrap();
        let before = world.index_requests();
        assert_eq!(ask(&client).await.status, 500, "nothing goes into a file that has lost its name");
        assert_eq!(world.index_requests(), before, "nothing is forwarded");
        let (status, why) = admin(world.admin, "/readyz").await;
        assert!(status == 503 && why.contains("segment-00000001.jsonl was removed or replaced"), "{why}");
        std::fs::rename(&aside, &segment).unwrap();
        comes_to("it is ready again", async || admin(world.admin, "/readyz").await.0 == 200).await;
        assert_eq!(ask(&client).await.status, 200);
        gateway.signal("-TERM");
        assert!(gateway.ended().await);

        let missing = dir.path().join("audit/segment-00000002.jsonl");
        std::fs::rename(&segment, &missing).unwrap();
        for command in ["check", "serve"] {
            let (good, said) = hjemmel(&[command, "--config"], &world.configuration);
            assert!(!good && said.contains("segment 1") && said.contains("missing"), "{command}: {said}");
        }
        std::fs::rename(&missing, &segment).unwrap();
        let operator = pair(dir.path(), "person-operator");
        let retire = |before: &str| {
            let arguments = ["audit", "retire", "--before", before, "--reason", "test"];
            hjemmel(&[&arguments[..], &words(&operator)[..], &["--config"]].concat(), &world.configuration)
        };
        let (good, said) = retire("2000-01-01");
        assert!(!good && said.contains("no whole segment"), "the last one stays: {said}");
        let (good, said) = retire("2999-01-01");
        assert!(!good && said.contains("retention_days keeps everything from"), "{said}");
    });
}

/// The options by which somebody of the demo signs a retirement.
fn pair(dir: &Path, name: &str) -> [String; 4] {
    let file = |end: &str| dir.join(format!("pki/{name}{end}")).display().to_string();
    ["--signed-certificate".to_owned(), file(".pem"), "--signed-key".to_owned(), file(".key.pem")]
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn what_is_too_old_leaves_the_log_by_an_operators_signed_decision_that_stands_in_the_store_and_the_chain() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let text = std::fs::read_to_string(&world.configuration).unwrap();
        std::fs::write(&world.configuration, text.replace("[audit]\n", "[audit]\nretention_days = 30\n")).unwrap();
        let folder = dir.path().join("audit");
        std::fs::create_dir_all(&folder).unwrap();
        let key = keys::checkpoint_key(&dir.path().join("audit-keys/checkpoint.key")).unwrap();
        let limits = Limits { segment_bytes: 700, ..AuditSettings::in_dir(&folder).limits };
        let then = "2020-01-01T12:00:00Z".parse().unwrap();
        let mut log = Log::open(&folder, key, limits, then).unwrap();
        for call in 0..6 {
            let record = Record { outcome: Some(Served), ..Record::new(Uuid::from_u128(call), then, "terminaladgang") };
            log.append(then, &[Event::Closed(Box::new(record))]).unwrap();
        }
        drop(log);
        let segments = || {
            let files = std::fs::read_dir(&folder).unwrap().flatten();
            files.filter(|file| file.file_name().to_string_lossy().starts_with("segment-")).count()
        };
        let before = segments();
        assert!(before > 2, "{before}");
        let audit = |arguments: &[&str]| {
            let done = Command::new(HJEMMEL).arg("audit").args(arguments).arg("--config").arg(&world.configuration).output();
            let done = done.unwrap();
            let said = [done.stdout, done.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
            (done.status.success(), said)
        };
        let retire = |by: &[&str]| audit(&[&["retire", "--before", "2021-01-01", "--reason", "time is over"], by].concat());
        let decided = async || {
            let store = Store::open(&Settings::sqlite(&dir.path().join("agreements.sqlite"))).await.unwrap();
            let all = store.every_decision().await.unwrap();
            store.close().await;
            all.into_iter().filter(|made| made.what.subject == Subject::AuditLog).collect::<Vec<_>>()
        };

        let (good, said) = retire(&["--by", "A. Jensen", "--yes"]);
        assert!(!good && said.contains("--by is gone"), "{said}");
        let signatory = pair(dir.path(), "person-signatory");
        for more in [&[][..], &["--yes"]] {
            let (good, said) = retire(&[&words(&signatory)[..], more].concat());
            assert!(!good && said.contains("no right to remove parts of the audit log"), "{said}");
        }
        let operator = pair(dir.path(), "person-operator");
        let (good, said) = retire(&words(&operator));
        assert!(good && said.contains("would be retired"), "{said}");
        assert!(segments() == before && decided().await.is_empty(), "nobody has decided anything");

        let (good, said) = retire(&[&words(&operator)[..], &["--yes"]].concat());
        assert!(good && said.contains("were retired"), "{said}");
        assert_eq!(segments(), 1, "the last stays");
        let made = decided().await;
        let [made] = &made[..] else { panic!("{made:?}") };
        let statements = retire::read(&folder).unwrap();
        let [stated] = &statements[..] else { panic!("{statements:?}") };
        assert_eq!(stated.by, format!("user {}", made.user.unwrap()), "no name stands in the statement");
        assert_eq!(
            (made.what.id, made.what.to.as_str()),
            (anchors::named(&folder).unwrap(), &*format!("retired 1-{}", before - 1))
        );
        assert_eq!(made.what.shown.as_deref(), Some(&*stated.digest()));
        assert!(made.signature.is_some() && made.certificate.is_some());

        let log = folder.display().to_string();
        let gateway = Gateway::start(&world).await;
        comes_to("the decision stands in the chain, once", async || {
            let (good, said) = audit(&["decisions", &log]);
            good && said.matches(&format!("audit_log {}  (new) -> retired", made.what.id)).count() == 1
        })
        .await;
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
        let (whole, said) =
            audit(&["verify", &log, "--key", &dir.path().join("audit-keys/checkpoint.pub").display().to_string()]);
        assert!(whole && said.contains(&format!("by user {}", made.user.unwrap())), "{said}");
    });
}

fn hjemmel(arguments: &[&str], file: &Path) -> (bool, String) {
    let mut child = Command::new(HJEMMEL).args(arguments).arg(file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().success(), said)
}

#[test]
fn check_tells_every_problem_at_once_and_serve_does_not_start_with_one() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let (good, said) = hjemmel(&["check", "--config"], &world.configuration);
        assert!(good, "{said}");
        let text = std::fs::read_to_string(&world.configuration).unwrap();
        let wrong = text
            .replace("udk_cvr = \"99999991\"", "udk_cvr = \"9999999\"")
            .replace("pki/root.pem", "pki/nowhere.pem")
            .replace("[admin]", "[admin]\nunknown_setting = 1");
        let file = dir.path().join("wrong.toml");
        std::fs::write(&file, wrong).unwrap();
        for command in ["check", "serve"] {
            let (good, said) = hjemmel(&[command, "--config"], &file);
            assert!(!good, "{command}");
            for problem in ["udk_cvr", "nowhere.pem", "unknown_setting"] {
                assert!(said.contains(problem), "{command} tells of {problem}: {said}");
            }
        }
    });
}

/// Runs a command in a folder, with this on its standard input: exit code, standard output, standard error.
fn run_in(dir: &Path, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut command = Command::new(HJEMMEL);
    command.args(arguments).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read it may have ended.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_the_demo_leaves_in_its_folder_runs_as_it_says_and_fits_eighty_columns() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let invitation = Invitation::new(&world).unwrap();
        invitation.write(&world).unwrap();
        let text = invitation.text(&world, ([127, 0, 0, 1], 65_535).into());
        for line in text.lines() {
            // A path that is longer than a line cannot be folded: how long this program's is depends on where it was built.
            let is_path = line.trim_start().starts_with('/') && !line.trim_end_matches(" \\").trim().contains(' ');
            assert!(is_path || line.chars().count() <= 80, "{line}");
        }
        // Where a line is folded depends on how long the program's path is.
        let last = text.rsplit_once("In the folder:").unwrap().1.replace("\\\n  ", "");
        for line in ["cd /", "curl --cacert", " call --env client.env", "explain --config", "audit verify"] {
            assert!(last.contains(line), "the lines to paste stand last: {line}: {text}");
        }

        let explain = |more: &[&str], input: &[u8]| {
            let (code, out, _) = run_in(dir.path(), &[&["explain", "--config", "./hjemmel.toml"], more].concat(), input);
            (code, out)
        };
        let (code, file) = explain(&["request.xml", "--answer", "answer.xml", "--json"], b"");
        assert_eq!(code, Some(0), "{file}");
        let said: serde_json::Value = serde_json::from_str(&file).unwrap();
        let counts = &said["answer"]["counts"];
        assert!(counts["objects_released"].as_u64() > Some(0), "something is released: {counts}");
        assert!(!counts["objects_removed"].as_object().unwrap().is_empty(), "and something is not: {counts}");
        let (request, answer) = ("request.xml", "answer.xml");
        let bytes = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(explain(&["-", "--lang", "da"], &bytes(request)).0, Some(0), "standard input");
        assert_eq!(explain(&[request, "--answer", "-"], &bytes(answer)).0, Some(0), "standard input");
        let both = run_in(dir.path(), &["explain", "--config", "./hjemmel.toml", "-", "--answer", "-"], &bytes(request));
        assert!(both.0 == Some(1) && both.2.contains("cannot both be read from standard input"), "{both:?}");

        // An answer that is refused says where and why, in both languages.
        let good = String::from_utf8(bytes(answer)).unwrap();
        let refused = [
            (
                String::from_utf8(bytes(request)).unwrap(),
                "Standset ved /Envelope/Body/FremsoegRequest. I Body forventes netop ét",
            ),
            (good[..good.len() - 40].to_owned(), "Læsningen standsede efter /"),
            ("<x/>".to_owned(), "FremsoegYdelseIndeksOutput"),
            (good.replacen(">20<", ">50<", 1), "En SOAP-fejl, eller en StatusKode, der er hverken 20"),
        ];
        for (answer, reason) in refused {
            let (code, said) = explain(&[request, "--answer", "-", "--lang", "da"], answer.as_bytes());
            assert!(code == Some(1) && said.contains("✗ AFVIST") && said.contains(reason), "{reason}: {said}");
        }
        let (code, said) = explain(&["-", "--answer", answer, "--lang", "da"], &bytes(answer));
        assert!(code == Some(1) && said.contains("Svaret er ikke vurderet, da forespørgslen afvises."), "{said}");

        let (code, _, said) = run_in(dir.path(), &["policy", "show", "terminaladgang-7"], b"");
        let looked = dir.path().join("policies/terminaladgang-7.toml");
        assert!(code == Some(1) && said.contains(&looked.display().to_string()), "where it looked: {said}");
        assert!(
            said.contains("there are: terminaladgang-6") && said.contains("--dir DIR") && said.contains("--config FILE"),
            "{said}"
        );

        // No terminal: nothing is wrapped and nothing coloured.
        let (code, help, _) = run_in(dir.path(), &["audit", "retire", "--help"], b"");
        assert!(code == Some(0) && !help.contains('\u{1b}') && help.lines().any(|line| line.len() > 200), "{help}");
        let (code, _, wrong) = run_in(dir.path(), &["audit", "retire", "--nothing"], b"");
        assert!(code == Some(2) && wrong.contains("--nothing") && !wrong.contains('\u{1b}'), "{wrong}");
    });
}
