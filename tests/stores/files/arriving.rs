//! Files as they come: what is sent in order goes straight on to the object store, and whatever is not comes as it was written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::files::home::{File, Folder, Home, Opening};
use hjemmel::store::sql;
use jiff::SignedDuration;

use super::world::*;

/// Longer than a part of an upload to the object store.
const LONG: usize = 1_500_000;
const PIECE: usize = 200_000;

fn content(length: usize, of: u8) -> Vec<u8> {
    (0..length).map(|at| (at / 251) as u8 ^ (at % 251) as u8 ^ of).collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

impl World {
    fn lie(&self) -> Vec<PathBuf> {
        files(&self.folder.join("objects"))
    }

    async fn rows(&self) -> usize {
        self.database.all(sql("SELECT id FROM file_content")).await.unwrap().len()
    }

    async fn in_use(&self) -> usize {
        self.database.all(sql("SELECT id FROM file_content WHERE in_use = $1").bind(true)).await.unwrap().len()
    }

    /// What lies in the sender's OUT under a name.
    async fn sent(&self, spelt: &str) -> Vec<u8> {
        let mut file = self.home(SENDER).await.read(&Folder::Out, &name(spelt)).await.unwrap();
        let mut all = Vec::new();
        loop {
            let piece = file.read_at(all.len() as u64, 256 * 1024).await.unwrap();
            if piece.is_empty() {
                return all;
            }
            all.extend_from_slice(&piece);
        }
    }

    async fn open(&self, spelt: &str) -> <<hjemmel::files::Files as hjemmel::files::home::Homes>::Home as Home>::File {
        self.home(SENDER).await.write(&Folder::Out, &name(spelt), ANEW).await.unwrap()
    }
}

async fn write(file: &mut impl File, from: usize, bytes: &[u8]) {
    for (at, piece) in bytes.chunks(PIECE).enumerate() {
        file.write_at((from + at * PIECE) as u64, Bytes::copy_from_slice(piece)).await.unwrap();
    }
}

#[tokio::test]
async fn what_comes_in_order_is_encrypted_as_it_comes_and_lies_nowhere_else() {
    for world in World::all().await {
        let all = content(LONG, 1);
        let mut file = world.open("a").await;
        write(&mut file, 0, &all).await;
        let begun = world.lie();
        assert_eq!(begun.len(), 1, "{}: {begun:?}", world.kind);
        let lies = std::fs::read(&begun[0]).unwrap();
        assert!(!lies.windows(32).any(|part| part == &all[..32]), "{}: in the clear", world.kind);
        assert_eq!(world.list(SENDER, Folder::Out).await, [""; 0], "{}: before its close", world.kind);
        file.close().await.unwrap();
        assert!(world.sent("a").await == all, "{}", world.kind);
        assert_eq!((world.lie().len(), world.rows().await), (1, 1), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_that_is_not_only_written_at_its_end_comes_as_it_was_written() {
    for world in World::all().await {
        for length in [1_000, 70_000, LONG] {
            let mut all = content(length, 2);
            // Written over, cut and gone on with; read as it is.
            let mut file = world.open("a").await;
            write(&mut file, 0, &all).await;
            let middle = length / 2;
            file.write_at(middle as u64, Bytes::from_static(b"over")).await.unwrap();
            all[middle..middle + 4].copy_from_slice(b"over");
            assert_eq!(file.read_at(middle as u64, 4).await.unwrap(), "over", "{} {length}", world.kind);
            let cut = length - length / 4;
            file.set_size(cut as u64).await.unwrap();
            all.truncate(cut);
            write(&mut file, cut, b"and on").await;
            all.extend_from_slice(b"and on");
            file.close().await.unwrap();
            assert!(world.sent("a").await == all, "{} {length}", world.kind);
            // Gone on with in order.
            let on = Opening { truncate: false, ..ANEW };
            let mut file = world.home(SENDER).await.write(&Folder::Out, &name("a"), on).await.unwrap();
            write(&mut file, all.len(), b"!").await;
            all.push(b'!');
            file.close().await.unwrap();
            assert!(world.sent("a").await == all, "{} {length}", world.kind);
            assert_eq!((world.lie().len(), world.in_use().await), (1, 1), "{} {length}", world.kind);
        }
    }
}

#[tokio::test]
async fn a_long_file_that_is_read_while_it_is_written_is_read_as_it_is() {
    for world in World::all().await {
        let all = content(LONG, 3);
        let (first, rest) = all.split_at(LONG - 1);
        let mut file = world.open("a").await;
        write(&mut file, 0, first).await;
        assert_eq!(file.read_at(LONG as u64 - 11, 20).await.unwrap(), first[LONG - 11..], "{}", world.kind);
        assert_eq!(file.read_at(LONG as u64, 20).await.unwrap(), "", "{}", world.kind);
        write(&mut file, LONG - 1, rest).await;
        file.close().await.unwrap();
        assert!(world.sent("a").await == all, "{}", world.kind);
    }
}

#[tokio::test]
async fn of_a_file_with_a_hole_behind_what_went_straight_on_nothing_is_kept() {
    for world in World::all().await {
        let mut file = world.open("a").await;
        write(&mut file, 0, &content(LONG, 4)).await;
        write(&mut file, LONG + 1, b"behind").await;
        file.close().await.unwrap_err();
        assert_eq!(world.codes("a").await, [1014], "{}", world.kind);
        assert_eq!((world.lie().len(), world.rows().await), (0, 0), "{}", world.kind);
    }
}

#[tokio::test]
async fn as_many_as_come_at_a_time_come_alike() {
    for world in World::all().await {
        let contents: Vec<Vec<u8>> = (0..20).map(|of| content(100_000, of)).collect();
        let mut coming = Vec::new();
        for at in 0..contents.len() {
            coming.push(world.open(&format!("{at}")).await);
        }
        for from in (0..100_000).step_by(50_000) {
            for (file, content) in coming.iter_mut().zip(&contents) {
                write(file, from, &content[from..from + 50_000]).await;
            }
        }
        for file in coming {
            file.close().await.unwrap();
        }
        for (at, content) in contents.iter().enumerate() {
            assert!(world.sent(&format!("{at}")).await == *content, "{} {at}", world.kind);
        }
    }
}

#[tokio::test]
async fn of_an_upload_that_breaks_off_or_is_refused_neither_content_nor_row_stays() {
    for world in World::all().await {
        let mut broken = world.open("a").await;
        write(&mut broken, 0, &content(LONG, 5)).await;
        assert_eq!((world.lie().len(), world.rows().await), (1, 1), "{}", world.kind);
        drop(broken);
        world.pass(SignedDuration::from_secs(2));
        let mut refused = world.open("b").await;
        write(&mut refused, 0, &content(LONG, 6)).await;
        refused.write_at(1 << 62, Bytes::from_static(b"x")).await.unwrap_err();
        // Though its client keeps it open.
        let deadline = Instant::now() + Duration::from_secs(60);
        while (world.lie().len(), world.rows().await) != (0, 0) {
            assert!(Instant::now() < deadline, "{}: {:?} {}", world.kind, world.lie(), world.rows().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        refused.close().await.unwrap_err();
    }
}

#[tokio::test]
async fn an_upload_that_takes_days_is_not_taken_for_abandoned() {
    for world in World::all().await {
        let all = content(LONG, 7);
        let (first, rest) = all.split_at(LONG / 2);
        let mut file = world.open("a").await;
        write(&mut file, 0, first).await;
        world.pass(SignedDuration::from_hours(30));
        write(&mut file, first.len(), rest).await;
        world.pass(SignedDuration::from_hours(30));
        world.files.sweep().await.unwrap();
        file.close().await.unwrap();
        assert!(world.sent("a").await == all, "{}", world.kind);
    }
}
