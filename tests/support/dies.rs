//! A process that is killed: a test of the same program that runs again as a process of its own, and ends itself by SIGKILL at its
//! place. The store of both is told in words.

use std::fmt::Debug;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hjemmel::store::settings::Postgres;
use hjemmel::store::{At, Dialect, Settings};

use crate::tables;

/// Ends this process by SIGKILL.
pub fn die() -> ! {
    let own = std::process::id().to_string();
    Command::new("kill").args(["-9", &own]).status().unwrap();
    // The signal may be on its way.
    loop {
        std::thread::park();
    }
}

/// Runs a test of this program as a process of its own, with what it is told in a variable of its environment, until it is killed.
pub fn run(test: &str, (variable, told): (&str, String), place: impl Debug) {
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, told)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(ended.signal(), Some(9), "{place:?}");
}

/// A store with its tables, for a process over a folder. `None` without PostgreSQL.
pub async fn store(dialect: Dialect, folder: &Path) -> Option<Settings> {
    match dialect {
        Dialect::Sqlite => Some(tables::in_file(&in_folder(folder)).await),
        Dialect::Postgres => {
            let (cluster, name) = tables::on_cluster().await?;
            Some(tables::patient(cluster.settings(&name)))
        }
    }
}

/// A store in words for another process over the folder.
pub fn in_words(store: &Settings, folder: &Path) -> String {
    let At::Postgres(postgres) = &store.at else { return String::new() };
    let (password, roots) = (postgres.password_file.clone().unwrap(), folder.join("store-roots.pem"));
    std::fs::write(&roots, &postgres.tls_roots).unwrap();
    format!("{} {} {}", postgres.address, roots.display(), password.display())
}

/// The store that the words name.
pub fn from_words(words: &str, folder: &Path) -> Settings {
    if words.is_empty() {
        return tables::patient(Settings::sqlite(&in_folder(folder)));
    }
    let [address, roots, password]: [&str; 3] = words.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let postgres = Postgres {
        tls_roots: std::fs::read_to_string(roots).unwrap(),
        password_file: Some(PathBuf::from(password)),
        ..Postgres::at(address.parse().unwrap())
    };
    tables::patient(Settings::usual(At::Postgres(Box::new(postgres))))
}

fn in_folder(folder: &Path) -> PathBuf {
    folder.join("store.sqlite")
}
