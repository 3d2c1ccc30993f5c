//! The release filter: what of the index's answer reaches the caller, and on which words of the law.
//!
//! Default deny. The index's schema does not confine its answers (`ObjektType xsi:type=…` can carry a whole index object,
//! any `LokalUdvidelseListe` a whole answer), so nothing is passed on because it was not recognised: the answer is
//! **rebuilt** from what the policy names. Read top-down:
//!
//! 1. [`Filter::feed`] takes the tokens of the SOAP Body as they arrive; only `Place`s that the filter knows are held,
//!    one object at a time (`collect`).
//! 2. A grant is reduced to whose it is; an effectuation is judged against grants, window, counterpart and KLE (`judge`).
//! 3. What is left of it is written, field by field, each by its rule and in its form (`write`).
//! 4. [`Filter::finish`] sets status and counts. Before it no byte can leave, so half an answer never looks whole.
//!
//! Pure: no I/O, no clock. Memory grows with what is released and with the number of grants (bounded), never with what
//! the index sends.

pub mod catalogue;
mod collect;
mod counts;
mod head;
mod judge;
mod node;
mod object;
mod place;
mod terms;
mod write;

use std::sync::Arc;

use self::catalogue::Guard;
use self::collect::Collector;
use self::counts::Tally;
pub use self::counts::{Counts, Decision};
use self::head::Head;
use self::judge::{Grants, Verdict};
use self::node::Node;
use self::place::{Ns, Place};
pub use self::terms::{Ask, FieldRule, Limits, ReleaseRules, Words};
use crate::refusal::Refusal;
use crate::services::terminaladgang::law::refusal::LawRefusal;
use crate::soap::names::{SOAP11, SOAP12};
use crate::soap::reading::Reading;
use crate::soap::strict::{Token, is_space};

/// For how many released bytes there is room at once: one object has about as many.
const USUAL_RELEASED: usize = 8 * 1024;

/// Whether a token was taken. A refusal is large and rare, and so stands aside: an answer has thousands of tokens.
type Fed = Result<(), Box<Refusal>>;

/// A filtered answer. Only [`Filter::finish`] makes one. It says what may be released, for dry runs and tests too; what
/// leaves the gateway is made of it together with the proof that the answer is signed (`gateway::answer::Release`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered {
    body: Vec<u8>,
    counts: Counts,
    decisions: Option<Vec<Decision>>,
    objects_seen: u64,
    bytes_seen: u64,
}

impl Filtered {
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
    /// The same, to be kept: nothing is counted here any more.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
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
    head: Head,
    objects: Vec<u8>,
    released: u64,
    released_lines: u64,
    tally: Tally,
    objects_seen: u64,
    bytes_seen: u64,
    /// The first refusal: everything after it repeats it.
    failed: Option<Box<Refusal>>,
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
            head: Head::default(),
            objects: Vec::with_capacity(USUAL_RELEASED),
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
    /// `PeerFault` (a SOAP fault, or a status other than 20 and 44), `PeerAnswerInvalid` (not an answer),
    /// `AnswerTooLarge`. After an error the filter gives nothing but that error.
    #[inline]
    pub fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        self.take(token, read).map_err(|refusal| *refusal)
    }

    fn take(&mut self, token: Token, read: &impl Reading) -> Fed {
        if let Some(refusal) = &self.failed {
            return Err(refusal.clone());
        }
        let fed = match token {
            Token::Start => self.start(read),
            Token::Empty => self.start(read).and_then(|()| self.end()),
            Token::Leaf if self.depth > 1 => {
                self.saw(read.local().len() + read.text_bytes().len());
                self.collector.leaf(read, self.ask.limits.object_bytes)
            }
            Token::Leaf => self.start(read).and_then(|()| self.text(read.text_bytes())).and_then(|()| self.end()),
            Token::End => self.end(),
            Token::Text | Token::CData => self.text(read.text_bytes()),
            Token::Comment | Token::Nothing => Ok(()),
            Token::Eof => Err(Refusal::PEER_ANSWER_INVALID.into()),
        };
        if let Err(refusal) = &fed {
            self.failed = Some(refusal.clone());
        }
        fed
    }

    /// What was decided until now, where [`Ask::decisions`] asked for it: of an answer that is refused nothing else is
    /// told, and nothing of it leaves.
    pub fn decisions(&self) -> Vec<Decision> {
        self.tally.decisions(&self.rules).unwrap_or_default()
    }

    /// The filtered answer, once the Body has ended.
    ///
    /// # Errors
    /// What [`Filter::feed`] refused; `PeerAnswerInvalid` (half an answer, or none); `PersonUnproven`; `AnswerTooLarge`.
    pub fn finish(self) -> Result<Filtered, Refusal> {
        if let Some(refusal) = self.failed {
            return Err(*refusal);
        }
        if self.stage != Stage::Done {
            return Err(Refusal::PEER_ANSWER_INVALID);
        }
        // Told rather than passed over in silence: the answer would read "receives nothing".
        if self.unproven {
            return Err(LawRefusal::PersonUnproven.into());
        }
        let mut body = self.head.write(&self.rules, self.released, self.released_lines);
        const END: &[u8] = b"</yi:FremsoegYdelseIndeksOutput>";
        body.reserve_exact(self.objects.len() + END.len());
        body.extend_from_slice(&self.objects);
        body.extend_from_slice(END);
        if body.len() > self.ask.limits.released_bytes {
            return Err(Refusal::AnswerTooLarge { limit: self.ask.limits.released_bytes });
        }
        let (counts, decisions) = self.tally.finish(&self.rules);
        Ok(Filtered { body, counts, decisions, objects_seen: self.objects_seen, bytes_seen: self.bytes_seen })
    }

    fn start(&mut self, read: &impl Reading) -> Fed {
        self.saw(read.local().len());
        self.depth += 1;
        match self.depth {
            1 => self.root(read),
            _ => self.collector.start(read, self.ask.limits.object_bytes),
        }
    }

    fn end(&mut self) -> Fed {
        let Some(depth) = self.depth.checked_sub(1) else { return Err(Refusal::PEER_ANSWER_INVALID.into()) };
        self.depth = depth;
        if self.depth == 0 {
            // An answer without a status says nothing.
            return self.reach(Stage::Done);
        }
        match self.collector.end() {
            Some(object) => {
                self.part(object.root().ok_or(Refusal::Internal)?)?;
                self.collector.take_back(object);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn text(&mut self, text: &[u8]) -> Fed {
        self.saw(text.len());
        match self.depth {
            0 if text.iter().all(|byte| is_space(char::from(*byte))) => Ok(()),
            0 => Err(Refusal::PEER_ANSWER_INVALID.into()),
            _ => self.collector.text(text, self.ask.limits.object_bytes),
        }
    }

    fn saw(&mut self, bytes: usize) {
        self.bytes_seen += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// The one element of the Body.
    fn root(&mut self, read: &impl Reading) -> Fed {
        match (read.uris().get(read.uri()), read.local()) {
            (uri, "Fault") if [SOAP11, SOAP12].contains(&uri) => Err(Refusal::PEER_FAULT.into()),
            (uri, "FremsoegYdelseIndeksOutput") if uri == Ns::Yi.uri() && !collect::is_odd(read) && self.stage == Stage::Body => {
                self.stage = Stage::Output;
                Ok(())
            }
            _ => Err(Refusal::PEER_ANSWER_INVALID.into()),
        }
    }

    /// Moves on to a stage: never back, and past the status only through it, which comes once.
    fn reach(&mut self, stage: Stage) -> Fed {
        let allowed = match stage {
            Stage::Status => self.stage == Stage::Output,
            _ => self.stage >= Stage::Status && self.stage <= stage,
        };
        self.stage = stage;
        if allowed { Ok(()) } else { Err(Refusal::PEER_ANSWER_INVALID.into()) }
    }

    /// A whole child of the output.
    fn part(&mut self, node: Node<'_>) -> Fed {
        match node.place() {
            Place::Return => {
                self.reach(Stage::Status)?;
                self.found = head::status(node)?;
                Ok(())
            }
            Place::Count => {
                self.reach(Stage::Counts)?;
                self.head.count(node, &self.rules, &self.ask);
                Ok(())
            }
            Place::Grant => {
                self.reach(Stage::Grants)?;
                self.objects_seen += 1;
                self.tally.object_removed(self.objects_seen, Guard::Grant, 0);
                Ok(self.grants.remember(node, &self.ask.person, &self.rules.roles, &self.ask.limits)?)
            }
            _ => {
                self.reach(Stage::Objects)?;
                self.objects_seen += 1;
                self.object(node)
            }
        }
    }

    fn object(&mut self, node: Node<'_>) -> Fed {
        if !self.found {
            return Err(Refusal::PEER_ANSWER_INVALID.into()); // "not found", and then something
        }
        if self.ask.asks_nothing() {
            self.tally.object_removed(self.objects_seen, Guard::NotAsked, node.fields());
            return Ok(());
        }
        match judge::judge(node, &self.ask, &self.rules, &self.grants) {
            Verdict::Removed(guard) => self.tally.object_removed(self.objects_seen, guard, node.fields()),
            Verdict::Unproven => {
                self.tally.object_removed(self.objects_seen, Guard::Person, node.fields());
                self.unproven = true;
            }
            Verdict::Kept(kept) => {
                let out = std::mem::take(&mut self.objects);
                let mut writer = object::ObjectWriter::new(&self.rules, &self.ask, &mut self.tally, self.objects_seen, out);
                writer.write(node, &kept);
                self.released_lines += writer.lines();
                self.released += 1;
                self.objects = writer.into_bytes();
                if self.objects.len() > self.ask.limits.released_bytes {
                    return Err(Refusal::AnswerTooLarge { limit: self.ask.limits.released_bytes }.into());
                }
            }
        }
        Ok(())
    }
}
