//! `hjemmel check --config FILE`: everything that is wrong with a configuration, in one report; with `--connect` also whether
//! everything answers that the gateway depends on.

mod connect;
pub(crate) mod migrate;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use self::connect::{Answer, ask_all, day};
use self::migrate::migrate;
use crate::clock::Clock;
use crate::config::{Binding, FileRead, Report, ServiceSection as _};
use crate::id::cvr::Cvr;
use crate::node::examine::{Purpose, examine};
use crate::node::files::{User, Who};
use crate::node::{Config, Finished};

/// Check a configuration and all that it names, without starting anything.
///
/// Exits 0 where the gateway would start, also with warnings; 1 where it would not, or with --strict where there is a warning;
/// 3 where it would start, and something that it depends on does not answer as it must.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file
    #[arg(long, value_name = "FILE", required_unless_present = "migrate")]
    config: Option<PathBuf>,
    /// Convert this configuration, of before services and peers had names, to the present form, and check what was written
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    migrate: Option<PathBuf>,
    /// With --migrate: where the new file is written; beside the old one, ending in .new.toml, where it is not given. Relative
    /// paths in it start in its own folder
    #[arg(long, value_name = "NEW", requires = "migrate")]
    out: Option<PathBuf>,
    /// Also ask STS, index, revocation lists and agreements store whether they answer; no search is sent
    #[arg(long)]
    connect: bool,
    /// With --connect: also get a token from the STS for the index, on behalf of this authority
    #[arg(long, value_name = "CVR", requires = "connect")]
    token: Option<Cvr>,
    /// Judge by owner and mode whether this user may read and write the files; without it, the present user tries
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Take a warning for a failure
    #[arg(long)]
    strict: bool,
    /// Write JSON instead of text
    #[arg(long)]
    json: bool,
}

/// The exit code where the configuration is in order and a peer is not.
const PEER_FAILS: u8 = 3;

/// Carries out the command.
///
/// # Errors
/// The report cannot be written, or there is no such user.
pub async fn run(
    arguments: &Check,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<ExitCode, Box<dyn std::error::Error + Send + Sync>> {
    let who = match &arguments.user {
        Some(name) => Who::User(User::named(name)?),
        None => Who::Myself,
    };
    let file = match (&arguments.migrate, &arguments.config) {
        (Some(old), _) => migrate(old, arguments.out.as_deref())?,
        (None, Some(file)) => file.clone(),
        (None, None) => return Err("name the configuration with --config FILE".into()),
    };
    let examined = examine(&file, clock, &Purpose::Check(who)).await;
    let answers = match (&examined.config, arguments.connect) {
        (Some(config), true) => Some(ask_all(config, arguments.token.as_ref(), clock).await),
        _ => None,
    };
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &Said::of(&file, &examined, answers.as_deref()))?;
        writeln!(out)?;
    } else {
        let text = text(arguments, &file, &examined, answers.as_deref());
        // What keeps the gateway from starting is an error of this command.
        if examined.config.is_some() { write!(out, "{text}")? } else { eprint!("{text}") }
    }
    let refused = examined.config.is_none() || (arguments.strict && !examined.warnings.problems().is_empty());
    Ok(match answers {
        _ if refused => ExitCode::FAILURE,
        Some(answers) if !answers.iter().all(|answer| answer.ok) => PEER_FAILS.into(),
        _ => ExitCode::SUCCESS,
    })
}

fn text(arguments: &Check, file: &Path, examined: &Finished, answers: Option<&[Answer]>) -> String {
    let mut text = String::new();
    let (problems, warnings) = (examined.problems.problems().len(), examined.warnings.problems().len());
    let file = file.display();
    // Writing into a String never fails.
    let _ = match problems {
        0 if arguments.migrate.is_some() => writeln!(text, "{file}: written, and in order, {warnings} warning(s)."),
        _ if problems > 0 && arguments.migrate.is_some() => {
            writeln!(text, "{file}: written, with {problems} problem(s), {warnings} warning(s); the gateway would not start.")
        }
        0 => writeln!(text, "{file}: in order, {warnings} warning(s)."),
        _ => writeln!(text, "{file}: {problems} problem(s), {warnings} warning(s); the gateway would not start."),
    };
    for (title, report) in [("Problems", &examined.problems), ("Warnings", &examined.warnings)] {
        if !report.problems().is_empty() {
            let _ = write!(text, "\n{title}:\n{report}");
        }
    }
    if let Some(config) = &examined.config {
        let _ = writeln!(text, "\nOffered:");
        offered(config).iter().for_each(|offered| offered.write_to(&mut text));
    }
    if !examined.read.is_empty() {
        let _ = writeln!(text, "\nRead:");
    }
    for read in examined.read.iter().filter(|read| !read.holds.is_empty()) {
        let _ = writeln!(text, "  {:<28} {}: {}", read.setting, read.file.display(), contents(read));
    }
    match answers {
        Some(answers) => {
            let _ = writeln!(text, "\nAsked:");
            answers.iter().for_each(|answer| write_answer(&mut text, answer));
        }
        None if arguments.connect => {
            let _ = writeln!(text, "\nNobody was asked: mend the configuration first.");
        }
        None => {}
    }
    text
}

/// A service, and what it asks.
#[derive(Serialize)]
struct Offered<'c> {
    service: &'c str,
    address: String,
    entity_id: &'c str,
    service_uuid: String,
    bindings: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_address: Option<String>,
}

fn offered(config: &Config) -> Vec<Offered<'_>> {
    let public = config.listen.public_url.to_string();
    let mut all = Vec::new();
    for (name, service) in &config.services {
        let (offer, peer) = (service.offer(), service.peer());
        let binding = |binding: &Binding| match binding {
            Binding::Token => "token",
            Binding::AuthorityContext => "authority-context",
        };
        all.push(Offered {
            service: name,
            address: format!("{}{}", public.trim_end_matches('/'), offer.path),
            entity_id: &offer.entity_id,
            service_uuid: offer.service_uuid.to_string(),
            bindings: offer.bindings.iter().map(binding).collect(),
            policy: service.policy().map(|policy| policy.name.as_str()),
            peer,
            peer_address: peer.and_then(|peer| config.peers.get(peer)).map(|peer| peer.address.to_string()),
        });
    }
    all
}

impl Offered<'_> {
    fn write_to(&self, text: &mut String) {
        let Self { service, address, entity_id, service_uuid, .. } = self;
        let _ =
            writeln!(text, "  {service:<20} {address} ({})\n  {:<20} {entity_id}, {service_uuid}", self.bindings.join(", "), "");
        if let (Some(peer), Some(at)) = (self.peer, &self.peer_address) {
            let policy = self.policy.map_or_else(String::new, |policy| format!("by the policy {policy} "));
            let _ = writeln!(text, "  {:<20} {policy}asks {peer} at {at}", "");
        }
    }
}

/// How many of each kind a file holds, and when the first of them ends.
fn contents(read: &FileRead) -> String {
    let mut kinds: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for content in &read.holds {
        kinds.entry(content.kind).or_default().push(content);
    }
    let kind = |(kind, contents): (&&str, &Vec<&crate::config::Content>)| {
        let plural = if contents.len() == 1 { "" } else { "s" };
        let first = contents.iter().filter_map(|content| content.ends).min();
        let until = match (first, *kind) {
            (Some(first), "revocation list") => format!(", next due {}", day(first)),
            (Some(first), _) => format!(", valid until {}", day(first)),
            (None, "store") => contents.iter().map(|content| format!(", {}", content.subject)).collect(),
            (None, _) => String::new(),
        };
        format!("{} {kind}{plural}{until}", contents.len())
    };
    kinds.iter().map(kind).collect::<Vec<_>>().join("; ")
}

fn write_answer(text: &mut String, answer: &Answer) {
    let seen = &answer.seen;
    let verdict = if answer.ok { "answers" } else { "FAILS" };
    let mut facts = vec![answer.said.clone()];
    facts.extend(seen.tls.map(str::to_owned));
    facts.extend(seen.address.clone());
    facts.extend(seen.milliseconds.map(|milliseconds| format!("{milliseconds} ms")));
    facts.extend(seen.clock_ahead_seconds.map(|ahead| match ahead {
        0 => "its clock is ours".to_owned(),
        1.. => format!("its clock {ahead} s ahead"),
        _ => format!("its clock {} s behind", ahead.unsigned_abs()),
    }));
    let _ = writeln!(text, "  {:<20} {verdict:<8} {}\n  {:<21} {}", answer.peer, answer.at, "", facts.join(", "));
    if let Some(shown) = &seen.certificate {
        let trusted = if shown.trusted { "trusted" } else { "NOT trusted" };
        let _ = writeln!(
            text,
            "  {:<21} certificate {}, issued by {}, until {}, {trusted}",
            "",
            shown.subject,
            shown.issuer,
            day(shown.ends)
        );
    }
    if let Some(problem) = &answer.problem {
        let _ = writeln!(text, "  {:<21} {problem}", "");
    }
}

/// The report as JSON.
#[derive(Serialize)]
struct Said<'r> {
    file: String,
    starts: bool,
    problems: Vec<Line<'r>>,
    warnings: Vec<Line<'r>>,
    offered: Vec<Offered<'r>>,
    read: Vec<ReadLine<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<&'r [Answer]>,
}

#[derive(Serialize)]
struct Line<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    setting: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    text: &'r str,
}

#[derive(Serialize)]
struct ReadLine<'r> {
    setting: &'r str,
    file: String,
    holds: &'r [crate::config::Content],
}

impl<'r> Said<'r> {
    fn of(file: &Path, examined: &'r Finished, asked: Option<&'r [Answer]>) -> Self {
        let lines = |report: &'r Report| -> Vec<_> {
            let line = |problem: &'r crate::config::Problem| Line {
                setting: &problem.setting,
                line: report.line(problem),
                text: &problem.text,
            };
            report.problems().iter().map(line).collect()
        };
        let read =
            |read: &'r FileRead| ReadLine { setting: &read.setting, file: read.file.display().to_string(), holds: &read.holds };
        Self {
            file: file.display().to_string(),
            starts: examined.config.is_some(),
            problems: lines(&examined.problems),
            warnings: lines(&examined.warnings),
            offered: examined.config.as_ref().map(offered).unwrap_or_default(),
            read: examined.read.iter().map(read).collect(),
            asked,
        }
    }
}
