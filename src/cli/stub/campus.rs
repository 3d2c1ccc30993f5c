//! `hjemmel stub campus`: a learning platform that speaks SCIM.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{StubError, credentials};
use crate::clock::Clock;
use crate::signature::credentials::certificates_from_pem_file;
use crate::stub::campus::{Behaviour, CampusConfig, PATH, WORDS, start_campus};
use crate::stub::pki::Role;
use crate::stub::server::Running;
use crate::stub::sts::Switch;

/// Where to listen, whom to let in, how to behave.
#[derive(Debug, clap::Args)]
pub(super) struct Campus {
    /// The folder that `hjemmel certs dev` wrote
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8449")]
    listen: SocketAddr,
    /// The file of the bearer token that callers must send; left out: they show a certificate of the PKI folder's root
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// How to behave
    #[arg(long, value_name = "WORD", value_delimiter = ',', help = format!("How to behave: any of {WORDS}"))]
    behaviour: Vec<String>,
}

pub(super) async fn start(args: &Campus, clock: &Clock) -> Result<Running, StubError> {
    let mut behaviour = Behaviour::default();
    args.behaviour.iter().try_for_each(|word| behaviour.add(word)).map_err(StubError::Behaviour)?;
    let token = args.token.as_ref().map(std::fs::read_to_string).transpose().map_err(StubError::Token)?;
    let clients = match token {
        Some(_) => Vec::new(),
        None => certificates_from_pem_file(&args.pki.join("root.pem"))?,
    };
    let config = CampusConfig {
        address: args.listen,
        server: credentials(&args.pki, Role::IndexServer)?,
        clients,
        token: token.map(|token| token.trim().to_owned()),
        behaviour: Switch::new(behaviour),
        clock: clock.clone(),
    };
    let (running, _) = start_campus(config).await?;
    println!("Campus            https://{}{PATH}", running.address());
    match &args.token {
        Some(token) => println!("  callers         with the bearer token in {}", token.display()),
        None => println!("  callers         with a certificate below {}", args.pki.join("root.pem").display()),
    }
    println!("  users           in memory, none yet");
    Ok(running)
}
