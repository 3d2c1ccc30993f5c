//! CSV (RFC 4180), and lists that are sent while they are read.

use std::collections::BTreeMap;
use std::io;

use axum::body::{Body, Bytes};
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::agreements::request::AgreementRequest;
use super::agreements::view::AgreementView;
use super::input::{named_once, wrong};
use super::routes::{RouteRequest, RouteView};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::text;
use crate::text::cell;

/// A body that is sent piece by piece, a few ahead of the client at most.
pub(super) fn pieces() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(2);
    (sender, Body::new(Pieces(receiver)))
}

struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }
}

/// Some items of a JSON list.
pub(super) fn items(views: &[impl Serialize], first: bool, last: bool) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    if first {
        piece.push(b'[');
    }
    for (at, view) in views.iter().enumerate() {
        if !(first && at == 0) {
            piece.push(b',');
        }
        serde_json::to_writer(&mut piece, view)?;
    }
    if last {
        piece.push(b']');
    }
    Ok(piece)
}

fn text(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn written(header: &[&str], first: bool, rows: impl Iterator<Item = Vec<String>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if first {
        writer.write_record(header)?;
    }
    for row in rows {
        writer.write_record(row.iter().map(|text| cell(text)))?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

const AGREEMENTS: [&str; 22] = [
    "id",
    "side",
    "system",
    "certificates",
    "service",
    "authority",
    "environment",
    "valid_from",
    "valid_to",
    "legal_basis",
    "purpose",
    "scope",
    "name",
    "kind",
    "justification",
    "contract",
    "categories",
    "retention",
    "state",
    "decided_by",
    "decided_at",
    "reason",
];

/// Some agreements; the first with the names of the columns.
pub(super) fn agreements(views: &[AgreementView], first: bool) -> io::Result<Vec<u8>> {
    let row = |view: &AgreementView| {
        vec![
            view.id.to_string(),
            view.side.to_owned(),
            view.system.to_string(),
            view.certificates.join(" "),
            view.service.to_string(),
            view.authority.clone(),
            view.environment.clone(),
            view.valid_from.to_string(),
            view.valid_to.map(|at| at.to_string()).unwrap_or_default(),
            view.legal_basis.clone(),
            view.purpose.clone(),
            if view.scope.is_empty() { String::new() } else { serde_json::json!(view.scope).to_string() },
            view.name.clone().unwrap_or_default(),
            view.kind.unwrap_or_default().to_owned(),
            view.justification.clone().unwrap_or_default(),
            view.contract.clone().unwrap_or_default(),
            if view.categories.is_empty() { String::new() } else { serde_json::json!(view.categories).to_string() },
            view.retention.clone().unwrap_or_default(),
            view.state.to_owned(),
            view.decided_by.clone().unwrap_or_default(),
            view.decided_at.map(|at| at.to_string()).unwrap_or_default(),
            view.reason.clone().unwrap_or_default(),
        ]
    };
    written(&AGREEMENTS, first, views.iter().map(row))
}

const ROUTES: [&str; 12] = [
    "id",
    "service",
    "environment",
    "sender",
    "receiver",
    "valid_from",
    "valid_to",
    "system",
    "address",
    "entity_id",
    "roots",
    "signing_certificates",
];

/// Some routes; the first with the names of the columns.
pub(super) fn routes(views: &[RouteView], first: bool) -> io::Result<Vec<u8>> {
    let row = |view: &RouteView| {
        vec![
            view.id.to_string(),
            view.service.to_string(),
            view.environment.clone(),
            view.sender.clone(),
            view.receiver.clone(),
            view.valid_from.clone(),
            view.valid_to.clone().unwrap_or_default(),
            view.system.to_string(),
            view.address.clone(),
            view.entity_id.clone(),
            view.roots.clone(),
            view.signing_certificates.clone().unwrap_or_default(),
        ]
    };
    written(&ROUTES, first, views.iter().map(row))
}

/// One line of CSV, by the names of its columns. A cell that is empty is as one that is not there.
pub(super) struct Row<'r> {
    number: u64,
    cells: BTreeMap<&'r str, &'r str>,
}

impl Row<'_> {
    fn take(&mut self, name: &str) -> Option<String> {
        self.cells.remove(name).map(text).filter(|cell| !cell.is_empty()).map(str::to_owned)
    }

    fn needed(&mut self, name: &str) -> Result<String, ApiRefusal> {
        let number = self.number;
        self.take(name).ok_or_else(|| wrong(&format!("{name}, {number}"), "den mangler", "it is missing"))
    }

    fn uuid(&mut self, name: &str) -> Result<Uuid, ApiRefusal> {
        let text = self.needed(name)?;
        self.as_uuid(name, &text)
    }

    fn maybe_uuid(&mut self, name: &str) -> Result<Option<Uuid>, ApiRefusal> {
        self.take(name).map(|text| self.as_uuid(name, &text)).transpose()
    }

    fn as_uuid(&self, name: &str, text: &str) -> Result<Uuid, ApiRefusal> {
        let wrong = || wrong(&format!("{name}, {}", self.number), "det er ikke en UUID", "it is not a UUID");
        crate::text::uuid(text).ok_or_else(wrong)
    }

    /// Left out it is false.
    fn flag(&mut self, name: &str) -> Result<bool, ApiRefusal> {
        let number = self.number;
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => {
                Err(wrong(&format!("{name}, {number}"), "det er hverken true eller false", "it is neither true nor false"))
            }
        }
    }

    fn finish(self) -> Result<(), ApiRefusal> {
        match self.cells.keys().next() {
            None => Ok(()),
            Some(_) => Err(wrong("1", "den første linje nævner en ukendt kolonne", "the first line names an unknown column")),
        }
    }
}

/// The line at which a record begins. The reader's own count is behind where lines end with CR LF: it stands before the LF.
fn line_at(bytes: &[u8], position: &csv::Position) -> u64 {
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(at..).unwrap_or_default();
    let gaps = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    u64::try_from(text::line_at(bytes, at.saturating_add(gaps))).unwrap_or(u64::MAX)
}

/// Reads CSV whose first line names the columns.
pub(super) fn read<T>(bytes: &[u8], one: impl Fn(&mut Row<'_>) -> Result<T, ApiRefusal>) -> Result<Vec<T>, ApiRefusal> {
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(1, |position| line_at(bytes, position));
        ApiRefusal::ApiBodyUnreadable { place: Detail::new(format!("linje {line}"), format!("line {line}")) }
    };
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let names = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    if distinct.len() != names.len() {
        return Err(wrong("1", "to kolonner har samme navn", "two columns have one name"));
    }
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let number = record.position().map_or(0, |position| line_at(bytes, position));
        let mut row = Row { number, cells: names.iter().zip(record.iter()).collect() };
        found.push(one(&mut row)?);
        row.finish()?;
        if found.len() > super::files::IMPORTED {
            break;
        }
    }
    Ok(found)
}

/// A request for an agreement. What an export says of decisions is passed over: an import makes none.
pub(super) fn request(row: &mut Row<'_>) -> Result<AgreementRequest, ApiRefusal> {
    for decided in ["state", "decided_by", "decided_at"] {
        row.take(decided);
    }
    let number = row.number;
    let read = |text: String| {
        let mut json = serde_json::Deserializer::from_str(&text);
        let scope = named_once(&mut json)?;
        json.end().map(|()| scope)
    };
    let scope = row.take("scope").map(read).transpose();
    let categories = row.take("categories").map(|text| serde_json::from_str::<Vec<String>>(&text)).transpose().map_err(|_| {
        wrong(&format!("categories, {number}"), "det er ikke en JSON-liste med tekster", "it is not a JSON list of texts")
    })?;
    Ok(AgreementRequest {
        id: row.maybe_uuid("id")?,
        side: row.needed("side")?,
        system: row.uuid("system")?,
        certificates: row.take("certificates").iter().flat_map(|cell| cell.split(' ')).map(str::to_owned).collect(),
        service: row.uuid("service")?,
        authority: row.needed("authority")?,
        environment: row.needed("environment")?,
        valid_from: row.needed("valid_from")?,
        valid_to: row.take("valid_to"),
        legal_basis: row.needed("legal_basis")?,
        purpose: row.needed("purpose")?,
        scope: scope
            .map_err(|_| {
                wrong(
                    &format!("scope, {number}"),
                    "det er ikke JSON med hvert navn én gang",
                    "it is not JSON with each name once",
                )
            })?
            .unwrap_or_default(),
        name: row.take("name"),
        kind: row.take("kind"),
        justification: row.take("justification"),
        contract: row.take("contract"),
        categories: categories.unwrap_or_default(),
        retention: row.take("retention"),
        reason: row.needed("reason")?,
    })
}

/// A request for a route.
pub(super) fn route(row: &mut Row<'_>) -> Result<RouteRequest, ApiRefusal> {
    Ok(RouteRequest {
        id: row.maybe_uuid("id")?,
        service: row.uuid("service")?,
        environment: row.needed("environment")?,
        sender: row.needed("sender")?,
        receiver: row.needed("receiver")?,
        valid_from: row.needed("valid_from")?,
        valid_to: row.take("valid_to"),
        system: row.uuid("system")?,
        address: row.needed("address")?,
        entity_id: row.needed("entity_id")?,
        roots: row.needed("roots")?,
        signing_certificates: row.take("signing_certificates"),
        reason: row.needed("reason")?,
        replace: row.flag("replace")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        format!("{:?}", read(text.as_bytes(), request).map(|found| found.len()).unwrap_err())
    }

    #[test]
    fn a_refusal_names_the_line_that_an_editor_shows_however_lines_end() {
        for end in ["\n", "\r\n"] {
            let lines = ["side,system", "front,x,y"].join(end);
            assert!(refused(&lines).contains("line 2"), "{end:?} {}", refused(&lines));
            let lines = ["side,system", "front,x"].join(end);
            assert!(refused(&lines).contains("system, 2"), "{end:?} {}", refused(&lines));
        }
    }
}
