//! `hjemmel call`: ask the service as a supplier's system would, with either binding, and read the answer in words.

pub mod client;
pub mod question;
pub mod words;

use std::io::BufRead;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use jiff::Timestamp;

use crate::agreements::Cvr;
use crate::clock::Clock;
use crate::outbound::{Outbound, OutboundSettings, SetupError};
use crate::policy::person::Cpr;
use crate::saml::trust::{self, TrustError};
use crate::signature::credentials::{Credentials, CredentialsError, certificates_from_pem_file};
use crate::signature::key::{Certificate, KeyError, SigningKey};
use crate::signature::timestamp::TimeRules;
use crate::signature::verify::{Parts, verify_whole_response};
use crate::soap::document::Document;
use crate::soap::envelope::{Envelope, Version};
use crate::soap::strict::Limits;
use crate::sts::cache::Source;
use crate::sts::client::{Https, StsClient, StsSettings};
use client::{Client, ClientError, Exchange};
use question::Question;
use words::Said;

/// Ask the service about one person's benefits, as a client system does.
///
/// The CPR number is read from standard input (one line), so that it stands in no process list and no shell history.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, against `hjemmel demo` (which prints the line with its own paths):\n  \
    echo 6101801111 | hjemmel call --service https://localhost:8443/service/Ydelse/TerminalAdgang/6 --ca root.pem \\\n    \
    --cert client.pem --key client.key.pem --authority 11111111 --binding authority-context")]
pub struct Args {
    /// The service's address
    #[arg(long, value_name = "URL")]
    service: Uri,
    /// The CA of the gateway's (and the STS's) TLS server, PEM
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Your system's certificate chain, PEM
    #[arg(long, value_name = "FILE", required_unless_present = "p12", requires = "key")]
    cert: Option<PathBuf>,
    /// Your system's private key, PEM (PKCS#8)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Your system's certificate and key as PKCS#12, as OCES delivers them
    #[arg(long, value_name = "FILE", conflicts_with = "cert", requires = "p12_password_file")]
    p12: Option<PathBuf>,
    /// A file whose first line is the password of the PKCS#12 file
    #[arg(long, value_name = "FILE")]
    p12_password_file: Option<PathBuf>,
    /// The authority on whose behalf you call
    #[arg(long, value_name = "CVR")]
    authority: Cvr,
    /// How to prove who you are
    #[arg(long, value_enum, default_value = "token")]
    binding: Binding,
    /// The STS's WS-Trust address (token binding)
    #[arg(long, value_name = "URL", required_if_eq("binding", "token"))]
    sts: Option<Uri>,
    /// The STS's SAML metadata (token binding)
    #[arg(long, value_name = "FILE", required_if_eq("binding", "token"))]
    sts_metadata: Option<PathBuf>,
    /// The entity id to ask a token for (token binding)
    #[arg(long, value_name = "URI", required_if_eq("binding", "token"))]
    entity_id: Option<String>,
    /// The gateway's signing certificate, to check the answer's signature with (token binding)
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
    /// Write the raw messages to this folder: request.xml, answer.xml and (token binding) token.xml. They hold personal data
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Binding {
    /// A SAML token and a signed message (OIO IDWS, SOAP 1.2)
    Token,
    /// Mutual TLS and AuthorityContext (SOAP 1.1)
    AuthorityContext,
}

/// Why the call could not be made, or its answer not trusted.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No possible CPR number on standard input.
    #[error(
        "standard input does not begin with a CPR number (ten digits with a possible date); write one line, without a hyphen"
    )]
    Person,
    /// Certificate or key.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Certificate or key.
    #[error("the certificate or key cannot sign: {0}")]
    Key(#[from] KeyError),
    /// TLS.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The STS's metadata.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The STS.
    #[error("{0}")]
    Sts(crate::refusal::Refusal),
    /// The exchange.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer's signature.
    #[error("the answer is not signed by the gateway whose certificate was given ({0}); it is not shown")]
    Answer(crate::refusal::Refusal),
    /// The service answered with a fault.
    #[error("the service answered with a fault")]
    Fault,
}

/// Carries out the command.
///
/// # Errors
/// [`CallError`]; a fault of the service too, so that the exit code tells.
pub async fn run(args: Args, clock: &Clock, input: &mut impl BufRead) -> Result<(), CallError> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|_| CallError::Person)?;
    let person = Cpr::parse(line.trim()).ok_or(CallError::Person)?;
    let credentials = match (&args.p12, &args.p12_password_file, &args.cert, &args.key) {
        (Some(p12), Some(password), _, _) => Credentials::from_pkcs12_file(p12, password)?,
        (_, _, Some(cert), Some(key)) => Credentials::from_pem_files(cert, key)?,
        _ => return Err(CallError::Person),
    };
    let outbound = Outbound::new(OutboundSettings {
        credentials: Some(credentials.clone()),
        ..OutboundSettings::new(certificates_from_pem_file(&args.ca)?)
    })?;
    let question = Question { person: Some(person), period: args.from.clone().zip(args.to.clone()), kle: args.kle.clone() };
    let client = Client { outbound: outbound.clone(), service: args.service.clone() };
    let exchange = match args.binding {
        Binding::AuthorityContext => {
            client.send(Version::V11, Client::authority_context_message(args.authority, &question.input())).await?
        }
        Binding::Token => by_token(&args, &client, &credentials, &question, clock).await?,
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
    let said = Said::read(&exchange.answer);
    said.lines().iter().for_each(|line| println!("{line}"));
    match said {
        Said::Answer { .. } => Ok(()),
        _ => Err(CallError::Fault),
    }
}

async fn by_token(
    args: &Args,
    client: &Client,
    credentials: &Credentials,
    question: &Question,
    clock: &Clock,
) -> Result<Exchange, CallError> {
    let (Some(sts), Some(metadata), Some(entity_id)) = (&args.sts, &args.sts_metadata, &args.entity_id) else {
        return Err(CallError::Sts(crate::refusal::Refusal::StsUnavailable));
    };
    let bytes = std::fs::read(metadata).map_err(|error| CallError::File { path: metadata.clone(), error })?;
    let trusted = trust::Issuer::from_metadata(Bytes::from(bytes), None, clock.now())?;
    let key = SigningKey::from_der(credentials.key())?;
    let settings = StsSettings {
        to: sts.to_string(),
        issuer: trusted,
        certificate: Certificate::from_der(credentials.leaf())?,
        key: key.clone(),
        on_behalf_of: None,
    };
    let transport = Https { outbound: client.outbound.clone(), uri: sts.clone(), timeout: Duration::from_secs(10) };
    let issuer = StsClient::new(settings, transport, clock.clone());
    let token = issuer.issue(&args.authority.to_string(), entity_id).await.map_err(CallError::Sts)?;
    save(args, "token.xml", token.assertion().bytes())?;
    let (message, message_id) = client.token_message(token.assertion(), &key, &question.input(), clock.now())?;
    let exchange = client.send(Version::V12, message).await?;
    match &args.gateway_cert {
        None => println!("The answer's signature was not checked: give --gateway-cert to have it checked."),
        Some(file) => {
            let pinned: Vec<_> = certificates_from_pem_file(file)?
                .iter()
                .take(1)
                .map(|der| Certificate::from_der(der))
                .collect::<Result<_, _>>()?;
            match check_signature(&exchange.answer, &pinned, &message_id, clock.now()) {
                Ok(()) => println!("The answer is signed by the gateway."),
                // Faults that come before the caller is proven are unsigned by design.
                Err(_) if matches!(Said::read(&exchange.answer), Said::Fault { .. }) => {
                    println!("The fault is not signed by the gateway: it came before your own signature was verified.");
                }
                Err(refusal) => return Err(CallError::Answer(refusal)),
            }
        }
    }
    Ok(exchange)
}

fn save(args: &Args, name: &str, bytes: &[u8]) -> Result<(), CallError> {
    let Some(dir) = &args.save else { return Ok(()) };
    let path = dir.join(name);
    let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, bytes));
    written.map_err(|error| CallError::File { path, error })
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
