//! `/api/v1/connections`: what must be done before a system may use a service, whose it is, and what is done of it.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id, IfMatch, Json, Query};
use super::idempotency::{Answer, digest, once};
use super::input::{civil, line, list as bounded, maybe_uuid, parsed, uuid, uuid_parameter, within, wrong, wrong_parameter};
use super::page;
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use super::value_lists::change::EndingRequest;
use crate::agreements::Environment;
use crate::connection::consent;
use crate::connection::decide::{self, Assigning, ConnectionError, LONGEST_REFERENCE, New, Stating};
use crate::connection::graph::Consenting;
use crate::connection::picture;
use crate::connection::shown::{Names, Shown, View};
use crate::connection::store::{Assignment, Connection, Wanted};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::users::Actor;
use crate::users::keys::Key;
use crate::users::rights::Action;

/// Which connections to list, and where the page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionQuery {
    /// By service.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
    /// By the CVR number of the authority at either end.
    #[param(pattern = "^[0-9]{8}$", max_length = 8)]
    authority: Option<String>,
    /// By environment.
    #[param(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    environment: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// Somebody's turn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TurnView {
    /// The task.
    #[schema(max_length = 32)]
    pub task: String,
    /// The CVR number of the authority or company whose it is.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub whose: String,
    /// The role that does it.
    #[schema(max_length = 40)]
    pub performer: &'static str,
    /// Since when it could be done.
    pub since: Option<Timestamp>,
}

/// A connection, and how far it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionView {
    /// Its id.
    pub id: Uuid,
    /// The graph of its tasks.
    #[schema(max_length = 32)]
    pub graph: String,
    /// The service.
    pub service: Uuid,
    /// The environment.
    #[schema(max_length = 32)]
    pub environment: String,
    /// The authority whose client system it is.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// The client system.
    pub client: Uuid,
    /// The company that runs it; null: the authority itself.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub client_supplier: Option<String>,
    /// The system that receives; null where the gateway itself is what is connected to.
    pub receiver: Option<Uuid>,
    /// Its authority.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub receiver_authority: String,
    /// The company that runs it; null: its authority itself.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub receiver_supplier: Option<String>,
    /// What it uses.
    #[schema(max_items = 200)]
    pub options: Vec<String>,
    /// How many tasks are done.
    #[schema(minimum = 0, maximum = 200)]
    pub done: u32,
    /// How many it needs.
    #[schema(minimum = 0, maximum = 200)]
    pub needed: u32,
    /// What can be done now, the longest wait first.
    #[schema(max_items = 200)]
    pub next: Vec<TurnView>,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was ended; null while it is looked after.
    pub ended_at: Option<Timestamp>,
    /// When the receiver's side agreed to it; null: nothing of the receiver's is shown or stated in it yet.
    pub consented_at: Option<Timestamp>,
    /// When the client's authority did, by adding it, by agreeing, or by an agreement for the client system that its signatory approved
    /// and that holds; null: nothing of the authority's is shown or stated in it yet.
    pub authority_consented_at: Option<Timestamp>,
}

impl ConnectionView {
    fn of(view: &View) -> Self {
        let connection = &view.connection;
        let cvr = |cvr: Option<Cvr>| cvr.map(|cvr| cvr.to_string());
        let (done, needed) = view.done();
        let turn = |shown: &&Shown| TurnView {
            task: shown.task.id.clone(),
            whose: shown.whose.to_string(),
            performer: shown.task.performer.name(),
            since: shown.standing.since,
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            id: connection.id,
            graph: connection.graph.clone(),
            service: connection.service,
            environment: connection.environment.to_string(),
            authority: connection.authority.to_string(),
            client: connection.client,
            client_supplier: cvr(connection.client_supplier),
            receiver: connection.receiver,
            receiver_authority: connection.receiver_authority.to_string(),
            receiver_supplier: cvr(connection.receiver_supplier),
            options: connection.options.iter().cloned().collect(),
            done: count(done),
            needed: count(needed),
            next: view.next().iter().map(turn).collect(),
            added_at: connection.added,
            ended_at: connection.ended,
            consented_at: connection.consented,
            authority_consented_at: connection.authority_consented,
        }
    }
}

/// A page of connections.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionPage {
    /// The connections, in the order in which they were added; not those that were ended.
    #[schema(max_items = 200)]
    pub items: Vec<ConnectionView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// What a person stated.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatementView {
    /// For whom, by CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: String,
    /// What shows it.
    #[schema(max_length = 200)]
    pub reference: String,
    /// The user who stated it.
    pub stated_by: Uuid,
    /// When.
    pub stated_at: Timestamp,
}

/// A task as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskView {
    /// Its id.
    #[schema(max_length = 32)]
    pub id: String,
    /// What is so when it is done, in Danish.
    #[schema(max_length = 120)]
    pub text_da: String,
    /// The same in English.
    #[schema(max_length = 120)]
    pub text_en: String,
    /// `not-needed`, `kept-back` (a side whose it is has not agreed to the connection), `waiting`, `ready`, `stated`, `seen` or
    /// `fell-back`.
    #[schema(max_length = 10)]
    pub state: &'static str,
    /// Since when it could be done, is done, or is done no longer.
    pub since: Option<Timestamp>,
    /// What it waits for.
    #[schema(max_items = 200)]
    pub waits_for: Vec<&'static str>,
    /// The CVR number of the authority or company whose it is; of what both authorities state, whose turn it is.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub whose: String,
    /// The role that answers for it.
    #[schema(max_length = 40)]
    pub responsible: &'static str,
    /// The role that does it.
    #[schema(max_length = 40)]
    pub performer: &'static str,
    /// Whether a person may state it; else the gateway alone sees whether it is done.
    pub may_be_stated: bool,
    /// For whom it is still to be stated.
    #[schema(max_items = 2)]
    pub unstated: Vec<String>,
    /// What was stated.
    #[schema(max_items = 2)]
    pub statements: Vec<StatementView>,
    /// The user to whom it is given, by whoever's turn it is.
    pub person: Option<Uuid>,
    /// By when.
    #[schema(value_type = Option<String>, format = Date, max_length = 10)]
    pub due: Option<Date>,
    /// In which wave.
    #[schema(minimum = 1, maximum = 999)]
    pub wave: Option<i64>,
    /// The same of each that has given it to somebody: what both authorities state, each gives to its own.
    #[schema(max_items = 2)]
    pub given: Vec<GivenView>,
}

/// Whom one of those whose a task is has given it to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GivenView {
    /// By whom, by CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: String,
    /// To which user.
    pub person: Option<Uuid>,
    /// By when.
    #[schema(value_type = Option<String>, format = Date, max_length = 10)]
    pub due: Option<Date>,
    /// In which wave.
    #[schema(minimum = 1, maximum = 999)]
    pub wave: Option<i64>,
}

impl GivenView {
    fn of((party, given): (&Cvr, &Assignment)) -> Self {
        Self { party: party.to_string(), person: given.person, due: given.due, wave: given.wave }
    }
}

impl TaskView {
    fn of(view: &View, shown: &Shown) -> Self {
        let (task, given) = (shown.task, shown.assignment());
        Self {
            id: task.id.clone(),
            text_da: task.text.da().to_owned(),
            text_en: task.text.en().to_owned(),
            state: shown.standing.state.name(),
            since: shown.standing.since,
            waits_for: view.waits(shown),
            whose: shown.whose.to_string(),
            responsible: task.responsible.name(),
            performer: task.performer.name(),
            may_be_stated: task.stated,
            unstated: shown.unstated.iter().map(Cvr::to_string).collect(),
            statements: shown
                .statements
                .iter()
                .map(|said| StatementView {
                    party: said.party.to_string(),
                    reference: said.reference.clone(),
                    stated_by: said.by,
                    stated_at: said.at,
                })
                .collect(),
            person: given.person,
            due: given.due,
            wave: given.wave,
            given: shown.given.iter().map(GivenView::of).collect(),
        }
    }
}

/// A connection with its tasks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionTasks {
    /// The connection.
    pub connection: ConnectionView,
    /// Its tasks, in the graph's order; those that it does not need too.
    #[schema(max_items = 200)]
    pub tasks: Vec<TaskView>,
    /// The ETag: what a change sends in `If-Match`. It is another once any task stands otherwise.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl ConnectionTasks {
    fn of(view: &View) -> Self {
        let connection = ConnectionView::of(view);
        let tasks: Vec<TaskView> = view.tasks.iter().map(|shown| TaskView::of(view, shown)).collect();
        let etag = format!("\"{}\"", sha256(&format!("{connection:?} {tasks:?}")));
        Self { connection, tasks, etag }
    }

    fn answer(self, status: StatusCode) -> Result<Answer, ApiRefusal> {
        let etag = self.etag.clone();
        Ok(Answer::new(status, &self)?.etag(etag))
    }
}

/// The words for what keeps something from being decided on a connection.
pub(crate) fn of_connection(error: ConnectionError) -> ApiRefusal {
    match error {
        ConnectionError::Decide(error) => of_decision(error),
        ConnectionError::NoSuch(_) => not_found(),
        ConnectionError::Refused(what) => ApiRefusal::ApiConflict { what },
    }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("forbindelse", "connection") }
}

/// A connection that the user may see.
pub(super) async fn seen(api: &Api, actor: &Actor, id: Uuid) -> Result<View, ApiRefusal> {
    actor.may(Action::SeeConnections)?;
    let view = api.store.connection_view(id, api.clock.now()).await.map_err(of_store)?;
    view.filter(|view| view.connection.is_seen_by(&actor.scope())).ok_or_else(not_found)
}

/// The connections that the user may see, a page at a time, each with what is next.
#[utoipa::path(get, operation_id = "listConnections", path = "/api/v1/connections", tag = "connections", params(ConnectionQuery),
    responses((status = 200, description = "A page of connections.", body = ConnectionPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ConnectionQuery>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeConnections)?;
    fn read<T: std::str::FromStr>(name: &str, text: Option<&str>, da: &str, en: &str) -> Result<Option<T>, ApiRefusal> {
        text.map(|text| text.parse().map_err(|_| wrong_parameter(name, da, en))).transpose()
    }
    let environment = query.environment.as_deref();
    let wanted = Wanted {
        service: uuid_parameter("service", query.service.as_deref())?,
        authority: read("authority", query.authority.as_deref(), "det er ikke otte cifre", "it is not eight digits")?,
        environment: read::<Environment>(
            "environment",
            environment,
            "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
            "it is not 1 to 32 of a-z, 0-9 and hyphen",
        )?,
        ..Wanted::default()
    };
    let own = page::list("connections", &wanted, caller.user().id);
    let (many, after) = (page::limit(query.limit.as_deref())?, page::after(query.after.as_deref(), &own)?);
    let wanted = Wanted { after, limit: many + 1, ..wanted };
    let views = api.store.connection_views(&wanted, &caller.scope(), api.clock.now()).await.map_err(of_store)?;
    let (views, next) = page::cut(views, many, &own, |view| view.connection.id);
    Ok(axum::Json(ConnectionPage { items: views.iter().map(ConnectionView::of).collect(), next }).into_response())
}

/// One connection with its tasks.
#[utoipa::path(get, operation_id = "getConnection", path = "/api/v1/connections/{id}", tag = "connections", params(("id" = Uuid, Path, description = "The connection.")),
    responses((status = 200, description = "The connection.", body = ConnectionTasks,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let tasks = ConnectionTasks::of(&seen(&api, &caller, id).await?);
    let etag = HeaderValue::from_str(&tasks.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(tasks)).into_response())
}

/// The connection drawn, with Danish words.
#[utoipa::path(get, operation_id = "getConnectionPicture", path = "/api/v1/connections/{id}/picture", tag = "connections", params(("id" = Uuid, Path, description = "The connection.")),
    responses((status = 200, description = "The picture.", body = String, content_type = "image/svg+xml"), ReadProblems))]
pub async fn drawn(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let view = seen(&api, &caller, id).await?;
    let names = Names::of(&api.store).await.map_err(of_store)?;
    let mut response = Response::new(picture::svg(&view, &names, Detail::da).into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    Ok(response)
}

/// A connection that is to be added.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRequest {
    /// The graph of its tasks, such as `sf1590a`.
    #[schema(min_length = 1, max_length = 32)]
    pub graph: String,
    /// The service.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// The environment.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The authority whose client system it is.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// The client system.
    #[serde(deserialize_with = "uuid")]
    pub client: Uuid,
    /// The company that runs it; left out: the authority itself.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub client_supplier: Option<String>,
    /// The system that receives, where the graph has one.
    #[serde(default, deserialize_with = "maybe_uuid")]
    pub receiver: Option<Uuid>,
    /// Its authority; left out: the same.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub receiver_authority: Option<String>,
    /// The company that runs it; left out: whoever the system is registered as, else its authority itself.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub receiver_supplier: Option<String>,
    /// What it uses, of the graph's options.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub options: Vec<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

fn cvr(field: &str, text: &str) -> Result<Cvr, ApiRefusal> {
    parsed(field, text, "det er ikke otte cifre", "it is not eight digits")
}

fn maybe_cvr(field: &str, text: Option<&str>) -> Result<Option<Cvr>, ApiRefusal> {
    text.map(|text| cvr(field, text)).transpose()
}

impl ConnectionRequest {
    fn connection(&self, now: Timestamp) -> Result<Connection, ApiRefusal> {
        let options = bounded("options", &self.options, 50, |option| Ok(within("options", option, 32)?.to_owned()))?;
        let new = New {
            graph: within("graph", &self.graph, 32)?.to_owned(),
            service: self.service,
            environment: parsed(
                "environment",
                &self.environment,
                "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
                "it is not 1 to 32 of a-z, 0-9 and hyphen",
            )?,
            authority: cvr("authority", &self.authority)?,
            client: self.client,
            client_supplier: maybe_cvr("client_supplier", self.client_supplier.as_deref())?,
            receiver: self.receiver,
            receiver_authority: maybe_cvr("receiver_authority", self.receiver_authority.as_deref())?,
            receiver_supplier: maybe_cvr("receiver_supplier", self.receiver_supplier.as_deref())?,
            options: options.into_iter().collect::<BTreeSet<_>>(),
        };
        new.connection(now).map_err(|error| match error {
            ConnectionError::Refused(what) => ApiRefusal::ApiFieldInvalid { field: "graph".to_owned(), what },
            error => of_connection(error),
        })
    }
}

/// Adds a connection.
#[utoipa::path(post, operation_id = "addConnection", path = "/api/v1/connections", tag = "connections", request_body = ConnectionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The connection; its tasks are at its address.", body = NewConnection,
        headers(("Location" = String, description = "Its address."))), WriteProblems))]
pub async fn add(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<ConnectionRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::AddConnection)?;
    let reason = line("reason", &value.reason)?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let connection = value.connection(because.at)?;
        let place = format!("/api/v1/connections/{}", connection.id);
        let answer = |added: &Connection| {
            let supplier = added.receiver_supplier.map(|cvr| cvr.to_string());
            let added = NewConnection { id: added.id, receiver_supplier: supplier };
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::CREATED, &added)?.location(place.clone()))
        };
        let kept = |added: &Connection| answer(added)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let added = decide::add(&own.store, By::User(&actor), &connection, &because, kept).await.map_err(of_connection)?;
        own.decided.notify_one();
        answer(&added)
    };
    once(&api, &caller, &headers, digest(&["add connection"], &bytes), work).await
}

/// A connection that was added.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewConnection {
    /// Its id.
    pub id: Uuid,
    /// Who was written in as the company that runs the receiving system: as said, or whoever that is registered as; null: its authority
    /// itself.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub receiver_supplier: Option<String>,
}

/// A connection that was decided on.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedConnection {
    /// Its id.
    pub id: Uuid,
}

/// Ends a connection: it is no longer looked after. Agreements and routes stay as they are.
#[utoipa::path(post, operation_id = "endConnection", path = "/api/v1/connections/{id}/end", tag = "connections", request_body = EndingRequest,
    params(("id" = Uuid, Path, description = "The connection."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The connection that was ended.", body = AddedConnection), WriteProblems))]
pub async fn end(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<EndingRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let view = seen(&own, &actor, id).await?;
        IfMatch(matching).holds(&ConnectionTasks::of(&view).etag)?;
        let because = Because::new(reason, own.clock.now());
        let answer = Answer::new(StatusCode::OK, &AddedConnection { id })?;
        let kept = |_: &Connection| answer.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        decide::end(&own.store, By::User(&actor), &view.connection, &because, kept).await.map_err(of_connection)?;
        own.decided.notify_one();
        Ok(answer)
    };
    once(&api, &caller, &headers, digest(&["end connection", &id.to_string(), &if_match.0], &bytes), work).await
}

/// That a side agrees to a connection.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRequest {
    /// For which side: `authority`, the client's, or `receiver`. Left out: for whichever is the user's own. An operator says.
    #[serde(default)]
    #[schema(max_length = 9)]
    pub side: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Agrees to a connection for the receiver's side, or for the client's authority where somebody else added it: until then nothing of
/// that side's is shown or stated in it.
#[utoipa::path(post, operation_id = "consentToConnection", path = "/api/v1/connections/{id}/consent", tag = "connections", request_body = ConsentRequest,
    params(("id" = Uuid, Path, description = "The connection."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The connection that was agreed to.", body = AddedConnection), WriteProblems))]
pub async fn consent(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<ConsentRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    let read = |side: &str| {
        parsed::<Consenting>("side", side, "det er ikke authority eller receiver", "it is not authority or receiver")
    };
    let side = value.side.as_deref().map(read).transpose()?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let view = seen(&own, &actor, id).await?;
        IfMatch(matching).holds(&ConnectionTasks::of(&view).etag)?;
        let because = Because::new(reason, own.clock.now());
        let answer = Answer::new(StatusCode::OK, &AddedConnection { id })?;
        let kept = |_: &Connection| answer.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let agreed = consent::consent(&own.store, By::User(&actor), (&view.connection, side), &because, kept).await;
        agreed.map_err(of_connection)?;
        own.decided.notify_one();
        Ok(answer)
    };
    once(&api, &caller, &headers, digest(&["consent to connection", &id.to_string(), &if_match.0], &bytes), work).await
}

/// That a task is done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementRequest {
    /// The task.
    #[schema(min_length = 1, max_length = 32)]
    pub task: String,
    /// What shows it: a document, a case, an agreement.
    #[schema(min_length = 1, max_length = 200)]
    pub reference: String,
    /// For whom, where both authorities state it, or an operator does on behalf.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// States that a task is done. It is refused while the task waits for others, and where the gateway sees by itself.
#[utoipa::path(post, operation_id = "stateConnectionTask", path = "/api/v1/connections/{id}/statements", tag = "connections", request_body = StatementRequest,
    params(("id" = Uuid, Path, description = "The connection."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The connection as it is now.", body = ConnectionTasks,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn state(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<StatementRequest>,
) -> Result<Answer, ApiRefusal> {
    let reference = line("reference", &value.reference)?;
    within("reference", &reference, LONGEST_REFERENCE)?;
    let stating = Stating {
        connection: id,
        task: within("task", &value.task, 32)?.to_owned(),
        party: maybe_cvr("party", value.party.as_deref())?,
        reference: Some(reference),
    };
    let digest = digest(&["state task", &id.to_string(), &if_match.0], &bytes);
    stated(&api, &caller, if_match, &headers, (stating, &value.reason), digest).await
}

/// That a statement is taken back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalRequest {
    /// The task.
    #[schema(min_length = 1, max_length = 32)]
    pub task: String,
    /// For whom, where both authorities stated it, or an operator did on behalf.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Takes back what was stated of a task.
#[utoipa::path(post, operation_id = "withdrawConnectionStatement", path = "/api/v1/connections/{id}/withdrawals", tag = "connections", request_body = WithdrawalRequest,
    params(("id" = Uuid, Path, description = "The connection."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The connection as it is now.", body = ConnectionTasks,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn withdraw(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<WithdrawalRequest>,
) -> Result<Answer, ApiRefusal> {
    let stating = Stating {
        connection: id,
        task: within("task", &value.task, 32)?.to_owned(),
        party: maybe_cvr("party", value.party.as_deref())?,
        reference: None,
    };
    let digest = digest(&["withdraw task", &id.to_string(), &if_match.0], &bytes);
    stated(&api, &caller, if_match, &headers, (stating, &value.reason), digest).await
}

async fn stated(
    api: &Api,
    caller: &Caller,
    if_match: IfMatch,
    headers: &HeaderMap,
    (stating, reason): (Stating, &str),
    digest: String,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", reason)?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let view = seen(&own, &actor, stating.connection).await?;
        if_match.holds(&ConnectionTasks::of(&view).etag)?;
        let because = Because::new(reason, own.clock.now());
        let answer = |view: &View| ConnectionTasks::of(view).answer(StatusCode::OK);
        let kept = |view: &View| answer(view)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let after = decide::state(&own.store, By::User(&actor), &stating, &because, kept).await.map_err(of_connection)?;
        own.decided.notify_one();
        answer(&after)
    };
    once(api, caller, headers, digest, work).await
}

/// Whom a task is to be given to. What is left out is taken away.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRequest {
    /// The task.
    #[schema(min_length = 1, max_length = 32)]
    pub task: String,
    /// By which authority, where both state it and an operator gives it; left out: the user's own, or the person's.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: Option<String>,
    /// A user of the party, or an operator.
    #[serde(default, deserialize_with = "maybe_uuid")]
    pub person: Option<Uuid>,
    /// By when.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date, max_length = 10)]
    pub due: Option<String>,
    /// In which wave.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 999)]
    pub wave: Option<i64>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Gives a task to a person, with a day and a wave.
#[utoipa::path(post, operation_id = "assignConnectionTask", path = "/api/v1/connections/{id}/assignments", tag = "connections", request_body = AssignmentRequest,
    params(("id" = Uuid, Path, description = "The connection."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The connection as it is now.", body = ConnectionTasks,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn assign(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<AssignmentRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    if value.wave.is_some_and(|wave| !(1..=999).contains(&wave)) {
        return Err(wrong("wave", "det skal være 1 til 999", "it must be 1 to 999"));
    }
    let assigning = Assigning {
        connection: id,
        task: within("task", &value.task, 32)?.to_owned(),
        party: maybe_cvr("party", value.party.as_deref())?,
        person: value.person,
        due: value.due.as_deref().map(|day| civil("due", day)).transpose()?,
        wave: value.wave,
    };
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let view = seen(&own, &actor, id).await?;
        IfMatch(matching).holds(&ConnectionTasks::of(&view).etag)?;
        let because = Because::new(reason, own.clock.now());
        let answer = |view: &View| ConnectionTasks::of(view).answer(StatusCode::OK);
        let kept = |view: &View| answer(view)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let after = decide::assign(&own.store, By::User(&actor), &assigning, &because, kept).await.map_err(of_connection)?;
        own.decided.notify_one();
        answer(&after)
    };
    once(&api, &caller, &headers, digest(&["assign task", &id.to_string(), &if_match.0], &bytes), work).await
}
