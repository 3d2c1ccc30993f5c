//! `hjemmel ready`: whether a running gateway takes calls, for a container's health check and a probe. An image without a shell
//! has no curl.

use std::path::PathBuf;
use std::time::Duration;

use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::time::Instant;

use crate::outbound::{Outbound, OutboundSettings};
use crate::signature::credentials::{Credentials, certificates_from_pem_file};

/// The longest answer that is read.
const ANSWER: usize = 64 * 1024;

/// Ask a running gateway whether it takes calls.
///
/// Exits 0 where /readyz of its admin listener says so, and otherwise 1 with the reason: it starts or drains, cannot write its
/// audit log, or cannot reach its store.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel ready
  hjemmel ready --url https://gateway.example:9464/readyz --roots root.pem \\
    --certificate probe.pem --key probe.key.pem")]
pub struct Args {
    /// Where: /readyz, or /healthz to ask only whether the process answers
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464/readyz")]
    url: Uri,
    /// The CAs of its certificate (PEM), for https
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// The certificate to show (PEM), where the listener demands one
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// How long the answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timeout: u64,
}

/// Carries out the command.
///
/// # Errors
/// It does not take calls, does not answer, or cannot be asked with these files.
pub async fn run(args: &Args) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let roots = args.roots.as_deref().map(certificates_from_pem_file).transpose()?.unwrap_or_default();
    let credentials = match (&args.certificate, &args.key) {
        (Some(certificate), Some(key)) => Some(Credentials::from_pem_files(certificate, key)?),
        _ => None,
    };
    let clear = args.url.scheme_str() == Some("http");
    let outbound = Outbound::new(OutboundSettings { credentials, clear, ..OutboundSettings::new(roots) })?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let answer = outbound.get(&args.url, deadline).await.map_err(|error| format!("{}: {error}", args.url))?;
    let status = answer.status();
    let said = Limited::new(answer.into_body(), ANSWER).collect().await?.to_bytes();
    let said = String::from_utf8_lossy(&said);
    if status != StatusCode::OK {
        return Err(format!("{}: HTTP {}: {}", args.url, status.as_u16(), said.trim_end()).into());
    }
    println!("{}", said.trim_end());
    Ok(())
}
