//! `hjemmel route`: add routes, look at them, end them, and ask who would receive a call.

mod print;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::{
    agreements::{
        Authority, Environment, Problem, Route, Security, Store,
        model::ModelError,
        route::{
            Address, CertificatesError, EntityId, OnDay, Period, Pinned, ProviderSecurity, Roots, Standing, day,
            file::{self, Party},
            on_day,
            store::{InTheWay, RouteError},
        },
    },
    cli::{
        lang::Lang,
        person::{Person, PersonError},
        place::{Place, PlaceError, one_line, with_store},
    },
    clock::{Clock, civil_day},
    decisions::{Because, By, DecideError, route as decisions},
    id::cvr::Cvr,
    signature::credentials::{CredentialsError, certificates_from_pem_file},
    store::{Access, StoreError},
};

/// Routes: which system receives a service's calls, between which authorities, and on which days.
///
/// A day is a civil day in Copenhagen. On any day one route at most carries the calls of a service from one authority to
/// another in an environment; a second one is refused when it is added. Routes are ended and followed by others, never
/// altered. A service whose receiver is fixed has one route with `every` as sender and as receiver.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel route add routes.toml --reason \"case 7\" --certificate drift.pem \\
    --key drift.key.pem --config hjemmel.toml
  hjemmel route ask --service 3053ec89-31fe-4206-878b-bba6783d7a88 \\
    --sender 99999991 --receiver 11111111 --on 2027-01-01 --config hjemmel.toml
  hjemmel route end ID --on 2027-01-01 --reason \"new ledger\" \\
    --certificate drift.pem --key drift.key.pem --config hjemmel.toml

Whoever decides signs with a key: `hjemmel user add` says whose certificate it
is, and in which role.

A system is changed from a day on with one command: add the new route with
--replace, and the route before it ends on the new one's first day. So is a
certificate: the new route names the old certificate and the new one.
deploy/routes.example.toml is a file to begin with. A running gateway sees a
change within a second.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add routes from a TOML file, all or none, or one route by options
    ///
    /// The file holds [[route]] tables (id, service, environment, sender, receiver, valid_from, valid_to, system, address,
    /// entity_id, security = "token" or "authority-context", roots, signing_certificates). Every problem is reported at once,
    /// with its line. Adding the same file again changes nothing, whatever was ended since.
    #[command(
        override_usage = "hjemmel route add <FILE | options of one route> [--replace] --reason <TEXT> --certificate <FILE> --key <FILE>"
    )]
    Add(Box<Add>),
    /// List routes: where each stands today, its period, parties and system
    List {
        #[command(flatten)]
        filter: Filter,
        /// As JSON, each with every field of the file
        #[arg(long)]
        json: bool,
    },
    /// Show one route, its certificates, and every change of it
    Show {
        /// The route's id
        id: Uuid,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End a route: from the given day it no longer receives
    ///
    /// The day is today or later. On the route's first day it cancels the route. An end can be put off by another end, as long
    /// as no other route is in the way and it has not passed.
    End {
        /// The route's id
        id: Uuid,
        /// The first day on which it no longer receives
        #[arg(long, value_name = "DAY", value_parser = day)]
        on: Date,
        #[command(flatten)]
        decide: Decide,
    },
    /// Ask who would receive a call on a day, and if nobody, which routes come nearest
    ///
    /// Exits 0 where there is a receiver and 1 where there is none. Certificates are shown with their end, as of that day.
    Ask(Ask),
}

/// Who decides, and why.
#[derive(Debug, clap::Args)]
struct Decide {
    #[command(flatten)]
    person: Person,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The file
    #[arg(required_unless_present = "One", conflicts_with = "One")]
    file: Option<PathBuf>,
    #[command(flatten)]
    one: Option<One>,
    /// End the routes in the way on the new one's first day; refused where that would leave days without a route
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    decide: Decide,
}

/// One route by options.
#[derive(Debug, clap::Args)]
struct One {
    /// The route's id, a UUID; made where it is left out
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
    /// The service: its UUID, or with --config its name there
    #[arg(long, value_name = "NAME|UUID")]
    service: String,
    /// The environment, such as prod; else that of the configuration
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// The authority that sends: its CVR number, or every
    #[arg(long, value_name = "CVR")]
    sender: Party,
    /// The authority that receives: its CVR number, or every
    #[arg(long, value_name = "CVR")]
    receiver: Party,
    /// The first day
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Date,
    /// The first day on which it no longer receives; without it there is no end
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Date>,
    /// The UUID of the system that receives
    #[arg(long, value_name = "UUID")]
    system: Uuid,
    /// Its https address
    #[arg(long, value_name = "URI")]
    address: Address,
    /// Its entity id, for which tokens are issued
    #[arg(long, value_name = "URI")]
    entity_id: EntityId,
    /// How the gateway proves itself to it: token or authority-context
    #[arg(long, value_name = "MODEL")]
    security: Security,
    /// The CAs of its TLS certificate, a PEM file; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    roots: Vec<PathBuf>,
    /// With token: the certificates that it signs answers with, a PEM file; may be given again
    #[arg(long, value_name = "FILE")]
    signing_certificates: Vec<PathBuf>,
}

/// Which routes to list: those that fit everything given.
#[derive(Debug, clap::Args)]
struct Filter {
    /// By the service: its UUID, or with --config its name there
    #[arg(long, value_name = "NAME|UUID")]
    service: Option<String>,
    /// Those that carry this authority's calls, by its CVR number
    #[arg(long, value_name = "CVR")]
    sender: Option<Cvr>,
    /// Those that carry calls to this authority, by its CVR number
    #[arg(long, value_name = "CVR")]
    receiver: Option<Cvr>,
    /// By the UUID of the system that receives
    #[arg(long, value_name = "UUID")]
    system: Option<Uuid>,
    /// By environment, such as prod or exttest
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// Only those that receive today
    #[arg(long)]
    holds: bool,
    /// Only those that receive on this day
    #[arg(long, value_name = "DAY", value_parser = day, conflicts_with = "holds")]
    on: Option<Date>,
}

impl Filter {
    fn takes(&self, route: &Route, service: Option<Uuid>, today: Date) -> bool {
        let on = self.on.or(self.holds.then_some(today));
        let is = |own: Option<Cvr>, asked: Option<Cvr>| asked.is_none() || own.is_none() || own == asked;
        service.is_none_or(|service| service == route.service)
            && is(route.sender, self.sender)
            && is(route.receiver, self.receiver)
            && self.system.is_none_or(|system| system == route.system)
            && self.environment.as_ref().is_none_or(|environment| *environment == route.environment)
            && on.is_none_or(|day| route.period.standing(day) == Standing::Holds)
    }
}

#[derive(Debug, clap::Args)]
struct Ask {
    /// The service: its UUID, or with --config its name there
    #[arg(long, value_name = "NAME|UUID")]
    service: String,
    /// The authority that sends, by its CVR number
    #[arg(long, value_name = "CVR")]
    sender: Cvr,
    /// The authority that receives; the sender itself where it is left out
    #[arg(long, value_name = "CVR")]
    receiver: Option<Cvr>,
    /// The day; today where it is left out
    #[arg(long, value_name = "DAY", value_parser = day)]
    on: Option<Date>,
    /// The environment, such as prod; else that of the configuration
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// As JSON
    #[arg(long, conflicts_with = "lang")]
    json: bool,
    /// The language of the answer
    #[arg(long, value_enum, default_value = "both")]
    lang: Lang,
}

/// A question about a day.
struct Question {
    service: Uuid,
    sender: Cvr,
    receiver: Cvr,
    environment: Environment,
    day: Date,
}

/// Why the command did not do as asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
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
    /// The file with routes is not in order.
    #[error("{} cannot be added; nothing was written:\n{}", path.display(), lines(problems))]
    Routes {
        /// The file.
        path: PathBuf,
        /// Every problem.
        problems: Vec<Problem>,
    },
    /// The options make no route.
    #[error("--from and --to: {0}")]
    Period(ModelError),
    /// A file of certificates cannot be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Certificates that cannot be a route's.
    #[error("{option}: {error}")]
    Certificates {
        option: &'static str,
        /// Why.
        error: CertificatesError,
    },
    /// Signing certificates without signatures.
    #[error("--signing-certificates are for --security token alone; leave them out")]
    NothingSigned,
    /// The routes could not be changed or read.
    #[error(transparent)]
    Route(#[from] RouteError),
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

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::Route(error.into())
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs the command, and writes what it has to say to `out`.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let now = clock.now();
    let settings = args.place.settings(now)?;
    let today = civil_day(now).ok_or(RouteError::NoZone)?;
    match args.command {
        Command::Add(add) => {
            let Add { file, one, replace, decide } = *add;
            let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
            let routes = match (file, one) {
                (Some(file), _) => read(&file)?,
                (None, Some(one)) => vec![one.route(&args.place, now)?],
                (None, None) => Vec::new(),
            };
            let in_the_way = if replace { InTheWay::End } else { InTheWay::Refuse };
            let own = args.place.listeners(now);
            let added = async |store: &Store| {
                Ok(decisions::add(store, By::Key(&signer), &routes, in_the_way, &own, &because, None).await?)
            };
            let done = with_store::<_, CommandError>(&settings, Access::Change, added).await?;
            print::added(&routes, &done, today, out)?;
        }
        Command::List { filter, json } => {
            let service = filter.service.as_deref().map(|named| args.place.service(named, now)).transpose()?;
            with_store(&settings, Access::Look, async |store| list(store, &filter, service, json, today, out).await).await?;
        }
        Command::Show { id, json } => {
            with_store(&settings, Access::Look, async |store| show(store, id, json, today, out).await).await?;
        }
        Command::End { id, on, decide } => {
            let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
            let ended = async |store: &Store| {
                let shown = store.route(id).await?;
                Ok(decisions::end_on(store, By::Key(&signer), &shown, on, &because, None).await?)
            };
            let (route, changed) = with_store::<_, CommandError>(&settings, Access::Change, ended).await?;
            print::ended(&route, changed, today, out)?;
        }
        Command::Ask(ask) => {
            let question = Question {
                service: args.place.service(&ask.service, now)?,
                sender: ask.sender,
                receiver: ask.receiver.unwrap_or(ask.sender),
                environment: args.place.environment(ask.environment)?,
                day: ask.on.unwrap_or(today),
            };
            let (answer, names) = with_store(&settings, Access::Look, async |store| answer(store, &question).await).await?;
            if ask.json {
                print::answer_as_json(&question, &answer, out)?;
            } else {
                print::answer(&question, &answer, &names, ask.lang, out)?;
            }
            return Ok(if matches!(answer, OnDay::Route(_)) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<Route>, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|source| CommandError::File { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    file::parse(&text, folder).map_err(|problems| CommandError::Routes { path: path.to_owned(), problems })
}

impl One {
    fn route(self, place: &Place, now: Timestamp) -> Result<Route, CommandError> {
        let certificates = |files: &[PathBuf]| -> Result<Vec<_>, CredentialsError> {
            Ok(files.iter().map(|file| certificates_from_pem_file(file)).collect::<Result<Vec<_>, _>>()?.concat())
        };
        let of = |option| move |error| CommandError::Certificates { option, error };
        let signers = certificates(&self.signing_certificates)?;
        let security = match self.security {
            Security::Token => {
                ProviderSecurity::Token { signing_certificates: Pinned::new(signers).map_err(of("--signing-certificates"))? }
            }
            Security::AuthorityContext if signers.is_empty() => ProviderSecurity::AuthorityContext,
            Security::AuthorityContext => return Err(CommandError::NothingSigned),
        };
        Ok(Route {
            id: self.id.unwrap_or_else(Uuid::new_v4),
            service: place.service(&self.service, now)?,
            environment: place.environment(self.environment)?,
            sender: self.sender.0,
            receiver: self.receiver.0,
            period: Period::new(self.from, self.to).map_err(CommandError::Period)?,
            system: self.system,
            address: self.address,
            entity_id: self.entity_id,
            security,
            roots: Roots::new(certificates(&self.roots)?).map_err(of("--roots"))?,
        })
    }
}

async fn list(
    store: &Store,
    filter: &Filter,
    service: Option<Uuid>,
    json: bool,
    today: Date,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let mut routes = store.routes().await?;
    let all = routes.len();
    routes.retain(|route| filter.takes(route, service, today));
    if json {
        print::list_as_json(&routes, today, out)?;
    } else if all == 0 {
        writeln!(out, "There are no routes. Add some with `hjemmel route add FILE`.")?;
    } else if routes.is_empty() {
        writeln!(out, "None of {all} routes fits.")?;
    } else {
        print::list(&routes, today, out)?;
    }
    Ok(())
}

async fn show(store: &Store, id: Uuid, json: bool, today: Date, out: &mut impl Write) -> Result<(), CommandError> {
    let (route, past) = (store.route(id).await?, store.route_changes(id).await?);
    if json {
        print::one_as_json(&route, &past, today, out)?;
    } else {
        print::one(&route, &past, &store.authorities().await?, today, out)?;
    }
    Ok(())
}

/// Who would receive, and the register's names of authorities.
async fn answer(store: &Store, question: &Question) -> Result<(OnDay, Vec<Authority>), CommandError> {
    let mut routes = store.routes().await?;
    routes.retain(|route| route.service == question.service && route.environment == question.environment);
    let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
    Ok((on_day(&routes, question.sender, question.receiver, question.day), store.authorities().await?))
}

#[cfg(test)]
mod tests;
