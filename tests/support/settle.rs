//! Jobs that a test does to their end, however slow the machine is on which it runs.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use hjemmel::store::jobs::figures;
use hjemmel::store::{Database, sql};

/// Works until no job of a kind waits. An attempt that failed, as one does where the disk or the database has stood still, is
/// made again, and so is one that was given back.
pub async fn settle<E: Debug>(database: &Database, kind: &str, work_once: impl AsyncFn() -> Result<usize, E>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        while work_once().await.unwrap() > 0 {}
        let waiting = figures(database).await.unwrap().into_iter().find(|(of, figures)| of == kind && figures.waiting > 0);
        let Some((_, left)) = waiting else { return };
        assert!(Instant::now() < deadline, "{kind}: {left:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What whoever died had taken is due at once.
pub async fn leases_end(database: &Database) {
    let end = sql("UPDATE job SET due_us = 0 WHERE state = 'waiting' AND lease IS NOT NULL");
    database.session().await.unwrap().execute(end).await.unwrap();
}
