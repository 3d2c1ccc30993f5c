//! The command line: one file a subcommand.

// First, for its macros take the place of std's in all that follow.
#[macro_use]
pub mod output;

pub mod agreement;
#[cfg(test)]
mod as_user;
mod ask;
pub mod audit;
pub mod call;
pub mod cases;
pub mod certs;
pub mod check;
pub mod connection;
pub mod console;
pub mod demo;
pub mod explain;
pub mod file;
mod help;
mod lang;
mod made;
pub mod mailbox;
pub mod notice;
pub mod objects;
pub mod person;
pub mod persons;
pub mod place;
pub mod policy;
pub mod ready;
pub mod request;
pub mod route;
pub mod serve;
pub mod service;
pub mod sftp;
mod shell;
pub mod sortiment;
pub mod store;
pub mod stub;
pub mod system;
pub mod transfers;
pub mod trial;
pub mod user;
pub mod verify_connection;
mod which;

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::clock::Clock;

/// An open service-platform gateway: a call passes only on a proven identity, an agreement and a legal basis, and only
/// the fields that the law names go back.
#[derive(Debug, Parser)]
#[command(name = "hjemmel", version, arg_required_else_help = true)]
#[command(after_help = "Begin with `hjemmel demo`: it shows the gateway at work and prints what your own client needs.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the gateway at work, with everything around it on this machine
    Demo(demo::Args),
    /// Run the gateway
    Serve(serve::Args),
    /// Check a configuration, every problem in one report
    Check(check::Check),
    /// Ask a running gateway whether it takes calls
    Ready(ready::Args),
    /// Ask the service, as a client system does
    Call(Box<call::Args>),
    /// Explain what the gateway decides about a message, without sending it
    Explain(Box<explain::Args>),
    /// The rules for a reader, and what a change of them means
    Policy(policy::Args),
    /// Service agreements: import, list, show, decide
    Agreement(agreement::Args),
    /// Requests for agreements: draft, send, new versions, withdraw
    Request(Box<request::Args>),
    /// Client systems: register, certificates, what holds when
    System(Box<system::Args>),
    /// Notices by mail: what waits, what was given up
    Notice(notice::Args),
    /// Routes: which system receives a service's calls, on which days
    Route(Box<route::Args>),
    /// Users: who decides on agreements and routes, by certificate and role
    User(user::Args),
    /// The console: a link by which an operator logs on
    Console(console::Args),
    /// The SFTP service: its host keys, its users with their keys, and route orders
    Sftp(Box<sftp::Args>),
    /// Mailboxes of partner agreements: agreements, users, what is asked for and decided
    Mailbox(Box<mailbox::Args>),
    /// Persons that institutions import and Campus is told of: from a file, show, erase, what waits
    Persons(Box<persons::Args>),
    /// Files that were handed over: list, show, try again, deliver again
    Transfers(transfers::Args),
    /// Pass-through services: a folder of published files and a service.toml each
    Service(service::Args),
    /// Value lists of SF1590_A Finans: import, publish, what a version changes, who gets it
    Sortiment(Box<sortiment::Args>),
    /// Times within which tests of vouchers (Proeve) are taken: open, list, end
    Trial(Box<trial::Args>),
    /// Connections: what must be done before a system may use a service, whose it is, and how long it has waited
    Connection(Box<connection::Args>),
    /// The steps of a verification test of vouchers: each done or missing, and what to mend
    VerifyConnection(verify_connection::Args),
    /// The store of agreements and routes: migrate, status, back up, restore, move
    Store(store::Args),
    /// The object store: its keys, and what it is good for
    Objects(objects::Args),
    /// The audit log: verify, report, search, open, retire
    Audit(audit::Args),
    /// Run a token service or a benefit index for development
    Stub(Box<stub::Args>),
    /// Certificates for development
    Certs(certs::Certs),
}

/// The command line as a whole, for its manual and completions (`examples/manual.rs`).
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match help::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("hjemmel: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let clock = Clock::system();
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = run(cli.command, &clock) => ended,
            code = output::gone() => Ok(code),
        }
    });
    // A lookup of a name, or a disk that hangs, must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(code) => code,
        Err(_) if output::is_gone() => output::ended(),
        Err(error) => {
            eprintln!("hjemmel: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Who answers where a command asks; none where there is no terminal.
fn operator<'a>(stdin: &'a mut io::StdinLock<'static>) -> Option<&'a mut dyn BufRead> {
    (io::stdin().is_terminal() && io::stdout().is_terminal()).then_some(stdin as &mut dyn BufRead)
}

async fn run(command: Command, clock: &Clock) -> Result<ExitCode, Box<dyn std::error::Error + Send + Sync>> {
    let done = Ok(ExitCode::SUCCESS);
    match command {
        Command::Demo(args) => demo::run(args, clock).await,
        Command::Serve(args) => Ok(serve::run(&args, clock).await?),
        Command::Check(args) => check::run(&args, clock, &mut output::Stdout).await,
        Command::Ready(args) => ready::run(&args).await.and(done),
        Command::Call(args) => {
            let environment = |name: &str| std::env::var(name).ok();
            match call::run(*args, clock, &mut io::stdin().lock(), &environment).await {
                Err(error @ call::CallError::Usage(_)) => {
                    eprintln!("hjemmel: {error}\nSe · See `hjemmel call --help`.");
                    Ok(ExitCode::from(2))
                }
                outcome => outcome.map_err(Into::into).and(done),
            }
        }
        Command::Explain(args) => explain::run(&args, clock, &mut io::stdin().lock(), &mut output::Stdout).await,
        Command::Policy(args) => policy::run(&args, clock, &mut output::Stdout).await,
        Command::Agreement(args) => {
            let mut stdin = io::stdin().lock();
            agreement::run(args, clock, operator(&mut stdin), &mut output::Stdout).await.map_err(Into::into).and(done)
        }
        Command::Request(args) => request::run(*args, clock, &mut output::Stdout).await.map_err(Into::into).and(done),
        Command::System(args) => system::run(*args, clock, &mut output::Stdout).await.map_err(Into::into).and(done),
        Command::Notice(args) => notice::run(args, clock, &mut output::Stdout).await.map_err(Into::into).and(done),
        Command::Route(args) => Ok(route::run(*args, clock, &mut output::Stdout).await?),
        Command::Store(args) => {
            let ended = store::run(args, clock, &mut output::Stdout).await;
            output::Stdout.flush()?;
            Ok(if ended? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Sftp(args) => {
            let mut stdin = io::stdin().lock();
            sftp::run(*args, clock, operator(&mut stdin), &mut output::Stdout).await.map_err(Into::into).and(done)
        }
        Command::Mailbox(args) => Ok(mailbox::run(*args, clock, &mut output::Stdout).await?),
        Command::Persons(args) => {
            let mut stdin = io::stdin().lock();
            Ok(persons::run(*args, clock, &mut stdin, &mut output::Stdout).await?)
        }
        Command::Transfers(args) => transfers::run(args, clock, &mut output::Stdout).await.map_err(Into::into).and(done),
        Command::Console(args) => console::run(args, clock, &mut output::Stdout).await.map_err(Into::into).and(done),
        Command::User(args) => user::run(args, clock, &mut output::Stdout).await.map_err(Into::into).and(done),
        Command::Audit(args) => {
            let result = audit::run(args, clock, &mut io::stdin().lock(), &mut output::Stdout, &mut io::stderr());
            output::Stdout.flush()?;
            result.map_err(Into::into).and(done)
        }
        Command::Objects(args) => objects::run(&args, clock).await.and(done),
        Command::Sortiment(args) => Ok(sortiment::run(*args, clock, &mut output::Stdout).await?),
        Command::Trial(args) => Ok(trial::run(*args, clock, &mut output::Stdout).await?),
        Command::Connection(args) => Ok(connection::run(*args, clock, &mut output::Stdout).await?),
        Command::VerifyConnection(args) => {
            let ended = verify_connection::run(&args, clock, &mut output::Stdout).await;
            output::Stdout.flush()?;
            Ok(ended?)
        }
        Command::Service(args) => service::run(&args, clock, &mut output::Stdout).await,
        Command::Stub(args) => Ok(stub::run(&args, clock).await?),
        Command::Certs(args) => certs::run(&args, clock).map_err(Into::into).and(done),
    }
}
