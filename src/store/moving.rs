//! From a file to a server: every table, all or nothing, and compared before it counts.

use super::tables::{Table, TableDigest, names, tables};
use super::{Database, Dialect, StoreError, Transaction};

/// What begins anew where it is moved to: the memory against replay refuses what was created before it began, so that nothing
/// is let through twice; and how far each node has seen the store come, which another store has not.
pub(super) const ANEW: [&str; 3] = ["replay_message", "replay_memory", "store_seen"];

/// Moves everything from `from`, which nobody writes to meanwhile, to `to`, which must be empty, and gives the digests that both have then.
/// `told` hears how far it is.
///
/// # Errors
/// [`StoreError::Unmovable`], or a store that does not answer. Nothing was moved then.
pub async fn moved(from: &Database, to: &Database, mut told: impl FnMut(&str, i64, i64)) -> Result<Vec<TableDigest>, StoreError> {
    if (from.dialect(), to.dialect()) != (Dialect::Sqlite, Dialect::Postgres) {
        return Err(StoreError::Unmovable("a store is moved from an SQLite file to a PostgreSQL server".to_owned()));
    }
    let (mut source, mut target) = (from.begin().await?, to.begin().await?);
    let plan = planned(&mut source, &mut target).await?;
    let mut all = Vec::new();
    for (read, written) in &plan {
        let (mut done, count) = (0, read.count(&mut source).await?);
        // Read as the target's kinds, which say what a text stands for.
        written
            .read(&mut source, async |page| {
                done += i64::try_from(page.len()).unwrap_or(i64::MAX);
                written.write(&mut target, page).await?;
                told(&written.name, done, count);
                Ok(())
            })
            .await?;
        if done != count {
            return Err(StoreError::Unmovable(format!("of the table {} {done} rows of {count} could be read", written.name)));
        }
        written.count_on(&mut target).await?;
        let (here, there) = (written.digest(&mut source).await?, written.digest(&mut target).await?);
        if here != there {
            return Err(StoreError::Unmovable(format!("the table {} is not the same in both", written.name)));
        }
        all.push(there);
    }
    target.commit().await?;
    Ok(all)
}

/// The tables, as either database has them, and that they are the same and the target's are empty.
async fn planned(source: &mut Transaction, target: &mut Transaction) -> Result<Vec<(Table, Table)>, StoreError> {
    let (here, there) = (tables(source).await?, tables(target).await?);
    let mut plan = Vec::new();
    for table in &there {
        let same = here.iter().find(|other| other.name == table.name && other.columns.len() == table.columns.len());
        let same =
            same.filter(|other| table.columns.iter().all(|column| other.columns.iter().any(|own| own.name == column.name)));
        let same = same.ok_or_else(|| StoreError::Unmovable(format!("the table {} is not the same in both", table.name)))?;
        if table.count(target).await? > 0 {
            return Err(StoreError::Unmovable(format!(
                "the target is not empty: {} has rows; name an empty database",
                table.name
            )));
        }
        if !ANEW.contains(&table.name.as_str()) {
            plan.push((same.clone(), table.clone()));
        }
    }
    if here.len() != there.len() {
        return Err(StoreError::Unmovable(format!("the stores have other tables: {} and {}", names(&here), names(&there))));
    }
    Ok(plan)
}
