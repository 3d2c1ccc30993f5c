//! Patterns of simple types, as far as they are plain regular expressions.
//!
//! What is not understood makes no pattern: `\p{L}`, `\i`, a class less another, more than [`PLACES`] places. A letter beyond ASCII in a class is
//! left out of it, so that a pattern made here never takes what the schema's does not.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// How many characters an expression may name, repetitions counted.
const PLACES: usize = 256;
/// How deep groups may lie in each other.
const DEEP: usize = 16;
/// How many entries a table may have; what needs more is asked place by place.
const ENTRIES: usize = 8_192;

/// A set of places.
type Places = [u64; PLACES / 64];

/// Characters: a bit for each of ASCII, and whether all the others are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    ascii: u128,
    others: bool,
}

#[derive(Debug, Clone)]
enum Expression {
    One(Class),
    Sequence(Vec<Expression>),
    Choice(Vec<Expression>),
    Repeated(Box<Expression>, usize, Option<usize>),
}

/// An automaton whose states are the places at which the expression names a character.
#[derive(Debug, Clone, Default)]
pub(super) struct Pattern {
    classes: Vec<Class>,
    follow: Vec<Places>,
    first: Places,
    last: Places,
    takes_nothing: bool,
    table: Option<Table>,
}

/// The same automaton with a state for each set of places that may be reached at a time: a character costs one look.
#[derive(Debug, Clone)]
struct Table {
    /// Which characters no class tells apart: a kind for each of ASCII, and behind them that of all the others.
    kinds: Vec<usize>,
    /// How many kinds there are.
    width: usize,
    /// The next state, by state and kind; it begins in the first.
    next: Vec<usize>,
    /// Whether the value may end there.
    ends: Vec<bool>,
}

/// A part of an automaton: whether it may be empty, where it begins and where it ends.
struct Part {
    nullable: bool,
    first: Places,
    last: Places,
}

impl Pattern {
    /// The automaton of an expression; `None` where it is not understood.
    pub(super) fn new(expression: &str) -> Option<Self> {
        let mut reader = Reader { rest: expression.chars().peekable(), deep: 0 };
        let read = reader.choice()?;
        if reader.rest.next().is_some() {
            return None;
        }
        let mut pattern = Self::default();
        let whole = pattern.add(&read)?;
        (pattern.first, pattern.last, pattern.takes_nothing) = (whole.first, whole.last, whole.nullable);
        pattern.table = Table::of(&pattern);
        Some(pattern)
    }

    /// Whether the whole value fits.
    pub(super) fn takes(&self, value: &str) -> bool {
        match &self.table {
            Some(table) => table.takes(value),
            None => self.takes_by_places(value),
        }
    }

    fn takes_by_places(&self, value: &str) -> bool {
        let begin = (self.first, self.takes_nothing);
        value.chars().fold(begin, |(reachable, _), character| self.after(&reachable, character)).1
    }

    /// The places that are reached behind a character, and whether the value may end there.
    fn after(&self, reachable: &Places, character: char) -> (Places, bool) {
        let (mut next, mut ends) = (Places::default(), false);
        for place in members(reachable) {
            let (Some(class), Some(follow)) = (self.classes.get(place), self.follow.get(place)) else { continue };
            if class.has(character) {
                ends |= has(&self.last, place);
                join(&mut next, follow);
            }
        }
        (next, ends)
    }

    fn add(&mut self, expression: &Expression) -> Option<Part> {
        match expression {
            Expression::One(class) => {
                let place = self.classes.len();
                if place == PLACES {
                    return None;
                }
                self.classes.push(*class);
                self.follow.push(Places::default());
                let mut own = Places::default();
                set(&mut own, place);
                Some(Part { nullable: false, first: own, last: own })
            }
            Expression::Sequence(parts) => {
                let mut whole = Part::nothing(true);
                for part in parts {
                    let next = self.add(part)?;
                    whole = self.joined(&whole, &next);
                }
                Some(whole)
            }
            Expression::Choice(parts) => {
                let mut whole = Part::nothing(false);
                for part in parts {
                    let next = self.add(part)?;
                    whole.nullable |= next.nullable;
                    join(&mut whole.first, &next.first);
                    join(&mut whole.last, &next.last);
                }
                Some(whole)
            }
            Expression::Repeated(part, least, most) => {
                let mut whole = Part::nothing(true);
                // Bounded by PLACES, but for a part that names no character.
                if part.is_nothing() || most.is_some_and(|most| most < *least) {
                    return None;
                }
                for _ in 0..*least {
                    let next = self.add(part)?;
                    whole = self.joined(&whole, &next);
                }
                match most {
                    Some(most) => {
                        // Each only behind the one before it, so that few places are reachable at a time.
                        let mut before = whole.last;
                        for number in *least..*most {
                            let next = self.add(part)?;
                            self.link(&before, &next.first);
                            if whole.nullable && number == *least {
                                join(&mut whole.first, &next.first);
                            }
                            join(&mut whole.last, &next.last);
                            before = next.last;
                        }
                    }
                    None => {
                        let next = Part { nullable: true, ..self.add(part)? };
                        self.link(&next.last, &next.first);
                        whole = self.joined(&whole, &next);
                    }
                }
                Some(whole)
            }
        }
    }

    /// One part with the next behind it.
    fn joined(&mut self, one: &Part, next: &Part) -> Part {
        self.link(&one.last, &next.first);
        let (mut first, mut last) = (one.first, next.last);
        if one.nullable {
            join(&mut first, &next.first);
        }
        if next.nullable {
            join(&mut last, &one.last);
        }
        Part { nullable: one.nullable && next.nullable, first, last }
    }

    fn link(&mut self, from: &Places, to: &Places) {
        for place in members(from) {
            if let Some(follow) = self.follow.get_mut(place) {
                join(follow, to);
            }
        }
    }
}

impl Table {
    /// `None` where it would have too many states.
    fn of(pattern: &Pattern) -> Option<Self> {
        // Each kind by one character of it; of those beyond ASCII one is like the other.
        let (mut kinds, mut shown, mut known) = (Vec::new(), Vec::new(), HashMap::new());
        for character in ('\0'..='\x7f').chain(['\u{80}']) {
            let told: Vec<bool> = pattern.classes.iter().map(|class| class.has(character)).collect();
            kinds.push(*known.entry(told).or_insert_with(|| {
                shown.push(character);
                shown.len() - 1
            }));
        }
        let begin = (pattern.first, pattern.takes_nothing);
        let (mut states, mut known, mut next) = (vec![begin], HashMap::from([(begin, 0)]), Vec::new());
        let mut at = 0;
        while let Some((reachable, _)) = states.get(at).copied() {
            for character in &shown {
                let state = pattern.after(&reachable, *character);
                next.push(*known.entry(state).or_insert_with(|| {
                    states.push(state);
                    states.len() - 1
                }));
            }
            if next.len() > ENTRIES {
                return None;
            }
            at += 1;
        }
        Some(Self { kinds, width: shown.len(), next, ends: states.into_iter().map(|(_, ends)| ends).collect() })
    }

    fn takes(&self, value: &str) -> bool {
        let end = value.chars().try_fold(0_usize, |state, character| {
            let kind = self.kinds.get((character as usize).min(0x80))?;
            self.next.get(state * self.width + kind).copied()
        });
        end.and_then(|state| self.ends.get(state).copied()).unwrap_or(false)
    }
}

impl Part {
    fn nothing(nullable: bool) -> Self {
        Self { nullable, first: Places::default(), last: Places::default() }
    }
}

impl Expression {
    fn is_nothing(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Sequence(parts) | Self::Choice(parts) => parts.iter().all(Self::is_nothing),
            Self::Repeated(part, _, most) => part.is_nothing() || *most == Some(0),
        }
    }
}

fn members(places: &Places) -> impl Iterator<Item = usize> + use<> {
    (*places).into_iter().zip((0..PLACES).step_by(64)).flat_map(|(mut word, begin)| {
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros();
            // The lowest bit that is set, taken away; none where the word is 0.
            word &= word.checked_sub(1)?;
            Some(begin + bit as usize)
        })
    })
}

fn set(places: &mut Places, place: usize) {
    if let Some(word) = places.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn has(places: &Places, place: usize) -> bool {
    places.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
}

fn join(places: &mut Places, more: &Places) {
    for (word, more) in places.iter_mut().zip(more) {
        *word |= more;
    }
}

impl Class {
    const NONE: Self = Self { ascii: 0, others: false };
    /// `\d` is any decimal digit of Unicode; those of ASCII are taken.
    const DIGITS: Self = Self { ascii: 0x03ff << 48, others: false };
    const SPACES: Self = Self { ascii: 1 << b' ' | 1 << b'\t' | 1 << b'\n' | 1 << b'\r', others: false };
    const LINE_ENDS: Self = Self { ascii: 1 << b'\n' | 1 << b'\r', others: false };

    fn of(character: char) -> Self {
        if character.is_ascii() { Self { ascii: 1 << u32::from(character), others: false } } else { Self::NONE }
    }

    fn range(from: char, to: char) -> Option<Self> {
        if !from.is_ascii() || !to.is_ascii() || from > to {
            return None;
        }
        Some((from..=to).fold(Self::NONE, |class, character| class.and(Self::of(character))))
    }

    fn and(self, more: Self) -> Self {
        Self { ascii: self.ascii | more.ascii, others: self.others || more.others }
    }

    fn complement(self) -> Self {
        Self { ascii: !self.ascii, others: !self.others }
    }

    fn has(self, character: char) -> bool {
        if character.is_ascii() { self.ascii & (1 << u32::from(character)) != 0 } else { self.others }
    }
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    deep: usize,
}

impl Reader<'_> {
    fn choice(&mut self) -> Option<Expression> {
        self.deep += 1;
        if self.deep > DEEP {
            return None;
        }
        let mut branches = vec![self.branch()?];
        while self.rest.next_if_eq(&'|').is_some() {
            branches.push(self.branch()?);
        }
        self.deep -= 1;
        Some(Expression::Choice(branches))
    }

    fn branch(&mut self) -> Option<Expression> {
        let mut parts = Vec::new();
        while let Some(character) = self.rest.next_if(|character| !matches!(character, '|' | ')')) {
            let part = match character {
                '(' => {
                    let inside = self.choice()?;
                    self.rest.next_if_eq(&')')?;
                    inside
                }
                '[' => Expression::One(self.class()?),
                '.' => Expression::One(Class::LINE_ENDS.complement()),
                '\\' => Expression::One(self.escaped()?.0),
                '*' | '+' | '?' | '{' | '}' | ']' => return None,
                // No anchors: they are characters like any other.
                character if character.is_ascii() => Expression::One(Class::of(character)),
                _ => return None,
            };
            parts.push(self.repeated(part)?);
        }
        Some(Expression::Sequence(parts))
    }

    fn repeated(&mut self, part: Expression) -> Option<Expression> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                let least = self.number()?;
                let most = match self.rest.next_if_eq(&',') {
                    None => Some(least),
                    Some(_) if self.rest.peek() == Some(&'}') => None,
                    Some(_) => Some(self.number()?),
                };
                // The brace itself is taken below, as the other signs are.
                (self.rest.peek() == Some(&'}')).then_some((least, most))?
            }
            _ => return Some(part),
        };
        self.rest.next();
        Some(Expression::Repeated(Box::new(part), least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok().filter(|number| *number <= PLACES)
    }

    /// Behind the backslash: the characters, and whether these are all that it means.
    fn escaped(&mut self) -> Option<(Class, bool)> {
        let sign = self.rest.next()?;
        let class = match sign {
            'd' => Class::DIGITS,
            // Without what is beyond ASCII, where digits are too.
            'D' => Class { others: false, ..Class::DIGITS.complement() },
            's' => Class::SPACES,
            'S' => Class::SPACES.complement(),
            'n' => Class::of('\n'),
            'r' => Class::of('\r'),
            't' => Class::of('\t'),
            sign if sign.is_ascii_punctuation() => Class::of(sign),
            _ => return None,
        };
        Some((class, !matches!(sign, 'd' | 'D')))
    }

    /// Behind the opening bracket, to the closing one.
    fn class(&mut self) -> Option<Class> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut class = Class::NONE;
        let mut beyond = false;
        loop {
            match self.rest.next()? {
                ']' => break,
                '\\' => {
                    let (escaped, is_all) = self.escaped()?;
                    class = class.and(escaped);
                    beyond |= !is_all;
                    // It would begin a range.
                    if self.rest.next_if_eq(&'-').is_some() {
                        class = class.and(Class::of('-'));
                        self.rest.peek().filter(|next| **next == ']')?;
                    }
                }
                '[' | '^' => return None,
                from => {
                    if self.rest.peek() == Some(&'-') {
                        self.rest.next();
                        match self.rest.peek() {
                            // A hyphen before the end means itself.
                            Some(']') => class = class.and(Class::of(from)).and(Class::of('-')),
                            Some('\\' | '[' | '-') | None => return None,
                            Some(_) => class = class.and(Class::range(from, self.rest.next()?)?),
                        }
                    } else {
                        beyond |= !from.is_ascii();
                        class = class.and(Class::of(from));
                    }
                }
            }
        }
        Some(match negated {
            false => class,
            // What was left out of the class must not be taken by its complement.
            true if beyond => Class { others: false, ..class.complement() },
            true => class.complement(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn plain_expressions_take_what_they_say_and_nothing_else() {
        let cases = [
            ("[0-9a-f]{8}-[0-9a-f]{4}", "0123abcd-00ff", "0123abcd-00fg"),
            ("[0-9]{1,11}([.][0-9]{1,2})?", "12345678901.5", "123456789012"),
            (r"\S([^\n\r\t]{0,62}\S)?", "a b", "a "),
            (r"\S([^\n\r\t]{0,62}\S)?", "æ", ""),
            ("a|b+|", "bbb", "ab"),
            ("(ab?){1,3}c", "abaabc", "aaaac"),
            ("(a?){1,3}b", "aab", "aaaab"),
            ("(a|bc){0,2}", "bca", "bcb"),
            ("a{2,4}", "aaaa", "aaaaa"),
            ("a{2,4}b", "aab", "ab"),
            ("x(a{0,2}b){0,2}", "xaabb", "xaaab"),
            ("(ab)*c", "ababc", "abac"),
            ("a{2,}", "aaaa", "a"),
            (r"-?\d+(\.\d+)?", "-12.50", "-12."),
            ("urn:oio:cvr-nr:[0-9]{8}", "urn:oio:cvr-nr:12345678", "urn:oio:cvr-nr:1234567"),
            ("[A-Za-z-]", "-", "0"),
        ];
        for (expression, taken, refused) in cases {
            let pattern = Pattern::new(expression).unwrap();
            assert!(pattern.takes(taken), "{expression} and {taken}");
            assert!(!pattern.takes(refused), "{expression} and {refused}");
        }
    }

    #[test]
    fn a_letter_beyond_ascii_in_a_class_is_never_taken() {
        let pattern = Pattern::new("[a-zæøå]+").unwrap();
        assert!(pattern.takes("abc") && !pattern.takes("æ"));
        let pattern = Pattern::new("[^æ]").unwrap();
        assert!(pattern.takes("a") && !pattern.takes("æ") && !pattern.takes("ø"));
        for digits in [r"[^\d]+", r"[^\D]+", r"\D", r"\d", r"[^\Da]"] {
            let pattern = Pattern::new(digits).unwrap();
            assert!(!pattern.takes("３") && !pattern.takes("٣") && !pattern.takes("æ"), "{digits}");
        }
        assert!(Pattern::new(r"[^\D]+").unwrap().takes("0123456789") && Pattern::new(r"[\d\-]+").unwrap().takes("1-2"));
    }

    #[test]
    fn what_is_not_understood_makes_no_pattern() {
        for expression in
            [r"\p{L}", r"\i\c*", "[a-z-[aeiou]]", "a{300}", "(a{20}){20}", "[a", "(a", "a)", "a**", "a{,2}", "()*", "æ", "a{2,1}"]
        {
            assert!(Pattern::new(expression).is_none(), "{expression}");
        }
        assert!(Pattern::new(&"(".repeat(10_000)).is_none());
    }

    #[test]
    fn a_table_takes_what_the_places_take_and_an_expression_that_needs_too_large_a_one_has_none() {
        let values = [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "aab",
            "abab",
            "12",
            "1.2",
            "12.34",
            "12.345",
            "\u{e6}",
            "a\u{e6}",
            "a b",
            " a",
            "a ",
            "a\tb",
            "0",
            "9",
            "2026-11-30",
            "2026-1-30",
            "urn:a:12",
            "urn:b:1",
            "urn:b:12",
        ];
        let expressions = [
            "",
            "a",
            "a*",
            "(a|b)*ab",
            "[0-9]{1,11}([.][0-9]{1,2})?",
            r"\S([^\n\r\t]{0,62}\S)?",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}",
            ".*",
            "[^a]+",
            "urn:a:[0-9]{2}|urn:b:[0-9]{2}",
            "(a?b?){2}",
        ];
        for expression in expressions {
            let pattern = Pattern::new(expression).unwrap();
            assert!(pattern.table.is_some(), "{expression}");
            for value in values {
                assert_eq!(pattern.takes(value), pattern.takes_by_places(value), "{expression} {value:?}");
            }
        }
        // Which of the last letters was an a is a state for each answer.
        let many = Pattern::new("(a|b)*a(a|b){14}").unwrap();
        assert!(many.table.is_none());
        let of = |first: &str| format!("bab{first}{}", "b".repeat(14));
        assert!(many.takes(&of("a")) && !many.takes(&of("b")));
    }
}
