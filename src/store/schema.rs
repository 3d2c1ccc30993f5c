//! How far a store's schema is, from the migrations that it says it has had.

use sqlx::migrate::{MigrateError, Migrator};

use super::StoreError;

/// How far a store's schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The version that it has; 0 where it is empty.
    pub version: i64,
    /// The version that this release brings it to when it starts.
    pub latest: i64,
}

impl Schema {
    /// Whether it has every migration of this release.
    pub fn is_current(self) -> bool {
        self.version == self.latest
    }
}

/// A migration that was applied: its version, its checksum, and whether it succeeded.
pub(super) type Applied = (i64, Vec<u8>, bool);

/// What was applied, and what this release has.
pub(super) const APPLIED: &str = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";

/// The version of an empty store.
pub(super) fn empty(migrations: &Migrator) -> Schema {
    Schema { version: 0, latest: migrations.iter().map(|migration| migration.version).max().unwrap_or_default() }
}

/// Judges what was applied to the store `at`, oldest first.
pub(super) fn judged(applied: &[Applied], migrations: &Migrator, at: &str) -> Result<Schema, StoreError> {
    let mut schema = empty(migrations);
    for (version, checksum, success) in applied {
        schema.version = *version;
        let known = migrations.iter().find(|migration| migration.version == *version);
        let known = known.ok_or_else(|| StoreError::OtherSchema { at: at.to_owned(), older: false })?;
        if known.checksum.as_ref() != checksum.as_slice() {
            return Err(MigrateError::VersionMismatch(*version).into());
        }
        if !success {
            return Err(MigrateError::Dirty(*version).into());
        }
    }
    // One that came later with a lower number is still to be applied.
    if applied.len() < migrations.iter().count() && schema.version == schema.latest {
        let missing = migrations.iter().find(|migration| applied.iter().all(|(version, ..)| *version != migration.version));
        schema.version = missing.map_or(schema.version, |missing| missing.version - 1);
    }
    Ok(schema)
}
