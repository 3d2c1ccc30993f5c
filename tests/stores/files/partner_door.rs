//! Mailboxes by SFTP, on SQLite and PostgreSQL: what each user sees and may do there.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use hjemmel::files::both::{Both, EitherFile, EitherFolder, EitherHome};
use hjemmel::files::core::Files;
use hjemmel::files::home::{File as _, Home as _, Homes as _, Item, Opening, Place, Problem};
use hjemmel::files::partner::agreement::Standing;
use hjemmel::files::partner::core::{Mailboxes, Step};
use hjemmel::files::partner::door::PartnerHomes;
use hjemmel::files::partner::fetch::Which;
use hjemmel::files::partner::room::MOST_FILES;
use hjemmel::files::partner::rows::{Transport, Validation};
use hjemmel::files::partner::silence::Cause;
use hjemmel::files::partner::users;
use jiff::SignedDuration;

use super::mailboxes::{CENTRAL, GOOD, INSTITUTION, OWN, Post, STRANGER, key, number, terms};

const NEW: Opening = Opening { create: true, new_only: false, truncate: true };
pub(super) const OUT: &str = "PA85858/OUT/LOENPOSTER/LOENGRUPPE=4711";
pub(super) const IN: &str = "PA00001/IN/LOENPOSTER/LOENGRUPPE=4711";

async fn log_on(post: &Post, of: &str) -> EitherHome {
    log_on_to(post.mailboxes.clone(), post.files.clone(), of).await
}

pub(super) async fn log_on_to(mailboxes: Mailboxes, files: Files, of: &str) -> EitherHome {
    let both = Both::new(files.clone(), Some(PartnerHomes::new(mailboxes, files)));
    let account = both.account(&format!("BRUGER_{of}")).await.unwrap().unwrap();
    assert_eq!(account.keys, [key(of)]);
    both.enter(account.id, key(of), Ipv4Addr::LOCALHOST.into()).await.unwrap()
}

fn place(home: &EitherHome, path: &str) -> Place<<EitherHome as hjemmel::files::home::Home>::Folder> {
    home.place(&path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>())
}

async fn open(home: &EitherHome, path: &str) -> Result<EitherFile, Problem> {
    match place(home, path) {
        Place::File(folder, name) if home.takes(&folder) => home.write(&folder, &name, NEW).await,
        Place::File(..) => Err(Problem::Denied),
        _ => Err(Problem::NoSuchFile),
    }
}

pub(super) async fn put(home: &EitherHome, path: &str, content: &[u8]) -> Result<(), Problem> {
    let mut file = open(home, path).await?;
    for (at, piece) in content.chunks(7).enumerate() {
        file.write_at(at as u64 * 7, Bytes::copy_from_slice(piece)).await?;
    }
    file.close().await
}

pub(super) async fn get(home: &EitherHome, path: &str) -> Result<Vec<u8>, Problem> {
    let Place::File(folder, name) = place(home, path) else { return Err(Problem::NoSuchFile) };
    let mut file = home.read(&folder, &name).await?;
    let mut all = Vec::new();
    loop {
        let bytes = file.read_at(all.len() as u64, 9).await?;
        if bytes.is_empty() {
            break;
        }
        all.extend_from_slice(&bytes);
    }
    file.close().await?;
    Ok(all)
}

pub(super) async fn names(home: &EitherHome, path: &str) -> Vec<String> {
    let folder = match place(home, path) {
        Place::Root => None,
        Place::Folder(folder) => {
            home.folder(&folder).await.unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
            Some(folder)
        }
        _ => panic!("{path} is no folder"),
    };
    let (mut all, mut after) = (Vec::new(), None);
    // Two at a time: a page goes on where the last one ended.
    loop {
        let page = home.list(folder.as_ref(), after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.name().clone());
        all.extend(page.iter().map(|item| match item {
            Item::Folder(name) => format!("{}/", name.spelt()),
            Item::File(entry) => entry.name.spelt().to_owned(),
        }));
    }
}

pub(super) async fn remove(home: &EitherHome, path: &str) -> Result<(), Problem> {
    let Place::File(folder, name) = place(home, path) else { return Err(Problem::NoSuchFile) };
    home.remove(&folder, &name).await
}

pub(super) async fn rename(home: &EitherHome, from: &str, to: &str) -> Result<(), Problem> {
    let (Place::File(old, from), Place::File(new, to)) = (place(home, from), place(home, to)) else {
        return Err(Problem::NoSuchFile);
    };
    home.rename((&old, &from), (&new, &to), false).await
}

#[tokio::test]
async fn a_file_is_put_judged_got_and_confirmed_by_its_removal_and_its_sender_has_a_receipt() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/løn.txt"), GOOD).await.unwrap();
        assert!(names(&own, OUT).await.is_empty(), "{}: it is handed on", post.kind);
        assert!(names(&own, "PA85858/RECEIPT").await.is_empty(), "{}: nobody has judged it", post.kind);
        post.settle().await;
        let receipt = String::from_utf8(get(&own, "PA85858/RECEIPT/løn.txt.sftpreceipt").await.unwrap()).unwrap();
        assert!(receipt.contains("<Message>SUCCESS</Message>"), "{}: {receipt}", post.kind);
        remove(&own, "PA85858/RECEIPT/løn.txt.sftpreceipt").await.unwrap();

        let central = log_on(&post, CENTRAL).await;
        assert_eq!(names(&central, IN).await, ["løn.txt"], "{}", post.kind);
        let file = format!("{IN}/løn.txt");
        assert!(matches!(remove(&central, &file).await, Err(Problem::Refused(_))), "{}: nobody has it yet", post.kind);
        assert_eq!(put(&central, &format!("{IN}/forged.txt"), b"x").await, Err(Problem::Denied), "{}", post.kind);
        assert_eq!(get(&central, &file).await.unwrap(), GOOD);
        assert_eq!(names(&central, IN).await, ["løn.txt"], "{}: until it is removed", post.kind);
        remove(&central, &file).await.unwrap();
        assert!(names(&central, IN).await.is_empty());
        let seen = post.inbox(CENTRAL, 0).await.remove(0);
        assert_eq!(seen.transport, Transport::Fetched, "{}: by the API too", post.kind);
        assert_eq!(seen.fetched_by.as_deref(), Some("BRUGER_PA00001"));
    }
}

#[tokio::test]
async fn a_rejected_file_reaches_nobody_and_its_receipt_has_each_code() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/a.txt"), b"P;4711;D;10,50\nK;2019;2;10,50;0,00\n").await.unwrap();
        post.settle().await;
        let receipt = String::from_utf8(get(&own, "PA85858/RECEIPT/a.txt.sftpreceipt").await.unwrap()).unwrap();
        assert!(receipt.contains("VP002: ") && receipt.contains("VP003: "), "{}: {receipt}", post.kind);
        let central = log_on(&post, CENTRAL).await;
        assert!(names(&central, "PA00001/IN/LOENPOSTER").await.is_empty(), "{}", post.kind);
    }
}

#[tokio::test]
async fn a_sender_that_takes_the_name_of_an_older_receipt_stops_no_judgement() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        let put_and_judged = async |name: &str, content: &[u8]| {
            put(&own, &format!("{OUT}/{name}"), content).await.unwrap();
            post.settle().await;
            post.mailboxes
                .list(&post.enter(INSTITUTION).await, number(INSTITUTION), Which::Outbox, 0, 10)
                .await
                .unwrap()
                .pop()
                .unwrap()
        };
        let first = put_and_judged("x", b"1").await;
        // Its receipt has the name that the first one's would be given.
        put_and_judged(&format!("x.{}", first.id), b"2").await;
        let last = put_and_judged("x", b"3").await;
        assert_eq!(last.validation, Validation::Rejected, "{}: it is judged", post.kind);
        let receipt = String::from_utf8(get(&own, "PA85858/RECEIPT/x.sftpreceipt").await.unwrap()).unwrap();
        assert!(receipt.contains(&last.id.to_string()), "{}: {receipt}", post.kind);
        let other = String::from_utf8(get(&own, &format!("PA85858/RECEIPT/x.{}.sftpreceipt", first.id)).await.unwrap()).unwrap();
        assert!(!other.contains(&first.id.to_string()), "{}: that of the file of this name", post.kind);
    }
}

#[tokio::test]
async fn an_unfinished_name_waits_for_its_rename_in_whatever_session() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/løn.txt.5c1f.partial"), GOOD).await.unwrap();
        post.settle().await;
        assert_eq!(names(&own, OUT).await, ["løn.txt.5c1f.partial"], "{}", post.kind);
        assert!(post.inbox(CENTRAL, 0).await.is_empty(), "{}: nobody else sees it", post.kind);
        let other = log_on(&post, INSTITUTION).await;
        rename(&other, &format!("{OUT}/løn.txt.5c1f.partial"), &format!("{OUT}/løn.txt")).await.unwrap();
        assert!(names(&own, OUT).await.is_empty(), "{}", post.kind);
        post.settle().await;
        assert_eq!(post.inbox(CENTRAL, 0).await[0].name.spelt(), "løn.txt", "{}", post.kind);
        // What nobody renames goes after a day, its content too, and a receipt says so.
        put(&own, &format!("{OUT}/.in.b.txt"), GOOD).await.unwrap();
        let receipt = "PA85858/RECEIPT/.in.b.txt.sftpreceipt";
        assert_eq!(get(&own, receipt).await, Err(Problem::NoSuchFile), "{}: it may yet be renamed", post.kind);
        post.pass(25);
        assert_eq!(post.mailboxes.sweep().await.unwrap(), 0);
        assert!(names(&own, OUT).await.is_empty(), "{}", post.kind);
        let receipt = String::from_utf8(get(&own, receipt).await.unwrap()).unwrap();
        assert!(receipt.contains("<ErrorCode>1013</ErrorCode>"), "{}: {receipt}", post.kind);
        assert_eq!(rename(&own, &format!("{OUT}/.in.b.txt"), &format!("{OUT}/b.txt")).await, Err(Problem::NoSuchFile));
    }
}

/// Somebody else's session, in the middle of one's own: right before what is delivered is written.
async fn log_on_beside(post: &Post, beside: impl Fn() + Send + Sync + 'static) -> EitherHome {
    let once = std::sync::Once::new();
    let at_step = move |step: Step| {
        if step == Step::Admitted {
            once.call_once(&beside);
        }
    };
    let rules = hjemmel::files::partner::core::RULES;
    let mailboxes = Mailboxes::with(post.parts.clone(), "test".parse().unwrap(), rules, Some(std::sync::Arc::new(at_step)));
    let both = Both::new(post.files.clone(), Some(PartnerHomes::new(mailboxes, post.files.clone())));
    let account = both.account(&format!("BRUGER_{INSTITUTION}")).await.unwrap().unwrap();
    both.enter(account.id, key(INSTITUTION), Ipv4Addr::LOCALHOST.into()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_another_session_delivered_or_took_away_is_delivered_no_second_time() {
    for post in Post::all().await {
        let (part, final_name, other_name) = (format!("{OUT}/a.part"), format!("{OUT}/a.txt"), format!("{OUT}/b.txt"));
        for takes_away in [false, true] {
            let before = post.inbox(CENTRAL, 0).await.len();
            let other = std::sync::Arc::new(log_on(&post, INSTITUTION).await);
            put(&other, &part, GOOD).await.unwrap();
            let (in_between, from, to) = (other.clone(), part.clone(), other_name.clone());
            let own = log_on_beside(&post, move || {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(async {
                        match takes_away {
                            true => remove(&in_between, &from).await.unwrap(),
                            false => rename(&in_between, &from, &to).await.unwrap(),
                        }
                    });
                });
            });
            let told = rename(&own.await, &part, &final_name).await;
            assert_eq!(told, Err(Problem::NoSuchFile), "{} {takes_away}", post.kind);
            post.settle().await;
            let came = post.inbox(CENTRAL, 0).await.split_off(before);
            let came: Vec<_> = came.iter().map(|file| file.name.spelt()).collect();
            let due: &[&str] = if takes_away { &[] } else { &["b.txt"] };
            assert_eq!(came, due, "{} {takes_away}", post.kind);
            let receipt = get(&other, "PA85858/RECEIPT/a.txt.sftpreceipt").await;
            assert_eq!(receipt, Err(Problem::NoSuchFile), "{}: whoever delivered has the receipt", post.kind);
        }
    }
}

#[tokio::test]
async fn what_gives_way_to_a_rename_stays_where_the_rename_is_refused_and_room_is_counted_once() {
    for post in Post::all().await {
        let quota = GOOD.len() * 2;
        post.put(terms(INSTITUTION, &format!("quota_bytes = {quota}\n{OWN}"))).await;
        let own = log_on(&post, INSTITUTION).await;
        let lying = async || {
            let row = hjemmel::store::sql("SELECT bytes_lying, files_lying FROM mailbox WHERE number = $1").bind(INSTITUTION);
            let row = post.database.first(row).await.unwrap().unwrap();
            (row.get::<i64>("bytes_lying").unwrap(), row.get::<i64>("files_lying").unwrap())
        };
        let of = |files: i64| (files * i64::try_from(GOOD.len()).unwrap(), files);
        let replace = async |from: &str, to: &str| {
            let (Place::File(old, from), Place::File(new, to)) = (place(&own, from), place(&own, to)) else { panic!("files") };
            own.rename((&old, &from), (&new, &to), true).await
        };
        let (first, second) = (format!("{OUT}/a.part"), format!("{OUT}/b.part"));
        put(&own, &first, GOOD).await.unwrap();
        put(&own, &second, GOOD).await.unwrap();
        post.set(INSTITUTION, Standing::Suspended).await;
        assert!(replace(&first, &second).await.is_err(), "{}", post.kind);
        post.set(INSTITUTION, Standing::Active).await;
        assert_eq!(names(&own, OUT).await, ["a.part", "b.part"], "{}: both stay", post.kind);
        assert_eq!(lying().await, of(2), "{}", post.kind);
        replace(&first, &second).await.unwrap();
        assert_eq!(names(&own, OUT).await, ["b.part"], "{}", post.kind);
        assert_eq!(lying().await, of(1), "{}", post.kind);
        post.mailboxes.count_what_lies().await.unwrap();
        assert_eq!(lying().await, of(1), "{}: counted anew it is the same", post.kind);
        put(&own, &first, GOOD).await.unwrap();
        assert_eq!(lying().await, of(2), "{}: there is room again", post.kind);
    }
}

#[tokio::test]
async fn an_upload_that_is_sent_again_is_one_delivery_until_it_is_fetched() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        let path = format!("{OUT}/a.txt");
        put(&own, &path, GOOD).await.unwrap();
        put(&own, &path, GOOD).await.unwrap();
        put(&own, &format!("{OUT}/a.txt.part"), GOOD).await.unwrap();
        rename(&own, &format!("{OUT}/a.txt.part"), &path).await.unwrap();
        post.settle().await;
        assert_eq!(post.inbox(CENTRAL, 0).await.len(), 1, "{}", post.kind);
        let central = log_on(&post, CENTRAL).await;
        get(&central, &format!("{IN}/a.txt")).await.unwrap();
        remove(&central, &format!("{IN}/a.txt")).await.unwrap();
        put(&own, &path, GOOD).await.unwrap();
        post.settle().await;
        assert_eq!(post.inbox(CENTRAL, 0).await.len(), 2, "{}: next month's file may be the same", post.kind);
    }
}

#[tokio::test]
async fn two_files_of_one_name_lie_beside_each_other_and_keep_their_names() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        let other = b"P;4711;D;2,00\nP;4711;K;2,00\nK;2026;2;2,00;2,00\n";
        for content in [GOOD, other] {
            put(&own, &format!("{OUT}/a.txt"), content).await.unwrap();
            post.settle().await;
        }
        let central = log_on(&post, CENTRAL).await;
        let listed = names(&central, IN).await;
        let second = post.inbox(CENTRAL, 0).await.remove(1);
        let second = format!("{}-a.txt", second.id);
        assert!(
            listed.len() == 2 && listed.contains(&"a.txt".to_owned()) && listed.contains(&second),
            "{}: {listed:?}",
            post.kind
        );
        assert_eq!(get(&central, &format!("{IN}/a.txt")).await.unwrap(), GOOD);
        remove(&central, &format!("{IN}/a.txt")).await.unwrap();
        assert_eq!(names(&central, IN).await, [second.as_str()], "{}: it is not renamed meanwhile", post.kind);
        assert_eq!(get(&central, &format!("{IN}/{second}")).await.unwrap(), other);
    }
}

#[tokio::test]
async fn a_user_sees_its_own_agreements_streams_and_aliases_and_nothing_else() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        assert_eq!(names(&own, "").await, ["PA85858/"], "{}", post.kind);
        assert_eq!(names(&own, "PA85858").await, ["IN/", "OUT/", "RECEIPT/"]);
        assert_eq!(names(&own, "PA85858/OUT").await, ["LOENPOSTER/"]);
        assert_eq!(names(&own, "PA85858/OUT/LOENPOSTER").await, ["LOENGRUPPE=4711/"]);
        assert_eq!(names(&own, "PA85858/IN/LOENRESULTAT").await, ["LOENGRUPPE=4711/"]);
        let central = log_on(&post, CENTRAL).await;
        assert_eq!(names(&central, "PA00001/OUT/LOENRESULTAT").await, ["LOENGRUPPE=4711/"], "{}: its partners'", post.kind);
        put(&central, "PA00001/OUT/LOENRESULTAT/LOENGRUPPE=4711/r.txt", b"r").await.unwrap();
        post.settle().await;
        assert_eq!(get(&own, "PA85858/IN/LOENRESULTAT/LOENGRUPPE=4711/r.txt").await.unwrap(), b"r");
        let stranger = log_on(&post, STRANGER).await;
        for path in ["PA85858", "PA85858/IN", "PA00001/IN/LOENPOSTER", "PA12345", "PA99999/OUT/LOENPOSTER"] {
            let Place::Folder(folder) = place(&stranger, path) else { panic!("{path}") };
            assert_eq!(stranger.folder(&folder).await, Err(Problem::NoSuchFile), "{}: {path}", post.kind);
        }
        assert_eq!(get(&stranger, "PA85858/IN/LOENRESULTAT/LOENGRUPPE=4711/r.txt").await, Err(Problem::NoSuchFile));
        assert_eq!(put(&stranger, &format!("{OUT}/a.txt"), GOOD).await, Err(Problem::NoSuchFile));
        assert!(names(&own, "PA85858/RECEIPT").await.is_empty(), "{}: nobody writes in another's", post.kind);
    }
}

#[tokio::test]
async fn what_is_refused_as_it_comes_has_a_receipt_that_says_why() {
    for post in Post::all().await {
        post.put(terms(INSTITUTION, &OWN.replace("largest_bytes = 1000000", "largest_bytes = 100"))).await;
        let own = log_on(&post, INSTITUTION).await;
        assert_eq!(put(&own, &format!("{OUT}/big.txt"), &[b'x'; 101]).await, Err(Problem::TooLarge), "{}", post.kind);
        let of_alias = put(&own, "PA85858/OUT/LOENPOSTER/LOENGRUPPE=9999/alias.txt", b"x").await;
        assert!(matches!(of_alias, Err(Problem::Refused(_))), "{}: {of_alias:?}", post.kind);
        let of_name = put(&own, &format!("{OUT}/a:b"), b"x").await;
        assert!(matches!(of_name, Err(Problem::Refused(_))), "{}: {of_name:?}", post.kind);
        // A gap of four exabytes costs nothing.
        let mut file = open(&own, &format!("{OUT}/far.txt")).await.unwrap();
        assert_eq!(file.write_at(1 << 62, Bytes::from_static(b"x")).await, Err(Problem::TooLarge));
        assert_eq!(file.close().await, Err(Problem::TooLarge), "{}: what was refused stays so", post.kind);
        post.set(INSTITUTION, Standing::Suspended).await;
        let suspended = put(&own, &format!("{OUT}/later.txt"), b"x").await;
        assert!(matches!(suspended, Err(Problem::Refused(_))), "{}: {suspended:?}", post.kind);
        for (name, code) in [("big.txt", 1060), ("alias.txt", 1055), ("a:b", 1004), ("far.txt", 1060), ("later.txt", 1055)] {
            let receipt = get(&own, &format!("PA85858/RECEIPT/{name}.sftpreceipt")).await.unwrap();
            let receipt = String::from_utf8(receipt).unwrap();
            assert!(receipt.contains(&format!("<ErrorCode>{code}</ErrorCode>")), "{} {name}: {receipt}", post.kind);
            assert!(!receipt.contains(name), "{}: no name of a file", post.kind);
        }
        post.settle().await;
        assert!(post.inbox(CENTRAL, 0).await.is_empty(), "{}", post.kind);
    }
}

#[tokio::test]
async fn a_file_of_which_a_part_was_never_written_reaches_nobody_and_is_not_kept_under_a_name_that_waits() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        for name in ["a.txt", "b.txt.part"] {
            let mut file = open(&own, &format!("{OUT}/{name}")).await.unwrap();
            file.write_at(4, Bytes::from_static(b"tail")).await.unwrap();
            assert_eq!(file.close().await, Err(Problem::NotWhole), "{} {name}", post.kind);
            let receipt = get(&own, &format!("PA85858/RECEIPT/{name}.sftpreceipt")).await.unwrap();
            let receipt = String::from_utf8(receipt).unwrap();
            assert!(receipt.contains("<ErrorCode>1014</ErrorCode>"), "{} {name}: {receipt}", post.kind);
        }
        assert!(names(&own, OUT).await.is_empty(), "{}", post.kind);
        post.settle().await;
        assert!(post.inbox(CENTRAL, 0).await.is_empty(), "{}", post.kind);
        // Whole, and out of order, it is delivered.
        let mut file = open(&own, &format!("{OUT}/a.txt")).await.unwrap();
        let (head, tail) = GOOD.split_at(3);
        file.write_at(3, Bytes::from_static(tail)).await.unwrap();
        file.write_at(0, Bytes::from_static(head)).await.unwrap();
        file.close().await.unwrap();
        post.settle().await;
        assert_eq!(post.inbox(CENTRAL, 0).await.len(), 1, "{}", post.kind);
    }
}

#[tokio::test]
async fn whoever_only_fetches_neither_sees_nor_removes_what_became_of_what_others_put() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/a.txt"), b"x").await.unwrap();
        post.settle().await;
        let receipt = "PA85858/RECEIPT/a.txt.sftpreceipt";
        let mut session = post.database.session().await.unwrap();
        let user = users::named(&mut session, "BRUGER_PA00001").await.unwrap().unwrap();
        let mailbox = hjemmel::files::partner::agreement::numbered(&mut session, number(INSTITUTION)).await.unwrap().unwrap();
        let fetches = users::Right { number: number(INSTITUTION), fetches: true, delivers: false };
        users::give(&mut session, user.id, mailbox.id, fetches).await.unwrap();
        drop(session);
        let other = log_on(&post, CENTRAL).await;
        assert_eq!(get(&other, receipt).await, Err(Problem::Denied), "{}", post.kind);
        assert_eq!(remove(&other, receipt).await, Err(Problem::Denied), "{}", post.kind);
        let Place::Folder(folder) = place(&other, "PA85858/RECEIPT") else { panic!("a folder") };
        assert_eq!(other.list(Some(&folder), None, 10).await.map(drop), Err(Problem::Denied), "{}", post.kind);
        assert!(get(&own, receipt).await.is_ok(), "{}", post.kind);
        // Nor does it leave any: what it may not put is refused and no more.
        assert_eq!(put(&other, &format!("{OUT}/b.txt"), b"x").await, Err(Problem::Denied), "{}", post.kind);
        assert_eq!(names(&own, "PA85858/RECEIPT").await, ["a.txt.sftpreceipt"], "{}", post.kind);
        // Suspended, its deliverer still reads what became of its files.
        post.set(INSTITUTION, Standing::Suspended).await;
        assert!(get(&log_on(&post, INSTITUTION).await, receipt).await.is_ok(), "{}", post.kind);
    }
}

#[tokio::test]
async fn a_full_disk_a_name_under_way_and_one_file_too_many_have_a_receipt_with_their_own_reason() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        let receipt = async |name: &str| {
            let receipt = get(&own, &format!("PA85858/RECEIPT/{name}.sftpreceipt")).await;
            String::from_utf8(receipt.unwrap_or_else(|problem| panic!("{} {name}: {problem:?}", post.kind))).unwrap()
        };
        let first = open(&own, &format!("{OUT}/a.txt")).await.unwrap();
        assert_eq!(open(&own, &format!("{OUT}/a.txt")).await.map(drop), Err(Problem::Busy), "{}", post.kind);
        assert!(receipt("a.txt").await.contains("<ErrorCode>1012<"), "{}", post.kind);
        let mut under_way = vec![first];
        let refused = loop {
            match open(&own, &format!("{OUT}/{}.txt", under_way.len())).await {
                Ok(file) => under_way.push(file),
                Err(problem) => break problem,
            }
            assert!(under_way.len() < 100, "{}: without an end", post.kind);
        };
        assert!(matches!(refused, Problem::Refused(_)), "{}: {refused:?}", post.kind);
        let told = receipt(&format!("{}.txt", under_way.len())).await;
        assert!(told.contains("<ErrorCode>1060<") && told.contains("for mange filer er på vej"), "{}: {told}", post.kind);
        drop(under_way);
        let mut settings = hjemmel::files::Settings::usual("test".parse().unwrap(), post.folder.join("staging"));
        settings.least_free = u64::MAX;
        let files = hjemmel::files::Files::new(post.parts.clone(), settings);
        files.look_at_staging().await.unwrap();
        let homes = PartnerHomes::new(post.mailboxes.clone(), files.clone());
        let both = Both::new(files, Some(homes));
        let account = both.account(&format!("BRUGER_{INSTITUTION}")).await.unwrap().unwrap();
        let full = both.enter(account.id, key(INSTITUTION), Ipv4Addr::LOCALHOST.into()).await.unwrap();
        assert_eq!(put(&full, &format!("{OUT}/full.txt"), GOOD).await, Err(Problem::DiskFull), "{}", post.kind);
        let told = receipt("full.txt").await;
        assert!(told.contains("<ErrorCode>1060<") && told.contains("platformens disk er fuld"), "{}: {told}", post.kind);
    }
}

#[tokio::test]
async fn a_file_that_is_being_read_ends_with_the_right_to_it_and_with_the_agreement() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/a.txt"), GOOD).await.unwrap();
        post.settle().await;
        let central = log_on(&post, CENTRAL).await;
        let Place::File(folder, name) = place(&central, &format!("{IN}/a.txt")) else { panic!("a file") };
        let believed = std::time::Duration::from_millis(300);
        let mut file = central.read(&folder, &name).await.unwrap();
        assert_eq!(file.read_at(0, 3).await.unwrap(), GOOD[..3]);
        post.set(CENTRAL, Standing::Suspended).await;
        tokio::time::sleep(believed).await;
        let ended = file.read_at(3, 3).await;
        assert!(matches!(ended, Err(Problem::Refused(_))), "{}: {ended:?}", post.kind);
        post.set(CENTRAL, Standing::Active).await;
        assert_eq!(file.read_at(3, 3).await.unwrap(), GOOD[3..6]);
        let mut session = post.database.session().await.unwrap();
        let user = users::named(&mut session, "BRUGER_PA00001").await.unwrap().unwrap();
        let mailbox = hjemmel::files::partner::agreement::numbered(&mut session, number(CENTRAL)).await.unwrap().unwrap();
        let none = users::Right { number: number(CENTRAL), fetches: false, delivers: true };
        users::give(&mut session, user.id, mailbox.id, none).await.unwrap();
        drop(session);
        tokio::time::sleep(believed).await;
        assert_eq!(file.read_at(6, 3).await, Err(Problem::Denied), "{}", post.kind);
    }
}

#[tokio::test]
async fn of_what_an_agreement_has_delivered_no_more_lies_than_its_terms_say_by_whatever_door() {
    for post in Post::all().await {
        let quota = GOOD.len() * 2;
        post.put(terms(INSTITUTION, &format!("quota_bytes = {quota}\n{OWN}"))).await;
        let own = log_on(&post, INSTITUTION).await;
        let lying = async || {
            let row = hjemmel::store::sql("SELECT bytes_lying, files_lying FROM mailbox WHERE number = $1").bind(INSTITUTION);
            let row = post.database.first(row).await.unwrap().unwrap();
            (row.get::<i64>("bytes_lying").unwrap(), row.get::<i64>("files_lying").unwrap())
        };
        let of = |files: i64| (files * i64::try_from(GOOD.len()).unwrap(), files);
        let file = post.delivered(GOOD).await;
        // What waits for its name counts, and its delivery counts it once.
        put(&own, &format!("{OUT}/b.txt.part"), GOOD).await.unwrap();
        assert_eq!(lying().await, of(2), "{}", post.kind);
        rename(&own, &format!("{OUT}/b.txt.part"), &format!("{OUT}/b.txt")).await.unwrap();
        post.settle().await;
        assert_eq!(lying().await, of(2), "{}", post.kind);
        for name in ["c.txt", "c.txt.part"] {
            assert_eq!(put(&own, &format!("{OUT}/{name}"), GOOD).await, Err(Problem::NoSpace), "{} {name}", post.kind);
            let receipt = get(&own, &format!("PA85858/RECEIPT/{name}.sftpreceipt")).await.unwrap();
            assert!(String::from_utf8(receipt).unwrap().contains("<ErrorCode>1060<"), "{} {name}", post.kind);
        }
        post.refuses_delivery("MailboxFull").await;
        // Others have room: it is an agreement's own.
        put(&log_on(&post, CENTRAL).await, "PA00001/OUT/LOENRESULTAT/LOENGRUPPE=4711/r.txt", GOOD).await.unwrap();
        // Fetched, it lies for the agreed days; then there is room.
        let central = post.enter(CENTRAL).await;
        super::mailboxes::read(&post.mailboxes, &central, CENTRAL, &file, 0).await.unwrap();
        post.mailboxes.confirm(&central, number(CENTRAL), file.id, &file.sha256).await.unwrap();
        post.pass(15 * 24);
        assert_eq!(post.mailboxes.sweep().await.unwrap(), 0);
        assert_eq!(lying().await, of(1), "{}", post.kind);
        post.mailboxes.count_what_lies().await.unwrap();
        assert_eq!(lying().await, of(1), "{}: counted anew it is the same", post.kind);
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/.c"), GOOD).await.unwrap();
        remove(&own, &format!("{OUT}/.c")).await.unwrap();
        put(&own, &format!("{OUT}/c.txt"), GOOD).await.unwrap();
        assert_eq!(lying().await, of(2), "{}", post.kind);
    }
}

#[tokio::test]
async fn how_much_room_there_is_is_told_of_the_agreement_that_a_folder_belongs_to_and_of_no_other() {
    for post in Post::all().await {
        let (one, quota) = (GOOD.len() as u64, GOOD.len() as u64 * 10);
        post.put(terms(INSTITUTION, &format!("quota_bytes = {quota}\n{OWN}"))).await;
        let own = log_on(&post, INSTITUTION).await;
        let of = |path: &str| match place(&own, path) {
            Place::Folder(folder) => folder,
            _ => panic!("{path} is a folder"),
        };
        let told = async |folder: Option<&EitherFolder>| {
            let told = own.quota(folder).await?;
            Ok::<_, Problem>((told.bytes_used, told.bytes_limit, told.files_used, told.files_limit))
        };
        let most = Some(MOST_FILES);
        for files in 0..3 {
            for folder in [None, Some(&of("PA85858")), Some(&of(OUT))] {
                assert_eq!(told(folder).await, Ok((one * files, Some(quota), files, most)), "{}", post.kind);
            }
            post.delivered(GOOD).await;
        }
        assert_eq!(told(Some(&of("PA00001"))).await, Err(Problem::NoSuchFile), "{}: another's", post.kind);
    }
}

#[tokio::test]
async fn a_user_of_homes_does_not_get_the_name_of_a_mailbox_user_with_a_key_nor_the_other_way_round() {
    use hjemmel::files::users::{Used, User, UserError, add};
    for post in Post::all().await {
        let now: jiff::Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let home = |name: &str| User {
            id: uuid::Uuid::now_v7(),
            name: name.to_owned(),
            environment: "test".parse().unwrap(),
            system: uuid::Uuid::now_v7(),
            authority: "11111111".parse().unwrap(),
            older_root: false,
            bytes_limit: 1,
            disabled: false,
            valid_to: None,
            seen: None,
            refused: None,
            used: Used::default(),
        };
        let mut session = post.database.session().await.unwrap();
        let taken = add(&mut session, &home("BRUGER_PA85858"), now).await;
        assert!(matches!(taken, Err(UserError::OfTheOther)), "{}: {taken:?}", post.kind);
        add(&mut session, &home("HJEM"), now).await.unwrap();
        let taken = users::can_be(&mut session, "HJEM", &[users::Shown::Key(key("HJEM"))]).await;
        assert!(matches!(taken, Err(users::UserError::OfTheOther(_))), "{}: {taken:?}", post.kind);
        let gone = users::named(&mut session, "BRUGER_PA99999").await.unwrap().unwrap();
        users::stand(&mut session, gone.id, users::Standing::Deleted).await.unwrap();
        add(&mut session, &home("BRUGER_PA99999"), now).await.unwrap();
    }
}

#[tokio::test]
async fn a_user_that_is_blocked_or_loses_its_right_is_refused_at_its_next_operation() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        let mut file = open(&own, &format!("{OUT}/a.txt")).await.unwrap();
        file.write_at(0, Bytes::from_static(GOOD)).await.unwrap();
        let mut session = post.database.session().await.unwrap();
        let user = users::named(&mut session, "BRUGER_PA85858").await.unwrap().unwrap();
        users::stand(&mut session, user.id, users::Standing::Blocked).await.unwrap();
        drop(session);
        assert!(file.close().await.is_err(), "{}: what was open too", post.kind);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while own.admitted().await.is_ok() && std::time::Instant::now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(own.admitted().await, Err(Problem::KeyNotAllowed), "{}", post.kind);
        let homes = PartnerHomes::new(post.mailboxes.clone(), post.files.clone());
        assert_eq!(homes.account("BRUGER_PA85858").await, Ok(None), "{}", post.kind);
        post.settle().await;
        assert!(post.inbox(CENTRAL, 0).await.is_empty(), "{}: nothing of it is left", post.kind);
        users::stand(&mut post.database.session().await.unwrap(), user.id, users::Standing::Active).await.unwrap();
        let own = log_on(&post, INSTITUTION).await;
        let mut session = post.database.session().await.unwrap();
        let mailbox = hjemmel::files::partner::agreement::numbered(&mut session, number(INSTITUTION)).await.unwrap().unwrap();
        let none = users::Right { number: number(INSTITUTION), fetches: true, delivers: false };
        users::give(&mut session, user.id, mailbox.id, none).await.unwrap();
        drop(session);
        let again = log_on(&post, INSTITUTION).await;
        assert_eq!(put(&again, &format!("{OUT}/a.txt"), GOOD).await, Err(Problem::Denied), "{}", post.kind);
        drop(own);
    }
}

#[tokio::test]
async fn a_name_in_another_case_lets_nobody_in_and_its_owner_is_told_once_a_day() {
    for post in Post::all().await {
        let homes = PartnerHomes::new(post.mailboxes.clone(), post.files.clone());
        let letters = async || {
            let rows = post.database.all(hjemmel::store::sql("SELECT payload FROM job WHERE kind = 'notice'")).await.unwrap();
            let payload = |row: &hjemmel::store::Row| String::from_utf8(row.get::<Vec<u8>>("payload").unwrap()).unwrap();
            rows.iter().map(payload).collect::<Vec<_>>()
        };
        for name in ["bruger_pa85858", "Bruger_PA85858", "NOBODY", "BRUGER_PA85858 "] {
            assert_eq!(homes.account(name).await, Ok(None), "{}: {name}", post.kind);
            post.mailboxes.looked_at(name).await.unwrap();
        }
        let told = letters().await;
        assert_eq!(told.len(), 1, "{}: {told:?}", post.kind);
        assert!(told[0].contains("loen@kommune.example") && told[0].contains("BRUGER_PA85858"), "{told:?}");
        post.pass(24);
        post.mailboxes.looked_at("bruger_pa85858").await.unwrap();
        assert_eq!(letters().await.len(), 2, "{}", post.kind);
    }
}

#[tokio::test]
async fn a_stream_is_silent_for_a_wrong_key_until_a_right_one_comes() {
    for post in Post::all().await {
        let homes = Both::new(post.files.clone(), Some(PartnerHomes::new(post.mailboxes.clone(), post.files.clone())));
        let cause = async || {
            let silent = post.mailboxes.silent().await.unwrap();
            silent.into_iter().find(|silent| silent.stream == "LOENPOSTER").unwrap().cause
        };
        log_on(&post, INSTITUTION).await;
        post.pass(25);
        assert_eq!(cause().await, Cause::NothingDelivered, "{}", post.kind);
        let account = homes.account(&format!("BRUGER_{INSTITUTION}")).await.unwrap().unwrap();
        assert!(!account.keys.contains(&key(STRANGER)));
        homes.wrong_key(account.id);
        let noted = async {
            while cause().await != Cause::LogOnRefused {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), noted).await.unwrap_or_else(|_| panic!("{}: it is not noted", post.kind));
        // Within the minute in which it was seen: it was no longer refused.
        *post.now.lock().unwrap() += SignedDuration::from_secs(1);
        log_on(&post, INSTITUTION).await;
        assert_eq!(cause().await, Cause::NothingDelivered, "{}", post.kind);
        *post.now.lock().unwrap() += SignedDuration::from_secs(1);
        post.mailboxes.note_refused(account.id).await.unwrap();
        *post.now.lock().unwrap() += SignedDuration::from_secs(1);
        log_on(&post, INSTITUTION).await;
        assert_eq!(cause().await, Cause::NothingDelivered, "{}: a right key a second after a wrong one", post.kind);
    }
}

#[tokio::test]
async fn users_whose_jobs_give_wrong_keys_at_the_same_moment_are_noted_each() {
    for post in Post::all().await {
        let homes = Both::new(post.files.clone(), Some(PartnerHomes::new(post.mailboxes.clone(), post.files.clone())));
        let names = [INSTITUTION, CENTRAL, STRANGER].map(|of| format!("BRUGER_{of}"));
        let mut ids = Vec::new();
        for name in &names {
            ids.push(homes.account(name).await.unwrap().unwrap().id);
        }
        ids.iter().for_each(|id| homes.wrong_key(*id));
        let refused = async |name: &str| {
            let user = users::named(&mut post.database.session().await.unwrap(), name).await.unwrap().unwrap();
            user.refused
        };
        let noted = async {
            for name in &names {
                while refused(name).await.is_none() {
                    tokio::task::yield_now().await;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), noted).await.unwrap_or_else(|_| panic!("{}: one is not noted", post.kind));
    }
}

#[tokio::test]
async fn a_file_that_came_by_the_api_is_got_by_sftp_and_the_other_way_round() {
    for post in Post::all().await {
        let own = log_on(&post, INSTITUTION).await;
        put(&own, &format!("{OUT}/a.txt"), GOOD).await.unwrap();
        post.settle().await;
        let entered = post.enter(CENTRAL).await;
        let file = post.inbox(CENTRAL, 0).await.remove(0);
        super::mailboxes::read(&post.mailboxes, &entered, CENTRAL, &file, 0).await.unwrap();
        post.mailboxes.confirm(&entered, number(CENTRAL), file.id, &file.sha256).await.unwrap();
        let central = log_on(&post, CENTRAL).await;
        assert!(names(&central, "PA00001/IN/LOENPOSTER").await.is_empty(), "{}: confirmed by the API", post.kind);
        let outbox =
            post.mailboxes.list(&post.enter(INSTITUTION).await, number(INSTITUTION), Which::Outbox, 0, 10).await.unwrap();
        assert_eq!(outbox.len(), 1, "{}: what came by SFTP stands in the outbox", post.kind);
    }
}
