//! The installation's content keys, and the keys of single contents that are sealed with them.
//!
//! A content key is a file of 32 random bytes in hexadecimal, made by `hjemmel objects key` and readable by its owner alone. It
//! is never in a store or its backup. Where it is replaced, the earlier one stays configured until no content is under it.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::ObjectError;
use super::name::ObjectName;

/// The key of one content, in the clear.
pub struct FileKey(Zeroizing<[u8; 32]>);

impl FileKey {
    /// A new one; none where the library has no random bytes.
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// The key of one content, sealed with a key of the installation: what rows keep.
///
/// Bytes: 1 (the form), 8 of the installation key's id, 12 of nonce, 48 of sealed key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey([u8; SEALED]);

/// A text of a row could not be encrypted, or does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the store keeps encrypted does not open with the keys at hand; name the file of the key that it is under")]
pub struct NotSealed;

const FORM: u8 = 1;
/// The form of a text that is encrypted itself.
const TEXT: u8 = 2;
const ID: usize = 8;
const SEALED: usize = 1 + ID + 12 + 48;

impl SealedKey {
    /// As rows keep it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From what a row keeps; none where it is no sealed key.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; SEALED] = bytes.try_into().ok()?;
        (bytes.first() == Some(&FORM)).then_some(Self(bytes))
    }

    /// The id of the installation's key that it is sealed with, in hexadecimal.
    pub fn key_id(&self) -> String {
        crate::hex::encode(self.0.get(1..=ID).unwrap_or_default())
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKey(under {})", self.key_id())
    }
}

/// A key of the installation.
struct ContentKey {
    id: [u8; ID],
    key: RandomizedNonceKey,
}

/// The installation's keys: the one that seals, and earlier ones that still open.
pub struct ContentKeys {
    current: ContentKey,
    earlier: Vec<ContentKey>,
}

impl fmt::Debug for ContentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKeys({})", crate::hex::encode(&self.current.id))
    }
}

/// Why a key file cannot be used. Holds nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be read or made.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{} is not 32 bytes in hexadecimal; name the file that `hjemmel objects key FILE` made", .0.display())]
    Content(PathBuf),
    /// The library could not make a key.
    #[error("a key could not be made")]
    Generation,
}

impl ContentKeys {
    /// Reads the key that seals and those that only open.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(current: &Path, earlier: &[PathBuf]) -> Result<Self, KeyError> {
        Ok(Self {
            current: ContentKey::read(current)?,
            earlier: earlier.iter().map(|path| ContentKey::read(path)).collect::<Result<_, _>>()?,
        })
    }

    /// The id of the key that seals, in hexadecimal.
    pub fn id(&self) -> String {
        crate::hex::encode(&self.current.id)
    }

    /// Seals a content's key for its row.
    ///
    /// # Errors
    /// [`ObjectError::Encryption`].
    pub fn seal(&self, key: &FileKey, name: ObjectName) -> Result<SealedKey, ObjectError> {
        let mut sealed = Zeroizing::new(key.bytes().to_vec());
        let aad = Aad::from(*name.uuid().as_bytes());
        let nonce = self.current.key.seal_in_place_append_tag(aad, &mut *sealed).map_err(|_| ObjectError::Encryption)?;
        let all = [&[FORM], self.current.id.as_slice(), nonce.as_ref().as_slice(), sealed.as_slice()].concat();
        SealedKey::from_bytes(&all).ok_or(ObjectError::Encryption)
    }

    /// Opens the key of the object `name`.
    ///
    /// # Errors
    /// [`ObjectError::OtherKey`], [`ObjectError::Damaged`].
    pub fn open(&self, sealed: &SealedKey, name: ObjectName) -> Result<FileKey, ObjectError> {
        let damaged = || ObjectError::Damaged(name);
        let (head, rest) = sealed.0.split_at_checked(1 + ID).ok_or_else(damaged)?;
        let (nonce, wrapped) = rest.split_at_checked(12).ok_or_else(damaged)?;
        let held = std::iter::once(&self.current).chain(&self.earlier).find(|held| head.get(1..) == Some(held.id.as_slice()));
        let held = held.ok_or_else(|| ObjectError::OtherKey { name, key: sealed.key_id() })?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut wrapped = Zeroizing::new(wrapped.to_vec());
        let aad = Aad::from(*name.uuid().as_bytes());
        let opened = held.key.open_in_place(nonce, aad, &mut wrapped).map_err(|_| damaged())?;
        <[u8; 32]>::try_from(&*opened).map(|key| FileKey(Zeroizing::new(key))).map_err(|_| damaged())
    }

    /// Encrypts a short text for its row; `of` says which row, and must be the same when it is opened.
    ///
    /// Bytes: 2 (the form), 8 of the installation key's id, 12 of nonce, the ciphertext with its tag.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub fn seal_text(&self, of: &[u8], text: &[u8]) -> Result<Vec<u8>, NotSealed> {
        let mut sealed = text.to_vec();
        let nonce = self.current.key.seal_in_place_append_tag(Aad::from(of), &mut sealed).map_err(|_| NotSealed)?;
        Ok([&[TEXT], self.current.id.as_slice(), nonce.as_ref().as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what [`ContentKeys::seal_text`] made of the same row.
    ///
    /// # Errors
    /// [`NotSealed`]: it was altered, belongs to another row, or is under a key that is not at hand.
    pub fn open_text(&self, of: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotSealed> {
        let (head, rest) = sealed.split_at_checked(1 + ID).ok_or(NotSealed)?;
        let (nonce, sealed) = rest.split_at_checked(12).ok_or(NotSealed)?;
        let is_named = |held: &&ContentKey| head.first() == Some(&TEXT) && head.get(1..) == Some(held.id.as_slice());
        let held = std::iter::once(&self.current).chain(&self.earlier).find(is_named).ok_or(NotSealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotSealed)?;
        let mut opened = sealed.to_vec();
        let length = held.key.open_in_place(nonce, Aad::from(of), &mut opened).map_err(|_| NotSealed)?.len();
        opened.truncate(length);
        Ok(opened)
    }

    /// The same key sealed with the installation's present key, where it is under an earlier one: for replacing that.
    ///
    /// # Errors
    /// Those of [`ContentKeys::open`].
    pub fn renew(&self, sealed: &SealedKey, name: ObjectName) -> Result<Option<SealedKey>, ObjectError> {
        if sealed.key_id() == self.id() {
            return Ok(None);
        }
        self.seal(&self.open(sealed, name)?, name).map(Some)
    }
}

impl ContentKey {
    fn read(path: &Path) -> Result<Self, KeyError> {
        let text =
            Zeroizing::new(std::fs::read_to_string(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?);
        let bytes: Option<[u8; 32]> = crate::hex::decode(text.trim());
        let bytes = Zeroizing::new(bytes.ok_or_else(|| KeyError::Content(path.to_owned()))?);
        let mut id = [0; ID];
        // Said of the key and something beside it, so that the id is no digest of the key alone.
        let of_key = digest(&SHA256, &Zeroizing::new([b"hjemmel content key\0".as_slice(), bytes.as_slice()].concat()));
        id.iter_mut().zip(of_key.as_ref()).for_each(|(to, from)| *to = *from);
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice()).map_err(|_| KeyError::Generation)?;
        Ok(Self { id, key })
    }
}

/// Makes a content key in a file that was not there before, readable by its owner alone.
///
/// # Errors
/// [`KeyError::File`], also where the file is there already; [`KeyError::Generation`].
pub fn generate(path: &Path) -> Result<(), KeyError> {
    let key = FileKey::random().ok_or(KeyError::Generation)?;
    let text = Zeroizing::new(format!("{}\n", crate::hex::encode(key.bytes())));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| KeyError::File { path: path.to_owned(), source })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Keys for a test.
    pub fn keys(dir: &Path, name: &str, earlier: &[&str]) -> ContentKeys {
        let path = dir.join(name);
        if !path.exists() {
            generate(&path).unwrap();
        }
        let earlier: Vec<_> = earlier.iter().map(|name| dir.join(name)).collect();
        ContentKeys::read(&path, &earlier).unwrap()
    }

    #[test]
    fn a_sealed_key_opens_for_its_own_object_under_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, others) = (keys(dir.path(), "a.key", &[]), keys(dir.path(), "b.key", &[]));
        let (key, name) = (FileKey::random().unwrap(), ObjectName::random());
        let sealed = keys.seal(&key, name).unwrap();
        assert_eq!(keys.open(&SealedKey::from_bytes(sealed.as_bytes()).unwrap(), name).unwrap().bytes(), key.bytes());
        assert!(matches!(keys.open(&sealed, ObjectName::random()), Err(ObjectError::Damaged(_))));
        assert!(matches!(others.open(&sealed, name), Err(ObjectError::OtherKey { key, .. }) if key == keys.id()));
    }

    #[test]
    fn a_text_opens_for_its_own_row_under_a_key_at_hand_and_not_where_it_was_altered() {
        let dir = tempfile::tempdir().unwrap();
        let before = keys(dir.path(), "a.key", &[]);
        let sealed = before.seal_text(b"row 1", b"a receipt").unwrap();
        assert!(!sealed.windows(9).any(|bytes| bytes == b"a receipt"));
        assert_eq!(before.open_text(b"row 1", &sealed).unwrap(), b"a receipt");
        assert_eq!(keys(dir.path(), "b.key", &["a.key"]).open_text(b"row 1", &sealed).unwrap(), b"a receipt");
        assert_eq!(keys(dir.path(), "b.key", &[]).open_text(b"row 1", &sealed), Err(NotSealed));
        assert_eq!(before.open_text(b"row 2", &sealed), Err(NotSealed));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(before.open_text(b"row 1", &altered), Err(NotSealed), "byte {at}");
        }
        assert_eq!(before.open_text(b"row 1", &sealed[..20]), Err(NotSealed));
    }

    #[test]
    fn a_replaced_key_still_opens_and_gives_its_contents_over_to_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let before = keys(dir.path(), "a.key", &[]);
        let (key, name) = (FileKey::random().unwrap(), ObjectName::random());
        let sealed = before.seal(&key, name).unwrap();
        let now = keys(dir.path(), "b.key", &["a.key"]);
        let renewed = now.renew(&sealed, name).unwrap().unwrap();
        assert_eq!(now.renew(&renewed, name).unwrap(), None, "once is enough");
        assert_eq!(keys(dir.path(), "b.key", &[]).open(&renewed, name).unwrap().bytes(), key.bytes());
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        std::fs::write(&path, "secret, but too short").unwrap();
        let told = ContentKeys::read(&path, &[]).unwrap_err().to_string();
        assert!(told.contains("a.key") && !told.contains("secret"), "{told}");
        assert!(matches!(generate(&path), Err(KeyError::File { .. })), "nothing is overwritten");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        keys(dir.path(), "a.key", &[]);
        assert_eq!(dir.path().join("a.key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
