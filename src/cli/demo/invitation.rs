//! What someone with a client of their own needs: printed for a person, and written as `demo.json` for a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Serialize;

use super::campus::Invited;
use super::console::Doors;
use super::persons::USERS;
use super::world::{ENTITY_ID, STS_ENTITY_ID, WITHOUT_BACK, World, WorldError};
use crate::cli::call::client::Client;
use crate::cli::call::question::Question;
use crate::cli::shell::quoted;
use crate::id::cpr::Cpr;
use crate::services::terminaladgang::law::window::Window;
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::stub::pki::Role;
use crate::stub::population::{KORSBAEK, UDK, demo};
use crate::stub::ydelsesindeks::answer::Answer;
use crate::stub::ydelsesindeks::evaluate::{Index, Join};
use crate::stub::ydelsesindeks::request;

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Serialize)]
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

/// A client system: what it shows and signs with, and the authority that it may act for.
#[derive(Debug, Serialize)]
struct System {
    #[serde(flatten)]
    pair: Pair,
    authority: &'static str,
}

/// Where everything is. The file `demo.json` has these names.
#[derive(Debug, Serialize)]
pub struct Invitation {
    /// The service's address; the contract is `?wsdl` (AuthorityContext) and `?wsdl=token` below it.
    service: String,
    /// The entity id that tokens are asked for.
    entity_id: &'static str,
    /// The token service's WS-Trust address, entity id and metadata.
    sts: String,
    sts_entity_id: &'static str,
    sts_metadata: PathBuf,
    /// Where operators look.
    admin: String,
    /// Where agreements are administered (/api/v1, /openapi.json), and the users' certificates and keys, by role.
    api: Option<String>,
    /// Where people look, and the links by which they log on.
    console: Option<Doors>,
    users: BTreeMap<&'static str, Pair>,
    /// The certificate that every TLS server here chains to.
    root: PathBuf,
    /// The certificates that the gateway signs answers with, and the token service its tokens and answers.
    gateway_certificate: PathBuf,
    sts_certificate: PathBuf,
    /// The client systems, by name.
    systems: BTreeMap<&'static str, System>,
    /// The well-known invented persons: CPR-like number, and what there is to find.
    persons: BTreeMap<&'static str, &'static str>,
    /// The window of today, `[from, to)`.
    window: [String; 2],
    /// Ready command lines, a call each: AuthorityContext, and the token binding (which reads the number from its input).
    curl: Vec<String>,
    call: Vec<String>,
    /// The person that both ask about.
    asks_about: &'static str,
    /// Verifies the audit log.
    audit: Vec<String>,
    person_import: Option<Invited>,
}

impl Invitation {
    /// Gathers what the world has, and writes the message that the curl line sends, and the index's answer to it.
    ///
    /// # Errors
    /// The message for curl could not be written.
    pub fn new(world: &World) -> Result<Self, WorldError> {
        let dir = std::path::absolute(&world.dir)?;
        let file = |name: String| dir.join("pki").join(name);
        let certificate = |role: Role| file(format!("{}.pem", role.file_name()));
        let pair = |role| Pair { certificate: certificate(role), key: file(format!("{}.key.pem", role.file_name())) };
        let request = dir.join("request.xml");
        let question = Question::about(Cpr::parse(demo::UDK_ONLY).ok_or("no CPR number")?);
        std::fs::write(&request, Client::authority_context_message(KORSBAEK.parse()?, &question.input()))?;
        std::fs::write(dir.join("answer.xml"), index_answer(world, &question.input())?)?;
        let window = Window::at(world.clock.now(), world.policy.request().reading)?;

        let (root, own) = (file("root.pem".to_owned()), pair(Role::Korsbaek));
        let (service, sts) = (world.service.to_string(), world.sts_address.to_string());
        let (sts_metadata, gateway) = (dir.join("sts-metadata.xml"), certificate(Role::GatewayClient));
        let text = |path: &PathBuf| path.display().to_string();
        let hjemmel = std::env::current_exe().map_or_else(|_| "hjemmel".to_owned(), |path| text(&path));
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (root_file, certificate_file, key_file) = (text(&root), text(&own.certificate), text(&own.key));
        #[rustfmt::skip] // a command line
        let curl = words(&["curl", "--cacert", &root_file, "--cert", &certificate_file, "--key", &key_file,
            "-H", "Content-Type: text/xml; charset=utf-8", "--data-binary", &format!("@{}", text(&request)), &service]);
        let call = words(&[&hjemmel, "call", "--env", &text(&dir.join("client.env"))]);
        let audit = ["audit", "verify", &text(&dir.join("audit")), "--key", &text(&dir.join("audit-keys/checkpoint.pub"))];
        let audit = std::iter::once(hjemmel.as_str()).chain(audit).map(str::to_owned).collect();
        let system = |role, authority| System { pair: pair(role), authority };
        Ok(Self {
            service,
            entity_id: ENTITY_ID,
            sts,
            sts_entity_id: STS_ENTITY_ID,
            sts_metadata,
            admin: format!("http://{}", world.admin),
            api: world.api().map(|api| format!("https://localhost:{}", api.port())),
            console: None,
            users: USERS.map(|(role, right, _)| (right.name(), pair(role))).into(),
            root,
            gateway_certificate: gateway,
            sts_certificate: certificate(Role::StsSigning),
            systems: BTreeMap::from([
                ("korsbaek", system(Role::Korsbaek, KORSBAEK)),
                ("udk", system(Role::Udk, UDK)),
                ("without-back-agreement", system(Role::OtherMunicipality, WITHOUT_BACK)),
            ]),
            persons: BTreeMap::from(demo::SITUATIONS),
            window: [window.from_text(), window.to_text()],
            curl,
            call,
            asks_about: demo::UDK_ONLY,
            audit,
            person_import: None,
        })
    }

    /// The same, with the console's doors.
    #[must_use]
    pub fn with(self, console: Doors) -> Self {
        Self { console: Some(console), ..self }
    }

    /// With the person import.
    #[must_use]
    pub fn with_persons(self, person_import: Invited) -> Self {
        Self { person_import: Some(person_import), ..self }
    }

    /// The settings of the sample clients in `docs/clients`, as a shell reads them: Korsbæk's system.
    pub(super) fn settings(&self) -> String {
        let Some(System { pair, authority }) = self.systems.get("korsbaek") else { return String::new() };
        let file = |path: &PathBuf| path.display().to_string();
        let settings = [
            ("SERVICE", self.service.clone()),
            ("CA", file(&self.root)),
            ("CERT", file(&pair.certificate)),
            ("KEY", file(&pair.key)),
            ("AUTHORITY", (*authority).to_owned()),
            ("STS", self.sts.clone()),
            ("STS_METADATA", file(&self.sts_metadata)),
            ("ENTITY_ID", self.entity_id.to_owned()),
            ("STS_CERT", file(&self.sts_certificate)),
            ("GATEWAY_CERT", file(&self.gateway_certificate)),
        ];
        settings.map(|(name, value)| format!("export {name}={}\n", quoted(&value))).concat()
    }

    /// Writes `client.env`, and `demo.json` in one step: where it is there, all is whole.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write(&self, world: &World) -> Result<(), WorldError> {
        std::fs::write(world.dir.join("client.env"), self.settings())?;
        let (part, whole) = (world.dir.join("demo.json.part"), world.dir.join("demo.json"));
        std::fs::write(&part, serde_json::to_string_pretty(self)?)?;
        Ok(std::fs::rename(part, whole)?)
    }

    /// For a person, in eighty columns: what a client needs, and last the lines to paste.
    pub fn text(&self, world: &World, sftp: std::net::SocketAddr) -> String {
        let dir = std::path::absolute(&world.dir).unwrap_or_else(|_| world.dir.clone());
        let beside = format!("{}/", dir.display());
        // Relative to the folder, for absolute ones fit no line.
        let relative = |words: &[String]| words.iter().map(|word| word.replacen(&beside, "", 1)).collect::<Vec<_>>();
        let command = |words: &[String]| folded("", &relative(words));
        let persons: Vec<_> = demo::ALL.iter().map(|(cpr, name)| format!("{cpr} {name}")).collect();
        let persons: Vec<_> = persons.chunks(2).map(|two| two.join(", ")).collect();
        let api = self.api.as_deref().unwrap_or("-");
        let (service, sts, entity, admin) = (&self.service, &self.sts, self.entity_id, &self.admin);
        let (window, persons) = (self.window.join(" – "), persons.join(",\n            "));
        let hjemmel = self.call.first().map_or("hjemmel", String::as_str);
        let explain = ["explain", "--config", "./hjemmel.toml", "request.xml", "--answer", "answer.xml"];
        let explain: Vec<_> = std::iter::once(hjemmel).chain(explain).map(str::to_owned).collect();
        let (curl, audit, explain) = (command(&self.curl), command(&self.audit), command(&explain));
        let call = folded(&format!("echo {} |", self.asks_about), &relative(&self.call));
        format!(
            "The gateway stays up until Ctrl-C. For a client of your own:\n
  service   {service}
  contract  below it: ?wsdl (AuthorityContext), ?wsdl=token (OIO IDWS)
  token     from {sts} for
            {entity}
  window    today {window}
  persons   {persons}
  admin     {admin}/metrics, /healthz, /readyz
  api       {api}/api/v1, /openapi.json
            as pki/person-operator, person-supplier, person-signatory
  sftp      sftp -P {sftp} -i sftp/korsbaek.key KORSBAEK_FAG@localhost
  folder    pki/         keys: NAME.pem with NAME.key.pem; trust root.pem
            auditor/     auditors.key, with which `audit open` opens a person
            client.env   for `hjemmel call --env` and docs/clients
            finance.env  for `hjemmel call finance --sample --env`
            demo.json    all of this, for programs
            sftp/        korsbaek.key, ledger.key: users of the SFTP server
            files/       a file of vouchers with its trigger, to put into OUT
            persons.*    an import of two persons, as json, xml and csv
            request.xml  a call, and answer.xml what the index answers to it\n
In the folder:\n
  cd {dir}\n
AuthorityContext with curl:\n
  {curl}\n
The token binding, which curl cannot sign:\n
  {call}\n
What the gateway makes of a call and its answer, and why:\n
  {explain}\n
That the audit log is whole:\n
  {audit}\n",
            dir = line(&[dir.display().to_string()]),
            sftp = sftp.port(),
        )
    }
}

/// The columns of a terminal.
const COLUMNS: usize = 80;

/// A command over as many lines as it takes, an option and its value together, behind `before`, which is no word to quote. A
/// path that is longer than a line stands on one of its own.
fn folded(before: &str, words: &[String]) -> String {
    let mut parts: Vec<String> = vec![before.to_owned()];
    parts.retain(|before| !before.is_empty());
    for (index, word) in words.iter().enumerate() {
        let value = index > 0 && !word.starts_with('-') && words.get(index - 1).is_some_and(|before| before.starts_with('-'));
        match parts.last_mut().filter(|_| value) {
            Some(option) => *option = format!("{option} {}", line(std::slice::from_ref(word))),
            None => parts.push(line(std::slice::from_ref(word))),
        }
    }
    // Each line begins two columns in, and there is room for the backslash behind it.
    let (mut text, mut column) = (String::new(), 2);
    for part in parts {
        if !text.is_empty() && column + 1 + part.chars().count() > COLUMNS - 2 {
            text.push_str(" \\\n  ");
            column = 2;
        } else if !text.is_empty() {
            text.push(' ');
            column += 1;
        }
        column += part.chars().count();
        text.push_str(&part);
    }
    text
}

/// The index's own answer to the question of `request.xml`, unsigned and unfiltered: for `hjemmel explain --answer`.
fn index_answer(world: &World, input: &[u8]) -> Result<Vec<u8>, WorldError> {
    let input = Document::parse(Bytes::copy_from_slice(input), &Limits::default())?;
    let search = request::read(&input.root()).map_err(|bad| bad.text)?;
    let found = Index::new(world.population.clone()).search(&search, Join::Pointwise);
    let population = world.population.clone();
    let answer = Answer { population, status: 20, text: None, found, filter: search.filter, padding: None };
    let mut message =
        b"<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Header></soap:Header>".to_vec();
    answer.pieces().for_each(|piece| message.extend_from_slice(&piece));
    message.extend_from_slice(b"</soap:Envelope>\n");
    Ok(message)
}

/// A command as a person pastes it into a shell.
fn line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_fits_the_terminal_however_long_the_programs_path_is() {
        for length in [10, 50, 59, 60, 70, 74, 75, 76, 200] {
            let path = "p".repeat(length);
            let words = [path.as_str(), "call", "--env", "client.env"].map(str::to_owned);
            let text = format!("  {}", folded("echo 6101801234 |", &words));
            for line in text.lines() {
                let is_path = line.trim_end_matches(" \\").trim() == path;
                assert!(is_path || line.chars().count() <= COLUMNS, "a path of {length}: {text}");
            }
            let pasted = text.replace(" \\\n ", "");
            assert_eq!(pasted.trim(), format!("echo 6101801234 | {path} call --env client.env"));
        }
    }
}
