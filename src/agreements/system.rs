//! The register of client systems: whose each is, whom to ask, and its certificates, of which several overlap while one takes over
//! from another. Registration alone gives no access: an agreement names the certificates that it lets through.

use jiff::Timestamp;
use uuid::Uuid;

use super::model::Thumbprint;
use super::store::{Change, Store};
use crate::id::cvr::Cvr;
use crate::signature::key::Certificate;
use crate::store::value::{Value, assembled_for};
use crate::store::{Query, Row, StoreError, sql};

/// A client system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// By which agreements name it.
    pub id: Uuid,
    /// The company or authority whose it is; none: the gateway's operators keep it.
    pub party: Option<Cvr>,
    /// What it is called.
    pub name: String,
    /// Whom to ask: a function's mailbox or number, and no person's.
    pub contact: String,
    /// When it was registered.
    pub made_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// A certificate of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCertificate {
    /// By which agreements name it.
    pub thumbprint: Thumbprint,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When it was registered.
    pub added_at: Timestamp,
    /// When the system stopped using it.
    pub ended_at: Option<Timestamp>,
}

/// Which systems, and how many, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of this company.
    pub party: Option<Cvr>,
    /// Of this authority, and those that agreements of it name.
    pub authority: Option<Cvr>,
    /// Of the agreements that name them, those of these services alone. Empty: all.
    pub services: Vec<Uuid>,
    /// After this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

const COLUMNS: &str = "SELECT id, party, name, contact, made_at, changed_at FROM client_system WHERE ";

fn by_id(id: Uuid) -> Query {
    assembled_for(format!("{COLUMNS}id = $1"), format!("{COLUMNS}id = $1")).bind(id)
}

fn read(row: &Row) -> Result<System, StoreError> {
    Ok(System {
        id: row.get("id")?,
        party: row.maybe_parsed("party")?,
        name: row.get("name")?,
        contact: row.get("contact")?,
        made_at: row.get("made_at")?,
        changed_at: row.get("changed_at")?,
    })
}

fn certificates_of(system: Uuid) -> Query {
    sql("SELECT thumbprint, not_before, not_after, added_at, ended_at FROM client_system_certificate
         WHERE system = $1 ORDER BY not_before, thumbprint")
    .bind(system)
}

fn certificate(row: &Row) -> Result<SystemCertificate, StoreError> {
    Ok(SystemCertificate {
        thumbprint: row.parsed("thumbprint")?,
        not_before: row.get("not_before")?,
        not_after: row.get("not_after")?,
        added_at: row.get("added_at")?,
        ended_at: row.maybe("ended_at")?,
    })
}

impl Store {
    /// One system; none where there is none.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn system(&self, id: Uuid) -> Result<Option<System>, StoreError> {
        self.database().first(by_id(id)).await?.as_ref().map(read).transpose()
    }

    /// Its certificates, the one that begins first before the others; those that were ended too.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn system_certificates(&self, system: Uuid) -> Result<Vec<SystemCertificate>, StoreError> {
        self.database().all(certificates_of(system)).await?.iter().map(certificate).collect()
    }

    /// The systems wanted. The conditions are the query's, so that what may not be seen is not read either.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn systems(&self, wanted: &Wanted) -> Result<Vec<System>, StoreError> {
        let (mut condition, mut values) = ("TRUE".to_owned(), Vec::<Value>::new());
        if let Some(party) = wanted.party {
            values.push(party.to_string().into());
            condition += &format!(" AND party = ${}", values.len());
        }
        if let Some(authority) = wanted.authority {
            values.push(authority.to_string().into());
            let place = values.len();
            let mut of = Vec::new();
            for service in &wanted.services {
                values.push((*service).into());
                of.push(format!("${}", values.len()));
            }
            let of = if of.is_empty() { String::new() } else { format!(" AND service IN ({})", of.join(", ")) };
            condition +=
                &format!(" AND (party = ${place} OR id IN (SELECT system FROM agreement WHERE authority = ${place}{of}))");
        }
        if let Some(after) = wanted.after {
            values.push(after.into());
            condition += &format!(" AND id > ${}", values.len());
        }
        values.push(i64::from(wanted.limit).into());
        let text = format!("{COLUMNS}{condition} ORDER BY id LIMIT ${}", values.len());
        let query = values.into_iter().fold(assembled_for(text.clone(), text), Query::bind);
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// Certificates in use that end within a time, with their systems: a page of them.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn certificates_ending(
        &self,
        after: Timestamp,
        until: Timestamp,
        most: u32,
    ) -> Result<Vec<(Uuid, SystemCertificate)>, StoreError> {
        let query = sql("SELECT system, thumbprint, not_before, not_after, added_at, ended_at FROM client_system_certificate
             WHERE ended_at IS NULL AND not_after > $1 AND not_after <= $2 ORDER BY not_after, thumbprint LIMIT $3")
        .bind(after)
        .bind(until)
        .bind(i64::from(most));
        let rows = self.database().all(query).await?;
        rows.iter().map(|row| Ok((row.get("system")?, certificate(row)?))).collect()
    }
}

impl Change {
    /// One system as it is within this change.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn system(&mut self, id: Uuid) -> Result<Option<System>, StoreError> {
        self.connection().first(by_id(id)).await?.as_ref().map(read).transpose()
    }

    /// Its certificates as they are within this change.
    ///
    /// # Errors
    /// As [`Change::system`].
    pub async fn system_certificates(&mut self, system: Uuid) -> Result<Vec<SystemCertificate>, StoreError> {
        self.connection().all(certificates_of(system)).await?.iter().map(certificate).collect()
    }

    /// Whose a certificate is, and when that system ended it; none: it stands in no register.
    ///
    /// # Errors
    /// As [`Change::system`].
    pub async fn holder_of(&mut self, thumbprint: &Thumbprint) -> Result<Option<(Uuid, Option<Timestamp>)>, StoreError> {
        let query =
            sql("SELECT system, ended_at FROM client_system_certificate WHERE thumbprint = $1").bind(thumbprint.to_string());
        let row = self.connection().first(query).await?;
        row.map(|row| Ok((row.get("system")?, row.maybe("ended_at")?))).transpose()
    }

    /// Whether an id stands for a system in what is others': an agreement that another side asked for, or that nobody knows who asked for,
    /// a route to another authority, a connection of others (as its receiver only once that side agreed), a user of files of theirs.
    ///
    /// # Errors
    /// As [`Change::system`].
    pub async fn is_named_by_others(&mut self, id: Uuid, own: Cvr) -> Result<bool, StoreError> {
        let named = sql("SELECT 1 AS named FROM agreement WHERE system = $1 AND NOT EXISTS (SELECT 1 FROM decision
                 WHERE subject = 'agreement' AND subject_id = agreement.id AND to_state = 'ANMODET' AND party = $2)
             UNION ALL SELECT 1 FROM route WHERE system = $1 AND (receiver IS NULL OR receiver <> $2)
             UNION ALL SELECT 1 FROM sftp_user WHERE system = $1 AND authority <> $2
             UNION ALL SELECT 1 FROM connection WHERE client = $1 AND authority <> $2 AND coalesce(client_supplier, '') <> $2
             UNION ALL SELECT 1 FROM connection
                 WHERE receiver = $1 AND receiver_authority <> $2 AND coalesce(receiver_supplier, '') <> $2
                 AND consented_at IS NOT NULL
             LIMIT 1");
        Ok(self.connection().first(named.bind(id).bind(own.to_string())).await?.is_some())
    }

    /// Gives one system's certificate to another, in use. That the one had it stays: its agreements let it through no more.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn move_system_certificate(
        &mut self,
        from: Uuid,
        to: Uuid,
        thumbprint: Thumbprint,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let had = sql("INSERT INTO client_system_certificate_before (thumbprint, system, until) VALUES ($1, $2, $3)
             ON CONFLICT (thumbprint, system) DO NOTHING");
        self.connection().execute(had.bind(thumbprint.to_string()).bind(from).bind(at)).await?;
        let moved = sql("UPDATE client_system_certificate SET system = $1, added_at = $2, ended_at = NULL
             WHERE thumbprint = $3 AND system = $4");
        self.connection().execute(moved.bind(to).bind(at).bind(thumbprint.to_string()).bind(from)).await.map(drop)
    }

    /// Writes a system: whose it is, name and contact of one that is there.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn write_system(&mut self, system: &System) -> Result<(), StoreError> {
        let write =
            sql("INSERT INTO client_system (id, party, name, contact, made_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET party = excluded.party, name = excluded.name, contact = excluded.contact,
                 changed_at = excluded.changed_at")
            .bind(system.id)
            .bind(system.party.map(|cvr| cvr.to_string()))
            .bind(&system.name)
            .bind(&system.contact)
            .bind(system.made_at)
            .bind(system.changed_at);
        self.connection().execute(write).await.map(drop)
    }

    /// Gives a system a certificate beside those that it has; false where it is some system's already.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn add_system_certificate(
        &mut self,
        system: Uuid,
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let add = sql("INSERT INTO client_system_certificate (thumbprint, system, certificate, not_before, not_after, added_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (thumbprint) DO NOTHING")
        .bind(Thumbprint::from(*certificate.thumbprint()).to_string())
        .bind(system)
        .bind(crate::pem::encode("CERTIFICATE", certificate.der()).to_string())
        .bind(certificate.not_before())
        .bind(certificate.not_after())
        .bind(at);
        Ok(self.connection().execute(add).await? == 1)
    }

    /// Ends a certificate of a system; false where it is none of it, or was ended before.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn end_system_certificate(
        &mut self,
        system: Uuid,
        thumbprint: Thumbprint,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let end =
            sql("UPDATE client_system_certificate SET ended_at = $1 WHERE system = $2 AND thumbprint = $3 AND ended_at IS NULL");
        Ok(self.connection().execute(end.bind(at).bind(system).bind(thumbprint.to_string())).await? == 1)
    }
}
