//! Value lists in a folder, a file for each version: for a demo, a test, and whoever keeps them by other means than the store.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::rules::sortiment::{List, Lists, describe, xml};

/// The most files that are read.
const MOST: usize = 1_000;

/// A folder of value lists.
#[derive(Debug, Clone)]
pub struct Shelf(PathBuf);

/// Why a list was not added.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// What is wrong, each in a sentence.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// A version is never altered: who sends by it relies on it.
    #[error("{0} is here already, with other content; a change is a new version")]
    Altered(String),
    /// The folder.
    #[error("{path}: {error}")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Shelf {
    /// The folder at this path.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Every list in it, and how they fit each other.
    ///
    /// # Errors
    /// Everything that is wrong, each in a sentence that begins with the file.
    pub fn read(&self) -> Result<Lists, Vec<String>> {
        let failed = |path: &Path, error: io::Error| vec![format!("{}: {error}.", path.display())];
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(|error| failed(&self.0, error))? {
            let path = entry.map_err(|error| failed(&self.0, error))?.path();
            if path.extension().is_some_and(|extension| extension == "xml") {
                files.push(path);
            }
        }
        if files.len() > MOST {
            return Err(vec![format!(
                "{}: there are more than {MOST} value lists; remove those that no one sends by.",
                self.0.display()
            )]);
        }
        files.sort();
        let (mut lists, mut wrong) = (Vec::new(), Vec::new());
        for path in files {
            let too_large = fs::metadata(&path).is_ok_and(|file| file.len() > xml::LARGEST as u64);
            let read = match fs::read(&path) {
                _ if too_large => Err(vec![format!("the file has more than {} bytes; divide the list.", xml::LARGEST)]),
                Ok(bytes) => xml::read(&bytes),
                Err(error) => Err(vec![error.to_string()]),
            };
            match read {
                Ok(list) => lists.push(list),
                Err(told) => wrong.extend(told.iter().map(|told| format!("{}: {told}", path.display()))),
            }
        }
        if wrong.is_empty() { Lists::new(lists) } else { Err(wrong) }
    }

    /// Adds a list; `false` where it was there already, just so.
    ///
    /// # Errors
    /// [`NotAdded`]; the folder is as it was.
    pub fn add(&self, list: &List) -> Result<bool, NotAdded> {
        let known = self.read().map_err(NotAdded::Wrong)?;
        let same = |other: &&List| describe(other) == describe(list);
        match known.all().find(same) {
            Some(other) if other == list => return Ok(false),
            Some(other) => return Err(NotAdded::Altered(describe(other))),
            None => {}
        }
        Lists::new(known.all().cloned().chain([list.clone()])).map_err(NotAdded::Wrong)?;
        let text = xml::write(list).map_err(|error| NotAdded::Wrong(vec![error]))?;
        let path = self.0.join(file_name(list));
        let failed = |error| NotAdded::File { path: path.clone(), error };
        // Whole or not at all, and never over another: a reader sees no half of it.
        let mut file = tempfile_beside(&path).map_err(failed)?;
        file.1.write_all(text.as_bytes()).and_then(|()| file.1.sync_all()).map_err(failed)?;
        fs::rename(&file.0, &path).map_err(failed)?;
        Ok(true)
    }
}

fn tempfile_beside(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    let beside = path.with_extension("new");
    let file = fs::File::create(&beside)?;
    Ok((beside, file))
}

/// The id, the version with what a file name cannot hold written as `-`, and whose supplement it is. Two versions that come out alike have a
/// digest of the version to tell them apart.
fn file_name(list: &List) -> String {
    let plain: String = list.version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let digest = if plain == list.version { String::new() } else { format!("-{:08x}", short(&list.version)) };
    let of = list.authority.map_or_else(String::new, |authority| format!("_{authority}_{}", list.from));
    format!("{}_{plain}{digest}{of}.xml", list.id)
}

/// FNV-1a: for names alone.
fn short(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
