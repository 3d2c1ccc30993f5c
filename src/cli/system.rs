//! `hjemmel system`: the register of client systems and their certificates.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::page::Wanted as Agreements;
use crate::agreements::system::{System, SystemCertificate, Wanted};
use crate::agreements::{Agreement, Store, Thumbprint};
use crate::clock::Clock;
use crate::decisions::system::{Changed, Changes, GoesOn, New, change, prove, register};
use crate::decisions::{Because, By, DecideError};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::signature::credentials::{Credentials, CredentialsError, certificates_from_pem_file};
use crate::signature::key::{Certificate, KeyError};
use crate::store::{Access, StoreError};

/// Client systems: whose each is, whom to ask, and its certificates, several while one takes over from another.
///
/// Registration gives no access: an agreement names the certificates that it lets through.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Register a system of one's own authority or company, or by an operator for one
    Register {
        /// What it is called
        #[arg(long, value_parser = one_line)]
        name: String,
        /// Whom to ask: a function's mailbox or number, and no person's
        #[arg(long, value_parser = one_line)]
        contact: String,
        /// Its id, by which agreements name it; a new one unless given
        #[arg(long)]
        id: Option<Uuid>,
        /// By an operator: the CVR number of the company or authority whose it is
        #[arg(long = "for", value_name = "CVR")]
        party: Option<Cvr>,
        #[command(flatten)]
        decide: Decide,
    },
    /// List systems
    List,
    /// Show a system: its certificates, its agreements, and what begins and ends when
    Show {
        /// The system's id
        id: Uuid,
    },
    /// Say what it is called, and whom to ask
    Change {
        /// The system's id
        id: Uuid,
        /// What it is called
        #[arg(long, value_parser = one_line)]
        name: String,
        /// Whom to ask
        #[arg(long, value_parser = one_line)]
        contact: String,
        #[command(flatten)]
        decide: Decide,
    },
    /// Register a further certificate beside those that it has
    AddCertificate {
        /// The system's id
        id: Uuid,
        /// A PEM file with the certificate
        file: PathBuf,
        /// The certificate's own key (PEM, RSA): it signs that the system has it. An operator may leave it out
        #[arg(long, value_name = "FILE", conflicts_with = "proof")]
        certificate_key: Option<PathBuf>,
        /// The same made elsewhere, in base64 (docs/clients/api.md)
        #[arg(long, value_name = "BASE64")]
        proof: Option<String>,
        #[command(flatten)]
        decide: Decide,
    },
    /// By an operator: say that a certificate that another system is registered with is this one's. The other's agreements let it through no more
    TakeCertificate {
        /// The system's id
        id: Uuid,
        /// SHA-256 of the certificate
        thumbprint: Thumbprint,
        #[command(flatten)]
        decide: Decide,
    },
    /// By an operator: say whose it is, where somebody else registered it
    Transfer {
        /// The system's id
        id: Uuid,
        /// The CVR number of the company or authority
        #[arg(long, value_name = "CVR")]
        to: Cvr,
        #[command(flatten)]
        decide: Decide,
    },
    /// Say that it uses a certificate no more: calls with it are refused from then on, by every agreement of the system that names it
    EndCertificate {
        /// The system's id
        id: Uuid,
        /// SHA-256 of the certificate
        thumbprint: Thumbprint,
        #[command(flatten)]
        decide: Decide,
    },
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
    /// The file with the certificate.
    #[error(transparent)]
    File(#[from] CredentialsError),
    #[error(transparent)]
    Certificate(#[from] KeyError),
    /// The certificate's own key.
    #[error("--certificate-key: {0}")]
    Proof(String),
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
    let (id, changes, decide) = match args.command {
        Command::Register { name, contact, id, party, decide } => {
            let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
            let system = New { id: id.unwrap_or_else(Uuid::now_v7), name, contact, party };
            let registered = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                Ok(register(store, By::Key(&signer), system, &because, None).await?)
            });
            writeln!(out, "registered system {}", registered.await?.id)?;
            return Ok(());
        }
        Command::List => {
            let wanted = Wanted { limit: u32::MAX, ..Wanted::default() };
            let found = with_store::<_, CommandError>(&settings, Access::Look, async |store| Ok(store.systems(&wanted).await?));
            for system in found.await? {
                let party = system.party.map_or("-".to_owned(), |cvr| cvr.to_string());
                writeln!(out, "{}  {party:8}  {}", system.id, system.name)?;
            }
            return Ok(());
        }
        Command::Show { id } => {
            let shown = with_store::<_, CommandError>(&settings, Access::Look, async |store| {
                let wanted = Agreements { system: Some(id), limit: u32::MAX, ..Agreements::default() };
                Ok((store.system(id).await?, store.system_certificates(id).await?, store.page(&wanted).await?))
            });
            let (system, certificates, agreements) = shown.await?;
            return Ok(print(&system.ok_or_else(nothing).map_err(DecideError::from)?, &certificates, &agreements, out)?);
        }
        Command::Change { id, name, contact, decide } => (id, Changes::Named(name, contact), decide),
        Command::AddCertificate { id, file, certificate_key, proof, decide } => {
            let proof = match certificate_key {
                Some(key) => {
                    let pair = Credentials::from_pem_files(&file, &key)?;
                    Some(prove(&pair, id).map_err(|error| CommandError::Proof(error.to_string()))?)
                }
                None => proof,
            };
            let read = certificates_from_pem_file(&file)?;
            let certificate = Certificate::from_der(read.first().ok_or(KeyError::NotCertificate)?)?;
            (id, Changes::CertificateAdded(Box::new(certificate), proof), decide)
        }
        Command::TakeCertificate { id, thumbprint, decide } => (id, Changes::CertificateTaken(thumbprint), decide),
        Command::Transfer { id, to, decide } => (id, Changes::Transferred(to), decide),
        Command::EndCertificate { id, thumbprint, decide } => (id, Changes::CertificateEnded(thumbprint), decide),
    };
    let (signer, because) = (decide.person.signer()?, Because::new(decide.reason, now));
    let (Changed { system, goes_on }, certificates, struck) =
        with_store::<_, CommandError>(&settings, Access::Change, async |store| {
            let system = store.system(id).await?.ok_or_else(nothing).map_err(DecideError::from)?;
            let shown = (system, store.system_certificates(id).await?);
            let changed = change(store, By::Key(&signer), &shown, &changes, &because, None).await?;
            let struck = match &changes {
                Changes::CertificateEnded(thumbprint) => named(store, id, Some(thumbprint), now).await?,
                Changes::Transferred(_) => named(store, id, None, now).await?,
                _ => Vec::new(),
            };
            Ok((changed, store.system_certificates(id).await?, struck))
        })
        .await?;
    print(&system, &certificates, &struck, out)?;
    if let Changes::Transferred(_) = changes {
        writeln!(
            out,
            "Its former holder's connections of it ended, and what it had asked for and nobody had answered is taken back."
        )?;
        for one in &goes_on {
            writeln!(out, "{:13} {}", kind_of(one), one.name())?;
        }
        writeln!(
            out,
            "These certificates, agreements, users, keys, orders and subscriptions go on: end those that are not the system's."
        )?;
    } else if !struck.is_empty() {
        writeln!(out, "Calls with the certificate are refused from now on: these agreements name it.")?;
    }
    Ok(())
}

/// The open agreements of a system, where a certificate is given those that name it.
async fn named(
    store: &Store,
    system: Uuid,
    thumbprint: Option<&Thumbprint>,
    now: Timestamp,
) -> Result<Vec<Agreement>, StoreError> {
    let wanted = Agreements { system: Some(system), limit: u32::MAX, ..Agreements::default() };
    let mut found = store.page(&wanted).await?;
    let names = |agreement: &Agreement| thumbprint.is_none_or(|thumbprint| agreement.certificates.contains(thumbprint));
    found.retain(|agreement| agreement.is_open(now) && names(agreement));
    Ok(found)
}

fn kind_of(one: &GoesOn) -> &'static str {
    match one {
        GoesOn::SftpUser(_) => "SFTP user",
        GoesOn::SftpKey(..) => "SFTP key",
        GoesOn::FileOrder(_) => "file order",
        GoesOn::Subscription(_) => "subscription",
    }
}

fn nothing() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("system", "system") }
}

fn print(system: &System, certificates: &[SystemCertificate], agreements: &[Agreement], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "id            {}", system.id)?;
    writeln!(out, "name          {}", system.name)?;
    writeln!(out, "of            {}", system.party.map_or("the gateway's operators".to_owned(), |cvr| cvr.to_string()))?;
    writeln!(out, "contact       {}", system.contact)?;
    for certificate in certificates {
        let ended = certificate.ended_at.map_or(String::new(), |at| format!(", ended {at}"));
        let (thumbprint, from, to) = (certificate.thumbprint, certificate.not_before, certificate.not_after);
        writeln!(out, "certificate   {thumbprint} (SHA-256) {from} – {to}{ended}")?;
    }
    for agreement in agreements {
        let to = agreement.ends_at.or(agreement.valid_to).map_or("no end".to_owned(), |to| to.to_string());
        let (id, authority, state) = (agreement.id, agreement.authority, agreement.state);
        writeln!(out, "agreement     {id}  {authority}  {state}  {} – {to}", agreement.valid_from)?;
    }
    Ok(())
}
