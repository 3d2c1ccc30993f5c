//! The audit: one record a call, which nobody can alter, remove or reorder unseen.
//!
//! Read in this order: [`record`] (what is written of every call), [`about`] (what a service adds), [`decided`] (what is written of a decision on an agreement), [`question`] (what is written of an auditor's question), `wire` (how both stand in
//! the log), [`seal`] (how persons are hidden in it), [`chain`] (how one line
//! binds the next), [`log`] (the files), [`place`] (where they are read from), [`writer`] (how a call gets its record onto the disk before anything is
//! forwarded), [`verify`] (how an auditor proves it), [`anchors`] (what is kept of a chain away from its own disk), [`retire`] (how segments leave when their time is over), [`search`] and [`reading`] (how an auditor finds who saw whom), and [`keys`].
//!
//! What it stops, and where: a record altered, removed, reordered or put in breaks the chain of hashes (`chain`); a chain
//! made anew needs the checkpoint key (`verify`, signatures); a log cut short contradicts `head.json` and the lines that
//! the gateway logs at each checkpoint (`verify`, head and anchor); a sealed person moved to another record does not open
//! there (`seal`, the call id is bound in). What it cannot stop: whoever holds the checkpoint key can write history, and
//! entries after the last checkpoint (at most `checkpoint_interval` of them) are bound by hash but not yet by signature.

pub mod about;
pub mod anchors;
pub mod chain;
pub mod decided;
pub mod keys;
pub mod log;
pub mod place;
mod presence;
pub mod question;
pub mod reading;
pub mod record;
pub mod retire;
pub mod seal;
pub mod search;
pub mod verify;
mod wire;
pub mod writer;

pub use about::*;
pub use decided::Decided;
pub use record::{Binding, Outcome, Record};
pub use seal::{Auditors, DeliveryMark, Marker, Sealed, Sealer};
pub use writer::{Audit, AuditSettings, Durable, OpenRecord, Stats};
