//! What a file costs the store: transactions and statements, counted.

use std::fmt::Debug;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use hjemmel::files::core::Step;
use hjemmel::store::Dialect;
use hjemmel::store::session::ASKED;
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::world::*;

/// One as the upload comes, one as the trigger does, and one that delivers. For what many files share there is a fourth now and then.
const TRANSACTIONS: usize = 3;
const STATEMENTS: usize = 37;

/// Keeps each statement that is asked on the thread for which it is the subscriber.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Visit for Asked {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "statement" {
            self.0.lock().unwrap().push(value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Subscriber for Asked {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == ASKED
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// In a process of its own: beside tests with subscribers of theirs, or none, tracing may take it that nobody asks for a statement.
const ALONE: &str = "HJEMMEL_COUNTED_ALONE";

#[test]
fn a_small_file_with_its_trigger_costs_the_store_so_much_and_no_more() {
    if std::env::var_os(ALONE).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(count());
    }
    let name = "files::counted::a_small_file_with_its_trigger_costs_the_store_so_much_and_no_more";
    let alone = Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(ALONE, "").output().unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("1 passed"), "{said}");
}

async fn count() {
    for world in World::all().await {
        let delivered = Arc::new(Notify::new());
        let tell = delivered.clone();
        let at_step = move |step| {
            if step == Step::Delivered {
                tell.notify_one();
            }
        };
        let files = files_in(&world.folder, world.parts.clone(), RULES, Some(Arc::new(at_step)));
        let home = home(&files, SENDER).await;
        let working = tokio::spawn(async move { files.work().await });
        let send = async |spelt: &str| {
            put(&home, spelt, b"<bilag/>").await.unwrap();
            put(&home, &format!("{spelt}.trigger"), trigger(spelt, 8).as_bytes()).await.unwrap();
            delivered.notified().await;
        };
        // Whoever works has looked for what was there before, and a content is announced ahead.
        send("first").await;
        send("second").await;
        let asked = Asked::default();
        let counting = tracing::subscriber::set_default(asked.clone());
        send(NAME).await;
        let asked = asked.take();
        drop(counting);
        working.abort();
        // Every two seconds it looks for what others added, whatever comes.
        let looked = asked.iter().filter(|statement| statement.starts_with("UPDATE job SET state = 'dead'")).count();
        let begun = asked.iter().filter(|statement| *statement == "BEGIN").count();
        let (transactions, statements) = (begun - looked, asked.len() - begun - 2 * looked);
        let told = format!("{}: {transactions} transactions, {statements} statements\n{}", world.kind, asked.join("\n"));
        // PostgreSQL locks each home that it counts in; SQLite has one writer.
        let locks = if world.database.dialect() == Dialect::Postgres { 5 } else { 0 };
        assert!(transactions <= TRANSACTIONS && statements <= STATEMENTS + locks, "{told}");
    }
}
