//! What a suspension stands in the way of, also once the agreement is over: whoever it stops does not get around it by ending the
//! agreement and asking anew, with another system or certificate, or by waiting for its period to end.

use jiff::Timestamp;

use super::DecideError;
use super::agreement::Creator;
use super::record::Made;
use crate::agreements::{Agreement, Change, Side as Where, State};
use crate::audit::Subject;
use crate::id::cvr::Cvr;
use crate::store::{Session, StoreError};
use crate::users::rights::{Role, Side};
use crate::users::store::known;

/// Whether a decision suspends. One on what is suspended, which stays so, gives notice or takes it back.
pub(super) fn is_one(made: &Made) -> bool {
    is(made, State::Suspended) && !was(made, State::Suspended)
}

fn is(made: &Made, state: State) -> bool {
    made.what.to == state.wire_name()
}

fn was(made: &Made, state: State) -> bool {
    made.what.from.as_deref() == Some(state.wire_name())
}

/// Whether a signatory approved a request by it. One on trial nobody did.
fn is_approval(made: &Made) -> bool {
    is(made, State::Approved) && was(made, State::Requested) && made.role == Some(Role::Signatory)
}

/// The suspension of an agreement that still stands: it was not lifted, and the agreement was not ended by somebody who might have lifted it.
pub(super) async fn standing(session: &mut Session, made: &[Made]) -> Result<Option<Made>, DecideError> {
    let mut stands: Option<&Made> = None;
    for made in made {
        if is_one(made) {
            stands = Some(made);
        } else if is(made, State::Approved) {
            stands = None;
        } else if let Some(suspended) = stands
            && (is(made, State::Terminated) || is(made, State::Expired))
            && might_lift(session, suspended, made).await?
        {
            stands = None;
        }
    }
    Ok(stands.cloned())
}

/// Whether whoever made a later decision might have lifted the suspension. Time lifts none.
async fn might_lift(session: &mut Session, suspended: &Made, later: &Made) -> Result<bool, DecideError> {
    let (Some(user), Some(role)) = (later.right_of(), later.role) else { return Ok(false) };
    if let Some(by) = suspended.right_of()
        && known(session, by).await?.person == known(session, user).await?.person
    {
        return Ok(true);
    }
    Ok(suspended.role.is_none_or(|by| role.rank() > by.rank() || (by, role) == (Role::Operator, Role::Operator)))
}

/// Whether both let the same calls through: of the same system, or by one of the same certificates.
fn same_calls(one: &Agreement, other: &Agreement) -> bool {
    let certificate = || one.certificates.iter().any(|certificate| other.certificates.contains(certificate));
    one.side == Where::Back || one.system == other.system || certificate()
}

async fn beside(change: &mut Change, agreement: &Agreement) -> Result<Vec<(Agreement, Vec<Made>)>, StoreError> {
    let mut found = Vec::new();
    for other in change.alike(agreement).await? {
        if other.id != agreement.id {
            let made = change.made_on(Subject::Agreement, other.id).await?;
            found.push((other, made));
        }
    }
    Ok(found)
}

/// The suspensions that stand of agreements that let the same calls through as this one. Of an agreement that is over, one is settled by
/// an approval that was given since to the same calls.
pub(super) async fn alike(change: &mut Change, agreement: &Agreement) -> Result<Vec<Made>, DecideError> {
    let lines = beside(change, agreement).await?;
    let mut found = Vec::new();
    for (line, made) in lines.iter().filter(|(line, _)| same_calls(line, agreement)) {
        let Some(suspended) = standing(change.connection(), made).await? else { continue };
        let since = |made: &Made| is_approval(made) && made.because.at > suspended.because.at;
        let settled = lines.iter().any(|(other, made)| same_calls(other, line) && made.iter().any(since));
        if line.state == State::Suspended || !settled {
            found.push(suspended);
        }
    }
    Ok(found)
}

/// Whether the authority or the operators last said no to this party, system or certificate for the same service: then a trial opens
/// nothing, and the authority answers. What was suspended, ended or rejected by them stays so, until a signatory approves.
pub(super) async fn bars_trial(change: &mut Change, agreement: &Agreement, party: Option<Cvr>) -> Result<bool, DecideError> {
    let mut lines = beside(change, agreement).await?;
    lines.retain(|(line, made)| same_calls(line, agreement) || Creator::of(made).party == party);
    let opened = |made: &Made| is(made, State::Approved) && was(made, State::Requested);
    // An agreement that ends as another is approved was replaced by it.
    let opened_at: Vec<Timestamp> =
        lines.iter().flat_map(|(_, made)| made).filter(|made| opened(made)).map(|made| made.because.at).collect();
    let approved = lines.iter().flat_map(|(_, made)| made).filter(|made| is_approval(made)).map(|made| made.because.at).max();
    let mut refused = None;
    for (_, made) in &lines {
        let mut no = None;
        for made in made {
            let theirs = made.role.is_some_and(|role| role.side() != Side::Supplier);
            let replaced = opened_at.contains(&made.because.at);
            if is_one(made) || (theirs && !replaced && (is(made, State::Terminated) || is(made, State::Rejected))) {
                no = Some(made.because.at);
            } else if is(made, State::Approved) {
                no = None;
            }
        }
        refused = refused.max(no);
    }
    Ok(refused.is_some_and(|no| approved.is_none_or(|yes| no > yes)))
}
