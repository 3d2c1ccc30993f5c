//! The admin listener: metrics and health, for operators and never for callers.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Service, service_fn};

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
    /// The service for [`super::serve::serve`].
    pub fn service<B: 'static>(
        self,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
    {
        service_fn(move |request| ready(Ok(self.answer(&request))))
    }

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
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::config::EdgeLimits;
    use crate::edge::refused::Refusals;
    use crate::edge::serve::{Transport, serve};
    use crate::edge::tls::{Prepared, ServerTls};
    use crate::metrics::Metrics;
    use crate::outbound::{Outbound, OutboundSettings};
    use crate::stub::pki::{DevPki, KeyBits, Role, for_tests};
    use crate::trust::clients::ClientCertificate;
    use crate::work::Work;

    fn refusals() -> Refusals {
        Refusals::new("admin", Arc::new(Metrics::new().unwrap()))
    }

    fn admin(unready: Option<&'static str>) -> Admin {
        Admin {
            metrics: Arc::new(|| "hjemmel_up 1\n".to_owned()),
            unready: Arc::new(move || unready.map(str::to_owned)),
            readiness: Readiness::new(),
        }
    }

    async fn answer(admin: &Admin, method: Method, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        let response = admin.answer(&request);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_node_that_does_not_take_calls_is_alive_and_not_ready() {
        let starting = admin(None);
        assert_eq!(answer(&starting, Method::GET, "/healthz").await.0, 200);
        assert_eq!(answer(&starting, Method::GET, "/readyz").await.0, 503);
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_refused() {
        assert_eq!(answer(&admin(None), Method::GET, "/").await.0, 404);
        assert_eq!(answer(&admin(None), Method::POST, "/metrics").await.0, 405);
    }

    #[tokio::test]
    async fn over_a_socket_it_shows_metrics_and_why_a_serving_node_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let admin = admin(Some("the audit log cannot be written"));
        let (own, serving) = (admin.clone(), admin.readiness.clone());
        let limits = EdgeLimits::default();
        tokio::spawn(serve(
            listener,
            Transport::Plain,
            limits,
            Work::unbounded(),
            refusals(),
            serving,
            move |_| own.clone().service(),
            std::future::pending(),
        ));
        for (path, status, says) in [
            ("/metrics", "200 OK", "hjemmel_up 1"),
            ("/readyz", "503 Service Unavailable", "not ready: the audit log cannot be written"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(says), "{text}");
        }
    }

    #[tokio::test]
    async fn beyond_loopback_it_shows_nothing_without_a_client_certificate_below_its_roots() {
        let pki = for_tests();
        let credentials = |role| pki.credentials(role).unwrap().clone();
        let roots = [pki.root().clone()];
        let tls = Prepared::with_roots(&credentials(Role::GatewayServer), &roots, ClientCertificate::Required).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: http::Uri = format!("https://localhost:{}/metrics", listener.local_addr().unwrap().port()).parse().unwrap();
        let (admin, transport) = (admin(None), Transport::Tls(Arc::new(ServerTls::new(tls))));
        let own = admin.clone();
        let limits = EdgeLimits::default();
        tokio::spawn(serve(
            listener,
            transport,
            limits,
            Work::unbounded(),
            refusals(),
            admin.readiness,
            move |_| own.clone().service(),
            std::future::pending(),
        ));

        let stranger = DevPki::generate(&crate::clock::Clock::system(), KeyBits::Bits2048).unwrap();
        let foreign = stranger.credentials(Role::GatewayClient).unwrap().clone();
        for (shown, answered) in [(None, false), (Some(foreign), false), (Some(credentials(Role::GatewayClient)), true)] {
            let outbound = Outbound::new(OutboundSettings { credentials: shown, ..OutboundSettings::new(roots.to_vec()) });
            let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
            let answer = outbound.unwrap().get(&uri, deadline).await;
            assert_eq!(answer.is_ok_and(|answer| answer.status() == StatusCode::OK), answered);
        }
    }
}
