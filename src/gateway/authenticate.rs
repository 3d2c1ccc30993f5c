//! Who calls, and on whose behalf: proven by a token and a signed message, or by mutual TLS.
//!
//! The binding follows from the message: `wsse:Security` present means token, `AuthorityContext` without it means mutual
//! TLS, both are refused (an attacker who may choose the weaker of two proofs has only to break that one).

use std::sync::Arc;

use jiff::Timestamp;
use tower::Service;

use super::answer::Release;
use super::call::{Call, OfCall};
use super::context::{self, Contexts};
use super::definition::{Definition, Shape};
use super::envelope::Enveloped;
use super::open::Client;
use super::reply::{Proof, Refused};
use super::step::Step;
use crate::agreements::Thumbprint;
use crate::audit::Binding;
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, Refusal};
use crate::saml::memory::AssertionMemory;
use crate::saml::privileges::Group;
use crate::saml::trust::Trust;
use crate::saml::{self, Expectations, Identity};
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
    system: [u8; 32],
    binding: Binding,
    message: Option<Message>,
    /// See [`Caller::proves_prefix`].
    prefixes: Vec<Box<str>>,
    /// The token's, and the one of them that the service demands.
    privileges: Option<(Identity, Option<Arc<str>>)>,
}

impl Caller {
    /// The authority on whose behalf the system calls.
    pub fn authority(&self) -> &Cvr {
        &self.authority
    }
    /// SHA-256 of the client system's certificate: the token's holder, or the TLS client.
    pub fn system(&self) -> &[u8; 32] {
        &self.system
    }
    /// How it was proven.
    pub fn binding(&self) -> Binding {
        self.binding
    }
    /// The signed message's identity; none in the AuthorityContext binding.
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }
    /// Whether it is proven what this prefix (the empty one: the default namespace) stands for in the request, also where no
    /// element uses it: by a signature only of the prefixes that its PrefixList names, by the connection of all.
    pub fn proves_prefix(&self, prefix: &str) -> bool {
        match self.binding {
            Binding::Token => self.prefixes.iter().any(|named| **named == *prefix),
            Binding::AuthorityContext => true,
        }
    }
    /// The privilege groups by which the token gives the caller's authority access; none where the token names no
    /// privileges, and in the AuthorityContext binding. Each is an access of its own, narrowed by its constraints.
    pub fn privileges(&self) -> impl Iterator<Item = &Group> {
        self.privileges.iter().flat_map(|(identity, needed)| granted(identity, needed.as_deref()))
    }
}

/// The groups for the token's own authority that hold the privilege that is needed.
fn granted<'i>(identity: &'i Identity, needed: Option<&'i str>) -> impl Iterator<Item = &'i Group> {
    let gives = move |group: &&Group| needed.is_none_or(|needed| group.privileges().any(|privilege| privilege == needed));
    identity.privileges().of(identity.cvr()).filter(gives)
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
    /// The message as it came.
    pub fn enveloped(&self) -> &Enveloped {
        &self.enveloped
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

/// Proves who calls: by the token and the message's signature, or by the client certificate.
#[derive(Clone)]
pub struct AuthenticateStep {
    /// The service's names and bindings.
    pub definition: Arc<Definition>,
    /// What tokens are judged by.
    pub trust: Arc<TokenTrust>,
    /// What client certificates are judged by.
    pub clients: Arc<ClientTrust>,
    /// What the times of token, message and certificate are held against.
    pub clock: Clock,
}

impl AuthenticateStep {
    fn prove(&self, enveloped: Enveloped) -> Result<(Authenticated, Proof), Refusal> {
        let (caller, request, proof) = self.identify(enveloped.envelope(), enveloped.shape(), enveloped.client())?;
        Ok((Authenticated { enveloped, caller, request }, proof))
    }

    /// The step's verdict: who calls, and which element is the request.
    ///
    /// # Errors
    /// The refusals of the binding that the message shows.
    pub fn identify(&self, envelope: &Envelope, shape: &Shape, client: &Client) -> Result<(Caller, NodeId, Proof), Refusal> {
        let Contexts { request, authority } = context::find(envelope, &shape.layout)?;
        let bindings = self.definition.bindings;
        let missing = || Refusal::SecurityModelMissing { supported: bindings.supported() };
        let (caller, proof) = match (envelope.security(), authority) {
            (Some(_), Some(_)) => return Err(Refusal::SecurityModelAmbiguous),
            (Some(security), None) if bindings.token => self.by_token(envelope, security)?,
            (None, Some(authority)) if bindings.authority_context => (self.by_tls(client, authority)?, Proof::of_transport()),
            _ => return Err(missing()),
        };
        Ok((caller, request.id(), proof))
    }

    /// The authority that a message of the AuthorityContext binding claims, where no connection proves who says so; `None`
    /// for a message of the token binding. A claim opens nothing: it is for `hjemmel explain`.
    ///
    /// # Errors
    /// What is wrong with the wrapper or the claim.
    pub fn claimed(&self, envelope: &Envelope, shape: &Shape) -> Result<Option<(Cvr, NodeId)>, Refusal> {
        if envelope.security().is_some() || !self.definition.bindings.authority_context {
            return Ok(None);
        }
        let Contexts { request, authority } = context::find(envelope, &shape.layout)?;
        authority.map(|authority| Ok((context::claim(authority)?, request.id()))).transpose()
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
        let (identity, request) = saml::authenticate(envelope.document(), &parts, &expectations, now)?;
        self.clients.holder_stands(identity.holder().der(), now)?;
        let invalid = |_| Refusal::TokenInvalid {
            what: Detail::new("CvrNumberIdentifier er ikke et CVR-nummer", "CvrNumberIdentifier is no CVR number"),
        };
        let authority: Cvr = identity.cvr().parse().map_err(invalid)?;
        self.check_privileges(&identity)?;
        let message = Some(Message { id, created: identity.message_created() });
        let proof = Proof::of_message(&identity);
        let system = *identity.holder().thumbprint();
        let privileges = Some((identity, self.definition.required_privilege.clone()));
        Ok((
            Caller {
                authority,
                system,
                binding: Binding::Token,
                message,
                prefixes: request.body_prefixes().to_vec(),
                privileges,
            },
            proof,
        ))
    }

    /// The token must give something for its own authority: the privilege that the service demands, and where it names
    /// privileges at all, one that is not for somebody else's number. What they narrow is for the service's law to say.
    fn check_privileges(&self, identity: &Identity) -> Result<(), Refusal> {
        let needed = self.definition.required_privilege.as_deref();
        let given = granted(identity, needed).next().is_some();
        if given || (needed.is_none() && identity.privileges().groups().is_empty()) {
            return Ok(());
        }
        let needed = match needed {
            Some(needed) => Detail::name(needed),
            None => Detail::new("en rettighed for tokenets egen myndighed", "a privilege for the token's own authority"),
        };
        Err(Refusal::PrivilegeMissing { needed })
    }

    fn by_tls(&self, client: &Client, authority: Element<'_>) -> Result<Caller, Refusal> {
        let certificate = client.chain.first().ok_or(Refusal::ClientCertificateMissing)?;
        // The handshake may be hours ago: a certificate that ended or was revoked since gives nothing any more.
        self.clients.still_holds(&client.chain, self.clock.now())?;
        let authority = context::claim(authority)?;
        let system = crate::signature::credentials::thumbprint(certificate);
        Ok(Caller {
            authority,
            system,
            binding: Binding::AuthorityContext,
            message: None,
            prefixes: Vec::new(),
            privileges: None,
        })
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
            record.operation = Some(authenticated.enveloped.shape().operation.clone());
            record.binding = Some(caller.binding());
            record.authority = Some(*caller.authority());
            record.certificate = Some(Thumbprint::from(*caller.system()));
        });
        match inner.call(authenticated).await {
            Ok(released) => Ok((released, proof)),
            Err(refusal) => Err(Refused::new(refusal, Some(proof))),
        }
    }
}
