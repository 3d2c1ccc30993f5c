//! Every expression up to a size, over a small alphabet of searches, against the second opinion in `reference`.
//!
//! Size counts operators and searches. The ordinary run takes every expression of up to 4 by the algebra alone, and the
//! same through XML from end to end with 3 parts beside the person; `HJEMMEL_EXHAUSTIVE=5` takes one more of each. From 6 on
//! operands are taken in one order only: the runs before have tried every order.

use hjemmel::services::terminaladgang::law::algebra::{Date, Effectuation, Tree, Verdict};
use hjemmel::services::terminaladgang::law::request::Outcome;

use super::reference::{self, Expected, Kind, Place, Written, expected};
use crate::request::*;

fn size() -> usize {
    std::env::var("HJEMMEL_EXHAUSTIVE").ok().and_then(|size| size.parse().ok()).unwrap_or(4)
}

/// The alphabet: the person, and searches that differ in what their repeatable places say.
fn alphabet() -> Vec<Written> {
    use Kind::{Interval, Point};
    use Place::{BeyondW, InW, Silent};
    let searches = [
        vec![],
        vec![(Interval, InW)],
        vec![(Interval, BeyondW)],
        vec![(Interval, Silent)],
        vec![(Point, InW)],
        vec![(Point, Silent)],
        vec![(Point, BeyondW)],
        vec![(Interval, InW), (Interval, Silent)],
        vec![(Interval, Silent), (Interval, Silent)],
        vec![(Interval, InW), (Interval, InW)],
        vec![(Interval, InW), (Interval, BeyondW)],
        vec![(Point, Silent), (Interval, InW)],
        vec![(Point, InW), (Interval, InW)],
    ];
    std::iter::once(Written::Person).chain(searches.into_iter().map(Written::Payments)).collect()
}

/// Up to this size, operands are taken in every order.
const EVERY_ORDER: usize = 5;

/// Every row of operands of each size below `greatest`; the greatest are made one by one, for there are millions.
struct Forest {
    greatest: usize,
    rows: Vec<Vec<Vec<Written>>>,
}

impl Forest {
    fn grow(greatest: usize) -> Self {
        let mut forest = Self { greatest, rows: vec![vec![vec![]]] };
        for size in 1..greatest {
            let rows = forest.rows_of(size).collect();
            forest.rows.push(rows);
        }
        forest
    }

    fn trees_of(&self, size: usize) -> impl Iterator<Item = Written> {
        let leaves = if size == 1 { alphabet() } else { Vec::new() };
        let operators = [Written::All, Written::Some, Written::Negated];
        leaves.into_iter().chain(self.rows[size - 1].iter().flat_map(move |row| operators.map(|operator| operator(row.clone()))))
    }

    fn rows_of(&self, size: usize) -> impl Iterator<Item = Vec<Written>> {
        (1..=size).flat_map(move |first| {
            self.trees_of(first).flat_map(move |tree| {
                let rows = self.rows[size - first].iter();
                rows.filter_map(move |row| {
                    let taken = self.greatest <= EVERY_ORDER || row.first().is_none_or(|next| tree <= *next);
                    taken.then(|| [std::slice::from_ref(&tree), row].concat())
                })
            })
        })
    }

    /// Every expression up to the greatest size.
    fn trees(&self) -> impl Iterator<Item = Written> {
        (1..=self.greatest).flat_map(|size| self.trees_of(size))
    }

    /// The person beside every row up to the greatest size: what nearly every honest call looks like.
    fn beside_the_person(&self) -> impl Iterator<Item = Written> {
        (1..=self.greatest)
            .flat_map(|size| self.rows_of(size))
            .map(|row| Written::All([&[Written::Person], row.as_slice()].concat()))
    }
}

/// The checker's own tree; `None` where a NOT has not one operand, which never becomes a tree.
fn tree(written: &Written) -> Option<Tree> {
    let all = |operands: &[Written]| operands.iter().map(tree).collect::<Option<Vec<_>>>();
    let date = |place: &Place| match place {
        Place::Silent => Date::Absent,
        Place::InW => Date::Inside,
        Place::BeyondW => Date::Outside,
    };
    Some(match written {
        Written::All(operands) => Tree::And(all(operands)?),
        Written::Some(operands) => Tree::Or(all(operands)?),
        Written::Negated(operands) => match operands.as_slice() {
            [operand] => Tree::Not(Box::new(tree(operand)?)),
            _ => return None,
        },
        Written::Person => Tree::Grant,
        Written::Payments(search) => {
            let of = |kind| search.iter().filter(move |(this, _)| *this == kind).map(|(_, place)| date(place)).collect();
            Tree::Effectuation(Effectuation { properties: of(Kind::Point), extensions: of(Kind::Interval) })
        }
    })
}

/// The expression as a request; the root is a SoegUdtryk whatever the expression is, as the schema has it.
pub fn xml(written: &Written) -> String {
    let row = |operands: &[Written]| operands.iter().map(xml).collect::<String>();
    match written {
        Written::All(operands) => and(&[&row(operands)]),
        Written::Some(operands) => or(&[&row(operands)]),
        Written::Negated(operands) => not(&[&row(operands)]),
        Written::Person => person(),
        Written::Payments(search) => {
            let of = |kind| search.iter().filter(move |(this, _)| *this == kind);
            let points = of(Kind::Point).map(|(_, place)| match place {
                Place::Silent => properties(""),
                Place::InW => properties(&point("2026-10-01T00:00:00")),
                Place::BeyondW => properties(&point("2026-12-01T00:00:00+01:00")),
            });
            let intervals: Vec<String> = of(Kind::Interval)
                .map(|(_, place)| match place {
                    Place::Silent => String::new(),
                    Place::InW => interval(FROM, TO),
                    Place::BeyondW => interval("2026-07-31T23:59:59+02:00", TO),
                })
                .collect();
            let list = if intervals.is_empty() {
                String::new()
            } else {
                extensions(&intervals.iter().map(String::as_str).collect::<Vec<_>>())
            };
            effectuation(&[points.collect::<String>(), list].concat(), "")
        }
    }
}

fn judged(written: &Written) -> Expected {
    let Some(tree) = tree(written) else { return Expected::Refused };
    if tree.bound().is_err() {
        return Expected::Refused;
    }
    match tree.judge() {
        Verdict::Keep => Expected::Unchanged,
        Verdict::Insert { add } => Expected::Inserted { added: usize::from(add) },
        Verdict::Outside(_) | Verdict::Open(_) | Verdict::Apart(_) => Expected::Refused,
    }
}

#[track_caller]
fn agree_end_to_end(written: &Written, rules: &hjemmel::services::terminaladgang::law::rules::RequestRules) -> bool {
    let root = match written {
        Written::All(_) | Written::Some(_) => xml(written),
        other => expression("", &[&xml(other)]),
    };
    let searches = |text: &str| text.matches("<yi:SoegOekonomiskEffektueringIndeks>").count();
    let asked = search(&root);
    let answer = ask_with(&asked, rules, &hjemmel::services::terminaladgang::law::kle::Constraint::unconstrained());
    let became = match &answer {
        Ok(search) => {
            let added = searches(forwarded(search)) - searches(&asked);
            match search.outcome() {
                Outcome::Unchanged => Expected::Unchanged,
                Outcome::Inserted => Expected::Inserted { added },
                Outcome::Narrowed => panic!("nothing is narrowed unless the policy says so"),
            }
        }
        Err(_) => Expected::Refused,
    };
    assert_eq!(became, expected(written), "{written:?}: {answer:?}");
    if let Ok(search) = answer {
        let again =
            ask_with(forwarded(&search), rules, &hjemmel::services::terminaladgang::law::kle::Constraint::unconstrained())
                .unwrap();
        assert_eq!(again.outcome(), Outcome::Unchanged, "{written:?}: what is sent is delimited everywhere");
        assert_eq!(forwarded(&again), forwarded(&search), "{written:?}: what is sent is what is read again");
    }
    became != Expected::Refused
}

#[test]
fn no_accepted_expression_returns_a_payment_without_a_date_in_w_and_none_is_refused_needlessly() {
    let forest = Forest::grow(size());
    let (mut seen, mut accepted) = (0_usize, 0_usize);
    for written in forest.trees().chain(forest.beside_the_person()) {
        let says = judged(&written);
        assert_eq!(says, expected(&written), "{written:?}");
        seen += 1;
        accepted += usize::from(says != Expected::Refused);
    }
    println!("{seen} expressions, {accepted} accepted");
    assert!(accepted > 100, "the alphabet reaches both answers");
}

#[test]
fn end_to_end_through_xml_the_answer_is_the_same() {
    let forest = Forest::grow(size() - 1);
    let rules = rules("");
    let (mut seen, mut accepted) = (0_usize, 0_usize);
    for written in forest.trees().chain(forest.beside_the_person()) {
        seen += 1;
        accepted += usize::from(agree_end_to_end(&written, &rules));
    }
    println!("{seen} requests, {accepted} accepted");
    assert!(accepted > 20, "the alphabet reaches both answers");
}

#[test]
fn the_second_opinion_agrees_with_trying_every_possibility() {
    for written in Forest::grow(size() - 1).trees() {
        let (mut plain, mut closed) = (true, true);
        reference::each_search(&written, false, &mut |search, _| {
            plain &= search.len() <= 1;
            closed &= matches!(search, [(_, Place::InW)]);
        });
        // With one place in a search, all and any mean the same.
        let Some(tree) = tree(&written).filter(|_| plain) else { continue };
        assert_eq!(tree.forced_when_true(), !reference::can_be_true_by_trying(&written), "{written:?}");
        assert_eq!(tree.forced_when_true() && closed, reference::holds(&written), "{written:?}");
    }
}
