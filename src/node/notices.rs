//! What a node does for agreements without a call: they expire, whoever waits is notified, and letters are sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::sync::watch::Receiver;

use super::reload::Reloader;
use super::until;
use crate::agreements::Store;
use crate::clock::Clock;
use crate::connection::reminders;
use crate::decisions::life::{self, Done};
use crate::notices::audience::Audience;
use crate::notices::work::Sender;
use crate::notices::{Kind, Notice};
use crate::persons::campus::queue;
use crate::services::concerns::{Concern, What};
use crate::store::StoreError;

/// How often it is looked what time has done.
const LOOKED: Duration = Duration::from_secs(20);
/// How long after a notice of something that goes on another is given.
const TOLD_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// Every how many looks it is looked who is next in connections: every five minutes.
const CONNECTIONS: u64 = 15;
/// Every how many looks it is forgotten which notices were given long ago: once a day.
const FORGOTTEN: u64 = 4320;

/// Sends letters until the node stops.
pub(super) async fn send(sender: Sender, stopped: Receiver<()>) {
    tokio::select! {
        () = sender.run() => {}
        () = until(stopped) => {}
    }
    // Nobody sends from here on, and the last request may be an hour away.
    sender.stopped().await;
}

/// Notifies the operators of peers that do not answer: of each once an hour, whichever node sees it. One that fails for a moment is
/// none yet: `before` has those of the look before.
async fn notify_failing(store: &Store, failing: &[String], before: &[String], now: Timestamp) -> Result<(), StoreError> {
    for name in failing.iter().filter(|name| before.contains(name)) {
        let mut change = store.change().await?;
        if change.gives_again(&format!("peer {name}"), now, TOLD_AGAIN).await? {
            let notice = Notice {
                kind: Kind::ProviderFailing,
                name: name.clone(),
                page: "/services".to_owned(),
                authority: None,
                service: None,
                system: None,
                environment: None,
                at: Some(now),
                reason: None,
                differs: Vec::new(),
                english: None,
                by: None,
            };
            change.notify(store.database(), &notice, &[Audience::Operators], now).await?;
            change.commit().await?;
        }
    }
    Ok(())
}

/// Notifies whoever looks after a provider, and the operators, of what calls noted of it: of each once an hour, whichever node sees it.
async fn notify_concern(store: &Store, concern: &Concern, environment: &str, now: Timestamp) -> Result<(), StoreError> {
    let Concern { what, service, system, receiver } = *concern;
    let mut change = store.change().await?;
    let of = |id: Option<String>| id.unwrap_or_default();
    let whose = format!("{} {}", of(system.map(|id| id.to_string())), of(receiver.map(|cvr| cvr.to_string())));
    if !change.gives_again(&format!("{what:?} {service} {whose}"), now, TOLD_AGAIN).await? {
        return Ok(());
    }
    let registered = match system {
        Some(id) => change.system(id).await?,
        None => None,
    };
    let name = registered.as_ref().map(|system| system.name.clone());
    let notice = Notice {
        kind: match what {
            What::AnswerRefused => Kind::ProviderAnswerRefused,
            What::AnswerLost => Kind::DeliveryUnknown,
        },
        name: name.or(system.map(|id| id.to_string())).unwrap_or_else(|| service.to_string()),
        page: "/services".to_owned(),
        authority: receiver,
        service: Some(service),
        system,
        environment: Some(environment.to_owned()),
        at: Some(now),
        reason: None,
        differs: Vec::new(),
        english: None,
        by: None,
    };
    let party = registered.and_then(|system| system.party);
    let audience = [Audience::Holders(party), Audience::Holders(receiver), Audience::Operators];
    change.notify(store.database(), &notice, &audience, now).await?;
    change.commit().await
}

/// Does what is due until the node stops. `decided` is told of what is to stand in the audit's chain.
pub(super) async fn look(store: Store, reloader: Arc<Reloader>, clock: Clock, decided: Arc<Notify>, mut stopped: Receiver<()>) {
    let mut before = Vec::new();
    let environment = reloader.environment().await;
    let mut tick = tokio::time::interval(LOOKED);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for count in 0_u64.. {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = tick.tick() => {}
        }
        let failing = reloader.failing();
        if let Err(error) = notify_failing(&store, &failing, &before, clock.now()).await {
            tracing::warn!(%error, "the operators could not be told of peers that do not answer");
        }
        before = failing;
        let concerns = reloader.concerns();
        for concern in concerns.take() {
            if let Err(error) = notify_concern(&store, &concern, &environment, clock.now()).await {
                tracing::warn!(%error, "a provider's operations could not be told of its answers; it is tried again");
                concerns.note(concern);
            }
        }
        if let Err(error) = queue::report_dead(&store, clock.now()).await {
            tracing::warn!(%error, "the operators could not be told of persons that are not handed on; it is tried again");
        }
        match life::look(&store, &reloader.standing.rules, clock.now()).await {
            Ok(Done { expired: 0, told: 0 }) => {}
            Ok(Done { expired, told }) => {
                decided.notify_one();
                tracing::info!(expired, told, "agreements expired, or somebody was told of those that wait or soon do");
            }
            Err(error) => tracing::warn!(%error, "it could not be looked which agreements expire; it is tried again"),
        }
        if count % CONNECTIONS == 0
            && let Err(error) = reminders::send(&store, clock.now()).await
        {
            tracing::warn!(%error, "who is next in connections could not be told; it is tried again");
        }
        if count % FORGOTTEN == 0
            && let Err(error) = store.forget_notices(clock.now()).await
        {
            tracing::warn!(%error, "which notices were given long ago could not be forgotten; it is tried again in a day");
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::{Uuid, uuid};

    use super::*;
    use crate::agreements::system::System;
    use crate::decisions::{Because, user};
    use crate::id::cvr::Cvr;
    use crate::notices::address::Language;
    use crate::notices::outbox::{Waiting, jobs};
    use crate::store::Settings as At;
    use crate::users::rights::Role;
    use crate::users::{Kind as Of, User};

    const SYSTEM: Uuid = uuid!("0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e10");
    const HOLDER: &str = "22222222";
    const RECEIVER: &str = "11111111";
    const ANOTHER: &str = "99999981";

    /// A user who looks after systems, or runs the gateway, and is notified by mail at the role's name and the party.
    async fn told_by_mail(store: &Store, role: Role, party: Option<&str>, now: Timestamp) {
        let (person, address) = (Uuid::new_v4(), format!("{}@example.dk", party.unwrap_or("drift")));
        let user = User {
            id: person,
            person,
            name: address.clone(),
            kind: Of::Person,
            party: party.map(|party| party.parse().unwrap()),
            roles: vec![role],
            services: Vec::new(),
            certificates: Vec::new(),
            valid_from: now,
            valid_to: None,
            known: crate::users::Known::default(),
        };
        user::add(store, None, &user, &[], &Because::new("sag 7".to_owned(), now)).await.unwrap();
        let mut change = store.change().await.unwrap();
        change.set_address(user.id, Some((&address, Language::Da)), now).await.unwrap();
        change.commit().await.unwrap();
    }

    /// Who is notified of this at this instant, by the letters that are written.
    async fn notified(store: &Store, concern: Concern, at: Timestamp) -> Vec<String> {
        notify_concern(store, &concern, "exttest", at).await.unwrap();
        let (jobs, mut to) = (jobs(store.database()), Vec::new());
        for letter in jobs.take(100).await.unwrap() {
            let waiting: Waiting = serde_json::from_slice(&letter.payload).unwrap();
            assert_eq!((waiting.notice.kind, waiting.notice.system), (Kind::ProviderAnswerRefused, concern.system));
            assert_eq!(waiting.notice.authority, concern.receiver);
            jobs.done(&letter).await.unwrap();
            to.push(waiting.to);
        }
        to.sort_unstable();
        to
    }

    #[tokio::test]
    async fn whoever_holds_the_system_or_receives_and_the_operators_are_told_once_an_hour_of_each_and_nobody_else() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&At::sqlite(&dir.path().join("agreements.sqlite"))).await.unwrap();
        told_by_mail(&store, Role::Operator, None, now).await;
        for party in [HOLDER, RECEIVER, ANOTHER] {
            told_by_mail(&store, Role::SystemResponsible, Some(party), now).await;
        }
        let mut change = store.change().await.unwrap();
        let party: Option<Cvr> = Some(HOLDER.parse().unwrap());
        let (name, contact) = ("Økonomisystem".to_owned(), "drift@example.dk".to_owned());
        change.write_system(&System { id: SYSTEM, party, name, contact, made_at: now, changed_at: now }).await.unwrap();
        change.commit().await.unwrap();
        let of = |receiver: Option<&str>| {
            let receiver = receiver.map(|receiver| receiver.parse().unwrap());
            Concern { what: What::AnswerRefused, service: Uuid::nil(), system: Some(SYSTEM), receiver }
        };
        let (holder, receiver) = (format!("{HOLDER}@example.dk"), format!("{RECEIVER}@example.dk"));
        let (another, operator) = (format!("{ANOTHER}@example.dk"), "drift@example.dk".to_owned());
        let minutes = |minutes: i64| now + SignedDuration::from_mins(minutes);
        let all = [receiver, holder.clone(), operator.clone()];
        assert_eq!(notified(&store, of(Some(RECEIVER)), minutes(0)).await, all);
        for at in [0, 1, 59] {
            assert_eq!(notified(&store, of(Some(RECEIVER)), minutes(at)).await, [""; 0], "after {at} minutes");
        }
        // Of another receiver, and of one for all, of whom no authority is notified.
        assert_eq!(notified(&store, of(Some(ANOTHER)), minutes(10)).await, [holder.clone(), another, operator.clone()]);
        assert_eq!(notified(&store, of(None), minutes(20)).await, [holder, operator]);
        assert_eq!(notified(&store, of(Some(RECEIVER)), minutes(60)).await, all);
    }
}
