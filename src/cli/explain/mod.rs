//! `hjemmel explain`: what the gateway would decide about a message, step by step, and why. Nothing is sent.

mod dry_run;
mod report;
mod unnamed;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use jiff::Timestamp;

use self::dry_run::DryRun;
pub(super) use self::dry_run::filter;
pub use self::report::{AnswerSaid, DecisionSaid, Explanation, Fact, Outcome, PolicySaid, RefusalSaid, Step, Verdict};
use crate::cli::lang::Lang;
use crate::cli::which;
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::node;
use crate::signature::credentials::certificates_from_pem_file;

/// Anything that keeps the command from saying anything, told once to a person.
pub type ExplainError = Box<dyn std::error::Error + Send + Sync>;

/// Explain what the gateway decides about a message, without sending it.
///
/// Takes a message of either binding, or the index's own FremsoegYdelseIndeksInput alone; with --answer also an answer of
/// the index, as a SOAP message or as FremsoegYdelseIndeksOutput alone. Exits 0 where the call would be served, 1 where it
/// would be refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples, in the folder that `hjemmel demo --dir DIR` fills:\n  \
    hjemmel explain --config ./hjemmel.toml request.xml\n  \
    hjemmel explain --config ./hjemmel.toml request.xml --answer answer.xml\n  \
    cat request.xml | hjemmel explain --config ./hjemmel.toml - --at 2026-11-22T12:00:00Z")]
pub struct Args {
    /// The configuration file: policy, trust, agreements and limits are taken from it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The service that the message is for, by its name in the configuration; the only one where there is one alone
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The message; - reads standard input
    #[arg(value_name = "REQUEST.xml")]
    request: PathBuf,
    /// An answer of the index, to see what of it would be released, or why it would be refused; - reads standard input
    #[arg(long, value_name = "ANSWER.xml")]
    answer: Option<PathBuf>,
    /// The authority that calls, where the message is a bare request
    #[arg(long, value_name = "CVR")]
    authority: Option<Cvr>,
    /// The client system's TLS certificate with its chain (PEM), where the message does not carry it
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The instant to judge by, such as 2026-11-22T12:00:00Z; now by default
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
    /// Show the person's number in what would be sent and released; it is masked otherwise
    #[arg(long)]
    show_person: bool,
    /// Write JSON instead of text; it holds both languages
    #[arg(long, conflicts_with = "lang")]
    json: bool,
    /// Which words to print
    #[arg(long, value_enum, default_value = "both")]
    lang: Lang,
}

/// Carries out the command: 0 where the call would be served, 1 where it would be refused.
///
/// # Errors
/// What keeps it from being judged at all: files, configuration, what the arguments leave open.
pub async fn run(args: &Args, clock: &Clock, input: &mut impl Read, out: &mut impl Write) -> Result<ExitCode, ExplainError> {
    let explanation = explain(args, clock, input).await?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &explanation).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        report::write(&explanation, args.lang, out)?;
    }
    Ok(match explanation.outcome {
        Outcome::Served => ExitCode::SUCCESS,
        Outcome::Refused => ExitCode::FAILURE,
    })
}

async fn explain(args: &Args, clock: &Clock, input: &mut impl Read) -> Result<Explanation, ExplainError> {
    // The configuration is judged by today, for its files are today's; the message by the instant asked about.
    let config = node::load(&args.config, clock)?;
    let service = which::terminaladgang(&config.services, args.service.as_deref())?;
    let at = args.at.unwrap_or_else(|| clock.now());
    let certificate = args.certificate.as_deref().map(certificates_from_pem_file).transpose()?;
    let stdin = Path::new("-");
    if args.request == stdin && args.answer.as_deref() == Some(stdin) {
        return Err("request and answer cannot both be read from standard input; give one of them as a file".into());
    }
    let request = read(&args.request, input)?;
    let answer = args.answer.as_deref().map(|path| read(path, input)).transpose()?;
    let mut run = DryRun::new(&config, service, at, args.authority, certificate.unwrap_or_default()).await?;
    let told = run.explain(request, answer, args.show_person).await;
    run.close().await;
    told
}

/// The longest message or answer that is read from standard input, in bytes.
const LONGEST: u64 = 1 << 30;

fn read(path: &Path, input: &mut impl Read) -> Result<Bytes, ExplainError> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        input.take(LONGEST).read_to_end(&mut bytes).map_err(|error| format!("standard input: {error}"))?;
        return Ok(Bytes::from(bytes));
    }
    let bytes = std::fs::read(path).map_err(|error| super::file::describe(path, &error).to_string())?;
    Ok(Bytes::from(bytes))
}
