//! `hjemmel connection`: what must be done before a system may use a service, by whom, and what is done of it.

pub(super) mod look;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::lang::Lang;
use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::{Environment, Store};
use crate::clock::Clock;
use crate::connection::decide::{self, Assigning, ConnectionError, LONGEST_REFERENCE, New, Stating};
use crate::connection::graph::Consenting;
use crate::connection::shown::{Names, View, waited};
use crate::connection::standing::State;
use crate::connection::store::{Assignment, MOST, Wanted};
use crate::connection::{consent, export::Table, graphs, load, picture};
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::store::{Access, StoreError};
use crate::users::{Scope, User, Whose};

/// Connections: what must be done before a system may use a service, whose it is, and how long it has waited.
///
/// The tasks of each service are a graph (`hjemmel connection graphs`). What the gateway sees by itself, such as an agreement that was
/// approved or a route in force, nobody states; the rest a person states, with a reference to what shows it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel connection add --graph sf1590a --service finansbilag --authority 11111111 --client 6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11 \\
    --receiver 1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001 --uses straks,verification --reason \"sag 7\" \\
    --certificate jensen.pem --key jensen.key.pem --config hjemmel.toml
  hjemmel connection list --config hjemmel.toml
  hjemmel connection show ID --svg korsbaek.svg --config hjemmel.toml
  hjemmel connection state ID FB201 --reference \"aftale 2026-117\" --reason \"underskrevet\" \\
    --certificate jensen.pem --key jensen.key.pem --config hjemmel.toml
  hjemmel connection export --output forbindelser.csv --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List connections: how far each is, what has waited longest, and whose that is
    List {
        #[command(flatten)]
        which: Which,
        /// Also those that were ended
        #[arg(long)]
        all: bool,
        /// Danish, English, or both
        #[arg(long, value_enum, default_value = "en")]
        lang: Lang,
    },
    /// Show one in words: what is next, whose it is, and how long it has waited
    Show {
        /// Its id
        id: Uuid,
        /// Also draw it, as an SVG picture
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Danish, English, or both; the picture is Danish unless English is asked for
        #[arg(long, value_enum, default_value = "en")]
        lang: Lang,
    },
    /// Add a connection
    Add(Box<Add>),
    /// End one: it is no longer looked after; agreements and routes stay as they are
    End {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        why: Why,
    },
    /// Agree to one for your side, the receiver's or the client's authority's: until then nothing of it is shown or stated in it
    Consent {
        /// Its id
        id: Uuid,
        /// For which side: authority (the client's) or receiver; left out: for whichever is your own. An operator says
        #[arg(long = "for", value_name = "SIDE")]
        side: Option<Consenting>,
        #[command(flatten)]
        why: Why,
    },
    /// State that a task is done, with a reference to what shows it; or take that back
    State {
        /// The connection's id
        id: Uuid,
        /// The task's
        task: String,
        /// What shows it: a document, a case, an agreement
        #[arg(long, value_name = "TEXT", value_parser = reference, required_unless_present = "withdraw", conflicts_with = "withdraw")]
        reference: Option<String>,
        /// Take back what was stated
        #[arg(long)]
        withdraw: bool,
        /// For which authority or company, where it is stated for both or on behalf
        #[arg(long = "for", value_name = "CVR")]
        party: Option<Cvr>,
        #[command(flatten)]
        why: Why,
    },
    /// Give a task to a person, with a day and a wave; it replaces what was said before
    Assign {
        /// The connection's id
        id: Uuid,
        /// The task's
        task: String,
        /// The user, by name or id (`hjemmel user list`)
        #[arg(long, value_name = "USER")]
        to: Option<String>,
        /// By which authority, where both state it and an operator gives it
        #[arg(long = "for", value_name = "CVR")]
        party: Option<Cvr>,
        /// By when, as 2027-01-31
        #[arg(long, value_name = "DAY")]
        due: Option<Date>,
        /// In which wave, 1 to 999
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=999))]
        wave: Option<i64>,
        #[command(flatten)]
        why: Why,
    },
    /// Ask the receivers' addresses whether they answer, with the certificate that their route trusts; fails where one does not
    ///
    /// Revocation lists are not asked: `hjemmel check --connect` does that.
    Look {
        #[command(flatten)]
        which: Which,
    },
    /// Write all tasks of all connections as a table (CSV)
    Export {
        #[command(flatten)]
        which: Which,
        /// Where to; left out: standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List the graphs, or check one of your own
    Graphs {
        /// A graph to check: whether it can be read, and whether every connection could be finished
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
}

/// Which connections.
#[derive(Debug, clap::Args)]
struct Which {
    /// Of this service, by UUID or with --config by name
    #[arg(long, value_name = "NAME|UUID")]
    service: Option<String>,
    /// Of this authority, at either end
    #[arg(long, value_name = "CVR")]
    authority: Option<Cvr>,
    /// In this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The graph of its tasks (`hjemmel connection graphs`)
    #[arg(long, value_name = "ID")]
    graph: String,
    /// The service, by UUID or with --config by name
    #[arg(long, value_name = "NAME|UUID")]
    service: String,
    /// The environment; that of --config where it is left out
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// The authority whose client system it is
    #[arg(long, value_name = "CVR")]
    authority: Cvr,
    /// The client system
    #[arg(long, value_name = "UUID")]
    client: Uuid,
    /// The company that runs it; left out: the authority itself
    #[arg(long, value_name = "CVR")]
    client_supplier: Option<Cvr>,
    /// The system that receives, where there is one
    #[arg(long, value_name = "UUID")]
    receiver: Option<Uuid>,
    /// Its authority; left out: the same
    #[arg(long, value_name = "CVR")]
    receiver_authority: Option<Cvr>,
    /// The company that runs it; left out: whoever the system is registered as, else its authority itself
    #[arg(long, value_name = "CVR")]
    receiver_supplier: Option<Cvr>,
    /// What it uses, with commas between
    #[arg(long, value_name = "OPTIONS", value_delimiter = ',')]
    uses: Vec<String>,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, clap::Args)]
struct Why {
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
    #[command(flatten)]
    person: Person,
}

fn reference(text: &str) -> Result<String, String> {
    let line = one_line(text)?;
    match line.chars().count() > LONGEST_REFERENCE {
        true => Err(format!("a reference has {LONGEST_REFERENCE} characters at most; name the document, do not quote it")),
        false => Ok(line),
    }
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CommandError {
    /// It is not known where the store is, or for which service.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// It cannot be so.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A user that is named.
    #[error("{0}")]
    User(String),
    /// A graph that could never be finished, or cannot be read.
    #[error("{}:\n{error}", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: load::Unusable,
    },
    #[error("{}", crate::cli::file::describe(path, error))]
    File {
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Whoever holds the store sees every connection.
fn all() -> Scope {
    Scope { whose: Whose::Everybody, services: Vec::new() }
}

/// Carries out the command.
///
/// # Errors
/// [`CommandError`]; nothing was changed then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let now = clock.now();
    let Args { place, command } = args;
    if let Command::Graphs { check } = &command {
        return about_graphs(check.as_ref(), out).map(|()| ExitCode::SUCCESS);
    }
    let settings = place.settings(now)?;
    match command {
        Command::List { which, all: ended, lang } => {
            let wanted = Wanted { ended, ..wanted(&place, which, now)? };
            with_store(&settings, Access::Look, async |store| list(store, &wanted, lang, now, out).await).await?;
        }
        Command::Show { id, svg, lang } => {
            with_store(&settings, Access::Look, async |store| show(store, id, svg.as_ref(), lang, now, out).await).await?;
        }
        Command::Add(add) => {
            let (signer, because) = (add.why.person.signer()?, Because::new(add.why.reason.clone(), now));
            let new = New {
                graph: add.graph.clone(),
                service: place.service(&add.service, now)?,
                environment: place.environment(add.environment.clone())?,
                authority: add.authority,
                client: add.client,
                client_supplier: add.client_supplier,
                receiver: add.receiver,
                receiver_authority: add.receiver_authority,
                receiver_supplier: add.receiver_supplier,
                options: add.uses.iter().cloned().collect::<BTreeSet<_>>(),
            };
            let connection = new.connection(now)?;
            let add = async |store: &Store| decide::add(store, By::Key(&signer), &connection, &because, None).await;
            let added = with_store(&settings, Access::Change, add).await?;
            writeln!(out, "{} is added; `hjemmel connection show {}` says what is next", added.id, added.id)?;
            if let Some(supplier) = added.receiver_supplier {
                writeln!(out, "The receiving system's supplier is {supplier}")?;
            }
            for side in added.awaits() {
                writeln!(out, "It waits for {} to agree to it", side.describe().en())?;
            }
        }
        Command::End { id, why } => {
            let (signer, because) = (why.person.signer()?, Because::new(why.reason, now));
            let end = async |store: &Store| {
                let known = store.connection(id, now).await?.ok_or(ConnectionError::NoSuch(id))?;
                decide::end(store, By::Key(&signer), &known, &because, None).await
            };
            with_store(&settings, Access::Change, end).await?;
            writeln!(out, "{id} is ended")?;
        }
        Command::Consent { id, side, why } => {
            let (signer, because) = (why.person.signer()?, Because::new(why.reason, now));
            let consent = async |store: &Store| {
                let known = store.connection(id, now).await?.ok_or(ConnectionError::NoSuch(id))?;
                consent::consent(store, By::Key(&signer), (&known, side), &because, None).await
            };
            let agreed = with_store(&settings, Access::Change, consent).await?;
            writeln!(out, "{id} is agreed to")?;
            for side in agreed.awaits() {
                writeln!(out, "It waits for {} to agree to it", side.describe().en())?;
            }
        }
        Command::State { id, task, reference, withdraw: _, party, why } => {
            let (signer, because) = (why.person.signer()?, Because::new(why.reason, now));
            let stating = Stating { connection: id, task, party, reference };
            let state = async |store: &Store| {
                let view = decide::state(store, By::Key(&signer), &stating, &because, None).await?;
                Ok::<_, ConnectionError>((view, Names::of(store).await?))
            };
            let (view, names) = with_store(&settings, Access::Change, state).await?;
            one_task(&view, &stating.task, &names, now, out)?;
            next(&view, &names, Lang::En, now, out)?;
        }
        Command::Assign { id, task, to, party, due, wave, why } => {
            let (signer, because) = (why.person.signer()?, Because::new(why.reason, now));
            let assign = async |store: &Store| {
                let person = match &to {
                    Some(to) => Some(user(&store.users().await?, to)?.id),
                    None => None,
                };
                let assigning = Assigning { connection: id, task: task.clone(), party, person, due, wave };
                Ok::<_, CommandError>(decide::assign(store, By::Key(&signer), &assigning, &because, None).await?)
            };
            with_store(&settings, Access::Change, assign).await?;
            let person = to.as_deref().unwrap_or("nobody");
            writeln!(out, "{task} is given to {person}")?;
        }
        Command::Look { which } => {
            let wanted = wanted(&place, which, now)?;
            let look = async |store: &Store| {
                let connections = store.every_connection(&wanted, &all(), now).await?;
                look::look(store, &connections, now, out).await
            };
            if with_store(&settings, Access::Change, look).await? > 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Export { which, output } => {
            let wanted = wanted(&place, which, now)?;
            let write = async |store: &Store| match output {
                Some(path) => {
                    let file = File::create(&path).map_err(|error| CommandError::File { path: path.clone(), error })?;
                    export(store, &wanted, now, file).await.map_err(|error| match error {
                        CommandError::Output(error) => CommandError::File { path, error },
                        error => error,
                    })
                }
                None => export(store, &wanted, now, out).await,
            };
            with_store(&settings, Access::Look, write).await?;
        }
        Command::Graphs { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn about_graphs(check: Option<&PathBuf>, out: &mut impl Write) -> Result<(), CommandError> {
    let Some(path) = check else {
        for graph in graphs() {
            let options: Vec<&str> = graph.options.iter().map(|option| option.id.as_str()).collect();
            writeln!(out, "{:15} {}: {} tasks, version {}", graph.id, graph.name.en(), graph.tasks.len(), graph.version)?;
            if !options.is_empty() {
                writeln!(out, "{:15} --uses {}", "", options.join(","))?;
            }
        }
        return Ok(());
    };
    let text = std::fs::read_to_string(path).map_err(|error| CommandError::File { path: path.clone(), error })?;
    let graph = load::graph(&text).map_err(|error| CommandError::Graph { path: path.clone(), error })?;
    writeln!(out, "{}: {} tasks; every connection can be finished", graph.id, graph.tasks.len())?;
    Ok(())
}

fn wanted(place: &Place, which: Which, now: Timestamp) -> Result<Wanted, PlaceError> {
    let service = which.service.map(|service| place.service(&service, now)).transpose()?;
    Ok(Wanted { service, authority: which.authority, environment: which.environment, limit: MOST, ..Wanted::default() })
}

fn user<'u>(users: &'u [User], named: &str) -> Result<&'u User, CommandError> {
    let fits: Vec<&User> = users.iter().filter(|user| user.name == named || user.id.to_string() == named).collect();
    match fits.as_slice() {
        [one] => Ok(*one),
        [] => Err(CommandError::User(format!("there is no user {named}; `hjemmel user list` shows them"))),
        _ => {
            Err(CommandError::User(format!("several users are called {named}; name one by id, as `hjemmel user list` shows it")))
        }
    }
}

/// Writes every connection that is wanted, however many there are, some at a time.
async fn export(store: &Store, wanted: &Wanted, now: Timestamp, out: impl Write) -> Result<(), CommandError> {
    let (names, mut table, mut wanted) = (Names::of(store).await?, Table::begun(out)?, wanted.clone());
    loop {
        let views = store.connection_views(&wanted, &all(), now).await?;
        table.add(&views, &names)?;
        match views.last().filter(|_| views.len() >= wanted.limit as usize) {
            Some(last) => wanted.after = Some(last.connection.id),
            None => return Ok(()),
        }
    }
}

/// Lists every connection that is wanted, however many there are: of each no more is kept than its lines.
async fn list(store: &Store, wanted: &Wanted, lang: Lang, now: Timestamp, out: &mut impl Write) -> Result<(), CommandError> {
    let (names, mut wanted, mut lines) = (Names::of(store).await?, wanted.clone(), Vec::new());
    loop {
        let views = store.connection_views(&wanted, &all(), now).await?;
        for view in &views {
            let mut told = Vec::new();
            line(view, &names, lang, now, &mut told)?;
            lines.push((view.waits_since(), told));
        }
        match views.last().filter(|_| views.len() >= wanted.limit as usize) {
            Some(last) => wanted.after = Some(last.connection.id),
            None => break,
        }
    }
    if lines.is_empty() {
        lang.say(
            out,
            "",
            "Der er ingen forbindelser i lageret. Opret en med `hjemmel connection add`.",
            "There is no connection in the store. Add one with `hjemmel connection add`.",
        )?;
        return Ok(());
    }
    // The longest wait first; what waits for nobody last.
    lines.sort_by_key(|(since, _)| *since);
    for (_, told) in &lines {
        out.write_all(told)?;
    }
    Ok(())
}

fn line(view: &View, names: &Names, lang: Lang, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let connection = &view.connection;
    let (done, of) = view.done();
    let head = format!("{}  {:14}  {}", connection.id, connection.graph, names.party(connection.authority));
    lang.say(out, "", &format!("{head}: {done} af {of}"), &format!("{head}: {done} of {of}"))?;
    let told = longest(view, names, now);
    lang.say(out, "    ", told.da(), told.en())
}

/// The longest wait of a connection, and whose it is.
fn longest(view: &View, names: &Names, now: Timestamp) -> Detail {
    let next = view.next();
    let Some(first) = next.first().filter(|_| view.connection.ended.is_none()) else {
        return match view.connection.ended {
            Some(_) => Detail::new("afsluttet", "ended"),
            None => view.awaits_in_words().unwrap_or_else(|| Detail::new("færdig", "finished")),
        };
    };
    let waited = first.standing.since.map_or_else(|| Detail::name("-"), |since| waited(since, now));
    let (id, whose) = (&first.task.id, names.party(first.whose));
    Detail::new(
        format!("længst har {id} ventet, {}: hos {whose}", waited.da()),
        format!("{id} has waited longest, {}: with {whose}", waited.en()),
    )
}

async fn show(
    store: &Store,
    id: Uuid,
    svg: Option<&PathBuf>,
    lang: Lang,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let view = store.connection_view(id, now).await?.ok_or(ConnectionError::NoSuch(id))?;
    let names = Names::of(store).await?;
    written(&view, &names, lang, now, out)?;
    if let Some(path) = svg {
        let words: picture::Words = if lang.word("da", "en") == "en" { Detail::en } else { Detail::da };
        let drawn = picture::svg(&view, &names, words);
        std::fs::write(path, drawn).map_err(|error| CommandError::File { path: path.clone(), error })?;
    }
    Ok(())
}

/// A connection in words: what is next first, then every task.
pub(super) fn written(view: &View, names: &Names, lang: Lang, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let connection = &view.connection;
    let (done, of) = view.done();
    writeln!(out, "{}  {} ({})", connection.id, lang.word(view.graph.name.da(), view.graph.name.en()), connection.environment)?;
    let system = |uuid: Uuid, owner: Cvr| format!("{uuid}, {}", names.party(owner));
    let client = lang.word(view.graph.client.da(), view.graph.client.en());
    writeln!(out, "  {client}: {}", system(connection.client, connection.authority))?;
    if let (Some(receiver), Some(named)) = (connection.receiver, &view.graph.receiver) {
        writeln!(out, "  {}: {}", lang.word(named.da(), named.en()), system(receiver, connection.receiver_authority))?;
    }
    lang.say(out, "  ", &format!("{done} af {of} opgaver er udført"), &format!("{done} of {of} tasks are done"))?;
    next(view, names, lang, now, out)?;
    for shown in &view.tasks {
        let task = shown.task;
        let state = shown.standing.state.describe();
        writeln!(out, "  {:12} {:8} {}", lang.word(state.da(), state.en()), task.id, lang.word(task.text.da(), task.text.en()))?;
        if shown.standing.state != State::NotNeeded {
            let told = shown.describe(view, names, now);
            lang.say(out, "               ", told.da(), told.en())?;
        }
        for (party, given) in shown.given.iter().filter(|(_, given)| **given != Assignment::default()) {
            let person = given.person.map_or_else(|| "-".to_owned(), |person| names.user(person));
            let due = given.due.map_or_else(|| "-".to_owned(), |due| due.to_string());
            let wave = given.wave.map_or_else(|| "-".to_owned(), |wave| wave.to_string());
            let by = |word: &str| if task.both { format!(" {word} {}", names.party(*party)) } else { String::new() };
            let da = format!("givet til {person}{}, frist {due}, bølge {wave}", by("hos"));
            lang.say(out, "               ", &da, &format!("given to {person}{}, due {due}, wave {wave}", by("of")))?;
        }
    }
    Ok(())
}

fn next(view: &View, names: &Names, lang: Lang, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let next = view.next();
    if let Some(waits) = view.awaits_in_words() {
        let (da, en) = (format!("Forbindelsen {}.", waits.da()), format!("The connection {}.", waits.en()));
        lang.say(out, "  ", &da, &en)?;
    } else if next.is_empty() {
        return lang.say(out, "  ", "Alt er udført.", "Everything is done.");
    }
    if next.is_empty() {
        return Ok(());
    }
    lang.say(out, "  ", "Næste:", "Next:")?;
    for shown in next {
        let told = shown.describe(view, names, now);
        let (id, text) = (&shown.task.id, &shown.task.text);
        lang.say(out, "    ", &format!("{id} {}: {}", text.da(), told.da()), &format!("{id} {}: {}", text.en(), told.en()))?;
    }
    Ok(())
}

fn one_task(view: &View, id: &str, names: &Names, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let Some(shown) = view.find(id) else { return Ok(()) };
    writeln!(out, "{id}: {}", shown.describe(view, names, now).en())
}

#[cfg(test)]
mod tests;
