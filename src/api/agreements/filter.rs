//! Which agreements a list shows.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::agreements::Side;
use crate::agreements::page::Wanted;
use crate::api::input::{uuid_parameter, wrong_parameter};
use crate::refusal::api::ApiRefusal;
use crate::users::{Actor, Whose};

/// Which agreements to list, those that fit everything given, and where the page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// By the authority's CVR number.
    #[param(pattern = "^[0-9]{8}$", max_length = 8)]
    authority: Option<String>,
    /// By service.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
    /// By client system.
    #[param(value_type = Option<Uuid>)]
    system: Option<String>,
    /// By side.
    #[param(value_type = Option<SideName>)]
    side: Option<String>,
    /// By environment.
    #[param(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    environment: Option<String>,
    /// By what was last decided.
    #[param(value_type = Option<StateName>)]
    state: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    pub(super) after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub(super) limit: Option<String>,
}

/// A side.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)] // for the contract alone: what comes in is read by `Side`'s own names
pub enum SideName {
    /// Towards client systems.
    Front,
    /// Towards what stands behind the service.
    Back,
}

/// A state.
#[derive(ToSchema)]
#[allow(dead_code)] // as above
pub enum StateName {
    /// Requested.
    #[schema(rename = "ANMODET")]
    Requested,
    /// Approved.
    #[schema(rename = "GODKENDT")]
    Approved,
    /// Rejected.
    #[schema(rename = "AFVIST")]
    Rejected,
    /// Withdrawn.
    #[schema(rename = "TRUKKET")]
    Withdrawn,
    /// Suspended.
    #[schema(rename = "SUSPENDERET")]
    Suspended,
    /// Ended.
    #[schema(rename = "OPSAGT")]
    Terminated,
    /// Expired.
    #[schema(rename = "UDLØBET")]
    Expired,
}

impl Filter {
    pub(super) fn wanted(&self, actor: &Actor) -> Result<Wanted, ApiRefusal> {
        fn read<T: std::str::FromStr>(name: &str, text: Option<&String>, da: &str, en: &str) -> Result<Option<T>, ApiRefusal> {
            text.map(|text| text.parse().map_err(|_| wrong_parameter(name, da, en))).transpose()
        }
        let scope = actor.scope();
        let mut wanted = Wanted {
            authority: read("authority", self.authority.as_ref(), "det er ikke otte cifre", "it is not eight digits")?,
            service: uuid_parameter("service", self.service.as_deref())?,
            system: uuid_parameter("system", self.system.as_deref())?,
            side: self.side.as_deref().map(side_parameter).transpose()?,
            environment: read(
                "environment",
                self.environment.as_ref(),
                "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
                "it is not 1 to 32 of a-z, 0-9 and hyphen",
            )?,
            state: read("state", self.state.as_ref(), "det er ikke en tilstand", "it is not a state")?,
            services: scope.services,
            ..Wanted::default()
        };
        match scope.whose {
            Whose::Everybody => {}
            Whose::Authority(own) => wanted.only_authority = Some(own),
            Whose::Supplier(own) => wanted.requested_by = Some(own),
            Whose::Nobody => return Err(ApiRefusal::ApiInternal),
        }
        Ok(wanted)
    }
}

pub(in crate::api) fn side_of(text: &str) -> Option<Side> {
    [Side::Front, Side::Back].into_iter().find(|side| side.name() == text)
}

fn side_parameter(text: &str) -> Result<Side, ApiRefusal> {
    side_of(text).ok_or_else(|| wrong_parameter("side", "det er hverken front eller back", "it is neither front nor back"))
}
