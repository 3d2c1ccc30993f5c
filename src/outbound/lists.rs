//! Fetches a revocation list from the address that the configuration names: bounded in bytes and in time, no redirect, no
//! content coding. Plain HTTP is as good as HTTPS here, for a list is believed for its signature alone.

use std::error::Error;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, Uri, header::CONTENT_ENCODING};
use http_body_util::{BodyExt, Limited};
use tokio::time::Instant;

use super::{AnswerBody, Outbound, OutboundError, OutboundSettings, SetupError, describe};
use crate::revocation::list::RevocationError;
use crate::revocation::{Fetch, Fetched};

/// The client for lists.
#[derive(Clone)]
pub struct Fetcher {
    outbound: Outbound,
    https: bool,
    timeout: Duration,
    limit: usize,
}

impl Fetcher {
    /// A client that gives up after `timeout` and at `limit` bytes. Without roots, https servers are not asked.
    ///
    /// # Errors
    /// Roots that cannot be used.
    pub fn new(settings: OutboundSettings, timeout: Duration, limit: usize) -> Result<Self, SetupError> {
        let https = !settings.roots.is_empty();
        let outbound = Outbound::new(OutboundSettings { clear: true, ..settings })?;
        Ok(Self { outbound, https, timeout, limit })
    }

    async fn read(&self, uri: &Uri, answer: Response<AnswerBody>) -> Result<Vec<u8>, RevocationError> {
        let failed = |cause: String| RevocationError::Fetch { name: uri.to_string(), cause };
        let (head, body) = answer.into_parts();
        if head.status != StatusCode::OK {
            return Err(failed(format!("the answer is {}", describe(head.status, &head.headers))));
        }
        if encoded(&head.headers) {
            return Err(failed("the answer has a content coding, which was not asked for".to_owned()));
        }
        match Limited::new(body, self.limit).collect().await {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(RevocationError::TooLarge { name: uri.to_string(), limit: self.limit })
            }
            Err(error) => Err(failed(self.cause(&*error))),
        }
    }

    fn cause(&self, error: &(dyn Error + 'static)) -> String {
        match error.downcast_ref() {
            Some(OutboundError::Timeout) => format!("no complete answer within {} s", self.timeout.as_secs()),
            _ => error.to_string(),
        }
    }
}

impl Fetch for Fetcher {
    fn get<'a>(&'a self, uri: &'a Uri) -> Fetched<'a> {
        Box::pin(async move {
            let failed = |cause: String| RevocationError::Fetch { name: uri.to_string(), cause };
            if uri.scheme_str() == Some("https") && !self.https {
                return Err(failed("revocation.roots names no CA for https".to_owned()));
            }
            let answer = self.outbound.get(uri, Instant::now() + self.timeout).await;
            self.read(uri, answer.map_err(|error| failed(self.cause(&error)))?).await
        })
    }
}

fn encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity")
}
