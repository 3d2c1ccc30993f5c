//! The steps of the gateway, one after the other, on a message from a file. The verdicts are the gateway's own functions;
//! what only a connection can know (who is at its other end, what was seen before) is said to be unknown.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use super::ExplainError;
use super::report::{AnswerSaid, DecisionSaid, Explanation, Fact, Outcome, PolicySaid, RuleSaid, Step, UnnamedSaid, Verdict};
use super::unnamed::unnamed;
use crate::agreements::{Agreement, Agreements, CacheSettings, ClientSystem, Side, Standing, State, Store, Thumbprint};
use crate::clock::Clock;
use crate::gateway::agreement::AgreementStep;
use crate::gateway::authenticate::{AuthenticateStep, Caller, TokenTrust};
use crate::gateway::definition::Definition;
use crate::gateway::definition::{Layout, Shape};
use crate::gateway::envelope;
use crate::gateway::open::Client;
use crate::gateway::route::BackAgreements;
use crate::hex;
use crate::id::cpr::Cpr;
use crate::id::cvr::Cvr;
use crate::node::{Config, assemble, domains};
use crate::refusal::Refusal;
use crate::services::parts;
use crate::services::terminaladgang::ask::narrowed;
use crate::services::terminaladgang::ask::{Judged, decides, judge};
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::history::Timetable;
use crate::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use crate::services::terminaladgang::law::release::{
    Ask, Decision, Filter, Filtered, Limits as ReleaseLimits, ReleaseRules, Words,
};
use crate::services::terminaladgang::law::request::Outcome as WindowOutcome;
use crate::services::terminaladgang::names;
use crate::services::terminaladgang::offer;
use crate::services::terminaladgang::owners::{Behind, Register};
use crate::services::terminaladgang::policies::{read_policies, read_policy};
use crate::services::terminaladgang::release::ask;
use crate::services::terminaladgang::scope::Scope;
use crate::services::terminaladgang::settings::Settings;
use crate::soap::document::{Document, Element, NodeId};
use crate::soap::envelope::{Envelope, Version};
use crate::soap::names::{SOAP11, SOAP12};
use crate::soap::reading::Reading;
use crate::soap::stream::{StreamError, StreamReader};
use crate::soap::strict::{Limits, Token};
use crate::store::Access;
use crate::trust::clients::{ClientCertificate, ClientTrust};
use crate::trust::domains::{CLIENTS, ListsByDomain, SIGNERS};

/// Everything that the verdicts need, without anything that sends.
pub(super) struct DryRun {
    at: Timestamp,
    policies: Timetable,
    policy: Arc<Policy>,
    definition: Arc<Definition>,
    authenticate: AuthenticateStep,
    agreement: AgreementStep,
    back: BackAgreements,
    register: Register,
    store: Store,
    limits: Limits,
    answer_limits: Limits,
    release: ReleaseLimits,
    authority: Option<Cvr>,
    chain: Arc<[CertificateDer<'static>]>,
    steps: Vec<Step>,
}

/// A message as far as it could be placed.
enum Message {
    /// The index's own request, without an envelope.
    Bare(Document),
    /// One SOAP message of either binding.
    Soap(Envelope, Arc<Shape>),
}

/// What the agreements on both sides give.
struct Agreed {
    front: Arc<Agreement>,
    back: Arc<Agreement>,
    owners: BTreeMap<Cvr, String>,
    by: Vec<Arc<Agreement>>,
}

/// Who calls, as far as it is known.
struct Known {
    client: Option<ClientSystem>,
    authority: Option<Cvr>,
    /// What the token narrows the answer to.
    token: Result<(Constraint, SensitivityConstraint), Refusal>,
    request: NodeId,
}

impl Message {
    fn request(&self, id: NodeId) -> Option<Element<'_>> {
        match self {
            Self::Bare(document) => document.element(id),
            Self::Soap(envelope, _) => envelope.document().element(id),
        }
    }
}

impl DryRun {
    pub(super) async fn new(
        config: &Config,
        (name, service): (&str, &Settings),
        at: Timestamp,
        authority: Option<Cvr>,
        chain: Vec<CertificateDer<'static>>,
    ) -> Result<Self, ExplainError> {
        let clock = Clock::fixed(at);
        let environment = parts::environment(config)?;
        let definition = Arc::new(offer::definition_of(name, &config.listen, service));
        // As the gateway would find them started without the network: nothing is asked for a dry run.
        let domains = ListsByDomain::at_hand(domains::domains(config), None, at)?.into_domains();
        let (trust, time) =
            (assemble::read_trust(&config.tokens, at)?.watched(&domains.named(SIGNERS)?), assemble::time_rules(config));
        let trust = Arc::new(TokenTrust { trust, time, memory: None });
        let optional = ClientCertificate::Optional;
        let clients = Arc::new(ClientTrust::new(&config.listen.client_roots, domains.named(CLIENTS)?, optional)?);
        let store = Store::open_to(Access::Look, &config.store).await?;
        let agreements = Agreements::new(store.clone(), CacheSettings::default());
        Ok(Self {
            at,
            policy: read_policy(&service.policy, at)?,
            policies: read_policies(&service.policy, at)?,
            authenticate: parts::authenticate(&definition, &trust, &clients, &clock),
            agreement: parts::agreement(&environment, &definition, &agreements, &clock),
            back: parts::back_agreements(&environment, &definition, &agreements, &clock),
            register: Register { agreements, udk: service.udk },
            definition,
            store,
            limits: parts::request_limits(config),
            answer_limits: offer::answer_limits(config),
            release: offer::release_limits(config),
            authority,
            chain: chain.into(),
            steps: Vec::new(),
        })
    }

    pub(super) async fn close(self) {
        self.store.close().await;
    }

    /// Goes through the steps, up to the first refusal.
    pub(super) async fn explain(
        &mut self,
        request: Bytes,
        answer: Option<Bytes>,
        show_person: bool,
    ) -> Result<Explanation, ExplainError> {
        let (mut forwarded, mut answered) = (None, None);
        let mut outcome = Outcome::Refused;
        let allowed = self.request(request).await?;
        if allowed.is_none() && answer.is_some() {
            self.unknown(
                "response_policy",
                "Svaret er ikke vurderet, da forespørgslen afvises.",
                "The answer is not judged, for the request is refused.",
            );
        }
        if let Some((judged, agreed)) = allowed {
            outcome = Outcome::Served;
            let person = judged.search.person().clone();
            let masked = |bytes: &[u8]| mask(bytes, &person, show_person);
            forwarded = Some(masked(judged.search.forward()));
            match (answer, agreed) {
                (Some(answer), Some(agreed)) => {
                    let mut ask = ask(&judged, &self.policy, &agreed.owners, self.release);
                    ask.decisions = true;
                    match self.answer(answer.clone(), ask).await {
                        Some(released) => answered = Some(self.said(answer, &released, masked(released.body()))),
                        None => outcome = Outcome::Refused,
                    }
                }
                (Some(_), None) => {
                    return Err("whose benefits the answer may show is not known; name the caller with --authority CVR".into());
                }
                (None, _) => {}
            }
        }
        Ok(Explanation {
            at: self.at.to_string(),
            service: self.definition.name.clone(),
            outcome,
            policy: PolicySaid {
                id: self.policy.id().to_owned(),
                version: self.policy.version().to_owned(),
                valid_from: self.policy.valid_from().to_string(),
                digest: hex::encode(self.policy.digest()),
                legal_basis_da: self.policy.legal_basis().da.clone(),
                legal_basis_en: self.policy.legal_basis().en.clone(),
            },
            steps: std::mem::take(&mut self.steps),
            forwarded,
            answer: answered,
        })
    }

    /// The steps on the way of a request; `None` once one refused.
    async fn request(&mut self, request: Bytes) -> Result<Option<(Judged, Option<Agreed>)>, ExplainError> {
        let placed = self.place(request);
        let Some(message) = self.note("envelope", placed, |message| vec![placed_at(message)]) else { return Ok(None) };
        let Some(known) = self.identify(&message) else { return Ok(None) };
        let agreed = match (known.client, known.authority) {
            (_, None) => {
                self.unknown(
                    "agreement",
                    "Ingen myndighed er angivet (--authority CVR).",
                    "No authority is named (--authority CVR).",
                );
                None
            }
            (client, Some(authority)) => {
                let client = match client {
                    Some(client) => client,
                    None => self.only_system(authority).await?,
                };
                let agreed = self.agreed(client, authority).await;
                let Some(agreed) = self.note("agreement", agreed, agreements_said) else { return Ok(None) };
                Some(agreed)
            }
        };
        let mut agreed = agreed;
        let decided = self.decided(&mut agreed);
        let agreements: Vec<&Agreement> = agreed.iter().flat_map(|agreed| [&*agreed.front, &*agreed.back]).collect();
        let judged = match message.request(known.request) {
            Some(input) => decided.and(known.token).and_then(|token| judge(&self.policy, self.at, input, token, &agreements)),
            None => Err(Refusal::Internal),
        };
        let judged = self.note("request_policy", judged, policy_said);
        if let (Some(judged), Some(step)) = (&judged, self.steps.last_mut()) {
            step.decisions = judged.search.decisions().iter().map(DecisionSaid::from).collect();
        }
        Ok(judged.map(|judged| (judged, agreed)))
    }

    async fn agreed(&self, client: ClientSystem, authority: Cvr) -> Result<Agreed, Refusal> {
        let front = self.agreement.front(client, authority).await?;
        let Behind { back, counterpart } = self.register.behind(&self.back, authority).await?;
        Ok(Agreed { front, back, owners: counterpart.owners, by: counterpart.agreements })
    }

    /// The version of the policy that decides, and whose benefits may be shown by it, as the gateway has it.
    fn decided(&mut self, agreed: &mut Option<Agreed>) -> Result<(), Refusal> {
        let Some(agreed) = agreed else { return Ok(()) };
        self.policy = decides(&self.policies, self.at, &[&*agreed.front, &*agreed.back])?.clone();
        let covers = |agreement: &Agreement| agreement.basis().is_none_or(|basis| self.policies.covers(basis, &self.policy));
        let not = agreed.by.iter().filter(|agreement| !covers(agreement));
        not.for_each(|agreement| drop(agreed.owners.remove(&agreement.authority)));
        Ok(())
    }

    fn place(&self, request: Bytes) -> Result<Message, Refusal> {
        let document = Document::parse(request.clone(), &self.limits)?;
        if self.definition.shapes.iter().any(|shape| shape.layout == Layout::Request && shape.element.is(document.root())) {
            return Ok(Message::Bare(document));
        }
        // A file has no HTTP headers, so the version that they would promise is the envelope's own.
        let version = if document.root().namespace() == SOAP11 { Version::V11 } else { Version::V12 };
        let (envelope, shape) = envelope::read(request, version, None, &self.definition, &self.limits)?;
        Ok(Message::Soap(envelope, shape))
    }

    fn identify(&mut self, message: &Message) -> Option<Known> {
        let unconstrained = || Ok((Constraint::unconstrained(), SensitivityConstraint::unconstrained()));
        let presented = self.chain.first().map(|certificate| ClientSystem::Certificate(Thumbprint::of_der(certificate)));
        let (envelope, shape) = match message {
            Message::Bare(document) => {
                self.unknown(
                    "authenticate",
                    "En forespørgsel uden kuvert godtgør ikke, hvem afsenderen er; --authority lægges til grund.",
                    "A request without an envelope proves no sender; --authority is taken for granted.",
                );
                let (client, authority, request) = (presented, self.authority, document.root().id());
                return Some(Known { client, authority, token: unconstrained(), request });
            }
            Message::Soap(envelope, shape) => (envelope, shape),
        };
        if self.chain.is_empty()
            && let Some(claimed) = self.authenticate.claimed(envelope, shape).transpose()
        {
            let (authority, request) = match claimed {
                Ok(claimed) => claimed,
                Err(refusal) => return self.note("authenticate", Err(refusal), |_: &Known| Vec::new()),
            };
            self.unknown(
                "authenticate",
                &format!("AuthorityContext angiver {authority}; kun forbindelsens certifikat godtgør, hvilket system der kalder (--certificate)."),
                &format!(
                    "AuthorityContext claims {authority}; only the connection's certificate proves the system (--certificate)."
                ),
            );
            return Some(Known { client: None, authority: Some(authority), token: unconstrained(), request });
        }
        let client = Client { chain: self.chain.clone(), ..Client::default() };
        let proven = self.authenticate.identify(envelope, shape, &client);
        let proven = proven.map(|(caller, request, _)| (narrowed(caller.privileges()), caller, request));
        let (token, caller, request) = self.note("authenticate", proven, |(token, caller, _)| caller_said(caller, token))?;
        if caller.message().is_some() {
            self.unknown(
                "replay",
                "En prøvekørsel husker ingen beskeder; den samme besked godtages én gang.",
                "A dry run remembers no messages; the same message is let through once.",
            );
        }
        Some(Known {
            client: Some(ClientSystem::Certificate(Thumbprint::from(*caller.system()))),
            authority: Some(*caller.authority()),
            token,
            request,
        })
    }

    /// The one system that has a front agreement for the authority, where nothing names the system.
    async fn only_system(&self, authority: Cvr) -> Result<ClientSystem, ExplainError> {
        let mut systems: Vec<_> = self.store.list().await?;
        systems.retain(|agreement| {
            agreement.side == Side::Front
                && agreement.authority == authority
                && agreement.service == self.definition.uuid
                && agreement.environment == self.agreement.environment
        });
        // One whose agreement was only asked for, or is over, does not call beside one whose agreement holds; one that is suspended does, and is
        // refused.
        let may_call = |one: &Agreement| matches!(one.standing(self.at), Standing::Holds | Standing::State(State::Suspended));
        if systems.iter().any(|agreement| agreement.standing(self.at) == Standing::Holds) {
            systems.retain(may_call);
        }
        let mut systems: Vec<_> = systems.into_iter().map(|agreement| agreement.system).collect();
        systems.sort();
        systems.dedup();
        match systems.as_slice() {
            [] => Ok(ClientSystem::System(uuid::Uuid::nil())),
            [one] => Ok(ClientSystem::System(*one)),
            _ => {
                Err(format!("{} systems call for {authority}; name the one meant with --certificate FILE", systems.len()).into())
            }
        }
    }

    /// The answer through the release filter; `None` where the gateway would refuse.
    async fn answer(&mut self, answer: Bytes, ask: Ask) -> Option<Filtered> {
        self.unknown(
            "forward",
            "Svarets signatur kontrolleres ikke; kun indholdet vurderes.",
            "The answer's signature is not judged, only its content.",
        );
        let mut filter = Filter::new(self.policy.release().clone(), ask);
        let fed = feed(answer, self.answer_limits, &mut filter).await;
        let decisions = filter.decisions();
        let (fed, mut reason) = match fed {
            Ok(()) => (filter.finish(), None),
            Err(Halt { refusal, reason }) => (Err(refusal), Some(reason)),
        };
        if matches!(fed, Err(Refusal::PeerAnswerInvalid { .. })) && reason.is_none() {
            reason = Some(Fact::new(
                "Filen indeholder ikke et fuldstændigt svar: en SOAP-besked med FremsoegYdelseIndeksOutput i Body, eller FremsoegYdelseIndeksOutput alene.",
                "The file holds no whole answer: a SOAP message with FremsoegYdelseIndeksOutput in its Body, or \
                 FremsoegYdelseIndeksOutput alone.",
            ));
        }
        let released = self.note("response_policy", fed, |released| {
            let counts = released.counts();
            let (kept, removed) = (counts.objects_released, counts.objects_removed.values().sum::<u64>());
            let fields = counts.fields_released.values().sum::<u64>();
            vec![Fact::new(
                format!("Betalinger, der udleveres: {kept}, med {fields} felter i alt. Bevillinger og betalinger, der fjernes helt: {removed}."),
                format!("Payments released: {kept}, with {fields} fields in all. Grants and payments removed whole: {removed}."),
            )]
        });
        if released.is_none()
            && let Some(refused) = self.steps.last_mut()
        {
            let objects = decisions.iter().filter_map(|decision| withheld(decision, self.policy.release()));
            refused.facts = reason.into_iter().chain(objects).collect();
        }
        released
    }

    fn said(&self, answer: Bytes, released: &Filtered, text: String) -> AnswerSaid {
        let decisions = released.decisions().unwrap_or_default().to_vec();
        let shown = |object: u64| decisions.iter().any(|each| each.object == object && each.released);
        let unnamed = unnamed(answer, &self.answer_limits, self.policy.release()).into_iter();
        let unnamed = unnamed.filter(|(object, _)| shown(*object)).map(|(object, path)| UnnamedSaid { object, path }).collect();
        let counts = released.counts().clone();
        let ids = decisions.iter().map(|decision| &decision.rule);
        let ids = ids.chain(counts.fields_released.keys()).chain(counts.fields_removed.keys());
        let words = ids.filter_map(|id| Some((id.clone(), self.policy.release().words(id)?)));
        let rules: BTreeMap<_, _> = words
            .map(|(id, words)| {
                let Words { basis, basis_da, da, en, .. } = words.clone();
                (id, RuleSaid { basis, basis_da, da, en })
            })
            .collect();
        AnswerSaid { objects_seen: released.objects_seen(), decisions, unnamed, counts, rules, released: text }
    }

    /// Writes down what a step said; gives what it handed on.
    fn note<T>(&mut self, step: &'static str, result: Result<T, Refusal>, facts: impl FnOnce(&T) -> Vec<Fact>) -> Option<T> {
        let told = match &result {
            Ok(value) => Step { step, verdict: Verdict::Passed, facts: facts(value), decisions: Vec::new(), refusal: None },
            Err(refusal) => {
                Step { step, verdict: Verdict::Refused, facts: Vec::new(), decisions: Vec::new(), refusal: Some(refusal.into()) }
            }
        };
        self.steps.push(told);
        result.ok()
    }

    fn unknown(&mut self, step: &'static str, da: &str, en: &str) {
        self.steps.push(Step {
            step,
            verdict: Verdict::NotJudged,
            facts: vec![Fact::new(da, en)],
            decisions: Vec::new(),
            refusal: None,
        });
    }
}

/// What was decided of one object as a whole, in an answer that is refused; `None` for the decision on a field.
fn withheld(decision: &Decision, rules: &ReleaseRules) -> Option<Fact> {
    if decision.path.contains('/') {
        return None;
    }
    let (object, rule) = (decision.object, &decision.rule);
    let Words { da, en, .. } = rules.words(rule)?;
    Some(match decision.released {
        true => Fact::new(
            format!("Objekt {object} ville være blevet udleveret i uddrag, hvis svaret ikke var blevet afvist."),
            format!("Object {object} would have been released in part, had the answer not been refused."),
        ),
        false => Fact::new(format!("Objekt {object} [{rule}]: {da}"), format!("Object {object} [{rule}]: {en}")),
    })
}

/// The content of the answer's Body through the filter.
pub(in crate::cli) async fn filter(answer: Bytes, limits: Limits, mut filter: Filter) -> Result<Filtered, Refusal> {
    feed(answer, limits, &mut filter).await.map_err(|halt| halt.refusal)?;
    filter.finish()
}

/// Where an answer stopped being one, and why: a caller is told neither, whoever tries an answer must be.
struct Halt {
    refusal: Refusal,
    reason: Fact,
}

/// Feeds the content of the answer's Body to the filter, as the gateway does once the signature is being checked.
async fn feed(answer: Bytes, limits: Limits, filter: &mut Filter) -> Result<(), Halt> {
    let mut reader = StreamReader::new(Full::new(answer), limits);
    let (mut content, mut path) = (None, Vec::new());
    loop {
        let token = match reader.next().await {
            Ok(token) => token,
            Err(error) => return Err(unreadable(&error, &path)),
        };
        let read = reader.read();
        match token {
            Token::Start | Token::Empty | Token::Leaf => {
                path.truncate(read.depth().saturating_sub(1));
                path.push(read.local().to_owned());
            }
            Token::End => path.truncate(read.depth() + 1),
            _ => {}
        }
        let halt = |refusal| halted(refusal, &path);
        let soap = [SOAP11, SOAP12].contains(&read.uris().get(read.uri()));
        match (content, token) {
            (_, Token::Eof) => return Ok(()),
            // An envelope's Body, or the output by itself.
            (None, Token::Start) if read.depth() == 1 && !soap => {
                content = Some(0);
                filter.feed(token, read).map_err(halt)?;
            }
            (None, Token::Start) if read.depth() == 2 && read.local() == "Body" && soap => content = Some(2),
            (Some(depth), Token::End) if read.depth() < depth => content = None,
            (Some(_), _) => filter.feed(token, read).map_err(halt)?,
            (None, _) => {}
        }
    }
}

fn unreadable(error: &StreamError, path: &[String]) -> Halt {
    let at = path.join("/");
    let (da, en) = match error {
        StreamError::Content(refusal) => {
            let entry = refusal.entry();
            (entry.da.what.clone(), entry.en.what.clone())
        }
        StreamError::Connection => ("Filen kan ikke læses.".to_owned(), "The file cannot be read.".to_owned()),
    };
    Halt {
        refusal: Refusal::PeerAnswerInvalid { peer: names::index() },
        reason: Fact::new(format!("Læsningen standsede efter /{at}. {da}"), format!("Reading stopped after /{at}. {en}")),
    }
}

/// The filter's refusal, with its place, and what is expected there.
fn halted(refusal: Refusal, path: &[String]) -> Halt {
    let at = path.join("/");
    let (da, en) = match refusal {
        Refusal::PeerFault { .. } => (
            "En SOAP-fejl, eller en StatusKode, der er hverken 20 (fundet) eller 44 (intet fundet).",
            "A SOAP fault, or a StatusKode that is neither 20 (found) nor 44 (nothing found).",
        ),
        Refusal::PeerAnswerInvalid { .. } => (
            "I Body forventes netop ét FremsoegYdelseIndeksOutput (urn:oio:sts:ydelse:ydelseindeks:6): først StandardRetur med StatusKode 20 \
             eller 44, så antal, bevillinger og effektueringer, i den rækkefølge.",
            "Body is to hold exactly one FremsoegYdelseIndeksOutput (urn:oio:sts:ydelse:ydelseindeks:6): first StandardRetur with \
             StatusKode 20 or 44, then counts, grants and effectuations, in that order.",
        ),
        _ => ("", ""),
    };
    let reason = Fact::new(format!("Standset ved /{at}. {da}").trim_end(), format!("Stopped at /{at}. {en}").trim_end());
    Halt { refusal: refusal.of_peer(&names::index()), reason }
}

/// Where a person's number stands, dots: explanations are shown and sent around.
fn mask(bytes: &[u8], person: &Cpr, show: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    if show { text.into_owned() } else { text.replace(person.expose(), "••••••••••") }
}

fn placed_at(message: &Message) -> Fact {
    match message {
        Message::Bare(_) => {
            Fact::new("Indeksets egen forespørgsel uden kuvert.", "The index's own request, without an envelope.")
        }
        Message::Soap(envelope, shape) => {
            let version = envelope.version().name();
            match shape.layout {
                Layout::Request | Layout::Contexts | Layout::Header => {
                    Fact::new(format!("{version}, indeksets egen forespørgsel."), format!("{version}, the index's own request."))
                }
                Layout::Wrapped(_) => Fact::new(
                    format!("{version}, platformens FremsoegRequest."),
                    format!("{version}, the platform's FremsoegRequest."),
                ),
            }
        }
    }
}

fn caller_said(caller: &Caller, token: &Result<(Constraint, SensitivityConstraint), Refusal>) -> Vec<Fact> {
    let (authority, binding) = (caller.authority(), caller.binding().name());
    let thumbprint = hex::encode(caller.system());
    let mut facts = vec![Fact::new(
        format!("Myndighed {authority}, godtgjort ved {binding}; systemets certifikat (SHA-256) {thumbprint}."),
        format!("Authority {authority}, proven by {binding}; the system's certificate (SHA-256) {thumbprint}."),
    )];
    if let Some(message) = caller.message() {
        facts.push(Fact::new(
            format!("Besked {}, dannet {}.", message.id, message.created),
            format!("Message {}, created {}.", message.id, message.created),
        ));
    }
    let Ok((kle, sensitivity)) = token else { return facts };
    if kle.is_constrained() {
        facts.push(Fact::new("Tokenets rettigheder afgrænser KLE-numre.", "The token's privileges constrain KLE numbers."));
    }
    if sensitivity.is_constrained() {
        facts.push(Fact::new("Tokenets rettigheder afgrænser følsomhed.", "The token's privileges constrain sensitivity."));
    }
    facts
}

fn agreements_said(agreed: &Agreed) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (side_da, side_en, agreement) in [("Anvenderaftale", "Front", &agreed.front), ("Indeksaftale", "Back", &agreed.back)] {
        let (id, basis) = (agreement.id, &agreement.legal_basis);
        facts.push(Fact::new(format!("{side_da} {id}, {basis}."), format!("{side_en}: agreement {id}, {basis}.")));
        // One that this service cannot read is refused by the step after this.
        let scope = agreement.scope.to::<Scope>().unwrap_or_default();
        for (what_da, what_en, list) in
            [("KLE-numre", "KLE numbers", &scope.kle), ("følsomhed", "sensitivity", &scope.sensitivity)]
        {
            if !list.is_empty() {
                let list = list.join(", ");
                facts.push(Fact::new(
                    format!("{side_da}n afgrænser {what_da} til {list}."),
                    format!("{side_en}: the agreement constrains {what_en} to {list}."),
                ));
            }
        }
    }
    let owners = agreed.owners.iter().map(|(cvr, name)| format!("{name} ({cvr})")).collect::<Vec<_>>().join(", ");
    facts.push(Fact::new(
        format!("Der kan udleveres ydelser, som ejes af {owners}."),
        format!("May be shown benefits owned by {owners}."),
    ));
    facts
}

fn policy_said(judged: &Judged) -> Vec<Fact> {
    let search = &judged.search;
    let window = search.window();
    let (da, en) = match search.outcome() {
        WindowOutcome::Inserted => {
            ("indsat, da kaldet ikke angiver nogen dispositionsdato", "inserted, as the call names no disposition date")
        }
        WindowOutcome::Unchanged => (
            "kaldets egen afgrænsning ligger inden for vinduet og ændres ikke",
            "the call's own delimitation lies within and stands",
        ),
        WindowOutcome::Narrowed => ("kaldets afgrænsning er indskrænket", "the call's delimitation was narrowed"),
    };
    vec![Fact::new(format!("Vinduet {window}: {da}."), format!("The window {window}: {en}."))]
}
