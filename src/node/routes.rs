//! What of the stored routes an operator is warned of: certificates that have ended or soon will, and what does not fit the
//! services of the configuration.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use crate::agreements::route::Standing;
use crate::agreements::{Route, Security, Store};
use crate::clock::civil_day;
use crate::config::{ServiceSection, WARN_BEFORE, ends};
use crate::services::Service;
use crate::signature::credentials::inspect;
use crate::store::{Access, Settings, StoreError};

/// The warnings of a store, which is looked at and not written to.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn of_store(
    store: &Settings,
    environment: &str,
    services: &[Known],
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let store = Store::open_to(Access::Look, store).await?;
    let routes = store.routes().await;
    store.close().await;
    Ok(warnings(&routes?, environment, services, now))
}

/// What a route is held against: a service of the configuration.
#[derive(Debug)]
pub(super) struct Known {
    uuid: Uuid,
    /// Of a pass-through service: its name, what it says to its provider, and whether one receives for all.
    provider: Option<(String, Security, bool)>,
}

impl Known {
    /// The services of a configuration.
    pub(super) fn of(services: &BTreeMap<String, Service>) -> Vec<Self> {
        let known = |(name, service): (&String, &Service)| {
            let provider = service.provider().map(|(security, fixed)| (name.clone(), security, fixed));
            Self { uuid: service.offer().service_uuid, provider }
        };
        services.iter().map(known).collect()
    }
}

/// A warning for each thing that is wrong with routes that hold in `environment` today or later: one, however many routes it is
/// wrong with.
pub(super) fn warnings(routes: &[Route], environment: &str, services: &[Known], now: Timestamp) -> Vec<String> {
    let Some(today) = civil_day(now) else { return Vec::new() };
    let mut told: BTreeMap<(String, String), BTreeSet<Uuid>> = BTreeMap::new();
    for route in routes {
        let concerned = matches!(route.period.standing(today), Standing::Holds | Standing::NotBegun);
        if !concerned || route.environment.as_str() != environment {
            continue;
        }
        let mut report = |what: String, wrong: String| told.entry((what, wrong)).or_default().insert(route.id);
        ending(route, now).for_each(|(what, wrong)| {
            report(what, wrong);
        });
        let Some(known) = services.iter().find(|service| service.uuid == route.service) else {
            report(
                format!("service {}", route.service),
                "is not offered by this configuration; offer it, or end the route".to_owned(),
            );
            continue;
        };
        let Some((name, security, fixed)) = &known.provider else { continue };
        let model = route.security.model();
        if model != *security {
            let wrong = format!("is not that of service {name}, which says {security}; add a route with it ({REPLACE})");
            report(format!("security {model}"), wrong);
        }
        if *fixed && (route.sender.is_some() || route.receiver.is_some()) {
            let wrong =
                format!("is not every, and service {name} has one receiver for all; add a route from every to every ({REPLACE})");
            report("sender or receiver".to_owned(), wrong);
        }
    }
    let warning = |((what, wrong), routes): ((String, String), BTreeSet<Uuid>)| {
        let first = routes.first()?;
        Some(match routes.len() {
            1 => format!("{what} of route {first} {wrong}"),
            several => format!("{what} of {several} routes, among them {first}, {wrong}"),
        })
    };
    told.into_iter().filter_map(warning).collect()
}

const REPLACE: &str = "`hjemmel route add --replace`";

/// The route's certificates that have ended or will within the time of warning.
fn ending(route: &Route, now: Timestamp) -> impl Iterator<Item = (String, String)> {
    let roots = route.roots.as_slice().iter().map(|root| ("TLS root", root.clone()));
    let signers = route.security.signing_certificates().iter();
    let signers = signers.map(|signer| ("signing certificate", CertificateDer::from(signer.der().to_vec())));
    roots.chain(signers).filter_map(move |(what, der)| {
        let facts = inspect(&der).ok().filter(|facts| facts.not_after < now + WARN_BEFORE)?;
        let wrong = format!("{}; add a route with its successor ({REPLACE})", ends(facts.not_after, now));
        Some((format!("{what} {}", facts.subject), wrong))
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
    use uuid::Uuid;

    use super::*;
    use crate::agreements::route::store::{Decision, InTheWay};
    use crate::agreements::route::{Period, Pinned, ProviderSecurity, Roots, day};

    /// A certificate from 2020 to the last day of a month of 2026.
    fn certificate(name: &str, month: u8, day: u8) -> CertificateDer<'static> {
        let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2026, month, day));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    /// A route from `every` to `every`, of the service that has its number.
    fn route(id: u128, from: &str, to: Option<&str>, root: &CertificateDer<'static>, signer: &CertificateDer<'static>) -> Route {
        Route {
            id: Uuid::from_u128(id),
            service: Uuid::from_u128(id),
            environment: "exttest".parse().unwrap(),
            sender: None,
            receiver: None,
            period: Period::new(day(from).unwrap(), to.map(|to| day(to).unwrap())).unwrap(),
            system: Uuid::nil(),
            address: "https://ledger.example/".parse().unwrap(),
            entity_id: "urn:ledger".parse().unwrap(),
            security: ProviderSecurity::Token { signing_certificates: Pinned::new(vec![signer.clone()]).unwrap() },
            roots: Roots::new(vec![root.clone()]).unwrap(),
        }
    }

    fn known(id: u128, security: Security, fixed: bool) -> Known {
        Known { uuid: Uuid::from_u128(id), provider: Some((format!("service-{id}"), security, fixed)) }
    }

    #[tokio::test]
    async fn each_certificate_that_ends_within_a_month_or_has_ended_is_warned_of_once() {
        let now: Timestamp = "2026-06-10T12:00:00Z".parse().unwrap();
        let (lasting, soon, ended) = (certificate("lasting", 12, 31), certificate("soon", 6, 30), certificate("ended", 5, 31));
        let routes = [
            route(1, "2026-01-01", None, &soon, &lasting),
            route(2, "2027-01-01", None, &soon, &ended),
            route(3, "2026-01-01", Some("2026-06-10"), &ended, &ended),
            Route { environment: "prod".parse().unwrap(), ..route(4, "2026-01-01", None, &ended, &ended) },
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agreements.sqlite");
        let store = Store::open(&Settings::sqlite(&path)).await.unwrap();
        let decision = Decision { by: "A. Jensen".to_owned(), reason: "sag 7".to_owned(), at: now };
        store.add_routes(&routes, InTheWay::Refuse, &decision).await.unwrap();
        store.close().await;
        let services: Vec<_> = (1..=4).map(|id| known(id, Security::Token, true)).collect();
        let remedy = "add a route with its successor (`hjemmel route add --replace`)";
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(
            of_store(&Settings::sqlite(&path), "exttest", &services, now).await.unwrap(),
            [
                format!("TLS root CN=soon of 2 routes, among them {first}, expires 2026-06-30; {remedy}"),
                format!("signing certificate CN=ended of route {second} expired 2026-05-31; {remedy}"),
            ]
        );
    }

    #[test]
    fn a_route_that_does_not_fit_its_service_or_has_none_is_warned_of() {
        let now: Timestamp = "2026-06-10T12:00:00Z".parse().unwrap();
        let lasting = certificate("lasting", 12, 31);
        let of = |id| route(id, "2026-01-01", None, &lasting, &lasting);
        let routes = [of(1), of(2), Route { sender: "11111111".parse().ok(), ..of(3) }, of(4)];
        let services =
            [known(2, Security::AuthorityContext, true), known(3, Security::Token, true), known(4, Security::Token, false)];
        let id = Uuid::from_u128;
        assert_eq!(
            warnings(&routes, "exttest", &services, now),
            [
                format!(
                    "security token of route {} is not that of service service-2, which says authority-context; add a route with \
                     it (`hjemmel route add --replace`)",
                    id(2)
                ),
                format!(
                    "sender or receiver of route {} is not every, and service service-3 has one receiver for all; add a route \
                     from every to every (`hjemmel route add --replace`)",
                    id(3)
                ),
                format!("service {} of route {} is not offered by this configuration; offer it, or end the route", id(1), id(1)),
            ]
        );
        assert!(warnings(&routes[3..], "exttest", &services, now).is_empty());
    }
}
