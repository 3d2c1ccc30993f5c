//! What a path names in a home.

use crate::files::home::Folder;
use crate::files::name::{Name, NotAName};

/// The place that a path names. Paths that do not begin with `/` begin at the root too: there is no other current folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `/`.
    Root,
    /// `/IN` or `/OUT`.
    Folder(Folder),
    /// A file in one of them, there or not.
    File(Folder, Name),
    /// A file in one of them whose name cannot be one.
    NoName(NotAName),
    /// Anything else: there is nothing there and cannot be.
    Elsewhere,
}

/// The parts of a path, `.` and `..` resolved.
fn parts(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
}

/// The path written whole, as REALPATH answers it.
pub fn absolute(path: &str) -> String {
    format!("/{}", parts(path).join("/"))
}

impl Place {
    /// Of a path as a client writes it.
    pub fn of(path: &str) -> Self {
        let folder = |name: &str| Folder::ALL.into_iter().find(|folder| folder.name() == name);
        match parts(path).as_slice() {
            [] => Place::Root,
            [name] => folder(name).map_or(Place::Elsewhere, Place::Folder),
            [first, name] => match (folder(first), Name::new(name)) {
                (None, _) => Place::Elsewhere,
                (Some(folder), Ok(name)) => Place::File(folder, name),
                (Some(_), Err(wrong)) => Place::NoName(wrong),
            },
            _ => Place::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative_paths_name_the_same() {
        let file = |folder, name| Place::File(folder, Name::new(name).unwrap());
        for (path, place) in [
            ("", Place::Root),
            (".", Place::Root),
            ("/..", Place::Root),
            ("/IN", Place::Folder(Folder::In)),
            ("OUT/", Place::Folder(Folder::Out)),
            ("/OUT/../IN/./x", file(Folder::In, "x")),
            ("IN/x.metadata", file(Folder::In, "x.metadata")),
            ("/in", Place::Elsewhere),
            ("/IN/a/b", Place::Elsewhere),
            ("/etc/passwd", Place::Elsewhere),
            ("/OUT/a\u{FFFD}", Place::NoName(NotAName::NotUtf8)),
            ("/OUT/a\tb", Place::NoName(NotAName::Character)),
        ] {
            assert_eq!(Place::of(path), place, "{path}");
        }
    }

    #[test]
    fn realpath_takes_everything() {
        for (path, whole) in [("", "/"), (".", "/"), ("OUT/x", "/OUT/x"), ("/missing/./y/", "/missing/y"), ("../..", "/")] {
            assert_eq!(absolute(path), whole);
        }
    }
}
