//! The versions of an agreement: lines for the same parties of requests that each say which one they are a new version of. One that
//! is asked for anew takes the place of whichever holds, however many were rejected, taken back or not answered in between.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::agreements::{Agreement, Change, Environment, State};
use crate::store::StoreError;

/// The most requests that are followed back: each is older than the one that names it, so that they end.
const MOST: usize = 10_000;

/// Follows requests back to the first, each once.
#[derive(Default)]
struct First(HashMap<Uuid, Uuid>);

impl First {
    async fn of(&mut self, change: &mut Change, request: Uuid) -> Result<Uuid, StoreError> {
        let (mut way, mut at) = (Vec::new(), request);
        let first = loop {
            if let Some(first) = self.0.get(&at) {
                break *first;
            }
            way.push(at);
            match change.request(at).await?.and_then(|request| request.content.replaces) {
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
    change: &mut Change,
    request: Uuid,
    (system, environment): (Uuid, &Environment),
    at: Timestamp,
) -> Result<Vec<Agreement>, StoreError> {
    let mut firsts = First::default();
    let first = firsts.of(change, request).await?;
    let mut found = Vec::new();
    for line in change.of_system(system, environment).await? {
        let Some(of) = line.terms.as_ref().map(|terms| terms.request) else { continue };
        let counts = line.is_open(at) || line.state == State::Requested;
        if counts && firsts.of(change, of).await? == first {
            found.push(line);
        }
    }
    found.sort_by_key(|line| line.state == State::Requested);
    Ok(found)
}

/// The other versions of an agreement that are open or wait for an answer.
pub(super) async fn others(change: &mut Change, agreement: &Agreement, at: Timestamp) -> Result<Vec<Agreement>, StoreError> {
    let Some(terms) = &agreement.terms else { return Ok(Vec::new()) };
    let place = (agreement.system, &agreement.environment);
    let mut found = of_request(change, terms.request, place, at).await?;
    found.retain(|other| other.id != agreement.id && other.same_parties(agreement));
    Ok(found)
}
