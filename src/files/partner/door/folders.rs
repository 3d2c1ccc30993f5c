//! What a path names in a user's mailboxes, and what lies in a folder.

use std::collections::BTreeSet;

use super::{PartnerHome, entry_of, of_store, problem};
use crate::clock::civil_day;
use crate::files::home::{Item, Place, Problem};
use crate::files::name::Name;
use crate::files::partner::agreement::{Agreement, Direction, Number, Standing};
use crate::files::partner::core::{MailboxError, Purpose};
use crate::files::partner::{receipts, rows};
use crate::store::{Session, StoreError, sql};

/// A folder of an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What was sent to it.
    In,
    /// Where it delivers.
    Out,
    /// What became of what it put.
    Receipt,
}

impl Part {
    const ALL: [Part; 3] = [Part::In, Part::Out, Part::Receipt];

    fn name(self) -> &'static str {
        match self {
            Part::In => "IN",
            Part::Out => "OUT",
            Part::Receipt => "RECEIPT",
        }
    }
}

/// A folder, from the agreement on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Folder {
    pub(super) number: Number,
    pub(super) which: Option<Part>,
    stream: Option<String>,
    alias: Option<(String, String)>,
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn alias_of(text: &str) -> Option<(String, String)> {
    let (kind, code) = text.split_once('=')?;
    (is_code(kind) && is_code(code)).then(|| (kind.to_owned(), code.to_owned()))
}

impl Folder {
    /// What a path names: `NUMBER/IN|OUT/STREAM/KIND=CODE/NAME`, or `NUMBER/RECEIPT/NAME`.
    pub fn place(parts: &[&str]) -> Place<Folder> {
        let Some((number, rest)) = parts.split_first() else { return Place::Root };
        let Ok(number) = number.parse() else { return Place::Elsewhere };
        let mut folder = Folder { number, which: None, stream: None, alias: None };
        let Some((which, rest)) = rest.split_first() else { return Place::Folder(folder) };
        folder.which = Part::ALL.into_iter().find(|known| known.name() == *which);
        match (folder.which, rest) {
            (None, _) => Place::Elsewhere,
            (_, []) => Place::Folder(folder),
            (Some(Part::Receipt), [name]) => Place::file(folder, name),
            (Some(Part::In | Part::Out), [stream, rest @ ..]) if is_code(stream) => {
                folder.stream = Some((*stream).to_owned());
                match rest {
                    [] => Place::Folder(folder),
                    [alias, rest @ ..] => match (alias_of(alias), rest) {
                        (None, _) => Place::Elsewhere,
                        (alias, []) => Place::Folder(Folder { alias, ..folder }),
                        (alias, [name]) => Place::file(Folder { alias, ..folder }, name),
                        _ => Place::Elsewhere,
                    },
                }
            }
            _ => Place::Elsewhere,
        }
    }

    /// Stream and alias, where it is a folder of files.
    pub(super) fn whole(&self) -> Option<(&str, (&str, &str))> {
        let (kind, code) = self.alias.as_ref()?;
        Some((self.stream.as_deref()?, (kind, code)))
    }

    fn direction(&self) -> Direction {
        if self.which == Some(Part::Out) { Direction::Out } else { Direction::In }
    }
}

/// Names after one, as folders.
fn named(names: impl IntoIterator<Item = String>, after: Option<&Name>, at_most: usize) -> Vec<Item> {
    let names: BTreeSet<Name> = names.into_iter().filter_map(|name| Name::new(&name).ok()).collect();
    names.into_iter().filter(|name| after.is_none_or(|after| name > after)).take(at_most).map(Item::Folder).collect()
}

impl PartnerHome {
    pub(super) async fn is_there(&self, folder: &Folder) -> Result<(), Problem> {
        let own = self.agreement(folder, Purpose::See).await?;
        let Some(stream) = &folder.stream else { return Ok(()) };
        let (entered, mailboxes) = (self.entered().await?, self.mailboxes());
        let mut session = mailboxes.database().session().await.map_err(of_store)?;
        let agreed = own.terms.stream(stream, folder.direction()).is_some();
        let there = match (&folder.alias, folder.direction()) {
            (None, Direction::Out) => agreed,
            (None, Direction::In) => agreed || lies(&mut session, &own, stream, None).await.map_err(of_store)?,
            (Some((kind, code)), Direction::Out) => {
                match mailboxes.way(&mut session, &entered, folder.number, stream, (kind, code)).await {
                    Ok(_) => true,
                    Err(MailboxError::Refused(_)) => false,
                    Err(error) => return Err(problem(error)),
                }
            }
            // Of an agreed stream each alias's folder is there, and most are empty: one that went with its last file would fail whoever is in it.
            (Some((kind, code)), Direction::In) => {
                agreed || lies(&mut session, &own, stream, Some((kind, code))).await.map_err(of_store)?
            }
        };
        if there { Ok(()) } else { Err(Problem::NoSuchFile) }
    }

    fn today(&self) -> Result<jiff::civil::Date, Problem> {
        civil_day(self.mailboxes().now()).ok_or(Problem::Unavailable)
    }

    pub(super) async fn listed(
        &self,
        folder: Option<&Folder>,
        after: Option<&Name>,
        at_most: usize,
    ) -> Result<Vec<Item>, Problem> {
        let Some(folder) = folder else {
            let rights = &self.entered().await?.user.rights;
            return Ok(named(rights.iter().map(|right| right.number.to_string()), after, at_most));
        };
        // Names of files can hold persons' data: whoever does not fetch, or did not put them, does not see them.
        let purpose = match folder.which {
            Some(Part::In) => Purpose::Fetch,
            Some(Part::Receipt) => Purpose::SeeReceipts,
            _ => Purpose::See,
        };
        let own = self.agreement(folder, purpose).await?;
        let mut session = self.mailboxes().database().session().await.map_err(of_store)?;
        let (today, outbox) = (self.today()?, folder.direction() == Direction::Out);
        match (folder.which, &folder.stream, folder.whole()) {
            (None, ..) => Ok(named(Part::ALL.map(|which| which.name().to_owned()), after, at_most)),
            (Some(Part::Receipt), ..) => {
                let found = receipts::page(&mut session, own.id, after, at_most).await.map_err(of_store)?;
                Ok(found.into_iter().map(|receipt| Item::File(receipt.entry)).collect())
            }
            (_, None, _) => {
                let agreed = own.terms.streams.iter().filter(|stream| stream.direction == folder.direction());
                let mut streams: Vec<String> = agreed.map(|stream| stream.code.clone()).collect();
                if !outbox {
                    streams.extend(rows::streams_lying(&mut session, own.id).await.map_err(of_store)?);
                }
                Ok(named(streams, after, at_most))
            }
            (_, Some(stream), None) => {
                let mut aliases: Vec<String> = Vec::new();
                let agreed = own.terms.stream(stream, folder.direction());
                let of_all = agreed.is_some_and(|stream| stream.counterpart.is_none());
                if agreed.is_some() && (!outbox || !of_all) {
                    let held = own.terms.aliases.iter().filter(|alias| alias.holds(today));
                    aliases.extend(held.map(|alias| format!("{}={}", alias.kind, alias.code)));
                }
                if outbox && of_all && own.standing == Standing::Active {
                    aliases.extend(partners(&mut session, &own, stream, today).await.map_err(of_store)?);
                }
                if !outbox {
                    aliases.extend(rows::aliases_lying(&mut session, own.id, stream).await.map_err(of_store)?);
                }
                Ok(named(aliases, after, at_most))
            }
            (_, _, Some(whole)) if !outbox => {
                let (stream, (kind, code)) = whole;
                let found = rows::lying(&mut session, own.id, (stream, kind, code), after, at_most).await.map_err(of_store)?;
                found.iter().map(|file| entry_of(file).map(Item::File)).collect()
            }
            _ => {
                drop(session);
                self.uploads(folder, after, at_most).await
            }
        }
    }
}

/// Whether files of a stream, or of an alias of it, lie in an inbox.
async fn lies(session: &mut Session, own: &Agreement, stream: &str, alias: Option<(&str, &str)>) -> Result<bool, StoreError> {
    let found = match alias {
        None => sql("SELECT 1 AS there FROM mailbox_file WHERE recipient = $1 AND stream = $2 AND transport = 'KLAR' AND shown_key IS NOT NULL LIMIT 1")
            .bind(own.id)
            .bind(stream),
        Some((kind, code)) => sql("SELECT 1 AS there FROM mailbox_file WHERE recipient = $1 AND stream = $2 AND alias_kind = $3
                 AND alias_code = $4 AND transport = 'KLAR' AND shown_key IS NOT NULL LIMIT 1")
        .bind(own.id)
        .bind(stream)
        .bind(kind)
        .bind(code),
    };
    Ok(session.first(found).await?.is_some())
}

/// The aliases that a central system may deliver for today.
async fn partners(
    session: &mut Session,
    own: &Agreement,
    stream: &str,
    today: jiff::civil::Date,
) -> Result<Vec<String>, StoreError> {
    let query = sql("SELECT a.kind, a.code FROM mailbox_stream AS s JOIN mailbox AS b ON b.id = s.mailbox
             JOIN mailbox_alias AS a ON a.mailbox = b.id
         WHERE s.counterpart = $1 AND s.code = $2 AND s.direction = 'IND' AND b.state = 'AKTIV' AND b.environment = $3
             AND a.valid_from <= $4 AND (a.valid_to IS NULL OR a.valid_to > $4)");
    let query = query.bind(own.terms.number.to_string()).bind(stream).bind(own.terms.environment.to_string()).bind(today);
    let alias = |row: &crate::store::Row| Ok(format!("{}={}", row.get::<String>("kind")?, row.get::<String>("code")?));
    session.all(query).await?.iter().map(alias).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_agreement_its_boxes_streams_and_aliases_in_their_exact_spelling() {
        let place = |path: &str| Folder::place(&path.split('/').collect::<Vec<_>>());
        for path in ["PA85858", "PA85858/IN", "PA85858/RECEIPT", "PA85858/OUT/LOEN", "PA85858/IN/LOEN/LOENGRUPPE=4711"] {
            assert!(matches!(place(path), Place::Folder(_)), "{path}");
        }
        for path in ["PA85858/OUT/LOEN/LOENGRUPPE=4711/a.txt", "PA85858/RECEIPT/a.sftpreceipt"] {
            assert!(matches!(place(path), Place::File(..)), "{path}");
        }
        for path in [
            "pa85858",
            "PA8585",
            "PA85858/in",
            "PA85858/RECEIPT/a/b",
            "PA85858/OUT/LOEN/LOENGRUPPE",
            "PA85858/OUT/LOEN/=1",
            "PA85858/OUT/LØN",
            "PA85858/OUT/LOEN/LOENGRUPPE=4711/a/b",
            "IN",
        ] {
            assert_eq!(place(path), Place::Elsewhere, "{path}");
        }
        assert_eq!(Folder::place(&[]), Place::Root);
    }
}
