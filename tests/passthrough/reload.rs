//! A folder that is altered while its service is offered: what a reload puts in force, what it refuses, and what it leaves behind.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::stub::finance::ledger::Ledger;

use crate::gateway::{POST, code, delivery, folder, plain};
use crate::world::{BY_TOKEN, Passing};

const FYLD: &str = "<x:element name=\"Fyld\" type=\"x:string\" minOccurs=\"0\"/>";

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_altered_serves_after_a_reload_and_one_that_is_broken_is_refused_and_the_old_serves() {
    let folder = folder();
    let schema = folder.path().join("post.xsd");
    let passing = Passing::start(folder.path(), "").await;
    let filled = delivery("", BY_TOKEN, "<p:Antal>1</p:Antal><p:Fyld>x</p:Fyld>");
    // What comes of a call, and the contract that the record says it was judged by.
    let judged = async |body: &str| {
        let answer = passing.by_token(&[], body).await;
        let came = if answer.status == 200 { "served".to_owned() } else { code(&answer) };
        (came, passing.record().about.passthrough().unwrap().schema.clone())
    };
    let (came, whole) = judged(&filled).await;
    assert_eq!(came, "served");

    assert!(POST.contains(FYLD));
    let without = POST.replace(FYLD, "");
    fs::write(&schema, &without).unwrap();
    assert_eq!(judged(&filled).await, ("served".to_owned(), whole.clone()), "nothing is in force that no reload put there");
    passing.world.reload().await.unwrap();
    let (came, narrowed) = judged(&filled).await;
    assert_eq!(came, "SchemaViolated");
    assert_ne!(narrowed, whole);

    // A type that nothing defines, in a line that is known.
    let line = without.lines().position(|line| line.contains("x:int")).unwrap() + 1;
    fs::write(&schema, without.replace("type=\"x:int\"", "type=\"p:Mangler\"")).unwrap();
    let refused = passing.world.reload().await.unwrap_err().to_string();
    let place = format!("{}:{line}", schema.display());
    assert!(refused.contains(&place) && refused.contains("Mangler"), "{place} is not in {refused}");
    assert_eq!(judged(&filled).await, ("SchemaViolated".to_owned(), narrowed.clone()), "the contract of before serves on");
    assert_eq!(judged(&plain(BY_TOKEN)).await, ("served".to_owned(), narrowed));

    fs::write(&schema, POST).unwrap();
    passing.world.reload().await.unwrap();
    assert_eq!(judged(&filled).await, ("served".to_owned(), whole));
}

/// A gateway in a process of its own, whose threads are its alone.
struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    fn start(world: &Path) -> Self {
        let log = world.join("process.log");
        // Ports that are free when it asks for them.
        let text = fs::read_to_string(world.join("hjemmel.toml")).unwrap();
        let mut settings: toml::Table = text.parse().unwrap();
        for section in ["listen", "admin"] {
            settings[section].as_table_mut().unwrap().insert("address".into(), "127.0.0.1:0".into());
        }
        let file = world.join("process.toml");
        fs::write(&file, settings.to_string()).unwrap();
        let output = fs::File::create(&log).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_hjemmel")).args(["serve", "--config"]).arg(&file).stderr(output).spawn();
        Self { child: program.unwrap(), log }
    }

    /// Waits until its log holds this text so often.
    async fn says(&mut self, text: &str, times: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while fs::read_to_string(&self.log).unwrap().matches(text).count() < times {
            let ended = self.child.try_wait().unwrap();
            let log = || fs::read_to_string(&self.log).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{ended:?}, not {times} times {text}: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many of its threads validate.
    fn validators(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // One that ends meanwhile has no name any more.
        let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|name| name.trim() == "schema").count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_reloads_of_an_altered_folder_leave_as_many_validators_as_before() {
    let folder = folder();
    // Its providers are asked for nothing.
    let passing = Passing::without_gateway(folder.path(), "", Arc::new(Ledger::default())).await;
    let mut process = Process::start(&passing.world.dir);
    process.says("serving", 1).await;
    let before = process.validators();
    assert!(before > 0);
    for time in 1..=20 {
        let altered = if time % 2 == 0 { POST.to_owned() } else { POST.replace(FYLD, "") };
        fs::write(folder.path().join("post.xsd"), altered).unwrap();
        let pid = process.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        process.says("was read anew and is in force", time).await;
    }
    let until = Instant::now() + Duration::from_secs(60);
    while process.validators() != before {
        assert!(Instant::now() < until, "{} threads validate, and {before} did before", process.validators());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
