//! `hjemmel sftp host-key`: the SFTP server's own keys.

use std::path::{Path, PathBuf};

use russh::keys::PrivateKey;

use crate::edge::sftp::host_keys::{self, Kind};

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  hjemmel sftp host-key new /etc/hjemmel/sftp-ed25519.key
  hjemmel sftp host-key new --kind ecdsa /etc/hjemmel/sftp-ecdsa.key
  hjemmel sftp host-key show /etc/hjemmel/sftp-*.key

[sftp] host_keys in the configuration names the files. Tell users the fingerprints by a way that they trust; before a key is
replaced, tell them the new one in good time: a client that knows the old one alone refuses to connect.")]
pub(super) enum HostKey {
    /// Make a key in a file that is not there yet, readable by its owner alone
    New {
        /// Of which kind
        #[arg(long, value_enum, default_value_t = Kind::Ed25519)]
        kind: Kind,
        /// The file
        file: PathBuf,
    },
    /// Show what users are told of keys: fingerprints, and lines for `known_hosts`
    Show {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The name (and port, as [sftp.example.dk]:2222) by which clients reach the server
        #[arg(long, value_name = "HOST", default_value = "sftp.example.dk")]
        host: String,
    },
}

/// Carries out the command.
///
/// # Errors
/// A file that cannot be made or read.
pub(super) fn run(command: &HostKey) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let show = |file: &Path, key: &PrivateKey, host: &str| {
        let (fingerprint, line) = host_keys::told(key);
        println!("{}\n  fingerprint     {fingerprint}\n  known_hosts     {host} {line}", file.display());
    };
    match command {
        HostKey::New { kind, file } => show(file, &host_keys::generate(file, *kind)?, "sftp.example.dk"),
        HostKey::Show { files, host } => {
            for (file, key) in files.iter().zip(host_keys::read(files)?) {
                show(file, &key, host);
            }
        }
    }
    Ok(())
}
