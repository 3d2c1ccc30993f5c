//! Every table of a store as it is, whatever is in it: what is counted, copied and compared without knowing what it means.
//!
//! The digest of a table is that of its rows, each in one canonical form, in no order: the same in either database.

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::value::{Kind, Value, assembled_for};
use super::{Dialect, Query, Row, Session, StoreError, sql};

/// Rows read at once.
const PAGE: i64 = 500;

/// What belongs to one database and not to what is kept in it.
const OWN: [&str; 2] = ["_sqlx_migrations", "revision"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The columns of its primary key, in order.
    key: Vec<String>,
    /// The tables that its rows point to.
    refers_to: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    kind: Kind,
    /// Whether the database counts it up by itself.
    pub(super) counted: bool,
}

/// What a table holds, in one figure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct TableDigest {
    pub table: String,
    pub rows: i64,
    /// The digest of them.
    pub digest: [u8; 32],
}

/// That of every table but the database's own.
pub(super) async fn digests(session: &mut Session) -> Result<Vec<TableDigest>, StoreError> {
    let mut all = Vec::new();
    for table in tables(session).await? {
        all.push(table.digest(session).await?);
    }
    Ok(all)
}

fn unknown(what: String) -> StoreError {
    StoreError::Unmovable(what)
}

/// Every table but the database's own, those that others refer to first.
pub(super) async fn tables(session: &mut Session) -> Result<Vec<Table>, StoreError> {
    let found = match session.dialect() {
        Dialect::Sqlite => of_sqlite(session).await?,
        Dialect::Postgres => of_postgres(session).await?,
    };
    let mut rest = found;
    if let Some(table) = rest.iter().find(|table| table.key.is_empty()) {
        return Err(unknown(format!("the table {} has no primary key", table.name)));
    }
    let mut ordered: Vec<Table> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let known = |name: &String, of: &str| name == of || ordered.iter().any(|table| table.name == *name);
        let (ready, waiting): (Vec<_>, Vec<_>) =
            rest.iter().cloned().partition(|table| table.refers_to.iter().all(|name| known(name, &table.name)));
        if ready.is_empty() {
            return Err(unknown(format!("tables refer to each other in a circle: {}", names(&waiting))));
        }
        ordered.extend(ready);
        rest = waiting;
    }
    Ok(ordered)
}

pub(super) fn names(tables: &[Table]) -> String {
    tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ")
}

async fn of_sqlite(session: &mut Session) -> Result<Vec<Table>, StoreError> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut tables = Vec::new();
    for row in session.all(sql(names)).await? {
        let name: String = row.get("name")?;
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let rows = session.all(sql("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid").bind(&name)).await?;
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        for row in rows {
            let column: String = row.get("name")?;
            let kind = match row.get::<String>("type")?.as_str() {
                "TEXT" => Kind::Text,
                "INTEGER" => Kind::Number,
                "BLOB" => Kind::Bytes,
                other => return Err(unknown(format!("the column {column} of {name} is {other}"))),
            };
            let place: i64 = row.get("pk")?;
            if place > 0 {
                key.push((place, column.clone()));
            }
            columns.push(Column { name: column, kind, counted: false });
        }
        key.sort();
        let referred = session.all(sql("SELECT DISTINCT \"table\" AS name FROM pragma_foreign_key_list($1)").bind(&name)).await?;
        let refers_to = referred.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?;
        tables.push(Table { name, columns, key: key.into_iter().map(|(_, column)| column).collect(), refers_to });
    }
    Ok(tables)
}

async fn of_postgres(session: &mut Session) -> Result<Vec<Table>, StoreError> {
    let names = "SELECT relname::text AS name FROM pg_class
                 WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace ORDER BY relname";
    let mut tables = Vec::new();
    for row in session.all(sql(names)).await? {
        let name: String = row.get("name")?;
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let columns = "SELECT attname::text AS name, atttypid::regtype::text AS type, pg_get_serial_sequence(quote_ident($1), attname) IS NOT NULL AS counted
                       FROM pg_attribute WHERE attrelid = quote_ident($1)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let rows = session.all(sql(columns).bind(&name)).await?;
        let column = |row: &Row| {
            let column: String = row.get("name")?;
            let kind = match row.get::<String>("type")?.as_str() {
                "text" => Kind::Text,
                "jsonb" => Kind::Json,
                "bytea" => Kind::Bytes,
                "smallint" | "integer" | "bigint" => Kind::Number,
                "boolean" => Kind::Flag,
                "uuid" => Kind::Uuid,
                "timestamp with time zone" => Kind::Instant,
                "date" => Kind::Day,
                other => return Err(unknown(format!("the column {column} of {name} is {other}"))),
            };
            Ok(Column { name: column, kind, counted: row.get("counted")? })
        };
        let columns = rows.iter().map(column).collect::<Result<_, StoreError>>()?;
        let key = "SELECT attname::text AS name FROM pg_index JOIN unnest(indkey) WITH ORDINALITY AS place (number, nth) ON TRUE
                   JOIN pg_attribute ON attrelid = indrelid AND attnum = place.number
                   WHERE indrelid = quote_ident($1)::regclass AND indisprimary ORDER BY nth";
        let key = session.all(sql(key).bind(&name)).await?;
        let referred =
            "SELECT DISTINCT other.relname::text AS name FROM pg_constraint JOIN pg_class AS other ON other.oid = confrelid
                        WHERE conrelid = quote_ident($1)::regclass AND contype = 'f'";
        let referred = session.all(sql(referred).bind(&name)).await?;
        let texts = |rows: &[Row]| rows.iter().map(|row| row.get("name")).collect::<Result<Vec<String>, _>>();
        tables.push(Table { columns, key: texts(&key)?, refers_to: texts(&referred)?, name });
    }
    Ok(tables)
}

/// A name in a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn the_same(text: String) -> Query {
    assembled_for(text.clone(), text)
}

impl Table {
    /// How many rows it has.
    pub(super) async fn count(&self, session: &mut Session) -> Result<i64, StoreError> {
        let counted = session.first(the_same(format!("SELECT count(*) AS rows FROM {}", quoted(&self.name)))).await?;
        counted.ok_or(StoreError::Unreadable { column: "rows" })?.get("rows")
    }

    /// Reads every row, page by page in the order of its key, as this table's kinds. `each` takes a page.
    pub(super) async fn read(
        &self,
        session: &mut Session,
        mut each: impl AsyncFnMut(Vec<Vec<Value>>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let columns = list(self.columns.iter().map(|column| quoted(&column.name)));
        let key = list(self.key.iter().map(|column| quoted(column)));
        let mut after: Option<Vec<Value>> = None;
        loop {
            let places = list((1..=self.key.len()).map(|place| format!("${place}")));
            let from = after.as_ref().map_or(String::new(), |_| format!("WHERE ({key}) > ({places})"));
            let text = format!("SELECT {columns} FROM {} {from} ORDER BY {key} LIMIT {PAGE}", quoted(&self.name));
            let query = after.take().unwrap_or_default().into_iter().fold(the_same(text), Query::bind);
            let rows = session.all(query).await?;
            let mut page = Vec::with_capacity(rows.len());
            for row in &rows {
                page.push(self.values(row)?);
            }
            let Some(last) = page.last() else { return Ok(()) };
            let of_key = |name: &String| {
                let at = self.columns.iter().position(|column| column.name == *name)?;
                last.get(at).cloned()
            };
            after = self.key.iter().map(of_key).collect();
            let whole = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
            each(page).await?;
            if !whole {
                return Ok(());
            }
        }
    }

    fn values(&self, row: &Row) -> Result<Vec<Value>, StoreError> {
        let value = |column: &Column| {
            let unreadable = |error| unknown(format!("the column {} of {} cannot be read ({error})", column.name, self.name));
            row.value(&column.name, column.kind).map_err(unreadable)
        };
        self.columns.iter().map(value).collect()
    }

    /// Writes rows that were read of a table with the same columns.
    pub(super) async fn write(&self, session: &mut Session, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        // 65,535 parameters a statement is the protocol's limit.
        let at_once = (60_000 / self.columns.len().max(1)).max(1);
        let columns = list(self.columns.iter().map(|column| quoted(&column.name)));
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let page: Vec<Vec<Value>> = rows.by_ref().take(at_once).collect();
            let width = self.columns.len();
            let places = |row: usize| format!("({})", list((1..=width).map(|place| format!("${}", row * width + place))));
            let text = format!("INSERT INTO {} ({columns}) VALUES {}", quoted(&self.name), list((0..page.len()).map(places)));
            session.execute(page.into_iter().flatten().fold(the_same(text), Query::bind)).await?;
        }
        Ok(())
    }

    /// Lets the database count on from the rows that are there.
    pub(super) async fn count_on(&self, session: &mut Session) -> Result<(), StoreError> {
        for column in self.columns.iter().filter(|column| column.counted) {
            let (table, name) = (quoted(&self.name), quoted(&column.name));
            let text = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{}'), max({name})) FROM {table} HAVING max({name}) IS NOT NULL",
                column.name
            );
            session.execute(the_same(text)).await?;
        }
        Ok(())
    }

    /// The digest of each row.
    pub(super) async fn rows(&self, session: &mut Session) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut rows: Vec<[u8; 32]> = Vec::new();
        self.read(session, async |page| {
            rows.extend(page.iter().map(|row| of_row(row)));
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// The digest of its rows, and how many there are.
    pub(super) async fn digest(&self, session: &mut Session) -> Result<TableDigest, StoreError> {
        let mut rows = self.rows(session).await?;
        rows.sort_unstable();
        let mut all = Context::new(&SHA256);
        rows.iter().for_each(|row| all.update(row));
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Ok(TableDigest { table: self.name.clone(), rows: count, digest: taken(all.finish().as_ref()) })
    }
}

fn taken(bytes: &[u8]) -> [u8; 32] {
    let mut taken = [0; 32];
    taken.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    taken
}

/// The digest of a row: each value by its text, with its length before it, so that no two rows give the same bytes.
fn of_row(row: &[Value]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for value in row {
        let text = match value {
            Value::Text(text) | Value::Json(text) => text.clone().map(String::into_bytes),
            Value::Bytes(held) => held.clone(),
            Value::Number(number) => number.map(|number| number.to_string().into_bytes()),
            Value::Flag(flag) => flag.map(|flag| i64::from(flag).to_string().into_bytes()),
            Value::Uuid(uuid) => uuid.map(|uuid| uuid.to_string().into_bytes()),
            Value::Instant(instant) => instant.map(|instant| instant.to_string().into_bytes()),
            Value::Day(day) => day.map(|day| day.to_string().into_bytes()),
        };
        match text {
            None => bytes.push(0),
            Some(text) => {
                bytes.push(1);
                bytes.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                bytes.extend_from_slice(&text);
            }
        }
    }
    taken(digest(&SHA256, &bytes).as_ref())
}
