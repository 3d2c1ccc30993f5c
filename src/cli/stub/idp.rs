//! `hjemmel stub idp`: an identity provider for the console.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{StubError, credentials};
use crate::clock::Clock;
use crate::stub::idp::{IdpConfig, Keys, METADATA_PATH, Signer, demo_people, privilege, start_idp};
use crate::stub::pki::Role;
use crate::stub::server::Running;
use crate::stub::sts::Switch;
use crate::users::rights;

/// Who logs on is chosen on its page.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  hjemmel stub idp --pki pki --console console.xml &
  curl --cacert pki/root.pem https://localhost:8448/metadata -o idp.xml     # metadata of [console.saml.provider.stub]
  curl https://console.example/saml/metadata -o console.xml                 # once the console runs")]
pub(super) struct Idp {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8448")]
    listen: SocketAddr,
    /// The folder that `hjemmel certs dev` wrote
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// A file with the console's metadata; it is read at every request, so that it may come later
    #[arg(long, value_name = "FILE")]
    console: PathBuf,
    /// The provider's entity id
    #[arg(long, value_name = "URI", default_value = "https://idp.hjemmel.example/stub")]
    entity_id: String,
}

pub(super) async fn start(args: &Idp, clock: &Clock) -> Result<Running, StubError> {
    let config = IdpConfig {
        address: args.listen,
        server: credentials(&args.pki, Role::StsServer)?,
        keys: Keys {
            own: Signer::new(credentials(&args.pki, Role::StsSigning)?)?,
            other: Signer::new(credentials(&args.pki, Role::Intruder)?)?,
        },
        entity_id: args.entity_id.clone(),
        people: demo_people(),
        partner: Switch::default(),
        partner_file: Some(args.console.clone()),
        clock: clock.clone(),
    };
    let running = start_idp(config).await?;
    println!("Identity provider https://localhost:{}", running.address().port());
    println!("  metadata        https://localhost:{}{METADATA_PATH}", running.address().port());
    println!("  entity id       {}", args.entity_id);
    println!("  roles           {} and so on, one for each role", privilege(rights::Role::Signatory));
    println!("  people");
    for person in demo_people() {
        let roles = person.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        println!("    {:<22} CVR {}  {roles}", person.name, person.cvr);
    }
    Ok(running)
}
