//! What a path names in a home.

use crate::files::home::{Home, Place};

/// The parts of a path, `.` and `..` resolved. Paths that do not begin with `/` begin at the root too: there is no other current folder.
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

/// The place that a path names, as a client writes it.
pub fn place<H: Home>(home: &H, path: &str) -> Place<H::Folder> {
    home.place(&parts(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::home::Folder;
    use crate::files::name::{Name, NotAName};

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
            assert_eq!(Folder::place(&parts(path)), place, "{path}");
        }
    }

    #[test]
    fn realpath_takes_everything() {
        for (path, whole) in [("", "/"), (".", "/"), ("OUT/x", "/OUT/x"), ("/missing/./y/", "/missing/y"), ("../..", "/")] {
            assert_eq!(absolute(path), whole);
        }
    }
}
