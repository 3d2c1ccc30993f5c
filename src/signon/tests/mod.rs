//! The log-on against the stub's provider, in its right and its wrong answers, and against what real providers sent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)] // a test fails by panicking

mod bindings;
mod table;
mod vectors;

use std::sync::LazyLock;

use bytes::Bytes;
use jiff::Timestamp;

use super::own::Own;
use super::person::{Candidate, Rules};
use super::provider::{Answers, Provider};
use super::request::{RequestId, Secret};
use super::response::{Answer, Attested};
use crate::clock::Clock;
use crate::refusal::logon::LogOnRefusal;
use crate::signature::base64;
use crate::signature::credentials::Credentials;
use crate::stub::idp::answer::{Asked, Mode, respond};
use crate::stub::idp::{self, Keys, Partner, Person, Signer, privilege};
use crate::stub::pki::{Role as Key, for_tests};
use crate::users::rights::Role;

const IDP: &str = "https://idp.test/md";

/// A console and its provider. The certificates begin today, so everything is judged now.
struct Stage {
    own: Own,
    keys: Keys,
    partner: Partner,
    rules: Rules,
}

fn credentials(key: Key) -> Credentials {
    let own = for_tests().credentials(key).unwrap();
    Credentials::new(own.chain().to_vec(), own.key().clone_key()).unwrap()
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let own = Own::new("https://console.test", None, &[credentials(Key::GatewayClient)]).unwrap();
    let signer = |key| Signer::new(credentials(key)).unwrap();
    let partner = Partner::from_metadata(&own.metadata().unwrap()).unwrap();
    let roles = Role::ALL.map(|role| (privilege(role), role)).to_vec();
    let rules = Rules { roles, operators: Some(idp::OPERATORS.parse().unwrap()), ..Rules::default() };
    Stage { own, keys: Keys { own: signer(Key::StsSigning), other: signer(Key::Intruder) }, partner, rules }
});

fn provider(answers: Answers) -> Provider {
    let metadata = idp::metadata(IDP, "https://idp.test", STAGE.keys.own.certificate());
    Provider::from_metadata("test", Bytes::from(metadata), answers, now()).unwrap()
}

/// The one that answers for the demonstration's authorities, and no others.
fn usual() -> Vec<Provider> {
    let cvrs = idp::demo_people().iter().map(|person| person.cvr).collect();
    vec![provider(Answers::For(cvrs))]
}

fn now() -> Timestamp {
    Clock::system().now()
}

fn signatory() -> Person {
    idp::demo_people().into_iter().find(|person| person.roles.contains(&Role::Signatory)).unwrap()
}

fn asked<'a>(request: &'a RequestId, person: &'a Person) -> Asked<'a> {
    Asked {
        issuer: IDP,
        consumer: STAGE.own.consumer(),
        audience: STAGE.own.entity_id(),
        request: request.as_str(),
        certificate: Some(STAGE.partner.certificate()),
        person,
        now: now(),
    }
}

fn judge(response: &[u8], request: Option<&RequestId>, rules: &Rules) -> Result<Attested, LogOnRefusal> {
    Answer::read(&base64::encode(response))?.judge(&STAGE.own, &usual(), rules, request, now())
}

/// A log-on from the request to the proven person, who has not used the answer yet.
fn log_on(person: &Person, mode: Mode, rules: &Rules) -> Result<Candidate, LogOnRefusal> {
    let request = Secret::new().unwrap().request_id();
    let response = respond(&asked(&request, person), mode, &STAGE.keys).unwrap();
    judge(&response, Some(&request), rules)?.person(rules)
}

fn code<T>(result: Result<T, LogOnRefusal>) -> Option<&'static str> {
    result.err().map(|refusal| refusal.code())
}
