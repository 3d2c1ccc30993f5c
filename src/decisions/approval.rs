//! To approve an agreement, as whoever approves it is shown it: with the end that it has by what it depends on, where notice was given on
//! that, and with what ends and is closed with it in turn. All of it is one text, and nothing of it is decided unseen. So are the notices that
//! are taken back with the one on an agreement.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use uuid::Uuid;

use super::along::{Principal, Together, ended_principals, together};
use super::closing::Kinds;
use super::ending::{self, Ending};
use super::shown;
use crate::agreements::{Agreement, State, Store, rules::Rules};
use crate::store::{Session, StoreError, value::to_microsecond};

/// An agreement with what its approval would decide besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The agreement.
    pub agreement: Agreement,
    /// The end that it would have from the first, with all that goes with it. None: it would have no end but its own, or waits for no approval.
    pub ending: Option<Ending>,
    /// The agreements that it depends on whose end that is.
    pub with: Vec<Uuid>,
    /// The agreements on which the notice is taken back too, where the one on this is: each goes on with the others alone.
    pub back: BTreeSet<Uuid>,
    kinds: Kinds,
}

/// What the approval of an agreement would decide. Of one that waits for none it is the agreement alone, and under notice what goes on with it.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn propose(store: &Store, agreement: &Agreement, rules: &Rules, now: Timestamp) -> Result<Approval, StoreError> {
    let kinds = Kinds::of(rules);
    let mut session = store.database().session().await?;
    let (approval, _) = proposed(&mut session, agreement, kinds, to_microsecond(now)).await?;
    Ok(approval)
}

async fn proposed(
    session: &mut Session,
    agreement: &Agreement,
    kinds: Kinds,
    now: Timestamp,
) -> Result<(Approval, Vec<Principal>), StoreError> {
    let mut approval = Approval { agreement: agreement.clone(), ending: None, with: Vec::new(), back: BTreeSet::new(), kinds };
    if agreement.state == State::Terminated
        && agreement.is_under_notice(now)
        && let Together::With(with) = together(session, agreement, now).await?
    {
        approval.back = with.iter().map(|held| held.id).collect();
    }
    if agreement.state != State::Requested {
        return Ok((approval, Vec::new()));
    }
    let principals = ended_principals(session, agreement, now).await?;
    approval.ending = ending::of_approval(session, agreement, &principals, &approval.kinds, now).await?;
    if let Some(ending) = &approval.ending {
        let whose = principals.iter().filter(|principal| principal.ends_at == ending.ends_at);
        approval.with = whose.map(|principal| principal.id).collect();
    }
    Ok((approval, principals))
}

impl Approval {
    /// What whoever decides is shown: the agreement's own text, and what its approval would decide besides.
    pub fn text(&self) -> String {
        let mut text = shown::text(&self.agreement);
        for line in self.lines() {
            let _ = writeln!(text, "{line}");
        }
        for back in &self.back {
            let _ = writeln!(text, "tages opsigelsen tilbage, tages den også tilbage på serviceaftale: {back}");
        }
        text
    }

    /// The end that it would have, and what ends and is closed with it, a line each; none where it would have no end but its own.
    pub fn lines(&self) -> Vec<String> {
        let Some(ending) = &self.ending else { return Vec::new() };
        let own = self.with.iter().map(|with| format!("ophører {} med serviceaftale: {with}", ending.ends_at));
        own.chain(ending.lines()).collect()
    }

    /// The same within whatever is under way, with what it depends on that ends.
    pub(super) async fn again(&self, session: &mut Session, now: Timestamp) -> Result<(Self, Vec<Principal>), StoreError> {
        proposed(session, &self.agreement, self.kinds.clone(), now).await
    }
}
