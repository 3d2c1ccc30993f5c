//! The admin listener: metrics and health, for operators and never for callers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::serve::Readiness;

/// What the admin listener shows.
#[derive(Clone)]
pub struct Admin {
    /// The metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Why the node should get no calls although it is not draining: a store it cannot reach, say. `None` where all is well.
    pub unready: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Whether the node takes calls.
    pub readiness: Readiness,
}

impl Admin {
    /// Answers one request: `/metrics`, `/healthz` (the process lives), `/readyz` (the node takes calls).
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        const TEXT: &str = "text/plain; charset=utf-8";
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Use GET.\n".to_owned());
        }
        match request.uri().path() {
            "/metrics" => text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", (self.metrics)()),
            "/healthz" => text(StatusCode::OK, TEXT, "alive\n".to_owned()),
            "/readyz" if !self.readiness.is_ready() => {
                text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not taking calls: starting or draining\n".to_owned())
            }
            "/readyz" => match (self.unready)() {
                None => text(StatusCode::OK, TEXT, "ready\n".to_owned()),
                Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")),
            },
            _ => text(StatusCode::NOT_FOUND, TEXT, "/metrics, /healthz, /readyz\n".to_owned()),
        }
    }

    /// The same as a service for [`super::serve::serve`].
    pub fn service<B: Send + 'static>(
        self,
    ) -> impl tower::Service<
        Request<B>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>,
    > + Clone
    + Send
    + Sync
    + 'static {
        tower::service_fn(move |request: Request<B>| std::future::ready(Ok(self.answer(&request))))
    }
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
