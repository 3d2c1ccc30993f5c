//! The request by its schema: the very nodes that the signature covers.

use std::sync::Arc;

use serde::Deserialize;

use super::folder::passing;
use super::refusal::ContractRefusal;
use super::settings::Settings;
use super::side::{Bound, Sides};
use super::wsdl::Security;
use crate::agreements::basis::Applied;
use crate::audit::about::AboutPassThrough;
use crate::audit::{Binding, Sealer};
use crate::gateway::agreement::Admitted;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::envelope::Enveloped;
use crate::gateway::step::Check;
use crate::refusal::Refusal;
use crate::soap::document::Element;

/// A call whose request the schema allows.
pub struct Valid {
    admitted: Admitted,
    operation: Bound,
}

impl Valid {
    /// The agreement in front, and who calls.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }
    /// The operation, as the caller's binding has it.
    pub fn operation(&self) -> &Bound {
        &self.operation
    }
    /// The element in the request's Body.
    pub fn request(&self) -> Option<Element<'_>> {
        self.admitted.authenticated().enveloped().envelope().payload()
    }
}

impl OfCall for Valid {
    fn call(&self) -> &Call {
        self.admitted.call()
    }
}

/// What an agreement may be narrowed to here: nothing, for a message is passed on whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unnarrowed {}

/// Holds a request against the service's schema and the approved contract.
pub struct SchemaStep {
    /// The service.
    pub sides: Arc<Sides>,
    /// Marks the delivery's id for the audit record.
    pub sealer: Arc<Sealer>,
    /// The contract, held against what was approved.
    pub applied: Arc<Applied>,
}

/// The id by which a delivery is known again, where the service has one and the request just one of it.
pub(super) fn delivery(settings: &Settings, request: Element<'_>) -> Option<String> {
    let path = settings.idempotency.iter().map(|path| &path.value).find(|path| path.root() == request.local())?;
    match path.values(request).as_slice() {
        [Some(id)] => Some(id.clone().into_owned()),
        _ => None,
    }
}

impl Check for SchemaStep {
    const NAME: &'static str = "request_schema";
    type In = Admitted;
    type Out = Valid;

    async fn check(&self, admitted: Admitted) -> Result<Valid, Refusal> {
        admitted.front().scope.to::<Unnarrowed>()?;
        let authenticated = admitted.authenticated();
        let enveloped = authenticated.enveloped();
        let security = match authenticated.caller().binding() {
            Binding::Token => Security::Token,
            Binding::AuthorityContext => Security::AuthorityContext,
        };
        let name = &enveloped.shape().operation;
        let unknown = || Refusal::OperationUnknown { operations: self.sides.names(security) };
        let bound = self.sides.operation(name, security).ok_or_else(unknown)?;
        let operation = bound.operation().ok_or(Refusal::Internal)?;
        self.applied.covers(admitted.front(), &passing(security, name)).await?;
        let settings = self.sides.settings();
        let mut about = AboutPassThrough::new(bound.schema_digest().to_owned());
        admitted.call().note(|record| {
            record.legal_basis = Some(settings.legal_basis.da.clone());
            record.about = about.clone().into();
        });
        let envelope = enveloped.envelope();
        let payload = envelope.payload().ok_or(Refusal::Internal)?.id();
        self.headers(&bound, enveloped).await?;
        bound
            .judge(envelope.document().clone(), payload, &operation.request)
            .await?
            .map_err(|violations| ContractRefusal::SchemaViolated { places: violations.detail() })?;
        // Only now, for the schema says that the id stands where it is looked for.
        if let Some(id) = authenticated.request().and_then(|request| delivery(settings, request)) {
            about.delivery = Some(self.sealer.delivery(&id));
            admitted.call().note(|record| record.about = about.into());
        }
        Ok(Valid { admitted, operation: bound })
    }
}

impl SchemaStep {
    /// The headers that the contract declares, by the schema; every other ends here.
    async fn headers(&self, bound: &Bound, enveloped: &Enveloped) -> Result<(), Refusal> {
        let (envelope, operation) = (enveloped.envelope(), bound.operation().ok_or(Refusal::Internal)?);
        for declared in &operation.request_headers {
            let blocks = envelope.header().into_iter().flat_map(|header| header.elements());
            let named = blocks.filter(|block| block.is(&declared.namespace, &declared.local)).map(|block| block.id());
            for block in named.collect::<Vec<_>>() {
                bound
                    .judge(envelope.document().clone(), block, declared)
                    .await?
                    .map_err(|violations| ContractRefusal::HeaderViolated { places: violations.detail() })?;
            }
        }
        Ok(())
    }
}
