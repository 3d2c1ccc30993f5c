//! The rules that an effectuation must pass before anything of it is released (the second lock).
//!
//! A match of the index guarantees only that *some* date is in the window, and how it joins grants to effectuations is
//! not public. So every object is judged again by itself: rules 1 to 3 first (window, owner, KLE), then rule 0 (it
//! concerns the person), then sensitivity. Whatever is not sure counts against release.

use std::collections::HashMap;

use super::catalogue::Guard;
use super::node::{Identifier, Node, Value};
use super::place::Place;
use super::{Ask, Limits, ReleaseRules};
use crate::id::cpr::Cpr;
use crate::id::kle::Kle;
use crate::refusal::Refusal;
use crate::services::terminaladgang::law::dates;
use crate::services::terminaladgang::law::kle::{Sensitivity, SensitivityConstraint};
use crate::services::terminaladgang::law::rules::{Future, PersonCheck, Roles};

/// Whose grant it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// The only grantee is the person asked about.
    Person,
    /// The only grantee is someone else.
    Other,
    /// No grantee, several, or one that cannot be compared: proves nothing.
    Nothing,
}

/// What is remembered of a grant.
#[derive(Debug, Clone, Copy)]
struct Grant {
    proof: Proof,
    /// Which sensitivities it states, a bit each.
    sensitivity: u8,
}

const UNREADABLE_SENSITIVITY: u8 = 1 << 7;

fn bit(sensitivity: Sensitivity) -> u8 {
    match sensitivity {
        Sensitivity::NotConfidential => 1,
        Sensitivity::Confidential => 2,
        Sensitivity::Sensitive => 4,
        Sensitivity::Vip => 8,
    }
}

impl Grant {
    /// Every sensitivity that the grant states must be permitted; one that cannot be read never is.
    fn permitted(&self, constraint: &SensitivityConstraint) -> bool {
        const ALL: [Sensitivity; 4] =
            [Sensitivity::NotConfidential, Sensitivity::Confidential, Sensitivity::Sensitive, Sensitivity::Vip];
        match self.sensitivity {
            0 => constraint.permits(None),
            stated if stated & UNREADABLE_SENSITIVITY != 0 => false,
            stated => ALL.into_iter().filter(|one| stated & bit(*one) != 0).all(|one| constraint.permits(Some(one))),
        }
    }
}

/// The grants met so far, by UUID.
#[derive(Debug, Default)]
pub(super) struct Grants(HashMap<u128, Grant>);

fn key(uuid: &str) -> Option<u128> {
    uuid::Uuid::try_parse(uuid).ok().map(|uuid| uuid.as_u128())
}

impl Grants {
    /// Remembers a grant. Given twice, it keeps its proof only if both agree.
    pub(super) fn remember(&mut self, node: Node<'_>, person: &Cpr, roles: &Roles, limits: &Limits) -> Result<(), Refusal> {
        let id = node.only(Place::ObjectType).ok().flatten().map(|object| object.identifier_here());
        let Some(Identifier::Uuid(id)) = id else { return Ok(()) };
        let Some(id) = key(id) else { return Ok(()) };
        let mut grant = read_grant(node, person, roles);
        if let Some(known) = self.0.get(&id) {
            grant.sensitivity |= known.sensitivity;
            grant.proof = agree(Some(known.proof), grant.proof);
        } else if self.0.len() >= limits.grants {
            return Err(Refusal::AnswerTooLarge { limit: limits.released_bytes });
        }
        self.0.insert(id, grant);
        Ok(())
    }

    fn of(&self, line: Node<'_>) -> Option<Grant> {
        match line.identifier(Place::LineGrant) {
            Identifier::Uuid(id) => self.0.get(&key(id)?).copied(),
            _ => None,
        }
    }
}

fn agree(one: Option<Proof>, other: Proof) -> Proof {
    match one {
        Some(one) if one != other => Proof::Nothing,
        _ => other,
    }
}

fn read_grant(node: Node<'_>, person: &Cpr, roles: &Roles) -> Grant {
    let mut proof = None;
    let mut sensitivity = 0;
    for registration in node.all(Place::GrantRegistration) {
        proof = Some(agree(proof, grantee(registration, person, roles)));
        for properties in registration.all(Place::GrantAttributes).flat_map(|list| list.all(Place::GrantProperties)) {
            sensitivity |= match properties.value(Place::Sensitivity) {
                Value::Absent => 0,
                Value::Text(text) => Sensitivity::parse(text).map_or(UNREADABLE_SENSITIVITY, bit),
                Value::Unreadable => UNREADABLE_SENSITIVITY,
            };
        }
    }
    let proof = proof.filter(|_| !node.is_distorted()).unwrap_or(Proof::Nothing);
    Grant { proof, sensitivity }
}

/// Whose grant one registration says it is.
fn grantee(registration: Node<'_>, person: &Cpr, roles: &Roles) -> Proof {
    // A deleted grant may have been deleted because it named the wrong person.
    if !is_live(registration) {
        return Proof::Nothing;
    }
    let mut grantees = Vec::new();
    for party in registration.all(Place::GrantRelations).flat_map(|list| list.all(Place::GrantParty)) {
        match party.identifier(Place::Role) {
            Identifier::Uuid(role) if role.eq_ignore_ascii_case(&roles.grantee) => grantees.push(party),
            Identifier::Uuid(_) | Identifier::Urn(_) => {}
            // It may be a second grantee.
            Identifier::Absent | Identifier::Unreadable => return Proof::Nothing,
        }
    }
    let [only] = grantees.as_slice() else { return Proof::Nothing };
    match only.identifier(Place::Reference) {
        Identifier::Urn(urn) => match Cpr::from_urn(urn) {
            Ok(cpr) if cpr == *person => Proof::Person,
            Ok(_) => Proof::Other,
            Err(_) => Proof::Nothing,
        },
        _ => Proof::Nothing,
    }
}

/// Whether the life-cycle code is absent or says that the registration stands.
fn is_live(registration: Node<'_>) -> bool {
    match registration.value(Place::LifeCycle) {
        Value::Absent => true,
        Value::Text(code) => matches!(code, "Opstaaet" | "Importeret" | "Passiveret"),
        Value::Unreadable => false,
    }
}

/// What the rules say about an effectuation.
#[derive(Debug)]
pub(super) enum Verdict<'n> {
    /// Something of it may be released.
    Kept(Kept<'n>),
    /// Nothing of it may be released.
    Removed(Guard),
    /// It could not be proven that it concerns the person: the call ends in a fault.
    Unproven,
}

/// What is left of an effectuation.
#[derive(Debug)]
pub(super) struct Kept<'n> {
    pub(super) id: &'n str,
    pub(super) registrations: Vec<Registration<'n>>,
    /// What was taken out, and why.
    pub(super) removed: Vec<(Node<'n>, Guard)>,
    /// Whether a line was taken out, so that the sums would show it.
    pub(super) sums_hidden: bool,
}

/// What is left of a registration.
#[derive(Debug)]
pub(super) struct Registration<'n> {
    pub(super) properties: Vec<Node<'n>>,
    pub(super) lines: Vec<Node<'n>>,
    pub(super) owner: Node<'n>,
    pub(super) cvr: &'n str,
    pub(super) parties: Vec<Node<'n>>,
}

/// Judges one effectuation.
pub(super) fn judge<'n>(node: Node<'n>, ask: &Ask, rules: &ReleaseRules, grants: &Grants) -> Verdict<'n> {
    let Some(id) = identity(node) else { return Verdict::Removed(Guard::Shape) };
    let mut kept = Kept { id, registrations: Vec::new(), removed: Vec::new(), sums_hidden: false };

    // Why the object goes when its last registration does; one without any has no date in the window.
    let mut last = Guard::Window;
    for registration in node.all(Place::Registration) {
        match stands(registration, ask, rules, &mut kept.removed) {
            Ok(left) => kept.registrations.push(left),
            Err(guard) => {
                kept.removed.push((registration, guard));
                last = guard;
            }
        }
    }
    if kept.registrations.is_empty() {
        return Verdict::Removed(last);
    }
    if ask.kle.is_constrained() {
        keep_lines(&mut kept, Guard::Kle, |line| match line.value(Place::LineKle) {
            Value::Text(text) => Kle::parse(text).is_some_and(|kle| ask.kle.permits(&kle)),
            _ => false,
        });
        if kept.registrations.is_empty() {
            return Verdict::Removed(Guard::Kle);
        }
    }
    if rules.person_check() == PersonCheck::Prove && !is_proof_complete(&kept, grants) {
        return Verdict::Unproven;
    }
    // Contrary proof removes also where the index's join is trusted: trust stands in for missing proof only.
    keep_lines(&mut kept, Guard::Person, |line| grants.of(line).is_none_or(|grant| grant.proof != Proof::Other));
    if kept.registrations.is_empty() {
        return Verdict::Removed(Guard::Person);
    }
    let mut lines = kept.registrations.iter().flat_map(|registration| &registration.lines).peekable();
    let silent = Grant { proof: Proof::Nothing, sensitivity: 0 };
    let permitted = match lines.peek() {
        None => silent.permitted(&ask.sensitivity),
        Some(_) => lines.all(|line| grants.of(*line).unwrap_or(silent).permitted(&ask.sensitivity)),
    };
    match permitted {
        true => Verdict::Kept(kept),
        false => Verdict::Removed(Guard::Sensitivity),
    }
}

/// The object's own UUID, where the object is what the schema says.
fn identity(node: Node<'_>) -> Option<&str> {
    let once =
        |registration: Node<'_>| registration.only(Place::Attributes).is_ok() && registration.only(Place::Relations).is_ok();
    if node.is_distorted() || !node.all(Place::Registration).all(once) {
        return None;
    }
    match node.only(Place::ObjectType).ok()??.identifier_here() {
        Identifier::Uuid(id) => Some(id),
        _ => None,
    }
}

/// Rules 1 and 2 on one registration. What is taken out of one that stands is added to `removed`.
fn stands<'n>(
    node: Node<'n>,
    ask: &Ask,
    rules: &ReleaseRules,
    removed: &mut Vec<(Node<'n>, Guard)>,
) -> Result<Registration<'n>, Guard> {
    if !is_live(node) {
        return Err(Guard::Deleted);
    }
    let roles = rules.roles();
    let mut properties = Vec::new();
    let mut undated = Vec::new();
    let mut to_come = false;
    for each in node.all(Place::Attributes).flat_map(|list| list.all(Place::Properties)) {
        match each.value(Place::DispositionDate) {
            Value::Text(text) => match dates::read(text, ask.naive).filter(|date| ask.window.contains(date)) {
                Some(date) => {
                    to_come |= !ask.window.has_come(&date);
                    properties.push(each);
                }
                // Outside; or unreadable, and so not known to be inside.
                None => return Err(Guard::Window),
            },
            Value::Absent => undated.push((each, Guard::Window)),
            Value::Unreadable => return Err(Guard::Window),
        }
    }
    // Like a date outside the window, one that is still to come takes its whole registration with it.
    if to_come && rules.future() == Future::Withhold {
        return Err(Guard::Future);
    }
    if properties.is_empty() {
        return Err(Guard::Window);
    }
    let relations = || node.all(Place::Relations);
    let (owner, cvr) = owner(relations().flat_map(|list| list.all(Place::Actor)), roles).ok_or(Guard::Owner)?;
    if !ask.counterpart.contains(cvr) {
        return Err(Guard::Owner);
    }
    removed.append(&mut undated);
    let person = ask.person.expose_urn();
    let mut parties = Vec::new();
    for party in relations().flat_map(|list| list.all(Place::Party)) {
        let role = match party.identifier(Place::Role) {
            Identifier::Absent => true,
            Identifier::Uuid(role) => role.eq_ignore_ascii_case(&roles.party),
            _ => false,
        };
        match party.identifier(Place::Reference) {
            Identifier::Urn(urn) if role && urn == person => parties.push(party),
            _ => removed.push((party, Guard::Party)),
        }
    }
    let lines = relations().flat_map(|list| list.all(Place::Line)).collect();
    Ok(Registration { properties, lines, owner, cvr, parties })
}

/// The one owner and its CVR number. An actor whose role cannot be read may be a second owner.
fn owner<'n>(actors: impl Iterator<Item = Node<'n>>, roles: &Roles) -> Option<(Node<'n>, &'n str)> {
    let mut found = None;
    for actor in actors {
        let owns = match actor.identifier(Place::Role) {
            Identifier::Uuid(role) => role.eq_ignore_ascii_case(&roles.owner),
            Identifier::Unreadable => true,
            Identifier::Absent | Identifier::Urn(_) => false,
        };
        if owns && found.replace(actor).is_some() {
            return None;
        }
    }
    let owner = found.filter(|owner| owner.identifier(Place::Role) != Identifier::Unreadable)?;
    match owner.value(Place::Cvr) {
        Value::Text(cvr) if cvr.len() == 8 && cvr.bytes().all(|byte| byte.is_ascii_digit()) => Some((owner, cvr)),
        _ => None,
    }
}

/// Takes out the lines that do not pass, and the registrations that have lost their last line by it.
fn keep_lines(kept: &mut Kept<'_>, guard: Guard, passes: impl Fn(Node<'_>) -> bool) {
    let Kept { registrations, removed, sums_hidden, .. } = kept;
    registrations.retain_mut(|registration| {
        let before = registration.lines.len();
        registration.lines.retain(|line| {
            let stays = passes(*line);
            if !stays {
                removed.push((*line, guard));
            }
            stays
        });
        *sums_hidden |= registration.lines.len() < before;
        // Under a KLE constraint, a registration without a readable line shows what no line vouches for.
        let vouched = !registration.lines.is_empty() || (before == 0 && guard != Guard::Kle);
        if !vouched {
            removed.extend(registration.properties.iter().map(|node| (*node, guard)));
        }
        vouched
    });
}

/// Rule 0: every registration has a line, and each line's grant is known to be someone's.
fn is_proof_complete(kept: &Kept<'_>, grants: &Grants) -> bool {
    let known = |line: &Node<'_>| grants.of(*line).is_some_and(|grant| grant.proof != Proof::Nothing);
    kept.registrations.iter().all(|registration| !registration.lines.is_empty() && registration.lines.iter().all(known))
}
