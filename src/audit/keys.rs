//! The audit's keys, as files.
//!
//! | file | who has it | what it does |
//! |---|---|---|
//! | `checkpoint.key` | the gateway | signs checkpoints (Ed25519, PKCS#8 PEM) |
//! | `checkpoint.pub` | everyone | verifies them (SPKI PEM) |
//! | `auditors.key` | the auditors, **never the gateway** | opens sealed identifiers (X25519, PKCS#8 PEM) |
//! | `auditors.pub` | the gateway | seals them (SPKI PEM) |
//! | `pseudonym.key` | the gateway and the auditors | makes pseudonyms (32 bytes in hexadecimal) |
//!
//! The PEM files are those of RFC 8410, which `openssl pkey` reads.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rustls::crypto::{aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256, hpke::Hpke};
use zeroize::Zeroizing;

use super::{
    chain::{CheckpointKey, CheckpointPublicKey},
    seal::{Auditors, PseudonymKey, Sealer},
};
use crate::pem::{self, Kind, PemError};

/// DER before the 32 bytes of a public key (RFC 8410): `SubjectPublicKeyInfo` of Ed25519 and of X25519.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const X25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];
/// DER before the 32 bytes of an X25519 private key (RFC 8410): `PrivateKeyInfo`.
const X25519_PKCS8: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20];

/// Why a key file could not be used. Never holds any of its content.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not {expected}; name the file that `hjemmel audit keys` made", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The file holds other sections than the one key, or is no PEM.
    #[error("{} {cause}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: PemError,
    },
    /// The library could not make a key.
    #[error("a key could not be made")]
    Generation,
}

/// Makes all keys in `dir` (which is made where it is not) and returns the files made. The secret ones are readable by their
/// owner only; the public halves by everyone, for the gateway and the auditors run as other users than who makes them.
/// No file is ever overwritten: a lost checkpoint key makes a log unverifiable, a lost auditors' key unreadable.
///
/// # Errors
/// [`KeyError::File`], also where one of the files is there already; [`KeyError::Generation`].
pub fn generate(dir: &Path) -> Result<Vec<PathBuf>, KeyError> {
    std::fs::create_dir_all(dir).map_err(|source| KeyError::File { path: dir.to_owned(), source })?;
    let names = ["checkpoint.key", "checkpoint.pub", "auditors.key", "auditors.pub", "pseudonym.key"];
    let paths = names.map(|name| dir.join(name));
    if let Some(path) = paths.iter().find(|path| path.exists()) {
        return Err(KeyError::File { path: path.clone(), source: io::ErrorKind::AlreadyExists.into() });
    }
    let generation = |_| KeyError::Generation;
    let checkpoint = Ed25519KeyPair::generate().map_err(generation)?;
    let checkpoint_pkcs8 = checkpoint.to_pkcs8v1().map_err(generation)?;
    let (auditors_public, auditors_private) =
        DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair().map_err(|_| KeyError::Generation)?;
    let mut pseudonym = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(pseudonym.as_mut_slice()).map_err(generation)?;

    let joined = |parts: &[&[u8]]| Zeroizing::new(parts.concat());
    let texts = [
        pem::encode("PRIVATE KEY", checkpoint_pkcs8.as_ref()),
        pem::encode("PUBLIC KEY", &joined(&[&ED25519_SPKI, checkpoint.public_key().as_ref()])),
        pem::encode("PRIVATE KEY", &joined(&[&X25519_PKCS8, auditors_private.secret_bytes()])),
        pem::encode("PUBLIC KEY", &joined(&[&X25519_SPKI, &auditors_public.0])),
        Zeroizing::new(format!("{}\n", crate::hex::encode(pseudonym.as_slice()))),
    ];
    for (path, text) in paths.iter().zip(&texts) {
        let public = path.extension().is_some_and(|extension| extension == "pub");
        write_new(path, text.as_bytes(), if public { 0o644 } else { 0o600 })
            .map_err(|source| KeyError::File { path: path.clone(), source })?;
    }
    Ok(paths.into())
}

/// Reads `checkpoint.key`.
///
/// # Errors
/// [`KeyError`].
pub fn checkpoint_key(path: &Path) -> Result<CheckpointKey, KeyError> {
    let content = || KeyError::Content { path: path.to_owned(), expected: "an Ed25519 private key (PKCS#8 PEM)" };
    let der = only_section(path, Kind::Pkcs8)?.ok_or_else(content)?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| content())?;
    CheckpointKey::new(pair).ok_or_else(content)
}

/// Reads `checkpoint.pub`.
///
/// # Errors
/// [`KeyError`].
pub fn checkpoint_public_key(path: &Path) -> Result<CheckpointPublicKey, KeyError> {
    public(path, &ED25519_SPKI, "an Ed25519 public key (PEM)").map(CheckpointPublicKey)
}

/// Reads `pseudonym.key`.
///
/// # Errors
/// [`KeyError`].
pub fn pseudonym_key(path: &Path) -> Result<PseudonymKey, KeyError> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let key = crate::hex::decode(text.trim()).map(Zeroizing::new);
    key.map(|key| PseudonymKey::new(&key))
        .ok_or_else(|| KeyError::Content { path: path.to_owned(), expected: "32 bytes in hexadecimal" })
}

/// Reads `pseudonym.key` and `auditors.pub`: what the gateway seals with.
///
/// # Errors
/// [`KeyError`].
pub fn sealer(pseudonym: &Path, auditors_public: &Path) -> Result<Sealer, KeyError> {
    let auditors = public(auditors_public, &X25519_SPKI, "an X25519 public key (PEM)")?;
    Ok(Sealer::new(pseudonym_key(pseudonym)?, &auditors))
}

/// Reads `auditors.key`: what the auditors open with. The public half is computed from it.
///
/// # Errors
/// [`KeyError`].
pub fn auditors(path: &Path) -> Result<Auditors, KeyError> {
    let content = || KeyError::Content { path: path.to_owned(), expected: "an X25519 private key (PKCS#8 PEM)" };
    let der = only_section(path, Kind::Pkcs8)?.ok_or_else(content)?;
    let secret = der.strip_prefix(&X25519_PKCS8).ok_or_else(content)?;
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(secret.try_into().map_err(|_| content())?);
    let private = aws_lc_rs::agreement::PrivateKey::from_private_key(&aws_lc_rs::agreement::X25519, secret.as_slice())
        .map_err(|_| content())?;
    let public = private.compute_public_key().map_err(|_| content())?;
    let public: [u8; 32] = public.as_ref().try_into().map_err(|_| content())?;
    Ok(Auditors::new(&secret, &public))
}

fn public(path: &Path, prefix: &[u8; 12], expected: &'static str) -> Result<[u8; 32], KeyError> {
    let content = || KeyError::Content { path: path.to_owned(), expected };
    let der = only_section(path, Kind::PublicKey)?.ok_or_else(content)?;
    der.strip_prefix(prefix.as_slice()).and_then(|key| key.try_into().ok()).ok_or_else(content)
}

/// The content of a PEM file's section; none where there is not exactly one.
fn only_section(path: &Path, kind: Kind) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let found = pem::sections(&read(path)?, &[kind]).map_err(|cause| KeyError::Pem { path: path.to_owned(), cause })?;
    let mut found = found.into_iter();
    Ok(found.next().filter(|_| found.next().is_none()).map(|section| section.der))
}

/// Reads a small file; nobody's key is larger than 64 KiB.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(65_536).read_to_end(&mut bytes))
        .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Makes a file that was not there before.
fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // Said of the open file, for a umask takes away from what it is made with.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_read_back_and_fit_together() {
        let dir = tempfile::tempdir().unwrap();
        let made = generate(dir.path()).unwrap();
        assert_eq!(made.len(), 5);
        let at = |name: &str| dir.path().join(name);
        let call = uuid::Uuid::from_u128(1);
        let sealed = sealer(&at("pseudonym.key"), &at("auditors.pub")).unwrap().seal(call, "6101801234").unwrap();
        assert_eq!(auditors(&at("auditors.key")).unwrap().open(call, &sealed).unwrap().as_str(), "6101801234");
        assert_eq!(pseudonym_key(&at("pseudonym.key")).unwrap().pseudonym("6101801234").unwrap(), sealed.pseudonym);
        let checkpoint = checkpoint_key(&at("checkpoint.key")).unwrap().sign(
            &super::super::chain::Head::GENESIS,
            1,
            "2026-11-22T12:00:00Z".parse().unwrap(),
            super::super::chain::Occasion::Started,
        );
        assert!(checkpoint.is_signed_by(&[checkpoint_public_key(&at("checkpoint.pub")).unwrap()]));
    }

    #[cfg(unix)]
    #[test]
    fn secret_key_files_are_their_owners_alone_public_ones_everyones_and_none_is_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        for path in generate(dir.path()).unwrap() {
            let due = if path.extension().unwrap() == "pub" { 0o644 } else { 0o600 };
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, due, "{}", path.display());
        }
        let before = std::fs::read(dir.path().join("auditors.key")).unwrap();
        std::fs::remove_file(dir.path().join("checkpoint.key")).unwrap();
        assert!(matches!(generate(dir.path()), Err(KeyError::File { .. })));
        assert!(!dir.path().join("checkpoint.key").exists(), "nothing is made when not all can be");
        assert_eq!(std::fs::read(dir.path().join("auditors.key")).unwrap(), before);
    }

    #[test]
    fn openssl_reads_each_key_and_tells_the_public_half_and_the_id_that_records_name() {
        let dir = tempfile::tempdir().unwrap();
        generate(dir.path()).unwrap();
        let openssl = |arguments: &[&str], name: &str| {
            std::process::Command::new("openssl").args(arguments).arg("-in").arg(dir.path().join(name)).output()
        };
        if openssl(&["version"], "x").is_err() {
            println!("DID NOT RUN: openssl is not here");
            return;
        }
        let der = |arguments: &[&str], name: &str| {
            let output = openssl(arguments, name).unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        for name in ["checkpoint", "auditors"] {
            let public = der(&["pkey", "-pubin", "-outform", "DER"], &format!("{name}.pub"));
            assert_eq!(der(&["pkey", "-pubout", "-outform", "DER"], &format!("{name}.key")), public, "of one pair");
            let id = super::super::seal::key_id(public.get(12..).unwrap());
            let sealer = sealer(&dir.path().join("pseudonym.key"), &dir.path().join("auditors.pub")).unwrap();
            match name {
                "auditors" => assert_eq!(sealer.seal(uuid::Uuid::nil(), "6101801234").unwrap().key, id),
                _ => assert_eq!(checkpoint_public_key(&dir.path().join("checkpoint.pub")).unwrap().id(), id),
            }
        }
    }

    #[test]
    fn one_kind_of_key_is_not_taken_for_another() {
        let dir = tempfile::tempdir().unwrap();
        generate(dir.path()).unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(checkpoint_key(&at("auditors.key")).is_err());
        assert!(auditors(&at("checkpoint.key")).is_err());
        assert!(checkpoint_public_key(&at("auditors.pub")).is_err());
        assert!(sealer(&at("pseudonym.key"), &at("checkpoint.pub")).is_err());
        assert!(pseudonym_key(&at("auditors.pub")).is_err());
        assert!(pseudonym_key(&at("absent")).is_err());
    }
}
