//! `hjemmel user`: who may operate agreements and routes, by certificate and role.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::{Store, Thumbprint};
use crate::clock::Clock;
use crate::decisions::statement::Signer;
use crate::decisions::{Because, By, DecideError, delegation, user};
use crate::id::cvr::Cvr;
use crate::notices::address::{self, Language};
use crate::signature::credentials::{Credentials, CredentialsError, certificates_from_pem_file};
use crate::signature::key::{Certificate, KeyError};
use crate::store::{Access, StoreError, value::to_microsecond};
use crate::users::delegation::{Told, Wanted};
use crate::users::rights::Role;
use crate::users::store::UserError;
use crate::users::{Kind, Known, NoUser, User};

/// Users: the persons and systems who decide on agreements and routes, over the API or at this command line.
///
/// Each is known by its certificates. Roles say what it may do, the CVR number whose agreements and routes it sees. A user is
/// ended and another added, never altered. Whoever holds the store may add the first; that is recorded as such in the audit's
/// chain, as is every decision.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel user add --name \"A. Jensen\" --role signatory --cvr 11111111 \\
    --certificate jensen.pem --reason \"case 7\" --config hjemmel.toml
  hjemmel user add --name \"Drift\" --role operator --certificate drift.pem \\
    --reason \"first operator\" --config hjemmel.toml
  hjemmel user add-certificate ID --certificate new.pem --reason \"renewed\" \\
    --signed-certificate drift.pem --signed-key drift.key.pem --config hjemmel.toml
  hjemmel user delegate --to ID --role signatory --until 2027-01-05T00:00:00+01:00 \\
    --reason \"leave\" --certificate jensen.pem --key jensen.key.pem --config hjemmel.toml
  hjemmel user distinct ID ID --reason \"two persons, case 9\" \\
    --certificate drift.pem --key drift.key.pem --config hjemmel.toml
  hjemmel user end ID --reason \"has left\" --config hjemmel.toml

Roles: operator, operator-read-only; supplier-administrator (of a company);
system-owner, system-responsible, system-administrator,
infrastructure-responsible, sortiment-administrator, signatory, auditor (of an
authority). What each may do stands in docs/clients/api.md.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let a colleague act in one's role for a time; both are told by mail
    Delegate(Box<Delegate>),
    /// List delegations: who acts for whom, in which role, from when to when
    Delegations {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a delegation back, at once: by whoever gave it, whoever may act by it, or an operator
    EndDelegation {
        /// The delegation's id
        id: Uuid,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
    /// Add a user
    Add(Box<Add>),
    /// List users: roles, whom they act for, and until when
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one user
    Show {
        /// The user's id
        id: Uuid,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user a further certificate, beside those that it has; decided by another person
    AddCertificate {
        /// The user's id
        id: Uuid,
        /// A PEM file with the certificate
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        #[command(flatten)]
        decide: Decide,
    },
    /// End one of a user's certificates from now on; the user has another one
    EndCertificate {
        /// The user's id
        id: Uuid,
        /// SHA-256 of the certificate, as `hjemmel user show` has it
        #[arg(long, value_name = "SHA256")]
        thumbprint: Thumbprint,
        #[command(flatten)]
        decide: Decide,
    },
    /// Say where a user is told of agreements by mail, or nowhere
    Mail {
        /// The user's id
        id: Uuid,
        /// The e-mail address; left out: the user is told nowhere
        address: Option<String>,
        /// The language of the letters: da or en
        #[arg(long, default_value = "da", value_parser = |text: &str| text.parse::<Language>())]
        language: Language,
        #[command(flatten)]
        decide: Decide,
    },
    /// Say that two users of one name are two persons, so that the one may approve what the other asked for; decided by an operator who is
    /// neither, for good: also of what waits, and of their other users. Both are told by mail, and who answers for their authority or
    /// company; whoever has no address is named here, to be told otherwise
    Distinct {
        /// The one user's id
        id: Uuid,
        /// The other's
        other: Uuid,
        /// Why, in a sentence: how it is known
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
    /// End a user from now on; what it decided stays. No identity provider logs its person on for the party again
    End {
        /// The user's id
        id: Uuid,
        #[command(flatten)]
        decide: Decide,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// What it is called
    #[arg(long, value_parser = one_line)]
    name: String,
    /// Whether it is a person or a system; only a person can request and approve
    #[arg(long, default_value = "person", value_parser = |text: &str| text.parse::<Kind>())]
    kind: Kind,
    /// A role; may be given again
    #[arg(long, value_name = "ROLE", required = true)]
    role: Vec<Role>,
    /// The CVR number of the authority or the company that it acts for; none for operators
    #[arg(long, value_name = "CVR")]
    cvr: Option<Cvr>,
    /// A service that its roles are for, by UUID or with --config by name; may be given again; left out: all
    #[arg(long, value_name = "NAME|UUID")]
    service: Vec<String>,
    /// A PEM file with a certificate of its own, which stays its own; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    certificate: Vec<PathBuf>,
    /// The first instant at which it may do anything; now unless given
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// The first instant at which it no longer may; left out: no end
    #[arg(long, value_name = "INSTANT")]
    to: Option<Timestamp>,
    /// The user's id; a new one unless given
    #[arg(long)]
    id: Option<Uuid>,
    /// Where the person has another user already: that user's person, as `hjemmel user show` has it. Of one person's users none approves what another requested
    #[arg(long, value_name = "UUID")]
    person: Option<Uuid>,
    #[command(flatten)]
    decide: Decide,
}

#[derive(Debug, clap::Args)]
struct Delegate {
    /// The user who may act, of the same authority
    #[arg(long, value_name = "UUID")]
    to: Uuid,
    /// The role, one of one's own; an auditor's is not delegated
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// A service that the role is for, by UUID or with --config by name; may be given again; left out: all of them
    #[arg(long, value_name = "NAME|UUID")]
    service: Vec<String>,
    /// The first instant at which it holds; now unless given
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// The first instant at which it no longer does; 366 days from now at most
    #[arg(long, value_name = "INSTANT")]
    until: Timestamp,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
    #[command(flatten)]
    person: Person,
}

/// Why, and by whom.
#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    pub(super) reason: String,
    /// The certificate (PEM) of the operator who decides; left out: whoever holds the store
    #[arg(long, value_name = "FILE", requires = "signed_key")]
    signed_certificate: Option<PathBuf>,
    /// Its key (PEM), which signs the decision
    #[arg(long, value_name = "FILE", requires = "signed_certificate")]
    signed_key: Option<PathBuf>,
}

impl Decide {
    pub(super) fn signer(&self) -> Result<Option<Signer>, PersonError> {
        let (Some(certificate), Some(key)) = (&self.signed_certificate, &self.signed_key) else { return Ok(None) };
        Ok(Some(Signer::new(&Credentials::from_pem_files(certificate, key)?)?))
    }
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CommandError {
    /// It is not known where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such user, or it cannot be so.
    #[error(transparent)]
    User(#[from] UserError),
    /// Its parts do not fit each other.
    #[error("{0}")]
    NoUser(#[from] NoUser),
    /// A file with its certificates.
    #[error("--certificate: {0}")]
    File(#[from] CredentialsError),
    #[error("--certificate: {0}")]
    Certificate(#[from] KeyError),
    /// A certificate whose time is over.
    #[error("--certificate: {} holds from {from} to {to}, and not now; order another", file.display())]
    NotValid { file: PathBuf, from: Timestamp, to: Timestamp },
    /// An e-mail address.
    #[error("{0}")]
    Address(&'static str),
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// It may not be decided.
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
        Command::Add(add) => {
            let services = add.service.iter().map(|named| args.place.service(named, now)).collect::<Result<_, _>>()?;
            let certificates =
                add.certificate.iter().map(|file| own_certificate(file, now)).collect::<Result<Vec<_>, CommandError>>()?;
            let id = add.id.unwrap_or_else(Uuid::new_v4);
            let user = User {
                id,
                person: add.person.unwrap_or(id),
                name: add.name,
                kind: add.kind,
                party: add.cvr,
                roles: add.role,
                services,
                certificates: certificates.iter().map(|certificate| (*certificate.thumbprint()).into()).collect(),
                valid_from: to_microsecond(add.from.unwrap_or(now)),
                valid_to: add.to.map(to_microsecond),
                known: Known::default(),
            };
            let user = user.sound()?;
            let (signer, because) = (add.decide.signer()?, Because::new(add.decide.reason, now));
            let namesakes = with_store::<_, CommandError>(&settings, Access::Make, async |store| {
                user::add(store, signer.as_ref().map(By::Key), &user, &certificates, &because).await?;
                let others = store.users().await?;
                Ok(others.into_iter().filter(|other| other.has_name_of(&user) && other.person != user.person).collect::<Vec<_>>())
            })
            .await?;
            writeln!(out, "added user {}", user.id)?;
            one(&user, out)?;
            certificates.iter().try_for_each(|certificate| says_what_it_cannot(certificate, out))?;
            for other in namesakes {
                writeln!(
                    out,
                    "user {} has the same name. If both are one person, end this user and add it anew with --person {}",
                    other.id, other.person
                )?;
            }
        }
        Command::List { json } => {
            let users = with_store::<_, CommandError>(&settings, Access::Look, async |store| Ok(store.users().await?)).await?;
            if json {
                as_json(&users.iter().map(Shown::of).collect::<Vec<_>>(), out)?;
            } else if users.is_empty() {
                writeln!(out, "There are no users. Add one with `hjemmel user add`.")?;
            }
            for user in users.iter().filter(|_| !json) {
                let roles: Vec<_> = user.roles.iter().map(|role| role.name()).collect();
                let party = user.party.map_or("-".to_owned(), |cvr| cvr.to_string());
                let ended = if user.holds(now) { "" } else { "  (does not hold now)" };
                writeln!(out, "{}  {:6}  {party:8}  {}  {}{ended}", user.id, user.kind, roles.join(", "), user.name)?;
            }
        }
        Command::Show { id, json } => {
            let user = with_store::<_, CommandError>(&settings, Access::Look, async |store| Ok(store.user(id).await?)).await?;
            if json { as_json(&Shown::of(&user), out)? } else { one(&user, out)? }
        }
        Command::AddCertificate { id, certificate, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let certificate = own_certificate(&certificate, now)?;
            says_what_it_cannot(&certificate, out)?;
            let added = async |store: &Store| {
                Ok(user::add_certificate(store, signer.as_ref().map(By::Key), id, certificate, &because).await?)
            };
            one(&with_store::<_, CommandError>(&settings, Access::Change, added).await?, out)?;
        }
        Command::EndCertificate { id, thumbprint, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let ended = async |store: &Store| {
                Ok(user::end_certificate(store, signer.as_ref().map(By::Key), id, thumbprint, &because).await?)
            };
            one(&with_store::<_, CommandError>(&settings, Access::Change, ended).await?, out)?;
        }
        Command::Mail { id, address, language, decide } => {
            let address = address.map(|text| address::read(&text).map_err(CommandError::Address)).transpose()?;
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let at = address.as_deref().map(|address| (address, language));
            let set = async |store: &Store| Ok(user::set_address(store, signer.as_ref().map(By::Key), id, at, &because).await?);
            with_store::<_, CommandError>(&settings, Access::Change, set).await?;
            match address {
                Some(address) => writeln!(out, "user {id} is told at {address}")?,
                None => writeln!(out, "user {id} is told nowhere")?,
            }
        }
        Command::Delegate(given) => {
            let services = given.service.iter().map(|named| args.place.service(named, now)).collect::<Result<Vec<_>, _>>()?;
            delegation::are_services(&services, &args.place.rules(now)).map_err(DecideError::from)?;
            let (signer, because) = (given.person.signer()?, Because::new(given.reason, now));
            let (from, to) = (given.from.map(to_microsecond), to_microsecond(given.until));
            let new = delegation::New { id: Uuid::now_v7(), substitute: given.to, role: given.role, services, from, to };
            let told = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                Ok(delegation::give(store, By::Key(&signer), &new, &because, None).await?)
            })
            .await?;
            line(&told, now, out)?;
        }
        Command::Delegations { json } => {
            let mut wanted = Wanted { limit: 1000, ..Wanted::default() };
            let all = with_store::<_, CommandError>(&settings, Access::Look, async |store| {
                let mut all = Vec::new();
                loop {
                    let found = store.delegations(&wanted).await?;
                    wanted.after = found.last().map(|told| told.delegation.id);
                    all.extend(found);
                    if wanted.after.is_none() {
                        return Ok(all);
                    }
                }
            })
            .await?;
            if json {
                as_json(&all.iter().map(|told| ShownDelegation::of(told, now)).collect::<Vec<_>>(), out)?;
            } else if all.is_empty() {
                writeln!(out, "There are no delegations. Give one with `hjemmel user delegate`.")?;
            } else {
                all.iter().try_for_each(|told| line(told, now, out))?;
            }
        }
        Command::EndDelegation { id, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let ended = async |store: &Store| Ok(delegation::take_back(store, By::Key(&signer), id, &because, None).await?);
            line(&with_store::<_, CommandError>(&settings, Access::Change, ended).await?, now, out)?;
        }
        Command::Distinct { id, other, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let said = async |store: &Store| Ok(user::distinct(store, By::Key(&signer), (id, other), &because).await?);
            let untold = with_store::<_, CommandError>(&settings, Access::Change, said).await?;
            writeln!(out, "users {id} and {other} are two persons: the one may approve what the other asked for")?;
            for user in untold.users {
                writeln!(
                    out,
                    "user {user} is not told: no user of that person has an e-mail address and is in force (hjemmel user mail)"
                )?;
            }
            if untold.accountable {
                writeln!(
                    out,
                    "nobody who answers for what their authority or company decides is told: none has an e-mail address (hjemmel user mail)"
                )?;
            }
        }
        Command::End { id, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let ended = async |store: &Store| Ok(user::end(store, signer.as_ref().map(By::Key), id, &because).await?);
            let user = with_store::<_, CommandError>(&settings, Access::Change, ended).await?;
            writeln!(out, "user {} ended at {}; the gateway takes none of its certificates any more", user.id, because.at)?;
        }
    }
    Ok(())
}

/// The first certificate of a file, which is to be a user's: it holds now, or begins later.
fn own_certificate(file: &Path, now: Timestamp) -> Result<Certificate, CommandError> {
    let read = certificates_from_pem_file(file)?;
    let certificate = Certificate::from_der(read.first().ok_or(KeyError::NotCertificate)?)?;
    if certificate.not_after() <= now {
        let (from, to) = (certificate.not_before(), certificate.not_after());
        return Err(CommandError::NotValid { file: file.to_owned(), from, to });
    }
    Ok(certificate)
}

fn says_what_it_cannot(certificate: &Certificate, out: &mut impl Write) -> io::Result<()> {
    if certificate.key().is_rsa() {
        return Ok(());
    }
    let thumbprint = Thumbprint::from(*certificate.thumbprint());
    writeln!(
        out,
        "certificate {thumbprint} has an elliptic key: it proves its user over the API, and cannot sign at the command line (RSA alone can)"
    )
}

fn one(user: &User, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "id            {}", user.id)?;
    writeln!(out, "person        {}", user.person)?;
    writeln!(out, "name          {}", user.name)?;
    writeln!(out, "kind          {}", user.kind)?;
    for role in &user.roles {
        writeln!(out, "role          {role}")?;
    }
    writeln!(out, "acts for      {}", user.party.map_or("the gateway's operators".to_owned(), |cvr| cvr.to_string()))?;
    match user.services.as_slice() {
        [] => writeln!(out, "services      all")?,
        services => services.iter().try_for_each(|service| writeln!(out, "service       {service}"))?,
    }
    for certificate in &user.certificates {
        writeln!(out, "certificate   {certificate} (SHA-256)")?;
    }
    user.known.distinct_from.iter().try_for_each(|person| writeln!(out, "another than  {person} (person)"))?;
    writeln!(out, "from          {}", user.valid_from)?;
    writeln!(out, "to            {}", user.valid_to.map_or("no end".to_owned(), |to| format!("{to} (not included)")))
}

fn line(told: &Told, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let Told { delegation, principal, substitute, reason, .. } = told;
    let services = match delegation.services.as_slice() {
        [] => "all services".to_owned(),
        services => services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let (id, role, stands) = (delegation.id, delegation.role, delegation.stands(now));
    let (from, to) = (delegation.valid_from, delegation.valid_to);
    writeln!(
        out,
        "{id}  {stands:8}  {substitute} for {principal} as {role} ({services}), {from} to {to} (not included): {reason}"
    )
}

/// A delegation for a program.
#[derive(Serialize)]
struct ShownDelegation<'a> {
    id: Uuid,
    principal: Uuid,
    substitute: Uuid,
    role: &'static str,
    services: &'a [Uuid],
    valid_from: Timestamp,
    valid_to: Timestamp,
    stands: &'static str,
    given_at: Timestamp,
    ended_at: Option<Timestamp>,
    reason: &'a str,
}

impl<'a> ShownDelegation<'a> {
    fn of(told: &'a Told, now: Timestamp) -> Self {
        let delegation = &told.delegation;
        Self {
            id: delegation.id,
            principal: delegation.principal,
            substitute: delegation.substitute,
            role: delegation.role.name(),
            services: &delegation.services,
            valid_from: delegation.valid_from,
            valid_to: delegation.valid_to,
            stands: delegation.stands(now),
            given_at: delegation.given_at,
            ended_at: delegation.ended_at,
            reason: &told.reason,
        }
    }
}

/// A user for a program.
#[derive(Serialize)]
struct Shown<'a> {
    id: Uuid,
    person: Uuid,
    name: &'a str,
    kind: &'static str,
    cvr: Option<String>,
    roles: Vec<&'static str>,
    services: &'a [Uuid],
    certificates: Vec<String>,
    valid_from: Timestamp,
    valid_to: Option<Timestamp>,
}

impl<'a> Shown<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            id: user.id,
            person: user.person,
            name: &user.name,
            kind: user.kind.name(),
            cvr: user.party.map(|cvr| cvr.to_string()),
            roles: user.roles.iter().map(|role| role.name()).collect(),
            services: &user.services,
            certificates: user.certificates.iter().map(ToString::to_string).collect(),
            valid_from: user.valid_from,
            valid_to: user.valid_to,
        }
    }
}

fn as_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
