//! What is known of Campus: its id of each user, and what it was last told of each employment.

use jiff::civil::Date;

use crate::persons::outbox::Handed;
use crate::store::{Database, Row, Session, StoreError, sql};

/// What is known of one person.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Campus's id of the user.
    pub user: Option<String>,
    /// What Campus was told of each employment.
    pub employments: Vec<Handed>,
}

fn employment(row: &Row) -> Result<Handed, StoreError> {
    let content: Vec<u8> = row.get("content")?;
    serde_json::from_slice(&content).map_err(|_| StoreError::Unreadable { column: "content" })
}

/// What is known of a person.
///
/// # Errors
/// The store does not answer.
pub async fn of(database: &Database, number: i64) -> Result<Known, StoreError> {
    let told = sql("SELECT content FROM person_handed WHERE number = $1 ORDER BY authority, institution, staff_number");
    let told = database.all(told.bind(number)).await?;
    let employments = told.iter().map(employment).collect::<Result<_, _>>()?;
    Ok(Known { user: user(database, number).await?, employments })
}

/// Campus's id of a user.
///
/// # Errors
/// The store does not answer.
pub async fn user(database: &Database, number: i64) -> Result<Option<String>, StoreError> {
    let row = database.first(sql("SELECT user_id FROM person_campus WHERE number = $1").bind(number)).await?;
    row.map(|row| row.get("user_id")).transpose()
}

/// Notes Campus's id of a user, and when there is something to tell of the person by the day alone.
///
/// # Errors
/// The store does not answer.
pub async fn note_user(session: &mut Session, number: i64, user: &str, wakes: Option<Date>) -> Result<(), StoreError> {
    let note = sql("INSERT INTO person_campus (number, user_id, wakes) VALUES ($1, $2, $3)
         ON CONFLICT (number) DO UPDATE SET user_id = excluded.user_id, wakes = excluded.wakes");
    session.execute(note.bind(number).bind(user).bind(wakes)).await.map(drop)
}

/// Notes what Campus was told of an employment. `manager_missing`: its manager was not there to be referred to.
///
/// # Errors
/// The store does not answer.
pub async fn note_employment(session: &mut Session, told: &Handed, manager_missing: bool) -> Result<(), StoreError> {
    let content = serde_json::to_vec(told).map_err(|_| StoreError::Unreadable { column: "content" })?;
    let note = sql("INSERT INTO person_handed (number, authority, institution, staff_number, content, manager, manager_missing)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (number, authority, institution, staff_number)
         DO UPDATE SET content = excluded.content, manager = excluded.manager, manager_missing = excluded.manager_missing");
    let note = note.bind(told.number).bind(&told.authority).bind(&told.institution).bind(&told.staff_number).bind(content);
    session.execute(note.bind(told.manager).bind(i64::from(manager_missing))).await.map(drop)
}

/// Forgets a person who is erased.
///
/// # Errors
/// The store does not answer.
pub async fn forget(session: &mut Session, number: i64) -> Result<(), StoreError> {
    session.execute(sql("DELETE FROM person_handed WHERE number = $1").bind(number)).await?;
    session.execute(sql("DELETE FROM person_campus WHERE number = $1").bind(number)).await.map(drop)
}
