//! Who is next is told by mail: once when a task can be done, and again when its day comes near, when it is over, or when it has waited for a
//! week. A task that fell back is told of anew.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

use super::shown::{Shown, View};
use super::store::{MOST, Wanted};
use crate::agreements::Store;
use crate::clock::{civil_day, copenhagen};
use crate::notices::audience::Audience;
use crate::notices::{Kind, Notice};
use crate::store::StoreError;
use crate::users::rights::Role;
use crate::users::{Scope, Whose};

/// How many days before its day a task is told of again.
const AHEAD: i64 = 3;
/// After how many days a task without a day is.
const WEEK: i64 = 7;

/// Tells whoever is next in any connection; how many tasks were told of.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn tell(store: &Store, now: Timestamp) -> Result<usize, StoreError> {
    let everybodys = Scope { whose: Whose::Everybody, services: Vec::new() };
    let mut wanted = Wanted { limit: MOST, ..Wanted::default() };
    let mut told = 0;
    loop {
        let views = store.connection_views(&wanted, &everybodys, now).await?;
        for view in &views {
            for shown in view.next() {
                told += one(store, view, shown, now).await?;
            }
        }
        match views.last().filter(|_| views.len() >= wanted.limit as usize) {
            Some(last) => wanted.after = Some(last.connection.id),
            None => return Ok(told),
        }
    }
}

/// What is due of a task, the one that counts first, each with its mark.
fn due(shown: &Shown, now: Timestamp) -> Vec<(Kind, String)> {
    let since = shown.standing.since.map_or_else(|| "-".to_owned(), |since| since.to_string());
    let mut due = vec![(Kind::TaskNext, format!("next {since}"))];
    match (shown.assignment.due, civil_day(now)) {
        (Some(day), Some(today)) => {
            if day.checked_sub(AHEAD.days()).is_ok_and(|near| near <= today) {
                due.insert(0, (Kind::TaskWaits, format!("near {day}")));
            }
            if day < today {
                due.insert(0, (Kind::TaskWaits, format!("over {day}")));
            }
        }
        _ => {
            if shown.standing.since.is_some_and(|since| now.duration_since(since) >= SignedDuration::from_hours(24 * WEEK)) {
                due.insert(0, (Kind::TaskWaits, format!("week {since}")));
            }
        }
    }
    due
}

/// The beginning of a day in Copenhagen.
fn begins(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(copenhagen()?).ok()?.timestamp())
}

async fn one(store: &Store, view: &View, shown: &Shown, now: Timestamp) -> Result<usize, StoreError> {
    let (connection, task) = (&view.connection, shown.task);
    let due = due(shown, now);
    let mark = |what: &str| format!("task {} {} {what}", connection.id, task.id);
    let Some((kind, first)) = due.first() else { return Ok(0) };
    // Looked at first, without the write lock: most of the time it was given.
    if store.was_given(&mark(first)).await? {
        return Ok(0);
    }
    let mut change = store.change().await?;
    if !change.gives(&mark(first), now).await? {
        return Ok(0);
    }
    for (_, what) in due.iter().skip(1) {
        change.gives(&mark(what), now).await?;
    }
    let audience = match (shown.assignment.person, task.performer) {
        (Some(person), _) => Audience::User(person),
        (None, Role::Operator | Role::OperatorReadOnly) => Audience::Operators,
        (None, performer) => Audience::Doers(shown.whose, connection.service, performer),
    };
    let notice = Notice {
        kind: *kind,
        name: format!("{}: {}", task.id, task.text.da()),
        page: format!("/connections/{}", connection.id),
        authority: Some(connection.authority),
        service: Some(connection.service),
        system: Some(connection.client),
        environment: Some(connection.environment.as_str().to_owned()),
        at: shown.assignment.due.and_then(begins),
        reason: None,
        differs: Vec::new(),
        english: Some(format!("{}: {}", task.id, task.text.en())),
    };
    change.tell(store.database(), &notice, &[audience], now).await?;
    change.commit().await?;
    Ok(1)
}
