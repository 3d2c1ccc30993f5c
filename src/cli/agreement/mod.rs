//! `hjemmel agreement`: bring agreements in, look at them, and record decisions on them.

mod print;

use std::{
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    agreements::{
        self, Agreement, Environment, Problem, Side, Standing, State, Store, Vocabulary, import::Import, page::Wanted,
        rules::Rules,
    },
    cli::{
        ask::{NotAgreed, agreed},
        person::{Person, PersonError},
        place::{Place, PlaceError, one_line, with_store},
    },
    clock::Clock,
    decisions::{
        self, Because, By, DecideError,
        approval::{self, Approval},
        ending::{self, Ending},
        shown::sha256,
        statement::Signer,
    },
    id::cvr::Cvr,
    refusal::api::ApiRefusal,
    store::{Access, StoreError},
};

/// Service agreements: who may call which service, on whose behalf, on what legal basis.
///
/// A call passes only on two agreements that the authority has approved: one on the front (client system and service) and
/// one on the back (service and what stands behind it), each for this environment and this day.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel agreement import agreements.toml --reason \"case 7\" \\
    --certificate drift.pem --key drift.key.pem --config hjemmel.toml
  hjemmel agreement list --authority 11111111 --state ANMODET --config hjemmel.toml
  hjemmel agreement approve ID --reason \"case 7\" --certificate jensen.pem \\
    --key jensen.key.pem --config hjemmel.toml

Whoever decides signs with a key: `hjemmel user add` says whose certificate it
is, and in which role. Who requested an agreement does not approve it.

deploy/agreements.example.toml is a file to begin with. A running gateway sees a
change within a second.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring authorities and agreements in from a TOML file, all or none
    ///
    /// The file holds [[authority]] tables (cvr, name, role = "udk" or "municipality") and [[agreement]] tables (id, side =
    /// "front" or "back", system, certificates, service, authority, environment, valid_from, valid_to, state = "ANMODET", legal_basis,
    /// purpose, decided_by, decided_at, reason, and to narrow TerminalAdgang's kle and sensitivity). Every problem is reported at once, with its line.
    /// Importing the same file again changes nothing, whatever was decided since. An import only requests: approve what it
    /// brought in with another person's key.
    Import {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        person: Person,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line, default_value = "import")]
        reason: String,
    },
    /// List agreements: where each stands now, its period, system and legal basis
    List {
        #[command(flatten)]
        filter: Filter,
        /// As JSON, each with every field of the import file
        #[arg(long)]
        json: bool,
    },
    /// Show one agreement and every decision on it
    Show {
        /// The agreement's id
        id: Uuid,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell the signatories of a request that waits once more; at most once an hour
    Remind {
        /// The agreement's id
        id: Uuid,
        #[command(flatten)]
        person: Person,
    },
    #[command(flatten)]
    Decide(Decision),
}

#[derive(Debug, clap::Subcommand)]
enum Decision {
    /// Record that the authority approved a requested agreement; shows it and asks first
    Approve(Open),
    /// Record that the authority rejected a requested agreement
    Reject(Decide),
    /// Record that the supplier took a request back
    Withdraw(Decide),
    /// Stop an approved agreement until it is resumed or terminated
    Suspend(Decide),
    /// Record that the authority lifted a suspension, or that a notice was taken back; shows the agreement and asks first
    Resume(Open),
    /// End an approved or suspended agreement, with those that depend on it and the routes that carry nothing without it
    ///
    /// What ends and what is closed is shown first. Where the service has a binding period or a notice period
    /// ([service.NAME.agreements]), the agreement holds until they are over.
    #[command(alias = "end")] // as the API says
    Terminate(End),
}

/// An end.
#[derive(Debug, clap::Args)]
struct End {
    #[command(flatten)]
    decide: Decide,
    /// The first instant at which it no longer holds, as 2027-06-01T00:00:00+02:00; left out: as early as the service's terms allow
    #[arg(long, value_name = "INSTANT")]
    ends_at: Option<Timestamp>,
}

/// Which agreements to list: those that fit everything given.
#[derive(Debug, clap::Args)]
struct Filter {
    /// By where it stands now: ANMODET, GODKENDT, AFVIST, TRUKKET, SUSPENDERET, OPSAGT or UDLØBET; may be given again
    #[arg(long, value_name = "STATE")]
    state: Vec<State>,
    /// Only those that open anything now: approved, begun and not over
    #[arg(long)]
    holds: bool,
    /// By the authority's CVR number
    #[arg(long, value_name = "CVR")]
    authority: Option<Cvr>,
    /// By side: front or back
    #[arg(long, value_name = "SIDE", value_parser = side)]
    side: Option<Side>,
    /// By the client system's UUID
    #[arg(long, value_name = "UUID")]
    system: Option<Uuid>,
    /// By the service: its UUID, or with --config its name there
    #[arg(long, value_name = "NAME|UUID")]
    service: Option<String>,
    /// By environment, such as prod or exttest
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
}

impl Filter {
    /// What the store is asked for.
    fn wanted(&self, service: Option<Uuid>) -> Wanted {
        Wanted {
            authority: self.authority,
            side: self.side,
            system: self.system,
            service,
            environment: self.environment.clone(),
            limit: u32::MAX,
            ..Wanted::default()
        }
    }

    /// Where it stands depends on the time, and is not asked of the store.
    fn takes(&self, agreement: &Agreement, now: Timestamp) -> bool {
        let standing = agreement.standing(now);
        (self.state.is_empty() || self.state.contains(&standing.state())) && (!self.holds || standing == Standing::Holds)
    }
}

fn side(text: &str) -> Result<Side, String> {
    [Side::Front, Side::Back].into_iter().find(|side| side.name() == text).ok_or_else(|| "a side is front or back".to_owned())
}

/// A decision that opens access.
#[derive(Debug, clap::Args)]
struct Open {
    #[command(flatten)]
    decide: Decide,
    /// Do not ask, as in a script
    #[arg(long)]
    yes: bool,
}

/// A decision, and who stands for it.
#[derive(Debug, clap::Args)]
struct Decide {
    /// The agreement's id
    id: Uuid,
    #[command(flatten)]
    person: Person,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
    /// SHA-256 of the text that was looked at (`hjemmel agreement show`): of any other nothing is decided
    #[arg(long, value_name = "SHA256")]
    shown: Option<String>,
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not known where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A file cannot be read.
    #[error("{}", crate::cli::file::describe(path, source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file to import is not in order.
    #[error("{} cannot be imported; nothing was written:\n{}", path.display(), lines(problems))]
    Import {
        /// The file.
        path: PathBuf,
        /// Every problem.
        problems: Vec<Problem>,
    },
    /// What is shown was not agreed to.
    #[error(transparent)]
    NotAgreed(#[from] NotAgreed),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agreements are not as the command would have them.
    #[error(transparent)]
    Agreements(#[from] agreements::AgreementError),
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

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs the command, and writes what it has to say to `out`. `operator` answers where it asks; none where there is no
/// terminal.
///
/// # Errors
/// [`CommandError`]; nothing was changed then, unless it says so.
pub async fn run(
    args: Args,
    clock: &Clock,
    operator: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = args.place.settings(now)?;
    let rules = args.place.rules(now);
    match args.command {
        Command::Import { file, person, reason } => {
            // Read first: a file that is not in order makes no store.
            let import = read_import(&file, &args.place.vocabulary(now))?;
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            with_store(&settings, Access::Make, async |store| bring_in(store, &signer, &import, &rules, &because, out).await)
                .await
        }
        Command::List { filter, json } => {
            let service = filter.service.as_deref().map(|named| args.place.service(named, now)).transpose()?;
            with_store(&settings, Access::Look, async |store| list(store, &filter, service, json, now, out).await).await
        }
        Command::Show { id, json } => {
            with_store(&settings, Access::Look, async |store| show(store, id, json, &rules, now, out).await).await
        }
        Command::Remind { id, person } => {
            let signer = person.signer()?;
            let told = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let who = signer.actor(store, now).await.map_err(DecideError::from)?;
                Ok(decisions::agreement::remind(store, &who, id, now).await?)
            })
            .await?;
            writeln!(out, "reminders: {told}")?;
            Ok(())
        }
        Command::Decide(decision) => {
            with_store(&settings, Access::Change, async |store| decide(store, decision, &rules, now, operator, out).await).await
        }
    }
}

fn read_import(file: &Path, vocabulary: &Vocabulary) -> Result<Import, CommandError> {
    let text = std::fs::read_to_string(file).map_err(|source| CommandError::File { path: file.to_owned(), source })?;
    Import::parse(&text, vocabulary).map_err(|problems| CommandError::Import { path: file.to_owned(), problems })
}

async fn bring_in(
    store: &Store,
    signer: &Signer,
    import: &Import,
    rules: &Rules,
    because: &Because,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let done = decisions::agreement::request(store, By::Key(signer), import, rules, because, None).await?;
    writeln!(
        out,
        "{} authorities; agreements: {} added, {} changed, {} unchanged",
        import.authorities.len(),
        done.added,
        done.changed,
        done.unchanged
    )?;
    for (id, state) in done.decided_since {
        writeln!(out, "agreement {id} stays {state}: that was decided after what the file says of it")?;
    }
    Ok(())
}

async fn list(
    store: &Store,
    filter: &Filter,
    service: Option<Uuid>,
    json: bool,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let authorities = store.authorities().await?;
    // What the store can leave out is not read: among 100,000 an authority's are found as fast as among few.
    let mut agreements = store.page(&filter.wanted(service)).await?;
    agreements.retain(|agreement| filter.takes(agreement, now));
    agreements.sort_by_key(|agreement| std::cmp::Reverse((agreement.valid_from, agreement.id)));
    if json {
        print::list_as_json(&agreements, &authorities, now, out)?;
    } else if agreements.is_empty() {
        match store.page(&Wanted { limit: 1, ..Wanted::default() }).await?.is_empty() {
            true => writeln!(out, "There are no agreements. Bring some in with `hjemmel agreement import FILE`.")?,
            false => writeln!(out, "There are agreements, and none of them fits.")?,
        }
    } else {
        print::list(&agreements, &authorities, now, out)?;
    }
    Ok(())
}

async fn show(
    store: &Store,
    id: Uuid,
    json: bool,
    rules: &Rules,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (agreement, authorities) = (store.get(id).await?, store.authorities().await?);
    let decisions = store.decisions(id).await?;
    if json {
        print::one_as_json(&agreement, &decisions, &authorities, now, out)?;
    } else {
        print::one(&agreement, &decisions, &authorities, now, out)?;
        let approval = approval::propose(store, &agreement, rules, now).await?;
        print_end(&approval, out)?;
        writeln!(out, "text          {} (SHA-256, as --shown takes it)", sha256(&approval.text()))?;
    }
    Ok(())
}

async fn decide(
    store: &Store,
    decision: Decision,
    rules: &Rules,
    now: Timestamp,
    operator: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (to, decision) = match decision {
        Decision::Approve(open) => {
            return decide_to_open(store, ("Approve this agreement", &[State::Requested]), open, rules, now, operator, out).await;
        }
        Decision::Resume(open) => {
            let from = [State::Suspended, State::Terminated, State::Expired];
            return decide_to_open(store, ("Resume this agreement", &from), open, rules, now, operator, out).await;
        }
        Decision::Reject(decision) => (State::Rejected, decision),
        Decision::Withdraw(decision) => (State::Withdrawn, decision),
        Decision::Suspend(decision) => (State::Suspended, decision),
        Decision::Terminate(end) => return terminate(store, end, rules, now, out).await,
    };
    let (signer, because) = (decision.person.signer()?, Because::new(decision.reason, now));
    let shown = store.get(decision.id).await?;
    legal(&shown, to, now)?;
    let approval = approval::propose(store, &shown, rules, now).await?;
    print_signed_text(&approval.text(), decision.shown.as_deref(), out)?;
    let agreement = decisions::agreement::decide_as_shown(store, By::Key(&signer), &approval, to, &because, None).await?;
    print::decided(&agreement, now, out)?;
    Ok(())
}

/// Ends an agreement as it is listed.
async fn terminate(store: &Store, end: End, rules: &Rules, now: Timestamp, out: &mut impl Write) -> Result<(), CommandError> {
    let End { decide, ends_at } = end;
    let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
    let shown = store.get(decide.id).await?;
    legal(&shown, State::Terminated, now)?;
    let ending = ending::propose(store, &shown, ends_at, rules, now).await?;
    print_waiting(&ending, out)?;
    print_signed_text(&ending.text(), decide.shown.as_deref(), out)?;
    let agreement = ending::end(store, By::Key(&signer), &ending, &because, None).await?;
    print::decided(&agreement, now, out)?;
    print_taken(&ending, out)
}

/// What ends and is closed with an agreement.
fn print_taken(ending: &Ending, out: &mut impl Write) -> Result<(), CommandError> {
    for with in &ending.with {
        writeln!(out, "agreement {} ends with it, at {}", with.thing.id, with.ends_at)?;
    }
    for route in &ending.routes {
        writeln!(out, "route {} is closed, at {}", route.thing.id, route.ends_at)?;
    }
    Ok(())
}

/// The end that an agreement would have if it is approved, by what it depends on; or on what else the notice is taken back with the one on it.
fn print_end(approval: &Approval, out: &mut impl Write) -> Result<(), CommandError> {
    for back in &approval.back {
        writeln!(
            out,
            "where the notice is taken back, the one on agreement {back} is taken back too: they depend on each other"
        )?;
    }
    let Some(ending) = &approval.ending else { return Ok(()) };
    for with in &approval.with {
        writeln!(out, "approved, it ends {} with agreement {with}, which it depends on", ending.ends_at)?;
    }
    print_waiting(ending, out)?;
    print_taken(ending, out)
}

/// How many files wait that what is decided would have deleted; no part of the text, for it changes with each file.
fn print_waiting(ending: &Ending, out: &mut impl Write) -> Result<(), CommandError> {
    if ending.files.waiting > 0 {
        writeln!(out, "files that wait by the orders that are closed, now: {}", ending.files.waiting)?;
    }
    Ok(())
}

/// Shows the text whose digest is signed; it is the one that was looked at before, where that is said.
fn print_signed_text(text: &str, seen: Option<&str>, out: &mut impl Write) -> Result<(), CommandError> {
    let digest = sha256(text);
    if seen.is_some_and(|seen| !seen.eq_ignore_ascii_case(&digest)) {
        return Err(DecideError::from(ApiRefusal::ApiShownDiffers).into());
    }
    writeln!(out, "\nThe text that is signed (SHA-256 {digest}):\n{text}")?;
    Ok(())
}

/// Said in the command's own words, before anything is signed.
fn legal(agreement: &Agreement, to: State, now: Timestamp) -> Result<(), CommandError> {
    let (id, from) = (agreement.id, agreement.state);
    if agreement.may_become(to, now) {
        Ok(())
    } else {
        Err(agreements::AgreementError::IllegalTransition { id, from, to }.into())
    }
}

/// To GODKENDT, of an agreement in a state of `from`: shown first, and decided on only as it was shown.
async fn decide_to_open(
    store: &Store,
    (question, from): (&str, &[State]),
    Open { decide, yes }: Open,
    rules: &Rules,
    now: Timestamp,
    operator: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
    let who = signer.actor(store, because.at).await.map_err(DecideError::from)?;
    let shown = store.get(decide.id).await?;
    let over = from.contains(&State::Suspended) && decisions::agreement::is_over(&shown, now);
    if !from.contains(&shown.state) || !(over || shown.may_become(State::Approved, now)) {
        return Err(
            agreements::AgreementError::IllegalTransition { id: decide.id, from: shown.state, to: State::Approved }.into()
        );
    }
    print::one(&shown, &store.decisions(decide.id).await?, &store.authorities().await?, now, out)?;
    let approval = approval::propose(store, &shown, rules, now).await?;
    print_end(&approval, out)?;
    print_signed_text(&approval.text(), decide.shown.as_deref(), out)?;
    if !yes {
        agreed(&format!("{question}, decided by {}: {}", who.user().name, because.reason), operator, out)?;
    }
    let (by, to) = (By::Key(&signer), State::Approved);
    let agreement = match over {
        true => decisions::agreement::lift(store, by, &shown, &because, None).await?,
        false => decisions::agreement::decide_as_shown(store, by, &approval, to, &because, None).await?,
    };
    print::decided(&agreement, now, out)?;
    Ok(())
}

#[cfg(test)]
mod tests;
