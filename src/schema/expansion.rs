//! How large a schema becomes when it is compiled, counted before it is.
//!
//! The validator unrolls: a particle that may stand up to 16 times is compiled as often as that, a group once for each reference, a type
//! with all that it inherits, a pattern with each of its repetitions. Eight groups in each other, each 16 times, are one kilobyte of
//! schema and more memory than there is; compiling cannot be called off. So an untrusted schema is counted first, which takes
//! time as its text is long.

use std::collections::HashMap;

use super::source::{Problem, Sources, parse};
use crate::soap::document::{Document, Element};
use crate::soap::names::XSD;

/// How many particles, attributes and member types all of a schema may become.
const MOST: u64 = 50_000;
/// How many characters all patterns of a schema may become.
const MOST_OF_PATTERNS: u64 = 500_000;
/// What a class of Unicode counts as beside a single character.
const CLASS: u64 = 500;
/// How deep references and elements may nest.
const DEPTH: usize = 200;
/// Beyond so many, the validator counts instead of unrolling.
const UNROLLED: u64 = 16;

/// What a name may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Group,
    AttributeGroup,
    Type,
}

impl Kind {
    fn of(element: Element<'_>) -> Option<Self> {
        match element.local() {
            "group" => Some(Self::Group),
            "attributeGroup" => Some(Self::AttributeGroup),
            "complexType" | "simpleType" => Some(Self::Type),
            _ => None,
        }
    }
}

/// A definition's kind, namespace and name.
type Key<'d> = (Kind, &'d str, &'d str);

/// Why it is not counted to its end.
enum Stop {
    TooMuch,
    Deep,
    Circle,
}

#[derive(Clone, Copy)]
struct Definition<'d> {
    element: Element<'d>,
    redefines: bool,
}

#[derive(Default)]
struct Counting<'d> {
    definitions: HashMap<(Kind, &'d str), Vec<(&'d str, Definition<'d>)>>,
    /// By key, and whether what is redefined is asked for. Without a figure: it is being counted.
    counted: HashMap<(Key<'d>, bool), Option<u64>>,
}

/// Whether a schema may be compiled: it does not become too large.
///
/// # Errors
/// A document that is no strict XML; or what of it becomes too large.
pub fn bounded(sources: &Sources) -> Result<(), Problem> {
    let mut documents = Vec::new();
    for path in sources.paths() {
        let text = sources.get(path).map_or("", |text| text);
        documents.push((path, parse(text).map_err(|what| problem(path, &what))?));
    }
    let patterns = documents.iter().flat_map(|(_, document)| document.elements()).filter(|it| it.is(XSD, "pattern"));
    let patterns = patterns.map(|it| of_pattern(it.attribute("", "value").unwrap_or_default()));
    if patterns.fold(0, u64::saturating_add) > MOST_OF_PATTERNS {
        let what = format!("Its patterns become more than {MOST_OF_PATTERNS} characters when their repetitions are written out.");
        return Err(problem("", &what));
    }
    let mut counting = Counting::default();
    for (_, document) in &documents {
        counting.note(document);
    }
    let mut all = 0_u64;
    for (path, document) in &documents {
        for element in
            document.elements().filter(|it| it.namespace() == XSD && Kind::of(*it).is_some() && it.attribute("", "ref").is_none())
        {
            let one = counting.definition(element, DEPTH).map_err(|stop| {
                problem(
                    path,
                    match stop {
                        Stop::TooMuch => TOO_MUCH,
                        Stop::Deep => "Its groups and types refer to each other too deeply.",
                        Stop::Circle => "A group or type of it refers to itself.",
                    },
                )
            })?;
            all = all.saturating_add(one);
            if all > MOST {
                return Err(problem(path, TOO_MUCH));
            }
        }
    }
    Ok(())
}

const TOO_MUCH: &str = "It becomes too large when it is compiled: what is repeated or referred to counts as often as that.";

fn problem(file: &str, what: &str) -> Problem {
    let remedy = "Use maxOccurs=\"unbounded\" on an element instead of nested repetitions, or divide the schema.";
    Problem { file: file.to_owned(), line: None, what: what.to_owned(), remedy: remedy.to_owned() }
}

/// The namespace that a definition of a document is in; empty also where whoever includes it says so.
fn target(document: &Document) -> &str {
    document.root().attribute("", "targetNamespace").unwrap_or_default()
}

impl<'d> Counting<'d> {
    fn note(&mut self, document: &'d Document) {
        let root = document.root();
        let changed = root.elements().filter(|it| it.namespace() == XSD && ["redefine", "override"].contains(&it.local()));
        let redefined = changed.flat_map(|it| it.elements()).map(|element| Definition { element, redefines: true });
        let plain = root.elements().map(|element| Definition { element, redefines: false });
        for definition in plain.chain(redefined).filter(|it| it.element.namespace() == XSD) {
            let Some((kind, name)) = Kind::of(definition.element).zip(definition.element.attribute("", "name")) else { continue };
            self.definitions.entry((kind, name)).or_default().push((target(document), definition));
        }
    }

    /// What a definition becomes.
    fn definition(&mut self, element: Element<'d>, depth: usize) -> Result<u64, Stop> {
        self.inside(element, depth).map(|inside| inside.saturating_add(1))
    }

    fn inside(&mut self, element: Element<'d>, depth: usize) -> Result<u64, Stop> {
        let mut all = 0_u64;
        for child in element.elements().filter(|it| it.namespace() == XSD) {
            all = all.saturating_add(self.part(child, depth)?);
        }
        if all > MOST { Err(Stop::TooMuch) } else { Ok(all) }
    }

    fn part(&mut self, element: Element<'d>, depth: usize) -> Result<u64, Stop> {
        let depth = depth.checked_sub(1).ok_or(Stop::Deep)?;
        let one = match element.local() {
            // What is inside an element is a model of its own.
            "element" | "any" | "attribute" | "anyAttribute" | "enumeration" => 1,
            "sequence" | "choice" | "all" | "complexContent" | "simpleContent" | "simpleType" => {
                2 + self.inside(element, depth)?
            }
            "group" => 2 + self.named(Kind::Group, element, "ref", depth)?,
            "attributeGroup" => 1 + self.named(Kind::AttributeGroup, element, "ref", depth)?,
            "extension" | "restriction" => 1 + self.named(Kind::Type, element, "base", depth)? + self.inside(element, depth)?,
            "list" => 1 + self.named(Kind::Type, element, "itemType", depth)? + self.inside(element, depth)?,
            "union" => 1 + self.named(Kind::Type, element, "memberTypes", depth)? + self.inside(element, depth)?,
            _ => 0,
        };
        let all = one.saturating_mul(repeated(element));
        if all > MOST { Err(Stop::TooMuch) } else { Ok(all) }
    }

    /// What an attribute names, each of the names in it.
    fn named(&mut self, kind: Kind, element: Element<'d>, attribute: &str, depth: usize) -> Result<u64, Stop> {
        let mut all = 0_u64;
        for name in element.attribute("", attribute).unwrap_or_default().split_ascii_whitespace() {
            let (prefix, local) = name.split_once(':').unwrap_or(("", name));
            let namespace = element.namespace_of(prefix).unwrap_or_default();
            if namespace == XSD {
                continue;
            }
            // Within its own redefinition a name is that of what is redefined.
            let mut above = element.parent();
            let mut original = false;
            while let Some(parent) = above {
                let own = Kind::of(parent) == Some(kind) && parent.attribute("", "name") == Some(local);
                original |= own && parent.parent().is_some_and(|it| it.is(XSD, "redefine"));
                above = parent.parent();
            }
            all = all.saturating_add(self.reference((kind, namespace, local), original, depth)?);
        }
        if all > MOST { Err(Stop::TooMuch) } else { Ok(all) }
    }

    fn reference(&mut self, key: Key<'d>, original: bool, depth: usize) -> Result<u64, Stop> {
        match self.counted.insert((key, original), None) {
            Some(Some(known)) => {
                self.counted.insert((key, original), Some(known));
                return Ok(known);
            }
            Some(None) => return Err(Stop::Circle),
            None => {}
        }
        let (kind, namespace, local) = key;
        let found = self.definitions.get(&(kind, local)).cloned().unwrap_or_default();
        // A document without a namespace takes that of whoever includes it.
        let fits = |of: &str| of == namespace || of.is_empty() || namespace.is_empty();
        let found: Vec<_> = found.into_iter().filter(|(of, _)| fits(of)).map(|(_, definition)| definition).collect();
        // One redefinition of another is not told apart from the first.
        if found.iter().filter(|it| it.redefines).count() > 1 {
            return Err(Stop::Circle);
        }
        let mut most = 0;
        for definition in found.iter().filter(|it| !(original && it.redefines)) {
            most = self.inside(definition.element, depth)?.max(most);
        }
        self.counted.insert((key, original), Some(most));
        Ok(most)
    }
}

/// As often as a particle is unrolled; at least twice where it is more than once, as for the check that no two particles meet.
fn repeated(element: Element<'_>) -> u64 {
    let number = |name: &str| match element.attribute("", name).map(str::trim) {
        Some("unbounded") => None,
        text => Some(text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(if text.is_some() { u64::MAX } else { 1 })),
    };
    let least = number("minOccurs").unwrap_or(1);
    match number("maxOccurs") {
        Some(most) if most <= 1 => 1,
        Some(most) if most <= UNROLLED => most,
        _ if least <= UNROLLED => least.saturating_add(1).max(2),
        _ => 2,
    }
}

/// What a pattern becomes, in characters.
fn of_pattern(pattern: &str) -> u64 {
    let (mut open, mut last) = (vec![0_u64], 0_u64);
    let mut classes = 0_u32;
    let mut chars = pattern.chars().peekable();
    let add = |open: &mut Vec<u64>, more: u64| {
        if let Some(all) = open.last_mut() {
            *all = all.saturating_add(more);
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '[' => classes += 1,
            ']' if classes > 0 => {
                classes -= 1;
                if classes == 0 {
                    add(&mut open, last);
                }
                continue;
            }
            _ => {}
        }
        let one = match c {
            '\\' => match chars.next() {
                Some('p' | 'P') => {
                    while chars.next_if(|c| *c != '}').is_some() {}
                    chars.next();
                    CLASS
                }
                Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'i' | 'I' | 'c' | 'C') => CLASS,
                _ => 1,
            },
            '.' | '^' => CLASS,
            _ => 1,
        };
        if classes > 0 {
            last = if c == '[' && classes == 1 { one } else { last.saturating_add(one) };
            continue;
        }
        match c {
            '(' => open.push(0),
            ')' if open.len() > 1 => {
                last = open.pop().unwrap_or_default();
                add(&mut open, last);
            }
            '{' => {
                let mut text = String::new();
                while let Some(c) = chars.next_if(|c| *c != '}') {
                    text.push(c);
                }
                chars.next();
                let times = text.split(',').map(|part| part.trim().parse().unwrap_or(0_u64)).max().unwrap_or(0);
                let more = last.saturating_mul(times.saturating_sub(1));
                add(&mut open, more);
                last = last.saturating_add(more);
            }
            '?' | '*' | '+' => {}
            _ => {
                last = one;
                add(&mut open, one);
            }
        }
    }
    open.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn within(content: &str) -> Sources {
        let mut sources = Sources::default();
        let head =
            "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:a' xmlns:a='urn:a' xmlns:b='urn:b'>";
        sources.add("a.xsd", format!("{head}{content}</xs:schema>"));
        sources
    }

    fn nested(levels: usize, occurs: &str) -> String {
        let open = format!("<xs:sequence {occurs}>").repeat(levels);
        format!("<xs:complexType name='T'>{open}<xs:element name='e'/>{}</xs:complexType>", "</xs:sequence>".repeat(levels))
    }

    fn doubled(levels: usize, kind: &str, inner: &str) -> String {
        let mut text = format!("<xs:{kind} name='g0'>{inner}</xs:{kind}>");
        for level in 1..levels {
            let reference = format!("<xs:{kind} ref='a:g{}'/>", level - 1);
            let twice =
                if kind == "group" { format!("<xs:sequence>{reference}{reference}</xs:sequence>") } else { reference.repeat(2) };
            text += &format!("<xs:{kind} name='g{level}'>{twice}</xs:{kind}>");
        }
        text
    }

    #[test]
    fn what_grows_by_nesting_or_by_reference_is_refused_whatever_grows() {
        let union = |levels: usize| -> String {
            let one = |level: usize| {
                format!("<xs:simpleType name='u{level}'><xs:union memberTypes='a:u{0} a:u{0}'/></xs:simpleType>", level - 1)
            };
            "<xs:simpleType name='u0'><xs:restriction base='xs:string'/></xs:simpleType>".to_owned()
                + &(1..levels).map(one).collect::<String>()
        };
        let pattern = |text: &str| {
            format!(
                "<xs:simpleType name='s'><xs:restriction base='xs:string'><xs:pattern value='{text}'/></xs:restriction></xs:simpleType>"
            )
        };
        for wrong in [
            nested(8, "maxOccurs='16'"),
            nested(8, "minOccurs='16' maxOccurs='unbounded'"),
            nested(20, "minOccurs='30' maxOccurs='30'"),
            nested(30, "maxOccurs='unbounded'"),
            doubled(30, "group", "<xs:sequence><xs:element name='e'/></xs:sequence>"),
            doubled(30, "attributeGroup", "<xs:attribute name='e'/>"),
            union(30),
            pattern("((a{100}){100}){100}"),
            pattern("\\p{L}{999}").repeat(2),
            pattern("[\\w-]{99999}"),
        ] {
            assert!(bounded(&within(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_schema_as_authorities_publish_them_is_not_refused() {
        let posts = "<xs:element name='p' maxOccurs='unbounded'/>".repeat(500);
        let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
        let pattern = |text: &str| {
            format!(
                "<xs:simpleType name='s'><xs:restriction base='xs:string'><xs:pattern value='{text}'/></xs:restriction></xs:simpleType>"
            )
        };
        for right in [
            nested(3, "minOccurs='0' maxOccurs='9'"),
            nested(6, "maxOccurs='unbounded'"),
            doubled(6, "group", "<xs:sequence><xs:element name='e'/></xs:sequence>"),
            format!("<xs:complexType name='T'><xs:sequence>{posts}</xs:sequence></xs:complexType>"),
            pattern(uuid),
            pattern("[\\p{L} .-]{1,200}"),
            pattern("([0-9]{10}|[A-Z]{2}\\d{8})"),
            // Of one name in two namespaces, the one from the other.
            "<xs:complexType name='T'><xs:complexContent><xs:extension base='b:T'/></xs:complexContent></xs:complexType>"
                .to_owned(),
        ] {
            let found = bounded(&within(&right));
            assert!(found.is_ok(), "{found:?}: {right}");
        }
    }

    #[test]
    fn a_circle_and_what_is_no_strict_xml_are_refused_before_they_are_compiled() {
        for wrong in [
            "<xs:group name='g'><xs:sequence><xs:group ref='a:g'/></xs:sequence></xs:group>",
            "<xs:complexType name='T'><xs:complexContent><xs:extension base='a:T'/></xs:complexContent></xs:complexType>",
        ] {
            assert!(bounded(&within(wrong)).is_err(), "{wrong}");
        }
        let mut sources = Sources::default();
        sources.add("a.xsd", "<!DOCTYPE a [<!ENTITY b 'c'>]><xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'/>");
        assert!(bounded(&sources).is_err());
    }

    #[test]
    fn a_redefinition_refers_to_what_it_redefines() {
        let mut sources = within("<xs:group name='g'><xs:sequence><xs:element name='e'/></xs:sequence></xs:group>");
        let redefined = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:a' xmlns:a='urn:a'>
            <xs:redefine schemaLocation='a.xsd'><xs:group name='g'><xs:sequence><xs:group ref='a:g'/><xs:element name='f'/></xs:sequence></xs:group>
            </xs:redefine></xs:schema>";
        sources.add("b.xsd", redefined);
        assert!(bounded(&sources).is_ok());
    }
}
