//! What the store keeps of users.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Actor, User};
use crate::{
    agreements::{Change, Store, Thumbprint},
    refusal::api::ApiRefusal,
    signature::key::Certificate,
    store::{GaveWay, Query, Row, StoreError, by_dialect, sql},
};

/// Reads users, each with its certificates. The condition follows.
macro_rules! users_where {
    ($condition:literal) => {
        by_dialect(
            concat!(
                "SELECT id, name, kind, party, roles, services, valid_from, valid_to,
                     (SELECT group_concat(thumbprint) FROM api_user_certificate WHERE api_user = u.id) AS certificates
                 FROM api_user AS u WHERE ",
                $condition
            ),
            concat!(
                "SELECT id, name, kind, party, roles, services, valid_from, valid_to,
                     (SELECT string_agg(thumbprint, ',') FROM api_user_certificate WHERE api_user = u.id) AS certificates
                 FROM api_user AS u WHERE ",
                $condition
            ),
        )
    };
}

/// Reads one user by id.
fn by_id(id: Uuid) -> Query {
    users_where!("id = $1").bind(id)
}

/// Why a user could not be added or ended. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate is another user's.
    #[error("the certificate {certificate} belongs to user {user} already, and stays that user's; order another")]
    CertificateTaken {
        /// The certificate.
        certificate: Thumbprint,
        /// Whose it is.
        user: Uuid,
    },
    /// The id is in use.
    #[error("there is a user {0} already")]
    IdTaken(Uuid),
    /// No user has this id.
    #[error("there is no user {0}")]
    NoSuchUser(Uuid),
    /// The user has ended.
    #[error("user {id} ended at {at}; add a new user")]
    AlreadyOver {
        /// The user.
        id: Uuid,
        /// When.
        at: Timestamp,
    },
}

impl GaveWay for UserError {
    fn gave_way(&self) -> bool {
        matches!(self, UserError::Store(error) if error.gave_way())
    }
}

impl Store {
    /// Every user, by name.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.database().all(users_where!("TRUE ORDER BY name, id")).await?.iter().map(read).collect()
    }

    /// One user.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], or a store that does not answer.
    pub async fn user(&self, id: Uuid) -> Result<User, UserError> {
        let row = self.database().first(by_id(id)).await?;
        row.as_ref().map(read).transpose()?.ok_or(UserError::NoSuchUser(id))
    }

    /// The user to whom a certificate belongs, whether its time is over or not.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn user_of(&self, certificate: Thumbprint) -> Result<Option<User>, StoreError> {
        let query = users_where!("id = (SELECT api_user FROM api_user_certificate WHERE thumbprint = $1)");
        let row = self.database().first(query.bind(certificate.to_string())).await?;
        row.as_ref().map(read).transpose()
    }

    /// A user's certificate, whole.
    ///
    /// # Errors
    /// A store that does not answer, or holds what is none.
    pub async fn certificate(&self, thumbprint: Thumbprint) -> Result<Option<Certificate>, StoreError> {
        let query = sql("SELECT certificate FROM api_user_certificate WHERE thumbprint = $1").bind(thumbprint.to_string());
        let Some(row) = self.database().first(query).await? else { return Ok(None) };
        let unreadable = || StoreError::Unreadable { column: "certificate" };
        let pem: String = row.get("certificate")?;
        let sections = crate::pem::sections(pem.as_bytes(), &[crate::pem::Kind::Certificate]).map_err(|_| unreadable())?;
        let section = sections.first().ok_or_else(unreadable)?;
        let certificate = Certificate::from_der(&section.der).map_err(|_| unreadable())?;
        // What was put in its place would verify what somebody else signed.
        if Thumbprint::from(*certificate.thumbprint()) == thumbprint { Ok(Some(certificate)) } else { Err(unreadable()) }
    }

    /// The user who showed `certificate`, whose key has been proven: by TLS, or by `signature`.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiUserUnknown`], [`ApiRefusal::ApiUserNotActive`], or a store that does not answer.
    pub async fn actor(&self, certificate: Thumbprint, signature: Option<String>, now: Timestamp) -> Result<Actor, ActorError> {
        let user = self.user_of(certificate).await?.ok_or(ApiRefusal::ApiUserUnknown)?;
        if !user.holds(now) {
            return Err(ApiRefusal::ApiUserNotActive.into());
        }
        Ok(Actor { user, certificate, signature })
    }
}

/// Why a certificate gives no actor.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// It is nobody's, or its user's time is over.
    #[error(transparent)]
    Refused(#[from] ApiRefusal),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Change {
    /// Adds a user with these certificates.
    ///
    /// # Errors
    /// [`UserError::IdTaken`], [`UserError::CertificateTaken`], or a store that does not answer.
    pub async fn add_user(&mut self, user: &User, certificates: &[Certificate]) -> Result<(), UserError> {
        let connection = self.connection();
        if connection.first(by_id(user.id)).await?.is_some() {
            return Err(UserError::IdTaken(user.id));
        }
        let list = |items: Vec<String>| serde_json::json!(items).to_string();
        let added = sql("INSERT INTO api_user (id, name, kind, party, roles, services, valid_from, valid_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(user.id)
        .bind(&user.name)
        .bind(user.kind.name())
        .bind(user.party.map(|cvr| cvr.to_string()))
        .bind(list(user.roles.iter().map(ToString::to_string).collect()))
        .bind(list(user.services.iter().map(ToString::to_string).collect()))
        .bind(user.valid_from)
        .bind(user.valid_to);
        connection.execute(added).await?;
        for certificate in certificates {
            let thumbprint = Thumbprint::from(*certificate.thumbprint());
            let taken = sql("SELECT api_user FROM api_user_certificate WHERE thumbprint = $1").bind(thumbprint.to_string());
            if let Some(row) = connection.first(taken).await? {
                return Err(UserError::CertificateTaken { certificate: thumbprint, user: row.get("api_user")? });
            }
            let given = sql("INSERT INTO api_user_certificate (thumbprint, api_user, certificate) VALUES ($1, $2, $3)")
                .bind(thumbprint.to_string())
                .bind(user.id)
                .bind(crate::pem::encode("CERTIFICATE", certificate.der()).to_string());
            connection.execute(given).await?;
        }
        Ok(())
    }

    /// Ends a user at `at`.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], [`UserError::AlreadyOver`], or a store that does not answer.
    pub async fn end_user(&mut self, id: Uuid, at: Timestamp) -> Result<User, UserError> {
        let connection = self.connection();
        let row = connection.first(by_id(id)).await?;
        let user = row.as_ref().map(read).transpose()?.ok_or(UserError::NoSuchUser(id))?;
        if let Some(over) = user.valid_to.filter(|over| *over <= at) {
            return Err(UserError::AlreadyOver { id, at: over });
        }
        connection.execute(sql("UPDATE api_user SET valid_to = $1 WHERE id = $2").bind(at).bind(id)).await?;
        Ok(User { valid_to: Some(at), ..user })
    }
}

fn read(row: &Row) -> Result<User, StoreError> {
    fn each<T: std::str::FromStr>(texts: &[String], column: &'static str) -> Result<Vec<T>, StoreError> {
        texts.iter().map(|text| text.parse().map_err(|_| StoreError::Unreadable { column })).collect()
    }
    let texts = |column: &'static str| -> Result<Vec<String>, StoreError> {
        serde_json::from_str(&row.get::<String>(column)?).map_err(|_| StoreError::Unreadable { column })
    };
    let certificates: Option<String> = row.maybe("certificates")?;
    let certificates: Vec<_> = certificates.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    let mut certificates: Vec<Thumbprint> = each(&certificates, "thumbprint")?;
    certificates.sort();
    let user = User {
        id: row.get("id")?,
        name: row.get("name")?,
        kind: row.parsed("kind")?,
        party: row.maybe_parsed("party")?,
        roles: each(&texts("roles")?, "roles")?,
        services: each(&texts("services")?, "services")?,
        certificates,
        valid_from: row.get("valid_from")?,
        valid_to: row.maybe("valid_to")?,
    };
    // Of another form than hjemmel writes it would see or decide what nobody gave it. One that was ended before it began has
    // no days, and is no fault.
    let ended = user.valid_to;
    let sound = User { valid_to: None, ..user }.sound().map_err(|_| StoreError::Unreadable { column: "user" })?;
    Ok(User { valid_to: ended, ..sound })
}
