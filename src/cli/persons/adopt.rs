//! `hjemmel persons adopt`: users who are in Campus before the cut-over.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::place::{Place, with_store};
use super::super::user::Decide;
use super::CommandError;
use crate::agreements::Store;
use crate::clock::Clock;
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By};
use crate::outbound::Outbound;
use crate::persons::campus::adopt::{self, Became};
use crate::persons::campus::client::Campus;
use crate::store::Access;

#[derive(Debug, clap::Args)]
pub(super) struct Adopt {
    /// The file
    file: PathBuf,
    /// Write the person's number also on a user who has one that nobody has here: after a store was put back from a copy
    #[arg(long)]
    renumber: bool,
    #[command(flatten)]
    decide: Decide,
}

pub(super) async fn run(place: &Place, args: Adopt, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    let (campus, system) = place.campus(now).map_err(CommandError::Config)?.ok_or(CommandError::NoCampus)?;
    let text = std::fs::read_to_string(&args.file).map_err(|cause| CommandError::File { file: args.file.clone(), cause })?;
    let lines = adopt::read(&text)?;
    let outbound = Outbound::new(campus.outbound(&system))?;
    let campus = Campus::new(outbound, &campus.address, campus.token, campus.deadline, clock.clone());
    let (signer, because) = (args.decide.signer()?, Because::new(args.decide.reason, now));
    let (mut told, mut all) = (Vec::new(), true);
    let match_all = async |store: &Store| {
        let by = signer.as_ref().map(By::Key);
        let print = |line: usize, became: &Became| {
            all &= matches!(became, Became::Adopted | Became::Already);
            told.push(format!("line {line}: {became}"));
        };
        Ok::<_, CommandError>(adopt::adopt(store, &campus, by, (&lines, sha256(&text)), &because, args.renumber, print).await?)
    };
    let ended = with_store(&settings, Access::Change, match_all).await;
    for line in told {
        writeln!(out, "{line}")?;
    }
    ended?;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
