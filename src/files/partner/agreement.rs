//! A partner agreement: who it is with, for which aliases, by which data streams.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::validate::Validator;
use crate::agreements::Environment;
use crate::files::users::{count, us};
use crate::id::cvr::Cvr;
use crate::notices::address;
use crate::refusal::Detail;
use crate::store::{Row, Session, StoreError, sql};
use crate::text;

/// The most aliases, and the most streams, of one agreement.
const MOST: usize = 500;

/// An agreement's number: `PA` and five digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Number([u8; 5]);

/// The text is no agreement's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a partner agreement's number is PA and five digits, such as PA85858")]
pub struct NotANumber;

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let digits: [u8; 5] = text.strip_prefix("PA").and_then(|rest| rest.as_bytes().try_into().ok()).ok_or(NotANumber)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(NotANumber) }
    }
}

impl TryFrom<String> for Number {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, NotANumber> {
        text.parse()
    }
}

impl From<Number> for String {
    fn from(number: Number) -> String {
        number.to_string()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PA{}", std::str::from_utf8(&self.0).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where an agreement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In force.
    Active,
    /// Nothing is taken and nothing handed out until it is resumed.
    Suspended,
    /// Over for good.
    Closed,
}

impl Standing {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "AKTIV",
            Self::Suspended => "SUSPENDERET",
            Self::Closed => "LUKKET",
        }
    }
}

impl FromStr for Standing {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Active, Self::Suspended, Self::Closed].into_iter().find(|known| known.name() == text).ok_or(())
    }
}

/// Which way a stream's files go, as the agreement's own party sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// It delivers them.
    #[serde(rename = "UD")]
    Out,
    /// It fetches them.
    #[serde(rename = "IND")]
    In,
}

impl Direction {
    /// The name in the store and in the terms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "UD",
            Self::In => "IND",
        }
    }
}

/// Whom the agreement's notices go to: a functional mailbox, not a person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The mail address.
    pub email: String,
    /// The telephone.
    pub phone: String,
}

/// For what of its own files are exchanged: a ledger circle, a pay group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// Of which kind, such as BOGFOERINGSKREDS or LOENGRUPPE.
    pub kind: String,
    /// Its code.
    pub code: String,
    /// The first day.
    pub valid_from: Date,
    /// The first day on which it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
}

impl Alias {
    /// Whether it holds on a day.
    pub fn holds(&self, on: Date) -> bool {
        self.valid_from <= on && self.valid_to.is_none_or(|to| on < to)
    }

    /// Whether another of the same code holds on each of its days.
    fn is_within(&self, other: &Alias) -> bool {
        let ends_no_later = other.valid_to.is_none_or(|last| self.valid_to.is_some_and(|to| to <= last));
        (&self.kind, &self.code) == (&other.kind, &other.code) && other.valid_from <= self.valid_from && ends_no_later
    }

    fn meets(&self, other: &Alias) -> bool {
        (&self.kind, &self.code) == (&other.kind, &other.code)
            && self.valid_to.is_none_or(|to| other.valid_from < to)
            && other.valid_to.is_none_or(|to| self.valid_from < to)
    }
}

fn usual_keep() -> u16 {
    14
}

fn usual_largest() -> u64 {
    100_000_000
}

/// A data stream: files of one kind, one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Its code, the same in both parties' agreements.
    pub code: String,
    /// Which way.
    pub direction: Direction,
    /// The other party's agreement. Left out: whoever has the alias that a file is for, as in the agreement of a central system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<Number>,
    /// What judges its files; the sender's is the one that counts.
    #[serde(default)]
    pub validator: Validator,
    /// The largest file, in bytes.
    #[serde(default = "usual_largest")]
    pub largest_bytes: u64,
    /// Hours within which a file is expected; left out: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhythm_hours: Option<u16>,
    /// Days that a file is kept after it was confirmed: 0 to 30.
    #[serde(default = "usual_keep")]
    pub keep_days: u16,
}

/// What is agreed: the terms that one person asks for and another approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Terms {
    pub number: Number,
    /// The authority that answers for it, and approves.
    pub owner: Cvr,
    /// Where it holds.
    pub environment: Environment,
    /// The paragraph.
    pub legal_basis: String,
    pub purpose: String,
    /// Bytes of what it has sent that may lie at once; left out: 200 GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
    /// Whom notices go to.
    pub contact: Contact,
    #[serde(default, rename = "alias")]
    pub aliases: Vec<Alias>,
    #[serde(default, rename = "stream")]
    pub streams: Vec<Stream>,
}

/// An agreement as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its identity, which records have.
    pub id: Uuid,
    /// Where it stands.
    pub standing: Standing,
    /// What is agreed.
    pub terms: Terms,
}

/// Why terms cannot be.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum AgreementError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of them.
    #[error("{place}: {}", what.en())]
    Unsound {
        /// Which.
        place: String,
        /// What it must be.
        what: Detail,
    },
    /// The alias is another agreement's on one of its days.
    ///
    /// Whose is not told: whoever asks may have nothing to do with it.
    #[error(
        "the alias {kind} {code} belongs to another agreement on some of these days; where it is yours, end it there first, or give other \
         days; where it should be, the operators know whose it is"
    )]
    AliasTaken { kind: String, code: String },
    /// An agreement keeps its owner and its environment.
    #[error("{0} is of another owner or environment, and stays so; ask for an agreement with another number")]
    OtherOwner(Number),
    /// It is over.
    #[error("{0} is closed (LUKKET), and stays so; ask for an agreement with another number")]
    Closed(Number),
    /// There is none.
    #[error("there is no partner agreement {0}; `hjemmel mailbox agreement list` shows those that there are")]
    NoSuch(Number),
}

fn is_code(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

impl Terms {
    /// Checks what is agreed, by itself.
    ///
    /// # Errors
    /// [`AgreementError::Unsound`] with the first part that cannot be so.
    pub fn sound(self) -> Result<Self, AgreementError> {
        let wrong = |place: String, (da, en): (&str, &str)| Err(AgreementError::Unsound { place, what: Detail::new(da, en) });
        let contact = &self.contact;
        for (place, line) in [
            ("legal_basis", &self.legal_basis),
            ("purpose", &self.purpose),
            ("contact.email", &contact.email),
            ("contact.phone", &contact.phone),
        ] {
            // A telephone number begins with its country's +.
            if text::line(line.trim_start_matches('+')).is_err() || line.trim() != line {
                return wrong(place.to_owned(), ("det er én linje tekst", "it is one line of text"));
            }
        }
        // As letters are addressed: one that none goes to would never be told of a lost file.
        let is_address = address::read(&contact.email).is_ok();
        if !is_address || !contact.email.split_once('@').is_some_and(|(_, domain)| domain.contains('.')) {
            return wrong(
                "contact.email".to_owned(),
                (
                    "det er en funktionspostkasses e-mailadresse, navn@domæne uden æ, ø, å og andre tegn uden for ASCII",
                    "it is a mail address, that of a functional mailbox: name@domain, of ASCII",
                ),
            );
        }
        if self.quota_bytes.is_some_and(|bytes| !(1..=100_000_000_000_000).contains(&bytes)) {
            return wrong(
                "quota_bytes".to_owned(),
                ("quota_bytes er 1 til 100000000000000", "quota_bytes is 1 to 100000000000000"),
            );
        }
        if self.aliases.len() > MOST || self.streams.len() > MOST {
            return wrong(
                "alias, stream".to_owned(),
                ("en aftale har højst 500 af hver", "an agreement has at most 500 of each"),
            );
        }
        for (at, alias) in self.aliases.iter().enumerate() {
            let place = format!("alias {}", at + 1);
            if !is_code(&alias.kind, 40) || !is_code(&alias.code, 40) {
                return wrong(
                    place,
                    (
                        "kind og code er 1-40 tegn af A-Z, a-z, 0-9, _, . og -",
                        "kind and code are 1-40 of A-Z, a-z, 0-9, _, . and -",
                    ),
                );
            }
            if alias.valid_to.is_some_and(|to| to <= alias.valid_from) {
                return wrong(place, ("det ville slutte, før det begynder", "it would end before it begins"));
            }
            if self.aliases.iter().skip(at + 1).any(|other| other.meets(alias)) {
                return wrong(place, ("det står to gange på nogle af dagene", "it stands twice on some of its days"));
            }
        }
        for (at, stream) in self.streams.iter().enumerate() {
            let place = format!("stream {}", at + 1);
            match () {
                () if !is_code(&stream.code, 64) => {
                    return wrong(
                        place,
                        ("code er 1-64 tegn af A-Z, a-z, 0-9, _, . og -", "its code is 1-64 of A-Z, a-z, 0-9, _, . and -"),
                    );
                }
                () if stream.counterpart == Some(self.number) => {
                    return wrong(place, ("den fører til en anden aftale", "it leads to another agreement"));
                }
                () if !(1..=100_000_000_000).contains(&stream.largest_bytes) => {
                    return wrong(place, ("largest_bytes er 1 til 100000000000", "largest_bytes is 1 to 100000000000"));
                }
                () if stream.keep_days > 30 => return wrong(place, ("keep_days er 0 til 30", "keep_days is 0 to 30")),
                () if stream.rhythm_hours.is_some_and(|hours| !(1..=24 * 40).contains(&hours)) => {
                    return wrong(place, ("rhythm_hours er 1 til 960", "rhythm_hours is 1 to 960"));
                }
                () => {}
            }
            if let Err(what) = stream.validator.sound() {
                return Err(AgreementError::Unsound { place: format!("{place}, validator"), what });
            }
            let same = |other: &Stream| (&other.code, other.direction) == (&stream.code, stream.direction);
            if self.streams.iter().skip(at + 1).any(same) {
                return wrong(
                    place,
                    ("der er allerede en med den kode og retning", "there is one of that code and direction already"),
                );
            }
        }
        Ok(self)
    }

    /// The stream of a code that goes this way.
    pub fn stream(&self, code: &str, direction: Direction) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.code == code && stream.direction == direction)
    }

    /// Whether an alias is its own on a day.
    pub fn has_alias(&self, kind: &str, code: &str, on: Date) -> bool {
        self.aliases.iter().any(|alias| alias.kind == kind && alias.code == code && alias.holds(on))
    }
}

macro_rules! agreements_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, number, environment, owner, state, legal_basis, purpose, quota_bytes, email, phone FROM mailbox WHERE ",
            $condition
        ))
    };
}

async fn whole(session: &mut Session, row: &Row) -> Result<Agreement, StoreError> {
    let id: Uuid = row.get("id")?;
    let unreadable = |column| StoreError::Unreadable { column };
    let aliases =
        sql("SELECT kind, code, valid_from, valid_to FROM mailbox_alias WHERE mailbox = $1 ORDER BY kind, code, valid_from");
    let aliases = session.all(aliases.bind(id)).await?;
    let alias = |row: &Row| {
        let (kind, code) = (row.get("kind")?, row.get("code")?);
        Ok(Alias { kind, code, valid_from: row.get("valid_from")?, valid_to: row.maybe("valid_to")? })
    };
    let streams =
        sql("SELECT code, direction, counterpart, validator, largest_bytes, rhythm_hours, keep_days FROM mailbox_stream
         WHERE mailbox = $1 ORDER BY code, direction");
    let streams = session.all(streams.bind(id)).await?;
    let stream = |row: &Row| {
        let small = |column, number: i64| u16::try_from(number).map_err(|_| unreadable(column));
        let validator: String = row.get("validator")?;
        Ok(Stream {
            code: row.get("code")?,
            direction: if row.get::<String>("direction")? == "UD" { Direction::Out } else { Direction::In },
            counterpart: row.maybe_parsed("counterpart")?,
            validator: serde_json::from_str(&validator).map_err(|_| unreadable("validator"))?,
            largest_bytes: count(row, "largest_bytes")?,
            rhythm_hours: row.maybe::<i64>("rhythm_hours")?.map(|hours| small("rhythm_hours", hours)).transpose()?,
            keep_days: small("keep_days", row.get("keep_days")?)?,
        })
    };
    let state: String = row.get("state")?;
    Ok(Agreement {
        id,
        standing: state.parse().map_err(|()| unreadable("state"))?,
        terms: Terms {
            number: row.parsed("number")?,
            owner: row.parsed("owner")?,
            environment: row.parsed("environment")?,
            legal_basis: row.get("legal_basis")?,
            purpose: row.get("purpose")?,
            quota_bytes: row
                .maybe::<i64>("quota_bytes")?
                .map(|bytes| u64::try_from(bytes).map_err(|_| unreadable("quota_bytes")))
                .transpose()?,
            contact: Contact { email: row.get("email")?, phone: row.get("phone")? },
            aliases: aliases.iter().map(alias).collect::<Result<_, StoreError>>()?,
            streams: streams.iter().map(stream).collect::<Result<_, StoreError>>()?,
        },
    })
}

/// Every agreement, by number.
///
/// # Errors
/// The store.
pub async fn all(session: &mut Session) -> Result<Vec<Agreement>, StoreError> {
    let rows = session.all(agreements_where!("TRUE ORDER BY number")).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(whole(session, row).await?);
    }
    Ok(found)
}

/// The agreement with a number.
///
/// # Errors
/// The store.
pub async fn numbered(session: &mut Session, number: Number) -> Result<Option<Agreement>, StoreError> {
    match session.first(agreements_where!("number = $1").bind(number.to_string())).await? {
        Some(row) => whole(session, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The agreement with an id.
///
/// # Errors
/// The store.
pub async fn with_id(session: &mut Session, id: Uuid) -> Result<Option<Agreement>, StoreError> {
    match session.first(agreements_where!("id = $1").bind(id)).await? {
        Some(row) => whole(session, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The agreements that are not closed and have an alias on a day.
///
/// # Errors
/// The store.
pub async fn with_alias(session: &mut Session, kind: &str, code: &str, on: Date) -> Result<Vec<Agreement>, StoreError> {
    let query = agreements_where!(
        "state <> 'LUKKET' AND id IN (SELECT mailbox FROM mailbox_alias WHERE kind = $1 AND code = $2 AND valid_from <= $3
             AND (valid_to IS NULL OR valid_to > $3)) ORDER BY number"
    );
    let rows = session.all(query.bind(kind).bind(code).bind(on)).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(whole(session, row).await?);
    }
    Ok(found)
}

/// Whether terms can come into force as things stand.
///
/// # Errors
/// [`AgreementError`]: another owner, an agreement that is over, an alias that is another's.
pub async fn fit(session: &mut Session, terms: &Terms) -> Result<Option<Agreement>, AgreementError> {
    let held = numbered(session, terms.number).await?;
    if let Some(held) = &held {
        if held.standing == Standing::Closed {
            return Err(AgreementError::Closed(terms.number));
        }
        if (held.terms.owner, &held.terms.environment) != (terms.owner, &terms.environment) {
            return Err(AgreementError::OtherOwner(terms.number));
        }
    }
    for alias in &terms.aliases {
        let others = sql("SELECT a.valid_from, a.valid_to FROM mailbox_alias AS a JOIN mailbox AS b ON b.id = a.mailbox
             WHERE a.kind = $1 AND a.code = $2 AND b.number <> $3 AND b.environment = $4 AND b.state <> 'LUKKET'");
        let others = others.bind(&alias.kind).bind(&alias.code).bind(terms.number.to_string());
        for row in session.all(others.bind(terms.environment.to_string())).await? {
            let (valid_from, valid_to) = (row.get("valid_from")?, row.maybe("valid_to")?);
            if alias.meets(&Alias { valid_from, valid_to, ..alias.clone() }) {
                let (kind, code) = (alias.kind.clone(), alias.code.clone());
                return Err(AgreementError::AliasTaken { kind, code });
            }
        }
    }
    Ok(held)
}

/// The other parties to whom terms claim an alias that was not claimed to them before. Each of them approves: files of that alias would
/// go to whoever claims it.
///
/// # Errors
/// [`AgreementError::NoSuch`]: a counterpart that is not there, and so cannot approve.
pub async fn claimed_to(session: &mut Session, terms: &Terms) -> Result<BTreeSet<Cvr>, AgreementError> {
    let before = numbered(session, terms.number).await?.map(|held| held.terms);
    let was = |stream: &Stream, alias: &Alias| {
        before.as_ref().is_some_and(|before| {
            let same = before.stream(&stream.code, stream.direction).is_some_and(|old| old.counterpart == stream.counterpart);
            same && before.aliases.iter().any(|old| alias.is_within(old))
        })
    };
    let mut owners = BTreeSet::new();
    for stream in &terms.streams {
        let Some(counterpart) = stream.counterpart else { continue };
        if terms.aliases.iter().any(|alias| !was(stream, alias)) {
            let other = numbered(session, counterpart).await?.ok_or(AgreementError::NoSuch(counterpart))?;
            owners.insert(other.terms.owner);
        }
    }
    Ok(owners)
}

/// Puts terms into force: a new agreement, or other terms of one that is there. Returns its id.
///
/// # Errors
/// As [`fit`].
pub async fn put(session: &mut Session, terms: &Terms, now: Timestamp) -> Result<Uuid, AgreementError> {
    let held = fit(session, terms).await?;
    let quota = terms.quota_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let id = match &held {
        Some(held) => {
            let change =
                sql("UPDATE mailbox SET legal_basis = $1, purpose = $2, email = $3, phone = $4, quota_bytes = $5 WHERE id = $6");
            let change = change.bind(&terms.legal_basis).bind(&terms.purpose).bind(&terms.contact.email);
            session.execute(change.bind(&terms.contact.phone).bind(quota).bind(held.id)).await?;
            session.execute(sql("DELETE FROM mailbox_alias WHERE mailbox = $1").bind(held.id)).await?;
            held.id
        }
        None => {
            let id = Uuid::now_v7();
            let add =
                sql("INSERT INTO mailbox (id, number, environment, owner, state, legal_basis, purpose, email, phone, since_us, quota_bytes)
                 VALUES ($1, $2, $3, $4, 'AKTIV', $5, $6, $7, $8, $9, $10)")
                .bind(id)
                .bind(terms.number.to_string())
                .bind(terms.environment.to_string())
                .bind(terms.owner.to_string())
                .bind(&terms.legal_basis)
                .bind(&terms.purpose)
                .bind(&terms.contact.email)
                .bind(&terms.contact.phone)
                .bind(us(now))
                .bind(quota);
            session.execute(add).await?;
            id
        }
    };
    for alias in &terms.aliases {
        let add = sql("INSERT INTO mailbox_alias (mailbox, kind, code, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5)");
        session.execute(add.bind(id).bind(&alias.kind).bind(&alias.code).bind(alias.valid_from).bind(alias.valid_to)).await?;
    }
    // A stream that stays keeps since when it is expected.
    let kept = held.map(|held| held.terms.streams).unwrap_or_default();
    for stream in kept.iter().filter(|stream| terms.stream(&stream.code, stream.direction).is_none()) {
        let gone = sql("DELETE FROM mailbox_stream WHERE mailbox = $1 AND code = $2 AND direction = $3");
        session.execute(gone.bind(id).bind(&stream.code).bind(stream.direction.name())).await?;
    }
    for stream in &terms.streams {
        let validator = serde_json::to_string(&stream.validator).unwrap_or_default();
        let put = sql("INSERT INTO mailbox_stream (mailbox, code, direction, counterpart, validator, largest_bytes, rhythm_hours, keep_days,
                 since_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (mailbox, code, direction) DO UPDATE SET counterpart = excluded.counterpart, validator = excluded.validator,
                 largest_bytes = excluded.largest_bytes, rhythm_hours = excluded.rhythm_hours, keep_days = excluded.keep_days")
        .bind(id)
        .bind(&stream.code)
        .bind(stream.direction.name())
        .bind(stream.counterpart.map(|number| number.to_string()))
        .bind(validator)
        .bind(i64::try_from(stream.largest_bytes).unwrap_or(i64::MAX))
        .bind(stream.rhythm_hours.map(i64::from))
        .bind(i64::from(stream.keep_days))
        .bind(us(now));
        session.execute(put).await?;
    }
    Ok(id)
}

/// Gives an agreement another standing.
///
/// # Errors
/// The store.
pub async fn stand(session: &mut Session, id: Uuid, standing: Standing) -> Result<(), StoreError> {
    session.execute(sql("UPDATE mailbox SET state = $1 WHERE id = $2").bind(standing.name()).bind(id)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(toml: &str) -> Result<Terms, AgreementError> {
        let head = "number = 'PA85858'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'Lov § 1'\npurpose = 'løn'\n\
                    contact = { email = 'loen@kommune.example', phone = '+45 00000000' }\n";
        toml::from_str::<Terms>(&format!("{head}{toml}")).unwrap().sound()
    }

    #[test]
    fn a_number_is_pa_in_capitals_and_five_digits() {
        assert_eq!("PA85858".parse::<Number>().unwrap().to_string(), "PA85858");
        for text in ["pa85858", "PA8585", "PA858580", "PA8585x", " PA85858", "PA٨٥٨٥٨", "85858", ""] {
            assert_eq!(text.parse::<Number>(), Err(NotANumber), "{text:?}");
        }
    }

    #[test]
    fn a_contact_to_whom_no_letter_goes_is_refused() {
        for email in
            ["løn@kommune.example", "loen@kømmune.example", "<loen@kommune.example>", "a@b@kommune.example", "loen@kommune", ""]
        {
            let mut terms = terms("").unwrap();
            terms.contact.email = email.to_owned();
            let error = terms.sound().unwrap_err().to_string();
            assert!(error.starts_with("contact.email"), "{email}: {error}");
        }
    }

    #[test]
    fn terms_that_contradict_themselves_are_told_with_their_place() {
        let alias = "[[alias]]\nkind = 'LOENGRUPPE'\ncode = '4711'\nvalid_from = '2026-01-01'\n";
        let stream = "[[stream]]\ncode = 'LOENPOSTER'\ndirection = 'UD'\n";
        assert!(terms(&format!("{alias}{stream}")).is_ok());
        for (text, place) in [
            (format!("{alias}{alias}"), "alias 1"),
            (format!("{alias}valid_to = '2026-01-01'\n"), "alias 1"),
            (alias.replace("4711", "47/11"), "alias 1"),
            (format!("{stream}{stream}"), "stream 1"),
            (format!("{stream}counterpart = 'PA85858'\n"), "stream 1"),
            (format!("{stream}keep_days = 31\n"), "stream 1"),
            (format!("{stream}rhythm_hours = 0\n"), "stream 1"),
            (format!("{stream}largest_bytes = 0\n"), "stream 1"),
            ("quota_bytes = 0\n".to_owned(), "quota_bytes"),
        ] {
            let error = terms(&text).unwrap_err().to_string();
            assert!(error.starts_with(place), "{text}: {error}");
        }
        let ended = format!("{alias}valid_to = '2026-06-01'\n{}", alias.replace("2026-01-01", "2026-06-01"));
        assert!(terms(&ended).is_ok(), "one period may follow another");
    }
}
