//! Where the settings of a call come from: an option, else the file that `--env` names, else the environment. The names are
//! those of the sample clients in `docs/clients`, so that one file serves them all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Args, CallError};

/// What stands in an `--env` file, and what is asked of the environment where it does not.
pub struct Settings<'a> {
    file: BTreeMap<String, String>,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Settings<'a> {
    /// Reads the `--env` file, if one is given.
    ///
    /// # Errors
    /// [`CallError::File`], [`CallError::Usage`].
    pub fn read(args: &Args, environment: &'a dyn Fn(&str) -> Option<String>) -> Result<Self, CallError> {
        let Some(path) = &args.env else { return Ok(Self { file: BTreeMap::new(), environment }) };
        let text = std::fs::read_to_string(path).map_err(|error| CallError::File { path: path.clone(), error })?;
        Ok(Self { file: assignments(&text, path)?, environment })
    }

    /// The setting `name`, where no option gave it.
    pub fn text(&self, name: &str) -> Option<String> {
        let set = self.file.get(name).cloned().or_else(|| (self.environment)(name));
        set.filter(|text| !text.is_empty())
    }

    /// A file that an option or the setting names.
    pub fn path(&self, option: Option<&PathBuf>, name: &str) -> Option<PathBuf> {
        option.cloned().or_else(|| self.text(name).map(PathBuf::from))
    }

    /// A value that an option or the setting gives.
    ///
    /// # Errors
    /// [`CallError::Usage`]: the setting cannot be read as one.
    pub fn value<T: FromStr + Clone>(&self, option: Option<&T>, name: &str) -> Result<Option<T>, CallError> {
        let Some(text) = option.is_none().then(|| self.text(name)).flatten() else { return Ok(option.cloned()) };
        let unreadable = || {
            CallError::Usage(format!("indstillingen {name} kan ikke læses: {text}\nthe setting {name} cannot be read: {text}"))
        };
        text.parse().map(Some).map_err(|_| unreadable())
    }
}

/// What is missing, told at once.
#[derive(Default)]
pub struct Missing(Vec<String>);

impl Missing {
    /// Takes a value, or notes that it is missing.
    pub fn need<T>(&mut self, value: Option<T>, option: &str, setting: &str) -> Option<T> {
        if value.is_none() {
            self.0.push(format!("  {option} ({setting})"));
        }
        value
    }

    /// The usage error.
    pub fn usage_error(self, (da, en): (&str, &str)) -> CallError {
        let each = self.0.join("\n");
        CallError::Usage(format!(
            "{da} kræver · {en} needs\n{each}\n\
             I parentes står navnet på den tilsvarende indstilling. Den skrives i filen, som --env angiver (`hjemmel demo --dir DIR` \
             danner DIR/client.env), eller sættes som miljøvariabel.\n\
             In parentheses: the setting that gives the same. It stands in the file of --env, as \
             `hjemmel demo --dir DIR` writes DIR/client.env, or in the environment."
        ))
    }
}

/// The lines `NAME=value` or `export NAME=value` of a file that a shell could read too. Nothing is expanded: what a shell
/// would replace is refused, so that both read the same.
fn assignments(text: &str, path: &Path) -> Result<BTreeMap<String, String>, CallError> {
    let mut found = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || {
            let (file, line) = (path.display(), number + 1);
            CallError::Usage(format!(
                "{file}, linje {line}: skriv NAVN=værdi, i '…', hvor værdien rummer andet end bogstaver, cifre og @%+=:,./_-\n\
                 {file}, line {line}: write NAME=value, quoted with '…' where it holds more than letters, digits and @%+=:,./_-"
            ))
        };
        let assignment = line.strip_prefix("export ").map_or(line, str::trim_start);
        let (name, value) = assignment.split_once('=').ok_or_else(wrong)?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(wrong());
        }
        found.insert(name.to_owned(), unquoted(value).ok_or_else(wrong)?);
    }
    Ok(found)
}

/// A shell word without expansions: plain letters, `'…'`, `"…"` without `$`, a backtick or a backslash, and `\'`. A comment may follow.
fn unquoted(word: &str) -> Option<String> {
    let mut value = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..)?;
        rest = match first {
            '\'' | '"' => {
                let (inside, after) = after.split_once(first)?;
                if first == '"' && inside.contains(['$', '`', '\\']) {
                    return None;
                }
                value.push_str(inside);
                after
            }
            '\\' => {
                value.push('\'');
                after.strip_prefix('\'')?
            }
            ' ' | '\t' => {
                let trailing = after.trim_start();
                return (trailing.is_empty() || trailing.starts_with('#')).then_some(value);
            }
            // As the demo quotes: all else means something to a shell. Letters of any language do not.
            letter if letter.is_alphanumeric() || "@%+=:,./_-".contains(letter) => {
                value.push(letter);
                after
            }
            _ => return None,
        };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, CallError> {
        assignments(text, Path::new("client.env"))
    }

    #[test]
    fn a_file_that_a_shell_reads_is_read_alike() {
        let text =
            "# Korsbæk\n\nexport SERVICE=https://localhost:8443/x\nexport CA='/tmp/a b/root.pem'   # trust\nKEY='it'\\''s'\n";
        let read = read(text).unwrap();
        let expected = [("CA", "/tmp/a b/root.pem"), ("KEY", "it's"), ("SERVICE", "https://localhost:8443/x")];
        assert_eq!(read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_a_shell_would_replace_is_refused_with_its_line() {
        for wrong in
            ["CA=$HOME/root.pem", "CA=\"$HOME\"", "CA=`pwd`", "CA='unended", "CA=a b", "just words", "=x", "A B=x", "CA=a;b"]
        {
            let told = read(&format!("STS=x\n{wrong}")).unwrap_err().to_string();
            assert!(told.contains("client.env, line 2"), "{wrong}: {told}");
        }
    }
}
