//! The commands as they are typed: two people make a route, and nobody alone.

use std::io::BufRead;

use clap::Parser;
use jiff::{SignedDuration, Timestamp};

use uuid::Uuid;

use crate::agreements::Store;
use crate::audit::Subject;
use crate::cli::{as_user, sftp, transfers};
use crate::clock::Clock;
use crate::decisions::shown::sha256;
use crate::files::users;
use crate::store::{Settings, sql};

#[derive(Debug, Parser)]
struct Sftp {
    #[command(flatten)]
    args: sftp::Args,
}

#[derive(Debug, Parser)]
struct Transfers {
    #[command(flatten)]
    args: transfers::Args,
}

/// A public key of Ed25519; nobody has its private half.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f prod";

struct House(tempfile::TempDir);

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        as_user::keys(dir.path());
        as_user::add_all(&dir.path().join("store.sqlite")).await;
        std::fs::write(dir.path().join("key.pub"), KEY).unwrap();
        Self(dir)
    }

    async fn run(&self, line: &str, more: &[&str], by: Option<&str>) -> Result<String, String> {
        self.run_at(as_user::now(), None, line, more, by).await.1
    }

    /// At an instant and, where an answer is given, at a terminal: what was printed, and how it ended.
    async fn run_at(
        &self,
        now: Timestamp,
        answer: Option<&str>,
        line: &str,
        more: &[&str],
        by: Option<&str>,
    ) -> (String, Result<String, String>) {
        let clock = Clock::fixed(now);
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words.extend(["--store".to_owned(), self.0.path().join("store.sqlite").display().to_string()]);
        if let Some(by) = by {
            words.extend(as_user::options(self.0.path(), by));
        }
        let mut out = Vec::new();
        let mut typed = answer.unwrap_or_default().as_bytes();
        let operator = answer.is_some().then_some(&mut typed as &mut dyn BufRead);
        let done = match words.first().map(String::as_str) {
            Some("sftp") => match Sftp::try_parse_from(words) {
                Ok(line) => sftp::run(line.args, &clock, operator, &mut out).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            _ => match Transfers::try_parse_from(words) {
                Ok(line) => transfers::run(line.args, &clock, &mut out).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
        };
        let printed = String::from_utf8(out).unwrap();
        (printed.clone(), done.map(|()| printed))
    }

    async fn with_users() -> Self {
        let house = Self::new().await;
        for name in ["KY_SFTP", "OPUS_SFTP"] {
            let line = format!(
                "sftp user add {name} --system 72393598-70fe-467f-b68c-65643e5c5e90 --cvr 11111111 --environment exttest --reason sag"
            );
            house.run(&line, &[], None).await.unwrap();
        }
        house
    }

    async fn request(&self, by: &str, more: &[&str]) -> Result<String, String> {
        let line = "sftp order request --from KY_SFTP --to OPUS_SFTP --sender-authority 11111111 --recipient-authority 11111111 --purpose bogføring --reason sag";
        let more: Vec<&str> = ["--legal-basis", "Bogføringsloven § 6"].iter().chain(more).copied().collect();
        let said = self.run(line, &more, Some(by)).await?;
        Ok(said.split(' ').nth(3).unwrap().trim_end_matches(';').to_owned())
    }
}

#[tokio::test]
async fn a_route_order_is_requested_by_one_person_and_approved_by_a_signatory_of_the_recipients_authority() {
    let house = House::with_users().await;
    let id = house.request("O. Drift", &["--inf-ref", "X_1"]).await.unwrap();
    let decide = async |what: &str, by: &str| {
        let yes: &[&str] = if ["approve", "resume"].contains(&what) { &["--yes"] } else { &[] };
        house.run(&format!("sftp order {what} {id} --reason sag"), yes, Some(by)).await
    };
    let refused = decide("approve", "O. Drift").await.unwrap_err();
    assert!(refused.contains("ApiNotAllowed"), "{refused}");
    let refused = decide("approve", "S. Fremmed").await.unwrap_err();
    assert!(refused.contains("ApiNotFound"), "another authority's: {refused}");
    assert!(decide("approve", "A. Prøve").await.unwrap().contains("GODKENDT"));
    assert!(decide("suspend", "A. Prøve").await.unwrap().contains("SUSPENDERET"));
    let equal = decide("resume", "B. Prøve").await.unwrap_err();
    assert!(equal.contains("ApiSuspendedAbove"), "a colleague is not above: {equal}");
    assert!(decide("resume", "A. Prøve").await.unwrap().contains("GODKENDT"));
    assert!(decide("reject", "A. Prøve").await.is_err(), "what was approved is not rejected");
    let shown = house.run(&format!("sftp order show {id}"), &[], None).await.unwrap();
    assert!(shown.contains("hjemmel: Bogføringsloven § 6\n") && shown.contains("InfRef: X_1\n"), "{shown}");
    assert!(decide("end", "A. Prøve").await.unwrap().contains("OPSAGT"));
}

#[tokio::test]
async fn one_person_with_two_users_does_not_approve_the_route_order_that_they_requested() {
    let house = House::with_users().await;
    let id = house.request("O. Drift", &["--inf-ref", "X_1"]).await.unwrap();
    let store = Store::open(&Settings::sqlite(&house.0.path().join("store.sqlite"))).await.unwrap();
    let mut session = store.database().session().await.unwrap();
    // What no program does: a user that is there becomes a second one of somebody else.
    session.execute(sql("DROP TRIGGER api_user_person_stays")).await.unwrap();
    let twin = sql("UPDATE api_user SET person = (SELECT id FROM api_user WHERE name = 'O. Drift') WHERE name = 'A. Prøve'");
    assert_eq!(session.execute(twin).await.unwrap(), 1);
    drop(session);
    let approve = async |by: &str| house.run(&format!("sftp order approve {id} --reason sag"), &["--yes"], Some(by)).await;
    let refused = approve("A. Prøve").await.unwrap_err();
    assert!(refused.contains("ApiCreatorApproves"), "{refused}");
    assert!(approve("B. Prøve").await.unwrap().contains("GODKENDT"));
}

#[tokio::test]
async fn a_route_order_is_shown_before_it_is_asked_for_and_only_a_yes_to_what_was_looked_at_approves_it() {
    let house = House::with_users().await;
    let id = house.request("O. Drift", &["--inf-ref", "X_1"]).await.unwrap();
    let line = format!("sftp order approve {id} --reason sag");
    for answer in ["", "\n", "n\n", "yesterday\n"] {
        let (printed, ended) = house.run_at(as_user::now(), Some(answer), &line, &[], Some("A. Prøve")).await;
        assert_eq!(ended.unwrap_err(), "nothing was changed", "{answer:?}");
        let question = printed.find("Approve this route order, decided by A. Prøve: sag? [y/N]").unwrap();
        for shown in ["KY_SFTP", "OPUS_SFTP", "hjemmel: Bogføringsloven § 6\n", "alarm efter (timer): 24\n"] {
            assert!(printed.find(shown).unwrap() < question, "{shown} stands before the question: {printed}");
        }
    }
    let nobody = house.run(&line, &[], Some("A. Prøve")).await.unwrap_err();
    assert!(nobody.contains("add --yes"), "{nobody}");
    let other = house.run(&line, &["--yes", "--shown", &"0".repeat(64)], Some("A. Prøve")).await.unwrap_err();
    assert!(other.contains("ApiShownDiffers"), "{other}");
    let shown = house.run(&format!("sftp order show {id}"), &[], None).await.unwrap();
    assert!(shown.contains("ANMODET"), "{shown}");
    let digest = shown.lines().find_map(|line| line.strip_prefix("tekst: ")?.split(' ').next()).unwrap().to_owned();
    let (_, ended) = house.run_at(as_user::now(), Some("ja\n"), &line, &["--shown", &digest], Some("A. Prøve")).await;
    assert!(ended.unwrap().contains("GODKENDT"));
    // The text of what is suspended is another.
    let suspended = house.run(&format!("sftp order suspend {id} --reason sag"), &["--shown", &digest], Some("A. Prøve")).await;
    assert!(suspended.unwrap_err().contains("ApiShownDiffers"));
    house.run(&format!("sftp order suspend {id} --reason sag"), &[], Some("A. Prøve")).await.unwrap();
    let resume = format!("sftp order resume {id} --reason sag");
    let (printed, ended) = house.run_at(as_user::now(), Some("nej\n"), &resume, &[], Some("A. Prøve")).await;
    assert!(ended.is_err() && printed.contains("Resume this route order"), "{printed}");
}

#[tokio::test]
async fn a_monitoring_order_is_added_and_its_list_tells_who_is_silent_why_and_who_is_told() {
    let house = House::with_users().await;
    let add =
        "sftp monitor add OPUS_SFTP --rhythm-hours 24 --alarm-hours 8 --delete-days 20 --tell drift@example.dk --reason sag";
    let said = house.run(add, &["--inf-ref", "X_1"], None).await.unwrap();
    let id = said.split(' ').nth(2).unwrap().to_owned();
    assert!(house.run(add, &["--inf-ref", "X_1"], None).await.unwrap_err().contains(&id), "there is one of a kind");
    assert!(house.run(add, &[], None).await.is_err(), "for which files?");
    let wrong = house.run(&add.replace("drift@example.dk", "Hans"), &["--pattern", "*"], None).await.unwrap_err();
    assert!(wrong.contains("functional mailbox"), "{wrong}");
    let list = house.run("sftp monitor list", &[], None).await.unwrap();
    assert!(
        list.contains("OPUS_SFTP  X_1  every 24 h, alarm after 8 h, deleted after 20 days, tells drift@example.dk"),
        "{list}"
    );
    assert!(!list.contains("SILENT"), "{list}");
    let later = as_user::now() + SignedDuration::from_hours(25);
    let (list, _) = house.run_at(later, None, "sftp monitor list", &[], None).await;
    assert!(list.contains("SILENT        since 2026-11-22T12:00:00Z: the user has no key that may be used"), "{list}");
    house.run(&format!("sftp monitor end {id} --reason sag"), &[], None).await.unwrap();
    assert!(house.run(&format!("sftp monitor end {id} --reason sag"), &[], None).await.is_err());
    assert!(house.run("sftp monitor list", &[], None).await.unwrap().contains("There are no monitoring orders"));
}

#[tokio::test]
async fn two_orders_for_the_same_files_are_refused_when_they_are_saved() {
    let house = House::with_users().await;
    house.request("O. Drift", &["--pattern", "KY_*.xml"]).await.unwrap();
    let refused = house.request("O. Drift", &["--pattern", "*_FINANS*"]).await.unwrap_err();
    assert!(refused.contains("carries the same files"), "{refused}");
    house.request("O. Drift", &["--pattern", "ANDET*"]).await.unwrap();
    house.request("O. Drift", &["--inf-ref", "A\u{30a}_1"]).await.unwrap();
    let refused = house.request("O. Drift", &["--inf-ref", "\u{c5}_1"]).await.unwrap_err();
    assert!(refused.contains("carries the same files"), "{refused}");
    let ended = ["--inf-ref", "B_1", "--valid-to", "2026-12-01"];
    house.request("O. Drift", &ended).await.unwrap();
    house.request("O. Drift", &["--inf-ref", "B_1", "--valid-from", "2026-12-01"]).await.unwrap();
}

#[tokio::test]
async fn a_user_gets_a_key_from_its_pub_file_and_loses_it_and_no_private_key_is_taken() {
    let house = House::with_users().await;
    let path = house.0.path().join("key.pub").display().to_string();
    let add = async |path: &str| house.run("sftp key add KY_SFTP --label prod --reason sag", &[path], None).await;
    let said = add(&path).await.unwrap();
    let fingerprint = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(fingerprint.starts_with("SHA256:") && fingerprint.len() == 50, "{said}");
    assert!(add(&path).await.unwrap_err().contains("already"));
    for (name, text) in [
        ("private", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"),
        ("dss", "ssh-dss AAAAB3NzaC1kc3M= x"),
        ("half", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAB x"),
        ("empty", ""),
    ] {
        let path = house.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        assert!(add(&path.display().to_string()).await.is_err(), "{name}");
    }
    assert!(house.run("sftp key list KY_SFTP", &[], None).await.unwrap().contains("no end  last used never  prod"));
    house.run(&format!("sftp key disable KY_SFTP {fingerprint} --reason sag"), &[], None).await.unwrap();
    assert!(house.run("sftp key list KY_SFTP", &[], None).await.unwrap().contains("disabled"));
    house.run("sftp user disable KY_SFTP --reason sag", &[], None).await.unwrap();
    assert!(house.run("sftp user show KY_SFTP", &[], None).await.unwrap().contains("cannot log on"));
    assert!(house.run("sftp user show ky_sftp", &[], None).await.is_err(), "upper and lower case are different names");
    assert!(house.run("sftp user list", &[], None).await.unwrap().contains("OPUS_SFTP"));
}

#[tokio::test]
async fn a_transfer_that_is_not_there_is_told() {
    let house = House::new().await;
    assert_eq!(house.run("transfers list", &[], None).await.unwrap(), "There are no transfers.\n");
    for line in ["transfers show ID", "transfers retry ID --reason sag", "transfers redeliver ID --to OPUS_SFTP --reason sag"] {
        let line = line.replace("ID", "00000000-0000-4000-8000-000000000001");
        assert!(house.run(&line, &[], None).await.is_err(), "{line}");
    }
}

#[tokio::test]
async fn a_repeated_submission_is_listed_with_the_one_that_delivered_it() {
    let house = House::with_users().await;
    let store = Store::open(&Settings::sqlite(&house.0.path().join("store.sqlite"))).await.unwrap();
    let sender = users::named(&mut store.database().session().await.unwrap(), "KY_SFTP").await.unwrap().unwrap().id;
    let (first, again) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (id, state, repeats) in [(first, "KLAR", None), (again, "AFVIST", Some(first))] {
        let add = sql("INSERT INTO transfer (id, sender, fingerprint, state, name, name_key, trigger_xml, received_us, repeats)
                       VALUES ($1, $2, 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', $3, 'x', 'x', $4, 0, $5)");
        let nothing: &[u8] = &[];
        let add = add.bind(id).bind(sender).bind(state).bind(nothing).bind(repeats);
        store.database().session().await.unwrap().execute(add).await.unwrap();
    }
    store.close().await;
    let list = house.run("transfers list", &[], None).await.unwrap();
    assert!(list.contains(&format!("GENTAGET          KY_SFTP  the same as {first}")), "{list}");
    assert!(list.contains("KLAR              KY_SFTP\n"), "{list}");
    let shown = house.run(&format!("transfers show {again}"), &[], None).await.unwrap();
    assert!(shown.contains("state         GENTAGET\n") && shown.contains(&format!("the same as   {first}")), "{shown}");
    let retried = house.run(&format!("transfers retry {again} --reason sag"), &[], None).await.unwrap_err();
    assert!(retried.contains("only one that is AFVIST"), "{retried}");
}

#[tokio::test]
async fn a_transfer_is_delivered_once_more_by_whom_its_recipient_belongs_to_and_by_nobody_elses() {
    let house = House::with_users().await;
    let order = async |inf_ref: &str, recipient_authority: &str, signatory: &str| {
        let line = format!(
            "sftp order request --from KY_SFTP --to OPUS_SFTP --sender-authority 11111111 --recipient-authority {recipient_authority} \
             --inf-ref {inf_ref} --purpose bogføring --reason sag"
        );
        let said = house.run(&line, &["--legal-basis", "Bogføringsloven § 6"], Some("O. Drift")).await.unwrap();
        let id = said.split(' ').nth(3).unwrap().trim_end_matches(';').to_owned();
        house.run(&format!("sftp order approve {id} --reason sag"), &["--yes"], Some(signatory)).await.unwrap();
        id.parse::<Uuid>().unwrap()
    };
    let orders = [order("X_1", "11111111", "A. Prøve").await, order("X_2", "99999981", "S. Fremmed").await];
    let store = Store::open(&Settings::sqlite(&house.0.path().join("store.sqlite"))).await.unwrap();
    let mut session = store.database().session().await.unwrap();
    let sender = users::named(&mut session, "KY_SFTP").await.unwrap().unwrap().id;
    let recipient = users::named(&mut session, "OPUS_SFTP").await.unwrap().unwrap().id;
    let [own, others] = [Uuid::from_u128(1), Uuid::from_u128(2)];
    for (transfer, order) in [own, others].into_iter().zip(orders) {
        let add = sql("INSERT INTO transfer (id, sender, fingerprint, state, name, name_key, trigger_xml, received_us)
                       VALUES ($1, $2, 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'KLAR', 'x', 'x', $3, 0)");
        let nothing: &[u8] = &[];
        session.execute(add.bind(transfer).bind(sender).bind(nothing)).await.unwrap();
        let add = sql("INSERT INTO file_delivery (transfer, recipient, file_order, state, delivered_us, alarm_us, delete_us)
                       VALUES ($1, $2, $3, 'HENTET', 0, 1, 2)");
        session.execute(add.bind(transfer).bind(recipient).bind(order)).await.unwrap();
    }
    drop(session);
    store.close().await;
    let again = async |what: &str, transfer: Uuid, by: &str| {
        let [_, certificate, _, key] = as_user::options(house.0.path(), by);
        let signed = ["--signed-certificate", &certificate, "--signed-key", &key];
        house.run(&format!("transfers {what} {transfer} --reason sag"), &signed, None).await.unwrap_err()
    };
    let to = |user: &str| format!("redeliver --to {user}");
    // Let through as far as the copy, which is not kept.
    for by in ["R. Ansvarlig", "O. Drift"] {
        let refused = again(&to("OPUS_SFTP"), own, by).await;
        assert!(refused.contains("no copy of the content is kept"), "{by}: {refused}");
    }
    for (transfer, user) in [(others, "OPUS_SFTP"), (own, "KY_SFTP"), (own, "NOBODY"), (Uuid::from_u128(3), "OPUS_SFTP")] {
        let refused = again(&to(user), transfer, "R. Ansvarlig").await;
        assert!(refused.contains("ApiNotFound"), "{transfer} to {user}: {refused}");
    }
    let refused = again(&to("OPUS_SFTP"), own, "A. Prøve").await;
    assert!(refused.contains("ApiNotAllowed"), "a signatory requests nothing: {refused}");
    let refused = again("retry", own, "R. Ansvarlig").await;
    assert!(refused.contains("ApiNotAllowed"), "it is the operators' to try again: {refused}");
}

#[tokio::test]
async fn a_host_key_is_announced_by_an_operator_from_a_day_that_is_ahead_and_told_to_the_mailboxes_of_monitoring_orders() {
    let house = House::with_users().await;
    house.run("sftp monitor add OPUS_SFTP --inf-ref X_1 --tell drift@example.dk --reason sag", &[], None).await.unwrap();
    let file = house.0.path().join("next.key").display().to_string();
    let made = house.run("sftp host-key new", &[&file], None).await.unwrap();
    let fingerprint = made.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap().to_owned();
    let known = made.lines().find_map(|line| line.trim().strip_prefix("known_hosts")).unwrap().trim().to_owned();
    let [subject, id]: [&str; 2] =
        made.lines().last().unwrap().split_whitespace().skip(1).collect::<Vec<_>>().try_into().unwrap();
    let (subject, id): (Subject, Uuid) = (subject.parse().unwrap(), id.parse().unwrap());
    let announce = async |from: &str, by: Option<&str>| {
        let line = format!("sftp host-key announce --from {from} --host sftp.example.dk --environment exttest --reason sag");
        let signed = by
            .map(|by| as_user::options(house.0.path(), by))
            .map(|[_, certificate, _, key]| ["--signed-certificate".to_owned(), certificate, "--signed-key".to_owned(), key]);
        let more: Vec<&str> = [file.as_str()].into_iter().chain(signed.iter().flatten().map(String::as_str)).collect();
        house.run(&line, &more, None).await
    };
    let decided = async || {
        let store = Store::open(&Settings::sqlite(&house.0.path().join("store.sqlite"))).await.unwrap();
        let made = store.made_on(subject, id).await.unwrap();
        let letters = store.database().all(sql("SELECT id FROM job WHERE kind = 'notice'")).await.unwrap().len();
        (made, letters)
    };
    let refused = announce("2026-11-22", None).await.unwrap_err();
    assert!(refused.contains("has begun"), "{refused}");
    let refused = announce("2026-11-23", Some("A. Prøve")).await.unwrap_err();
    assert!(refused.contains("ApiNotAllowed"), "it is the operators': {refused}");
    assert_eq!(decided().await, (vec![], 0), "nobody is told by whoever may not");
    let told = announce("2026-11-23", Some("O. Drift")).await.unwrap();
    for part in [fingerprint.as_str(), "letter          drift@example.dk", "NOT TOLD        KY_SFTP"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (made, letters) = decided().await;
    let text = format!("værtsnøgle: {fingerprint}\nknown_hosts: {known}\nvises fra: 2026-11-22T23:00:00Z\nmiljø: exttest\n");
    assert_eq!((made.len(), letters), (1, 1));
    assert!(told.starts_with(&text), "what is signed is shown: {told}");
    assert_eq!((made[0].what.to.as_str(), made[0].because.reason.as_str()), ("announced", "sag"));
    assert_eq!(made[0].what.shown, Some(sha256(&text)), "of what `show` tells");
    assert!(made[0].user.is_some() && made[0].signature.is_some());
    let again = announce("2026-11-23", None).await.unwrap();
    assert!(again.contains("told before     drift@example.dk") && !again.contains("letter  "), "{again}");
    let (made, letters) = decided().await;
    assert_eq!((made.len(), letters), (2, 1), "who ran it again is recorded, and nobody is told twice");
}
