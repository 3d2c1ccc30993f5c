//! What the store keeps of requests.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Content, Request, Standing};
use crate::agreements::store::{Change, Store, agreements_that, read as read_agreement};
use crate::agreements::{Agreement, AgreementError};
use crate::id::cvr::Cvr;
use crate::store::value::Value;
use crate::store::value::assembled_for;
use crate::store::{Query, Row, Session, StoreError, sql};

const COLUMNS: &str = "SELECT id, state, edition, party, made_by, content, made_at, changed_at FROM agreement_request WHERE ";

fn by_id(id: Uuid) -> Query {
    assembled_for(format!("{COLUMNS}id = $1"), format!("{COLUMNS}id = $1")).bind(id)
}

fn read(row: &Row) -> Result<Request, StoreError> {
    let content: String = row.get("content")?;
    Ok(Request {
        id: row.get("id")?,
        state: row.parsed("state")?,
        edition: row.get("edition")?,
        party: row.maybe_parsed("party")?,
        made_by: row.get("made_by")?,
        content: serde_json::from_str(&content).map_err(|_| StoreError::Unreadable { column: "content" })?,
        made_at: row.get("made_at")?,
        changed_at: row.get("changed_at")?,
    })
}

fn written(content: &Content) -> String {
    serde_json::json!(content).to_string()
}

/// How many requests are read at once where those of some services are looked for.
const READ_AT_ONCE: u32 = 1000;

/// Which requests, and how many, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Made for this company or authority.
    pub party: Option<Cvr>,
    /// Those that ask this authority, and those that it made itself.
    pub authority: Option<Cvr>,
    /// Those that ask for one of these services, and drafts that name none yet. Empty: all.
    pub services: Vec<Uuid>,
    /// Where they stand.
    pub state: Option<Standing>,
    /// After this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// One request; none where there is none.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn request(&self, id: Uuid) -> Result<Option<Request>, StoreError> {
        self.database().first(by_id(id)).await?.as_ref().map(read).transpose()
    }

    /// The agreements that are its lines, by authority.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn lines(&self, request: Uuid) -> Result<Vec<Agreement>, StoreError> {
        let rows = self.database().all(agreements_that("request = $1 ORDER BY authority, service, id").bind(request)).await?;
        rows.iter().map(read_agreement).collect()
    }

    /// The requests wanted. Whose they are is the query's condition, so that what may not be seen is not read either; the services stand
    /// in what each says.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn requests(&self, wanted: &Wanted) -> Result<Vec<Request>, StoreError> {
        let (mut wanted, limit) = (wanted.clone(), wanted.limit as usize);
        // Few of many may be of the services: how many are read at once does not hang on how many are wanted.
        if !wanted.services.is_empty() {
            wanted.limit = wanted.limit.max(READ_AT_ONCE);
        }
        let mut found = Vec::new();
        loop {
            let read = self.requests_of_any_service(&wanted).await?;
            let last = read.last().filter(|_| read.len() >= wanted.limit as usize).map(|request| request.id);
            found.extend(read.into_iter().filter(|request| request.content.asks_any_of(&wanted.services)));
            if last.is_none() || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
            wanted.after = last;
        }
    }

    async fn requests_of_any_service(&self, wanted: &Wanted) -> Result<Vec<Request>, StoreError> {
        let (mut condition, mut values) = ("TRUE".to_owned(), Vec::<Value>::new());
        if let Some(party) = wanted.party {
            values.push(party.to_string().into());
            condition += &format!(" AND party = ${}", values.len());
        }
        if let Some(authority) = wanted.authority {
            values.push(authority.to_string().into());
            let place = values.len();
            condition += &format!(
                " AND (party = ${place} OR id IN (SELECT request FROM agreement WHERE authority = ${place} AND request IS NOT NULL))"
            );
        }
        if let Some(state) = wanted.state {
            values.push(state.wire_name().to_owned().into());
            condition += &format!(" AND state = ${}", values.len());
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
}

/// One request; none where there is none.
pub(crate) async fn request_with(session: &mut Session, id: Uuid) -> Result<Option<Request>, StoreError> {
    session.first(by_id(id)).await?.as_ref().map(read).transpose()
}

impl Change {
    /// One request as it is within this change.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn request(&mut self, id: Uuid) -> Result<Option<Request>, StoreError> {
        request_with(self.connection(), id).await
    }

    /// Its lines, by authority.
    ///
    /// # Errors
    /// As [`Change::request`].
    pub async fn lines(&mut self, request: Uuid) -> Result<Vec<Agreement>, StoreError> {
        let rows = self.connection().all(agreements_that("request = $1 ORDER BY authority, service, id").bind(request)).await?;
        rows.iter().map(read_agreement).collect()
    }

    /// Writes a new request.
    ///
    /// # Errors
    /// The id is in use, or a store that does not answer.
    pub async fn add_request(&mut self, request: &Request) -> Result<(), AgreementError> {
        if self.request(request.id).await?.is_some() {
            return Err(AgreementError::Conflicts(vec![format!("there is a request {} already", request.id)]));
        }
        let add = sql("INSERT INTO agreement_request (id, state, edition, party, made_by, content, made_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(request.id)
        .bind(request.state.wire_name())
        .bind(request.edition)
        .bind(request.party.map(|cvr| cvr.to_string()))
        .bind(request.made_by)
        .bind(written(&request.content))
        .bind(request.made_at)
        .bind(request.changed_at);
        self.connection().execute(add).await?;
        Ok(())
    }

    /// Writes a draft anew.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn write_draft(&mut self, request: &Request) -> Result<(), StoreError> {
        let write = sql("UPDATE agreement_request SET content = $1, edition = $2, changed_at = $3 WHERE id = $4")
            .bind(written(&request.content))
            .bind(request.edition)
            .bind(request.changed_at)
            .bind(request.id);
        self.connection().execute(write).await.map(drop)
    }

    /// Says where a request stands.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn request_stands(&mut self, id: Uuid, state: Standing, at: Timestamp) -> Result<(), StoreError> {
        let write = sql("UPDATE agreement_request SET state = $1, changed_at = $2 WHERE id = $3");
        self.connection().execute(write.bind(state.wire_name()).bind(at).bind(id)).await.map(drop)
    }
}
