//! What someone with a client of their own needs: printed for a person, and written as `demo.json` for a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::world::{ENTITY_ID, STS_ENTITY_ID, WITHOUT_BACK, World, WorldError};
use crate::cli::call::client::Client;
use crate::cli::call::question::Question;
use crate::cli::shell::quoted;
use crate::policy::person::Cpr;
use crate::policy::window::Window;
use crate::stub::pki::Role;
use crate::stub::population::{KORSBAEK, UDK, demo};

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
}

impl Invitation {
    /// Gathers what the world has, and writes the message that the curl line sends.
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
        })
    }

    /// The settings of the sample clients in `docs/clients`, as a shell reads them: Korsbæk's system.
    fn settings(&self) -> String {
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

    /// Prints it for a person.
    pub fn print(&self, world: &World) {
        let persons: Vec<_> = demo::ALL.iter().map(|(cpr, name)| format!("{cpr} {name}")).collect();
        println!("The gateway stays up. For a client of your own:\n");
        println!("  service   {}", self.service);
        println!("  contract  {0}?wsdl (AuthorityContext)   {0}?wsdl=token (OIO IDWS)", self.service);
        println!("  keys      {} (each NAME.pem with NAME.key.pem; trust root.pem)", world.dir.join("pki").display());
        println!("  token     from {} for {}", self.sts, self.entity_id);
        println!("  window    today {}", self.window.join(" – "));
        println!("  persons   {}", persons.join(", "));
        println!("  admin     {}/metrics, /healthz, /readyz", self.admin);
        println!("  all this  {}, for programs", world.dir.join("demo.json").display());
        println!(
            "  settings  {}, for `hjemmel call --env` and the clients in docs/clients",
            world.dir.join("client.env").display()
        );
        println!("  audit     {}\n", line(&self.audit));
        println!("AuthorityContext with curl:\n\n  {}\n", line(&self.curl));
        println!("The token binding, which curl cannot sign:\n\n  echo {} | {}\n", self.asks_about, line(&self.call));
        println!("Ctrl-C stops everything.");
    }
}

/// A command as a person pastes it into a shell.
fn line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}
