//! The limits on a request, and what keeps them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, timeout_at};
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt, service_fn};

use super::room::Room;
use crate::config::EdgeLimits;
use crate::refusal::Refusal;
use crate::work::{Share, Shares, Who, Work};

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// How long a caller is asked to wait when all places are taken.
const RETRY_AFTER_SECONDS: u64 = 1;

/// A body of up to so many bytes is read to its end though its request is refused, so that the connection lives on: HTTP/1.1
/// can only close one that holds an unread body, and the next handshake would cost more than the request.
const READ_THOUGH_REFUSED: u64 = 64 * 1024;
/// Bytes a second below which a large body is given up.
const SLOWEST: u64 = 16 * 1024;

/// What is put around the service, the same places shared by every connection.
#[derive(Clone)]
pub struct Limited {
    places: Shares,
    work: Work,
    body_bytes: usize,
    body_timeout: Duration,
}

impl Limited {
    /// As many places, and as large and slow a body, as `limits` says; and only while `work` has room.
    pub fn new(limits: &EdgeLimits, work: Work) -> Self {
        Self {
            places: Shares::new(limits.concurrent_requests),
            work,
            body_bytes: limits.request_bytes,
            body_timeout: limits.body_timeout,
        }
    }

    /// Puts the limits around `service`, for the connection of one caller. `overloaded` answers each request for which there
    /// is no room.
    pub fn layer<S, B>(
        &self,
        who: Who,
        service: S,
        overloaded: impl Fn(&HeaderMap) -> Response<ResponseBody> + Clone + Send + 'static,
    ) -> BoxCloneService<Request<Incoming>, Response<ResponseBody>, BoxError>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let this = self.clone();
        BoxCloneService::new(service_fn(move |request: Request<Incoming>| {
            // Before anything of the body is read or understood: a call too many must cost next to nothing.
            let place = this.place(who);
            let service = service.clone();
            let refused = place.is_none().then(|| overloaded(request.headers()));
            let version = request.version();
            let (given_up, rest) = oneshot::channel();
            // Its clock runs from here, whoever reads it.
            let room = Room::new(this.body_bytes);
            let mut request = request.map(|body| RequestBody::new(body, room.clone(), this.body_timeout, given_up));
            request.extensions_mut().insert(room);
            async move {
                let _place = place;
                let mut response = match refused {
                    Some(refused) => {
                        drop(request);
                        refused
                    }
                    None => match service.oneshot(request).await {
                        Ok(response) => response.map(boxed),
                        Err(never) => match never {},
                    },
                };
                // RFC 9112, 9.6. HTTP/2 ends the request's stream alone.
                if !read_to_end(rest).await && version < Version::HTTP_2 {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response)
            }
        }))
    }

    /// A place among the open requests. One among the calls worked on is taken when the whole request is here: a client
    /// that sends half a body must not hold what few there are of those.
    fn place(&self, who: Who) -> Option<Share> {
        if !self.work.has_room(who) {
            return None;
        }
        let place = self.places.take(who);
        if place.is_none() {
            self.work.refuse();
        }
        place
    }
}

/// What a service's caller is told where there is no room.
pub(super) fn overloaded() -> Response<ResponseBody> {
    plain_refusal(&Refusal::Overloaded { seconds: RETRY_AFTER_SECONDS }).map(boxed)
}

/// A refusal sent by HTTP alone, for what is refused before it is known to be SOAP: status, `Retry-After`, plain text.
pub fn plain_refusal(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(refusal.entry().plain_text())));
    *response.status_mut() = status(refusal);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    if let Some(seconds) = refusal.entry().retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same in bytes, as the last answer of a connection on which nothing more can be read.
pub(super) fn last_answer(refusal: &Refusal) -> Vec<u8> {
    let (status, text) = (status(refusal), refusal.entry().plain_text());
    let length = text.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {TEXT}\r\ncontent-length: {length}\r\n\r\n{text}")
        .into_bytes()
}

const TEXT: &str = "text/plain; charset=utf-8";

fn status(refusal: &Refusal) -> StatusCode {
    refusal.entry().http.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A body as the edge sends it.
pub fn boxed<B>(body: B) -> ResponseBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// A request's body, bounded in bytes and in time whatever its Content-Length says. It fails with the [`Refusal`] to answer
/// with: [`Refusal::BodyTooLarge`], [`Refusal::BodyTimeout`] or [`Refusal::BodyIncomplete`].
pub struct RequestBody {
    /// `None` once it has been read to its end.
    inner: Option<Incoming>,
    room: Room,
    received: usize,
    timeout: Duration,
    begun: Instant,
    deadline: Pin<Box<Sleep>>,
    /// Whether a limit was passed, or the client hung up: then nothing more of it is read.
    failed: bool,
    given_up: Option<oneshot::Sender<Rest>>,
}

/// What nobody read of a body.
struct Rest {
    body: Incoming,
    deadline: Instant,
    failed: bool,
}

/// Reads what is left of a request's body, where that is short and comes in time. `false`: not all of it has been read, so the
/// connection cannot carry another request.
async fn read_to_end(rest: oneshot::Receiver<Rest>) -> bool {
    // Nothing is sent of a body that was read to its end.
    let Ok(Rest { mut body, deadline, failed }) = rest.await else { return true };
    if body.is_end_stream() {
        return true;
    }
    if failed || body.size_hint().upper().is_none_or(|length| length > READ_THOUGH_REFUSED) {
        return false;
    }
    let read = async {
        loop {
            match body.frame().await {
                None => return true,
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
            }
        }
    };
    timeout_at(deadline, read).await.unwrap_or(false)
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Some(body), Some(given_up)) = (self.inner.take(), self.given_up.take()) {
            // Nobody waits for it where the connection is gone.
            let _ = given_up.send(Rest { body, deadline: self.deadline.deadline(), failed: self.failed });
        }
    }
}

impl RequestBody {
    fn new(inner: Incoming, room: Room, timeout: Duration, given_up: oneshot::Sender<Rest>) -> Self {
        let begun = Instant::now();
        let deadline = Box::pin(tokio::time::sleep_until(begun + timeout));
        let given_up = Some(given_up);
        Self { inner: Some(inner), room, received: 0, timeout, begun, deadline, failed: false, given_up }
    }

    /// Whether the client has declared a body so large that reading it to its end, only to refuse it, is not worth it.
    fn hopeless(&self) -> bool {
        let declared = self.inner.as_ref().map_or(0, |inner| inner.size_hint().lower());
        self.received == 0 && declared > self.drained_to() as u64
    }

    fn fail(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        self.failed = true;
        Poll::Ready(Some(Err(refusal)))
    }

    /// A body over the limit is read on and thrown away until twice the limit before it is refused. Otherwise the
    /// connection would be closed while the client still writes, and the reset would reach it before the refusal does.
    fn drained_to(&self) -> usize {
        self.room.bytes().saturating_mul(2)
    }

    /// Whether its time is up. Of a body for which a service made room, what has come is given the time of the slowest line.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        if self.deadline.as_mut().poll(context).is_pending() {
            return false;
        }
        let received = u64::try_from(self.received).unwrap_or(u64::MAX);
        let latest = self.begun + self.timeout + Duration::from_secs(received / SLOWEST);
        if !self.room.is_raised() || latest <= Instant::now() {
            return true;
        }
        self.deadline.as_mut().reset(latest);
        self.deadline.as_mut().poll(context).is_ready()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let limit = self.room.bytes();
        let too_large = Refusal::BodyTooLarge { limit };
        if self.hopeless() {
            return self.fail(too_large);
        }
        loop {
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            let polled = Pin::new(inner).poll_frame(context);
            if polled.is_pending() && self.is_late(context) {
                let seconds = self.timeout.as_secs();
                return self.fail(Refusal::BodyTimeout { seconds });
            }
            match ready!(polled) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        // Trailers carry nothing that SOAP knows; they are dropped, so that no later step can be misled.
                        continue;
                    };
                    self.received = self.received.saturating_add(data.len());
                    if self.received > self.drained_to() {
                        return self.fail(too_large);
                    }
                    if self.received <= limit {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(_)) => return self.fail(Refusal::BodyIncomplete),
                None => {
                    self.inner = None;
                    return Poll::Ready((self.received > limit).then_some(Err(too_large)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.received <= self.room.bytes() && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The declared length is untrusted: never allocate from it.
        SizeHint::new()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A body whose usual time is up, of which so many bytes have come.
    async fn late(room: &Room, received: usize) -> RequestBody {
        let begun = Instant::now();
        let mut deadline = Box::pin(tokio::time::sleep_until(begun));
        deadline.as_mut().await;
        let (room, timeout) = (room.clone(), Duration::ZERO);
        RequestBody { inner: None, room, received, timeout, begun, deadline, failed: false, given_up: None }
    }

    #[tokio::test]
    async fn what_a_service_made_room_for_has_the_time_of_a_slow_line_also_where_it_is_as_small_as_others() {
        let usual = 8 << 20;
        for (allowed, received, due) in
            [(None, usual, true), (Some(1), usual, false), (Some(2 * usual), usual, false), (Some(2 * usual), 0, true)]
        {
            let room = Room::new(usual);
            if let Some(allowed) = allowed {
                room.allow(u64::try_from(allowed).unwrap());
            }
            let mut body = late(&room, received).await;
            let is_late = poll_fn(|context| Poll::Ready(body.is_late(context))).await;
            assert_eq!(is_late, due, "allowed {allowed:?}, received {received}");
        }
    }
}
