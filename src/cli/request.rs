//! `hjemmel request`: requests for agreements, one header with a line for each authority, from the draft on.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::request::store::Wanted;
use crate::agreements::request::{Content, Request, Standing};
use crate::agreements::{Agreement, Store};
use crate::api::requests::RequestForm;
use crate::clock::Clock;
use crate::decisions::shown::{differences, sha256};
use crate::decisions::{Because, By, DecideError, request};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::store::{Access, StoreError};

/// Requests for service agreements: one header, and a line for each authority and service that is asked.
///
/// A draft (KLADDE) may be unfinished and is its maker's side's alone. When it is sent each line is an agreement of its own that its
/// authority's signatory approves or rejects (`hjemmel agreement`). What was requested is never altered: a new version is a new
/// request, and the old agreements hold until the new ones are approved.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel request draft request.toml --certificate drift.pem --key drift.key.pem \\
    --config hjemmel.toml
  hjemmel request send ID --reason \"sag 7\" --certificate drift.pem \\
    --key drift.key.pem --config hjemmel.toml
  hjemmel request show ID --config hjemmel.toml

The file has the names of /api/v1/requests: kind, name, justification,
environment, valid_from, valid_to, system, certificates, authorities,
[[services]] (service, side, scope), contract, purpose, legal_basis,
categories, retention, depends_on, replaces.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Begin a draft from a TOML file; what is left out of it is filled in later
    Draft {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        person: Person,
    },
    /// Write a draft anew from a TOML file, as a whole
    Change {
        /// The request's id
        id: Uuid,
        /// The file
        file: PathBuf,
        #[command(flatten)]
        person: Person,
    },
    /// Begin a new version of a request as a draft: the former's words, until they are changed
    Renew {
        /// The request whose new version it is
        id: Uuid,
        #[command(flatten)]
        person: Person,
    },
    /// List requests: where each stands and what it is called
    List {
        /// By where they stand: KLADDE, ANMODET or TRUKKET
        #[arg(long, value_name = "STATE")]
        state: Option<Standing>,
    },
    /// Show a request, its text with the digest, and where each line stands
    Show {
        /// The request's id
        id: Uuid,
    },
    /// Send a draft to the authorities: each line becomes an agreement that is ANMODET
    Send(Decide),
    /// Take a request back: a draft, or the lines that nobody has answered
    Withdraw(Decide),
}

/// A decision, and who stands for it.
#[derive(Debug, clap::Args)]
struct Decide {
    /// The request's id
    id: Uuid,
    #[command(flatten)]
    person: Person,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
    /// SHA-256 of the text that was looked at (`hjemmel request show`): of any other nothing is decided
    #[arg(long, value_name = "SHA256")]
    shown: Option<String>,
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not known where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The file cannot be read.
    #[error("{}", crate::cli::file::describe(path, source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not in order.
    #[error("{}: {what}; nothing was written", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody is proven to decide.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// It may not be decided so.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Runs the command, and writes what it has to say to `out`.
///
/// # Errors
/// [`CommandError`]; nothing was changed then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = args.place.settings(now)?;
    match args.command {
        Command::Draft { file, person } => {
            let (content, signer, because) = (read(&file)?, person.signer()?, Because::new("kladde".to_owned(), now));
            let draft = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                Ok(request::draft(store, By::Key(&signer), Uuid::now_v7(), content, &because, None).await?)
            });
            print(&draft.await?, &[], out)?;
        }
        Command::Change { id, file, person } => {
            let (content, signer, because) = (read(&file)?, person.signer()?, Because::new("kladde".to_owned(), now));
            let draft = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let shown = held(store, id).await?;
                Ok(request::write(store, By::Key(&signer), &shown, content, &because, None).await?)
            });
            print(&draft.await?, &[], out)?;
        }
        Command::Renew { id, person } => {
            let (signer, because) = (person.signer()?, Because::new("kladde".to_owned(), now));
            let draft = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let content = request::renewed(&held(store, id).await?, now);
                Ok(request::draft(store, By::Key(&signer), Uuid::now_v7(), content, &because, None).await?)
            });
            print(&draft.await?, &[], out)?;
        }
        Command::List { state } => {
            let wanted = Wanted { state, limit: u32::MAX, ..Wanted::default() };
            let found = with_store::<_, CommandError>(&settings, Access::Look, async |store| Ok(store.requests(&wanted).await?));
            for found in found.await? {
                writeln!(out, "{}  {:8}  {}", found.id, found.state.wire_name(), found.content.name)?;
            }
        }
        Command::Show { id } => {
            let (found, lines, before) = with_store::<_, CommandError>(&settings, Access::Look, async |store| {
                let (found, lines) = (held(store, id).await?, store.lines(id).await?);
                let before = match found.content.replaces {
                    Some(before) => store.lines(before).await?,
                    None => Vec::new(),
                };
                Ok((found, lines, before))
            })
            .await?;
            print(&found, &lines, out)?;
            for line in &lines {
                let replaces = line.terms.as_ref().and_then(|terms| terms.replaces);
                if let Some(held) = replaces.and_then(|replaces| before.iter().find(|held| held.id == replaces)) {
                    writeln!(out, "what differs for {}", line.authority)?;
                    differences(held, line).iter().try_for_each(|line| writeln!(out, "  {line}"))?;
                }
            }
        }
        Command::Send(decide) => {
            let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
            let (rules, vocabulary) = (args.place.rules(now), args.place.vocabulary(now));
            let (sent, lines) = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let shown = as_looked_at(held(store, decide.id).await?, decide.shown.as_deref())?;
                let sent = request::submit(store, By::Key(&signer), &shown, &rules, &vocabulary, &because, None).await?;
                Ok((sent, store.lines(decide.id).await?))
            })
            .await?;
            print(&sent, &lines, out)?;
        }
        Command::Withdraw(decide) => {
            let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
            let (taken, lines) = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let shown = as_looked_at(held(store, decide.id).await?, decide.shown.as_deref())?;
                let taken = request::withdraw(store, By::Key(&signer), &shown, &because, None).await?;
                Ok((taken, store.lines(decide.id).await?))
            })
            .await?;
            print(&taken, &lines, out)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Content, CommandError> {
    let text = std::fs::read_to_string(file).map_err(|source| CommandError::File { path: file.to_owned(), source })?;
    let wrong = |what: String| CommandError::Form { path: file.to_owned(), what };
    let form: RequestForm = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    form.read().map_err(|refusal| wrong(refusal.to_string()))
}

async fn held(store: &Store, id: Uuid) -> Result<Request, CommandError> {
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("anmodning", "request") };
    Ok(store.request(id).await?.ok_or_else(nothing).map_err(DecideError::from)?)
}

fn as_looked_at(request: Request, seen: Option<&str>) -> Result<Request, CommandError> {
    match seen {
        Some(seen) if !seen.eq_ignore_ascii_case(&sha256(&request.text())) => {
            Err(DecideError::from(ApiRefusal::ApiShownDiffers).into())
        }
        _ => Ok(request),
    }
}

fn print(request: &Request, lines: &[Agreement], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "request {} is {}", request.id, request.state)?;
    write!(out, "{}", request.text())?;
    writeln!(out, "text          {} (SHA-256, as --shown takes it)", sha256(&request.text()))?;
    for line in lines {
        let (id, authority, state) = (line.id, line.authority, line.state);
        writeln!(out, "agreement {id}  {authority}  {}  {}  {state}", line.side.name(), line.service)?;
    }
    Ok(())
}
