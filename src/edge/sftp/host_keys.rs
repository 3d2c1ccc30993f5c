//! The server's own keys, by which clients know it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::RsaKeypair;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};

/// The fewest bits of an RSA key.
const RSA_BITS: usize = 3072;

/// Why a host key cannot be used. Each says what to mend.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum HostKeyError {
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Not a private key of SSH, or one behind a passphrase.
    #[error(
        "{} is no private key of OpenSSH without a passphrase ({why}); make one with `hjemmel sftp host-key new FILE`",
        path.display()
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the library says.
        why: String,
    },
    /// Of a kind that is not offered.
    #[error("{} is of the kind {kind}, which is not offered; use ed25519, ecdsa or rsa with at least {RSA_BITS} bits", path.display())]
    Kind {
        /// Which.
        path: PathBuf,
        kind: String,
    },
    /// It could not be made.
    #[error("the key cannot be made: {0}")]
    Make(String),
}

/// Reads the keys of these files, in order.
///
/// # Errors
/// What is wrong with the first that cannot be used.
pub fn read(files: &[PathBuf]) -> Result<Vec<PrivateKey>, HostKeyError> {
    files.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<PrivateKey, HostKeyError> {
    let path_buf = || path.to_owned();
    let text = std::fs::read_to_string(path).map_err(|error| HostKeyError::File { path: path_buf(), error })?;
    let key = russh::keys::decode_secret_key(&text, None)
        .map_err(|error| HostKeyError::Unreadable { path: path_buf(), why: error.to_string() })?;
    let fits = match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => true,
        Algorithm::Rsa { .. } => key.public_key().key_data().rsa().is_some_and(|rsa| rsa.key_size() as usize >= RSA_BITS),
        _ => false,
    };
    match fits {
        true => Ok(key),
        false => Err(HostKeyError::Kind { path: path_buf(), kind: key.algorithm().to_string() }),
    }
}

/// A kind of host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Ed25519: what to use first.
    Ed25519,
    /// ECDSA on P-256, for clients that have no Ed25519.
    Ecdsa,
    /// RSA of 3072 bits, for old clients; slower.
    Rsa,
}

/// Makes a key in a file that is not there yet, readable by its owner alone.
///
/// # Errors
/// The file is there, or cannot be written.
pub fn generate(path: &Path, kind: Kind) -> Result<PrivateKey, HostKeyError> {
    let make = |error: russh::keys::ssh_key::Error| HostKeyError::Make(error.to_string());
    let mut random = safe_rng();
    let key = match kind {
        Kind::Ed25519 => PrivateKey::random(&mut random, Algorithm::Ed25519),
        Kind::Ecdsa => PrivateKey::random(&mut random, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }),
        Kind::Rsa => RsaKeypair::random(&mut random, RSA_BITS).map(PrivateKey::from),
    };
    let key = key.map_err(make)?;
    let text = key.to_openssh(LineEnding::LF).map_err(make)?;
    let file = |error| HostKeyError::File { path: path.to_owned(), error };
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file)?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).map_err(file)?;
    Ok(key)
}

/// The keys that are not shown, by their places, each with the one of its kind that is: the first.
pub fn waiting(keys: &[PrivateKey]) -> Vec<(usize, usize)> {
    let first = |key: &PrivateKey| keys.iter().position(|other| other.algorithm() == key.algorithm());
    let places = keys.iter().enumerate().filter_map(|(at, key)| Some((at, first(key)?)));
    places.filter(|(at, shown)| at != shown).collect()
}

/// What users are told of a key: its fingerprint, and the line of `known_hosts` behind the host's name.
pub fn described(key: &PrivateKey) -> (String, String) {
    let public = key.public_key();
    (public.fingerprint(HashAlg::Sha256).to_string(), public.to_openssh().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_never_written_over() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for kind in [Kind::Ed25519, Kind::Ecdsa] {
            let file = folder.path().join(format!("{kind:?}"));
            let key = generate(&file, kind).unwrap();
            assert_eq!(described(&read(std::slice::from_ref(&file)).unwrap()[0]), described(&key));
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(matches!(generate(&file, kind), Err(HostKeyError::File { .. })));
        }
    }

    #[test]
    fn what_is_no_key_says_which_file_and_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "no key").unwrap();
        let error = read(&[file]).unwrap_err().to_string();
        assert!(error.contains("key is no private key") && error.contains("hjemmel sftp host-key new"), "{error}");
    }
}
