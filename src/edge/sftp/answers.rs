//! Answers as clients of version 3 want them: full attributes with the kind of file, and long names as `ls -l` writes them.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use russh_sftp::protocol::{
    Attrs, ExtendedReply, File, FileAttributes, Handle, Name as Names, Packet, Status, StatusCode, Version,
};

use crate::files::home::{Entry, Problem};

/// The version that is spoken.
const VERSION: u32 = 3;
/// What is offered beyond it. Not `supported` and `vendor-id`, which belong to later versions and lead clients astray.
const EXTENSIONS: [(&str, &str); 4] =
    [("posix-rename@openssh.com", "1"), ("statvfs@openssh.com", "2"), ("fsync@openssh.com", "1"), ("limits@openssh.com", "1")];

const FOLDER_MODE: u32 = 0o040_700;
const FILE_MODE: u32 = 0o100_600;
/// How old a file may be for `ls -l` to write the time rather than the year.
const RECENT: SignedDuration = SignedDuration::from_hours(182 * 24);

/// Writes a packet behind what stands in `out`.
pub fn write(out: &mut BytesMut, packet: Packet) {
    // The library fails on a packet of 4 GB and on nothing else; ours are small.
    if let Ok(bytes) = Bytes::try_from(packet) {
        out.extend_from_slice(&bytes);
    }
}

/// The answer to INIT, whatever version was asked for.
pub fn version() -> Packet {
    let extensions = EXTENSIONS.map(|(name, version)| (name.to_owned(), version.to_owned()));
    Packet::Version(Version { version: VERSION, extensions: HashMap::from(extensions) })
}

/// A status with the words of a problem.
pub fn problem(id: u32, problem: &Problem) -> Packet {
    let told = problem.describe();
    status(id, code(problem), &told.danish, &told.english)
}

/// Each problem's status. Clients know few: what has none is FAILURE, and FAILURE is what an existing name must be.
pub fn code(problem: &Problem) -> StatusCode {
    match problem {
        Problem::NoSuchFile => StatusCode::NoSuchFile,
        Problem::Denied | Problem::NameNotAllowed | Problem::KeyNotAllowed => StatusCode::PermissionDenied,
        Problem::Exists
        | Problem::NoSpace
        | Problem::DiskFull
        | Problem::TooLarge
        | Problem::NotWhole
        | Problem::Busy
        | Problem::Unavailable
        | Problem::Refused(_) => StatusCode::Failure,
    }
}

/// A status.
pub fn status(id: u32, status_code: StatusCode, danish: &str, english: &str) -> Packet {
    let error_message = format!("{danish} / {english}");
    Packet::Status(Status { id, status_code, error_message, language_tag: "da".to_owned() })
}

/// Done.
pub fn done(id: u32) -> Packet {
    status(id, StatusCode::Ok, "Udført.", "Done.")
}

/// The end of a file or a listing.
pub fn end(id: u32) -> Packet {
    status(id, StatusCode::Eof, "Slut.", "End.")
}

/// A status of the protocol itself.
pub fn refused(id: u32, code: StatusCode) -> Packet {
    match code {
        StatusCode::OpUnsupported => status(id, code, "Understøttes ikke.", "Not supported."),
        StatusCode::BadMessage => status(id, code, "Forespørgslen kan ikke læses.", "The request cannot be read."),
        code => status(id, code, "Kan ikke udføres.", "Cannot be done."),
    }
}

/// A handle.
pub fn handle(id: u32, handle: u32) -> Packet {
    Packet::Handle(Handle { id, handle: format!("{handle:08x}") })
}

/// Attributes.
pub fn attributes(id: u32, attrs: FileAttributes) -> Packet {
    Packet::Attrs(Attrs { id, attrs })
}

/// Data of a READ: written past the library, which would copy it twice.
pub fn data(out: &mut BytesMut, id: u32, data: &[u8]) {
    const DATA: u8 = 103;
    let Ok(length) = u32::try_from(data.len()) else { return };
    out.reserve(13 + data.len());
    out.put_u32(length.saturating_add(9));
    out.put_u8(DATA);
    out.put_u32(id);
    out.put_u32(length);
    out.extend_from_slice(data);
}

/// The answer to an extended request: numbers, one behind the other.
pub fn numbers(id: u32, numbers: &[u64]) -> Packet {
    Packet::ExtendedReply(ExtendedReply { id, data: numbers.iter().flat_map(|number| number.to_be_bytes()).collect() })
}

/// The path that REALPATH found.
pub fn path(id: u32, path: String) -> Packet {
    let file = File { longname: path.clone(), filename: path, attrs: FileAttributes::empty() };
    Packet::Name(Names { id, files: vec![file] })
}

/// Files of a listing.
pub fn listing(id: u32, files: Vec<File>) -> Packet {
    Packet::Name(Names { id, files })
}

fn seconds(instant: Timestamp) -> u32 {
    u32::try_from(instant.as_second()).unwrap_or(0)
}

fn attrs(permissions: u32, size: u64, modified: Timestamp) -> FileAttributes {
    let time = Some(seconds(modified));
    FileAttributes {
        size: Some(size),
        uid: Some(0),
        user: None,
        gid: Some(0),
        group: None,
        permissions: Some(permissions),
        atime: time,
        mtime: time,
    }
}

/// Of a folder, which is as old as the session.
pub fn of_folder(since: Timestamp) -> FileAttributes {
    attrs(FOLDER_MODE, 0, since)
}

/// Of a file.
pub fn of_file(entry: &Entry) -> FileAttributes {
    attrs(FILE_MODE, entry.size, entry.modified)
}

/// A line of a listing for a folder.
pub fn folder_line(name: &str, since: Timestamp, now: Timestamp) -> File {
    let longname = long_name("drwx------", 0, since, now, name);
    File { filename: name.to_owned(), longname, attrs: of_folder(since) }
}

/// A line of a listing for a file.
pub fn file_line(entry: &Entry, now: Timestamp) -> File {
    let name = entry.name.spelt();
    let longname = long_name("-rw-------", entry.size, entry.modified, now, name);
    File { filename: name.to_owned(), longname, attrs: of_file(entry) }
}

fn long_name(mode: &str, size: u64, modified: Timestamp, now: Timestamp, name: &str) -> String {
    let is_recent = (SignedDuration::ZERO..RECENT).contains(&now.duration_since(modified));
    let time = modified.to_zoned(TimeZone::UTC).strftime(if is_recent { "%b %e %H:%M" } else { "%b %e  %Y" }).to_string();
    format!("{mode}    1 hjemmel  hjemmel  {size:>8} {time} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::name::Name;

    #[test]
    fn long_names_read_as_ls_writes_them() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-29T12:00:00Z");
        let entry = |modified| Entry { name: Name::new("a b.xml").unwrap(), size: 1234, modified: at(modified) };
        let recent = file_line(&entry("2026-11-05T07:08:09Z"), now).longname;
        assert_eq!(recent, "-rw-------    1 hjemmel  hjemmel      1234 Nov  5 07:08 a b.xml");
        let old = file_line(&entry("2025-01-15T07:08:09Z"), now).longname;
        assert_eq!(old, "-rw-------    1 hjemmel  hjemmel      1234 Jan 15  2025 a b.xml");
        let ahead = file_line(&entry("2026-12-01T00:00:00Z"), now).longname;
        assert!(ahead.contains("Dec  1  2026"), "{ahead}");
    }

    #[test]
    fn attributes_are_whole_and_name_the_kind_of_file() {
        let instant = Timestamp::from_second(1_000_000_000).unwrap();
        let file = of_file(&Entry { name: Name::new("x").unwrap(), size: 7, modified: instant });
        assert!(file.is_regular() && !file.is_dir());
        assert!(of_folder(instant).is_dir());
        assert_eq!((file.size, file.mtime, file.atime, file.uid), (Some(7), Some(1_000_000_000), Some(1_000_000_000), Some(0)));
    }

    #[test]
    fn data_is_framed_as_the_library_frames_it() {
        let mut ours = BytesMut::new();
        data(&mut ours, 7, b"content");
        let theirs = Packet::Data(russh_sftp::protocol::Data { id: 7, data: b"content".to_vec() });
        assert_eq!(ours.freeze(), Bytes::try_from(theirs).unwrap());
    }
}
