//! Whether a search expression forces a disposition date in W, whatever the index makes of the rest.
//!
//! The index's semantics are not fully public, so the guarantee must hold whatever grants and other criteria mean,
//! whether several constraints mean all or any, whether an effectuation is judged as a whole or leaf by leaf, and
//! whatever an empty operator means. Two questions are therefore asked of every part `t` of the expression:
//! [`Tree::forced_when_true`] ("t true forces a date in W") and [`Tree::forced_when_false`] ("t false forces one").
//!
//! This module knows no XML: it is checked exhaustively against a separate evaluator (`tests/law/window/exhaustive.rs`).

/// What one place that may carry a date constraint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// It names no disposition date.
    Absent,
    /// It names one inside W.
    Inside,
    /// It names one that reaches outside W.
    Outside,
}

/// A search for effectuations, as far as dates are concerned: its repeatable places, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effectuation {
    /// Each `Egenskaber`.
    pub properties: Vec<Date>,
    /// Each `SoegEgenskaberLokalUdvidelse`.
    pub extensions: Vec<Date>,
}

impl Effectuation {
    fn places(&self) -> impl Iterator<Item = Date> {
        self.properties.iter().chain(&self.extensions).copied()
    }

    /// `A(E)`: it has a constraint, every repeated place carries one, and all are inside W.
    pub fn forced(&self) -> bool {
        self.places().next().is_some() && self.places().all(|date| date == Date::Inside)
    }

    /// Whether a date can be put in so that every place carries one: no `Egenskaber`, at most one extension, no date yet.
    pub fn insertable(&self) -> bool {
        self.properties.is_empty() && matches!(self.extensions.as_slice(), [] | [Date::Absent])
    }
}

/// A search expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// True if every operand is; what it means without any is not public.
    And(Vec<Tree>),
    /// True if some operand is; what it means without any is not public.
    Or(Vec<Tree>),
    /// Exactly one operand: another number is refused before it becomes a tree.
    Not(Box<Tree>),
    /// `SoegOekonomiskEffektueringIndeks`
    Effectuation(Effectuation),
    /// `SoegBevillingIndeks`
    Grant,
}

/// Where in a tree: the operands to follow from the root.
pub type Path = Vec<usize>;

/// What becomes of an expression's dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No date anywhere: W goes into every effectuation search, and, with `add`, into a new one beside the root's operands.
    Insert {
        /// Whether no effectuation search stands outside NOTs.
        add: bool,
    },
    /// Delimited everywhere, inside W: forwarded unchanged.
    Keep,
    /// This effectuation search reaches outside W.
    Outside(Path),
    /// Dates are given (or would be inserted), but this place stays open.
    Open(Path),
    /// This effectuation search repeats a place that names no date of its own, so inserting one would not bind it.
    Apart(Path),
}

/// Why an expression is not bound to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbound {
    /// There is no grant search anywhere.
    NoGrant,
    /// The root is an OR or a NOT.
    Root,
    /// A grant search stands below an OR or a NOT.
    Below,
    /// Two grant searches stand at the top.
    Several,
}

impl Tree {
    /// `A(t)`: t true forces a disposition date in W.
    pub fn forced_when_true(&self) -> bool {
        match self {
            Tree::And(operands) => operands.iter().any(Tree::forced_when_true),
            Tree::Or(operands) => !operands.is_empty() && operands.iter().all(Tree::forced_when_true),
            Tree::Not(operand) => operand.forced_when_false(),
            Tree::Effectuation(effectuation) => effectuation.forced(),
            Tree::Grant => false,
        }
    }

    /// `N(t)`: t false forces a disposition date in W.
    pub fn forced_when_false(&self) -> bool {
        match self {
            Tree::And(operands) => !operands.is_empty() && operands.iter().all(Tree::forced_when_false),
            Tree::Or(operands) => operands.iter().any(Tree::forced_when_false),
            Tree::Not(operand) => operand.forced_when_true(),
            Tree::Effectuation(_) | Tree::Grant => false,
        }
    }

    /// Whether the root is an AND (nested ANDs read as one, a leaf as an AND of one) with exactly one grant search among
    /// its operands, and there is no other anywhere. So everything beside it is bound to that grant search's person.
    ///
    /// # Errors
    /// [`Unbound`] says which part fails.
    pub fn bound(&self) -> Result<(), Unbound> {
        let (top, all) = (self.top_grants(), self.grants());
        match (self, top, all) {
            (_, _, 0) => Err(Unbound::NoGrant),
            (Tree::Or(_) | Tree::Not(_), _, _) => Err(Unbound::Root),
            (_, top, all) if top < all => Err(Unbound::Below),
            (_, 2.., _) => Err(Unbound::Several),
            _ => Ok(()),
        }
    }

    fn top_grants(&self) -> usize {
        match self {
            Tree::And(operands) => operands.iter().map(Tree::top_grants).sum(),
            Tree::Grant => 1,
            _ => 0,
        }
    }

    fn grants(&self) -> usize {
        match self {
            Tree::And(operands) | Tree::Or(operands) => operands.iter().map(Tree::grants).sum(),
            Tree::Not(operand) => operand.grants(),
            Tree::Grant => 1,
            Tree::Effectuation(_) => 0,
        }
    }

    /// The verdict on the dates, as WINDOW's cases 1 to 4.
    pub fn judge(&self) -> Verdict {
        let mut leaves = Vec::new();
        self.effectuations(&mut Vec::new(), false, &mut leaves);
        if let Some(outside) = leaves.iter().find(|leaf| leaf.search.places().any(|date| date == Date::Outside)) {
            return Verdict::Outside(outside.path.clone());
        }
        if leaves.iter().any(|leaf| leaf.search.places().any(|date| date != Date::Absent)) {
            // Read leaf by leaf, an open search anywhere answers about another time, also below a NOT.
            return match (leaves.iter().find(|leaf| !leaf.search.forced()), self.forced_when_true()) {
                (Some(open), _) => Verdict::Open(open.path.clone()),
                (None, false) => Verdict::Open(self.open_place()),
                (None, true) => Verdict::Keep,
            };
        }
        if let Some(apart) = leaves.iter().find(|leaf| !leaf.search.insertable()) {
            return Verdict::Apart(apart.path.clone());
        }
        let add = leaves.iter().all(|leaf| leaf.below_not);
        let filled = self.with_dates();
        // A search that is added stands in the root's AND, and forces the date by itself.
        if add || filled.forced_when_true() { Verdict::Insert { add } } else { Verdict::Open(filled.open_place()) }
    }

    fn effectuations<'t>(&'t self, path: &mut Path, below_not: bool, leaves: &mut Vec<Leaf<'t>>) {
        let (operands, below_not) = match self {
            Tree::And(operands) | Tree::Or(operands) => (operands.as_slice(), below_not),
            Tree::Not(operand) => (std::slice::from_ref(&**operand), true),
            Tree::Effectuation(search) => {
                leaves.push(Leaf { search, path: path.clone(), below_not });
                return;
            }
            Tree::Grant => return,
        };
        for (at, operand) in operands.iter().enumerate() {
            path.push(at);
            operand.effectuations(path, below_not, leaves);
            path.pop();
        }
    }

    /// The same expression with W in every effectuation search.
    fn with_dates(&self) -> Tree {
        match self {
            Tree::And(operands) => Tree::And(operands.iter().map(Tree::with_dates).collect()),
            Tree::Or(operands) => Tree::Or(operands.iter().map(Tree::with_dates).collect()),
            Tree::Not(operand) => Tree::Not(Box::new(operand.with_dates())),
            Tree::Effectuation(_) => Tree::Effectuation(Effectuation { properties: Vec::new(), extensions: vec![Date::Inside] }),
            Tree::Grant => Tree::Grant,
        }
    }

    /// The innermost place to tell the caller about, in a tree that does not force a date.
    fn open_place(&self) -> Path {
        let inner = match self {
            Tree::Or(operands) => operands.iter().enumerate().find(|(_, operand)| !operand.forced_when_true()),
            Tree::And(operands) => {
                let mut beside = operands.iter().enumerate().filter(|(_, operand)| **operand != Tree::Grant);
                beside.next().filter(|_| beside.next().is_none())
            }
            _ => None,
        };
        inner.map_or_else(Path::new, |(at, operand)| std::iter::once(at).chain(operand.open_place()).collect())
    }
}

struct Leaf<'t> {
    search: &'t Effectuation,
    path: Path,
    below_not: bool,
}
