//! Drafts: versions that a person brought in or removed, and that no call knows. Another person publishes them.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::kept::{Head, held, read, sha256};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::decisions::record::{Made, What};
use crate::decisions::service::{Deciding, Decision, For};
use crate::decisions::{Because, By, DecideError, Kept};
use crate::services::finance::rules::sortiment::List;
use crate::store::value::Value;
use crate::store::{Query, Session, StoreError, by_dialect, sql, until_it_holds};
use crate::users::rights::Action;

/// Codes written by one statement: about a megabyte.
const ROWS: usize = 10_000;

/// What a decision calls a version that is not published.
pub(super) const DRAFT: &str = "draft";

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

impl Imported {
    /// The version's id in the store.
    pub fn id(self) -> Uuid {
        match self {
            Self::Draft(id) | Self::Replaced(id) | Self::Same(id) => id,
        }
    }
}

/// Why a version was not imported, or a draft not removed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// What is wrong with it, each in a sentence.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// It is published, and senders rely on it.
    #[error("{0} is published, with other content, and stays so; import the change as a new version")]
    Published(Box<Head>),
    /// There is none.
    #[error("there is no draft {0}; a published version stays")]
    NoDraft(Uuid),
}

impl From<StoreError> for DraftError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

/// A common list is the operators', a supplement its authority's; the operators may bring that in too, and then the authority
/// publishes it.
fn decision<'a>(what: What, head: &Head, because: &'a Because) -> Decision<'a> {
    let whose = head.authority.map_or(For::All, For::Either);
    Decision { what, action: Action::ImportSortiment, whose, service: head.service, because }
}

fn removed(head: &Head, to: String) -> What {
    What { subject: Subject::Sortiment, id: head.id, from: Some(DRAFT.to_owned()), to, shown: Some(head.sha256.clone()) }
}

/// Imports a version as a draft; a draft of the same version is replaced. A supplement needs its common version, published or
/// not, only when it is published.
///
/// # Errors
/// [`DraftError`].
pub async fn import(
    store: &Store,
    service: Uuid,
    list: &List,
    by: By<'_>,
    because: &Because,
    kept: Option<Kept<'_, (Imported, Head)>>,
) -> Result<(Imported, Head), DraftError> {
    until_it_holds(async || import_once(store, service, list, by, because, kept).await).await
}

async fn import_once(
    store: &Store,
    service: Uuid,
    list: &List,
    by: By<'_>,
    because: &Because,
    kept: Option<Kept<'_, (Imported, Head)>>,
) -> Result<(Imported, Head), DraftError> {
    let list = list.clone();
    let judged = tokio::task::spawn_blocking(move || {
        list.check()?;
        let sha256 = sha256(&list).map_err(|error| vec![error])?;
        Ok((list, sha256))
    });
    let judged = judged.await.map_err(|_| StoreError::Unreadable { column: "sortiment" })?;
    let (list, sha256) = judged.map_err(DraftError::Wrong)?;
    let head = Head {
        id: Uuid::now_v7(),
        service,
        list: list.id,
        name: list.name.clone(),
        version: list.version.clone(),
        authority: list.authority,
        from: list.from,
        to: list.to,
        sha256,
        imported_at: because.at,
        published_at: None,
    };
    let what =
        What { subject: Subject::Sortiment, id: head.id, from: None, to: DRAFT.to_owned(), shown: Some(head.sha256.clone()) };
    let mut deciding = decision(what, &head, because).begin(store, by).await?;
    let held = deciding.change.connection().first(held(&head)).await?.as_ref().map(read).transpose()?;
    if let Some(held) = held {
        let same = held.sha256 == head.sha256;
        // Of a draft that nobody known brought in, whoever does now is the one.
        let known = held.published_at.is_some() || importer(&mut deciding, held.id).await?.is_some();
        match held.published_at {
            _ if same && known => {
                let done = (Imported::Same(held.id), held);
                deciding.leave(kept, &done).await?;
                return Ok(done);
            }
            Some(_) => return Err(DraftError::Published(Box::new(held))),
            None => {}
        }
        deciding.also(removed(&held, format!("replaced by {}", head.id)))?;
        deciding.change.connection().execute(sql("DELETE FROM sortiment WHERE id = $1").bind(held.id)).await?;
        insert(deciding.change.connection(), &head, &list, because.at).await?;
        let done = (Imported::Replaced(head.id), head);
        deciding.keep(kept, &done).await?;
        return Ok(done);
    }
    insert(deciding.change.connection(), &head, &list, because.at).await?;
    let done = (Imported::Draft(head.id), head);
    deciding.keep(kept, &done).await?;
    Ok(done)
}

/// The user who brought a draft in.
pub(super) async fn importer(deciding: &mut Deciding<'_>, id: Uuid) -> Result<Option<Made>, StoreError> {
    let made = deciding.change.made_on(Subject::Sortiment, id).await?;
    Ok(made.into_iter().find(|made| made.what.to == DRAFT).filter(|made| made.user.is_some()))
}

/// Removes a draft.
///
/// # Errors
/// [`DraftError`].
pub async fn remove(
    store: &Store,
    id: Uuid,
    by: By<'_>,
    because: &Because,
    kept: Option<Kept<'_, Head>>,
) -> Result<Head, DraftError> {
    until_it_holds(async || remove_once(store, id, by, because, kept).await).await
}

async fn remove_once(
    store: &Store,
    id: Uuid,
    by: By<'_>,
    because: &Because,
    kept: Option<Kept<'_, Head>>,
) -> Result<Head, DraftError> {
    let head = store.sortiment(id).await?.filter(|head| head.published_at.is_none()).ok_or(DraftError::NoDraft(id))?;
    let mut deciding = decision(removed(&head, "removed".to_owned()), &head, because).begin(store, by).await?;
    let gone = sql("DELETE FROM sortiment WHERE id = $1 AND published_at IS NULL").bind(id);
    if deciding.change.connection().execute(gone).await? == 0 {
        return Err(DraftError::NoDraft(id));
    }
    deciding.keep(kept, &head).await?;
    Ok(head)
}

async fn insert(session: &mut Session, head: &Head, list: &List, at: Timestamp) -> Result<(), StoreError> {
    let id = head.id;
    let row =
        sql("INSERT INTO sortiment (id, service, list, name, version, authority, valid_from, valid_to, sha256, imported_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(id)
        .bind(head.service)
        .bind(list.id)
        .bind(&list.name)
        .bind(&list.version)
        .bind(list.authority.map(|authority| authority.to_string()))
        .bind(list.from)
        .bind(list.to)
        .bind(&head.sha256)
        .bind(at);
    session.execute(row).await?;
    for (name, part) in &list.parts {
        let part = sql("INSERT INTO sortiment_part (sortiment, part, supplemented, party_demanded) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(name)
            .bind(part.supplement)
            .bind(part.party);
        session.execute(part).await?;
    }
    let codes = list.parts.iter().flat_map(|(name, part)| part.codes.iter().map(move |(code, entry)| (name, code, entry)));
    let rows: Vec<Row<'_>> = codes
        .map(|(part, code, entry)| {
            (part.as_str(), code.as_str(), entry.name.as_str(), entry.class, entry.sensitivity, entry.from, entry.to)
        })
        .collect();
    for some in rows.chunks(ROWS) {
        let json = serde_json::to_string(some).map_err(|_| StoreError::Unreadable { column: "sortiment_code" })?;
        session.execute(codes_into().bind(id).bind(Value::Json(Some(json)))).await?;
    }
    Ok(())
}

/// One code, in the order of the columns.
type Row<'l> = (&'l str, &'l str, &'l str, Option<Uuid>, Option<u8>, Option<Date>, Option<Date>);

/// Writes codes that are bound as one JSON document. A parameter for each value would make time grow with the square of their
/// number: SQLite looks for the name of each among all of a statement's.
fn codes_into() -> Query {
    by_dialect(
        "INSERT INTO sortiment_code (sortiment, part, code, name, class, sensitivity, valid_from, valid_to)
         SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each($2)",
        "INSERT INTO sortiment_code (sortiment, part, code, name, class, sensitivity, valid_from, valid_to)
         SELECT $1::uuid, row ->> 0, row ->> 1, row ->> 2, (row ->> 3)::uuid, (row ->> 4)::bigint, (row ->> 5)::date, (row ->> 6)::date
         FROM jsonb_array_elements($2::jsonb) AS row",
    )
}
