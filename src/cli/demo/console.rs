//! The demo's console: a listener, an auditor, something to approve, and a link for each role.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::persons::{self, USERS};
use super::world::{World, WorldError};
use crate::agreements::import::Import;
use crate::agreements::rules::Rules;
use crate::agreements::terms::{Kind, Terms};
use crate::agreements::{Store, Thumbprint};
use crate::decisions::statement::Signer;
use crate::decisions::system::Changes;
use crate::decisions::{self, Because, By};
use crate::services::vocabulary;
use crate::signature::key::Certificate;
use crate::store::Settings;
use crate::stub::pki::{Leaf, Role, Usage};
use crate::stub::population::KORSBAEK;
use crate::users::rights;

/// How long the links of the demo may be used.
const LINKS_HOLD: SignedDuration = SignedDuration::from_hours(12);
/// What the signatory is asked for, and for which system.
const ASKED: &str = "5a9e0000-0000-4000-8000-0000000000c0";
const SYSTEM: &str = "5a9e0000-0000-4000-8000-0000000000c1";

/// The section of the configuration.
pub fn settings(assets: Option<&Path>, port: u16) -> String {
    let assets = assets.and_then(|folder| std::path::absolute(folder).ok()).map(|folder| folder.display().to_string());
    let assets = assets.map(|folder| format!("assets = {}\n", toml::Value::String(folder))).unwrap_or_default();
    format!(
        "[console]\naddress = \"127.0.0.1:{port}\"\none_time_links = \"everybody\"\ncontact = \"drift@hjemmel.example\"\n{assets}"
    )
}

/// Where the console is, and who gets in how.
#[derive(Debug, Serialize)]
pub struct Doors {
    url: String,
    /// A link for each role; each logs on once.
    links: BTreeMap<&'static str, String>,
}

impl Doors {
    /// Adds the auditor and something to approve, and makes the links.
    ///
    /// # Errors
    /// There is no console in this process, or the store does not answer.
    pub async fn open(world: &World) -> Result<Self, WorldError> {
        let address = world.console().ok_or("there is no console")?;
        let url = format!("https://localhost:{}", address.port());
        let store = Store::open(&Settings::sqlite(&world.dir.join("agreements.sqlite"))).await?;
        let now = world.clock.now();
        let auditor = auditor(world, &store, now).await?;
        asked(world, &store, now).await?;
        let known = USERS.iter().map(|(role, right, _)| Ok((right.name(), role.uuid().parse()?)));
        let known = known.chain([Ok((rights::Role::Auditor.name(), auditor))]).collect::<Result<Vec<(_, Uuid)>, WorldError>>()?;
        let mut links = BTreeMap::new();
        for (role, user) in known {
            let secret = store.make_link(user, true, LINKS_HOLD, now).await?;
            links.insert(role, format!("{url}/link/{}", secret.reveal()));
        }
        store.close().await;
        Ok(Self { url, links })
    }

    /// For a person, in eighty columns.
    pub fn text(&self) -> String {
        let mut text = format!("The console is at {}. Each of these logs on once:\n\n", self.url);
        for (role, link) in &self.links {
            let _ = writeln!(text, "  {role}\n  {link}");
        }
        text.push_str("\nOr log on there by its identity provider, a stub: choose one of its people, and\nhow it answers (35 of its answers must be refused).\n");
        text + "\nThe browser asks about the certificate, which the demo made itself: root.pem in pki/.\n\n"
    }
}

async fn auditor(world: &World, store: &Store, now: Timestamp) -> Result<Uuid, WorldError> {
    let id = Uuid::new_v4();
    let leaf = Leaf {
        common_name: "Demo Revisor".to_owned(),
        organization: "Korsbæk Kommune".to_owned(),
        cvr: KORSBAEK.to_owned(),
        uuid: id.to_string(),
        usage: Usage::System,
        not_before: now - SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(24 * 30),
    };
    let credentials = world.pki.issue(&leaf)?;
    persons::add(store, &credentials, id, id, (rights::Role::Auditor, Some(KORSBAEK)), now).await?;
    Ok(id)
}

/// A system of the supplier's, and a request that waits for Korsbæk's signatory.
async fn asked(world: &World, store: &Store, now: Timestamp) -> Result<(), WorldError> {
    let supplier = Signer::new(world.pki.credentials(Role::PersonSupplier)?)?;
    let by = By::Key(&supplier);
    let because = Because::new("Det nye fagsystem tages i brug ved årsskiftet".to_owned(), now);
    let system: Uuid = SYSTEM.parse()?;
    let named = (system, "Det nye fagsystem".to_owned(), "drift@leverandor.example".to_owned());
    let registered = decisions::system::register(store, by, named, &because, None).await?;
    let credentials = world.pki.credentials(Role::Korsbaek)?;
    let certificate = Certificate::from_der(credentials.leaf())?;
    let thumbprint = Thumbprint::from(*certificate.thumbprint());
    let added = Changes::CertificateAdded(Box::new(certificate), Some(decisions::system::prove(credentials, system)?));
    decisions::system::change(store, by, &(registered, Vec::new()), &added, &because, None).await?;
    let file = format!(
        "[[agreement]]\nid = \"{ASKED}\"\nside = \"front\"\nsystem = \"{SYSTEM}\"\n\
         certificates = [\"{thumbprint}\"]\nservice = \"3053ec89-31fe-4206-878b-bba6783d7a88\"\nauthority = \"{KORSBAEK}\"\n\
         environment = \"demo\"\nvalid_from = \"2026-01-01T00:00:00Z\"\nvalid_to = \"{}T00:00:00Z\"\nstate = \"ANMODET\"\n\
         legal_basis = \"Lov om Udbetaling Danmark § 8, stk. 1\"\n\
         purpose = \"Sagsbehandling efter lov om aktiv socialpolitik i det nye fagsystem\"\nkle = [\"32.24.*\"]\n",
        (now + SignedDuration::from_hours(24 * 45)).strftime("%Y-%m-%d")
    );
    let mut import = Import::parse(&file, &vocabulary()).map_err(|problems| format!("{problems:?}"))?;
    let terms = Arc::new(Terms {
        request: ASKED.parse()?,
        kind: Kind::WithoutPassingOn,
        name: "Ydelser i det nye fagsystem".to_owned(),
        justification: "Sagsbehandlerne slår ydelser op i fagsystemet i stedet for i et andet system".to_owned(),
        contract: "DBA-2026-17".to_owned(),
        categories: vec!["ydelser".to_owned()],
        retention: "Slettes 5 år efter, at sagen er lukket".to_owned(),
        basis: None,
        replaces: None,
        depends_on: Vec::new(),
    });
    import.agreements.iter_mut().for_each(|agreement| agreement.terms = Some(terms.clone()));
    decisions::agreement::request(store, by, &import, &Rules::default(), &because, None).await?;
    Ok(())
}
