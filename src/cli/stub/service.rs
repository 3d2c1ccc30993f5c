//! `hjemmel stub service`: a provider for any service folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::{StubError, at, credentials};
use crate::clock::Clock;
use crate::saml::trust::{Issuer, Trust};
use crate::services::passthrough::folder;
use crate::services::passthrough::wsdl::Security;
use crate::signature::credentials::certificates_from_pem_file;
use crate::signature::key::Certificate;
use crate::stub::pki::Role;
use crate::stub::server::Running;
use crate::stub::service::mode::{self, Mode};
use crate::stub::service::serve::{Content, MODE_HEADER, MODE_PATH, ServiceConfig, start_service};
use crate::stub::sts::Switch;

/// The folder, where to listen, and how to behave.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Ask for a fault, a delay or a bad answer with a word stub:MODE in any text or attribute of the request's body: it passes every
platform that alters nothing. A caller without a platform between may send the HTTP header {MODE_HEADER}: MODE instead, and a tester
sets what else holds with PUT {MODE_PATH}; GET tells what arrived.

Example:
  hjemmel certs dev pki
  hjemmel stub service DistributionService --pki pki --security authority-context &
  sed 's/brev.pdf/stub:slow=2/' request.xml |
    curl --cacert pki/root.pem --cert pki/gateway-client.pem --key pki/gateway-client.key.pem -H 'Content-Type: text/xml' \\
      --data-binary @- https://localhost:8446/service/SP/Distribution/3
  curl --cacert pki/root.pem --cert pki/gateway-client.pem --key pki/gateway-client.key.pem \\
    -X PUT -d declared-fault https://localhost:8446{MODE_PATH}"))]
pub(super) struct Service {
    /// The service's folder: service.toml, WSDL and XSD files
    dir: PathBuf,
    /// The folder that `hjemmel certs dev` wrote
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8446")]
    listen: SocketAddr,
    /// How callers prove who they are: token or authority-context; what service.toml says of the provider where it is not given
    #[arg(long, value_parser = security)]
    security: Option<Security>,
    /// The provider's own entity id, which tokens must be for; that of service.toml where it is not given
    #[arg(long, value_name = "URI")]
    entity_id: Option<String>,
    /// The entity id of the token service: the Issuer of its tokens
    #[arg(long, value_name = "URI", default_value = "https://sts.example/")]
    sts_entity_id: String,
    /// How to behave where a request does not ask for something else
    #[arg(long, value_name = "MODE", default_value = "honest", help = format!("How to behave where a request does not ask for something else: one of {}", mode::NAMES))]
    mode: Mode,
    /// Let the clock stand still at this instant, as 2026-11-22T12:00:00Z; peers must then do the same
    #[arg(long, value_name = "INSTANT")]
    now: Option<Timestamp>,
}

fn security(text: &str) -> Result<Security, String> {
    let known = [Security::Token, Security::AuthorityContext];
    known.into_iter().find(|known| known.name() == text).ok_or_else(|| "write token or authority-context".to_owned())
}

pub(super) async fn start(args: &Service, content: Option<Arc<dyn Content>>, clock: &Clock) -> Result<Running, StubError> {
    let pki = &args.pki;
    let folder = folder::load(&args.dir).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        StubError::Folder { dir: args.dir.clone(), problems: lines.join("\n") }
    })?;
    let signer = Certificate::from_der(credentials(pki, Role::StsSigning)?.leaf())?;
    let issuer = Issuer::from_certificates(args.sts_entity_id.clone(), vec![signer]);
    let entity_id = args.entity_id.clone().unwrap_or_else(|| folder.settings.entity_id.clone());
    let security = args.security.unwrap_or(folder.settings.provider);
    let (path, name) = (folder.settings.path.clone(), args.dir.display().to_string());
    let operations: usize = folder.contracts.first().map_or(0, |contract| contract.wsdl.operations.len());
    let config = ServiceConfig {
        address: args.listen,
        server: credentials(pki, Role::IndexServer)?,
        folder,
        security: Some(security),
        signing: credentials(pki, Role::IndexSigning)?,
        trust: Trust::new(vec![issuer.map_err(|error| StubError::Trust(error.to_string()))?]),
        entity_id: entity_id.clone(),
        clients: certificates_from_pem_file(&pki.join("root.pem"))?,
        mode: Switch::new(args.mode.clone()),
        received: Switch::default(),
        content,
        clock: at(args.now, clock),
    };
    let running = start_service(config).await?;
    let address = running.address();
    println!("Provider          https://{address}{path}");
    println!("  service         {name}, {operations} operations");
    match security {
        Security::Token => {
            println!("  callers         with a token of {} for {entity_id}", args.sts_entity_id);
            println!("                  hjemmel stub sts --pki {} --index-entity-id {entity_id}", pki.display());
            println!("  answers         signed by {}", pki.join("index-signing.pem").display());
        }
        Security::AuthorityContext => {
            println!("  callers         with a certificate below {}, and AuthorityContext", pki.join("root.pem").display());
            println!("  answers         not signed");
        }
    }
    println!("  mode            https://{address}{MODE_PATH}");
    Ok(running)
}
