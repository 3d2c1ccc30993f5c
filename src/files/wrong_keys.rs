//! Users whose connections gave a wrong key, until that is noted: jobs of many suppliers fail in the same minute, and each is to be told its
//! cause. One task writes them down, one after the other.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// How many users wait at most; of more nothing is noted until there is room again.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct WrongKeys(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    users: BTreeSet<Uuid>,
    /// Whether a task takes them.
    are_taken: bool,
}

impl WrongKeys {
    /// A user is to be noted. Whether the caller is to take those that wait until there are none: nobody does.
    pub(super) fn add(&self, user: Uuid) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.users.len() < MOST {
            waiting.users.insert(user);
        }
        !std::mem::replace(&mut waiting.are_taken, true)
    }

    /// The next user; none: whoever took them is done.
    pub(super) fn take(&self) -> Option<Uuid> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let user = waiting.users.pop_first();
        waiting.are_taken = user.is_some();
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_is_taken_once_by_one_who_takes_them_and_no_more_wait_than_may() {
        let wrong = WrongKeys::default();
        let users: Vec<Uuid> = (0..MOST as u128 + 1).map(Uuid::from_u128).collect();
        assert!(wrong.add(users[0]));
        assert!(!wrong.add(users[0]) && !wrong.add(users[1]), "somebody takes them");
        assert_eq!((wrong.take(), wrong.take()), (Some(users[0]), Some(users[1])));
        assert!(!wrong.add(users[1]), "whoever takes them is not told yet that there are none");
        assert_eq!((wrong.take(), wrong.take()), (Some(users[1]), None));
        for user in &users {
            wrong.add(*user);
        }
        assert_eq!(std::iter::from_fn(|| wrong.take()).count(), MOST);
        assert!(wrong.add(users[MOST]), "there is room again");
    }
}
