//! Which language a command answers in: Danish, English, or both.

use std::io::{self, Write};

/// Which words to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Lang {
    /// Danish
    Da,
    /// English
    En,
    /// Danish, then English
    Both,
}

impl Lang {
    /// A word or two, on one line.
    pub(super) fn word(self, da: &str, en: &str) -> String {
        match self {
            Self::Da => da.to_owned(),
            Self::En => en.to_owned(),
            Self::Both if da == en => da.to_owned(),
            Self::Both => format!("{da} · {en}"),
        }
    }

    /// What a rule rests on: the words of the law are Danish in both languages.
    pub(super) fn basis<'w>(self, basis: &'w str, basis_da: Option<&'w str>) -> &'w str {
        match self {
            Self::Da => basis_da.unwrap_or(basis),
            Self::En | Self::Both => basis,
        }
    }

    /// A sentence, on a line of its own for each language.
    pub(super) fn say(self, out: &mut impl Write, indent: &str, da: &str, en: &str) -> io::Result<()> {
        if self != Self::En {
            writeln!(out, "{indent}{da}")?;
        }
        if self == Self::En || (self == Self::Both && da != en) {
            writeln!(out, "{indent}{en}")?;
        }
        Ok(())
    }
}
