//! A store of its own for each test, on either database, so that one scenario runs on both.

use std::path::PathBuf;

use hjemmel::store::settings::Postgres;
use hjemmel::store::{At, Settings};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::postgres::{Cluster, PASSWORD, ROLE};
use crate::tables;

/// A store.
pub struct Kept {
    pub settings: Settings,
    pub dir: tempfile::TempDir,
    database: Option<String>,
}

impl Kept {
    /// An empty one.
    pub fn in_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { settings: tables::of_few(Settings::sqlite(&dir.path().join("agreements.sqlite"))), dir, database: None }
    }

    /// An empty one. `None`, and a line that says what did not run, without PostgreSQL.
    pub fn in_postgres() -> Option<Self> {
        let cluster = Cluster::shared()?;
        let database = cluster.database().name;
        let (settings, dir) = on(cluster, &database);
        Some(Self { settings, dir, database: Some(database) })
    }

    /// One that has its tables.
    pub async fn ready_in_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { settings: tables::in_file(&dir.path().join("agreements.sqlite")).await, dir, database: None }
    }

    /// One that has its tables. `None`, and a line that says what did not run, without PostgreSQL.
    pub async fn ready_in_postgres() -> Option<Self> {
        let (cluster, database) = tables::on_cluster().await?;
        let (settings, dir) = on(cluster, &database);
        Some(Self { settings: tables::patient(settings), dir, database: Some(database) })
    }

    /// A database of a cluster of one's own.
    pub fn of(settings: Settings, dir: tempfile::TempDir) -> Self {
        Self { settings, dir, database: None }
    }

    /// An empty one on the same kind of database.
    pub fn another(&self) -> Self {
        match self.database {
            None => Self::in_sqlite(),
            Some(_) => Self::in_postgres().unwrap(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("agreements.sqlite")
    }

    /// Writes `hjemmel.toml` with a `[store]` that leads here.
    pub fn write_configuration(&self) {
        let section = match &self.settings.at {
            At::Sqlite(_) => "url = \"sqlite:agreements.sqlite\"".to_owned(),
            At::Postgres(server) => {
                std::fs::write(self.dir.path().join("db-root.pem"), &server.tls_roots).unwrap();
                format!("url = \"{}\"\ntls_roots = [\"db-root.pem\"]\npassword_file = \"password\"", server.address)
            }
        };
        std::fs::write(self.dir.path().join("hjemmel.toml"), format!("[store]\n{section}\n")).unwrap();
    }

    /// Writes to it by other means than ours.
    pub async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let statement = AssertSqlSafe(sql.to_owned());
        match &self.database {
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path()).foreign_keys(true);
                let options = options.busy_timeout(std::time::Duration::from_secs(60));
                let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
                connection.execute(sqlx::raw_sql(statement)).await?;
                connection.close().await
            }
            Some(database) => {
                let mut connection = Cluster::shared().unwrap().superuser(database).await;
                connection.execute(sqlx::raw_sql(statement)).await?;
                connection.close().await
            }
        }
    }
}

/// How a cluster's database is reached by TCP, with its password in a file.
pub fn on(cluster: &Cluster, database: &str) -> (Settings, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let address = format!("postgres://{ROLE}@localhost:{}/{database}", cluster.port());
    let mut server = Postgres::at(address.parse().unwrap());
    server.tls_roots = std::fs::read_to_string(cluster.root()).unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    server.password_file = Some(password);
    (tables::of_few(Settings::usual(At::Postgres(Box::new(server)))), dir)
}

/// A scenario on each database, a test for each.
#[macro_export]
macro_rules! on_both {
    ($($(#[$note:meta])* $name:ident;)*) => {
        mod in_sqlite {
            use $crate::kept::Kept;
            $($(#[$note])* #[tokio::test] async fn $name() {
                super::$name(Kept::ready_in_sqlite().await).await;
            })*
        }
        mod in_postgres {
            use $crate::kept::Kept;
            $($(#[$note])* #[tokio::test] async fn $name() {
                if let Some(kept) = Kept::ready_in_postgres().await {
                    super::$name(kept).await;
                }
            })*
        }
    };
}
