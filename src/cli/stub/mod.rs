//! `hjemmel stub`: the outside world for development, a token service, a benefit index with invented people, and a provider
//! for any service folder.

mod campus;
mod idp;
mod service;
mod sftp;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::edge::sftp::host_keys::HostKeyError;
use crate::node::signals::Stop;
use crate::saml::trust::{Issuer, Trust};
use crate::signature::credentials::{Credentials, CredentialsError};
use crate::signature::key::{Certificate, KeyError};
use crate::stub::finance::ledger::Ledger;
use crate::stub::pki::Role;
use crate::stub::population::{Population, demo};
use crate::stub::server::{Running, StartError};
use crate::stub::sts::development::{Names, registrations};
use crate::stub::sts::{self, METADATA_PATH, StsConfig, StsMode, Switch, start_sts};
use crate::stub::ydelsesindeks::answer::Padding;
use crate::stub::ydelsesindeks::evaluate::Join;
use crate::stub::ydelsesindeks::mode::{self, FaultMode};
use crate::stub::ydelsesindeks::serve::{IndexConfig, PATH, start_ydelsesindeks};

/// Run what stands behind the gateway in production, for development and tests.
///
/// The people are invented (their numbers have day 61–91) and the certificates are worth nothing elsewhere.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hjemmel certs dev pki\n  hjemmel stub sts --pki pki &\n  hjemmel stub ydelsesindeks --pki pki &"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// A security token service: WS-Trust 1.3 Issue, holder-of-key SAML 2.0 tokens
    ///
    /// It issues tokens to the systems of the development PKI: the clients for the gateway, the gateway for the index. Its
    /// metadata, which the gateway can be configured with, is served at /metadata.
    Sts(Sts),
    /// A benefit index (Ydelsesindeks, SF1490): answers fremsoeg for real
    ///
    /// It evaluates the boolean tree on a generated population, which is the same for the same seed and day, and signs full
    /// answers, including all that a gateway must take away. It lets in callers with a token from `hjemmel stub sts`.
    Ydelsesindeks(Ydelsesindeks),
    /// A provider for any service folder: answers by its schema
    ///
    /// It proves its caller, by a token from `hjemmel stub sts` or by certificate and AuthorityContext, validates the request,
    /// and answers with what the schema allows: varied, and the same for the same request. It fails in the ways that a
    /// request, or its tester, asks for.
    Service(service::Service),
    /// A ledger for SF1590_A Finans: books in memory, and answers with a receipt by voucher
    ///
    /// DIR is the folder of the contract, policies/services/finansbilag. What it says follows from the delivery: a booking date before
    /// 2026 is in a closed period (FB012), the code 9999 has no account (FB022), a voucher that does not balance is rejected (FB010);
    /// all else is accepted, each posting with its account. The same LeveranceID gets the same receipt. It fails as `stub service` does: a word
    /// such as stub:slow=2, stub:declared-fault, stub:reset (nothing is booked) or stub:cut (booked, and the answer is lost) in a text, such
    /// as Bilagstekst, asks for it. GET /stub/done tells each voucher that was booked, and how many times.
    Ledger(service::Service),
    /// A learning platform (Campus): SCIM 2.0 for real, in memory
    ///
    /// Users are created, replaced, changed, looked for page by page, and deleted; ETags, uniqueness, and schemas that hold. It behaves
    /// as it should, or as asked: lost=N does every N-th change and answers nothing, busy=N refuses every N-th request with 429.
    Campus(campus::Campus),
    /// The SFTP server over plain folders: to try a client with
    Sftp(sftp::Sftp),
    /// An identity provider for the console: SAML 2.0 Web SSO with invented people
    ///
    /// On its page one chooses who logs on, and whether it answers as it should or in a way that the console refuses.
    Idp(idp::Idp),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The folder that `hjemmel certs dev` wrote
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// The entity id of the token service: the Issuer of its tokens
    #[arg(long, value_name = "URI", default_value = "https://sts.example/")]
    sts_entity_id: String,
    /// The entity id of the index: what the gateway's tokens are for
    #[arg(long, value_name = "URI", default_value_t = Names::default().index)]
    index_entity_id: String,
    /// Let the clock stand still at this instant, as 2026-11-22T12:00:00Z; peers must then do the same
    #[arg(long, value_name = "INSTANT")]
    now: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
struct Sts {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8444")]
    listen: SocketAddr,
    #[command(flatten)]
    common: Common,
    /// The gateway's entity id: what client systems' tokens are for
    #[arg(long, value_name = "URI", default_value_t = Names::default().service)]
    service_entity_id: String,
    /// The privilege in client systems' tokens
    #[arg(long, value_name = "URI", default_value_t = Names::default().service_role)]
    service_role: String,
    /// How long tokens hold
    #[arg(long, value_name = "MINUTES", default_value_t = 480)]
    lifetime: u32,
    /// How to behave
    #[arg(long, value_name = "MODE", default_value = "honest", help = format!("How to behave: one of {}", sts::MODE_NAMES))]
    mode: StsMode,
}

#[derive(Debug, clap::Args)]
struct Ydelsesindeks {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8445")]
    listen: SocketAddr,
    #[command(flatten)]
    common: Common,
    /// The seed of the population
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// How many persons there are
    #[arg(long, default_value_t = 600)]
    persons: usize,
    /// How grants and payments are joined, which the real index does not tell
    #[arg(long, value_enum, default_value_t = Join::Pointwise)]
    join: Join,
    /// How to behave
    #[arg(long, value_name = "MODE", default_value = "honest", help = format!("How to behave: one of {}", mode::NAMES))]
    fault: FaultMode,
    /// Lengthen answers that found something to this many bytes, with copies of the first payment moved thirteen months back
    #[arg(long, value_name = "BYTES")]
    answer_bytes: Option<u64>,
    /// How many of those bytes are copies with the payment's own date, which may be released
    #[arg(long, value_name = "BYTES", default_value_t = 0, requires = "answer_bytes")]
    releasable_bytes: u64,
    /// The status of an answer that found nothing
    #[arg(long, value_name = "CODE", default_value_t = 44, value_parser = clap::value_parser!(u16).range(20..=44))]
    empty_status: u16,
}

/// Why a stub did not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the variants are their causes
pub enum StubError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("a certificate in the PKI folder cannot be used: {0}")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("signals cannot be received: {0}")]
    Signal(std::io::Error),
    #[error("the token service's entity id and certificate cannot be used: {0}")]
    Trust(String),
    #[error("{problems}\n{}: no provider for it can be run; `hjemmel service check` tells the same", dir.display())]
    Folder { dir: PathBuf, problems: String },
    #[error("--behaviour: {0}")]
    Behaviour(String),
    #[error("--token: {0}")]
    Token(std::io::Error),
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    #[error("{} holds no public key of SSH: {why}", file.display())]
    UserKey { file: PathBuf, why: String },
    #[error("the homes cannot be served: {0}")]
    Homes(std::io::Error),
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Runs the stub until it is told to stop.
///
/// # Errors
/// [`StubError`].
pub async fn run(args: &Args, clock: &Clock) -> Result<ExitCode, StubError> {
    // Before anything slow: the first process of a container gets no signal without a handler.
    let mut stop = Stop::install().map_err(StubError::Signal)?;
    let running = async {
        let running = match &args.command {
            Command::Sts(sts) => start_token_service(sts, clock).await?,
            Command::Ydelsesindeks(index) => start_index(index, clock).await?,
            Command::Service(args) => service::start(args, None, clock).await?,
            Command::Ledger(args) => service::start(args, Some(Arc::new(Ledger::default())), clock).await?,
            Command::Campus(args) => campus::start(args, clock).await?,
            Command::Idp(args) => idp::start(args, clock).await?,
            Command::Sftp(args) => return sftp::serve(args, clock).await,
        };
        println!("Ctrl-C ends it.");
        running.wait().await;
        Ok(ExitCode::FAILURE)
    };
    tokio::select! {
        ended = running => ended,
        () = stop.received() => Ok(ExitCode::SUCCESS),
    }
}

async fn start_token_service(args: &Sts, clock: &Clock) -> Result<Running, StubError> {
    let pki = &args.common.pki;
    let names = Names {
        service: args.service_entity_id.clone(),
        service_role: args.service_role.clone(),
        index: args.common.index_entity_id.clone(),
        ..Names::default()
    };
    let config = StsConfig {
        address: args.listen,
        server: credentials(pki, Role::StsServer)?,
        signing: credentials(pki, Role::StsSigning)?,
        also_trusted: vec![],
        entity_id: args.common.sts_entity_id.clone(),
        // A system whose certificate was taken out of the folder is not registered.
        registrations: registrations(&names, |role| credentials(pki, role).ok().map(|own| own.thumbprint())),
        lifetime: SignedDuration::from_mins(i64::from(args.lifetime)),
        mode: Switch::new(args.mode),
        clock: at(args.common.now, clock),
    };
    let registered = config.registrations.len();
    let running = start_sts(config).await?;
    let address = running.address();
    println!("Token service     https://{address}{}", sts::PATH);
    println!("  metadata        https://{address}{METADATA_PATH}");
    println!("  issuer          {}", args.common.sts_entity_id);
    println!("  tokens for      {}\n                  {}", names.service, names.index);
    println!("  registered      {registered} systems; TLS is trusted by {}", pki.join("root.pem").display());
    Ok(running)
}

async fn start_index(args: &Ydelsesindeks, clock: &Clock) -> Result<Running, StubError> {
    let pki = &args.common.pki;
    let clock = at(args.common.now, clock);
    let signer = Certificate::from_der(credentials(pki, Role::StsSigning)?.leaf())?;
    let issuer = Issuer::from_certificates(args.common.sts_entity_id.clone(), vec![signer]);
    let population = Arc::new(Population::generate(args.seed, args.persons, clock.now()));
    let config = IndexConfig {
        address: args.listen,
        server: credentials(pki, Role::IndexServer)?,
        signing: credentials(pki, Role::IndexSigning)?,
        trust: Trust::new(vec![issuer.map_err(|error| StubError::Trust(error.to_string()))?]),
        entity_id: args.common.index_entity_id.clone(),
        population: Arc::clone(&population),
        join: Switch::new(args.join),
        mode: Switch::new(args.fault),
        padding: Switch::new(args.answer_bytes.map(|bytes| Padding { bytes, alike: args.releasable_bytes })),
        empty_status: args.empty_status,
        received: Switch::default(),
        clock,
    };
    let running = start_ydelsesindeks(config).await?;
    println!("Ydelsesindeks     https://{}{PATH}", running.address());
    println!("  entity id       {}", args.common.index_entity_id);
    println!("  answers         signed by {}", pki.join("index-signing.pem").display());
    let Population { persons, grants, effectuations, .. } = &*population;
    println!(
        "  population      {} persons, {} grants, {} payments (seed {})",
        persons.len(),
        grants.len(),
        effectuations.len(),
        args.seed
    );
    println!("  ask about");
    for (cpr, situation) in demo::SITUATIONS {
        println!("    {cpr}    {situation}");
    }
    Ok(running)
}

fn credentials(pki: &Path, role: Role) -> Result<Credentials, CredentialsError> {
    let name = role.file_name();
    Credentials::from_pem_files(&pki.join(format!("{name}.pem")), &pki.join(format!("{name}.key.pem")))
}

fn at(now: Option<Timestamp>, clock: &Clock) -> Clock {
    now.map_or_else(|| clock.clone(), Clock::fixed)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::stub::pki::for_tests;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        stub: Args,
    }

    #[test]
    fn the_command_line_is_consistent_and_its_help_names_every_mode() {
        Line::command().debug_assert();
        for (name, word) in [("sts", "bad-signature"), ("ydelsesindeks", "huge-text=BYTES"), ("service", "declared-fault=NAME")] {
            let help = Line::command().find_subcommand_mut(name).unwrap().render_long_help().to_string();
            assert!(help.replace('\n', " ").contains(word), "{help}");
        }
        for wrong in [
            &["hjemmel", "sts"][..],
            &["hjemmel", "sts", "--pki", "x", "--mode", "evil"],
            &["hjemmel", "ydelsesindeks", "--pki", "x", "--join", "sideways"],
            &["hjemmel", "ydelsesindeks", "--pki", "x", "--releasable-bytes", "1"],
            &["hjemmel", "ydelsesindeks", "--pki", "x", "--now", "noon"],
            &["hjemmel", "service", "--pki", "x"],
            &["hjemmel", "service", "dir", "--pki", "x", "--mode", "evil"],
            &["hjemmel", "service", "dir", "--pki", "x", "--security", "none"],
        ] {
            assert!(Line::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn both_start_from_the_folder_that_certs_dev_writes() {
        let folder = tempfile::tempdir().unwrap();
        let pki = folder.path().join("pki");
        for_tests().write(&pki, None).unwrap();
        let pki = pki.to_str().unwrap();
        for (name, extra) in [("sts", ["--mode", "slow=1"]), ("ydelsesindeks", ["--fault", "altered"])] {
            let line = [&["hjemmel", name, "--listen", "127.0.0.1:0", "--pki", pki][..], &extra].concat();
            let running = match Line::parse_from(line).stub.command {
                Command::Sts(args) => start_token_service(&args, &Clock::system()).await.unwrap(),
                Command::Ydelsesindeks(args) => start_index(&args, &Clock::system()).await.unwrap(),
                Command::Service(args) | Command::Ledger(args) => service::start(&args, None, &Clock::system()).await.unwrap(),
                Command::Campus(_) | Command::Idp(_) | Command::Sftp(_) => panic!("neither of the two"),
            };
            tokio::net::TcpStream::connect(running.address()).await.unwrap();
            let address = running.address();
            running.stop().await;
            assert!(tokio::net::TcpStream::connect(address).await.is_err(), "stopped is stopped");
        }
        let args = Line::parse_from(["hjemmel", "sts", "--pki", "/nowhere"]).stub;
        assert!(matches!(run(&args, &Clock::system()).await, Err(StubError::Credentials(_))));
    }
}
