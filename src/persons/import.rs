//! Importing persons: each row against what is there, in the order of the rows, and all that changes in one transaction.
//!
//! The answers are those of the rows taken one by one, however many come at once; but that a person who stands twice in one request is
//! refused the second time. Nothing of another institution is looked at.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Remark, Status};
use super::codes::Code;
use super::content::Content;
use super::field::{Field, Need};
use super::judge::{self, Given, Judged, Whom};
use super::number::{self, PersonKeys, Pseudonym};
use super::outbox::{self, Handed};
use super::rows::{Employment, Key};
use super::scope::Scope;
use super::seen::Seen;
use super::{Row, erase, rows};
use crate::id::cpr::TestNumbers;
use crate::store::{Database, StoreError, Transaction, sql, until_it_holds};

/// The most persons of one call, and of one transaction.
pub const AT_ONCE: usize = 500;
/// The most persons of one file.
pub const MOST: u64 = 4_000_000;
/// Counters that are taken from the store at once. What a program does not use is nobody's.
const BLOCK: i64 = 4096;

/// Why nothing was imported. None holds anything of a person.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's persons are under another key.
    #[error(
        "the store's persons are under the key {store}, and this one is {own}: with it everybody would be created a second time; name the key that the store was begun with"
    )]
    OtherKey {
        /// The store's key.
        store: String,
        /// This one.
        own: String,
    },
    /// Those who were erased have not been erased again in a store that was put back.
    #[error(
        "the store was put back, and the persons that were erased since are not erased in it yet by what these audit logs say: {0}; a node reads its own within a minute of its start, and `hjemmel persons replay` reads one whose node does not start any more"
    )]
    NotErasedYet(String),
    /// More rows than a request or a file may have.
    #[error("there are more than {0} persons")]
    TooMany(u64),
    /// A file is taken in again, and a person was erased meanwhile.
    #[error("a person of the institution was erased since the file came")]
    Erased,
    /// The program ends.
    #[error("the program ends")]
    Ending,
}

/// Persons of a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Persons {
    database: Database,
    keys: Arc<PersonKeys>,
    node: Uuid,
    test_numbers: Option<TestNumbers>,
    /// Counters that are this program's, and that no transaction uses.
    counters: Arc<Mutex<Vec<Range<i64>>>>,
}

impl Persons {
    /// The persons of a store, under the installation's key. `node`: the name of the node's audit log, which is read after the
    /// store was put back ([`super::erase::replay`]).
    pub fn new(database: Database, keys: Arc<PersonKeys>, node: Uuid) -> Self {
        Self { database, keys, node, test_numbers: None, counters: Arc::default() }
    }

    /// The same in an environment in which only these may be imported.
    #[must_use]
    pub fn of_tests(self, test_numbers: Option<TestNumbers>) -> Self {
        Self { test_numbers, ..self }
    }

    /// The name of the node's audit log.
    pub fn node(&self) -> Uuid {
        self.node
    }

    pub(super) fn keys(&self) -> &PersonKeys {
        &self.keys
    }

    /// The store.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Begins a request: one call, or one file in as many batches as it takes. `at`: when it came.
    pub fn import(&self, scope: Scope, at: Timestamp) -> Import {
        Import { persons: self.clone(), scope: Arc::new(scope), at, again: None, seen: Seen::new(), rows: 0 }
    }

    /// Imports the persons of one call, [`AT_ONCE`] at most. An answer for each, in their order.
    ///
    /// # Errors
    /// [`ImportError`]; nothing was changed then.
    pub async fn import_all(&self, scope: Scope, rows: Vec<Row>, at: Timestamp) -> Result<Vec<Answer>, ImportError> {
        self.import(scope, at).batch(rows).await
    }

    /// Judges persons by themselves, as a batch begins, and asks no store: how many have an error. For whoever measures that alone.
    pub fn judge_alone(&self, scope: &Scope, rows: &mut [Row]) -> usize {
        rows.iter_mut().map(|row| usize::from(!judge::judge(row, scope, &self.keys, None, false).errors.is_empty())).sum()
    }

    /// Takes so many counters for one transaction, from the store where the program has none left.
    async fn reserve(&self, wanted: usize, at: Timestamp) -> Result<Reserved, ImportError> {
        let mut reserved = Reserved { counters: Vec::new(), kept: self.counters.clone() };
        {
            let mut kept = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
            while reserved.len() < wanted
                && let Some(range) = kept.pop()
            {
                reserved.counters.push(range);
            }
        }
        if reserved.len() < wanted {
            reserved.counters.push(self.counted(i64::try_from(wanted).unwrap_or(i64::MAX).max(BLOCK), at).await?);
        }
        Ok(reserved)
    }

    /// Counts the store's counter up by so many, which are then this program's.
    async fn counted(&self, size: i64, at: Timestamp) -> Result<Range<i64>, ImportError> {
        let take = sql("INSERT INTO person_counter (id, key_id, last) VALUES (1, $1, $2)
             ON CONFLICT (id) DO UPDATE SET last = CASE WHEN person_counter.last < $3 THEN $2 ELSE person_counter.last + $4 END
             RETURNING key_id, last");
        let floor = number::floor(at);
        let mut transaction = self.database.begin_beside_others().await?;
        let row = transaction.first(take.bind(self.keys.id()).bind(floor + size).bind(floor).bind(size)).await?;
        let row = row.ok_or(StoreError::Unreadable { column: "last" })?;
        let store: String = row.get("key_id")?;
        if store != self.keys.id() {
            return Err(ImportError::OtherKey { store, own: self.keys.id().to_owned() });
        }
        let last: i64 = row.get("last")?;
        transaction.commit().await?;
        Ok(last - size..last)
    }
}

/// Counters that one transaction may use. What it leaves is kept for the next.
struct Reserved {
    counters: Vec<Range<i64>>,
    kept: Arc<Mutex<Vec<Range<i64>>>>,
}

impl Reserved {
    fn len(&self) -> usize {
        self.counters.iter().map(|range| usize::try_from(range.end - range.start).unwrap_or_default()).sum()
    }

    fn next(&mut self) -> Option<u64> {
        let range = self.counters.last_mut()?;
        let next = range.next();
        if range.is_empty() {
            self.counters.pop();
        }
        next.and_then(|next| u64::try_from(next).ok())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let rest = self.counters.drain(..).filter(|range| !range.is_empty());
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(rest);
    }
}

/// One request under way.
pub struct Import {
    persons: Persons,
    scope: Arc<Scope>,
    at: Timestamp,
    again: Option<Timestamp>,
    seen: Seen,
    rows: u64,
}

impl Import {
    /// The same of a file that came at `came` and of which an attempt before may have imported some: whoever was erased since is not to come
    /// back, so that nobody of the institution is imported.
    #[must_use]
    pub fn again(self, came: Timestamp) -> Self {
        Self { again: Some(came), ..self }
    }

    /// Imports the next persons of the request, [`AT_ONCE`] at most. An answer for each, in their order. Where it fails it may be
    /// called with the same persons again.
    ///
    /// # Errors
    /// [`ImportError`]; nothing of this batch was changed then.
    pub async fn batch(&mut self, mut rows: Vec<Row>) -> Result<Vec<Answer>, ImportError> {
        if rows.len() > AT_ONCE {
            return Err(ImportError::TooMany(AT_ONCE as u64));
        }
        let all = self.rows + rows.len() as u64;
        if all > MOST {
            return Err(ImportError::TooMany(MOST));
        }
        let tests = self.persons.test_numbers.clone();
        let (scope, keys, late) = (self.scope.clone(), self.persons.keys.clone(), !self.scope.is_open(self.at));
        let judging =
            move || rows.iter_mut().map(|row| judge::judge(row, &scope, &keys, tests.as_ref(), late)).collect::<Vec<Judged>>();
        let mut judged = tokio::task::spawn_blocking(judging).await.map_err(|_| ImportError::Ending)?;
        let mut named = HashSet::new();
        for judged in &mut judged {
            if let Some(whom) = &judged.whom {
                let mark = self.seen.mark(whom);
                if self.seen.has(mark) || !named.insert(mark) {
                    judged.errors.push(Remark { field: "", code: Code::PER007 });
                }
            }
        }
        let answers = until_it_holds(|| self.once(&judged)).await?;
        named.into_iter().for_each(|mark| self.seen.add(mark));
        self.rows = all;
        Ok(answers)
    }

    async fn once(&self, judged: &[Judged]) -> Result<Vec<Answer>, ImportError> {
        let persons = &self.persons;
        let reserved = persons.reserve(judged.len(), self.at).await?;
        let mut transaction = persons.database.begin_beside_others().await?;
        let missing = erase::replay::missing(&mut transaction, persons.node).await?;
        if !missing.is_empty() {
            let logs: Vec<_> = missing.iter().map(ToString::to_string).collect();
            return Err(ImportError::NotErasedYet(logs.join(", ")));
        }
        let homes: BTreeSet<&str> =
            judged.iter().filter_map(|judged| judged.whom.as_ref()).map(|whom| whom.home.as_str()).collect();
        for home in homes {
            self.hold(&mut transaction, home).await?;
            if let Some(came) = self.again
                && erase::is_since(&mut transaction, home, came).await?
            {
                return Err(ImportError::Erased);
            }
        }
        let mut state = State::load(&mut transaction, judged).await?;
        let mut numbers = Numbers { keys: &persons.keys, reserved };
        let answers = judged.iter().map(|judged| state.take(judged, &mut numbers)).collect::<Option<Vec<_>>>();
        let answers = answers.ok_or(ImportError::TooMany(AT_ONCE as u64))?;
        state.keep(&mut transaction, self.at).await?;
        transaction.commit().await?;
        Ok(answers)
    }

    /// Holds an institution, so that two imports of it follow each other, and keeps its term.
    async fn hold(&self, transaction: &mut Transaction, home: &str) -> Result<(), StoreError> {
        let months = self.scope.erase_after_months.map(i64::from);
        let kept = rows::hold(transaction, home).await?;
        // One who does not say for how long leaves the term as it is.
        if kept.is_none() || months.is_some() && kept != Some(months) {
            let keep = sql("INSERT INTO person_institution (home, erase_after_months) VALUES ($1, $2)
                 ON CONFLICT (home) DO UPDATE SET erase_after_months = excluded.erase_after_months");
            transaction.execute(keep.bind(home).bind(months)).await?;
        }
        Ok(())
    }
}

/// The running numbers that one transaction may give.
struct Numbers<'k> {
    keys: &'k PersonKeys,
    reserved: Reserved,
}

impl Numbers<'_> {
    fn next(&mut self) -> Option<i64> {
        self.reserved.next().map(|counter| self.keys.number(counter))
    }
}

/// What is there of the persons that a batch names, and what becomes of it.
#[derive(Default)]
struct State {
    numbers: HashMap<Pseudonym, i64>,
    employments: HashMap<Key, Employment>,
    /// The employments of a person.
    of_person: HashMap<i64, Vec<String>>,
    /// Who has a user name, and who an address; of those that the batch names.
    user_names: Holders,
    emails: Holders,
    /// Who waits for a manager that is not there.
    waiting: HashMap<Pseudonym, Vec<Key>>,
    given: Vec<(Pseudonym, i64)>,
    changed: Vec<Key>,
}

#[derive(Default)]
struct Holders(HashMap<String, Vec<Key>>);

impl Holders {
    /// Whether somebody else has it.
    fn other_than(&self, home: &str, value: &str, own: Option<i64>) -> bool {
        let holders = self.0.get(&rows::held_as(home, value)).into_iter().flatten();
        holders.into_iter().any(|(number, _)| Some(*number) != own)
    }

    fn exchange(&mut self, home: &str, before: Option<&str>, after: Option<&str>, key: &Key) {
        if before == after {
            return;
        }
        if let Some(holders) = before.and_then(|before| self.0.get_mut(&rows::held_as(home, before))) {
            holders.retain(|holder| holder != key);
        }
        if let Some(after) = after {
            self.0.entry(rows::held_as(home, after)).or_default().push(key.clone());
        }
    }
}

impl State {
    async fn load(transaction: &mut Transaction, judged: &[Judged]) -> Result<Self, StoreError> {
        let mut state = Self::default();
        let known: Vec<(&Judged, &Whom)> = judged.iter().filter_map(|judged| Some((judged, judged.whom.as_ref()?))).collect();
        let people: BTreeSet<Pseudonym> = known.iter().map(|(_, whom)| whom.person).collect();
        for (person, key, employment) in rows::employments_of(transaction, &people).await? {
            state.numbers.insert(person, key.0);
            state.of_person.entry(key.0).or_default().push(key.1.clone());
            state.employments.insert(key, employment);
        }
        let managers = known.iter().filter_map(|(judged, _)| judged.manager.value().copied());
        let managers: BTreeSet<Pseudonym> = managers.filter(|manager| !people.contains(manager)).collect();
        state.numbers.extend(rows::numbers(transaction, &managers).await?);
        // Of managers who are named by a staff number too it is looked whether they have it.
        let named = known.iter().filter(|(judged, _)| judged.value(Field::LederMedarbejdernummer).is_some());
        let named = named.filter_map(|(judged, whom)| state.managed_by(judged, whom));
        let named: BTreeSet<i64> = named.filter(|number| !state.of_person.contains_key(number)).collect();
        for (key, employment) in rows::employments(transaction, &named).await? {
            state.of_person.entry(key.0).or_default().push(key.1.clone());
            state.employments.insert(key, employment);
        }
        state.user_names = state.holders(transaction, &known, Field::Brugernavn, rows::USER_NAME).await?;
        state.emails = state.holders(transaction, &known, Field::Email, rows::EMAIL).await?;
        let new: BTreeSet<Pseudonym> =
            known.iter().map(|(_, whom)| whom.person).filter(|person| !state.numbers.contains_key(person)).collect();
        for (manager, key, employment) in rows::waiting(transaction, &new).await? {
            state.waiting.entry(manager).or_default().push(key.clone());
            state.employments.entry(key).or_insert(employment);
        }
        Ok(state)
    }

    /// Who has the values that a batch names. One that only the person who names it has is left out.
    async fn holders(
        &self,
        transaction: &mut Transaction,
        known: &[(&Judged, &Whom)],
        field: Field,
        column: &'static str,
    ) -> Result<Holders, StoreError> {
        let mut named: HashMap<&str, (BTreeSet<String>, BTreeSet<String>)> = HashMap::new();
        for (judged, whom) in known {
            let Some(value) = judged.value(field).map(rows::folded) else { continue };
            let (own, others) = named.entry(&whom.home).or_default();
            if self.has(whom, field, &value) {
                own.insert(value)
            } else {
                others.insert(value)
            };
        }
        let mut holders = Holders::default();
        for (home, (own, mut others)) in named {
            others.extend(rows::shared(transaction, column, home, &own).await?);
            for (value, key) in rows::holders(transaction, column, home, &others).await? {
                holders.0.entry(rows::held_as(home, &value)).or_default().push(key);
            }
        }
        Ok(holders)
    }

    /// Whether the person whom a row names has this value in one of the employments.
    fn has(&self, whom: &Whom, field: Field, value: &str) -> bool {
        let Some(number) = self.numbers.get(&whom.person) else { return false };
        let staff = self.of_person.get(number).into_iter().flatten();
        let employments = staff.into_iter().filter_map(|staff| self.employments.get(&(*number, staff.clone())));
        employments.into_iter().any(|own| own.content.get(field).is_some_and(|own| rows::folded(own) == value))
    }

    /// The running number of a row's manager, as far as there is one yet.
    fn managed_by(&self, judged: &Judged, whom: &Whom) -> Option<i64> {
        let before = self.numbers.get(&whom.person).and_then(|number| self.employments.get(&(*number, whom.staff.clone())));
        self.manager(judged, before).0
    }

    /// Whether the manager whom a row names, if it names one who is there, has the staff number that it names.
    fn has_manager_with(&self, staff: &str, judged: &Judged, whom: &Whom, before: Option<&Employment>) -> bool {
        if judged.manager.value() == Some(&whom.person) && staff == whom.staff {
            return true;
        }
        match self.manager(judged, before) {
            (Some(number), _) => self.employments.contains_key(&(number, staff.to_owned())),
            // Who is waited for may have it.
            (None, Some(_)) => true,
            (None, None) => false,
        }
    }

    /// Takes a row; none where there is no running number left.
    fn take(&mut self, judged: &Judged, numbers: &mut Numbers<'_>) -> Option<Answer> {
        let mut answer = Answer {
            row: judged.row,
            status: Status::Refused,
            number: None,
            warnings: judged.warnings.clone(),
            errors: judged.errors.clone(),
        };
        match &judged.whom {
            Some(whom) => self.take_known(judged, whom, &mut answer, numbers)?,
            None => answer.errors.extend(emptied(judged, Code::PER009)),
        }
        let place = |remark: &Remark| Field::named(remark.field).map(Field::index);
        answer.errors.sort_by_key(place);
        answer.warnings.sort_by_key(place);
        Some(answer)
    }

    fn take_known(&mut self, judged: &Judged, whom: &Whom, answer: &mut Answer, numbers: &mut Numbers<'_>) -> Option<()> {
        let number = self.numbers.get(&whom.person).copied();
        let before = number.and_then(|number| self.employments.get(&(number, whom.staff.clone())));
        match before {
            Some(_) => answer.errors.extend(emptied(judged, Code::PER009)),
            None => answer.errors.extend(missing(judged)),
        }
        let user_name = judged.value(Field::Brugernavn).map(rows::folded);
        if user_name.is_some_and(|name| self.user_names.other_than(&whom.home, &name, number)) {
            answer.errors.push(Remark::of(Field::Brugernavn, Code::PER008));
        }
        let email = judged.value(Field::Email).map(rows::folded);
        if email.is_some_and(|email| self.emails.other_than(&whom.home, &email, number)) {
            answer.warnings.push(Remark::of(Field::Email, Code::PER102));
        }
        if before.is_none() && number.is_some_and(|number| self.of_person.get(&number).is_some_and(|others| !others.is_empty())) {
            answer.warnings.push(Remark::of(Field::Medarbejdernummer, Code::PER103));
        }
        let is_known = |manager: &Pseudonym| *manager == whom.person || self.numbers.contains_key(manager);
        if judged.manager.value().is_some_and(|manager| !is_known(manager)) {
            answer.warnings.push(Remark::of(Field::LederCPRnummer, Code::PER101));
        }
        let named = judged.value(Field::LederMedarbejdernummer);
        if named.is_some_and(|staff| !self.has_manager_with(staff, judged, whom, before)) {
            answer.warnings.push(Remark::of(Field::LederMedarbejdernummer, Code::PER106));
        }
        if !answer.errors.is_empty() {
            return Some(());
        }
        let (number, before) = match (number, before) {
            (Some(number), Some(before)) => {
                answer.number = Some(number);
                if !before.content.differs(judged) && self.manager(judged, Some(before)) == (before.manager, before.waits_for) {
                    answer.status = Status::Unchanged;
                    return Some(());
                }
                (number, Some(before.clone()))
            }
            (Some(number), None) => (number, None),
            (None, _) => (self.give(whom, numbers.next()?), None),
        };
        answer.number = Some(number);
        answer.status = if before.is_some() { Status::Updated } else { Status::Created };
        let mut after = before.clone().unwrap_or_else(|| Employment::new(&whom.home));
        after.content.merge(judged);
        (after.manager, after.waits_for) = self.manager(judged, before.as_ref());
        self.change((number, whom.staff.clone()), before, after);
        Some(())
    }

    /// The manager after a row: one who is there, or one who is waited for.
    fn manager(&self, judged: &Judged, before: Option<&Employment>) -> (Option<i64>, Option<Pseudonym>) {
        match &judged.manager {
            Given::Absent => before.map_or((None, None), |before| (before.manager, before.waits_for)),
            Given::Empty => (None, None),
            Given::Value(manager) => match self.numbers.get(manager) {
                Some(number) => (Some(*number), None),
                None => (None, Some(*manager)),
            },
        }
    }

    /// Gives a new person a running number, and tells those who waited for it as their manager.
    fn give(&mut self, whom: &Whom, number: i64) -> i64 {
        self.numbers.insert(whom.person, number);
        self.given.push((whom.person, number));
        for key in self.waiting.remove(&whom.person).unwrap_or_default() {
            if let Some(employment) = self.employments.get_mut(&key).filter(|waits| waits.waits_for == Some(whom.person)) {
                (employment.manager, employment.waits_for) = (Some(number), None);
                self.changed.push(key);
            }
        }
        number
    }

    fn change(&mut self, key: Key, before: Option<Employment>, after: Employment) {
        let value = |employment: &Employment, field| employment.content.get(field).map(rows::folded);
        for (holders, field) in [(&mut self.user_names, Field::Brugernavn), (&mut self.emails, Field::Email)] {
            let was = before.as_ref().and_then(|before| value(before, field));
            holders.exchange(&after.home, was.as_deref(), value(&after, field).as_deref(), &key);
        }
        if let Some(manager) = after.waits_for {
            self.waiting.entry(manager).or_default().push(key.clone());
        }
        if before.is_none() {
            self.of_person.entry(key.0).or_default().push(key.1.clone());
        }
        self.employments.insert(key.clone(), after);
        self.changed.push(key);
    }

    /// Writes what has changed, and what is to be handed on because of it.
    async fn keep(self, transaction: &mut Transaction, at: Timestamp) -> Result<(), StoreError> {
        rows::give(transaction, &self.given).await?;
        let mut written = HashSet::new();
        let changed: Vec<(&Key, &Employment)> = { &self.changed }
            .iter()
            .filter(|key| written.insert(*key))
            .filter_map(|key| Some((key, self.employments.get(key)?)))
            .collect();
        rows::keep(transaction, &changed).await?;
        let handed: Vec<Handed> = changed.iter().map(|(key, employment)| employment.handed(key)).collect();
        outbox::put(transaction, &handed, at).await
    }
}

/// Fields of which something must be there when a person is new, and nothing is.
fn missing(judged: &Judged) -> Vec<Remark> {
    let is_wrong = |field: &Field| judged.errors.iter().any(|remark| remark.field == field.name());
    let fields = Field::ALL.into_iter().filter(|field| field.spec().need == Need::Creation);
    fields
        .filter(|field| judged.value(*field).is_none() && !is_wrong(field))
        .map(|field| Remark::of(field, Code::PER002))
        .collect()
}

/// Fields that are given empty and may not be.
fn emptied(judged: &Judged, code: Code) -> Vec<Remark> {
    let empty = |field: &Field| judged.values.get(field.index()) == Some(&Given::Empty);
    let fields = Field::ALL.into_iter().filter(|field| !field.clearable());
    fields.filter(empty).map(|field| Remark::of(field, code.clone())).collect()
}

impl Employment {
    fn new(home: &str) -> Self {
        Self { home: home.to_owned(), manager: None, waits_for: None, content: Content::default() }
    }
}
