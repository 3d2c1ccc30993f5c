//! A form that somebody sent: bounded, from here, of the session that goes on. Where it is not, what was written in it is kept.

use std::borrow::Cow;

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::session::Visit;
use super::stop::{Kept, Stop};
use super::{Asked, Console, FORM_BYTES, LIST_BYTES};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::Unfit;

/// The most fields: a request's form has ten for each service.
const MOST: usize = 4_000;
/// The name of the field with the session's token.
pub const TOKEN: &str = "form_token";

/// The name of a field with a person's number, which no answer shows again.
pub const PERSON: &str = "cpr";

/// The fields of a form, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads fields as browsers write them.
    ///
    /// # Errors
    /// [`ConsoleRefusal::ConsoleFormUnreadable`].
    pub fn read(bytes: &[u8]) -> Result<Self, ConsoleRefusal> {
        let fields: Vec<_> =
            form_urlencoded::parse(bytes).take(MOST + 1).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        // What is no UTF-8 was written by no page of ours.
        let readable = |text: &str| !text.contains(['\u{fffd}', '\0']);
        match fields.len() <= MOST && fields.iter().all(|(name, value)| readable(name) && readable(value)) {
            true => Ok(Self(fields)),
            false => Err(ConsoleRefusal::ConsoleFormUnreadable),
        }
    }

    /// The fields of an address.
    ///
    /// # Errors
    /// [`ConsoleRefusal::ConsoleFormUnreadable`].
    pub fn of_query(uri: &http::Uri) -> Result<Self, ConsoleRefusal> {
        Self::read(uri.query().unwrap_or_default().as_bytes())
    }

    /// The one value of a field, without white space around it; empty where it is not there.
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        let value = self.0.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value);
        // Browsers send line ends as CR LF.
        Cow::Owned(value.trim().replace("\r\n", "\n"))
    }

    /// Every value of a field.
    pub fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let name = name.to_owned();
        self.0.iter().filter(move |(of, _)| *of == name).map(|(_, value)| value.trim())
    }

    /// A field of one line that must be filled in.
    ///
    /// # Errors
    /// [`ConsoleRefusal::ConsoleField`].
    pub fn line(&self, name: &str, called: Detail, longest: usize) -> Result<String, ConsoleRefusal> {
        let text = self.text(name);
        let what = match crate::text::line(&text) {
            _ if text.chars().count() > longest => {
                Detail::new(format!("det er længere end {longest} tegn"), format!("it is longer than {longest} characters"))
            }
            // As over the API: no look-alike, no formula, nothing that turns the text.
            Ok(line) => return Ok(line),
            Err(Unfit::Empty) => Detail::new("det skal udfyldes", "it must be filled in"),
            Err(unfit) => unfit.describe(),
        };
        Err(ConsoleRefusal::ConsoleField { field: called, what })
    }

    /// What may stand on a page again: not the session's token, and no person's number.
    fn to_be_sent_again(&self) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| name != TOKEN && name != PERSON).cloned().collect()
    }
}

/// A form of the session that goes on.
#[derive(Debug)]
pub struct Form {
    /// Whose session.
    pub visit: Visit,
    /// What was written.
    pub fields: Fields,
    action: String,
}

impl Form {
    /// A refusal with what was written, to be sent again.
    pub fn stop(&self, why: impl Into<Stop>) -> Stop {
        why.into().keeping(self.kept())
    }

    /// What it asks for: the last part of where it was sent.
    pub fn asks(&self) -> &str {
        self.action.rsplit('/').next().unwrap_or_default()
    }

    fn kept(&self) -> Kept {
        Kept { action: self.action.clone(), fields: self.fields.to_be_sent_again(), writer: self.visit.writer() }
    }
}

impl FromRequest<Console> for Form {
    type Rejection = Stop;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Stop> {
        let asked = request.extensions().get::<Asked>().cloned().ok_or(ApiRefusal::ApiInternal)?;
        let action = request.uri().path().to_owned();
        let fields = fields(request).await?;
        let (token, writer) = token(&fields);
        let kept = || Kept { action: action.clone(), fields: fields.to_be_sent_again(), writer: writer.clone() };
        let Some(visit) = Visit::of(console, &asked).await.map_err(|stop| stop.keeping(kept()))? else {
            return Err(Stop::from(ConsoleRefusal::ConsoleSessionOver).keeping(kept()));
        };
        let due = visit.secret.form_token();
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(due.as_bytes(), token.as_bytes());
        if same.is_err() {
            return Err(Stop::from(ConsoleRefusal::ConsoleFormStale).keeping(kept()));
        }
        Ok(Self { visit, fields, action })
    }
}

/// The session's token that came with a form, and who wrote in it; of a page of the release before nobody knows.
fn token(fields: &Fields) -> (String, String) {
    let sent = fields.text(TOKEN);
    let (token, writer) = sent.split_once('.').unwrap_or((&*sent, ""));
    (token.to_owned(), writer.to_owned())
}

/// How many bytes a form may have: that of a value list holds a table.
fn most(path: &str) -> usize {
    if path == "/value-lists" { LIST_BYTES } else { FORM_BYTES }
}

/// The fields of a request's body.
///
/// # Errors
/// A body of another kind, too large or cut short.
pub async fn fields(request: Request) -> Result<Fields, Stop> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded" {
        return Err(ConsoleRefusal::ConsoleFormUnreadable.into());
    }
    let limit = most(request.uri().path());
    let read = Limited::new(request.into_body(), limit).collect().await;
    let bytes = read.map_err(|error| match error.is::<LengthLimitError>() {
        true => Stop::from(ConsoleRefusal::ConsoleFormTooLarge { limit }),
        false => ApiRefusal::ApiBodyIncomplete.into(),
    })?;
    Ok(Fields::read(&bytes.to_bytes())?)
}
