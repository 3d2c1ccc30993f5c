//! What names something: an authority, a person. Each type holds a well-formed identifier and nothing else, and one that
//! must not be told does not print itself.

pub mod cpr;
pub mod cvr;
