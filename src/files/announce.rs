//! A new host key of the SFTP server, told by letter before it is served: a client that knows the old one alone refuses to connect.
//!
//! Those who are told are the functional mailboxes of whoever logs on by SFTP: of the monitoring orders of a home's user, and of the
//! partner agreements that a mailbox user with a key has rights on. A user of whom no mailbox is known is named, to be told by other means.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::partner::agreement::{self, Standing};
use super::partner::users as mailbox_users;
use super::{monitoring, users};
use crate::agreements::Environment;
use crate::decisions::shown::sha256;
use crate::notices::{Kind, Notice, outbox};
use crate::store::{Database, Session, StoreError, until_it_holds};

/// A host key that is about to be served.
#[derive(Debug, Clone)]
pub struct HostKey {
    /// By what name and port clients reach the server, as `known_hosts` has it.
    pub host: String,
    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The key as OpenSSH writes it: what stands behind the host's name in `known_hosts`.
    pub public: String,
    /// From when it may be shown.
    pub from: Timestamp,
    /// Whose users are told.
    pub environment: Environment,
}

/// By what decisions on a host key are found: it follows from the key's fingerprint.
pub fn id(fingerprint: &str) -> Uuid {
    let digest = crate::hex::decode::<32>(&sha256(fingerprint)).unwrap_or_default();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

impl HostKey {
    /// What stands in `known_hosts`.
    fn line(&self) -> String {
        format!("{} {}", self.host, self.public)
    }

    /// What is announced, a line each: what whoever announces it is shown and signs.
    pub fn text(&self) -> String {
        format!(
            "værtsnøgle: {}\nknown_hosts: {}\nvises fra: {}\nmiljø: {}\n",
            self.fingerprint,
            self.line(),
            self.from,
            self.environment
        )
    }
}

/// Who was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The mailboxes that a letter goes to now.
    pub told: BTreeSet<String>,
    /// Those that were told this text before.
    pub before: BTreeSet<String>,
    /// The users whom no letter reaches.
    pub untold: Vec<String>,
}

/// A user that may log on, and the mailboxes of its files.
struct Concerned {
    user: String,
    mailboxes: BTreeSet<String>,
}

/// Tells everybody who is not told yet, each mailbox once for a text, however often it is asked for.
///
/// # Errors
/// The store. Whoever was told is not told again.
pub async fn host_key(database: &Database, key: &HostKey, now: Timestamp) -> Result<Announced, StoreError> {
    let concerned = concerned(&mut database.session().await?, &key.environment, now).await?;
    let mut announced = Announced::default();
    for mailbox in concerned.iter().flat_map(|concerned| &concerned.mailboxes).collect::<BTreeSet<_>>() {
        let told = until_it_holds(async || notify(database, key, mailbox, now).await).await?;
        match told {
            Told::Now => announced.told.insert(mailbox.clone()),
            Told::Before => announced.before.insert(mailbox.clone()),
            Told::Never => continue,
        };
    }
    let is_told = |mailbox: &String| announced.told.contains(mailbox) || announced.before.contains(mailbox);
    let untold = concerned.iter().filter(|concerned| !concerned.mailboxes.iter().any(is_told));
    announced.untold = untold.map(|concerned| concerned.user.clone()).collect();
    Ok(announced)
}

async fn concerned(session: &mut Session, environment: &Environment, now: Timestamp) -> Result<Vec<Concerned>, StoreError> {
    let mut all = Vec::new();
    let orders = monitoring::all(session).await?;
    let homes = users::all(session).await?.into_iter();
    for user in homes.filter(|user| user.environment == *environment && user.is_open(now)) {
        let own = orders.iter().filter(|order| order.user == user.id);
        let mailboxes = own.map(|order| order.told.clone()).collect();
        all.push(Concerned { user: user.name, mailboxes });
    }
    let of_mailboxes = mailbox_users::all(session).await?.into_iter();
    let by_key = |user: &mailbox_users::User| !user.keys.is_empty() && user.environment == *environment && user.is_open(now);
    for user in of_mailboxes.filter(by_key) {
        let mut mailboxes = BTreeSet::new();
        for right in &user.rights {
            let held = agreement::numbered(session, right.number).await?;
            let held = held.filter(|held| held.standing == Standing::Active);
            mailboxes.extend(held.map(|held| held.terms.contact.email));
        }
        all.push(Concerned { user: user.name, mailboxes });
    }
    Ok(all)
}

enum Told {
    Now,
    Before,
    /// What is named is no address that letters go to.
    Never,
}

async fn notify(database: &Database, key: &HostKey, mailbox: &str, now: Timestamp) -> Result<Told, StoreError> {
    // All of the text: whoever is told before has the text that the decision is on.
    let mark = format!("host-key/{}", sha256(&format!("{}\n{mailbox}", sha256(&key.text()))));
    let mut transaction = database.begin_beside_others().await?;
    if outbox::was_given(&mut transaction, &mark).await? {
        return Ok(Told::Before);
    }
    let notice = Notice {
        kind: Kind::HostKeyChanges,
        name: key.host.clone(),
        english: None,
        by: None,
        page: "/".to_owned(),
        authority: None,
        service: None,
        system: None,
        environment: Some(key.environment.to_string()),
        at: Some(key.from),
        reason: None,
        differs: vec![key.fingerprint.clone(), key.line()],
    };
    if !outbox::notify_mailbox(database, &mut transaction, mailbox, &notice).await? {
        return Ok(Told::Never);
    }
    // Where it is told elsewhere at the same time, this letter goes with the transaction.
    if !outbox::gives(&mut transaction, &mark, now).await? {
        return Ok(Told::Before);
    }
    transaction.commit().await?;
    Ok(Told::Now)
}
