//! PEM files (RFC 7468), read whole: every section is given, and what is not understood is an error.
//!
//! PEM readers usually skip what they do not know. In a file of trust roots or revocation lists that hides a mistake: a
//! section that lost its line end, or stands after a byte order mark, is not there for the gateway, and nobody is told.
//! Between sections only explanatory text is allowed, as OpenSSL and others write it (`Bag Attributes`, `subject=`).

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

/// What a section holds, by its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An X.509 certificate.
    Certificate,
    /// An X.509 CRL.
    RevocationList,
    /// A private key in PKCS#8.
    Pkcs8,
    /// An RSA private key in PKCS#1.
    Pkcs1,
    /// An elliptic curve's private key in SEC 1.
    Sec1,
    /// A private key under a password.
    EncryptedKey,
    /// A public key (SubjectPublicKeyInfo).
    PublicKey,
    /// The name of a curve, which `openssl ecparam -genkey` writes before the key that names it too.
    CurveParameters,
}

/// All labels that are understood.
const LABELS: [(&str, Kind); 8] = [
    ("CERTIFICATE", Kind::Certificate),
    ("X509 CRL", Kind::RevocationList),
    ("PRIVATE KEY", Kind::Pkcs8),
    ("RSA PRIVATE KEY", Kind::Pkcs1),
    ("EC PRIVATE KEY", Kind::Sec1),
    ("ENCRYPTED PRIVATE KEY", Kind::EncryptedKey),
    ("PUBLIC KEY", Kind::PublicKey),
    ("EC PARAMETERS", Kind::CurveParameters),
];

/// The kinds in a file of a private key.
pub const PRIVATE_KEY: &[Kind] = &[Kind::Pkcs8, Kind::Pkcs1, Kind::Sec1, Kind::EncryptedKey, Kind::CurveParameters];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate",
            Self::RevocationList => "a revocation list",
            Self::Pkcs8 | Self::Pkcs1 | Self::Sec1 => "a private key",
            Self::EncryptedKey => "an encrypted private key",
            Self::PublicKey => "a public key",
            Self::CurveParameters => "the parameters of a curve",
        })
    }
}

/// One section.
pub struct Section {
    /// Its place in the file, from 1.
    pub number: usize,
    /// What it holds.
    pub kind: Kind,
    /// The content.
    pub der: Zeroizing<Vec<u8>>,
}

/// Where a section begins, and what its label says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Place {
    /// Its place in the file, from 1.
    pub section: usize,
    /// The line of its BEGIN, from 1.
    pub line: usize,
    pub label: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {} ({}, line {})", self.section, self.label, self.line)
    }
}

/// Why a file is not taken as PEM. Follows the file's name in a sentence, and never shows content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum PemError {
    #[error("begins with a byte order mark, which hides its first section; save it without one (UTF-8 without BOM)")]
    ByteOrderMark,
    #[error("is DER and not PEM; convert it with `openssl x509 -inform DER` or `openssl pkey -inform DER`")]
    Der,
    /// A key with its certificates in PKCS#12, as certificates are often handed out.
    #[error(
        "is PKCS#12 and not PEM; take the key out with `openssl pkcs12 -nocerts -nodes` and the certificates with `openssl pkcs12 -nokeys`"
    )]
    Pkcs12,
    #[error("is not PEM: it is not text; convert it with `openssl x509` or `openssl pkey`")]
    NotText,
    #[error(
        "is not PEM in line {line}: two sections are joined on one line; put a line end between END and BEGIN (join files with `awk 1 FILE…`)"
    )]
    Joined { line: usize },
    #[error("is not PEM in line {line}: dashes that are no whole BEGIN or END line; fetch the file again or mend the line")]
    Boundary { line: usize },
    #[error("is not PEM in line {line}: the text is neither a section nor a comment; remove it, or put # before it")]
    Stray { line: usize },
    #[error("is cut off: {0} does not end; fetch the file again")]
    Unended(Place),
    #[error("is not PEM: {place} ends as {end}; fetch the file again")]
    OtherEnd { place: Place, end: String },
    #[error("is not PEM: {0} is not base64; fetch the file again")]
    NotBase64(Place),
    #[error("has an unknown header in {0}; write the section anew without it")]
    Header(Place),
    #[error("holds what is not understood: {0}; remove that section, or name the right file")]
    UnknownLabel(Place),
    #[error("holds {kind} where none belongs: {place}; {}", remedy(*kind))]
    Unwanted { kind: Kind, place: Place },
}

fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Pkcs8 | Kind::Pkcs1 | Kind::Sec1 | Kind::EncryptedKey => {
            "remove the key from this file, keep it in one of its own at mode 0600, and see who could read it here"
        }
        _ => "remove that section, or name the right file",
    }
}

/// Reads every section of a file in which only sections of the kinds `wanted` may stand.
///
/// # Errors
/// [`PemError`]: anything else that the file holds.
pub fn sections(bytes: &[u8], wanted: &[Kind]) -> Result<Vec<Section>, PemError> {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] | [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => return Err(PemError::ByteOrderMark),
        [0x30, 0x80, 2, 1, 3, ..]
        | [0x30, 0x81, _, 2, 1, 3, ..]
        | [0x30, 0x82, _, _, 2, 1, 3, ..]
        | [0x30, 0x83, _, _, _, 2, 1, 3, ..] => {
            return Err(PemError::Pkcs12);
        }
        [0x30, second, ..] if !second.is_ascii_graphic() => return Err(PemError::Der),
        _ => {}
    }
    let text = std::str::from_utf8(bytes).map_err(|_| PemError::NotText)?;
    let mut found: Vec<Section> = Vec::new();
    let mut open: Option<Open> = None;
    // Free text explains the section after it (RFC 7468, 5.2): after the last section it explains nothing.
    let mut unexplained = None;
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.trim_end();
        if let Some(label) = boundary(line, "-----BEGIN ") {
            if let Some(unended) = open {
                return Err(PemError::Unended(unended.place));
            }
            let place = Place { section: found.len() + 1, line: number, label: label.to_owned() };
            open = Some(Open { place, base64: Zeroizing::default(), encrypted: false });
            unexplained = None;
        } else if let Some(end) = boundary(line, "-----END ") {
            let ended = open.take().ok_or(PemError::Boundary { line: number })?;
            found.push(ended.end(end, wanted)?);
        } else if line.contains("-----") {
            let joined = line.contains("-----END ") && line.contains("-----BEGIN ");
            return Err(if joined { PemError::Joined { line: number } } else { PemError::Boundary { line: number } });
        } else if let Some(open) = &mut open {
            open.take(line)?;
        } else {
            match outside(line) {
                Outside::Comment => {}
                Outside::FreeText => unexplained = Some(number),
                Outside::Stray => return Err(PemError::Stray { line: number }),
            }
        }
    }
    match (open, unexplained) {
        (Some(unended), _) => Err(PemError::Unended(unended.place)),
        (None, Some(line)) => Err(PemError::Stray { line }),
        (None, None) => Ok(found),
    }
}

/// Writes a section.
pub fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() + base64.len() / 64 + 2 * label.len() + 40));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

struct Open {
    place: Place,
    base64: Zeroizing<String>,
    encrypted: bool,
}

impl Open {
    fn take(&mut self, line: &str) -> Result<(), PemError> {
        match line.split_once(':') {
            None => self.base64.push_str(line.trim_start()),
            // RFC 1421: how older OpenSSL marks a key under a password.
            Some(("Proc-Type", value)) if value.contains("ENCRYPTED") => self.encrypted = true,
            Some(("DEK-Info", _)) if self.encrypted => {}
            Some(_) => return Err(PemError::Header(self.place.clone())),
        }
        Ok(())
    }

    fn end(self, end: &str, wanted: &[Kind]) -> Result<Section, PemError> {
        let place = self.place;
        if end != place.label {
            return Err(PemError::OtherEnd { place, end: end.to_owned() });
        }
        let Some((_, kind)) = LABELS.iter().find(|(label, _)| *label == place.label) else {
            return Err(PemError::UnknownLabel(place));
        };
        let kind = if self.encrypted { Kind::EncryptedKey } else { *kind };
        if !wanted.contains(&kind) {
            return Err(PemError::Unwanted { kind, place });
        }
        match BASE64_STANDARD.decode(self.base64.as_bytes()) {
            Ok(der) if !der.is_empty() => Ok(Section { number: place.section, kind, der: Zeroizing::new(der) }),
            _ => Err(PemError::NotBase64(place)),
        }
    }
}

/// The label of a BEGIN or END line that is whole.
fn boundary<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let label = line.strip_prefix(word)?.strip_suffix("-----")?;
    (!label.is_empty() && !label.contains('-')).then_some(label)
}

/// What a line outside the sections is.
enum Outside {
    /// Blank, after `#`, indented, or named (`subject=`, `Certificate:`): as programs write it.
    Comment,
    /// Some other text.
    FreeText,
    /// What is left of a section, or no text.
    Stray,
}

fn outside(line: &str) -> Outside {
    /// Titles go through as text; a line of a section's content has 64 characters, and its last one often `=`.
    const LONGEST_WORD: usize = 24;
    let base64 = line.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    let underline = line.bytes().all(|byte| byte == b'=');
    let odd = |character: char| (character.is_control() && character != '\t') || character == '\u{feff}';
    if line.chars().any(odd) || line.contains("---- BEGIN") || (base64 && !underline && line.len() > LONGEST_WORD) {
        return Outside::Stray;
    }
    let as_programs_write = line.is_empty()
        || line.starts_with(['#', ' ', '\t'])
        || line.contains(['=', ':'])
        || ["Bag Attributes", "Key Attributes", "No Revoked Certificates."].contains(&line);
    if as_programs_write { Outside::Comment } else { Outside::FreeText }
}

#[cfg(test)]
mod tests;
