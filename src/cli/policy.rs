//! `hjemmel policy`: the rules for a reader, and what a change of them means.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::cli::cases::{self, PolicyText};
use crate::cli::lang::Lang;
use crate::cli::which;
use crate::clock::Clock;
use crate::clock::copenhagen;
use crate::node;
use crate::services::terminaladgang::law::diff::{self, Effect};
use crate::services::terminaladgang::law::document::{Bilingual, Policy};
use crate::services::terminaladgang::law::release::Words;
use crate::services::terminaladgang::law::release::catalogue::wire_path;
use crate::services::terminaladgang::law::window::Window;
use crate::services::terminaladgang::policies::read_history;

/// Anything that keeps the command from saying anything, told once to a person.
pub type PolicyError = Box<dyn std::error::Error + Send + Sync>;

/// The rules of a policy for a reader, and what a change of them means.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples, in the project's folder:
  hjemmel policy show terminaladgang-6 --lang da
  hjemmel policy show --config /etc/hjemmel/hjemmel.toml
  hjemmel policy cases policies/terminaladgang-6.toml --differing --lang da")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a policy: what may be asked, what is released, each rule with its basis and its words
    Show(Show),
    /// Tell what a change means: exits 1 where something gets wider and the new changelog does not acknowledge it
    Diff(Diff),
    /// Try the case files against a policy: exits 1 where something comes out otherwise than a case says
    Cases(Cases),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The policy's name, such as terminaladgang-6; with --config, the one that the service applies
    #[arg(required_unless_present = "config")]
    name: Option<String>,
    /// The day to show it for, such as 2026-11-22; today by default
    #[arg(long, value_name = "DATE")]
    at: Option<Date>,
    /// The gateway's configuration, of which `policies` and `policy` in [service.NAME] are read
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    config: Option<PathBuf>,
    /// The service in the configuration; the only one with a policy where there is one alone
    #[arg(long, value_name = "NAME", requires = "config")]
    service: Option<String>,
    /// The folder of policies
    #[arg(long, value_name = "DIR", default_value = "policies")]
    dir: PathBuf,
    /// Which words to print
    #[arg(long, value_enum, default_value = "both")]
    lang: Lang,
}

#[derive(Debug, clap::Args)]
struct Diff {
    /// The policy before (a file)
    old: PathBuf,
    /// The policy after (a file)
    new: PathBuf,
    /// Write JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Cases {
    /// The policy to try (a file)
    policy: PathBuf,
    /// The folder of cases, with window/ and release/ in it
    #[arg(default_value = "cases")]
    dir: PathBuf,
    /// Which words to print
    #[arg(long, value_enum, default_value = "both")]
    lang: Lang,
    /// Print only what comes out otherwise
    #[arg(long)]
    differing: bool,
}

/// Carries out the command.
///
/// # Errors
/// Files that cannot be read, and what is wrong in them.
pub async fn run(args: &Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, PolicyError> {
    match &args.command {
        Command::Show(args) => show(args, clock, out).map(|()| ExitCode::SUCCESS),
        Command::Diff(args) => compare(args, out),
        Command::Cases(args) => try_cases(args, out).await,
    }
}

fn show(args: &Show, clock: &Clock, out: &mut impl Write) -> Result<(), PolicyError> {
    let configured = args.config.as_deref().map(|file| node::load(file, clock)).transpose()?;
    let service = |config| which::terminaladgang(config, args.service.as_deref());
    let applied = configured.as_ref().map(|config| service(&config.services)).transpose()?.map(|(_, settings)| &settings.policy);
    let dir = applied.map_or(&args.dir, |applied| &applied.directory);
    let name = args.name.as_ref().or(applied.map(|applied| &applied.name)).ok_or("name a policy")?;
    found_in(dir, name)?;
    let history = read_history(dir, name)?;
    let zone = copenhagen().ok_or("Europe/Copenhagen is not in the time zone database")?;
    let day = args.at.unwrap_or_else(|| clock.now().to_zoned(zone.clone()).date());
    let policy = history.at(day).ok_or_else(|| {
        let first = history.versions().first().map(Policy::valid_from).unwrap_or_default();
        format!("{name} was not in force on {day}; its first version holds from {first}")
    })?;
    // Noon, so that the day is the same whatever the offset.
    let noon = day.at(12, 0, 0, 0).to_zoned(zone)?.timestamp();
    Ok(Printer { out, lang: args.lang }.policy(policy, day, noon)?)
}

/// Says where a policy was looked for, and what to give instead, where there is none of this name.
fn found_in(dir: &Path, name: &str) -> Result<(), PolicyError> {
    let file = std::path::absolute(dir)?.join(format!("{name}.toml"));
    if file.is_file() {
        return Ok(());
    }
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let names = names.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let mut names: Vec<_> = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    let there = match names.as_slice() {
        [] => String::new(),
        names => format!(" (there are: {})", names.join(", ")),
    };
    Err(format!(
        "there is no policy {}{there}; name the folder of policies with --dir DIR, or the gateway's configuration with --config FILE",
        file.display()
    )
    .into())
}

/// Prints for a reader.
struct Printer<'o, W> {
    out: &'o mut W,
    lang: Lang,
}

impl<W: Write> Printer<'_, W> {
    fn say(&mut self, indent: &str, da: &str, en: &str) -> io::Result<()> {
        self.lang.say(self.out, indent, da, en)
    }

    fn heading(&mut self, da: &str, en: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "
{}",
            self.lang.word(da, en)
        )
    }

    fn bilingual(&mut self, text: &Bilingual) -> io::Result<()> {
        self.say("", &text.da, &text.en)
    }

    fn rule(&mut self, words: &Words, value: &str) -> io::Result<()> {
        writeln!(self.out, "  {} = {value}", words.id)?;
        writeln!(self.out, "      {}", self.lang.basis(&words.basis, words.basis_da.as_deref()))?;
        self.say("      ", &words.da, &words.en)
    }

    fn policy(&mut self, policy: &Policy, day: Date, noon: Timestamp) -> io::Result<()> {
        let (id, version, from) = (policy.id(), policy.version(), policy.valid_from());
        self.say(
            "",
            &format!("{id}, version {version}, gælder fra {from}"),
            &format!("{id}, version {version}, in force from {from}"),
        )?;
        writeln!(self.out, "sha256 {}", crate::hex::encode(policy.digest()))?;
        self.bilingual(policy.legal_basis())?;
        self.bilingual(policy.purpose())?;

        self.heading("HVAD DER KAN SPØRGES OM", "WHAT MAY BE ASKED")?;
        let rules = policy.request();
        if let Ok(window) = Window::at(noon, rules.reading) {
            self.say("  ", &format!("Vinduet den {day}: {window}"), &format!("The window on {day}: {window}"))?;
        }
        for words in policy.rule_words() {
            self.rule(words, &policy.asked(&words.id))?;
        }
        self.heading("HVAD DER KAN SØGES PÅ", "WHAT MAY BE SEARCHED ON")?;
        for (criterion, words) in policy.criteria() {
            self.rule(words, &format!("{criterion:?}"))?;
        }
        self.heading("HVAD DER KAN SORTERES EFTER", "WHAT MAY BE SORTED BY")?;
        for (element, words) in policy.sorting() {
            self.rule(words, element.as_str())?;
        }
        self.fields(policy, true, "HVAD DER UDLEVERES", "WHAT IS RELEASED")?;
        self.fields(policy, false, "HVAD DER ER NÆVNT, MEN IKKE UDLEVERES", "WHAT IS NAMED AND NOT RELEASED")?;
        self.heading("HVORFOR NOGET FJERNES", "WHY SOMETHING IS REMOVED")?;
        for (_, words) in policy.release().guards() {
            let always = || self.lang.word("altid", "always");
            let value = policy.guarded(&words.id).unwrap_or_else(always);
            self.rule(words, &value)?;
        }
        self.heading("ÆNDRINGER", "CHANGES")?;
        for change in policy.changelog() {
            writeln!(self.out, "  version {}, {}", change.version, change.date)?;
            self.say("      ", &change.words.da, &change.words.en)?;
            for id in &change.widens {
                self.say("      ", &format!("udvider: {id}"), &format!("widens: {id}"))?;
            }
        }
        Ok(())
    }

    fn fields(&mut self, policy: &Policy, released: bool, da: &str, en: &str) -> io::Result<()> {
        self.heading(da, en)?;
        let mut last = "";
        for (field, rule) in policy.release().fields().filter(|(_, rule)| rule.release == released) {
            if rule.words.id != last {
                self.rule(&rule.words, &rule.form.name())?;
                last = &rule.words.id;
            }
            writeln!(self.out, "      → {}", wire_path(field.path()))?;
        }
        Ok(())
    }
}

fn compare(args: &Diff, out: &mut impl Write) -> Result<ExitCode, PolicyError> {
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    if old.id() != new.id() {
        return Err(format!("{} and {} are two policies; compare two versions of one", old.id(), new.id()).into());
    }
    let found = diff::differences(&old, &new);
    let told = diff::is_declared(&old, &new, &found);
    if args.json {
        let json = serde_json::json!({
            "policy": new.id(), "from": old.version(), "to": new.version(), "told": told, "differences": found,
        });
        writeln!(out, "{json:#}")?;
    } else {
        writeln!(out, "{}: version {} → {}", new.id(), old.version(), new.version())?;
        for difference in &found {
            let mark = match (difference.effect, difference.acknowledged) {
                (Effect::Widening, true) => "UDVIDELSE (anført) · WIDENING (acknowledged)",
                (Effect::Widening, false) => "UDVIDELSE, IKKE ANFØRT · WIDENING, NOT ACKNOWLEDGED",
                (Effect::Narrowing, _) => "indskrænkning · narrowing",
                (Effect::Other, _) => "ordlyd · words",
            };
            writeln!(out, "  {mark}: {}\n      − {}\n      + {}", difference.id, difference.before, difference.after)?;
        }
        writeln!(out, "{}", verdict(&old, &new, told, found.is_empty()))?;
    }
    Ok(if told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(old: &Policy, new: &Policy, told: bool, same: bool) -> &'static str {
    match (told, same) {
        (_, true) => "Ingen forskel · No difference",
        (true, false) => "Alle udvidelser er anført i ændringsloggen · Each widening is acknowledged in the changelog",
        (false, _) if old.version() == new.version() => {
            "En ændring af betydning kræver en ny version · A change of meaning needs a version of its own"
        }
        (false, _) => {
            "En udvidelse skal fremgå af ændringsloggen: anfør navnene i widens = […] i versionens [[changelog]] · \
             Do not widen in silence: name them in widens = […] of the version's [[changelog]]"
        }
    }
}

async fn try_cases(args: &Cases, out: &mut impl Write) -> Result<ExitCode, PolicyError> {
    let policy = PolicyText::new(&args.policy, text(&args.policy)?)?;
    let tried = cases::try_all(&args.dir, &policy).await?;
    let mut printer = Printer { out, lang: args.lang };
    let mut file = "";
    for case in tried.iter().filter(|case| !(args.differing && case.trouble.is_empty())) {
        if case.file != file {
            file = &case.file;
            writeln!(printer.out, "{file}")?;
        }
        writeln!(printer.out, "  {} {}  [{}]", if case.trouble.is_empty() { "✓" } else { "✗" }, case.id, case.shows.join(", "))?;
        printer.say("      ", &case.da, &case.en)?;
        // Each deviation is told in English, for whoever changes the policy's code; a Danish reader is told how
        // many, and what is missing or too much in a list, which needs no translation.
        if args.lang == Lang::Da {
            match case.trouble.len() {
                0 => {}
                1 => writeln!(printer.out, "      → 1 afvigelse")?,
                many => writeln!(printer.out, "      → {many} afvigelser")?,
            }
            for lists in case.trouble.iter().filter_map(|trouble| cases::lists_in_danish(trouble)) {
                writeln!(printer.out, "        {lists}")?;
            }
        } else {
            case.trouble.iter().try_for_each(|trouble| writeln!(printer.out, "      → {trouble}"))?;
        }
    }
    let (all, differing) = (tried.len(), tried.iter().filter(|case| !case.trouble.is_empty()).count());
    printer.say(
        "",
        &format!("{all} testtilfælde, {differing} med et andet resultat end beskrevet"),
        &format!("{all} cases, {differing} come out otherwise than described"),
    )?;
    if differing > 0 && args.lang == Lang::Da {
        writeln!(printer.out, "Afvigelserne beskrives på engelsk med --lang en.")?;
    }
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> Result<Policy, PolicyError> {
    Ok(Policy::read(&text(path)?, path)?)
}

fn text(path: &Path) -> Result<String, PolicyError> {
    std::fs::read_to_string(path).map_err(|error| super::file::describe(path, &error).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_cases_that_differ_are_told_in_danish_in_three_short_lines_each() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = text(&root.join("policies/terminaladgang-6.toml")).unwrap();
        let (dir, changed) = (tempfile::tempdir().unwrap(), text.replacen("value = \"refuse\"", "value = \"narrow\"", 1));
        assert_ne!(text, changed);
        let policy = dir.path().join("terminaladgang-6.toml");
        std::fs::write(&policy, changed).unwrap();
        let mut out = Vec::new();
        let args = Cases { policy, dir: root.join("cases"), lang: Lang::Da, differing: true };
        assert_eq!(try_cases(&args, &mut out).await.unwrap(), ExitCode::FAILURE);
        let told = String::from_utf8(out).unwrap();
        assert!(told.contains("To perioder i en søgning, den ene udenfor: den nævnes.\n      → 1 afvigelse\n"), "{told}");
        assert!(!["must ", "was ", " with "].iter().any(|english| told.contains(english)), "{told}");
        assert!(told.ends_with("Afvigelserne beskrives på engelsk med --lang en.\n"), "{told}");
    }
}
