//! A gateway that offers a folder, the providers behind it, and the callers in front.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use hjemmel::agreements::Store;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::route::file::{self, Party};
use hjemmel::agreements::route::store::{Decision, InTheWay};
use hjemmel::audit::Record;
use hjemmel::cli::demo::world::{Narrowed, Options, STS_ENTITY_ID, World};
use hjemmel::clock::Clock;
use hjemmel::saml::trust::{Issuer, Trust};
use hjemmel::services::passthrough::folder::{self, Folder};
use hjemmel::services::passthrough::settings::Receiver;
use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::signature::c14n::{Exclusive, canonicalise};
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::sign::{Message, SoapVersion, with_token_keeping};
use hjemmel::signature::verify::{Parts, verify_whole_response};
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;
use hjemmel::stub::pki::{DevPki, KeyBits, Role};
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;
use hjemmel::stub::service::serve::{Content, Received};
use hjemmel::stub::sts::Switch;
use hjemmel::stub::{Running, ServiceConfig, start_service};
use http::Request;
use jiff::SignedDuration;
use jiff::civil::{Date, date};

use crate::tables;
use crate::wire::{Answer, Http, Sent, send, tls};

pub const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub const AUTHORITY_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/";
/// Two authorities that receive: each with a provider, the second of which takes AuthorityContext.
pub const BY_TOKEN: &str = "11111111";
pub const BY_CONTEXT: &str = "99999981";
/// One without a route.
pub const NOBODY: &str = "99999982";

/// Made once: most of what it takes to bring a world up.
static PKI: LazyLock<Arc<DevPki>> = LazyLock::new(|| Arc::new(DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap()));

/// A provider that runs.
pub struct Provider {
    pub mode: Switch<Mode>,
    pub received: Switch<Received>,
    entity_id: String,
    running: Running,
}

/// Everything, running.
pub struct Passing {
    pub world: World,
    pub folder: Folder,
    pub by_token: Provider,
    pub by_context: Provider,
    _dir: tempfile::TempDir,
}

async fn provider(world: &World, folder: &Folder, security: Security, content: Option<Arc<dyn Content>>) -> Provider {
    let (mode, received) = (Switch::default(), Switch::default());
    let entity_id = format!("http://entityid.eksempel.dk/{}/1", security.name());
    let pki = &world.pki;
    let sts = Certificate::from_der(pki.credentials(Role::StsSigning).unwrap().leaf()).unwrap();
    let config = ServiceConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server: pki.credentials(Role::IndexServer).unwrap().clone(),
        folder: folder.clone(),
        security: Some(security),
        signing: pki.credentials(Role::IndexSigning).unwrap().clone(),
        trust: Trust::new(vec![Issuer::from_certificates(STS_ENTITY_ID, vec![sts]).unwrap()]),
        entity_id: entity_id.clone(),
        clients: vec![pki.root().clone(), pki.issuing().clone()],
        mode: mode.clone(),
        received: received.clone(),
        content,
        clock: world.clock.clone(),
    };
    Provider { mode, received, entity_id, running: start_service(config).await.unwrap() }
}

impl Passing {
    /// Starts it for the folder at `path`, with more settings of the service's own section.
    pub async fn start(path: &Path, more: &str) -> Self {
        Self::start_for(path, more, Security::Token).await
    }

    /// The same, where the sender's own authority has a provider of this model: for services that name no receiver.
    pub async fn start_for(path: &Path, more: &str, own: Security) -> Self {
        Self::start_with(path, more, own, None).await
    }

    /// The same with providers that answer with this content.
    pub async fn start_with(path: &Path, more: &str, own: Security, content: Option<Arc<dyn Content>>) -> Self {
        Self::set_up(path, more, own, content, true, Clock::system()).await
    }

    /// The same by this clock, the callers' and the providers' too.
    pub async fn start_at(path: &Path, more: &str, content: Arc<dyn Content>, clock: Clock) -> Self {
        Self::set_up(path, more, Security::Token, Some(content), true, clock).await
    }

    /// The same without the gateway, which somebody else runs from the world's configuration.
    pub async fn without_gateway(path: &Path, more: &str, content: Arc<dyn Content>) -> Self {
        Self::set_up(path, more, Security::Token, Some(content), false, Clock::system()).await
    }

    async fn set_up(
        path: &Path,
        more: &str,
        own: Security,
        content: Option<Arc<dyn Content>>,
        served: bool,
        clock: Clock,
    ) -> Self {
        let folder = folder::load(path).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let dir = tempfile::tempdir().unwrap();
        let entity = |security: Security| format!("http://entityid.eksempel.dk/{}/1", security.name());
        let services = vec![folder.settings.entity_id.clone(), entity(Security::Token), entity(Security::AuthorityContext)];
        // What is not of the service's own section stands before a line of its own.
        let (top, more) = more.split_once("\n---\n").unwrap_or(("", more));
        let extra = format!(
            "{top}\n[service.pass]\nfolder = \"{}\"\n{more}\n[limits]\nrequest_bytes = 10485760\n[agreements]\ncache_ttl = \"1s\"\n\
             [store]\npatience = \"60s\"\nstatement_timeout = \"60s\"\n[sts]\nconnect_timeout = \"60s\"\n",
            path.display()
        );
        let options = Options { dir: dir.path().to_owned(), port: 0, seed: 1, persons: 20, clock, extra, pki: Some(PKI.clone()) };
        let narrowed = Narrowed { services, ..Narrowed::default() };
        tables::in_world(dir.path());
        let world = match served {
            true => World::start_narrowed(options, &narrowed).await.unwrap(),
            false => World::narrowed_without_gateway(options, &narrowed).await.unwrap(),
        };
        let by_token = provider(&world, &folder, Security::Token, content.clone()).await;
        let by_context = provider(&world, &folder, Security::AuthorityContext, content).await;
        let passing = Self { world, folder, by_token, by_context, _dir: dir };
        passing.agree(own).await;
        passing
    }

    /// Agreements on both sides for one authority, and a route to each provider.
    async fn agree(&self, own: Security) {
        let pki = &self.world.pki;
        let service = self.folder.settings.uuid;
        let thumbprint = hjemmel::hex::encode(&pki.credentials(Role::Korsbaek).unwrap().thumbprint());
        let agreement = |id: &str, side: &str, certificates: &str, system: &str| {
            format!(
                "\n[[agreement]]\nid = \"{id}\"\nside = \"{side}\"\nsystem = \"{system}\"\ncertificates = [{certificates}]\nservice = \
                 \"{service}\"\nauthority = \"{KORSBAEK}\"\nenvironment = \"demo\"\nvalid_from = \"2026-01-01T00:00:00Z\"\nstate = \
                 \"GODKENDT\"\nlegal_basis = \"Lov om breve § 1\"\npurpose = \"At sende breve\"\ndecided_by = \"Underskriver\"\ndecided_at \
                 = \"2026-01-01T00:00:00Z\"\nreason = \"test\"\n"
            )
        };
        let front =
            agreement("7a000000-0000-4000-8000-000000000001", "front", &format!("\"{thumbprint}\""), Role::Korsbaek.uuid());
        let back = agreement("7a000000-0000-4000-8000-000000000002", "back", "", Role::GatewayClient.uuid());
        let import = Import::parse(&format!("{front}{back}"), &hjemmel::services::vocabulary()).unwrap();
        let store = Store::open(&hjemmel::store::Settings::sqlite(&self.world.dir.join("agreements.sqlite"))).await.unwrap();
        store.import(&import, self.world.clock.now()).await.unwrap();
        store.close().await;
        let (by_token, by_context) = match own {
            Security::Token => (BY_TOKEN, BY_CONTEXT),
            Security::AuthorityContext => (BY_CONTEXT, BY_TOKEN),
        };
        let routes = match (self.folder.settings.receiver, own) {
            (Receiver::ImplicitByEntityId, _) => {
                let first = self.route(3, (KORSBAEK, by_token), date(2026, 1, 1), Security::Token);
                first + &self.route(4, (KORSBAEK, by_context), date(2026, 1, 1), Security::AuthorityContext)
            }
            (Receiver::Fixed, own) => self.route(3, (Party::EVERY, Party::EVERY), date(2026, 1, 1), own),
        };
        self.add(&routes, InTheWay::Refuse).await;
    }

    async fn add(&self, routes: &str, in_the_way: InTheWay) {
        let routes = file::parse(routes, &self.world.dir).unwrap_or_else(|problems| panic!("{problems:?}"));
        let store = Store::open(&hjemmel::store::Settings::sqlite(&self.world.dir.join("agreements.sqlite"))).await.unwrap();
        let decision = Decision { by: "Drift".into(), reason: "test".into(), at: self.world.clock.now() };
        store.add_routes(&routes, in_the_way, &decision).await.unwrap();
        store.close().await;
    }

    /// A route from a day on, between these two, to the provider of a model.
    fn route(&self, n: u8, (sender, receiver): (&str, &str), from: Date, security: Security) -> String {
        let (service, system) = (self.folder.settings.uuid, format!("7a000000-0000-4000-8000-00000000010{n}"));
        let (provider, pins) = match security {
            Security::Token => {
                (&self.by_token, format!("signing_certificates = [\"pki/{}.pem\"]", Role::IndexSigning.file_name()))
            }
            Security::AuthorityContext => (&self.by_context, String::new()),
        };
        format!(
            "[[route]]\nid = \"7a000000-0000-4000-8000-00000000000{n}\"\nservice = \"{service}\"\nenvironment = \"demo\"\nsender = \
             \"{sender}\"\nreceiver = \"{receiver}\"\nvalid_from = \"{from}\"\nsystem = \"{system}\"\naddress = \
             \"https://localhost:{}{}\"\nentity_id = \"{}\"\nsecurity = \"{}\"\nroots = [\"pki/root.pem\"]\n{pins}\n",
            provider.running.address().port(),
            self.folder.settings.path,
            provider.entity_id,
            security.name(),
        )
    }

    /// From this day on what is for the first authority goes to the second one's provider.
    pub async fn moved_from(&self, day: Date) {
        self.add(&self.route(5, (KORSBAEK, BY_TOKEN), day, Security::AuthorityContext), InTheWay::End).await;
    }

    /// What Korsbæk sends to `receiver` goes to the provider that takes tokens, whose TLS certificate must be of another CA.
    pub async fn routed_by_another_ca(&self, receiver: &str) {
        let other = rcgen::generate_simple_self_signed(["anden-ca.eksempel.dk".to_owned()]).unwrap();
        std::fs::write(self.world.dir.join("pki/other.pem"), other.cert.pem()).unwrap();
        let route = self.route(6, (KORSBAEK, receiver), date(2026, 1, 1), Security::Token);
        assert!(route.contains("pki/root.pem"));
        self.add(&route.replace("pki/root.pem", "pki/other.pem"), InTheWay::Refuse).await;
    }

    fn version(&self, security: Security) -> SoapVersion {
        let contract = self.folder.contracts.iter().find(|contract| contract.security == security).unwrap();
        contract.wsdl.version
    }

    async fn post(&self, by: Option<Role>, version: SoapVersion, action: &str, body: Bytes) -> Answer {
        self.post_to(self.world.service.port_u16().unwrap(), by, version, action, body).await
    }

    /// What posts to the gateway at this port, and holds nothing of the world.
    fn post_to(
        &self,
        port: u16,
        by: Option<Role>,
        version: SoapVersion,
        action: &str,
        body: Bytes,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let (pki, path) = (self.world.pki.clone(), self.folder.settings.path.clone());
        let request = Request::post(&path).header("host", "localhost");
        let request = match version {
            SoapVersion::V11 => {
                request.header("content-type", "text/xml; charset=utf-8").header("soapaction", format!("\"{action}\""))
            }
            SoapVersion::V12 => {
                request.header("content-type", format!("application/soap+xml; charset=utf-8; action=\"{action}\""))
            }
        };
        let request = request.body(Sent::whole(body)).unwrap();
        async move {
            let credentials = by.map(|role| pki.credentials(role).unwrap());
            let stream = tls(pki.root(), port, credentials, Http::One).await;
            send(stream, Http::One, request).await.unwrap()
        }
    }

    /// The gateway's own address, without a path.
    pub fn address(&self) -> String {
        format!("https://localhost:{}", self.world.service.port_u16().unwrap())
    }

    /// What GET gives.
    pub async fn get(&self, path: &str) -> Answer {
        let port = self.world.service.port_u16().unwrap();
        let stream = tls(self.world.pki.root(), port, None, Http::One).await;
        let request = Request::get(path).header("host", "localhost");
        send(stream, Http::One, request.body(Sent::whole(Bytes::new())).unwrap()).await.unwrap()
    }

    /// What the operation with this request element is called by, in a binding.
    fn action(&self, security: Security, body: &str) -> (String, String) {
        let document = parsed(body.as_bytes());
        let root = document.root();
        let contract = self.folder.contracts.iter().find(|contract| contract.security == security).unwrap();
        match contract.operation(root.namespace(), root.local(), None) {
            Some(operation) => {
                let action = operation.request_action.clone();
                (operation.action.clone().unwrap_or_else(|| action.clone()), action)
            }
            None => ("urn:other".to_owned(), "urn:other".to_owned()),
        }
    }

    /// Korsbæk's system, with a token and a signature.
    pub async fn by_token(&self, headers: &[&str], body: &str) -> Answer {
        let signed = self.signed(headers, body, "").await;
        self.send_signed(body, signed).await
    }

    /// Sends a message of the token binding as it is; `body` is of its operation.
    pub async fn send_signed(&self, body: &str, message: String) -> Answer {
        let (http, _) = self.action(Security::Token, body);
        self.post(None, self.version(Security::Token), &http, message.into()).await
    }

    /// The same to the gateway at this port.
    pub fn send_signed_to(&self, port: u16, body: &str, message: String) -> impl Future<Output = Answer> + Send + use<> {
        let (http, _) = self.action(Security::Token, body);
        self.post_to(port, None, self.version(Security::Token), &http, message.into())
    }

    /// Such a message, in whose signature Body has this PrefixList.
    pub async fn signed(&self, headers: &[&str], body: &str, prefixes: &str) -> String {
        let token = self.world.token_for(Role::Korsbaek, KORSBAEK, &self.folder.settings.entity_id).await.unwrap();
        let version = self.version(Security::Token);
        let (_, action) = self.action(Security::Token, body);
        let headers: Vec<&[u8]> = headers.iter().map(|header| header.as_bytes()).collect();
        let message = Message {
            version,
            action: Some(&action),
            message_id: &format!("urn:uuid:{}", uuid::Uuid::new_v4()),
            relates_to: None,
            to: None,
            reply_to: true,
            framework: version == SoapVersion::V11,
            created: self.world.clock.now(),
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &headers,
            body: &canonicalise(parsed(body.as_bytes()).root(), &Exclusive::with_prefixes(prefixes), &[], Vec::new()),
        };
        let key = SigningKey::from_der(self.world.pki.credentials(Role::Korsbaek).unwrap().key()).unwrap();
        String::from_utf8(with_token_keeping(&message, prefixes, token.assertion(), &key).unwrap()).unwrap()
    }

    /// The same system with mutual TLS; `header` stands in the Header.
    pub async fn by_context(&self, by: Role, header: &str, body: &str) -> Answer {
        let version = self.version(Security::AuthorityContext);
        let soap = version.namespace();
        let message = format!("<s:Envelope xmlns:s=\"{soap}\"><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>");
        let (http, _) = self.action(Security::AuthorityContext, body);
        self.post(Some(by), version, &http, message.into()).await
    }

    /// Korsbæk's system with mutual TLS, and an action of its own.
    pub async fn by_context_as(&self, action: &str, header: &str, body: &str) -> Answer {
        let version = self.version(Security::AuthorityContext);
        let soap = version.namespace();
        let message = format!("<s:Envelope xmlns:s=\"{soap}\"><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>");
        self.post(Some(Role::Korsbaek), version, action, message.into()).await
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.world.admin).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// The audit record of the call that closed last.
    pub fn record(&self) -> Record {
        let mut last = self.world.records.recv_timeout(Duration::from_secs(60)).unwrap();
        while let Ok(record) = self.world.records.try_recv() {
            last = record;
        }
        last
    }

    /// Whether the gateway's own key signed all of the answer.
    pub fn is_signed(&self, answer: &Answer) -> bool {
        let document = parsed(&answer.body);
        let Some(header) = named(&document, "Header") else { return false };
        let Some(security) = header.only(WSSE, "Security").unwrap() else { return false };
        let body = named(&document, "Body").unwrap();
        let parts = Parts { header, security, body, must_cover: vec![] };
        let gateway = self.world.gateway_certificate().unwrap();
        verify_whole_response(&document, &parts, &[gateway]).is_ok_and(|verified| verified.covers(body))
    }
}

pub fn parsed(bytes: &[u8]) -> Document {
    let limits = Limits { nodes: 1_000_000, ..Limits::default() };
    Document::parse(Bytes::copy_from_slice(bytes), &limits)
        .unwrap_or_else(|refusal| panic!("{refusal:?}: {}", String::from_utf8_lossy(bytes)))
}

pub fn named<'d>(document: &'d Document, local: &str) -> Option<Element<'d>> {
    document.root().descendants().find(|element| element.local() == local)
}

/// The content of a message's Body, canonical.
pub fn content(message: &[u8]) -> String {
    let document = parsed(message);
    let payload = named(&document, "Body").unwrap().elements().next().unwrap();
    String::from_utf8(hjemmel::signature::c14n::canonical_bytes(payload)).unwrap()
}

/// `AuthorityContext`, as a caller writes it.
pub fn authority_context(cvr: &str) -> String {
    format!(
        "<a:AuthorityContext xmlns:a=\"{AUTHORITY_CONTEXT}\"><a:MunicipalityCVR>{cvr}</a:MunicipalityCVR></a:AuthorityContext>"
    )
}
