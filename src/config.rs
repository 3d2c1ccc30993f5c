//! The configuration file.

mod limits;

pub use limits::EdgeLimits;
