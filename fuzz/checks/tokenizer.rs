//! The scanner of answers beside quick-xml with the strict reader, which share no code but the letters of XML.
//!
//! The bytes are a document. What the scanner lets through, quick-xml lets through with the same meaning, token by token;
//! what it refuses, quick-xml refuses, but for what is bounded in an answer alone: the length of a token, and the number of
//! prefixes. And the pieces in which the bytes arrive change nothing.

use std::collections::BTreeMap;

use hjemmel::refusal::{Detail, Refusal};
use hjemmel::soap::reading::Reading;
use hjemmel::soap::scan::{End, Scanner};
use hjemmel::soap::strict::{Limits, Token};

use super::strict::Strict;

/// Small, so that a fuzzer reaches them.
const SMALL: Limits = Limits { depth: 6, attributes: 4, declarations: 6, namespaces: 8, nodes: 40, text: 96, name: 24 };

/// What is bounded in an answer alone.
const BOUNDS: [&str; 2] = ["the length of a token in bytes", "namespace prefixes"];

/// What a reader said: of each token everything that can be asked, and why it stopped.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub tokens: Vec<String>,
    pub refused: Option<Refusal>,
}

pub fn check(data: &[u8]) {
    for limits in [Limits::default(), SMALL] {
        let whole = scanned(data, |_| usize::MAX, limits);
        let mut cuts = data.len() as u64;
        let mut random = |_| {
            cuts = cuts.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1 + (cuts >> 60) as usize
        };
        assert_eq!(scanned(data, &mut random, limits), whole, "an answer is read the same in whatever pieces it arrives");
        assert_eq!(scanned(data, |_| 1, limits), whole, "an answer is read the same a byte at a time");
        for size in [usize::MAX, 1 + data.len() % 29] {
            assert_eq!(
                scanned_by(Scanner::next_or_leaf, data, |_| size, limits),
                whole,
                "a leaf is the three tokens it stands for"
            );
        }
        compare(&whole, &judged(data, limits));
    }
}

/// Holds what the scanner said against what quick-xml and the strict reader said.
pub fn compare(ours: &Told, theirs: &Told) {
    let same = ours.tokens.iter().zip(&theirs.tokens).position(|(ours, theirs)| ours != theirs);
    if let Some(at) = same {
        panic!("token {at} is\n{}\nhere, and there\n{}", ours.tokens[at], theirs.tokens[at]);
    }
    match (&ours.refused, &theirs.refused) {
        (None, None) => assert_eq!(ours.tokens.len(), theirs.tokens.len()),
        (None, Some(refusal)) => panic!("read here, and refused there: {refusal}"),
        (Some(Refusal::XmlTooComplex { what, .. }), _) if BOUNDS.contains(&what.en()) => {}
        (Some(refusal), None) => panic!("refused here, and read there: {refusal}"),
        (Some(_), Some(_)) => {}
    }
}

/// By the scanner, in pieces of which the n-th is as long as told.
pub fn scanned(data: &[u8], size: impl FnMut(usize) -> usize, limits: Limits) -> Told {
    scanned_by(Scanner::next, data, size, limits)
}

/// The same, by the one or the other of the scanner's questions. What stands on a path once must stand there always.
pub fn scanned_by(
    next: impl Fn(&mut Scanner) -> Result<Option<Token>, Refusal>,
    data: &[u8],
    mut size: impl FnMut(usize) -> usize,
    limits: Limits,
) -> Told {
    let mut paths: BTreeMap<usize, String> = BTreeMap::new();
    let mut scanner = Scanner::new(limits);
    let (mut told, mut rest, mut n) = (Told { tokens: Vec::new(), refused: None }, data, 0);
    loop {
        match next(&mut scanner) {
            Ok(Some(Token::Eof)) => return told,
            Ok(Some(token)) => {
                let place = scanner.range();
                assert!(place.start < place.end && place.end <= data.len(), "{place:?} of {}", data.len());
                assert_eq!(scanner.bytes(place.clone()), Some(&data[place]), "a token's own bytes");
                let starts = matches!(token, Token::Start | Token::Empty | Token::Leaf);
                if let Some(path) = scanner.path().filter(|_| starts) {
                    let depth = scanner.depth() + usize::from(token != Token::Start);
                    let said = format!("{} {depth}", tag(&scanner));
                    assert_eq!(*paths.entry(path.index()).or_insert(said.clone()), said, "one path, one meaning");
                }
                told.tokens.extend(say(token, &scanner));
            }
            Ok(None) if rest.is_empty() => {
                assert_eq!(scanner.end(), None, "nothing more is asked for once all has come");
                scanner.finish(End::Whole);
            }
            Ok(None) => {
                let (piece, after) = rest.split_at(size(n).min(rest.len()));
                scanner.take(piece);
                (rest, n) = (after, n + 1);
            }
            Err(refusal) => {
                told.refused = Some(refusal);
                return told;
            }
        }
    }
}

/// By quick-xml and the strict reader, as a request is read.
pub fn judged(data: &[u8], limits: Limits) -> Told {
    let mut told = Told { tokens: Vec::new(), refused: None };
    let Ok(text) = std::str::from_utf8(data) else {
        // A request is refused before it is looked at; what an answer says before the first wrong byte is compared.
        let good = data.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        told.tokens = judged(good.as_bytes(), limits).tokens;
        told.refused = Some(Refusal::EncodingRefused);
        return told;
    };
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut strict = Strict::new(limits);
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_comments = true;
    if text.starts_with('\u{FEFF}') {
        told.refused = Some(Refusal::MalformedXml {
            offset: 0,
            reason: Detail::new("endnu et byte order mark", "a second byte order mark"),
        });
        return told;
    }
    loop {
        let offset = reader.buffer_position() as usize;
        let token = match reader.read_event() {
            Ok(event) => strict.accept(&event, offset),
            Err(error) => Err(Refusal::MalformedXml { offset, reason: Detail::new("quick-xml", error.to_string()) }),
        };
        match token {
            Ok(Token::Eof) => return told,
            Ok(token) => told.tokens.extend(say(token, &strict)),
            Err(refusal) => {
                told.refused = Some(refusal);
                return told;
            }
        }
    }
}

/// All that can be asked of a start tag but for the depth.
fn tag(read: &impl Reading) -> String {
    let uri = |uri| read.uris().get(uri);
    let attributes: Vec<_> = read.attributes().map(|a| (a.prefix, a.local, uri(a.uri), a.value)).collect();
    assert_eq!(read.has_attributes(), !attributes.is_empty(), "whoever asks first whether there are any misses none");
    let declared: Vec<_> = read.declarations().map(|(prefix, name)| (prefix, uri(name))).collect();
    format!("{:?} {attributes:?} {declared:?}", (read.prefix(), read.local(), uri(read.uri())))
}

/// All that can be asked of a token, in the words of the tokens that it stands for. White space outside the root says
/// nothing, however it is divided.
fn say(token: Token, read: &impl Reading) -> Vec<String> {
    let bound = |prefix: &str| read.binding(prefix).map(|uri| read.uris().get(uri));
    let end = || format!("End {} {:?}", read.depth(), bound(""));
    vec![match token {
        Token::Start => {
            let all = read.declarations().all(|(prefix, uri)| read.binding(prefix) == Some(uri));
            assert!(all, "what an open element declares is bound in it");
            format!("Start {} {}", tag(read), read.depth())
        }
        Token::Empty => {
            let bound: Vec<_> = read.declarations().map(|(prefix, _)| bound(prefix)).collect();
            format!("Empty {} {bound:?} {}", tag(read), read.depth())
        }
        Token::Leaf => {
            let start = format!("Start {} {}", tag(read), read.depth() + 1);
            return vec![start, format!("Text {:?}", read.text()), end()];
        }
        Token::End => end(),
        Token::Text | Token::CData => format!("{token:?} {:?}", read.text()),
        Token::Comment => "Comment".to_owned(),
        Token::Nothing => return vec![],
        Token::Eof => "Eof".to_owned(),
    }]
}
