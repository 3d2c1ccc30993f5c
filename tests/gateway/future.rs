//! Payments whose day has not come, where the data controller has decided that they are withheld until it does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hjemmel::audit::Record;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::clock::copenhagen;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{UDK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use jiff::civil::{Date, time};
use jiff::{SignedDuration, Timestamp};

use crate::hostile_answers::{GRANT, dated, grant, line, output, owner, payment, properties, registration};
use crate::process::{ask, in_runtime};
use crate::stage::{lines, options};
use crate::wire::Answer;

const SHIPPED: &str = include_str!("../../policies/terminaladgang-6.toml");
/// What today's payment and tomorrow's are of.
const TODAY: &str = "1204.50";
const TOMORROW: &str = "77310077";

/// Seconds until the first noon in Denmark that is followed by a day of the same month: tomorrow is inside the window then,
/// and no midnight comes while the test runs.
fn until_a_good_noon(now: Timestamp) -> (i64, Date) {
    let mut day = now.to_zoned(copenhagen().unwrap()).date();
    loop {
        let noon = day.to_datetime(time(12, 0, 0, 0)).to_zoned(copenhagen().unwrap()).unwrap().timestamp();
        let next = day.tomorrow().unwrap();
        if noon > now && next.month() == day.month() {
            return (noon.duration_since(now).as_secs(), day);
        }
        day = next;
    }
}

fn paid(n: u32, at: &str, amount: &str) -> String {
    let relations = format!("{}{}", line(GRANT, amount), owner(UDK));
    payment(n, &registration(&properties(&dated(at), amount), &relations))
}

/// The index holds these payments; what the caller sees, and what is recorded.
async fn found(world: &World, payments: &[&str]) -> (Answer, Record) {
    let body = output("", &format!("{}{}", grant(GRANT, demo::UDK_ONLY), payments.concat()));
    world.index_mode.set(FaultMode::Says(body.leak()));
    let said = ask(&world.client(Some(Role::Korsbaek)).unwrap()).await;
    assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.answer));
    let record = world.records.recv_timeout(Duration::from_secs(60)).unwrap();
    (Answer { status: said.status, headers: said.headers, body: said.answer }, record)
}

/// What the data controller had decided.
fn settings(record: &Record) -> &BTreeMap<String, String> {
    &record.about.terminaladgang().unwrap().settings
}

/// How many objects and how many fields went because their day has not come.
fn removed(record: &Record) -> (u64, u64) {
    let of = |counts: &BTreeMap<String, u64>| counts.get("future").copied().unwrap_or_default();
    let (_, removed) = record.about.counts().unwrap();
    (of(&removed.objects), of(&removed.fields))
}

#[test]
fn a_payment_of_tomorrow_is_withheld_in_silence_until_its_day_where_that_is_decided() {
    static AHEAD: AtomicI64 = AtomicI64::new(0);
    in_runtime(async {
        let (dir, system) = (tempfile::tempdir().unwrap(), Clock::system());
        let clock = Clock::from_fn(move || system.now() + SignedDuration::from_secs(AHEAD.load(Ordering::SeqCst)));
        let world = World::start(options(dir.path(), clock, "")).await.unwrap();
        let (ahead, day) = until_a_good_noon(world.clock.now());
        AHEAD.store(ahead, Ordering::SeqCst);
        let today = paid(1, &format!("{day}T23:30:00"), TODAY);
        let tomorrow = paid(2, &format!("{}T00:00:00", day.tomorrow().unwrap()), TOMORROW);

        let (answer, record) = found(&world, &[&today, &tomorrow]).await;
        assert!(lines(&answer).len() == 2 && answer.text().contains(TOMORROW), "the policy as shipped: {}", answer.text());
        assert_eq!((settings(&record)["future"].as_str(), removed(&record)), ("release", (0, 0)));

        let withheld = SHIPPED.replace("future = \"release\"", "future = \"withhold\"");
        assert_ne!(withheld, SHIPPED);
        // A version of its own, and the one before is kept: agreements are bound to it.
        let withheld =
            withheld.replace("version = \"1\"", "version = \"2\"").replace("valid-from = 2026-01-01", "valid-from = 2026-01-02");
        std::fs::create_dir(dir.path().join("policies/history")).unwrap();
        std::fs::write(dir.path().join("policies/history/terminaladgang-6.v1.toml"), SHIPPED).unwrap();
        std::fs::write(dir.path().join("policies/terminaladgang-6.toml"), withheld).unwrap();
        world.reload().await.unwrap();

        let (answer, record) = found(&world, &[&today, &tomorrow]).await;
        assert_eq!(lines(&answer).len(), 1, "{}", answer.text());
        assert!(answer.text().contains(TODAY), "what comes later today is of today: {}", answer.text());
        assert!(!answer.text().contains(TOMORROW), "{}", answer.text());
        assert_eq!(settings(&record)["future"], "withhold");
        let (objects, fields) = removed(&record);
        assert!(objects == 1 && fields > 0, "{:?}", record.about);

        let (answer, record) = found(&world, &[&tomorrow]).await;
        let (nothing, _) = found(&world, &[]).await;
        assert!(lines(&answer).is_empty() && removed(&record) == (objects, fields), "{record:?}");
        assert_eq!(answer.text(), nothing.text(), "as if there were nothing, to the byte");

        AHEAD.fetch_add(24 * 3600, Ordering::SeqCst);
        let (answer, record) = found(&world, &[&tomorrow]).await;
        assert!(lines(&answer).len() == 1 && answer.text().contains(TOMORROW), "its day has come: {}", answer.text());
        assert_eq!((settings(&record)["future"].as_str(), removed(&record)), ("withhold", (0, 0)));
        assert_eq!(world.stop().await, 0);
    });
}
