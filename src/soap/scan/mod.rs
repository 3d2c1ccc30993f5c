//! Finds and judges the tokens of a message, an answer's while it arrives: the strict subset of XML, in one pass over the
//! bytes.
//!
//! `tests/support/strict.rs` judges what quick-xml has found; here both are done at once. Of the two neither knows the other:
//! `tests/messages/scanner.rs` and the fuzz target `tokenizer` see to it that what is let through here is let through there, with the
//! same meaning.
//!
//! What is refused, and where: characters that are none (`input`); tags, names, attributes, namespace declarations
//! (`tag`); prefixes that are not declared (`scope`); here all the rest, a DTD first of all.
//!
//! Each rule looks at a token's bytes alone, never at how many have arrived behind it: the verdict does not depend on the
//! pieces in which an answer comes.

mod input;
mod paths;
mod scope;
mod tag;

use memchr::{memchr, memchr2, memchr3, memmem};

pub use self::input::End;
use self::input::Input;
use self::paths::Paths;
use self::scope::Scope;
use self::tag::{Known, Opening, Tag, Tags};
use super::lexical::{check_declaration, plain_qname, resolve};
use super::reading::{Path, Reading};
use super::strict::{Limits, TagAttribute, Token, Uri, Uris, malformed, too_complex};
use crate::refusal::Refusal;

/// Where the document's one root element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ahead,
    Open,
    Behind,
}

/// Where the last text stands.
#[derive(Debug, Clone, Copy)]
enum Text {
    /// In the input: so many bytes, so far before what is not read yet.
    AsItStands { length: usize, behind: usize },
    /// In `changed`: a reference was resolved or a line end normalised.
    Changed,
}

/// Reads one document from bytes that arrive in pieces.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    input: Input,
    phase: Phase,
    /// Whether no token has been read.
    first: bool,
    nodes: usize,
    scope: Scope,
    tags: Tags,
    paths: Paths,
    uris: Uris,
    text: Text,
    changed: String,
    /// Where the last token begins, in bytes.
    from: usize,
}

/// What a look at the input found: a token, which is read then; or that more is needed. A refusal is large and rare, and
/// so stands aside: what is handed on for each token fits into registers.
type Found = Result<Option<Token>, Box<Refusal>>;

impl Scanner {
    /// A scanner for one document. No token may be longer than `limits.text` bytes.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Input::default(),
            phase: Phase::Ahead,
            first: true,
            nodes: 0,
            scope: Scope::default(),
            tags: Tags::default(),
            paths: Paths::default(),
            uris: Uris::default(),
            text: Text::Changed,
            changed: String::new(),
            from: 0,
        }
    }

    /// Takes the next bytes of the document. They need not end where anything ends.
    pub fn take(&mut self, bytes: &[u8]) {
        self.input.take(bytes);
    }

    /// Says that nothing more comes.
    pub fn finish(&mut self, end: End) {
        self.input.finish(end);
    }

    /// Why nothing more comes, once that is known.
    pub fn end(&self) -> Option<End> {
        self.input.end()
    }

    /// Bytes that were taken and are not read.
    pub fn unread(&self) -> usize {
        self.input.bytes().len()
    }

    /// Gives up the namespace names, when the document is done.
    pub fn into_uris(self) -> Uris {
        self.uris
    }

    /// Where the last token stands, in bytes.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.from..self.input.position()
    }

    /// The next token, or `None` where more bytes are needed to tell; never `None` once [`Scanner::finish`] was told
    /// that the document is whole.
    ///
    /// # Errors
    /// `EncodingRefused`, `MalformedXml`, `DtdRefused`, `ProcessingInstructionRefused`, `XmlTooComplex`. Nothing may be read
    /// after one.
    #[inline]
    #[allow(clippy::should_implement_trait)] // no iterator: where `None` is returned, more may come
    pub fn next(&mut self) -> Result<Option<Token>, Refusal> {
        self.look(false).map_err(|refusal| *refusal)
    }

    /// The same, with [`Token::Leaf`] for an element that is here as a whole and holds nothing but plain text. Which
    /// elements are told so depends on the pieces in which the document comes: whoever asks takes it for the three tokens
    /// that it stands for.
    ///
    /// # Errors
    /// As [`Scanner::next`].
    #[inline]
    pub fn next_or_leaf(&mut self) -> Result<Option<Token>, Refusal> {
        self.look(true).map_err(|refusal| *refusal)
    }

    #[inline]
    fn look(&mut self, leaves: bool) -> Found {
        self.from = self.input.position();
        match self.repeated(leaves) {
            Some(token) => Ok(Some(token)),
            None => self.search(leaves),
        }
    }

    /// Whatever token comes.
    #[inline(never)] // nor is it the way of most
    fn search(&mut self, leaves: bool) -> Found {
        if self.from == 0 && !self.pass_byte_order_mark() {
            return self.unended();
        }
        let found = match self.input.bytes() {
            [b'<', b'/', ..] => self.end_tag(),
            [b'<', b'!', ..] => self.bang(),
            [b'<', b'?', ..] => self.question(),
            [b'<', _, ..] => self.start_tag(leaves),
            [b'&', ..] => self.reference(),
            [b'<'] => Ok(None),
            [] => self.nothing(),
            _ => self.characters(),
        }?;
        match found {
            None => self.unended(),
            token => Ok(token),
        }
    }

    /// What comes, where it is what came the last time: the start tag on the same path, letter for letter, or the end tag of
    /// the innermost element. All that there is to judge of it was judged then. `None` says nothing of what comes.
    #[inline]
    fn repeated(&mut self, leaves: bool) -> Option<Token> {
        let Self { limits, input, nodes, scope, tags, paths, .. } = self;
        let bytes = input.bytes();
        let inside = bytes.strip_prefix(b"<")?;
        if inside.first() == Some(&b'/') {
            let end = tags.end(scope.innermost_tag()?);
            if end.is_empty() || !starts_with(bytes, end) {
                return None;
            }
            let length = end.len();
            input.pass(length);
            return Some(self.close(Token::End));
        }
        let expected = paths.expected()?;
        // Depth and declarations in scope are the same on the same path. A leaf's text counts too.
        if *nodes + 2 > limits.nodes || scope.depth() == 0 {
            return None;
        }
        let tag = tags.again(expected, inside)?;
        let content = inside.get(tag.length()..)?;
        let length = 1 + tag.length();
        paths.follow(expected);
        *nodes += 1;
        if leaves
            && content.first() != Some(&b'<')
            && let Some(text) = leaf(content, tag.end(), limits.text, input.is_odd())
        {
            *nodes += 1;
            let behind = tag.end().len();
            self.text = Text::AsItStands { length: text, behind };
            input.pass(length + text + behind);
            return Some(Token::Leaf);
        }
        scope.open(expected.tag, &[], paths.open());
        if tag.declares() {
            tag.bind(scope);
        }
        input.pass(length);
        Some(Token::Start)
    }

    /// One mark is passed over (a second is text before the root). `false`: it cannot be told yet whether there is one.
    fn pass_byte_order_mark(&mut self) -> bool {
        if self.input.bytes().starts_with(MARK) {
            self.input.pass(MARK.len());
            self.from = self.input.position();
        }
        !self.input.bytes().is_empty() || self.input.end().is_some()
    }

    /// A token needs bytes that have not come.
    fn unended(&self) -> Found {
        match self.input.end().and_then(|end| end.refusal(self.input.position() + self.unread())) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(None),
        }
    }

    /// A token ends here, so many bytes on.
    fn found(&mut self, token: Token, length: usize) -> Found {
        self.first = false;
        self.input.pass(length);
        Ok(Some(token))
    }

    /// All that has come is read.
    fn nothing(&self) -> Found {
        match (self.input.end(), self.phase) {
            (Some(End::Whole), Phase::Behind) => Ok(Some(Token::Eof)),
            (Some(End::Whole), Phase::Open) => {
                Err(malformed(self.from, "dokumentet slutter midt i et element", "the document ends inside an element").into())
            }
            (Some(End::Whole), Phase::Ahead) => Err(malformed(self.from, "dokumentet er tomt", "the document is empty").into()),
            _ => Ok(None),
        }
    }

    /// Where a token of this length ends. `None` has not ended in what has arrived; past the limit it need not.
    fn bounded(&self, length: Option<usize>) -> Result<Option<usize>, Box<Refusal>> {
        match length.unwrap_or(self.unread()) > self.limits.text {
            true => {
                Err(too_complex("længden af et stykke opmærkning i byte", "the length of a token in bytes", self.limits.text)
                    .into())
            }
            false => Ok(length),
        }
    }

    fn count(&mut self) -> Result<(), Box<Refusal>> {
        self.nodes += 1;
        match self.nodes > self.limits.nodes {
            true => Err(too_complex(
                "antallet af elementer, tekster og kommentarer",
                "elements, texts and comments",
                self.limits.nodes,
            )
            .into()),
            false => Ok(()),
        }
    }

    fn start_tag(&mut self, leaves: bool) -> Found {
        let inside = self.input.bytes().get(1..).unwrap_or(&[]);
        let mut close = memchr(b'>', inside);
        let recognised = close.and_then(|close| inside.get(..=close)).is_some_and(|raw| self.tags.recognise(raw));
        if !recognised {
            close = self.new_tag(close)?;
        }
        let Some(close) = close else { return Ok(None) };
        self.paths.find(self.tags.number());
        match self.phase {
            Phase::Ahead => self.phase = Phase::Open,
            Phase::Open => {}
            Phase::Behind => return Err(malformed(self.from, "mere end ét rodelement", "a second root element").into()),
        }
        self.count()?;
        let Self { scope, paths, limits, from, .. } = self;
        self.tags.open(&mut Opening { scope, paths, limits, offset: *from })?;
        if self.tags.last().is_some_and(Tag::is_empty_element) {
            let token = self.close(Token::Empty);
            return self.found(token, close + 2);
        }
        match leaves.then(|| self.leaf(close + 2)).flatten() {
            Some(length) => {
                self.nodes += 1;
                let token = self.close(Token::Leaf);
                self.found(token, length)
            }
            None => self.found(Token::Start, close + 2),
        }
    }

    /// How long the element is whose start tag is so long, if it is here as a whole and holds one plain text, and all in it
    /// is allowed. Where anything is in doubt it is none: its tokens are then read, and refused, one by one.
    fn leaf(&mut self, tag: usize) -> Option<usize> {
        let end = self.tags.last()?.end();
        let content = self.input.bytes().get(tag..)?;
        let length = leaf(content, end, self.limits.text, self.input.is_odd()).filter(|_| self.nodes < self.limits.nodes)?;
        let behind = end.len();
        self.text = Text::AsItStands { length, behind };
        Some(tag + length + behind)
    }

    /// Reads a tag that none was like before; where it ends behind its `<`. `first`: where the first `>` stands there.
    fn new_tag(&mut self, first: Option<usize>) -> Result<Option<usize>, Box<Refusal>> {
        let inside = self.input.bytes().get(1..).unwrap_or(&[]);
        let plain = first.and_then(|first| plain_qname(inside.get(..first)?));
        let close = if plain.is_some() { first } else { tag_end(inside) };
        let Some(length) = self.bounded(close.map(|close| close + 2))? else { return Ok(None) };
        let raw = self.input.part(1..length - 1);
        let Self { scope, uris, limits, from, .. } = self;
        self.tags.read(raw, plain, &mut Known { scope, uris, limits, offset: *from })?;
        Ok(close)
    }

    fn close(&mut self, token: Token) -> Token {
        if let Some(around) = self.scope.close() {
            self.paths.close(around);
        }
        if self.scope.depth() == 0 {
            self.phase = Phase::Behind;
        }
        token
    }

    fn end_tag(&mut self) -> Found {
        let inside = self.input.bytes().get(2..).unwrap_or(&[]);
        let name = self.scope.innermost().map(|(tag, name)| if tag == 0 { name } else { self.tags.name(tag) });
        let close = memchr(b'>', inside);
        let Some(length) = self.bounded(close.map(|close| close + 3))? else { return Ok(None) };
        let found = inside.get(..length - 3).unwrap_or(inside);
        if name.is_none_or(|name| name != trim_end(found)) {
            return Err(malformed(self.from, "start- og sluttag, der ikke svarer til hinanden", "tags that do not match").into());
        }
        let token = self.close(Token::End);
        self.found(token, length)
    }

    fn reference(&mut self) -> Found {
        let inside = self.input.bytes().get(1..).unwrap_or(&[]);
        let near = inside.get(..LONGEST_REFERENCE).unwrap_or(inside);
        let name = match memchr(b';', near) {
            Some(end) => self.input.part(1..1 + end),
            None if near.len() < LONGEST_REFERENCE => return Ok(None),
            None => return Err(malformed(self.from, "& uden en reference", "& without a reference").into()),
        };
        if self.phase != Phase::Open {
            return Err(malformed(self.from, "en reference uden for rodelementet", "a reference outside the root element").into());
        }
        let (character, length) = (resolve(name, self.from)?, name.len() + 2);
        self.count()?;
        self.changed.clear();
        self.changed.push(character);
        self.text = Text::Changed;
        self.found(Token::Text, length)
    }

    /// Text up to the next tag or reference.
    fn characters(&mut self) -> Found {
        let rest = self.input.bytes();
        let end = memchr2(b'<', b'&', rest);
        // At the end of the document the rest is text: white space, if anything is to come of it.
        let end = end.or_else(|| (self.input.end() == Some(End::Whole)).then_some(rest.len()));
        let Some(length) = self.bounded(end)? else { return Ok(None) };
        let text = rest.get(..length).unwrap_or(rest);
        if self.phase != Phase::Open {
            return match trim_end(text) {
                [] => self.found(Token::Nothing, length),
                _ => Err(malformed(self.from, "tekst uden for rodelementet", "text outside the root element").into()),
            };
        }
        if self.input.is_odd() && memmem::find(text, b"]]>").is_some() {
            return Err(malformed(self.from, "]]> i en tekst", "]]> in text").into());
        }
        self.count()?;
        self.set_text(0, length, 0);
        self.found(Token::Text, length)
    }

    /// The text of a token: `length` bytes that stand `before` bytes behind its beginning and `behind` before its end.
    fn set_text(&mut self, before: usize, length: usize, behind: usize) {
        self.text = Text::AsItStands { length, behind };
        if !self.input.is_odd() {
            return;
        }
        let text = self.input.part(before..before + length);
        if !text.contains('\r') {
            return;
        }
        // XML 1.0 § 2.11: both ends of line of other systems become the one of XML.
        self.changed.clear();
        for (n, line) in text.split('\r').enumerate() {
            if n > 0 {
                self.changed.push('\n');
            }
            let line = if n > 0 { line.strip_prefix('\n').unwrap_or(line) } else { line };
            self.changed.push_str(line);
        }
        self.text = Text::Changed;
    }

    /// A comment, a CDATA section, or what is never let through: a DTD defines entities, attributes and ids behind the
    /// reader's back.
    fn bang(&mut self) -> Found {
        let rest = self.input.bytes();
        match rest.get(2..).unwrap_or(&[]) {
            [b'D' | b'd', ..] => Err(Refusal::DtdRefused.into()),
            [b'-', b'-', ..] => self.comment(),
            inside if inside.starts_with(CDATA) => self.cdata(),
            inside if inside.len() < CDATA.len() && (b"--".starts_with(inside) || CDATA.starts_with(inside)) => Ok(None),
            _ => Err(malformed(self.from, "opmærkning, der ikke kan læses", "a token that cannot be read").into()),
        }
    }

    fn comment(&mut self) -> Found {
        let inside = self.input.bytes().get(4..).unwrap_or(&[]);
        // Two hyphens end a comment, or are an error: readers that go on to `-->` see another text than those that do not.
        let hyphens = memmem::find(inside, b"--").filter(|at| inside.len() > at + 2);
        let Some(length) = self.bounded(hyphens.map(|at| at + 7))? else { return Ok(None) };
        if inside.get(length - 5) != Some(&b'>') {
            return Err(malformed(
                self.from,
                "en kommentar indeholder to bindestreger i træk",
                "a comment holds two hyphens in a row",
            )
            .into());
        }
        self.count()?;
        self.found(Token::Comment, length)
    }

    fn cdata(&mut self) -> Found {
        if self.phase != Phase::Open {
            return Err(malformed(self.from, "CDATA uden for rodelementet", "CDATA outside the root element").into());
        }
        let inside = self.input.bytes().get(CDATA.len() + 2..).unwrap_or(&[]);
        let end = memmem::find(inside, b"]]>");
        let Some(length) = self.bounded(end.map(|end| end + CDATA.len() + 5))? else { return Ok(None) };
        self.count()?;
        self.set_text(CDATA.len() + 2, length - CDATA.len() - 5, 3);
        self.found(Token::CData, length)
    }

    /// The XML declaration, at the very beginning; processing instructions (SOAP 1.2 forbids them) are refused.
    fn question(&mut self) -> Found {
        let inside = self.input.bytes().get(2..).unwrap_or(&[]);
        match inside {
            [b'x', b'm', b'l', b' ' | b'\t' | b'\n' | b'\r' | b'?', ..] => {}
            short if b"xml".starts_with(short) => return Ok(None),
            _ => return Err(Refusal::ProcessingInstructionRefused.into()),
        }
        let end = memmem::find(inside, b"?>");
        let Some(length) = self.bounded(end.map(|end| end + 4))? else { return Ok(None) };
        if !self.first {
            return Err(malformed(
                self.from,
                "XML-erklæringen står ikke allerførst",
                "the XML declaration is not at the very beginning",
            )
            .into());
        }
        check_declaration(self.input.part(2..length - 2), self.from)?;
        self.found(Token::Nothing, length)
    }
}

/// The byte order mark, in UTF-8.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

const CDATA: &[u8] = b"[CDATA[";

/// The longest name of a reference that there is (`#x0010FFFF`), and its semicolon.
const LONGEST_REFERENCE: usize = 11;

/// How long the text is that `content` begins with, if there is one, it is plain and no longer than `limit`, and the element's
/// `end` tag follows. In `odd` input it may hold a carriage return, and is none then.
#[inline]
fn leaf(content: &[u8], end: &[u8], limit: usize, odd: bool) -> Option<usize> {
    let length = plain_length(content)?;
    let (text, rest) = content.split_at_checked(length)?;
    let plain = !odd || memchr(b'\r', text).is_none();
    (length > 0 && length <= limit && plain && starts_with(rest, end)).then_some(length)
}

/// How many bytes stand before the first `<`, `>` or `&`. Texts are short: sixteen bytes are looked at together, and then
/// eight, without the call that a search through long ones is worth.
#[inline]
fn plain_length(bytes: &[u8]) -> Option<usize> {
    // `<` and `>` differ in one bit.
    let special = |byte: &u8| (*byte & !2 == b'<') | (*byte == b'&');
    let (chunks, _) = bytes.as_chunks::<16>();
    let plain = chunks.iter().take_while(|chunk| !chunk.iter().fold(false, |found, byte| found | special(byte))).count() * 16;
    let rest = bytes.get(plain..)?;
    let (words, _) = rest.as_chunks::<8>();
    let mut within = 0;
    for eight in words {
        if let Some(at) = first_special(u64::from_le_bytes(*eight)) {
            return Some(plain + within + at);
        }
        within += 8;
    }
    rest.get(within..)?.iter().position(special).map(|at| plain + within + at)
}

/// Which of eight bytes is the first `<`, `>` or `&`.
#[inline]
fn first_special(word: u64) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    // The lowest byte that is zero has its top bit set, and none below it has.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let found = zero((word & !(ONES * 2)) ^ (ONES * u64::from(b'<'))) | zero(word ^ (ONES * u64::from(b'&')));
    if found == 0 { None } else { usize::try_from(found.trailing_zeros() / 8).ok() }
}

/// `bytes.starts_with(tag)`, which for tags as long as most are is answered without the call that longer ones are worth: what
/// stands first and what stands last, that overlap.
#[inline]
fn starts_with(bytes: &[u8], tag: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..tag.len()) else { return false };
    match tag.len() {
        8..16 => bytes.first_chunk::<8>() == tag.first_chunk() && bytes.last_chunk::<8>() == tag.last_chunk(),
        16..=32 => bytes.first_chunk::<16>() == tag.first_chunk() && bytes.last_chunk::<16>() == tag.last_chunk(),
        33..=64 => bytes.first_chunk::<32>() == tag.first_chunk() && bytes.last_chunk::<32>() == tag.last_chunk(),
        _ => bytes == tag,
    }
}

/// Where the tag ends that begins so: at the first `>` outside quotes.
fn tag_end(inside: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr3(b'>', b'"', b'\'', inside.get(from..)?)?;
        let quote = *inside.get(at)?;
        if quote == b'>' {
            return Some(at);
        }
        from = at + 2 + memchr(quote, inside.get(at + 1..)?)?;
    }
}

fn trim_end(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).map_or(0, |last| last + 1);
    name.get(..end).unwrap_or(name)
}

impl Reading for Scanner {
    fn prefix(&self) -> &str {
        self.tags.last().map_or("", Tag::prefix)
    }
    fn local(&self) -> &str {
        self.tags.last().map_or("", Tag::local)
    }
    fn uri(&self) -> Uri {
        self.tags.last().map_or(Uri::NONE, Tag::uri)
    }
    fn attributes(&self) -> impl Iterator<Item = TagAttribute<'_>> {
        self.tags.last().into_iter().flat_map(Tag::attributes)
    }
    fn has_attributes(&self) -> bool {
        self.tags.last().is_some_and(Tag::has_attributes)
    }
    fn declarations(&self) -> impl Iterator<Item = (&str, Uri)> {
        self.tags.last().into_iter().flat_map(Tag::declarations)
    }
    fn text(&self) -> &str {
        match self.text {
            Text::Changed => &self.changed,
            Text::AsItStands { length, behind } => self.input.last(length, behind),
        }
    }
    fn text_bytes(&self) -> &[u8] {
        match self.text {
            Text::Changed => self.changed.as_bytes(),
            Text::AsItStands { length, behind } => self.input.last_bytes(length, behind),
        }
    }
    fn uris(&self) -> &Uris {
        &self.uris
    }
    fn depth(&self) -> usize {
        self.scope.depth()
    }
    fn binding(&self, prefix: &str) -> Option<Uri> {
        self.scope.binding(prefix)
    }
    fn path(&self) -> Option<Path> {
        self.paths.last()
    }
    fn range(&self) -> std::ops::Range<usize> {
        Scanner::range(self)
    }
    fn bytes(&self, range: std::ops::Range<usize>) -> Option<&[u8]> {
        self.input.behind(range)
    }
}

#[cfg(test)]
mod tests {
    use super::starts_with;

    /// What is compared overlaps, so each length and each place of a difference is another case.
    #[test]
    fn a_tag_is_recognised_by_all_its_letters() {
        for length in 0..130 {
            let tag: Vec<u8> = (b'A'..).take(length).collect();
            let mut bytes = tag.clone();
            assert!(starts_with(&bytes, &tag));
            for at in 0..length {
                let mut other = bytes.clone();
                if let Some(byte) = other.get_mut(at) {
                    *byte ^= 0x20;
                }
                assert!(!starts_with(&other, &tag), "{length} letters, another at {at}");
                assert!(!starts_with(bytes.get(..at).unwrap_or(&[]), &tag), "{at} of {length} letters");
            }
            bytes.push(b'>');
            assert!(starts_with(&bytes, &tag));
        }
    }
}
