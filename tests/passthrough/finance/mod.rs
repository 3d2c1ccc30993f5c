//! SF1590_A Finans: the contract of our own, the rules, the value lists, and calls through a gateway that offers it.

mod bad;
mod contract;
mod decided;
mod deliveries;
mod file;
mod files;
pub mod gateway;
mod judges;
mod killed;
mod mutate;
mod oracle;
mod rules;
mod settings;
mod sortiment;
mod verify;

use std::path::PathBuf;

use hjemmel::stub::finance::sample::Parties;
use hjemmel::stub::population::{KORSBAEK, UDK};

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies/services/finansbilag")
}

/// Udbetaling Danmark sends to Korsbæk.
pub fn parties() -> Parties {
    Parties {
        system: uuid::uuid!("6f0d3d5b-1b4e-4a58-9a0d-5d1f4a9e0001"),
        sender: UDK.parse().unwrap(),
        receiver: KORSBAEK.parse().unwrap(),
        day: jiff::civil::date(2026, 11, 27),
    }
}
