//! Where a route may not lead: back into the gateway's own machine, or to what only this machine's network has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use crate::{
    agreements::route::Address,
    outbound::guard::Guard,
    refusal::{Detail, api::ApiRefusal},
};

/// How long a name may take to be looked up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses an address on the machine itself (`own`: the gateway's other listeners), on the link, or that is nobody's. A name is
/// looked up, and each of its addresses judged; one that is not known yet is let through, for routes are agreed before systems
/// stand.
///
/// # Errors
/// [`ApiRefusal::ApiAddressRefused`].
pub async fn may_lead_to(address: &Address, own: &[SocketAddr]) -> Result<(), ApiRefusal> {
    let uri = address.uri();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let port = uri.port_u16().unwrap_or(443);
    let refused = |(da, en): (&str, &str)| ApiRefusal::ApiAddressRefused { what: Detail::new(da, en) };
    let lower = host.to_ascii_lowercase();
    if lower == "localhost" || lower.ends_with(".localhost") {
        return Err(refused(ITSELF));
    }
    // A zone names one of this machine's own links.
    if host.contains('%') {
        return Err(refused(ON_THE_LINK));
    }
    if port == 0 {
        return Err(refused(NOBODYS));
    }
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(ip) => vec![ip],
        Err(_) => match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(found)) => found.map(|found| found.ip()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        },
    };
    for ip in addresses.into_iter().flat_map(|ip| std::iter::once(ip).chain(embedded(ip).map(IpAddr::V4))) {
        if let Some(why) = closed(ip) {
            return Err(refused(why));
        }
        if is_own(SocketAddr::new(ip.to_canonical(), port), own) {
            return Err(refused(ITSELF));
        }
    }
    Ok(())
}

/// Judges where a route's address leads, each time that it is connected to, as [`may_lead_to`] does when it is saved. `on_this_machine`:
/// in the demo its providers are.
pub fn guard(own: Vec<SocketAddr>, on_this_machine: bool) -> Guard {
    Guard::new(Arc::new(move |address: SocketAddr| {
        let ip = address.ip();
        std::iter::once(ip).chain(embedded(ip).map(IpAddr::V4)).find_map(|ip| {
            let demos = on_this_machine && ip.to_canonical().is_loopback();
            let why = closed(ip).filter(|_| !demos);
            let own = is_own(SocketAddr::new(ip.to_canonical(), address.port()), &own).then_some(ITSELF);
            why.or(own).map(|(_, en)| en)
        })
    }))
}

/// Whether it is one of the gateway's own listeners. One that listens on every address does so on each that this machine has.
fn is_own(address: SocketAddr, own: &[SocketAddr]) -> bool {
    own.iter().filter(|listener| listener.port() == address.port()).any(|listener| {
        let ip = listener.ip().to_canonical();
        // Only an address of this machine's own can be bound.
        ip == address.ip() || (ip.is_unspecified() && UdpSocket::bind((address.ip(), 0)).is_ok())
    })
}

/// Whether an address leads to this machine's own link, by itself or by its name: such services (of a cloud's machines, for
/// instance) are nobody's outside. A name that is not known leads nowhere.
pub async fn is_on_the_link(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if host.contains('%') {
        return true;
    }
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(ip) => vec![ip],
        Err(_) => match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, 443))).await {
            Ok(Ok(found)) => found.map(|found| found.ip()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        },
    };
    let all = addresses.into_iter().flat_map(|ip| std::iter::once(ip).chain(embedded(ip).map(IpAddr::V4)));
    all.into_iter().any(|ip| closed(ip) == Some(ON_THE_LINK))
}

const ITSELF: (&str, &str) = ("adressen er på gatewayens egen maskine", "the address is on the gateway's own machine");

const ON_THE_LINK: (&str, &str) = ("adressen gælder kun på det lokale net (link-local)", "the address is link-local");
const NOBODYS: (&str, &str) = ("adressen er ikke en maskines adresse", "the address is not a machine's address");

/// The IPv4 address that an IPv6 address leads on to: IPv4-compatible, through NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    match ip.segments() {
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

/// Why an address is none that a receiver has.
fn closed(ip: IpAddr) -> Option<(&'static str, &'static str)> {
    let ip = ip.to_canonical();
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    match ip {
        ip if ip.is_loopback() => Some(ITSELF),
        ip if ip.is_unspecified() => Some(ITSELF),
        _ if link_local => Some(ON_THE_LINK),
        ip if ip.is_multicast() => Some(("adressen er en multicast-adresse", "the address is a multicast address")),
        IpAddr::V4(ip) if ip.is_broadcast() || ip.octets().first() == Some(&0) => Some(NOBODYS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn led(address: &str) -> bool {
        may_lead_to(&address.parse().unwrap(), &["10.1.2.3:9464".parse().unwrap()]).await.is_ok()
    }

    #[tokio::test]
    async fn a_route_leads_neither_to_this_machine_nor_to_its_link_however_the_address_is_spelt() {
        for address in [
            "https://127.0.0.1/a",
            "https://127.8.7.6:8443/a",
            "https://localhost/a",
            "https://LOCALHOST.:444/a",
            "https://x.localhost/a",
            "https://[::1]/a",
            "https://[::ffff:127.0.0.1]/a",
            "https://0.0.0.0/a",
            "https://0.1.2.3/a",
            "https://[::]/a",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/a",
            "https://224.0.0.1/a",
            "https://255.255.255.255/a",
            "https://10.1.2.3:9464/a",
            "https://[::ffff:10.1.2.3]:9464/a",
            "https://[fe80::1%25eth0]/a",
            "https://[::1%25lo]/a",
            "https://10.1.2.4:0/a",
            "https://[::127.0.0.1]/a",
            "https://[64:ff9b::127.0.0.1]/a",
            "https://[64:ff9b::a9fe:a9fe]/a",
            "https://[2002:7f00:1::]/a",
            "https://[64:ff9b::10.1.2.3]:9464/a",
        ] {
            assert!(!led(address).await, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_later_is_judged_as_it_is_connected_to() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let asked = AtomicUsize::new(0);
        let rebinding = guard(vec!["0.0.0.0:9464".parse().unwrap()], false).looking_up(move |_, port| {
            let led = ["192.0.2.7", "127.0.0.1", "169.254.169.254"];
            let ip: IpAddr = led[asked.fetch_add(1, Ordering::Relaxed).min(2)].parse().unwrap();
            Box::pin(async move {
                Ok(vec!["192.0.2.8".parse::<IpAddr>().unwrap(), ip].into_iter().map(|ip| (ip, port).into()).collect())
            })
        });
        assert_eq!(rebinding.addresses("ledger.example", 443).await.unwrap().len(), 2);
        for _ in 0..2 {
            assert!(rebinding.addresses("ledger.example", 443).await.is_err(), "one that leads to two places leads to both");
        }
    }

    #[tokio::test]
    async fn an_own_listener_is_known_by_its_port_where_it_listens_everywhere_and_the_demo_has_loopback_but_no_own_listener() {
        let own = vec!["0.0.0.0:9464".parse().unwrap(), "[::]:9465".parse().unwrap()];
        for (address, on_this_machine, taken) in [
            ("127.0.0.1:8443", true, true),
            ("127.0.0.1:8443", false, false),
            ("127.0.0.1:9464", true, false),
            ("127.0.0.1:9465", true, false),
            ("192.0.2.7:9464", false, true),
            ("169.254.169.254:80", true, false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let judged = guard(own.clone(), on_this_machine).addresses(&address.ip().to_string(), address.port()).await;
            assert_eq!(judged.is_ok(), taken, "{address} {on_this_machine}");
        }
    }

    #[tokio::test]
    async fn a_receivers_address_is_taken_also_on_an_internal_network() {
        for address in
            ["https://10.1.2.3/a", "https://192.0.2.7:8443/a", "https://[2001:db8::1]/a", "https://[64:ff9b::10.1.2.3]/a"]
        {
            assert!(led(address).await, "{address}");
        }
    }
}
