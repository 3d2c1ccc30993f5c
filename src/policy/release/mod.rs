//! The release filter: what of the index's answer reaches the caller, and on which words of the law.
//!
//! Default deny. The index's schema does not confine its answers (`ObjektType xsi:type=…` can carry a whole index object,
//! any `LokalUdvidelseListe` a whole answer), so nothing is passed on because it was not recognised: the answer is
//! **rebuilt** from what the policy names. Read top-down:
//!
//! 1. [`Filter::feed`] takes the tokens of the SOAP Body as they arrive; only [`Place`]s that the filter knows are held,
//!    one object at a time ([`collect`]).
//! 2. A grant is reduced to whose it is; an effectuation is judged against grants, window, counterpart and KLE ([`judge`]).
//! 3. What is left of it is written, field by field, each by its rule and in its form ([`write`](mod@write)).
//! 4. [`Filter::finish`] sets status and counts. Before it no byte can leave, so half an answer never looks whole.
//!
//! Pure: no I/O, no clock. Memory grows with what is released and with the number of grants (bounded), never with what
//! the index sends.

pub mod catalogue;
mod collect;
mod counts;
mod judge;
mod object;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::catalogue::{Field, Form, Guard};
use self::collect::{Collector, Node, Ns, Place, Value, is_odd};
use self::counts::Tally;
pub use self::counts::{Counts, Decision};
use self::judge::{Grants, Verdict};
use self::write::Writer;
use super::kle::{Constraint, SensitivityConstraint};
use super::person::Cpr;
use super::rules::{Asked, Naive, PersonCheck};
use super::window::Window;
use crate::refusal::Refusal;
use crate::soap::strict::{Strict, Token, is_space};

/// The role UUIDs that the rules look for, lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The owner (*Ejer*) of an effectuation.
    pub owner: String,
    /// The party (*Effektueringsmodtager*) of an effectuation.
    pub party: String,
    /// The grantee (*Bevillingsmodtager*) of a grant.
    pub grantee: String,
}

/// What one rule of the policy says in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The rule's id, as counts and the audit record name it.
    pub id: String,
    /// The words of the law it rests on, or `technical…` or `inferred…`.
    pub basis: String,
    /// The explanation in Danish.
    pub da: String,
    /// The explanation in English.
    pub en: String,
}

/// A field that the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// Its words.
    pub words: Words,
    /// Whether it is released.
    pub release: bool,
    /// The form that its value must have.
    pub form: Form,
}

/// The release side of a policy, compiled. Made by [`super::document::Policy::read`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRules {
    pub(super) fields: Vec<Option<FieldRule>>,
    pub(super) guards: Vec<(Guard, Words)>,
    pub(super) roles: Roles,
    pub(super) person_check: PersonCheck,
    pub(super) empty_status: u16,
}

impl ReleaseRules {
    /// The rule of a field, if the policy names the field.
    pub fn field(&self, field: Field) -> Option<&FieldRule> {
        self.fields.get(field.index())?.as_ref()
    }

    /// The reasons for removal, each with its words.
    pub fn guards(&self) -> impl Iterator<Item = &(Guard, Words)> {
        self.guards.iter()
    }

    /// The words of the rule with this id, as [`Counts`] names it.
    pub fn words(&self, id: &str) -> Option<&Words> {
        let fields = self.fields.iter().flatten().map(|rule| &rule.words);
        fields.chain(self.guards.iter().map(|(_, words)| words)).find(|words| words.id == id)
    }

    /// The role UUIDs.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// How objects are bound to the person. `TrustIndex` is a decision that the audit record names.
    pub fn person_check(&self) -> PersonCheck {
        self.person_check
    }

    /// The status of an answer without objects (20 or 44).
    pub fn empty_status(&self) -> u16 {
        self.empty_status
    }

    fn rule_of(&self, field: Field) -> &str {
        self.field(field).map_or(Guard::Unnamed.id(), |rule| &rule.words.id)
    }
}

/// Whose benefits the caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counterpart {
    /// The caller is a municipality: UDK's, by UDK's CVR number.
    Udk(String),
    /// The caller is UDK: those of the municipalities with an approved back agreement, by CVR number.
    Municipalities(BTreeSet<String>),
}

impl Counterpart {
    fn is(&self, cvr: &str) -> bool {
        match self {
            Self::Udk(udk) => udk == cvr,
            Self::Municipalities(municipalities) => municipalities.contains(cvr),
        }
    }
}

/// Bounds on one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What one object may hold in memory while it is judged, in bytes; past it the answer is `IndexAnswerInvalid`.
    pub object_bytes: usize,
    /// What may be released, in bytes; past it the call is refused with `AnswerTooLarge`.
    pub released_bytes: usize,
    /// How many grants are remembered; past it the call is refused with `AnswerTooLarge`.
    pub grants: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { object_bytes: 1024 * 1024, released_bytes: 8 * 1024 * 1024, grants: 50_000 }
    }
}

/// What one call asked, as far as the answer is judged by it.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The person asked about.
    pub person: Cpr,
    /// The window of disposition dates.
    pub window: Window,
    /// Whose benefits may be seen.
    pub counterpart: Counterpart,
    /// The gateway's own names of authorities, by CVR number.
    pub names: Arc<BTreeMap<String, String>>,
    /// The KLE numbers of token and agreement.
    pub kle: Constraint,
    /// The sensitivities of token and agreement.
    pub sensitivity: SensitivityConstraint,
    /// What the caller's filter asked to see.
    pub asked: Asked,
    /// What a date without an offset means.
    pub naive: Naive,
    /// The bounds.
    pub limits: Limits,
    /// Whether each verdict is kept, for `hjemmel explain`.
    pub decisions: bool,
}

impl Ask {
    /// A filter that names no part of effectuations asks for none, as an empty one does.
    fn asks_nothing(&self) -> bool {
        matches!(self.asked, Asked::Nothing | Asked::Parts { properties: false, actors: false, lines: false })
    }
}

/// A filtered answer. Only [`Filter::finish`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    body: Vec<u8>,
    counts: Counts,
    decisions: Option<Vec<Decision>>,
    objects_seen: u64,
    bytes_seen: u64,
}

impl Released {
    /// `yi:FremsoegYdelseIndeksOutput`, rebuilt, in exclusive canonical form: to be put as it stands where none of the
    /// prefixes `yi`, `oei`, `gd` and `sd` is declared.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
    /// Gives up the body.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
    /// What was released and removed, by rule.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
    /// Each verdict, where [`Ask::decisions`] asked for them.
    pub fn decisions(&self) -> Option<&[Decision]> {
        self.decisions.as_deref()
    }
    /// Effectuations and grants that the index sent.
    pub fn objects_seen(&self) -> u64 {
        self.objects_seen
    }
    /// Bytes of names and text that the index sent (markup not counted).
    pub fn bytes_seen(&self) -> u64 {
        self.bytes_seen
    }
}

/// What the index said of one kind of object.
#[derive(Debug)]
struct Counted {
    kind: Kind,
    /// First and most, where the index echoed them and nothing is doubtful.
    paging: Option<(Option<String>, Option<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Effectuations,
    Lines,
}

/// How far the answer has come. The schema's order is demanded: a grant behind an effectuation came too late to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Body,
    Output,
    Status,
    Counts,
    Grants,
    Objects,
    Done,
}

/// The filter of one answer: fed token by token, asked for the result at the end.
#[derive(Debug)]
pub struct Filter {
    rules: Arc<ReleaseRules>,
    ask: Ask,
    stage: Stage,
    collector: Collector,
    depth: usize,
    grants: Grants,
    found: bool,
    unproven: bool,
    counted: Vec<Counted>,
    objects: Vec<u8>,
    released: u64,
    released_lines: u64,
    tally: Tally,
    objects_seen: u64,
    bytes_seen: u64,
    /// The first refusal: everything after it repeats it.
    failed: Option<Refusal>,
}

impl Filter {
    /// A filter for one answer.
    pub fn new(rules: Arc<ReleaseRules>, ask: Ask) -> Self {
        Self {
            tally: Tally::new(ask.decisions),
            rules,
            ask,
            stage: Stage::Body,
            collector: Collector::default(),
            depth: 0,
            grants: Grants::default(),
            found: true,
            unproven: false,
            counted: Vec::new(),
            objects: Vec::new(),
            released: 0,
            released_lines: 0,
            objects_seen: 0,
            bytes_seen: 0,
            failed: None,
        }
    }

    /// Takes the next token of the Body's content (after the Body's start tag, up to but not including its end tag).
    ///
    /// # Errors
    /// `IndexFault` (a SOAP fault, or a status other than 20 and 44), `IndexAnswerInvalid` (not an answer),
    /// `AnswerTooLarge`. After an error the filter gives nothing but that error.
    pub fn feed(&mut self, token: Token, strict: &Strict) -> Result<(), Refusal> {
        if let Some(refusal) = &self.failed {
            return Err(refusal.clone());
        }
        let fed = match token {
            Token::Start => self.start(strict),
            Token::Empty => self.start(strict).and_then(|()| self.end()),
            Token::End => self.end(),
            Token::Text | Token::CData => self.text(strict.text()),
            Token::Comment | Token::Nothing => Ok(()),
            Token::Eof => Err(Refusal::IndexAnswerInvalid),
        };
        fed.inspect_err(|refusal| self.failed = Some(refusal.clone()))
    }

    /// The filtered answer, once the Body has ended.
    ///
    /// # Errors
    /// What [`Filter::feed`] refused; `IndexAnswerInvalid` (half an answer, or none); `PersonUnproven`; `AnswerTooLarge`.
    pub fn finish(self) -> Result<Released, Refusal> {
        if let Some(refusal) = self.failed {
            return Err(refusal);
        }
        if self.stage != Stage::Done {
            return Err(Refusal::IndexAnswerInvalid);
        }
        // Told rather than passed over in silence: the answer would read "receives nothing".
        if self.unproven {
            return Err(Refusal::PersonUnproven);
        }
        let mut body = self.head();
        body.extend_from_slice(&self.objects);
        body.extend_from_slice(b"</yi:FremsoegYdelseIndeksOutput>");
        if body.len() > self.ask.limits.released_bytes {
            return Err(Refusal::AnswerTooLarge { limit: self.ask.limits.released_bytes });
        }
        let (counts, decisions) = self.tally.finish(&self.rules);
        Ok(Released { body, counts, decisions, objects_seen: self.objects_seen, bytes_seen: self.bytes_seen })
    }

    fn start(&mut self, strict: &Strict) -> Result<(), Refusal> {
        self.saw(strict.tag().local().len());
        self.depth += 1;
        match self.depth {
            1 => self.root(strict),
            _ => self.collector.start(strict, self.ask.limits.object_bytes),
        }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        self.depth = self.depth.checked_sub(1).ok_or(Refusal::IndexAnswerInvalid)?;
        if self.depth == 0 {
            // An answer without a status says nothing.
            return self.reach(Stage::Done);
        }
        match self.collector.end() {
            Some(node) => self.part(&node),
            None => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Refusal> {
        self.saw(text.len());
        match self.depth {
            0 if text.chars().all(is_space) => Ok(()),
            0 => Err(Refusal::IndexAnswerInvalid),
            _ => self.collector.text(text, self.ask.limits.object_bytes),
        }
    }

    fn saw(&mut self, bytes: usize) {
        self.bytes_seen += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// The one element of the Body.
    fn root(&mut self, strict: &Strict) -> Result<(), Refusal> {
        let tag = strict.tag();
        let soap = ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];
        match (strict.uris().get(tag.uri()), tag.local()) {
            (uri, "Fault") if soap.contains(&uri) => Err(Refusal::IndexFault),
            (uri, "FremsoegYdelseIndeksOutput") if uri == Ns::Yi.uri() && !is_odd(strict) && self.stage == Stage::Body => {
                self.stage = Stage::Output;
                Ok(())
            }
            _ => Err(Refusal::IndexAnswerInvalid),
        }
    }

    /// Moves on to a stage: never back, and past the status only through it, which comes once.
    fn reach(&mut self, stage: Stage) -> Result<(), Refusal> {
        let allowed = match stage {
            Stage::Status => self.stage == Stage::Output,
            _ => self.stage >= Stage::Status && self.stage <= stage,
        };
        self.stage = stage;
        if allowed { Ok(()) } else { Err(Refusal::IndexAnswerInvalid) }
    }

    /// A whole child of the output.
    fn part(&mut self, node: &Node) -> Result<(), Refusal> {
        match node.place {
            Place::Return => {
                self.reach(Stage::Status)?;
                self.found = status(node)?;
                Ok(())
            }
            Place::Count => {
                self.reach(Stage::Counts)?;
                self.count(node);
                Ok(())
            }
            Place::Grant => {
                self.reach(Stage::Grants)?;
                self.objects_seen += 1;
                self.tally.object_removed(self.objects_seen, Guard::Grant, 0);
                self.grants.remember(node, &self.ask.person, &self.rules.roles, &self.ask.limits)
            }
            _ => {
                self.reach(Stage::Objects)?;
                self.objects_seen += 1;
                self.object(node)
            }
        }
    }

    fn count(&mut self, node: &Node) {
        let kind = match node.value(Place::CountElement) {
            Value::Text("effektueringer") => Kind::Effectuations,
            Value::Text("ydelser") => Kind::Lines,
            _ => return,
        };
        if node.is_distorted() {
            return;
        }
        let paging = self.paging(node);
        match self.counted.iter_mut().find(|counted| counted.kind == kind) {
            // Counted twice: the count is made anew, but nobody may choose between two pagings.
            Some(counted) => counted.paging = None,
            None => self.counted.push(Counted { kind, paging }),
        }
    }

    fn paging(&self, node: &Node) -> Option<(Option<String>, Option<String>)> {
        let rule = self.rules.field(Field::Paging).filter(|rule| rule.release)?;
        let paging = node.only(Place::Paging).ok()??;
        let number = |place| match paging.value(place) {
            Value::Text(text) if object::has_form(rule.form, text, &self.ask) => Some(text.to_owned()),
            _ => None,
        };
        Some((number(Place::PagingFirst), number(Place::PagingMost)))
    }

    fn object(&mut self, node: &Node) -> Result<(), Refusal> {
        if !self.found {
            return Err(Refusal::IndexAnswerInvalid); // "not found", and then something
        }
        if self.ask.asks_nothing() {
            self.tally.object_removed(self.objects_seen, Guard::NotAsked, node.fields());
            return Ok(());
        }
        match judge::judge(node, &self.ask, &self.rules.roles, self.rules.person_check, &self.grants) {
            Verdict::Removed(guard) => self.tally.object_removed(self.objects_seen, guard, node.fields()),
            Verdict::Unproven => {
                self.tally.object_removed(self.objects_seen, Guard::Person, node.fields());
                self.unproven = true;
            }
            Verdict::Kept(kept) => {
                let mut writer = object::ObjectWriter::new(&self.rules, &self.ask, &mut self.tally, self.objects_seen);
                writer.write(node, &kept);
                self.released_lines += writer.lines();
                self.released += 1;
                self.objects.extend_from_slice(&writer.into_bytes());
                if self.objects.len() > self.ask.limits.released_bytes {
                    return Err(Refusal::AnswerTooLarge { limit: self.ask.limits.released_bytes });
                }
            }
        }
        Ok(())
    }

    /// The output's start tag, status and counts. Nothing left has the shape of nothing found, whatever the index sent.
    fn head(&self) -> Vec<u8> {
        let mut writer = Writer::document();
        writer.open(Ns::Yi, "FremsoegYdelseIndeksOutput");
        let status = if self.released == 0 { self.rules.empty_status } else { 20 };
        writer.open(Ns::Sd, "StandardRetur");
        writer.leaf(Ns::Sd, "StatusKode", &status.to_string());
        writer.close();
        if self.released > 0 && self.rules.field(Field::Count).is_some_and(|rule| rule.release) {
            for (kind, name, many) in
                [(Kind::Effectuations, "effektueringer", self.released), (Kind::Lines, "ydelser", self.released_lines)]
            {
                let Some(counted) = self.counted.iter().find(|counted| counted.kind == kind) else { continue };
                writer.open(Ns::Yi, "Antal");
                writer.leaf(Ns::Yi, "Element", name);
                writer.leaf(Ns::Yi, "Antal", &many.to_string());
                if let Some((first, most)) = &counted.paging {
                    writer.open(Ns::Yi, "Paginering");
                    if let Some(first) = first {
                        writer.leaf(Ns::Sd, "FoersteResultatReference", first);
                    }
                    if let Some(most) = most {
                        writer.leaf(Ns::Sd, "MaksimalAntalKvantitet", most);
                    }
                    writer.close();
                }
                writer.close();
            }
        }
        writer.into_bytes()
    }
}

/// Whether the index found something: 20, or 44 for nothing. Any other status is a fault.
fn status(node: &Node) -> Result<bool, Refusal> {
    if node.is_distorted() {
        return Err(Refusal::IndexAnswerInvalid);
    }
    let Value::Text(text) = node.value(Place::StatusCode) else { return Err(Refusal::IndexAnswerInvalid) };
    match text.trim_matches(is_space) {
        "20" => Ok(true),
        "44" => Ok(false),
        code if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()) => Err(Refusal::IndexFault),
        _ => Err(Refusal::IndexAnswerInvalid),
    }
}
