//! What each part of a call costs, beside what it cannot cost less than: `cargo bench`.
//!
//! The absolute figures of a shared machine mean little, so every part has a floor (the cryptography that the profile
//! demands, one pass of quick-xml over the bytes) which is measured in the same run, in turns; what is read is the ratio.
//!
//! ```sh
//! cargo bench                          # times, medians of rounds in turns
//! cargo bench -- release               # only the parts whose name contains it
//! cargo bench -- --instructions        # instructions by callgrind, which noise cannot move (needs valgrind)
//! cargo bench -- --rivals              # the release filter beside quick-xml, Woodstox and libxslt, up to 100 MB
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)] // a measurement that cannot be made must stop

mod measure;
#[path = "../../tests/signature/parties.rs"]
#[allow(dead_code)] // of which this takes the keys
mod parties;
mod parts;
#[path = "../../fuzz/checks/reading.rs"]
#[allow(dead_code)] // of which this takes the pieces
mod reading;
mod rivals;
#[path = "../../tests/support/forge/mod.rs"]
#[allow(dead_code, unused_imports)] // of which this takes a signed message
mod support;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let only = arguments.iter().find(|argument| !argument.starts_with("--"));
    let mut parts = parts::all();
    // Also where it measures itself: then the part's name stands among the arguments.
    if has("--rivals") || only.is_some_and(|only| only.contains("0 MB")) {
        parts.extend(parts::large(only.map_or("", |only| only)));
    }
    if let Some(at) = arguments.iter().position(|argument| argument == measure::ALONE) {
        return measure::alone(&parts, &arguments[at + 1..]);
    }
    let chosen: Vec<_> = parts.into_iter().filter(|part| only.is_none_or(|only| part.name.contains(only.as_str()))).collect();
    if has("--rivals") {
        rivals::times(&chosen);
    } else if has("--instructions") {
        measure::instructions(&chosen);
    } else if std::env::args().any(|argument| argument == "--bench") {
        measure::times(&chosen);
    } else {
        // As `cargo test --benches` runs it: that everything still works.
        chosen.iter().for_each(measure::Part::once);
    }
}
