//! What is read and judged of messages: XML, signatures and tokens, from outside: real messages, attacks, what fuzzing
//! found, and tools that this project did not write.

// All of this is test code, helpers included: a panic here is a failed test, and what did not run is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod attacks;
mod canonical;
#[path = "../../fuzz/checks/mod.rs"]
mod checks;
#[path = "../support/forge/mod.rs"]
mod forge;
mod fuzz_corpus;
mod golden;
mod keys;
mod memory;
#[path = "../support/not_run.rs"]
mod not_run;
mod oracles;
mod parties;
#[path = "../support/release_generator.rs"]
#[allow(dead_code)] // the corpus takes the answers
mod release_generator;
#[path = "../support/request.rs"]
#[allow(dead_code)] // the corpus takes the words
mod request;
mod responses;
mod scanner;
mod strict_xml;
mod tokens;
#[path = "../support/xml_documents.rs"]
mod xml_documents;

use checks::strict;
