//! `/api/v1/partner-requests` and what is done at once to partner agreements, their users and their files. Whoever asks for something does
//! not approve it; it is decided as on the command line ([`crate::files::partner::request`]).

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id, Json, Query};
use super::idempotency::{Answer, digest, once};
use super::input::{instant, line, parsed, within, wrong, wrong_parameter};
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use crate::agreements::Thumbprint;
use crate::audit::Subject;
use crate::decisions::{Because, By, Kept, shown};
use crate::files::home::Fingerprint;
use crate::files::partner::agreement::{self, Agreement, AgreementError, Number, Standing, Terms};
use crate::files::partner::request::{self, Request, RequestError, State as Stands, Wanted};
use crate::files::partner::status;
use crate::files::partner::users::{Right, User, UserError};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::users::keys::Key;
use crate::users::rights::Action;
use crate::users::{Actor, Whose};

/// The longest terms, in bytes: a schema may stand in them.
const LONGEST_TERMS: usize = 768 * 1024;

fn conflict(da: impl Into<String>, en: impl Into<String>) -> ApiRefusal {
    ApiRefusal::ApiConflict { what: Detail::new(da.into(), en.into()) }
}

/// The same as [`RequestError`] says it, in both languages.
fn of_request(error: RequestError) -> ApiRefusal {
    match error {
        RequestError::Decide(error) => of_decision(error),
        RequestError::Agreement(AgreementError::Store(error)) | RequestError::User(UserError::Store(error)) => of_store(error),
        RequestError::Agreement(AgreementError::Unsound { place, what }) => {
            wrong("terms", format!("{place}: {}", what.da()), format!("{place}: {}", what.en()))
        }
        RequestError::Agreement(AgreementError::AliasTaken { kind, code }) => conflict(
            format!("aliasset {kind} {code} hører til en anden aftale på nogle af dagene"),
            format!("the alias {kind} {code} belongs to another agreement on some of these days"),
        ),
        RequestError::Agreement(AgreementError::OtherOwner(number)) => conflict(
            format!("{number} har en anden ejer eller et andet miljø og beholder det"),
            format!("{number} is of another owner or environment, and stays so"),
        ),
        RequestError::Agreement(AgreementError::Closed(number)) => {
            conflict(format!("{number} er lukket"), format!("{number} is closed"))
        }
        RequestError::Agreement(AgreementError::NoSuch(_)) => no_agreement(),
        RequestError::User(UserError::Name) => wrong(
            "user",
            "navnet har 1-255 tegn af A-Z, a-z, 0-9, _, . og -",
            "the name has 1-255 of the characters A-Z, a-z, 0-9, _, . and -",
        ),
        RequestError::User(UserError::Taken(_) | UserError::OfTheOther(_)) => {
            conflict("brugernavnet er i brug eller har været det", "the user's name is in use, or was")
        }
        RequestError::User(UserError::CertificateTaken(_) | UserError::KeyTaken(_)) => {
            conflict("certifikatet eller nøglen er eller har været en brugers", "the certificate or key is, or was, a user's")
        }
        RequestError::User(UserError::Nothing) => {
            wrong("certificate", "angiv certifikat, nøgle eller begge", "give a certificate, a key, or both")
        }
        RequestError::User(UserError::NoSuch(_)) => no_user(),
        RequestError::User(UserError::Standing(_, standing)) => {
            conflict(format!("brugeren er {standing}"), format!("the user is {standing}"))
        }
        RequestError::NoSuch(_) => no_request(),
        RequestError::SeveralAuthorities => wrong(
            "rights",
            "rettighederne gælder aftaler hos flere myndigheder eller ingen",
            "the rights are on agreements of several authorities, or of none",
        ),
        RequestError::NotSuspended(number, standing) => conflict(
            format!("{number} er {standing} og ikke SUSPENDERET"),
            format!("{number} is {standing}, and not SUSPENDERET"),
        ),
    }
}

fn no_agreement() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("partneraftale", "partner agreement") }
}

fn no_user() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("bruger af postkasser", "mailbox user") }
}

fn no_request() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("anmodning", "request") }
}

/// What the path names; what is no text names nothing.
pub struct OfPath(String);

impl FromRequestParts<Api> for OfPath {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiRefusal> {
        let path: Result<Path<String>, _> = parts.extract().await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// What a user may do on an agreement.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerRight {
    /// The agreement.
    #[schema(pattern = "^PA[0-9]{5}$", max_length = 7)]
    pub number: String,
    /// Whether it fetches and confirms.
    pub fetches: bool,
    /// Whether it delivers.
    pub delivers: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerRequestForm {
    /// `agreement`, `resume`, `user`, `delete-user`, `new-key`, `unblock` or `rights`.
    #[schema(max_length = 20)]
    pub what: String,
    /// For `agreement`: all of its terms, as TOML.
    #[serde(default)]
    #[schema(max_length = 786432)]
    pub terms: Option<String>,
    /// For `resume`: the agreement.
    #[serde(default)]
    #[schema(pattern = "^PA[0-9]{5}$", max_length = 7)]
    pub number: Option<String>,
    /// For what is about a user: its name, exactly so.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub user: Option<String>,
    /// For `user` and `new-key`: SHA-256 of its certificate, in hexadecimal.
    #[serde(default)]
    #[schema(max_length = 95)]
    pub certificate: Option<String>,
    /// For the same: the fingerprint of its SSH key, as `ssh-keygen -l` shows it.
    #[serde(default)]
    #[schema(max_length = 50)]
    pub key: Option<String>,
    /// For `user`: the first instant at which it may no longer be used.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub valid_to: Option<String>,
    /// For `user` and `rights`.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub rights: Vec<PartnerRight>,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

fn number(field: &str, text: &str) -> Result<Number, ApiRefusal> {
    parsed(field, text, "det er ikke PA og fem cifre", "it is not PA and five digits")
}

impl PartnerRequestForm {
    fn read(&self) -> Result<Wanted, ApiRefusal> {
        fn given<'f>(field: &str, value: Option<&'f String>) -> Result<&'f str, ApiRefusal> {
            value.map(String::as_str).ok_or_else(|| wrong(field, "det mangler", "it is missing"))
        }
        let user = || Ok::<_, ApiRefusal>(within("user", given("user", self.user.as_ref())?, 255)?.to_owned());
        let by = || {
            let certificate = self.certificate.as_deref().map(|text| {
                let (da, en) = ("det er ikke 64 hexadecimale cifre", "it is not 64 hexadecimal digits");
                parsed::<Thumbprint>("certificate", text, da, en)
            });
            let key = self.key.as_deref().map(|text| {
                let not = || wrong("key", "det er ikke SHA256: og 43 tegn", "it is not SHA256: and 43 characters");
                text.parse::<Fingerprint>().map_err(|()| not())
            });
            Ok::<_, ApiRefusal>((certificate.transpose()?, key.transpose()?))
        };
        let rights = || {
            if self.rights.len() > 500 {
                return Err(wrong("rights", "der er flere end 500", "there are more than 500"));
            }
            let right = |right: &PartnerRight| {
                Ok::<_, ApiRefusal>(Right {
                    number: number("rights", &right.number)?,
                    fetches: right.fetches,
                    delivers: right.delivers,
                })
            };
            self.rights.iter().map(right).collect::<Result<Vec<_>, _>>()
        };
        Ok(match self.what.as_str() {
            "agreement" => Wanted::Agreement(terms(within("terms", given("terms", self.terms.as_ref())?, LONGEST_TERMS)?)?),
            "resume" => Wanted::Resume(number("number", given("number", self.number.as_ref())?)?),
            "user" => {
                let (certificate, key) = by()?;
                let valid_to = self.valid_to.as_deref().map(|text| instant("valid_to", text)).transpose()?;
                Wanted::User { name: user()?, certificate, key, valid_to, rights: rights()? }
            }
            "delete-user" => Wanted::Delete(user()?),
            "new-key" => {
                let (certificate, key) = by()?;
                Wanted::NewKey { name: user()?, certificate, key }
            }
            "unblock" => Wanted::Unblock(user()?),
            "rights" => Wanted::Rights { name: user()?, rights: rights()? },
            _ => return Err(wrong("what", "det kan der ikke anmodes om", "it is nothing that can be asked for")),
        })
    }
}

/// Reads terms; what is wrong is told by its line, without what stands there.
fn terms(text: &str) -> Result<Terms, ApiRefusal> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
        wrong("terms", format!("linje {line} kan ikke være sådan"), format!("line {line} cannot be so"))
    })
}

/// A request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartnerRequestView {
    /// Its id.
    pub id: Uuid,
    /// The authority whose signatory decides, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// ANMODET, GODKENDT, AFVIST or TRUKKET.
    #[schema(max_length = 8)]
    pub state: &'static str,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// The text that is to be shown to whoever decides.
    #[schema(max_length = 1000000)]
    pub text: String,
    /// SHA-256 of the text, in hexadecimal: what a decision sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
}

impl PartnerRequestView {
    fn of(request: &Request) -> Self {
        let text = request.text();
        Self {
            id: request.id,
            authority: request.authority.to_string(),
            state: request.state.name(),
            requested_at: request.requested,
            text_sha256: shown::sha256(&text),
            text,
        }
    }
}

/// Requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartnerRequestList {
    /// The newest first, a thousand at most.
    #[schema(max_items = 1000)]
    pub items: Vec<PartnerRequestView>,
}

/// The most requests of a list.
const MOST: usize = 1000;

/// Which requests to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Waiting {
    /// `false`: those that were decided on too.
    #[param(max_length = 5)]
    waiting: Option<String>,
}

/// Whether somebody may see a request: a supplier its own alone.
async fn sees(api: &Api, actor: &Actor, request: &Request) -> Result<bool, ApiRefusal> {
    let scope = actor.scope();
    Ok(match scope.whose {
        _ if !scope.services.is_empty() => false,
        Whose::Everybody => true,
        Whose::Authority(own) => request::concerns(&api.store, request, own).await.map_err(of_store)?,
        Whose::Supplier(own) => {
            let made = api.store.made_on(Subject::MailboxRequest, request.id).await.map_err(of_store)?;
            made.first().is_some_and(|made| made.party == Some(own))
        }
        Whose::Nobody => false,
    })
}

async fn seen(api: &Api, actor: &Actor, id: Uuid) -> Result<Request, ApiRefusal> {
    actor.may(Action::SeeAgreements)?;
    let request = async { request::with_id(&mut api.store.database().session().await?, id).await };
    let request = request.await.map_err(of_request)?;
    if sees(api, actor, &request).await? { Ok(request) } else { Err(no_request()) }
}

/// Requests for partner agreements and their users that the user may see.
#[utoipa::path(get, operation_id = "listPartnerRequests", path = "/api/v1/partner-requests", tag = "partner agreements", params(Waiting),
    responses((status = 200, description = "The requests.", body = PartnerRequestList), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<Waiting>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAgreements)?;
    let waiting = match query.waiting.as_deref() {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(wrong_parameter("waiting", "det er ikke true eller false", "it is not true or false")),
    };
    let found = request::seen_by(&api.store, &caller.scope(), waiting, MOST).await.map_err(of_store)?;
    Ok(axum::Json(PartnerRequestList { items: found.iter().map(PartnerRequestView::of).collect() }).into_response())
}

/// One request, with the text that is shown to whoever decides.
#[utoipa::path(get, operation_id = "getPartnerRequest", path = "/api/v1/partner-requests/{id}", tag = "partner agreements", params(("id" = Uuid, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = PartnerRequestView), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    Ok(axum::Json(PartnerRequestView::of(&seen(&api, &caller, id).await?)).into_response())
}

/// Asks for a partner agreement, other terms of one, its resumption, or what concerns a user.
#[utoipa::path(post, operation_id = "askForPartner", path = "/api/v1/partner-requests", tag = "partner agreements", request_body = PartnerRequestForm,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The request: a signatory of the authority decides on it.", body = PartnerRequestView,
        headers(("Location" = String, description = "Its address."))), WriteProblems))]
pub async fn ask(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<PartnerRequestForm>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::RequestAgreement)?;
    let (reason, wanted, own, actor) = (line("reason", &value.reason)?, value.read()?, api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let answer = |request: &Request| {
            let place = format!("/api/v1/partner-requests/{}", request.id);
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::CREATED, &PartnerRequestView::of(request))?.location(place))
        };
        let kept = |request: &Request| answer(request)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let made =
            request::request(&own.store, &own.rules, By::User(&actor), wanted, &because, kept).await.map_err(of_request)?;
        own.decided.notify_one();
        answer(&made)
    };
    once(&api, &caller, &headers, digest(&["partner request"], &bytes), work).await
}

/// A decision on a request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerDecision {
    /// `approve`, `reject` or `withdraw`.
    #[schema(max_length = 8)]
    pub decision: String,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// `text_sha256` of the request whose text was shown to the user.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub shown: String,
}

/// Approves a request as another person than whoever asked, rejects it, or takes it back. An approved one is carried out with the decision.
#[utoipa::path(post, operation_id = "decideOnPartner", path = "/api/v1/partner-requests/{id}/decisions", tag = "partner agreements", request_body = PartnerDecision,
    params(("id" = Uuid, Path, description = "The request."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The request as it is now.", body = PartnerRequestView), WriteProblems))]
pub async fn decide(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    headers: HeaderMap,
    Json { value, bytes }: Json<PartnerDecision>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    within("shown", &value.shown, 64)?;
    let to = match value.decision.as_str() {
        "approve" => Stands::Approved,
        "reject" => Stands::Rejected,
        "withdraw" => Stands::Withdrawn,
        _ => {
            return Err(wrong("decision", "det er ikke approve, reject eller withdraw", "it is not approve, reject or withdraw"));
        }
    };
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let request = seen(&own, &actor, id).await?;
        if value.shown != shown::sha256(&request.text()) {
            return Err(ApiRefusal::ApiShownDiffers);
        }
        let because = Because::new(reason, own.clock.now());
        let answer = |decided: &Request| Answer::new(StatusCode::OK, &PartnerRequestView::of(decided));
        let kept = |decided: &Request| answer(decided)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let decided =
            request::decide(&own.store, &own.rules, By::User(&actor), &request, to, &because, kept).await.map_err(of_request)?;
        own.decided.notify_one();
        answer(&decided)
    };
    once(&api, &caller, &headers, digest(&["decide on partner", &id.to_string()], &bytes), work).await
}

/// What was decided on a request: who asked, who decided.
#[utoipa::path(get, operation_id = "listPartnerDecisions", path = "/api/v1/partner-requests/{id}/decisions", tag = "partner agreements", params(("id" = Uuid, Path, description = "The request.")),
    responses((status = 200, description = "The decisions, oldest first.", body = super::history::History), ReadProblems))]
pub async fn decisions(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    seen(&api, &caller, id).await?;
    super::history::of(&api, Subject::MailboxRequest, id).await
}

/// A partner agreement.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartnerView {
    /// Its number.
    #[schema(pattern = "^PA[0-9]{5}$", max_length = 7)]
    pub number: String,
    /// AKTIV, SUSPENDERET or LUKKET.
    #[schema(max_length = 11)]
    pub state: &'static str,
    /// Its terms, as TOML.
    #[schema(max_length = 1000000)]
    pub text: String,
    /// SHA-256 of the text, in hexadecimal: what an end sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
}

impl PartnerView {
    fn of(held: &Agreement) -> Self {
        let text = Wanted::Agreement(held.terms.clone()).text();
        let (number, state) = (held.terms.number.to_string(), held.standing.name());
        Self { number, state, text_sha256: shown::sha256(&text), text }
    }
}

async fn numbered(api: &Api, actor: &Actor, number: &str) -> Result<Agreement, ApiRefusal> {
    actor.may(Action::SeeAgreements)?;
    let number: Number = number.parse().map_err(|_| no_agreement())?;
    let held = async { agreement::numbered(&mut api.store.database().session().await?, number).await };
    let held = held.await.map_err(of_store)?.ok_or_else(no_agreement)?;
    let scope = actor.scope();
    let own = match scope.whose {
        Whose::Everybody => true,
        Whose::Authority(own) => own == held.terms.owner,
        Whose::Supplier(_) | Whose::Nobody => false,
    };
    if own && scope.services.is_empty() { Ok(held) } else { Err(no_agreement()) }
}

/// One partner agreement with its terms.
#[utoipa::path(get, operation_id = "getPartner", path = "/api/v1/partners/{number}", tag = "partner agreements",
    params(("number" = String, Path, description = "The agreement.", max_length = 7, pattern = "^PA[0-9]{5}$")),
    responses((status = 200, description = "The agreement.", body = PartnerView), ReadProblems))]
pub async fn partner(State(api): State<Api>, caller: Caller, OfPath(number): OfPath) -> Result<Response, ApiRefusal> {
    Ok(axum::Json(PartnerView::of(&numbered(&api, &caller, &number).await?)).into_response())
}

/// An end of an agreement.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerEnding {
    /// `suspend`, until it is asked for and approved that it goes on; or `close`, for good.
    #[schema(max_length = 7)]
    pub ending: String,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// `text_sha256` of the agreement whose text was shown to the user.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub shown: String,
}

/// Suspends a partner agreement at once, or closes it: what only takes away is one person's to do.
#[utoipa::path(post, operation_id = "endPartner", path = "/api/v1/partners/{number}/end", tag = "partner agreements", request_body = PartnerEnding,
    params(("number" = String, Path, description = "The agreement.", max_length = 7, pattern = "^PA[0-9]{5}$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The agreement as it is now.", body = PartnerView), WriteProblems))]
pub async fn end(
    State(api): State<Api>,
    caller: Caller,
    OfPath(number): OfPath,
    headers: HeaderMap,
    Json { value, bytes }: Json<PartnerEnding>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    within("shown", &value.shown, 64)?;
    let to = match value.ending.as_str() {
        "suspend" => Standing::Suspended,
        "close" => Standing::Closed,
        _ => return Err(wrong("ending", "det er ikke suspend eller close", "it is neither suspend nor close")),
    };
    let (own, actor, on) = (api.clone(), caller.0.clone(), number.clone());
    let work = |key: Option<Key>| async move {
        let held = numbered(&own, &actor, &on).await?;
        if value.shown != PartnerView::of(&held).text_sha256 {
            return Err(ApiRefusal::ApiShownDiffers);
        }
        let because = Because::new(reason, own.clock.now());
        let answer = |ended: &Agreement| Answer::new(StatusCode::OK, &PartnerView::of(ended));
        let kept = |ended: &Agreement| answer(ended)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let ended =
            request::end(&own.store, By::User(&actor), held.terms.number, to, &because, kept).await.map_err(of_request)?;
        own.decided.notify_one();
        answer(&ended)
    };
    once(&api, &caller, &headers, digest(&["end partner", &number], &bytes), work).await
}

/// Why something is done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerReason {
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// A user of mailboxes as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartnerUserView {
    /// Its name.
    #[schema(max_length = 255)]
    pub name: String,
    /// AKTIV, SPAERRET or SLETTET.
    #[schema(max_length = 8)]
    pub state: &'static str,
}

/// Blocks a user of mailboxes at once. It is let in again when one person asks for it and another than who blocked it approves.
#[utoipa::path(post, operation_id = "blockPartnerUser", path = "/api/v1/partner-users/{name}/block", tag = "partner agreements", request_body = PartnerReason,
    params(("name" = String, Path, description = "The user's name, exactly so.", max_length = 255, pattern = "^[A-Za-z0-9_.-]{1,255}$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The user as it is now.", body = PartnerUserView), WriteProblems))]
pub async fn block(
    State(api): State<Api>,
    caller: Caller,
    OfPath(name): OfPath,
    headers: HeaderMap,
    Json { value, bytes }: Json<PartnerReason>,
) -> Result<Answer, ApiRefusal> {
    // Before it is looked for: whoever may block nobody is not told by the answer whose names there are.
    caller.may(Action::SuspendAgreement)?;
    let (reason, own, actor, on) = (line("reason", &value.reason)?, api.clone(), caller.0.clone(), name.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let answer =
            |user: &User| Answer::new(StatusCode::OK, &PartnerUserView { name: user.name.clone(), state: user.standing.name() });
        let kept = |user: &User| answer(user)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let blocked = request::block(&own.store, By::User(&actor), &on, &because, kept).await.map_err(of_request)?;
        own.decided.notify_one();
        answer(&blocked)
    };
    once(&api, &caller, &headers, digest(&["block partner user", &name], &bytes), work).await
}

/// A file that a person has excepted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartnerFileView {
    /// Its id.
    pub id: Uuid,
    /// UNDTAGET.
    #[schema(max_length = 8)]
    pub validation: &'static str,
}

/// Excepts a file that is AFVIST from the daily check: it is UNDTAGET, with person and reason, and is handed to nobody.
#[utoipa::path(post, operation_id = "exceptPartnerFile", path = "/api/v1/partner-files/{id}/except", tag = "partner agreements", request_body = PartnerReason,
    params(("id" = Uuid, Path, description = "The file."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The file as it is now.", body = PartnerFileView), WriteProblems))]
pub async fn except(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    headers: HeaderMap,
    Json { value, bytes }: Json<PartnerReason>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::ExceptFile)?;
    let (reason, own, actor) = (line("reason", &value.reason)?, api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let answer = |_: &()| Answer::new(StatusCode::OK, &PartnerFileView { id, validation: "UNDTAGET" });
        let kept = |done: &()| answer(done)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        status::except(&own.store, By::User(&actor), id, &because, kept).await.map_err(of_request)?;
        own.decided.notify_one();
        answer(&())
    };
    once(&api, &caller, &headers, digest(&["except partner file", &id.to_string()], &bytes), work).await
}
