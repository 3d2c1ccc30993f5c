//! Help texts: wrapped to the terminal, but for their indented lines, which are examples that a reader pastes into a shell;
//! and without wrapping or colours where no terminal is.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use super::{Cli, output};

/// Stands for a blank of an example: clap breaks lines at blanks, and `printed` puts them back.
const UNBROKEN: char = '\u{a0}';

/// Our command, its examples such that no width breaks them.
fn command() -> clap::Command {
    unbroken(Cli::command())
}

fn unbroken(mut command: clap::Command) -> clap::Command {
    if let Some(after) = command.get_after_help().map(ToString::to_string) {
        let kept = |line: &str| match line.starts_with("  ") {
            true => line.replace(' ', &UNBROKEN.to_string()),
            false => line.to_owned(),
        };
        command = command.after_help(after.split('\n').map(kept).collect::<Vec<_>>().join("\n"));
    }
    command.mut_subcommands(unbroken)
}

fn printed(text: &str) -> String {
    text.replace(UNBROKEN, " ")
}

/// The arguments, or the exit code once help, version or what is wrong with them was printed.
pub(super) fn parse() -> Result<Cli, ExitCode> {
    let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
    let mut command = command();
    if !stdout {
        // No terminal, no width to wrap to: clap would take that of another stream.
        command = command.term_width(0);
    }
    let read = command.try_get_matches_from_mut(std::env::args_os());
    read.and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))).map_err(|error| {
        let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        let coloured = has_colours(if asked { stdout } else { stderr }, |name| std::env::var_os(name));
        let text = error.render();
        let text = printed(&if coloured { text.ansi().to_string() } else { text.to_string() });
        // There is nowhere to report an error.
        let _ = if asked { output::Stdout.write_all(text.as_bytes()) } else { io::stderr().write_all(text.as_bytes()) };
        u8::try_from(error.exit_code()).unwrap_or(2).into()
    })
}

/// Whether a stream shows colours: a terminal that has some, unless the reader asked for none (https://no-color.org).
fn has_colours(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
#[allow(clippy::string_slice)] // a test
mod tests {
    use super::*;

    /// Every command and subcommand, with its path.
    fn all(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((path.to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            all(below, &format!("{path} {}", below.get_name()), found);
        }
    }

    /// The command lines in a help text: every line that begins with `hjemmel`, with those that a backslash joins to it; what a
    /// pipe feeds them, and where their output goes, left away.
    fn lines(help: &str) -> Vec<Vec<String>> {
        let joined = help.replace("\\\n", " ");
        let examples = joined.lines().map(str::trim).filter_map(|line| line.find("hjemmel ").map(|at| (at, line)));
        examples
            .filter(|(at, line)| *at == 0 || line[..*at].ends_with("| "))
            .map(|(at, line)| {
                let line = line[at..].split(['<', '>', '|', '&']).next().unwrap();
                shell_words(line)
            })
            .collect()
    }

    fn shell_words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
        for character in line.chars() {
            match character {
                '"' | '\'' => (quoted, any) = (!quoted, true),
                ' ' if !quoted => {
                    if any {
                        words.push(std::mem::take(&mut word));
                    }
                    any = false;
                }
                _ => {
                    word.push(character);
                    any = true;
                }
            }
        }
        if any {
            words.push(word);
        }
        words
    }

    #[test]
    fn every_example_of_every_help_is_a_command_line_of_ours_at_any_width() {
        // Built whole, for an option may conflict with one that its parents give it.
        let mut root = command();
        root.build();
        let mut commands = Vec::new();
        all(&root, "hjemmel", &mut commands);
        let mut tried = Vec::new();
        for width in [60, 80, 120] {
            let mut here = 0;
            for (path, command) in &commands {
                for long in [false, true] {
                    let mut command = command.clone().term_width(width);
                    let help = if long { command.render_long_help() } else { command.render_help() };
                    let help = printed(&help.to_string());
                    assert!(!help.contains(UNBROKEN));
                    for mut words in lines(&help) {
                        // The placeholder of an agreement's id, in capitals as in the usage.
                        words.iter_mut().filter(|word| *word == "ID").for_each(|word| *word = uuid::Uuid::nil().to_string());
                        let read = Cli::command().try_get_matches_from(&words);
                        let read = read.and_then(|matches| Cli::from_arg_matches(&matches));
                        assert!(read.is_ok(), "{path} at {width}: {words:?}: {}", read.unwrap_err());
                        here += 1;
                    }
                }
            }
            tried.push(here);
        }
        let [narrow, usual, wide] = tried[..] else { panic!("three widths") };
        assert!(narrow >= 10 && narrow == usual && usual == wide, "as many at each width: {tried:?}");
    }

    #[test]
    fn colours_are_for_a_terminal_whose_reader_did_not_decline_them() {
        let with = |variables: &'static [(&str, &str)]| {
            move |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        assert!(has_colours(true, with(&[("TERM", "xterm-256color")])));
        assert!(has_colours(true, with(&[("NO_COLOR", "")])), "set to nothing is not set");
        assert!(!has_colours(true, with(&[("NO_COLOR", "1")])));
        assert!(!has_colours(true, with(&[("TERM", "dumb")])));
        assert!(!has_colours(false, with(&[])));
    }
}
