//! The reference material, which the project does not carry.

use std::path::PathBuf;

use crate::not_run::did_not_run;

/// A folder of reference material, or a line that says what did not run.
pub fn reference(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HJEMMEL_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from);
    let folder = folder.join(what);
    if !folder.is_dir() {
        did_not_run(what, "set HJEMMEL_REFERENCE to the folder of reference material");
        return None;
    }
    Some(folder)
}
