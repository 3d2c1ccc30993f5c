//! What each part of a call costs, beside what it cannot cost less than: `cargo bench`.
//!
//! The absolute figures of a shared machine mean little, so every part has a floor (the cryptography that the profile
//! demands, one pass of quick-xml over the bytes) which is measured in the same run, in turns; what is read is the ratio.
//!
//! ```sh
//! cargo bench                          # times, medians of rounds in turns
//! cargo bench -- release               # only the parts whose name contains it
//! cargo bench -- --instructions        # instructions by callgrind, which noise cannot move (needs valgrind)
//! cargo bench -- --instructions --gate # fails where a part costs more than 1.05 times what instructions.toml has
//! cargo bench -- --instructions --keep # writes instructions.toml
//! cargo bench -- --rivals verified     # verification beside Apache Santuario and libxmlsec1, where they are installed
//! cargo bench -- --rivals release      # the release filter beside Woodstox and libxslt, on answers of up to 100 MB
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
#[path = "../../tests/messages/parties.rs"]
#[allow(dead_code)] // of which this takes the keys
mod parties;
mod parts;
mod readers;
#[path = "../../fuzz/checks/reading.rs"]
#[allow(dead_code)] // of which this takes the pieces
mod reading;
#[path = "../../tests/support/forge/mod.rs"]
#[allow(dead_code, unused_imports)] // of which this takes a signed message
mod support;
mod verifiers;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut parts = parts::all();
    // A large answer is made only where it is named: by whoever asks, or where this program measures itself.
    for name in arguments.iter().filter(|argument| argument.contains("0 MB") && !has("--rivals")) {
        parts.extend(parts::answers(name).map(|(part, _)| part));
    }
    if let Some(at) = arguments.iter().position(|argument| argument == measure::ALONE) {
        return measure::alone(&parts, &arguments[at + 1..]);
    }
    let only = arguments.iter().find(|argument| !argument.starts_with("--"));
    let chosen: Vec<_> = parts.into_iter().filter(|part| only.is_none_or(|only| part.name.contains(only.as_str()))).collect();
    if has("--instructions") {
        match (has("--gate"), has("--keep")) {
            (true, _) if !measure::gate(&chosen) => std::process::exit(1),
            (true, _) => {}
            (_, true) => measure::keep(&chosen),
            _ => measure::instructions(&chosen),
        }
    } else if has("--rivals") {
        let only = only.map_or("", |only| only);
        if !only.starts_with("release") {
            verifiers::times();
        }
        if !only.starts_with("verified") {
            readers::times(only);
        }
    } else if std::env::args().any(|argument| argument == "--bench") {
        measure::times(&chosen);
    } else {
        // As `cargo test --benches` runs it: that everything still works.
        chosen.iter().for_each(measure::Part::once);
    }
}
