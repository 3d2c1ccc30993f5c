//! `/api/v1/authorities`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::extract::Caller;
use super::problem::{ReadProblems, of_store};
use crate::refusal::api::ApiRefusal;
use crate::users::Whose;
use crate::users::rights::Action;

/// An authority of the register.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthorityView {
    /// Its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub cvr: String,
    /// Its name.
    #[schema(max_length = 1000)]
    pub name: String,
    /// Its part in the services.
    #[schema(max_length = 32)]
    pub role: String,
}

/// The register.
#[derive(Debug, Serialize, ToSchema)]
pub struct Register {
    /// The authorities, by CVR number.
    #[schema(max_items = 10000)]
    pub items: Vec<AuthorityView>,
}

/// The authorities that agreements may be made for: an authority's user sees its own.
#[utoipa::path(get, operation_id = "listAuthorities", path = "/api/v1/authorities", tag = "authorities",
    responses((status = 200, description = "The authorities.", body = Register), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAuthorities)?;
    let mut register = api.store.authorities().await.map_err(of_store)?;
    // A supplier asks any authority, and so has to know which there are.
    if let Whose::Authority(own) = caller.scope().whose {
        register.retain(|authority| authority.cvr == own);
    }
    let items = register
        .into_iter()
        .map(|authority| AuthorityView {
            cvr: authority.cvr.to_string(),
            name: authority.name,
            role: authority.role.as_str().to_owned(),
        })
        .collect();
    Ok(axum::Json(Register { items }).into_response())
}
