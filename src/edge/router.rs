//! Which service answers: by path and method, before anything of the body is read.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, Version};
use http_body_util::Full;
use tower::Service;

use super::http::plain_refusal;
use super::refused::{Cause, Refusals};
use crate::gateway::GatewayService;
use crate::gateway::open::Peer;
use crate::gateway::step::BoxFuture;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// The documents of a service: a query, and the document it names with its media type.
pub type Documents = Box<dyn Fn(&str) -> Option<(&'static str, String)> + Send + Sync>;

/// One service at its path, of one reading of the configuration.
pub struct Serving<B> {
    /// The path, as callers write it.
    pub path: String,
    /// What GET gives.
    pub documents: Documents,
    /// What POST does, for one caller's connection.
    pub gateway: Box<dyn Fn(Peer) -> GatewayService<B> + Send + Sync>,
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
pub struct InForce<B>(RwLock<Arc<Serving<B>>>);

impl<B> InForce<B> {
    /// Serves this.
    pub fn new(serving: Serving<B>) -> Self {
        Self(RwLock::new(Arc::new(serving)))
    }
    /// Serves this instead, from the next call on.
    pub fn replace(&self, serving: Serving<B>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(serving);
    }
    fn current(&self) -> Arc<Serving<B>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One caller's connection.
pub struct Router<B> {
    /// What is served.
    pub in_force: Arc<InForce<B>>,
    /// The caller.
    pub peer: Peer,
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
            peer: self.peer.clone(),
            address: self.address,
            refusals: self.refusals.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

impl<B> Serving<B> {
    /// The document that is asked for, where one is; `None`: a call.
    fn document(&self, request: &Request<B>) -> Result<Option<Response<Full<Bytes>>>, Cause> {
        if !says_one_host(request) {
            return Err(Cause::HostAmbiguous);
        }
        if request.uri().path().trim_end_matches('/') != self.path {
            return Err(Cause::NoSuchService);
        }
        let document = || (self.documents)(request.uri().query().unwrap_or(""));
        match *request.method() {
            Method::POST => Ok(None),
            Method::GET | Method::HEAD => {
                let (media_type, document) = document().ok_or(Cause::MethodNotAllowed)?;
                let mut response = Response::new(Full::new(Bytes::from(document)));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
                Ok(Some(response))
            }
            _ => Err(Cause::MethodNotAllowed),
        }
    }

    fn refuse(&self, request: &Request<B>, cause: Cause) -> Response<Full<Bytes>> {
        let refusal = match cause {
            Cause::HostAmbiguous => Refusal::HostAmbiguous,
            Cause::MethodNotAllowed => Refusal::MethodNotAllowed,
            _ => Refusal::NoSuchService,
        };
        let mut response = plain_refusal(&refusal);
        if refusal == Refusal::MethodNotAllowed {
            // RFC 9110, 15.5.6: what may be done at this address, its query included.
            let is_document = (self.documents)(request.uri().query().unwrap_or("")).is_some();
            let allowed = HeaderValue::from_static(if is_document { "GET, HEAD, POST" } else { "POST" });
            response.headers_mut().insert(ALLOW, allowed);
        }
        response
    }
}

impl<B: Send + 'static> Service<Request<B>> for Router<B>
where
    GatewayService<B>: Service<
            Request<B>,
            Response = Response<Full<Bytes>>,
            Error = Infallible,
            Future = BoxFuture<Result<Response<Full<Bytes>>, Infallible>>,
        >,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let serving = self.in_force.current();
        match serving.document(&request) {
            Err(cause) => {
                self.refusals.record(self.address, cause, "");
                Box::pin(std::future::ready(Ok(serving.refuse(&request, cause))))
            }
            Ok(Some(document)) => Box::pin(std::future::ready(Ok(document))),
            Ok(None) => {
                let under_way = self.metrics.in_flight();
                let answer = (serving.gateway)(self.peer.clone()).call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(under_way);
                    answer
                })
            }
        }
    }
}
