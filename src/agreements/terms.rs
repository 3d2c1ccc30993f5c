//! What a request says for all its lines, as each agreement keeps it: what the authority's signatory is shown beside the parties.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::ModelError;

/// Who gets whose data by it: the types of the form (D, FK-ADM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The data go no further than the system.
    #[default]
    WithoutPassingOn,
    /// They are passed on to several receivers.
    SeveralReceivers,
    /// They are of several owners.
    SeveralOwners,
    /// They are of one owner and passed on to one receiver.
    OneOwnerOneReceiver,
}

impl Kind {
    /// Each, in the order of the form.
    pub const ALL: [Self; 4] = [Self::WithoutPassingOn, Self::SeveralReceivers, Self::SeveralOwners, Self::OneOwnerOneReceiver];

    /// The name in files, in the store and over the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::WithoutPassingOn => "without-passing-on",
            Self::SeveralReceivers => "several-receivers",
            Self::SeveralOwners => "several-owners",
            Self::OneOwnerOneReceiver => "one-owner-one-receiver",
        }
    }

    /// As the form says it.
    pub fn danish(self) -> &'static str {
        match self {
            Self::WithoutPassingOn => "uden videregivelse",
            Self::SeveralReceivers => "videregivelse til flere modtagere",
            Self::SeveralOwners => "videregivelse fra flere ejere",
            Self::OneOwnerOneReceiver => "videregivelse fra én ejer til én modtager",
        }
    }
}

impl FromStr for Kind {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(ModelError("a type is without-passing-on, several-receivers, several-owners or one-owner-one-receiver"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an agreement has from the request that it is a line of. It never changes: what changes is a new version, a line of another
/// request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Terms {
    pub request: Uuid,
    /// The type.
    pub kind: Kind,
    /// What the request is called.
    pub name: String,
    /// Why it is asked for, written for those who approve.
    pub justification: String,
    /// The reference of the data-processing agreement (*databehandleraftale*).
    pub contract: String,
    /// The categories of data.
    pub categories: Vec<String>,
    /// For how long the data are kept, and when they are deleted.
    pub retention: String,
    /// SHA-256 of the rules or the WSDL that the service applied when it was asked for; none where it was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The agreement whose new version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Uuid>,
    /// The requests without whose agreements of the same authority it makes no sense: they end together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Uuid>,
}
