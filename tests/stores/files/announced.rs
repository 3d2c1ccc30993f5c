//! A new host key, told to those who log on by SFTP, on SQLite and PostgreSQL.

use std::collections::BTreeSet;

use hjemmel::files::announce::{self, Announced, HostKey};
use hjemmel::files::monitoring::{self, Monitoring};
use hjemmel::files::partner::agreement::Standing;
use hjemmel::files::users::{self, Changed, Used, User};
use hjemmel::store::sql;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::mailboxes::{CENTRAL, INSTITUTION, Post, STRANGER};

const FINGERPRINT: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn key(from: Timestamp) -> HostKey {
    HostKey {
        host: "[sftp.example.dk]:2222".to_owned(),
        fingerprint: FINGERPRINT.to_owned(),
        public: "ssh-ed25519 AAAA".to_owned(),
        from,
        environment: "test".parse().unwrap(),
    }
}

/// A home's user, with a monitoring order that tells a mailbox.
async fn home(post: &Post, name: &str, environment: &str, told: Option<&str>) -> User {
    let now = *post.now.lock().unwrap();
    let user = User {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        environment: environment.parse().unwrap(),
        system: Uuid::now_v7(),
        authority: "11111111".parse().unwrap(),
        older_root: false,
        bytes_limit: 1,
        disabled: false,
        valid_to: None,
        seen: None,
        refused: None,
        used: Used::default(),
    };
    let mut transaction = post.database.begin().await.unwrap();
    users::add(&mut transaction, &user, now).await.unwrap();
    if let Some(told) = told {
        let order = Monitoring {
            id: Uuid::new_v4(),
            user: user.id,
            inf_ref: Some("X_1".to_owned()),
            pattern: None,
            rhythm_hours: None,
            alarm_hours: 4,
            delete_days: 12,
            told: told.to_owned(),
            since: now,
            last: None,
            ended: None,
        };
        monitoring::add(&mut transaction, &order).await.unwrap();
    }
    transaction.commit().await.unwrap();
    user
}

async fn letters(post: &Post) -> Vec<String> {
    let rows = post.database.all(sql("SELECT payload FROM job WHERE kind = 'notice'")).await.unwrap();
    rows.iter().map(|row| String::from_utf8(row.get::<Vec<u8>>("payload").unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn a_new_host_key_is_told_once_to_each_mailbox_of_those_who_log_on_and_whoever_has_none_is_named() {
    for post in Post::all().await {
        let now = *post.now.lock().unwrap();
        let from = now.checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
        home(&post, "KY", "test", Some("drift@example.dk")).await;
        home(&post, "OPUS", "test", None).await;
        home(&post, "ANDET_MILJOE", "exttest", Some("andre@example.dk")).await;
        let gone = home(&post, "LUKKET", "test", Some("lukket@example.dk")).await;
        let changed = Changed { disabled: Some(true), ..Changed::default() };
        users::change(&mut post.database.session().await.unwrap(), &gone, &changed).await.unwrap();
        post.set(STRANGER, Standing::Suspended).await;

        let told = BTreeSet::from(["drift@example.dk", "loen@kommune.example"].map(str::to_owned));
        let untold = vec!["OPUS".to_owned(), format!("BRUGER_{STRANGER}")];
        let first = announce::host_key(&post.database, &key(from), now).await.unwrap();
        let due = Announced { told: told.clone(), before: BTreeSet::new(), untold: untold.clone() };
        assert_eq!(first, due, "{}: {INSTITUTION} and {CENTRAL} have one mailbox", post.kind);
        let sent = letters(&post).await;
        assert_eq!(sent.len(), 2, "{}: {sent:?}", post.kind);
        for letter in &sent {
            assert!(letter.contains("host-key-changes") && letter.contains(FINGERPRINT), "{letter}");
            assert!(letter.contains("[sftp.example.dk]:2222 ssh-ed25519 AAAA"), "{letter}");
        }
        let again = announce::host_key(&post.database, &key(from), now).await.unwrap();
        let due = Announced { told: BTreeSet::new(), before: told.clone(), untold: untold.clone() };
        assert_eq!((again, letters(&post).await.len()), (due, 2), "{}: once", post.kind);
        // Another day is told anew.
        let later = from.checked_add(SignedDuration::from_hours(24)).unwrap();
        let moved = announce::host_key(&post.database, &key(later), now).await.unwrap();
        assert_eq!(moved, Announced { told, before: BTreeSet::new(), untold }, "{}", post.kind);
    }
}

#[tokio::test]
async fn whoever_was_told_of_a_host_key_is_told_again_where_its_line_is_another_or_another_environment_is_told() {
    for post in Post::all().await {
        let now = *post.now.lock().unwrap();
        let from = now.checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
        home(&post, "KY", "test", Some("drift@example.dk")).await;
        home(&post, "KY_EXT", "exttest", Some("drift@example.dk")).await;
        let mistaken = HostKey { host: "sftp.example.dk".to_owned(), ..key(from) };
        let elsewhere = HostKey { environment: "exttest".parse().unwrap(), ..key(from) };
        for (announced, line) in [
            (&mistaken, "sftp.example.dk ssh-ed25519 AAAA"),
            (&key(from), "[sftp.example.dk]:2222 ssh-ed25519 AAAA"),
            (&elsewhere, "[sftp.example.dk]:2222 ssh-ed25519 AAAA"),
        ] {
            let before = letters(&post).await;
            let told = announce::host_key(&post.database, announced, now).await.unwrap();
            assert!(told.told.contains("drift@example.dk") && told.before.is_empty(), "{}: {told:?}", post.kind);
            let letters: Vec<_> = letters(&post).await.into_iter().filter(|letter| !before.contains(letter)).collect();
            assert_eq!(letters.len(), told.told.len(), "{}", post.kind);
            assert!(letters.iter().all(|letter| letter.contains(line)), "{}: {letters:?}", post.kind);
            let again = announce::host_key(&post.database, announced, now).await.unwrap();
            assert_eq!((again.told.len(), again.before), (0, told.told), "{}", post.kind);
        }
    }
}
