//! From the bytes of a channel to requests.
//!
//! A packet is 4 bytes of length and as many that follow: a type, the request's id, and what the type says. Lengths are untrusted:
//! nothing is allocated from one. A packet that is too long is skipped to its end and refused, so that the next one is read where it
//! begins.

use bytes::{Buf, Bytes, BytesMut};
use russh_sftp::protocol::{Packet, StatusCode};

/// The longest packet taken, in bytes after the length: the most data of one WRITE, and what stands around it.
pub const LONGEST_PACKET: u32 = 256 << 10;
/// The most data in one READ or WRITE.
pub const MOST_DATA: u32 = LONGEST_PACKET - 1024;
/// A longer one is no SFTP.
const ABSURD: u32 = 16 << 20;
/// The longest path, in bytes.
const LONGEST_PATH: usize = 4096;

const INIT: u8 = 1;
const WRITE: u8 = 6;
/// So much data of a WRITE or more is kept in the buffer that it came in; of less there is a copy, for the buffer may hold much besides.
const WORTH_HOLDING: usize = 128 << 10;
/// Once so much of a packet is there, room is made for all of it.
const BEGUN: usize = 32 << 10;
/// Of what comes at once so much may be behind a packet's end.
const BEHIND: usize = 64 << 10;

/// What came.
#[derive(Debug)]
pub enum Incoming {
    /// The client's version.
    Init,
    /// READ, as small as it can be: a client may ask for a whole file at once.
    Read {
        /// Of the request.
        id: u32,
        /// Of the open file; `None` for what is no handle of ours.
        handle: Option<u32>,
        /// Where.
        offset: u64,
        /// How much, at most [`MOST_DATA`].
        length: u32,
    },
    /// WRITE, whose data the library would copy.
    Write(Box<Write>),
    /// Any other request.
    Request(Box<Packet>),
    /// A request that cannot be done, and the answer to it.
    Refused(u32, StatusCode),
}

/// What is to be written.
#[derive(Debug)]
pub struct Write {
    /// Of the request.
    pub id: u32,
    /// Of the open file; `None` for what is no handle of ours.
    pub handle: Option<u32>,
    /// Where.
    pub offset: u64,
    /// What.
    pub data: Bytes,
}

impl Incoming {
    /// The bytes of the request that are held until it is answered.
    pub fn held(&self) -> usize {
        match self {
            Incoming::Write(write) if write.data.len() < WORTH_HOLDING => 256 + write.data.len(),
            Incoming::Write(write) => 256 + write.data.len() + BEHIND,
            Incoming::Request(packet) => match &**packet {
                Packet::Extended(extended) => 256 + extended.data.len(),
                _ => 4096,
            },
            _ => 0,
        }
    }
}

/// The bytes are no SFTP, and what follows cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSftp;

/// A handle as the wire has it: eight hexadecimal digits.
pub fn handle_of(text: &str) -> Option<u32> {
    let is_ours = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_ours.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Cuts what arrives into packets.
#[derive(Default)]
pub struct Packets {
    held: BytesMut,
    /// Bytes of a packet that was too long, still to come.
    skip: usize,
}

impl Packets {
    /// Takes the next bytes of the channel.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        bytes.advance(skipped);
        self.skip -= skipped;
        self.held.extend_from_slice(bytes);
    }

    /// The next packet that is whole.
    ///
    /// # Errors
    /// The channel does not speak SFTP.
    pub fn next(&mut self) -> Result<Option<Incoming>, NotSftp> {
        let Some(length) = self.held.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)) else {
            self.rest();
            return Ok(None);
        };
        match length {
            0..5 | ABSURD.. => Err(NotSftp),
            5..=LONGEST_PACKET => {
                let whole = 4 + length as usize;
                if self.held.len() < whole {
                    if self.held.len() >= BEGUN {
                        // With what comes behind it: a buffer that is too small for both would be made twice as large.
                        self.held.reserve(whole - self.held.len() + BEHIND);
                    }
                    return Ok(None);
                }
                let mut packet = self.held.split_to(whole).freeze();
                packet.advance(4);
                Ok(Some(request(packet)?))
            }
            _ => {
                let Some([_, _, _, _, _, id @ ..]) = self.held.first_chunk::<9>().copied() else { return Ok(None) };
                let there = self.held.len().min(4 + length as usize);
                self.skip = 4 + length as usize - there;
                self.held.advance(there);
                Ok(Some(Incoming::Refused(u32::from_be_bytes(id), StatusCode::BadMessage)))
            }
        }
    }

    /// Between packets a session keeps no buffer: most are idle.
    fn rest(&mut self) {
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }
}

/// Reads one packet.
fn request(mut packet: Bytes) -> Result<Incoming, NotSftp> {
    let Some([kind, id @ ..]) = packet.first_chunk::<5>().copied() else { return Err(NotSftp) };
    let id = u32::from_be_bytes(id);
    match kind {
        INIT => return Ok(Incoming::Init),
        WRITE => {
            packet.advance(5);
            return Ok(write(id, packet).unwrap_or(Incoming::Refused(id, StatusCode::BadMessage)));
        }
        3..=20 | 200 => {}
        // Answers, and what no client of version 3 sends.
        _ => return Ok(Incoming::Refused(id, StatusCode::OpUnsupported)),
    }
    let Ok(packet) = Packet::try_from(&mut packet) else { return Ok(Incoming::Refused(id, StatusCode::BadMessage)) };
    Ok(match packet {
        Packet::Read(read) => {
            Incoming::Read { id, handle: handle_of(&read.handle), offset: read.offset, length: read.len.min(MOST_DATA) }
        }
        packet if longest_text(&packet) > LONGEST_PATH => Incoming::Refused(id, StatusCode::BadMessage),
        packet => Incoming::Request(Box::new(packet)),
    })
}

/// Reads a WRITE from behind its id.
fn write(id: u32, mut packet: Bytes) -> Option<Incoming> {
    let handle = text(&mut packet)?;
    let offset = packet.try_get_u64().ok()?;
    let data = text(&mut packet)?;
    let handle = std::str::from_utf8(&handle).ok().and_then(handle_of);
    let data = if data.len() < WORTH_HOLDING { Bytes::copy_from_slice(&data) } else { data };
    Some(Incoming::Write(Box::new(Write { id, handle, offset, data })))
}

/// The bytes behind their length.
fn text(packet: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(packet.try_get_u32().ok()?).ok()?;
    (length <= packet.len()).then(|| packet.split_to(length))
}

/// The bytes of the longest path that a request names.
fn longest_text(packet: &Packet) -> usize {
    match packet {
        Packet::Open(open) => open.filename.len(),
        Packet::Lstat(stat) => stat.path.len(),
        Packet::Stat(stat) => stat.path.len(),
        Packet::SetStat(set) => set.path.len(),
        Packet::OpenDir(open) => open.path.len(),
        Packet::Remove(remove) => remove.filename.len(),
        Packet::MkDir(make) => make.path.len(),
        Packet::RmDir(remove) => remove.path.len(),
        Packet::RealPath(real) => real.path.len(),
        Packet::Rename(rename) => rename.oldpath.len().max(rename.newpath.len()),
        Packet::ReadLink(read) => read.path.len(),
        Packet::Symlink(link) => link.linkpath.len().max(link.targetpath.len()),
        // At most two paths with their lengths.
        Packet::Extended(extended) => extended.request.len().max(extended.data.len().saturating_sub(8) / 2),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    }

    fn text(text: &[u8]) -> Vec<u8> {
        framed(text)
    }

    fn all(packets: &mut Packets) -> Vec<Incoming> {
        std::iter::from_fn(|| packets.next().unwrap()).collect()
    }

    #[test]
    fn a_packet_that_is_too_long_is_refused_and_the_next_is_read_where_it_begins() {
        let mut long = vec![6, 0, 0, 0, 9];
        long.resize(LONGEST_PACKET as usize + 1, b'x');
        let stat = [&[17, 0, 0, 0, 10][..], &text(b"/OUT")].concat();
        let bytes = [framed(&long), framed(&stat)].concat();
        for piece in [1, 7, 1000, bytes.len()] {
            let mut packets = Packets::default();
            let mut came = Vec::new();
            for piece in bytes.chunks(piece) {
                packets.feed(piece);
                came.extend(all(&mut packets));
                assert!(packets.held.len() <= LONGEST_PACKET as usize + 4 + piece.len());
            }
            assert!(matches!(came.as_slice(), [Incoming::Refused(9, StatusCode::BadMessage), Incoming::Request(_)]), "{came:?}");
        }
    }

    #[test]
    fn a_write_is_read_as_the_library_writes_it_and_what_is_cut_short_is_refused() {
        for length in [0, 1, 1000, WORTH_HOLDING - 1, WORTH_HOLDING, MOST_DATA as usize] {
            let data: Vec<u8> = std::iter::repeat_n(*b"01234567", length.div_ceil(8)).flatten().take(length).collect();
            let theirs =
                russh_sftp::protocol::Write { id: 9, handle: "0000001f".to_owned(), offset: 1 << 40, data: data.clone() };
            let bytes = Bytes::try_from(Packet::Write(theirs)).unwrap();
            for piece in [997, BEGUN, bytes.len()] {
                let mut packets = Packets::default();
                let came: Vec<Incoming> = bytes
                    .chunks(piece)
                    .flat_map(|piece| {
                        packets.feed(piece);
                        all(&mut packets)
                    })
                    .collect();
                let [Incoming::Write(write)] = came.as_slice() else { panic!("{length}: {came:?}") };
                assert_eq!((write.id, write.handle, write.offset), (9, Some(31), 1 << 40), "{length}");
                assert!(write.data == data, "{length}");
            }
        }
        let whole = [&[WRITE, 0, 0, 0, 3][..], &text(b"0000001f"), &[0; 8], &text(b"data")].concat();
        for cut in 5..whole.len() {
            let mut packets = Packets::default();
            packets.feed(&framed(&whole[..cut]));
            let came = all(&mut packets);
            assert!(matches!(came.as_slice(), [Incoming::Refused(3, StatusCode::BadMessage)]), "{cut}: {came:?}");
        }
        let mut packets = Packets::default();
        packets.feed(&framed(&[&[WRITE, 0, 0, 0, 3][..], &text(b"\xff"), &[0; 8], &text(b"data")].concat()));
        assert!(matches!(all(&mut packets).as_slice(), [Incoming::Write(write)] if write.handle.is_none()));
    }

    #[test]
    fn a_large_write_is_not_copied_for_what_comes_with_its_end_and_counts_all_that_it_holds() {
        let write = [&[WRITE, 0, 0, 0, 9][..], &text(b"0000001f"), &[0; 8], &text(&vec![b'x'; MOST_DATA as usize])].concat();
        let (mut packets, mut came) = (Packets::default(), Vec::new());
        for piece in framed(&write).repeat(3).chunks(BEHIND - 1) {
            let (begun, room) = (packets.held.len() >= BEGUN, packets.held.capacity());
            packets.feed(piece);
            assert!(!begun || packets.held.capacity() == room, "{room}");
            // They wait, as where the disk is slow.
            for write in all(&mut packets) {
                assert!(begun && write.held() >= room, "{room}");
                came.push(write);
            }
        }
        assert_eq!(came.len(), 3);
    }

    #[test]
    fn a_length_that_no_client_sends_ends_the_channel_and_allocates_nothing() {
        for length in [0u32, 4, ABSURD, u32::MAX] {
            let mut packets = Packets::default();
            packets.feed(&length.to_be_bytes());
            assert!(packets.next().is_err(), "{length}");
            assert!(packets.held.capacity() < 1024);
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_id() {
        for (body, code) in [
            (vec![2, 0, 0, 0, 3], StatusCode::OpUnsupported),
            (vec![21, 0, 0, 0, 3], StatusCode::OpUnsupported),
            (vec![103, 0, 0, 0, 3], StatusCode::OpUnsupported),
            (vec![17, 0, 0, 0, 3], StatusCode::BadMessage),
            (vec![17, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff], StatusCode::BadMessage),
            ([&[17, 0, 0, 0, 3][..], &text(&[b'a'; 4097])].concat(), StatusCode::BadMessage),
        ] {
            let mut packets = Packets::default();
            packets.feed(&framed(&body));
            let came = all(&mut packets);
            assert!(matches!(came.as_slice(), [Incoming::Refused(3, found)] if *found == code), "{body:?} {came:?}");
        }
    }

    #[test]
    fn only_handles_of_our_form_are_handles() {
        assert_eq!(handle_of("0000001f"), Some(31));
        for other in ["", "1f", "0000001F", "+000001f", "00000001f", "\u{fffd}\u{fffd}aa"] {
            assert_eq!(handle_of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_are_held_beyond_a_packet(bytes in proptest::collection::vec(any::<u8>(), 0..2000), piece in 1usize..500) {
            let mut packets = Packets::default();
            for piece in bytes.chunks(piece) {
                packets.feed(piece);
                while let Ok(Some(_)) = packets.next() {}
                prop_assert!(packets.held.len() <= bytes.len());
            }
        }

        #[test]
        fn no_body_of_a_request_panics(kind in prop_oneof![3u8..=20, Just(200)], body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut packets = Packets::default();
            packets.feed(&framed(&[&[kind, 0, 0, 0, 1][..], &body].concat()));
            prop_assert!(matches!(packets.next(), Ok(Some(_))));
            prop_assert!(matches!(packets.next(), Ok(None)));
        }
    }
}
