//! How decisions are signed, told and made again, whatever is decided.

use std::collections::BTreeSet;
use std::time::Duration;

use hjemmel::agreements::route::store::InTheWay;
use hjemmel::agreements::{Route, State, Store};
use hjemmel::audit::Subject;
use hjemmel::connection::decide::{self as connection, New};
use hjemmel::decisions::system::{self, Changes, GoesOn};
use hjemmel::decisions::{By, DecideError, agreement, route, user};
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::store::sql;
use hjemmel::stub::pki::{self, Role as Key};
use jiff::{SignedDuration, Timestamp};
use sqlx::Executor;
use uuid::Uuid;

use crate::agreement_life::{
    KORSBAEK, OPERATOR, OTHER, OWNER, SERVICE, SIGNATORY, SUPPLIERS, SYSTEM, content, decided, opened, refused, requested,
};
use crate::kept::{Kept, on};
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};
use crate::postgres::Cluster;

on_both! {
    what_is_signed_of_a_route_names_the_certificates_of_its_answers;
    what_is_signed_of_a_system_names_what_becomes_of_it;
    whoever_a_system_is_taken_from_keeps_no_connection_of_it_and_no_request;
    what_of_a_system_goes_on_is_named_to_whoever_transfers_it_and_in_what_is_signed;
    a_reminder_is_sent_once_within_an_hour_whatever_the_clock_says;
}

fn route_whose_answers_are_signed_by(kept: &Kept, key: Key) -> Route {
    for (name, key) in [("roots.pem", Key::Korsbaek), ("signer.pem", key)] {
        let pem = pki::pem("CERTIFICATE", people::certificate(key).der());
        std::fs::write(kept.dir.path().join(name), pem).unwrap();
    }
    let file = format!(
        "[[route]]\nid = \"{}\"\nservice = \"{SERVICE}\"\nenvironment = \"prod\"\nsender = \"{KORSBAEK}\"\nreceiver = \"{OTHER}\"\n\
         valid_from = 2026-01-01\nsystem = \"{}\"\naddress = \"https://192.0.2.7/a\"\nentity_id = \"http://a.example\"\n\
         security = \"token\"\nroots = [\"roots.pem\"]\nsigning_certificates = [\"signer.pem\"]\n",
        Uuid::from_u128(77),
        Uuid::from_u128(78),
    );
    hjemmel::agreements::route::file::parse(&file, kept.dir.path()).unwrap().remove(0)
}

async fn what_is_signed_of_a_route_names_the_certificates_of_its_answers(kept: Kept) {
    let mut shown = Vec::new();
    for (kept, key) in [(&kept, Key::IndexServer), (&kept.another(), Key::StsServer)] {
        let store = opened(kept).await;
        let added = route_whose_answers_are_signed_by(kept, key);
        let (by, own) = (signer(OPERATOR), []);
        let (all, because) = (std::slice::from_ref(&added), because(NOW));
        route::add(&store, By::Key(&by), all, InTheWay::Refuse, &own, &because, None).await.unwrap();
        shown.push(store.made_on(Subject::Route, added.id).await.unwrap().remove(0).what.shown.unwrap());
    }
    assert_ne!(shown[0], shown[1], "one that is exchanged is not what was signed");
}

async fn what_is_signed_of_a_system_names_what_becomes_of_it(kept: Kept) {
    let certificate = |key: Key| Changes::CertificateAdded(Box::new(people::certificate(key)), None);
    let ways = [
        [Changes::Transferred(KORSBAEK.parse().unwrap()), Changes::Transferred(OTHER.parse().unwrap())],
        [certificate(Key::Korsbaek), certificate(Key::StsServer)],
        [Changes::Named("A".to_owned(), "a@example.dk".to_owned()), Changes::Named("B".to_owned(), "a@example.dk".to_owned())],
    ];
    for ways in ways {
        let mut signed = Vec::new();
        for changes in ways {
            let another = kept.another();
            let store = opened(&another).await;
            let shown = (store.system(SYSTEM).await.unwrap().unwrap(), store.system_certificates(SYSTEM).await.unwrap());
            system::change(&store, By::Key(&signer(OPERATOR)), &shown, &changes, &because(NOW), None).await.unwrap();
            signed.push(store.made_on(Subject::System, SYSTEM).await.unwrap().pop().unwrap().what);
        }
        assert_ne!(signed[0].shown, signed[1].shown, "one of them is not what was signed: {signed:?}");
    }
    let store = opened(&kept).await;
    let shown = (store.system(SYSTEM).await.unwrap().unwrap(), store.system_certificates(SYSTEM).await.unwrap());
    let transfer = Changes::Transferred(OTHER.parse().unwrap());
    system::change(&store, By::Key(&signer(OPERATOR)), &shown, &transfer, &because(NOW), None).await.unwrap();
    let made = store.made_on(Subject::System, SYSTEM).await.unwrap().pop().unwrap().what;
    let former = format!("registered as {}", shown.0.party.unwrap());
    assert_eq!((made.from, made.to), (Some(former), format!("transferred to {OTHER}")), "whose it was stays readable");
}

async fn whoever_a_system_is_taken_from_keeps_no_connection_of_it_and_no_request(kept: Kept) {
    let store = opened(&kept).await;
    let (request, lines) = requested(&store, content()).await;
    let held =
        agreement::decide(&store, By::Key(&signer(SIGNATORY)), &lines[0], State::Approved, &because(NOW), None).await.unwrap();
    let shown = (store.system(SYSTEM).await.unwrap().unwrap(), store.system_certificates(SYSTEM).await.unwrap());
    let new = New {
        graph: "terminaladgang".to_owned(),
        service: SERVICE,
        environment: "prod".parse().unwrap(),
        authority: KORSBAEK.parse().unwrap(),
        client: SYSTEM,
        client_supplier: shown.0.party,
        receiver: None,
        receiver_authority: None,
        receiver_supplier: None,
        options: BTreeSet::new(),
    };
    let own = new.clone().connection(at(NOW)).unwrap();
    let others = New { client: Uuid::from_u128(78), ..new }.connection(at(NOW)).unwrap();
    for connection in [&own, &others] {
        connection::add(&store, By::Key(&signer(OPERATOR)), connection, &because(NOW), None).await.unwrap();
    }
    let transfer = Changes::Transferred(OTHER.parse().unwrap());
    system::change(&store, By::Key(&signer(OPERATOR)), &shown, &transfer, &because(NOW), None).await.unwrap();
    let ended = async |id: Uuid| store.connection(id, at(NOW)).await.unwrap().unwrap().ended;
    assert_eq!((ended(own.id).await, ended(others.id).await), (Some(at(NOW)), None));
    let states: Vec<_> =
        store.lines(request.id).await.unwrap().into_iter().map(|line| (line.id == held.id, line.state)).collect();
    assert!(
        states.iter().all(|(was_held, state)| *state == if *was_held { State::Approved } else { State::Withdrawn }),
        "{states:?}"
    );
    assert_eq!(states.len(), lines.len());
    let made = store.made_on(Subject::Connection, own.id).await.unwrap().pop().unwrap();
    assert!(made.what.to == "ended" && made.signature.is_some(), "{made:?}");
}

async fn what_of_a_system_goes_on_is_named_to_whoever_transfers_it_and_in_what_is_signed(kept: Kept) {
    let mut signed = Vec::new();
    for (kept, has) in [(&kept, true), (&kept.another(), false)] {
        let store = opened(kept).await;
        let one = Uuid::from_u128;
        let since = at(NOW).as_microsecond();
        let user =
            sql("INSERT INTO sftp_user (id, name, environment, system, authority, older_root, bytes_limit, disabled, added_us)
             VALUES ($1, $2, 'prod', $3, $4, $5, 1000, $5, $6)");
        let key = sql("INSERT INTO sftp_key (sftp_user, fingerprint, label, public_key, disabled, added_us)
             VALUES ($1, $2, 'x', 'x', $3, $4)");
        let order = sql(
            "INSERT INTO file_order (id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, legal_basis,
                 purpose, valid_from, largest_bytes, keep_days, alarm_hours, delete_days)
             VALUES ($1, $2, $3, $4, $5, $5, 'X', 'lov', 'prøve', $6, 1000, 0, 1, 11)",
        );
        let subscription = sql("INSERT INTO sortiment_subscription (id, service, authority, system, structure, subscribed_at)
             VALUES ($1, $2, $3, $4, 2, $5)");
        let mut written = Vec::new();
        if has {
            written
                .push(user.clone().bind(one(1)).bind("afsender".to_owned()).bind(SYSTEM).bind(KORSBAEK).bind(false).bind(since));
            let another = user.bind(one(2)).bind("modtager".to_owned()).bind(one(78)).bind(OTHER).bind(false).bind(since);
            written.push(another);
            // One in use, one taken out.
            written.push(key.clone().bind(one(1)).bind("aa".to_owned()).bind(false).bind(since));
            written.push(key.bind(one(1)).bind("bb".to_owned()).bind(true).bind(since));
            for (id, state) in [(3, "GODKENDT"), (4, "AFVIST")] {
                let order = order.clone().bind(one(id)).bind(state.to_owned()).bind(one(1)).bind(one(2)).bind(KORSBAEK);
                written.push(order.bind(jiff::civil::date(2026, 11, 1)));
            }
            written.push(subscription.bind(one(5)).bind(SERVICE).bind(KORSBAEK).bind(SYSTEM).bind(at(NOW)));
        }
        let mut transaction = store.database().begin_beside_others().await.unwrap();
        for query in written {
            transaction.execute(query).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let shown = (store.system(SYSTEM).await.unwrap().unwrap(), store.system_certificates(SYSTEM).await.unwrap());
        let transfer = Changes::Transferred(OTHER.parse().unwrap());
        let changed = system::change(&store, By::Key(&signer(OPERATOR)), &shown, &transfer, &because(NOW), None).await.unwrap();
        let all = [
            GoesOn::SftpUser("afsender".to_owned()),
            GoesOn::SftpKey("afsender".to_owned(), "aa".to_owned()),
            GoesOn::FileOrder(one(3)),
            GoesOn::Subscription(one(5)),
        ];
        assert_eq!(changed.goes_on, if has { all.to_vec() } else { Vec::new() });
        signed.push(store.made_on(Subject::System, SYSTEM).await.unwrap().pop().unwrap().what.shown);
    }
    assert_ne!(signed[0], signed[1], "what goes on is signed");
}

async fn a_reminder_is_sent_once_within_an_hour_whatever_the_clock_says(kept: Kept) {
    let store = opened(&kept).await;
    let (_, lines) = requested(&store, content()).await;
    let supplier = store.actor(signer(SUPPLIERS).thumbprint(), None, at(NOW)).await.unwrap();
    let remind = async |at: Timestamp| agreement::remind(&store, &supplier, lines[0].id, at).await;
    let last = at("2026-11-29T10:59:00Z");
    assert_eq!(remind(last).await.unwrap(), 1);
    for after in [1, 59] {
        let soon = remind(last + SignedDuration::from_mins(after)).await.unwrap_err();
        assert!(matches!(refused(&soon), Some(ApiRefusal::ApiConflict { .. })), "{after}: {soon}");
    }
    assert_eq!(remind(last + SignedDuration::from_mins(60)).await.unwrap(), 1);
    let soon = remind(last + SignedDuration::from_mins(119)).await.unwrap_err();
    assert!(matches!(refused(&soon), Some(ApiRefusal::ApiConflict { .. })), "from the last one on: {soon}");
}

/// A database of its own, with everybody in it. It looks for a deadlock once, as long after a session began to wait: by then the
/// other has come to wait, too.
async fn in_a_cluster_of_its_own() -> Option<(Cluster, String, Kept)> {
    let cluster = Cluster::own()?;
    cluster.set("deadlock_timeout", "3s");
    let database = cluster.database().name;
    let (mut settings, dir) = on(&cluster, &database);
    // What waits for a lock gives it up no sooner.
    (settings.patience, settings.statement_timeout) = (Duration::from_secs(60), Duration::from_secs(60));
    Some((cluster, database, Kept::of(settings, dir)))
}

/// Has a decision meet another session that has `row` already and wants the revision, which the decision has taken before: the
/// database sacrifices the decision.
async fn sacrificed<T: Send + 'static>(
    (cluster, database): (&Cluster, &str),
    row: &'static str,
    then: &'static str,
    decision: impl Future<Output = Result<T, DecideError>> + Send + 'static,
) -> T {
    let mut other = cluster.superuser(database).await;
    other.execute("SET deadlock_timeout = '60s'; BEGIN").await.unwrap();
    other.execute(row).await.unwrap();
    let deciding = tokio::spawn(decision);
    cluster.wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'hjemmel'").await;
    other.execute(then).await.unwrap();
    deciding.await.unwrap().unwrap()
}

#[tokio::test]
async fn a_decision_that_the_database_sacrifices_to_another_is_made_again_once() {
    let Some((cluster, database, kept)) = in_a_cluster_of_its_own().await else { return };
    let store = opened(&kept).await;
    let (_, lines) = requested(&store, content()).await;
    let (own, asked) = (store.clone(), lines[0].clone());
    let approve =
        async move { agreement::decide(&own, By::Key(&signer(SIGNATORY)), &asked, State::Approved, &because(NOW), None).await };
    let held = "SELECT FROM agreement FOR UPDATE";
    let then = "LOCK TABLE revision IN ROW EXCLUSIVE MODE; COMMIT";
    let approved = sacrificed((&cluster, &database), held, then, approve).await;
    assert_eq!(approved.state, State::Approved);
    assert_eq!(store.made_on(Subject::Agreement, approved.id).await.unwrap().len(), 2, "asked for, and approved once");
    assert_eq!(decided(&store, &approved, State::Suspended, OWNER).await.unwrap().state, State::Suspended);
}

#[tokio::test]
async fn what_is_decided_on_a_user_is_made_again_too() {
    let Some((cluster, database, kept)) = in_a_cluster_of_its_own().await else { return };
    let store = opened(&kept).await;
    let ended = store.users().await.unwrap().remove(0).id;
    let own: Store = store.clone();
    let end = async move { user::end(&own, None, ended, &because(NOW)).await };
    let then = "LOCK TABLE revision IN ROW EXCLUSIVE MODE; COMMIT";
    let user = sacrificed((&cluster, &database), "SELECT FROM api_user FOR UPDATE", then, end).await;
    assert_eq!(user.valid_to, Some(at(NOW)));
}
