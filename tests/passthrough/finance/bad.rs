//! What a sender does wrong, each with its fault, through a gateway; and that no part of a party is told in the clear wherever it stands.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hjemmel::audit::Outcome;
use hjemmel::clock::Clock;
use hjemmel::services::finance::rules::delivery::NAMESPACE;
use hjemmel::services::finance::rules::sortiment::List;
use hjemmel::stub::finance::refused::CASES;
use hjemmel::stub::finance::sample::Sample;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::gateway::{Finance, receipt, texts};
use super::rules::list;
use crate::world::{BY_CONTEXT, BY_TOKEN, authority_context};

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_that_a_source_must_see_refused_is_refused_with_its_code_in_both_bindings() {
    let finance = Finance::start("").await;
    let parties = Finance::parties(BY_TOKEN);
    for (seed, case) in (500..).zip(CASES) {
        for by_token in [true, false] {
            let context = if by_token { String::new() } else { authority_context(KORSBAEK) };
            let (_, request) = case.request(if by_token { seed } else { seed + 100 }, &parties, &context);
            let answer = match by_token {
                true => finance.passing.by_token(&[], &request).await,
                false => finance.passing.by_context(Role::Korsbaek, "", &request).await,
            };
            let record = finance.passing.record();
            assert_eq!((record.outcome, record.refusal.as_deref()), (Some(Outcome::Refused), Some(case.code)), "{}", case.what);
            if case.code == "SchemaViolated" {
                assert!(answer.status == 500 && answer.text().contains(case.code), "{}: {}", case.what, answer.text());
            } else {
                let codes: BTreeSet<String> = texts(&receipt(&answer).await, "FejlKode").into_iter().collect();
                assert_eq!(codes, [case.code.to_owned()].into(), "{}", case.what);
            }
        }
    }
    assert_eq!(finance.passing.by_token.received.get().count, 0, "the ledger saw none of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_namespaces_are_refused_as_what_they_are() {
    let finance = Finance::start("").await;
    let good = Finance::sample(1, BY_TOKEN, 2).request("");
    let other = NAMESPACE.replace(":1", ":2");
    for (request, code) in [
        // The whole request, the delivery in it, and the request alone.
        (good.replace(NAMESPACE, &other), "OperationUnknown"),
        (
            good.replacen(
                &format!("<fb:FinansbilagLeverance xmlns:fb=\"{NAMESPACE}\">"),
                &format!("<fb:FinansbilagLeverance xmlns:fb=\"{other}\">"),
                1,
            ),
            "SchemaViolated",
        ),
        (
            good.replace("<fb:Kode>", "<fb:Kode xmlns:fb=\"http://serviceplatformen.dk/xml/schemas/kvittering/1/\">"),
            "SchemaViolated",
        ),
        (good.replace("<fb:Kontrol>", "<Kontrol>").replace("</fb:Kontrol>", "</Kontrol>"), "SchemaViolated"),
        // The file of mass delivery is no call.
        (Finance::sample(1, BY_TOKEN, 2).delivery(), "OperationUnknown"),
    ] {
        let answer = finance.passing.by_token(&[], &request).await;
        let record = finance.passing.record();
        assert_eq!(record.refusal.as_deref(), Some(code), "{}", answer.text());
        assert!(answer.status == 500 && answer.text().contains(code), "{}", answer.text());
    }
    assert_eq!(finance.passing.by_token.received.get().count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_passed_on_and_what_is_larger_than_the_limit_is_refused_before_it_is_read() {
    let finance = Finance::start("").await;
    let mut sample = Finance::sample(2, BY_TOKEN, 1);
    let voucher = sample.vouchers[0].clone();
    // Vouchers with much text, so that reading them is not most of the test.
    let filled = |at: usize| {
        let mut voucher = voucher.clone();
        voucher.id = format!("00000000-0000-4000-8000-{at:012}");
        voucher.after = vec![("Bilagstekst", "ø".repeat(255))];
        voucher
    };
    while sample.request("").len() < 9_500_000 {
        let from = sample.vouchers.len();
        sample.vouchers.extend((from..from + 200).map(filled));
    }
    let answer = finance.passing.by_token(&[], &sample.request("")).await;
    let record = finance.passing.record();
    let told = receipt(&answer).await;
    assert_eq!(
        texts(&told, "ForretningsValideringsKode"),
        ["ACCEPTERET"],
        "{:?} {:?}",
        texts(&told, "FejlKode"),
        texts(&told, "FejlTekst")
    );
    assert_eq!(record.about.finance().unwrap().figures.vouchers as usize, sample.vouchers.len());
    let more = sample.vouchers.len();
    sample.vouchers.extend((more..more + 2_000).map(filled));
    let answer = finance.passing.by_token(&[], &sample.request("")).await;
    assert_eq!((answer.status, finance.passing.by_token.received.get().count), (413, 1), "{}", answer.text());
    assert!(answer.text().contains("BodyTooLarge") && answer.text().contains("10485760"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_list_that_ended_yesterday_and_a_day_of_the_wrong_zone_are_refused_with_their_day() {
    let refuse = "[service.pass.rules]\nFB002 = \"refuse\"\nFB021 = \"refuse\"";
    let finance = Finance::start(refuse).await;
    // The list holds to the end of the year, the code "ended" to the 26th of November.
    for (seed, (date, code, expected)) in (700..).zip([
        ("2026-12-31", "22.0", None),
        ("2027-01-01", "22.0", Some("FB002")),
        ("2026-11-26", "ended", None),
        ("2026-11-27", "ended", Some("FB021")),
    ]) {
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        sample.vouchers[0].date = date.to_owned();
        sample.vouchers[0].postings[0].codes = vec![["Art".to_owned(), code.to_owned(), String::new()]];
        let (answer, record) = finance.send(&sample).await;
        let told = receipt(&answer).await;
        assert_eq!(record.refusal.as_deref(), expected, "{date} {code}: {told}");
        assert!(expected.is_none() || told.contains(date), "it names the day: {told}");
    }
    // A system that takes its days from UTC books the last hour of a Danish day's eve a day early, and its last instant a day late.
    for (seed, (instant, danish)) in (900..).zip([
        ("2026-12-31T22:59:59Z", "2026-12-31"),
        ("2026-12-31T23:30:00Z", "2027-01-01"),
        ("2027-06-30T22:00:00Z", "2027-07-01"),
    ]) {
        let instant: Timestamp = instant.parse().unwrap();
        let day = instant.to_zoned(TimeZone::get("Europe/Copenhagen").unwrap()).date();
        assert_eq!(day.to_string(), danish);
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        // What was sent when says nothing of the day on which it is booked.
        sample.sent = instant.to_string();
        sample.vouchers[0].date = danish.to_owned();
        let (answer, record) = finance.send(&sample).await;
        let holds = danish < "2027-01-01";
        assert_eq!(record.refusal.as_deref(), if holds { None } else { Some("FB002") }, "{instant}");
        assert!(holds || receipt(&answer).await.contains(danish));
        // A day with a zone is no day here.
        sample.vouchers[0].date = format!("{danish}Z");
        assert_eq!(finance.send(&sample).await.1.refusal.as_deref(), Some("SchemaViolated"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_each_side_of_midnight_in_copenhagen_a_call_has_its_day_s_route_and_its_vouchers_their_day_s_value_list() {
    let zone = TimeZone::get("Europe/Copenhagen").unwrap();
    // The next midnight, so that certificates made now hold there.
    let today = Clock::system().now().to_zoned(zone.clone()).date();
    let tomorrow = today.tomorrow().unwrap();
    let midnight = tomorrow.to_zoned(zone).unwrap().timestamp();
    let second = SignedDuration::from_secs(1);
    let now = Arc::new(Mutex::new(midnight - second));
    let clock = Clock::from_fn({
        let now = now.clone();
        move || *now.lock().unwrap()
    });
    // From that day on another version holds, in which a code is gone and another is new.
    let ending = List { to: Some(today), ..list() };
    let mut beginning = List { version: "ny".to_owned(), from: tomorrow, to: None, ..list() };
    let art = beginning.parts.get_mut("Art").unwrap();
    let gone = art.codes.remove("22.0").unwrap();
    art.codes.insert("99.9".to_owned(), gone);
    let refuse = "[service.pass.rules]\nFB002 = \"refuse\"\nFB020 = \"refuse\"\nFB021 = \"refuse\"";
    let finance = Finance::start_at(&[ending, beginning], refuse, clock).await;
    let passing = &finance.passing;
    passing.moved_from(tomorrow).await;
    let mut seed = 0;
    let mut sent = async |list: &str, day: jiff::civil::Date, code: &str| {
        seed += 1;
        let mut sample = Finance::sample(seed, BY_TOKEN, 1);
        if list == "ny" {
            (sample.list[2], sample.list[3]) = (list.to_owned(), tomorrow.to_string());
        }
        let voucher = &mut sample.vouchers[0];
        voucher.date = day.to_string();
        voucher.before.clear();
        voucher.postings.iter_mut().for_each(|posting| posting.codes = vec![["Art".to_owned(), code.to_owned(), String::new()]]);
        let (answer, record) = finance.send(&sample).await;
        (record.refusal, receipt(&answer).await)
    };
    let reached = || (passing.by_token.received.get().count, passing.by_context.received.get().count);
    assert_eq!(sent("2026", today, "22.0").await.0, None);
    assert_eq!(reached(), (1, 0), "a second before midnight: the old route");
    let (refusal, told) = sent("2026", tomorrow, "22.0").await;
    assert!(refusal.as_deref() == Some("FB002") && told.contains(&tomorrow.to_string()), "{refusal:?} {told}");
    assert_eq!(sent("ny", today, "99.9").await.0.as_deref(), Some("FB002"), "published, and not in force that day");

    *now.lock().unwrap() = midnight + second;
    assert_eq!(sent("ny", tomorrow, "99.9").await.0, None);
    assert_eq!(reached(), (1, 1), "a second after it: the new route");
    assert_eq!(sent("ny", tomorrow, "22.0").await.0.as_deref(), Some("FB020"));
    assert_eq!(sent("2026", tomorrow, "22.0").await.0.as_deref(), Some("FB002"));
    // What is booked on the day before is judged by that day's list, whenever it is sent.
    assert_eq!(sent("2026", today, "22.0").await.0, None);
    assert_eq!(reached(), (1, 2));
}

/// Numbers that nobody has: their days are of no month.
fn number(at: usize) -> String {
    format!("{:02}0180{:04}", 61 + at % 31, 1000 + at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_in_any_text_or_place_of_a_delivery_is_in_no_answer_record_metric_or_log_in_the_clear() {
    let log = crate::log::now();
    let refuse = "[service.pass.rules]\nFB002 = \"refuse\"\nFB020 = \"refuse\"\nFB021 = \"refuse\"\nFB040 = \"refuse\"";
    let finance = Finance::start(refuse).await;
    let whole = |seed: u64| {
        let parties = Finance::parties(BY_TOKEN);
        let mut sample = Sample::boundaries(seed, &parties);
        sample.vouchers.remove(0);
        sample
    };
    // Each element in turn, by its place: the number is all of its text, or stands in it with the URN and with a hyphen.
    let base = whole(1).request("");
    let leaves: Vec<&str> = base.split("</fb:").filter_map(|part| part.split('>').next()).collect();
    let leaves: BTreeSet<&str> = leaves.into_iter().filter(|name| base.contains(&format!("<fb:{name}>"))).collect();
    // An amount is told as a sum, whatever its digits.
    let amounts = ["Beloeb", "SumDebet", "SumKredit"];
    let leaves: BTreeSet<&str> = leaves.into_iter().filter(|leaf| !amounts.contains(leaf)).collect();
    assert!(leaves.len() > 30, "{leaves:?}");
    let (mut sent, mut refused) = (0, 0);
    for (at, leaf) in leaves.iter().enumerate() {
        let person = number(at);
        let hyphened = format!("{}-{}", &person[..6], &person[6..]);
        for (turn, text) in [person.clone(), format!("urn:oio:cpr-nr:{person}"), format!("Vedr. {hyphened}")].iter().enumerate() {
            let request = whole((at * 3 + turn) as u64 + 10).request("");
            let start = format!("<fb:{leaf}>");
            let from = request.find(&start).unwrap() + start.len();
            let to = from + request[from..].find(&format!("</fb:{leaf}>")).unwrap();
            let request = format!("{}{text}{}", &request[..from], &request[to..]);
            let answer = finance.passing.by_token(&[], &request).await;
            let record = finance.passing.record();
            let told = serde_json::to_string(&record).unwrap();
            sent += 1;
            refused += usize::from(record.refusal.is_some());
            for hidden in [&person, &hyphened] {
                // The ledger's own answer may name the code that it was sent, to the one who sent it.
                assert!(record.refusal.is_none() || !answer.text().contains(hidden.as_str()), "{leaf}: {}", answer.text());
                assert!(!told.contains(hidden.as_str()), "{leaf}: {told}");
            }
        }
    }
    assert!(refused > 60 && refused < sent, "{refused} of {sent} refused");
    let metrics = finance.passing.metrics().await;
    let files: Vec<String> = walk(&finance.passing.world.dir).into_iter().filter(|path| !path.ends_with(".pem")).collect();
    assert!(metrics.contains("hjemmel_"), "{metrics}");
    let logged = log.lines();
    assert!(!logged.is_empty(), "the log is on");
    for at in 0..leaves.len() {
        assert!(!metrics.contains(&number(at)));
        let (person, hyphened) = (number(at), format!("{}-{}", &number(at)[..6], &number(at)[6..]));
        for hidden in [person, hyphened] {
            let found = memchr::memmem::find(&logged, hidden.as_bytes());
            let line = |from: usize| {
                String::from_utf8_lossy(&logged[from.saturating_sub(300)..(from + 100).min(logged.len())]).into_owned()
            };
            assert!(found.is_none(), "{hidden} is logged: {}", found.map(line).unwrap_or_default());
        }
        for file in &files {
            let bytes = std::fs::read(file).unwrap_or_default();
            assert!(memchr::memmem::find(&bytes, number(at).as_bytes()).is_none(), "{} stands in {file}", number(at));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ledger_says_of_a_person_in_a_fault_or_against_the_contract_is_in_no_answer_record_metric_or_log() {
    let log = crate::log::now();
    let finance = Finance::start("").await;
    let passing = &finance.passing;
    // What the stub's own fault names, what a ledger says beside its contract, and who stands in the vouchers.
    let (fault, said, sent) = ("6101801234".to_owned(), number(90), number(91));
    let body = format!("<x:Svar xmlns:x=\"urn:x\"><x:Part>urn:oio:cpr-nr:{said}</x:Part></x:Svar>");
    let modes = [Mode::UndeclaredFault, Mode::DeclaredFault(None), Mode::Says(body.into()), Mode::Invalid, Mode::Cut];
    let mut seed = 0;
    for mode in modes {
        for provider in [&passing.by_token, &passing.by_context] {
            provider.mode.set(mode.clone());
        }
        for (receiver, by_token) in [(BY_TOKEN, true), (BY_TOKEN, false), (BY_CONTEXT, true), (BY_CONTEXT, false)] {
            seed += 1;
            let mut sample = Finance::sample(seed, receiver, 1);
            sample.vouchers[0].postings.truncate(1);
            let mut credit = sample.vouchers[0].postings[0].clone();
            (credit.number, credit.side) = ("2".to_owned(), "K");
            sample.vouchers[0].postings.push(credit);
            sample.vouchers[0].postings[0].rest = vec![("Part", format!("urn:oio:cpr-nr:{sent}"))];
            let context = if by_token { String::new() } else { authority_context(KORSBAEK) };
            let request = sample.request(&context);
            let answer = match by_token {
                true => passing.by_token(&[], &request).await,
                false => passing.by_context(Role::Korsbaek, "", &request).await,
            };
            let record = passing.record();
            assert!(record.refusal.is_some(), "{mode} {receiver}: {}", answer.text());
            let told = answer.text() + &serde_json::to_string(&record).unwrap();
            for hidden in [&fault, &said, &sent] {
                assert!(!told.contains(hidden.as_str()), "{mode} {receiver}: {hidden} in {told}");
            }
        }
    }
    let (metrics, logged) = (passing.metrics().await, log.lines());
    assert!(metrics.contains("hjemmel_") && !logged.is_empty());
    let files: Vec<String> = walk(&passing.world.dir).into_iter().filter(|path| !path.ends_with(".pem")).collect();
    for hidden in [fault, said, sent] {
        assert!(!metrics.contains(&hidden) && memchr::memmem::find(&logged, hidden.as_bytes()).is_none(), "{hidden}");
        for file in &files {
            let bytes = std::fs::read(file).unwrap_or_default();
            assert!(memchr::memmem::find(&bytes, hidden.as_bytes()).is_none(), "{hidden} stands in {file}");
        }
    }
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
}
