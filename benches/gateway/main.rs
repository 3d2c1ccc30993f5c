//! Whole calls through the gateway, beside nginx and haproxy, with the CPU time that the kernel accounts to each:
//! `cargo bench --bench gateway`. `docs/performance.md` says what is needed and what the figures mean.
//!
//! ```sh
//! cargo bench --bench gateway                       # the whole table, into docs/performance/
//! cargo bench --bench gateway -- --quick            # the same in a minute or two, into target/: to see that it works
//! cargo bench --bench gateway -- bindings overload  # only these parts: bindings memory handshakes growth overload
//! cargo bench --bench gateway -- stores             # PostgreSQL beside SQLite, into docs/performance/
//! cargo bench --bench gateway -- agreements         # a call and a page among 100,000 agreements, into docs/performance/
//! cargo bench --bench gateway -- console            # the console's lists of agreements and connections, into docs/performance/
//! cargo bench --bench gateway -- fair               # 98 callers of whom one asks 50 times as often, into docs/performance/
//! cargo bench --bench gateway -- nodes              # two nodes behind a balancer beside one, into docs/performance/
//! cargo bench --bench gateway -- finance            # SF1590_A Finans beside nginx, libxml2 and the JDK, into docs/performance/
//! cargo bench --bench gateway -- soak 20            # a soak of 20 minutes, into docs/performance/
//! cargo bench --bench gateway -- drive 8800 20      # answers of that size for 20 s, with nothing beside: for a profiler
//! cargo bench --bench gateway -- instructions OTHER # instructions of a small call, beside another build's (valgrind)
//! cargo bench --bench gateway -- beside OTHER       # CPU time of calls, beside another build
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr
)] // a measurement that cannot be made must stop

mod backend;
mod beside;
mod build;
mod callgrind;
mod console;
mod driver;
mod fair;
mod finance;
mod floor;
mod held;
mod keys;
mod many;
mod nodes;
#[path = "../../tests/support/not_run.rs"]
mod not_run;
mod oha;
mod pass_through;
#[allow(dead_code, unused_imports)] // the tests use the rest
#[path = "../../tests/support/postgres/mod.rs"]
mod postgres;
mod process;
mod rows;
mod stage;
mod stores;
mod strain;
mod table;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use process::said;
use rows::Effort;
use table::Table;

const FULL: Effort = Effort { rounds: 5, seconds: 2.0, handshakes: 400, agreements: 100_000, clients: 10_000 };
const QUICK: Effort = Effort { rounds: 1, seconds: 0.7, handshakes: 100, agreements: 1_000, clients: 500 };
/// What this program calls itself with to be a peer.
const PASS_THROUGH: &str = "pass-through";
const PARTS: [&str; 5] = ["bindings", "memory", "handshakes", "growth", "overload"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("benches/gateway did not run: it needs nginx and oha; run `cargo bench --bench gateway`");
        return;
    }
    enough_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { run(&arguments).await });
}

async fn run(arguments: &[String]) {
    if let [name, address, backend, pki] = arguments
        && name == PASS_THROUGH
    {
        return pass_through::serve(address.parse().unwrap(), backend.parse().unwrap(), Path::new(pki)).await;
    }
    match arguments {
        [what, others @ ..] if what == "instructions" => return beside::instructions(others).await,
        [what, others @ ..] if what == "beside" => return beside::cpu(others).await,
        _ => {}
    }
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if given("stores") {
        let effort = if given("--quick") { QUICK } else { FULL };
        let rows = stores::stores(&stage::Stage::new().await, effort).await.expect("PostgreSQL is installed");
        let table = Table { on: surroundings(effort), rows };
        println!("{}", table.markdown());
        let folder = if given("--quick") { "target/gateway" } else { "docs/performance" };
        return table.save(Path::new(folder), "stores", "PostgreSQL beside SQLite");
    }
    if given("agreements") {
        let quick = given("--quick");
        let effort = if quick { QUICK } else { FULL };
        let rows = many::many(&stage::Stage::new().await, effort).await;
        let table = Table { on: surroundings(effort), rows };
        println!("{}", table.markdown());
        let folder = if quick { "target/gateway" } else { "docs/performance" };
        return table.save(Path::new(folder), "agreements", "Among 100,000 agreements and among few");
    }
    if given("console") {
        let quick = given("--quick");
        let effort = if quick { QUICK } else { FULL };
        let rows = console::rows(&stage::Stage::new().await, effort).await;
        let table = Table { on: surroundings(effort), rows };
        println!("{}", table.markdown());
        let folder = if quick { "target/gateway" } else { "docs/performance" };
        return table.save(Path::new(folder), "console", "The console's lists");
    }
    if given("fair") || given("nodes") {
        let (quick, stage) = (given("--quick"), stage::Stage::new().await);
        let effort = if quick { QUICK } else { FULL };
        let (name, title, rows) = if given("fair") {
            ("fair", "One busy caller beside 97", fair::fair(&stage, effort.seconds * 5.0).await)
        } else {
            ("nodes", "Two nodes beside one", nodes::nodes(&stage, effort).await.expect("PostgreSQL and HAProxy are installed"))
        };
        let table = Table { on: surroundings(effort), rows };
        println!("{}", table.markdown());
        return table.save(Path::new(if quick { "target/gateway" } else { "docs/performance" }), name, title);
    }
    if given("finance") {
        let quick = given("--quick");
        let effort = if quick { QUICK } else { FULL };
        let rows = finance::rows(&stage::Stage::new().await, effort).await;
        let mut on = surroundings(effort);
        on.push(("libxml2", said("xml2-config", &["--version"]).trim().to_owned()));
        on.push(("JDK", said("java", &["--version"]).lines().next().unwrap_or_default().to_owned()));
        let table = Table { on, rows };
        println!("{}", table.markdown());
        let folder = if quick { "target/gateway" } else { "docs/performance" };
        return table.save(Path::new(folder), "finance", "SF1590_A Finans beside its peers");
    }
    for (program, found) in [("nginx", said("nginx", &["-v"])), ("oha (cargo install oha --locked)", oha::version())] {
        assert!(!found.is_empty(), "{program} is not installed; see docs/performance.md");
    }
    let quick = given("--quick");
    let effort = if quick { QUICK } else { FULL };
    let stage = stage::Stage::new().await;
    let minutes = arguments.iter().position(|argument| argument == "soak").map(|at| &arguments[at + 1]);
    if let Some(minutes) = minutes {
        let length = Duration::from_secs_f64(minutes.parse::<f64>().expect("soak MINUTES") * 60.0);
        let table = Table { on: surroundings(effort), rows: strain::soak(&stage, length).await };
        println!("{}", table.markdown());
        return table.save(Path::new("docs/performance"), "soak", "A long steady load");
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "drive") {
        let number = |after: usize| arguments.get(at + after).and_then(|text| text.parse().ok()).expect("drive BYTES SECONDS");
        return rows::drive(&stage, number(1), number(2) as f64).await;
    }
    let chosen: Vec<&str> = PARTS.into_iter().filter(|part| given(part)).collect();
    let all = chosen.is_empty();
    let wanted = |part: &str| all || chosen.contains(&part);
    let mut rows = Vec::new();
    if wanted("bindings") {
        rows.extend(rows::bindings(&stage, effort).await);
    }
    if wanted("memory") {
        rows.extend(rows::memory(&stage, effort).await);
    }
    if wanted("handshakes") {
        rows.extend(rows::handshakes(&stage, effort).await);
    }
    if wanted("growth") {
        rows.extend(rows::growth(&stage, effort).await);
    }
    if wanted("overload") {
        rows.extend(strain::overload(&stage, effort.seconds * 3.0).await);
    }
    let table = Table { on: surroundings(effort), rows };
    println!("{}", table.markdown());
    // Only a whole run replaces the published table.
    let folder = if all && !quick { "docs/performance" } else { "target/gateway" };
    table.save(Path::new(folder), "gateway", "The gateway beside its peers");
    println!("saved in {folder}");
}

/// Ten thousand clients are as many open files, here and in the gateway: takes what the system allows.
fn enough_files() {
    const ASKED: &str = "HJEMMEL_BENCH_FILES";
    if std::env::var_os(ASKED).is_none() {
        let line = "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\"";
        let program = std::env::current_exe().unwrap();
        let error = Command::new("sh").args(["-c", line]).arg(program).args(std::env::args().skip(1)).env(ASKED, "1").exec();
        panic!("sh does not run: {error}");
    }
}

/// What the figures were measured on.
fn surroundings(effort: Effort) -> Vec<(&'static str, String)> {
    let first = |text: String| text.lines().next().unwrap_or("not installed").trim().to_owned();
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut on = vec![
        ("measured", format!("{:.0}", hjemmel::clock::Clock::system().now())),
        (
            "machine",
            format!("{} × {}, Linux {}", cores, model.trim_start_matches([' ', '\t', ':']), said("uname", &["-r"]).trim()),
        ),
        ("load average at the end", load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")),
    ];
    on.extend(measured());
    on.extend([
        ("compiler", first(said("rustc", &["--version"]))),
        ("nginx", first(said("nginx", &["-v"]))),
        ("haproxy", first(said("haproxy", &["-v"]))),
        ("OpenSSL", first(said("openssl", &["version"]))),
        ("PostgreSQL", format!("{}, as it comes", first(said("psql", &["--version"])))),
        ("oha", oha::version()),
        ("rounds", format!("{}, each peer {} s in a round; figures are medians", effort.rounds, effort.seconds)),
    ]);
    on
}

/// The program that is measured, and what measures it where that is another. Of a build of another tree only its digest is certain: the
/// commit is the one that stands where it lies, whenever it was built.
fn measured() -> Vec<(&'static str, String)> {
    let version = |text: &str| text.trim().trim_start_matches("hjemmel ").to_owned();
    let this =
        format!("{} at {}", env!("CARGO_PKG_VERSION"), commit(Path::new(".")).unwrap_or_else(|| "an unknown commit".to_owned()));
    let Some(other) = stage::another() else { return vec![("hjemmel", this)] };
    let digest = said("sha256sum", &[&other]);
    let told =
        format!("{}, another build, SHA-256 {}", version(&said(&other, &["--version"])), digest.get(..16).unwrap_or("unknown"));
    let lies_in = Path::new(&other).canonicalize().ok().and_then(|file| commit(file.parent()?));
    let lies_in = lies_in.map_or(String::new(), |commit| format!(", from a tree that stands at {commit}"));
    vec![("hjemmel", told + &lies_in), ("driver", this)]
}

/// The commit at which the tree of a folder stands.
fn commit(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| Command::new("git").arg("-C").arg(folder).args(arguments).output().ok();
    let head = git(&["rev-parse", "--short", "HEAD"]).filter(|output| output.status.success())?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let changed = if changed.stdout.trim_ascii().is_empty() { "" } else { ", with changes" };
    Some(format!("commit {}{changed}", String::from_utf8_lossy(&head.stdout).trim()))
}
