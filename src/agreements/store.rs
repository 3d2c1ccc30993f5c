//! What the store keeps of agreements, on either database.
//!
//! A row that cannot be read as the model has it is an error, never a row to skip: an agreement read by half could open
//! more than was agreed.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    import::Import,
    model::{Agreement, Asked, Authority, Decision, Environment, Side, State, Thumbprint},
    scope::Scope,
    terms::Terms,
};
use crate::{
    id::cvr::Cvr,
    store::{
        Access, Database, Query, Row, Session, Settings, StoreError, Transaction, by_dialect, sql, until_it_holds,
        value::{assembled_for, to_microsecond},
    },
};

/// Reads agreements, each with its certificates, in one statement however many they are. The condition follows. Each column is
/// named: of `*`, a connection that is open while another program changes the schema knows the columns of before.
macro_rules! agreements {
    (sqlite) => {
        "SELECT id, side, system, service, authority, environment, valid_from, valid_to, state, legal_basis, purpose, scope,
             decided_by, decided_at, reason, terms, ends_at, asked, basis,
             (SELECT group_concat(thumbprint) FROM agreement_certificate WHERE agreement = agreement.id) AS certificates
         FROM agreement WHERE "
    };
    (postgres) => {
        "SELECT id, side, system, service, authority, environment, valid_from, valid_to, state, legal_basis, purpose, scope,
             decided_by, decided_at, reason, terms, ends_at, asked, basis,
             (SELECT string_agg(thumbprint, ',') FROM agreement_certificate WHERE agreement = agreement.id) AS certificates
         FROM agreement WHERE "
    };
}

macro_rules! agreements_where {
    ($condition:literal) => {
        by_dialect(concat!(agreements!(sqlite), $condition), concat!(agreements!(postgres), $condition))
    };
}

/// The same with a condition that is put together from parts that stand in the code.
pub(super) fn agreements_that(condition: &str) -> Query {
    assembled_for(format!("{}{condition}", agreements!(sqlite)), format!("{}{condition}", agreements!(postgres)))
}

/// Why agreements could not be read or changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum AgreementError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agreement is not what it was when it was looked at.
    #[error("agreement {0} was changed since it was shown; nothing was written, look at it again")]
    ChangedSinceShown(Uuid),
    /// No agreement has this id.
    #[error("there is no agreement {0}")]
    NoSuchAgreement(Uuid),
    /// The change of state is not legal.
    #[error("agreement {id} is {from} and cannot become {to}")]
    IllegalTransition {
        /// The agreement.
        id: Uuid,
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
    /// What was asked for, as it was kept.
    pub asked: Vec<Agreement>,
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens the store, makes it where it is not, and brings its schema up to date.
    ///
    /// # Errors
    /// It cannot be opened or holds another schema.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        Self::open_to(Access::Make, settings).await
    }

    /// Opens the store for no more than `access` says.
    ///
    /// # Errors
    /// It cannot be opened, is not there and may not be made, or holds another schema.
    pub async fn open_to(access: Access, settings: &Settings) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(settings, access).await? })
    }

    /// The database that agreements and routes share with whatever else is kept.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Closes every connection; whatever is asked afterwards fails as an unreachable store does.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Whether the store can be read just now.
    pub async fn answers(&self) -> bool {
        self.database.revision().await.is_ok()
    }

    async fn found(&self, query: Query) -> Result<Vec<Agreement>, StoreError> {
        latest_first(&self.database.all(query).await?)
    }

    /// Front agreements of a client system known by its certificate, of any state, latest beginning first. A certificate that the system
    /// has ended opens none: agreements name it for as long as they are kept.
    pub async fn front_by_certificate(
        &self,
        certificate: &Thumbprint,
        authority: Cvr,
        service: Uuid,
        environment: &Environment,
    ) -> Result<Vec<Agreement>, StoreError> {
        let query = agreements_where!(
            "side = 'front' AND service = $1 AND environment = $2 AND authority = $3
             AND id IN (SELECT agreement FROM agreement_certificate WHERE thumbprint = $4)
             AND NOT EXISTS (SELECT 1 FROM client_system_certificate AS ended WHERE ended.thumbprint = $4
                 AND ended.system = agreement.system AND ended.ended_at IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM client_system_certificate_before AS had WHERE had.thumbprint = $4
                 AND had.system = agreement.system AND NOT EXISTS (SELECT 1 FROM client_system_certificate AS held
                     WHERE held.thumbprint = $4 AND held.system = agreement.system))"
        )
        .bind(service)
        .bind(environment.as_str())
        .bind(authority.to_string())
        .bind(certificate.to_string());
        self.found(query).await
    }

    /// Front agreements of a client system known by its UUID, of any state, latest beginning first.
    pub async fn front_by_system(
        &self,
        system: Uuid,
        authority: Cvr,
        service: Uuid,
        environment: &Environment,
    ) -> Result<Vec<Agreement>, StoreError> {
        let query = agreements_where!("side = 'front' AND service = $1 AND environment = $2 AND authority = $3 AND system = $4")
            .bind(service)
            .bind(environment.as_str())
            .bind(authority.to_string())
            .bind(system);
        self.found(query).await
    }

    /// Back agreements of the service and one authority, of any state, latest beginning first.
    pub async fn back(&self, service: Uuid, authority: Cvr, environment: &Environment) -> Result<Vec<Agreement>, StoreError> {
        let query = agreements_where!("side = 'back' AND service = $1 AND environment = $2 AND authority = $3")
            .bind(service)
            .bind(environment.as_str())
            .bind(authority.to_string());
        self.found(query).await
    }

    /// Back agreements of the service and every authority, of any state, latest beginning first.
    pub async fn back_all(&self, service: Uuid, environment: &Environment) -> Result<Vec<Agreement>, StoreError> {
        let query =
            agreements_where!("side = 'back' AND service = $1 AND environment = $2").bind(service).bind(environment.as_str());
        self.found(query).await
    }

    /// Every agreement, latest beginning first.
    pub async fn list(&self) -> Result<Vec<Agreement>, StoreError> {
        self.found(agreements_where!("TRUE")).await
    }

    /// One agreement.
    ///
    /// # Errors
    /// [`AgreementError::NoSuchAgreement`], or a store that does not answer.
    pub async fn get(&self, id: Uuid) -> Result<Agreement, AgreementError> {
        find(&mut self.database.session().await?, id).await?.ok_or(AgreementError::NoSuchAgreement(id))
    }

    /// The decisions on one agreement, oldest first.
    pub async fn decisions(&self, id: Uuid) -> Result<Vec<Decision>, StoreError> {
        decisions(&mut self.database.session().await?, id).await
    }

    /// Every authority of the register.
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        let rows = self.database.all(sql("SELECT cvr, name, role FROM authority ORDER BY cvr")).await?;
        rows.iter()
            .map(|row| Ok(Authority { cvr: row.parsed("cvr")?, name: row.get("name")?, role: row.parsed("role")? }))
            .collect()
    }

    /// Begins a change: all that is done through it is written in one transaction, or nothing.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn change(&self) -> Result<Change, StoreError> {
        Ok(Change(self.database.begin().await?, None))
    }

    /// Brings authorities and agreements in, all or none, and again without effect: an agreement with the terms that it
    /// has already, and a decision that it has had already, is left as it is, whatever was decided since. An agreement
    /// that is there already keeps its parties, and changes state only as [`State::may_be_imported_as`] allows.
    ///
    /// # Errors
    /// [`AgreementError::Conflicts`] with every contradiction, [`StoreError::Replaced`], or a store that does not answer.
    pub async fn import(&self, import: &Import, at: Timestamp) -> Result<Imported, AgreementError> {
        until_it_holds(async || {
            let mut change = self.change().await?;
            let imported = change.import(import, at).await?;
            change.commit().await?;
            Ok(imported)
        })
        .await
    }
}

/// One change of the store, under its write lock: what is read through it stays so until it is written. Dropped without
/// [`Change::commit`], it leaves nothing behind.
pub struct Change(Transaction, Option<(String, Uuid)>);

impl Change {
    /// Writes all of it.
    ///
    /// # Errors
    /// [`StoreError::Replaced`], or a store that does not answer.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }

    /// What statements of other tables of the store run on, so that they are written with the rest.
    pub(crate) fn connection(&mut self) -> &mut Session {
        &mut self.0
    }

    /// Notes who decides and for whom, where that is somebody for another: the letters of what was decided name both.
    pub(crate) fn is_decided_for(&mut self, both: Option<(String, Uuid)>) {
        self.1 = both;
    }

    /// Who decides and for whom, where that is somebody for another.
    pub(crate) fn decided_for(&self) -> Option<&(String, Uuid)> {
        self.1.as_ref()
    }

    /// The same, for jobs that are done once it is committed.
    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        &mut self.0
    }

    /// Records a decision on an agreement; refused where it is no longer as `shown`. A suspension under notice keeps the end that was
    /// given notice of, and lifted it is OPSAGT as before.
    ///
    /// # Errors
    /// [`AgreementError::NoSuchAgreement`], [`AgreementError::IllegalTransition`], [`AgreementError::ChangedSinceShown`], or a store that
    /// does not answer.
    pub async fn decide(
        &mut self,
        id: Uuid,
        shown: Option<&Agreement>,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, AgreementError> {
        let transaction = self.connection();
        let mut agreement = find(transaction, id).await?.ok_or(AgreementError::NoSuchAgreement(id))?;
        if shown.is_some_and(|shown| *shown != agreement) {
            return Err(AgreementError::ChangedSinceShown(id));
        }
        let from = agreement.state;
        if !agreement.may_become(to, at) {
            return Err(AgreementError::IllegalTransition { id, from, to });
        }
        let (state, ends_at) = match (from, to) {
            (State::Terminated, State::Suspended) => (to, agreement.ends_at),
            (State::Suspended, State::Approved) if agreement.ends_at.is_some() => (State::Terminated, agreement.ends_at),
            _ => (to, None),
        };
        agreement.state = state;
        agreement.decided_by = Some(by.to_owned());
        agreement.decided_at = Some(to_microsecond(at));
        agreement.reason = Some(reason.to_owned());
        agreement.ends_at = ends_at;
        write(transaction, &agreement).await?;
        record(transaction, Some(from), &agreement, at).await?;
        Ok(agreement)
    }

    /// Gives notice on an agreement: it is OPSAGT, and holds until `ends_at`. One that is suspended stays so until then.
    ///
    /// # Errors
    /// As [`Change::decide`].
    pub async fn give_notice(
        &mut self,
        shown: &Agreement,
        ends_at: Timestamp,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, AgreementError> {
        if shown.state == State::Suspended {
            return self.notice_while_suspended(shown, Some(ends_at), by, reason, at).await;
        }
        let mut agreement = self.decide(shown.id, Some(shown), State::Terminated, by, reason, at).await?;
        agreement.ends_at = Some(to_microsecond(ends_at));
        write(self.connection(), &agreement).await?;
        Ok(agreement)
    }

    /// Gives a suspended agreement the end of its notice, another or none. Why it is suspended, and by whom, stays with it.
    ///
    /// # Errors
    /// As [`Change::decide`].
    pub async fn notice_while_suspended(
        &mut self,
        shown: &Agreement,
        ends_at: Option<Timestamp>,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, AgreementError> {
        let (session, id) = (self.connection(), shown.id);
        let agreement = find(session, id).await?.ok_or(AgreementError::NoSuchAgreement(id))?;
        if agreement != *shown || agreement.state != State::Suspended {
            return Err(AgreementError::ChangedSinceShown(id));
        }
        let agreement = Agreement { ends_at: ends_at.map(to_microsecond), ..agreement };
        write(session, &agreement).await?;
        let decided = Agreement {
            decided_by: Some(by.to_owned()),
            decided_at: Some(to_microsecond(at)),
            reason: Some(reason.to_owned()),
            ..agreement.clone()
        };
        record(session, Some(State::Suspended), &decided, at).await?;
        Ok(agreement)
    }

    /// Records a decision that leaves an agreement as it is.
    ///
    /// # Errors
    /// As [`Change::decide`].
    pub async fn stays(&mut self, shown: &Agreement, by: &str, reason: &str, at: Timestamp) -> Result<(), AgreementError> {
        let (session, id) = (self.connection(), shown.id);
        let agreement = find(session, id).await?.ok_or(AgreementError::NoSuchAgreement(id))?;
        if agreement != *shown {
            return Err(AgreementError::ChangedSinceShown(id));
        }
        let decided = Agreement {
            decided_by: Some(by.to_owned()),
            decided_at: Some(to_microsecond(at)),
            reason: Some(reason.to_owned()),
            ..agreement
        };
        Ok(record(session, Some(shown.state), &decided, at).await?)
    }

    /// Every agreement of an authority in an environment, latest asked for first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn of_authority(&mut self, authority: Cvr, environment: &Environment) -> Result<Vec<Agreement>, StoreError> {
        of_authority(self.connection(), authority, environment).await
    }

    /// Every agreement of a system in an environment, latest asked for first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn of_system(&mut self, system: Uuid, environment: &Environment) -> Result<Vec<Agreement>, StoreError> {
        of_system(self.connection(), system, environment).await
    }

    /// Every agreement that opens the same calls to somebody: of one side, service, authority and environment.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn alike(&mut self, agreement: &Agreement) -> Result<Vec<Agreement>, StoreError> {
        self.of_calls(agreement.side, agreement.service, agreement.authority, &agreement.environment).await
    }

    /// Every agreement of one side, service, authority and environment, latest asked for first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn of_calls(
        &mut self,
        side: Side,
        service: Uuid,
        authority: Cvr,
        environment: &Environment,
    ) -> Result<Vec<Agreement>, StoreError> {
        let query = agreements_where!("side = $1 AND service = $2 AND authority = $3 AND environment = $4 ORDER BY id DESC")
            .bind(side.name())
            .bind(service)
            .bind(authority.to_string())
            .bind(environment.as_str());
        self.connection().all(query).await?.iter().map(read).collect()
    }

    /// One agreement, if it is there.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn agreement(&mut self, id: Uuid) -> Result<Option<Agreement>, StoreError> {
        find(self.connection(), id).await
    }

    /// As [`Store::import`].
    ///
    /// # Errors
    /// [`AgreementError::Conflicts`] with every contradiction, or a store that does not answer.
    pub async fn import(&mut self, import: &Import, at: Timestamp) -> Result<Imported, AgreementError> {
        let transaction = self.connection();
        for authority in &import.authorities {
            let written = sql("INSERT INTO authority (cvr, name, role) VALUES ($1, $2, $3)
                 ON CONFLICT (cvr) DO UPDATE SET name = excluded.name, role = excluded.role
                 WHERE authority.name IS DISTINCT FROM excluded.name OR authority.role IS DISTINCT FROM excluded.role")
            .bind(authority.cvr.to_string())
            .bind(&authority.name)
            .bind(authority.role.as_str());
            transaction.execute(written).await?;
        }
        let mut imported = Imported::default();
        let mut conflicts = Vec::new();
        for agreement in &import.agreements {
            if let Err(conflict) = bring_in(transaction, agreement, at, &mut imported).await? {
                conflicts.push(format!("agreement {}: {conflict}", agreement.id));
            }
        }
        if conflicts.is_empty() { Ok(imported) } else { Err(AgreementError::Conflicts(conflicts)) }
    }
}

/// As [`Change::of_authority`], within whatever is under way.
pub(crate) async fn of_authority(
    session: &mut Session,
    authority: Cvr,
    environment: &Environment,
) -> Result<Vec<Agreement>, StoreError> {
    let query = agreements_where!("authority = $1 AND environment = $2 ORDER BY id DESC")
        .bind(authority.to_string())
        .bind(environment.as_str());
    session.all(query).await?.iter().map(read).collect()
}

/// As [`Change::of_system`], within whatever is under way.
pub(crate) async fn of_system(
    session: &mut Session,
    system: Uuid,
    environment: &Environment,
) -> Result<Vec<Agreement>, StoreError> {
    let query = agreements_where!("system = $1 AND environment = $2 ORDER BY id DESC").bind(system).bind(environment.as_str());
    session.all(query).await?.iter().map(read).collect()
}

/// Writes one agreement of a file, or says what it contradicts.
async fn bring_in(
    transaction: &mut Session,
    agreement: &Agreement,
    at: Timestamp,
    imported: &mut Imported,
) -> Result<Result<(), String>, StoreError> {
    let known = sql("SELECT 1 AS known FROM authority WHERE cvr = $1").bind(agreement.authority.to_string());
    let known = transaction.first(known).await?;
    if known.is_none() {
        return Ok(Err(format!("authority {} is not in the register; add an [[authority]]", agreement.authority)));
    }
    let Some(held) = find(transaction, agreement.id).await? else {
        write(transaction, agreement).await?;
        record(transaction, None, agreement, at).await?;
        imported.added += 1;
        return Ok(Ok(()));
    };
    // Who asked, and what it is bound to, is not the file's to say.
    if held == (Agreement { asked: held.asked.clone(), basis: held.basis.clone(), ..agreement.clone() }) {
        imported.unchanged += 1;
        return Ok(Ok(()));
    }
    if agreement.has_terms_of(&held) && decisions(transaction, held.id).await?.iter().any(|past| agreement.stands_by(past)) {
        imported.unchanged += 1;
        imported.decided_since.push((held.id, held.state));
        return Ok(Ok(()));
    }
    if !held.same_parties(agreement) {
        return Ok(Err("the id already belongs to an agreement between other parties; give it a new id".to_owned()));
    }
    if held.state != agreement.state && !held.state.may_be_imported_as(agreement.state) {
        return Ok(Err(format!(
            "it is {0} and an import cannot make it {1}; decide on it, or give the renewed agreement a new id",
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

fn latest_first(rows: &[Row]) -> Result<Vec<Agreement>, StoreError> {
    let mut agreements = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    agreements.sort_by_key(|agreement| std::cmp::Reverse((agreement.valid_from, agreement.id)));
    Ok(agreements)
}

/// One agreement, asked within what is under way.
pub(crate) async fn find(session: &mut Session, id: Uuid) -> Result<Option<Agreement>, StoreError> {
    session.first(agreements_where!("id = $1").bind(id)).await?.as_ref().map(read).transpose()
}

async fn decisions(session: &mut Session, id: Uuid) -> Result<Vec<Decision>, StoreError> {
    let query = sql("SELECT from_state, to_state, decided_by, decided_at, at, reason FROM agreement_decision
         WHERE agreement = $1 ORDER BY sequence");
    let rows = session.all(query.bind(id)).await?;
    rows.iter()
        .map(|row| {
            Ok(Decision {
                from: row.maybe_parsed("from_state")?,
                to: row.parsed("to_state")?,
                by: row.maybe("decided_by")?,
                decided_at: row.maybe("decided_at")?,
                at: row.get("at")?,
                reason: row.maybe("reason")?,
            })
        })
        .collect()
}

pub(super) fn read(row: &Row) -> Result<Agreement, StoreError> {
    let certificates: Option<String> = row.maybe("certificates")?;
    let thumbprints = certificates.iter().flat_map(|list| list.split(','));
    let mut certificates = thumbprints
        .map(|text| text.parse().map_err(|_| StoreError::Unreadable { column: "thumbprint" }))
        .collect::<Result<Vec<Thumbprint>, _>>()?;
    certificates.sort();
    let side = match row.get::<String>("side")?.as_str() {
        "front" => Side::Front,
        "back" => Side::Back,
        _ => return Err(StoreError::Unreadable { column: "side" }),
    };
    Ok(Agreement {
        id: row.get("id")?,
        side,
        system: row.get("system")?,
        certificates,
        service: row.get("service")?,
        authority: row.parsed("authority")?,
        environment: row.parsed("environment")?,
        valid_from: row.get("valid_from")?,
        valid_to: row.maybe("valid_to")?,
        state: row.parsed("state")?,
        legal_basis: row.get("legal_basis")?,
        purpose: row.get("purpose")?,
        scope: Scope::read(&row.get::<String>("scope")?).map_err(|_| StoreError::Unreadable { column: "scope" })?,
        decided_by: row.maybe("decided_by")?,
        decided_at: row.maybe("decided_at")?,
        reason: row.maybe("reason")?,
        terms: row.maybe::<String>("terms")?.map(|terms| read_terms(&terms)).transpose()?,
        ends_at: row.maybe("ends_at")?,
        asked: row.maybe::<String>("asked")?.map(|asked| read_asked(&asked)).transpose()?,
        basis: row.maybe("basis")?,
    })
}

fn read_terms(text: &str) -> Result<Arc<Terms>, StoreError> {
    serde_json::from_str(text).map(Arc::new).map_err(|_| StoreError::Unreadable { column: "terms" })
}

fn read_asked(text: &str) -> Result<Arc<Asked>, StoreError> {
    serde_json::from_str(text).map(Arc::new).map_err(|_| StoreError::Unreadable { column: "asked" })
}

async fn write(session: &mut Session, agreement: &Agreement) -> Result<(), StoreError> {
    let written =
        sql("INSERT INTO agreement (id, side, system, service, authority, environment, valid_from, valid_to, state, legal_basis,
             purpose, scope, decided_by, decided_at, reason, request, terms, ends_at, asked, basis)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         ON CONFLICT (id) DO UPDATE SET valid_from = excluded.valid_from, valid_to = excluded.valid_to, state = excluded.state,
             legal_basis = excluded.legal_basis, purpose = excluded.purpose, scope = excluded.scope,
             decided_by = excluded.decided_by, decided_at = excluded.decided_at,
             reason = excluded.reason, ends_at = excluded.ends_at")
        .bind(agreement.id)
        .bind(agreement.side.name())
        .bind(agreement.system)
        .bind(agreement.service)
        .bind(agreement.authority.to_string())
        .bind(agreement.environment.as_str())
        .bind(agreement.valid_from)
        .bind(agreement.valid_to)
        .bind(agreement.state.wire_name())
        .bind(&agreement.legal_basis)
        .bind(&agreement.purpose)
        .bind(agreement.scope.to_string())
        .bind(&agreement.decided_by)
        .bind(agreement.decided_at)
        .bind(&agreement.reason)
        .bind(agreement.terms.as_ref().map(|terms| terms.request))
        .bind(agreement.terms.as_ref().map(|terms| serde_json::json!(terms.as_ref()).to_string()))
        .bind(agreement.ends_at)
        .bind(agreement.asked.as_ref().map(|asked| serde_json::json!(asked.as_ref()).to_string()))
        .bind(&agreement.basis);
    session.execute(written).await?;
    session.execute(sql("DELETE FROM agreement_certificate WHERE agreement = $1").bind(agreement.id)).await?;
    for thumbprint in &agreement.certificates {
        let written = sql("INSERT INTO agreement_certificate (agreement, thumbprint) VALUES ($1, $2)");
        session.execute(written.bind(agreement.id).bind(thumbprint.to_string())).await?;
    }
    Ok(())
}

async fn record(session: &mut Session, from: Option<State>, agreement: &Agreement, at: Timestamp) -> Result<(), StoreError> {
    let written = sql("INSERT INTO agreement_decision (agreement, from_state, to_state, decided_by, decided_at, at, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(agreement.id)
    .bind(from.map(State::wire_name))
    .bind(agreement.state.wire_name())
    .bind(&agreement.decided_by)
    .bind(agreement.decided_at)
    .bind(at)
    .bind(&agreement.reason);
    session.execute(written).await?;
    Ok(())
}
