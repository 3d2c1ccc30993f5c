//! The head of the answer: status and counts. Both are the gateway's own, made over what is released.

use super::catalogue::Field;
use super::node::{Node, Value};
use super::object::has_form;
use super::place::{Ns, Place};
use super::write::Writer;
use super::{Ask, ReleaseRules};
use crate::refusal::Refusal;
use crate::soap::strict::is_space;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Effectuations,
    Lines,
}

/// What the index echoed of the paging: the first result and the greatest number.
#[derive(Debug)]
struct Paging {
    first: Option<String>,
    most: Option<String>,
}

/// Which kinds the index counted, each with its paging where nothing is doubtful.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<(Kind, Option<Paging>)>);

impl Head {
    /// Takes a count of the index: that it counted, and its paging, never its number, which counts hidden objects.
    pub(super) fn count(&mut self, node: Node<'_>, rules: &ReleaseRules, ask: &Ask) {
        let kind = match node.value(Place::CountElement) {
            Value::Text("effektueringer") => Kind::Effectuations,
            Value::Text("ydelser") => Kind::Lines,
            _ => return,
        };
        if node.is_distorted() {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            // Counted twice: nobody may choose between two pagings.
            Some((_, paging)) => *paging = None,
            None => self.0.push((kind, paging(node, rules, ask))),
        }
    }

    /// The output's start tag, status and counts. Nothing left has the shape of nothing found, whatever the index sent.
    pub(super) fn write(&self, rules: &ReleaseRules, objects: u64, lines: u64) -> Vec<u8> {
        let mut writer = Writer::document();
        writer.open(Ns::Yi, "FremsoegYdelseIndeksOutput");
        let status = if objects == 0 { rules.empty_status() } else { 20 };
        writer.open(Ns::Sd, "StandardRetur");
        writer.leaf(Ns::Sd, "StatusKode", &status.to_string());
        writer.close();
        if objects > 0 && rules.field(Field::Count).is_some_and(|rule| rule.release) {
            for (kind, name, many) in [(Kind::Effectuations, "effektueringer", objects), (Kind::Lines, "ydelser", lines)] {
                let Some((_, paging)) = self.0.iter().find(|(counted, _)| *counted == kind) else { continue };
                writer.open(Ns::Yi, "Antal");
                writer.leaf(Ns::Yi, "Element", name);
                writer.leaf(Ns::Yi, "Antal", &many.to_string());
                if let Some(paging) = paging {
                    paging.write(&mut writer);
                }
                writer.close();
            }
        }
        writer.into_bytes()
    }
}

impl Paging {
    fn write(&self, writer: &mut Writer) {
        writer.open(Ns::Yi, "Paginering");
        if let Some(first) = &self.first {
            writer.leaf(Ns::Sd, "FoersteResultatReference", first);
        }
        if let Some(most) = &self.most {
            writer.leaf(Ns::Sd, "MaksimalAntalKvantitet", most);
        }
        writer.close();
    }
}

fn paging(node: Node<'_>, rules: &ReleaseRules, ask: &Ask) -> Option<Paging> {
    let rule = rules.field(Field::Paging).filter(|rule| rule.release)?;
    let paging = node.only(Place::Paging).ok()??;
    let number = |place| match paging.value(place) {
        Value::Text(text) if has_form(rule.form, text, ask) => Some(text.to_owned()),
        _ => None,
    };
    Some(Paging { first: number(Place::PagingFirst), most: number(Place::PagingMost) })
}

/// Whether the index found something: 20, or 44 for nothing.
///
/// # Errors
/// `PeerFault` for any other status; `PeerAnswerInvalid` where there is none, or none that can be trusted.
pub(super) fn status(node: Node<'_>) -> Result<bool, Refusal> {
    if node.is_distorted() {
        return Err(Refusal::PEER_ANSWER_INVALID);
    }
    let Value::Text(text) = node.value(Place::StatusCode) else { return Err(Refusal::PEER_ANSWER_INVALID) };
    match text.trim_matches(is_space) {
        "20" => Ok(true),
        "44" => Ok(false),
        code if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()) => Err(Refusal::PEER_FAULT),
        _ => Err(Refusal::PEER_ANSWER_INVALID),
    }
}
