//! The legal policies: what a request may ask and what an answer may contain. Pure: no I/O, no clock.

pub mod rules;
