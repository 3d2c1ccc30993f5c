//! TerminalAdgang (SF2860, version 6): which cash benefits a citizen has received in the last three months.

pub mod ask;
pub mod contract;
pub mod law;
pub mod names;
pub mod release;
pub mod settings;
