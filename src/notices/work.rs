//! Sends what waits in the outbox: each node takes what is due, and of two none takes the same.

use std::time::Duration;

use tokio::task::JoinSet;

use super::letter;
use super::outbox::{Waiting, jobs};
use super::post::{Post, PostError};
use crate::agreements::Store;
use crate::store::StoreError;
use crate::store::jobs::{JobError, Jobs, Taken};

/// How often a node looks for letters.
const LOOK: Duration = Duration::from_secs(2);
/// How many are taken at a time; each has the server's patience for every command.
const AT_ONCE: u32 = 4;

/// Whoever sends.
#[derive(Debug, Clone)]
pub struct Sender {
    jobs: Jobs,
    post: Post,
}

impl Sender {
    /// Sends what waits in `store` by `post`.
    pub fn new(store: &Store, post: Post) -> Self {
        Self { jobs: jobs(store.database()), post }
    }

    /// Sends for ever. It ends with the future: what was under way is another's, after its lease or once [`Sender::stopped`] is said.
    pub async fn run(&self) {
        loop {
            match self.once().await {
                Ok(0) => tokio::time::sleep(LOOK).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "notices could not be taken from the store");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Said of a node that sends no more: letters that were under way are another's at once.
    pub async fn stopped(&self) {
        if let Err(error) = self.jobs.give_back().await {
            tracing::warn!(%error, "letters that were under way wait for their leases' ends");
        }
    }

    /// Sends what is due, some of it; how many were tried.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn once(&self) -> Result<usize, StoreError> {
        let taken = self.jobs.take(AT_ONCE).await?;
        let many = taken.len();
        let mut sending = JoinSet::new();
        for taken in taken {
            let own = self.clone();
            sending.spawn(async move { own.send(&taken).await });
        }
        sending.join_all().await;
        Ok(many)
    }

    async fn send(&self, taken: &Taken) {
        let sent = match serde_json::from_slice::<Waiting>(&taken.payload) {
            Ok(waiting) => {
                let letter = letter::write(&waiting.notice, waiting.language, self.post.console());
                let within = self.jobs.lease() / 2;
                match tokio::time::timeout(within, self.post.send(waiting.id, &waiting.to, &letter)).await {
                    Ok(sent) => sent,
                    Err(_) => Err(PostError::NotNow("the mail server did not answer in time".to_owned())),
                }
            }
            // While nodes are renewed one by one a newer one can read what this one cannot, and takes it meanwhile.
            Err(_) => Err(PostError::NotNow("it is of another release and cannot be read by this one".to_owned())),
        };
        let noted = match &sent {
            Ok(()) => self.jobs.done(taken).await,
            Err(PostError::NotNow(why)) => self.jobs.failed(taken, why).await.map(drop),
            Err(error @ PostError::Refused(_)) => self.jobs.give_up(taken, &error.to_string()).await,
        };
        if let Err(error) = &sent {
            tracing::warn!(job = taken.id, attempt = taken.attempt, %error, "a notice was not sent");
        }
        if let Err(error) = noted {
            // Lost: another node has it by now. Otherwise the lease ends, and it is sent again.
            let lost = matches!(error, JobError::Lost(_));
            tracing::warn!(job = taken.id, lost, %error, "what became of a notice could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::post::{Place, Settings};
    use super::*;

    #[tokio::test]
    async fn a_letter_that_another_release_wrote_waits_for_a_node_that_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&crate::store::Settings::sqlite(&dir.path().join("store.sqlite"))).await.unwrap();
        let letters = dir.path().join("letters");
        let mail = Settings { place: Place::Folder(letters.clone()), from: "hjemmel@example.dk".to_owned(), console: None };
        let notice = serde_json::json!({"kind": "of-a-later-release", "name": "Aftale", "page": "/agreements/1"});
        let waiting = serde_json::json!({"id": uuid::Uuid::nil(), "to": "a@example.dk", "language": "da", "notice": notice});
        let jobs = jobs(store.database());
        let mut change = store.change().await.unwrap();
        jobs.add(change.transaction(), &serde_json::to_vec(&waiting).unwrap(), None).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(Sender::new(&store, Post::new(mail)).once().await.unwrap(), 1);
        let open = jobs.open(10).await.unwrap();
        let [job] = open.as_slice() else { panic!("{open:?}") };
        assert!(!job.dead && job.attempts == 1, "it is tried again: {job:?}");
        assert!(job.problem.as_ref().is_some_and(|why| why.contains("another release")), "{job:?}");
        assert!(!letters.exists(), "nothing was sent");
    }
}
