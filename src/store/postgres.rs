//! The store on a PostgreSQL server.
//!
//! Calls ask by a pool, which may lead through PgBouncer. Migrations and notices need a session of their own, and have the
//! direct address. TLS is verified, name and chain, wherever the server is asked by TCP.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Postgres as Pg, Row, raw_sql};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::migrations::OF_POSTGRES as MIGRATIONS;
use super::pooler::{Pooling, pooling};
use super::schema::{APPLIED, Applied, Schema, empty, judged};
use super::settings::{Address, Host, Postgres, Settings};
use super::{Access, StoreError, turn};

/// Makes a transaction the only one that changes agreements and routes. Readers go on. Taken before the first statement, so
/// that what it sees includes what the one before it did.
pub(super) const ALONE: &str = "LOCK TABLE revision IN EXCLUSIVE MODE";

/// How long a start waits for another that migrates, by the patience of a decision: 30 seconds with the usual one.
const MIGRATION_PATIENCE: u32 = 15;

/// A connection that was not used for so long is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(5);

/// What whoever waited too long for the lock is told, whichever program held it.
const BUSY: &str = "another writes to it, and did not end in time; do it again";

/// A pool that is younger has none of the connections that were lost.
const YOUNG: Duration = Duration::from_millis(100);

/// A server, and the connections to it.
pub(super) struct Server {
    at: String,
    options: PgConnectOptions,
    pub(super) direct: PgConnectOptions,
    limits: Settings,
    /// The pool, and when it was made.
    pool: RwLock<(PgPool, Instant)>,
    /// Has one permit: whose turn it is, of this program, to be alone.
    alone: Arc<Semaphore>,
}

/// Its address alone: sqlx's options would show the password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.at)
    }
}

impl Server {
    pub(super) async fn open(server: &Postgres, settings: &Settings, access: Access) -> Result<Self, StoreError> {
        let at = server.address.to_string();
        let options = options(server, &server.address).await?;
        let direct_at = server.direct.as_ref().unwrap_or(&server.address);
        let direct = self::options(server, direct_at).await?;
        fit(&options, server, settings).await?;
        let schema = look(&direct, direct_at).await?;
        match access {
            Access::Make | Access::Change if !schema.is_current() => {
                migrate(&direct, direct_at, settings.patience * MIGRATION_PATIENCE).await?
            }
            Access::Look if schema.version == 0 => {
                let why = "it holds no store yet; `hjemmel store migrate` makes the tables".to_owned();
                return Err(StoreError::Unusable { at, why });
            }
            Access::Look if !schema.is_current() => return Err(StoreError::OtherSchema { at, older: true }),
            _ => {}
        }
        let pool = RwLock::new((lazily(&options, settings), Instant::now()));
        Ok(Self { at, options, direct, limits: settings.clone(), pool, alone: Arc::new(Semaphore::new(1)) })
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    fn pool(&self) -> PgPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<Pg>, StoreError> {
        self.pool().acquire().await.map_err(|error| explain(error, &self.at))
    }

    /// Begins a transaction, with `lock` held from its beginning, in this program's turn to hold it. Its limits are its own and not
    /// the session's, which may belong to another the next time.
    pub(super) async fn begin(
        &self,
        lock: Option<&'static str>,
    ) -> Result<(sqlx::Transaction<'static, Pg>, Option<OwnedSemaphorePermit>), StoreError> {
        let turn = match lock {
            Some(_) => Some(turn(&self.alone, self.limits.patience).await.ok_or_else(|| self.busy())?),
            None => None,
        };
        let begun = match self.begun(lock).await {
            Err(error) if is_lost(&error) => {
                self.begin_anew();
                self.begun(lock).await
            }
            begun => begun,
        };
        let begun = begun.map_err(|error| match error {
            StoreError::Database(error) => explain(error, &self.at),
            other => other,
        })?;
        Ok((begun, turn))
    }

    fn busy(&self) -> StoreError {
        StoreError::Unusable { at: self.at.clone(), why: BUSY.to_owned() }
    }

    async fn begun(&self, lock: Option<&'static str>) -> Result<sqlx::Transaction<'static, Pg>, StoreError> {
        let (statement, wait) = (self.limits.statement_timeout.as_millis(), self.limits.patience.as_millis());
        let begin = format!("BEGIN; SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {wait}");
        let pool = self.pool();
        let mut transaction = self.within(pool.begin_with(AssertSqlSafe(begin))).await?;
        if let Some(lock) = lock {
            // By itself: where it fails, what was begun is known to be, and rolled back.
            self.within(raw_sql(lock).execute(&mut *transaction)).await?;
        }
        Ok(transaction)
    }

    /// Does `work` in the time that a statement may take. One that takes longer leaves its connection behind, and every other
    /// with it: where the server has vanished, none of them would ever say so.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        // The server gives up first, where it can, and says what it waited for.
        let limit = self.limits.statement_timeout + self.limits.patience;
        match tokio::time::timeout(limit, work).await {
            Ok(done) => Ok(done?),
            Err(_) => {
                self.begin_anew();
                Err(StoreError::TooSlow(limit))
            }
        }
    }

    /// Leaves every connection behind, for where one is lost the others are too. Many are lost at once: the first to notice
    /// does it for all.
    pub(super) fn begin_anew(&self) {
        let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        if !pool.0.is_closed() && pool.1.elapsed() > YOUNG {
            let (before, _) = std::mem::replace(&mut *pool, (lazily(&self.options, &self.limits), Instant::now()));
            // Closing waits for what is still out: nobody waits for that.
            tokio::spawn(async move { before.close().await });
        }
    }

    pub(super) async fn close(&self) {
        self.pool().close().await;
    }
}

/// Whether the connection was lost, so that the same may succeed on another: what was asked by it alone may be asked again.
pub(super) fn is_lost(error: &StoreError) -> bool {
    match error {
        StoreError::Database(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => true,
        // admin_shutdown, crash_shutdown, cannot_connect_now, and PgBouncer's "server closed the connection".
        StoreError::Database(sqlx::Error::Database(error)) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "08P01"))
        }
        _ => false,
    }
}

fn lazily(options: &PgConnectOptions, settings: &Settings) -> PgPool {
    PgPoolOptions::new()
        .max_connections(settings.max_connections.max(1))
        .acquire_timeout(settings.patience)
        .test_before_acquire(false)
        .before_acquire(|connection, held| {
            Box::pin(async move {
                if held.idle_for > IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options.clone())
}

/// How the server is reached by one of its addresses.
async fn options(server: &Postgres, address: &Address) -> Result<PgConnectOptions, StoreError> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(address.port)
        .username(&address.user)
        .database(&address.database)
        .application_name("hjemmel")
        // No floating point is stored, and PgBouncer refuses the parameter as it comes.
        .extra_float_digits(None);
    options = match &address.host {
        Host::Socket(folder) => options.socket(folder).ssl_mode(PgSslMode::Disable),
        Host::Name(host) => {
            if server.tls_roots.is_empty() {
                let why =
                    "the server is asked by TCP, and nothing says whose certificate it must show; name its CAs as tls_roots";
                return Err(StoreError::Unusable { at: address.to_string(), why: why.to_owned() });
            }
            let roots = server.tls_roots.clone().into_bytes();
            options.host(host).ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(roots)
        }
    };
    if let Some((certificate, key)) = &server.client {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    if let Some(file) = &server.password_file {
        let unreadable = |error: std::io::Error| {
            let why = format!("its password_file {} cannot be read ({error})", file.display());
            StoreError::Unusable { at: address.to_string(), why }
        };
        let password = Zeroizing::new(tokio::fs::read_to_string(file).await.map_err(unreadable)?);
        options = options.password(password.trim_end_matches(['\r', '\n']));
    }
    Ok(options)
}

/// Refuses what stands before the server where statements or sessions would go wrong behind it.
async fn fit(options: &PgConnectOptions, server: &Postgres, settings: &Settings) -> Result<(), StoreError> {
    let refused = |address: &Address, why: &str| StoreError::Unusable { at: address.to_string(), why: why.to_owned() };
    let found = async |options: &PgConnectOptions, address: &Address| {
        let limit = settings.patience * 5;
        match tokio::time::timeout(limit, pooling(options, settings.patience)).await {
            Ok(found) => found.map_err(|error| explain(error, &address.to_string())),
            Err(_) => Err(StoreError::TooSlow(limit)),
        }
    };
    match found(options, &server.address).await? {
        Pooling::None => {}
        Pooling::TransactionsWithNamesInCommon => {
            return Err(refused(
                &server.address,
                "a pooler gives each transaction another connection and does not keep prepared statements apart, so that one caller \
                 could be given another's rows; use PgBouncer 1.24 or later (or 1.21 with max_prepared_statements), set pool_mode = \
                 session, or name the server itself",
            ));
        }
        Pooling::Transactions if server.direct.is_none() => {
            return Err(refused(
                &server.address,
                "a pooler gives each transaction another connection, and migrations and notices need one of their own; name the \
                 server itself as direct_url",
            ));
        }
        Pooling::Transactions => {}
    }
    if let Some(direct) = &server.direct
        && found(&self::options(server, direct).await?, direct).await? != Pooling::None
    {
        let why = "direct_url leads to a pooler that gives each transaction another connection; name the server itself";
        return Err(refused(direct, why));
    }
    Ok(())
}

/// The schema of the store at a server; nothing of it is written.
pub(super) async fn schema(server: &Postgres, settings: &Settings) -> Result<Schema, StoreError> {
    fit(&options(server, &server.address).await?, server, settings).await?;
    let direct = server.direct.as_ref().unwrap_or(&server.address);
    look(&options(server, direct).await?, direct).await
}

async fn look(direct: &PgConnectOptions, at: &Address) -> Result<Schema, StoreError> {
    let at = at.to_string();
    let mut connection = direct.connect().await.map_err(|error| explain(error, &at))?;
    let looked = applied(&mut connection).await;
    let _ = connection.close().await;
    match looked.map_err(|error| explain(error, &at))? {
        None => Ok(empty(&MIGRATIONS)),
        Some(applied) => judged(&applied, &MIGRATIONS, &at),
    }
}

/// The migrations that the database has had; none where it is no store yet.
async fn applied(connection: &mut PgConnection) -> Result<Option<Vec<Applied>>, sqlx::Error> {
    let table = sqlx::query("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS there").fetch_one(&mut *connection).await?;
    if !table.try_get::<bool, _>("there")? {
        return Ok(None);
    }
    let rows = sqlx::query(APPLIED).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("version")?, row.try_get("checksum")?, row.try_get("success")?)))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Brings the schema up to date. Of several nodes that start at once one does it, and the others wait. The lock belongs to the
/// connection, and is gone with it, however it ends.
async fn migrate(direct: &PgConnectOptions, at: &Address, patience: Duration) -> Result<(), StoreError> {
    let at = at.to_string();
    let options = PgPoolOptions::new().max_connections(1).after_connect(move |connection, _| {
        Box::pin(async move {
            let wait = AssertSqlSafe(format!("SET lock_timeout = {}", patience.as_millis()));
            raw_sql(wait).execute(connection).await.map(drop)
        })
    });
    // A pool of one: the migrations take no plain connection in a future that is sent between threads.
    let pool = options.connect_with(direct.clone()).await.map_err(|error| explain(error, &at))?;
    let migrated = MIGRATIONS.run(&pool).await;
    let holder = match &migrated {
        Err(error) if waited_too_long(error) => holder(&pool).await,
        _ => None,
    };
    pool.close().await;
    migrated.map_err(|error| match error {
        error if waited_too_long(&error) => {
            let holder = holder.unwrap_or_else(|| "another session".to_owned());
            let why = format!(
                "{holder} has held the lock on its migrations for more than {patience:?}; if that is no hjemmel at work, end it \
                 with pg_terminate_backend, and start again"
            );
            StoreError::Unusable { at, why }
        }
        MigrateError::VersionMissing(_) => StoreError::OtherSchema { at, older: false },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(error, &at),
        other => other.into(),
    })
}

fn waited_too_long(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("55P03"))
}

/// Who holds an advisory lock of this database.
async fn holder(pool: &PgPool) -> Option<String> {
    let row = sqlx::query(
        "SELECT format('process %s (%s, since %s)', activity.pid, activity.application_name, activity.backend_start::timestamptz(0)) AS who
         FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
         WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         LIMIT 1",
    );
    row.fetch_one(pool).await.ok()?.try_get("who").ok()
}

fn not_accepted(error: &dyn std::fmt::Display) -> String {
    format!(
        "its certificate is not accepted ({error}); name the CA that issued it in tls_roots, and the host as the certificate does"
    )
}

/// What a server's refusal means, and what to do. Whatever else goes wrong is reported as it comes.
fn explain(error: sqlx::Error, at: &str) -> StoreError {
    let why = match &error {
        sqlx::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => not_accepted(error),
        sqlx::Error::Tls(error) => not_accepted(error),
        sqlx::Error::Io(error) => format!("it does not answer ({error}); see that it runs, and that its address is right"),
        sqlx::Error::PoolTimedOut => {
            "no connection was free, or none could be made in time; see that it answers, and whether max_connections is enough"
                .to_owned()
        }
        sqlx::Error::Database(refused) => match refused.code().as_deref() {
            Some("28P01" | "28000") => {
                format!("it does not admit the user ({}); see password_file and pg_hba.conf", refused.message())
            }
            Some("3D000") => format!("{}; make it with createdb", refused.message()),
            Some("42501") => {
                format!("{}; let the user own the database, or run `hjemmel store migrate` as its owner", refused.message())
            }
            Some("53300") => format!("{}; lower max_connections or let the server take more", refused.message()),
            Some("55P03") => BUSY.to_owned(),
            Some("08P01") => format!("{}; a pooler that stands before it does not know a parameter", refused.message()),
            _ => return error.into(),
        },
        _ => return error.into(),
    };
    StoreError::Unusable { at: at.to_owned(), why }
}
