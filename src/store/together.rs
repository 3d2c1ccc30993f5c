//! What several calls write at once, in one transaction: each pays its share of SQLite's four `fsync`, and waits for no lock.
//!
//! One transaction is under way at a time; what comes meanwhile is in the next one, and where the one before had company the next waits for
//! it a moment: who writes alone waits once at most, as the first after such company. Nobody hears that his part is kept before the whole
//! is on disk. A part that the database refuses takes no other with it: each is then done by itself. A transaction that cannot begin
//! or be committed fails each of its parts. Queue, transaction and wait are bounded.
//!
//! A PostgreSQL server writes the commits of several connections by one flush itself: there each part is a transaction of its own.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::{Database, Kind, Session, StoreError, until_it_holds};

/// Parts of one transaction at most.
const AT_ONCE: usize = 32;
/// Parts that wait at most.
const QUEUE: usize = 4_096;
/// How long a transaction waits for more parts where several come at the same time.
const COMPANY: Duration = Duration::from_millis(2);

/// What is to be written. It may be done more than once; only the last time is kept.
pub trait Write: Send + Sync + 'static {
    /// What whoever asks hears once it is kept.
    type Kept: Send + 'static;

    /// Writes it, in a transaction that others share.
    fn write(&self, session: &mut Session) -> impl Future<Output = Result<Self::Kept, StoreError>> + Send;
}

/// A part of a transaction, whatever it writes.
trait Part: Send {
    fn is_waited_for(&self) -> bool;
    fn write<'p>(&'p mut self, session: &'p mut Session) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'p>>;
    fn reply(self: Box<Self>, failed: Option<StoreError>);
}

type Parts = Vec<Box<dyn Part>>;

struct Waiting<W: Write> {
    what: W,
    kept: Option<W::Kept>,
    reply: oneshot::Sender<Result<W::Kept, StoreError>>,
}

impl<W: Write> Part for Waiting<W> {
    fn is_waited_for(&self) -> bool {
        !self.reply.is_closed()
    }

    fn write<'p>(&'p mut self, session: &'p mut Session) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'p>> {
        Box::pin(async move {
            self.kept = Some(self.what.write(session).await?);
            Ok(())
        })
    }

    fn reply(self: Box<Self>, failed: Option<StoreError>) {
        let told = match (failed, self.kept) {
            (None, Some(kept)) => Ok(kept),
            (Some(error), _) => Err(error),
            (None, None) => Err(lost()),
        };
        // Whoever gave up meanwhile hears nothing.
        let _ = self.reply.send(told);
    }
}

fn lost() -> StoreError {
    StoreError::Undecided("whoever wrote it ended".to_owned())
}

/// The parts that wait to be written to one database.
#[derive(Debug, Default)]
pub(super) struct Together(Mutex<Option<mpsc::Sender<Box<dyn Part>>>>);

impl Together {
    /// The queue; whoever serves it is started with the first part, and anew where the runtime that it ran on has ended.
    fn queue(&self, database: &Database) -> mpsc::Sender<Box<dyn Part>> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*queue {
            Some(queue) if !queue.is_closed() => queue.clone(),
            _ => {
                let (sender, receiver) = mpsc::channel(QUEUE);
                // It ends with the last database that has the queue: it holds none itself.
                tokio::spawn(serve(Database { together: Arc::default(), ..database.clone() }, receiver));
                queue.insert(sender).clone()
            }
        }
    }
}

impl Database {
    /// Writes beside others, as [`Database::begin_beside_others`] does, and in one transaction with what others write just now. It is on disk when
    /// this returns. Who no longer waits, whose part has not begun, writes nothing.
    ///
    /// # Errors
    /// The store does not answer, or refuses; [`StoreError::TooSlow`]: nobody knows whether it was written.
    pub async fn write_together<W: Write>(&self, what: W) -> Result<W::Kept, StoreError> {
        let Kind::Sqlite(place) = &self.kind else {
            return until_it_holds(async || {
                let mut transaction = self.begin_beside_others().await?;
                let kept = what.write(&mut transaction).await?;
                transaction.commit().await.map(|()| kept)
            })
            .await;
        };
        let (reply, answer) = oneshot::channel();
        // What is under way may wait for its lock, and so may what comes after it.
        let limit = place.patience() * 2;
        let part = Box::new(Waiting { what, kept: None, reply });
        self.together.queue(self).try_send(part).map_err(|_| StoreError::TooSlow(Duration::ZERO))?;
        match timeout(limit, answer).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => Err(lost()),
            Err(_) => Err(StoreError::TooSlow(limit)),
        }
    }
}

async fn serve(database: Database, mut queue: mpsc::Receiver<Box<dyn Part>>) {
    let (mut parts, mut together) = (Vec::with_capacity(AT_ONCE), false);
    while queue.recv_many(&mut parts, AT_ONCE).await > 0 {
        if together && parts.len() < AT_ONCE {
            // Slept through: to be woken by each that comes would cost what it saves.
            company(sleep(COMPANY), &mut queue, &mut parts).await;
        }
        parts.retain(|part| part.is_waited_for());
        together = parts.len() > 1;
        match written(&database, &mut parts).await {
            Err(Failure::Part(_)) if parts.len() > 1 => alone(&database, std::mem::take(&mut parts)).await,
            done => reply_to_all(&mut parts, done.err().map(Failure::into_error)),
        }
    }
}

/// Takes what has come once the moment is over.
async fn company(moment: impl Future<Output = ()>, queue: &mut mpsc::Receiver<Box<dyn Part>>, parts: &mut Parts) {
    moment.await;
    while parts.len() < AT_ONCE
        && let Ok(part) = queue.try_recv()
    {
        parts.push(part);
    }
}

/// Why a transaction was not kept.
enum Failure {
    /// One of its parts was refused.
    Part(StoreError),
    /// It could not be begun or committed.
    Whole(StoreError),
}

impl Failure {
    fn into_error(self) -> StoreError {
        let (Self::Part(error) | Self::Whole(error)) = self;
        error
    }
}

async fn written(database: &Database, parts: &mut Parts) -> Result<(), Failure> {
    if parts.is_empty() {
        return Ok(());
    }
    let mut transaction = database.begin_beside_others().await.map_err(Failure::Whole)?;
    // The lock may have been waited for.
    for part in parts.iter_mut().filter(|part| part.is_waited_for()) {
        part.write(&mut transaction).await.map_err(Failure::Part)?;
    }
    transaction.commit().await.map_err(Failure::Whole)
}

/// Each by itself, as long as the database lets anybody write.
async fn alone(database: &Database, parts: Parts) {
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        let mut one = vec![part];
        match written(database, &mut one).await {
            Err(Failure::Whole(error)) => {
                one.extend(parts);
                return reply_to_all(&mut one, Some(error));
            }
            done => reply_to_all(&mut one, done.err().map(Failure::into_error)),
        }
    }
}

fn reply_to_all(parts: &mut Parts, failed: Option<StoreError>) {
    let failed = failed.map(Arc::new);
    for part in parts.drain(..) {
        part.reply(failed.clone().map(StoreError::Together));
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::store::{Access, Settings, sql};

    /// Writes a word, each once.
    struct Word(String);

    impl Write for Word {
        type Kept = String;

        async fn write(&self, session: &mut Session) -> Result<String, StoreError> {
            session.execute(sql("INSERT INTO word VALUES ($1)").bind(&self.0)).await?;
            Ok(self.0.clone())
        }
    }

    struct Place {
        path: PathBuf,
        database: Database,
        _dir: tempfile::TempDir,
    }

    impl Place {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.sqlite");
            let settings = Settings { patience: Duration::from_secs(60), ..Settings::sqlite(&path) };
            let database = Database::open(&settings, Access::Make).await.unwrap();
            let place = Self { path, database, _dir: dir };
            sqlx::query("CREATE TABLE word (text TEXT PRIMARY KEY)").execute(&mut place.other().await).await.unwrap();
            place
        }

        /// A connection of another program.
        async fn other(&self) -> SqliteConnection {
            SqliteConnection::connect(&self.path.display().to_string()).await.unwrap()
        }

        async fn words(&self) -> Vec<String> {
            let mut other = self.other().await;
            sqlx::query_scalar("SELECT text FROM word ORDER BY text").fetch_all(&mut other).await.unwrap()
        }

        fn write(&self, word: &str) -> impl Future<Output = Result<String, StoreError>> + use<> {
            let (database, word) = (self.database.clone(), Word(word.to_owned()));
            async move { database.write_together(word).await }
        }
    }

    /// Whether it is not done yet, once it has been looked at.
    fn is_pending(future: Pin<&mut impl Future>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// SQLite's file change counter: it goes up by one with each transaction that is committed.
    fn transactions(path: &Path) -> u32 {
        let head = std::fs::read(path).unwrap();
        u32::from_be_bytes(head[24..28].try_into().unwrap())
    }

    #[tokio::test]
    async fn what_comes_while_another_is_written_is_one_transaction_and_nobody_hears_of_it_before() {
        let place = Place::new().await;
        assert_eq!(place.write("først").await.unwrap(), "først");
        let mut other = place.other().await;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let mut writing: Vec<_> = (0..20).map(|n| Box::pin(place.write(&format!("{n:02}")))).collect();
        for one in &mut writing {
            assert!(is_pending(one.as_mut()));
        }
        let before = transactions(&place.path);
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        for (n, one) in writing.into_iter().enumerate() {
            assert_eq!(one.await.unwrap(), format!("{n:02}"));
        }
        assert_eq!((place.words().await.len(), transactions(&place.path) - before), (21, 1));
    }

    #[tokio::test]
    async fn what_comes_within_a_moment_goes_along_up_to_what_one_transaction_takes() {
        let part = || -> Box<dyn Part> {
            let (reply, _) = oneshot::channel();
            Box::new(Waiting { what: Word(String::new()), kept: None, reply })
        };
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let comes = async |many: usize| (0..many).for_each(|_| sender.try_send(part()).unwrap());
        let mut parts = vec![part()];
        company(comes(1), &mut queue, &mut parts).await;
        assert_eq!((parts.len(), queue.len()), (2, 0));
        company(comes(AT_ONCE), &mut queue, &mut parts).await;
        assert_eq!((parts.len(), queue.len()), (AT_ONCE, 2));
    }

    #[tokio::test]
    async fn what_the_database_refuses_takes_no_other_with_it() {
        let place = Place::new().await;
        place.write("to").await.unwrap();
        let (one, two, three) = tokio::join!(place.write("en"), place.write("to"), place.write("tre"));
        assert_eq!((one.unwrap().as_str(), three.unwrap().as_str()), ("en", "tre"));
        assert!(matches!(two, Err(StoreError::Together(error)) if matches!(*error, StoreError::Database(_))));
        assert_eq!(place.words().await, ["en", "to", "tre"]);
    }

    #[tokio::test]
    async fn a_transaction_that_cannot_be_begun_fails_each_of_its_parts_and_the_next_is_begun_anew() {
        let place = Place::new().await;
        let away = place.path.with_extension("away");
        std::fs::rename(&place.path, &away).unwrap();
        let (one, two) = tokio::join!(place.write("en"), place.write("to"));
        for failed in [one, two] {
            assert!(matches!(failed, Err(StoreError::Together(error)) if matches!(*error, StoreError::Missing(_))));
        }
        std::fs::rename(&away, &place.path).unwrap();
        place.write("tre").await.unwrap();
        assert_eq!(place.words().await, ["tre"]);
    }

    #[tokio::test]
    async fn who_gives_up_before_its_turn_writes_nothing() {
        let place = Place::new().await;
        let mut other = place.other().await;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let mut stays = pin!(place.write("bliver"));
        {
            let mut goes = pin!(place.write("går"));
            assert!(is_pending(goes.as_mut()));
        }
        assert!(is_pending(stays.as_mut()));
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        stays.await.unwrap();
        assert_eq!(place.words().await, ["bliver"]);
    }

    #[tokio::test]
    async fn when_the_queue_is_full_a_write_is_refused_at_once() {
        let place = Place::new().await;
        let mut writing: Vec<_> = (0..QUEUE).map(|n| Box::pin(place.write(&n.to_string()))).collect();
        for one in &mut writing {
            assert!(is_pending(one.as_mut()));
        }
        assert!(matches!(place.write("en til").await, Err(StoreError::TooSlow(Duration::ZERO))));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_that_nobody_knows() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { patience: Duration::from_secs(1), ..Settings::sqlite(&dir.path().join("a.sqlite")) };
        let database = Database::open(&settings, Access::Make).await.unwrap();
        struct Never;
        impl Write for Never {
            type Kept = ();
            async fn write(&self, _: &mut Session) -> Result<(), StoreError> {
                std::future::pending().await
            }
        }
        let told = database.write_together(Never).await.unwrap_err();
        assert!(matches!(told, StoreError::TooSlow(_)) && told.is_away(), "{told}");
    }
}
