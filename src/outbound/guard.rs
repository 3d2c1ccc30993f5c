//! Judges the addresses to which a name leads, each time that it is connected to: a name may lead elsewhere than when it was judged.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// Where a name leads.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Why an address may not be connected to; none: it may.
pub type Judge = Arc<dyn Fn(SocketAddr) -> Option<&'static str> + Send + Sync>;

/// How names are looked up, and which addresses may be connected to.
#[derive(Clone)]
pub struct Guard {
    judge: Judge,
    look_up: Arc<dyn Fn(String, u16) -> Found + Send + Sync>,
}

impl Guard {
    /// By the machine's own resolver.
    pub fn new(judge: Judge) -> Self {
        let look_up = |name: String, port: u16| -> Found {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
        };
        Self { judge, look_up: Arc::new(look_up) }
    }

    /// By another resolver.
    #[must_use]
    pub fn looking_up(self, look_up: impl Fn(String, u16) -> Found + Send + Sync + 'static) -> Self {
        Self { look_up: Arc::new(look_up), ..self }
    }

    /// The addresses of a host, an address itself or a name, none of which may be refused: one that leads to two places leads to both.
    ///
    /// # Errors
    /// The name is not known, or leads where nothing may be connected to.
    pub async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = match host.parse() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => (self.look_up)(host.to_owned(), port).await?,
        };
        match found.iter().find_map(|address| Some((address, (self.judge)(*address)?))) {
            None => Ok(found),
            Some((address, why)) => Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{address}: {why}"))),
        }
    }
}
