//! How a content is encrypted: in frames, each of which can be opened by itself and in no other place.
//!
//! A content is cut into pieces of [`PIECE`] bytes, the last of which may be shorter; an empty content is one empty piece.
//! Each is encrypted with AES-256-GCM under the content's own key. The nonce is the piece's number and whether it is the last
//! (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): a frame that was altered, moved, left out or put
//! in does not open, nor does the end of a content that was cut short. The name of the object is bound in as associated data.
//! A key is used for one content, so that no nonce comes twice under it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::keys::FileKey;
use super::name::ObjectName;

/// Bytes of content in a frame, at most.
pub const PIECE: usize = 64 << 10;
/// What encryption adds to each.
pub const TAG: usize = 16;

/// The frames that a content of `length` bytes becomes.
pub fn frames(length: u64) -> u64 {
    length.div_ceil(PIECE as u64).max(1)
}

/// The bytes that a content of `length` bytes takes in the store.
pub fn stored_length(length: u64) -> u64 {
    length.saturating_add(frames(length).saturating_mul(TAG as u64))
}

/// It could not be encrypted, or does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotOpen;

/// Seals and opens the frames of one content.
pub struct Frames {
    key: LessSafeKey,
    name: [u8; 16],
}

impl Frames {
    /// The frames of the object `name` under its own key.
    ///
    /// # Errors
    /// The library refused the key.
    pub fn new(key: &FileKey, name: ObjectName) -> Result<Self, DoesNotOpen> {
        let key = UnboundKey::new(&AES_256_GCM, key.bytes()).map_err(|_| DoesNotOpen)?;
        Ok(Self { key: LessSafeKey::new(key), name: *name.uuid().as_bytes() })
    }

    /// Encrypts a piece behind what stands in `into`.
    ///
    /// # Errors
    /// More than 2³² frames.
    pub fn seal(&self, number: u64, last: bool, piece: &[u8], into: &mut Vec<u8>) -> Result<(), DoesNotOpen> {
        let nonce = nonce(number, last).ok_or(DoesNotOpen)?;
        let begins = into.len();
        into.reserve(piece.len() + TAG);
        into.extend_from_slice(piece);
        let frame = into.get_mut(begins..).ok_or(DoesNotOpen)?;
        let Ok(tag) = self.key.seal_in_place_separate_tag(nonce, Aad::from(&self.name), frame) else {
            // Nothing that is not encrypted stays there.
            into.truncate(begins);
            return Err(DoesNotOpen);
        };
        into.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Decrypts a frame in place.
    ///
    /// # Errors
    /// It is not the frame that was written at that place.
    pub fn open<'f>(&self, number: u64, last: bool, frame: &'f mut [u8]) -> Result<&'f [u8], DoesNotOpen> {
        let nonce = nonce(number, last).ok_or(DoesNotOpen)?;
        self.key.open_in_place(nonce, Aad::from(&self.name), frame).map(|piece| &*piece).map_err(|_| DoesNotOpen)
    }
}

fn nonce(number: u64, last: bool) -> Option<Nonce> {
    let [a, b, c, d] = u32::try_from(number).ok()?.to_be_bytes();
    let nonce: [u8; NONCE_LEN] = [0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(last)];
    Some(Nonce::assume_unique_for_key(nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(name: ObjectName, key: &FileKey) -> Frames {
        Frames::new(key, name).unwrap()
    }

    #[test]
    fn a_frame_opens_in_its_own_place_alone() {
        let (key, name) = (FileKey::random().unwrap(), ObjectName::random());
        let frames = frames_of(name, &key);
        let mut sealed = Vec::new();
        frames.seal(3, false, b"content", &mut sealed).unwrap();
        let opens = |frames: &Frames, number, last, frame: &[u8]| frames.open(number, last, &mut frame.to_vec()).is_ok();
        assert_eq!(frames.open(3, false, &mut sealed.clone()), Ok(&b"content"[..]));
        assert!(!opens(&frames, 4, false, &sealed), "another number");
        assert!(!opens(&frames, 3, true, &sealed), "as the last");
        assert!(!opens(&frames_of(ObjectName::random(), &key), 3, false, &sealed), "another object");
        assert!(!opens(&frames_of(name, &FileKey::random().unwrap()), 3, false, &sealed), "another key");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(!opens(&frames, 3, false, &altered), "byte {at}");
            assert!(!opens(&frames, 3, false, &sealed[..at]), "cut to {at}");
        }
    }

    #[test]
    fn the_length_in_the_store_follows_from_the_length_of_the_content() {
        let piece = PIECE as u64;
        for (length, due) in [(0, 16), (1, 17), (piece, piece + 16), (piece + 1, piece + 33), (3 * piece, 3 * piece + 48)] {
            assert_eq!(stored_length(length), due, "{length}");
        }
    }
}
