//! `hjemmel check --config FILE`: everything that is wrong with a configuration, in one report.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::clock::Clock;
use crate::config::{self, Report};
use crate::services::terminaladgang::inspect::problems;

/// Check a configuration and all that it names, without starting anything.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Carries out the command: 0 where the gateway would start, also with warnings; 1 where it would not.
pub fn run(arguments: &Check, clock: &Clock) -> ExitCode {
    let refused = |report: &Report| {
        eprint!("{report}");
        eprintln!("{} problem(s); the gateway would not start.", report.problems().len());
        ExitCode::FAILURE
    };
    let loaded = match config::load(&arguments.config, clock.now()) {
        Ok(loaded) => loaded,
        Err(report) => return refused(&report),
    };
    // What the file names is looked into only when the file itself is in order: the rest would bury the first cause.
    let named = loaded.report(problems(&loaded.config, clock.now()));
    let warnings = loaded.warnings.problems().len();
    if warnings > 0 {
        eprint!("{}", loaded.warnings);
    }
    if !named.problems().is_empty() {
        return refused(&named);
    }
    println!("{}: in order, {warnings} warning(s).", arguments.config.display());
    for (certificate, end) in loaded.config.expiries() {
        println!("  {certificate:<28} valid until {}", end.strftime("%Y-%m-%d"));
    }
    ExitCode::SUCCESS
}
