//! How a person is hidden in the audit, so that auditors can find and read what nobody else can.
//!
//! Two things stand for the person: a **pseudonym**, HMAC-SHA256 under a key of the gateway's, equal for equal persons, so
//! that "who saw this citizen" can be searched; and the **identifier encrypted** under a data key (AES-256-GCM) that is
//! itself encrypted to the auditors' public key by HPKE (RFC 9180, base mode: X25519, HKDF-SHA256, AES-256-GCM), and which
//! the gateway forgets within a minute. Each record holds all that its opening takes.
//!
//! There are fewer than 10¹⁰ CPR numbers, so a plain hash could be undone by trying them all; the key stops that, and is
//! therefore as secret as the log. The call id is bound into the encryption: an identifier moved to another record does
//! not open there.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac, rand,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::crypto::{
    aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256,
    hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::about::RUNNING_NUMBER;

/// Names what is sealed and in which form, so that a ciphertext of another use can never be passed off as one of these.
const INFO: &[u8] = b"hjemmel audit person v1";

/// The same for the ids of deliveries.
const DELIVERY: &[u8] = b"hjemmel audit delivery v1";

/// A data key is used for so long, and for so many persons, and then forgotten: two multiplications on the curve for each
/// call would be a twentieth of its cost. What reads the gateway's memory meanwhile sees the persons themselves.
const KEY_LIFE: Duration = Duration::from_secs(60);
const KEY_USES: u32 = 1000;

/// A person, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The keyed pseudonym, in hexadecimal.
    pub pseudonym: String,
    /// Which of the auditors' keys opens it: the first 16 hexadecimal digits of SHA-256 of the public key.
    pub key: String,
    /// HPKE's encapsulated key, base64.
    pub enc: String,
    /// The data key, encrypted by HPKE, base64.
    pub wrapped: String,
    /// The nonce (12 bytes) and the identifier, encrypted under the data key, base64.
    pub ciphertext: String,
}

/// The id of a delivery, as HMAC-SHA256 in hexadecimal: whoever has the id and the key of pseudonyms finds its calls. The
/// sender chooses the text of an id, so the log never holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryMark(String);

/// Why a person could not be sealed or opened. Says nothing about the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not ten digits.
    #[error("a CPR number is ten digits")]
    NotACpr,
    /// The library refused: a key of the wrong kind.
    #[error("the identifier could not be encrypted: is the auditors' key an X25519 key?")]
    Encryption,
    /// The identifier was sealed to another key of the auditors'.
    #[error("the identifier was sealed to another key")]
    OtherKey,
    /// It does not open: the key is another, or the sealed value was altered or belongs to another call.
    #[error("the identifier does not open with this key in this record")]
    DoesNotOpen,
}

/// The key under which persons become pseudonyms. Whoever has it can search.
#[derive(Clone)]
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    /// Takes 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The pseudonym of a CPR number (ten digits, without hyphen), in hexadecimal.
    ///
    /// # Errors
    /// [`SealError::NotACpr`].
    pub fn pseudonym(&self, cpr: &str) -> Result<String, SealError> {
        if cpr.len() != 10 || !cpr.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SealError::NotACpr);
        }
        let mut message = Zeroizing::new(INFO.to_vec());
        message.extend_from_slice(b"\0cpr\0");
        message.extend_from_slice(cpr.as_bytes());
        Ok(crate::hex::encode(hmac::sign(&self.0, &message).as_ref()))
    }

    /// The pseudonym of a file's name, in hexadecimal.
    fn file(&self, name: &str) -> String {
        let message = Zeroizing::new([INFO, b"\0file\0", name.as_bytes()].concat());
        crate::hex::encode(hmac::sign(&self.0, &message).as_ref())
    }

    /// The pseudonym of a person's number that is no CPR number, in hexadecimal.
    pub fn running(&self, number: &str) -> String {
        let message = Zeroizing::new([INFO, b"\0", RUNNING_NUMBER, b"\0", number.as_bytes()].concat());
        crate::hex::encode(hmac::sign(&self.0, &message).as_ref())
    }

    /// The mark of a delivery's id.
    pub fn delivery(&self, id: &str) -> DeliveryMark {
        let message = Zeroizing::new([DELIVERY, b"\0", id.as_bytes()].concat());
        DeliveryMark(crate::hex::encode(hmac::sign(&self.0, &message).as_ref()))
    }
}

/// A keyed digest of something that is no person, such as a delivery: HMAC-SHA256 over its purpose and parts. Whoever has the store
/// cannot tell what a mark stands for, not even by trying.
pub struct Marker(hmac::Context);

impl Marker {
    /// Takes a part, its length first, so that no two lists of parts give the same bytes.
    #[must_use]
    pub fn part(mut self, part: &[u8]) -> Self {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }
    /// Takes the next bytes of the last part, whose length is not known before.
    pub fn rest(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    /// The mark.
    pub fn finish(self) -> [u8; 32] {
        let mut mark = [0; 32];
        mark.iter_mut().zip(self.0.sign().as_ref()).for_each(|(to, from)| *to = *from);
        mark
    }
}

impl std::fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// What the gateway has: it can seal, and not open.
#[derive(Debug)]
pub struct Sealer {
    pseudonyms: PseudonymKey,
    auditors: HpkePublicKey,
    key: String,
    data_key: Mutex<Option<DataKey>>,
}

/// A key for the persons of the next minute, and what the auditors need to have it too.
#[derive(Debug)]
struct DataKey {
    key: RandomizedNonceKey,
    enc: String,
    wrapped: String,
    made: Instant,
    uses: u32,
}

impl DataKey {
    fn new(auditors: &HpkePublicKey) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut *bytes).map_err(|_| SealError::Encryption)?;
        let (enc, wrapped) =
            DH_KEM_X25519_HKDF_SHA256_AES_256.seal(INFO, &[], &*bytes, auditors).map_err(|_| SealError::Encryption)?;
        Ok(Self {
            key: RandomizedNonceKey::new(&AES_256_GCM, &*bytes).map_err(|_| SealError::Encryption)?,
            enc: BASE64_STANDARD.encode(enc.0),
            wrapped: BASE64_STANDARD.encode(wrapped),
            made: Instant::now(),
            uses: 0,
        })
    }

    fn is_spent(&self) -> bool {
        self.uses >= KEY_USES || self.made.elapsed() >= KEY_LIFE
    }
}

impl Sealer {
    /// Seals to the auditors' public key (32 bytes, X25519).
    pub fn new(pseudonyms: PseudonymKey, auditors: &[u8; 32]) -> Self {
        Self { pseudonyms, auditors: HpkePublicKey(auditors.to_vec()), key: key_id(auditors), data_key: Mutex::default() }
    }

    /// The mark of a delivery's id.
    pub fn delivery(&self, id: &str) -> DeliveryMark {
        self.pseudonyms.delivery(id)
    }

    /// Begins a mark for this purpose.
    pub fn marker(&self, purpose: &str) -> Marker {
        Marker(hmac::Context::with_key(&self.pseudonyms.0)).part(purpose.as_bytes())
    }

    /// Seals a CPR number (ten digits, without hyphen) for the record of one call.
    ///
    /// # Errors
    /// [`SealError::NotACpr`], [`SealError::Encryption`].
    pub fn seal(&self, call: Uuid, cpr: &str) -> Result<Sealed, SealError> {
        self.sealed(call, self.pseudonyms.pseudonym(cpr)?, cpr)
    }

    /// Seals the name of a file, which can hold a person's data, for the record of one call. Equal names have equal pseudonyms.
    ///
    /// # Errors
    /// [`SealError::Encryption`].
    pub fn seal_name(&self, call: Uuid, name: &str) -> Result<Sealed, SealError> {
        self.sealed(call, self.pseudonyms.file(name), name)
    }

    /// Seals the number that stands for a person where the CPR number is not kept, for the record of one call.
    ///
    /// # Errors
    /// [`SealError::Encryption`].
    pub fn seal_running(&self, call: Uuid, number: &str) -> Result<Sealed, SealError> {
        self.sealed(call, self.pseudonyms.running(number), number)
    }

    fn sealed(&self, call: Uuid, pseudonym: String, text: &str) -> Result<Sealed, SealError> {
        let mut held = self.data_key.lock().unwrap_or_else(PoisonError::into_inner);
        let data_key = match held.take().filter(|key| !key.is_spent()) {
            Some(key) => held.insert(key),
            None => held.insert(DataKey::new(&self.auditors)?),
        };
        data_key.uses += 1;
        let mut sealed = text.as_bytes().to_vec();
        let nonce =
            data_key.key.seal_in_place_append_tag(Aad::from(call.as_bytes()), &mut sealed).map_err(|_| SealError::Encryption)?;
        sealed.splice(..0, *nonce.as_ref());
        Ok(Sealed {
            pseudonym,
            key: self.key.clone(),
            enc: data_key.enc.clone(),
            wrapped: data_key.wrapped.clone(),
            ciphertext: BASE64_STANDARD.encode(sealed),
        })
    }
}

/// What the auditors have: the private key.
pub struct Auditors {
    private: HpkePrivateKey,
    key: String,
}

impl Auditors {
    /// Takes the pair (32 bytes each, X25519).
    pub fn new(private: &[u8; 32], public: &[u8; 32]) -> Self {
        Self { private: HpkePrivateKey::from(private.to_vec()), key: key_id(public) }
    }

    /// Opens the person of one call's record.
    ///
    /// # Errors
    /// [`SealError::OtherKey`], [`SealError::DoesNotOpen`].
    pub fn open(&self, call: Uuid, sealed: &Sealed) -> Result<Zeroizing<String>, SealError> {
        if sealed.key != self.key {
            return Err(SealError::OtherKey);
        }
        let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| SealError::DoesNotOpen);
        let enc = EncapsulatedSecret(decode(&sealed.enc)?);
        let data_key = DH_KEM_X25519_HKDF_SHA256_AES_256
            .open(&enc, INFO, &[], &decode(&sealed.wrapped)?, &self.private)
            .map(Zeroizing::new)
            .map_err(|_| SealError::DoesNotOpen)?;
        let data_key = RandomizedNonceKey::new(&AES_256_GCM, &data_key).map_err(|_| SealError::DoesNotOpen)?;
        let mut nonce = decode(&sealed.ciphertext)?;
        let mut person = Zeroizing::new(nonce.split_off(NONCE_LEN.min(nonce.len())));
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| SealError::DoesNotOpen)?;
        let person =
            data_key.open_in_place(nonce, Aad::from(call.as_bytes()), &mut person).map_err(|_| SealError::DoesNotOpen)?;
        std::str::from_utf8(person).map(|person| Zeroizing::new(person.to_owned())).map_err(|_| SealError::DoesNotOpen)
    }
}

/// What identifies a key: the first 16 hexadecimal digits of SHA-256 of its public half.
pub(super) fn key_id(public: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public);
    crate::hex::encode(digest.as_ref().get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPR: &str = "6101801234";

    fn pair() -> ([u8; 32], [u8; 32]) {
        let (public, private) = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair().unwrap();
        (private.secret_bytes().try_into().unwrap(), public.0.try_into().unwrap())
    }

    #[test]
    fn auditors_open_what_the_gateway_sealed() {
        let (private, public) = pair();
        let sealed = Sealer::new(PseudonymKey::new(&[7; 32]), &public).seal(Uuid::from_u128(1), CPR).unwrap();
        assert_eq!(Auditors::new(&private, &public).open(Uuid::from_u128(1), &sealed).unwrap().as_str(), CPR);
        assert!(!serde_json::to_string(&sealed).unwrap().contains(CPR));
    }

    #[test]
    fn a_sealed_person_opens_in_no_other_record_with_no_other_key_and_not_when_altered() {
        let (private, public) = pair();
        let (call, auditors) = (Uuid::from_u128(1), Auditors::new(&private, &public));
        let sealed = Sealer::new(PseudonymKey::new(&[7; 32]), &public).seal(call, CPR).unwrap();
        assert_eq!(auditors.open(Uuid::from_u128(2), &sealed), Err(SealError::DoesNotOpen), "moved to another record");
        let (other_private, other_public) = pair();
        assert_eq!(Auditors::new(&other_private, &other_public).open(call, &sealed), Err(SealError::OtherKey));
        assert_eq!(Auditors::new(&other_private, &public).open(call, &sealed), Err(SealError::DoesNotOpen));
        let mut altered = sealed.clone();
        for part in [&mut altered.enc, &mut altered.wrapped, &mut altered.ciphertext] {
            part.replace_range(0..1, if part.starts_with('A') { "B" } else { "A" });
        }
        for wrong in [
            Sealed { enc: altered.enc, ..sealed.clone() },
            Sealed { wrapped: altered.wrapped, ..sealed.clone() },
            Sealed { ciphertext: altered.ciphertext, ..sealed.clone() },
            Sealed { enc: "!".into(), ..sealed.clone() },
            Sealed { wrapped: String::new(), ..sealed.clone() },
            Sealed { ciphertext: String::new(), ..sealed.clone() },
            Sealed { ciphertext: BASE64_STANDARD.encode([0; 12]), ..sealed.clone() },
        ] {
            assert_eq!(auditors.open(call, &wrong), Err(SealError::DoesNotOpen), "{wrong:?}");
        }
    }

    #[test]
    fn a_data_key_serves_many_records_and_is_then_forgotten_and_each_record_opens_by_itself() {
        let (private, public) = pair();
        let sealer = Sealer::new(PseudonymKey::new(&[7; 32]), &public);
        let calls = || (0..u128::from(KEY_USES) + 1).map(Uuid::from_u128);
        let sealed: Vec<_> = calls().map(|call| sealer.seal(call, CPR).unwrap()).collect();
        let keys: std::collections::BTreeSet<_> = sealed.iter().map(|sealed| (&sealed.enc, &sealed.wrapped)).collect();
        assert_eq!(keys.len(), 2, "one more than {KEY_USES}");
        let auditors = Auditors::new(&private, &public);
        for (call, sealed) in calls().zip(&sealed).step_by(100) {
            assert_eq!(auditors.open(call, sealed).unwrap().as_str(), CPR);
        }
        assert_eq!(auditors.open(Uuid::from_u128(1), &sealed[2]), Err(SealError::DoesNotOpen), "of the same key");
        let old = Instant::now().checked_sub(KEY_LIFE).unwrap();
        sealer.data_key.lock().unwrap().as_mut().unwrap().made = old;
        let later = sealer.seal(Uuid::nil(), CPR).unwrap();
        assert!(!keys.contains(&(&later.enc, &later.wrapped)), "a minute later");
    }

    #[test]
    fn pseudonyms_are_equal_for_equal_persons_and_keys_only() {
        let (one, two) = (PseudonymKey::new(&[1; 32]), PseudonymKey::new(&[2; 32]));
        assert_eq!(one.pseudonym(CPR), one.pseudonym(CPR));
        assert_ne!(one.pseudonym(CPR), two.pseudonym(CPR));
        assert_ne!(one.pseudonym(CPR), one.pseudonym("6101801235"));
        assert_eq!(one.pseudonym(CPR).unwrap().len(), 64);
    }

    #[test]
    fn one_person_is_never_encrypted_twice_alike_so_that_only_the_key_holder_can_link() {
        let (_, public) = pair();
        let sealer = Sealer::new(PseudonymKey::new(&[7; 32]), &public);
        assert_ne!(sealer.seal(Uuid::nil(), CPR).unwrap().ciphertext, sealer.seal(Uuid::nil(), CPR).unwrap().ciphertext);
    }

    #[test]
    fn only_ten_digits_are_sealed_because_another_spelling_would_be_another_pseudonym() {
        let key = PseudonymKey::new(&[1; 32]);
        for wrong in ["", "610180-1234", "610180123", "61018012345", "610180123a", "６101801234"] {
            assert_eq!(key.pseudonym(wrong), Err(SealError::NotACpr), "{wrong:?}");
        }
    }
}
