//! `hjemmel certs dev DIR`: a throw-away PKI in a folder.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::stub::pki::{DevPki, KeyBits, PkiError, Profiles, Role};

/// Make certificates.
#[derive(Debug, clap::Args)]
pub struct Certs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a throw-away CA and an OCES3-like certificate for each part of a development set-up.
    Dev {
        /// The folder to write to; made where it does not exist.
        dir: PathBuf,
        /// The size of the RSA keys; OCES3 has 3072.
        #[arg(long, default_value_t = default_bits(), value_parser = bits)]
        bits: KeyBits,
        /// Also write each key as PKCS#12, with this password.
        #[arg(long, value_name = "PASSWORD")]
        p12: Option<String>,
    },
}

fn default_bits() -> KeyBits {
    Profiles::embedded().ok().and_then(|profiles| profiles.key_bits.first().copied()).unwrap_or_default()
}

fn bits(text: &str) -> Result<KeyBits, String> {
    let allowed = &Profiles::embedded().map_err(|error| error.to_string())?.key_bits;
    let words: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    let asked = allowed.iter().find(|bits| bits.to_string() == text).copied();
    asked.ok_or_else(|| format!("keys are made with {} bits", words.join(" or ")))
}

/// Carries out the command.
///
/// # Errors
/// The keys could not be made, or the folder not written to.
pub fn run(arguments: &Certs, clock: &Clock) -> Result<(), PkiError> {
    let Command::Dev { dir, bits, p12 } = &arguments.command;
    DevPki::generate(clock, *bits)?.write(dir, p12.as_deref())?;

    println!(
        "Development certificates in {}, valid for {} days. Trust them nowhere else.\n",
        dir.display(),
        Profiles::embedded()?.days
    );
    println!("  {:<20} the root to trust (TLS and tokens); issuing.pem stands between it and the rest", "root.pem");
    for role in Role::ALL {
        println!("  {:<20} {} (CVR {})", format!("{}.pem", role.file_name()), role.purpose(), role.cvr());
    }
    println!("\nEach NAME.pem is a chain, leaf first; its key is NAME.key.pem (mode 0600).");
    if p12.is_some() {
        println!("NAME.p12 holds both, under the password given.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::signature::credentials::Credentials;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        certs: Certs,
    }

    #[test]
    fn certs_dev_writes_what_can_be_read_back_and_never_twice() {
        let dir = tempfile::tempdir().unwrap();
        let pki = dir.path().join("pki");
        let line = Line::parse_from(["hjemmel", "dev", pki.to_str().unwrap(), "--p12", "demo"]);
        run(&line.certs, &Clock::system()).unwrap();
        std::fs::write(pki.join("password"), "demo").unwrap();
        Credentials::from_pkcs12_file(&pki.join("client-udk.p12"), &pki.join("password")).unwrap();
        assert!(matches!(run(&line.certs, &Clock::system()), Err(PkiError::Exists(_))));
    }

    #[test]
    fn other_key_sizes_are_refused() {
        assert!(Line::try_parse_from(["hjemmel", "dev", "x", "--bits", "1024"]).is_err());
    }
}
