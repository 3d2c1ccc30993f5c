//! The requests of one channel, done one after the other on the user's home.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use russh_sftp::de;
use russh_sftp::extensions::{FsyncExtension, HardlinkExtension, StatvfsExtension};
use russh_sftp::protocol::{FileAttributes, Open, OpenFlags, Packet, StatusCode};

use super::answers;
use super::busy::{Busy, Held};
use super::counts::Counts;
use super::packets::{Incoming, LONGEST_PACKET, MOST_DATA, Write, handle_of};
use super::place::{absolute, place};
use super::put::Remembered;
use crate::clock::Clock;
use crate::files::home::{Entry, File, Home, Item, Opening, Place, Problem};
use crate::files::name::Name;

/// Files and folders that one channel may have open.
pub const HANDLES: usize = 128;
/// Files in one answer to READDIR: longer answers broke clients.
const PAGE: usize = 100;

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It does.
    GoOn,
    /// Its key is no longer allowed.
    End,
}

/// What a channel has open and remembers.
pub struct Operations<H: Home> {
    home: Arc<H>,
    clock: Clock,
    since: Timestamp,
    handles: HashMap<u32, Opened<H>>,
    next: u32,
    put: Remembered<H::Folder>,
    busy: Busy,
    counts: Counts,
}

enum Opened<H: Home> {
    Folder(Listing<H::Folder>),
    File {
        file: H::File,
        /// Where it is written.
        name: Option<(H::Folder, Name)>,
        append: bool,
        /// While it is open, a node that drains waits.
        held: Held,
    },
}

enum Listing<F> {
    /// Of a folder, or of the root; after which name it goes on, or from the start.
    Of(Option<F>, Option<Name>),
    Done,
}

type Done = Result<Packet, Problem>;

impl<H: Home> Operations<H> {
    /// Nothing open.
    pub fn new(home: Arc<H>, put: Remembered<H::Folder>, clock: Clock, busy: Busy, counts: Counts) -> Self {
        let since = clock.now();
        Self { home, clock, since, handles: HashMap::new(), next: 0, put, busy, counts }
    }

    /// Does one request, and writes the answer behind what stands in `out`.
    pub async fn answer(&mut self, request: Incoming, out: &mut BytesMut) -> Then {
        let id = match &request {
            Incoming::Init => {
                answers::write(out, answers::version());
                return Then::GoOn;
            }
            Incoming::Refused(id, code) => {
                answers::write(out, answers::refused(*id, *code));
                return Then::GoOn;
            }
            Incoming::Read { id, .. } => *id,
            Incoming::Write(write) => write.id,
            Incoming::Request(packet) => packet.get_request_id(),
        };
        if let Err(problem) = self.home.admitted().await {
            answers::write(out, answers::problem(id, &problem));
            return if problem == Problem::KeyNotAllowed { Then::End } else { Then::GoOn };
        }
        let done = match request {
            Incoming::Read { handle, offset, length, .. } => match self.read(handle, offset, length).await {
                Ok(bytes) if bytes.is_empty() => Ok(answers::end(id)),
                Ok(bytes) => {
                    self.counts.moved(bytes.len() as u64, 0);
                    answers::data(out, id, &bytes);
                    return Then::GoOn;
                }
                Err(Wrong::Handle) => Ok(answers::refused(id, StatusCode::Failure)),
                Err(Wrong::Problem(problem)) => Err(problem),
            },
            Incoming::Write(write) => self.write(id, *write).await,
            Incoming::Request(packet) => self.request(id, *packet).await,
            Incoming::Init | Incoming::Refused(..) => return Then::GoOn,
        };
        match done {
            Ok(packet) => answers::write(out, packet),
            Err(Problem::KeyNotAllowed) => {
                answers::write(out, answers::problem(id, &Problem::KeyNotAllowed));
                return Then::End;
            }
            Err(problem) => answers::write(out, answers::problem(id, &problem)),
        }
        Then::GoOn
    }

    async fn request(&mut self, id: u32, packet: Packet) -> Done {
        match packet {
            Packet::Open(open) => self.open(id, &open).await,
            Packet::Close(close) => self.close(id, &close.handle).await,
            Packet::Stat(stat) => self.stat(id, &stat.path).await,
            Packet::Lstat(stat) => self.stat(id, &stat.path).await,
            Packet::Fstat(stat) => match self.opened(&stat.handle) {
                Some(Opened::File { file, .. }) => Ok(answers::attributes(id, answers::of_file(&file.entry()))),
                Some(Opened::Folder(_)) => Ok(answers::attributes(id, answers::of_folder(self.since))),
                None => Ok(answers::refused(id, StatusCode::Failure)),
            },
            Packet::SetStat(set) => self.set_by_path(id, &set.path, &set.attrs).await,
            Packet::FSetStat(set) => self.set_by_handle(id, &set.handle, &set.attrs).await,
            Packet::OpenDir(open) => match self.place(&open.path) {
                Place::Root => Ok(self.keep(id, Opened::Folder(Listing::Of(None, None)))),
                Place::Folder(folder) => {
                    self.home.folder(&folder).await?;
                    Ok(self.keep(id, Opened::Folder(Listing::Of(Some(folder), None))))
                }
                _ => Err(Problem::NoSuchFile),
            },
            Packet::ReadDir(read) => self.list(id, &read.handle).await,
            Packet::Remove(remove) => match self.place(&remove.filename) {
                Place::File(folder, name) => {
                    self.home.remove(&folder, &name).await?;
                    self.put.remove(&folder, &name);
                    Ok(answers::done(id))
                }
                Place::Root | Place::Folder(_) => Ok(answers::refused(id, StatusCode::Failure)),
                Place::NoName(_) | Place::Elsewhere => Err(Problem::NoSuchFile),
            },
            // Clients that upload trees make each folder first, and go on at FAILURE alone.
            Packet::MkDir(make) => match self.place(&make.path) {
                Place::Root => Err(Problem::Exists),
                Place::Folder(folder) => match self.home.folder(&folder).await {
                    Ok(()) => Err(Problem::Exists),
                    Err(Problem::NoSuchFile) => Err(Problem::Denied),
                    Err(problem) => Err(problem),
                },
                Place::File(folder, name) if self.there(&folder, &name).await.is_ok() => Err(Problem::Exists),
                _ => Err(Problem::Denied),
            },
            Packet::RmDir(remove) => match self.place(&remove.path) {
                Place::Root => Err(Problem::Denied),
                Place::Folder(folder) => self.home.folder(&folder).await.and(Err(Problem::Denied)),
                Place::File(folder, name) if self.there(&folder, &name).await.is_ok() => {
                    Ok(answers::refused(id, StatusCode::Failure))
                }
                _ => Err(Problem::NoSuchFile),
            },
            Packet::RealPath(real) => Ok(answers::path(id, absolute(&real.path))),
            Packet::Rename(rename) => self.rename(id, &rename.oldpath, &rename.newpath, false).await,
            Packet::Extended(extended) => self.extended(id, &extended.request, extended.data.into()).await,
            _ => Ok(answers::refused(id, StatusCode::OpUnsupported)),
        }
    }

    async fn extended(&mut self, id: u32, request: &str, mut data: Bytes) -> Done {
        let unreadable = answers::refused(id, StatusCode::BadMessage);
        match request {
            "posix-rename@openssh.com" => match de::from_bytes::<HardlinkExtension>(&mut data) {
                Ok(paths) => self.rename(id, &paths.oldpath, &paths.newpath, true).await,
                Err(_) => Ok(unreadable),
            },
            "fsync@openssh.com" => match de::from_bytes::<FsyncExtension>(&mut data).ok().map(|sync| self.opened(&sync.handle)) {
                Some(Some(Opened::File { file, .. })) => file.sync().await.map(|()| answers::done(id)),
                Some(_) => Ok(answers::refused(id, StatusCode::Failure)),
                None => Ok(unreadable),
            },
            "statvfs@openssh.com" => match de::from_bytes::<StatvfsExtension>(&mut data) {
                Ok(asked) => match self.place(&asked.path) {
                    Place::Root => self.quota(id, None).await,
                    Place::Folder(folder) | Place::File(folder, _) => self.quota(id, Some(&folder)).await,
                    Place::NoName(_) | Place::Elsewhere => Err(Problem::NoSuchFile),
                },
                Err(_) => Ok(unreadable),
            },
            "limits@openssh.com" => {
                let limits = [u64::from(LONGEST_PACKET), u64::from(MOST_DATA), u64::from(MOST_DATA), HANDLES as u64];
                Ok(answers::numbers(id, &limits))
            }
            _ => Ok(answers::refused(id, StatusCode::OpUnsupported)),
        }
    }

    /// The quota of a place as a file system would tell it.
    async fn quota(&mut self, id: u32, folder: Option<&H::Folder>) -> Done {
        const BLOCK: u64 = 4096;
        /// What no limit looks like.
        const ALL: u64 = 1 << 50;
        let quota = self.home.quota(folder).await?;
        let blocks = quota.bytes_limit.map_or(ALL, |limit| limit / BLOCK);
        let free = blocks.saturating_sub(quota.bytes_used.div_ceil(BLOCK));
        let files = quota.files_limit.unwrap_or(ALL);
        let files_free = files.saturating_sub(quota.files_used);
        let longest = Name::LONGEST as u64;
        Ok(answers::numbers(id, &[BLOCK, BLOCK, blocks, free, free, files, files_free, files_free, 0, 0, longest]))
    }

    fn place(&self, path: &str) -> Place<H::Folder> {
        place(self.home.as_ref(), path)
    }

    fn opened(&mut self, handle: &str) -> Option<&mut Opened<H>> {
        self.handles.get_mut(&handle_of(handle)?)
    }

    fn keep(&mut self, id: u32, open: Opened<H>) -> Packet {
        if self.handles.len() >= HANDLES {
            return answers::status(id, StatusCode::Failure, "For mange åbne filer.", "Too many open files.");
        }
        // A number that is still open is not given again.
        while self.handles.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.handles.insert(self.next, open);
        let handle = self.next;
        self.next = self.next.wrapping_add(1);
        answers::handle(id, handle)
    }

    async fn open(&mut self, id: u32, open: &Open) -> Done {
        if self.handles.len() >= HANDLES {
            return Ok(answers::status(id, StatusCode::Failure, "For mange åbne filer.", "Too many open files."));
        }
        let flags = open.pflags;
        let (folder, name) = match self.place(&open.filename) {
            Place::File(folder, name) => (folder, name),
            Place::Root | Place::Folder(_) => return Ok(answers::refused(id, StatusCode::Failure)),
            Place::NoName(_) if flags.contains(OpenFlags::CREATE) => return Err(Problem::NameNotAllowed),
            Place::Elsewhere if flags.contains(OpenFlags::CREATE) => return Err(Problem::Denied),
            Place::NoName(_) | Place::Elsewhere => return Err(Problem::NoSuchFile),
        };
        if !flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND | OpenFlags::CREATE | OpenFlags::TRUNCATE) {
            let file = self.home.read(&folder, &name).await?;
            return Ok(self.keep(id, Opened::File { file, name: None, append: false, held: self.busy.hold() }));
        }
        if !self.home.takes(&folder) {
            return Err(Problem::Denied);
        }
        let create = flags.contains(OpenFlags::CREATE);
        let how = Opening {
            create,
            new_only: create && flags.contains(OpenFlags::EXCLUDE),
            truncate: flags.contains(OpenFlags::TRUNCATE),
        };
        let file = self.home.write(&folder, &name, how).await?;
        let append = flags.contains(OpenFlags::APPEND);
        Ok(self.keep(id, Opened::File { file, name: Some((folder, name)), append, held: self.busy.hold() }))
    }

    async fn close(&mut self, id: u32, handle: &str) -> Done {
        match handle_of(handle).and_then(|handle| self.handles.remove(&handle)) {
            Some(Opened::Folder(_)) => Ok(answers::done(id)),
            Some(Opened::File { file, name, held, .. }) => {
                let entry = file.entry();
                file.close().await?;
                if let Some((folder, _)) = name {
                    self.put.insert(folder, entry, self.clock.now());
                }
                drop(held);
                Ok(answers::done(id))
            }
            None => Ok(answers::refused(id, StatusCode::Failure)),
        }
    }

    async fn read(&mut self, handle: Option<u32>, offset: u64, length: u32) -> Result<Bytes, Wrong> {
        match handle.and_then(|handle| self.handles.get_mut(&handle)) {
            Some(Opened::File { file, .. }) => file.read_at(offset, length).await.map_err(Wrong::Problem),
            _ => Err(Wrong::Handle),
        }
    }

    async fn write(&mut self, id: u32, write: Write) -> Done {
        match write.handle.and_then(|handle| self.handles.get_mut(&handle)) {
            Some(Opened::File { file, append, .. }) => {
                // Whoever appends does not know the end, and sends 0.
                let offset = if *append { file.entry().size } else { write.offset };
                let written = write.data.len() as u64;
                file.write_at(offset, write.data).await?;
                self.counts.moved(0, written);
                Ok(answers::done(id))
            }
            _ => Ok(answers::refused(id, StatusCode::Failure)),
        }
    }

    /// The file of this name that the channel is writing.
    fn being_written(&mut self, folder: &H::Folder, name: &Name) -> Option<&mut H::File> {
        self.handles.values_mut().find_map(|open| match open {
            Opened::File { file, name: Some((at, written)), .. } if at == folder && written == name => Some(file),
            _ => None,
        })
    }

    /// The file of a name, as this session sees it: what it writes now and what it has put is there to it.
    async fn there(&mut self, folder: &H::Folder, name: &Name) -> Result<Entry, Problem> {
        if let Some(file) = self.being_written(folder, name) {
            return Ok(file.entry());
        }
        match self.home.stat(folder, name).await {
            Err(Problem::NoSuchFile) => self.put.get(folder, name, self.clock.now()).ok_or(Problem::NoSuchFile),
            found => found,
        }
    }

    async fn stat(&mut self, id: u32, path: &str) -> Done {
        let attrs = match self.place(path) {
            Place::Root => answers::of_folder(self.since),
            Place::Folder(folder) => {
                self.home.folder(&folder).await?;
                answers::of_folder(self.since)
            }
            Place::File(folder, name) => answers::of_file(&self.there(&folder, &name).await?),
            Place::NoName(_) | Place::Elsewhere => return Err(Problem::NoSuchFile),
        };
        Ok(answers::attributes(id, attrs))
    }

    /// A size cuts the file; times, owner and mode are answered OK and have no effect.
    async fn set_by_path(&mut self, id: u32, path: &str, attrs: &FileAttributes) -> Done {
        let (folder, name) = match self.place(path) {
            Place::Root | Place::Folder(_) => return Ok(answers::done(id)),
            Place::File(folder, name) => (folder, name),
            Place::NoName(_) | Place::Elsewhere => return Err(Problem::NoSuchFile),
        };
        if attrs.size.is_none() && self.being_written(&folder, &name).is_none() {
            return match self.home.stat(&folder, &name).await {
                Err(Problem::NoSuchFile) if self.put.times_set(&folder, &name, self.clock.now()) => Ok(answers::done(id)),
                found => found.map(|_| answers::done(id)),
            };
        }
        let there = self.there(&folder, &name).await?;
        match attrs.size {
            Some(size) if size != there.size => {
                if !self.home.takes(&folder) {
                    return Err(Problem::Denied);
                }
                if let Some(file) = self.being_written(&folder, &name) {
                    file.set_size(size).await?;
                } else {
                    let how = Opening { create: false, new_only: false, truncate: false };
                    let mut file = self.home.write(&folder, &name, how).await?;
                    file.set_size(size).await?;
                    let entry = file.entry();
                    file.close().await?;
                    self.put.insert(folder, entry, self.clock.now());
                }
            }
            _ => {}
        }
        Ok(answers::done(id))
    }

    async fn set_by_handle(&mut self, id: u32, handle: &str, attrs: &FileAttributes) -> Done {
        match (self.opened(handle), attrs.size) {
            (Some(Opened::File { file, .. }), Some(size)) if size != file.entry().size => {
                file.set_size(size).await.map(|()| answers::done(id))
            }
            (Some(_), _) => Ok(answers::done(id)),
            (None, _) => Ok(answers::refused(id, StatusCode::Failure)),
        }
    }

    async fn list(&mut self, id: u32, handle: &str) -> Done {
        let (now, since, home) = (self.clock.now(), self.since, self.home.clone());
        let folder_line = |name| answers::folder_line(name, since, now);
        let Some(Opened::Folder(listing)) = self.opened(handle) else { return Ok(answers::refused(id, StatusCode::Failure)) };
        let mut lines = Vec::new();
        match listing {
            Listing::Of(folder, after) => {
                if after.is_none() {
                    lines.extend([".", ".."].map(folder_line));
                }
                let page = home.list(folder.as_ref(), after.as_ref(), PAGE - lines.len()).await?;
                lines.extend(page.iter().map(|item| match item {
                    Item::Folder(name) => folder_line(name.spelt()),
                    Item::File(entry) => answers::file_line(entry, now),
                }));
                *listing = match page.last() {
                    Some(last) => Listing::Of(folder.take(), Some(last.name().clone())),
                    None => Listing::Done,
                };
            }
            Listing::Done => {}
        }
        Ok(if lines.is_empty() { answers::end(id) } else { answers::listing(id, lines) })
    }

    async fn rename(&mut self, id: u32, from: &str, to: &str, replace: bool) -> Done {
        let ((old, from), (new, to)) = match (self.place(from), self.place(to)) {
            (Place::File(old, from), Place::File(new, to)) if self.home.takes(&old) && self.home.takes(&new) => {
                ((old, from), (new, to))
            }
            (Place::File(old, _), Place::NoName(_)) if self.home.takes(&old) => return Err(Problem::NameNotAllowed),
            (Place::NoName(_) | Place::Elsewhere, _) => return Err(Problem::NoSuchFile),
            _ => return Err(Problem::Denied),
        };
        let entry = self.home.stat(&old, &from).await?;
        self.home.rename((&old, &from), (&new, &to), replace).await?;
        self.put.remove(&old, &from);
        self.put.insert(new, Entry { name: to, ..entry }, self.clock.now());
        Ok(answers::done(id))
    }
}

/// Why nothing was read.
enum Wrong {
    Handle,
    Problem(Problem),
}
