//! The command `hjemmel`.
#![allow(clippy::print_stderr)] // a command tells its user what went wrong

use std::process::ExitCode;

fn main() -> ExitCode {
    hjemmel::cli::main()
}
