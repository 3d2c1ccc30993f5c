//! `POST /api/v1/persons`: an import of persons, for HR systems. They are client systems of service agreements, not users of the API's
//! other paths: who may import what is said by the agreement for their certificate.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, State};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::extract::{Json, Query, client_certificate};
use super::idempotency::{Answer as Answered, name};
use super::input::{uuid_parameter, wrong, wrong_parameter};
use super::problem::{WriteProblems, of_store};
use super::{Api, CallId};
use crate::agreements::{ClientSystem, Thumbprint};
use crate::audit::{AboutPersons, Binding, OpenRecord, Record};
use crate::id::cvr::Cvr;
use crate::persons::answer::{Answer, Remark};
use crate::persons::field::{Field, Need, form};
use crate::persons::row::Row;
use crate::refusal::api::ApiRefusal;
use crate::refusal::{Detail, Party, Refusal};
use crate::services::persons::door::{Door, MOST, NotImported, Terms};
use crate::services::persons::keys::{Key, Known};

/// What records and metrics call it.
const OPERATION: &str = "importPersons";

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PersonQuery {
    /// The authority on whose behalf the system calls, by its CVR number. It holds only where an approved service agreement covers the
    /// client certificate and the authority.
    #[param(pattern = "^[0-9]{8}$", max_length = 8)]
    authority: String,
    /// The service; left out where the gateway has one person import.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
}

/// What was given for a field.
enum Cell {
    /// A text.
    Text(Zeroizing<String>),
    /// Null: no value.
    Empty,
    /// A number, a list or the like. That person alone is refused.
    Other,
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match serde_json::Value::deserialize(from)? {
            serde_json::Value::String(text) => Self::Text(Zeroizing::new(text)),
            serde_json::Value::Null => Self::Empty,
            _ => Self::Other,
        })
    }
}

/// One employment of a person as it was given: any field of the contract, and names that it does not have. `None`: it is no object.
#[derive(Default)]
pub struct PersonInput(Option<Vec<(String, Cell)>>);

impl<'de> Deserialize<'de> for PersonInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = PersonInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<PersonInput, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    fields.push(entry);
                }
                Ok(PersonInput(Some(fields)))
            }

            // One that is no object spoils no other.
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<PersonInput, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(PersonInput(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<PersonInput, E> {
                Ok(PersonInput(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<PersonInput, E> {
                Ok(PersonInput(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<PersonInput, E> {
                Ok(PersonInput(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<PersonInput, E> {
                Ok(PersonInput(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<PersonInput, E> {
                Ok(PersonInput(None))
            }

            fn visit_unit<E>(self) -> Result<PersonInput, E> {
                Ok(PersonInput(None))
            }
        }
        from.deserialize_any(Fields)
    }
}

impl PersonInput {
    fn row(&self, number: u64) -> Row {
        let mut row = Row::new(number);
        match &self.0 {
            Some(fields) => fields.iter().for_each(|(name, value)| match value {
                Cell::Text(text) => row.give(name, text.as_str()),
                Cell::Empty => row.give(name, ""),
                Cell::Other => row.no_text(name),
            }),
            None => row.broken(Detail::new("den er ikke et objekt", "it is no object")),
        }
        row
    }
}

impl PartialSchema for PersonInput {
    fn schema() -> RefOr<Schema> {
        let mut object = ObjectBuilder::new().description(Some(
            "One employment of a person. A field that is left out stays as it is; an empty one (or null) is cleared where that is allowed. What is wrong with a person stands in its answer.",
        ));
        for field in Field::ALL {
            let spec = field.spec();
            let need = match spec.need {
                Need::Always => "Always needed.",
                Need::Creation => "Needed where the person is created.",
                Need::Never => "May be left out; empty clears.",
            };
            let text = ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .max_length(Some(spec.longest))
                .description(Some(format!("{}: {}. {need}", spec.en, form(spec.kind).en())));
            object = object.property(spec.name, text);
        }
        object.into()
    }
}

impl ToSchema for PersonInput {
    fn name() -> Cow<'static, str> {
        "PersonInput".into()
    }
}

/// An import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRequest {
    /// The persons, each answered by itself.
    #[serde(rename = "Person")]
    #[schema(min_items = 1, max_items = 500)]
    persons: Vec<PersonInput>,
}

/// An error or a warning.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PersonRemark {
    /// The field that it is about; null where it is the whole person.
    #[schema(max_length = 40)]
    felt: Option<&'static str>,
    /// The code. A program acts on it; it never changes its meaning.
    #[schema(max_length = 40)]
    kode: &'static str,
    /// What is wrong, in Danish.
    #[schema(max_length = 2000)]
    tekst: String,
    /// What to do, in Danish.
    #[schema(max_length = 2000)]
    handling: String,
    /// What is wrong, in English.
    #[schema(max_length = 2000)]
    tekst_engelsk: String,
    /// What to do, in English.
    #[schema(max_length = 2000)]
    handling_engelsk: String,
}

impl PersonRemark {
    fn of(remark: &Remark) -> Self {
        let entry = remark.code.entry();
        Self {
            felt: (!remark.field.is_empty()).then_some(remark.field),
            kode: entry.code,
            tekst: entry.da.what,
            handling: entry.da.remedy,
            tekst_engelsk: entry.en.what,
            handling_engelsk: entry.en.remedy,
        }
    }
}

/// What is answered on one person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PersonAnswer {
    /// Which person of the request it is, from 1.
    #[schema(minimum = 1, maximum = 500)]
    raekke: u64,
    /// OPRETTET (new), OPDATERET (changed), UAENDRET (as it was), AFVIST (not taken; `Fejl` says why).
    #[schema(max_length = 9)]
    status: &'static str,
    /// The running number by which the learning platform knows the person; null where it is AFVIST.
    #[schema(minimum = 0, maximum = 1_125_899_906_842_623_i64)]
    loebenummer: Option<i64>,
    /// With what it was taken all the same.
    #[schema(max_items = 100)]
    advarsel: Vec<PersonRemark>,
    /// Why it was not taken, all of it.
    #[schema(max_items = 100)]
    fejl: Vec<PersonRemark>,
}

/// The answers, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PersonAnswers {
    /// An answer for each person.
    #[schema(max_items = 500)]
    svar: Vec<PersonAnswer>,
}

impl PersonAnswers {
    fn of(answers: &[Answer]) -> Self {
        let one = |answer: &Answer| PersonAnswer {
            raekke: answer.row,
            status: answer.status.name(),
            loebenummer: answer.number,
            advarsel: answer.warnings.iter().map(PersonRemark::of).collect(),
            fejl: answer.errors.iter().map(PersonRemark::of).collect(),
        };
        Self { svar: answers.iter().map(one).collect() }
    }
}

/// A client system with an agreement that says whose persons it may import, and the record of its call. Made before the body is read.
pub struct Entered {
    door: Arc<Door>,
    terms: Option<Terms>,
    system: Uuid,
    authority: Cvr,
    record: OpenRecord,
}

impl FromRequestParts<Api> for Entered {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiRefusal> {
        let certificate = client_certificate(parts, api)?;
        let query = Query::<PersonQuery>::read(&parts.uri)?.0;
        let authority: Cvr = query
            .authority
            .parse()
            .map_err(|_| wrong_parameter("authority", "det er ikke otte cifre", "it is not eight digits"))?;
        let service = uuid_parameter("service", query.service.as_deref())?;
        let call = parts.extensions.get::<CallId>().ok_or(ApiRefusal::ApiInternal)?.0;
        // A service that is not there and one that the system has no agreement for are told alike.
        let door = api.doors.of(service).ok_or_else(|| api_refusal(Refusal::ServiceAgreementNotFound))?;
        let mut record = Record::new(call, api.clock.now(), &door.name);
        record.operation = Some(OPERATION.to_owned());
        record.binding = Some(Binding::AuthorityContext);
        record.certificate = Some(certificate);
        record.authority = Some(authority);
        let mut record = door.audit.open(record).map_err(api_refusal)?;
        match agreed(&door, certificate, authority, &mut record).await {
            Ok((terms, system)) => Ok(Self { door, terms: Some(terms), system, authority, record }),
            Err(refusal) => {
                record.refused(&refusal);
                Err(api_refusal(refusal))
            }
        }
    }
}

async fn agreed(door: &Door, certificate: Thumbprint, authority: Cvr, record: &mut Record) -> Result<(Terms, Uuid), Refusal> {
    let agreement = door.agreement(ClientSystem::Certificate(certificate), authority).await?;
    record.client_system = Some(agreement.system);
    record.front_agreement = Some(agreement.id);
    record.purpose = Some(agreement.purpose.clone());
    record.legal_basis = Some(agreement.legal_basis.clone());
    record.about = AboutPersons::default().into();
    Ok((door.terms(&agreement).await?, agreement.system))
}

/// What the call would be refused with by the service, as a problem.
fn api_refusal(refusal: Refusal) -> ApiRefusal {
    let entry = refusal.entry();
    match (&refusal, entry.party) {
        (Refusal::Internal, _) => ApiRefusal::ApiInternal,
        (_, Party::Gateway) => ApiRefusal::ApiUnavailable,
        (_, Party::Caller) => {
            let text = |text: &str| text.trim_end_matches('.').to_owned();
            ApiRefusal::ApiNotAgreed { what: Detail::new(text(&entry.da.what), text(&entry.en.what)) }
        }
    }
}

/// Imports persons. Each is answered by itself; one that is refused spoils no other.
#[utoipa::path(post, operation_id = "importPersons", path = "/api/v1/persons", tag = "persons", request_body = PersonRequest,
    params(PersonQuery, ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "An answer for each person.", body = PersonAnswers), WriteProblems))]
pub async fn import(
    State(api): State<Api>,
    mut entered: Entered,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Answered, ApiRefusal> {
    let read = async {
        let key = name(&headers)?;
        let Json { value, bytes } = Json::<PersonRequest>::from_request(request, &api).await?;
        let persons = value.persons.len();
        entered.record.about = AboutPersons { persons: persons as u64, ..AboutPersons::default() }.into();
        match persons {
            0 => Err(wrong("Person", "der er ingen personer", "there are no persons")),
            1..=MOST => Ok((key, value, bytes)),
            _ => Err(wrong(
                "Person",
                format!("der er {persons} personer, og et kald må højst have {MOST}"),
                format!("there are {persons} persons, and a call may have {MOST} at most"),
            )),
        }
    };
    let (key, value, bytes) = match read.await {
        Ok(read) => read,
        Err(refusal) => {
            entered.record.refused(&refusal.clone().into());
            return Err(refusal);
        }
    };
    let rows = (1..).zip(&value.persons).map(|(number, person)| person.row(number)).collect();
    let who = (entered.system, entered.authority, entered.door.service);
    let key = key.map(|name| Key::new(&entered.door.sealer, who, &name, &bytes, api.clock.now()));
    // It is not called off where the client hangs up.
    let done = tokio::spawn(async move { entered.done(&api, rows, key).await });
    done.await.unwrap_or(Err(ApiRefusal::ApiInternal))
}

impl Entered {
    async fn done(mut self, api: &Api, rows: Vec<Row>, key: Option<Key>) -> Result<Answered, ApiRefusal> {
        match self.once(api, rows, key).await {
            Ok(answer) => {
                self.record.served();
                Ok(answer)
            }
            Err(refusal) => {
                self.record.refused(&refusal.clone().into());
                Err(refusal)
            }
        }
    }

    /// Does the import, unless it was done under this key before.
    async fn once(&mut self, api: &Api, rows: Vec<Row>, key: Option<Key>) -> Result<Answered, ApiRefusal> {
        let Some(key) = key else { return self.imported(rows, None).await.map_err(|failed| failed.told) };
        let database = api.store.database();
        let before = match key.claim(database).await.map_err(of_store)? {
            Known::Mine => None,
            Known::Lost(since) => Some(since),
            Known::Other => return Err(ApiRefusal::ApiKeyReused),
            Known::Pending => return Err(ApiRefusal::ApiKeyPending),
            Known::Erased => return Err(ApiRefusal::ApiKeyErased),
            Known::Answered(answer) => {
                if let Some(about) = self.record.about.persons_mut() {
                    about.repeated = true;
                }
                return serde_json::from_str(&answer).map_err(|_| ApiRefusal::ApiInternal);
            }
        };
        let imported = self.imported(rows, before).await;
        let kept = match &imported {
            Ok(answer) => key.answered(database, &answer.kept()?).await,
            Err(Failed { told: ApiRefusal::ApiKeyErased, .. }) => key.erased(database).await,
            Err(Failed { nothing_is_kept: true, .. }) if before.is_none() => key.free(database).await,
            // The persons may be there. An erasure finds the key, and the same sent again is done as a repeat.
            Err(_) => Ok(()),
        };
        // What was imported is; the same again would be answered UAENDRET.
        if let Err(error) = kept {
            tracing::warn!(%error, "the answer to an import could not be kept for its Idempotency-Key");
        }
        imported.map_err(|failed| failed.told)
    }

    /// `before`: since when the same may have been done.
    async fn imported(&mut self, rows: Vec<Row>, before: Option<Timestamp>) -> Result<Answered, Failed> {
        let nothing = |told| Failed { told, nothing_is_kept: true };
        let unknown = |told| Failed { told, nothing_is_kept: false };
        let recorded = self.record.admit().await.map_err(|refusal| nothing(api_refusal(refusal)))?;
        let terms = self.terms.take().ok_or_else(|| nothing(ApiRefusal::ApiInternal))?;
        let mut importing = match before {
            Some(since) => self.door.begin_again(&recorded, terms, since),
            None => self.door.begin(&recorded, terms),
        };
        let answers = importing.persons(rows).await.map_err(|failed| match failed {
            NotImported::Erased => nothing(ApiRefusal::ApiKeyErased),
            NotImported::Nothing => nothing(api_refusal(failed.into())),
            NotImported::Unknown => unknown(api_refusal(failed.into())),
        })?;
        self.door.note(&mut self.record, &answers).map_err(|refusal| unknown(api_refusal(refusal)))?;
        Answered::new(StatusCode::OK, &PersonAnswers::of(&answers)).map_err(unknown)
    }
}

/// An import that is not answered.
struct Failed {
    told: ApiRefusal,
    /// Whether it is certain that nobody was imported.
    nothing_is_kept: bool,
}
