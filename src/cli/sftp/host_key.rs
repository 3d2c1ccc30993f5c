//! `hjemmel sftp host-key`: the SFTP server's own keys.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use russh::keys::PrivateKey;

use super::CommandError;
use crate::agreements::Environment;
use crate::audit::Subject;
use crate::cli::place::{Place, one_line, with_store};
use crate::cli::user::Decide;
use crate::clock::{Clock, copenhagen};
use crate::decisions::{Because, By};
use crate::edge::sftp::host_keys::{self, Kind};
use crate::files::announce::{self, Announced};
use crate::files::decide;
use crate::store::Access;

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  hjemmel sftp host-key new /etc/hjemmel/sftp-ed25519.key
  hjemmel sftp host-key new --kind ecdsa /etc/hjemmel/sftp-ecdsa.key
  hjemmel sftp host-key show /etc/hjemmel/sftp-*.key
  hjemmel sftp host-key announce /etc/hjemmel/sftp-next.key --from 2027-03-01 \\
    --host [sftp.example.dk]:2222 --reason \"case 7\" --config hjemmel.toml

[sftp] host_keys in the configuration names the files. Tell users the fingerprints by a way that they trust; before a key is
replaced, announce the new one in good time: a client that knows the old one alone refuses to connect. Of two files of one kind
the first is shown: put the next key behind it, and move it to the front on the day. An announcement is a decision on what `show`
tells of the key: `hjemmel audit decisions` has it under the id that `show` tells too.")]
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
    /// Tell users by letter of a key that will be shown: the mailboxes of monitoring orders and partner agreements, each once
    Announce {
        /// The file of the new key
        file: PathBuf,
        /// The first day on which it may be shown
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// The name (and port, as [sftp.example.dk]:2222) by which clients reach the server
        #[arg(long, value_name = "HOST", value_parser = one_line)]
        host: String,
        /// The environment whose users are told; that of --config unless given
        #[arg(long, value_name = "NAME", value_parser = |text: &str| text.parse::<Environment>())]
        environment: Option<Environment>,
        #[command(flatten)]
        decide: Decide,
    },
}

/// Carries out the command.
///
/// # Errors
/// A file that cannot be made or read, whoever may not announce, or the store.
pub(super) async fn run(command: HostKey, place: &Place, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    match command {
        HostKey::New { kind, file } => {
            let key = host_keys::generate(&file, kind).map_err(CommandError::HostKey)?;
            show(&file, &key, "sftp.example.dk", out)?;
        }
        HostKey::Show { files, host } => {
            for (file, key) in files.iter().zip(host_keys::read(&files).map_err(CommandError::HostKey)?) {
                show(file, &key, &host, out)?;
            }
        }
        HostKey::Announce { file, from, host, environment, decide } => {
            let now = clock.now();
            let keys = host_keys::read(&[file]).map_err(CommandError::HostKey)?;
            let begins = copenhagen().and_then(|zone| from.to_zoned(zone).ok()).map(|begins| begins.timestamp());
            let begins = begins.filter(|begins| *begins > now).ok_or(CommandError::NotAhead(from))?;
            let (settings, environment) = (place.settings(now)?, place.environment(environment)?);
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            for key in keys {
                let (fingerprint, public) = host_keys::described(&key);
                let (host, environment) = (host.clone(), environment.clone());
                let key = announce::HostKey { host, fingerprint, public, from: begins, environment };
                // What is signed, before it is: the decision has the SHA-256 of these lines.
                write!(out, "{}", key.text())?;
                let announced = with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                    Ok(decide::announce_host_key(store, signer.as_ref().map(By::Key), &key, &because).await?)
                });
                announced_to(&announced.await?, &key.fingerprint, out)?;
            }
        }
    }
    Ok(())
}

fn show(file: &Path, key: &PrivateKey, host: &str, out: &mut impl Write) -> std::io::Result<()> {
    let (fingerprint, line) = host_keys::described(key);
    writeln!(out, "{}\n  fingerprint     {fingerprint}\n  known_hosts     {host} {line}", file.display())?;
    writeln!(out, "  decisions       {} {}", Subject::SftpHostKey.name(), announce::id(&fingerprint))
}

fn announced_to(announced: &Announced, fingerprint: &str, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "the host key {fingerprint} is told; letters go out where a node has [mail]")?;
    for (what, mailboxes) in [("letter", &announced.told), ("told before", &announced.before)] {
        for mailbox in mailboxes {
            writeln!(out, "  {what:14}  {mailbox}")?;
        }
    }
    for user in &announced.untold {
        writeln!(out, "  NOT TOLD        {user}: no mailbox of it is known that letters go to; tell it by other means")?;
    }
    Ok(())
}
