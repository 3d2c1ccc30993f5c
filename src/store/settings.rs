//! Where the store is and how it is reached.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Where the store is and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The database.
    pub at: At,
    /// Connections at most. Default 4.
    pub max_connections: u32,
    /// How long a lookup waits for a connection, and a write for the lock, before the store counts as unreachable.
    /// Default 2 s.
    pub patience: Duration,
    /// How long one statement may take. Default 5 s. SQLite: not bounded, for nobody else's work is waited for there.
    pub statement_timeout: Duration,
}

impl Settings {
    /// A file, with the usual limits.
    pub fn sqlite(file: &Path) -> Self {
        Self::usual(At::Sqlite(file.to_owned()))
    }

    /// A database with the usual limits.
    pub fn usual(at: At) -> Self {
        Self { at, max_connections: 4, patience: Duration::from_secs(2), statement_timeout: Duration::from_secs(5) }
    }
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<Postgres>),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Sqlite(file) => write!(f, "{}", file.display()),
            At::Postgres(server) => write!(f, "{}", server.address),
        }
    }
}

/// A PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// Where calls ask; there may be a pooler.
    pub address: Address,
    /// Where no pooler stands between: for migrations and notices. None: `address` is such a one.
    pub direct: Option<Address>,
    /// The CAs of the server's certificate, as PEM. Empty only where both addresses are sockets.
    pub tls_roots: String,
    /// The certificate and the key that the gateway shows, as files in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The file that the password stands in.
    pub password_file: Option<PathBuf>,
}

impl Postgres {
    /// A server, without TLS roots and credentials.
    pub fn at(address: Address) -> Self {
        Self { address, direct: None, tls_roots: String::new(), client: None, password_file: None }
    }
}

/// A user's database on a server: `postgres://USER@HOST:PORT/DATABASE`, or by a socket,
/// `postgres://USER@/DATABASE?host=/var/run/postgresql`. Never a password: addresses are told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Address {
    /// Host name, IP address, or the folder of a socket.
    pub host: Host,
    /// The port; of a socket, the one in its name.
    pub port: u16,
    pub user: String,
    pub database: String,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By TCP, with TLS.
    Name(String),
    /// By the socket in this folder.
    Socket(PathBuf),
}

/// Why a text is no address of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(pub &'static str);

/// The form of an address, for messages.
pub const FORM: &str = "write \"sqlite:PATH\" or \"postgres://USER@HOST:5432/DATABASE\"";

impl At {
    /// Reads `sqlite:PATH`, `postgres://…`, or where `plain` a path alone. A relative path begins in `folder`.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(text: &str, folder: &Path, plain: bool) -> Result<Self, AddressError> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Ok(At::Postgres(Box::new(Postgres::at(text.parse()?))));
        }
        let path = match text.strip_prefix("sqlite:") {
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None if plain && !text.contains("://") => text,
            None => return Err(AddressError("is neither sqlite: nor postgres:")),
        };
        if path.is_empty() || path.contains(['?', '\0']) || path == ":memory:" {
            return Err(AddressError("names no file"));
        }
        Ok(At::Sqlite(folder.join(path)))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or(AddressError("does not begin with postgres://"))?;
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let (authority, database) = place.split_once('/').ok_or(AddressError("names no database; end it with /DATABASE"))?;
        let (user, host) =
            authority.rsplit_once('@').ok_or(AddressError("names no user; write postgres://USER@HOST/DATABASE"))?;
        if user.contains(':') {
            return Err(AddressError(
                "holds a password, which would be told with the address; take it out, and name a password_file",
            ));
        }
        let (user, database) = (unescaped(user)?, unescaped(database)?);
        if user.is_empty() || database.is_empty() || database.contains('/') {
            return Err(AddressError("lacks the user or the database"));
        }
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (host, None),
        };
        let mut port = port.map(str::to_owned);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut host = if host.is_empty() { None } else { Some(named(unescaped(host)?)) };
        for (key, value) in query.into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.split_once('=')) {
            match key {
                "host" if host.is_none() => host = Some(named(unescaped(value)?)),
                "port" if port.is_none() => port = Some(value.to_owned()),
                "host" | "port" => return Err(AddressError("names host or port twice")),
                "password" => {
                    return Err(AddressError(
                        "holds a password, which would be told with the address; take it out, and name a password_file",
                    ));
                }
                _ => return Err(AddressError("has parameters besides host and port; TLS and limits are settings of their own")),
            }
        }
        let port = port.map_or(Ok(5432), |port| port.parse().map_err(|_| AddressError("has a port that is no number")))?;
        let host = host.ok_or(AddressError("names no host; a socket is named by ?host=/var/run/postgresql"))?;
        Ok(Self { host, port, user, database })
    }
}

fn named(host: String) -> Host {
    if host.starts_with('/') { Host::Socket(PathBuf::from(host)) } else { Host::Name(host) }
}

/// Undoes percent-encoding.
fn unescaped(text: &str) -> Result<String, AddressError> {
    const NOT: AddressError = AddressError("has a % that two hexadecimal digits do not follow, or is not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit =
            |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        bytes.push(high.zip(low).map(|(high, low)| high * 16 + low).ok_or(NOT)?);
    }
    String::from_utf8(bytes).map_err(|_| NOT)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, user, database } = self;
        match host {
            Host::Name(host) if host.contains(':') => write!(f, "postgres://{user}@[{host}]:{port}/{database}"),
            Host::Name(host) => write!(f, "postgres://{user}@{host}:{port}/{database}"),
            Host::Socket(folder) => write!(f, "postgres://{user}@/{database}?host={}&port={port}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_told_again() {
        for (text, told) in [
            ("postgres://hjemmel@db.example/agreements", "postgres://hjemmel@db.example:5432/agreements"),
            ("postgresql://h%40x@[::1]:6432/a", "postgres://h@x@[::1]:6432/a"),
            ("postgres://h@/a?host=/run/pg", "postgres://h@/a?host=/run/pg&port=5432"),
            ("postgres://h@%2Frun%2Fpg:5433/a", "postgres://h@/a?host=/run/pg&port=5433"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), told);
        }
    }

    #[test]
    fn a_password_or_a_parameter_in_an_address_is_refused() {
        for (text, says) in [
            ("postgres://h:secret@db/a", "password_file"),
            ("postgres://h@db/a?password=secret", "password_file"),
            ("postgres://h@db/a?sslmode=disable", "settings of their own"),
            ("postgres://h@db", "names no database"),
            ("postgres://db/a", "names no user"),
            ("postgres://h@/a", "names no host"),
            ("postgres://h@db:x/a", "no number"),
            ("postgres://h@db/%zz", "hexadecimal"),
        ] {
            let told = text.parse::<Address>().unwrap_err().to_string();
            assert!(told.contains(says), "{text}: {told}");
            assert!(!told.contains("secret"));
        }
    }

    #[test]
    fn a_file_is_named_with_its_kind_and_relative_to_the_configuration() {
        let read = |text, plain| At::read(text, Path::new("/etc/hjemmel"), plain);
        assert_eq!(read("sqlite:a.sqlite", false), Ok(At::Sqlite("/etc/hjemmel/a.sqlite".into())));
        assert_eq!(read("sqlite:///var/a.sqlite", false), Ok(At::Sqlite("/var/a.sqlite".into())));
        assert_eq!(read("a.sqlite", true), Ok(At::Sqlite("/etc/hjemmel/a.sqlite".into())));
        for wrong in ["a.sqlite", "mysql://a", "sqlite:", "sqlite::memory:", "sqlite:a?mode=ro"] {
            assert!(read(wrong, false).is_err(), "{wrong}");
        }
    }
}
