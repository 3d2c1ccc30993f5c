//! Texts that a pattern of XML Schema fits.
//!
//! A pattern is translated to the notation of `regex-syntax`, whose parsed form is walked; `regex` judges what was made,
//! for a type can have patterns of several steps. Blocks (`\p{IsGreek}`) are not translated: such a pattern is an error of
//! the stub's, told when it starts.

use std::fmt::Write;

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::stub::random::Random;

/// The longest text that is tried, in bytes.
const LONGEST: usize = 4096;
/// What is taken from a class where it has some of it, so that values can be read.
const READABLE: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzæøåÆØÅ";

/// A pattern of a schema.
#[derive(Debug, Clone)]
pub struct Pattern {
    judge: Regex,
    shape: Hir,
}

impl Pattern {
    /// Reads a pattern as XML Schema writes it.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let translated = translated(pattern)?;
        let words = |error: &dyn std::fmt::Display| format!("the pattern {pattern} is not understood: {error}");
        let judge = Regex::new(&format!("^(?:{translated})$")).map_err(|error| words(&error))?;
        let shape = regex_syntax::parse(&translated).map_err(|error| words(&error))?;
        Ok(Self { judge, shape })
    }

    /// Whether the pattern fits the whole text.
    pub fn fits(&self, text: &str) -> bool {
        self.judge.is_match(text)
    }

    /// A text that fits. What may be repeated without end is repeated up to `stretch` times more than it must.
    pub fn make(&self, random: &mut Random, stretch: u32) -> String {
        let mut text = String::new();
        write(&self.shape, random, stretch, &mut text);
        text
    }
}

fn write(shape: &Hir, random: &mut Random, stretch: u32, text: &mut String) {
    if text.len() > LONGEST {
        return;
    }
    match shape.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(pick(class, random)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(stretch));
            let more = random.below(most.saturating_sub(repetition.min) as usize + 1);
            for _ in 0..repetition.min as usize + more {
                write(&repetition.sub, random, stretch, text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, random, stretch, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, random, stretch, text)),
        HirKind::Alternation(parts) => {
            if let Some(part) = random.pick(parts) {
                write(part, random, stretch, text);
            }
        }
    }
}

fn pick(class: &Class, random: &mut Random) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let has = |c: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&c.into()));
    let readable: Vec<char> = READABLE.chars().filter(|c| has(*c)).collect();
    if let Some(c) = random.pick(&readable) {
        return Some(*c);
    }
    // Characters that XML takes, and no white space but the plain one.
    let taken = |c: &char| matches!(*c, ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    let few = ranges.iter().flat_map(|(start, end)| *start..=(*end).min(start.saturating_add(64)));
    let few: Vec<char> = few.filter_map(char::from_u32).filter(taken).collect();
    random.pick(&few).copied()
}

/// The same pattern as `regex-syntax` writes it.
fn translated(pattern: &str) -> Result<String, String> {
    let (mut out, mut chars) = (String::new(), pattern.chars().peekable());
    // How many classes are open: subtraction puts one into another.
    let mut open = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next().ok_or_else(|| format!("the pattern {pattern} ends in a backslash"))?;
                match escaped {
                    // The names of XML, but for the letters of scripts that no Danish schema asks for.
                    'i' => out.push_str(r"[_:A-Za-zÀ-ÖØ-öø-ÿ]"),
                    'c' => out.push_str(r"[-._:A-Za-z0-9·À-ÖØ-öø-ÿ]"),
                    'I' => out.push_str(r"[^_:A-Za-zÀ-ÖØ-öø-ÿ]"),
                    'C' => out.push_str(r"[^-._:A-Za-z0-9·À-ÖØ-öø-ÿ]"),
                    's' => out.push_str(r"[ \t\n\r]"),
                    'S' => out.push_str(r"[^ \t\n\r]"),
                    'w' => out.push_str(r"[^\p{P}\p{Z}\p{C}]"),
                    'W' => out.push_str(r"[\p{P}\p{Z}\p{C}]"),
                    'p' | 'P' if chars.clone().take(3).eq("{Is".chars()) => {
                        return Err(format!("the pattern {pattern} names a block of characters, which the stub does not know"));
                    }
                    'd' | 'D' | 'p' | 'P' | 'n' | 'r' | 't' => {
                        let _ = write!(out, "\\{escaped}");
                    }
                    other => out.push_str(&regex::escape(&other.to_string())),
                }
            }
            '[' if open > 0 => {
                // Subtraction: `[a-z-[aeiou]]`.
                if out.ends_with('-') {
                    out.push('-');
                }
                out.push('[');
                open += 1;
                out.extend(chars.next_if_eq(&'^'));
            }
            '[' => {
                out.push('[');
                open += 1;
                out.extend(chars.next_if_eq(&'^'));
            }
            ']' => {
                out.push(']');
                open = open.saturating_sub(1);
            }
            '&' | '~' | '^' if open > 0 => {
                let _ = write!(out, "\\{c}");
            }
            '^' | '$' => {
                let _ = write!(out, "\\{c}");
            }
            '.' if open == 0 => out.push_str(r"[^\n\r]"),
            // `(?` and lazy repetition mean nothing in XML Schema.
            _ => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_fits_its_pattern_and_varies() {
        for pattern in [
            r"[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}",
            r"[0-9][0-9][.][0-9][0-9][.][0-9][0-9]",
            r"[A-Z,Æ,Ø,Å][0-9][0-9]",
            r"[uU][rR][nN]:[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]:[a-zA-Z0-9\(\)+,\\\-.:=@;$_!*'%/?#]+",
            r"-?[0-9]+(\.[0-9]+)?",
            r"[a-z-[aeiou]]{3}",
            r"\i\c*",
            r"(DK|SE)\d{2,5}|\p{Lu}+",
            r"[^a-zA-Z0-9æøåÆØÅ]{2}",
            r"[&~^$]+\$^",
            r".{4}\S\w",
        ] {
            let (read, mut random) = (Pattern::parse(pattern).unwrap(), Random::new(1));
            let made: std::collections::BTreeSet<String> = (0..50).map(|_| read.make(&mut random, 4)).collect();
            assert!(made.len() > 4, "{pattern}: {made:?}");
            for text in &made {
                assert!(read.fits(text), "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn subtraction_and_anchors_mean_what_they_mean_in_a_schema() {
        let consonants = Pattern::parse("[a-z-[aeiou]]+").unwrap();
        assert!(consonants.fits("xyz") && !consonants.fits("abe"));
        assert!(Pattern::parse("a^b$").unwrap().fits("a^b$"));
        assert!(!Pattern::parse("a").unwrap().fits("aa"), "the whole text");
        assert!(Pattern::parse(r"\p{IsGreek}").is_err());
    }
}
