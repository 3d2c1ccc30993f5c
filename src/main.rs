//! The command `hjemmel`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hjemmel::cli::main()
}
