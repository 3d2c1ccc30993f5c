//! Settings that name certificates and keys: read at once, and held against the clock.

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use toml::Spanned;

use super::Content;
use super::reader::{Reader, as_array, as_text, placed};
use crate::signature::credentials::{Credentials, CredentialsError, certificates_from_pem_file, inspect};

/// How long before a certificate's end the operator is warned.
pub(crate) const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Reader<'_> {
    /// The certificates in PEM files: trust roots or pinned signing keys. One that has expired is no fault, for roots and
    /// signing certificates overlap while they are exchanged; but none that is valid is.
    pub(crate) fn certificates(&mut self, key: &'static str, required: bool) -> Option<Vec<CertificateDer<'static>>> {
        let (folder, now) = (self.folder, self.now);
        let mut soon = Vec::new();
        let mut read = Vec::new();
        let default = if required { None } else { Some(Vec::new()) };
        let found = self.setting(key, default, |value| {
            let mut all = Vec::new();
            for item in as_array(value)? {
                let file = placed(folder, &as_text(item.get_ref())?)?;
                let certificates = certificates_from_pem_file(&file).map_err(|error| said(&error))?;
                read.push((file.clone(), certificates.iter().map(content).collect::<Vec<_>>()));
                for certificate in certificates {
                    let Ok(facts) = inspect(&certificate) else { continue };
                    if facts.not_after < now + WARN_BEFORE {
                        let subject = facts.subject;
                        soon.push((facts.not_after, format!("{subject} in {} {}", file.display(), ends(facts.not_after, now))));
                    }
                    all.push(certificate);
                }
            }
            let valid = all.len() - soon.iter().filter(|(end, _)| *end < now).count();
            match (all.is_empty(), valid) {
                (true, _) if required => Err("is empty; name at least one PEM file".to_owned()),
                (false, 0) => Err("holds only expired certificates; add the present ones".to_owned()),
                _ => Ok(all),
            }
        });
        for (file, holds) in read {
            self.note(key, &file, holds, false);
        }
        let span = self.find(key).map(Spanned::span);
        for (_, text) in soon {
            self.warning(key, span.clone(), format!("{text}; add its successor beside it"));
        }
        found
    }

    /// A certificate with its key: `certificate` and `key` (PEM), or `pkcs12` and `password_file`.
    pub(super) fn credentials(&mut self) -> Option<Credentials> {
        let pem = ["certificate", "key"];
        let pkcs12 = ["pkcs12", "password_file"];
        if self.has_any(&pkcs12) && self.has_any(&pem) {
            self.known.extend(pem.iter().chain(&pkcs12));
            self.problem("certificate", self.header.clone(), "is given beside pkcs12; use the one or the other".to_owned());
            return None;
        }
        if self.has_any(&pkcs12) {
            self.known.extend(pem);
            let (file, password) = (self.file("pkcs12"), self.file("password_file"));
            let (file, password) = (file?, password?);
            let read = self.owned("pkcs12", Credentials::from_pkcs12_file(&file, &password))?;
            self.note("pkcs12", &file, read.chain().iter().map(content).chain([private_key()]).collect(), true);
            self.note("password_file", &password, Vec::new(), true);
            return Some(read);
        }
        self.known.extend(pkcs12);
        let (certificate, key) = (self.file("certificate"), self.file("key"));
        let (certificate, key) = (certificate?, key?);
        let read = self.owned("certificate", Credentials::from_pem_files(&certificate, &key))?;
        self.note("certificate", &certificate, read.chain().iter().map(content).collect(), false);
        self.note("key", &key, vec![private_key()], true);
        Some(read)
    }

    /// Own credentials must be valid now, and are warned of before their end.
    fn owned(&mut self, key: &'static str, read: Result<Credentials, CredentialsError>) -> Option<Credentials> {
        let span = self.find(key).map(Spanned::span);
        let credentials = match read {
            Ok(credentials) => credentials,
            Err(error) => {
                self.problem(key, span, said(&error));
                return None;
            }
        };
        if credentials.left_out() > 0 {
            let others = credentials.left_out();
            self.warning(
                key,
                span.clone(),
                format!("holds {others} certificate(s) that are no part of the chain and are not sent; remove them"),
            );
        }
        let facts = inspect(credentials.leaf()).ok()?;
        if facts.not_after < self.now {
            self.problem(key, span, format!("{} {}; order a new certificate", facts.subject, ends(facts.not_after, self.now)));
            return None;
        }
        if facts.not_before > self.now {
            let text = format!("{} is valid only from {}; check the machine's clock", facts.subject, facts.not_before);
            self.problem(key, span, text);
            return None;
        }
        if facts.not_after < self.now + WARN_BEFORE {
            self.warning(key, span, format!("{} {}; order its successor now", facts.subject, ends(facts.not_after, self.now)));
        }
        Some(credentials)
    }
}

fn content(certificate: &CertificateDer<'static>) -> Content {
    let facts = inspect(certificate).ok();
    let ends = facts.as_ref().map(|facts| facts.not_after);
    Content { kind: "certificate", subject: facts.map_or_else(String::new, |facts| facts.subject), ends }
}

fn private_key() -> Content {
    Content { kind: "private key", subject: String::new(), ends: None }
}

fn said(error: &CredentialsError) -> String {
    error.to_string()
}

/// When a certificate ends, as it looks now.
pub(crate) fn ends(not_after: Timestamp, now: Timestamp) -> String {
    let verb = if not_after < now { "expired" } else { "expires" };
    format!("{verb} {}", not_after.strftime("%Y-%m-%d"))
}
