//! What a person signs at the command line: a decision, word for word, so that the signature is of nothing else.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Because, DecideError, record::What};
use crate::{
    agreements::{Store, Thumbprint},
    signature::{
        algorithms::SignatureAlgorithm,
        base64,
        credentials::Credentials,
        key::{Certificate, KeyError, SigningKey},
    },
    users::{Actor, delegation::ByDelegation, store::ActorError},
};

/// Why a person's key and certificate cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key or the certificate.
    #[error("the certificate and key cannot sign: {0}")]
    Key(#[from] KeyError),
    /// They are not a pair.
    #[error("the key does not belong to the certificate; name the pair")]
    NotAPair,
    /// The certificate's time.
    #[error("the certificate of whoever signs holds from {from} to {to}, and not now; use one that does")]
    NotValid {
        /// From.
        from: Timestamp,
        /// To.
        to: Timestamp,
    },
}

/// A person's key and its certificate.
pub struct Signer {
    certificate: Certificate,
    key: SigningKey,
    delegation: Option<Uuid>,
}

impl Signer {
    /// Takes a pair.
    ///
    /// # Errors
    /// A key that cannot sign, or one of another certificate.
    pub fn new(credentials: &Credentials) -> Result<Self, SignError> {
        let certificate = Certificate::from_der(credentials.leaf())?;
        let key = SigningKey::from_der(credentials.key())?;
        if key.belongs_to(&certificate) { Ok(Self { certificate, key, delegation: None }) } else { Err(SignError::NotAPair) }
    }

    /// The same person, who acts for another by this delegation; none: in their own right.
    #[must_use]
    pub fn by_delegation(self, delegation: Option<Uuid>) -> Self {
        Self { delegation, ..self }
    }

    /// The user to whom the certificate belongs, as they act: nothing is signed.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn actor(&self, store: &Store, now: Timestamp) -> Result<Actor, ActorError> {
        let actor = store.actor(self.thumbprint(), None, now).await?;
        match self.delegation {
            None => Ok(actor),
            Some(delegation) => store.acting(actor, delegation, now).await,
        }
    }

    /// The certificate's thumbprint, by which the store knows whose it is.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::from(*self.certificate.thumbprint())
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whether the certificate holds at `now`.
    fn holds(&self, now: Timestamp) -> Result<(), SignError> {
        let (from, to) = (self.certificate.not_before(), self.certificate.not_after());
        if self.certificate.valid_at(now) { Ok(()) } else { Err(SignError::NotValid { from, to }) }
    }

    /// Signs a text that is no decision, such as a question; in base64.
    ///
    /// # Errors
    /// A certificate that does not hold at `now`, or a key that cannot sign.
    pub fn sign_text(&self, text: &str, now: Timestamp) -> Result<String, SignError> {
        self.holds(now)?;
        Ok(base64::encode(&self.key.sign(text.as_bytes())?))
    }

    /// Signs a decision, and gives the user to whom the certificate belongs.
    ///
    /// # Errors
    /// [`SignError`].
    pub async fn sign(&self, store: &Store, what: &What, because: &Because) -> Result<Actor, DecideError> {
        self.holds(because.at)?;
        let actor = self.actor(store, because.at).await?;
        let signature = self.signature(what, because, actor.by_delegation())?;
        Ok(actor.signing(signature))
    }

    /// The signature of a decision, in base64.
    pub(super) fn signature(&self, what: &What, because: &Because, by: Option<ByDelegation>) -> Result<String, SignError> {
        Ok(base64::encode(&self.key.sign(text(self.thumbprint(), what, because, by).as_bytes())?))
    }
}

/// The statement, as it is signed: by whom, and where they act for another, for whom and by which delegation.
pub fn text(certificate: Thumbprint, what: &What, because: &Because, by: Option<ByDelegation>) -> String {
    let none = "-".to_owned();
    let stands_for = by.map_or_else(String::new, |by| format!("for {} by delegation {}\n", by.principal, by.delegation));
    format!(
        "hjemmel decision v1\n{} {}\nfrom {}\nto {}\nshown {}\nreason {}\nat {}\nby {certificate}\n{stands_for}",
        what.subject.name(),
        what.id,
        what.from.as_ref().unwrap_or(&none),
        what.to,
        what.shown.as_ref().unwrap_or(&none),
        because.reason,
        because.at,
    )
}

/// Whether `signature` (base64) is that certificate's of this decision, made in its user's own right.
pub fn is_signed(certificate: &Certificate, signature: &str, what: &What, because: &Because) -> bool {
    is_signed_by(certificate, signature, what, because, None)
}

/// The same of one that was made for another by delegation.
pub fn is_signed_by(
    certificate: &Certificate,
    signature: &str,
    what: &What,
    because: &Because,
    by: Option<ByDelegation>,
) -> bool {
    let own = Thumbprint::from(*certificate.thumbprint());
    let key = certificate.key();
    let statement = text(own, what, because, by);
    let signature = base64::decode(signature);
    signature.is_some_and(|signature| key.verifies(SignatureAlgorithm::RsaSha256, statement.as_bytes(), &signature))
}
