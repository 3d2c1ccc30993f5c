//! The demo's person import: an institution's HR system creates and maintains its users in the learning platform.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::files::SENDER;
use super::persons::Persons;
use super::world::{World, WorldError};
use crate::agreements::{State, Store};
use crate::cli::call::client::Client;
use crate::clock::Clock;
use crate::files::orders::{self, Order};
use crate::files::users::{self, Used, User};
use crate::files::xml::written::{Routed, trigger};
use crate::services::persons::names::{ACTION, NS, PATH};
use crate::services::persons::settings::{INF_REF, UUID};
use crate::soap::document::{Document, Element};
use crate::soap::envelope::Version;
use crate::soap::fault::escape;
use crate::soap::names::{AUTHORITY_CONTEXT, SERVICEPLATFORM_FAULT, SOAP11};
use crate::soap::strict::Limits;
use crate::store::{Access, Database, Settings};
use crate::stub::campus::{Behaviour, CampusConfig, PATH as SCIM, Seen, start_campus};
use crate::stub::pki::{DevPki, Role};
use crate::stub::population::KORSBAEK;
use crate::stub::server::Running;
use crate::stub::sts::Switch;

/// Its name in the gateway's configuration.
pub const SERVICE: &str = "personimport";
/// The entity id that tokens for it are issued for.
pub const ENTITY_ID: &str = "http://entityid.hjemmel.example/service/campus/personimport/1";
/// Korsbæk's institutions (InstitutionsID1). The demo imports into the first.
pub const INSTITUTIONS: [&str; 6] = ["1001", "1002", "1003", "1004", "1005", "1006"];
/// The user that files of persons are sent to.
const RECIPIENT: &str = "HJEMMEL_PERSONER";
const RECIPIENT_SYSTEM: Uuid = Uuid::from_u128(0x1ed9_e200_0000_4000_8000_0000_0000_0002);

/// An import of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// One is created, one refused, and one waits for a manager.
    Three,
    /// The manager comes.
    Manager,
    /// The same again.
    Again,
    /// What the learning platform was told.
    HandedOn,
}

impl Scene {
    /// All of them, in order.
    pub const ALL: [Scene; 4] = [Scene::Three, Scene::Manager, Scene::Again, Scene::HandedOn];

    /// What happens, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Scene::Three => "three persons are imported: one new, one refused, one whose manager is missing",
            Scene::Manager => "the manager comes, and whoever waited has one",
            Scene::Again => "the same import again: nothing is changed, nothing handed on",
            Scene::HandedOn => "Campus has each person once, by SCIM and without a CPR number",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Scene::Three => "OPRETTET AFVIST OPRETTET",
            Scene::Manager => "OPRETTET",
            Scene::Again => "UAENDRET AFVIST UAENDRET",
            Scene::HandedOn => "aase eva ib",
        }
    }

    fn persons(self) -> Vec<Vec<(&'static str, &'static str)>> {
        match self {
            Scene::Three | Scene::Again => vec![
                person("6107851239", "101", "Åse", "Prøve", "aase"),
                // A month that there is not, a value that is in no list, and an address that is none.
                [person("6113901234", "102", "Bo", "Prøve", "bo"), vec![("Loenramme", "43"), ("Nationalitet", "Danmark")]]
                    .concat(),
                [person("6209921236", "103", "Ib", "Prøve", "ib"), vec![("LederCPRnummer", "6302751238")]].concat(),
            ],
            Scene::Manager => vec![person("6302751238", "104", "Eva", "Prøve", "eva")],
            Scene::HandedOn => Vec::new(),
        }
    }
}

fn person(
    cpr: &'static str,
    staff: &'static str,
    first: &'static str,
    last: &'static str,
    user: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let email = match user {
        "aase" => "aase@skole.example",
        "bo" => "bo@skole.example",
        "ib" => "ib@skole.example",
        _ => "eva@skole.example",
    };
    vec![
        ("InstitutionsID1", "1001"),
        ("InstitutionsID2", "10"),
        ("Kommunekode", "101"),
        ("CPRnummer", cpr),
        ("Medarbejdernummer", staff),
        ("Koen", "2"),
        ("Fornavne", first),
        ("Efternavn", last),
        ("Email", email),
        ("Brugernavn", user),
    ]
}

/// An import that was sent.
#[allow(missing_docs)] // the names say it
pub struct Played {
    pub scene: Scene,
    /// The status of each person, or the code of the fault.
    pub code: String,
    /// What the answer says, a line each.
    pub lines: Vec<String>,
    /// Whether the code is the one that must come.
    pub as_expected: bool,
}

/// What a client of the import needs. In `demo.json` it has these names.
#[derive(Debug, Serialize)]
pub struct Invited {
    service: String,
    entity_id: &'static str,
    service_uuid: Uuid,
    institutions: [&'static str; 6],
    inf_ref: &'static str,
    /// The port of the SFTP server, and who sends files there.
    sftp_port: u16,
    sftp_user: &'static str,
}

/// Makes the key below `dir`.
///
/// # Errors
/// It could not be written.
pub fn write(dir: &Path) -> Result<(), WorldError> {
    std::fs::create_dir_all(dir.join("person-keys"))?;
    Ok(crate::objects::keys::generate(&dir.join("person-keys/persons.key"))?)
}

/// What the gateway's configuration says of it.
pub fn settings() -> String {
    format!(
        "[service.{SERVICE}]\nkind = \"persons\"\nentity_id = \"{ENTITY_ID}\"\nbindings = [\"token\", \"authority-context\"]\n\
         [persons]\nkey = \"person-keys/persons.key\"\n"
    )
}

/// The import at work.
pub struct Campus {
    client: Client,
    platform: Platform,
}

/// The learning platform: a SCIM server that the gateway hands persons on to.
pub struct Platform {
    running: Running,
    seen: Seen,
}

impl Platform {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be.
    pub async fn start(pki: &DevPki, clock: &Clock) -> Result<Self, WorldError> {
        let config = CampusConfig {
            address: ([127, 0, 0, 1], 0).into(),
            server: pki.credentials(Role::IndexServer)?.clone(),
            clients: vec![pki.root().clone()],
            token: None,
            behaviour: Switch::new(Behaviour::default()),
            clock: clock.clone(),
        };
        let (running, seen) = start_campus(config).await?;
        Ok(Self { running, seen })
    }

    /// What the gateway's configuration says of it.
    pub fn settings(&self) -> String {
        let port = self.running.address().port();
        format!("[campus]\naddress = \"https://localhost:{port}{SCIM}\"\nroots = [\"pki/root.pem\"]\n")
    }
}

impl Campus {
    /// Lets Korsbæk's system import, by call and by file.
    ///
    /// # Errors
    /// What kept it from being so.
    pub async fn start(world: &World, platform: Platform) -> Result<Self, WorldError> {
        let file = agreement(world, 1, Role::Korsbaek, KORSBAEK, &INSTITUTIONS)?;
        let store = Store::open(&Settings::sqlite(&world.dir.join("agreements.sqlite"))).await?;
        Persons::known(&world.pki)?.agree(&store, &file, world.clock.now()).await?;
        store.close().await;
        by_file(world).await?;
        let service = format!("https://{}{PATH}", world.service.authority().ok_or("no address")?).parse()?;
        Ok(Self { client: Client { service, ..world.client(Some(Role::Korsbaek))? }, platform })
    }

    /// Ends the learning platform.
    pub async fn stop(self) {
        self.platform.running.stop().await;
    }

    /// Waits until the learning platform has whom the scenes before imported, and reports what it has.
    async fn handed_on(&self) -> Played {
        let scene = Scene::HandedOn;
        let text = |user: &serde_json::Value, name: &str| user[name].as_str().unwrap_or_default().to_owned();
        let names = |users: &[serde_json::Value]| {
            let mut names: Vec<String> = users.iter().map(|user| text(user, "userName")).collect();
            names.sort();
            names.join(" ")
        };
        let until = tokio::time::Instant::now() + Duration::from_secs(30);
        let mut users = self.platform.seen.users();
        while names(&users) != scene.expected() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
            users = self.platform.seen.users();
        }
        let line = |user: &serde_json::Value| {
            format!("user {} externalId {} {}", text(user, "userName"), text(user, "externalId"), text(user, "displayName"))
        };
        let (code, lines) = (names(&users), users.iter().map(line).collect());
        Played { scene, as_expected: code == scene.expected(), code, lines }
    }

    /// What somebody with a client of their own needs.
    pub fn invited(&self, world: &World) -> Invited {
        Invited {
            service: self.client.service.to_string(),
            entity_id: ENTITY_ID,
            service_uuid: UUID,
            institutions: INSTITUTIONS,
            inf_ref: INF_REF,
            sftp_port: world.sftp().map_or(0, |sftp| sftp.port()),
            sftp_user: SENDER,
        }
    }

    /// Writes `persons.json`, `persons.xml`, and `persons.csv` with its trigger: an import each, for whoever tries a client.
    ///
    /// # Errors
    /// They could not be written.
    pub fn invite(&self, world: &World) -> Result<(), WorldError> {
        let persons = [
            person("6405881230", "201", "Ane", "Prøve", "ane"),
            [
                person("6501701234", "202", "Per", "Prøve", "per"),
                vec![("LederCPRnummer", "6405881230"), ("Foedselsdato", "1970-13-05")],
            ]
            .concat(),
        ];
        // Each has an address of its own.
        let persons = persons.map(|person| {
            let user = person.iter().find(|(name, _)| *name == "Brugernavn").map_or("", |(_, user)| *user);
            let value = |(name, value): (&'static str, &'static str)| match name {
                "Email" => (name, format!("{user}@skole.example")),
                _ => (name, value.to_owned()),
            };
            person.into_iter().map(value).collect::<Vec<_>>()
        });
        let objects: Vec<serde_json::Map<String, serde_json::Value>> = persons
            .iter()
            .map(|person| person.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect())
            .collect();
        let json = serde_json::to_string_pretty(&serde_json::json!({ "Person": objects }))?;
        std::fs::write(world.dir.join("persons.json"), json + "\n")?;
        let elements: Vec<String> =
            persons.iter().map(|person| element(person.iter().map(|(name, value)| (*name, value.as_str())))).collect();
        std::fs::write(world.dir.join("persons.xml"), envelope(&elements.concat()))?;
        let names = persons.iter().flatten().map(|(name, _)| *name).fold(Vec::new(), |mut names, name| {
            if !names.contains(&name) {
                names.push(name);
            }
            names
        });
        let mut csv = names.join(";") + "\r\n";
        for person in &persons {
            let cell = |name: &&str| person.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
            csv += &(names.iter().map(cell).collect::<Vec<_>>().join(";") + "\r\n");
        }
        std::fs::write(world.dir.join("persons.csv"), &csv)?;
        let trigger = trigger(&Routed {
            file: "persons.csv",
            size: csv.len() as u64,
            sender: SENDER,
            recipient: RECIPIENT,
            inf_ref: INF_REF,
            sender_system: Role::Korsbaek.uuid().parse()?,
            sender_authority: KORSBAEK.parse()?,
            transaction: Uuid::new_v4(),
            sent_at: world.clock.now(),
            recipient_system: RECIPIENT_SYSTEM,
            recipient_authority: KORSBAEK.parse()?,
        });
        Ok(std::fs::write(world.dir.join("persons.csv.trigger"), trigger)?)
    }

    /// Sends the import of a scene.
    ///
    /// # Errors
    /// It could not be sent at all.
    pub async fn play(&self, world: &World, scene: Scene) -> Result<Played, WorldError> {
        if scene == Scene::HandedOn {
            return Ok(self.handed_on().await);
        }
        let persons: String = scene.persons().into_iter().map(|person| element(person.into_iter())).collect();
        let sent = self.client.send_as(Version::V11, ACTION, Bytes::from(envelope(&persons))).await?;
        // The record of the call is this scene's: the next takes its own.
        let record = world.records.recv_timeout(Duration::from_secs(30))?;
        let document = Document::parse(sent.answer, &Limits { nodes: 1_000_000, ..Limits::default() });
        let document = document.map_err(|_| "no XML came back")?;
        let (code, mut lines) = read_answer(document.root());
        if let Some(summary) = record.about.summary() {
            lines.push(format!("audit     {summary}"));
        }
        Ok(Played { scene, as_expected: code == scene.expected(), code, lines })
    }
}

/// The agreement between the system of `role` and the import, for an authority and its institutions, as an import file.
///
/// # Errors
/// Credentials that cannot be used.
pub fn agreement(world: &World, number: u128, role: Role, authority: &str, institutions: &[&str]) -> Result<String, WorldError> {
    let id = Uuid::from_u128(0x5a9e_0000_0000_4000_8000_0000_0003_0000 + number);
    let certificate = crate::hex::encode(&world.pki.credentials(role)?.thumbprint());
    let institutions = institutions.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    Ok(format!(
        "[[agreement]]\nid = \"{id}\"\nside = \"front\"\nsystem = \"{}\"\ncertificates = [\"{certificate}\"]\nservice = \"{UUID}\"\n\
         authority = \"{authority}\"\nenvironment = \"demo\"\nvalid_from = \"2026-01-01T00:00:00Z\"\nstate = \"ANMODET\"\n\
         legal_basis = \"Databeskyttelsesforordningen art. 6, stk. 1, litra e\"\npurpose = \"At oprette medarbejdere i læringsplatformen\"\n\
         institutions = [{institutions}]\nerase_after_months = [\"12\"]\n",
        role.uuid()
    ))
}

/// Korsbæk's system may send files of persons.
async fn by_file(world: &World) -> Result<(), WorldError> {
    let database = Database::open(&Settings::sqlite(&world.dir.join("agreements.sqlite")), Access::Change).await?;
    let mut transaction = database.begin().await?;
    let sender = users::named(&mut transaction, SENDER).await?.ok_or("there are no mailboxes")?;
    let recipient = User {
        id: Uuid::from_u128(0x5f79_0000_0000_4000_8000_0000_0000_0003),
        name: RECIPIENT.to_owned(),
        system: RECIPIENT_SYSTEM,
        used: Used::default(),
        ..sender.clone()
    };
    users::add(&mut transaction, &recipient, world.clock.now()).await?;
    let order = Order {
        id: Uuid::new_v4(),
        state: State::Approved,
        sender: sender.id,
        recipient: recipient.id,
        sender_authority: KORSBAEK.parse()?,
        recipient_authority: KORSBAEK.parse()?,
        inf_ref: Some(INF_REF.to_owned()),
        pattern: None,
        legal_basis: "Databeskyttelsesforordningen art. 6, stk. 1, litra e".to_owned(),
        purpose: "At oprette medarbejdere i læringsplatformen".to_owned(),
        valid_from: jiff::civil::date(2026, 1, 1),
        valid_to: None,
        largest_bytes: 1 << 30,
        keep_days: 0,
        alarm_hours: 24,
        delete_days: 30,
    };
    orders::add(&mut transaction, &order).await?;
    transaction.commit().await?;
    database.close().await;
    Ok(())
}

fn element<'a>(person: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields: String = person.map(|(name, value)| format!("<p:{name}>{}</p:{name}>", escape(value))).collect();
    format!("<p:Person>{fields}</p:Person>")
}

fn envelope(persons: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body><p:ImporterPersonerRequest xmlns:p=\"{NS}\"><ac:AuthorityContext xmlns:ac=\"{AUTHORITY_CONTEXT}\">\
         <ac:MunicipalityCVR>{KORSBAEK}</ac:MunicipalityCVR></ac:AuthorityContext>{persons}</p:ImporterPersonerRequest></s:Body></s:Envelope>"
    )
}

/// The statuses of an answer, or the code of a fault, and what it says, a line each.
fn read_answer(answer: Element<'_>) -> (String, Vec<String>) {
    let text = |parent: Element<'_>, local: &str| {
        let child = parent.elements().find(|child| child.local() == local);
        child.and_then(|child| child.text()).unwrap_or_default().into_owned()
    };
    if let Some(first) = answer.descendants().find(|element| element.is(SERVICEPLATFORM_FAULT, "Error")) {
        return (text(first, "ErrorCode"), vec![text(first, "ErrorText")]);
    }
    let (mut statuses, mut lines) = (Vec::new(), Vec::new());
    for person in answer.descendants().filter(|element| element.is(NS, "Svar")) {
        let status = text(person, "Status");
        lines.push(format!("person {} {status} {}", text(person, "Raekke"), text(person, "Loebenummer")));
        for remark in person.elements().filter(|child| ["Advarsel", "Fejl"].contains(&child.local())) {
            let words = [text(remark, "Felt"), text(remark, "Kode"), text(remark, "Tekst"), text(remark, "Handling")].join(" ");
            lines.push(format!("  {} {words}", remark.local()));
        }
        statuses.push(status);
    }
    (statuses.join(" "), lines)
}
