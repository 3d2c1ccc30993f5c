//! What must hold of any bytes at all.
//!
//! Each check takes bytes from a stranger, does with them what the gateway does, and panics where a claim fails. The fuzz
//! targets call them on what the fuzzer invents; `tests/messages/fuzz_corpus.rs` on the corpus, so that no finding comes back.

pub mod canonicaliser;
pub mod envelope;
pub mod reading;
pub mod release;
#[path = "../../tests/support/strict.rs"]
pub mod strict;
pub mod tokenizer;
pub mod window;

/// A check, by the name of its target and its corpus.
pub type Check = (&'static str, fn(&[u8]));

/// All of them.
#[allow(dead_code)] // a target calls one
pub const ALL: [Check; 5] = [
    ("envelope", envelope::check),
    ("canonicaliser", canonicaliser::check),
    ("window", window::check),
    ("release", release::check),
    ("tokenizer", tokenizer::check),
];
