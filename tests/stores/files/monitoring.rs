//! Monitoring orders: rhythm, alarm and clean-up of the files of one user.

use hjemmel::files::home::{Folder, Home, Homes as _};
use hjemmel::files::monitoring::{self, Cause, Monitoring, MonitoringError};
use hjemmel::files::users::{self, Changed};
use hjemmel::store::sql;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::world::*;

fn of(world: &World, user: &str) -> Monitoring {
    Monitoring {
        id: Uuid::new_v4(),
        user: id(user),
        inf_ref: None,
        pattern: Some("KY_*".to_owned()),
        rhythm_hours: Some(24),
        alarm_hours: 4,
        delete_days: 12,
        told: "drift@example.dk".to_owned(),
        since: *world.now.lock().unwrap(),
        last: None,
        ended: None,
    }
}

async fn add(world: &World, order: &Monitoring) -> Result<(), MonitoringError> {
    let mut transaction = world.database.begin().await.unwrap();
    monitoring::add(&mut transaction, order).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

/// When the alarm of the only delivery is due, and when it is deleted: hours and days from `from`.
async fn due(world: &World, from: Timestamp) -> (i64, i64) {
    let rows = world.database.all(sql("SELECT alarm_us, delete_us FROM file_delivery")).await.unwrap();
    let hours = |column| (rows[0].get::<i64>(column).unwrap() - from.as_microsecond()) / 3_600_000_000;
    (hours("alarm_us"), hours("delete_us") / 24)
}

async fn cause(world: &World, user: &str, since: Timestamp) -> Cause {
    let mut session = world.database.session().await.unwrap();
    let user = users::named(&mut session, user).await.unwrap().unwrap();
    let now = *world.now.lock().unwrap();
    monitoring::cause(&mut session, &user, since, now).await.unwrap()
}

#[tokio::test]
async fn a_file_goes_by_the_hours_and_days_of_the_monitoring_order_and_without_one_by_those_of_its_route_order() {
    for world in World::all().await {
        let now = *world.now.lock().unwrap();
        world.send("ANDET.xml", b"x").await;
        assert_eq!(due(&world, now).await, (24, 30), "{}", world.kind);
        world.database.session().await.unwrap().execute(sql("DELETE FROM file_delivery")).await.unwrap();
        add(&world, &of(&world, RECIPIENT)).await.unwrap();
        // One that is for no such file, and one that lets it lie longer.
        add(&world, &Monitoring { pattern: None, inf_ref: Some("X_1".to_owned()), alarm_hours: 1, ..of(&world, RECIPIENT) })
            .await
            .unwrap();
        add(&world, &Monitoring { pattern: Some("*".to_owned()), alarm_hours: 48, delete_days: 20, ..of(&world, RECIPIENT) })
            .await
            .unwrap();
        world.send(NAME, b"x").await;
        assert_eq!(due(&world, now).await, (4, 20), "{}: the first alarm and the last deletion", world.kind);
        // A redelivery too.
        let recipient = world.home(RECIPIENT).await;
        for file in [NAME.to_owned(), format!("{NAME}.metadata")] {
            recipient.remove(&Folder::In, &name(&file)).await.unwrap();
        }
        world.pass(SignedDuration::from_hours(5));
        let transfer = world.database.all(sql("SELECT transfer FROM file_delivery")).await.unwrap()[0].get("transfer").unwrap();
        let mut transaction = world.database.begin().await.unwrap();
        hjemmel::files::operate::redeliver(&mut transaction, transfer, RECIPIENT, &world.parts.clock).await.unwrap();
        transaction.commit().await.unwrap();
        let again = *world.now.lock().unwrap();
        assert_eq!(due(&world, again).await, (4, 20), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_that_is_not_fetched_in_its_hours_is_told_once_and_deleted_after_its_days() {
    for world in World::all().await {
        add(&world, &of(&world, RECIPIENT)).await.unwrap();
        world.send(NAME, b"x").await;
        let told = async || {
            let rows = world.database.all(sql("SELECT told_us FROM file_delivery")).await.unwrap();
            rows[0].maybe::<i64>("told_us").unwrap()
        };
        world.files.sweep().await.unwrap();
        assert_eq!((told().await, world.files.figures().await.unwrap().unfetched), (None, 0), "{}", world.kind);
        world.pass(SignedDuration::from_hours(5));
        world.files.sweep().await.unwrap();
        let first = told().await;
        assert!(first.is_some(), "{}", world.kind);
        assert_eq!(world.files.figures().await.unwrap().unfetched, 1, "{}", world.kind);
        world.pass(SignedDuration::from_hours(1));
        world.files.sweep().await.unwrap();
        assert_eq!(told().await, first, "{}: once", world.kind);
        let now = *world.now.lock().unwrap();
        let mut session = world.database.session().await.unwrap();
        assert_eq!(monitoring::unfetched(&mut session, id(RECIPIENT), now).await.unwrap().0, 1);
        drop(session);
        world.pass(SignedDuration::from_hours(12 * 24));
        world.files.sweep().await.unwrap();
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}", world.kind);
        assert_eq!(world.codes(NAME).await, [1070], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_user_without_a_file_in_its_rhythm_is_silent_until_one_comes_or_goes() {
    for world in World::all().await {
        for user in [SENDER, RECIPIENT] {
            add(&world, &of(&world, user)).await.unwrap();
        }
        let silent = async || world.files.figures().await.unwrap().silent;
        let marked = async || {
            let rows = world.database.all(sql("SELECT silent_us FROM file_monitoring WHERE silent_us IS NOT NULL")).await;
            rows.unwrap().len()
        };
        assert_eq!(silent().await, 0, "{}", world.kind);
        world.pass(SignedDuration::from_hours(24));
        world.files.sweep().await.unwrap();
        assert_eq!((silent().await, marked().await), (2, 2), "{}", world.kind);
        // A file that their orders are not for changes nothing; one that they are for ends the silence of both.
        world.send("ANDET.xml", b"x").await;
        assert_eq!(silent().await, 2, "{}", world.kind);
        world.send(NAME, b"x").await;
        assert_eq!((silent().await, marked().await), (0, 0), "{}", world.kind);
        world.pass(SignedDuration::from_hours(23));
        assert_eq!(silent().await, 0, "{}", world.kind);
        world.pass(SignedDuration::from_hours(1));
        assert_eq!(silent().await, 2, "{}", world.kind);
        // An order that has ended is silent no more.
        let orders = monitoring::all(&mut world.database.session().await.unwrap()).await.unwrap();
        let mut transaction = world.database.begin().await.unwrap();
        let now = *world.now.lock().unwrap();
        monitoring::end(&mut transaction, orders[0].id, now).await.unwrap();
        assert!(matches!(monitoring::end(&mut transaction, orders[0].id, now).await, Err(MonitoringError::NoSuchOrder(_))));
        transaction.commit().await.unwrap();
        assert_eq!(silent().await, 1, "{}", world.kind);
    }
}

#[tokio::test]
async fn where_no_letter_goes_to_the_mailbox_of_an_order_nobody_counts_as_told_until_another_is_named() {
    for world in World::all().await {
        add(&world, &of(&world, RECIPIENT)).await.unwrap();
        let name_mailbox = async |address: &str| {
            let named = sql("UPDATE file_monitoring SET told = $1").bind(address);
            world.database.session().await.unwrap().execute(named).await.unwrap();
        };
        // What was told: of the file, of the silence; how many letters there are, and what was said to reach nobody.
        let told = async || {
            let of = async |query| world.database.all(sql(query)).await.unwrap().len();
            (
                of("SELECT told_us FROM file_delivery WHERE told_us IS NOT NULL").await,
                of("SELECT silent_us FROM file_monitoring WHERE silent_us IS NOT NULL").await,
                of("SELECT id FROM job WHERE kind = 'notice'").await,
                of("SELECT mark FROM notice_given WHERE mark LIKE 'nobody/%'").await,
            )
        };
        world.send(NAME, b"x").await;
        // As an earlier release took it.
        name_mailbox("løn@kommune.example").await;
        world.pass(SignedDuration::from_hours(25));
        for _ in 0..2 {
            assert_eq!(world.files.sweep().await.unwrap(), 0, "{}: nothing is left undone", world.kind);
            assert_eq!(told().await, (0, 0, 0, 2), "{}", world.kind);
        }
        name_mailbox("drift@example.dk").await;
        for _ in 0..2 {
            world.files.sweep().await.unwrap();
            assert_eq!(told().await, (1, 1, 2, 2), "{}", world.kind);
        }
    }
}

#[tokio::test]
async fn the_letters_of_a_file_that_is_not_fetched_and_of_a_silence_name_their_cause_and_no_file() {
    for world in World::all().await {
        add(&world, &of(&world, RECIPIENT)).await.unwrap();
        world.send(NAME, b"x").await;
        world.files.note_refused(id(RECIPIENT)).await.unwrap();
        world.pass(SignedDuration::from_hours(25));
        for _ in 0..2 {
            world.files.sweep().await.unwrap();
        }
        let rows = world.database.all(sql("SELECT payload FROM job WHERE kind = 'notice'")).await.unwrap();
        let letters = rows.iter().map(|row| String::from_utf8(row.get::<Vec<u8>>("payload").unwrap()).unwrap());
        let mut letters: Vec<_> = letters.collect();
        letters.sort_by_key(|letter| letter.contains("file-not-fetched"));
        assert_eq!(letters.len(), 2, "{}: {letters:?}", world.kind);
        for (letter, kind) in letters.iter().zip(["silence", "file-not-fetched"]) {
            assert!(letter.contains(kind) && letter.contains("drift@example.dk") && letter.contains(RECIPIENT), "{letter}");
            assert!(letter.contains(Cause::LogOnRefused.describe().da()), "{}: {letter}", world.kind);
            assert!(!letter.contains(NAME), "{}: {letter}", world.kind);
        }
    }
}

#[tokio::test]
async fn the_likely_cause_of_a_silence_is_named() {
    for world in World::all().await {
        let since = *world.now.lock().unwrap();
        world.pass(SignedDuration::from_hours(30));
        assert_eq!(cause(&world, RECIPIENT, since).await, Cause::NeverConnected, "{}", world.kind);
        world.files.note_refused(id(RECIPIENT)).await.unwrap();
        assert_eq!(cause(&world, RECIPIENT, since).await, Cause::LogOnRefused, "{}: with a wrong key", world.kind);
        world.pass(SignedDuration::from_secs(1));
        world.home(RECIPIENT).await;
        assert_eq!(cause(&world, RECIPIENT, since).await, Cause::NothingSent, "{}", world.kind);
        let now = *world.now.lock().unwrap();
        assert_eq!(cause(&world, RECIPIENT, now).await, Cause::NotConnected, "{}: since", world.kind);
        world.send(NAME, b"x").await;
        world.pass(SignedDuration::from_hours(25));
        assert_eq!(cause(&world, RECIPIENT, since).await, Cause::NotFetched, "{}", world.kind);
        let mut transaction = world.database.begin().await.unwrap();
        let user = users::named(&mut transaction, RECIPIENT).await.unwrap().unwrap();
        users::disable_key(&mut transaction, user.id, key(2).fingerprint()).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(cause(&world, RECIPIENT, since).await, Cause::NoKey, "{}", world.kind);
        let mut transaction = world.database.begin().await.unwrap();
        users::change(&mut transaction, &user, &Changed { disabled: Some(true), ..Changed::default() }).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(cause(&world, RECIPIENT, since).await, Cause::Closed, "{}", world.kind);
        // What the sender has handed over and nobody delivers is our own fault.
        let home = world.home(SENDER).await;
        put(&home, "KY_2", b"x").await.unwrap();
        put(&home, "KY_2.trigger", trigger("KY_2", 1).as_bytes()).await.unwrap();
        world.pass(SignedDuration::from_mins(16));
        assert_eq!(cause(&world, SENDER, since).await, Cause::OwnFault, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_monitoring_order_is_for_files_that_can_be_told_and_there_is_one_of_a_kind() {
    for world in World::all().await {
        let good = of(&world, RECIPIENT);
        assert!(good.clone().sound().is_ok());
        for wrong in [
            Monitoring { pattern: None, ..good.clone() },
            Monitoring { rhythm_hours: Some(0), ..good.clone() },
            Monitoring { alarm_hours: 0, ..good.clone() },
            Monitoring { delete_days: 10, ..good.clone() },
            Monitoring { delete_days: 61, ..good.clone() },
            Monitoring { told: "Drift".to_owned(), ..good.clone() },
            Monitoring { told: "a@b@c".to_owned(), ..good.clone() },
            Monitoring { told: "løn@kommune.example".to_owned(), ..good.clone() },
            Monitoring { told: "<drift@example.dk>".to_owned(), ..good.clone() },
            Monitoring { told: "drift@example.dk, andre@example.dk".to_owned(), ..good.clone() },
        ] {
            assert!(wrong.clone().sound().is_err(), "{wrong:?}");
        }
        add(&world, &good).await.unwrap();
        let same = Monitoring { id: Uuid::new_v4(), alarm_hours: 9, ..good.clone() };
        assert!(matches!(add(&world, &same).await, Err(MonitoringError::InTheWay(other)) if other == good.id), "{}", world.kind);
    }
}

#[tokio::test]
async fn users_that_give_wrong_keys_at_the_same_moment_are_noted_each() {
    for world in World::all().await {
        let names = [SENDER, RECIPIENT];
        names.iter().for_each(|name| world.files.wrong_key(id(name)));
        let refused = async |name: &str| {
            let user = users::named(&mut world.database.session().await.unwrap(), name).await.unwrap().unwrap();
            user.refused
        };
        let noted = async {
            for name in names {
                while refused(name).await.is_none() {
                    tokio::task::yield_now().await;
                }
            }
        };
        let noted = tokio::time::timeout(std::time::Duration::from_secs(60), noted).await;
        assert!(noted.is_ok(), "{}: one is not noted", world.kind);
    }
}

#[tokio::test]
async fn a_user_that_tries_a_wrong_key_again_and_again_is_noted_once_a_minute() {
    for world in World::all().await {
        let noted = async || {
            world.files.note_refused(id(RECIPIENT)).await.unwrap();
            let user = users::named(&mut world.database.session().await.unwrap(), RECIPIENT).await.unwrap().unwrap();
            user.refused.unwrap()
        };
        let first = noted().await;
        world.pass(SignedDuration::from_secs(30));
        assert_eq!(noted().await, first, "{}", world.kind);
        world.pass(SignedDuration::from_secs(31));
        let second = noted().await;
        assert!(second > first, "{}", world.kind);
        // Who logged on meanwhile is refused anew at once.
        world.pass(SignedDuration::from_secs(1));
        world.home(RECIPIENT).await;
        world.pass(SignedDuration::from_secs(1));
        assert!(noted().await > second, "{}", world.kind);
    }
}
