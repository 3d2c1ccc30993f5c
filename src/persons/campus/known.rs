//! What is known of Campus: its id of each user, and of which employments it was told. What it was told of them stands nowhere: what
//! an employment is today is read where persons are kept.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::persons::outbox::Handed;
use crate::persons::rows;
use crate::store::{Database, Session, StoreError, sql};

/// What is known of one person.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Campus's id of the user.
    pub user: Option<String>,
    /// The employments that Campus was told of, as they are now.
    pub employments: Vec<Handed>,
}

/// What is known of a person. `also`: an employment that Campus is being told of.
///
/// # Errors
/// The store does not answer.
pub async fn of(database: &Database, number: i64, also: Option<&Handed>) -> Result<Known, StoreError> {
    let mut session = database.session().await?;
    let told = sql("SELECT authority, institution, staff_number FROM person_handed WHERE number = $1");
    let mut those = BTreeSet::new();
    those.extend(also.map(|also| (format!("{}/{}", also.authority, also.institution), also.staff_number.clone())));
    for row in session.all(told.bind(number)).await? {
        let (authority, institution): (String, String) = (row.get("authority")?, row.get("institution")?);
        those.insert((format!("{authority}/{institution}"), row.get::<String>("staff_number")?));
    }
    let mut employments: Vec<Handed> = { rows::employments(&mut session, &[number].into()).await? }
        .into_iter()
        .filter(|(key, employment)| those.contains(&(employment.home.clone(), key.1.clone())))
        .map(|(key, employment)| employment.handed(&key))
        .collect();
    drop(session);
    employments.extend(also.filter(|also| !employments.iter().any(|one| one.is_of(also))).cloned());
    employments.sort_by(|one, other| {
        let order = |one: &Handed| (one.authority.clone(), one.institution.clone(), one.staff_number.clone());
        order(one).cmp(&order(other))
    });
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

/// Notes Campus's id of a user, and when there is something to send of the person because of the day alone.
///
/// # Errors
/// The store does not answer.
pub async fn note_user(session: &mut Session, number: i64, user: &str, wakes: Option<Date>) -> Result<(), StoreError> {
    let note = sql("INSERT INTO person_campus (number, user_id, wakes) VALUES ($1, $2, $3)
         ON CONFLICT (number) DO UPDATE SET user_id = excluded.user_id, wakes = excluded.wakes");
    session.execute(note.bind(number).bind(user).bind(wakes)).await.map(drop)
}

/// Notes that Campus was told of an employment. `manager_missing`: its manager was not there to be referred to.
///
/// # Errors
/// The store does not answer.
pub async fn note_employment(session: &mut Session, told: &Handed, manager_missing: bool) -> Result<(), StoreError> {
    let note = sql("INSERT INTO person_handed (number, authority, institution, staff_number, manager, manager_missing)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (number, authority, institution, staff_number)
         DO UPDATE SET manager = excluded.manager, manager_missing = excluded.manager_missing");
    let note = note.bind(told.number).bind(&told.authority).bind(&told.institution).bind(&told.staff_number);
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
