//! Statements, the values bound to them, and the rows that come back, in the types of either database.
//!
//! A UUID, an instant and a day are types of their own in PostgreSQL and text in SQLite, so that each database compares and
//! sorts them rightly. A statement that both speak alike is written once, with `$1` for its parameters.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::{RoundMode, Span, Timestamp, TimestampRound, Unit};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Encode, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, Type, encode::IsNull};
use uuid::Uuid;

use super::StoreError;

/// A statement and what is bound to it.
#[derive(Debug, Clone)]
pub struct Query {
    sqlite: SqlStr,
    postgres: SqlStr,
    values: Vec<Value>,
}

/// A statement that both databases speak alike.
pub fn sql(text: &'static str) -> Query {
    by_dialect(text, text)
}

/// A statement that each database spells its own way. The parameters are the same.
pub fn by_dialect(sqlite: &'static str, postgres: &'static str) -> Query {
    Query { sqlite: sqlite.into_sql_str(), postgres: postgres.into_sql_str(), values: Vec::new() }
}

/// The same where each database spells it its own way.
pub(crate) fn assembled_for(sqlite: String, postgres: String) -> Query {
    let [sqlite, postgres] = [sqlite, postgres].map(|text| AssertSqlSafe(text).into_sql_str());
    Query { sqlite, postgres, values: Vec::new() }
}

impl Query {
    /// Binds the next parameter.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Whether it may be done twice.
    pub(super) fn only_reads(&self) -> bool {
        [&self.sqlite, &self.postgres].into_iter().all(|text| text.as_str().starts_with("SELECT "))
    }

    pub(super) fn for_sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(self.sqlite), |query, value| match value {
            Value::Text(text) | Value::Json(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Number(number) => query.bind(number),
            Value::Flag(flag) => query.bind(flag.map(i64::from)),
            Value::Uuid(uuid) => query.bind(uuid.map(|uuid| uuid.to_string())),
            Value::Instant(instant) => query.bind(instant.map(|instant| instant.to_string())),
            Value::Day(day) => query.bind(day.map(|day| day.to_string())),
        })
    }

    pub(super) fn for_postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        self.values.into_iter().fold(sqlx::query(self.postgres), |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Json(text) => query.bind(text.map(Json)),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Number(number) => query.bind(number),
            Value::Flag(flag) => query.bind(flag),
            Value::Uuid(uuid) => query.bind(uuid.map(Native)),
            Value::Instant(instant) => query.bind(instant.map(Native)),
            Value::Day(day) => query.bind(day.map(Native)),
        })
    }
}

/// A value bound to a statement; each kind may be null.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each is named by its type
pub enum Value {
    Text(Option<String>),
    Json(Option<String>),
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Flag(Option<bool>),
    Uuid(Option<Uuid>),
    Instant(Option<Timestamp>),
    Day(Option<Date>),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Json,
    Bytes,
    Number,
    Flag,
    Uuid,
    Instant,
    Day,
}

/// A JSON document: `jsonb` in PostgreSQL, text in SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(pub String);

macro_rules! values {
    ($($kind:ident: $type:ty, |$value:ident| $into:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Value::$kind(Some($into))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Value::$kind(value.map(|$value: $type| $into))
            }
        }
    )*};
}

values! {
    Text: String, |text| text;
    Text: &str, |text| text.to_owned();
    Text: &String, |text| text.clone();
    Json: Json, |json| json.0;
    Bytes: Vec<u8>, |bytes| bytes;
    Bytes: &[u8], |bytes| bytes.to_vec();
    Number: i64, |number| number;
    Flag: bool, |flag| flag;
    Uuid: Uuid, |uuid| uuid;
    Instant: Timestamp, |instant| to_microsecond(instant);
    Day: Date, |day| day;
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Value::Text(text.clone())
    }
}

/// The finest that both databases keep, so that an instant that was written is the one that is read.
pub fn to_microsecond(instant: Timestamp) -> Timestamp {
    instant.round(TimestampRound::new().smallest(Unit::Microsecond).mode(RoundMode::Floor)).unwrap_or(instant)
}

/// A row.
#[derive(Debug)]
pub struct Row(pub(super) Inner);

#[derive(Debug)]
pub(super) enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// A column that is never null.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: it is null, of another type, or not there.
    pub fn get<T: Field>(&self, column: &'static str) -> Result<T, StoreError> {
        self.maybe(column)?.ok_or(StoreError::Unreadable { column })
    }

    /// A column that may be null.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: it is of another type, or not there.
    pub fn maybe<T: Field>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let read = match &self.0 {
            Inner::Sqlite(row) => T::of_sqlite(row, column),
            Inner::Postgres(row) => T::of_postgres(row, column),
        };
        read.map_err(|error| {
            tracing::debug!(%error, column, "a column cannot be read");
            StoreError::Unreadable { column }
        })
    }

    /// A column of a kind that is known only now.
    pub(super) fn value(&self, column: &str, kind: Kind) -> Result<Value, BoxDynError> {
        fn of<T: Field>(row: &Row, column: &str) -> Result<Option<T>, BoxDynError> {
            match &row.0 {
                Inner::Sqlite(row) => T::of_sqlite(row, column),
                Inner::Postgres(row) => T::of_postgres(row, column),
            }
        }
        Ok(match kind {
            Kind::Text => Value::Text(of(self, column)?),
            Kind::Json => Value::Json(of::<Json>(self, column)?.map(|json| json.0)),
            Kind::Bytes => Value::Bytes(of(self, column)?),
            Kind::Number => Value::Number(of(self, column)?),
            Kind::Flag => Value::Flag(of(self, column)?),
            Kind::Uuid => Value::Uuid(of(self, column)?),
            Kind::Instant => Value::Instant(of(self, column)?),
            Kind::Day => Value::Day(of(self, column)?),
        })
    }

    /// A text that is never null, as what it stands for.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: it stands for none.
    pub fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.get::<String>(column)?.parse().map_err(|_| StoreError::Unreadable { column })
    }

    /// A text that may be null, as what it stands for.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`]: it stands for none.
    pub fn maybe_parsed<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.maybe(column)?;
        text.map(|text| text.parse().map_err(|_| StoreError::Unreadable { column })).transpose()
    }
}

/// What a column may be read as.
pub trait Field: Sized {
    #[doc(hidden)]
    fn of_sqlite(row: &SqliteRow, column: &str) -> Result<Option<Self>, BoxDynError>;
    #[doc(hidden)]
    fn of_postgres(row: &PgRow, column: &str) -> Result<Option<Self>, BoxDynError>;
}

/// Kept alike by both.
macro_rules! alike {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn of_sqlite(row: &SqliteRow, column: &str) -> Result<Option<Self>, BoxDynError> {
                Ok(row.try_get(column)?)
            }
            fn of_postgres(row: &PgRow, column: &str) -> Result<Option<Self>, BoxDynError> {
                Ok(row.try_get(column)?)
            }
        }
    )*};
}

alike!(String, i64, Vec<u8>, bool);

/// Text in SQLite.
macro_rules! text_in_sqlite {
    ($($type:ty, $postgres:ty, |$text:ident| $read:expr;)*) => {$(
        impl Field for $type {
            fn of_sqlite(row: &SqliteRow, column: &str) -> Result<Option<Self>, BoxDynError> {
                let text: Option<String> = row.try_get(column)?;
                text.map(|$text| -> Result<Self, BoxDynError> { $read }).transpose()
            }
            fn of_postgres(row: &PgRow, column: &str) -> Result<Option<Self>, BoxDynError> {
                Ok(row.try_get::<Option<$postgres>, _>(column)?.map(Into::into))
            }
        }
    )*};
}

text_in_sqlite! {
    Uuid, Native<Uuid>, |text| Ok(text.parse()?);
    Timestamp, Native<Timestamp>, |text| Ok(to_microsecond(text.parse()?));
    Date, Native<Date>, |text| {
        let day: Date = text.parse()?;
        if day.to_string() == text { Ok(day) } else { Err("not a day".into()) }
    };
    Json, Json, |text| Ok(Json(text));
}

/// A type of ours in PostgreSQL's own binary form.
struct Native<T>(T);

macro_rules! native {
    ($type:ty, $oid:literal, |$value:ident| $encode:expr, |$bytes:ident| $decode:expr) => {
        impl From<Native<$type>> for $type {
            fn from(native: Native<$type>) -> Self {
                native.0
            }
        }
        impl Type<Postgres> for Native<$type> {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_oid(Oid($oid))
            }
        }
        impl Encode<'_, Postgres> for Native<$type> {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                let $value = &self.0;
                buffer.extend_from_slice(&$encode);
                Ok(IsNull::No)
            }
        }
        impl Decode<'_, Postgres> for Native<$type> {
            fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                let $bytes = value.as_bytes()?;
                Ok(Self($decode))
            }
        }
    };
}

/// Days and instants are counted from here.
const EPOCH: Date = jiff::civil::date(2000, 1, 1);
/// The same, in microseconds since 1970.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

native!(Uuid, 2950, |uuid| *uuid.as_bytes(), |bytes| Uuid::from_slice(bytes)?);
native!(Timestamp, 1184, |instant| (instant.as_microsecond() - EPOCH_MICROSECONDS).to_be_bytes(), |bytes| {
    let microseconds = i64::from_be_bytes(bytes.try_into()?);
    Timestamp::from_microsecond(microseconds.checked_add(EPOCH_MICROSECONDS).ok_or("out of range")?)?
});
native!(
    Date,
    1082,
    |day| {
        let hours = day.duration_since(EPOCH).as_hours();
        i32::try_from(hours / 24)?.to_be_bytes()
    },
    |bytes| EPOCH.checked_add(Span::new().try_days(i32::from_be_bytes(bytes.try_into()?))?)?
);

impl Type<Postgres> for Json {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(3802))
    }
}

/// The version of `jsonb`'s binary form.
const JSONB: u8 = 1;

impl Encode<'_, Postgres> for Json {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.push(JSONB);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Json {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.as_bytes()?.split_first() {
            Some((&JSONB, text)) => Ok(Json(std::str::from_utf8(text)?.to_owned())),
            _ => Err("not jsonb".into()),
        }
    }
}
