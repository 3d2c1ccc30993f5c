//! TCP, then TLS, and a note of whether a byte has been answered: what decides if a request may be sent once more.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::io::{InspectReader, InspectWriter};
use tower::Service;

/// What is taken from the socket at a time, in bytes. rustls itself reads 4 KiB at a time, which for an answer of ten
/// megabytes is 2500 system calls; a TLS record has 16 KiB at most.
const READ: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens TLS connections.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(tcp: HttpConnector, config: Arc<ClientConfig>) -> Self {
        Self { tcp, tls: TlsConnector::from(config) }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (mut tcp, tls) = (self.tcp.clone(), self.tls.clone());
        Box::pin(async move {
            // Never in the clear, whatever the configuration says.
            if uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
                return Err("the address is not https".into());
            }
            let host = uri.host().unwrap_or_default();
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let name = ServerName::try_from(host.to_owned())?;
            let stream = BufReader::with_capacity(READ, tcp.call(uri).await?.into_inner());
            let stream = tls.connect(name, stream).await?;
            Ok(Stream::new(stream))
        })
    }
}

/// Whether a byte has been read since the last was written. Over HTTP/1.1, which carries one call at a time, that is
/// whether this call's answer has begun. Over HTTP/2 the peer's housekeeping counts too, which errs on the side of not
/// sending again.
#[derive(Clone, Default)]
struct Answered(Arc<AtomicBool>);

/// Whether the connection on which `error` arose may have begun to answer. One that could not be opened has not.
pub(super) fn answered_on(error: &hyper_util::client::legacy::Error) -> bool {
    if error.is_connect() {
        return false;
    }
    let Some(connection) = error.connect_info() else { return true };
    let mut extensions = http::Extensions::new();
    connection.get_extras(&mut extensions);
    extensions.get::<Answered>().is_none_or(|answered| answered.0.load(Ordering::Acquire))
}

/// The certificate that the server showed on the connection that an answer came over.
#[derive(Clone)]
pub(super) struct PeerCertificate(pub(super) Arc<[u8]>);

/// Called with the bytes that were read, or written.
type Hook = Box<dyn FnMut(&[u8]) + Send>;
type Inspected = InspectReader<InspectWriter<TlsStream<BufReader<TcpStream>>, Hook>, Hook>;

/// An open TLS connection.
pub(super) struct Stream {
    io: TokioIo<Inspected>,
    answered: Answered,
}

impl Stream {
    fn new(stream: TlsStream<BufReader<TcpStream>>) -> Self {
        let answered = Answered::default();
        let (on_read, on_write) = (answered.0.clone(), answered.0.clone());
        let on_write: Hook = Box::new(move |_| on_write.store(false, Ordering::Release));
        let on_read: Hook = Box::new(move |bytes| {
            if !bytes.is_empty() {
                on_read.store(true, Ordering::Release);
            }
        });
        let io = TokioIo::new(InspectReader::new(InspectWriter::new(stream, on_write), on_read));
        Self { io, answered }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let (_, session) = self.io.inner().get_ref().get_ref().get_ref();
        let connected = Connected::new().extra(self.answered.clone());
        let connected = match session.peer_certificates().and_then(<[_]>::first) {
            Some(certificate) => connected.extra(PeerCertificate(certificate.as_ref().into())),
            None => connected,
        };
        if session.alpn_protocol() == Some(b"h2") { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }
    // Head and body of a message in one TLS record and one system call: without it HTTP/2 fills up a buffer, and writes twice.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
