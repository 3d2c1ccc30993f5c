//! What the store keeps of value lists.
//!
//! A published version is never altered: the schema refuses it, and the digest of its content stands beside it, so that one
//! that was altered by other means is not read.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::agreements::{Change, Store};
use crate::id::cvr::Cvr;
use crate::services::finance::rules::sortiment::{Entry, List, Lists, MOST_CODES, Part, told, xml};
use crate::store::value::{Value, assembled_for, to_microsecond};
use crate::store::{Query, Row, Session, StoreError, sql};

/// The most versions that a service may have published.
pub const MOST_VERSIONS: usize = 10_000;

/// Codes read at once.
const PAGE: usize = 5_000;
/// Codes written by one statement: SQLite takes 32,766 parameters.
const ROWS: usize = 1_000;

/// A version, without its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id in the store.
    pub id: Uuid,
    /// The service that it is for.
    pub service: Uuid,
    /// The value list.
    pub list: Uuid,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Whose supplement it is; `None` for what is common to all.
    pub authority: Option<Cvr>,
    /// The first day on which it holds.
    pub from: Date,
    /// The last.
    pub to: Option<Date>,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// When it was published; `None` of a draft.
    pub published_at: Option<Timestamp>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(&self.empty()))
    }
}

impl Head {
    /// The list without part lists.
    fn empty(&self) -> List {
        List {
            id: self.list,
            name: self.name.clone(),
            version: self.version.clone(),
            from: self.from,
            to: self.to,
            authority: self.authority,
            parts: BTreeMap::new(),
        }
    }

    /// Whether it is a version of the same list, for the same authority.
    pub fn follows(&self, other: &Self) -> bool {
        (self.service, self.list, self.authority) == (other.service, other.list, other.authority) && other.from < self.from
    }
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It is a new draft.
    Draft(Uuid),
    /// It took the place of a draft of the same version.
    Replaced(Uuid),
    /// It was there already, just so.
    Same(Uuid),
}

/// Why a version was not imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is wrong with it, each in a sentence.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// It is published, and senders rely on it.
    #[error("{0} is published, with other content, and stays so; import the change as a new version")]
    Published(Box<Head>),
}

/// SHA-256 of the whole content, in hexadecimal.
///
/// # Errors
/// It cannot be written as XML.
pub fn sha256(list: &List) -> Result<String, String> {
    Ok(crate::hex::encode(digest(&SHA256, xml::write(list)?.as_bytes()).as_ref()))
}

/// Reads heads. The condition follows.
macro_rules! heads_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, service, list, name, version, authority, valid_from, valid_to, sha256, imported_at, published_at
             FROM sortiment WHERE ",
            $condition
        ))
    };
}

impl Store {
    /// The versions of a service, published ones and drafts, by list, authority and first day.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn sortimenter(&self, service: Uuid) -> Result<Vec<Head>, StoreError> {
        let query = heads_where!("service = $1 ORDER BY list, authority NULLS FIRST, valid_from, id").bind(service);
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// The published versions of a service.
    pub(super) async fn published(&self, service: Uuid) -> Result<Vec<Head>, StoreError> {
        let query = heads_where!("service = $1 AND published_at IS NOT NULL ORDER BY id").bind(service);
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// One version, by its id in the store.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn sortiment(&self, id: Uuid) -> Result<Option<Head>, StoreError> {
        self.database().first(heads_where!("id = $1").bind(id)).await?.as_ref().map(read).transpose()
    }

    /// The whole of a version.
    ///
    /// # Errors
    /// A store that does not answer, or holds another content than was imported.
    pub async fn sortiment_content(&self, head: &Head) -> Result<List, StoreError> {
        let mut list = head.empty();
        let parts = sql("SELECT part, supplemented, party_demanded FROM sortiment_part WHERE sortiment = $1").bind(head.id);
        for row in self.database().all(parts).await? {
            let part = Part { supplement: row.get("supplemented")?, party: row.get("party_demanded")?, codes: BTreeMap::new() };
            list.parts.insert(row.get("part")?, part);
        }
        let (mut after, mut read): (Option<(String, String)>, usize) = (None, 0);
        loop {
            let page = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let query = match after.take() {
                None => codes_where("sortiment = $1 ORDER BY part, code LIMIT $2").bind(head.id).bind(page),
                Some((part, code)) => codes_where("sortiment = $1 AND (part, code) > ($3, $4) ORDER BY part, code LIMIT $2")
                    .bind(head.id)
                    .bind(page)
                    .bind(part)
                    .bind(code),
            };
            let rows = self.database().all(query).await?;
            let last = rows.len() < PAGE;
            read += rows.len();
            for row in rows {
                let (part, code, entry) = entry(&row)?;
                after = Some((part.clone(), code.clone()));
                let own = list.parts.get_mut(&part).ok_or(StoreError::Unreadable { column: "part" })?;
                own.codes.insert(code, entry);
            }
            if last || read > MOST_CODES {
                break;
            }
        }
        let expected = head.sha256.clone();
        let checked = tokio::task::spawn_blocking(move || match sha256(&list) {
            Ok(found) if found == expected => Ok(list),
            _ => Err(StoreError::Unreadable { column: "sortiment.sha256" }),
        });
        checked.await.map_err(|_| StoreError::Unreadable { column: "sortiment" })?
    }

    /// The published lists of a service, with `more` beside them.
    pub(super) async fn lists_with(&self, service: Uuid, more: List) -> Result<Result<Lists, Vec<String>>, StoreError> {
        let mut all = Vec::new();
        for head in self.published(service).await?.iter().filter(|head| head.list == more.id && head.version == more.version) {
            all.push(self.sortiment_content(head).await?);
        }
        all.push(more);
        Ok(Lists::new(all))
    }

    /// Imports a version as a draft; a draft of the same version is replaced. A supplement needs its common version, published
    /// or not, only when it is published.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn import_sortiment(&self, service: Uuid, list: &List, now: Timestamp) -> Result<Imported, ImportError> {
        list.check().map_err(ImportError::Wrong)?;
        let sha256 = sha256(list).map_err(|error| ImportError::Wrong(vec![error]))?;
        let mut change = self.change().await?;
        let session = change.connection();
        let same = match list.authority {
            None => heads_where!("service = $1 AND list = $2 AND version = $3 AND authority IS NULL"),
            Some(_) => {
                heads_where!("service = $1 AND list = $2 AND version = $3 AND authority = $4 AND valid_from = $5")
            }
        };
        let same = same.bind(service).bind(list.id).bind(&list.version);
        let same = match list.authority {
            None => same,
            Some(authority) => same.bind(authority.to_string()).bind(list.from),
        };
        let held = session.first(same).await?.as_ref().map(read).transpose()?;
        if let Some(held) = &held {
            match held.published_at {
                _ if held.sha256 == sha256 => return Ok(Imported::Same(held.id)),
                Some(_) => return Err(ImportError::Published(Box::new(held.clone()))),
                None => session.execute(sql("DELETE FROM sortiment WHERE id = $1").bind(held.id)).await?,
            };
        }
        let id = Uuid::now_v7();
        insert(session, id, service, list, &sha256, to_microsecond(now)).await?;
        change.commit().await?;
        Ok(if held.is_some() { Imported::Replaced(id) } else { Imported::Draft(id) })
    }

    /// Removes a draft. `false`: there is none of this id.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn drop_sortiment(&self, id: Uuid) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let dropped = sql("DELETE FROM sortiment WHERE id = $1 AND published_at IS NULL").bind(id);
        let dropped = change.connection().execute(dropped).await?;
        change.commit().await?;
        Ok(dropped > 0)
    }
}

impl Change {
    /// Publishes a draft that has this content. `false`: it is not there so.
    pub(super) async fn publish_sortiment(&mut self, head: &Head, at: Timestamp) -> Result<bool, StoreError> {
        let published = sql("UPDATE sortiment SET published_at = $1 WHERE id = $2 AND sha256 = $3 AND published_at IS NULL");
        let published = published.bind(at).bind(head.id).bind(&head.sha256);
        Ok(self.connection().execute(published).await? > 0)
    }
}

async fn insert(
    session: &mut Session,
    id: Uuid,
    service: Uuid,
    list: &List,
    sha256: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let head =
        sql("INSERT INTO sortiment (id, service, list, name, version, authority, valid_from, valid_to, sha256, imported_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(id)
        .bind(service)
        .bind(list.id)
        .bind(&list.name)
        .bind(&list.version)
        .bind(list.authority.map(|authority| authority.to_string()))
        .bind(list.from)
        .bind(list.to)
        .bind(sha256)
        .bind(at);
    session.execute(head).await?;
    for (name, part) in &list.parts {
        let part = sql("INSERT INTO sortiment_part (sortiment, part, supplemented, party_demanded) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(name)
            .bind(part.supplement)
            .bind(part.party);
        session.execute(part).await?;
    }
    let mut codes = list.parts.iter().flat_map(|(name, part)| part.codes.iter().map(move |(code, entry)| (name, code, entry)));
    loop {
        let rows: Vec<_> = codes.by_ref().take(ROWS).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let places = |row: usize| {
            let at = row * 7 + 1;
            format!("($1, ${}, ${}, ${}, ${}, ${}, ${}, ${})", at + 1, at + 2, at + 3, at + 4, at + 5, at + 6, at + 7)
        };
        let places = (0..rows.len()).map(places).collect::<Vec<_>>().join(", ");
        let text = format!(
            "INSERT INTO sortiment_code (sortiment, part, code, name, class, sensitivity, valid_from, valid_to) VALUES {places}"
        );
        let values = rows.into_iter().flat_map(|(part, code, entry)| {
            [
                Value::from(part),
                code.into(),
                (&entry.name).into(),
                entry.class.into(),
                entry.sensitivity.map(i64::from).into(),
                entry.from.into(),
                entry.to.into(),
            ]
        });
        let query = values.fold(assembled_for(text.clone(), text).bind(id), Query::bind);
        session.execute(query).await?;
    }
}

fn codes_where(condition: &str) -> Query {
    let text = format!("SELECT part, code, name, class, sensitivity, valid_from, valid_to FROM sortiment_code WHERE {condition}");
    assembled_for(text.clone(), text)
}

fn entry(row: &Row) -> Result<(String, String, Entry), StoreError> {
    let sensitivity: Option<i64> = row.maybe("sensitivity")?;
    let sensitivity = sensitivity.map(u8::try_from).transpose().map_err(|_| StoreError::Unreadable { column: "sensitivity" })?;
    let (from, to) = (row.maybe("valid_from")?, row.maybe("valid_to")?);
    let entry = Entry { name: row.get("name")?, class: row.maybe("class")?, sensitivity, from, to };
    Ok((row.get("part")?, row.get("code")?, entry))
}

fn read(row: &Row) -> Result<Head, StoreError> {
    Ok(Head {
        id: row.get("id")?,
        service: row.get("service")?,
        list: row.get("list")?,
        name: row.get("name")?,
        version: row.get("version")?,
        authority: row.maybe_parsed("authority")?,
        from: row.get("valid_from")?,
        to: row.maybe("valid_to")?,
        sha256: row.get("sha256")?,
        imported_at: row.get("imported_at")?,
        published_at: row.maybe("published_at")?,
    })
}
