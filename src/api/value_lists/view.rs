//! A version of a value list as the API shows it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::decisions::shown::sha256;
use crate::services::finance::lists::kept::Head;
use crate::services::finance::lists::publish::{Proposal, Published};
use crate::services::finance::rules::sortiment::diff::{Change, Direction};

/// What ETag a version has: another once it is published. Its content is never altered.
pub(crate) fn etag(head: &Head) -> String {
    format!("\"{}\"", sha256(&format!("{} {} {:?}", head.id, head.sha256, head.published_at)))
}

/// A version of a value list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ValueListView {
    /// Its id in the gateway's store.
    pub id: Uuid,
    /// The service.
    pub service: Uuid,
    /// The value list.
    pub list: Uuid,
    /// Its name.
    #[schema(max_length = 1000)]
    pub name: String,
    /// The version.
    #[schema(max_length = 1000)]
    pub version: String,
    /// The authority whose supplement it is, by its CVR number; null for what is common to all.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: Option<String>,
    /// The first day on which it holds, in Copenhagen.
    #[schema(format = "date", max_length = 10)]
    pub valid_from: String,
    /// The last day; null if it has no end.
    #[schema(format = "date", max_length = 10)]
    pub valid_to: Option<String>,
    /// `draft`, `published` (its first day is to come), `in-force` or `ended`.
    #[schema(max_length = 9)]
    pub stands: &'static str,
    /// SHA-256 of the whole content, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub sha256: String,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// When it was published; null of a draft.
    pub published_at: Option<Timestamp>,
    /// The version's ETag: what publishing it sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl ValueListView {
    pub(super) fn of(head: &Head, today: Option<Date>) -> Self {
        Self {
            id: head.id,
            service: head.service,
            list: head.list,
            name: head.name.clone(),
            version: head.version.clone(),
            authority: head.authority.map(|authority| authority.to_string()),
            valid_from: head.from.to_string(),
            valid_to: head.to.map(|to| to.to_string()),
            stands: head.stands(today),
            sha256: head.sha256.clone(),
            imported_at: head.imported_at,
            published_at: head.published_at,
            etag: etag(head),
        }
    }
}

/// A part list (*delsortiment*).
#[derive(Debug, Serialize, ToSchema)]
pub struct PartView {
    /// Its name.
    #[schema(max_length = 64)]
    pub name: String,
    /// Whether authorities may add codes.
    pub supplemented: bool,
    /// Whether a posting with a code of it must name a party.
    pub party_demanded: bool,
    /// How many codes it has.
    #[schema(maximum = 100_000)]
    pub codes: usize,
}

/// A version, and what it changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// The version.
    pub version: ValueListView,
    /// Its part lists, by name.
    #[schema(max_items = 100_000)]
    pub parts: Vec<PartView>,
    /// The published version before it, which it is held against; null for the first.
    #[schema(max_length = 1000)]
    pub before: Option<String>,
    /// How many changes narrow what may be sent.
    #[schema(maximum = 1_000_000)]
    pub narrows: usize,
    /// How many widen it.
    #[schema(maximum = 1_000_000)]
    pub widens: usize,
    /// SHA-256 of the text that is to be shown to whoever publishes it: what that sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
}

impl VersionView {
    pub(super) fn of(proposal: &Proposal, text_sha256: String, today: Option<Date>) -> Self {
        let changes = proposal.changes();
        let count = |direction| changes.iter().filter(|change| change.direction == direction).count();
        let parts = proposal.list.parts.iter().map(|(name, part)| PartView {
            name: name.clone(),
            supplemented: part.supplement,
            party_demanded: part.party,
            codes: part.codes.len(),
        });
        Self {
            version: ValueListView::of(&proposal.head, today),
            parts: parts.collect(),
            before: proposal.before.as_ref().map(|before| before.version.clone()),
            narrows: count(Direction::Narrows),
            widens: count(Direction::Widens),
            text_sha256,
        }
    }
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// `narrows`: less may be sent. `widens`: more may be sent. `says`: neither.
    #[schema(max_length = 7)]
    pub direction: &'static str,
    /// Where and what, in words.
    #[schema(max_length = 10_000)]
    pub what: String,
}

impl ChangeView {
    pub(super) fn of(change: &Change) -> Self {
        Self { direction: change.direction.name(), what: change.what.clone() }
    }
}

/// What a version changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangesView {
    /// The version that it is held against; null where there is none: then nothing is told, for all of it is new.
    #[schema(max_length = 1000)]
    pub against: Option<String>,
    /// How many changes narrow what may be sent.
    #[schema(maximum = 1_000_000)]
    pub narrows: usize,
    /// How many widen it.
    #[schema(maximum = 1_000_000)]
    pub widens: usize,
    /// How many there are in all.
    #[schema(maximum = 1_000_000)]
    pub all: usize,
    /// The first thousand; the text has all.
    #[schema(max_items = 1000)]
    pub items: Vec<ChangeView>,
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedView {
    /// The version as it is now.
    pub version: ValueListView,
    /// How many days ahead of its first day; below zero where that has passed.
    #[schema(minimum = -4_000_000, maximum = 4_000_000)]
    pub ahead: i32,
    /// For how many systems that subscribe to it a delivery waits.
    #[schema(maximum = 1_000_000)]
    pub deliveries: usize,
}

impl PublishedView {
    pub(super) fn of(published: &Published, today: Option<Date>) -> Self {
        Self {
            version: ValueListView::of(&published.head, today),
            ahead: published.ahead,
            deliveries: published.deliveries.len(),
        }
    }
}
