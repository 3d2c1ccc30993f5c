//! The legal policies: what a request may ask and what an answer may contain. Pure: no I/O, no clock.

pub mod dates;
pub mod decision;
pub mod diff;
pub mod document;
pub mod history;
pub mod in_words;
pub mod kle;
pub mod refusal;
pub mod release;
pub mod rules;
pub mod window;

pub mod algebra;
mod criteria;
mod delimit;
mod forward;
pub mod request;
pub(crate) mod schema;
mod search;
