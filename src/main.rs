//! The command `hjemmel`.
#![allow(clippy::print_stderr)] // a command tells its user what went wrong

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The figures that it gained are in `docs/decisions/performance.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    hjemmel::cli::main()
}
