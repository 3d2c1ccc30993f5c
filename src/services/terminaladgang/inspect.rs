//! Everything that keeps a checked configuration from being served, without starting or writing anything: what
//! `hjemmel check` tells beside what the file itself says.

use jiff::Timestamp;

use super::assemble::{read_policy, read_signer, read_trust};
use crate::audit::{keys, retire};
use crate::config::Config;
use crate::gateway::clients::{ClientCertificate, ClientTrust};
use crate::gateway::domains;
use crate::revocation::domain::{Domain, Lists};
use crate::revocation::ocsp;
use crate::signature::key::Certificate;

/// The problems, each with the setting it belongs to. Empty: the gateway would start.
///
/// Not asked: what stands at the addresses of revocation lists, whether the agreements store can be opened (it is made where it does not exist), whether an address is free,
/// and whether STS and index answer.
pub fn problems(config: &Config, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut look = |setting, outcome: Result<(), String>| problems.extend(outcome.err().map(|text| (setting, text)));
    look("policy.name", read_policy(&config.policy, now).map(drop).map_err(|error| error.to_string()));
    look("tokens", trusted(config, now));
    look("system", read_signer(config).map(drop).map_err(|error| error.to_string()));
    let clients = ClientTrust::new(&config.listen.client_roots, Domain::unasked(), ClientCertificate::Optional);
    look("listen.client_roots", clients.map(drop).map_err(|error| error.to_string()));
    for (setting, settings) in domains::settings(config).by_setting() {
        look(setting, Lists::at_hand(settings, None, now).map(drop).map_err(|error| error.to_string()));
    }
    if let Some(file) = &config.listen.ocsp_response {
        let read = ocsp::from_file(file, config.listen.credentials.chain(), now);
        look("listen.ocsp_response", read.map(drop).map_err(|error| error.to_string()));
    }
    let pinned = config.index.signing_certificates.iter().try_for_each(|der| Certificate::from_der(der).map(drop));
    look("index.signing_certificates", pinned.map_err(|error| error.to_string()));
    let audit = &config.audit;
    look("audit.checkpoint_key", keys::checkpoint_key(&audit.checkpoint_key).map(drop).map_err(|error| error.to_string()));
    let gap = match retire::missing(&audit.directory) {
        Ok(None) => Ok(()),
        Ok(Some(segment)) => Err(format!(
            "segment {segment} of the audit log is missing and no signed statement says that it was retired; run `hjemmel audit verify`"
        )),
        // Made at the first start.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    look("audit.directory", gap);
    look("audit", keys::sealer(&audit.pseudonym_key, &audit.auditors).map(drop).map_err(|error| error.to_string()));
    problems
}

/// Whether there is an issuer, and a key of each that verifies tokens today.
fn trusted(config: &Config, now: Timestamp) -> Result<(), String> {
    let trust = read_trust(&config.tokens, now).map_err(|error| error.to_string())?;
    match trust.issuers().iter().find(|issuer| issuer.keys(now).is_empty()) {
        None => Ok(()),
        Some(issuer) => {
            Err(format!("{} has no signing certificate that is valid now; fetch its metadata again", issuer.entity_id()))
        }
    }
}
