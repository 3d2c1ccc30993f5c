//! A whole world on loopback: a throw-away PKI, a security token service, a benefit index with an invented population,
//! and the gateway between them, each on real TLS.
//!
//! The gateway is started as `hjemmel serve` starts it, from a configuration file that is written, checked and read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use http::Uri;
use http_body_util::BodyExt;
use jiff::SignedDuration;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::persons::Persons;
use crate::agreements::Store;
use crate::audit::{self, Record};
use crate::cli::call::client::Client;
use crate::clock::Clock;
use crate::node::{self, Node};
use crate::outbound::{Outbound, OutboundSettings};
use crate::saml::trust::{Issuer, Trust};
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::names::SERVICE_PATH;
use crate::signature::credentials::Credentials;
use crate::signature::key::{Certificate, SigningKey};
use crate::store::Settings;
use crate::sts::Token;
use crate::sts::cache::Source;
use crate::sts::client::{Https, StsClient, StsSettings};
use crate::stub::pki::{DevPki, KeyBits, Role};
use crate::stub::population::{KORSBAEK, MUNICIPALITIES, Population, UDK};
use crate::stub::server::Running;
use crate::stub::sts::{self, PrivilegeGroup, Registration, StsConfig, StsMode, Switch, start_sts};
use crate::stub::ydelsesindeks::answer::Padding;
use crate::stub::ydelsesindeks::evaluate::Join;
use crate::stub::ydelsesindeks::mode::FaultMode;
use crate::stub::ydelsesindeks::serve::{self as index, IndexConfig, Received, start_ydelsesindeks};

/// The entity id of the demo's TerminalAdgang.
pub const ENTITY_ID: &str = "http://entityid.hjemmel.example/service/ydelse/terminaladgang/6";
/// The privilege that a token must carry.
pub const PRIVILEGE: &str = "http://hjemmel.example/roles/usersystemrole/terminaladgang/1";
/// The entity id of the benefit index.
pub const INDEX_ENTITY_ID: &str = "http://entityid.kombit.dk/service/ydi/ydelseindeks/6";
/// The entity id of the demo's security token service.
pub const STS_ENTITY_ID: &str = "https://sts.hjemmel.example/runtime";
/// The name of TerminalAdgang in the gateway's configuration, in its log and its audit.
pub const SERVICE: &str = "terminaladgang-6";
/// The name of the benefit index in the gateway's configuration.
pub const INDEX: &str = "ydelsesindeks";
/// The second municipality, which has a front agreement and no back agreement.
pub const WITHOUT_BACK: &str = "99999981";

const POLICY: &str = include_str!("../../../policies/terminaladgang-6.toml");

/// Anything that keeps the world from coming up, told once to a person.
pub type WorldError = Box<dyn std::error::Error + Send + Sync>;

/// What may be set.
pub struct Options {
    /// The folder that everything is written to.
    pub dir: PathBuf,
    /// The port of the gateway; 0 takes a free one.
    pub port: u16,
    /// The seed of the invented population.
    pub seed: u64,
    /// How many persons it has.
    pub persons: usize,
    /// The time.
    pub clock: Clock,
    /// Settings of the gateway's over the demo's own, as TOML: tables are merged, values take the others' place.
    pub extra: String,
    /// The throw-away PKI; `None` makes one, which is most of what it takes to bring a world up.
    pub pki: Option<Arc<DevPki>>,
}

/// What narrows some callers, by the CVR number of their authority, and what else is there: for tests; in the demo nothing.
#[derive(Debug, Clone, Default)]
pub struct Narrowed {
    /// Lines of the front agreement, such as `kle = ["32.03.*"]`.
    pub agreements: BTreeMap<String, String>,
    /// Data constraints of the caller's privileges in its token: name and value.
    pub tokens: BTreeMap<String, Vec<(String, String)>>,
    /// Entity ids of further services, for which the token service issues tokens too.
    pub services: Vec<String>,
}

/// The world, running.
pub struct World {
    /// The folder with keys, configuration, agreements and audit.
    pub dir: PathBuf,
    /// The throw-away PKI.
    pub pki: Arc<DevPki>,
    /// The invented population.
    pub population: Arc<Population>,
    /// How the token service behaves.
    pub sts_mode: Switch<StsMode>,
    /// How the index behaves.
    pub index_mode: Switch<FaultMode>,
    /// How the index joins grants and effectuations.
    pub join: Switch<Join>,
    /// Whether the index makes its answers longer.
    pub padding: Switch<Option<Padding>>,
    /// What reached the index.
    pub received: Switch<Received>,
    /// The service's address.
    pub service: Uri,
    /// The WS-Trust address.
    pub sts_address: Uri,
    /// Where the gateway's operators look.
    pub admin: SocketAddr,
    /// The audit record of each call, as it closes.
    pub records: mpsc::Receiver<Record>,
    /// The policy in force, for its words.
    pub policy: Policy,
    /// The time.
    pub clock: Clock,
    /// The gateway's configuration file.
    pub configuration: PathBuf,
    sts: Running,
    index: Running,
    node: Option<Node>,
}

/// What a gateway needs that is to run beside the stubs.
struct Place {
    listener: TcpListener,
    admin: TcpListener,
    sender: mpsc::Sender<Record>,
}

impl World {
    /// Brings everything up.
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn start(options: Options) -> Result<Self, WorldError> {
        Self::start_narrowed(options, &Narrowed::default()).await
    }

    /// Brings everything up, with some callers narrowed.
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn start_narrowed(options: Options, narrowed: &Narrowed) -> Result<Self, WorldError> {
        let (mut world, place) = Self::prepare(options, narrowed).await?;
        let config = node::load(&world.configuration, &world.clock)?;
        let Place { listener, admin, sender } = place;
        let on_close = Box::new(move |record: &Record| drop(sender.send(record.clone())));
        world.node = Some(node::start(config, listener, admin, &world.clock, on_close).await?);
        Ok(world)
    }

    /// Brings up everything but the gateway, which somebody else runs from [`World::configuration`].
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn without_gateway(options: Options) -> Result<Self, WorldError> {
        Self::narrowed_without_gateway(options, &Narrowed::default()).await
    }

    /// The same with some callers narrowed.
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn narrowed_without_gateway(options: Options, narrowed: &Narrowed) -> Result<Self, WorldError> {
        Ok(Self::prepare(options, narrowed).await?.0)
    }

    async fn prepare(options: Options, narrowed: &Narrowed) -> Result<(Self, Place), WorldError> {
        let Options { dir, port, seed, persons, clock, extra, pki } = options;
        std::fs::create_dir_all(&dir)?;
        let pki = match pki {
            Some(pki) => pki,
            None => Arc::new(DevPki::generate(&clock, KeyBits::Bits2048)?),
        };
        pki.write(&dir.join("pki"), None)?;
        audit::keys::generate(&dir.join("audit-keys"))?;
        // As in production: the gateway refuses to start beside the key that opens what it seals.
        std::fs::create_dir_all(dir.join("auditor"))?;
        std::fs::rename(dir.join("audit-keys/auditors.key"), dir.join("auditor/auditors.key"))?;
        std::fs::create_dir_all(dir.join("delivery-keys"))?;
        crate::objects::keys::generate(&dir.join("delivery-keys/deliveries.key"))?;
        std::fs::create_dir_all(dir.join("audit"))?;
        std::fs::create_dir_all(dir.join("policies"))?;
        std::fs::write(dir.join("policies/terminaladgang-6.toml"), POLICY)?;
        let policy = Policy::read(POLICY, Path::new("policies/terminaladgang-6.toml"))?;

        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sts_mode = Switch::new(StsMode::Honest);
        let sts = start_sts(sts_config(&pki, any, &clock, sts_mode.clone(), narrowed)?).await?;
        let (index_mode, join, padding) = (Switch::new(FaultMode::Honest), Switch::new(Join::Pointwise), Switch::new(None));
        let received = Switch::new(Received::default());
        let population = Arc::new(Population::generate(seed, persons, clock.now()));
        let index = start_ydelsesindeks(IndexConfig {
            address: any,
            server: pki.credentials(Role::IndexServer)?.clone(),
            signing: pki.credentials(Role::IndexSigning)?.clone(),
            trust: sts_trust(&pki)?,
            entity_id: INDEX_ENTITY_ID.to_owned(),
            population: population.clone(),
            join: join.clone(),
            mode: index_mode.clone(),
            padding: padding.clone(),
            empty_status: 44,
            received: received.clone(),
            clock: clock.clone(),
        })
        .await?;

        let sts_address: Uri = format!("https://localhost:{}{}", sts.address().port(), sts::PATH).parse()?;
        fetch_metadata(&pki, &sts_address, &dir.join("sts-metadata.xml")).await?;
        let store = Store::open(&Settings::sqlite(&dir.join("agreements.sqlite"))).await?;
        let persons = Persons::added(&store, &pki, clock.now()).await?;
        persons.agree(&store, &agreements(&pki, narrowed)?, clock.now()).await?;
        store.close().await;

        let listener = node::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let admin_listener = node::bind(any).await?;
        let (address, admin) = (listener.local_addr()?, admin_listener.local_addr()?);
        let configuration = dir.join("hjemmel.toml");
        let mut settings: toml::Table = settings(address, admin, &sts_address, index.address()).parse()?;
        merge(&mut settings, extra.parse()?);
        std::fs::write(&configuration, format!("# Written by `hjemmel demo`.\n{settings}"))?;
        let service: Uri = format!("https://localhost:{}{}", address.port(), SERVICE_PATH).parse()?;
        let (sender, records) = mpsc::channel();
        let world = Self {
            dir,
            pki,
            population,
            sts_mode,
            index_mode,
            join,
            padding,
            received,
            service,
            sts_address,
            admin,
            records,
            policy,
            clock,
            configuration,
            sts,
            index,
            node: None,
        };
        Ok((world, Place { listener, admin: admin_listener, sender }))
    }

    /// A client with the certificate of `role` in TLS (or none).
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn client(&self, role: Option<Role>) -> Result<Client, WorldError> {
        let credentials = role.map(|role| self.pki.credentials(role).cloned()).transpose()?;
        Ok(Client { outbound: outbound(&self.pki, credentials)?, service: self.service.clone() })
    }

    /// The signing key of `role`.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn key(&self, role: Role) -> Result<SigningKey, WorldError> {
        Ok(SigningKey::from_der(self.pki.credentials(role)?.key())?)
    }

    /// A token from the STS for the system of `role`, the authority `cvr` and this service.
    ///
    /// # Errors
    /// The STS's refusal.
    pub async fn token(&self, role: Role, cvr: &str) -> Result<Token, WorldError> {
        self.token_for(role, cvr, ENTITY_ID).await
    }

    /// The same for another service.
    ///
    /// # Errors
    /// The STS's refusal.
    pub async fn token_for(&self, role: Role, cvr: &str, entity_id: &str) -> Result<Token, WorldError> {
        let credentials = self.pki.credentials(role)?;
        let settings = StsSettings {
            to: self.sts_address.to_string(),
            issuer: sts_issuer(&self.pki)?,
            certificate: Certificate::from_der(credentials.leaf())?,
            key: SigningKey::from_der(credentials.key())?,
            on_behalf_of: None,
        };
        let transport =
            Https { outbound: outbound(&self.pki, None)?, uri: self.sts_address.clone(), timeout: Duration::from_secs(60) };
        Ok(StsClient::new(settings, transport, self.clock.clone()).issue(cvr, entity_id).await?)
    }

    /// The certificate with which the gateway signs.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn gateway_certificate(&self) -> Result<Certificate, WorldError> {
        Ok(Certificate::from_der(self.pki.credentials(Role::GatewayClient)?.leaf())?)
    }

    /// Reads the gateway's configuration anew, as SIGHUP does.
    ///
    /// # Errors
    /// What is wrong with it (the old one stays in force), or that there is no gateway in this process.
    pub async fn reload(&self) -> Result<(), WorldError> {
        Ok(self.node()?.reloader.reload(&self.configuration).await?)
    }

    /// Where the API is, if the gateway is in this process.
    pub fn api(&self) -> Option<SocketAddr> {
        self.node.as_ref().and_then(Node::api)
    }

    /// Where the console listens, if the gateway is in this process and has one.
    pub fn console(&self) -> Option<SocketAddr> {
        self.node.as_ref().and_then(Node::console)
    }

    /// Where the SFTP server listens, if the gateway is in this process and has one.
    pub fn sftp(&self) -> Option<SocketAddr> {
        self.node.as_ref().and_then(Node::sftp)
    }

    /// Does what time does to files, as if it were this instant.
    ///
    /// # Errors
    /// There are no files in this process, or the store does not answer.
    pub async fn sweep_files(&self, at: jiff::Timestamp) -> Result<(), WorldError> {
        let files = self.node()?.files.as_ref().ok_or("there are no mailboxes")?;
        Ok(files.as_of(at).sweep().await.map(drop)?)
    }

    /// The gateway's metrics.
    ///
    /// # Errors
    /// There is no gateway in this process.
    pub fn metrics(&self) -> Result<&crate::metrics::Metrics, WorldError> {
        Ok(&self.node()?.metrics)
    }

    fn node(&self) -> Result<&Node, WorldError> {
        self.node.as_ref().ok_or_else(|| "the gateway is not in this process".into())
    }

    /// How many requests have reached the index.
    pub fn index_requests(&self) -> u64 {
        self.index.requests()
    }

    /// Takes everything down; gives how many connections had to be cut.
    pub async fn stop(self) -> usize {
        let cut = match self.node {
            Some(node) => node.stop(Duration::from_secs(5)).await,
            None => 0,
        };
        self.sts.stop().await;
        self.index.stop().await;
        cut
    }
}

fn outbound(pki: &DevPki, credentials: Option<Credentials>) -> Result<Outbound, WorldError> {
    Ok(Outbound::new(OutboundSettings { credentials, ..OutboundSettings::new(vec![pki.root().clone()]) })?)
}

fn sts_issuer(pki: &DevPki) -> Result<Issuer, WorldError> {
    let certificate = Certificate::from_der(pki.credentials(Role::StsSigning)?.leaf())?;
    Ok(Issuer::from_certificates(STS_ENTITY_ID, vec![certificate])?)
}

fn sts_trust(pki: &DevPki) -> Result<Trust, WorldError> {
    Ok(Trust::new(vec![sts_issuer(pki)?]))
}

fn sts_config(
    pki: &DevPki,
    address: SocketAddr,
    clock: &Clock,
    mode: Switch<StsMode>,
    narrowed: &Narrowed,
) -> Result<StsConfig, WorldError> {
    let group = |scope: &str| PrivilegeGroup {
        scope: scope.to_owned(),
        privileges: vec![PRIVILEGE.to_owned()],
        constraints: narrowed.tokens.get(scope).cloned().unwrap_or_default(),
    };
    let own = |cvr: &str| (cvr.to_owned(), vec![group(cvr)]);
    let udk = (UDK.to_owned(), MUNICIPALITIES.iter().map(|(cvr, _)| group(cvr)).chain([group(UDK)]).collect());
    let registration = |role: Role, service: &str, authorities: Vec<_>| {
        Ok::<_, WorldError>(Registration {
            system: pki.credentials(role)?.thumbprint(),
            services: std::iter::once(service.to_owned()).chain(narrowed.services.iter().cloned()).collect(),
            authorities,
            on_behalf_of: Vec::new(),
        })
    };
    Ok(StsConfig {
        address,
        server: pki.credentials(Role::StsServer)?.clone(),
        signing: pki.credentials(Role::StsSigning)?.clone(),
        also_trusted: Vec::new(),
        entity_id: STS_ENTITY_ID.to_owned(),
        registrations: vec![
            registration(Role::GatewayClient, INDEX_ENTITY_ID, vec![own(KORSBAEK), own(WITHOUT_BACK), udk.clone()])?,
            registration(Role::Korsbaek, ENTITY_ID, vec![own(KORSBAEK)])?,
            registration(Role::OtherMunicipality, ENTITY_ID, vec![own(WITHOUT_BACK)])?,
            registration(Role::Udk, ENTITY_ID, vec![udk])?,
            registration(Role::Intruder, ENTITY_ID, vec![own("99999989")])?,
        ],
        lifetime: SignedDuration::from_hours(8),
        mode,
        clock: clock.clone(),
    })
}

async fn fetch_metadata(pki: &DevPki, sts: &Uri, file: &Path) -> Result<(), WorldError> {
    let authority = sts.authority().ok_or("the token service has no address")?;
    let uri: Uri = format!("https://{authority}{}", sts::METADATA_PATH).parse()?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let metadata = outbound(pki, None)?.get(&uri, deadline).await?.into_body().collect().await?.to_bytes();
    Ok(std::fs::write(file, metadata)?)
}

/// The agreements of the demo, as an import file: a front agreement for each client system, a back agreement for each
/// authority but the second municipality.
fn agreements(pki: &DevPki, narrowed: &Narrowed) -> Result<String, WorldError> {
    let mut file = format!("[[authority]]\ncvr = \"{UDK}\"\nname = \"Udbetaling Danmark\"\nrole = \"udk\"\n");
    for (cvr, name) in MUNICIPALITIES {
        file += &format!("\n[[authority]]\ncvr = \"{cvr}\"\nname = \"{name}\"\nrole = \"municipality\"\n");
    }
    let mut number = 0u128;
    let mut agreement = |side: &str, cvr: &str, system: Uuid, certificates: &str| {
        number += 1;
        let id = Uuid::from_u128(0x5a9e_0000_0000_4000_8000_0000_0000_0000 + number);
        format!(
            "\n[[agreement]]\nid = \"{id}\"\nside = \"{side}\"\nsystem = \"{system}\"\ncertificates = [{certificates}]\n\
             service = \"3053ec89-31fe-4206-878b-bba6783d7a88\"\nauthority = \"{cvr}\"\nenvironment = \"demo\"\n\
             valid_from = \"2026-01-01T00:00:00Z\"\nstate = \"ANMODET\"\n\
             legal_basis = \"Lov om Udbetaling Danmark § 8, stk. 1\"\n\
             purpose = \"Vurdering af videregivelse, jf. §§ 6, 7 og 9, og opgaver efter den sociale og beskæftigelsesmæssige lovgivning\"\n"
        )
    };
    for (role, cvr) in [(Role::Korsbaek, KORSBAEK), (Role::Udk, UDK), (Role::OtherMunicipality, WITHOUT_BACK)] {
        let certificate = format!("\"{}\"", crate::hex::encode(&pki.credentials(role)?.thumbprint()));
        file += &agreement("front", cvr, role.uuid().parse()?, &certificate);
        file += narrowed.agreements.get(cvr).map_or("", String::as_str);
    }
    let backs = MUNICIPALITIES.iter().map(|(cvr, _)| *cvr).filter(|cvr| *cvr != WITHOUT_BACK).chain([UDK]);
    for cvr in backs {
        file += &agreement("back", cvr, Role::GatewayClient.uuid().parse()?, "");
    }
    Ok(file)
}

fn settings(listen: SocketAddr, admin: SocketAddr, sts: &Uri, index: SocketAddr) -> String {
    format!(
        "environment = \"demo\"\nlog_format = \"text\"\n\
         \n[listen]\naddress = \"{listen}\"\npublic_url = \"https://localhost:{}\"\ncertificate = \"pki/{server}.pem\"\n\
         key = \"pki/{server}.key.pem\"\nclient_roots = [\"pki/root.pem\", \"pki/issuing.pem\"]\n\
         \n[admin]\naddress = \"{admin}\"\n\
         \n[api]\naddress = \"127.0.0.1:0\"\nclient_roots = [\"pki/issuing.pem\", \"pki/root.pem\"]\n\
         \n[system]\ncertificate = \"pki/{system}.pem\"\nkey = \"pki/{system}.key.pem\"\n\
         \n[service.{SERVICE}]\nkind = \"terminaladgang\"\nentity_id = \"{ENTITY_ID}\"\n\
         bindings = [\"token\", \"authority-context\"]\nprivilege_role = \"{PRIVILEGE}\"\nudk_cvr = \"{UDK}\"\n\
         policies = \"policies\"\npeer = \"{INDEX}\"\n\
         \n[tokens]\nissuer = \"{STS_ENTITY_ID}\"\nmetadata = [\"sts-metadata.xml\"]\n\
         \n[sts]\naddress = \"{sts}\"\nroots = [\"pki/root.pem\"]\n\
         \n[peer.{INDEX}]\naddress = \"https://localhost:{}{}\"\nentity_id = \"{INDEX_ENTITY_ID}\"\nroots = [\"pki/root.pem\"]\nsigning_certificates = [\"pki/{signing}.pem\"]\n\
         \n[store]\nurl = \"sqlite:agreements.sqlite\"\n\
         \n[audit]\ndirectory = \"audit\"\ncheckpoint_key = \"audit-keys/checkpoint.key\"\npseudonym_key = \"audit-keys/pseudonym.key\"\n\
         auditors = \"audit-keys/auditors.pub\"\n\n[deliveries]\nkey = \"delivery-keys/deliveries.key\"\n\
         \n[limits]\ndrain_delay = \"0s\"\n",
        listen.port(),
        index.port(),
        index::PATH,
        server = Role::GatewayServer.file_name(),
        system = Role::GatewayClient.file_name(),
        signing = Role::IndexSigning.file_name(),
    )
}

/// Lays `over` over `settings`, table by table.
pub fn merge(settings: &mut toml::Table, over: toml::Table) {
    for (name, value) in over {
        match (settings.get_mut(&name), value) {
            (Some(toml::Value::Table(settings)), toml::Value::Table(over)) => merge(settings, over),
            (_, value) => drop(settings.insert(name, value)),
        }
    }
}
