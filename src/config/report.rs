//! Everything that is wrong with a configuration, each with its line and its remedy, in one report.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::text::line_at;

/// One thing wrong, or soon wrong, with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `sts.deadline`; empty where it is the file itself.
    pub setting: String,
    /// What is wrong, and after a semicolon what to do about it.
    pub text: String,
    /// Where in the file, in bytes.
    pub span: Option<Range<usize>>,
}

/// The problems of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: PathBuf,
    source: String,
    problems: Vec<Problem>,
}

impl Report {
    pub(super) fn new(file: &Path, source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        Self { file: file.to_owned(), source: source.to_owned(), problems }
    }

    /// The problems, first line first.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The line a problem stands in, counted from 1; `None` where it has none.
    pub fn line(&self, problem: &Problem) -> Option<usize> {
        Some(line_at(self.source.as_bytes(), problem.span.as_ref()?.start))
    }
}

/// Each problem as `FILE:LINE: SETTING: TEXT`, and the line with the place marked.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            write!(f, "{}", self.file.display())?;
            let line = self.line(problem);
            if let Some(line) = line {
                write!(f, ":{line}")?;
            }
            if !problem.setting.is_empty() {
                write!(f, ": {}", problem.setting)?;
            }
            writeln!(f, ": {}", problem.text)?;
            if let (Some(line), Some(span)) = (line, &problem.span) {
                self.excerpt(f, line, span)?;
            }
        }
        Ok(())
    }
}

impl Report {
    fn excerpt(&self, f: &mut fmt::Formatter<'_>, line: usize, span: &Range<usize>) -> fmt::Result {
        let start = self.source.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        let text = self.source.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let before = self.source.get(start..span.start).unwrap_or_default().chars().count();
        let marked = self.source.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default().chars().count();
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "  {number} | {text}")?;
        writeln!(f, "  {margin} | {}{}", " ".repeat(before), "^".repeat(marked.max(1)))
    }
}

impl std::error::Error for Report {}
