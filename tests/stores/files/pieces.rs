//! Deliveries in pieces, on SQLite and PostgreSQL: gone on with, never mixed, counted, cleaned up, and whole after a SIGKILL.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hjemmel::clock::Clock;
use hjemmel::files::partner::agreement::{self, Standing};
use hjemmel::files::partner::core::{Entered, JOBS, MailboxError, Mailboxes, Step};
use hjemmel::files::partner::deliver::Delivery;
use hjemmel::files::partner::fetch::Which;
use hjemmel::files::partner::pieces::{Begun, Come, Receiving};
use hjemmel::files::partner::users::Shown;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::store::{Access, Database, Dialect, sql};
use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::killed::now;
use super::mailboxes::{
    CENTRAL, GOOD, INSTITUTION, Post, certificate, deliver, delivery, digest, mailboxes, number, parts, populate, read, walk,
};
use super::mailboxes_killed::{nothing_is_loose, only_these_lie, the_log_is_whole};
use super::world::RULES;
use crate::dies;
use crate::settle::{leases_end, settle};

const CHILD: &str = "HJEMMEL_TEST_PIECES_CHILD";
const ID: Uuid = uuid::uuid!("6f0d3d5b-1b4e-4a58-9a0d-5d1f4a9e0085");
/// Where the first piece ends.
const FIRST: usize = 20;
/// Hours after which a content that nothing came of is cleaned up, and one more.
const ABANDONED: i64 = 49;

async fn begun(
    mailboxes: &Mailboxes,
    entered: &Entered,
    delivery: &Delivery,
    piece: Range<usize>,
) -> Result<Box<Receiving>, MailboxError> {
    let bytes = u64::try_from(piece.start).unwrap()..u64::try_from(piece.end).unwrap();
    match mailboxes.deliver_piece(entered, delivery.clone(), bytes).await? {
        Begun::Take(receiving) => Ok(receiving),
        Begun::Known(file) => panic!("{} is there", file.delivery),
    }
}

/// Sends a piece of [`GOOD`].
async fn sent(mailboxes: &Mailboxes, entered: &Entered, delivery: &Delivery, piece: Range<usize>) -> Result<Come, MailboxError> {
    let mut receiving = begun(mailboxes, entered, delivery, piece.clone()).await?;
    receiving.write(&GOOD[piece]).await?;
    receiving.close().await
}

fn refusal<T: std::fmt::Debug>(done: Result<T, MailboxError>) -> ApiRefusal {
    match done {
        Err(MailboxError::Refused(refusal)) => refusal,
        other => panic!("it is not refused: {other:?}"),
    }
}

/// What of the institution's lies: bytes, files, and pieces.
async fn lying(post: &Post) -> (i64, i64, i64) {
    let mut session = post.database.session().await.unwrap();
    let own = agreement::numbered(&mut session, number(INSTITUTION)).await.unwrap().unwrap().id;
    let query = sql("SELECT bytes_lying, files_lying, (SELECT count(*) FROM mailbox_part) AS pieces FROM mailbox WHERE id = $1");
    let row = session.first(query.bind(own)).await.unwrap().unwrap();
    (row.get("bytes_lying").unwrap(), row.get("files_lying").unwrap(), row.get("pieces").unwrap())
}

/// Deliveries that a node has taken to put together.
async fn claims(database: &Database) -> i64 {
    database.first(sql("SELECT count(*) AS n FROM mailbox_joining")).await.unwrap().unwrap().get("n").unwrap()
}

/// Whoever has taken a delivery has it until then, by the database's clock.
async fn claims_end(database: &Database, until_us: i64) {
    database.write(sql("UPDATE mailbox_joining SET until_us = $1").bind(until_us)).await.unwrap();
}

/// In a thousand years: longer than anybody has a delivery.
const NEVER: i64 = 32_000_000_000_000_000;

/// So far in time that whoever has a delivery until then lives.
fn live() -> i64 {
    Clock::system().now().as_microsecond() + 55_000_000
}

/// A node has taken this delivery of the institution's, and has it until then.
async fn is_taken(post: &Post, delivery: Uuid, until_us: i64) {
    let mut session = post.database.session().await.unwrap();
    let own = agreement::numbered(&mut session, number(INSTITUTION)).await.unwrap().unwrap().id;
    drop(session);
    let take = sql("INSERT INTO mailbox_joining (mailbox, delivery, claim, until_us) VALUES ($1, $2, $3, $4)");
    post.database.write(take.bind(own).bind(delivery).bind(ID).bind(until_us)).await.unwrap();
}

fn bytes(of: usize) -> i64 {
    i64::try_from(of).unwrap()
}

#[tokio::test]
async fn of_two_who_send_the_same_piece_at_once_one_is_told_where_it_stands_and_the_file_is_one() {
    for post in Post::all().await {
        let (own, delivery) = (post.enter(INSTITUTION).await, delivery(GOOD));
        let both = async |piece: Range<usize>| {
            let mut one = begun(&post.mailboxes, &own, &delivery, piece.clone()).await.unwrap();
            let mut other = begun(&post.mailboxes, &own, &delivery, piece.clone()).await.unwrap();
            one.write(&GOOD[piece.clone()]).await.unwrap();
            other.write(&GOOD[piece]).await.unwrap();
            tokio::join!(one.close(), other.close())
        };
        let first = both(0..FIRST).await;
        match first {
            (Ok(Come::Part(come)), refused) | (refused, Ok(Come::Part(come))) => {
                let offset = u64::try_from(FIRST).unwrap();
                assert_eq!(come, offset);
                assert_eq!(refusal(refused), ApiRefusal::MailboxPiecePlace { offset }, "{}", post.kind);
            }
            other => panic!("{}: {other:?}", post.kind),
        }
        assert_eq!(lying(&post).await, (bytes(FIRST), 1, 1), "{}", post.kind);
        match both(FIRST..GOOD.len()).await {
            (Ok(Come::Whole(one)), Ok(Come::Whole(other))) => assert_eq!(one.id, other.id, "{}", post.kind),
            // It came while the other's was put together, and finds the file when it comes again.
            (Ok(Come::Whole(one)), refused) | (refused, Ok(Come::Whole(one))) => {
                assert_eq!(refusal(refused).code(), "MailboxJoining", "{}", post.kind);
                let length = u64::try_from(GOOD.len()).unwrap();
                let piece = u64::try_from(FIRST).unwrap()..length;
                match post.mailboxes.deliver_piece(&own, delivery.clone(), piece).await.unwrap() {
                    Begun::Known(known) => assert_eq!(known.id, one.id, "{}", post.kind),
                    Begun::Take(_) => panic!("{}: it is not there", post.kind),
                }
            }
            other => panic!("{}: {other:?}", post.kind),
        }
        assert_eq!(lying(&post).await, (bytes(GOOD.len()), 1, 0), "{}", post.kind);
        post.settle().await;
        let inbox = post.inbox(CENTRAL, 0).await;
        assert_eq!((inbox.len(), &inbox[0].sha256), (1, &digest(GOOD)), "{}", post.kind);
        let central = post.enter(CENTRAL).await;
        assert_eq!(read(&post.mailboxes, &central, CENTRAL, &inbox[0], 0).await.unwrap(), GOOD, "{}", post.kind);
    }
}

#[tokio::test]
async fn pieces_that_are_not_what_was_announced_are_refused_and_leave_nothing() {
    for post in Post::all().await {
        let own = post.enter(INSTITUTION).await;
        let delivery = Delivery { sha256: digest(b"another"), ..delivery(GOOD) };
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let last = sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await;
        assert_eq!(refusal(last), ApiRefusal::MailboxContentDiffers, "{}", post.kind);
        assert_eq!(lying(&post).await, (0, 0, 0), "{}", post.kind);
        assert_eq!(walk(&post.folder.join("objects")), Vec::<PathBuf>::new(), "{}", post.kind);
        let outbox = post.mailboxes.list(&own, number(INSTITUTION), Which::Outbox, 0, 100).await.unwrap();
        assert!(outbox.is_empty(), "{}", post.kind);
        // A piece that is shorter than it says leaves what came before it as it is.
        let delivery = super::mailboxes::delivery(GOOD);
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let mut short = begun(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await.unwrap();
        short.write(b"a").await.unwrap();
        assert_eq!(refusal(short.close().await), ApiRefusal::MailboxContentDiffers, "{}", post.kind);
        assert_eq!(lying(&post).await, (bytes(FIRST), 1, 1), "{}", post.kind);
        // Sent again as a whole, it needs them no more.
        deliver(&post.mailboxes, &own, delivery, GOOD).await.unwrap();
        assert_eq!(lying(&post).await, (bytes(GOOD.len()), 1, 0), "{}", post.kind);
    }
}

#[tokio::test]
async fn what_has_come_in_pieces_takes_room_and_gives_way_to_the_whole() {
    for post in Post::all().await {
        let (own, delivery) = (post.enter(INSTITUTION).await, delivery(GOOD));
        let quota = sql("UPDATE mailbox SET quota_bytes = $1").bind(bytes(GOOD.len()));
        post.database.write(quota).await.unwrap();
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        post.refuses_delivery("MailboxFull").await;
        let other = super::mailboxes::delivery(GOOD);
        assert_eq!(refusal(sent(&post.mailboxes, &own, &other, 0..FIRST).await).code(), "MailboxFull", "{}", post.kind);
        post.mailboxes.count_what_lies().await.unwrap();
        assert_eq!(lying(&post).await, (bytes(FIRST), 1, 1), "{}: counted anew it is the same", post.kind);
        // A user who may no longer deliver adds nothing to it, also where it has begun to.
        let mut late = begun(&post.mailboxes, &own, &delivery, FIRST..FIRST + 1).await.unwrap();
        late.write(&GOOD[FIRST..=FIRST]).await.unwrap();
        post.set(INSTITUTION, Standing::Suspended).await;
        assert_eq!(refusal(late.close().await).code(), "MailboxNotActive", "{}", post.kind);
        post.set(INSTITUTION, Standing::Active).await;
        assert_eq!(lying(&post).await, (bytes(FIRST), 1, 1), "{}", post.kind);
        sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await.unwrap();
        assert_eq!(lying(&post).await, (bytes(GOOD.len()), 1, 0), "{}", post.kind);
    }
}

#[tokio::test]
async fn pieces_lie_for_a_day_after_the_last_of_them_and_are_then_deleted() {
    for post in Post::all().await {
        let (own, delivery) = (post.enter(INSTITUTION).await, delivery(GOOD));
        let come = async || post.mailboxes.come(&own, number(INSTITUTION), delivery.delivery).await;
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        post.pass(23);
        sent(&post.mailboxes, &own, &delivery, FIRST..2 * FIRST).await.unwrap();
        post.pass(23);
        assert_eq!(post.mailboxes.sweep().await.unwrap(), 0, "{}", post.kind);
        assert_eq!(come().await.unwrap(), u64::try_from(2 * FIRST).unwrap(), "{}", post.kind);
        post.pass(2);
        assert_eq!(post.mailboxes.sweep().await.unwrap(), 0, "{}", post.kind);
        assert_eq!(refusal(come().await).code(), "ApiNotFound", "{}", post.kind);
        assert_eq!(lying(&post).await, (0, 0, 0), "{}", post.kind);
        assert_eq!(walk(&post.folder.join("objects")), Vec::<PathBuf>::new(), "{}", post.kind);
        let gone = refusal(sent(&post.mailboxes, &own, &delivery, 2 * FIRST..GOOD.len()).await);
        assert_eq!(gone, ApiRefusal::MailboxPiecePlace { offset: 0 }, "{}: it begins anew", post.kind);
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        assert!(matches!(sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await, Ok(Come::Whole(_))), "{}", post.kind);
    }
}

/// Mailboxes that stop when a file is put together; then they say so, and wait until they are let go on.
struct Held {
    mailboxes: Mailboxes,
    reached: mpsc::UnboundedReceiver<()>,
    go_on: std::sync::mpsc::Sender<()>,
}

impl Held {
    fn of(post: &Post) -> Self {
        let (reaches, reached) = mpsc::unbounded_channel();
        let (go_on, waits) = std::sync::mpsc::channel();
        let waits = Mutex::new(waits);
        let at_step = move |step: Step| {
            if step == Step::Stored {
                reaches.send(()).unwrap();
                // Nothing that this thread had to do, as to look what the server answered, waits with it.
                tokio::task::block_in_place(|| waits.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap());
            }
        };
        let mailboxes = Mailboxes::with(post.parts.clone(), "test".parse().unwrap(), RULES, Some(Arc::new(at_step)));
        Self { mailboxes, reached, go_on }
    }

    /// Sends the last piece, as far as to where all of the file is put together and nobody knows of it.
    async fn sends_the_last(&mut self, own: &Entered, delivery: &Delivery) -> JoinHandle<Result<Come, MailboxError>> {
        let mut last = begun(&self.mailboxes, own, delivery, FIRST..GOOD.len()).await.unwrap();
        last.write(&GOOD[FIRST..]).await.unwrap();
        let closing = tokio::spawn(last.close());
        let reached = tokio::time::timeout(Duration::from_secs(60), self.reached.recv()).await;
        assert_eq!(reached.unwrap(), Some(()));
        closing
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_put_together_once_at_a_time_however_often_its_last_piece_is_sent() {
    for post in Post::all().await {
        let (own, delivery, mut held) = (post.enter(INSTITUTION).await, delivery(GOOD), Held::of(&post));
        sent(&held.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let closing = held.sends_the_last(&own, &delivery).await;
        for _ in 0..2 {
            let again = sent(&held.mailboxes, &own, &delivery, FIRST..GOOD.len()).await;
            assert_eq!(refusal(again).code(), "MailboxJoining", "{}", post.kind);
        }
        assert_eq!(lying(&post).await, (bytes(FIRST), 1, 1), "{}: what came is as it was", post.kind);
        // What one delivery does is nothing to another.
        let other = super::mailboxes::delivery(GOOD);
        sent(&held.mailboxes, &own, &other, 0..FIRST).await.unwrap();
        held.go_on.send(()).unwrap();
        assert!(matches!(closing.await.unwrap(), Ok(Come::Whole(_))), "{}", post.kind);
        held.go_on.send(()).unwrap();
        let other = sent(&held.mailboxes, &own, &other, FIRST..GOOD.len()).await;
        assert!(matches!(other, Ok(Come::Whole(_))), "{}", post.kind);
        assert_eq!(lying(&post).await, (bytes(2 * GOOD.len()), 2, 0), "{}", post.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_puts_a_file_together_and_the_other_finds_it_there() {
    for post in Post::all().await {
        let (own, delivery, mut held) = (post.enter(INSTITUTION).await, delivery(GOOD), Held::of(&post));
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let closing = held.sends_the_last(&own, &delivery).await;
        let lies = walk(&post.folder.join("objects")).len();
        for _ in 0..2 {
            let elsewhere = sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await;
            assert_eq!(refusal(elsewhere).code(), "MailboxJoining", "{}", post.kind);
        }
        assert_eq!(walk(&post.folder.join("objects")).len(), lies, "{}: it is written once", post.kind);
        assert_eq!(lying(&post).await, (bytes(FIRST), 1, 1), "{}: what came is as it was", post.kind);
        held.go_on.send(()).unwrap();
        let Come::Whole(file) = closing.await.unwrap().unwrap() else { panic!("{}: it is not there", post.kind) };
        assert_eq!(claims(&post.database).await, 0, "{}: it is given back", post.kind);
        let last = u64::try_from(FIRST).unwrap()..u64::try_from(GOOD.len()).unwrap();
        match post.mailboxes.deliver_piece(&own, delivery.clone(), last).await.unwrap() {
            Begun::Known(known) => assert_eq!(known.id, file.id, "{}", post.kind),
            Begun::Take(_) => panic!("{}: it is not there", post.kind),
        }
        assert_eq!(lying(&post).await, (bytes(GOOD.len()), 1, 0), "{}", post.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_gives_back_what_it_puts_together_and_another_does_it_at_once() {
    for post in Post::all().await {
        let (own, delivery, mut held) = (post.enter(INSTITUTION).await, delivery(GOOD), Held::of(&post));
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let closing = held.sends_the_last(&own, &delivery).await;
        assert_eq!(claims(&post.database).await, 1, "{}", post.kind);
        held.mailboxes.stopped().await;
        assert_eq!(claims(&post.database).await, 0, "{}: it is given back", post.kind);
        // What still comes to the node that stops takes nothing there.
        let late = sent(&held.mailboxes, &own, &delivery, FIRST..GOOD.len()).await;
        assert_eq!(refusal(late).code(), "MailboxJoining", "{}", post.kind);
        assert_eq!(claims(&post.database).await, 0, "{}", post.kind);
        let elsewhere = sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await.unwrap();
        let Come::Whole(file) = elsewhere else { panic!("{}: it is not there", post.kind) };
        held.go_on.send(()).unwrap();
        match closing.await.unwrap().unwrap() {
            Come::Whole(same) => assert_eq!(same.id, file.id, "{}: it is delivered once", post.kind),
            Come::Part(come) => panic!("{}: {come} bytes", post.kind),
        }
        assert_eq!(lying(&post).await, (bytes(GOOD.len()), 1, 0), "{}", post.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_node_has_taken_over_is_delivered_once_though_the_first_goes_on() {
    for post in Post::all().await {
        let (own, delivery, mut held) = (post.enter(INSTITUTION).await, delivery(GOOD), Held::of(&post));
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let closing = held.sends_the_last(&own, &delivery).await;
        let until = Instant::now() + Duration::from_secs(60);
        let file = loop {
            // The first node may just begin its time anew.
            claims_end(&post.database, 0).await;
            match sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await {
                Ok(Come::Whole(file)) => break file,
                other => assert_eq!(refusal(other).code(), "MailboxJoining", "{}", post.kind),
            }
            assert!(Instant::now() < until, "{}: it is never taken over", post.kind);
        };
        held.go_on.send(()).unwrap();
        match closing.await.unwrap().unwrap() {
            Come::Whole(same) => assert_eq!(same.id, file.id, "{}", post.kind),
            Come::Part(come) => panic!("{}: {come} bytes", post.kind),
        }
        assert_eq!(claims(&post.database).await, 0, "{}", post.kind);
        assert_eq!(lying(&post).await, (bytes(GOOD.len()), 1, 0), "{}", post.kind);
        post.settle().await;
        assert_eq!(post.inbox(CENTRAL, 0).await.len(), 1, "{}", post.kind);
    }
}

#[tokio::test]
async fn what_a_node_that_died_has_taken_is_cleaned_up_once_its_time_is_over() {
    for post in Post::all().await {
        is_taken(&post, ID, live()).await;
        post.mailboxes.sweep().await.unwrap();
        assert_eq!(claims(&post.database).await, 1, "{}: it may live", post.kind);
        claims_end(&post.database, 1).await;
        post.mailboxes.sweep().await.unwrap();
        assert_eq!(claims(&post.database).await, 0, "{}", post.kind);
        is_taken(&post, ID, NEVER).await;
        post.mailboxes.sweep().await.unwrap();
        assert_eq!(claims(&post.database).await, 0, "{}: the clock was set back", post.kind);
    }
}

#[tokio::test]
async fn the_last_piece_is_refused_before_any_of_it_is_read_while_another_node_may_put_the_file_together() {
    for post in Post::all().await {
        let (own, delivery) = (post.enter(INSTITUTION).await, delivery(GOOD));
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        is_taken(&post, delivery.delivery, live()).await;
        let lies = walk(&post.folder.join("objects"));
        match begun(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await {
            Err(MailboxError::Refused(refusal)) => {
                let ApiRefusal::MailboxJoining { seconds } = refusal else { panic!("{}: {refusal}", post.kind) };
                assert!((1..=56).contains(&seconds), "{}: {seconds}", post.kind);
                assert_eq!(refusal.entry().retry_after, Some(seconds), "{}: what is left", post.kind);
            }
            _ => panic!("{}: it is begun", post.kind),
        }
        assert_eq!(walk(&post.folder.join("objects")), lies, "{}: nothing of it is kept", post.kind);
        // One that is not the last is taken meanwhile.
        sent(&post.mailboxes, &own, &delivery, FIRST..2 * FIRST).await.unwrap();
        claims_end(&post.database, 0).await;
        let last = sent(&post.mailboxes, &own, &delivery, 2 * FIRST..GOOD.len()).await;
        assert!(matches!(last, Ok(Come::Whole(_))), "{}", post.kind);
    }
}

#[tokio::test]
async fn a_node_that_died_before_the_database_s_clock_was_set_back_keeps_nobody_waiting() {
    for post in Post::all().await {
        let (own, delivery) = (post.enter(INSTITUTION).await, delivery(GOOD));
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        is_taken(&post, delivery.delivery, NEVER).await;
        let last = sent(&post.mailboxes, &own, &delivery, FIRST..GOOD.len()).await;
        assert!(matches!(last, Ok(Come::Whole(_))), "{}", post.kind);
    }
}

#[tokio::test]
async fn what_the_only_node_of_a_store_was_putting_together_is_nobodys_when_it_starts_again() {
    for post in Post::all().await {
        is_taken(&post, ID, live()).await;
        post.mailboxes.started().await.unwrap();
        let another_may_have_it = i64::from(post.database.dialect() == Dialect::Postgres);
        assert_eq!(claims(&post.database).await, another_may_have_it, "{}", post.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_sender_takes_back_frees_its_room_and_is_not_delivered_also_while_it_is_put_together() {
    for post in Post::all().await {
        let (own, delivery, mut held) = (post.enter(INSTITUTION).await, delivery(GOOD), Held::of(&post));
        let take_back = async || post.mailboxes.take_back(&own, number(INSTITUTION), delivery.delivery).await;
        let gone = async || {
            let until = Instant::now() + Duration::from_secs(60);
            while !walk(&post.folder.join("objects")).is_empty() {
                assert!(Instant::now() < until, "{}: contents stay", post.kind);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(lying(&post).await, (0, 0, 0), "{}", post.kind);
            assert_eq!(refusal(take_back().await).code(), "ApiNotFound", "{}: nothing is there", post.kind);
        };
        assert_eq!(refusal(take_back().await).code(), "ApiNotFound", "{}", post.kind);
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        sent(&post.mailboxes, &own, &delivery, FIRST..2 * FIRST).await.unwrap();
        take_back().await.unwrap();
        gone().await;
        sent(&post.mailboxes, &own, &delivery, 0..FIRST).await.unwrap();
        let closing = held.sends_the_last(&own, &delivery).await;
        take_back().await.unwrap();
        held.go_on.send(()).unwrap();
        let closed = refusal(closing.await.unwrap());
        assert_eq!(closed, ApiRefusal::MailboxPiecePlace { offset: 0 }, "{}", post.kind);
        gone().await;
        let outbox = post.mailboxes.list(&own, number(INSTITUTION), Which::Outbox, 0, 100).await.unwrap();
        assert!(outbox.is_empty(), "{}: nothing is delivered", post.kind);
        // Its id is free for something else; what is delivered is not taken back.
        let other = Delivery { delivery: delivery.delivery, ..super::mailboxes::delivery(b"another") };
        deliver(&post.mailboxes, &own, other, b"another").await.unwrap();
        assert_eq!(refusal(take_back().await).code(), "ApiNotFound", "{}", post.kind);
        assert_eq!(lying(&post).await, (bytes(b"another".len()), 1, 0), "{}", post.kind);
    }
}

fn same() -> Delivery {
    Delivery { delivery: ID, ..delivery(GOOD) }
}

/// Where the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The content of the first piece, or of the second, is in the object store, and no row names it.
    Piece(usize),
    /// Between the pieces.
    Between,
    /// At a step of what the last one completes.
    At(Step),
}

fn places() -> Vec<Place> {
    [Place::Piece(0), Place::Between, Place::Piece(1)].into_iter().chain(Step::DELIVERY.map(Place::At)).collect()
}

/// Not a test of its own: the process that is killed.
#[tokio::test]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let parts: Vec<&str> = told.split('|').collect();
    let [folder, place, database] = parts.as_slice() else { panic!("{told}") };
    let (folder, place) = (PathBuf::from(folder), places()[place.parse::<usize>().unwrap()]);
    let pieces = AtomicUsize::new(0);
    let at_step = move |reached: Step| {
        let here = match reached {
            Step::Piece => Place::Piece(pieces.fetch_add(1, Ordering::SeqCst)),
            step => Place::At(step),
        };
        if here == place {
            dies::die();
        }
    };
    let database = Database::open(&dies::from_words(database, &folder), Access::Change).await.unwrap();
    let clock = Arc::new(Mutex::new(now()));
    let mailboxes = mailboxes(&folder, database.clone(), clock, Some(Arc::new(at_step)), "audit");
    let own = mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.unwrap();
    sent(&mailboxes, &own, &same(), 0..FIRST).await.unwrap();
    if place == Place::Between {
        dies::die();
    }
    sent(&mailboxes, &own, &same(), FIRST..GOOD.len()).await.unwrap();
    settle(&database, JOBS, || mailboxes.work_once()).await;
    panic!("it should not have lived through {place:?}");
}

async fn killed_at_each_place(dialect: Dialect) {
    for (at, place) in places().into_iter().enumerate() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let Some(settings) = dies::store(dialect, folder).await else { return };
        let store = Database::open(&settings, Access::Change).await.unwrap();
        populate(&store, now()).await;
        // The keys are made before the process that is killed needs them.
        drop(parts(folder, store.clone(), Arc::new(Mutex::new(now())), "audit"));
        store.close().await;
        let told = format!("{}|{at}|{}", folder.display(), dies::in_words(&settings, folder));
        dies::run("files::pieces::child", (CHILD, told), place);

        let store = Database::open(&settings, Access::Change).await.unwrap();
        let clock = Arc::new(Mutex::new(now()));
        let mailboxes = mailboxes(folder, store.clone(), clock.clone(), None, "audit");
        let enter = async |of: &str| mailboxes.enter(Shown::Certificate(certificate(of))).await.unwrap();
        let (own, central) = (enter(INSTITUTION).await, enter(CENTRAL).await);
        let inbox = async || mailboxes.list(&central, number(CENTRAL), Which::Inbox, 0, 100).await.unwrap();
        assert_eq!(inbox().await.len(), usize::from(place == Place::At(Step::Settled)), "{place:?}: nobody sees half of it");
        nothing_is_loose(&store, folder, place).await;
        let come = mailboxes.come(&own, number(INSTITUTION), ID).await;
        if place == Place::Piece(0) {
            assert_eq!(refusal(come).code(), "ApiNotFound", "{place:?}: nothing has come");
            sent(&mailboxes, &own, &same(), 0..FIRST).await.unwrap();
            sent(&mailboxes, &own, &same(), FIRST..GOOD.len()).await.unwrap();
        } else if matches!(place, Place::Between | Place::Piece(_) | Place::At(Step::Stored | Step::Admitted)) {
            assert_eq!(come.unwrap(), u64::try_from(FIRST).unwrap(), "{place:?}: what had come is there");
            if matches!(place, Place::At(_)) {
                claims_end(&store, live()).await;
                let too_early = sent(&mailboxes, &own, &same(), FIRST..GOOD.len()).await;
                assert_eq!(refusal(too_early).code(), "MailboxJoining", "{place:?}: whoever died may live");
                claims_end(&store, 0).await;
            }
            sent(&mailboxes, &own, &same(), FIRST..GOOD.len()).await.unwrap();
        } else {
            assert_eq!(refusal(come).code(), "ApiNotFound", "{place:?}: it is delivered");
        }
        let until = Instant::now() + Duration::from_secs(60);
        while inbox().await.is_empty() {
            assert!(Instant::now() < until, "{place:?}: it never arrives");
            // The lease of the dead is over.
            leases_end(&store).await;
            mailboxes.work_once().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let arrived = inbox().await;
        assert_eq!((arrived.len(), arrived[0].delivery), (1, ID), "{place:?}: once");
        assert_eq!(read(&mailboxes, &central, CENTRAL, &arrived[0], 0).await.unwrap(), GOOD, "{place:?}");
        // Of one that died after the delivery the claim is left.
        claims_end(&store, 0).await;
        *clock.lock().unwrap() = now().checked_add(SignedDuration::from_hours(ABANDONED)).unwrap();
        assert_eq!(mailboxes.sweep().await.unwrap(), 0, "{place:?}");
        only_these_lie(&store, folder, 1, place).await;
        the_log_is_whole(folder, &arrived[0], place);
        assert_eq!(claims(&store).await, 0, "{place:?}: nobody has it");
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_in_pieces_is_whole_and_there_once_whenever_the_process_is_killed_on_sqlite() {
    killed_at_each_place(Dialect::Sqlite).await;
}

#[tokio::test]
async fn a_file_in_pieces_is_whole_and_there_once_whenever_the_process_is_killed_on_postgresql() {
    killed_at_each_place(Dialect::Postgres).await;
}
