//! A delivery is passed on once: what is sent again, at once, after a lost answer, with other content, by another, or voucher by voucher.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::route::store::{Decision, InTheWay};
use hjemmel::audit::Outcome;
use hjemmel::clock::Clock;
use hjemmel::store::{Access, Database, Settings, sql};
use hjemmel::stub::finance::sample::Sample;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::gateway::{Finance, receipt, texts};
use crate::world::{BY_TOKEN, Passing, authority_context};

/// What Prometheus is told of deliveries that were known before.
async fn counted(passing: &Passing, what: &str) -> u64 {
    let metrics = metrics(passing.world.admin).await;
    let line = format!("hjemmel_deliveries_total{{what=\"{what}\"}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

async fn metrics(admin: std::net::SocketAddr) -> String {
    let mut stream = tokio::net::TcpStream::connect(admin).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Waits until a metric with this label is as many: what closes is counted a moment after its answer has left.
async fn comes_to_count(passing: &Passing, metric: &str, label: &str, due: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let metrics = metrics(passing.world.admin).await;
        let lines = metrics.lines().filter(|line| line.starts_with(&format!("{metric}{{")) && line.contains(label));
        let found: Vec<&str> = lines.filter_map(|line| line.rsplit(' ').next()).collect();
        if found == [due.to_string()] {
            return;
        }
        assert!(Instant::now() < until, "{metric} {label}: {found:?}, not {due}, in\n{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn code(receipt: &str) -> String {
    texts(receipt, "FejlKode").first().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_again_gets_the_same_receipt_and_the_ledger_nothing() {
    let finance = Finance::start("").await;
    let mut sample = Finance::sample(1, BY_TOKEN, 2);
    // A warning of the platform's is part of the receipt that is kept.
    sample.vouchers[0].postings[0].codes[0][1] = "4711".to_owned();
    let (first, _) = finance.send(&sample).await;
    let first = receipt(&first).await;
    assert!(first.contains("Platform") && first.contains("ACCEPTERET"), "{first}");
    // Whatever the ledger would say now.
    finance.passing.by_token.mode.set(Mode::Reset);
    let (again, record) = finance.send(&sample).await;
    assert!(finance.passing.is_signed(&again), "it is signed anew");
    assert_eq!(receipt(&again).await, first, "byte for byte");
    let about = record.about.finance().unwrap();
    assert_eq!((record.outcome, about.pass.repeated), (Some(Outcome::Served), true));
    assert_eq!((about.figures.receipt.as_deref(), about.figures.accepted), (Some("ACCEPTERET"), Some(2)));
    let decided = record.about.facts().decided;
    assert!(decided.iter().any(|fact| fact.what.key == "repeated"), "an auditor does not count it twice: {decided:?}");
    // In the other binding it is the same delivery: its contexts are no part of the content.
    let by_context = finance.passing.by_context(Role::Korsbaek, "", &sample.request(&authority_context(KORSBAEK))).await;
    assert_eq!(receipt(&by_context).await, first);
    assert_eq!(finance.passing.by_token.received.get().count, 1);
    assert!(finance.ledger.booked().values().all(|times| *times == 1));
    assert_eq!(counted(&finance.passing, "repeated").await, 2);
    // The log is whole, and says of each call whether it was passed on.
    let dir = &finance.passing.world.dir;
    let key = hjemmel::audit::keys::checkpoint_public_key(&dir.join("audit-keys/checkpoint.pub")).unwrap();
    hjemmel::audit::verify::verify(&dir.join("audit"), &[key], &[]).unwrap();
    let found = || hjemmel::audit::search::search(&dir.join("audit"), |record| record.about.finance().is_some()).unwrap().calls;
    let mut calls = found();
    // A record that closes is on the disk a moment after its answer has left.
    for _ in 0..500 {
        if calls.len() == 3 && calls.values().all(|record| record.outcome.is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        calls = found();
    }
    let mut repeated: Vec<bool> = calls.values().map(|record| record.about.finance().unwrap().pass.repeated).collect();
    repeated.sort_unstable();
    assert_eq!(repeated, [false, true, true]);
    let ids = calls.values().map(|record| record.about.finance().unwrap().figures.delivery.to_string());
    assert!(ids.into_iter().all(|id| id == sample.id));
    // The receipt and its warning are counted once, and each time that it was given again.
    comes_to_count(&finance.passing, "hjemmel_finance_deliveries_total", r#"outcome="accepted""#, 1).await;
    comes_to_count(&finance.passing, "hjemmel_finance_deliveries_total", r#"outcome="repeated""#, 2).await;
    comes_to_count(&finance.passing, "hjemmel_finance_vouchers_total", r#"outcome="accepted""#, 2).await;
    comes_to_count(&finance.passing, "hjemmel_finance_findings_total", r#"code="FB020""#, 1).await;
    comes_to_count(&finance.passing, "hjemmel_finance_errors_total", r#"audience="SLUTBRUGER""#, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_given_again_although_a_rule_would_refuse_the_delivery_now() {
    let finance = Finance::start("").await;
    let sample = Finance::sample(2, BY_TOKEN, 1);
    let (first, _) = finance.send(&sample).await;
    let first = receipt(&first).await;
    finance.passing.by_token.mode.set(Mode::Cut);
    let lost = Finance::sample(20, BY_TOKEN, 1);
    let (answer, _) = finance.send(&lost).await;
    assert_eq!(code(&receipt(&answer).await), "FB090");
    finance.passing.by_token.mode.set(Mode::Honest);
    let file = &finance.passing.world.configuration;
    let text = std::fs::read_to_string(file).unwrap();
    // The value list has ended since, and codes outside one are refused.
    let lists = text.lines().find(|line| line.starts_with("sortiment = ")).unwrap();
    let folder = lists.trim_start_matches("sortiment = \"").trim_end_matches('"');
    std::fs::remove_file(std::path::Path::new(folder).join("list.xml")).unwrap();
    let refusing = text.replace(lists, &format!("{lists}\n[service.pass.rules]\nFB002 = \"refuse\"\n"));
    std::fs::write(file, refusing).unwrap();
    finance.passing.world.reload().await.unwrap();
    let (again, _) = finance.send(&sample).await;
    assert_eq!(receipt(&again).await, first);
    let (other, _) = finance.send(&Finance::sample(3, BY_TOKEN, 1)).await;
    assert_eq!(code(&receipt(&other).await), "FB002", "as a new one is");
    // It was let pass, and booked: that it is refused and never left would not be true.
    let (again, _) = finance.send(&lost).await;
    assert_eq!(texts(&receipt(&again).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
    assert_eq!(finance.ledger.booked().values().copied().max(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_booked_is_asked_for_although_a_rule_on_earlier_deliveries_would_refuse_it_now() {
    let finance = Finance::start("[service.pass.rules]\nFB016 = \"warn\"\n").await;
    let mut lost = Finance::sample(25, BY_TOKEN, 1);
    lost.vouchers[0].after.retain(|(name, _)| *name != "ErstatterBilagID");
    lost.vouchers[0].after.push(("ErstatterBilagID", "0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e11".to_owned()));
    finance.passing.by_token.mode.set(Mode::Cut);
    let (answer, _) = finance.send(&lost).await;
    assert_eq!(code(&receipt(&answer).await), "FB090");
    finance.passing.by_token.mode.set(Mode::Honest);
    let file = &finance.passing.world.configuration;
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("FB016 = \"warn\""), "{text}");
    std::fs::write(file, text.replace("FB016 = \"warn\"", "FB016 = \"refuse\"")).unwrap();
    finance.passing.world.reload().await.unwrap();
    let (again, _) = finance.send(&lost).await;
    let told = receipt(&again).await;
    assert_eq!(texts(&told, "ForretningsValideringsKode"), ["ACCEPTERET"], "{told}");
    assert_eq!(finance.ledger.booked().values().copied().max(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_another_delivery_has_is_not_booked_again_where_nobody_knows_what_came_of_the_delivery_that_was_refused_for_it()
 {
    let finance = Finance::start("").await;
    let first = Finance::sample(26, BY_TOKEN, 1);
    let (answer, _) = finance.send(&first).await;
    assert!(receipt(&answer).await.contains("ACCEPTERET"));
    // The claim of the refused one cannot be given back, as where its node is killed.
    let store = Settings::sqlite(&finance.passing.world.dir.join("agreements.sqlite"));
    let mut session = Database::open(&store, Access::Change).await.unwrap().session().await.unwrap();
    let stays = "CREATE TRIGGER stays BEFORE DELETE ON delivery BEGIN SELECT RAISE(ABORT, 'it stays'); END";
    session.execute(sql(stays)).await.unwrap();
    let mut second = Finance::sample(27, BY_TOKEN, 1);
    second.vouchers = first.vouchers.clone();
    let (answer, _) = finance.send(&second).await;
    assert_eq!(code(&receipt(&answer).await), "FB031");
    session.execute(sql("DROP TRIGGER stays")).await.unwrap();
    let lost = session.execute(sql("UPDATE delivery SET state = 'unknown' WHERE state = 'under way'")).await.unwrap();
    assert_eq!(lost, 1);
    let (answer, record) = finance.send(&second).await;
    let told = receipt(&answer).await;
    assert_eq!((code(&told).as_str(), record.refusal.as_deref()), ("FB031", Some("FB031")), "{told}");
    assert_eq!(finance.passing.by_token.received.get().count, 1, "the ledger is not asked");
    assert!(finance.ledger.booked().values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_left_is_told_of_a_delivery_of_which_nothing_ever_did_alone() {
    let finance = Finance::start("").await;
    let lost = Finance::sample(23, BY_TOKEN, 1);
    finance.passing.by_token.mode.set(Mode::Cut);
    let mut told = String::new();
    let mut rests = false;
    for _ in 0..40 {
        let (answer, record) = finance.send(&lost).await;
        told = receipt(&answer).await;
        rests = record.refusal.as_deref() == Some("PeerResting");
        if rests {
            break;
        }
    }
    assert!(rests, "the ledger is left alone after some failures");
    assert!(told.contains("det vides ikke, om bilagene er bogført") && !told.contains("ikke sendt videre"), "{told}");
    let (answer, _) = finance.send(&Finance::sample(24, BY_TOKEN, 1)).await;
    assert!(receipt(&answer).await.contains("leverancen er ikke sendt videre"), "of another one it is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_with_other_content_is_refused_unless_the_service_gives_its_receipt_whatever_came() {
    for (setting, refused) in [("", true), ("[service.pass.deliveries]\nother_content = \"same-receipt\"", false)] {
        let finance = Finance::start(setting).await;
        let mut sample = Finance::sample(4, BY_TOKEN, 2);
        let (first, _) = finance.send(&sample).await;
        let first = receipt(&first).await;
        sample.vouchers.pop();
        let (other, record) = finance.send(&sample).await;
        let other = receipt(&other).await;
        match refused {
            true => {
                assert_eq!((code(&other).as_str(), record.refusal.as_deref()), ("FB030", Some("FB030")));
                assert!(other.contains("Hele leverancen er afvist; intet er sendt videre."), "{other}");
            }
            false => assert_eq!(other, first),
        }
        assert_eq!(finance.passing.by_token.received.get().count, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_written_as_cdata_is_the_same_id() {
    let finance = Finance::start("").await;
    let sample = Finance::sample(25, BY_TOKEN, 1);
    let (first, _) = finance.send(&sample).await;
    let first = receipt(&first).await;
    let request = sample.request("");
    let other = request.replacen(&format!(">{}<", sample.id), &format!("><![CDATA[{}]]><", sample.id), 1);
    assert_ne!(other, request);
    let again = finance.passing.by_token(&[], &other).await;
    assert_eq!(receipt(&again).await, first);
    assert_eq!(finance.passing.by_token.received.get().count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_equal_deliveries_at_once_one_is_passed_on_and_all_get_its_receipt() {
    let finance = Finance::start("").await;
    finance.passing.by_token.mode.set(Mode::Slow(Duration::from_secs(1)));
    let sample = Finance::sample(5, BY_TOKEN, 2);
    let request = sample.request("");
    let one = || finance.passing.by_token(&[], &request);
    let (a, b, c, d, e, f, g, h) = tokio::join!(one(), one(), one(), one(), one(), one(), one(), one());
    let mut receipts = BTreeSet::new();
    for answer in &[a, b, c, d, e, f, g, h] {
        receipts.insert(receipt(answer).await);
    }
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert!(receipts.first().unwrap().contains("ACCEPTERET"));
    assert_eq!(finance.passing.by_token.received.get().count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_waited_long_enough_hears_that_the_delivery_is_under_way() {
    let finance = Finance::start("[service.pass.deliveries]\nwait = \"0s\"").await;
    finance.passing.by_token.mode.set(Mode::Slow(Duration::from_secs(10)));
    let sample = Finance::sample(6, BY_TOKEN, 1);
    let request = sample.request("");
    let second = async {
        while finance.passing.by_token.received.get().count == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        finance.passing.by_token(&[], &request).await
    };
    let (first, second) = tokio::join!(finance.passing.by_token(&[], &request), second);
    let second = receipt(&second).await;
    assert_eq!(code(&second), "FB032");
    assert!(second.contains("Leverancen er ikke sendt videre igen"), "{second}");
    let first = receipt(&first).await;
    let (third, _) = finance.send(&sample).await;
    assert_eq!(receipt(&third).await, first);
    assert_eq!(finance.passing.by_token.received.get().count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_once_more_and_books_nothing_twice() {
    let finance = Finance::start("").await;
    let sample = Finance::sample(7, BY_TOKEN, 2);
    finance.passing.by_token.mode.set(Mode::Cut);
    let (lost, record) = finance.send(&sample).await;
    assert_eq!((code(&receipt(&lost).await).as_str(), record.refusal.as_deref()), ("FB090", Some("PeerUnavailable")));
    assert_eq!(counted(&finance.passing, "unknown").await, 1);
    finance.passing.by_token.mode.set(Mode::Honest);
    let (again, _) = finance.send(&sample).await;
    assert_eq!(texts(&receipt(&again).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
    assert_eq!(counted(&finance.passing, "asked_again").await, 1);
    assert_eq!(finance.passing.by_token.received.get().count, 2, "asked with the same id");
    assert!(finance.ledger.booked().values().all(|times| *times == 1), "and booked once");
    assert_eq!(finance.ledger.booked().len(), 2);
    let (third, _) = finance.send(&sample).await;
    assert_eq!(receipt(&third).await, receipt(&again).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_ledger_that_is_asked_again_leaves_what_it_may_have_booked_as_it_was() {
    let finance = Finance::start("").await;
    let sample = Finance::sample(21, BY_TOKEN, 1);
    finance.passing.by_token.mode.set(Mode::Cut);
    finance.send(&sample).await;
    finance.passing.by_token.mode.set(Mode::DeclaredFault(None));
    let (faulted, _) = finance.send(&sample).await;
    assert_eq!(faulted.status, 500, "the ledger's own fault");
    finance.passing.by_token.mode.set(Mode::Honest);
    let mut other = Finance::sample(22, BY_TOKEN, 1);
    other.vouchers = sample.vouchers.clone();
    let (answer, _) = finance.send(&other).await;
    assert_eq!(code(&receipt(&answer).await), "FB031", "it was booked before the answer was lost");
    let (again, _) = finance.send(&sample).await;
    assert_eq!(texts(&receipt(&again).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
    assert_eq!(finance.ledger.booked().values().copied().max(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_left_is_forgotten_and_may_be_corrected_under_its_id() {
    let finance = Finance::start("").await;
    let mut sample = Finance::sample(8, crate::world::NOBODY, 1);
    let (refused, _) = finance.send(&sample).await;
    assert_eq!(code(&receipt(&refused).await), "FB001");
    sample.receiver = BY_TOKEN.to_owned();
    let (accepted, _) = finance.send(&sample).await;
    assert_eq!(texts(&receipt(&accepted).await, "ForretningsValideringsKode"), ["ACCEPTERET"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_s_id_gives_nothing() {
    let finance = Finance::start("").await;
    let sample = Finance::sample(9, BY_TOKEN, 1);
    let (first, _) = finance.send(&sample).await;
    assert!(receipt(&first).await.contains("ACCEPTERET"));
    let other = "99999981";
    agree(&finance.passing, Role::OtherMunicipality, other).await;
    // The same id and vouchers, from another authority: a delivery of its own.
    let mut own = sample.clone();
    (own.sender, own.system) = (other.to_owned(), Role::OtherMunicipality.uuid().to_owned());
    let answer = finance.passing.by_context(Role::OtherMunicipality, "", &own.request(&authority_context(other))).await;
    let told = receipt(&answer).await;
    assert!(!told.contains("FB030") && !told.contains("FB031"), "{told}");
    assert_eq!(finance.passing.by_token.received.get().count, 2, "{told}");
}

/// Lets another authority's system send to the ledger that takes tokens.
async fn agree(passing: &Passing, role: Role, cvr: &str) {
    let service = passing.folder.settings.uuid;
    let thumbprint = hjemmel::hex::encode(&passing.world.pki.credentials(role).unwrap().thumbprint());
    let agreement = |n: u8, side: &str, certificates: &str, system: &str| {
        format!(
            "\n[[agreement]]\nid = \"7b000000-0000-4000-8000-00000000000{n}\"\nside = \"{side}\"\nsystem = \"{system}\"\ncertificates = \
             [{certificates}]\nservice = \"{service}\"\nauthority = \"{cvr}\"\nenvironment = \"demo\"\nvalid_from = \
             \"2026-01-01T00:00:00Z\"\nstate = \"GODKENDT\"\nlegal_basis = \"x\"\npurpose = \"x\"\ndecided_by = \"U\"\ndecided_at = \
             \"2026-01-01T00:00:00Z\"\nreason = \"test\"\n"
        )
    };
    let front = agreement(1, "front", &format!("\"{thumbprint}\""), role.uuid());
    let back = agreement(2, "back", "", Role::GatewayClient.uuid());
    let import = Import::parse(&format!("{front}{back}"), &hjemmel::services::vocabulary()).unwrap();
    let store = Store::open(&hjemmel::store::Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
    store.import(&import, Clock::system().now()).await.unwrap();
    let routes = store.routes().await.unwrap();
    let mut route = routes.into_iter().find(|route| route.receiver == Some(BY_TOKEN.parse().unwrap())).unwrap();
    (route.id, route.sender) = (uuid::uuid!("7b000000-0000-4000-8000-000000000003"), Some(cvr.parse().unwrap()));
    let decision = Decision { by: "Drift".into(), reason: "test".into(), at: Clock::system().now() };
    store.add_routes(&[route], InTheWay::Refuse, &decision).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_was_accepted_in_another_delivery_is_refused_with_what_it_was_answered() {
    let finance = Finance::start("[service.pass.rules]\nFB010 = \"off\"").await;
    let mut first = Finance::sample(10, BY_TOKEN, 3);
    // The ledger rejects the last.
    first.vouchers[2].date = "2025-12-31".to_owned();
    first.vouchers[2].before.clear();
    let (answer, _) = finance.send(&first).await;
    assert_eq!(texts(&receipt(&answer).await, "Resultat"), ["ACCEPTERET", "ACCEPTERET", "AFVIST"]);
    let mut second = Finance::sample(11, BY_TOKEN, 1);
    second.vouchers.push(first.vouchers[1].clone());
    let (answer, record) = finance.send(&second).await;
    let told = receipt(&answer).await;
    assert_eq!((code(&told).as_str(), record.refusal.as_deref()), ("FB031", Some("FB031")), "{told}");
    assert!(told.contains(&format!("med leverancen {}, kvittering AFVIST", first.id)), "{told}");
    assert!(texts(&told, "BilagID").contains(&first.vouchers[1].id));
    assert_eq!(finance.passing.by_token.received.get().count, 1, "nothing was passed on");
    // The rest under the same id, and the rejected one corrected, are taken.
    second.vouchers.pop();
    second.vouchers.push(first.vouchers[2].clone());
    second.vouchers[1].date = "2026-11-27".to_owned();
    let (answer, _) = finance.send(&second).await;
    assert_eq!(texts(&receipt(&answer).await, "Resultat"), ["ACCEPTERET", "ACCEPTERET"]);
    assert!(finance.ledger.booked().values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_of_a_delivery_whose_answer_was_lost_waits_for_that_delivery() {
    let finance = Finance::start("").await;
    let lost = Finance::sample(12, BY_TOKEN, 1);
    finance.passing.by_token.mode.set(Mode::Cut);
    finance.send(&lost).await;
    finance.passing.by_token.mode.set(Mode::Honest);
    let mut other = Finance::sample(13, BY_TOKEN, 1);
    other.vouchers.push(lost.vouchers[0].clone());
    let (answer, _) = finance.send(&other).await;
    let told = receipt(&answer).await;
    assert_eq!(code(&told), "FB031");
    assert!(told.contains("ikke har svaret på endnu"), "{told}");
    assert_eq!(finance.ledger.booked().values().copied().max(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_corrects_one_that_nobody_knows_is_warned_of_or_refused_as_the_rule_is_set() {
    for (setting, mode) in
        [("", "warn"), ("[service.pass.rules]\nFB016 = \"refuse\"", "refuse"), ("[service.pass.rules]\nFB016 = \"off\"", "off")]
    {
        let finance = Finance::start(setting).await;
        let first = Finance::sample(14, BY_TOKEN, 1);
        let (answer, _) = finance.send(&first).await;
        receipt(&answer).await;
        let corrects = |seed: u64, id: &str| {
            let mut sample = Finance::sample(seed, BY_TOKEN, 1);
            sample.vouchers[0].after.retain(|(name, _)| *name != "ErstatterBilagID");
            sample.vouchers[0].after.push(("ErstatterBilagID", id.to_owned()));
            sample
        };
        let (answer, _) = finance.send(&corrects(15, &first.vouchers[0].id)).await;
        let known = receipt(&answer).await;
        assert!(known.contains("ACCEPTERET") && !known.contains("FB016"), "{known}");
        let (answer, _) = finance.send(&corrects(16, "0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e10")).await;
        let unknown = receipt(&answer).await;
        assert_eq!(unknown.contains("FB016"), mode != "off", "{mode}: {unknown}");
        assert_eq!(unknown.contains("ACCEPTERET"), mode != "refuse", "{mode}: {unknown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_another_delivery_has_is_passed_on_where_the_rule_warns_or_is_off_and_stays_that_delivery_s() {
    for (mode, warned) in [("warn", true), ("off", false)] {
        let finance = Finance::start(&format!("[service.pass.rules]\nFB031 = \"{mode}\"")).await;
        let first = Finance::sample(18, BY_TOKEN, 1);
        let (answer, _) = finance.send(&first).await;
        let of_first = receipt(&answer).await;
        let mut second = Finance::sample(19, BY_TOKEN, 1);
        second.vouchers.push(first.vouchers[0].clone());
        let (answer, _) = finance.send(&second).await;
        let of_second = receipt(&answer).await;
        assert_eq!(texts(&of_second, "ForretningsValideringsKode"), ["ACCEPTERET"], "{mode}: {of_second}");
        let platform = "<fb:FejlKode>FB031</fb:FejlKode><fb:Alvor>ADVARSEL</fb:Alvor>";
        assert_eq!(of_second.contains(platform), warned, "{mode}: {of_second}");
        let whose = format!("med leverancen {}, kvittering ACCEPTERET", first.id);
        assert_eq!(of_second.contains(&whose), warned, "{mode}: {of_second}");
        // What the ledger does with it is the ledger's: this one books by delivery.
        let times = |id: &str| finance.ledger.booked()[&id.parse::<uuid::Uuid>().unwrap()];
        assert_eq!((times(&first.vouchers[0].id), times(&second.vouchers[0].id)), (2, 1), "{mode}");
        // Each has its own receipt, and the ledger hears of neither again.
        for (sample, due) in [(&first, &of_first), (&second, &of_second)] {
            let (answer, _) = finance.send(sample).await;
            assert_eq!(receipt(&answer).await, *due, "{mode}");
        }
        assert_eq!(finance.passing.by_token.received.get().count, 2, "{mode}");
        // The next that has it is told of the first, and not of the one that had it last.
        let mut third = Finance::sample(28, BY_TOKEN, 1);
        third.vouchers = first.vouchers.clone();
        let (answer, _) = finance.send(&third).await;
        assert_eq!(receipt(&answer).await.contains(&whose), warned, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_holds_nothing_of_a_delivery_that_could_be_read() {
    let finance = Finance::start("").await;
    let sample: Sample = Finance::sample(17, BY_TOKEN, 2);
    let (answer, _) = finance.send(&sample).await;
    assert!(receipt(&answer).await.contains("ACCEPTERET"));
    let mut bytes = Vec::new();
    for name in ["agreements.sqlite", "agreements.sqlite-wal"] {
        bytes.extend(std::fs::read(finance.passing.world.dir.join(name)).unwrap_or_default());
    }
    let ids: Vec<&String> = [&sample.id].into_iter().chain(sample.vouchers.iter().map(|voucher| &voucher.id)).collect();
    // As they stand in a receipt: the words alone are in the statements that make the tables of files, and in what is kept of the contract.
    for clear in ids.iter().map(|id| id.as_bytes()).chain([b">ACCEPTERET<".as_slice(), b":FinansbilagKvittering"]) {
        assert!(!bytes.windows(clear.len()).any(|found| found == clear), "{}", String::from_utf8_lossy(clear));
    }
}
