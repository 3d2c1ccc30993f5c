//! What a file or a folder has wrong, in the words of every command: which, why, and what to do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Says of a path that it cannot be used.
pub fn describe<'a>(path: &'a Path, error: &'a io::Error) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| write!(f, "{}: {error}{}", path.display(), remedy(error)))
}

/// What to do about an error, behind its words; nothing where only its words can tell.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => {
            "; correct the path: a relative one begins in the folder in which the command is run, and a folder that is written to must be there"
        }
        ErrorKind::PermissionDenied => "; let the user who runs the command read or write it",
        ErrorKind::AlreadyExists => "; it is not written over: move it, or name another",
        ErrorKind::IsADirectory => "; name a file, this is a folder",
        ErrorKind::NotADirectory => "; name a folder, this is a file",
        ErrorKind::InvalidData => "; write it in UTF-8",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room on the disk, and run the command again",
        ErrorKind::ReadOnlyFilesystem => "; name a place that can be written to",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_told_with_its_path_and_what_to_do() {
        let path = Path::new("/no/such/file");
        let said = describe(path, &std::fs::read(path).unwrap_err()).to_string();
        assert!(said.starts_with("/no/such/file: No such file or directory"), "{said}");
        assert!(said.contains("; correct the path"), "{said}");
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let said = describe(dir.path(), &std::fs::read(dir.path()).unwrap_err()).to_string();
        assert!(said.ends_with("; name a file, this is a folder"), "{said}");
    }

    #[test]
    fn a_text_in_another_encoding_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"\xe6").unwrap();
        let said = describe(&path, &std::fs::read_to_string(&path).unwrap_err()).to_string();
        assert!(said.ends_with("; write it in UTF-8"), "{said}");
    }
}
