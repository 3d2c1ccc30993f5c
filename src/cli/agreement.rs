//! `hjemmel agreement`: bring agreements in, look at them, and record decisions on them.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    agreements::{
        Agreement, Authority, State, Store, StoreError, StoreSettings,
        import::{Import, Problem},
    },
    clock::Clock,
};

/// Service agreements: who may call which service, on whose behalf, on what legal basis.
///
/// A call passes only on two agreements that the authority has approved: one on the front (client system and service) and
/// one on the back (service and benefit index), each for this environment and this day.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hjemmel agreement import agreements.toml --store /var/lib/hjemmel/agreements.sqlite\n  hjemmel agreement suspend 0b2c8f4e-… --by \"A. Jensen\" --reason \"misuse, case 2026-117\" --config hjemmel.toml\n\nA running gateway sees a change within its refresh time (10 s unless configured otherwise)."
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the store is.
#[derive(Debug, clap::Args)]
struct Place {
    /// The agreements store (an SQLite file); made where it is not
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "config")]
    store: Option<PathBuf>,
    /// The gateway's configuration, of which `[agreements] store` is read
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring authorities and agreements in from a TOML file, all or none
    ///
    /// The file holds [[authority]] tables (cvr, name, role = "udk" or "municipality") and [[agreement]] tables (id, side =
    /// "front" or "back", system, certificates, service, authority, environment, valid_from, valid_to, state, legal_basis,
    /// purpose, kle, sensitivity, decided_by, decided_at, reason). Every problem is reported at once, with its line.
    /// Importing the same file again changes nothing; an import never lifts a suspension.
    Import {
        /// The file
        file: PathBuf,
    },
    /// List every agreement, one a line
    List,
    /// Show one agreement and every decision on it
    Show {
        /// The agreement's id
        id: Uuid,
    },
    /// Record that the authority approved a requested agreement
    Approve(Decide),
    /// Record that the authority rejected a requested agreement
    Reject(Decide),
    /// Record that the supplier took a request back
    Withdraw(Decide),
    /// Stop an approved agreement; it does not come back, a new one is approved instead
    Suspend(Decide),
    /// End an approved agreement for good
    Terminate(Decide),
}

/// A decision, and who stands for it.
#[derive(Debug, clap::Args)]
struct Decide {
    /// The agreement's id
    id: Uuid,
    /// Who decided, by name
    #[arg(long, value_name = "NAME", value_parser = one_line)]
    by: String,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
}

fn one_line(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > 1000 || text.chars().any(char::is_control) {
        return Err("write one line of 1-1000 bytes".to_owned());
    }
    Ok(text.to_owned())
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum AgreementError {
    /// Neither `--store` nor `--config`.
    #[error("say where the agreements are: --store PATH or --config FILE")]
    NoPlace,
    /// The configuration names no store.
    #[error("{}: there is no [agreements] store = \"PATH\" in it", .0.display())]
    NoStoreInConfig(PathBuf),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file to import is not in order.
    #[error("{} cannot be imported; nothing was written:\n{}", path.display(), lines(problems))]
    Import {
        /// The file.
        path: PathBuf,
        /// Every problem.
        problems: Vec<Problem>,
    },
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs the command, and writes what it has to say to `out`.
///
/// # Errors
/// [`AgreementError`]; nothing was changed then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<(), AgreementError> {
    let path = match (args.place.store, args.place.config) {
        (Some(store), _) => store,
        (None, Some(config)) => store_of(&config)?,
        (None, None) => return Err(AgreementError::NoPlace),
    };
    let store = Store::open(&path, &StoreSettings::default()).await?;
    let done = command(&store, args.command, clock.now(), out).await;
    store.close().await;
    done
}

async fn command(store: &Store, command: Command, now: Timestamp, out: &mut impl Write) -> Result<(), AgreementError> {
    match command {
        Command::Import { file } => {
            let text = std::fs::read_to_string(&file).map_err(|source| AgreementError::File { path: file.clone(), source })?;
            let import = Import::parse(&text).map_err(|problems| AgreementError::Import { path: file, problems })?;
            let done = store.import(&import, now).await?;
            writeln!(
                out,
                "{} authorities; agreements: {} added, {} changed, {} unchanged",
                import.authorities.len(),
                done.added,
                done.changed,
                done.unchanged
            )?;
        }
        Command::List => {
            let authorities = store.authorities().await?;
            let agreements = store.list().await?;
            if agreements.is_empty() {
                writeln!(out, "There are no agreements. Bring some in with `hjemmel agreement import FILE`.")?;
            }
            for agreement in agreements {
                writeln!(
                    out,
                    "{}  {:5}  {:11}  {:8}  {} {}",
                    agreement.id,
                    agreement.side.name(),
                    agreement.standing(now).told().en(),
                    agreement.environment,
                    agreement.authority,
                    name_of(&authorities, &agreement),
                )?;
            }
        }
        Command::Show { id } => show(store, id, now, out).await?,
        Command::Approve(decision) => decide(store, State::Approved, decision, now, out).await?,
        Command::Reject(decision) => decide(store, State::Rejected, decision, now, out).await?,
        Command::Withdraw(decision) => decide(store, State::Withdrawn, decision, now, out).await?,
        Command::Suspend(decision) => decide(store, State::Suspended, decision, now, out).await?,
        Command::Terminate(decision) => decide(store, State::Terminated, decision, now, out).await?,
    }
    Ok(())
}

async fn decide(store: &Store, to: State, decision: Decide, now: Timestamp, out: &mut impl Write) -> Result<(), AgreementError> {
    let agreement = store.decide(decision.id, to, &decision.by, &decision.reason, now).await?;
    writeln!(out, "agreement {} is now {}, decided by {}: {}", agreement.id, agreement.state, decision.by, decision.reason)?;
    Ok(())
}

async fn show(store: &Store, id: Uuid, now: Timestamp, out: &mut impl Write) -> Result<(), AgreementError> {
    let agreement = store.get(id).await?;
    let authorities = store.authorities().await?;
    let or_none = |items: String| if items.is_empty() { "no constraint".to_owned() } else { items };
    let certificates: Vec<_> = agreement.certificates.iter().map(ToString::to_string).collect();
    writeln!(out, "id            {}", agreement.id)?;
    writeln!(out, "side          {}", agreement.side.name())?;
    writeln!(out, "holds now     {}", agreement.standing(now).told().en())?;
    writeln!(out, "system        {}", agreement.system)?;
    for certificate in certificates {
        writeln!(out, "certificate   {certificate} (SHA-256)")?;
    }
    writeln!(out, "service       {}", agreement.service)?;
    writeln!(out, "authority     {} {}", agreement.authority, name_of(&authorities, &agreement))?;
    writeln!(out, "environment   {}", agreement.environment)?;
    writeln!(out, "valid from    {}", agreement.valid_from)?;
    writeln!(out, "valid to      {}", agreement.valid_to.map_or("no end".to_owned(), |end| format!("{end} (not included)")))?;
    writeln!(out, "legal basis   {}", agreement.legal_basis)?;
    writeln!(out, "purpose       {}", agreement.purpose)?;
    writeln!(out, "KLE           {}", or_none(agreement.kle.join(", ")))?;
    writeln!(out, "sensitivity   {}", or_none(agreement.sensitivity.join(", ")))?;
    writeln!(out, "decisions")?;
    for decision in store.decisions(id).await? {
        let from = decision.from.map_or("(new)", State::wire_name);
        let by = decision.by.unwrap_or_default();
        writeln!(out, "  {}  {from} -> {}  {by}  {}", decision.at, decision.to, decision.reason.unwrap_or_default())?;
    }
    Ok(())
}

fn name_of<'a>(authorities: &'a [Authority], agreement: &Agreement) -> &'a str {
    authorities.iter().find(|authority| authority.cvr == agreement.authority).map_or("", |authority| authority.name.as_str())
}

/// Reads `[agreements] store` of a configuration, relative to the configuration's own folder. Only this key: agreements
/// can be put in order while the rest of the configuration is not yet.
fn store_of(config: &Path) -> Result<PathBuf, AgreementError> {
    let text = std::fs::read_to_string(config).map_err(|source| AgreementError::File { path: config.to_owned(), source })?;
    let missing = || AgreementError::NoStoreInConfig(config.to_owned());
    let table: toml::Table = text.parse().map_err(|_| missing())?;
    let store =
        table.get("agreements").and_then(|section| section.get("store")).and_then(toml::Value::as_str).ok_or_else(missing)?;
    Ok(config.parent().unwrap_or(Path::new("")).join(store))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    const ID: &str = "00000000-0000-4000-8000-000000000001";
    const FILE: &str = r#"
        [[authority]]
        cvr = "11111111"
        name = "Korsbæk Kommune"
        role = "municipality"
        [[agreement]]
        id = "00000000-0000-4000-8000-000000000001"
        side = "back"
        system = "3053ec89-31fe-4206-878b-bba6783d7a88"
        service = "3053ec89-31fe-4206-878b-bba6783d7a88"
        authority = "11111111"
        environment = "exttest"
        valid_from = 2026-01-01T00:00:00+01:00
        state = "ANMODET"
        legal_basis = "LUD § 8, stk. 1"
        purpose = "prøve"
    "#;

    struct House(tempfile::TempDir);

    impl House {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("agreements.toml"), FILE).unwrap();
            std::fs::write(dir.path().join("hjemmel.toml"), "[agreements]\nstore = \"agreements.sqlite\"\n").unwrap();
            Self(dir)
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }

        async fn run(&self, words: &[&str]) -> Result<String, String> {
            let config = self.path("hjemmel.toml");
            let line = [&["agreement"], words, &["--config", &config]].concat();
            let args = Line::try_parse_from(line).map_err(|error| error.to_string())?.args;
            let mut out = Vec::new();
            let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
            run(args, &clock, &mut out).await.map_err(|error| error.to_string())?;
            Ok(String::from_utf8(out).unwrap())
        }
    }

    #[tokio::test]
    async fn an_agreement_is_imported_listed_approved_and_shown_with_its_history() {
        let house = House::new();
        assert!(house.run(&["list"]).await.unwrap().contains("no agreements"));
        let imported = house.run(&["import", &house.path("agreements.toml")]).await.unwrap();
        assert_eq!(imported, "1 authorities; agreements: 1 added, 0 changed, 0 unchanged\n");
        assert!(house.run(&["list"]).await.unwrap().contains("ANMODET"));
        house.run(&["approve", ID, "--by", "A. Prøve", "--reason", "sag 1"]).await.unwrap();
        let shown = house.run(&["show", ID]).await.unwrap();
        assert!(shown.contains("holds now     GODKENDT"), "{shown}");
        assert!(shown.contains("ANMODET -> GODKENDT  A. Prøve  sag 1"), "{shown}");
        assert!(shown.contains("Korsbæk Kommune"), "{shown}");
    }

    #[tokio::test]
    async fn what_is_refused_says_why_and_what_to_do() {
        let house = House::new();
        house.run(&["import", &house.path("agreements.toml")]).await.unwrap();
        let illegal = house.run(&["suspend", ID, "--by", "A. Prøve", "--reason", "sag 2"]).await.unwrap_err();
        assert!(illegal.contains("is ANMODET and cannot become SUSPENDERET"), "{illegal}");
        let nobody = house.run(&["approve", ID, "--by", " ", "--reason", "sag 2"]).await.unwrap_err();
        assert!(nobody.contains("one line"), "a decision is somebody's: {nobody}");
        let reasonless = house.run(&["approve", ID, "--by", "A. Prøve"]).await.unwrap_err();
        assert!(reasonless.contains("--reason"), "{reasonless}");
        std::fs::write(house.path("agreements.toml"), FILE.replace("purpose", "porpoise")).unwrap();
        let wrong = house.run(&["import", &house.path("agreements.toml")]).await.unwrap_err();
        assert!(wrong.contains("line 16: unknown key porpoise") && wrong.contains("purpose is missing"), "{wrong}");
        std::fs::write(house.path("hjemmel.toml"), "[other]\n").unwrap();
        assert!(house.run(&["list"]).await.unwrap_err().contains("[agreements] store"));
    }
}
