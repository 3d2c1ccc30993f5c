//! `hjemmel call`: ask the service as a supplier's system would, with either binding, and read the answer in words.

pub mod client;
mod finance;
pub mod question;
mod settings;
mod signer;
mod token;
pub(super) mod verify;
pub mod words;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Uri;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use crate::cli::shell::quoted;
use crate::cli::which;
use crate::clock::Clock;
use crate::config::Draft;
use crate::id::cpr::Cpr;
use crate::id::cvr::Cvr;
use crate::outbound::{Outbound, OutboundSettings, SetupError};
use crate::saml::trust::{self, TrustError};
use crate::services::Service;
use crate::signature::credentials::{Credentials, CredentialsError, certificates_from_pem_file};
use crate::signature::key::{Certificate, KeyError, SigningKey};
use crate::signature::timestamp::TimeRules;
use crate::signature::verify::{Parts, verify_whole_response};
use crate::soap::document::Document;
use crate::soap::envelope::{Envelope, Version};
use crate::soap::strict::Limits;
use client::{Client, ClientError, Exchange};
use question::Question;
use settings::{Missing, Settings};
use words::Said;

/// Ask the service about one person's benefits, as a client system does.
///
/// The CPR number is read from standard input (one line), so that it stands in no process list and no shell history.
///
/// What no option gives is taken from the file of --env, else from the environment, by the names in square brackets: those of
/// the sample clients in docs/clients.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, against `hjemmel demo --dir demo`, which writes demo/client.env:\n  \
    echo 6101801234 | hjemmel call --env demo/client.env\n  \
    echo 6101801234 | hjemmel call --env demo/client.env --binding authority-context")]
pub struct Args {
    /// What to call: without it TerminalAdgang; `finance` sends sample deliveries of vouchers, or the verification test (SF1590_A)
    #[arg(value_enum)]
    what: Option<What>,
    #[command(flatten)]
    finance: finance::Options,
    /// A file of settings, one `NAME=value` or `export NAME=value` a line
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
    /// The service's address [SERVICE]; with --config its name there, where there are several
    #[arg(long, value_name = "URL|NAME")]
    service: Option<String>,
    /// The gateway's configuration, for whoever has it: the service's address and entity id are taken from there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The CA of the gateway's (and the STS's) TLS server, PEM [CA]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Your system's certificate chain, PEM [CERT]
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Your system's private key, PEM (PKCS#8) [KEY]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Your system's certificate and key as PKCS#12, as OCES delivers them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cert", "key"], requires = "p12_password_file")]
    p12: Option<PathBuf>,
    /// A file whose first line is the password of the PKCS#12 file
    #[arg(long, value_name = "FILE", requires = "p12")]
    p12_password_file: Option<PathBuf>,
    /// The authority on whose behalf you call [AUTHORITY]
    #[arg(long, value_name = "CVR")]
    authority: Option<Cvr>,
    /// How to prove who you are
    #[arg(long, value_enum, default_value = "token")]
    binding: Binding,
    /// The STS's WS-Trust address (token binding) [STS]
    #[arg(long, value_name = "URL")]
    sts: Option<Uri>,
    /// The STS's SAML metadata (token binding) [STS_METADATA]
    #[arg(long, value_name = "FILE")]
    sts_metadata: Option<PathBuf>,
    /// The entity id to ask a token for (token binding) [ENTITY_ID]
    #[arg(long, value_name = "URI")]
    entity_id: Option<String>,
    /// The gateway's signing certificate, to check the answer's signature with (token binding); the first in the file counts
    /// [GATEWAY_CERT]
    #[arg(long, value_name = "FILE")]
    gateway_cert: Option<PathBuf>,
    /// The first disposition date asked about, such as 2026-09-01T00:00:00+02:00; left out, the gateway inserts the window
    #[arg(long, value_name = "DATETIME", requires = "to")]
    from: Option<String>,
    /// The end of the period, not included
    #[arg(long, value_name = "DATETIME", requires = "from")]
    to: Option<String>,
    /// A kind of benefit, such as 32.03.04; may be repeated
    #[arg(long, value_name = "KLE")]
    kle: Vec<String>,
    /// Print the raw messages too
    #[arg(long)]
    xml: bool,
    /// Write the raw messages to this folder: request.xml, answer.xml and (token binding) token.xml. They hold personal data, and
    /// their owner alone can read them. Prints how `hjemmel explain` tells what the gateway decided about them
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Deliveries of vouchers
    Finance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Binding {
    /// A SAML token and a signed message (OIO IDWS, SOAP 1.2)
    Token,
    /// Mutual TLS and AuthorityContext (SOAP 1.1)
    AuthorityContext,
}

/// Why the call could not be made, or its answer not trusted: in Danish, then in English on a line of its own. What a
/// file, a certificate or TLS has wrong is told as everywhere in the product, in English.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CallError {
    /// No possible CPR number on standard input.
    #[error(
        "standardinput begynder ikke med et CPR-nummer (ti cifre med en mulig dato); skriv én linje uden bindestreg\n\
         standard input does not begin with a CPR number (ten digits with a possible date); write one line, without a hyphen"
    )]
    Person,
    /// Certificate or key.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Certificate or key.
    #[error("certifikatet eller nøglen kan ikke signere: {da}\nthe certificate or key cannot sign: {0}", da = .0.describe().da().to_owned())]
    Key(#[from] KeyError),
    /// TLS.
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{}", crate::cli::file::describe(path, error))]
    File {
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What was found cannot be shown.
    #[error("resultatet kan ikke skrives ud · the output cannot be written: {0}")]
    Output(std::io::Error),
    /// The STS's metadata.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Something that the call cannot do without was not given, or cannot be read.
    #[error("{0}")]
    Usage(String),
    /// No answer from the STS.
    #[error(
        "der er ikke hentet et token, da der ikke er forbindelse til STS'en; kontrollér STS'ens adresse og den CA, der er tillid til\n\
         no token: {0}; check the address of the STS and the trusted CA"
    )]
    NoSts(String),
    /// The STS's refusal, or an answer of its that cannot be used: in Danish, then in English.
    #[error("der er ikke hentet et token · no token\n{0}")]
    Sts(String),
    /// The exchange.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer's signature: in Danish, then in English.
    #[error("svaret vises ikke · the answer is not shown\n{0}")]
    Answer(String),
    /// The service answered with a fault.
    #[error("servicen svarede med en fejl · the service answered with a fault")]
    Fault,
    /// Sample deliveries were answered otherwise than they must be.
    #[error(
        "{count} leverancer blev besvaret anderledes end forventet; linjerne med OTHERWISE viser hvilke\n\
         {count} deliveries were answered otherwise than expected; the lines with OTHERWISE show which"
    )]
    Otherwise {
        /// How many.
        count: usize,
    },
    /// Codes of a verification test led to no account.
    #[error(
        "{landed} af {codes} koder ramte en konto; linjerne med MISSED viser, hvad der skal rettes, og af hvem\n\
         {landed} of {codes} codes landed on an account; the lines with MISSED show what is to be mended, and by whom"
    )]
    NotLanded {
        /// How many did.
        landed: usize,
        /// Of how many.
        codes: usize,
    },
}

/// What a call needs, from wherever it was given.
struct Needed {
    service: Uri,
    authority: Cvr,
    credentials: Credentials,
    /// The it-system, for what names it.
    system: Option<Uuid>,
    /// Where the certificate stands, for `hjemmel explain`.
    certificate: Option<PathBuf>,
    roots: Vec<CertificateDer<'static>>,
    token: Option<TokenNeeds>,
}

/// What the token binding needs besides.
struct TokenNeeds {
    sts: Uri,
    metadata: PathBuf,
    entity_id: String,
    gateway: Option<PathBuf>,
}

/// The service that the options name: its address, and its entity id where the configuration tells it.
fn named(args: &Args, now: Timestamp) -> Result<(Option<Uri>, Option<String>), CallError> {
    let Some(file) = &args.config else {
        let unreadable = |text: &String| {
            CallError::Usage(format!(
                "--service er ikke en adresse: {text}; et navn kræver også --config FILE\n\
                 --service is no address: {text}; a name needs --config FILE as well"
            ))
        };
        let address =
            |text: &String| text.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some()).ok_or_else(|| unreadable(text));
        return Ok((args.service.as_ref().map(address).transpose()?, None));
    };
    let draft = Draft::<Service>::open(file, now);
    let unusable = |why: String| {
        let file = file.display();
        CallError::Usage(format!("servicen kan ikke findes i {file}\nthe service is not found in {file}: {why}"))
    };
    let sections = draft.sections();
    let (_, service) = which::terminaladgang(&sections.services, args.service.as_deref()).map_err(unusable)?;
    let public = sections.listen.as_ref().ok_or_else(|| unusable("[listen] cannot be read".to_owned()))?.public_url.to_string();
    let address = format!("{}{}", public.trim_end_matches('/'), service.offer.path);
    let address = address.parse().map_err(|_| unusable(format!("{address} is no address")))?;
    Ok((Some(address), Some(service.offer.entity_id.clone())))
}

impl Needed {
    fn gather(args: &Args, environment: &dyn Fn(&str) -> Option<String>, now: Timestamp) -> Result<Self, CallError> {
        let settings = Settings::read(args, environment)?;
        let mut missing = Missing::default();
        let (service, entity_id) = named(args, now)?;
        let service = missing.need(settings.value(service.as_ref(), "SERVICE")?, "--service URL", "SERVICE");
        let ca = missing.need(settings.path(args.ca.as_ref(), "CA"), "--ca FILE", "CA");
        let authority = missing.need(settings.value(args.authority.as_ref(), "AUTHORITY")?, "--authority CVR", "AUTHORITY");
        let system = settings.value(args.finance.system.as_ref(), "SYSTEM")?;
        let pair = match args.p12 {
            Some(_) => None,
            None => {
                let certificate = settings.path(args.cert.as_ref(), "CERT");
                let certificate = missing.need(certificate, "--cert FILE | --p12 FILE", "CERT");
                certificate.zip(missing.need(settings.path(args.key.as_ref(), "KEY"), "--key FILE", "KEY"))
            }
        };
        let token = match args.binding {
            Binding::AuthorityContext => None,
            Binding::Token => {
                let metadata = settings.path(args.sts_metadata.as_ref(), "STS_METADATA");
                let sts = missing.need(settings.value(args.sts.as_ref(), "STS")?, "--sts URL", "STS");
                let metadata = missing.need(metadata, "--sts-metadata FILE", "STS_METADATA");
                let entity_id = settings.value(args.entity_id.as_ref().or(entity_id.as_ref()), "ENTITY_ID")?;
                let entity_id = missing.need(entity_id, "--entity-id URI", "ENTITY_ID");
                let gateway = settings.path(args.gateway_cert.as_ref(), "GATEWAY_CERT");
                sts.zip(metadata).zip(entity_id).map(|((sts, metadata), entity_id)| TokenNeeds {
                    sts,
                    metadata,
                    entity_id,
                    gateway,
                })
            }
        };
        let credentials = match (&args.p12, &args.p12_password_file, &pair) {
            (Some(p12), Some(password), _) => Some(Credentials::from_pkcs12_file(p12, password)?),
            (_, _, Some((certificate, key))) => Some(Credentials::from_pem_files(certificate, key)?),
            _ => None,
        };
        let complete = args.binding == Binding::AuthorityContext || token.is_some();
        match (service, ca, authority, credentials) {
            (Some(service), Some(ca), Some(authority), Some(credentials)) if complete => Ok(Self {
                service,
                authority,
                credentials,
                system,
                certificate: pair.map(|(certificate, _)| certificate),
                roots: certificates_from_pem_file(&ca)?,
                token,
            }),
            _ => Err(missing.usage_error(match args.binding {
                Binding::Token => ("et kald med token", "a call in the token binding"),
                Binding::AuthorityContext => ("et kald med AuthorityContext", "a call in the AuthorityContext binding"),
            })),
        }
    }
}

/// Carries out the command. `environment` gives the environment's variables.
///
/// # Errors
/// [`CallError`]; a fault of the service too, so that the exit code tells.
pub async fn run(
    args: Args,
    clock: &Clock,
    input: &mut impl BufRead,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), CallError> {
    let needed = Needed::gather(&args, environment, clock.now())?;
    if let Some(dir) = &args.save {
        std::fs::create_dir_all(dir).map_err(|error| CallError::File { path: dir.clone(), error })?;
        can_be_written(&dir.join("request.xml"))?;
    }
    let outbound = Outbound::new(OutboundSettings {
        credentials: Some(needed.credentials.clone()),
        ..OutboundSettings::new(needed.roots.clone())
    })?;
    if args.what == Some(What::Finance) {
        let client = Client { outbound, service: needed.service.clone() };
        return finance::run(&args, &needed, &client, clock).await;
    }
    let mut line = String::new();
    input.read_line(&mut line).map_err(|_| CallError::Person)?;
    let person = Cpr::parse(line.trim()).ok_or(CallError::Person)?;
    let question = Question { person: Some(person), period: args.from.clone().zip(args.to.clone()), kle: args.kle.clone() };
    let client = Client { outbound: outbound.clone(), service: needed.service.clone() };
    let (exchange, unsigned) = match &needed.token {
        None => {
            let message = Client::authority_context_message(needed.authority, &question.input());
            (client.send(Version::V11, message).await?, None)
        }
        Some(token) => by_token(&args, &needed, token, &client, &question, clock).await?,
    };
    if args.xml {
        println!(
            "--- request\n{}\n--- answer (HTTP {})\n{}\n---",
            text(&exchange.request),
            exchange.status,
            text(&exchange.answer)
        );
    }
    save(&args, "request.xml", &exchange.request)?;
    save(&args, "answer.xml", &exchange.answer)?;
    if let Some(line) = explain_line(&args, &needed, clock.now()) {
        println!("Saved. Whoever has the gateway's configuration sees what it decided, and why, with\n  {line}");
    }
    if let Some(error) = unsigned {
        return Err(error);
    }
    let said = Said::read(&exchange.answer);
    if matches!(said, Said::Unknown(_)) {
        let kind = exchange.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        println!("HTTP {}, {}", exchange.status, kind.unwrap_or("no Content-Type"));
    }
    said.lines().iter().for_each(|line| println!("{line}"));
    match said {
        Said::Answer { .. } => Ok(()),
        _ => Err(CallError::Fault),
    }
}

/// The command that explains the saved request, at the instant of the call: later its Timestamp would be too old.
fn explain_line(args: &Args, needed: &Needed, at: Timestamp) -> Option<String> {
    let file = |path: &Path| quoted(&path.display().to_string());
    let mut line =
        format!("hjemmel explain --config hjemmel.toml {} --at {at:.3}", file(&args.save.as_ref()?.join("request.xml")));
    if let (None, Some(certificate)) = (&needed.token, &needed.certificate) {
        line += &format!(" --certificate {}", file(certificate));
    }
    Some(line)
}

/// The exchange; and where the answer is not the gateway's, why, so that it is saved and not shown.
async fn by_token(
    args: &Args,
    needed: &Needed,
    token: &TokenNeeds,
    client: &Client,
    question: &Question,
    clock: &Clock,
) -> Result<(Exchange, Option<CallError>), CallError> {
    let bytes = std::fs::read(&token.metadata).map_err(|error| CallError::File { path: token.metadata.clone(), error })?;
    let key = SigningKey::from_der(needed.credentials.key())?;
    let order = token::Order {
        sts: &token.sts,
        issuer: trust::Issuer::from_metadata(Bytes::from(bytes), None, clock.now())?,
        certificate: Certificate::from_der(needed.credentials.leaf())?,
        key: key.clone(),
        authority: needed.authority,
        entity_id: &token.entity_id,
    };
    let assertion = token::fetch(order, client.outbound.clone(), clock).await?;
    save(args, "token.xml", assertion.bytes())?;
    let (message, message_id) = client.token_message(&assertion, &key, &question.input(), clock.now())?;
    let exchange = client.send(Version::V12, message).await?;
    let Some(file) = &token.gateway else {
        println!("The answer's signature was not checked: give --gateway-cert to have it checked.");
        return Ok((exchange, None));
    };
    let chain = certificates_from_pem_file(file)?;
    let pinned: Vec<_> = chain.iter().take(1).map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
    let unsigned = match check_signature(&exchange.answer, &pinned, &message_id, clock.now()) {
        Ok(()) => {
            println!("The answer is signed by the gateway.");
            None
        }
        // Faults that come before the caller is proven are unsigned by design.
        Err(_) if signer::none(&exchange.answer) && !matches!(Said::read(&exchange.answer), Said::Answer { .. }) => {
            println!("The fault is not signed by the gateway: it came before your own signature was verified.");
            None
        }
        Err(refusal) => Some(CallError::Answer(signer::describe(&exchange.answer, &pinned, file, &refusal))),
    };
    Ok((exchange, unsigned))
}

fn save(args: &Args, name: &str, bytes: &[u8]) -> Result<(), CallError> {
    let Some(dir) = &args.save else { return Ok(()) };
    let path = dir.join(name);
    let written = std::fs::create_dir_all(dir).and_then(|()| write_private(&path, bytes));
    written.map_err(|error| CallError::File { path, error })
}

/// That `path` can be written, before anything is sent that cannot be taken back. What stands in it stays; a file that was not there is not left.
fn can_be_written(path: &Path) -> Result<(), CallError> {
    // A pipe is not tried: whoever reads from it would take that for its end.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(());
    }
    // A link that leads nowhere stays, to an empty file.
    let is_new = std::fs::symlink_metadata(path).is_err();
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| CallError::File { path: path.to_owned(), error })?;
    if is_new {
        // One that cannot be removed is written over.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Writes a file that its owner alone may read, also where there was one before: a token and what a person receives.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)
}

/// Whether `answer` is signed by one of `pinned`, as the answer to `message_id`, and its Timestamp is of now.
///
/// # Errors
/// What is wrong with it.
pub fn check_signature(
    answer: &Bytes,
    pinned: &[Certificate],
    message_id: &str,
    now: Timestamp,
) -> Result<(), crate::refusal::Refusal> {
    use crate::refusal::{Detail, Refusal};
    let limits = Limits { nodes: 2_000_000, ..Limits::default() };
    let envelope = Envelope::read(Document::parse(answer.clone(), &limits)?)?;
    let missing = || Refusal::SecurityStructure {
        what: Detail::new("svaret har ingen Security-header", "the answer has no Security header"),
    };
    let parts = Parts {
        header: envelope.header().ok_or_else(missing)?,
        security: envelope.security().ok_or_else(missing)?,
        body: envelope.body().ok_or_else(missing)?,
        must_cover: envelope.must_be_signed(),
    };
    let message = verify_whole_response(envelope.document(), &parts, pinned)?;
    crate::signature::timestamp::check(message.timestamp(), &TimeRules::default(), now)?;
    match envelope.addressing().relates_to.as_deref() == Some(message_id) {
        true => Ok(()),
        false => Err(Refusal::AddressingInvalid {
            what: Detail::new("RelatesTo er ikke det MessageID, der blev sendt", "RelatesTo is not the MessageID that was sent"),
        }),
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
