//! Hearing of changes that other nodes make, without asking.
//!
//! PostgreSQL tells whoever listens that the revision is another (the trigger `revise`); what changed is then asked for. A
//! notice that comes while nobody listens is lost, so that listening anew counts as a notice. Without notices a change is seen
//! when a memory of the store asks again by itself.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

/// What a change of the revision is told on.
const CHANNEL: &str = "hjemmel_revision";

/// After so long without a notice the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(10);

/// How long the server may take to begin to tell, or to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nobody listens after the connection was lost: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What was heard of changes, by every part of the program that shares the store.
#[derive(Debug, Default)]
pub(super) struct Heard {
    changes: AtomicU64,
    listening: AtomicBool,
}

impl Heard {
    /// Something changed, or may have.
    pub(super) fn change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often something may have changed: while it is the same, nothing was heard.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }
}

/// Listens until nobody is interested any more.
pub(super) async fn listen(direct: PgConnectOptions, heard: Weak<Heard>) {
    let mut wait = FIRST_WAIT;
    loop {
        let lost = until_lost(&direct, &heard, &mut wait).await;
        let Some(heard) = heard.upgrade() else { return };
        if heard.listening.swap(false, Ordering::Relaxed) {
            tracing::warn!(cause = %lost, "the store tells of no changes until it is reached again; they are asked for meanwhile");
        }
        drop(heard);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn until_lost(direct: &PgConnectOptions, heard: &Weak<Heard>, wait: &mut Duration) -> String {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).max_lifetime(None).idle_timeout(None);
    let pool = pool.connect_lazy_with(direct.clone());
    let begun = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    let mut listener = match tokio::time::timeout(PATIENCE, begun).await {
        Ok(Ok(listener)) => listener,
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return "it did not answer in time".to_owned(),
    };
    match heard.upgrade() {
        Some(heard) => {
            // What changed while nobody listened was not heard.
            heard.change();
            heard.listening.store(true, Ordering::Relaxed);
        }
        None => return String::new(),
    }
    *wait = FIRST_WAIT;
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return "the connection was closed".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => match tokio::time::timeout(PATIENCE, sqlx::query("SELECT 1").execute(&mut listener)).await {
                Ok(Ok(_)) if heard.strong_count() > 0 => continue,
                Ok(Ok(_)) => return String::new(),
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "it did not answer in time".to_owned(),
            },
        }
        match heard.upgrade() {
            Some(heard) => heard.change(),
            None => return String::new(),
        }
    }
}
