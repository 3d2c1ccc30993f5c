//! Searches for real: evaluates the boolean tree over grants and effectuations.
//!
//! How the real index joins the two is not public. The stub can do it in two ways, so that a gateway's checks are seen to
//! hold under both:
//!
//! - [`Join::Pointwise`] judges pairs. A grant and an effectuation are a pair where a line of the effectuation refers to
//!   the grant, or, where no line refers to any grant that exists, the payee is a grantee. The whole tree is evaluated
//!   on the pair; both its objects are hits where it is true. An object without a partner is judged alone, and leaves
//!   about its missing partner are false.
//! - [`Join::Leafwise`] judges persons. The objects of a person are the grants given to them, the effectuations paired
//!   with those, and also whatever is paid to them, on anybody's grant. Each leaf is a search of its own among these
//!   objects; AND needs hits from each operand, OR from any, NOT from none; hits are what the leaves outside a NOT
//!   found. So `AND(E(in August), E(folkepension))` also finds the pension of June. The grants that a hit refers to
//!   come along.
//!
//! An effectuation is a hit whole, with all its registrations, where one registration fulfils a leaf.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::request::{DateTest, EffectuationCriteria, Expression, GrantCriteria, Page, Search};
use crate::stub::population::{Effectuation, Grant, Population, Registration};

/// How grants and effectuations are joined; see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Join {
    /// The tree is evaluated on each pair of a grant and an effectuation.
    #[default]
    Pointwise,
    /// Each leaf is a search of its own among a person's objects.
    Leafwise,
}

/// A population, made ready for searching.
#[derive(Debug, Clone)]
pub struct Index {
    population: Arc<Population>,
    /// Grants by grantee.
    granted: HashMap<String, Vec<usize>>,
    /// Effectuations by payee.
    paid: HashMap<String, Vec<usize>>,
    /// Effectuations by grant.
    paired: Vec<Vec<usize>>,
    /// Effectuations that are paired with no grant.
    lonely: Vec<usize>,
    by_uuid: HashMap<Uuid, usize>,
}

/// What a search found: places in the population's lists, sorted and cut to the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Grants on the page.
    pub grants: Vec<usize>,
    /// Effectuations on the page.
    pub effectuations: Vec<usize>,
    /// How many grants were found before the page was cut.
    pub all_grants: usize,
    /// How many effectuations were found before the page was cut.
    pub all_effectuations: usize,
    /// How many benefit lines those effectuations have.
    pub all_lines: usize,
    /// The page asked for of grants.
    pub grant_page: Page,
    /// The page asked for of effectuations.
    pub effectuation_page: Page,
}

#[derive(Default, Clone)]
struct Hits {
    grants: BTreeSet<usize>,
    effectuations: BTreeSet<usize>,
}

impl Index {
    /// Makes a population ready.
    pub fn new(population: Arc<Population>) -> Self {
        let mut index = Self {
            granted: HashMap::new(),
            paid: HashMap::new(),
            paired: vec![Vec::new(); population.grants.len()],
            lonely: Vec::new(),
            by_uuid: population.grants.iter().enumerate().map(|(n, grant)| (grant.uuid, n)).collect(),
            population: Arc::clone(&population),
        };
        for (n, grant) in population.grants.iter().enumerate() {
            for grantee in &grant.grantees {
                index.granted.entry(grantee.clone()).or_default().push(n);
            }
        }
        for (n, effectuation) in population.effectuations.iter().enumerate() {
            let payees: BTreeSet<&String> = effectuation.registrations.iter().flat_map(|r| &r.payees).collect();
            let mut partners = index.referred(effectuation);
            if partners.is_empty() {
                partners = payees.iter().filter_map(|cpr| index.granted.get(*cpr)).flatten().copied().collect();
            }
            if partners.is_empty() {
                index.lonely.push(n);
            }
            for partner in partners {
                if let Some(pairs) = index.paired.get_mut(partner) {
                    pairs.push(n);
                }
            }
            for payee in payees {
                index.paid.entry(payee.clone()).or_default().push(n);
            }
        }
        index
    }

    /// The population behind it.
    pub fn population(&self) -> &Arc<Population> {
        &self.population
    }

    /// The grants that an effectuation's lines refer to.
    fn referred(&self, effectuation: &Effectuation) -> BTreeSet<usize> {
        let lines = effectuation.registrations.iter().flat_map(|registration| &registration.lines);
        lines.filter_map(|line| self.by_uuid.get(&line.grant.as_ref()?.0)).copied().collect()
    }

    /// Carries out a search.
    pub fn search(&self, search: &Search, join: Join) -> Found {
        let hits = match join {
            Join::Pointwise => self.pointwise(&search.root),
            Join::Leafwise => self.leafwise(&search.root),
        };
        let named = |wanted: &[String], uuid: Uuid| {
            wanted.is_empty() || wanted.iter().any(|named| named.eq_ignore_ascii_case(&uuid.to_string()))
        };
        let mut found = Found::default();
        let grants = hits.grants.iter().copied();
        found.grants = grants.filter(|n| self.grant(*n).is_some_and(|g| named(&search.grants, g.uuid))).collect();
        let effectuations = hits.effectuations.iter().copied();
        found.effectuations =
            effectuations.filter(|n| self.effectuation(*n).is_some_and(|e| named(&search.effectuations, e.uuid))).collect();
        // Stable sorts, the least important key first.
        for sorting in search.sorting.iter().rev() {
            match sorting.key.as_str() {
                "Dispositionsdato" => {
                    found.effectuations.sort_by_key(|n| self.effectuation(*n).and_then(first_date));
                    reverse_if(sorting.down, &mut found.effectuations);
                }
                key => {
                    let name = |n: &usize| self.grant(*n).map(|grant| sort_name(grant, key).to_owned());
                    found.grants.sort_by_key(name);
                    reverse_if(sorting.down, &mut found.grants);
                }
            }
        }
        found.all_grants = found.grants.len();
        found.all_effectuations = found.effectuations.len();
        found.all_lines = found
            .effectuations
            .iter()
            .filter_map(|n| self.effectuation(*n))
            .flat_map(|effectuation| &effectuation.registrations)
            .map(|registration| registration.lines.len())
            .sum();
        pages(&search.root, &mut found);
        cut(&mut found.grants, found.grant_page);
        cut(&mut found.effectuations, found.effectuation_page);
        found
    }

    fn grant(&self, n: usize) -> Option<&Grant> {
        self.population.grants.get(n)
    }

    fn effectuation(&self, n: usize) -> Option<&Effectuation> {
        self.population.effectuations.get(n)
    }

    fn pointwise(&self, root: &Expression) -> Hits {
        let mut hits = Hits::default();
        let bound = bound_to(root);
        let candidates: Vec<usize> = match bound {
            Some(person) => self.granted.get(person).cloned().unwrap_or_default(),
            None => (0..self.population.grants.len()).collect(),
        };
        for n in candidates {
            let grant = self.grant(n);
            let pairs = self.paired.get(n).map_or(&[][..], |pairs| pairs);
            if pairs.is_empty() && holds(root, grant, None) {
                hits.grants.insert(n);
            }
            for pair in pairs {
                if holds(root, grant, self.effectuation(*pair)) {
                    hits.grants.insert(n);
                    hits.effectuations.insert(*pair);
                }
            }
        }
        if bound.is_none() {
            let lonely = self.lonely.iter().copied();
            hits.effectuations.extend(lonely.filter(|n| holds(root, None, self.effectuation(*n))));
        }
        hits
    }

    fn leafwise(&self, root: &Expression) -> Hits {
        let persons: Vec<&str> = match bound_to(root) {
            Some(person) => vec![person],
            None => self.population.persons.iter().map(|person| person.cpr.as_str()).collect(),
        };
        let mut all = Hits::default();
        for person in persons {
            let mut own = Hits::default();
            own.grants.extend(self.granted.get(person).into_iter().flatten());
            own.effectuations.extend(own.grants.iter().filter_map(|n| self.paired.get(*n)).flatten());
            own.effectuations.extend(self.paid.get(person).into_iter().flatten());
            if let Some(hits) = self.leaves(root, &own) {
                all.grants.extend(hits.grants);
                all.effectuations.extend(hits.effectuations);
            }
        }
        let referred = all.effectuations.iter().filter_map(|n| self.effectuation(*n)).flat_map(|e| self.referred(e));
        all.grants.extend(referred.collect::<Vec<_>>());
        all
    }

    /// What an expression finds among the objects of a person; `None` where it is not fulfilled.
    fn leaves(&self, expression: &Expression, own: &Hits) -> Option<Hits> {
        let mut hits = Hits::default();
        let mut add = |found: Hits| {
            hits.grants.extend(found.grants);
            hits.effectuations.extend(found.effectuations);
        };
        let fulfilled = match expression {
            Expression::And(parts) => parts.iter().all(|part| self.leaves(part, own).map(&mut add).is_some()),
            Expression::Or(parts) => parts.iter().filter_map(|part| self.leaves(part, own)).map(&mut add).count() > 0,
            Expression::Not(part) => self.leaves(part, own).is_none(),
            Expression::Grant(criteria) => {
                let found = own.grants.iter().copied();
                hits.grants = found.filter(|n| self.grant(*n).is_some_and(|g| grant_fits(criteria, g))).collect();
                !hits.grants.is_empty()
            }
            Expression::Effectuation(criteria) => {
                let found = own.effectuations.iter().copied();
                hits.effectuations =
                    found.filter(|n| self.effectuation(*n).is_some_and(|e| effectuation_fits(criteria, e))).collect();
                !hits.effectuations.is_empty()
            }
        };
        fulfilled.then_some(hits)
    }
}

/// The person that a search is bound to: a shortcut, so that not everybody is looked at.
fn bound_to(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::And(parts) => parts.iter().find_map(bound_to),
        Expression::Grant(criteria) => criteria.grantees.first().map(String::as_str),
        _ => None,
    }
}

fn holds(expression: &Expression, grant: Option<&Grant>, effectuation: Option<&Effectuation>) -> bool {
    match expression {
        Expression::And(parts) => parts.iter().all(|part| holds(part, grant, effectuation)),
        Expression::Or(parts) => parts.iter().any(|part| holds(part, grant, effectuation)),
        Expression::Not(part) => !holds(part, grant, effectuation),
        Expression::Grant(criteria) => grant.is_some_and(|grant| grant_fits(criteria, grant)),
        Expression::Effectuation(criteria) => effectuation.is_some_and(|effectuation| effectuation_fits(criteria, effectuation)),
    }
}

fn grant_fits(criteria: &GrantCriteria, grant: &Grant) -> bool {
    !criteria.impossible
        && criteria.grantees.iter().all(|cpr| grant.grantees.contains(cpr))
        && criteria.owners.iter().all(|cvr| grant.owner == *cvr)
        && criteria.sensitivities.iter().all(|sensitivity| grant.sensitivity == sensitivity)
}

fn effectuation_fits(criteria: &EffectuationCriteria, effectuation: &Effectuation) -> bool {
    !criteria.impossible && effectuation.registrations.iter().any(|registration| registration_fits(criteria, registration))
}

fn registration_fits(criteria: &EffectuationCriteria, registration: &Registration) -> bool {
    let date = |test: &DateTest| {
        registration.properties.iter().filter_map(|properties| properties.disposition.as_ref()).any(|date| match test {
            DateTest::At(instant) => date.instant() == *instant,
            DateTest::Within(from, to) => {
                from.is_none_or(|from| from <= date.instant()) && to.is_none_or(|to| date.instant() < to)
            }
        })
    };
    let kle = |kle: &String| registration.lines.iter().any(|line| line.kle.as_ref() == Some(kle));
    let class = |class: &String| {
        let has = |uuid: Uuid| uuid.to_string().eq_ignore_ascii_case(class);
        registration.lines.iter().any(|line| line.class.is_some_and(has))
    };
    criteria.dates.iter().all(date)
        && criteria.kle.iter().all(kle)
        && criteria.classes.iter().all(class)
        && criteria.owners.iter().all(|cvr| registration.owners.iter().flatten().any(|owner| owner == cvr))
        && criteria.payees.iter().all(|cpr| registration.payees.contains(cpr))
}

fn first_date(effectuation: &Effectuation) -> Option<jiff::Timestamp> {
    let mut properties = effectuation.registrations.iter().flat_map(|registration| &registration.properties);
    properties.find_map(|properties| properties.disposition.as_ref()).map(|date| date.instant())
}

fn sort_name<'g>(grant: &'g Grant, key: &str) -> &'g str {
    match key {
        "FuldtNavn" => &grant.name,
        _ => grant.benefits.first().map_or("", |(_, benefit)| benefit.name),
    }
}

fn reverse_if(down: bool, list: &mut [usize]) {
    if down {
        list.reverse();
    }
}

/// Paging stands on each search element; the first of each kind decides.
fn pages(root: &Expression, found: &mut Found) {
    let plain = Page::default();
    match root {
        Expression::And(parts) | Expression::Or(parts) => parts.iter().for_each(|part| pages(part, found)),
        Expression::Not(part) => pages(part, found),
        Expression::Grant(criteria) if found.grant_page == plain => found.grant_page = criteria.page,
        Expression::Effectuation(criteria) if found.effectuation_page == plain => found.effectuation_page = criteria.page,
        _ => {}
    }
}

fn cut(list: &mut Vec<usize>, page: Page) {
    *list = list.iter().copied().skip(page.first).take(page.most.unwrap_or(usize::MAX)).collect();
}
