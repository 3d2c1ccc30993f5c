//! The rows of persons in the store: many are read and written with one statement.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::content::Content;
use super::field::Field;
use super::judge::day;
use super::number::Pseudonym;
use super::outbox::Handed;
use crate::store::value::{Value, assembled_for};
use crate::store::{Query, Row, Session, StoreError, Transaction, by_dialect};

/// An employment: the person's running number, and the staff number.
pub(super) type Key = (i64, String);

/// An employment as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Employment {
    /// Its institution: CVR/InstitutionsID1.
    pub(super) home: String,
    /// The manager's running number.
    pub(super) manager: Option<i64>,
    /// A manager that is not there yet.
    pub(super) waits_for: Option<Pseudonym>,
    pub(super) content: Content,
}

/// A column by which who has a value is found.
pub(super) const USER_NAME: &str = "user_key";
pub(super) const EMAIL: &str = "email_key";

/// A user name or address as it is compared: upper and lower case are one.
pub(super) fn folded(value: &str) -> String {
    value.to_lowercase()
}

/// A value of an institution.
pub(super) fn held_as(home: &str, value: &str) -> String {
    format!("{home}\n{value}")
}

impl Employment {
    /// As it is handed on.
    pub(super) fn handed(&self, key: &Key) -> Handed {
        let text = |field| self.content.owned(field);
        let day = |field| day(self.content.get(field));
        let (authority, institution) = self.home.split_once('/').unwrap_or_default();
        Handed {
            number: key.0,
            authority: authority.to_owned(),
            institution: institution.to_owned(),
            staff_number: key.1.clone(),
            department: text(Field::InstitutionsID2).unwrap_or_default(),
            municipality: text(Field::Kommunekode),
            sex: text(Field::Koen),
            first_names: text(Field::Fornavne),
            surname: text(Field::Efternavn),
            email: text(Field::Email),
            user_name: text(Field::Brugernavn),
            birth_date: day(Field::Foedselsdato),
            collective_agreement: text(Field::Overenskomstnummer),
            pay_frame: text(Field::Loenramme),
            position: text(Field::Stillingskode),
            inactive_from: day(Field::Aktionskodedato),
            employed_from: day(Field::Ansaettelsesdato),
            class: text(Field::Klasse),
            job: text(Field::Job),
            job_title: text(Field::Stillingsbetegnelse),
            phone: text(Field::Telefon),
            manager: self.manager,
            manager_staff_number: text(Field::LederMedarbejdernummer),
            ean: text(Field::EAN),
            nationality: text(Field::Nationalitet),
        }
    }
}

const EMPLOYMENT: &str = "SELECT number, staff, home, manager, manager_waits, content FROM person WHERE ";

fn read(row: &Row) -> Result<(Key, Employment), StoreError> {
    let content: String = row.get("content")?;
    let waits_for = row.maybe::<Vec<u8>>("manager_waits")?;
    let waits_for =
        waits_for.map(|bytes| Pseudonym::from_bytes(&bytes).ok_or(StoreError::Unreadable { column: "manager_waits" }));
    let employment = Employment {
        home: row.get("home")?,
        manager: row.maybe("manager")?,
        waits_for: waits_for.transpose()?,
        content: Content::read(&content).ok_or(StoreError::Unreadable { column: "content" })?,
    };
    Ok(((row.get("number")?, row.get("staff")?), employment))
}

/// Sizes of which statements are made, so that the database keeps few of them ready.
const SIZES: [usize; 5] = [500, 100, 20, 5, 1];

/// Asks for the rows in whose column one of `values` stands, in as few statements as it takes. `first`: what is bound before them.
async fn among(session: &mut Session, head: &str, first: Option<&str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    among_grouped(session, head, "", first, values).await
}

/// The same, with what a statement says behind the values.
async fn among_grouped(
    session: &mut Session,
    head: &str,
    tail: &str,
    first: Option<&str>,
    values: Vec<Value>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    let mut rest = values.as_slice();
    while let Some(last) = rest.last() {
        // The next larger size, filled up with the last value: asked for twice, it is found once.
        let size = SIZES.into_iter().rev().find(|size| *size >= rest.len()).unwrap_or(500);
        let (now, later) = rest.split_at(size.min(rest.len()));
        let filled = now.iter().chain(std::iter::repeat_n(last, size - now.len()));
        let from = usize::from(first.is_some()) + 1;
        let mut text = format!("{head} IN (");
        for at in from..from + size {
            let _ = write!(text, "{}${at}", if at == from { "" } else { ", " });
        }
        text.push(')');
        text.push_str(tail);
        let query = assembled_for(text.clone(), text);
        let query = first.into_iter().fold(query, |query, first| query.bind(first));
        found.extend(session.all(filled.fold(query, |query, value| query.bind(value.clone()))).await?);
        rest = later;
    }
    Ok(found)
}

fn pseudonyms(people: &BTreeSet<Pseudonym>) -> Vec<Value> {
    people.iter().map(|person| Value::from(person.as_bytes())).collect()
}

/// The running numbers of those who have one.
pub(super) async fn numbers(session: &mut Session, people: &BTreeSet<Pseudonym>) -> Result<HashMap<Pseudonym, i64>, StoreError> {
    let rows = among(session, "SELECT pseudonym, number FROM person_number WHERE pseudonym", None, pseudonyms(people)).await?;
    rows.iter().map(|row| Ok((pseudonym(row)?, row.get("number")?))).collect()
}

fn pseudonym(row: &Row) -> Result<Pseudonym, StoreError> {
    let bytes: Vec<u8> = row.get("pseudonym")?;
    Pseudonym::from_bytes(&bytes).ok_or(StoreError::Unreadable { column: "pseudonym" })
}

/// Every employment of these persons, who are known by their pseudonyms.
pub(super) async fn employments_of(
    session: &mut Session,
    people: &BTreeSet<Pseudonym>,
) -> Result<Vec<(Pseudonym, Key, Employment)>, StoreError> {
    let head = "SELECT pseudonym, person.number AS number, staff, home, manager, manager_waits, content
                FROM person_number JOIN person ON person.number = person_number.number WHERE pseudonym";
    let rows = among(session, head, None, pseudonyms(people)).await?;
    let of = |row: &Row| {
        let (key, employment) = read(row)?;
        Ok((pseudonym(row)?, key, employment))
    };
    rows.iter().map(of).collect()
}

/// Every employment of these persons.
pub(super) async fn employments(session: &mut Session, numbers: &BTreeSet<i64>) -> Result<Vec<(Key, Employment)>, StoreError> {
    of_numbers(session, &format!("{EMPLOYMENT}number"), numbers).await?.iter().map(read).collect()
}

/// Every employment whose manager one of these persons is.
pub(super) async fn managed(session: &mut Session, numbers: &BTreeSet<i64>) -> Result<Vec<(Key, Employment)>, StoreError> {
    of_numbers(session, &format!("{EMPLOYMENT}manager"), numbers).await?.iter().map(read).collect()
}

/// What a statement that ends in a column `number` says of these persons.
pub(super) async fn of_numbers(session: &mut Session, head: &str, numbers: &BTreeSet<i64>) -> Result<Vec<Row>, StoreError> {
    among(session, head, None, numbers.iter().map(|number| Value::from(*number)).collect()).await
}

/// Holds an institution until the transaction ends, and gives the term that is kept with it. SQLite has one writer anyhow.
pub(super) async fn hold(transaction: &mut Transaction, home: &str) -> Result<Option<Option<i64>>, StoreError> {
    let look = by_dialect(
        "SELECT erase_after_months FROM person_institution WHERE home = $1",
        "SELECT erase_after_months FROM person_institution WHERE home = $1 FOR UPDATE",
    );
    let found = transaction.first(look.bind(home)).await?;
    found.map(|row| row.maybe::<i64>("erase_after_months")).transpose()
}

/// Who waits for one of these as a manager.
pub(super) async fn waiting(
    session: &mut Session,
    people: &BTreeSet<Pseudonym>,
) -> Result<Vec<(Pseudonym, Key, Employment)>, StoreError> {
    let head = format!("{EMPLOYMENT}manager_waits");
    let rows = among(session, &head, None, pseudonyms(people)).await?;
    let mut waiting = Vec::new();
    for row in &rows {
        let (key, employment) = read(row)?;
        waiting.extend(employment.waits_for.map(|manager| (manager, key, employment)));
    }
    Ok(waiting)
}

/// Who has one of these values in an institution.
pub(super) async fn holders(
    session: &mut Session,
    column: &'static str,
    home: &str,
    values: &BTreeSet<String>,
) -> Result<Vec<(String, Key)>, StoreError> {
    let head = format!("SELECT {column} AS held, number, staff FROM person WHERE home = $1 AND {column}");
    let values = values.iter().map(Value::from).collect();
    let rows = among(session, &head, Some(home), values).await?;
    rows.iter().map(|row| Ok((row.get("held")?, (row.get("number")?, row.get("staff")?)))).collect()
}

/// Which of these values several persons of an institution have.
pub(super) async fn shared(
    session: &mut Session,
    column: &'static str,
    home: &str,
    values: &BTreeSet<String>,
) -> Result<Vec<String>, StoreError> {
    let head = format!("SELECT {column} AS held FROM person WHERE home = $1 AND {column}");
    let tail = format!(" GROUP BY {column} HAVING min(number) < max(number)");
    let rows = among_grouped(session, &head, &tail, Some(home), values.iter().map(Value::from).collect()).await?;
    rows.iter().map(|row| row.get("held")).collect()
}

/// Writes rows of so many values each, in as few statements as it takes.
async fn write(transaction: &mut Transaction, head: &str, tail: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let mut rest = rows;
    while let Some(width) = rest.first().map(Vec::len) {
        let size = SIZES.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (now, later) = rest.split_at(size);
        let mut text = format!("{head} VALUES ");
        for row in 0..size {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 1..=width {
                let _ = write!(text, "{}${}", if column == 1 { "" } else { ", " }, row * width + column);
            }
            text.push(')');
        }
        text.push_str(tail);
        let query: Query = assembled_for(text.clone(), text);
        transaction.execute(now.iter().flatten().fold(query, |query, value| query.bind(value.clone()))).await?;
        rest = later;
    }
    Ok(())
}

/// Keeps which running number stands for whom.
pub(super) async fn give(transaction: &mut Transaction, given: &[(Pseudonym, i64)]) -> Result<(), StoreError> {
    let row = |(person, number): &(Pseudonym, i64)| vec![Value::from(person.as_bytes()), Value::from(*number)];
    let rows: Vec<_> = given.iter().map(row).collect();
    write(transaction, "INSERT INTO person_number (pseudonym, number)", "", &rows).await
}

/// Keeps employments, new ones and changed ones.
pub(super) async fn keep(transaction: &mut Transaction, changed: &[(&Key, &Employment)]) -> Result<(), StoreError> {
    let row = |(key, employment): &(&Key, &Employment)| {
        let folded = |field| employment.content.get(field).map(folded);
        vec![
            Value::from(key.0),
            Value::from(&key.1),
            Value::from(&employment.home),
            Value::from(folded(Field::Brugernavn)),
            Value::from(folded(Field::Email)),
            Value::from(day(employment.content.get(Field::Aktionskodedato))),
            Value::from(employment.manager),
            Value::from(employment.waits_for.map(|manager| manager.as_bytes().to_vec())),
            Value::from(employment.content.text()),
        ]
    };
    let rows: Vec<_> = changed.iter().map(row).collect();
    write(
        transaction,
        "INSERT INTO person (number, staff, home, user_key, email_key, inactive_from, manager, manager_waits, content)",
        " ON CONFLICT (number, staff) DO UPDATE SET user_key = excluded.user_key, email_key = excluded.email_key,
            inactive_from = excluded.inactive_from, manager = excluded.manager, manager_waits = excluded.manager_waits,
            content = excluded.content",
        &rows,
    )
    .await
}
