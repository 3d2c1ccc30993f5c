//! What names something: an authority, a person, a kind of task. Each type holds a well-formed identifier and nothing else, and one that
//! must not be told does not print itself.

pub mod cpr;
pub mod cvr;
pub mod kle;
