//! Names beside numbers: of authorities and systems from the store, of rules from the policy that decided.

use std::collections::BTreeMap;
use std::path::Path;

use uuid::Uuid;

use crate::agreements::Store;
use crate::agreements::system::Wanted;
use crate::id::cvr::Cvr;
use crate::services::Service;
use crate::services::terminaladgang::law::release::Words;
use crate::services::terminaladgang::policies::read_history;
use crate::store::{Access, Settings};

/// How many systems are read at once.
const PAGE: u32 = 1_000;

/// What is known of names; empty where nothing was given to read them from.
#[derive(Debug, Default)]
pub struct Names {
    authorities: BTreeMap<Cvr, String>,
    systems: BTreeMap<Uuid, String>,
    /// The words of each rule, by the digest of the policy that has it.
    rules: BTreeMap<String, BTreeMap<String, Words>>,
}

/// Anything that keeps names from being read, reported once to a person.
pub type NamesError = Box<dyn std::error::Error + Send + Sync>;

impl Names {
    /// Takes the names of the store's authorities and systems.
    pub async fn read_store(&mut self, settings: &Settings) -> Result<(), NamesError> {
        let store = Store::open_to(Access::Look, settings).await?;
        self.authorities.extend(store.authorities().await?.into_iter().map(|authority| (authority.cvr, authority.name)));
        loop {
            let after = self.systems.last_key_value().map(|(id, _)| *id);
            let page = store.systems(&Wanted { after, limit: PAGE, ..Wanted::default() }).await?;
            let last = page.len() < PAGE as usize;
            self.systems.extend(page.into_iter().map(|system| (system.id, system.name)));
            if last {
                break;
            }
        }
        store.close().await;
        Ok(())
    }

    /// Takes the words of the policies of a configuration's services, in every version.
    pub fn read_services<'s>(&mut self, services: impl Iterator<Item = &'s Service>) -> Result<(), NamesError> {
        for policy in services.filter_map(Service::terminaladgang).map(|settings| &settings.policy) {
            self.read_policy(&policy.directory, &policy.name)?;
        }
        Ok(())
    }

    /// Takes the words of every policy of a folder, in every version.
    pub fn read_folder(&mut self, folder: &Path) -> Result<(), NamesError> {
        for entry in std::fs::read_dir(folder).map_err(|error| crate::cli::file::describe(folder, &error).to_string())? {
            let path = entry?.path();
            if let (Some("toml"), Some(name)) =
                (path.extension().and_then(|ending| ending.to_str()), path.file_stem().and_then(|name| name.to_str()))
            {
                self.read_policy(folder, name)?;
            }
        }
        Ok(())
    }

    fn read_policy(&mut self, folder: &Path, name: &str) -> Result<(), NamesError> {
        for version in read_history(folder, name)?.versions() {
            let words = version.words().into_iter().map(|words| (words.id.clone(), words.clone()));
            self.rules.insert(crate::hex::encode(version.digest()), words.collect());
        }
        Ok(())
    }

    /// The name of an authority.
    pub fn authority(&self, cvr: Cvr) -> Option<&str> {
        self.authorities.get(&cvr).map(String::as_str)
    }

    /// The name of a system.
    pub fn system(&self, id: Uuid) -> Option<&str> {
        self.systems.get(&id).map(String::as_str)
    }

    /// The words of a rule in the very version of the policy that decided.
    pub fn rule(&self, digest: &str, rule: &str) -> Option<&Words> {
        self.rules.get(digest)?.get(rule)
    }
}
