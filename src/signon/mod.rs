//! Log-on of persons to the console: SAML 2.0 Web SSO, by the browser, with OIOSAML's attributes.
//!
//! A step takes what only the step before it can make:
//!
//! 1. [`request`]: a browser is sent to its provider; [`Secret`](request::Secret) binds the answer to that browser.
//! 2. [`response`]: the answer is read, each part in its place, and its signatures verified where they stand;
//!    [`decrypt`] opens an encrypted assertion, whose plaintext is judged unchanged. This makes an
//!    [`Attested`](response::Attested): the provider said so, to us, now, to this browser's request.
//! 3. [`person`]: assurance, authority and roles are asked of it, by the configured [`Rules`](person::Rules). This makes a
//!    [`Candidate`](person::Candidate).
//! 4. [`person::Candidate::once`]: the answer is used up, over all nodes. This makes a [`Person`](person::Person), and nothing
//!    else opens a session.
//!
//! Log-out is in [`logout`], by the binding in [`redirect`]. [`own`] is the console as a provider knows it, [`provider`] the
//! provider as the console knows it.
//!
//! The attributes that are read are those named in the rules; all others, a CPR number among them, are never copied out of
//! the message, and the message is neither logged nor kept.

pub mod decrypt;
pub mod logout;
pub mod names;
pub mod own;
pub mod person;
pub mod provider;
pub mod redirect;
pub mod request;
pub mod response;

#[cfg(test)]
mod tests;

use crate::refusal::logon::LogOnRefusal;
use crate::refusal::{Detail, Refusal};
use crate::signature::write::{escaped, escaped_value as attribute};

fn structure(da: impl Into<String>, en: impl Into<String>) -> LogOnRefusal {
    LogOnRefusal::LogOnStructure { what: Detail::new(da, en) }
}

/// What the judge of signatures says, as a refusal of the log-on; `of` is what should have been signed.
fn log_on_refusal(refusal: Refusal, of: &Detail) -> LogOnRefusal {
    match refusal {
        Refusal::SignatureAlgorithm { algorithm } => LogOnRefusal::LogOnAlgorithm { algorithm },
        Refusal::SecurityStructure { what } => LogOnRefusal::LogOnStructure { what },
        Refusal::DuplicateId => structure("to elementer har samme id", "two elements have the same id"),
        Refusal::CommentRefused { .. } => structure("der er en kommentar", "there is a comment"),
        _ => LogOnRefusal::LogOnSignature { of: of.clone() },
    }
}

/// Why XML could not be read.
fn unreadable(refusal: &Refusal) -> LogOnRefusal {
    let entry = refusal.entry();
    let plain = |text: &str| text.trim_end_matches('.').to_owned();
    LogOnRefusal::LogOnUnreadable { what: Detail::new(plain(&entry.da.what), plain(&entry.en.what)) }
}
