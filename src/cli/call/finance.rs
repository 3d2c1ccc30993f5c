//! `hjemmel call finance --sample`: the source integration test of a specialist system's side, as a command. Deliveries that are valid, varied and at
//! the bounds of the schema are sent, and such as must be refused; what was sent, what was expected and what came is reported of each.

use std::path::PathBuf;

use bytes::Bytes;
use jiff::SignedDuration;
use serde::Serialize;
use uuid::Uuid;

use super::client::{Client, ClientError};
use super::words::Said;
use super::{Args, CallError, Needed, can_be_written, check_signature, signer, token, verify, write_private};
use crate::cli::demo::finance::read_answer;
use crate::clock::{Clock, civil_day};
use crate::id::cvr::Cvr;
use crate::saml::trust::Issuer;
use crate::services::finance::rules::delivery::NAMESPACE;
use crate::signature::credentials::certificates_from_pem_file;
use crate::signature::key::{Certificate, SigningKey};
use crate::signature::sign::{Message, Token, canonical_content, with_token};
use crate::soap::document::Document;
use crate::soap::envelope::Version;
use crate::soap::names::{AUTHORITY_CONTEXT, SOAP11};
use crate::soap::strict::Limits;

use crate::stub::finance::refused::CASES;
use crate::stub::finance::sample::{Parties, Sample};

/// What a delivery needs that no other call does.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// finance: send sample deliveries, invented: valid ones, the last of them at the bounds of the schema, and such as must be refused
    #[arg(long)]
    sample: bool,
    #[command(flatten)]
    verify: verify::TestOptions,
    /// finance: the it-system that sends, as the service agreement names it [SYSTEM]
    #[arg(long, value_name = "UUID")]
    pub(super) system: Option<Uuid>,
    /// finance: the authority whose ledger receives; your own where it is not given
    #[arg(long, value_name = "CVR")]
    receiver: Option<Cvr>,
    /// finance: how many valid deliveries
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// finance: what the deliveries follow from; the same seed gives the same ones, ids included
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// finance: leave out the deliveries that must be refused
    #[arg(long)]
    valid_only: bool,
    /// finance: write what was sent, expected and answered to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What the ledger says of a delivery that it books whole.
const ACCEPTED: &str = "ACCEPTERET";

/// A delivery, and what must come of it.
struct Planned {
    what: &'static str,
    expected: &'static str,
    id: String,
    /// By what stands in front of the delivery.
    request: Box<dyn Fn(&str) -> String>,
}

/// What came of it.
#[derive(Serialize)]
struct Line {
    sent: &'static str,
    delivery: String,
    expected: &'static str,
    got: String,
    as_expected: bool,
    /// What the answer says, in words.
    said: Vec<String>,
}

#[derive(Serialize)]
struct Report<'l> {
    service: String,
    seed: u64,
    sent: usize,
    otherwise: usize,
    deliveries: &'l [Line],
}

/// Seeds that are neighbours lie apart, so that two runs do not send other content with an id of the other (SplitMix64's last step).
fn apart(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// Every delivery of a run.
fn planned(options: &Options, seed: u64, parties: Parties) -> Vec<Planned> {
    let seed = apart(seed);
    let valid = (0..options.count).map(|number| {
        let own = seed.wrapping_add(u64::from(number));
        let last = number + 1 == options.count;
        let (what, sample) = match last {
            true => ("valid, at the bounds of the schema", Sample::boundaries(own, &parties)),
            false => ("valid", Sample::ordinary(own, &parties, 1 + usize::from(number) % 5)),
        };
        Planned { what, expected: ACCEPTED, id: sample.id.clone(), request: Box::new(move |context| sample.request(context)) }
    });
    let refused = CASES.iter().zip(u64::from(options.count)..).map(|(case, number)| {
        let own = seed.wrapping_add(number);
        let id = case.request(own, &parties, "").0;
        Planned {
            what: case.what,
            expected: case.code,
            id,
            request: Box::new(move |context| case.request(own, &parties, context).1),
        }
    });
    valid.chain(refused.filter(|_| !options.valid_only)).collect()
}

pub(super) fn usage(da: &str, en: &str) -> CallError {
    CallError::Usage(format!("{da}\n{en}"))
}

/// Sends the deliveries.
///
/// # Errors
/// [`CallError`]; [`CallError::Otherwise`] where an answer was another than was expected.
pub(super) async fn run(args: &Args, needed: &Needed, client: &Client, clock: &Clock) -> Result<(), CallError> {
    let options = &args.finance;
    if !options.sample && !options.verify.verify {
        return Err(usage(
            "angiv --sample eller --verify; andre leverancer sendes ikke herfra",
            "give --sample or --verify; no other deliveries are sent from here",
        ));
    }
    let missing = || usage("et kald til finance kræver --system UUID", "a call of finance needs --system UUID");
    let day = options
        .verify
        .day
        .or_else(|| civil_day(clock.now()))
        .ok_or_else(|| usage("uret viser ingen dag", "the clock shows no day"))?;
    let parties = Parties {
        system: needed.system.ok_or_else(missing)?,
        sender: needed.authority,
        receiver: options.receiver.unwrap_or(needed.authority),
        day,
    };
    options.report.as_deref().map_or(Ok(()), can_be_written)?;
    let token = match &needed.token {
        None => None,
        Some(needs) => {
            let path = &needs.metadata;
            let bytes = std::fs::read(path).map_err(|error| CallError::File { path: path.clone(), error })?;
            let order = token::Order {
                sts: &needs.sts,
                issuer: Issuer::from_metadata(Bytes::from(bytes), None, clock.now())?,
                certificate: Certificate::from_der(needed.credentials.leaf())?,
                key: SigningKey::from_der(needed.credentials.key())?,
                authority: needed.authority,
                entity_id: &needs.entity_id,
            };
            Some(token::fetch(order, client.outbound.clone(), clock).await?)
        }
    };
    if options.verify.verify {
        let (file, service) = (options.report.clone(), client.service.to_string());
        let test = verify::Test::plan(&options.verify, file, service, &parties, clock.now())?;
        println!("{}", test.announcement());
        let answer = send(needed, client, token.as_ref(), &|context: &str| test.request(context), clock).await?;
        if args.xml {
            println!("--- answer\n{}\n---", String::from_utf8_lossy(&answer));
        }
        return test.conclude(answer);
    }
    let seed = options.seed.unwrap_or_else(|| u64::try_from(clock.now().as_microsecond()).unwrap_or_default());
    let mut lines = Vec::new();
    for planned in planned(options, seed, parties) {
        let answer = send(needed, client, token.as_ref(), &planned.request, clock).await?;
        if args.xml {
            println!("--- answer\n{}\n---", String::from_utf8_lossy(&answer));
        }
        let limits = Limits { nodes: 2_000_000, ..Limits::default() };
        let (got, said) = match Document::parse(answer, &limits) {
            Ok(document) => read_answer(document.root()),
            Err(_) => ("no XML".to_owned(), Vec::new()),
        };
        let Planned { what: sent, expected, id: delivery, .. } = planned;
        let line = Line { sent, delivery, expected, as_expected: got == expected, got, said };
        let mark = if line.as_expected { "ok" } else { "OTHERWISE" };
        println!("{:>4}  {mark:<9}  {}  {sent}: expected {expected}, got {}", lines.len() + 1, line.delivery, line.got);
        line.said.iter().filter(|_| !line.as_expected).for_each(|said| println!("        {said}"));
        lines.push(line);
    }
    let otherwise = lines.iter().filter(|line| !line.as_expected).count();
    println!("{} deliveries sent, {} as expected, {otherwise} otherwise (seed {seed})", lines.len(), lines.len() - otherwise);
    if let Some(path) = &options.report {
        let report = Report { service: client.service.to_string(), seed, sent: lines.len(), otherwise, deliveries: &lines };
        let json = serde_json::to_vec_pretty(&report).map_err(|error| std::io::Error::other(error.to_string()));
        // What a platform or a ledger answers may say more than it should.
        json.and_then(|json| write_private(path, &json)).map_err(|error| CallError::File { path: path.clone(), error })?;
    }
    if otherwise > 0 { Err(CallError::Otherwise { count: otherwise }) } else { Ok(()) }
}

async fn send(
    needed: &Needed,
    client: &Client,
    token: Option<&Token>,
    request: &dyn Fn(&str) -> String,
    clock: &Clock,
) -> Result<Bytes, CallError> {
    let action = format!("{NAMESPACE}:ModtagFinansbilagStraksleverance");
    let Some(token) = token else {
        let context = format!(
            "<a:AuthorityContext xmlns:a=\"{AUTHORITY_CONTEXT}\"><a:MunicipalityCVR>{}</a:MunicipalityCVR></a:AuthorityContext>",
            needed.authority
        );
        let body = request(&context);
        let message = format!("<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body>{body}</s:Body></s:Envelope>");
        return Ok(client.send_as(Version::V11, &action, message.into()).await?.answer);
    };
    let message_id = format!("urn:uuid:{}", Uuid::new_v4());
    let message = Message {
        version: Version::V11,
        action: Some(&action),
        message_id: &message_id,
        relates_to: None,
        to: Some(&client.service.to_string()),
        reply_to: true,
        framework: true,
        created: clock.now(),
        lifetime: SignedDuration::from_mins(5),
        extra_headers: &[],
        body: &canonical_content(request("").as_bytes()).map_err(ClientError::from)?,
    };
    let key = SigningKey::from_der(needed.credentials.key())?;
    let signed = with_token(&message, token, &key).map_err(ClientError::from)?;
    let answer = client.send_as(Version::V11, &action, signed.into()).await?.answer;
    if let Some(file) = needed.token.as_ref().and_then(|needs| needs.gateway.as_ref()) {
        let pinned: Vec<_> =
            certificates_from_pem_file(file)?.iter().take(1).map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
        match check_signature(&answer, &pinned, &message_id, clock.now()) {
            Ok(()) => {}
            Err(_) if signer::none(&answer) && matches!(Said::read(&answer), Said::Fault { .. }) => {
                println!("The fault is not signed by the gateway: it came before your own signature was verified.");
            }
            Err(refusal) => {
                let entry = refusal.entry();
                return Err(CallError::Answer(format!("{}\n{}", entry.da.what, entry.en.what)));
            }
        }
    }
    Ok(answer)
}
