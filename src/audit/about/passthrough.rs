use std::borrow::Cow;

use uuid::Uuid;

use crate::audit::seal::DeliveryMark;
use crate::audit::wire::{Flat, NotARecord};
use crate::id::cvr::Cvr;

/// Where a pass-through service sent a call, and by which contract it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutPassThrough {
    /// SHA-256 of the service's published files, in hexadecimal: what request and answer were validated against.
    pub schema: String,
    /// The authority that receives the call; none where the service has one receiver for all.
    pub receiver: Option<Cvr>,
    /// Whether it went to the one receiver that the service has for all. Nothing of its own in the line: a route without a
    /// receiver says it.
    pub for_all: bool,
    /// The route by which it went on.
    pub route: Option<Uuid>,
    /// The delivery's id, where the service has one, as a keyed mark: the caller chooses the text.
    pub delivery: Option<DeliveryMark>,
    /// Whether it was answered with the receipt of before, and nothing passed on.
    pub repeated: bool,
}

impl AboutPassThrough {
    /// A call that is checked against this contract.
    pub fn new(schema: String) -> Self {
        Self { schema, receiver: None, for_all: false, route: None, delivery: None, repeated: false }
    }

    /// To whom it went.
    pub(super) fn summary(&self) -> String {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let (receiver, route) = (self.receiver.map(|cvr| cvr.to_string()), self.route.map(|id| id.to_string()));
        let repeated = if self.repeated { ", the receipt of before" } else { "" };
        let receiver = receiver.or_else(|| self.for_all.then(|| "every".to_owned()));
        format!("receiver {}, route {}{repeated}", or_dash(receiver), or_dash(route))
    }

    /// What is missing for an admission: to whom the call goes, and by which route. It need not name a person.
    pub(super) fn missing_for_admission(&self) -> Option<&'static str> {
        match self {
            // Just one of the two: an authority, or the receiver of all.
            Self { receiver: None, for_all: false, .. } | Self { receiver: Some(_), for_all: true, .. } => Some("receiver"),
            Self { route: None, .. } => Some("route"),
            Self { route: Some(_), .. } => None,
        }
    }

    /// Puts it into the record's line.
    pub(super) fn write<'r>(&'r self, line: &mut Flat<'r>) {
        line.schema = Some(Cow::Borrowed(&self.schema));
        (line.receiver, line.route) = (self.receiver, self.route);
        line.delivery = self.delivery.as_ref().map(Cow::Borrowed);
        line.repeated = self.repeated.then_some(true);
    }

    /// Whether a record's line says any of it.
    pub(super) fn is_in(line: &Flat<'_>) -> bool {
        line.schema.is_some() || line.receiver.is_some() || line.route.is_some() || line.delivery.is_some()
    }

    /// What a record's line says of it.
    pub(super) fn read(line: &Flat<'_>) -> Result<Self, NotARecord> {
        Ok(Self {
            schema: line.schema.as_deref().ok_or(NotARecord::Without("schema"))?.to_owned(),
            receiver: line.receiver,
            for_all: line.receiver.is_none() && line.route.is_some(),
            route: line.route,
            delivery: line.delivery.as_deref().cloned(),
            repeated: line.repeated == Some(true),
        })
    }
}
