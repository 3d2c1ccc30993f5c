//! Where agreements lie: SQLite, through sqlx.
//!
//! A row that cannot be read as the model has it is an error, never a row to skip: an agreement read by half could open
//! more than was agreed.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use sqlx::{Row, Sqlite, SqliteConnection, SqlitePool, Transaction, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    import::Import,
    model::{Agreement, Authority, Decision, Environment, Side, State, Thumbprint},
    place::{Access, Opened, Place},
    scope::Scope,
};
use crate::id::cvr::Cvr;

/// Reads agreements, each with its certificates, in one statement however many they are. The condition follows. Each column is
/// named: of `*`, a connection that is open while another program changes the schema knows the columns of before.
macro_rules! agreements_where {
    () => {
        "SELECT id, side, system, service, authority, environment, valid_from, valid_to, state, legal_basis, purpose, scope,
             decided_by, decided_at, reason,
             (SELECT group_concat(thumbprint) FROM agreement_certificate WHERE agreement = agreement.id) AS certificates
         FROM agreement WHERE "
    };
}

/// How the store is reached.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Connections at most. Default 4.
    pub max_connections: u32,
    /// How long a look-up waits for a connection, and a write for the lock, before the store counts as unreachable.
    /// Default 2 s.
    pub patience: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { max_connections: 4, patience: Duration::from_secs(2) }
    }
}

/// Why the store could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or refuses.
    #[error("the agreements store does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the agreements store could not be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// There is no file at the path.
    #[error("there is no agreements store at {}; `hjemmel agreement import FILE` makes one", .0.display())]
    Missing(PathBuf),
    /// The file is empty, damaged, or something else.
    #[error("{} is no agreements store, or is damaged; put back a whole copy", .0.display())]
    NotAStore(PathBuf),
    /// The file is of another release, and was not to be written to.
    #[error(
        "{} was written by {} release of hjemmel; {}", path.display(), if *older { "an earlier" } else { "a later" },
        if *older { "`hjemmel serve` or `hjemmel agreement import` brings it up to date" } else { "use that release" }
    )]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// Whether its schema is older than this release's.
        older: bool,
    },
    /// The file was replaced while it was being written to: what was written is in the file that is gone.
    #[error("{} was replaced by another file while this was being written, so that it may be lost; look whether it is there, and do it again", .0.display())]
    Replaced(PathBuf),
    /// The agreement is not what it was when it was looked at.
    #[error("agreement {0} was changed since it was shown; nothing was written, look at it again")]
    ChangedSinceShown(Uuid),
    /// A row holds what the model does not have.
    #[error("the agreements store holds an unreadable {column}")]
    Unreadable {
        /// The column.
        column: &'static str,
    },
    /// No agreement has this id.
    #[error("there is no agreement {0}")]
    NoSuchAgreement(Uuid),
    /// The change of state is not legal.
    #[error("agreement {id} is {from} and cannot become {to}")]
    IllegalTransition {
        /// The agreement.
        id: Uuid,
        /// Its state.
        from: State,
        /// The state asked for.
        to: State,
    },
    /// An import contradicts what the store holds. Nothing was written.
    #[error("the import contradicts the store, and nothing was written:\n{}", .0.join("\n"))]
    Conflicts(Vec<String>),
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Agreements that were not there before.
    pub added: usize,
    /// Agreements that were there and differ now.
    pub changed: usize,
    /// Agreements that were there already, just so or decided on since.
    pub unchanged: usize,
    /// Those of the unchanged that have been decided on since the file said what it says, and where they stand.
    pub decided_since: Vec<(Uuid, State)>,
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) place: Arc<Place>,
}

impl Store {
    /// Opens the store at `path`, makes it where it is not, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or holds another schema.
    pub async fn open(path: &Path, settings: &StoreSettings) -> Result<Self, StoreError> {
        Self::open_to(Access::Make, path, settings).await
    }

    /// Opens the store at `path` for no more than `access` says.
    ///
    /// # Errors
    /// When the file cannot be opened, is not there and may not be made, or holds another schema.
    pub async fn open_to(access: Access, path: &Path, settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self { place: Arc::new(Place::open(path, settings, access).await?) })
    }

    /// Closes every connection; whatever is asked afterwards fails as an unreachable store does.
    pub async fn close(&self) {
        self.place.close().await;
    }

    /// Whether the store can be read just now.
    pub async fn answers(&self) -> bool {
        self.revision().await.is_ok()
    }

    pub(super) async fn pool(&self) -> Result<SqlitePool, StoreError> {
        Ok(self.place.current().await?.pool)
    }

    /// A value that every write to agreements, certificates, authorities or routes makes anew: while it is the same, so is
    /// everything that was read.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn revision(&self) -> Result<Vec<u8>, StoreError> {
        Ok(sqlx::query("SELECT value FROM revision").fetch_one(&self.pool().await?).await?.try_get("value")?)
    }

    /// Front agreements of a client system known by its certificate, of any state, latest beginning first.
    pub async fn front_by_certificate(
        &self,
        certificate: &Thumbprint,
        authority: Cvr,
        service: Uuid,
        environment: &Environment,
    ) -> Result<Vec<Agreement>, StoreError> {
        let rows = sqlx::query(concat!(
            agreements_where!(),
            "side = 'front' AND service = ? AND environment = ? AND authority = ?
             AND id IN (SELECT agreement FROM agreement_certificate WHERE thumbprint = ?)",
        ))
        .bind(service.to_string())
        .bind(environment.as_str())
        .bind(authority.to_string())
        .bind(certificate.to_string())
        .fetch_all(&self.pool().await?)
        .await?;
        latest_first(rows)
    }

    /// Front agreements of a client system known by its UUID, of any state, latest beginning first.
    pub async fn front_by_system(
        &self,
        system: Uuid,
        authority: Cvr,
        service: Uuid,
        environment: &Environment,
    ) -> Result<Vec<Agreement>, StoreError> {
        let rows = sqlx::query(concat!(
            agreements_where!(),
            "side = 'front' AND service = ? AND environment = ? AND authority = ? AND system = ?",
        ))
        .bind(service.to_string())
        .bind(environment.as_str())
        .bind(authority.to_string())
        .bind(system.to_string())
        .fetch_all(&self.pool().await?)
        .await?;
        latest_first(rows)
    }

    /// Back agreements of the service and one authority, of any state, latest beginning first.
    pub async fn back(&self, service: Uuid, authority: Cvr, environment: &Environment) -> Result<Vec<Agreement>, StoreError> {
        let rows =
            sqlx::query(concat!(agreements_where!(), "side = 'back' AND service = ? AND environment = ? AND authority = ?"))
                .bind(service.to_string())
                .bind(environment.as_str())
                .bind(authority.to_string())
                .fetch_all(&self.pool().await?)
                .await?;
        latest_first(rows)
    }

    /// Back agreements of the service and every authority, of any state, latest beginning first.
    pub async fn back_all(&self, service: Uuid, environment: &Environment) -> Result<Vec<Agreement>, StoreError> {
        let rows = sqlx::query(concat!(agreements_where!(), "side = 'back' AND service = ? AND environment = ?"))
            .bind(service.to_string())
            .bind(environment.as_str())
            .fetch_all(&self.pool().await?)
            .await?;
        latest_first(rows)
    }

    /// Every agreement, latest beginning first.
    pub async fn list(&self) -> Result<Vec<Agreement>, StoreError> {
        let rows = sqlx::query(concat!(agreements_where!(), "TRUE")).fetch_all(&self.pool().await?).await?;
        latest_first(rows)
    }

    /// One agreement.
    pub async fn get(&self, id: Uuid) -> Result<Agreement, StoreError> {
        find(&mut *self.pool().await?.acquire().await?, id).await?.ok_or(StoreError::NoSuchAgreement(id))
    }

    /// The decisions on one agreement, oldest first.
    pub async fn decisions(&self, id: Uuid) -> Result<Vec<Decision>, StoreError> {
        decisions(&mut *self.pool().await?.acquire().await?, id).await
    }

    /// Every authority of the register.
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        let rows = sqlx::query("SELECT cvr, name, role FROM authority ORDER BY cvr").fetch_all(&self.pool().await?).await?;
        rows.iter()
            .map(|row| Ok(Authority { cvr: required(row, "cvr")?, name: row.try_get("name")?, role: required(row, "role")? }))
            .collect()
    }

    /// Records a decision on an agreement, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAgreement`], [`StoreError::IllegalTransition`], [`StoreError::Replaced`], or a store that does
    /// not answer.
    pub async fn decide(&self, id: Uuid, to: State, by: &str, reason: &str, at: Timestamp) -> Result<Agreement, StoreError> {
        self.decide_on(id, None, to, by, reason, at).await
    }

    /// As [`Store::decide`], of an agreement that somebody has looked at: refused where it is no longer as `shown`.
    ///
    /// # Errors
    /// [`StoreError::ChangedSinceShown`], and those of [`Store::decide`].
    pub async fn decide_as_shown(
        &self,
        shown: &Agreement,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, StoreError> {
        self.decide_on(shown.id, Some(shown), to, by, reason, at).await
    }

    async fn decide_on(
        &self,
        id: Uuid,
        shown: Option<&Agreement>,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, StoreError> {
        let mut change = self.change().await?;
        let agreement = change.decide(id, shown, to, by, reason, at).await?;
        change.commit().await?;
        Ok(agreement)
    }

    /// Begins a change: all that is done through it is written in one transaction, or nothing.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn change(&self) -> Result<Change, StoreError> {
        let opened = self.place.current().await?;
        // IMMEDIATE takes the write lock before anything is read: two decisions at once cannot both see GODKENDT.
        let transaction = opened.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Change { transaction, opened, place: self.place.clone() })
    }

    /// Brings authorities and agreements in, all or none, and again without effect: an agreement with the terms that it
    /// has already, and a decision that it has had already, is left as it is, whatever was decided since. An agreement
    /// that is there already keeps its parties, and changes state only as [`State::may_be_imported_as`] allows.
    ///
    /// # Errors
    /// [`StoreError::Conflicts`] with every contradiction, [`StoreError::Replaced`], or a store that does not answer.
    pub async fn import(&self, import: &Import, at: Timestamp) -> Result<Imported, StoreError> {
        let mut change = self.change().await?;
        let imported = change.import(import, at).await?;
        change.commit().await?;
        Ok(imported)
    }
}

/// One change of the store, under its write lock: what is read through it stays so until it is written. Dropped without
/// [`Change::commit`], it leaves nothing behind.
pub struct Change {
    transaction: Transaction<'static, Sqlite>,
    opened: Opened,
    place: Arc<Place>,
}

impl Change {
    /// Writes all of it.
    ///
    /// # Errors
    /// [`StoreError::Replaced`], or a store that does not answer.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        self.place.holds(&self.opened).await
    }

    /// What statements of other tables of the store run on, so that they are written with the rest.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Records a decision on an agreement; refused where it is no longer as `shown`.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAgreement`], [`StoreError::IllegalTransition`], [`StoreError::ChangedSinceShown`], or a store that
    /// does not answer.
    pub async fn decide(
        &mut self,
        id: Uuid,
        shown: Option<&Agreement>,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, StoreError> {
        let transaction = &mut self.transaction;
        let mut agreement = find(transaction, id).await?.ok_or(StoreError::NoSuchAgreement(id))?;
        if shown.is_some_and(|shown| *shown != agreement) {
            return Err(StoreError::ChangedSinceShown(id));
        }
        let from = agreement.state;
        if !from.may_become(to) {
            return Err(StoreError::IllegalTransition { id, from, to });
        }
        agreement.state = to;
        agreement.decided_by = Some(by.to_owned());
        agreement.decided_at = Some(at);
        agreement.reason = Some(reason.to_owned());
        write(transaction, &agreement).await?;
        record(transaction, Some(from), &agreement, at).await?;
        Ok(agreement)
    }

    /// As [`Store::import`].
    ///
    /// # Errors
    /// [`StoreError::Conflicts`] with every contradiction, or a store that does not answer.
    pub async fn import(&mut self, import: &Import, at: Timestamp) -> Result<Imported, StoreError> {
        let transaction = &mut self.transaction;
        for authority in &import.authorities {
            sqlx::query(
                "INSERT INTO authority (cvr, name, role) VALUES (?, ?, ?)
                 ON CONFLICT (cvr) DO UPDATE SET name = excluded.name, role = excluded.role
                 WHERE name IS NOT excluded.name OR role IS NOT excluded.role",
            )
            .bind(authority.cvr.to_string())
            .bind(&authority.name)
            .bind(authority.role.as_str())
            .execute(&mut **transaction)
            .await?;
        }
        let mut imported = Imported::default();
        let mut conflicts = Vec::new();
        for agreement in &import.agreements {
            if let Err(conflict) = bring_in(transaction, agreement, at, &mut imported).await? {
                conflicts.push(format!("agreement {}: {conflict}", agreement.id));
            }
        }
        if conflicts.is_empty() { Ok(imported) } else { Err(StoreError::Conflicts(conflicts)) }
    }
}

/// Writes one agreement of a file, or says what it contradicts.
async fn bring_in(
    transaction: &mut SqliteConnection,
    agreement: &Agreement,
    at: Timestamp,
    imported: &mut Imported,
) -> Result<Result<(), String>, StoreError> {
    let known = sqlx::query("SELECT 1 FROM authority WHERE cvr = ?")
        .bind(agreement.authority.to_string())
        .fetch_optional(&mut *transaction)
        .await?;
    if known.is_none() {
        return Ok(Err(format!("authority {} is not in the register; add an [[authority]]", agreement.authority)));
    }
    let Some(held) = find(transaction, agreement.id).await? else {
        write(transaction, agreement).await?;
        record(transaction, None, agreement, at).await?;
        imported.added += 1;
        return Ok(Ok(()));
    };
    if held == *agreement {
        imported.unchanged += 1;
        return Ok(Ok(()));
    }
    if agreement.has_terms_of(&held) && decisions(transaction, held.id).await?.iter().any(|past| agreement.stands_by(past)) {
        imported.unchanged += 1;
        imported.decided_since.push((held.id, held.state));
        return Ok(Ok(()));
    }
    if parties(&held) != parties(agreement) {
        return Ok(Err("the id already belongs to an agreement between other parties; give it a new id".to_owned()));
    }
    if held.state != agreement.state && !held.state.may_be_imported_as(agreement.state) {
        return Ok(Err(format!(
            "it is {0} and an import cannot make it {1}; write state = \"{0}\", or give the renewed agreement a new id",
            held.state, agreement.state
        )));
    }
    write(transaction, agreement).await?;
    let decided = |a: &Agreement| (a.state, a.decided_by.clone(), a.decided_at, a.reason.clone());
    if decided(&held) != decided(agreement) {
        record(transaction, Some(held.state), agreement, at).await?;
    }
    imported.changed += 1;
    Ok(Ok(()))
}

fn latest_first(rows: Vec<SqliteRow>) -> Result<Vec<Agreement>, StoreError> {
    let mut agreements = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    agreements.sort_by_key(|agreement| std::cmp::Reverse((agreement.valid_from, agreement.id)));
    Ok(agreements)
}

/// What an agreement id stands for, once and for all.
fn parties(agreement: &Agreement) -> (Side, Uuid, Uuid, Cvr, &Environment) {
    (agreement.side, agreement.system, agreement.service, agreement.authority, &agreement.environment)
}

async fn find(connection: &mut SqliteConnection, id: Uuid) -> Result<Option<Agreement>, StoreError> {
    let row = sqlx::query(concat!(agreements_where!(), "id = ?")).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

async fn decisions(connection: &mut SqliteConnection, id: Uuid) -> Result<Vec<Decision>, StoreError> {
    let rows = sqlx::query(
        "SELECT from_state, to_state, decided_by, decided_at, at, reason FROM agreement_decision
         WHERE agreement = ? ORDER BY sequence",
    )
    .bind(id.to_string())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Decision {
                from: optional(row, "from_state")?,
                to: required(row, "to_state")?,
                by: row.try_get("decided_by")?,
                decided_at: optional(row, "decided_at")?,
                at: required(row, "at")?,
                reason: row.try_get("reason")?,
            })
        })
        .collect()
}

fn read(row: &SqliteRow) -> Result<Agreement, StoreError> {
    let certificates: Option<String> = row.try_get("certificates")?;
    let thumbprints = certificates.iter().flat_map(|list| list.split(','));
    let mut certificates = thumbprints
        .map(|text| text.parse().map_err(|_| StoreError::Unreadable { column: "thumbprint" }))
        .collect::<Result<Vec<Thumbprint>, _>>()?;
    certificates.sort();
    let side = match row.try_get::<String, _>("side")?.as_str() {
        "front" => Side::Front,
        "back" => Side::Back,
        _ => return Err(StoreError::Unreadable { column: "side" }),
    };
    Ok(Agreement {
        id: required(row, "id")?,
        side,
        system: required(row, "system")?,
        certificates,
        service: required(row, "service")?,
        authority: required(row, "authority")?,
        environment: required(row, "environment")?,
        valid_from: required(row, "valid_from")?,
        valid_to: optional(row, "valid_to")?,
        state: required(row, "state")?,
        legal_basis: row.try_get("legal_basis")?,
        purpose: row.try_get("purpose")?,
        scope: Scope::read(row.try_get("scope")?).map_err(|_| StoreError::Unreadable { column: "scope" })?,
        decided_by: row.try_get("decided_by")?,
        decided_at: optional(row, "decided_at")?,
        reason: row.try_get("reason")?,
    })
}

async fn write(connection: &mut SqliteConnection, agreement: &Agreement) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO agreement (id, side, system, service, authority, environment, valid_from, valid_to, state, legal_basis,
             purpose, scope, decided_by, decided_at, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET valid_from = excluded.valid_from, valid_to = excluded.valid_to, state = excluded.state,
             legal_basis = excluded.legal_basis, purpose = excluded.purpose, scope = excluded.scope,
             decided_by = excluded.decided_by, decided_at = excluded.decided_at, reason = excluded.reason",
    )
    .bind(agreement.id.to_string())
    .bind(agreement.side.name())
    .bind(agreement.system.to_string())
    .bind(agreement.service.to_string())
    .bind(agreement.authority.to_string())
    .bind(agreement.environment.as_str())
    .bind(agreement.valid_from.to_string())
    .bind(agreement.valid_to.map(|t| t.to_string()))
    .bind(agreement.state.wire_name())
    .bind(&agreement.legal_basis)
    .bind(&agreement.purpose)
    .bind(agreement.scope.to_string())
    .bind(&agreement.decided_by)
    .bind(agreement.decided_at.map(|t| t.to_string()))
    .bind(&agreement.reason)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM agreement_certificate WHERE agreement = ?")
        .bind(agreement.id.to_string())
        .execute(&mut *connection)
        .await?;
    for thumbprint in &agreement.certificates {
        sqlx::query("INSERT INTO agreement_certificate (agreement, thumbprint) VALUES (?, ?)")
            .bind(agreement.id.to_string())
            .bind(thumbprint.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn record(
    connection: &mut SqliteConnection,
    from: Option<State>,
    agreement: &Agreement,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO agreement_decision (agreement, from_state, to_state, decided_by, decided_at, at, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(agreement.id.to_string())
    .bind(from.map(State::wire_name))
    .bind(agreement.state.wire_name())
    .bind(&agreement.decided_by)
    .bind(agreement.decided_at.map(|t| t.to_string()))
    .bind(at.to_string())
    .bind(&agreement.reason)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) fn required<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| StoreError::Unreadable { column })
}

pub(super) fn optional<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| StoreError::Unreadable { column })).transpose()
}
