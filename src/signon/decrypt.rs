//! Encrypted assertions: RSA-OAEP with AES-GCM; AES-CBC only where it is turned on, and only in a signed Response.
//!
//! Which algorithm a message names is reported, for its sender must set another. Whatever fails after that has one answer, be it
//! the key, the padding, the tag or the XML that came out: a difference is what padding oracles ask for (Jager and Somorovsky
//! 2011). With CBC even one answer tells something, so nothing is decrypted before the signature over it was verified.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::names::{XENC, XENC11};
use super::structure;
use crate::refusal::logon::LogOnRefusal;
use crate::signature::base64;
use crate::signature::names::{DSIG, SAML};
use crate::signature::write;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;

/// Bytes of a nonce, of a tag, and of a block.
const NONCE: usize = 12;
const BLOCK: usize = 16;

/// How content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Gcm { key: usize },
    Cbc { key: usize },
}

/// What of an EncryptedAssertion is needed to open it.
struct Encrypted {
    content: Content,
    transport: &'static OaepAlgorithm,
    key: Vec<u8>,
    cipher: Vec<u8>,
}

fn one<'d>(parent: Element<'d>, namespace: &str, local: &'static str) -> Result<Element<'d>, LogOnRefusal> {
    match parent.only(namespace, local) {
        Ok(Some(child)) => Ok(child),
        _ => {
            let around = parent.local();
            Err(structure(
                format!("{around} har ikke netop én {local}"),
                format!("the {around} does not have exactly one {local}"),
            ))
        }
    }
}

fn refused(algorithm: &str) -> LogOnRefusal {
    LogOnRefusal::LogOnEncryption { algorithm: algorithm.chars().take(120).collect() }
}

fn cipher_value(element: Element<'_>) -> Result<Vec<u8>, LogOnRefusal> {
    let value = one(one(element, XENC, "CipherData")?, XENC, "CipherValue")?;
    let bytes = value.text().and_then(|text| base64::decode(&text));
    bytes.ok_or_else(|| structure("CipherValue er ikke base64", "a CipherValue is not base64"))
}

fn content(method: Element<'_>, cbc: bool) -> Result<Content, LogOnRefusal> {
    let name = method.attribute("", "Algorithm").unwrap_or_default();
    let known = [
        (format!("{XENC11}aes128-gcm"), Content::Gcm { key: 16 }),
        (format!("{XENC11}aes256-gcm"), Content::Gcm { key: 32 }),
        (format!("{XENC}aes128-cbc"), Content::Cbc { key: 16 }),
        (format!("{XENC}aes256-cbc"), Content::Cbc { key: 32 }),
    ];
    match known.into_iter().find(|(known, _)| known == name) {
        Some((_, gcm @ Content::Gcm { .. })) => Ok(gcm),
        Some((_, allowed)) if cbc => Ok(allowed),
        _ => Err(refused(name)),
    }
}

/// `rsa-oaep-mgf1p` means SHA-1 where it names no digest, and its mask is always by SHA-1; `rsa-oaep` names both.
fn transport(method: Element<'_>) -> Result<&'static OaepAlgorithm, LogOnRefusal> {
    let name = method.attribute("", "Algorithm").unwrap_or_default();
    let named = |namespace: &str, local: &str| match method.only(namespace, local) {
        Ok(None) => Ok(None),
        Ok(Some(one)) => Ok(one.attribute("", "Algorithm")),
        Err(()) => Err(refused(name)),
    };
    let digest = named(DSIG, "DigestMethod")?;
    let mask = named(XENC11, "MGF")?;
    let (sha1, sha256) = (format!("{DSIG}sha1"), format!("{XENC}sha256"));
    let (mask1, mask256) = (format!("{XENC11}mgf1sha1"), format!("{XENC11}mgf1sha256"));
    let is = |value: Option<&str>, default: &str, wanted: &str| value.unwrap_or(default) == wanted;
    let mgf1p = name == format!("{XENC}rsa-oaep-mgf1p");
    if !mgf1p && name != format!("{XENC11}rsa-oaep") {
        return Err(refused(name));
    }
    // A label would have to be the same on both sides; none is ever sent.
    if method.named(XENC, "OAEPparams").next().is_some() {
        return Err(refused(name));
    }
    match () {
        () if is(digest, &sha1, &sha1) && (mgf1p || is(mask, &mask1, &mask1)) => Ok(&OAEP_SHA1_MGF1SHA1),
        () if !mgf1p && is(digest, &sha1, &sha256) && is(mask, &mask1, &mask256) => Ok(&OAEP_SHA256_MGF1SHA256),
        // Each is allowed by itself, but the library has no key transport by one digest with a mask by another.
        () => Err(refused(&format!("{name} + {}", digest.unwrap_or(&sha1)))),
    }
}

fn read(encrypted: Element<'_>, cbc: bool) -> Result<Encrypted, LogOnRefusal> {
    let data = one(encrypted, XENC, "EncryptedData")?;
    let content = content(one(data, XENC, "EncryptionMethod")?, cbc)?;
    // The key stands inside the data's KeyInfo, or beside the data (SAML Core 2.3.4 allows both).
    let inside = data.named(DSIG, "KeyInfo").flat_map(|info| info.elements()).filter(|key| key.is(XENC, "EncryptedKey"));
    let mut keys = inside.chain(encrypted.elements().filter(|key| key.is(XENC, "EncryptedKey")));
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(structure("der er ikke netop én EncryptedKey", "there is not exactly one EncryptedKey"));
    };
    let transport = transport(one(key, XENC, "EncryptionMethod")?)?;
    Ok(Encrypted { content, transport, key: cipher_value(key)?, cipher: cipher_value(data)? })
}

/// Opens an EncryptedAssertion and parses what was in it, where it stood: among the namespaces of the message around it.
/// `cbc`: whether AES-CBC is turned on and the Response was signed, and its signature verified.
///
/// # Errors
/// `LogOnEncryption`, `LogOnStructure`, and `LogOnDecryption` for all that fails from the key on.
pub(super) fn open(
    encrypted: Element<'_>,
    keys: &[OaepPrivateDecryptingKey],
    cbc: bool,
    limits: &Limits,
) -> Result<Document, LogOnRefusal> {
    let read = read(encrypted, cbc)?;
    let plain = keys.iter().find_map(|key| {
        let content_key = content_key(key, &read)?;
        decrypted(read.content, &content_key, &read.cipher)
    });
    let plain = plain.ok_or(LogOnRefusal::LogOnDecryption)?;
    parse(encrypted, &plain, limits).ok_or(LogOnRefusal::LogOnDecryption)
}

fn content_key(key: &OaepPrivateDecryptingKey, read: &Encrypted) -> Option<Zeroizing<Vec<u8>>> {
    let mut room = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key.decrypt(read.transport, &read.key, &mut room, None).ok()?.len();
    let (Content::Gcm { key: wanted } | Content::Cbc { key: wanted }) = read.content;
    room.truncate(length);
    (length == wanted).then_some(room)
}

fn decrypted(content: Content, key: &[u8], cipher: &[u8]) -> Option<Vec<u8>> {
    match content {
        Content::Gcm { .. } => {
            let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
            let (nonce, sealed) = cipher.split_at_checked(NONCE)?;
            let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
            let mut sealed = sealed.to_vec();
            let plain = key.open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, Aad::empty(), &mut sealed).ok()?;
            Some(plain.to_vec())
        }
        Content::Cbc { .. } => {
            let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
            let (iv, sealed) = cipher.split_first_chunk::<BLOCK>()?;
            let key = DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
            let mut sealed = sealed.to_vec();
            let plain = key.decrypt(&mut sealed, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
            // XML Encryption's own padding: the last byte says how many there are, the others are arbitrary.
            let padding = usize::from(*plain.last()?);
            let length = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
            plain.get(..length).map(<[u8]>::to_vec)
        }
    }
}

/// The plaintext, byte for byte, in an element that declares what is in scope where the EncryptedAssertion stands.
fn parse(place: Element<'_>, plain: &[u8], limits: &Limits) -> Option<Document> {
    let mut seen: Vec<&str> = Vec::new();
    let mut xml = b"<opened".to_vec();
    let mut around = Some(place);
    while let Some(element) = around {
        for (prefix, uri) in element.declarations() {
            if seen.contains(&prefix) {
                continue;
            }
            seen.push(prefix);
            match (prefix.is_empty(), uri.is_empty()) {
                (_, true) => {}
                (true, false) => write::attribute(&mut xml, "xmlns", uri),
                (false, false) => write::attribute(&mut xml, &format!("xmlns:{prefix}"), uri),
            }
        }
        around = element.parent();
    }
    xml.push(b'>');
    xml.extend_from_slice(plain);
    xml.extend_from_slice(b"</opened>");
    let document = Document::parse(Bytes::from(xml), limits).ok()?;
    let root = document.root();
    let is_one = root.elements().count() == 1 && root.elements().all(|child| child.is(SAML, "Assertion"));
    (is_one && root.local() == "opened" && !root.has_stray_text()).then_some(document)
}
