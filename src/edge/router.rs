//! Which service answers: by path and method, before anything of the body is read.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use tower::Service;

use super::http::plain_refusal;
use crate::gateway::GatewayService;
use crate::gateway::step::BoxFuture;
use crate::refusal::Refusal;

/// The contract of a service: a query, and the document it names with its media type.
pub type Contract = Arc<dyn Fn(&str) -> Option<(&'static str, String)> + Send + Sync>;

/// One service at its path.
pub struct Router<B> {
    /// The path, as callers write it.
    pub path: Arc<str>,
    /// What GET gives.
    pub contract: Contract,
    /// What POST does.
    pub gateway: GatewayService<B>,
}

impl<B> Clone for Router<B> {
    fn clone(&self) -> Self {
        Self { path: self.path.clone(), contract: self.contract.clone(), gateway: self.gateway.clone() }
    }
}

impl<B> Router<B> {
    /// Everything but a call.
    fn without_body(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if request.uri().path().trim_end_matches('/') != &*self.path {
            return Some(plain_refusal(&Refusal::NoSuchService));
        }
        match *request.method() {
            Method::POST => None,
            Method::GET | Method::HEAD => Some(match (self.contract)(request.uri().query().unwrap_or("")) {
                Some((media_type, document)) => {
                    let mut response = Response::new(Full::new(Bytes::from(document)));
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
                    response
                }
                None => plain_refusal(&Refusal::NoSuchService),
            }),
            _ => {
                let mut response = plain_refusal(&Refusal::MethodNotAllowed);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                Some(response)
            }
        }
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
        match self.without_body(&request) {
            Some(response) => Box::pin(std::future::ready(Ok(response))),
            None => self.gateway.call(request),
        }
    }
}
