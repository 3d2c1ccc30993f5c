//! What one user, one row or one disk can take from the others: nothing.

use hjemmel::files::home::{File, Folder, Home, Problem};
use hjemmel::files::partner::work;
use hjemmel::files::transfers::{self, REFUSALS_KEPT, State};
use hjemmel::files::{Files, Settings, sweep};
use hjemmel::store::{Dialect, sql};
use jiff::SignedDuration;

use super::world::*;

#[tokio::test]
async fn a_client_that_is_refused_for_ever_leaves_a_hundred_receipts_the_newest_of_them_and_its_home_counts_no_more() {
    for world in World::all().await {
        let home = world.home(SENDER).await;
        let most = usize::try_from(REFUSALS_KEPT).unwrap();
        for attempt in 0..most + 20 {
            // A name of its own each, and each is larger than any file may be.
            let mut file = home.write(&Folder::Out, &name(&format!("{attempt:04}")), ANEW).await.unwrap();
            assert_eq!(file.write_at(1 << 62, vec![1].into()).await, Err(Problem::TooLarge), "{}", world.kind);
        }
        // And one name again and again.
        for _ in 0..20 {
            let mut file = home.write(&Folder::Out, &name("again"), ANEW).await.unwrap();
            assert!(file.write_at(1 << 62, vec![1].into()).await.is_err(), "{}", world.kind);
        }
        let there = list(&home, Folder::In).await;
        assert_eq!(there.len(), most, "{}", world.kind);
        assert!(there.contains(&"again.sftpreceipt".to_owned()) && there.contains(&"0119.sftpreceipt".to_owned()), "{there:?}");
        assert!(!there.contains(&"0039.sftpreceipt".to_owned()), "{}: the oldest went", world.kind);
        assert_eq!(home.quota(None).await.unwrap().files_used, most as u64, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_receipt_of_a_transfer_does_not_give_way_to_those_of_refusals() {
    for world in World::all().await {
        world.send(NAME, b"content").await;
        let home = world.home(SENDER).await;
        for attempt in 0..REFUSALS_KEPT + 5 {
            let mut file = home.write(&Folder::Out, &name(&format!("{attempt:04}")), ANEW).await.unwrap();
            assert!(file.write_at(1 << 62, vec![1].into()).await.is_err(), "{}", world.kind);
        }
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_client_whose_triggers_are_refused_for_ever_leaves_so_many_of_them_and_the_newest_can_be_tried_again() {
    for world in World::all().await {
        let home = world.home(SENDER).await;
        let most = usize::try_from(transfers::REFUSED_TRIGGERS_KEPT).unwrap();
        for attempt in 0..most + 5 {
            put(&home, &format!("{attempt:04}.trigger"), b"<no trigger/>").await.unwrap();
            world.settle().await;
            world.pass(SignedDuration::from_secs(1));
        }
        let kept = sql("SELECT name FROM transfer WHERE state = 'AFVIST' AND length(trigger_xml) > 0 ORDER BY received_us");
        let kept = world.database.all(kept).await.unwrap();
        let names: Vec<String> = kept.iter().map(|row| row.get("name").unwrap()).collect();
        assert_eq!((names.len(), names[0].as_str()), (most, "0005"), "{}: the oldest went", world.kind);
        let all = transfers::newest(&mut world.database.session().await.unwrap(), None, 1000).await.unwrap();
        assert_eq!(all.len(), most + 5, "{}: what became of each is still known", world.kind);
        let mut transaction = world.database.begin().await.unwrap();
        let oldest = all.last().unwrap().id;
        let refused = hjemmel::files::operate::retry(&world.database, &mut transaction, oldest).await;
        assert!(matches!(refused, Err(hjemmel::files::operate::OperateError::NoTrigger)), "{}: {refused:?}", world.kind);
    }
}

#[tokio::test]
async fn of_what_is_refused_of_one_sender_the_newest_are_remembered_with_their_receipts_and_its_home_counts_no_more() {
    for world in World::all().await {
        let (most, refused_kept) = (10, 10);
        let settings = Settings::usual("test".parse().unwrap(), world.folder.join("staging"));
        let files = Files::with(world.parts.clone(), Settings { refused_kept, ..settings }, RULES, None);
        let refuse = async |of: &str, attempt: usize| {
            put(&home(&files, of).await, &format!("{attempt:04}.trigger"), b"<no trigger/>").await.unwrap();
            settle(&files, &world.database).await;
            world.pass(SignedDuration::from_secs(1));
        };
        refuse(OTHER, 0).await;
        // What was delivered is no refusal, however old.
        world.send(NAME, b"content").await;
        for attempt in 0..most + 5 {
            refuse(SENDER, attempt).await;
        }
        let all = transfers::newest(&mut world.database.session().await.unwrap(), None, 1000).await.unwrap();
        let of = |sender: &str| all.iter().filter(|one| one.sender == id(sender)).map(|one| one.name.spelt()).collect::<Vec<_>>();
        assert_eq!(of(OTHER), ["0000"], "{}: another's", world.kind);
        let own = of(SENDER);
        assert_eq!((own.len(), own[0], own[most - 1], own[most]), (most + 1, "0014", "0005", NAME), "{}", world.kind);
        let there = world.list(SENDER, Folder::In).await;
        assert_eq!(there.len(), most + 1, "{}: {there:?}", world.kind);
        assert!(!there.contains(&"0004.sftpreceipt".to_owned()), "{}: {there:?}", world.kind);
        let used = world.home(SENDER).await.quota(None).await.unwrap().files_used;
        assert_eq!(used, most as u64 + 1, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_refused_transfer_is_remembered_for_ninety_days_and_then_no_more() {
    for world in World::all().await {
        put(&world.home(SENDER).await, "x.trigger", b"<no trigger/>").await.unwrap();
        world.settle().await;
        let known = async || {
            world.files.sweep().await.unwrap();
            transfers::newest(&mut world.database.session().await.unwrap(), None, 10).await.unwrap().len()
        };
        world.pass(SignedDuration::from_hours(24 * 89));
        assert_eq!(known().await, 1, "{}", world.kind);
        world.pass(SignedDuration::from_hours(24));
        assert_eq!(known().await, 0, "{}", world.kind);
    }
}

#[tokio::test]
async fn no_question_of_a_sweep_reads_all_that_lies_in_homes_and_mailboxes_or_all_that_was_ever_sent() {
    for world in World::all().await {
        let mut session = world.database.session().await.unwrap();
        // PostgreSQL plans by how much there is, and here is nothing.
        if session.dialect() != Dialect::Sqlite {
            continue;
        }
        for question in sweep::questions().chain(work::questions()) {
            let plan = sql(String::leak(format!("EXPLAIN QUERY PLAN {question}"))).bind(0_i64).bind(200_i64).bind(0_i64);
            for step in session.all(plan).await.unwrap() {
                let step: String = step.get("detail").unwrap();
                // What the others find, the monitoring orders, triggers that wait, and pieces of what is not whole yet are few.
                let few = ["SCAN due", "SCAN file_monitoring", "SCAN t USING INDEX transfer_waiting", "SCAN mailbox_part"];
                let reads_all = step.starts_with("SCAN") && !few.iter().any(|few| step.starts_with(few));
                // A row outlives its content by months.
                let with_what_is_gone = step.contains("mailbox_file_due");
                assert!(!reads_all && !with_what_is_gone, "{step}: {question}");
            }
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_no_other_from_its_turn_and_is_counted() {
    for world in World::all().await {
        let home = world.home(SENDER).await;
        for file in ["first", "second", "third"] {
            put(&home, &format!("{file}.trigger"), trigger(file, 1).as_bytes()).await.unwrap();
            world.settle().await;
            world.pass(SignedDuration::from_secs(1));
        }
        let spoil = sql("UPDATE transfer SET name = 'a/b' WHERE name = 'first'");
        assert_eq!(world.database.session().await.unwrap().execute(spoil).await.unwrap(), 1);
        world.pass(SignedDuration::from_mins(16));
        assert_eq!(world.files.sweep().await.unwrap(), 1, "{}: the one that was left", world.kind);
        world.settle().await;
        for file in ["second", "third"] {
            assert_eq!(world.codes(file).await, [1010], "{}: {file} was waited for", world.kind);
        }
        // What is older by days is cleaned up all the same.
        world.pass(SignedDuration::from_hours(24 * 31));
        assert_eq!(world.files.sweep().await.unwrap(), 1, "{}", world.kind);
        assert_eq!(list(&home, Folder::In).await, [""; 0], "{}: receipts of a month ago", world.kind);
        // Mended, it goes on by itself.
        let mend = sql("UPDATE transfer SET name = 'first' WHERE name = 'a/b'");
        world.database.session().await.unwrap().execute(mend).await.unwrap();
        assert_eq!(world.files.sweep().await.unwrap(), 0, "{}", world.kind);
        world.settle().await;
        assert_eq!(world.codes("first").await, [1010], "{}", world.kind);
    }
}

#[tokio::test]
async fn the_same_submission_again_stands_as_repeated_with_the_one_that_delivered_it() {
    for world in World::all().await {
        let mut order = order(SENDER, OTHER);
        (order.inf_ref, order.pattern) = (Some("X_1".to_owned()), None);
        world.order(order).await;
        let text = trigger_to(NAME, 7, SENDER, &["ROUTING_V1_0_0"], &routing("X_1", 7));
        for _ in 0..2 {
            let home = world.home(SENDER).await;
            put(&home, NAME, b"content").await.unwrap();
            put(&home, &format!("{NAME}.trigger"), text.as_bytes()).await.unwrap();
            world.settle().await;
            assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
            world.pass(SignedDuration::from_secs(1));
            home.remove(&Folder::In, &name(&format!("{NAME}.sftpreceipt"))).await.unwrap();
            let other = world.home(OTHER).await;
            for taken in list(&other, Folder::In).await {
                other.remove(&Folder::In, &name(&taken)).await.unwrap();
            }
        }
        let newest = transfers::newest(&mut world.database.session().await.unwrap(), None, 10).await.unwrap();
        let [again, first] = newest.as_slice() else { panic!("{}: {newest:?}", world.kind) };
        assert_eq!((first.state, first.repeats), (State::Delivered, None), "{}", world.kind);
        assert_eq!((again.state, again.repeats), (State::Repeated, Some(first.id)), "{}", world.kind);
        assert_eq!(again.state.name(), "GENTAGET");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_each_write_with_the_reason_and_the_node_says_that_it_is_not_ready() {
    for world in World::all().await {
        let nearly = |least_free: u64| {
            let mut settings = Settings::usual("test".parse().unwrap(), world.folder.join("staging"));
            settings.least_free = least_free;
            Files::new(world.parts.clone(), settings)
        };
        let files = nearly(u64::MAX);
        assert_eq!(files.trouble(), None, "not looked at yet");
        assert!(files.look_at_staging().await.unwrap() > 0);
        assert!(files.trouble().unwrap().contains("sftp.staging"), "{}", world.kind);
        let home = home(&files, SENDER).await;
        let mut file = home.write(&Folder::Out, &name("x"), ANEW).await.unwrap();
        assert_eq!(file.write_at(0, vec![0; 10].into()).await, Err(Problem::DiskFull), "{}", world.kind);
        assert!(Problem::DiskFull.describe().danish.contains("disk er fuld"));
        drop(file);
        let receipt = world.receipt("x").await.unwrap();
        assert!(receipt.contains("<ErrorCode>1060<") && receipt.contains("platformens disk er fuld"), "{receipt}");
        // What lies there can be read all the same.
        assert!(get(&home, "x.sftpreceipt").await.is_ok());
        let files = nearly(0);
        files.look_at_staging().await.unwrap();
        assert_eq!(files.trouble(), None);
    }
}
