//! The names of objects.

use std::fmt;

use object_store::path::Path;
use uuid::Uuid;

/// How many folders the objects are spread over.
pub const SHELVES: u16 = 256;

/// The name of an object: random, so that it says nothing of the content and never meets another.
///
/// Every name has the same depth, and an ending that no folder has: to some S3-compatible stores a name that is the beginning
/// of another is a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName(Uuid);

const ENDING: &str = ".content";

impl ObjectName {
    /// A name that nothing has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The name as the caller's rows keep it.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// From what a row keeps.
    pub fn of(uuid: Uuid) -> Self {
        Self(uuid)
    }

    pub(super) fn path(self) -> Path {
        Path::from_iter([shelf_name(self.shelf_number()), format!("{}{ENDING}", self.0)])
    }

    pub(super) fn shelf(number: u8) -> Path {
        Path::from(shelf_name(number))
    }

    /// The shelf that it lies on.
    pub fn shelf_number(self) -> u8 {
        let [first, ..] = *self.0.as_bytes();
        first
    }

    /// The name at a place of the store; none where something else lies there.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        let name = Self(path.filename()?.strip_suffix(ENDING)?.parse().ok()?);
        let at: Vec<_> = path.parts().collect();
        let due: Vec<_> = name.path().parts().map(|part| part.as_ref().to_owned()).collect();
        // The store's own prefix is not part of what it lists.
        (at.iter().map(AsRef::as_ref).eq(due.iter().map(String::as_str))).then_some(name)
    }
}

fn shelf_name(number: u8) -> String {
    format!("{number:02x}")
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_again_from_its_place() {
        let name = ObjectName::random();
        assert_eq!(ObjectName::of_path(&name.path()), Some(name));
        assert!(name.path().as_ref().starts_with(ObjectName::shelf(name.shelf_number()).as_ref()));
    }

    #[test]
    fn what_is_no_content_has_no_name() {
        for path in
            ["00/notes.txt", "00/11111111-1111-4111-8111-111111111111.content", "11111111-1111-4111-8111-111111111111.content"]
        {
            assert_eq!(ObjectName::of_path(&Path::from(path)), None, "{path}");
        }
    }
}
