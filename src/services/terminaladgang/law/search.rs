//! A search as it was asked: `yi:FremsoegYdelseIndeksInput`, read strictly into types.
//!
//! Nothing is kept that was not recognised; [`super::forward`] writes the search anew from these types.

use super::algebra::{self, Tree};
use super::criteria::{
    Extension, Line, Owner, Payee, Properties, Reader, collapsed_matching, is_uuid, matching, person, uuid_reference, whole,
};
use super::refusal::LawRefusal;
use super::rules::{Asked, Sorting, SortingElement};
use super::schema::{BI, Children, GD, OEI, Place, SD, YI, invalid};
use crate::id::cpr::Cpr;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Element;

/// The greatest first result that may be asked for: what a peer's 32-bit integer holds, so that none wraps around.
const GREATEST_FIRST: u64 = 2_147_483_647;

/// The whole search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) grants: Vec<String>,
    pub(super) effectuations: Vec<String>,
    pub(super) root: Expression,
    pub(super) filter: Option<Filter>,
    pub(super) sorting: Option<Vec<Sorting>>,
}

/// `AND`, `OR`, or nothing, which means `AND`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    And,
    Or,
}

/// `yi:SoegUdtryk`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) place: String,
    pub(super) operation: Option<Operation>,
    pub(super) operands: Vec<Node>,
}

/// An operand of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Expression(Expression),
    Not { place: String, operation: Option<Operation>, operand: Box<Node> },
    Grant(Grant),
    Effectuation(Box<Effectuation>),
}

/// Which part of the hits to return: zero-based first, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Paging {
    pub(super) first: Option<u64>,
    pub(super) most: Option<u64>,
}

/// `yi:SoegBevillingIndeks`: one person, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) place: String,
    pub(super) paging: Paging,
    pub(super) role: Option<String>,
    pub(super) person: Cpr,
}

/// `yi:SoegOekonomiskEffektueringIndeks`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Effectuation {
    pub(super) place: String,
    pub(super) paging: Paging,
    pub(super) properties: Vec<Properties>,
    pub(super) extensions: Vec<Extension>,
    pub(super) lines: Vec<Line>,
    pub(super) owners: Vec<Owner>,
    pub(super) payees: Vec<Payee>,
}

/// `yi:Filter`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) asked: Asked,
    /// `BevillingInkluder` and `OekonomiskEffektueringInkluder`, where the policy lets them through.
    pub(super) include: Vec<(&'static str, &'static str)>,
}

impl Reader<'_> {
    pub(super) fn input(self, input: Element<'_>) -> Result<Input, Refusal> {
        if !input.is(YI, "FremsoegYdelseIndeksInput") {
            return Err(Refusal::OperationUnknown { operations: "fremsoeg".to_owned() });
        }
        let mut children = Place::root(input).children(&[])?;
        let grants = self.look_ups(&mut children, "BevillingUuid")?;
        let effectuations = self.look_ups(&mut children, "OekonomiskEffektueringUuid")?;
        let root = self.expression(&children.required(YI, "SoegUdtryk")?)?;
        let filter = children.optional(YI, "Filter").map(|filter| self.filter(&filter)).transpose()?;
        let sorting = children.optional(YI, "Sortering").map(|sorting| self.sorting(&sorting)).transpose()?;
        children.end()?;
        Ok(Input { grants, effectuations, root, filter, sorting })
    }

    fn look_ups(self, children: &mut Children<'_>, name: &'static str) -> Result<Vec<String>, Refusal> {
        let look_ups = children.repeated(YI, name);
        if !look_ups.is_empty() && !self.rules.direct_lookup {
            return Err(LawRefusal::DirectLookup { element: name.to_owned() }.into());
        }
        look_ups.iter().map(|place| matching(place, ("en UUID", "a UUID"), is_uuid)).collect()
    }

    fn expression(self, place: &Place<'_>) -> Result<Expression, Refusal> {
        let (operation, operands) = self.operands(place)?;
        Ok(Expression { place: place.path.clone(), operation, operands })
    }

    fn operands(self, place: &Place<'_>) -> Result<(Option<Operation>, Vec<Node>), Refusal> {
        let mut children = place.children(&[])?;
        let operation = match children.optional(YI, "operation") {
            None => None,
            Some(operation) => match operation.value()?.as_ref() {
                "AND" => Some(Operation::And),
                "OR" => Some(Operation::Or),
                _ => {
                    return Err({
                        let name = operation.name();
                        invalid(format!("{name} er hverken AND eller OR"), format!("{name} is neither AND nor OR"))
                    });
                }
            },
        };
        let mut names = [("SoegBevillingIndeks", 0), ("SoegOekonomiskEffektueringIndeks", 0), ("NOT", 0), ("SoegUdtryk", 0)];
        let mut operands = Vec::new();
        while let Some((name, place)) = children.choice(YI, &mut names)? {
            operands.push(match name {
                "SoegBevillingIndeks" => Node::Grant(self.grant(&place)?),
                "SoegOekonomiskEffektueringIndeks" => Node::Effectuation(Box::new(self.effectuation(&place)?)),
                "NOT" => self.not(place)?,
                _ => Node::Expression(self.expression(&place)?),
            });
        }
        Ok((operation, operands))
    }

    /// Whether NOT over several operands negates each or all of them is not public.
    fn not(self, place: Place<'_>) -> Result<Node, Refusal> {
        let (operation, mut operands) = self.operands(&place)?;
        match (operands.pop(), operands.is_empty()) {
            (Some(operand), true) => Ok(Node::Not { place: place.path, operation, operand: Box::new(operand) }),
            _ => Err(LawRefusal::NotArity { place: place.path }.into()),
        }
    }

    fn grant(self, place: &Place<'_>) -> Result<Grant, Refusal> {
        let mut children = place.children(&[])?;
        let paging = self.paging(&mut children)?;
        // A criterion on grants would test what is never shown; the lists must stand there and hold nothing.
        let attributes = children.required(BI, "AttributListe")?;
        attributes.children(&["Egenskaber", "BevilgetYdelse", "LokalUdvidelseListe"])?.end()?;
        children.required(BI, "TilstandListe")?.children(&["LokalUdvidelseListe"])?.end()?;
        let relations = children.required(BI, "RelationListe")?;
        children.end()?;
        let mut inner = relations.children(&["Bevillingssag", "Bevillingsaktoer", "Sikkerhedsprofil", "LokalUdvidelseListe"])?;
        let mut parties = inner.repeated(BI, "Bevillingspart").into_iter();
        inner.end()?;
        let party = match (parties.next(), parties.next()) {
            (None, _) => return Err(LawRefusal::PersonMissing.into()),
            (Some(_), Some(_)) => return Err(LawRefusal::PersonSeveral.into()),
            (Some(party), None) => party,
        };
        let mut inner = party.children(&["Type", "Indeks", "LokalUdvidelseListe", "BrugervendtNoegle", "FuldtNavn"])?;
        let role = inner.optional(GD, "Rolle").map(|role| uuid_reference(&role)).transpose()?;
        let grantee = &self.rules.roles.grantee;
        if role.as_ref().is_some_and(|role| !role.eq_ignore_ascii_case(grantee)) {
            return Err(LawRefusal::PersonShape {
                what: Detail::new(
                    format!("{} er ikke i rollen som bevillingsmodtager (Bevillingsmodtager, {grantee})", party.path),
                    format!("{} is not in the role of grantee (Bevillingsmodtager, {grantee})", party.path),
                ),
            }
            .into());
        }
        let Some(reference) = inner.optional(GD, "ReferenceID") else {
            inner.end()?;
            return Err(LawRefusal::PersonMissing.into());
        };
        inner.end()?;
        Ok(Grant { place: place.path.clone(), paging, role, person: person(&reference)? })
    }

    fn effectuation(self, place: &Place<'_>) -> Result<Effectuation, Refusal> {
        let mut children = place.children(&[])?;
        let paging = self.paging(&mut children)?;
        let attributes = children.required(OEI, "AttributListe")?;
        let states = children.required(OEI, "TilstandListe")?;
        let relations = children.required(OEI, "RelationListe")?;
        children.end()?;

        let mut inner = attributes.children(&[])?;
        let properties =
            inner.repeated(OEI, "Egenskaber").iter().map(|place| self.properties(place)).collect::<Result<_, _>>()?;
        let extensions = match inner.optional(GD, "LokalUdvidelseListe") {
            Some(list) => {
                let mut listed = list.children(&["SenestAendretTidspunkt"])?;
                let places = listed.repeated(OEI, "SoegEgenskaberLokalUdvidelse");
                listed.end()?;
                places.iter().map(|place| self.extension(place)).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        inner.end()?;

        states.children(&["LokalUdvidelseListe"])?.end()?;

        let mut inner = relations.children(&["ItSystem", "LokalUdvidelseListe"])?;
        let lines = inner
            .repeated(OEI, "OekonomiskYdelseEffektueringRelation")
            .iter()
            .map(|place| self.line(place))
            .collect::<Result<_, _>>()?;
        let owners = inner.repeated(OEI, "Aktoer").iter().map(|place| self.owner(place)).collect::<Result<_, _>>()?;
        let payees =
            inner.repeated(OEI, "OekonomiskEffektueringPart").iter().map(|place| self.payee(place)).collect::<Result<_, _>>()?;
        inner.end()?;
        Ok(Effectuation { place: place.path.clone(), paging, properties, extensions, lines, owners, payees })
    }

    fn paging(self, children: &mut Children<'_>) -> Result<Paging, Refusal> {
        let cap = self.rules.page_cap;
        let mut number = |name: &'static str, greatest: u64| {
            let Some(place) = children.optional(SD, name) else { return Ok(None) };
            let number = whole(&place.collapsed()?);
            Ok::<_, Refusal>(Some(number.filter(|number| *number <= greatest).ok_or(LawRefusal::PagingOutside { cap })?))
        };
        Ok(Paging { first: number("FoersteResultatReference", GREATEST_FIRST)?, most: number("MaksimalAntalKvantitet", cap)? })
    }

    fn filter(self, place: &Place<'_>) -> Result<Filter, Refusal> {
        let mut children = place.children(&[])?;
        let mut names = [
            ("BevillingVis", 0),
            ("OekonomiskEffektueringVis", 0),
            ("BevillingInkluder", 0),
            ("OekonomiskEffektueringInkluder", 0),
        ];
        let (mut any, mut include) = (false, Vec::new());
        let (mut properties, mut actors, mut lines) = (false, false, false);
        while let Some((name, place)) = children.choice(YI, &mut names)? {
            any = true;
            match name {
                // What is asked for of grants is never released; the names are checked all the same.
                "BevillingVis" => {
                    shown(
                        &place,
                        &[
                            "egenskaber",
                            "egenskaberlokaludvidelse",
                            "bevilgetydelse",
                            "sag",
                            "part",
                            "aktoer-ejer",
                            "aktoer-ansvarlig",
                            "sikkerhedsprofil",
                        ],
                    )?;
                }
                "OekonomiskEffektueringVis" => {
                    match shown(&place, &["egenskaber", "aktoer", "oekonomiskeydelseeffektueringer", "itsystem"])? {
                        "egenskaber" => properties = true,
                        "aktoer" => actors = true,
                        "oekonomiskeydelseeffektueringer" => lines = true,
                        _ => {}
                    }
                }
                _ if !self.rules.include => return Err(LawRefusal::IncludeRefused { element: name.to_owned() }.into()),
                "BevillingInkluder" => include.push((name, one_of(&place, &["bevilgetydelse"])?)),
                _ => include.push((name, one_of(&place, &["oekonomiskeydelseeffektueringer"])?)),
            }
        }
        let asked = if any { Asked::Parts { properties, actors, lines } } else { Asked::Nothing };
        Ok(Filter { asked, include })
    }

    fn sorting(self, place: &Place<'_>) -> Result<Vec<Sorting>, Refusal> {
        let mut children = place.children(&[])?;
        let mut names = [("BevillingSortering", 0), ("OekonomiskEffektueringSortering", 0)];
        let mut sorting = Vec::new();
        while let Some((name, place)) = children.choice(YI, &mut names)? {
            let mut inner = place.children(&[])?;
            let element = inner.required(YI, "Element")?;
            let withheld = |element: &str| LawRefusal::SortingWithheld { element: element.to_owned() }.into();
            let element = match (name, one_of(&element, &["Dispositionsdato", "Ydelsesnavn", "FuldtNavn"])?) {
                ("BevillingSortering", "Ydelsesnavn") => SortingElement::Ydelsesnavn,
                ("OekonomiskEffektueringSortering", "Dispositionsdato") => SortingElement::Dispositionsdato,
                ("BevillingSortering", "FuldtNavn") => return Err(withheld("FuldtNavn")),
                (_, other) => {
                    return Err(invalid(
                        format!("{name} sorterer ikke efter {other}"),
                        format!("{name} does not sort by {other}"),
                    ));
                }
            };
            if !self.rules.sorting.contains(&element) {
                return Err(withheld(element.as_str()));
            }
            let descending = one_of(&inner.required(YI, "Retning")?, &["Stigende", "Faldende"])? == "Faldende";
            let sequence = collapsed_matching(
                &inner.required(YI, "Sekvens")?,
                ("et helt tal fra 0 til 999", "a whole number from 0 to 999"),
                |text| whole(text).is_some_and(|number| number <= 999),
            )?;
            inner.end()?;
            let sequence = whole(&sequence).and_then(|number| number.try_into().ok()).ok_or(Refusal::Internal)?;
            sorting.push(Sorting { element, descending, sequence });
        }
        Ok(sorting)
    }
}

fn shown(place: &Place<'_>, values: &[&'static str]) -> Result<&'static str, Refusal> {
    let mut children = place.children(&[])?;
    let value = one_of(&children.required(YI, "Vis")?, values)?;
    children.end()?;
    Ok(value)
}

fn one_of(place: &Place<'_>, values: &[&'static str]) -> Result<&'static str, Refusal> {
    let text = place.value()?;
    values.iter().find(|value| **value == text).copied().ok_or_else(|| {
        let (name, values) = (place.name(), values.join(", "));
        invalid(format!("{name} er ikke en af {values}"), format!("{name} is not one of {values}"))
    })
}

impl Expression {
    /// This expression as the algebra sees it; `date` judges each place that may carry a date.
    pub(super) fn tree<F>(&self, date: &F) -> Tree
    where
        F: Fn(Carrier<'_>) -> algebra::Date,
    {
        let operands = self.operands.iter().map(|operand| operand.tree(date)).collect();
        match self.operation {
            Some(Operation::Or) => Tree::Or(operands),
            Some(Operation::And) | None => Tree::And(operands),
        }
    }

    /// Every operand below, in document order.
    pub(super) fn visit<'n>(&'n self, see: &mut impl FnMut(&'n Node)) {
        for operand in &self.operands {
            operand.visit(see);
        }
    }

    /// Every effectuation search, in document order.
    pub(super) fn effectuations(&self) -> Vec<&Effectuation> {
        let mut found = Vec::new();
        self.visit(&mut |node| {
            if let Node::Effectuation(effectuation) = node {
                found.push(&**effectuation);
            }
        });
        found
    }

    /// Every operand below, to be changed.
    pub(super) fn change(&mut self, change: &mut impl FnMut(&mut Node)) {
        for operand in &mut self.operands {
            operand.change(change);
        }
    }

    /// The operand that `path` leads to; `None` for the expression itself.
    pub(super) fn at(&self, path: &[usize]) -> Option<&Node> {
        let (first, rest) = path.split_first()?;
        self.operands.get(*first)?.at(rest)
    }
}

/// A place that may carry a date constraint.
pub(super) enum Carrier<'n> {
    Properties(&'n Properties),
    Extension(&'n Extension),
}

impl Node {
    fn tree<F>(&self, date: &F) -> Tree
    where
        F: Fn(Carrier<'_>) -> algebra::Date,
    {
        match self {
            Node::Expression(expression) => expression.tree(date),
            Node::Not { operand, .. } => Tree::Not(Box::new(operand.tree(date))),
            Node::Grant(_) => Tree::Grant,
            Node::Effectuation(search) => Tree::Effectuation(algebra::Effectuation {
                properties: search.properties.iter().map(|place| date(Carrier::Properties(place))).collect(),
                extensions: search.extensions.iter().map(|place| date(Carrier::Extension(place))).collect(),
            }),
        }
    }

    fn visit<'n>(&'n self, see: &mut impl FnMut(&'n Node)) {
        see(self);
        match self {
            Node::Expression(expression) => expression.visit(see),
            Node::Not { operand, .. } => operand.visit(see),
            Node::Grant(_) | Node::Effectuation(_) => {}
        }
    }

    fn change(&mut self, change: &mut impl FnMut(&mut Node)) {
        change(self);
        match self {
            Node::Expression(expression) => expression.change(change),
            Node::Not { operand, .. } => operand.change(change),
            Node::Grant(_) | Node::Effectuation(_) => {}
        }
    }

    fn at(&self, path: &[usize]) -> Option<&Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match self {
            Node::Expression(expression) => expression.at(path),
            Node::Not { operand, .. } if *first == 0 => operand.at(rest),
            _ => None,
        }
    }

    pub(super) fn place(&self) -> &str {
        match self {
            Node::Expression(expression) => &expression.place,
            Node::Not { place, .. } => place,
            Node::Grant(grant) => &grant.place,
            Node::Effectuation(effectuation) => &effectuation.place,
        }
    }
}
