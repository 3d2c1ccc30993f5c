//! A second opinion, written from WINDOW's words and not from the checker: what could an index return?
//!
//! The checker reasons about forcing (`A` and `N`). This evaluator does not: it takes one effectuation that has **no**
//! disposition date in W and tries every way in which an index could come to return it.
//!
//! - *pointwise*: the index judges the effectuation by the whole expression. A date constraint inside W is false of it;
//!   every other thing (grants, other criteria, a constraint that reaches outside W) may be true or false.
//! - *leafwise*: the index looks the searches up one by one; an effectuation that one of them finds, below a NOT or not,
//!   shapes the answer.
//! - several constraints in one search mean all of them, or any of them;
//! - an empty AND or OR means true, or false, each time anew.

/// What one repeatable place in a search says about dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Silent,
    InW,
    BeyondW,
}

/// Where the place stands: attributes by equality, or an interval extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Point,
    Interval,
}

/// A search expression as written, NOT with any number of operands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    All(Vec<Written>),
    Some(Vec<Written>),
    Negated(Vec<Written>),
    Person,
    Payments(Vec<(Kind, Place)>),
}

/// What WINDOW says should become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Forwarded unchanged.
    Unchanged,
    /// Forwarded with W in every search, and `added` searches beside.
    Inserted {
        added: usize,
    },
    Refused,
}

pub fn expected(written: &Written) -> Expected {
    if !arity(written) || !bound_to_one_person(written) {
        return Expected::Refused;
    }
    let mut places = Vec::new();
    each_search(written, false, &mut |search, _| places.extend_from_slice(search));
    if places.iter().any(|(_, place)| *place == Place::BeyondW) {
        return Expected::Refused;
    }
    if places.iter().any(|(_, place)| *place == Place::InW) {
        return if holds(written) { Expected::Unchanged } else { Expected::Refused };
    }
    // Case 1: W goes into every search; one more stands beside where none stands outside NOTs.
    let (mut refused, mut outside_nots) = (false, 0);
    each_search(written, false, &mut |search, negated| {
        refused |= search.iter().any(|(kind, _)| *kind == Kind::Point) || search.len() > 1;
        outside_nots += usize::from(!negated);
    });
    let added = usize::from(outside_nots == 0);
    let mut whole = vec![filled(written)];
    whole.extend((0..added).map(|_| Written::Payments(vec![(Kind::Interval, Place::InW)])));
    if refused || !holds(&Written::All(whole)) { Expected::Refused } else { Expected::Inserted { added } }
}

/// Whether no reading returns an effectuation without a date in W, and no search by itself finds one.
pub fn holds(written: &Written) -> bool {
    let mut searches = Vec::new();
    each_search(written, false, &mut |search, _| searches.push(search.to_vec()));
    [Combination::All, Combination::Any].into_iter().all(|combination| {
        let pointwise = !outcomes(written, combination).0;
        let leafwise = searches.iter().all(|search| !finds(search, combination));
        pointwise && leafwise
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Combination {
    All,
    Any,
}

/// Whether a search can be true of an effectuation without a date in W.
fn finds(search: &[(Kind, Place)], combination: Combination) -> bool {
    let mut can = search.iter().map(|(_, place)| *place != Place::InW);
    match combination {
        _ if search.is_empty() => true,
        Combination::All => can.all(|can| can),
        Combination::Any => can.any(|can| can),
    }
}

/// Whether the expression can be true, and whether it can be false, of an effectuation without a date in W. Its parts
/// are independent of each other: each stands once, and what it is true of is the index's affair.
fn outcomes(written: &Written, combination: Combination) -> (bool, bool) {
    let of = |operands: &[Written]| operands.iter().map(|operand| outcomes(operand, combination)).collect::<Vec<_>>();
    match written {
        Written::Person => (true, true),
        // Its other criteria may fail it, so it can always be false.
        Written::Payments(search) => (finds(search, combination), true),
        Written::All(operands) | Written::Some(operands) if operands.is_empty() => (true, true),
        Written::All(operands) => {
            let each = of(operands);
            (each.iter().all(|(yes, _)| *yes), each.iter().any(|(_, no)| *no))
        }
        Written::Some(operands) => {
            let each = of(operands);
            (each.iter().any(|(yes, _)| *yes), each.iter().all(|(_, no)| *no))
        }
        Written::Negated(operands) => {
            let each = of(operands);
            (each.iter().any(|(_, no)| *no), each.iter().any(|(yes, _)| *yes))
        }
    }
}

/// The same by brute force: every part that is open is set to true and to false in turn. Keeps [`outcomes`] honest.
pub fn can_be_true_by_trying(written: &Written) -> bool {
    let open = count(written);
    (0..1_u32 << open).any(|setting| evaluate(written, &mut (0..open).map(|bit| setting >> bit & 1 == 1)))
}

fn count(written: &Written) -> u32 {
    match written {
        Written::Person => 1,
        Written::Payments(_) => 1,
        Written::All(operands) | Written::Some(operands) if operands.is_empty() => 1,
        Written::All(operands) | Written::Some(operands) | Written::Negated(operands) => operands.iter().map(count).sum(),
    }
}

fn evaluate(written: &Written, setting: &mut impl Iterator<Item = bool>) -> bool {
    match written {
        Written::Person => setting.next().unwrap(),
        Written::Payments(search) => setting.next().unwrap() && finds(search, Combination::Any),
        Written::All(operands) | Written::Some(operands) if operands.is_empty() => setting.next().unwrap(),
        // No short cut: each part takes its own setting.
        Written::All(operands) => operands.iter().map(|operand| evaluate(operand, setting)).fold(true, |all, one| all & one),
        Written::Some(operands) => operands.iter().map(|operand| evaluate(operand, setting)).fold(false, |any, one| any | one),
        Written::Negated(operands) => !operands.iter().map(|operand| evaluate(operand, setting)).fold(true, |all, one| all & one),
    }
}

fn arity(written: &Written) -> bool {
    match written {
        Written::Negated(operands) => operands.len() == 1 && operands.iter().all(arity),
        Written::All(operands) | Written::Some(operands) => operands.iter().all(arity),
        Written::Person | Written::Payments(_) => true,
    }
}

/// AND(B(P), …): one person among the root's operands, nested ANDs opened, and none anywhere else.
fn bound_to_one_person(written: &Written) -> bool {
    let mut queue = vec![written];
    let mut top = Vec::new();
    while let Some(next) = queue.pop() {
        match next {
            Written::All(operands) => queue.extend(operands),
            other => top.push(other),
        }
    }
    let at_top = top.iter().filter(|operand| ***operand == Written::Person).count();
    at_top == 1 && persons(written) == 1
}

fn persons(written: &Written) -> usize {
    match written {
        Written::Person => 1,
        Written::Payments(_) => 0,
        Written::All(operands) | Written::Some(operands) | Written::Negated(operands) => operands.iter().map(persons).sum(),
    }
}

pub fn each_search<'w>(written: &'w Written, negated: bool, see: &mut impl FnMut(&'w [(Kind, Place)], bool)) {
    match written {
        Written::Payments(search) => see(search, negated),
        Written::Person => {}
        Written::Negated(operands) => operands.iter().for_each(|operand| each_search(operand, true, see)),
        Written::All(operands) | Written::Some(operands) => {
            operands.iter().for_each(|operand| each_search(operand, negated, see))
        }
    }
}

fn filled(written: &Written) -> Written {
    let each = |operands: &[Written]| operands.iter().map(filled).collect();
    match written {
        Written::All(operands) => Written::All(each(operands)),
        Written::Some(operands) => Written::Some(each(operands)),
        Written::Negated(operands) => Written::Negated(each(operands)),
        Written::Person => Written::Person,
        Written::Payments(_) => Written::Payments(vec![(Kind::Interval, Place::InW)]),
    }
}
