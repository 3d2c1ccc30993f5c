//! Where the agreements store is, for the commands that work on it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::which;
use crate::agreements::rules::Rules;
use crate::agreements::{Environment, Store, Vocabulary};
use crate::config::{Draft, Report, Sections, ServiceSection, store_of};
use crate::services::persons::campus::Campus;
use crate::services::{Service, agreement_rules, notices, vocabulary, vocabulary_of};
use crate::signature::credentials::Credentials;
use crate::store::settings::AddressError;
use crate::store::{Access, At, Settings, StoreError};
use crate::text::{self, LONGEST};

/// Where the store is.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The store: an SQLite file, which `agreement import` makes where it is not, or postgres:// over a socket
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "config", value_parser = given)]
    store: Option<At>,
    /// The gateway's configuration, of which `[store]` is read
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn given(text: &str) -> Result<At, AddressError> {
    At::read(text, Path::new(""), true)
}

/// Why it is not known where the store is.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Neither `--store` nor `--config`.
    #[error("say where the agreements are: --store PATH or --config FILE")]
    NoPlace,
    /// The configuration names no store.
    #[error("{}: there is no [store] url = \"sqlite:PATH\" in it", .0.display())]
    NoStoreInConfig(PathBuf),
    /// What it says of the store is wrong.
    #[error("{0}")]
    WrongStore(Report),
    /// It is not said for which environment.
    #[error("say for which environment: --environment NAME, or --config FILE with environment = \"NAME\" in it")]
    NoEnvironment,
    /// The service is not known.
    #[error("{0}")]
    Service(String),
    /// The configuration cannot be read.
    #[error("{}", crate::cli::file::describe(path, source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Place {
    /// Where the store is. Of a configuration only `[store]` is read: agreements can be put in order while the rest of the
    /// configuration is not yet.
    pub(super) fn settings(&self, now: Timestamp) -> Result<Settings, PlaceError> {
        match (&self.store, &self.config) {
            (Some(store), _) => Ok(Settings::usual(store.clone())),
            (None, Some(config)) => {
                if table(config)?.is_some_and(|table| !table.contains_key("store") && !table.contains_key("agreements")) {
                    return Err(PlaceError::NoStoreInConfig(config.clone()));
                }
                store_of::<Service>(config, now).map_err(PlaceError::WrongStore)
            }
            (None, None) => Err(PlaceError::NoPlace),
        }
    }

    /// The environment that is given, or the configuration's.
    pub(super) fn environment(&self, given: Option<Environment>) -> Result<Environment, PlaceError> {
        let of_config = |config| -> Result<Option<Environment>, PlaceError> {
            Ok(table(config)?.and_then(|table| table.get("environment")?.as_str()?.parse().ok()))
        };
        let known = match (given, &self.config) {
            (None, Some(config)) => of_config(config)?,
            (given, _) => given,
        };
        known.ok_or(PlaceError::NoEnvironment)
    }

    /// The UUID of a service that is given by it, or by its name in the configuration, as far as that can be read.
    pub(super) fn service(&self, named: &str, now: Timestamp) -> Result<Uuid, PlaceError> {
        if let Ok(uuid) = named.parse() {
            return Ok(uuid);
        }
        let unnamed = || PlaceError::Service(format!("{named} is no UUID; to name a service, add --config FILE"));
        let draft = Draft::<Service>::open(self.config.as_ref().ok_or_else(unnamed)?, now);
        let (_, service) = which::service(&draft.sections().services, Some(named)).map_err(PlaceError::Service)?;
        Ok(service.offer().service_uuid)
    }

    /// Every service of the kind "finance", and how many days ahead its value lists are published, in the configuration, as far as that can be read.
    pub(super) fn finance(&self, now: Timestamp) -> Vec<(Uuid, u16)> {
        let Some(draft) = self.draft(now) else { return Vec::new() };
        notices(&draft.sections().services).into_iter().collect()
    }

    /// The service that is named, or the one of the kind "finance" where there is one alone.
    pub(super) fn finance_service(&self, named: Option<&str>, now: Timestamp) -> Result<Uuid, PlaceError> {
        match (named, self.finance(now).as_slice()) {
            (Some(named), _) => self.service(named, now),
            (None, [(only, _)]) => Ok(*only),
            (None, _) => Err(PlaceError::Service(
                "say for which service: --service UUID, or --config FILE and --service NAME, unless it has one with kind = \"finance\""
                    .to_owned(),
            )),
        }
    }

    /// Where persons are handed on to, and the gateway's own certificate, whatever else is wrong with the configuration; `None`: it
    /// has no `[campus]`.
    pub(super) fn campus(&self, now: Timestamp) -> Result<Option<(Campus, Credentials)>, Report> {
        let Some(draft) = self.draft(now) else { return Ok(None) };
        let Sections { shared, system, .. } = draft.sections();
        match (shared.campus.clone(), system.clone()) {
            (None, _) if !draft.is_wrong(&["campus", ""]) => Ok(None),
            (Some(campus), Some(system)) => Ok(Some((campus, system))),
            _ => Err(draft.problems_of(&["campus", "system", ""])),
        }
    }

    /// How agreements of the configuration's services are asked for and ended.
    pub(super) fn rules(&self, now: Timestamp) -> Rules {
        let rules = self.draft(now).map(|draft| agreement_rules(&draft.sections().services, now));
        Rules::new(rules.unwrap_or_default())
    }

    /// The addresses that the gateway listens on, as far as the configuration can be read.
    pub(super) fn listeners(&self, now: Timestamp) -> Vec<SocketAddr> {
        let draft = self.draft(now);
        draft.map(|draft| draft.sections().listeners().into_iter().map(|(_, address)| address).collect()).unwrap_or_default()
    }

    /// The configuration, as far as it can be read; none where a store is given.
    pub(super) fn draft(&self, now: Timestamp) -> Option<Draft<Service>> {
        self.config.as_ref().map(|config| Draft::open(config, now))
    }

    /// What the services know of agreements: those of the configuration, as far as it can be read.
    pub(super) fn vocabulary(&self, now: Timestamp) -> Vocabulary {
        match &self.config {
            Some(config) => vocabulary_of(&Draft::<Service>::open(config, now).sections().services),
            None => vocabulary(),
        }
    }
}

/// The configuration as TOML, or none where it is not.
fn table(config: &Path) -> Result<Option<toml::Table>, PlaceError> {
    let text = std::fs::read_to_string(config).map_err(|source| PlaceError::File { path: config.to_owned(), source })?;
    Ok(text.parse().ok())
}

/// Opens the store, does the work, and closes it.
pub(super) async fn with_store<T, E: From<StoreError>>(
    settings: &Settings,
    access: Access,
    work: impl AsyncFnOnce(&Store) -> Result<T, E>,
) -> Result<T, E> {
    let store = Store::open_to(access, settings).await?;
    let done = work(&store).await;
    store.close().await;
    done
}

/// A name or a reason, as a decision keeps it.
pub(super) fn one_line(text: &str) -> Result<String, String> {
    text::line(text).map_err(|unfit| format!("write one line of 1-{LONGEST} characters: {}", unfit.describe().en()))
}
