//! The limits on a request, and what keeps them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt, service_fn};

use crate::config::EdgeLimits;
use crate::refusal::Refusal;
use crate::work::Work;

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// How long a caller is asked to wait when all places are taken.
const RETRY_AFTER_SECONDS: u64 = 1;

/// A body of up to so many bytes is read to its end though its call is refused, so that the connection lives on: HTTP/1.1
/// can only close one that holds an unread body, and the next handshake would cost more than the call.
const READ_THOUGH_REFUSED: u64 = 64 * 1024;

/// What is put around the service, the same places shared by every connection.
#[derive(Clone)]
pub struct Limited {
    places: Arc<Semaphore>,
    work: Work,
    body_bytes: usize,
    body_timeout: Duration,
}

impl Limited {
    /// As many places, and as large and slow a body, as `limits` says; and only while `work` has room.
    pub fn new(limits: &EdgeLimits, work: Work) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.concurrent_requests)),
            work,
            body_bytes: limits.request_bytes,
            body_timeout: limits.body_timeout,
        }
    }

    /// Puts the limits around `service`.
    pub fn layer<S, B>(&self, service: S) -> BoxCloneService<Request<Incoming>, Response<ResponseBody>, BoxError>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let this = self.clone();
        BoxCloneService::new(service_fn(move |request: Request<Incoming>| {
            // Before anything of the body is read or understood: a call too many must cost next to nothing.
            let place = this.place();
            let service = service.clone();
            // Its clock runs from here, whoever reads it.
            let request = request.map(|body| RequestBody::new(body, this.body_bytes, this.body_timeout));
            async move {
                let Some(_place) = place else {
                    request.into_body().throw_away().await;
                    return Ok(plain_refusal(&Refusal::Overloaded { seconds: RETRY_AFTER_SECONDS }).map(boxed));
                };
                match service.oneshot(request).await {
                    Ok(response) => Ok(response.map(boxed)),
                    Err(never) => match never {},
                }
            }
        }))
    }

    /// A place among the open requests. One among the calls worked on is taken when the whole request is here: a client
    /// that sends half a body must not hold what few there are of those.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        if !self.work.has_room() {
            return None;
        }
        let place = self.places.clone().try_acquire_owned().ok();
        if place.is_none() {
            self.work.refuse();
        }
        place
    }
}

/// A refusal told by HTTP alone, for what is refused before it is known to be SOAP: status, `Retry-After`, plain text.
pub fn plain_refusal(refusal: &Refusal) -> Response<Full<Bytes>> {
    let entry = refusal.entry();
    let text = format!(
        "{}\n{} {} {}\n{} {} {}\n",
        entry.code, entry.da.what, entry.da.consequence, entry.da.remedy, entry.en.what, entry.en.consequence, entry.en.remedy,
    );
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() =
        entry.http.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Refusal::Overloaded { seconds } = refusal {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

fn boxed<B>(body: B) -> ResponseBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// A request's body, bounded in bytes and in time whatever its Content-Length says. It fails with the [`Refusal`] to answer
/// with: [`Refusal::BodyTooLarge`], [`Refusal::BodyTimeout`] or [`Refusal::BodyIncomplete`].
pub struct RequestBody {
    inner: Incoming,
    limit: usize,
    received: usize,
    timeout: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl RequestBody {
    fn new(inner: Incoming, limit: usize, timeout: Duration) -> Self {
        Self { inner, limit, received: 0, timeout, deadline: Box::pin(tokio::time::sleep(timeout)) }
    }

    /// Reads a short body to its end, within its time, for nothing.
    async fn throw_away(mut self) {
        if self.inner.size_hint().upper().is_some_and(|length| length <= READ_THOUGH_REFUSED) {
            while let Some(Ok(_)) = self.frame().await {}
        }
    }

    /// Whether the client has declared a body so large that reading it to its end, only to refuse it, is not worth it.
    fn hopeless(&self) -> bool {
        self.received == 0 && self.inner.size_hint().lower() > self.drained_to() as u64
    }

    /// A body over the limit is read on and thrown away until twice the limit before it is refused. Otherwise the
    /// connection would be closed while the client still writes, and the reset would reach it before the refusal does.
    fn drained_to(&self) -> usize {
        self.limit.saturating_mul(2)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let too_large = Refusal::BodyTooLarge { limit: self.limit };
        if self.hopeless() {
            return Poll::Ready(Some(Err(too_large)));
        }
        loop {
            let polled = Pin::new(&mut self.inner).poll_frame(context);
            if polled.is_pending() && self.deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(Some(Err(Refusal::BodyTimeout { seconds: self.timeout.as_secs() })));
            }
            match ready!(polled) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        // Trailers carry nothing that SOAP knows; they are dropped, so that no later step can be misled.
                        continue;
                    };
                    self.received = self.received.saturating_add(data.len());
                    if self.received > self.drained_to() {
                        return Poll::Ready(Some(Err(too_large)));
                    }
                    if self.received <= self.limit {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(Refusal::BodyIncomplete))),
                None if self.received > self.limit => return Poll::Ready(Some(Err(too_large))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.received <= self.limit && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // The declared length is a stranger's word: nothing is allocated by it.
        SizeHint::new()
    }
}
