//! What the store keeps of value lists.
//!
//! A published version is never altered: the schema refuses it, and the digest of its content stands beside it, so that one
//! that was altered by other means is not read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::agreements::{Change, Store};
use crate::id::cvr::Cvr;
use crate::services::finance::rules::sortiment::{Entry, List, Lists, MOST_CODES, Part, describe, xml};
use crate::store::page::Page;
use crate::store::value::assembled_for;
use crate::store::{Query, Row, StoreError, sql};

/// The most versions that a service may have published.
pub const MOST_VERSIONS: usize = 10_000;

/// Codes read at once.
const PAGE: usize = 5_000;

/// A version, without its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Head {
    /// Its id in the store.
    pub id: Uuid,
    pub service: Uuid,
    /// The value list.
    pub list: Uuid,
    pub name: String,
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
        f.write_str(&describe(&self.empty()))
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

    /// Where it stands on a day: `draft`, `published` (its first day is to come), `in-force` or `ended`.
    pub fn stands(&self, today: Option<Date>) -> &'static str {
        let is = |what: &dyn Fn(Date) -> bool| today.is_some_and(what);
        match self.published_at {
            None => "draft",
            Some(_) if is(&|today| today < self.from) => "published",
            Some(_) if is(&|today| self.to.is_some_and(|to| to < today)) => "ended",
            Some(_) => "in-force",
        }
    }

    /// Whether it is a version of the same list, for the same authority.
    pub fn follows(&self, other: &Self) -> bool {
        (self.service, self.list, self.authority) == (other.service, other.list, other.authority) && other.from < self.from
    }
}

/// SHA-256 of the whole content, in hexadecimal.
///
/// # Errors
/// It cannot be written as XML.
pub fn sha256(list: &List) -> Result<String, String> {
    Ok(crate::hex::encode(digest(&SHA256, xml::write(list)?.as_bytes()).as_ref()))
}

/// Reads heads. The condition follows.
macro_rules! heads {
    () => {
        "SELECT id, service, list, name, version, authority, valid_from, valid_to, sha256, imported_at, published_at
         FROM sortiment WHERE "
    };
}

macro_rules! heads_where {
    ($condition:literal) => {
        sql(concat!(heads!(), $condition))
    };
}

fn published(service: Uuid) -> Query {
    heads_where!("service = $1 AND published_at IS NOT NULL ORDER BY id").bind(service)
}

/// Which versions of value lists a list shows.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this service.
    pub service: Option<Uuid>,
    /// Of these services. Empty: all.
    pub services: Vec<Uuid>,
    /// Versions of this value list.
    pub list: Option<Uuid>,
    /// Published ones, or drafts.
    pub published: Option<bool>,
    /// What the user sees.
    pub seen: Seen,
    /// After this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

/// Which versions somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seen {
    /// What is published for all.
    #[default]
    Published,
    /// That, and this authority's own supplements and drafts.
    AndOwn(Cvr),
    /// Everything.
    All,
}

impl Seen {
    /// Whether this version is seen.
    pub fn takes(self, head: &Head) -> bool {
        match self {
            Self::All => true,
            Self::AndOwn(own) if head.authority == Some(own) => true,
            Self::AndOwn(_) | Self::Published => head.authority.is_none() && head.published_at.is_some(),
        }
    }
}

impl Store {
    /// The versions wanted, in the order of their ids.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn sortiment_page(&self, wanted: &Wanted) -> Result<Vec<Head>, StoreError> {
        let page = match wanted.seen {
            Seen::All => Page::of(heads!()),
            Seen::Published => Page::of(heads!()).that("authority IS NULL AND published_at IS NOT NULL"),
            Seen::AndOwn(own) => {
                Page::of(heads!()).with("authority IS NULL AND published_at IS NOT NULL OR authority = ?", own.to_string())
            }
        };
        let page = page.with_any("service = ?", wanted.service).with_any("list = ?", wanted.list).of_services(&wanted.services);
        let page = match wanted.published {
            None => page,
            Some(true) => page.that("published_at IS NOT NULL"),
            Some(false) => page.that("published_at IS NULL"),
        };
        self.database().all(page.after(wanted.after, wanted.limit)).await?.iter().map(read).collect()
    }

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
        self.database().all(published(service)).await?.iter().map(read).collect()
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
    pub(super) async fn lists_with(&self, service: Uuid, more: Arc<List>) -> Result<Result<Lists, Vec<String>>, StoreError> {
        let mut all = Vec::new();
        for head in self.published(service).await?.iter().filter(|head| head.list == more.id && head.version == more.version) {
            all.push(Arc::new(self.sortiment_content(head).await?));
        }
        all.push(more);
        Ok(Lists::new(all))
    }
}

impl Change {
    /// Publishes a draft that has this content. `false`: it is not there so.
    pub(super) async fn publish_sortiment(&mut self, head: &Head, at: Timestamp) -> Result<bool, StoreError> {
        let published = sql("UPDATE sortiment SET published_at = $1 WHERE id = $2 AND sha256 = $3 AND published_at IS NULL");
        let published = published.bind(at).bind(head.id).bind(&head.sha256);
        Ok(self.connection().execute(published).await? > 0)
    }

    /// As [`Store::published`].
    pub(super) async fn published(&mut self, service: Uuid) -> Result<Vec<Head>, StoreError> {
        self.connection().all(published(service)).await?.iter().map(read).collect()
    }
}

/// The version of the store that has the name of this one.
pub(super) fn held(head: &Head) -> Query {
    let same = match head.authority {
        None => heads_where!("service = $1 AND list = $2 AND version = $3 AND authority IS NULL"),
        Some(_) => heads_where!("service = $1 AND list = $2 AND version = $3 AND authority = $4 AND valid_from = $5"),
    };
    let same = same.bind(head.service).bind(head.list).bind(&head.version);
    match head.authority {
        None => same,
        Some(authority) => same.bind(authority.to_string()).bind(head.from),
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

pub(super) fn read(row: &Row) -> Result<Head, StoreError> {
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
