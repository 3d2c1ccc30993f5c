//! Which service of a configuration a command is about.

use std::collections::BTreeMap;

use crate::config::reader::nearest;
use crate::services::Service;
use crate::services::terminaladgang::settings::Settings;

/// The service of that name; without one, the only one.
///
/// # Errors
/// There is none of that name, or several to choose from.
pub fn service<'c>(services: &'c BTreeMap<String, Service>, wanted: Option<&str>) -> Result<(&'c str, &'c Service), String> {
    let known = || services.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match wanted {
        Some(wanted) => {
            let found = services.get_key_value(wanted).map(|(name, service)| (name.as_str(), service));
            found.ok_or_else(|| {
                let near = nearest(services.keys().map(String::as_str), wanted);
                let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
                format!("there is no service {wanted} in the configuration; {near}There are: {}", known())
            })
        }
        None => {
            let mut all = services.iter().map(|(name, service)| (name.as_str(), service));
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                _ => Err(format!("the configuration has several services; name one with --service NAME. There are: {}", known())),
            }
        }
    }
}

/// The same where only TerminalAdgang will do.
///
/// # Errors
/// As [`service`], and where the one named has no law of its own.
pub fn terminaladgang<'c>(
    services: &'c BTreeMap<String, Service>,
    wanted: Option<&str>,
) -> Result<(&'c str, &'c Settings), String> {
    let of = |name: &'c str, service: &'c Service| service.terminaladgang().map(|settings| (name, settings));
    if wanted.is_none() {
        let fitting: Vec<_> = services.iter().filter_map(|(name, service)| of(name, service)).collect();
        if let [only] = fitting.as_slice() {
            return Ok(*only);
        }
    }
    let (name, found) = service(services, wanted)?;
    of(name, found).ok_or_else(|| format!("{name} has no policy; name a service of kind terminaladgang"))
}
