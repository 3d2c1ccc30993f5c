//! A public key as OpenSSH writes it (`ssh-keygen -y`), to be kept and compared. What it signs is the door's business.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::home::Fingerprint;

/// The longest that is read, in bytes: an RSA key of 16,384 bits has 2,800.
const LONGEST: usize = 8 * 1024;
/// The fewest bits of an RSA key.
const RSA_BITS: usize = 2048;

/// A public key of a form that users may log on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    form: &'static str,
    blob: Vec<u8>,
}

/// Why it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// The line.
    #[error("it is no public key in OpenSSH's form: give the one line of the .pub file, such as `ssh-ed25519 AAAA…`")]
    Form,
    /// A private key.
    #[error(
        "it is a private key, which nobody else may have; give the .pub file beside it, and replace the key if others have seen it"
    )]
    Private,
    /// A kind that is not taken.
    #[error("keys of this kind are not taken; use ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, or ssh-rsa")]
    Kind,
    /// Too short.
    #[error("the RSA key has {0} bits; {RSA_BITS} is the least, and 3072 better")]
    Short(usize),
}

const FORMS: [&str; 5] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

impl PublicKey {
    /// SHA-256 of it.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut sha256 = [0; 32];
        sha256.iter_mut().zip(digest(&SHA256, &self.blob).as_ref()).for_each(|(to, from)| *to = *from);
        Fingerprint(sha256)
    }
}

/// Takes a string with its length before it off a blob (RFC 4251 § 5).
fn string(blob: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

impl FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        if text.contains("PRIVATE KEY") {
            return Err(NotAKey::Private);
        }
        let text = text.trim();
        if text.len() > LONGEST || text.contains(['\n', '\r']) {
            return Err(NotAKey::Form);
        }
        let mut words = text.split_ascii_whitespace();
        let (Some(form), Some(encoded)) = (words.next(), words.next()) else { return Err(NotAKey::Form) };
        let blob = STANDARD.decode(encoded).map_err(|_| NotAKey::Form)?;
        let (named, mut rest) = string(&blob).ok_or(NotAKey::Form)?;
        if named != form.as_bytes() {
            return Err(NotAKey::Form);
        }
        let form = FORMS.into_iter().find(|known| *known == form).ok_or(NotAKey::Kind)?;
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (field, after) = string(rest).ok_or(NotAKey::Form)?;
            fields.push(field);
            rest = after;
        }
        match (form, fields.as_slice()) {
            ("ssh-ed25519", [key]) if key.len() == 32 => {}
            ("ssh-rsa", [_, modulus]) => {
                let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
                let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
                if bits < RSA_BITS {
                    return Err(NotAKey::Short(bits));
                }
            }
            (form, [curve, point]) if form.as_bytes().ends_with(curve) && point.len() > 64 => {}
            _ => return Err(NotAKey::Form),
        }
        Ok(Self { form, blob })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.form, STANDARD.encode(&self.blob))
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let encoded = text.strip_prefix("SHA256:").ok_or(())?;
        let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| ())?;
        Ok(Fingerprint(bytes.try_into().map_err(|_| ())?))
    }
}
