//! The migrations of both dialects, compiled in: `build.rs` writes them down from `migrations/`.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

// SQLITE and POSTGRES: version, description and text of each.
include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

pub(super) static OF_SQLITE: LazyLock<Migrator> = LazyLock::new(|| all(SQLITE));
pub(super) static OF_POSTGRES: LazyLock<Migrator> = LazyLock::new(|| all(POSTGRES));

fn all(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, description, text): &(i64, &'static str, &'static str)| {
        Migration::new(version, description.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What a store of an earlier release compares, and what is done to it.
    fn facts(migrations: &Migrator) -> Vec<(i64, String, Vec<u8>, String, bool)> {
        let facts = |one: &Migration| {
            (one.version, one.description.to_string(), one.checksum.to_vec(), one.sql.as_str().to_owned(), one.no_tx)
        };
        migrations.iter().map(facts).collect()
    }

    #[test]
    fn they_are_read_from_the_tree_that_is_compiled_whichever_tree_wrote_their_list() {
        let list = include_str!(concat!(env!("OUT_DIR"), "/migrations.rs"));
        assert!(list.contains("/migrations/sqlite/") && list.contains("/migrations/postgres/"), "{list}");
        assert!(!list.contains(env!("CARGO_MANIFEST_DIR")), "a list that names a tree is another tree's too: {list}");
    }

    #[tokio::test]
    async fn they_are_the_files_of_the_folders_with_the_checksums_that_sqlx_gives_them() {
        for (folder, compiled) in [("sqlite", &*OF_SQLITE), ("postgres", &*OF_POSTGRES)] {
            let read = Migrator::new(Path::new("migrations").join(folder)).await.unwrap();
            assert!(read.iter().count() > 1, "{folder}");
            assert!(read.iter().all(|one| matches!(one.migration_type, MigrationType::Simple)), "{folder}");
            assert_eq!(facts(compiled), facts(&read), "{folder}");
        }
    }
}
