//! A benefit index (Ydelsesindeks, SF1490) that answers `fremsoeg` for real, on an invented population.

pub mod answer;
pub mod canonical;
pub mod evaluate;
pub mod mode;
pub mod names;
pub mod request;
pub mod serve;

#[cfg(test)]
mod tests;
