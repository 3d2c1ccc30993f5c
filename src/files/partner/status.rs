//! Are all approved? One line, with the list of those that are not; and what a person excepts from that list.

use jiff::civil::Date;
use uuid::Uuid;

use super::agreement::{self, Agreement};
use super::rows::{self, File, Validation, files_where};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::clock::copenhagen;
use crate::decisions::record::What;
use crate::decisions::{Because, By, Kept};
use crate::files::partner::request::RequestError;
use crate::files::users::{count, us};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::store::{Session, StoreError, sql, until_it_holds};
use crate::users::Whose;
use crate::users::rights::Action;

/// The most exceptions that are listed.
pub const MOST: usize = 200;

/// What became of the files that an agreement delivered on some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The first day, in Copenhagen.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// How many of each, in the order of [`Validation::ALL`].
    pub counts: [u64; 4],
    /// How many of those that are GODKENDT were deleted before anybody fetched them.
    pub expired: u64,
    /// Those that are not GODKENDT, the oldest first; at most [`MOST`].
    pub exceptions: Vec<File>,
}

impl Status {
    fn of(&self, of: Validation) -> u64 {
        Validation::ALL.into_iter().zip(self.counts).find(|(known, _)| *known == of).map_or(0, |(_, many)| many)
    }

    /// Whether each is GODKENDT or UNDTAGET.
    pub fn is_settled(&self) -> bool {
        self.of(Validation::Received) == 0 && self.of(Validation::Rejected) == 0
    }

    /// The one line. What nobody fetched in its days is told with it: approved is not received.
    pub fn line(&self) -> Detail {
        let line = self.validated();
        match self.expired {
            0 => line,
            expired => Detail::new(
                format!("{} {expired} er UDLOEBET: slettet, uden at modtageren hentede.", line.da()),
                format!("{} {expired} are UDLOEBET: deleted before the recipient fetched.", line.en()),
            ),
        }
    }

    fn validated(&self) -> Detail {
        let all: u64 = self.counts.iter().sum();
        let [received, approved, rejected, excepted] = Validation::ALL.map(|of| self.of(of));
        match (all, self.is_settled()) {
            (0, _) => Detail::new("Der er ikke afleveret filer.", "No files were delivered."),
            (_, true) if excepted == 0 => {
                Detail::new(format!("Alle {all} filer er GODKENDT."), format!("All {all} files are GODKENDT."))
            }
            (_, true) => Detail::new(
                format!("{approved} af {all} filer er GODKENDT, og {excepted} er UNDTAGET."),
                format!("{approved} of {all} files are GODKENDT, and {excepted} UNDTAGET."),
            ),
            (_, false) => Detail::new(
                format!(
                    "Ikke alle er GODKENDT: {approved} af {all} filer er; {rejected} er AFVIST, {received} MODTAGET og {excepted} UNDTAGET."
                ),
                format!(
                    "Not all are GODKENDT: {approved} of {all} files are; {rejected} are AFVIST, {received} MODTAGET and {excepted} UNDTAGET."
                ),
            ),
        }
    }
}

/// What became of the files that an agreement delivered from one day to another, both within.
///
/// # Errors
/// The store.
pub async fn status(session: &mut Session, mailbox: Uuid, from: Date, to: Date) -> Result<Status, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let zone = copenhagen().ok_or_else(|| unreadable("zone"))?;
    let begin = |day: Date| day.to_zoned(zone.clone()).map(|day| us(day.timestamp())).map_err(|_| unreadable("day"));
    let (first, last) = (begin(from)?, begin(to.tomorrow().map_err(|_| unreadable("day"))?)?);
    // Also of files whose history is deleted: a day with a rejected file does not become one that is settled.
    let counted = sql("SELECT validation, count(*) AS n FROM
         (SELECT validation FROM mailbox_file WHERE sender = $1 AND received_us >= $2 AND received_us < $3
          UNION ALL SELECT validation FROM mailbox_past WHERE sender = $1 AND received_us >= $2 AND received_us < $3) AS files
         GROUP BY validation");
    let mut counts = [0; 4];
    for row in session.all(counted.bind(mailbox).bind(first).bind(last)).await? {
        let name: String = row.get("validation")?;
        for (known, to) in Validation::ALL.into_iter().zip(&mut counts) {
            if known.name() == name {
                *to = count(&row, "n")?;
            }
        }
    }
    let expired = sql("SELECT count(*) AS n FROM
         (SELECT validation, transport FROM mailbox_file WHERE sender = $1 AND received_us >= $2 AND received_us < $3
          UNION ALL SELECT validation, transport FROM mailbox_past WHERE sender = $1 AND received_us >= $2 AND received_us < $3) AS files
         WHERE validation = 'GODKENDT' AND transport = 'UDLOEBET'");
    let expired = session.first(expired.bind(mailbox).bind(first).bind(last)).await?.ok_or_else(|| unreadable("n"))?;
    let exceptions = files_where!(
        "f.sender = $1 AND f.received_us >= $2 AND f.received_us < $3 AND f.validation <> 'GODKENDT' ORDER BY f.sent LIMIT $4"
    );
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let exceptions = session.all(exceptions.bind(mailbox).bind(first).bind(last).bind(most)).await?;
    Ok(Status {
        from,
        to,
        counts,
        expired: count(&expired, "n")?,
        exceptions: exceptions.iter().map(rows::read).collect::<Result<_, _>>()?,
    })
}

/// What whoever excepts a file is shown and signs; no name of the file.
fn text(file: &File, own: &Agreement) -> String {
    let codes: Vec<&str> = file.remarks.iter().map(|remark| remark.code.as_str()).collect();
    let (number, sha256) = (own.terms.number, &file.sha256);
    format!("undtag fil: {}\npartneraftale: {number}\nSHA-256: {sha256}\nkoder: {}\n", file.id, codes.join(" "))
}

/// Excepts a rejected file from the daily check: a person says why it need not be mended. It is handed over to nobody.
///
/// # Errors
/// [`RequestError`]: a user who may not, a file that is not AFVIST.
pub async fn except(
    store: &Store,
    by: By<'_>,
    file: Uuid,
    because: &Because,
    kept: Option<Kept<'_, ()>>,
) -> Result<(), RequestError> {
    until_it_holds(async || except_once(store, by, file, because, kept).await).await
}

async fn except_once(
    store: &Store,
    by: By<'_>,
    file: Uuid,
    because: &Because,
    kept: Option<Kept<'_, ()>>,
) -> Result<(), RequestError> {
    let nothing = || RequestError::from(ApiRefusal::ApiNotFound { what: Detail::new("fil", "file") });
    let mut session = store.database().session().await?;
    let held = rows::with_id(&mut session, file).await?.ok_or_else(nothing)?;
    let own = agreement::with_id(&mut session, held.sender).await?.ok_or_else(nothing)?;
    drop(session);
    let what = What {
        subject: Subject::MailboxFile,
        id: held.id,
        from: Some(Validation::Rejected.name().to_owned()),
        to: Validation::Excepted.name().to_owned(),
        shown: Some(crate::decisions::shown::sha256(&text(&held, &own))),
    };
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::ExceptFile)?;
    let scope = actor.scope();
    let whose = match scope.whose {
        Whose::Everybody => true,
        Whose::Authority(authority) => authority == own.terms.owner,
        Whose::Supplier(_) | Whose::Nobody => false,
    };
    if !whose || !scope.services.is_empty() {
        return Err(nothing());
    }
    let mut change = store.change().await?;
    let except = sql(
        "UPDATE mailbox_file SET validation = 'UNDTAGET', excepted = $1, excepted_by = $2 WHERE id = $3 AND validation = 'AFVIST'",
    );
    let except = except.bind(&because.reason).bind(&actor.user().name).bind(held.id);
    if change.connection().execute(except).await? == 0 {
        let (from, to) = (Detail::name(held.validation.name()), Detail::name(Validation::Excepted.name()));
        return Err(ApiRefusal::ApiTransition { from, to }.into());
    }
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &()).await?;
    Ok(change.commit().await?)
}
