//! The store: one database, SQLite or PostgreSQL, that agreements, routes and whatever else is kept share.
//!
//! [`Database`] opens it and brings its schema up to date. What asks it takes a [`Session`] to read, and a [`Transaction`] to
//! write; statements and rows are those of [`value`]; lists come a [`page`] at a time. [`copies`] and [`moving`] take the whole of it elsewhere; [`jobs`] are work
//! that is written down to be done later. `place` is the SQLite file, `postgres` the server, `pooler` what may stand before it. The
//! schema is in `migrations/sqlite` and `migrations/postgres`, one folder a dialect.

pub mod copies;
pub mod jobs;
mod migrations;
pub mod moving;
mod notices;
pub mod page;
pub mod place;
mod pooler;
mod postgres;
mod schema;
pub mod seen;
pub mod session;
pub mod settings;
mod tables;
pub mod together;
pub mod value;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use self::notices::Heard;
use self::place::Place;
use self::postgres::Server;
pub use self::schema::Schema;
pub use self::session::{GaveWay, Session, Transaction, until_it_holds};
pub use self::settings::{At, Settings};
pub use self::tables::TableDigest;
pub use self::value::{Json, Query, Row, by_dialect, sql};

/// What may be done to the store when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Made where it is not there, and its schema brought up to date.
    Make,
    /// Refused where it is not there, and its schema brought up to date.
    Change,
    /// Refused where it is not there, and nothing of it is written.
    Look,
}

/// The SQL that a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

/// Why the store could not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum StoreError {
    /// The database does not answer, or refuses.
    #[error("the store does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// A statement was given up.
    #[error("the store did not answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// The server cannot be reached, or not be used as it is. The text says what to do.
    #[error("the store at {at} cannot be used: {why}")]
    Unusable {
        /// Its address.
        at: String,
        /// Why, and what to do.
        why: String,
    },
    /// The connection broke while it committed.
    #[error(
        "the store's connection broke while it wrote, so that nobody knows whether it did ({0}); look whether it is there, and do it again if not"
    )]
    Undecided(String),
    /// The schema could not be brought up to date.
    #[error("the store could not be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// There is no file at the path.
    #[error("there is no agreements store at {}; `hjemmel agreement import FILE` makes one", .0.display())]
    Missing(PathBuf),
    /// The file is empty, damaged, or something else.
    #[error("{} is no agreements store, or is damaged; put back a whole copy", .0.display())]
    NotAStore(PathBuf),
    /// It is of another release, and was not to be written to.
    #[error(
        "{at} was written by {} release of hjemmel; {}", if *older { "an earlier" } else { "a later" },
        if *older { "`hjemmel serve` or `hjemmel agreement import` brings it up to date" } else { "use that release" }
    )]
    OtherSchema {
        /// The store.
        at: String,
        /// Whether its schema is older than this release's.
        older: bool,
    },
    /// The file was replaced while it was being written to: what was written is in the file that is gone.
    #[error("{} was replaced by another file while this was being written, so that it may be lost; look whether it is there, and do it again", .0.display())]
    Replaced(PathBuf),
    /// It is an earlier state than this node has seen, and nobody has said that it was put back.
    #[error(
        "the store at {at} is an earlier state than this node has seen: {why}. Put back the one that was there; or accept this one with `hjemmel store restored --reason TEXT`, see with `hjemmel audit decisions` what was decided since, and decide it again"
    )]
    PutBack {
        /// The store.
        at: String,
        /// What is missing in it.
        why: String,
    },
    /// What is stored cannot be moved as it is. Nothing was.
    #[error("nothing was moved: {0}")]
    Unmovable(String),
    /// So it went with each that was written in one transaction.
    #[error(transparent)]
    Together(Arc<StoreError>),
    /// A row holds what the model does not have.
    #[error("the store holds an unreadable {column}")]
    Unreadable { column: &'static str },
}

impl StoreError {
    /// Whether the store may answer the next time, as it is.
    pub fn is_away(&self) -> bool {
        matches!(
            self.cause(),
            StoreError::Database(_) | StoreError::TooSlow(_) | StoreError::Unusable { .. } | StoreError::PutBack { .. }
        )
    }

    /// Whether nobody knows if what was written is kept.
    pub fn is_undecided(&self) -> bool {
        matches!(self.cause(), StoreError::Undecided(_))
    }

    /// What went wrong, whoever it went wrong for.
    fn cause(&self) -> &Self {
        match self {
            StoreError::Together(error) => error.cause(),
            error => error,
        }
    }

    /// Whether nothing may be believed that was read of the store, not even what is remembered of it.
    pub fn is_put_back(&self) -> bool {
        matches!(self.cause(), StoreError::PutBack { .. })
    }
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    kind: Kind,
    heard: Arc<Heard>,
    together: Arc<together::Together>,
    /// What is missing in a store that was put back: nothing of it is believed meanwhile.
    doubt: Arc<RwLock<Option<Arc<str>>>>,
}

#[derive(Debug, Clone)]
enum Kind {
    Sqlite(Arc<Place>),
    Postgres(Arc<Server>),
}

impl Database {
    /// Opens the store for no more than `access` says.
    ///
    /// # Errors
    /// It cannot be reached, is not there and may not be made, or holds another schema.
    pub async fn open(settings: &Settings, access: Access) -> Result<Self, StoreError> {
        let kind = match &settings.at {
            At::Sqlite(path) => Kind::Sqlite(Arc::new(Place::open(path, settings, access).await?)),
            At::Postgres(server) => Kind::Postgres(Arc::new(Server::open(server, settings, access).await?)),
        };
        Ok(Self { kind, heard: Arc::default(), together: Arc::default(), doubt: Arc::default() })
    }

    /// Listens from now on for changes that others make, as long as the store is held. SQLite notifies of none.
    pub fn listen(&self) {
        if let Kind::Postgres(server) = &self.kind {
            tokio::spawn(notices::listen(server.direct.clone(), Arc::downgrade(&self.heard)));
        }
    }

    /// Asks from now on at short intervals whether others changed anything, as long as the store is held: a change is known
    /// within a second, also where none is told of.
    pub fn ask(&self) {
        // With hearing of its own, so that the asking does not keep the store open.
        let store = Self { kind: self.kind.clone(), heard: Arc::default(), together: Arc::default(), doubt: Arc::default() };
        let revision = move || {
            let store = store.clone();
            async move { store.revision().await }
        };
        tokio::spawn(notices::ask(revision, Arc::downgrade(&self.heard), notices::PACE));
    }

    /// How long ago the store last answered that asking; none where nobody asks.
    pub fn asked_ago(&self) -> Option<Duration> {
        self.heard.asked_ago()
    }

    /// A number that is another once something may have changed: by this program's own writing at once, by others' where it
    /// listens or asks.
    pub fn changes(&self) -> u64 {
        self.heard.changes()
    }

    /// Whether others' changes are heard of just now.
    pub fn is_listening(&self) -> bool {
        self.heard.is_listening()
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        match self.kind {
            Kind::Sqlite(_) => Dialect::Sqlite,
            Kind::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Which file a SQLite store is, by device and inode: a copy is another. `None` where it is no file.
    ///
    /// # Errors
    /// There is no file any more.
    pub async fn file(&self) -> Result<Option<String>, StoreError> {
        match &self.kind {
            Kind::Sqlite(place) => place.file().await.map(Some),
            Kind::Postgres(_) => Ok(None),
        }
    }

    /// Closes every connection; whatever is asked afterwards fails as an unreachable store does.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Sqlite(place) => place.close().await,
            Kind::Postgres(server) => server.close().await,
        }
    }

    /// Its address, for whoever is told of it.
    fn address(&self) -> String {
        match &self.kind {
            Kind::Sqlite(place) => place.path().display().to_string(),
            Kind::Postgres(server) => server.at().to_owned(),
        }
    }

    /// Says what is missing in the store, so that nothing of it is believed, also not what is remembered; or that nothing is.
    fn doubt(&self, why: Option<&str>) {
        let mut doubt = self.doubt.write().unwrap_or_else(PoisonError::into_inner);
        if doubt.as_deref() != why {
            *doubt = why.map(Arc::from);
            self.heard.change();
        }
    }

    /// What is missing in the store, where it is an earlier state that was put back.
    pub fn doubted(&self) -> Option<Arc<str>> {
        self.doubt.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn believed(&self) -> Result<(), StoreError> {
        match self.doubted() {
            Some(why) => Err(StoreError::PutBack { at: self.address(), why: why.to_string() }),
            None => Ok(()),
        }
    }

    /// A connection to read by. Each statement sees what was committed before it.
    ///
    /// Whoever holds a session or a transaction takes no second one before it is given back: the pool is shared, and as many as
    /// it has connections would each wait for the others. Within a transaction ask by its own session.
    ///
    /// # Errors
    /// The store does not answer, or was put back.
    pub async fn session(&self) -> Result<Session, StoreError> {
        self.believed()?;
        self.session_in_doubt().await
    }

    /// The same of a store that may have been put back.
    async fn session_in_doubt(&self) -> Result<Session, StoreError> {
        Ok(Session(match &self.kind {
            Kind::Sqlite(place) => session::Inner::Sqlite(place.current().await?.pool.acquire().await?),
            Kind::Postgres(server) => session::Inner::Postgres(server.acquire().await?, server.clone()),
        }))
    }

    /// A transaction in which decisions are made: until it ends nobody else changes agreements or routes, so that what it
    /// reads stays so. It waits for the one before it. Once it is committed, what is remembered of them is asked for anew.
    ///
    /// # Errors
    /// The store does not answer, or others did not end in time.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_as(Some(postgres::ALONE)).await
    }

    /// A transaction beside which others write too, such as of a delivery, a file or a job: it changes nothing that is
    /// remembered (see [`Database::revision`]), and nothing is asked for anew because of it. PostgreSQL: READ COMMITTED, so
    /// that rows to be changed are locked when they are read. SQLite has one writer at a time.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn begin_beside_others(&self) -> Result<Transaction, StoreError> {
        self.begin_as(None).await
    }

    async fn begin_as(&self, lock: Option<&'static str>) -> Result<Transaction, StoreError> {
        self.believed()?;
        let heard = lock.map(|_| self.heard.clone());
        match &self.kind {
            Kind::Sqlite(place) => {
                let turn = turn(&place.writing, place.patience()).await.ok_or(StoreError::TooSlow(place.patience()))?;
                let opened = place.current().await?;
                // IMMEDIATE takes the write lock before anything is read: two decisions at once cannot both see the old state.
                let transaction = opened.pool.begin_with("BEGIN IMMEDIATE").await?;
                let session = Session(session::Inner::SqliteWriting(transaction));
                let file = Some(session::Written { place: place.clone(), opened });
                Ok(Transaction { session, file, heard, _turn: Some(turn) })
            }
            Kind::Postgres(server) => {
                let (transaction, turn) = server.begin(lock).await?;
                let session = Session(session::Inner::PostgresWriting(transaction, server.clone()));
                Ok(Transaction { session, file: None, heard, _turn: turn })
            }
        }
    }

    /// Every row of one statement. It is done again where it gave way to another transaction; one that only reads once more where
    /// its connection was lost.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub async fn all(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        self.alone(query.only_reads(), async || self.session().await?.all(query.clone()).await).await
    }

    /// The first row of one statement, if there is one. It is done again as [`Database::all`] is.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub async fn first(&self, query: Query) -> Result<Option<Row>, StoreError> {
        self.alone(query.only_reads(), async || self.session().await?.first(query.clone()).await).await
    }

    /// Runs one statement, and says how many rows it changed. It is done again where it gave way to another transaction.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub async fn execute(&self, query: Query) -> Result<u64, StoreError> {
        self.alone(false, async || self.session().await?.execute(query.clone()).await).await
    }

    /// The same in a transaction beside others ([`Database::begin_beside_others`]): within the time that a statement may take, and
    /// in this program's turn to write where there is one writer at a time.
    ///
    /// # Errors
    /// Those of [`Transaction::commit`]; or the store does not answer, or refuses.
    pub async fn write(&self, query: Query) -> Result<u64, StoreError> {
        until_it_holds(async || {
            let mut transaction = self.begin_beside_others().await?;
            let changed = transaction.execute(query.clone()).await?;
            transaction.commit().await.map(|()| changed)
        })
        .await
    }

    /// Asks one statement that is a transaction by itself: what it failed at was not kept. Each time by a connection of its own, the
    /// one before having been given back.
    async fn alone<T, F>(&self, only_reads: bool, ask: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        until_it_holds(async || match ask().await {
            Err(error) if only_reads && self.lost_its_connection(&error) => ask().await,
            done => done,
        })
        .await
    }

    /// Whether a reading failed for want of its connection, so that it may be done again on another.
    fn lost_its_connection(&self, error: &StoreError) -> bool {
        match &self.kind {
            Kind::Postgres(server) if postgres::is_lost(error) => {
                server.begin_anew();
                true
            }
            _ => false,
        }
    }

    /// How many rows each table has, for operators.
    ///
    /// # Errors
    /// The store does not answer, or has a table that cannot be told.
    pub async fn counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut session = self.session().await?;
        let mut counts = Vec::new();
        for table in tables::tables(&mut session).await? {
            counts.push((table.name.clone(), table.count(&mut session).await?));
        }
        Ok(counts)
    }

    /// Each table but the database's own, with its columns, in order.
    ///
    /// # Errors
    /// The store does not answer, or has a table that cannot be told.
    pub async fn columns(&self) -> Result<std::collections::BTreeMap<String, Vec<String>>, StoreError> {
        let tables = tables::tables(&mut self.session().await?).await?;
        let columns = |table: tables::Table| {
            let mut names: Vec<String> = table.columns.into_iter().map(|column| column.name).collect();
            names.sort();
            (table.name, names)
        };
        Ok(tables.into_iter().map(columns).collect())
    }

    /// A value that every write to agreements, certificates, authorities or routes makes anew: while it is the same, so is
    /// everything that was read of them.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn revision(&self) -> Result<Vec<u8>, StoreError> {
        let row = self.first(sql("SELECT value FROM revision")).await?;
        row.ok_or(StoreError::Unreadable { column: "revision" })?.get("value")
    }
}

/// Waits for this program's turn to write, in the order of asking and without a connection; none: not within `patience`. Those who
/// wait for a lock with a connection in hand keep it from whoever reads, and from whoever has the lock and needs another to go on.
async fn turn(writing: &Arc<Semaphore>, patience: Duration) -> Option<OwnedSemaphorePermit> {
    timeout(patience, writing.clone().acquire_owned()).await.ok()?.ok()
}

/// How far the store's schema is; nothing of it is written.
///
/// # Errors
/// What would keep the gateway from opening it: not there, no store, or written by a later release.
pub async fn schema(settings: &Settings) -> Result<Schema, StoreError> {
    match &settings.at {
        At::Sqlite(path) => place::schema(path, settings).await,
        At::Postgres(server) => postgres::schema(server, settings).await,
    }
}
