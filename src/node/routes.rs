//! What of the stored routes an operator is warned of: certificates that have ended or soon will.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use crate::agreements::route::Standing;
use crate::agreements::route::store::RouteError;
use crate::agreements::{Access, Store, StoreSettings};
use crate::clock::civil_day;
use crate::config::{WARN_BEFORE, ends};
use crate::signature::credentials::inspect;

/// A warning for each certificate of routes that hold in `environment` today or later: one, however many routes name it.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn warnings(store: &Path, environment: &str, now: Timestamp) -> Result<Vec<String>, RouteError> {
    let today = civil_day(now).ok_or(RouteError::NoZone)?;
    let store = Store::open_to(Access::Look, store, &StoreSettings::default()).await?;
    let read = store.routes().await;
    store.close().await;
    let mut of_certificate = BTreeMap::new();
    for route in read? {
        let concerned = matches!(route.period.standing(today), Standing::Holds | Standing::NotBegun);
        if !concerned || route.environment.as_str() != environment {
            continue;
        }
        let roots = route.roots.as_slice().iter().map(|root| ("TLS root", root.to_vec()));
        let signers = route.security.signing_certificates().iter().map(|signer| ("signing certificate", signer.der().to_vec()));
        for certificate in roots.chain(signers) {
            of_certificate.entry(certificate).or_insert_with(Vec::new).push(route.id);
        }
    }
    let warned = of_certificate.into_iter().filter_map(|((what, der), routes)| {
        let facts = inspect(&CertificateDer::from(der)).ok().filter(|facts| facts.not_after < now + WARN_BEFORE)?;
        let of = match routes.as_slice() {
            [only] => format!("route {only}"),
            [first, ..] => format!("{} routes, among them {first}", routes.len()),
            [] => return None,
        };
        let ends = ends(facts.not_after, now);
        Some(format!("{what} {} of {of} {ends}; add a route with its successor (`hjemmel route add --replace`)", facts.subject))
    });
    Ok(warned.collect())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
    use uuid::Uuid;

    use super::*;
    use crate::agreements::Route;
    use crate::agreements::route::store::{Decision, InTheWay};
    use crate::agreements::route::{Period, Pinned, ProviderSecurity, Roots, day};

    /// A certificate from 2020 to the last day of a month of 2026.
    fn certificate(name: &str, month: u8, day: u8) -> CertificateDer<'static> {
        let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2026, month, day));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[tokio::test]
    async fn each_certificate_that_ends_within_a_month_or_has_ended_is_warned_of_once() {
        let now: Timestamp = "2026-06-10T12:00:00Z".parse().unwrap();
        let (lasting, soon, ended) = (certificate("lasting", 12, 31), certificate("soon", 6, 30), certificate("ended", 5, 31));
        let route = |id, from: &str, to: Option<&str>, environment: &str, root: &CertificateDer<'static>, signer| Route {
            id: Uuid::from_u128(id),
            service: Uuid::from_u128(id),
            environment: environment.parse().unwrap(),
            sender: None,
            receiver: None,
            period: Period::new(day(from).unwrap(), to.map(|to| day(to).unwrap())).unwrap(),
            system: Uuid::nil(),
            address: "https://ledger.example/".parse().unwrap(),
            entity_id: "urn:ledger".parse().unwrap(),
            security: ProviderSecurity::Token { signing_certificates: Pinned::new(vec![signer]).unwrap() },
            roots: Roots::new(vec![root.clone()]).unwrap(),
        };
        let routes = [
            route(1, "2026-01-01", None, "exttest", &soon, lasting.clone()),
            route(2, "2027-01-01", None, "exttest", &soon, ended.clone()),
            route(3, "2026-01-01", Some("2026-06-10"), "exttest", &ended, ended.clone()),
            route(4, "2026-01-01", None, "prod", &ended, ended.clone()),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agreements.sqlite");
        let store = Store::open(&path, &StoreSettings::default()).await.unwrap();
        let decision = Decision { by: "A. Jensen".to_owned(), reason: "sag 7".to_owned(), at: now };
        store.add_routes(&routes, InTheWay::Refuse, &decision).await.unwrap();
        store.close().await;
        let mut told = warnings(&path, "exttest", now).await.unwrap();
        told.sort();
        let remedy = "add a route with its successor (`hjemmel route add --replace`)";
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(
            told,
            [
                format!("TLS root CN=soon of 2 routes, among them {first} expires 2026-06-30; {remedy}"),
                format!("signing certificate CN=ended of route {second} expired 2026-05-31; {remedy}"),
            ]
        );
    }
}
