//! Fetches a revocation list from the address that the configuration names: bounded in bytes and in time, no redirect, no
//! content coding. Plain HTTP is as good as HTTPS here, for a list is believed for its signature alone.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header::CONTENT_ENCODING};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::CertificateDer;
use tokio::time::{Instant, timeout_at};

use super::list::RevocationError;
use crate::outbound::{Outbound, OutboundSettings, SetupError};

/// The client for lists.
#[derive(Clone)]
pub struct Fetcher {
    clear: Client<HttpConnector, Empty<Bytes>>,
    tls: Option<Outbound>,
    timeout: Duration,
    limit: usize,
}

impl Fetcher {
    /// A client that gives up after `timeout` and at `limit` bytes. `roots`: the CAs of https servers; none, no https.
    ///
    /// # Errors
    /// Roots that cannot be used.
    pub fn new(roots: &[CertificateDer<'static>], timeout: Duration, limit: usize) -> Result<Self, SetupError> {
        let tls = match roots {
            [] => None,
            roots => Some(Outbound::new(OutboundSettings {
                roots: roots.to_vec(),
                credentials: None,
                connect_timeout: timeout,
                idle_timeout: Duration::from_secs(1),
                retry: false,
            })?),
        };
        // A connection for each list: they are hours apart.
        let clear = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Ok(Self { clear, tls, timeout, limit })
    }

    /// The list's bytes.
    ///
    /// # Errors
    /// `Fetch`, `TooLarge`.
    pub async fn get(&self, uri: &Uri) -> Result<Vec<u8>, RevocationError> {
        let failed = |cause: String| RevocationError::Fetch { name: uri.to_string(), cause };
        let deadline = Instant::now() + self.timeout;
        let late = |_| failed(format!("no complete answer within {} s", self.timeout.as_secs()));
        if uri.scheme_str() == Some("https") {
            let client = self.tls.as_ref().ok_or_else(|| failed("revocation.roots names no CA for https".to_owned()))?;
            let answer = client.get(uri, deadline).await.map_err(|error| failed(error.to_string()))?;
            return self.read(uri, answer).await;
        }
        let request = Request::get(uri).body(Empty::new()).map_err(|error| failed(error.to_string()))?;
        let fetched = timeout_at(deadline, async {
            let answer = self.clear.request(request).await.map_err(|error| failed(crate::outbound::chain(&error)))?;
            self.read(uri, answer).await
        });
        fetched.await.map_err(late)?
    }

    async fn read<B>(&self, uri: &Uri, answer: Response<B>) -> Result<Vec<u8>, RevocationError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let failed = |cause: String| RevocationError::Fetch { name: uri.to_string(), cause };
        let (head, body) = answer.into_parts();
        if head.status != StatusCode::OK {
            return Err(failed(format!("the answer is HTTP {}", head.status.as_u16())));
        }
        if encoded(&head.headers) {
            return Err(failed("the answer has a content coding, which was not asked for".to_owned()));
        }
        match Limited::new(body, self.limit).collect().await {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(RevocationError::TooLarge { name: uri.to_string(), limit: self.limit })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity")
}
