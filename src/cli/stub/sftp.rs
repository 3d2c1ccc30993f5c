//! `hjemmel stub sftp`: the SFTP server over plain folders.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use prometheus::Registry;
use russh::keys::{HashAlg, load_public_key};
use tokio::net::TcpListener;

use super::StubError;
use crate::clock::Clock;
use crate::config::SftpLimits;
use crate::edge::sftp::counts::Counts;
use crate::edge::sftp::{Door, host_keys};
use crate::files::home::Fingerprint;
use crate::stub::files::PlainHomes;

/// Who may log on, and where the folders are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
ROOT/USER/IN and ROOT/USER/OUT are what a client sees. When X.trigger is closed in OUT and X lies there, X goes to the sender's own
IN with a receipt; nothing is validated.

Example:
  hjemmel sftp host-key new host.key
  ssh-keygen -t ed25519 -N '' -f user.key
  hjemmel stub sftp --root homes --host-key host.key --user KY_TEST=user.key.pub &
  sftp -P 2222 -i user.key KY_TEST@127.0.0.1")]
pub(super) struct Sftp {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2222")]
    listen: SocketAddr,
    /// The folder of the homes
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// A host key; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    host_key: Vec<PathBuf>,
    /// A user and the file of its public key, as KY_TEST=user.key.pub; may be given several times, for one user too
    #[arg(long, value_name = "USER=FILE", required = true, value_parser = user)]
    user: Vec<(String, PathBuf)>,
    /// The largest file, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    largest_file: u64,
    /// Renew keys after so many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1 << 20..=1 << 30))]
    rekey_bytes: u64,
    /// Failed log-ons after which an address is no longer answered
    #[arg(long, value_name = "NUMBER", default_value_t = SftpLimits::default().failures)]
    failures: usize,
}

fn user(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !name.contains('/') && name != "." && name != ".." => {
            Ok((name.to_owned(), PathBuf::from(file)))
        }
        _ => Err("write USER=FILE, as KY_TEST=user.key.pub".to_owned()),
    }
}

/// Serves until it is told to stop.
pub(super) async fn serve(args: &Sftp, clock: &Clock) -> Result<ExitCode, StubError> {
    let homes = PlainHomes::new(args.root.clone(), args.largest_file);
    for (name, _) in &args.user {
        let keys = args.user.iter().filter(|(other, _)| other == name).map(|(_, file)| {
            let key = load_public_key(file).map_err(|error| StubError::UserKey { file: file.clone(), why: error.to_string() })?;
            let sha256 = key.fingerprint(HashAlg::Sha256).sha256();
            sha256.map(Fingerprint).ok_or(StubError::UserKey { file: file.clone(), why: "no SHA-256".to_owned() })
        });
        homes.allow(name, keys.collect::<Result<_, _>>()?).map_err(StubError::Homes)?;
    }
    let limits = SftpLimits {
        rekey_bytes: usize::try_from(args.rekey_bytes).unwrap_or(usize::MAX),
        failures: args.failures,
        ..SftpLimits::default()
    };
    let counts = Counts::new(&Registry::new())?;
    let door = Door::new(homes, host_keys::read(&args.host_key)?, limits, counts, clock.clone());
    let listener = TcpListener::bind(args.listen).await.map_err(StubError::Homes)?;
    let address = listener.local_addr().map_err(StubError::Homes)?;
    println!("SFTP              {address}");
    println!("  homes           {}", args.root.display());
    println!("Ctrl-C ends it.");
    door.serve(listener, std::future::pending()).await;
    Ok(ExitCode::FAILURE)
}
