//! What could not be shown on this machine, said where it is seen.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Says, once a test, what did not run and what lets it run.
pub fn did_not_run(what: &str, remedy: &str) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("DID NOT RUN: {test}: {what} ({remedy})");
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        // Past what libtest captures: a test that passes shows nothing of what it printed.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
