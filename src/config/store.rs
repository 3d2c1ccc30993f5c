//! `[store]`: where the store is, and how it is reached.

use std::time::Duration;

use super::reader::{Reader, as_text};
use super::sections::seconds;
use crate::pem;
use crate::store::settings::{Address, At, FORM, Host, Settings};

pub(super) fn read(section: &mut Reader<'_>) -> Option<Settings> {
    let folder = section.folder;
    let form = |error| format!("{error}; {FORM}");
    let at = section.setting("url", None, |value| At::read(&as_text(value)?, folder, false).map_err(form));
    let max_connections = section.number("max_connections", 4, 1..=200);
    let patience = section.duration("patience", seconds(2), Duration::from_millis(100)..=seconds(60));
    let statement_timeout = section.duration("statement_timeout", seconds(5), Duration::from_millis(100)..=seconds(300));
    let direct = section.setting("direct_url", Some(None), |value| {
        as_text(value)?
            .parse::<Address>()
            .map(Some)
            .map_err(|error| format!("{error}; write \"postgres://USER@HOST:5432/DATABASE\""))
    });
    let roots = section.certificates("tls_roots", false);
    let client = (section.optional_file("client_certificate"), section.optional_file("client_key"));
    let password_file = section.optional_file("password_file");
    let (mut at, direct, roots, password_file) = (at?, direct?, roots?, password_file?);
    let client = match (client.0?, client.1?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return refused(section, "client_certificate", "has no key; name it as client_key"),
        (None, Some(_)) => return refused(section, "client_key", "has no certificate; name it as client_certificate"),
    };
    match &mut at {
        At::Sqlite(file) => {
            for key in ["direct_url", "tls_roots", "client_certificate", "client_key", "password_file"] {
                if section.has_any(&[key]) {
                    return refused(section, key, "is of a PostgreSQL server, and url names a file; remove it");
                }
            }
            if file.is_dir() || !file.parent().is_some_and(std::path::Path::is_dir) {
                let text = format!("names {}, whose folder does not exist; make it, or correct the path", file.display());
                return refused(section, "url", &text);
            }
        }
        At::Postgres(server) => {
            let by_tcp = |address: &Address| matches!(address.host, Host::Name(_));
            if roots.is_empty() && (by_tcp(&server.address) || direct.as_ref().is_some_and(by_tcp)) {
                let text = "is missing; name the CAs of the server's certificate, for a server that is asked by TCP must prove who it is";
                return refused(section, "tls_roots", text);
            }
            if let Some(file) = &password_file {
                section.note("password_file", file, Vec::new(), true);
            }
            if let Some((certificate, key)) = &client {
                section.note("client_certificate", certificate, Vec::new(), false);
                section.note("client_key", key, Vec::new(), true);
            }
            server.direct = direct;
            server.tls_roots = roots.iter().map(|root| pem::encode("CERTIFICATE", root).to_string()).collect();
            (server.client, server.password_file) = (client, password_file);
        }
    }
    let max_connections = u32::try_from(max_connections?).ok()?;
    Some(Settings { at, max_connections, patience: patience?, statement_timeout: statement_timeout? })
}

fn refused(section: &mut Reader<'_>, key: &'static str, text: &str) -> Option<Settings> {
    section.problem_at(key, text.to_owned());
    None
}
