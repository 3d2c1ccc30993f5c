//! Lists of what belongs to a service and an authority: subscriptions and times for tests.

use serde::Deserialize;
use utoipa::IntoParams;

use super::input::uuid_parameter;
use super::page::{self, after, limit};
use crate::refusal::api::ApiRefusal;
use crate::store::page::Wanted;
use crate::users::{Actor, Whose};

/// The query of such a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfService {
    /// By service.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

impl OfService {
    /// What to read, one more than stand on the page; how many those are; and which list it is.
    pub(super) fn wanted(&self, name: &str, actor: &Actor) -> Result<(Wanted, u32, String), ApiRefusal> {
        let scope = actor.scope();
        let authority = match scope.whose {
            Whose::Everybody => None,
            Whose::Authority(own) => Some(own),
            // The roles that may look are operators' and authorities'.
            Whose::Supplier(_) | Whose::Nobody => return Err(ApiRefusal::ApiInternal),
        };
        let service = uuid_parameter("service", self.service.as_deref())?;
        let wanted = Wanted { service, services: scope.services, authority, after: None, limit: 0 };
        let own = page::list(name, &wanted, actor.user().id);
        let (many, after) = (limit(self.limit.as_deref())?, after(self.after.as_deref(), &own)?);
        Ok((Wanted { after, limit: many + 1, ..wanted }, many, own))
    }
}
