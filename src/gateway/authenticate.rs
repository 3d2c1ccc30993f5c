//! Who calls, and on whose behalf: proven by a token and a signed message, or by mutual TLS.
//!
//! The binding follows from the message: `wsse:Security` present means token, `AuthorityContext` without it means mutual
//! TLS, both are refused (an attacker who may choose the weaker of two proofs has only to break that one).

use std::sync::Arc;

use jiff::Timestamp;
use tower::Service;

use super::answer::Release;
use super::call::{Call, OfCall};
use super::definition::{Definition, Name};
use super::envelope::{Enveloped, Form};
use super::open::Peer;
use super::reply::{Proof, Refused};
use super::step::Step;
use crate::agreements::Thumbprint;
use crate::audit::Binding;
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, Refusal};
use crate::saml::memory::AssertionMemory;
use crate::saml::privileges::{self, Group};
use crate::saml::trust::Trust;
use crate::saml::{self, Expectations, Identity};
use crate::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use crate::signature::timestamp::TimeRules;
use crate::signature::verify::Parts;
use crate::soap::document::{Element, NodeId};
use crate::soap::envelope::Envelope;
use crate::trust::clients::ClientTrust;

/// The identity of a signed message, for the replay memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `wsa:MessageID`, covered by the signature.
    pub id: String,
    /// `wsu:Created`, covered by the signature.
    pub created: Timestamp,
}

/// Who calls. Made here and nowhere else.
pub struct Caller {
    authority: Cvr,
    thumbprint: [u8; 32],
    binding: Binding,
    message: Option<Message>,
    kle: Constraint,
    sensitivity: SensitivityConstraint,
}

impl Caller {
    /// The authority on whose behalf the system calls.
    pub fn authority(&self) -> &Cvr {
        &self.authority
    }
    /// SHA-256 of the client system's certificate: the token's holder, or the TLS client.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
    /// How it was proven.
    pub fn binding(&self) -> Binding {
        self.binding
    }
    /// The signed message's identity; none in the AuthorityContext binding.
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }
    /// The KLE numbers that the token's privileges leave.
    pub fn kle(&self) -> &Constraint {
        &self.kle
    }
    /// The sensitivities that the token's privileges leave.
    pub fn sensitivity(&self) -> &SensitivityConstraint {
        &self.sensitivity
    }
}

/// A message whose caller is proven.
pub struct Authenticated {
    enveloped: Enveloped,
    caller: Caller,
    request: NodeId,
}

impl Authenticated {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
    /// The request of the operation, without the platform's wrapper. In the token binding the signature covers it.
    pub fn request(&self) -> Option<Element<'_>> {
        self.enveloped.envelope().document().element(self.request)
    }
}

impl OfCall for Authenticated {
    fn call(&self) -> &Call {
        self.enveloped.call()
    }
}

/// Whose tokens are taken.
pub struct TokenTrust {
    /// The STS's of this environment.
    pub trust: Trust,
    /// How far clocks may be apart.
    pub time: TimeRules,
    /// The assertions that were verified under this trust, if they are remembered. A reload makes both anew.
    pub memory: Option<AssertionMemory>,
}

/// The step.
#[derive(Clone)]
pub struct AuthenticateStep {
    /// The service's names and bindings.
    pub definition: Arc<Definition>,
    /// What tokens are judged by.
    pub trust: Arc<TokenTrust>,
    /// What client certificates are judged by.
    pub clients: Arc<ClientTrust>,
    /// The clock.
    pub clock: Clock,
    /// The CVR claim's place in the AuthorityContext binding.
    pub authority_context: AuthorityContextNames,
}

/// Names of the AuthorityContext binding's parts.
#[derive(Debug, Clone)]
pub struct AuthorityContextNames {
    /// `CallContext`.
    pub call_context: Name,
    /// What may stand in it, in its namespace.
    pub call_context_parts: &'static [&'static str],
    /// `AuthorityContext`.
    pub authority_context: Name,
    /// `MunicipalityCVR`.
    pub municipality_cvr: Name,
}

impl AuthenticateStep {
    fn prove(&self, enveloped: Enveloped) -> Result<(Authenticated, Proof), Refusal> {
        let (caller, request, proof) = self.identify(enveloped.envelope(), enveloped.form(), enveloped.peer())?;
        Ok((Authenticated { enveloped, caller, request }, proof))
    }

    /// The step's verdict: who calls, and which element is the request.
    ///
    /// # Errors
    /// The refusals of the binding that the message shows.
    pub fn identify(&self, envelope: &Envelope, form: Form, peer: &Peer) -> Result<(Caller, NodeId, Proof), Refusal> {
        let payload = envelope.payload().ok_or(Refusal::OperationUnknown)?;
        let (request, context) = match form {
            Form::Own => (payload, None),
            Form::Wrapped => self.unwrap_payload(payload)?,
        };
        let bindings = self.definition.bindings;
        let missing = || Refusal::SecurityModelMissing { supported: bindings.supported() };
        let (caller, proof) = match (envelope.security(), context) {
            (Some(_), Some(_)) => return Err(Refusal::SecurityModelAmbiguous),
            (Some(security), None) if bindings.token => self.by_token(envelope, security)?,
            (None, Some(context)) if bindings.authority_context => (self.by_tls(peer, context)?, Proof::of_transport()),
            _ => return Err(missing()),
        };
        Ok((caller, request.id(), proof))
    }

    /// The authority that a message of the AuthorityContext binding claims, where no connection proves who says so; `None`
    /// for a message of the token binding. A claim opens nothing: it is for `hjemmel explain`.
    ///
    /// # Errors
    /// What is wrong with the wrapper or the claim.
    pub fn claimed(&self, envelope: &Envelope, form: Form) -> Result<Option<(Cvr, NodeId)>, Refusal> {
        let payload = envelope.payload().ok_or(Refusal::OperationUnknown)?;
        if envelope.security().is_some() || form == Form::Own || !self.definition.bindings.authority_context {
            return Ok(None);
        }
        let (request, context) = self.unwrap_payload(payload)?;
        context.map(|context| Ok((self.claim(context)?, request.id()))).transpose()
    }

    /// `CallContext?`, `AuthorityContext?`, then the request: in that order and nothing else.
    fn unwrap_payload<'d>(&self, wrapper: Element<'d>) -> Result<(Element<'d>, Option<Element<'d>>), Refusal> {
        let invalid = |da: &str, en: &str| Refusal::RequestInvalid { what: Detail::new(da, en) };
        if wrapper.has_stray_text() {
            return Err(invalid(
                "tekst ved siden af elementerne i det yderste element",
                "text beside the elements of the wrapper",
            ));
        }
        if wrapper.attributes().next().is_some() {
            return Err(invalid("en attribut på det yderste element", "an attribute on the wrapper"));
        }
        let mut children = wrapper.elements().peekable();
        if let Some(context) = children.next_if(|child| self.authority_context.call_context.is(*child)) {
            self.check_call_context(context)?;
        }
        let context = children.next_if(|child| self.authority_context.authority_context.is(*child));
        match (children.next(), children.next()) {
            (Some(request), None) if self.definition.request.is(request) => Ok((request, context)),
            _ => Err(invalid(
                "det yderste element indeholder ikke CallContext (valgfri), AuthorityContext (valgfri) og forespørgslen i denne rækkefølge",
                "the wrapper does not hold CallContext?, AuthorityContext?, the request, in that order",
            )),
        }
    }

    /// The caller's particulars of the call: nothing is done by them, and nothing stands there that the schema does not have.
    fn check_call_context<'d>(&self, context: Element<'d>) -> Result<(), Refusal> {
        let names = &self.authority_context;
        let mut seen = Vec::new();
        let known = |part: Element<'d>| {
            let (local, plain) = (part.local(), part.attributes().next().is_none() && part.elements().next().is_none());
            let once = !seen.contains(&local);
            seen.push(local);
            once && plain && part.namespace() == names.call_context.namespace && names.call_context_parts.contains(&local)
        };
        match context.attributes().next().is_none() && !context.has_stray_text() && context.elements().all(known) {
            true => Ok(()),
            false => Err(Refusal::RequestInvalid {
                what: Detail::new(
                    format!(
                        "CallContext må højst indeholde ét af hver af {} og ingen attributter",
                        names.call_context_parts.join(", ")
                    ),
                    format!(
                        "CallContext holds something beside at most one each of {}, without attributes",
                        names.call_context_parts.join(", ")
                    ),
                ),
            }),
        }
    }

    fn by_token(&self, envelope: &Envelope, security: Element<'_>) -> Result<(Caller, Proof), Refusal> {
        let structure = || Refusal::SecurityStructure { what: Detail::new("Header eller Body mangler", "no Header or no Body") };
        // The profile demands it; its own example writes it without the SOAP prefix, so both spellings are taken.
        let demanded = [envelope.version().namespace(), ""]
            .into_iter()
            .find_map(|namespace| security.attribute(namespace, "mustUnderstand"));
        if !matches!(demanded, Some("1" | "true")) {
            return Err(Refusal::SecurityStructure {
                what: Detail::new("Security er ikke markeret mustUnderstand", "Security is not marked mustUnderstand"),
            });
        }
        let parts = Parts {
            header: envelope.header().ok_or_else(structure)?,
            security,
            body: envelope.body().ok_or_else(structure)?,
            must_cover: envelope.must_be_signed(),
        };
        let id = envelope.addressing().message_id.clone().filter(|id| !id.is_empty());
        let id =
            id.ok_or_else(|| Refusal::AddressingInvalid { what: Detail::new("MessageID mangler", "MessageID is missing") })?;
        let TokenTrust { trust, time, memory } = &*self.trust;
        let usual = Expectations::new(trust, &self.definition.entity_id);
        let expectations = Expectations { time: *time, memory: memory.as_ref(), ..usual };
        let now = self.clock.now();
        let (identity, _) = saml::authenticate(envelope.document(), &parts, &expectations, now)?;
        self.clients.holder_stands(identity.holder().der(), now)?;
        let invalid = |_| Refusal::TokenInvalid {
            what: Detail::new("CvrNumberIdentifier er ikke et CVR-nummer", "CvrNumberIdentifier is no CVR number"),
        };
        let authority: Cvr = identity.cvr().parse().map_err(invalid)?;
        let (kle, sensitivity) = self.privileges(&identity)?;
        let message = Some(Message { id, created: identity.message_created() });
        let proof = Proof::of_message(&identity);
        let thumbprint = *identity.holder().thumbprint();
        Ok((Caller { authority, thumbprint, binding: Binding::Token, message, kle, sensitivity }, proof))
    }

    /// What the token's privileges for its own authority narrow the answer to.
    ///
    /// Each group gives an access of its own, so KLE numbers add up over the groups, and a group that names none gives all.
    /// Sensitivities do not add up: a value counts only where every group names it. Otherwise one group's kinds could be
    /// seen at another group's sensitivity, which nobody gave.
    fn privileges(&self, identity: &Identity) -> Result<(Constraint, SensitivityConstraint), Refusal> {
        let needed = self.definition.required_privilege.as_deref();
        let gives = |group: &&Group| needed.is_none_or(|needed| group.privileges().any(|privilege| privilege == needed));
        let groups: Vec<_> = identity.privileges().of(identity.cvr()).filter(gives).collect();
        // A token whose privileges are all for somebody else's number gives nothing here, also where no role is demanded:
        // without this it would count as one that narrows nothing.
        if groups.is_empty() && (needed.is_some() || !identity.privileges().groups().is_empty()) {
            let needed = match needed {
                Some(needed) => Detail::name(needed),
                None => Detail::new("en rettighed for tokenets egen myndighed", "a privilege for the token's own authority"),
            };
            return Err(Refusal::PrivilegeMissing { needed });
        }
        let unreadable = |what: &str| Refusal::TokenInvalid {
            what: Detail::new(
                format!("en rettigheds afgrænsning kan ikke læses: {what}"),
                format!("a privilege's constraint cannot be read: {what}"),
            ),
        };
        let mut sensitivity = SensitivityConstraint::unconstrained();
        for values in groups.iter().filter_map(|group| group.constraint(privileges::Constraint::Sensitivity)) {
            sensitivity = sensitivity.and(values.iter().map(String::as_str)).map_err(|what| unreadable(&what.0))?;
        }
        let named: Option<Vec<_>> = groups.iter().map(|group| group.constraint(privileges::Constraint::Kle)).collect();
        let kle = match named {
            Some(named) if !named.is_empty() => {
                let patterns = named.into_iter().flatten().map(String::as_str);
                Constraint::unconstrained().and(patterns).map_err(|what| unreadable(&what.0))?
            }
            _ => Constraint::unconstrained(),
        };
        Ok((kle, sensitivity))
    }

    fn by_tls(&self, peer: &Peer, context: Element<'_>) -> Result<Caller, Refusal> {
        let certificate = peer.chain.first().ok_or(Refusal::ClientCertificateMissing)?;
        // The handshake may be hours ago: a certificate that ended or was revoked since gives nothing any more.
        self.clients.still_holds(&peer.chain, self.clock.now())?;
        let authority = self.claim(context)?;
        let thumbprint = crate::signature::credentials::thumbprint(certificate);
        let (kle, sensitivity) = (Constraint::unconstrained(), SensitivityConstraint::unconstrained());
        Ok(Caller { authority, thumbprint, binding: Binding::AuthorityContext, message: None, kle, sensitivity })
    }

    fn claim(&self, context: Element<'_>) -> Result<Cvr, Refusal> {
        let invalid = |da: &str, en: &str| Refusal::AuthorityContextInvalid { what: Detail::new(da, en) };
        let name = &self.authority_context.municipality_cvr;
        if context.attributes().chain(context.elements().flat_map(|claim| claim.attributes())).next().is_some() {
            return Err(invalid(
                "en attribut på AuthorityContext eller på et af dens elementer",
                "an attribute on AuthorityContext or inside it",
            ));
        }
        let mut children = context.elements();
        let claim = match (children.next(), children.next()) {
            (Some(claim), None) if name.is(claim) && !context.has_stray_text() => claim,
            _ => {
                return Err(invalid(
                    "den indeholder ikke netop ét MunicipalityCVR",
                    "it does not hold exactly one MunicipalityCVR",
                ));
            }
        };
        claim
            .text()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| invalid("MunicipalityCVR er ikke otte cifre", "MunicipalityCVR is not eight digits"))
    }
}

impl<S> Step<S> for AuthenticateStep
where
    S: Service<Authenticated, Response = Release, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Enveloped;
    type Out = (Release, Proof);
    type Error = Refused;

    async fn pass(&self, enveloped: Enveloped, mut inner: S) -> Result<(Release, Proof), Refused> {
        let call = enveloped.call().clone();
        let started = call.start();
        let proven = self.prove(enveloped);
        call.finish("authenticate", started);
        let (authenticated, proof) = proven.map_err(|refusal| Refused::new(refusal, None))?;
        call.note(|record| {
            let caller = authenticated.caller();
            record.operation = Some(self.definition.operation.clone());
            record.binding = Some(caller.binding());
            record.authority = Some(*caller.authority());
            record.certificate = Some(Thumbprint::from(*caller.thumbprint()));
        });
        match inner.call(authenticated).await {
            Ok(released) => Ok((released, proof)),
            Err(refusal) => Err(Refused::new(refusal, Some(proof))),
        }
    }
}
