//! `hjemmel mailbox agreement`.

use std::io::Write;
use std::path::PathBuf;

use super::{CommandError, Who, asked};
use crate::agreements::Store;
use crate::agreements::rules::Rules;
use crate::cli::place::with_store;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::partner::agreement::{self, AgreementError, Number, Standing};
use crate::files::partner::request::{self, Wanted};
use crate::store::{Access, Settings};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Agreement {
    /// Ask for a partner agreement, or for other terms of one
    #[command(after_help = "\
The file says all of the terms:
  number = \"PA85858\"
  owner = \"11111111\"
  environment = \"prod\"
  legal_basis = \"Regnskabsbekendtgørelsen § 20\"
  purpose = \"Lønanvisning\"
  contact = { email = \"loen@kommune.example\", phone = \"+45 00000000\" }
  [[alias]]
  kind = \"LOENGRUPPE\"
  code = \"4711\"
  valid_from = \"2026-01-01\"
  [[stream]]
  code = \"LOENPOSTER\"
  direction = \"UD\"
  counterpart = \"PA00001\"
  rhythm_hours = 24")]
    Request {
        /// The terms (TOML)
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        who: Who,
    },
    /// List partner agreements: whose they are, and where each stands
    List,
    /// Show one with its aliases, streams and users
    Show {
        /// Its number
        number: Number,
    },
    /// Suspend one at once: nothing is taken and nothing handed out
    Suspend(One),
    /// Ask that a suspended one goes on
    Resume(One),
    /// Close one for good
    Close(One),
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// Its number
    number: Number,
    #[command(flatten)]
    who: Who,
}

pub(super) async fn run(
    command: Agreement,
    (settings, rules): (&Settings, &Rules),
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (One { number, who }, to) = match command {
        Agreement::Request { file, who } => {
            let text = std::fs::read_to_string(&file).map_err(|error| CommandError::File { path: file.clone(), error })?;
            let terms = toml::from_str(&text).map_err(|error| CommandError::Terms { path: file, error })?;
            return asked((settings, rules), Wanted::Agreement(terms), who, clock, out).await;
        }
        Agreement::Resume(One { number, who }) => return asked((settings, rules), Wanted::Resume(number), who, clock, out).await,
        Agreement::List => {
            let list = async |store: &Store| -> Result<_, CommandError> {
                Ok(agreement::all(&mut store.database().session().await?).await?)
            };
            let all = with_store(settings, Access::Look, list).await?;
            if all.is_empty() {
                writeln!(out, "There are no partner agreements. Ask for one with `hjemmel mailbox agreement request`.")?;
            }
            for held in all {
                let (terms, standing) = (&held.terms, held.standing.name());
                let (aliases, streams) = (terms.aliases.len(), terms.streams.len());
                writeln!(out, "{}  {standing:11}  {}  {aliases} aliases, {streams} streams", terms.number, terms.owner)?;
            }
            return Ok(());
        }
        Agreement::Show { number } => {
            let show = async |store: &Store| -> Result<_, CommandError> {
                let mut session = store.database().session().await?;
                let held = agreement::numbered(&mut session, number).await?.ok_or(AgreementError::NoSuch(number))?;
                Ok((held, crate::files::partner::users::all(&mut session).await?))
            };
            let (held, users) = with_store(settings, Access::Look, show).await?;
            writeln!(out, "{}\n{}", held.standing.name(), Wanted::Agreement(held.terms).text())?;
            for user in users {
                let Some(right) = user.right(number) else { continue };
                writeln!(out, "{}", super::user::describe(&user, Some(right)))?;
            }
            return Ok(());
        }
        Agreement::Suspend(one) => (one, Standing::Suspended),
        Agreement::Close(one) => (one, Standing::Closed),
    };
    let (signer, because) = (who.person.signer()?, Because::new(who.reason, clock.now()));
    let end = async |store: &Store| -> Result<(), CommandError> {
        request::end(store, By::Key(&signer), number, to, &because, None).await?;
        Ok(())
    };
    with_store(settings, Access::Change, end).await?;
    writeln!(out, "partner agreement {number} is {}", to.name())?;
    Ok(())
}
