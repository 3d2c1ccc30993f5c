//! Contents in the object store: in a folder, in memory, and in an S3-compatible store where HJEMMEL_S3 names one.

pub mod broken;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::not_run::did_not_run;
use broken::{Broken, Fault};
use hjemmel::objects::settings::{Place, S3};
use hjemmel::objects::unfinished::IDLE;
use hjemmel::objects::{ContentKeys, Object, ObjectError, Objects, Settings, frames::PIECE, keys};
use object_store::ObjectStore;
use object_store::memory::InMemory;

const ENOUGH: u64 = 1 << 40;
/// Parts of a size that the tests' contents fill several times; S3 itself wants 5 MiB.
const PART: usize = 100_000;

/// Bytes that say where they stand.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn key(dir: &Path) -> PathBuf {
    let path = dir.join("content.key");
    if !path.exists() {
        keys::generate(&path).unwrap();
    }
    path
}

fn keys_in(dir: &Path) -> Arc<ContentKeys> {
    Arc::new(ContentKeys::read(&key(dir), &[]).unwrap())
}

fn in_folder(dir: &Path) -> Objects {
    let place = Place::Folder(dir.join("objects"));
    Settings { place, key: key(dir), earlier_keys: vec![], part_bytes: PART }.open().unwrap()
}

async fn put(objects: &Objects, content: &[u8], at_a_time: usize) -> Result<Object, ObjectError> {
    let mut writing = objects.begin(ENOUGH)?;
    for bytes in content.chunks(at_a_time.max(1)) {
        writing.write(bytes).await?;
    }
    writing.finish().await
}

async fn get(objects: &Objects, object: &Object, from: u64) -> Result<Vec<u8>, ObjectError> {
    let mut reading = objects.read(object, from).await?;
    let mut all = Vec::new();
    while let Some(bytes) = reading.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

/// Every file below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return vec![] };
    entries.map(|entry| entry.unwrap().path()).flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn sha256(content: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content).as_ref().to_vec()
}

const LENGTHS: [usize; 9] = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, PART, 5 * PART + 7, 40 * PIECE + 3];

async fn every_length_comes_back(objects: &Objects) {
    for length in LENGTHS {
        let sent = content(length);
        for at_a_time in [length, 1000, PIECE + 1] {
            let object = put(objects, &sent, at_a_time).await.unwrap();
            assert_eq!((object.length, &object.sha256[..]), (length as u64, &sha256(&sent)[..]));
            assert!(get(objects, &object, 0).await.unwrap() == sent, "{length} bytes, {at_a_time} at a time");
            objects.delete(&object.name).await.unwrap();
        }
    }
}

#[tokio::test]
async fn contents_of_every_length_come_back_from_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let objects = in_folder(dir.path());
    every_length_comes_back(&objects).await;
    assert_eq!(files(&dir.path().join("objects")), Vec::<PathBuf>::new(), "and were deleted");
}

#[tokio::test]
async fn contents_of_every_length_come_back_from_memory() {
    let dir = tempfile::tempdir().unwrap();
    every_length_comes_back(&Objects::new(Arc::new(InMemory::new()), keys_in(dir.path()), PART)).await;
}

#[tokio::test]
async fn reading_begins_at_any_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, sent) = (in_folder(dir.path()), content(20 * PIECE + 5));
    let object = put(&objects, &sent, 7 * PIECE).await.unwrap();
    for from in [0, 1, PIECE - 1, PIECE, 16 * PIECE + 9, sent.len() - 1, sent.len(), sent.len() + 1, usize::MAX] {
        let due = sent.get(from..).unwrap_or_default();
        assert!(get(&objects, &object, from as u64).await.unwrap() == due, "from {from}");
    }
}

#[tokio::test]
async fn what_lies_in_the_folder_shows_nothing_of_the_content() {
    let dir = tempfile::tempdir().unwrap();
    let objects = in_folder(dir.path());
    let marked = b"a line that nobody else should read\n".repeat(10_000);
    put(&objects, &marked, 4096).await.unwrap();
    for file in files(&dir.path().join("objects")) {
        let stored = fs::read(&file).unwrap();
        assert!(!stored.windows(16).any(|bytes| marked.windows(16).take(64).any(|mark| mark == bytes)), "{}", file.display());
    }
}

#[tokio::test]
async fn two_equal_contents_are_stored_as_different_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let objects = in_folder(dir.path());
    for _ in 0..2 {
        put(&objects, b"the same", 8).await.unwrap();
    }
    let stored: Vec<_> = files(&dir.path().join("objects")).iter().map(|file| fs::read(file).unwrap()).collect();
    assert_ne!(stored[0], stored[1]);
}

/// An object in a folder, and its file.
async fn one(dir: &Path, length: usize) -> (Objects, Object, PathBuf) {
    let objects = in_folder(dir);
    let object = put(&objects, &content(length), PIECE).await.unwrap();
    let [file] = files(&dir.join("objects")).try_into().unwrap();
    (objects, object, file)
}

#[tokio::test]
async fn an_altered_content_is_given_out_up_to_the_alteration_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, file) = one(dir.path(), 20 * PIECE).await;
    let mut stored = fs::read(&file).unwrap();
    stored[17 * (PIECE + 16) + 4] ^= 1;
    fs::write(&file, stored).unwrap();
    let mut reading = objects.read(&object, 0).await.unwrap();
    assert_eq!(reading.next().await.unwrap().unwrap().len(), 16 * PIECE);
    assert!(matches!(reading.next().await, Err(ObjectError::Damaged(name)) if name == object.name));
}

#[tokio::test]
async fn a_content_that_was_cut_short_is_refused_before_its_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, file) = one(dir.path(), 3 * PIECE).await;
    let stored = fs::read(&file).unwrap();
    fs::write(&file, &stored[..stored.len() - (PIECE + 16)]).unwrap();
    assert!(matches!(objects.read(&object, 0).await.map(|_| ()), Err(ObjectError::Damaged(_))));
}

#[tokio::test]
async fn another_object_in_its_place_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, file) = one(dir.path(), 100).await;
    let other = put(&objects, &content(100), 100).await.unwrap();
    let others = files(&dir.path().join("objects")).into_iter().find(|path| *path != file).unwrap();
    fs::rename(others, &file).unwrap();
    assert!(matches!(get(&objects, &object, 0).await, Err(ObjectError::Damaged(_))));
    let exchanged = Object { name: object.name, ..other };
    assert!(matches!(get(&objects, &exchanged, 0).await, Err(ObjectError::Damaged(_))), "nor by the other's row");
}

#[tokio::test]
async fn frames_that_changed_places_do_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, file) = one(dir.path(), 3 * PIECE).await;
    let mut stored = fs::read(&file).unwrap();
    let (first, second) = stored.split_at_mut(PIECE + 16);
    first.swap_with_slice(&mut second[..PIECE + 16]);
    fs::write(&file, stored).unwrap();
    assert!(matches!(get(&objects, &object, 0).await, Err(ObjectError::Damaged(_))));
}

#[tokio::test]
async fn a_content_that_is_gone_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, file) = one(dir.path(), 100).await;
    fs::remove_file(file).unwrap();
    assert!(matches!(objects.read(&object, 0).await.map(|_| ()), Err(ObjectError::Missing(name)) if name == object.name));
}

#[tokio::test]
async fn without_the_key_that_it_is_under_a_content_cannot_be_read() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let object = put(&Objects::new(store.clone(), keys_in(dir.path()), PART), b"content", 7).await.unwrap();
    let told = get(&Objects::new(store, keys_in(other.path()), PART), &object, 0).await.unwrap_err();
    assert!(matches!(told, ObjectError::OtherKey { .. }) && told.to_string().contains("objects.earlier_keys"), "{told}");
}

/// Waits until a folder holds no file, for what is taken back is taken back by a task of its own.
async fn until_empty(dir: &Path) -> Vec<PathBuf> {
    let until = Instant::now() + Duration::from_secs(60);
    while !files(dir).is_empty() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    files(dir)
}

#[tokio::test]
async fn a_content_that_is_given_up_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut writing = in_folder(dir.path()).begin(ENOUGH).unwrap();
    writing.write(&content(4 * PART)).await.unwrap();
    let seen = files(&dir.path().join("objects"));
    assert!(!seen.is_empty() && seen.iter().all(|file| file.extension().is_none_or(|ending| ending != "content")), "{seen:?}");
    drop(writing);
    assert_eq!(until_empty(&dir.path().join("objects")).await, Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_a_killed_process_left_of_an_upload_is_removed_when_it_is_old_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, folder) = (in_folder(dir.path()), dir.path().join("objects"));
    let object = put(&objects, &content(4 * PART), PART).await.unwrap();
    let mut killed = objects.begin(ENOUGH).unwrap();
    killed.write(&content(4 * PART)).await.unwrap();
    // As a kill does: nothing of it is taken away.
    std::mem::forget(killed);
    let others = ["notes#.txt", "notes#1a", "#1"].map(|name| folder.join(name));
    for other in &others {
        fs::write(other, "a note").unwrap();
    }
    std::os::unix::fs::symlink(&others[0], folder.join("link#1")).unwrap();
    let mut left = files(&folder);
    assert_eq!(left.len(), 6, "{left:?}");
    let (place, now) =
        (Place::Folder(folder.clone()), jiff::Timestamp::try_from(fs::metadata(&left[0]).unwrap().modified().unwrap()).unwrap());
    assert_eq!(place.clear_unfinished(now + IDLE - jiff::SignedDuration::from_hours(1)).unwrap(), 0, "it may be under way");
    assert_eq!(place.clear_unfinished(now + IDLE + jiff::SignedDuration::from_hours(1)).unwrap(), 1);
    left.retain(|file| !file.to_str().unwrap().contains(".content#"));
    assert_eq!((files(&folder), left.len()), (left, 5));
    assert_eq!(get(&objects, &object, 0).await.unwrap(), content(4 * PART));
    assert_eq!(Place::Folder(dir.path().join("none")).clear_unfinished(now).unwrap(), 0);
}

#[tokio::test]
async fn a_content_that_is_too_long_is_refused_where_it_becomes_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut writing = in_folder(dir.path()).begin(3 * PART as u64).unwrap();
    writing.write(&content(3 * PART)).await.unwrap();
    assert!(matches!(writing.write(b"x").await, Err(ObjectError::TooLong { limit }) if limit == 3 * PART as u64));
    drop(writing);
    assert_eq!(until_empty(&dir.path().join("objects")).await, Vec::<PathBuf>::new());
}

/// A content written to a store with a fault, and read from it.
async fn with(fault: Fault) -> Result<(), ObjectError> {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::new(Arc::new(Broken(Arc::new(InMemory::new()), fault)), keys_in(dir.path()), PART);
    let object = put(&objects, b"content", 7).await?;
    assert_eq!(get(&objects, &object, 0).await.unwrap(), b"content");
    Ok(())
}

#[tokio::test]
async fn a_content_that_arrived_is_written_although_the_answer_was_lost() {
    with(Fault::AnswerLost).await.unwrap();
}

#[tokio::test]
async fn a_content_that_met_itself_when_it_was_sent_again_is_written() {
    with(Fault::TakenByItself).await.unwrap();
}

#[tokio::test]
async fn a_content_that_did_not_arrive_is_not_written() {
    assert!(matches!(with(Fault::Away).await, Err(ObjectError::Unavailable(_))));
}

#[tokio::test]
async fn a_full_store_is_told_as_full() {
    assert!(matches!(with(Fault::Full).await, Err(ObjectError::Full)));
}

#[tokio::test]
async fn a_deletion_may_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, _) = one(dir.path(), 100).await;
    objects.delete(&object.name).await.unwrap();
    objects.delete(&object.name).await.unwrap();
}

#[tokio::test]
async fn objects_are_found_on_their_shelves_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, object, file) = one(dir.path(), 100).await;
    fs::write(file.with_file_name("notes.txt"), "not an object").unwrap();
    let mut found = Vec::new();
    for shelf in 0..=u8::MAX {
        found.extend(objects.shelf(shelf).await.unwrap().into_iter().map(|(name, _)| name));
    }
    assert_eq!(found, [object.name]);
}

#[tokio::test]
async fn a_folder_does_all_that_is_asked_of_a_store_and_keeps_nothing_of_the_asking() {
    let dir = tempfile::tempdir().unwrap();
    let found = in_folder(dir.path()).probe().await.unwrap();
    assert_eq!(found.to_string(), "writes, reads a part, lists and deletes; does not overwrite when asked not to");
    assert_eq!(files(&dir.path().join("objects")), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_store_that_overwrites_is_usable_and_told_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let store = Broken(Arc::new(InMemory::new()), Fault::Overwrites);
    let found = Objects::new(Arc::new(store), keys_in(dir.path()), PART).probe().await.unwrap();
    assert_eq!((found.keeps_what_is_there, found.winners_of_eight), (false, 8));
    assert!(found.to_string().contains("overwrites even when asked not to"), "{found}");
}

#[tokio::test]
async fn a_store_that_is_away_is_not_usable_nor_is_one_that_fails_where_it_should_refuse() {
    let dir = tempfile::tempdir().unwrap();
    for fault in [Fault::Away, Fault::NoWordOfTaken] {
        let store = Broken(Arc::new(InMemory::new()), fault);
        let told = Objects::new(Arc::new(store), keys_in(dir.path()), PART).probe().await.unwrap_err().to_string();
        assert!(told.contains("does not answer"), "{fault:?}: {told}");
    }
}

/// The S3-compatible store that the environment names: `HJEMMEL_S3` its address, `HJEMMEL_S3_ROOT` its CA (PEM). Its bucket
/// `hjemmel` is there; it takes any access key.
pub fn place_in_s3(dir: &Path, prefix: &str) -> Option<Place> {
    let Ok(endpoint) = std::env::var("HJEMMEL_S3") else {
        did_not_run("an S3-compatible store", "HJEMMEL_S3 names none; tests/interop/run.sh starts one");
        return None;
    };
    fs::write(dir.join("id"), "id\n").unwrap();
    fs::write(dir.join("secret"), "secret\n").unwrap();
    let roots = std::env::var("HJEMMEL_S3_ROOT").map(|path| {
        let pem = fs::read(path).unwrap();
        let sections = hjemmel::pem::sections(&pem, &[hjemmel::pem::Kind::Certificate]).unwrap();
        sections.into_iter().map(|section| section.der.to_vec().into()).collect()
    });
    let s3 = S3 {
        bucket: "hjemmel".to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(endpoint),
        region: "us-east-1".to_owned(),
        roots: roots.unwrap_or_default(),
        access_key_id: dir.join("id"),
        secret_access_key: dir.join("secret"),
        virtual_hosted: false,
        checksum: true,
        bulk_delete: true,
        timeout: Duration::from_secs(30),
    };
    Some(Place::S3(Box::new(s3)))
}

fn in_s3(dir: &Path, prefix: &str) -> Option<Objects> {
    let place = place_in_s3(dir, prefix)?;
    Some(Settings { place, key: key(dir), earlier_keys: vec![], part_bytes: 5 << 20 }.open().unwrap())
}

#[tokio::test]
async fn contents_come_back_from_an_s3_compatible_store() {
    let dir = tempfile::tempdir().unwrap();
    let Some(objects) = in_s3(dir.path(), "lengths") else { return };
    come_back(&objects).await;
}

#[tokio::test]
async fn contents_come_back_and_go_in_an_s3_compatible_store_without_checksums_or_deletion_of_many_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let Some(Place::S3(mut s3)) = place_in_s3(dir.path(), "plain") else { return };
    (s3.checksum, s3.bulk_delete) = (false, false);
    let objects =
        Settings { place: Place::S3(s3), key: key(dir.path()), earlier_keys: vec![], part_bytes: 5 << 20 }.open().unwrap();
    come_back(&objects).await;
    assert!(objects.probe().await.unwrap().takes_back, "and what was put is deleted again");
}

async fn come_back(objects: &Objects) {
    for length in [0, 1, PIECE, (5 << 20) - 1, 5 << 20, (12 << 20) + 7] {
        let sent = content(length);
        let object = put(objects, &sent, 1 << 20).await.unwrap();
        assert!(get(objects, &object, 0).await.unwrap() == sent, "{length} bytes");
        assert!(get(objects, &object, length as u64 / 2).await.unwrap() == sent[length / 2..], "the second half of {length}");
    }
}

#[tokio::test]
async fn a_content_that_is_given_up_is_not_in_an_s3_compatible_store() {
    let dir = tempfile::tempdir().unwrap();
    let Some(objects) = in_s3(dir.path(), "given-up") else { return };
    let mut writing = objects.begin(ENOUGH).unwrap();
    writing.write(&content(11 << 20)).await.unwrap();
    let shelf = writing.name().shelf_number();
    writing.abandon().await;
    assert_eq!(objects.shelf(shelf).await.unwrap(), []);
}

#[tokio::test]
async fn an_s3_compatible_store_is_asked_what_it_is_good_for() {
    let dir = tempfile::tempdir().unwrap();
    let Some(objects) = in_s3(dir.path(), "probe") else { return };
    let found = objects.probe().await.unwrap();
    println!("{found}");
    assert!(found.takes_back);
    // A second writing of a name that is taken was refused, and the first content stayed.
    assert!(found.keeps_what_is_there, "{found}");
    assert!((1..=8).contains(&found.winners_of_eight), "{found}");
}
