//! Every way in which the gateway says no, in one table: a file for each group of rows.
//!
//! A refusal anywhere is a value of [`Refusal`]; [`Refusal::entry`] maps it to what the world sees: a stable code, whose
//! fault it is, who can mend it, whether and when to try again, and a public text in Danish and English (what, consequence,
//! remedy). What only one service refuses stands in a [`Table`] of that service.
//!
//! The fields of a refusal reach the caller. They therefore carry only what the caller sent and may mend (a header's
//! name, a date, a limit) and never a personal identifier, a token, or an internal cause: those go to log and audit.
//! Fields that tell in words are a [`Detail`], which has both languages; a `String` holds only what reads the same in both:
//! a name or a place in the message, a date, an address.

pub mod api;
pub mod console;
mod entry;
pub mod logon;
mod table;
mod words;

#[macro_use]
mod agreements;
#[macro_use]
mod http;
#[macro_use]
mod identity;
#[macro_use]
mod message;
#[macro_use]
mod node;
#[macro_use]
mod peers;
#[macro_use]
mod replay;

#[cfg(test)]
mod tests;

pub use entry::{Audience, Entry, Party, Retry, Text};
pub(crate) use table::refusals;
pub(crate) use words::Shown;
pub use words::{Detail, PeerName, QName, QNames};

// Each group adds its rows and hands the table on to the next; the last makes the enum. The order is that of docs/faults.md.
http! { [message identity replay agreements peers node refusals]
    /// Every refusal. The fields are public: see the module's rule on what they may hold.
    pub enum Refusal;
    besides
        /// One of a service's own [`Table`].
        Service(Box<Entry>);
}

/// The refusals that one service alone has. Any of them becomes a [`Refusal`] by `into()` or `?`.
pub trait Table {
    /// The row for this refusal.
    fn row(&self) -> Entry;
}

impl<T: Table> From<T> for Refusal {
    fn from(refusal: T) -> Self {
        Refusal::Service(Box::new(refusal.row()))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.entry();
        write!(f, "{}: {} {}", entry.code, entry.en.what, entry.en.remedy)
    }
}

impl std::error::Error for Refusal {}
