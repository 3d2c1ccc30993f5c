//! The tables `delivery` and `delivery_item`. Each question is one statement, so that it costs one round trip to a PostgreSQL server;
//! SQLite, which has no server, does the same in a transaction, which calls at once share ([`crate::store::together`]). Its statements are
//! handed over together, for each way to the thread that has the connection, and back, costs as much as a small statement.

use std::time::Duration;

use uuid::Uuid;

use super::Mark;
use crate::store::together::Write;
use crate::store::{Database, Dialect, Query, Row, Session, StoreError, by_dialect, sql, until_it_holds};

/// The database's clock, in microseconds since the Unix epoch: the clocks of nodes do not matter.
macro_rules! piece {
    (sqlite, NOW) => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
    (postgres, NOW) => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
    // Whether this attempt gets what another had: the same content, and either it asked before and did not hear the answer, or nobody
    // has it any more and it may be asked for again.
    ($dialect:ident, FREE) => {
        concat!(
            "(held.state <> 'answered' AND held.content = excluded.content AND (held.holder = excluded.holder
               OR ($7 = 1 AND (held.state = 'unknown' OR held.held_until_us < ",
            piece!($dialect, NOW),
            "))))"
        )
    };
    ($dialect:ident, $text:literal) => {
        $text
    };
}

macro_rules! text {
    ($dialect:ident: $($piece:tt)+) => {
        concat!($(piece!($dialect, $piece)),+)
    };
}

macro_rules! statement {
    ($($piece:tt)+) => {
        by_dialect(text!(sqlite: $($piece)+), text!(postgres: $($piece)+))
    };
}

/// `$1` mark, `$2` content, `$3` holder, `$4` call, `$5` how long it is held, `$6` how long it is kept, `$7` whether it may be asked again,
/// `$8` the service. Answers with the row as it stands then. An attempt that gets it keeps it for its own time, and what it is answered.
macro_rules! claim {
    ($dialect:ident) => {
        text!($dialect:
            "INSERT INTO delivery AS held (mark, content, state, holder, call, tries, held_until_us, changed_us, until_us, service)
             VALUES ($1, $2, 'under way', $3, $4, 1, " NOW " + $5, " NOW ", " NOW " + $6, $8)
             ON CONFLICT (mark) DO UPDATE SET
               tries = CASE WHEN " FREE " AND held.holder <> excluded.holder THEN held.tries + 1 ELSE held.tries END,
               state = CASE WHEN " FREE " THEN 'under way' ELSE held.state END,
               call = CASE WHEN " FREE " THEN excluded.call ELSE held.call END,
               held_until_us = CASE WHEN " FREE " THEN excluded.held_until_us ELSE held.held_until_us END,
               changed_us = CASE WHEN " FREE " THEN excluded.changed_us ELSE held.changed_us END,
               until_us = CASE WHEN " FREE " THEN excluded.until_us ELSE held.until_us END,
               holder = CASE WHEN " FREE " THEN excluded.holder ELSE held.holder END
             RETURNING holder = $3 AS mine, content = $2 AS same, state, tries, receipt, held_until_us < " NOW " AS over"
        )
    };
}

/// The claim, the items of what was claimed (`$9`: their marks, one after the other, each once), and which of `$10` are known to be accepted. The
/// commit is waited for, whatever the server does otherwise.
const CLAIM: &str = concat!(
    "WITH claimed AS (",
    claim!(postgres),
    "), own AS (
         INSERT INTO delivery_item AS held (mark, delivery, until_us)
         SELECT substring($9 FROM n * 32 + 1 FOR 32), $1, ",
    piece!(postgres, NOW),
    " + $6
         FROM generate_series(0, length($9) / 32 - 1) AS n, claimed WHERE claimed.mine ORDER BY 1
         ON CONFLICT (mark) DO UPDATE SET until_us = CASE WHEN held.delivery = excluded.delivery AND held.until_us < excluded.until_us
             THEN excluded.until_us ELSE held.until_us END
         RETURNING mark, delivery, accepted_us
     )
     SELECT claimed.*,
         (SELECT string_agg(own.mark || own.delivery || int8send(coalesce(own.accepted_us, -1)), ''::bytea)
          FROM own WHERE own.delivery <> $1) AS elsewhere,
         (SELECT string_agg(mark, ''::bytea) FROM delivery_item WHERE accepted_us IS NOT NULL AND mark IN
             (SELECT substring($10 FROM n * 32 + 1 FOR 32) FROM generate_series(0, length($10) / 32 - 1) AS n)) AS known,
         (SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
             THEN set_config('synchronous_commit', 'on', true) END) AS durable
     FROM claimed"
);

/// The same in SQLite, one statement after the other, which are handed over together: where the claim is this attempt's, its items are taken;
/// then those that another delivery has, and without a delivery those of `$10` that are known to be accepted.
const CLAIM_SQLITE: &str = concat!(
    claim!(sqlite),
    ";
     WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($9))
     INSERT INTO delivery_item AS held (mark, delivery, until_us) SELECT substr($9, n * 32 + 1, 32), $1, ",
    piece!(sqlite, NOW),
    " + $6 FROM asked
     WHERE length($9) > 0 AND EXISTS (SELECT 1 FROM delivery WHERE mark = $1 AND holder = $3 AND state = 'under way')
     ON CONFLICT (mark) DO UPDATE SET until_us = CASE WHEN held.delivery = excluded.delivery AND held.until_us < excluded.until_us
         THEN excluded.until_us ELSE held.until_us END;
     WITH RECURSIVE own (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM own WHERE (n + 2) * 32 <= length($9)),
         refers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM refers WHERE (n + 2) * 32 <= length($10))
     SELECT mark, delivery, accepted_us FROM delivery_item
     WHERE delivery <> $1 AND mark IN (SELECT substr($9, n * 32 + 1, 32) FROM own)
     UNION ALL SELECT mark, NULL, accepted_us FROM delivery_item
     WHERE accepted_us IS NOT NULL AND mark IN (SELECT substr($10, n * 32 + 1, 32) FROM refers)"
);

/// `$1` the delivery, `$2` the marks of its items, `$3` how long they are kept.
const ITEMS_SQLITE: &str = concat!(
    "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($2))
     INSERT INTO delivery_item AS held (mark, delivery, until_us) SELECT substr($2, n * 32 + 1, 32), $1, ",
    piece!(sqlite, NOW),
    " + $3 FROM asked WHERE true
     ON CONFLICT (mark) DO UPDATE SET until_us = CASE WHEN held.delivery = excluded.delivery AND held.until_us < excluded.until_us
         THEN excluded.until_us ELSE held.until_us END
     RETURNING mark, delivery, accepted_us"
);

/// The same in PostgreSQL, without the claim.
const ITEMS_POSTGRES: &str = concat!(
    "INSERT INTO delivery_item AS held (mark, delivery, until_us)
     SELECT substring($2 FROM n * 32 + 1 FOR 32), $1, ",
    piece!(postgres, NOW),
    " + $3 FROM generate_series(0, length($2) / 32 - 1) AS n ORDER BY 1
     ON CONFLICT (mark) DO UPDATE SET until_us = CASE WHEN held.delivery = excluded.delivery AND held.until_us < excluded.until_us
         THEN excluded.until_us ELSE held.until_us END
     RETURNING mark, delivery, accepted_us"
);

const KNOWN_POSTGRES: &str = "SELECT mark FROM delivery_item WHERE accepted_us IS NOT NULL AND mark IN
     (SELECT substring($1 FROM n * 32 + 1 FOR 32) FROM generate_series(0, length($1) / 32 - 1) AS n)";

/// How many of the items `$2` the delivery `$1` has; and what to do with those.
const OF_DELIVERY: [(&str, &str); 2] = [
    (
        "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($2))
         SELECT count(*) AS n FROM delivery_item WHERE delivery = $1 AND mark IN (SELECT substr($2, n * 32 + 1, 32) FROM asked)",
        "SELECT count(*) AS n FROM delivery_item WHERE delivery = $1 AND mark IN
         (SELECT substring($2 FROM n * 32 + 1 FOR 32) FROM generate_series(0, length($2) / 32 - 1) AS n)",
    ),
    (
        "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($2))
         DELETE FROM delivery_item WHERE delivery = $1 AND accepted_us IS NULL
             AND mark IN (SELECT substr($2, n * 32 + 1, 32) FROM asked)",
        "DELETE FROM delivery_item WHERE delivery = $1 AND accepted_us IS NULL AND mark IN
         (SELECT substring($2 FROM n * 32 + 1 FOR 32) FROM generate_series(0, length($2) / 32 - 1) AS n)",
    ),
];

const KNOWN_SQLITE: &str =
    "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($1))
     SELECT mark FROM delivery_item WHERE accepted_us IS NOT NULL AND mark IN (SELECT substr($1, n * 32 + 1, 32) FROM asked)";

/// `$1` the delivery, `$2` its receipt, `$3` the marks of what was accepted, `$4` how long these are kept.
const ANSWER: &str = concat!(
    "WITH kept AS (UPDATE delivery SET state = 'answered', receipt = $2, changed_us = ",
    piece!(postgres, NOW),
    " WHERE mark = $1 AND state <> 'answered' RETURNING mark),
     accepted AS (SELECT substring($3 FROM n * 32 + 1 FOR 32) AS mark FROM generate_series(0, length($3) / 32 - 1) AS n),
     booked AS (UPDATE delivery_item SET accepted_us = coalesce(accepted_us, ",
    piece!(postgres, NOW),
    "), until_us = ",
    piece!(postgres, NOW),
    " + $4 WHERE delivery = $1 AND mark IN (SELECT mark FROM accepted) RETURNING mark),
     rejected AS (DELETE FROM delivery_item WHERE delivery = $1 AND accepted_us IS NULL AND mark NOT IN (SELECT mark FROM accepted)
         RETURNING mark)
     SELECT (SELECT count(*) FROM kept) AS kept,
         (SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
             THEN set_config('synchronous_commit', 'on', true) END) AS durable"
);

/// The same in SQLite, one statement after the other, which are handed over together.
const ANSWER_SQLITE: &str = concat!(
    "UPDATE delivery SET state = 'answered', receipt = $2, changed_us = ",
    piece!(sqlite, NOW),
    " WHERE mark = $1 AND state <> 'answered';
     WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($3))
     UPDATE delivery_item SET accepted_us = coalesce(accepted_us, ",
    piece!(sqlite, NOW),
    "), until_us = ",
    piece!(sqlite, NOW),
    " + $4 WHERE delivery = $1 AND mark IN (SELECT substr($3, n * 32 + 1, 32) FROM asked);
     DELETE FROM delivery_item WHERE delivery = $1 AND accepted_us IS NULL"
);

/// Rows that one statement changes at most, where nobody waits for it.
const AT_ONCE: i64 = 1_000;

/// What an attempt asks for.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Asked {
    /// Whose delivery it is.
    pub mark: Mark,
    pub content: Mark,
    /// This attempt.
    pub holder: Uuid,
    pub call: Uuid,
    /// The service that it is sent to.
    pub service: Uuid,
    /// For how long it has the delivery.
    pub lease: Duration,
    /// For how long the delivery is remembered.
    pub keep: Duration,
    /// Whether the receiver may be asked once more.
    pub again: bool,
    pub items: Vec<Mark>,
    /// Items of other deliveries that it speaks of.
    pub refers: Vec<Mark>,
}

/// A delivery as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether this attempt has it.
    pub mine: bool,
    /// Whether it has the content that was asked about.
    pub same: bool,
    /// How often it was tried.
    pub tries: i64,
    /// The receipt, encrypted, where it is answered.
    pub receipt: Option<Vec<u8>>,
    /// Whether nobody knows what became of it.
    pub unknown: bool,
    /// Its items that another delivery has.
    pub elsewhere: Vec<Elsewhere>,
    /// Those referred to that are known to be accepted.
    pub known: Vec<Mark>,
}

/// An item that another delivery has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Elsewhere {
    pub item: Mark,
    pub delivery: Mark,
    /// When it was accepted, in microseconds; `None`: the delivery was not answered yet.
    pub accepted_us: Option<i64>,
}

/// The tables.
#[derive(Debug, Clone)]
pub struct Rows(pub Database);

impl Rows {
    /// Claims a delivery for an attempt, or says how it stands. Where a connection is lost it may be asked again: the attempt is the same.
    pub async fn claim(&self, asked: &Asked) -> Result<Standing, StoreError> {
        match self.claim_once(asked).await {
            Err(error) if error.is_away() || error.is_undecided() => self.claim_once(asked).await,
            done => done,
        }
    }

    async fn claim_once(&self, asked: &Asked) -> Result<Standing, StoreError> {
        if self.0.dialect() == Dialect::Sqlite {
            return self.0.write_together(asked.clone()).await;
        }
        let query = asked.bound(sql(CLAIM)).bind(asked.items.as_flattened()).bind(asked.refers.as_flattened());
        let row = self.0.first(query).await?.ok_or(NO_ROW)?;
        let elsewhere = row.maybe::<Vec<u8>>("elsewhere")?.unwrap_or_default();
        let known = row.maybe::<Vec<u8>>("known")?.unwrap_or_default();
        let one = |bytes: &[u8]| {
            let (marks, at) = bytes.split_at_checked(64)?;
            let (item, delivery) = marks.split_at_checked(32)?;
            let at = i64::from_be_bytes(at.try_into().ok()?);
            let (item, delivery) = (item.try_into().ok()?, delivery.try_into().ok()?);
            Some(Elsewhere { item, delivery, accepted_us: Some(at).filter(|at| *at >= 0) })
        };
        Ok(Standing {
            elsewhere: elsewhere.chunks(72).filter_map(one).collect(),
            known: known.as_chunks().0.to_vec(),
            ..standing(&row)?
        })
    }

    /// Takes items, each once, for a delivery that is claimed. Gives those that another has. May be asked again.
    pub async fn take(&self, delivery: Mark, items: &[Mark], keep: Duration) -> Result<Vec<Elsewhere>, StoreError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let query = by_dialect(ITEMS_SQLITE, ITEMS_POSTGRES);
        let query = query.bind(delivery.as_slice()).bind(items.as_flattened()).bind(microseconds(keep));
        until_it_holds(async || {
            let mut transaction = self.0.begin_beside_others().await?;
            let elsewhere = elsewhere(transaction.all(query.clone()).await?, delivery)?;
            transaction.commit().await.map(|()| elsewhere)
        })
        .await
    }

    /// Which of these items are known to be accepted.
    pub async fn known(&self, items: &[Mark]) -> Result<Vec<Mark>, StoreError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.0.all(by_dialect(KNOWN_SQLITE, KNOWN_POSTGRES).bind(items.as_flattened())).await?;
        rows.iter().map(|row| taken(row, "mark")).collect()
    }

    /// How many items a delivery has; of `among`, where that is given.
    pub async fn count(&self, delivery: Mark, among: Option<&[Mark]>) -> Result<u64, StoreError> {
        let [(sqlite, postgres), _] = OF_DELIVERY;
        let query = match among {
            Some([]) => return Ok(0),
            Some(among) => by_dialect(sqlite, postgres).bind(delivery.as_slice()).bind(among.as_flattened()),
            None => sql("SELECT count(*) AS n FROM delivery_item WHERE delivery = $1").bind(delivery.as_slice()),
        };
        let row = self.0.first(query).await?.ok_or(StoreError::Unreadable { column: "n" })?;
        u64::try_from(row.get::<i64>("n")?).map_err(|_| StoreError::Unreadable { column: "n" })
    }

    /// Items that were not accepted are free for another delivery.
    pub async fn let_go(session: &mut Session, delivery: Mark, items: &[Mark]) -> Result<(), StoreError> {
        if items.is_empty() {
            return Ok(());
        }
        let [_, (sqlite, postgres)] = OF_DELIVERY;
        let query = by_dialect(sqlite, postgres).bind(delivery.as_slice()).bind(items.as_flattened());
        session.execute(query).await.map(drop)
    }

    /// The same for every item of a delivery.
    pub async fn let_all_go(session: &mut Session, delivery: Mark) -> Result<(), StoreError> {
        let query = sql("DELETE FROM delivery_item WHERE delivery = $1 AND accepted_us IS NULL");
        session.execute(query.bind(delivery.as_slice())).await.map(drop)
    }

    /// Whether an attempt has a delivery.
    pub async fn is_held_by(&self, delivery: Mark, holder: Uuid) -> Result<bool, StoreError> {
        let query = sql("SELECT mark FROM delivery WHERE mark = $1 AND holder = $2 AND state = 'under way'");
        Ok(self.0.first(query.bind(delivery.as_slice()).bind(holder)).await?.is_some())
    }

    /// A delivery is answered, and what it still has is accepted.
    pub async fn answered_with(
        session: &mut Session,
        delivery: Mark,
        receipt: &[u8],
        keep: Duration,
        keep_items: Duration,
    ) -> Result<(), StoreError> {
        let answer = statement!(
            "UPDATE delivery SET state = 'answered', receipt = $2, changed_us = " NOW ", until_us = " NOW " + $3
             WHERE mark = $1 AND state <> 'answered'"
        );
        session.execute(answer.bind(delivery.as_slice()).bind(receipt).bind(microseconds(keep))).await?;
        let booked = statement!(
            "UPDATE delivery_item SET accepted_us = coalesce(accepted_us, " NOW "), until_us = " NOW " + $2 WHERE delivery = $1"
        );
        session.execute(booked.bind(delivery.as_slice()).bind(microseconds(keep_items))).await.map(drop)
    }

    /// How a delivery stands, for whoever does not claim it.
    pub async fn look(&self, mark: Mark, content: Mark) -> Result<Option<Standing>, StoreError> {
        let query = statement!(
            "SELECT false AS mine, content = $2 AS same, state, tries, receipt, held_until_us < " NOW " AS over FROM delivery WHERE mark = $1"
        );
        let row = self.0.first(query.bind(mark.as_slice()).bind(content.as_slice())).await?;
        row.as_ref().map(standing).transpose()
    }

    /// The receipts of other deliveries, encrypted, as far as they are remembered.
    pub async fn receipt(&self, mark: Mark) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.0.first(sql("SELECT receipt FROM delivery WHERE mark = $1").bind(mark.as_slice())).await?;
        row.map(|row| row.maybe("receipt")).transpose().map(Option::flatten)
    }

    /// Remembers an answer, and which of the items were accepted; the others are free for another delivery.
    pub async fn answer(&self, mark: Mark, receipt: &[u8], accepted: &[Mark], keep: Duration) -> Result<(), StoreError> {
        if self.0.dialect() == Dialect::Postgres {
            let query = sql(ANSWER).bind(mark.as_slice()).bind(receipt).bind(accepted.as_flattened()).bind(microseconds(keep));
            return self.0.first(query).await.map(drop);
        }
        self.0.write_together(Answer { mark, receipt: receipt.to_vec(), accepted: accepted.to_vec(), keep }).await
    }

    /// Goes on with a claim; `false`: another attempt has it, or it has ended.
    pub async fn renew(&self, mark: Mark, holder: Uuid, lease: Duration) -> Result<bool, StoreError> {
        let query = statement!("UPDATE delivery SET held_until_us = " NOW " + $3 WHERE mark = $1 AND holder = $2 AND state = 'under way'");
        let query = query.bind(mark.as_slice()).bind(holder).bind(microseconds(lease));
        Ok(self.0.execute(query).await? > 0)
    }

    /// Nobody knows what became of it.
    pub async fn unknown(&self, mark: Mark, holder: Uuid) -> Result<(), StoreError> {
        let query = statement!(
            "UPDATE delivery SET state = 'unknown', changed_us = " NOW " WHERE mark = $1 AND holder = $2 AND state = 'under way'"
        );
        self.0.execute(query.bind(mark.as_slice()).bind(holder)).await.map(drop)
    }

    /// Forgets a delivery of which nothing was passed on.
    pub async fn free(&self, mark: Mark, holder: Uuid) -> Result<(), StoreError> {
        if self.0.dialect() == Dialect::Postgres {
            let query =
                sql("WITH gone AS (DELETE FROM delivery WHERE mark = $1 AND holder = $2 AND state = 'under way' RETURNING mark)
                 DELETE FROM delivery_item WHERE delivery IN (SELECT mark FROM gone) AND accepted_us IS NULL");
            return self.0.execute(query.bind(mark.as_slice()).bind(holder)).await.map(drop);
        }
        self.0.write_together(Free { mark, holder }).await
    }

    /// What becomes of a claim that its call left: it is forgotten, for nothing was passed on; where an earlier attempt may have
    /// passed it on, nobody knows what became of it.
    pub async fn left(&self, mark: Mark, holder: Uuid) -> Result<(), StoreError> {
        self.0.write_together(Left { mark, holder }).await
    }

    /// The same within a transaction.
    pub async fn free_with(session: &mut Session, mark: Mark, holder: Uuid) -> Result<(), StoreError> {
        let gone = sql("DELETE FROM delivery WHERE mark = $1 AND holder = $2 AND state = 'under way'");
        if session.execute(gone.bind(mark.as_slice()).bind(holder)).await? > 0 {
            Self::let_all_go(session, mark).await?;
        }
        Ok(())
    }

    /// Deliveries whose attempt ended without a word, such as that of a node that was killed: nobody knows what became of them. Gives
    /// the calls, and to which service, where the release that claimed them wrote it.
    pub async fn abandoned(&self) -> Result<Vec<(Uuid, Option<Uuid>)>, StoreError> {
        let query = statement!(
            "UPDATE delivery SET state = 'unknown', changed_us = " NOW " WHERE mark IN (SELECT mark FROM delivery
               WHERE state = 'under way' AND held_until_us < " NOW " ORDER BY held_until_us LIMIT $1) AND state = 'under way'
               AND held_until_us < " NOW " RETURNING call, service"
        );
        let rows = self.0.all(query.bind(AT_ONCE)).await?;
        rows.iter().map(|row| Ok((row.get("call")?, row.maybe("service")?))).collect()
    }

    /// Forgets what was kept for as long as was agreed, a bounded number at a time; how many there were.
    pub async fn forget(&self) -> Result<u64, StoreError> {
        let deliveries = statement!(
            "DELETE FROM delivery WHERE mark IN (SELECT mark FROM delivery WHERE until_us < " NOW " ORDER BY until_us LIMIT $1)"
        );
        let items = statement!(
            "DELETE FROM delivery_item WHERE mark IN (SELECT mark FROM delivery_item WHERE until_us < " NOW " ORDER BY until_us LIMIT $1)"
        );
        let gone = self.0.execute(deliveries.bind(AT_ONCE)).await?;
        Ok(gone.max(self.0.execute(items.bind(AT_ONCE)).await?))
    }
}

const NO_ROW: StoreError = StoreError::Unreadable { column: "mark" };

impl Asked {
    fn bound(&self, query: Query) -> Query {
        let query = query.bind(self.mark.as_slice()).bind(self.content.as_slice()).bind(self.holder).bind(self.call);
        query.bind(microseconds(self.lease)).bind(microseconds(self.keep)).bind(i64::from(self.again)).bind(self.service)
    }
}

/// A claim in SQLite.
impl Write for Asked {
    type Kept = Standing;

    async fn write(&self, session: &mut Session) -> Result<Standing, StoreError> {
        let query = self.bound(sql(CLAIM_SQLITE)).bind(self.items.as_flattened()).bind(self.refers.as_flattened());
        let rows = session.all(query).await?;
        let (row, items) = rows.split_first().ok_or(NO_ROW)?;
        let mut found = standing(row)?;
        // Who has it not hears nothing of its items.
        if found.mine {
            for row in items {
                match row.maybe::<Vec<u8>>("delivery")? {
                    Some(_) => found.elsewhere.push(of_another(row)?),
                    None => found.known.push(taken(row, "mark")?),
                }
            }
        }
        Ok(found)
    }
}

/// An answer in SQLite.
struct Answer {
    mark: Mark,
    receipt: Vec<u8>,
    accepted: Vec<Mark>,
    keep: Duration,
}

impl Write for Answer {
    type Kept = ();

    async fn write(&self, session: &mut Session) -> Result<(), StoreError> {
        let answer = sql(ANSWER_SQLITE).bind(self.mark.as_slice()).bind(self.receipt.as_slice());
        session.execute(answer.bind(self.accepted.as_flattened()).bind(microseconds(self.keep))).await.map(drop)
    }
}

/// A claim of which nothing comes, in SQLite.
struct Free {
    mark: Mark,
    holder: Uuid,
}

impl Write for Free {
    type Kept = ();

    async fn write(&self, session: &mut Session) -> Result<(), StoreError> {
        Rows::free_with(session, self.mark, self.holder).await
    }
}

/// A claim that its call left.
struct Left {
    mark: Mark,
    holder: Uuid,
}

impl Write for Left {
    type Kept = ();

    async fn write(&self, session: &mut Session) -> Result<(), StoreError> {
        let tried = statement!(
            "UPDATE delivery SET state = 'unknown', changed_us = " NOW "
             WHERE mark = $1 AND holder = $2 AND state = 'under way' AND tries > 1"
        );
        session.execute(tried.bind(self.mark.as_slice()).bind(self.holder)).await?;
        Rows::free_with(session, self.mark, self.holder).await
    }
}

/// Of a delivery's items those that another has.
fn elsewhere(rows: Vec<Row>, own: Mark) -> Result<Vec<Elsewhere>, StoreError> {
    let mut elsewhere = rows.iter().map(of_another).collect::<Result<Vec<_>, _>>()?;
    elsewhere.retain(|place| place.delivery != own);
    Ok(elsewhere)
}

fn of_another(row: &Row) -> Result<Elsewhere, StoreError> {
    Ok(Elsewhere { item: taken(row, "mark")?, delivery: taken(row, "delivery")?, accepted_us: row.maybe("accepted_us")? })
}

/// Whether as many were forgotten as are at once, so that there may be more.
pub fn may_be_more(forgotten: u64) -> bool {
    forgotten >= AT_ONCE.unsigned_abs()
}

fn standing(row: &Row) -> Result<Standing, StoreError> {
    let (state, over): (String, bool) = (row.get("state")?, row.get("over")?);
    Ok(Standing {
        mine: row.get::<bool>("mine")? && state == "under way",
        same: row.get("same")?,
        tries: row.get("tries")?,
        receipt: row.maybe("receipt")?,
        unknown: state == "unknown" || (state == "under way" && over),
        elsewhere: Vec::new(),
        known: Vec::new(),
    })
}

fn taken(row: &Row, column: &'static str) -> Result<Mark, StoreError> {
    row.get::<Vec<u8>>(column)?.try_into().map_err(|_| StoreError::Unreadable { column })
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}
