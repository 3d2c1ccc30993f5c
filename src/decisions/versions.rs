//! The versions of an agreement: lines for the same parties of requests that each say which one they are a new version of. One that
//! is asked for anew takes the place of whichever holds, however many were rejected, taken back or not answered in between.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::agreements::request::store::request_with;
use crate::agreements::store::of_system;
use crate::agreements::{Agreement, AgreementError, Environment, State, Store};
use crate::store::{Session, StoreError};

/// The most requests that are followed back: each is older than the one that names it, so that they end.
const MOST: usize = 10_000;

/// Follows requests back to the first, each once.
#[derive(Default)]
pub(super) struct First(HashMap<Uuid, Uuid>);

impl First {
    pub(super) async fn of(&mut self, session: &mut Session, request: Uuid) -> Result<Uuid, StoreError> {
        let (mut way, mut at) = (Vec::new(), request);
        let first = loop {
            if let Some(first) = self.0.get(&at) {
                break *first;
            }
            way.push(at);
            match request_with(session, at).await?.and_then(|request| request.content.replaces) {
                Some(before) if way.len() < MOST => at = before,
                _ => break at,
            }
        };
        self.0.extend(way.into_iter().map(|request| (request, first)));
        Ok(first)
    }
}

/// The lines of a system in all versions of a request: those that may still open something before those that wait for an answer, the
/// latest before others. What was rejected, taken back or is over is left out.
pub(super) async fn of_request(
    session: &mut Session,
    request: Uuid,
    (system, environment): (Uuid, &Environment),
    at: Timestamp,
) -> Result<Vec<Agreement>, StoreError> {
    let mut firsts = First::default();
    let first = firsts.of(session, request).await?;
    let mut found = Vec::new();
    for line in of_system(session, system, environment).await? {
        let Some(of) = line.terms.as_ref().map(|terms| terms.request) else { continue };
        let counts = line.is_open(at) || line.state == State::Requested;
        if counts && firsts.of(session, of).await? == first {
            found.push(line);
        }
    }
    found.sort_by_key(|line| line.state == State::Requested);
    Ok(found)
}

/// The other versions of an agreement that are open or wait for an answer.
pub(super) async fn others(session: &mut Session, agreement: &Agreement, at: Timestamp) -> Result<Vec<Agreement>, StoreError> {
    let Some(terms) = &agreement.terms else { return Ok(Vec::new()) };
    let place = (agreement.system, &agreement.environment);
    let mut found = of_request(session, terms.request, place, at).await?;
    found.retain(|other| other.id != agreement.id && other.same_parties(agreement));
    Ok(found)
}

/// When an agreement began to hold, the versions before it included where there was no day between them: from then on binding counts. None:
/// it never held until `now`.
pub(super) async fn began(store: &Store, agreement: &Agreement, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let Some(mut since) = held_from(store, agreement).await? else { return Ok(None) };
    let mut version = agreement.clone();
    for _ in 0..MOST {
        let Some(before) = version.terms.as_ref().and_then(|terms| terms.replaces) else { break };
        version = match store.get(before).await {
            Ok(before) => before,
            Err(AgreementError::Store(error)) => return Err(error),
            Err(_) => break,
        };
        // One that was never approved is passed over: what it was to replace may have held.
        let Some(from) = held_from(store, &version).await? else { continue };
        if version.over_from().is_some_and(|end| end < since) {
            break;
        }
        since = since.min(from);
    }
    Ok(Some(since).filter(|since| *since <= now))
}

/// The instant from which an agreement held: it had begun, and was approved. None: nobody approved it.
async fn held_from(store: &Store, agreement: &Agreement) -> Result<Option<Timestamp>, StoreError> {
    let decisions = store.decisions(agreement.id).await?;
    let approved = decisions.iter().find(|decision| decision.to == State::Approved);
    Ok(approved.map(|approved| agreement.valid_from.max(approved.decided_at.unwrap_or(approved.at))))
}
