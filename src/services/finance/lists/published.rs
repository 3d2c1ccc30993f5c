//! What is published of one service, as calls remember it.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::kept::MOST_VERSIONS;
use crate::agreements::Store;
use crate::services::finance::memory::Content;
use crate::services::finance::rules::sortiment::{List, Lists};
use crate::store::StoreError;

/// The lists that are published.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Published {
    pub lists: Arc<Lists>,
    /// Each version by its id in the store, where it never changes.
    versions: Arc<BTreeMap<Uuid, Arc<List>>>,
}

impl Content for Published {
    const WHAT: &'static str = "value lists";

    /// Of what was known no code is read again.
    async fn read(store: &Store, service: Uuid, before: Option<&Self>) -> Result<Self, StoreError> {
        let heads = store.published(service).await?;
        if heads.len() > MOST_VERSIONS {
            tracing::error!(versions = heads.len(), most = MOST_VERSIONS, "there are more published value lists than are read");
            return Err(StoreError::Unreadable { column: "sortiment" });
        }
        if let Some(before) = before
            && before.versions.len() == heads.len()
            && heads.iter().all(|head| before.versions.contains_key(&head.id))
        {
            return Ok(before.clone());
        }
        let mut versions = BTreeMap::new();
        for head in &heads {
            let list = match before.and_then(|before| before.versions.get(&head.id)) {
                Some(list) => list.clone(),
                None => Arc::new(store.sortiment_content(head).await?),
            };
            versions.insert(head.id, list);
        }
        let lists = Lists::new(versions.values().cloned()).map_err(|wrong| {
            tracing::error!(wrong = wrong.join(" "), "published value lists do not fit each other");
            StoreError::Unreadable { column: "sortiment" }
        })?;
        tracing::info!(%service, versions = versions.len(), "the published value lists were read");
        Ok(Self { lists: Arc::new(lists), versions: Arc::new(versions) })
    }
}
