//! Which service answers: by path and method, before anything of the body is read.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, Version};
use http_body_util::Full;
use tower::{Service, service_fn};

use super::http::plain_refusal;
use super::refused::{Cause, Refusals};
use crate::gateway::GatewayService;
use crate::gateway::open::Client;
use crate::gateway::step::BoxFuture;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// The documents of a service: a query, and the document it names with its media type.
pub type Documents = Box<dyn Fn(&str) -> Option<(&'static str, String)> + Send + Sync>;

/// The services by their paths, without a slash at the end, of one reading of the configuration.
pub type Services<B> = BTreeMap<String, Serving<B>>;

/// One service.
pub struct Serving<B> {
    /// What GET gives.
    pub documents: Documents,
    /// What POST does, for one caller's connection.
    pub gateway: Box<dyn Fn(Client) -> GatewayService<B> + Send + Sync>,
}

/// RFC 9112, 3.2, and RFC 9113, 8.3.1. Nothing here goes by the host; what stands in front of the gateway may, and two
/// that read one request for different hosts are where smuggling begins.
fn says_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next(), request.uri().authority()) {
        (_, Some(_), _) => false,
        (Some(host), None, Some(address)) => host.as_bytes().eq_ignore_ascii_case(address.as_str().as_bytes()),
        (None, None, None) => request.version() < Version::HTTP_11,
        _ => true,
    }
}

/// What is served now. A reload exchanges all of it in one step: a call is served by the old or by the new, never by some
/// of each, and one that has begun ends with what it began with.
pub struct InForce<B>(RwLock<Arc<Services<B>>>);

impl<B> InForce<B> {
    /// Serves this.
    pub fn new(services: Services<B>) -> Self {
        Self(RwLock::new(Arc::new(services)))
    }
    /// Serves this instead, from the next call on.
    pub fn replace(&self, services: Services<B>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(services);
    }
    fn current(&self) -> Arc<Services<B>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One caller's connection.
pub struct Router<B> {
    /// What is served.
    pub in_force: Arc<InForce<B>>,
    /// The caller.
    pub client: Client,
    /// Where the caller's connection comes from.
    pub address: SocketAddr,
    /// What is refused before there is a call.
    pub refusals: Refusals,
    /// Counts calls under way.
    pub metrics: Arc<Metrics>,
}

impl<B> Clone for Router<B> {
    fn clone(&self) -> Self {
        Self {
            in_force: self.in_force.clone(),
            client: self.client.clone(),
            address: self.address,
            refusals: self.refusals.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

/// What a request asks for, by its head.
enum Asked<'s, B> {
    /// A call of this service.
    Call(&'s Serving<B>),
    /// A document, which is this.
    Document(Response<Full<Bytes>>),
    /// What is not there.
    Refused(Cause, Response<Full<Bytes>>),
}

impl<'s, B> Asked<'s, B> {
    fn of(services: &'s Services<B>, request: &Request<B>) -> Self {
        let refused = |cause, refusal| Self::Refused(cause, plain_refusal(&refusal));
        if !says_one_host(request) {
            return refused(Cause::HostAmbiguous, Refusal::HostAmbiguous);
        }
        let Some(serving) = services.get(request.uri().path().trim_end_matches('/')) else {
            return refused(Cause::NoSuchService, Refusal::NoSuchService);
        };
        if request.method() == Method::POST {
            return Self::Call(serving);
        }
        match (request.method(), (serving.documents)(request.uri().query().unwrap_or(""))) {
            (&Method::GET | &Method::HEAD, Some((media_type, document))) => {
                let mut response = Response::new(Full::new(Bytes::from(document)));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
                Self::Document(response)
            }
            (_, document) => {
                let mut response = plain_refusal(&Refusal::MethodNotAllowed);
                // RFC 9110, 15.5.6: what may be done at this address, its query included.
                let allowed = if document.is_some() { "GET, HEAD, POST" } else { "POST" };
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                Self::Refused(Cause::MethodNotAllowed, response)
            }
        }
    }
}

impl<B: Send + 'static> Router<B> {
    /// The service for one connection.
    pub fn service(
        self,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
    {
        service_fn(move |request| self.call(request))
    }

    fn call(&self, request: Request<B>) -> BoxFuture<Result<Response<Full<Bytes>>, Infallible>> {
        let services = self.in_force.current();
        match Asked::of(&services, &request) {
            Asked::Refused(cause, refusal) => {
                self.refusals.record(self.address, cause, "");
                Box::pin(std::future::ready(Ok(refusal)))
            }
            Asked::Document(document) => Box::pin(std::future::ready(Ok(document))),
            Asked::Call(serving) => {
                let under_way = self.metrics.in_flight();
                let answer = (serving.gateway)(self.client.clone()).call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(under_way);
                    answer
                })
            }
        }
    }
}
