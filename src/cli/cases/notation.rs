//! The short notation of case files: `AND(person(P), payments(kle(32.03.04)))`.
//!
//! A term is a word, a quoted text, or a word with terms in parentheses. Commas and white space separate. What is quoted
//! is taken as it stands, so that a hostile case can say anything, XML included.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper than any search; a file that nests deeper is a mistake.
const DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word with terms in parentheses.
    Call(String, Vec<Term>),
    /// A word, or what stood between quotation marks.
    Text(String),
}

/// Reads terms, or says what is wrong with them.
pub(super) fn parse(text: &str) -> Result<Vec<Term>, String> {
    terms(&mut text.chars().peekable(), 0)
}

fn terms(rest: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Vec<Term>, String> {
    if depth > DEPTH {
        return Err(format!("more than {DEPTH} parentheses within each other"));
    }
    let mut found = Vec::new();
    loop {
        match rest.peek() {
            None if depth > 0 => return Err("a parenthesis is not closed".to_owned()),
            None => return Ok(found),
            Some(')') if depth == 0 => return Err("a parenthesis is closed that was not opened".to_owned()),
            Some(')') => {
                rest.next();
                return Ok(found);
            }
            Some(',') => drop(rest.next()),
            Some(space) if space.is_whitespace() => drop(rest.next()),
            Some('"') => {
                rest.next();
                let mut text = String::new();
                loop {
                    match rest.next() {
                        None => return Err("a quotation mark is not closed".to_owned()),
                        Some('"') => break,
                        Some(c) => text.push(c),
                    }
                }
                found.push(Term::Text(text));
            }
            Some('(') => return Err("a parenthesis without a word before it".to_owned()),
            Some(_) => {
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| !c.is_whitespace() && !"(),\"".contains(*c)) {
                    word.push(c);
                }
                found.push(match rest.next_if_eq(&'(') {
                    Some(_) => Term::Call(word, terms(rest, depth + 1)?),
                    None => Term::Text(word),
                });
            }
        }
    }
}

impl Term {
    /// The text of a word or a quotation.
    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Term::Text(text) => Ok(text),
            Term::Call(name, _) => Err(format!("{name}(…) where a value is meant")),
        }
    }
}

/// The values of a term that takes so many.
pub(super) fn values<'t, const N: usize>(name: &str, terms: &'t [Term]) -> Result<[&'t str; N], String> {
    let texts = terms.iter().map(Term::text).collect::<Result<Vec<_>, _>>()?;
    let found = texts.len();
    <[&str; N]>::try_from(texts).map_err(|_| format!("{name}(…) takes {N} value(s), {found} stand there"))
}

/// The invented persons of the cases by their letters; whatever else is written is meant as it stands.
pub(super) fn number(who: &str) -> &str {
    match who {
        "P" => super::P,
        "Q" => super::Q,
        written => written,
    }
}

/// What is no word of the notation.
pub(super) fn unknown(name: &str, among: &str) -> String {
    format!("{name}(…) is not known in {among}; cases/README.md lists the notation")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, terms: Vec<Term>) -> Term {
        Term::Call(name.to_owned(), terms)
    }

    fn text(text: &str) -> Term {
        Term::Text(text.to_owned())
    }

    #[test]
    fn terms_are_words_quotations_and_words_with_terms() {
        assert_eq!(parse(" "), Ok(vec![]));
        assert_eq!(
            parse("AND(person(P), \"<x a='(,'/>\"\n a:b-1 ) c()"),
            Ok(vec![call("AND", vec![call("person", vec![text("P")]), text("<x a='(,'/>"), text("a:b-1")]), call("c", vec![])])
        );
    }

    #[test]
    fn what_is_not_closed_or_not_opened_is_told() {
        for wrong in ["a(", "a(b", "a)", "\"a", "a (b)", &"a(".repeat(100)] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
