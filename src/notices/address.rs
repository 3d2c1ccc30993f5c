//! Where notices go to: users' e-mail addresses and languages.

use std::str::FromStr;

use jiff::Timestamp;
use lettre::Address;
use uuid::Uuid;

use crate::agreements::{Change, Store};
use crate::id::cvr::Cvr;
use crate::store::{Row, Session, StoreError, sql};
use crate::users::delegation::{common, services};
use crate::users::rights::Role;

/// The language of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Danish.
    #[default]
    Da,
    /// English.
    En,
}

impl Language {
    /// The name in the store and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Da => "da",
            Self::En => "en",
        }
    }
}

impl FromStr for Language {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "da" => Ok(Self::Da),
            "en" => Ok(Self::En),
            _ => Err("a language is da or en"),
        }
    }
}

/// Reads an e-mail address: of ASCII alone, so that it needs no SMTPUTF8 of any server on the way.
///
/// # Errors
/// It is none.
pub fn read(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= 254 && text.is_ascii() && !text.chars().any(|c| c.is_control() || c == ' ');
    let address = Address::from_str(text).ok().filter(|_| fits);
    address.map(|address| address.to_string()).ok_or("an e-mail address is name@domain, of ASCII, at most 254 characters")
}

/// A user who is told by mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Told {
    pub user: Uuid,
    /// The authority or company; none for the operators.
    pub party: Option<Cvr>,
    pub roles: Vec<Role>,
    /// The services that they are for. Empty: all.
    pub services: Vec<Uuid>,
    pub address: String,
    pub language: Language,
}

/// Everybody who has an address and may act at `now`; whoever stands for somebody else by delegation also as that.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub(super) async fn everybody(session: &mut Session, now: Timestamp) -> Result<Vec<Told>, StoreError> {
    let query = sql("SELECT u.id AS id, u.party AS party, u.roles AS roles, u.services AS services, a.address AS address,
             a.language AS language FROM notice_address AS a JOIN api_user AS u ON u.id = a.api_user
         WHERE u.valid_from <= $1 AND (u.valid_to IS NULL OR u.valid_to > $1) ORDER BY u.id")
    .bind(now);
    let rows = session.all(query).await?;
    let mut told: Vec<Told> = rows
        .iter()
        .map(|row| {
            let roles = roles(&row.get::<String>("roles")?)?;
            let services = services(&row.get::<String>("services")?)?;
            to(row, roles, services)
        })
        .collect::<Result<_, StoreError>>()?;
    let query = sql("SELECT s.id AS id, s.party AS party, d.role AS role, d.services AS services, p.roles AS principal_roles,
             p.services AS principal_services, a.address AS address, a.language AS language
         FROM delegation AS d JOIN api_user AS s ON s.id = d.substitute JOIN api_user AS p ON p.id = d.principal
             JOIN notice_address AS a ON a.api_user = s.id
         WHERE d.ended_at IS NULL AND d.valid_from <= $1 AND d.valid_to > $1 AND s.party = p.party
             AND s.valid_from <= $1 AND (s.valid_to IS NULL OR s.valid_to > $1)
             AND p.valid_from <= $1 AND (p.valid_to IS NULL OR p.valid_to > $1) ORDER BY d.id")
    .bind(now);
    for row in session.all(query).await? {
        let role: Role = row.parsed("role")?;
        let services = common(&services(&row.get::<String>("services")?)?, &services(&row.get::<String>("principal_services")?)?);
        if let Some(services) = services.filter(|_| role.is_delegable())
            && roles(&row.get::<String>("principal_roles")?)?.contains(&role)
        {
            told.push(to(&row, vec![role], services)?);
        }
    }
    Ok(told)
}

fn roles(text: &str) -> Result<Vec<Role>, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "roles" };
    let texts: Vec<String> = serde_json::from_str(text).map_err(|_| unreadable())?;
    texts.iter().map(|role| role.parse().map_err(|_| unreadable())).collect()
}

fn to(row: &Row, roles: Vec<Role>, services: Vec<Uuid>) -> Result<Told, StoreError> {
    Ok(Told {
        user: row.get("id")?,
        party: row.maybe_parsed("party")?,
        roles,
        services,
        address: row.get("address")?,
        language: row.get::<String>("language")?.parse().map_err(|_| StoreError::Unreadable { column: "language" })?,
    })
}

impl Store {
    /// A user's address and language, where it has one.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn notice_address(&self, user: Uuid) -> Result<Option<(String, Language)>, StoreError> {
        let query = sql("SELECT address, language FROM notice_address WHERE api_user = $1").bind(user);
        let Some(row) = self.database().first(query).await? else { return Ok(None) };
        let language = row.get::<String>("language")?.parse().map_err(|_| StoreError::Unreadable { column: "language" })?;
        Ok(Some((row.get("address")?, language)))
    }
}

impl Change {
    /// Says where a user is told from now on; none: nowhere.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn set_address(&mut self, user: Uuid, at: Option<(&str, Language)>, now: Timestamp) -> Result<(), StoreError> {
        let write = match at {
            Some((address, language)) => {
                sql("INSERT INTO notice_address (api_user, address, language, changed_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (api_user) DO UPDATE SET address = excluded.address, language = excluded.language,
                     changed_at = excluded.changed_at")
                .bind(user)
                .bind(address)
                .bind(language.name())
                .bind(now)
            }
            None => sql("DELETE FROM notice_address WHERE api_user = $1").bind(user),
        };
        self.connection().execute(write).await.map(drop)
    }
}
