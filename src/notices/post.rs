//! Where letters go: to a folder, or by SMTP over verified TLS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use super::letter::Letter;

/// How long a server may take for one command.
const PATIENCE: Duration = Duration::from_secs(20);

/// `[mail]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where letters go.
    pub place: Place,
    /// Whom they are from.
    pub from: String,
    /// The console's address, to which their links lead.
    pub console: Option<String>,
}

/// Where letters go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into a folder, a file each. It is made where it is not.
    Folder(PathBuf),
    /// To a server.
    Smtp(Box<Smtp>),
}

/// An SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name, which its certificate has.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS from the first byte (port 465), rather than STARTTLS.
    pub implicit: bool,
    /// The CAs of its certificate. Empty: those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// The files with name and password, where it wants them.
    pub login: Option<(PathBuf, PathBuf)>,
}

/// Why a letter did not go.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It will not go, however often it is tried.
    #[error("refused for good: {0}")]
    Refused(String),
    /// It may go later.
    #[error("{0}")]
    NotNow(String),
}

/// The post.
#[derive(Debug, Clone)]
pub struct Post {
    settings: Settings,
}

impl Post {
    /// Letters go as `settings` says.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Where the console is.
    pub fn console(&self) -> Option<&str> {
        self.settings.console.as_deref()
    }

    /// Sends a letter. `id` is its Message-ID: of one that is sent twice because an answer was lost, the reader's mail program sees
    /// that it is the same.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn send(&self, id: Uuid, to: &str, letter: &Letter) -> Result<(), PostError> {
        let message = self.message(id, to, letter)?;
        match &self.settings.place {
            Place::Folder(folder) => keep(folder, id, &message).await,
            Place::Smtp(smtp) => hand_over(smtp, message).await,
        }
    }

    fn message(&self, id: Uuid, to: &str, letter: &Letter) -> Result<Message, PostError> {
        let never = |error: &dyn std::fmt::Display| PostError::Refused(format!("the letter cannot be written: {error}"));
        let from: Mailbox = self.settings.from.parse().map_err(|error| never(&error))?;
        let domain = from.email.domain().to_owned();
        Message::builder()
            .message_id(Some(format!("<{id}@{domain}>")))
            .from(from)
            .to(Mailbox::new(None, to.parse().map_err(|error| never(&error))?))
            .subject(letter.subject.clone())
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.clone())
            .map_err(|error| never(&error))
    }
}

/// Whole or not at all: written beside, then renamed. Nobody but the gateway's user reads it.
async fn keep(folder: &Path, id: Uuid, message: &Message) -> Result<(), PostError> {
    let (folder, bytes) = (folder.to_owned(), message.formatted());
    let write = move || -> std::io::Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        std::fs::create_dir_all(&folder)?;
        let beside = folder.join(format!(".{id}.part"));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, folder.join(format!("{id}.eml")))
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(|error| PostError::NotNow(error.to_string()))?;
    written.map_err(|error| PostError::NotNow(format!("mail.folder: {error}")))
}

async fn hand_over(smtp: &Smtp, message: Message) -> Result<(), PostError> {
    let transport = transport(smtp).await?;
    match transport.send(message).await {
        Ok(_) => Ok(()),
        // The server's text is not told on: it may repeat the address.
        Err(error) if error.is_permanent() => Err(PostError::Refused(status(&error))),
        Err(error) if error.is_transient() => Err(PostError::NotNow(status(&error))),
        Err(error) if error.is_tls() => Err(PostError::NotNow(
            "TLS with the mail server failed: its certificate is not below mail.roots or the machine's CAs, has another name, or it offers no STARTTLS"
                .to_owned(),
        )),
        Err(error) if error.is_timeout() => Err(PostError::NotNow("the mail server did not answer in time".to_owned())),
        Err(error) if error.is_client() => Err(PostError::NotNow(
            "the mail server does not offer what the settings ask for, such as STARTTLS or a login".to_owned(),
        )),
        Err(_) => Err(PostError::NotNow("the mail server could not be reached, or hung up".to_owned())),
    }
}

fn status(error: &lettre::transport::smtp::Error) -> String {
    error.status().map_or_else(|| "the mail server refused".to_owned(), |code| format!("the mail server answered {code}"))
}

async fn transport(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, PostError> {
    let wrong = |error: &dyn std::fmt::Display| PostError::NotNow(format!("mail: {error}"));
    let mut tls = TlsParameters::builder(smtp.host.clone());
    if !smtp.roots.is_empty() {
        tls = tls.certificate_store(CertificateStore::None);
    }
    for root in &smtp.roots {
        let root = Certificate::from_der(root.to_vec()).map_err(|error| wrong(&error))?;
        tls = tls.add_root_certificate(root);
    }
    let tls = tls.build_rustls().map_err(|error| wrong(&error))?;
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.clone())
        .port(smtp.port)
        .hello_name(ClientId::default())
        .timeout(Some(PATIENCE))
        .tls(if smtp.implicit { Tls::Wrapper(tls) } else { Tls::Required(tls) });
    if let Some((user, password)) = &smtp.login {
        let read = |path: &Path| {
            let path = path.to_owned();
            async move { tokio::fs::read_to_string(&path).await.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()) }
        };
        let (user, password) = (read(user).await, read(password).await);
        let user = user.map_err(|error| PostError::NotNow(format!("mail.user_file: {error}")))?;
        let password = password.map_err(|error| PostError::NotNow(format!("mail.password_file: {error}")))?;
        transport = transport.credentials(Credentials::new(user, password));
    }
    Ok(transport.build())
}

#[cfg(test)]
#[path = "post_tests.rs"]
mod tests;
