//! The demo's identity provider: the stub with its people, by whom one logs on to the console.

use std::path::Path;

use crate::clock::Clock;
use crate::signature::credentials::Credentials;
use crate::signon::own::Own;
use crate::stub::idp::{IdpConfig, Keys, OPERATORS, Partner, Signer, demo_people, metadata, privilege, start_idp};
use crate::stub::pki::{DevPki, Role};
use crate::stub::server::Running;
use crate::stub::sts::Switch;
use crate::users::rights;

use super::world::WorldError;

/// The provider, which runs for as long as this is held, and the port that the console takes.
pub struct Provider {
    running: Running,
    console: u16,
}

impl Provider {
    /// Starts it, and writes its metadata into `dir`.
    ///
    /// # Errors
    /// No port is free, or the folder cannot be written to.
    pub async fn start(dir: &Path, pki: &DevPki, clock: &Clock) -> Result<Self, WorldError> {
        let of = |role| -> Result<Credentials, WorldError> { Ok(pki.credentials(role)?.clone()) };
        let signer = |role| -> Result<Signer, WorldError> { Ok(Signer::new(of(role)?)?) };
        // The provider sends people to one address, so the console's port is chosen before it listens.
        let console = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
        let own = Own::new(&format!("https://localhost:{console}"), None, &[of(Role::GatewayClient)?]);
        let own = own.map_err(|error| error.to_string())?.metadata().map_err(|error| error.to_string())?;
        let keys = Keys { own: signer(Role::StsSigning)?, other: signer(Role::Intruder)? };
        let certificate = keys.own.certificate().clone();
        let config = IdpConfig {
            address: ([127, 0, 0, 1], 0).into(),
            server: of(Role::StsServer)?,
            keys,
            entity_id: ENTITY_ID.to_owned(),
            people: demo_people(),
            partner: Switch::new(Partner::from_metadata(&own)),
            partner_file: None,
            clock: clock.clone(),
        };
        let running = start_idp(config).await?;
        let base = format!("https://localhost:{}", running.address().port());
        tokio::fs::write(dir.join("idp.xml"), metadata(ENTITY_ID, &base, &certificate)).await?;
        Ok(Self { running, console })
    }

    /// The port of the console.
    pub fn console(&self) -> u16 {
        self.console
    }

    /// The section of the gateway's configuration.
    pub fn settings(&self) -> String {
        let roles = rights::Role::ALL.map(|role| format!("\"{} = {}\"", role.name(), privilege(role))).join(", ");
        let mut authorities: Vec<String> = demo_people().iter().map(|person| format!("\"{}\"", person.cvr)).collect();
        authorities.dedup();
        let own = Role::GatewayClient.file_name();
        format!(
            "[console.saml]\ncertificate = \"pki/{own}.pem\"\nkey = \"pki/{own}.key.pem\"\noperators = \"{OPERATORS}\"\nroles = [{roles}]\n\
             [console.saml.provider.demo]\nmetadata = \"idp.xml\"\nauthorities = [{}]\n",
            authorities.join(", ")
        )
    }

    /// Stops it.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// The provider's entity id.
const ENTITY_ID: &str = "https://idp.hjemmel.example/demo";
