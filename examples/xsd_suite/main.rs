//! The W3C XML Schema test suite, XSD 1.0 part, judged by `hjemmel::schema`, beside a list of every case that is judged
//! otherwise than the suite says:
//!
//! ```text
//! cargo run --release --example xsd_suite -- FOLDER-OF-THE-SUITE tests/schema/w3c-differences.txt
//! ```
//!
//! Exit status 1 where a case differs that the list does not name, or no longer differs.
//!
//! `--judges` asks the JDK (`java`, 17 or later) and `xmllint` about each of these cases, and about 2,000 of those where we and
//! the suite agree; the list has their verdicts, and they must be the same. `--write` writes the list anew.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod judges;
mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hjemmel::schema::compile::Schema;
use hjemmel::schema::pool::Pool;
use hjemmel::schema::source::Sources;

use suite::Group;

/// How many of the cases where we and the suite agree are shown to the judges.
const SAMPLE: usize = 2000;

/// A schema, or an instance and its schema, with what the suite expects of it and what was found.
pub struct Case {
    name: String,
    schema: Vec<String>,
    instance: Option<String>,
    expected: bool,
    /// "accepted", or how it was refused.
    ours: &'static str,
}

impl Case {
    fn agrees(&self) -> bool {
        self.expected == (self.ours == "accepted")
    }
}

/// What was judged.
#[derive(Default)]
struct Found {
    cases: Vec<Case>,
    names: BTreeSet<String>,
    /// Cases with a document that is not strict XML in UTF-8 (DTDs, UTF-16): never read, so never judged.
    unread: usize,
}

impl Found {
    fn add(&mut self, group: &Group, instance: Option<&String>, expected: bool, ours: &'static str) {
        // An instance may stand in several groups.
        let name = instance.unwrap_or(&group.name).clone();
        let name = if self.names.insert(name.clone()) { name } else { format!("{name} in {}", group.name) };
        self.cases.push(Case { name, schema: group.schema.clone(), instance: instance.cloned(), expected, ours });
    }
}

fn judge(root: &Path, sources: &Arc<Sources>, group: &Group, runtime: &tokio::runtime::Runtime, found: &mut Found) {
    if group.schema.is_empty() {
        return; // The instances name their schemas themselves, which is never followed here.
    }
    if group.schema.iter().any(|path| sources.get(path).is_none()) {
        found.unread += 1 + group.instances.len();
        return;
    }
    let schema = Schema::new(sources.clone(), group.schema.iter().cloned());
    let refused = schema.as_ref().err().map_or("", |problems| match problems.first().map(|problem| problem.what.as_str()) {
        Some(what) if what.contains("is not in the folder") => "schema refused: a document is missing",
        Some(what) if what.contains("does not resolve") => "schema refused: a type does not resolve",
        _ => "schema refused: not valid",
    });
    if let Some(expected) = group.schema_valid {
        found.add(group, None, expected, if schema.is_ok() { "accepted" } else { refused });
    }
    let pool = schema.ok().map(|schema| Pool::start(&schema, 1).unwrap());
    for (path, expected) in &group.instances {
        let Some(document) = suite::read(&root.join(path)).ok().and_then(|text| suite::parse(&text)) else {
            found.unread += 1;
            continue;
        };
        let ours = match &pool {
            None => refused,
            Some(pool) => {
                let (node, name) = {
                    let apex = document.root();
                    (apex.id(), (apex.namespace().to_owned(), apex.local().to_owned()))
                };
                match runtime.block_on(pool.validate(document, node, Arc::new(name))) {
                    Ok(Ok(())) => "accepted",
                    Ok(Err(_)) => "refused",
                    Err(_) => "no verdict",
                }
            }
        };
        found.add(group, Some(path), *expected, ours);
    }
}

/// A number that is the same everywhere for the same name (FNV-1a), for a sample that can be drawn again.
fn mixed(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn tally<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut tally = BTreeMap::new();
    keys.for_each(|key| *tally.entry(key).or_default() += 1);
    tally
}

/// The lines of the list: how we judge, which case, and with judges what they say.
fn lines(root: &Path, cases: &[Case], ask: bool) -> BTreeSet<String> {
    let differing: Vec<&Case> = cases.iter().filter(|case| !case.agrees()).collect();
    if !ask {
        return differing.iter().map(|case| format!("{}\t{}", case.ours, case.name)).collect();
    }
    let told = |case: &Case, jdk: &str, xmllint: &str| format!("{}\t{}\tJDK: {jdk}\txmllint: {xmllint}", case.ours, case.name);
    let (jdk, xmllint) = asked(root, &differing);
    for (judge, verdicts) in [("JDK", &jdk), ("xmllint", &xmllint)] {
        let kinds = differing.iter().zip(verdicts).map(|(case, verdict)| (case.ours, verdict));
        println!("{judge} about those: {:?}", tally(kinds));
    }
    let mut sample: Vec<&Case> = cases.iter().filter(|case| case.agrees()).collect();
    sample.sort_by_key(|case| mixed(&case.name));
    sample.truncate(SAMPLE);
    let theirs = asked(root, &sample);
    for (judge, verdicts) in [("JDK", &theirs.0), ("xmllint", &theirs.1)] {
        let of_suite = |case: &Case| if case.expected { "accepted" } else { "refused" };
        let asked = sample.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict.as_str(), "accepted" | "refused"));
        let asked: Vec<_> = asked.collect();
        let other: Vec<_> = asked.iter().filter(|(case, verdict)| of_suite(case) != *verdict).collect();
        println!("{judge} about {} on which the suite and we agree: {} otherwise", asked.len(), other.len());
        other.iter().for_each(|(case, verdict)| println!("  suite and we {}, {judge} {verdict}: {}", of_suite(case), case.name));
    }
    differing.iter().zip(jdk).zip(xmllint).map(|((case, jdk), xmllint)| told(case, &jdk, &xmllint)).collect()
}

fn asked(root: &Path, cases: &[&Case]) -> (Vec<String>, Vec<String>) {
    (judges::jdk(root, cases), cases.iter().map(|case| judges::xmllint(root, case).to_owned()).collect())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, list, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: xsd_suite FOLDER-OF-THE-SUITE LIST [--judges] [--write]");
        std::process::exit(2);
    };
    let asks = |word: &str| rest.iter().any(|one| one == word);
    let root = PathBuf::from(folder);
    let mut all = Vec::new();
    suite::files(&root, &mut all);
    let mut sources = Sources::default();
    for path in all.iter().filter(|path| path.extension().is_some_and(|extension| extension == "xsd")) {
        if let Ok(text) = suite::read(path) {
            sources.add(&suite::relative(&root, path), text);
        }
    }
    let sources = Arc::new(sources);
    let groups = suite::all(&root, &all);
    if groups.is_empty() {
        eprintln!("{folder} holds no test suite");
        std::process::exit(2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut found = Found::default();
    for (done, group) in groups.iter().enumerate() {
        if done % 2000 == 0 {
            eprintln!("{done} of {} groups", groups.len());
        }
        judge(&root, &sources, group, &runtime, &mut found);
    }
    let otherwise = tally(found.cases.iter().filter(|case| !case.agrees()).map(|case| case.ours));
    let count: usize = otherwise.values().sum();
    let same = found.cases.len() - count;
    println!(
        "{} cases, {same} as the suite says, {count} otherwise: {otherwise:?}; {} not read",
        found.cases.len(),
        found.unread
    );
    let now = lines(&root, &found.cases, asks("--judges"));
    let text = fs::read_to_string(list).unwrap_or_default();
    if asks("--write") {
        let kept = text.lines().filter(|line| line.starts_with('#')).map(str::to_owned);
        fs::write(list, kept.chain(now).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        return;
    }
    // Without judges their verdicts are not compared.
    let shown =
        |line: &str| if asks("--judges") { line.to_owned() } else { line.split('\t').take(2).collect::<Vec<_>>().join("\t") };
    let known: BTreeSet<String> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(shown).collect();
    for line in now.difference(&known) {
        println!("NEW\t{line}");
    }
    for line in known.difference(&now) {
        println!("GONE\t{line}");
    }
    if now != known {
        std::process::exit(1);
    }
}
