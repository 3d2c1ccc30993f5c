//! The sections that services have beside `[service.NAME]`: an installation has each once, however many services use it.

use rustls_pki_types::CertificateDer;

use super::persons::campus::{self, Campus};
use super::persons::key::{self, Key};
use crate::config::reader::Reader;
use crate::config::{DomainLists, SharedSections};

/// What they say. Of a section that could not be read there is nothing here, and a problem is reported.
#[derive(Debug, Default)]
pub struct Shared {
    /// Where persons are handed on to; `None`: they wait.
    pub campus: Option<Campus>,
    /// The key under which persons are known; `None`: none are imported here.
    pub persons: Option<Key>,
}

impl Shared {
    /// The sections with a trust domain, each of whose CAs stand in its `roots`.
    pub fn domains(&self) -> impl Iterator<Item = (&'static str, &[CertificateDer<'static>], &DomainLists)> {
        self.campus.iter().map(|campus| (campus.domain(), campus.roots.as_slice(), &campus.revocation))
    }

    /// Whether persons are imported here, or handed on.
    pub fn persons_are_at_work(&self) -> bool {
        self.persons.is_some() || self.campus.is_some()
    }
}

impl SharedSections for Shared {
    fn read(root: &mut Reader<'_>) -> Self {
        let campus = root.optional_section("campus", campus::read);
        let persons = root.optional_section("persons", key::read);
        Self { campus: campus.flatten(), persons: persons.flatten() }
    }

    fn certificates(&self) -> Vec<(&'static str, Vec<CertificateDer<'static>>)> {
        self.campus.iter().map(|campus| ("campus.roots", campus.roots.clone())).collect()
    }

    fn keep_until_restart(&mut self, running: &Self) -> Vec<&'static str> {
        let mut differing = Vec::new();
        if self.campus != running.campus {
            differing.push("campus");
            self.campus.clone_from(&running.campus);
        }
        if self.persons != running.persons {
            differing.push("persons");
            self.persons.clone_from(&running.persons);
        }
        differing
    }
}
