//! The way of a file: what its sender, its recipients and the auditors see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hjemmel::agreements::State;
use hjemmel::audit::{About, Outcome, keys};
use hjemmel::files::core::Step;
use hjemmel::files::home::{File, Folder, Home, Homes, Opening, Problem};
use hjemmel::files::operate;
use hjemmel::files::transfers::{self, Fetched};
use hjemmel::files::users::{self, Changed};
use hjemmel::store::{Access, Database, sql};
use jiff::SignedDuration;
use uuid::Uuid;

use super::world::*;

const CONTENT: &[u8] = b"<bilag/>";

async fn only_delivery(world: &World) -> transfers::Delivery {
    let mut session = world.database.session().await.unwrap();
    let transfer = transfers::newest(&mut session, None, 1).await.unwrap().remove(0);
    transfers::deliveries(&mut session, transfer.id).await.unwrap().remove(0)
}

fn contents(world: &World) -> usize {
    fn below(folder: &std::path::Path) -> usize {
        std::fs::read_dir(folder).map_or(0, |entries| {
            entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { below(&path) } else { 1 }).sum()
        })
    }
    below(&world.folder.join("objects"))
}

#[tokio::test]
async fn a_file_with_its_trigger_lies_beside_its_metadata_at_the_recipient_and_its_sender_has_success() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        assert_eq!(world.list(SENDER, Folder::Out).await, [NAME], "{}", world.kind);
        put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        assert_eq!(world.list(SENDER, Folder::Out).await, [""; 0], "{}: taken at the close of its trigger", world.kind);
        world.settle().await;
        let receipt = format!("{NAME}.sftpreceipt");
        assert_eq!(world.list(SENDER, Folder::In).await, [receipt], "{}", world.kind);
        assert!(world.receipt(NAME).await.unwrap().contains("<Message>SUCCESS</Message>"));
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [NAME.to_owned(), format!("{NAME}.metadata")], "{}", world.kind);
        let recipient = world.home(RECIPIENT).await;
        assert_eq!(get(&recipient, NAME).await.unwrap().as_bytes(), CONTENT);
        let metadata = get(&recipient, &format!("{NAME}.metadata")).await.unwrap();
        assert!(metadata.contains("<ns2:FileMetadata ") && metadata.contains("<Recipients>OPUS_SIMPELSFTP</Recipients>"));
        assert_eq!(only_delivery(&world).await.state, Fetched::Fetched, "{}: read to its end", world.kind);
    }
}

#[tokio::test]
async fn the_audit_has_each_delivery_before_it_is_made_and_the_name_of_the_file_for_the_auditors_alone() {
    for world in World::all().await {
        let name = "6101801234_ansoegning.xml";
        world.send(name, CONTENT).await;
        let calls = world.recorded(|_| true).await;
        assert_eq!(calls.len(), 1, "{}", world.kind);
        let record = calls.values().next().unwrap();
        let About::File(about) = &record.about else { panic!("{}: about a file", world.kind) };
        let keys_folder = world.folder.join("audit-keys");
        let auditors = keys::auditors(&keys_folder.join("auditors.key")).unwrap();
        assert_eq!(auditors.open(record.call, &about.name).unwrap().as_str(), name);
        assert_eq!((about.bytes, record.legal_basis.as_deref()), (8, Some("Bogføringsloven § 6")));
        for file in std::fs::read_dir(world.folder.join("audit")).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("6101801234"), "{}", world.kind);
        }
    }
}

#[tokio::test]
async fn the_audit_has_what_was_refused_too_with_its_first_reason_and_a_sealed_name() {
    for world in World::all().await {
        let (sender, name) = (world.home(SENDER).await, "6101801234_ansoegning.xml");
        put(&sender, name, CONTENT).await.unwrap();
        put(&sender, &format!("{name}.trigger"), trigger_to(name, 9, SENDER, &["UKENDT"], "").as_bytes()).await.unwrap();
        world.settle().await;
        let told = world.codes(name).await;
        let calls = world.recorded(|_| true).await;
        assert_eq!(calls.len(), 1, "{}", world.kind);
        let record = calls.values().next().unwrap();
        let first = format!("FIL{}", told[0]);
        assert_eq!((record.outcome, record.refusal.as_deref()), (Some(Outcome::Refused), Some(first.as_str())), "{}", world.kind);
        let About::File(about) = &record.about else { panic!("{}: about a file", world.kind) };
        assert_eq!((about.bytes, about.sha256.len(), about.recipients.len()), (8, 64, 0), "{}", world.kind);
        let auditors = keys::auditors(&world.folder.join("audit-keys").join("auditors.key")).unwrap();
        assert_eq!(auditors.open(record.call, &about.name).unwrap().as_str(), name);
    }
}

#[tokio::test]
async fn a_trigger_before_its_file_waits_for_it_and_after_a_quarter_of_an_hour_is_answered() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        world.settle().await;
        world.pass(SignedDuration::from_mins(14));
        world.files.sweep().await.unwrap();
        world.settle().await;
        assert_eq!(world.receipt(NAME).await, None, "{}: it waits", world.kind);
        put(&sender, NAME, CONTENT).await.unwrap();
        world.settle().await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
        put(&sender, "b.xml.trigger", trigger("b.xml", 1).as_bytes()).await.unwrap();
        world.settle().await;
        world.pass(SignedDuration::from_mins(16));
        world.files.sweep().await.unwrap();
        world.settle().await;
        assert_eq!(world.codes("b.xml").await, [1010], "{}", world.kind);
    }
}

#[tokio::test]
async fn everything_that_is_wrong_stands_in_one_receipt_the_most_useful_first_and_the_file_stays_in_out() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        let wrong = trigger_to("andet.xml", 9, "EN_ANDEN", &["UKENDT", RECIPIENT], "");
        put(&sender, &format!("{NAME}.trigger"), wrong.as_bytes()).await.unwrap();
        world.settle().await;
        assert_eq!(world.codes(NAME).await, [1020, 1003, 1011, 1021], "{}", world.kind);
        assert_eq!(world.list(SENDER, Folder::Out).await, [NAME], "{}", world.kind);
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}", world.kind);
        put(&sender, &format!("{NAME}.trigger"), b"<Trigger").await.unwrap();
        world.settle().await;
        assert_eq!(world.codes(NAME).await, [1001], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_goes_to_all_of_its_recipients_or_to_none() {
    for world in World::all().await {
        world.order(order(SENDER, OTHER)).await;
        let both = |name: &str| trigger_to(name, CONTENT.len(), SENDER, &[RECIPIENT, OTHER], "");
        let sender = world.home(SENDER).await;
        put(&sender, "a.xml", CONTENT).await.unwrap();
        put(&sender, "a.xml.trigger", both("a.xml").as_bytes()).await.unwrap();
        world.settle().await;
        assert_eq!(world.list(OTHER, Folder::In).await, ["a.xml", "a.xml.metadata"], "{}", world.kind);
        let metadata = get(&world.home(OTHER).await, "a.xml.metadata").await.unwrap();
        assert!(metadata.contains(OTHER) && !metadata.contains(RECIPIENT), "{}: it names its reader alone", world.kind);
        // The first recipient has made room, the second has not.
        let recipient = world.home(RECIPIENT).await;
        for file in ["a.xml", "a.xml.metadata"] {
            recipient.remove(&Folder::In, &name(file)).await.unwrap();
        }
        put(&sender, "a.xml", b"<andet/>").await.unwrap();
        put(&sender, "a.xml.trigger", both("a.xml").as_bytes()).await.unwrap();
        world.settle().await;
        assert_eq!(world.codes("a.xml").await, [1040], "{}", world.kind);
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}", world.kind);
    }
}

#[tokio::test]
async fn nobody_learns_from_a_receipt_who_exists() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        let mut told = Vec::new();
        // Known and not agreed with; not known.
        for recipient in [OTHER, "FINDES_IKKE"] {
            put(&sender, NAME, CONTENT).await.unwrap();
            let trigger = trigger_to(NAME, CONTENT.len(), SENDER, &[recipient], "");
            put(&sender, &format!("{NAME}.trigger"), trigger.as_bytes()).await.unwrap();
            world.settle().await;
            let receipt = world.receipt(NAME).await.unwrap();
            told.push(receipt.split("</FileTransferUUID>").nth(1).unwrap().to_owned());
        }
        assert_eq!(told[0], told[1], "{}", world.kind);
        assert!(told[0].contains("<ErrorCode>1021<"), "{}", world.kind);
    }
}

/// A recipient twice, others beside the route's, and more than there may be: in as many as a trigger holds, and in more.
#[tokio::test]
async fn recipients_that_cannot_be_meant_are_one_receipt_with_one_reason_and_nobody_gets_the_file() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        let many = |number: usize| (0..number).map(|at| format!("MODTAGER_{at}")).collect::<Vec<String>>();
        let few = |recipients: [&str; 2]| recipients.map(str::to_owned).to_vec();
        for (recipients, due) in [
            (few([RECIPIENT, RECIPIENT]), 1002),
            (few([RECIPIENT, "ROUTING_V1_0_0"]), 1002),
            (many(101), 1002),
            (many(10_000), 1001),
        ] {
            put(&sender, NAME, CONTENT).await.unwrap();
            let named: Vec<&str> = recipients.iter().map(String::as_str).collect();
            let trigger = trigger_to(NAME, CONTENT.len(), SENDER, &named, "");
            put(&sender, &format!("{NAME}.trigger"), trigger.as_bytes()).await.unwrap();
            world.settle().await;
            assert_eq!(world.codes(NAME).await, [due], "{}: {} recipients", world.kind, named.len());
            assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}: {} recipients", world.kind, named.len());
        }
    }
}

#[tokio::test]
async fn a_routed_file_finds_its_recipient_by_inf_ref_and_authorities_and_only_by_an_order_that_holds() {
    for world in World::all().await {
        let routed = order(SENDER, OTHER);
        let routed = hjemmel::files::orders::Order { inf_ref: Some("Å_2".to_owned()), pattern: None, ..routed };
        world.order(routed.clone()).await;
        let sender = world.home(SENDER).await;
        let send = async |file: &str, routing: String| {
            put(&sender, file, CONTENT).await.unwrap();
            let trigger = trigger_to(file, CONTENT.len(), SENDER, &["ROUTING_V1_0_0"], &routing);
            put(&sender, &format!("{file}.trigger"), trigger.as_bytes()).await.unwrap();
            world.settle().await;
        };
        // `A` and a combining ring are the letter Å.
        send("a.xml", routing("A\u{30a}_2", 1)).await;
        assert_eq!(world.list(OTHER, Folder::In).await, ["a.xml", "a.xml.metadata"], "{}", world.kind);
        let metadata = get(&world.home(OTHER).await, "a.xml.metadata").await.unwrap();
        assert!(metadata.contains("<InfRef>A\u{30a}_2</InfRef>"), "{}: as it was sent", world.kind);
        send("b.xml", routing("Ukendt_1", 2)).await;
        assert_eq!(world.codes("b.xml").await, [1033], "{}", world.kind);
        send("c.xml", routing("Å_2", 3).replace("Authority>urn:oio:cvr-nr:11111111</R", "Authority>urn:oio:cvr-nr:22222222</R"))
            .await;
        assert_eq!(world.codes("c.xml").await, [1030], "{}", world.kind);
        send("d.xml", routing("Å_2", 4).replace("2026-11-29T", "2025-12-31T")).await;
        assert_eq!(world.codes("d.xml").await, [1032], "{}: before it held", world.kind);
        world.set_order(routed.id, State::Suspended).await;
        send("e.xml", routing("Å_2", 5)).await;
        assert_eq!(world.codes("e.xml").await, [1032], "{}", world.kind);
        send("f.xml", routing("Å_2", 6).replace(SYSTEM, "00000000-0000-4000-8000-000000000000")).await;
        assert_eq!(world.codes("f.xml").await, [1034, 1032], "{}", world.kind);
        send("g.xml", String::new()).await;
        assert_eq!(world.codes("g.xml").await, [1002], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_that_two_orders_fit_goes_nowhere_until_its_trigger_names_the_recipients_system() {
    for world in World::all().await {
        let of = |recipient| hjemmel::files::orders::Order {
            inf_ref: Some("X_1".to_owned()),
            pattern: None,
            ..order(SENDER, recipient)
        };
        // What no command does, and a store that was mended by hand may hold: both hold at once.
        let (one, two) = (of(OTHER), of(RECIPIENT));
        world.order(one.clone()).await;
        world.set_order(one.id, State::Terminated).await;
        world.order(two).await;
        world.set_order(one.id, State::Approved).await;
        let mut transaction = world.database.begin().await.unwrap();
        let system = Uuid::new_v4();
        let elsewhere = sql("UPDATE sftp_user SET system = $1 WHERE id = $2").bind(system).bind(id(OTHER));
        transaction.execute(elsewhere).await.unwrap();
        transaction.commit().await.unwrap();
        let sender = world.home(SENDER).await;
        let send = async |file: &str, routing: String| {
            put(&sender, file, CONTENT).await.unwrap();
            let trigger = trigger_to(file, CONTENT.len(), SENDER, &["ROUTING_V1_0_0"], &routing);
            put(&sender, &format!("{file}.trigger"), trigger.as_bytes()).await.unwrap();
            world.settle().await;
        };
        send("a.xml", routing("X_1", 1)).await;
        assert_eq!(world.codes("a.xml").await, [1031], "{}", world.kind);
        let named = format!("<RecipientIt-system>{system}</RecipientIt-system><RecipientAuthority>");
        send("b.xml", routing("X_1", 2).replace("<RecipientAuthority>", &named)).await;
        assert_eq!(world.list(OTHER, Folder::In).await, ["b.xml", "b.xml.metadata"], "{}", world.kind);
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}", world.kind);
    }
}

#[tokio::test]
async fn the_same_submission_sent_again_is_answered_and_not_delivered_again_and_with_other_content_is_refused() {
    for world in World::all().await {
        let order = order(SENDER, OTHER);
        world.order(hjemmel::files::orders::Order { inf_ref: Some("X_1".to_owned()), pattern: None, ..order }).await;
        let sender = world.home(SENDER).await;
        let send = async |content: &[u8]| {
            put(&sender, NAME, content).await.unwrap();
            let trigger = trigger_to(NAME, content.len(), SENDER, &["ROUTING_V1_0_0"], &routing("X_1", 1));
            put(&sender, &format!("{NAME}.trigger"), trigger.as_bytes()).await.unwrap();
            world.settle().await;
        };
        send(CONTENT).await;
        let first = world.receipt(NAME).await.unwrap();
        let other = world.home(OTHER).await;
        other.remove(&Folder::In, &name(NAME)).await.unwrap();
        send(CONTENT).await;
        assert_eq!(world.receipt(NAME).await.unwrap(), first, "{}: the same answer", world.kind);
        assert_eq!(world.list(OTHER, Folder::In).await, [format!("{NAME}.metadata")], "{}: once", world.kind);
        send(b"<andet/>").await;
        assert_eq!(world.codes(NAME).await, [1035, 1040], "{}: the first one's metadata still lies there", world.kind);
    }
}

#[tokio::test]
async fn what_is_under_way_is_not_overwritten_and_the_attempt_is_told() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        let mine = trigger(NAME, CONTENT.len());
        put(&sender, &format!("{NAME}.trigger"), mine.as_bytes()).await.unwrap();
        assert!(matches!(put(&sender, NAME, b"<andet/>").await, Err(Problem::Refused(_))), "{}", world.kind);
        put(&sender, &format!("{NAME}.trigger"), mine.as_bytes()).await.unwrap();
        let other = trigger(NAME, CONTENT.len() + 1);
        let refused = put(&sender, &format!("{NAME}.trigger"), other.as_bytes()).await;
        assert!(matches!(refused, Err(Problem::Refused(_))), "{}", world.kind);
        put(&sender, "temp", b"<andet/>").await.unwrap();
        assert!(
            matches!(
                sender.rename((&Folder::Out, &name("temp")), (&Folder::Out, &name(NAME)), true).await,
                Err(Problem::Refused(_))
            ),
            "{}",
            world.kind
        );
        assert_eq!(world.codes(NAME).await, [1012], "{}", world.kind);
        world.settle().await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
        assert_eq!(get(&world.home(RECIPIENT).await, NAME).await.unwrap().as_bytes(), CONTENT, "{}", world.kind);
    }
}

#[tokio::test]
async fn an_old_success_that_was_not_read_does_not_pass_for_the_new_answer() {
    for world in World::all().await {
        world.send(NAME, CONTENT).await;
        world.send(NAME, CONTENT).await;
        let receipts = world.list(SENDER, Folder::In).await;
        assert_eq!(receipts.len(), 2, "{}: {receipts:?}", world.kind);
        assert_eq!(world.codes(NAME).await, [1040], "{}: the plain name has the newest", world.kind);
        let old = receipts.iter().find(|name| **name != format!("{NAME}.sftpreceipt")).unwrap();
        assert!(get(&world.home(SENDER).await, old).await.unwrap().contains("SUCCESS"), "{}", world.kind);
        world.send(NAME, CONTENT).await;
        assert_eq!(world.list(SENDER, Folder::In).await.len(), 2, "{}: what was read is replaced", world.kind);
    }
}

#[tokio::test]
async fn a_refused_transfer_is_tried_again_under_its_id_once_its_order_is_approved() {
    for world in World::all().await {
        let order = world.only_order().await;
        world.set_order(order, State::Suspended).await;
        world.send(NAME, CONTENT).await;
        assert_eq!(world.codes(NAME).await, [1032], "{}", world.kind);
        world.set_order(order, State::Approved).await;
        let mut transaction = world.database.begin_beside_others().await.unwrap();
        let refused = transfers::newest(&mut transaction, None, 1).await.unwrap().remove(0);
        operate::retry(&world.database, &mut transaction, refused.id).await.unwrap();
        transaction.commit().await.unwrap();
        world.settle().await;
        let receipt = world.receipt(NAME).await.unwrap();
        assert!(receipt.contains("SUCCESS") && receipt.contains(&refused.id.to_string()), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_removed_file_is_kept_for_its_days_delivered_again_from_the_copy_and_then_gone_for_good() {
    for world in World::all().await {
        world.send(NAME, CONTENT).await;
        let recipient = world.home(RECIPIENT).await;
        recipient.remove(&Folder::In, &name(NAME)).await.unwrap();
        let delivery = only_delivery(&world).await;
        assert_eq!(delivery.state, Fetched::Removed, "{}", world.kind);
        let mut transaction = world.database.begin_beside_others().await.unwrap();
        let clock = hjemmel::clock::Clock::fixed(*world.now.lock().unwrap());
        operate::redeliver(&mut transaction, delivery.transfer, RECIPIENT, &clock).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(only_delivery(&world).await.state, Fetched::Again, "{}", world.kind);
        assert_eq!(get(&recipient, NAME).await.unwrap().as_bytes(), CONTENT, "{}", world.kind);
        recipient.remove(&Folder::In, &name(NAME)).await.unwrap();
        assert_eq!(contents(&world), 1, "{}: the copy", world.kind);
        world.pass(SignedDuration::from_hours(6 * 24));
        world.files.sweep().await.unwrap();
        assert_eq!(contents(&world), 1, "{}: six days", world.kind);
        world.pass(SignedDuration::from_hours(25));
        world.files.sweep().await.unwrap();
        assert_eq!(contents(&world), 0, "{}: seven", world.kind);
        let keys = world.database.all(sql("SELECT id FROM file_content")).await.unwrap();
        assert!(keys.is_empty(), "{}: its key too", world.kind);
        let mut transaction = world.database.begin_beside_others().await.unwrap();
        let late = operate::redeliver(&mut transaction, delivery.transfer, RECIPIENT, &clock).await;
        assert!(matches!(late, Err(operate::OperateError::NoCopy)), "{}", world.kind);
    }
}

#[tokio::test]
async fn where_no_copy_is_kept_the_content_goes_with_the_file_and_homes_are_counted_to_nothing() {
    for world in World::all().await {
        let none = hjemmel::files::orders::Order { keep_days: 0, ..order(SENDER, OTHER) };
        world.order(none).await;
        let sender = world.home(SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        let trigger = trigger_to(NAME, CONTENT.len(), SENDER, &[OTHER], "");
        put(&sender, &format!("{NAME}.trigger"), trigger.as_bytes()).await.unwrap();
        world.settle().await;
        let other = world.home(OTHER).await;
        for file in world.list(OTHER, Folder::In).await {
            other.remove(&Folder::In, &name(&file)).await.unwrap();
        }
        assert_eq!(contents(&world), 0, "{}", world.kind);
        sender.remove(&Folder::In, &name(&format!("{NAME}.sftpreceipt"))).await.unwrap();
        for user in [SENDER, OTHER] {
            let quota = world.home(user).await.quota(None).await.unwrap();
            assert_eq!((quota.bytes_used, quota.files_used), (0, 0), "{}: {user}", world.kind);
        }
    }
}

#[tokio::test]
async fn a_file_that_nobody_fetches_raises_an_alarm_and_after_thirty_days_its_sender_is_told() {
    for world in World::all().await {
        world.send(NAME, CONTENT).await;
        world.home(SENDER).await.remove(&Folder::In, &name(&format!("{NAME}.sftpreceipt"))).await.unwrap();
        assert_eq!(world.files.figures().await.unwrap().unfetched, 0, "{}", world.kind);
        world.pass(SignedDuration::from_hours(25));
        assert_eq!(world.files.figures().await.unwrap().unfetched, 1, "{}", world.kind);
        world.pass(SignedDuration::from_hours(24 * 29));
        world.files.sweep().await.unwrap();
        assert_eq!(only_delivery(&world).await.state, Fetched::Expired, "{}", world.kind);
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}", world.kind);
        assert_eq!(world.codes(NAME).await, [1070], "{}", world.kind);
        assert_eq!(world.files.figures().await.unwrap().unfetched, 0, "{}", world.kind);
        world.pass(SignedDuration::from_hours(24 * 100));
        world.files.sweep().await.unwrap();
        world.files.sweep().await.unwrap();
        for table in ["SELECT id FROM transfer", "SELECT id FROM home_file", "SELECT id FROM file_content"] {
            assert!(world.database.all(sql(table)).await.unwrap().is_empty(), "{}: {table} after its history", world.kind);
        }
    }
}

#[tokio::test]
async fn a_trigger_that_comes_by_another_name_and_is_renamed_is_one_and_so_is_a_data_file() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, &format!("{NAME}.trigger.5f2c.partial"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        let to = name(&format!("{NAME}.trigger"));
        sender.rename((&Folder::Out, &name(&format!("{NAME}.trigger.5f2c.partial"))), (&Folder::Out, &to), false).await.unwrap();
        put(&sender, &format!(".in.{NAME}."), CONTENT).await.unwrap();
        sender.rename((&Folder::Out, &name(&format!(".in.{NAME}."))), (&Folder::Out, &name(NAME)), false).await.unwrap();
        world.settle().await;
        let receipt = world.receipt(NAME).await.unwrap();
        assert!(receipt.contains("SUCCESS"), "{}: {receipt}", world.kind);
    }
}

#[tokio::test]
async fn a_file_can_be_gone_on_with_truncated_and_overwritten_and_a_broken_upload_leaves_nothing() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, "a", b"12345").await.unwrap();
        let mut file = sender.write(&Folder::Out, &name("a"), Opening { truncate: false, ..ANEW }).await.unwrap();
        file.write_at(5, bytes::Bytes::from_static(b"678")).await.unwrap();
        assert!(matches!(sender.write(&Folder::Out, &name("a"), ANEW).await, Err(Problem::Busy)), "{}", world.kind);
        file.set_size(6).await.unwrap();
        file.close().await.unwrap();
        let mut read = sender.read(&Folder::Out, &name("a")).await.unwrap();
        assert_eq!(read.read_at(0, 100).await.unwrap(), "123456", "{}", world.kind);
        assert_eq!(read.read_at(4, 100).await.unwrap(), "56", "{}", world.kind);
        let mut broken = sender.write(&Folder::Out, &name("b"), ANEW).await.unwrap();
        broken.write_at(0, bytes::Bytes::from_static(b"half")).await.unwrap();
        drop(broken);
        assert_eq!(world.list(SENDER, Folder::Out).await, ["a"], "{}", world.kind);
        assert_eq!(std::fs::read_dir(world.folder.join("staging")).unwrap().count(), 0, "{}", world.kind);
        let mut vast = sender.write(&Folder::Out, &name("c"), ANEW).await.unwrap();
        assert_eq!(vast.write_at(1 << 62, bytes::Bytes::from_static(b"x")).await, Err(Problem::TooLarge), "{}", world.kind);
        assert!(vast.close().await.is_err());
        assert_eq!(world.codes("c").await, [1060], "{}: what was refused has a receipt", world.kind);
    }
}

/// What is written, and where.
type Piece = (u64, &'static [u8]);

/// Writes pieces in their order, gives the file a size where one is said, and closes it.
async fn written(home: &impl Home<Folder = Folder>, spelt: &str, pieces: &[Piece], size: Option<u64>) -> Result<(), Problem> {
    let mut file = home.write(&Folder::Out, &name(spelt), ANEW).await?;
    for (offset, piece) in pieces {
        file.write_at(*offset, bytes::Bytes::from_static(piece)).await?;
    }
    if let Some(size) = size {
        file.set_size(size).await?;
    }
    file.close().await
}

#[tokio::test]
async fn a_file_of_which_a_part_was_never_written_is_not_taken_and_its_receipt_says_so() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        let holed: [(&str, &[Piece], Option<u64>); 3] = [
            ("begin", &[(6, b"tail")], None),
            ("middle", &[(0, b"head"), (9, b"tail")], None),
            ("end", &[(0, b"head")], Some(9)),
        ];
        for (spelt, pieces, size) in holed {
            let closed = written(&sender, spelt, pieces, size).await;
            assert!(matches!(closed, Err(Problem::Refused(_))), "{} {spelt}: {closed:?}", world.kind);
            assert_eq!(world.codes(spelt).await, [1014], "{} {spelt}", world.kind);
        }
        assert_eq!(world.list(SENDER, Folder::Out).await, [""; 0], "{}", world.kind);
        assert_eq!(contents(&world), 0, "{}", world.kind);
        // Out of order, twice and cut: each byte was written. So was each of none.
        let pieces: [Piece; 4] = [(5, b"6789"), (0, b"12345"), (3, b"45"), (9, b"tail")];
        written(&sender, "whole", &pieces, Some(9)).await.unwrap();
        written(&sender, "empty", &[(0, b"head")], Some(0)).await.unwrap();
        assert_eq!(world.list(SENDER, Folder::Out).await, ["empty", "whole"], "{}", world.kind);
        let mut read = sender.read(&Folder::Out, &name("whole")).await.unwrap();
        assert_eq!(read.read_at(0, 100).await.unwrap(), "123456789", "{}", world.kind);
    }
}

#[tokio::test]
async fn a_full_home_takes_nothing_more() {
    for world in World::all().await {
        let mut transaction = world.database.begin().await.unwrap();
        for user in [SENDER, RECIPIENT] {
            let user = users::named(&mut transaction, user).await.unwrap().unwrap();
            let changed = Changed { bytes_limit: Some(1_500), ..Changed::default() };
            users::change(&mut transaction, &user, &changed).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let sender = world.home(SENDER).await;
        assert!(put(&sender, "a", &[0; 2_000]).await.is_err(), "{}", world.kind);
        assert_eq!(world.codes("a").await, [1060], "{}", world.kind);
        sender.remove(&Folder::In, &name("a.sftpreceipt")).await.unwrap();
        world.send("b.xml", &[b'x'; 800]).await;
        let first = world.receipt("b.xml").await.unwrap();
        assert!(first.contains("SUCCESS"), "{}: {first}", world.kind);
        sender.remove(&Folder::In, &name("b.xml.sftpreceipt")).await.unwrap();
        world.send("c.xml", &[b'x'; 800]).await;
        assert_eq!(world.codes("c.xml").await, [1060], "{}: the recipient's", world.kind);
    }
}

#[tokio::test]
async fn a_key_that_is_disabled_and_a_user_that_has_ended_do_nothing_more() {
    for world in World::all().await {
        let home = world.home(SENDER).await;
        home.admitted().await.unwrap();
        let mut transaction = world.database.begin().await.unwrap();
        users::disable_key(&mut transaction, id(SENDER), key(1).fingerprint()).await.unwrap();
        let user = users::named(&mut transaction, OTHER).await.unwrap().unwrap();
        let changed = Changed { valid_to: Some(*world.now.lock().unwrap()), ..Changed::default() };
        users::change(&mut transaction, &user, &changed).await.unwrap();
        transaction.commit().await.unwrap();
        // A session believes for a quarter of a second.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(home.admitted().await, Err(Problem::KeyNotAllowed), "{}", world.kind);
        assert_eq!(world.files.account(SENDER).await.unwrap().unwrap().keys, [], "{}", world.kind);
        for nobody in [OTHER, "ky_simpelsftp", "UKENDT", "", "a\u{f8}", &"x".repeat(70_000)] {
            assert_eq!(world.files.account(nobody).await.unwrap(), None, "{}", world.kind);
        }
    }
}

#[tokio::test]
async fn a_key_is_one_until_the_instant_at_which_it_ends() {
    for world in World::all().await {
        let at = *world.now.lock().unwrap();
        let (hour, ending) = (SignedDuration::from_hours(1), key(9));
        let mut transaction = world.database.begin().await.unwrap();
        let ends = Some(at.checked_add(hour).unwrap());
        users::add_key(&mut transaction, id(OTHER), &ending, "prod", ends, at).await.unwrap();
        users::disable_key(&mut transaction, id(OTHER), key(3).fingerprint()).await.unwrap();
        transaction.commit().await.unwrap();
        let keys = async || world.files.account(OTHER).await.unwrap().unwrap().keys;
        world.pass(hour.checked_sub(SignedDuration::from_micros(1)).unwrap());
        assert_eq!(keys().await, [ending.fingerprint()], "{}", world.kind);
        let home = world.home(OTHER).await;
        home.admitted().await.unwrap();
        world.pass(SignedDuration::from_micros(1));
        assert_eq!(keys().await, [], "{}", world.kind);
        // A session believes for a moment.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while home.admitted().await != Err(Problem::KeyNotAllowed) {
            assert!(std::time::Instant::now() < deadline, "{}: still admitted", world.kind);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn the_time_of_what_comes_into_a_home_does_not_go_back_though_the_clock_does() {
    for world in World::all().await {
        world.send("a.xml", CONTENT).await;
        world.pass(SignedDuration::from_hours(-1));
        world.send("b.xml", CONTENT).await;
        let recipient = world.home(RECIPIENT).await;
        let of = async |file: &str| recipient.stat(&Folder::In, &name(file)).await.unwrap().modified;
        assert!(of("b.xml").await >= of("a.xml").await, "{}", world.kind);
        assert!(of("b.xml.metadata").await >= of("a.xml").await, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_that_no_trigger_comes_for_is_counted_after_a_day_and_stays_in_out() {
    for world in World::all().await {
        put(&world.home(SENDER).await, NAME, CONTENT).await.unwrap();
        let counted = async || {
            world.files.sweep().await.unwrap();
            world.files.figures().await.unwrap().without_trigger
        };
        world.pass(SignedDuration::from_hours(23));
        assert_eq!(counted().await, 0, "{}", world.kind);
        world.pass(SignedDuration::from_hours(2));
        assert_eq!(counted().await, 1, "{}", world.kind);
        assert_eq!(world.list(SENDER, Folder::Out).await, [NAME], "{}", world.kind);
    }
}

#[tokio::test]
async fn an_agreed_recipient_that_is_disabled_has_a_code_of_its_own() {
    for world in World::all().await {
        let mut transaction = world.database.begin().await.unwrap();
        let user = users::named(&mut transaction, RECIPIENT).await.unwrap().unwrap();
        users::change(&mut transaction, &user, &Changed { disabled: Some(true), ..Changed::default() }).await.unwrap();
        transaction.commit().await.unwrap();
        world.send(NAME, CONTENT).await;
        assert_eq!(world.codes(NAME).await, [1022], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_name_that_would_forge_a_receipt_or_fits_no_disk_goes_nowhere() {
    // 124 bytes, and 247 in NFC: with `.trigger` it is a name, with `.metadata` it is none.
    let longer = format!("{}x", "\u{958}".repeat(41));
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        for (at, wrong) in
            ["a.SFTPReceipt", "a.metadata", "a.trigger", "a:b", "a\\b", "-a", "a.", "a ", &"x".repeat(201)].iter().enumerate()
        {
            put(&sender, &format!("{wrong}.trigger"), trigger(wrong, at).as_bytes()).await.unwrap();
            world.settle().await;
            assert_eq!(world.codes(wrong).await, [1004, 1010], "{}: {wrong}", world.kind);
        }
        world.pass(SignedDuration::from_secs(1));
        put(&sender, &longer, b"x").await.unwrap();
        put(&sender, &format!("{longer}.trigger"), trigger(&longer, 1).as_bytes()).await.unwrap();
        world.settle().await;
        let newest = transfers::newest(&mut world.database.session().await.unwrap(), None, 1).await.unwrap().remove(0);
        assert_eq!(newest.codes, "1004", "{}", world.kind);
    }
}

#[tokio::test]
async fn what_cannot_be_delivered_in_all_attempts_is_told_to_its_sender_and_its_file_is_back() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        // Its row lost its content: nothing that passes.
        let lost = sql("UPDATE file_content SET in_use = $1");
        world.database.execute(lost.clone().bind(false)).await.unwrap();
        world.settle().await;
        world.database.execute(lost.bind(true)).await.unwrap();
        assert_eq!(world.codes(NAME).await, [1091], "{}", world.kind);
        assert_eq!(world.list(SENDER, Folder::Out).await, [NAME], "{}", world.kind);
        put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        world.settle().await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_delivery_that_no_longer_fits_once_it_is_admitted_stands_in_the_audit_as_a_passing_fault() {
    for world in World::all().await {
        let (armed, settings) = (AtomicBool::new(true), world.store.clone());
        // Between its admission and its delivery the recipient's home fills up.
        let fills = move |reached: Step| {
            if reached != Step::Admitted || !armed.swap(false, Ordering::SeqCst) {
                return;
            }
            let settings = settings.clone();
            let fill = async move {
                let database = Database::open(&settings, Access::Change).await.unwrap();
                let full = sql("UPDATE sftp_user SET bytes_used = bytes_limit WHERE name = $1").bind(RECIPIENT);
                assert_eq!(database.session().await.unwrap().execute(full).await.unwrap(), 1);
                database.close().await;
            };
            let runs = move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(fill);
            std::thread::spawn(runs).join().unwrap();
        };
        let files = files_in(&world.folder, world.parts.clone(), RULES, Some(Arc::new(fills)));
        let sender = home(&files, SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        settle(&files, &world.database).await;
        let calls = world.recorded(|_| true).await;
        let first = calls.values().next().unwrap();
        assert_eq!(first.refusal.as_deref(), Some("FIL1090"), "{}: {calls:?}", world.kind);
        assert!(calls.len() > 1 && world.receipt(NAME).await.is_some_and(|told| !told.contains("SUCCESS")), "{}", world.kind);
    }
}

#[tokio::test]
async fn the_same_submission_to_a_recipient_that_has_not_had_it_is_not_answered_with_the_first_success() {
    for world in World::all().await {
        world.order(order(SENDER, OTHER)).await;
        let sender = world.home(SENDER).await;
        let send = async |to: &[&str]| {
            put(&sender, NAME, CONTENT).await.unwrap();
            let trigger = trigger_to(NAME, CONTENT.len(), SENDER, to, &routing("X_1", 1));
            put(&sender, &format!("{NAME}.trigger"), trigger.as_bytes()).await.unwrap();
            world.settle().await;
        };
        send(&[RECIPIENT]).await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
        send(&[OTHER]).await;
        assert_eq!(world.codes(NAME).await, [1035], "{}", world.kind);
        assert_eq!(world.list(OTHER, Folder::In).await, [""; 0], "{}", world.kind);
        send(&[RECIPIENT]).await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}: the same once more", world.kind);
    }
}

#[tokio::test]
async fn what_the_store_alone_knows_stands_in_the_same_receipt_as_what_is_wrong_with_the_trigger() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, NAME, CONTENT).await.unwrap();
        let first = trigger_to(NAME, CONTENT.len(), SENDER, &[RECIPIENT], &routing("X_1", 1));
        put(&sender, &format!("{NAME}.trigger"), first.as_bytes()).await.unwrap();
        world.settle().await;
        put(&sender, NAME, b"<andet/>").await.unwrap();
        let wrong = trigger_to(NAME, 99, SENDER, &["UKENDT", RECIPIENT], &routing("X_1", 1));
        put(&sender, &format!("{NAME}.trigger"), wrong.as_bytes()).await.unwrap();
        world.settle().await;
        assert_eq!(world.codes(NAME).await, [1011, 1021, 1035, 1040], "{}", world.kind);
        let receipt = world.receipt(NAME).await.unwrap();
        assert!(receipt.contains("Modtager nr. 2 har allerede"), "{}: as the trigger counts them: {receipt}", world.kind);
    }
}

#[tokio::test]
async fn an_order_for_names_of_files_is_for_its_own_authorities_alone() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        let others = routing("X_1", 1).replace("11111111</RecipientAuthority", "22222222</RecipientAuthority");
        put(&sender, NAME, CONTENT).await.unwrap();
        let trigger = trigger_to(NAME, CONTENT.len(), SENDER, &[RECIPIENT], &others);
        put(&sender, &format!("{NAME}.trigger"), trigger.as_bytes()).await.unwrap();
        world.settle().await;
        assert_eq!(world.codes(NAME).await, [1021], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_trigger_whose_job_died_while_it_waited_for_its_file_is_answered_too() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        // As the store does where every process that took it was killed.
        world.database.session().await.unwrap().execute(sql("UPDATE job SET state = 'dead'")).await.unwrap();
        world.files.sweep().await.unwrap();
        assert_eq!(world.codes(NAME).await, [1091], "{}", world.kind);
        let dead = world.database.all(sql("SELECT id FROM job WHERE state = 'dead'")).await.unwrap();
        assert!(dead.is_empty(), "{}: its sender is told, and nothing keeps an alert up", world.kind);
        world.send(NAME, CONTENT).await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_that_the_object_store_does_not_take_is_told_of_in_a_receipt() {
    for world in World::all().await {
        let sender = world.home(SENDER).await;
        let (objects, away) = (world.folder.join("objects"), world.folder.join("away"));
        if objects.exists() {
            std::fs::rename(&objects, &away).unwrap();
        }
        // A file where the folder was: nobody can write into it, root neither.
        std::fs::write(&objects, b"").unwrap();
        assert!(put(&sender, NAME, CONTENT).await.is_err(), "{}", world.kind);
        assert_eq!(world.codes(NAME).await, [1091], "{}", world.kind);
        assert_eq!(world.list(SENDER, Folder::Out).await, [""; 0], "{}", world.kind);
        std::fs::remove_file(&objects).unwrap();
        std::fs::create_dir(&objects).unwrap();
        world.send(NAME, CONTENT).await;
        assert!(world.receipt(NAME).await.unwrap().contains("SUCCESS"), "{}", world.kind);
    }
}

#[tokio::test]
async fn what_a_quota_refuses_is_refused_at_the_write_and_leaves_nothing_in_the_object_store() {
    for world in World::all().await {
        let mut transaction = world.database.begin().await.unwrap();
        let user = users::named(&mut transaction, SENDER).await.unwrap().unwrap();
        let changed = Changed { bytes_limit: Some(1_500), ..Changed::default() };
        users::change(&mut transaction, &user, &changed).await.unwrap();
        transaction.commit().await.unwrap();
        let sender = world.home(SENDER).await;
        let mut large = sender.write(&Folder::Out, &name("large"), ANEW).await.unwrap();
        assert_eq!(large.write_at(0, vec![0; 1_501].into()).await, Err(Problem::NoSpace), "{}", world.kind);
        // A client that goes away now has its receipt.
        drop(large);
        assert_eq!(world.codes("large").await, [1060], "{}", world.kind);
        sender.remove(&Folder::In, &name("large.sftpreceipt")).await.unwrap();
        // Two at once, each of which there is room for.
        let (mut one, mut two) = (
            sender.write(&Folder::Out, &name("one"), ANEW).await.unwrap(),
            sender.write(&Folder::Out, &name("two"), ANEW).await.unwrap(),
        );
        one.write_at(0, vec![0; 1_000].into()).await.unwrap();
        two.write_at(0, vec![0; 1_000].into()).await.unwrap();
        one.close().await.unwrap();
        assert!(matches!(two.close().await, Err(Problem::Refused(_))), "{}", world.kind);
        assert_eq!(contents(&world), 1, "{}", world.kind);
        // The file that is there gives way to a new one of its name, and a trigger takes no room.
        let home = world.home(SENDER).await;
        home.remove(&Folder::In, &name("two.sftpreceipt")).await.unwrap();
        put(&home, "one", &[0; 1_500]).await.unwrap();
        put(&home, "one.trigger", trigger("one", 1_500).as_bytes()).await.unwrap();
        world.settle().await;
        assert!(world.receipt("one").await.unwrap().contains("SUCCESS"), "{}", world.kind);
    }
}
