//! What the store keeps of users.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Actor, Known, KnownBy, NoUser, Proof, User};
use crate::{
    agreements::{Change, Store, Thumbprint},
    id::cvr::Cvr,
    refusal::{Detail, api::ApiRefusal},
    signature::key::Certificate,
    store::{Query, Row, Session, StoreError, by_dialect, sql},
};

/// Reads users, each with its certificates. The condition follows.
macro_rules! users_where {
    ($condition:literal) => {
        by_dialect(
            concat!(
                "SELECT id, person, name, kind, party, roles, services, valid_from, valid_to, known_by,
                     (SELECT group_concat(thumbprint) FROM api_user_certificate WHERE api_user = u.id AND ended_at IS NULL) AS certificates,
                     (SELECT group_concat(d.other) FROM user_distinct AS d WHERE d.person = coalesce(u.person, u.id)) AS distinct_from
                 FROM api_user AS u WHERE ",
                $condition
            ),
            concat!(
                "SELECT id, person, name, kind, party, roles, services, valid_from, valid_to, known_by,
                     (SELECT string_agg(thumbprint, ',') FROM api_user_certificate WHERE api_user = u.id AND ended_at IS NULL) AS certificates,
                     (SELECT string_agg(d.other::text, ',') FROM user_distinct AS d WHERE d.person = coalesce(u.person, u.id)) AS distinct_from
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

/// One user, asked within what is under way, whether its time is over or not.
///
/// # Errors
/// [`UserError::NoSuchUser`], or a store that does not answer.
pub(crate) async fn known(session: &mut Session, id: Uuid) -> Result<User, UserError> {
    let row = session.first(by_id(id)).await?;
    row.as_ref().map(read).transpose()?.ok_or(UserError::NoSuchUser(id))
}

/// Reads a person's users, the first one too.
fn by_person(person: Uuid) -> Query {
    users_where!("person = $1 OR id = $1 ORDER BY id").bind(person)
}

/// Why a user could not be added or ended. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum UserError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate is another user's.
    #[error("the certificate {certificate} belongs to user {user} already, and stays that user's; order another")]
    CertificateTaken {
        certificate: Thumbprint,
        /// Whose it is.
        user: Uuid,
    },
    /// It is not as a user must be.
    #[error(transparent)]
    Unsound(#[from] NoUser),
    /// The id is in use.
    #[error("there is a user {0} already")]
    IdTaken(Uuid),
    /// No user has this id.
    #[error("there is no user {0}")]
    NoSuchUser(Uuid),
    /// No user is this person's.
    #[error("no user has the person {0}; `hjemmel user show` of the person's first user names it")]
    NoSuchPerson(Uuid),
    /// The certificate is not that user's, or was ended.
    #[error("the certificate {certificate} is none of user {user}'s, or was ended before; `hjemmel user show {user}` lists them")]
    NoSuchCertificate { certificate: Thumbprint, user: Uuid },
    /// It is the only one.
    #[error("it is the only certificate of user {0}; add its successor first, or end the user")]
    LastCertificate(Uuid),
    /// Whose certificate it is to be decides on it.
    #[error("a person does not give themselves a further certificate; have another operator decide")]
    OwnCertificate,
    /// Whether a person is another is not for that person to say.
    #[error("whether two users are two persons is for an operator to say who may be neither; have another operator decide")]
    OwnPerson,
    /// They are one person.
    #[error("users {0} and {1} are one person, as was said when they were added")]
    OnePerson(Uuid, Uuid),
    /// Nobody would take one for the other.
    #[error(
        "users {0} and {1} are not two persons of one authority or company, or of the operators: nothing takes one for the other"
    )]
    NotColleagues(Uuid, Uuid),
    /// It was said before.
    #[error("that users {0} and {1} are two persons was said before")]
    SaidBefore(Uuid, Uuid),
    /// The user has ended.
    #[error("user {id} ended at {at}; add a new user")]
    AlreadyOver {
        /// The user.
        id: Uuid,
        /// When.
        at: Timestamp,
    },
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

    /// Every user of a person, those that are over too.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn users_of(&self, person: Uuid) -> Result<Vec<User>, StoreError> {
        self.database().all(by_person(person)).await?.iter().map(read).collect()
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
        if !user.certificates.contains(&certificate) {
            let what = Detail::new("det er afsluttet for brugeren", "it was ended for the user");
            return Err(ApiRefusal::ApiCertificateRefused { what }.into());
        }
        Ok(Actor { user, proof: Proof::Certificate(certificate, signature), stands_for: None })
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
        // Whoever writes: what is not sound could be read no more, by anybody.
        user.clone().sound()?;
        let connection = self.connection();
        if connection.first(by_id(user.id)).await?.is_some() {
            return Err(UserError::IdTaken(user.id));
        }
        let person = Some(user.person).filter(|person| *person != user.id);
        if let Some(person) = person {
            let known =
                sql("SELECT 1 AS known FROM api_user WHERE kind = 'person' AND (person = $1 OR (id = $1 AND person IS NULL))");
            connection.first(known.bind(person)).await?.ok_or(UserError::NoSuchPerson(person))?;
        }
        let list = |items: Vec<String>| serde_json::json!(items).to_string();
        let known_by = match user.known.by {
            _ if !certificates.is_empty() => KnownBy::Certificate,
            KnownBy::Nothing => KnownBy::Nothing,
            KnownBy::Certificate | KnownBy::Name => KnownBy::Name,
        };
        let added = sql("INSERT INTO api_user (id, name, kind, party, roles, services, valid_from, valid_to, person, known_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(user.id)
        .bind(&user.name)
        .bind(user.kind.name())
        .bind(user.party.map(|cvr| cvr.to_string()))
        .bind(list(user.roles.iter().map(ToString::to_string).collect()))
        .bind(list(user.services.iter().map(ToString::to_string).collect()))
        .bind(user.valid_from)
        .bind(user.valid_to)
        .bind(person)
        .bind(known_by.name());
        connection.execute(added).await?;
        self.add_certificates(user.id, certificates).await
    }

    /// Gives a user certificates, beside those that it has.
    ///
    /// # Errors
    /// [`UserError::CertificateTaken`], or a store that does not answer.
    pub async fn add_certificates(&mut self, user: Uuid, certificates: &[Certificate]) -> Result<(), UserError> {
        let connection = self.connection();
        for certificate in certificates {
            let thumbprint = Thumbprint::from(*certificate.thumbprint());
            let taken = sql("SELECT api_user FROM api_user_certificate WHERE thumbprint = $1").bind(thumbprint.to_string());
            if let Some(row) = connection.first(taken).await? {
                return Err(UserError::CertificateTaken { certificate: thumbprint, user: row.get("api_user")? });
            }
            let given = sql("INSERT INTO api_user_certificate (thumbprint, api_user, certificate) VALUES ($1, $2, $3)")
                .bind(thumbprint.to_string())
                .bind(user)
                .bind(crate::pem::encode("CERTIFICATE", certificate.der()).to_string());
            connection.execute(given).await?;
        }
        Ok(())
    }

    /// Keeps by what a user was known until now, where a node of the release before added it and wrote it nowhere.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn keep_known_by(&mut self, user: &User) -> Result<(), StoreError> {
        let kept = sql("UPDATE api_user SET known_by = $1 WHERE id = $2 AND known_by IS NULL");
        self.connection().execute(kept.bind(user.known.by.name()).bind(user.id)).await.map(drop)
    }

    /// Writes down that two persons are two.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn add_distinct(&mut self, one: Uuid, other: Uuid) -> Result<(), StoreError> {
        for (person, other) in [(one, other), (other, one)] {
            let added = sql("INSERT INTO user_distinct (person, other) VALUES ($1, $2)");
            self.connection().execute(added.bind(person).bind(other)).await?;
        }
        Ok(())
    }

    /// A user as it is within this change; one that has not ended.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], [`UserError::AlreadyOver`], or a store that does not answer.
    pub async fn user(&mut self, id: Uuid, at: Timestamp) -> Result<User, UserError> {
        let user = known(self.connection(), id).await?;
        match user.valid_to.filter(|over| *over <= at) {
            Some(over) => Err(UserError::AlreadyOver { id, at: over }),
            None => Ok(user),
        }
    }

    /// Every user of a person as they are within this change.
    ///
    /// # Errors
    /// As [`Store::users_of`].
    pub async fn users_of(&mut self, person: Uuid) -> Result<Vec<User>, StoreError> {
        self.connection().all(by_person(person)).await?.iter().map(read).collect()
    }

    /// Every user of an authority or company, or of the operators, as they are within this change, those that are over too.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn users_for(&mut self, party: Option<Cvr>) -> Result<Vec<User>, StoreError> {
        let users = users_where!("coalesce(party, '') = $1 ORDER BY id");
        let party = party.map(|cvr| cvr.to_string()).unwrap_or_default();
        self.connection().all(users.bind(party)).await?.iter().map(read).collect()
    }

    /// Ends a certificate of a user, which has others.
    ///
    /// # Errors
    /// [`UserError::NoSuchCertificate`], [`UserError::LastCertificate`], or a store that does not answer.
    pub async fn end_certificate(&mut self, user: &User, certificate: Thumbprint, at: Timestamp) -> Result<(), UserError> {
        match user.certificates.as_slice() {
            held if !held.contains(&certificate) => Err(UserError::NoSuchCertificate { certificate, user: user.id }),
            [_] => Err(UserError::LastCertificate(user.id)),
            _ => {
                let ended = sql("UPDATE api_user_certificate SET ended_at = $1 WHERE thumbprint = $2 AND ended_at IS NULL");
                self.connection().execute(ended.bind(at).bind(certificate.to_string())).await?;
                Ok(())
            }
        }
    }

    /// Ends a user at `at`.
    ///
    /// # Errors
    /// [`UserError::NoSuchUser`], [`UserError::AlreadyOver`], or a store that does not answer.
    pub async fn end_user(&mut self, id: Uuid, at: Timestamp) -> Result<User, UserError> {
        let user = self.user(id, at).await?;
        self.connection().execute(sql("UPDATE api_user SET valid_to = $1 WHERE id = $2").bind(at).bind(id)).await?;
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
    let listed = |column: &'static str| -> Result<Vec<String>, StoreError> {
        let list: Option<String> = row.maybe(column)?;
        Ok(list.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect())
    };
    let mut certificates: Vec<Thumbprint> = each(&listed("certificates")?, "thumbprint")?;
    certificates.sort();
    let id = row.get("id")?;
    let person = row.maybe("person")?.unwrap_or(id);
    // One that is too long for today keeps nobody else's row from being read.
    let name = User::fitting_name(&row.get::<String>("name")?);
    // A node of the release before does not write by what it is known.
    let known_by = match row.maybe_parsed("known_by")? {
        Some(known_by) => known_by,
        None if !certificates.is_empty() => KnownBy::Certificate,
        None if name == User::unnamed(person) => KnownBy::Nothing,
        None => KnownBy::Name,
    };
    let user = User {
        id,
        person,
        name,
        kind: row.parsed("kind")?,
        party: row.maybe_parsed("party")?,
        roles: each(&texts("roles")?, "roles")?,
        services: each(&texts("services")?, "services")?,
        certificates,
        valid_from: row.get("valid_from")?,
        valid_to: row.maybe("valid_to")?,
        known: Known { by: known_by, distinct_from: each(&listed("distinct_from")?, "distinct_from")? },
    };
    // Of another form than hjemmel writes it would see or decide what nobody gave it. One that was ended before it began has
    // no days, and is no fault.
    let ended = user.valid_to;
    let sound = User { valid_to: None, ..user }.sound().map_err(|_| StoreError::Unreadable { column: "user" })?;
    Ok(User { valid_to: ended, ..sound })
}
