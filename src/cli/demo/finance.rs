//! The demo's second service: SF1590_A Finans, with a ledger behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::Uri;
use jiff::SignedDuration;
use uuid::Uuid;

use super::invitation::Invitation;
use super::persons::Persons;
use super::world::{STS_ENTITY_ID, World, WorldError};
use crate::agreements::Store;
use crate::agreements::route::file;
use crate::agreements::route::store::{Decision, InTheWay};
use crate::audit::Record;
use crate::cli::call::client::Client;
use crate::cli::shell::quoted;
use crate::clock::civil_day;
use crate::saml::trust::{Issuer, Trust};
use crate::services::finance::rules::delivery::NAMESPACE;
use crate::services::passthrough::folder::{self, Folder};
use crate::services::passthrough::wsdl::Security;
use crate::signature::key::Certificate;
use crate::signature::sign::{Message, canonical_content, with_token};
use crate::soap::document::{Document, Element};
use crate::soap::envelope::Version;
use crate::soap::names::SERVICEPLATFORM_FAULT;
use crate::soap::strict::Limits;
use crate::store::Settings;
use crate::stub::finance::ledger::{Ledger, UNMAPPED};
use crate::stub::finance::sample::{Parties, Sample};
use crate::stub::pki::Role;
use crate::stub::population::KORSBAEK;
use crate::stub::server::Running;
use crate::stub::service::mode::Mode;
use crate::stub::service::serve::{ServiceConfig, start_service};
use crate::stub::sts::Switch;

/// Its name in the gateway's configuration.
pub const SERVICE: &str = "finansbilag";
/// The entity id of the ledger.
pub const LEDGER_ENTITY_ID: &str = "http://entityid.hjemmel.example/ledger/finansbilag/1";
/// The ledger's it-system, as the route names it.
pub const LEDGER_SYSTEM: &str = "5a9e0000-0000-4000-8000-000000010004";
/// An authority whose ledger no route leads to.
const WITHOUT_LEDGER: &str = "99999982";
/// The contract, as `policies/services/finansbilag` has it.
const CONTRACT: [(&str, &str); 8] = [
    ("service.toml", include_str!("../../../policies/services/finansbilag/service.toml")),
    ("FinansbilagStraks-token.wsdl", include_str!("../../../policies/services/finansbilag/FinansbilagStraks-token.wsdl")),
    (
        "FinansbilagStraks-authoritycontext.wsdl",
        include_str!("../../../policies/services/finansbilag/FinansbilagStraks-authoritycontext.wsdl"),
    ),
    ("Finansbilag.xsd", include_str!("../../../policies/services/finansbilag/Finansbilag.xsd")),
    ("Kvittering.xsd", include_str!("../../../policies/services/finansbilag/Kvittering.xsd")),
    ("AuthorityContext.xsd", include_str!("../../../policies/services/finansbilag/AuthorityContext.xsd")),
    ("CallContext.xsd", include_str!("../../../policies/services/finansbilag/CallContext.xsd")),
    ("ServiceplatformFault.xsd", include_str!("../../../policies/services/finansbilag/ServiceplatformFault.xsd")),
];

/// A delivery of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// All vouchers are booked.
    Accepted,
    /// It is sent twice, and gets one receipt.
    Twice,
    /// The ledger books some and rejects some.
    Rejected,
    /// The schema refuses it.
    Schema,
    /// A rule refuses it.
    Control,
    /// No route leads to the receiver.
    NoRoute,
}

impl Scene {
    /// All of them, in order.
    pub const ALL: [Scene; 6] = [Scene::Accepted, Scene::Twice, Scene::Rejected, Scene::Schema, Scene::Control, Scene::NoRoute];

    /// What happens, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Scene::Accepted => "Korsbæk Kommune delivers vouchers to its ledger (Finans, token, SOAP 1.1)",
            Scene::Twice => "a delivery that is sent twice: the same receipt, and the ledger hears of it once",
            Scene::Rejected => "a delivery of which the ledger rejects two vouchers, each to whom can mend it",
            Scene::Schema => "a delivery with an amount that the schema refuses",
            Scene::Control => "a delivery whose control section does not add up",
            Scene::NoRoute => "a delivery to an authority without a route to its ledger",
        }
    }

    /// The code that must come of it: of the receipt, or of the fault.
    pub fn expected(self) -> &'static str {
        match self {
            Scene::Accepted | Scene::Twice => "ACCEPTERET",
            Scene::Rejected => "AFVIST",
            Scene::Schema => "SchemaViolated",
            Scene::Control => "FB004",
            Scene::NoRoute => "FB001",
        }
    }

    /// What a line of the answer must say beside the code.
    fn says(self) -> &'static [&'static str] {
        match self {
            Scene::Accepted | Scene::Twice => &[" ACCEPTERET 1→"],
            Scene::Rejected => &["FEJL FB012 til SLUTBRUGER: ", "FEJL FB022 til ADMINISTRATOR: ", " AFVIST ", " ACCEPTERET 1→"],
            // The place, and the rule of the schema.
            Scene::Schema => &["/Finansbilag/Finanspostering/Beloeb: ", "(cvc-"],
            Scene::Control => &["FEJL FB004 til ADMINISTRATOR: "],
            Scene::NoRoute => &["FEJL FB001 til ADMINISTRATOR: ", WITHOUT_LEDGER],
        }
    }
}

/// A delivery that was sent.
#[allow(missing_docs)] // the names say it
pub struct Played {
    pub scene: Scene,
    /// The code of the receipt or of the fault.
    pub code: String,
    /// What the answer says, a line each.
    pub lines: Vec<String>,
    /// Whether the code is the one that must come, and the lines say what they must.
    pub as_expected: bool,
}

/// A ledger of one's own in the place of the demo's.
#[derive(Debug, Clone, clap::Args)]
pub struct OwnLedger {
    /// Your own ledger in the place of the demo's: its https address. It takes tokens of the demo's token service, and may be
    /// started once the demo is up
    #[arg(long = "ledger", value_name = "URI", requires = "dir")]
    address: Option<String>,
    /// Its entity id, for which tokens are issued
    #[arg(long = "ledger-entity-id", value_name = "URI", default_value = LEDGER_ENTITY_ID, requires = "address")]
    entity_id: String,
    /// The CAs of its TLS certificate (PEM); those of the demo where it is not given
    #[arg(long = "ledger-roots", value_name = "FILE", requires = "address")]
    roots: Option<PathBuf>,
    /// The certificate that it signs receipts with (PEM); the demo's DIR/pki/index-signing.pem where it is not given
    #[arg(long = "ledger-certificate", value_name = "FILE", requires = "address")]
    certificate: Option<PathBuf>,
}

impl OwnLedger {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.address.is_some()
    }

    /// The entity id for which tokens are issued.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }
}

/// Writes the contract below `dir`.
///
/// # Errors
/// It could not be written.
pub fn write(dir: &Path) -> std::io::Result<()> {
    let folder = dir.join("services/finansbilag");
    std::fs::create_dir_all(&folder)?;
    CONTRACT.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}

/// What the gateway's configuration says of it.
pub fn settings() -> String {
    format!(
        "[service.{SERVICE}]\nkind = \"finance\"\nfolder = \"services/finansbilag\"\n\
         [service.{SERVICE}.authority.{KORSBAEK}.proeve]\nfrom = \"2026-01-01T00:00:00Z\"\nto = \"2100-01-01T00:00:00Z\"\n\
         [limits]\nrequest_bytes = 16777216\n"
    )
}

/// The entity id that tokens for it are issued for.
///
/// # Errors
/// The contract says none.
pub fn entity_id() -> Result<String, WorldError> {
    let service: toml::Table = CONTRACT.first().map_or("", |(_, text)| text).parse()?;
    let entity_id = service.get("service").and_then(|service| service.get("entity_id")).and_then(toml::Value::as_str);
    Ok(entity_id.ok_or("the contract has no entity id")?.to_owned())
}

/// The service at work, with its ledger.
pub struct Finance {
    folder: Folder,
    service: Uri,
    running: Running,
}

impl Finance {
    /// Starts the ledger, and lets Korsbæk's system send to it.
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn start(world: &World, own: &OwnLedger) -> Result<Self, WorldError> {
        let folder = folder::load(&world.dir.join("services/finansbilag"));
        let folder = folder.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let pki = &world.pki;
        let sts = Certificate::from_der(pki.credentials(Role::StsSigning)?.leaf())?;
        let running = start_service(ServiceConfig {
            address: ([127, 0, 0, 1], 0).into(),
            server: pki.credentials(Role::IndexServer)?.clone(),
            folder: folder.clone(),
            security: Some(Security::Token),
            signing: pki.credentials(Role::IndexSigning)?.clone(),
            trust: Trust::new(vec![Issuer::from_certificates(STS_ENTITY_ID, vec![sts])?]),
            entity_id: LEDGER_ENTITY_ID.to_owned(),
            clients: vec![pki.root().clone()],
            mode: Switch::new(Mode::Honest),
            received: Switch::default(),
            content: Some(Arc::new(Ledger::default())),
            clock: world.clock.clone(),
        })
        .await?;
        let service = format!("https://{}{}", world.service.authority().ok_or("no address")?, folder.settings.path).parse()?;
        let finance = Self { folder, service, running };
        finance.agree(world, own).await?;
        Ok(finance)
    }

    /// An agreement on each side, and the route.
    async fn agree(&self, world: &World, own: &OwnLedger) -> Result<(), WorldError> {
        let service = self.folder.settings.uuid;
        let thumbprint = crate::hex::encode(&world.pki.credentials(Role::Korsbaek)?.thumbprint());
        let agreement = |id: u128, side: &str, system: &str, certificates: &str| {
            let id = Uuid::from_u128(0x5a9e_0000_0000_4000_8000_0000_0001_0000 + id);
            format!(
                "[[agreement]]\nid = \"{id}\"\nside = \"{side}\"\nsystem = \"{system}\"\ncertificates = [{certificates}]\nservice = \
                 \"{service}\"\nauthority = \"{KORSBAEK}\"\nenvironment = \"demo\"\nvalid_from = \"2026-01-01T00:00:00Z\"\nstate = \
                 \"ANMODET\"\nlegal_basis = \"Lov om kommunernes styrelse §§ 45 og 57\"\npurpose = \"At bogføre finansbilag\"\n"
            )
        };
        let front = agreement(1, "front", Role::Korsbaek.uuid(), &format!("\"{thumbprint}\""));
        let back = agreement(2, "back", Role::GatewayClient.uuid(), "");
        let demo_s = || format!("https://localhost:{}{}", self.running.address().port(), self.folder.settings.path);
        let address = own.address.clone().unwrap_or_else(demo_s);
        // From where the command was called: the other paths begin in the demo's folder.
        let file = |given: &Option<PathBuf>, demo_s: String| match given {
            Some(path) => std::path::absolute(path).map(|path| path.display().to_string()),
            None => Ok(demo_s),
        };
        let roots = file(&own.roots, "pki/root.pem".to_owned())?;
        let certificate = file(&own.certificate, format!("pki/{}.pem", Role::IndexSigning.file_name()))?;
        let route = format!(
            "[[route]]\nid = \"5a9e0000-0000-4000-8000-000000010003\"\nservice = \"{service}\"\nenvironment = \"demo\"\nsender = \
             \"{KORSBAEK}\"\nreceiver = \"{KORSBAEK}\"\nvalid_from = \"2026-01-01\"\nsystem = \"{LEDGER_SYSTEM}\"\n\
             address = {}\nentity_id = {}\nsecurity = \"token\"\nroots = [{}]\nsigning_certificates = [{}]\n",
            toml::Value::from(address),
            toml::Value::from(own.entity_id.clone()),
            toml::Value::from(roots),
            toml::Value::from(certificate),
        );
        let routes = file::parse(&route, &world.dir).map_err(|problems| format!("{problems:?}"))?;
        let store = Store::open(&Settings::sqlite(&world.dir.join("agreements.sqlite"))).await?;
        Persons::known(&world.pki)?.agree(&store, &format!("{front}{back}"), world.clock.now()).await?;
        // Not by a decision, which refuses a route to this machine.
        let decision = Decision { by: "Demo Drift".to_owned(), reason: "demo".to_owned(), at: world.clock.now() };
        store.add_routes(&routes, InTheWay::Refuse, &decision).await?;
        store.close().await;
        Ok(())
    }

    /// The service's UUID.
    pub fn service(&self) -> Uuid {
        self.folder.settings.uuid
    }

    /// Sends a test, and gives the record of its call.
    ///
    /// # Errors
    /// It could not be sent, or the ledger did not accept it.
    pub async fn tested(&self, world: &World) -> Result<Record, WorldError> {
        let day = civil_day(world.clock.now()).ok_or("no day")?;
        let korsbaek = KORSBAEK.parse()?;
        let parties = Parties { system: Role::Korsbaek.uuid().parse()?, sender: korsbaek, receiver: korsbaek, day };
        let seed = u64::try_from(world.clock.now().as_microsecond()).unwrap_or_default();
        let sample = Sample { trial: true, ..Sample::ordinary(seed, &parties, 3) };
        let (code, lines, record) = self.answered(world, &sample).await?;
        if code != Scene::Accepted.expected() {
            return Err(format!("the test is {code}: {}", lines.join("; ")).into());
        }
        Ok(record)
    }

    /// Sends the delivery of a scene.
    ///
    /// # Errors
    /// It could not be sent at all.
    pub async fn play(&self, world: &World, scene: Scene) -> Result<Played, WorldError> {
        let receiver = if scene == Scene::NoRoute { WITHOUT_LEDGER } else { KORSBAEK };
        let day = civil_day(world.clock.now()).ok_or("no day")?;
        let parties =
            Parties { system: Role::Korsbaek.uuid().parse()?, sender: KORSBAEK.parse()?, receiver: receiver.parse()?, day };
        let seed = u64::try_from(world.clock.now().as_microsecond()).unwrap_or_default();
        let mut sample = Sample::ordinary(seed, &parties, 3);
        match (scene, sample.vouchers.as_mut_slice()) {
            (Scene::Rejected, [closed, unmapped, ..]) => {
                closed.date = "2025-12-31".to_owned();
                let code = unmapped.postings.first_mut().and_then(|posting| posting.codes.first_mut());
                if let Some([_, code, _]) = code {
                    *code = UNMAPPED.to_owned();
                }
            }
            (Scene::Schema, [first, ..]) => {
                first.postings.iter_mut().take(1).for_each(|posting| posting.amount = "1.250,00".to_owned());
            }
            (Scene::Control, _) => sample.control = [None, None, Some("0.01".to_owned()), None],
            _ => {}
        }
        let (mut code, mut lines, _) = self.answered(world, &sample).await?;
        let mut as_expected = code == scene.expected();
        if scene == Scene::Twice {
            let first = lines.clone();
            let (again, told, record) = self.answered(world, &sample).await?;
            let passed_on = record.about.passthrough().is_some_and(|about| !about.repeated);
            as_expected = as_expected && again == code && told == first && !passed_on;
            (code, lines) = (again, told);
        }
        as_expected = as_expected && scene.says().iter().all(|words| lines.iter().any(|line| line.contains(words)));
        Ok(Played { scene, as_expected, code, lines })
    }

    /// What comes of a delivery: its code, what the answer says, and the record of its call.
    async fn answered(&self, world: &World, sample: &Sample) -> Result<(String, Vec<String>, Record), WorldError> {
        let answer = self.send(world, &sample.request("")).await?;
        // The record of the call is this scene's: the next takes its own.
        let record = world.records.recv_timeout(std::time::Duration::from_secs(5))?;
        let document =
            Document::parse(answer, &Limits { nodes: 1_000_000, ..Limits::default() }).map_err(|_| "no XML came back")?;
        let (code, lines) = read_answer(document.root());
        Ok((code, lines, record))
    }

    async fn send(&self, world: &World, request: &str) -> Result<Bytes, WorldError> {
        let contract = self.folder.contracts.iter().find(|contract| contract.security == Security::Token);
        let operation = contract.and_then(|contract| contract.wsdl.operations.first()).ok_or("no operation")?;
        let token = world.token_for(Role::Korsbaek, KORSBAEK, &self.folder.settings.entity_id).await?;
        let client = Client { service: self.service.clone(), ..world.client(None)? };
        let message = Message {
            version: Version::V11,
            action: Some(&operation.request_action),
            message_id: &format!("urn:uuid:{}", Uuid::new_v4()),
            relates_to: None,
            to: Some(&self.service.to_string()),
            reply_to: true,
            framework: true,
            created: world.clock.now(),
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &[],
            body: &canonical_content(request.as_bytes())?,
        };
        let signed = with_token(&message, token.assertion(), &world.key(Role::Korsbaek)?)?;
        Ok(client.send_as(Version::V11, &operation.request_action, signed.into()).await?.answer)
    }

    /// Writes `finance.env`: what `hjemmel call finance --env` needs.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn invite(&self, world: &World, invitation: &Invitation) -> Result<(), WorldError> {
        let own = [
            ("SERVICE", self.service.to_string()),
            ("ENTITY_ID", self.folder.settings.entity_id.clone()),
            ("SYSTEM", Role::Korsbaek.uuid().to_owned()),
        ];
        let own = own.map(|(name, value)| format!("export {name}={}\n", quoted(&value))).concat();
        let shared = invitation.settings();
        let shared = shared.lines().filter(|line| !line.starts_with("export SERVICE=") && !line.starts_with("export ENTITY_ID="));
        let shared: String = shared.map(|line| format!("{line}\n")).collect();
        Ok(std::fs::write(world.dir.join("finance.env"), own + &shared)?)
    }

    /// Stops the ledger.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// The code of an answer, and what it says, a line each.
pub fn read_answer(answer: Element<'_>) -> (String, Vec<String>) {
    let text = |parent: Element<'_>, local: &str| {
        let child = parent.elements().find(|child| child.local() == local && child.attribute("", "sprog") != Some("en"));
        child.and_then(|child| child.text()).unwrap_or_default().into_owned()
    };
    let faults: Vec<_> = answer.descendants().filter(|element| element.is(SERVICEPLATFORM_FAULT, "Error")).collect();
    if let Some(first) = faults.first() {
        return (text(*first, "ErrorCode"), faults.iter().map(|error| text(*error, "ErrorText")).collect());
    }
    let error = |error: Element<'_>| {
        let words = [text(error, "Tekst"), text(error, "Konsekvens"), text(error, "Handling")].join(" ");
        format!("{} {} til {}: {words}", text(error, "Alvor"), text(error, "FejlKode"), text(error, "Maalgruppe"))
    };
    let (mut lines, mut code) = (Vec::new(), String::new());
    for element in answer.descendants() {
        match element.local() {
            "ForretningsValideringsKode" => code = element.text().unwrap_or_default().into_owned(),
            "BilagResultat" if element.namespace() == NAMESPACE => {
                let postings = element.elements().filter(|child| child.local() == "Postering");
                let accounts: Vec<String> = postings
                    .map(|posting| format!("{}→{}", text(posting, "PosteringNummer"), text(posting, "Kontostreng")))
                    .collect();
                lines.push(format!("{} {} {}", text(element, "BilagID"), text(element, "Resultat"), accounts.join(" ")));
            }
            "Fejl" if element.namespace() == NAMESPACE => {
                if code.is_empty() {
                    code = text(element, "FejlKode");
                }
                lines.push(format!("  {}", error(element)));
            }
            _ => {}
        }
    }
    (code, lines)
}
