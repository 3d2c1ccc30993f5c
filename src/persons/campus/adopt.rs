//! Users who are in Campus before the cut-over: each is matched with a person, so that nobody is created a second time.
//!
//! A file says which employment is which user name. The person must have been imported (what is to be handed on waits in the queue, or
//! was handed on), and Campus must have exactly one user of that name who is nobody else's. Then the running number is written on the
//! user, and Campus's id of it is noted; what follows changes that user.
//!
//! The same after a store was put back: whoever was imported since the copy has another running number than Campus knows. Where it is
//! asked for, a number that nobody has here any more gives way.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::{Campus, Trouble};
use super::{known, queue};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::decisions::record::What;
use crate::decisions::{Because, By, DecideError};
use crate::persons::erase::replay;
use crate::persons::outbox;
use crate::store::{Database, StoreError, sql, until_it_holds};

/// The most lines of a file.
pub const MOST: usize = 200_000;
/// Rows that are read at once.
const PAGE: u32 = 500;
/// So much longer than it may take to write on a user nothing else is told to Campus of the person.
const LEASE: Duration = Duration::from_secs(30);
const HEADER: [&str; 4] = ["CVR", "InstitutionsID1", "Medarbejdernummer", "Brugernavn"];

/// An employment in Campus's and the store's words: the authority's CVR number, InstitutionsID1, the staff number.
type Employment = (String, String, String);

/// A line of the file.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Line {
    /// The CVR number of the authority: two may use one InstitutionsID1.
    pub authority: String,
    /// InstitutionsID1.
    pub institution: String,
    pub staff_number: String,
    /// The user name in Campus.
    pub user_name: String,
}

/// What became of a line. Names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// The user is this person's now.
    Adopted,
    /// It was before.
    Already,
    /// No person with this authority, institution and staff number waits to be handed on or was handed on.
    NoPerson,
    /// More than one person has this institution and staff number.
    SeveralPersons,
    /// Campus has no user of this name.
    NoUser,
    /// Campus has several.
    SeveralUsers,
    /// The user is another person's.
    Anothers,
    /// Another line of the file, or what was noted before, says another user.
    Otherwise,
    /// Campus refuses.
    Refused(String),
}

impl std::fmt::Display for Became {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Adopted => "adopted",
            Self::Already => "was this person's already",
            Self::NoPerson => "no such person: import the person first, then adopt",
            Self::SeveralPersons => "several persons have this institution and staff number: nothing was matched",
            Self::NoUser => "Campus has no user of this name: nothing was matched, and a user will be created",
            Self::SeveralUsers => "Campus has several users of this name: nothing was matched",
            Self::Anothers => "the user is another person's in Campus: nothing was matched",
            Self::Otherwise => "the person is another user in Campus already: nothing was matched",
            Self::Refused(why) => return write!(f, "Campus refuses: {why}"),
        })
    }
}

/// Why nothing, or not all, was done.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum AdoptError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    #[error("line {line}: {why}")]
    File {
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Persons who are erased may be among those in the store.
    #[error(
        "the store was put back, and these audit logs are still to be read for erasures: {0}; start their nodes or run `hjemmel persons replay`, and adopt then"
    )]
    NotErasedYet(String),
    /// Campus. The same file again goes on where this ended.
    #[error("Campus takes nothing just now ({0}); run the same again: what is matched stays so")]
    Campus(#[from] Trouble),
}

impl From<StoreError> for AdoptError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

/// Reads a file: CSV with a header line, `;` or `,` between.
///
/// # Errors
/// The first line that is wrong.
pub fn read(text: &str) -> Result<Vec<Line>, AdoptError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().next().unwrap_or_default();
    let delimiter = if header.contains(';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
    let wrong = |line: usize, why: &str| AdoptError::File { line, why: why.to_owned() };
    let names = reader.headers().map_err(|_| wrong(1, "is no CSV"))?.clone();
    let missing = || wrong(1, "is no header; write CVR;InstitutionsID1;Medarbejdernummer;Brugernavn");
    let mut places = [0; HEADER.len()];
    for (place, name) in places.iter_mut().zip(HEADER) {
        *place = names.iter().position(|named| named == name).ok_or_else(missing)?;
    }
    let mut lines = Vec::new();
    for (nth, record) in reader.records().enumerate() {
        let line = nth + 2;
        let record = record.map_err(|_| wrong(line, "has another number of values than the header"))?;
        let [authority, institution, staff_number, user_name] =
            places.map(|place| record.get(place).unwrap_or_default().to_owned());
        if [&authority, &institution, &staff_number, &user_name].into_iter().any(|text| text.is_empty() || text.len() > 256) {
            return Err(wrong(line, "has a value that is empty or longer than 256 bytes"));
        }
        if lines.len() == MOST {
            return Err(wrong(line, "is one too many: divide the file"));
        }
        lines.push(Line { authority, institution, staff_number, user_name });
    }
    Ok(lines)
}

/// The running numbers by employment, of what was handed on and what waits.
async fn numbers(database: &Database) -> Result<BTreeMap<Employment, Option<i64>>, StoreError> {
    let mut numbers: BTreeMap<Employment, Option<i64>> = BTreeMap::new();
    let mut add = |employment: Employment, number: i64| {
        let known = numbers.entry(employment).or_insert(Some(number));
        if *known != Some(number) {
            *known = None;
        }
    };
    let mut after = (i64::MIN, String::new(), String::new(), String::new());
    loop {
        let page = sql("SELECT number, authority, institution, staff_number FROM person_handed
             WHERE (number, authority, institution, staff_number) > ($1, $2, $3, $4)
             ORDER BY number, authority, institution, staff_number LIMIT $5");
        let page = page.bind(after.0).bind(&after.1).bind(&after.2).bind(&after.3).bind(i64::from(PAGE));
        let rows = database.all(page).await?;
        let Some(last) = rows.last() else { break };
        after = (last.get("number")?, last.get("authority")?, last.get("institution")?, last.get("staff_number")?);
        for row in &rows {
            add((row.get("authority")?, row.get("institution")?, row.get("staff_number")?), row.get("number")?);
        }
    }
    let mut after = 0;
    loop {
        let page = outbox::waiting_as_read(database, after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        // What cannot be read is given up when its turn comes, and is nobody's here.
        for handed in page.into_iter().filter_map(|(_, handed)| handed) {
            add((handed.authority, handed.institution, handed.staff_number), handed.number);
        }
    }
    Ok(numbers)
}

/// Whether nobody has a running number here: it is no person's, and no erased person's of whom Campus is still to be told.
async fn is_nobodys(database: &Database, number: &str) -> Result<bool, StoreError> {
    let Ok(number) = number.parse::<i64>() else { return Ok(false) };
    let found = sql(
        "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM person_number WHERE number = $1)
             OR EXISTS (SELECT 1 FROM person_outbox WHERE number = $1) OR EXISTS (SELECT 1 FROM person_campus WHERE number = $1)",
    );
    Ok(database.first(found.bind(number)).await?.is_none())
}

/// Matches each line, and writes first who decided so. `renumbers`: a user's running number that nobody has here gives way. `told` is
/// told what became of each.
///
/// # Errors
/// [`AdoptError`]; what was matched stays so.
pub async fn adopt(
    store: &Store,
    campus: &Campus,
    by: Option<By<'_>>,
    (lines, digest): (&[Line], String),
    because: &Because,
    renumbers: bool,
    mut told: impl FnMut(usize, &Became),
) -> Result<(), AdoptError> {
    let database = store.database();
    let anew = if renumbers { ", with other numbers" } else { "" };
    let (subject, to) = (Subject::PersonQueue, format!("adopting {} users{anew}", lines.len()));
    let what = What { subject, id: uuid::Uuid::now_v7(), from: None, to, shown: Some(digest) };
    let proven = queue::operator(store, by, &what, because).await?;
    let missing = replay::missing(&mut database.session().await?, uuid::Uuid::nil()).await?;
    if !missing.is_empty() {
        return Err(AdoptError::NotErasedYet(missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    }
    campus.may_be_reached().await?;
    let mut change = store.change().await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    change.commit().await?;
    let numbers = numbers(database).await?;
    for (nth, line) in lines.iter().enumerate() {
        let employment = (line.authority.clone(), line.institution.clone(), line.staff_number.clone());
        let became = match numbers.get(&employment) {
            None => Became::NoPerson,
            Some(None) => Became::SeveralPersons,
            Some(Some(number)) => one(database, campus, *number, &line.user_name, renumbers).await?,
        };
        // The header is the first line.
        told(nth + 2, &became);
    }
    Ok(())
}

async fn one(database: &Database, campus: &Campus, number: i64, user_name: &str, renumbers: bool) -> Result<Became, AdoptError> {
    let found = campus.with_user_name(user_name).await?;
    let (id, whose) = match found.as_slice() {
        [] => return Ok(Became::NoUser),
        [one] => one,
        _ => return Ok(Became::SeveralUsers),
    };
    let noted = known::user(database, number).await?;
    if noted.as_ref().is_some_and(|noted| noted != id) {
        return Ok(Became::Otherwise);
    }
    let is_ours = whose.as_deref() == Some(&number.to_string());
    if let Some(other) = whose
        && !is_ours
        && !(renumbers && is_nobodys(database, other).await?)
    {
        return Ok(Became::Anothers);
    }
    if is_ours && noted.is_some() {
        return Ok(Became::Already);
    }
    // The numbers were read before the first line: the person may be erased since, and may be at any moment from here on. Campus is
    // told of an erasure after what is written on the user, also where this program dies in between.
    let longest = campus.longest();
    let Some(held) = outbox::hold(database, number, longest + LEASE, campus.now()).await? else {
        return Ok(Became::NoPerson);
    };
    let written = match is_ours {
        true => Ok(Became::Already),
        false => tokio::time::timeout(longest, written(campus, id, number)).await.unwrap_or_else(|_| {
            let why = format!("it was not done within {} s", longest.as_secs());
            Err(Trouble::Away { why, wait: None, seen: true })
        }),
    };
    // Of a request that was not answered nobody knows when Campus does it: the person stays held until the lease ends.
    let became = written?;
    let became = until_it_holds(async || -> Result<Became, StoreError> {
        let mut transaction = database.begin_beside_others().await?;
        let is_somebodys = outbox::let_go(&mut transaction, &held, campus.now()).await?;
        if is_somebodys && matches!(became, Became::Adopted | Became::Already) {
            known::note_user(&mut transaction, number, id, None).await?;
        }
        transaction.commit().await?;
        Ok(if is_somebodys { became.clone() } else { Became::NoPerson })
    });
    Ok(became.await?)
}

/// Writes a person's number on a user.
async fn written(campus: &Campus, id: &str, number: i64) -> Result<Became, Trouble> {
    let refused = |trouble| match trouble {
        Trouble::Refused(why) | Trouble::Odd(why) => Ok(Became::Refused(why)),
        trouble => Err(trouble),
    };
    // Another user may have the number already.
    match campus.with_number(number).await {
        Ok(None) => {}
        Ok(Some(_)) => return Ok(Became::Otherwise),
        Err(trouble) => return refused(trouble),
    }
    campus.adopt(id, number).await.map_or_else(refused, |()| Ok(Became::Adopted))
}
