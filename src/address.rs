//! Addresses as http and https compare them: two spellings of one address are equal, two addresses never are.
//!
//! Done: the case of scheme and host and of percent-encoding (RFC 3986, 6.2.2.1), percent-encoded characters that need not be
//! (6.2.2.2), the scheme's own port, an empty port and an empty path (6.2.3). Left alone, since a server may tell them apart:
//! the case of a path, a slash at its end, `.` and `..`, a user's name, query and fragment.

use std::fmt::Write as _;

/// Whether two addresses are one. What is no http or https address is compared character by character.
pub fn same(one: &str, other: &str) -> bool {
    one == other || matches!((normal(one), normal(other)), (Some(one), Some(other)) if one == other)
}

/// The address in normal form; `None` for what is none.
fn normal(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(encoded(user, Case::Kept)?), place),
        None => (None, authority),
    };
    // An IP address in brackets has colons of its own.
    let (host, port) =
        match place.rfind(']').map_or_else(|| place.find(':'), |end| place.get(end..)?.find(':').map(|at| end + at)) {
            Some(colon) => (place.get(..colon)?, place.get(colon + 1..)?),
            None => (place, ""),
        };
    if host.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let user = user.map(|user| user + "@").unwrap_or_default();
    let host = encoded(host, Case::Folded)?;
    let port = if port.is_empty() || port == own_port { String::new() } else { format!(":{port}") };
    let slash = if rest.starts_with('/') { "" } else { "/" };
    Some(format!("{scheme}://{user}{host}{port}{slash}{}", encoded(rest, Case::Kept)?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Folded,
}

/// With percent-encoding in capitals and none where it need not be; `None` where a character may not stand in an address.
fn encoded(text: &str, case: Case) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let (byte, was_encoded) = match byte {
            b'%' => (hex(rest.next()?)? << 4 | hex(rest.next()?)?, true),
            byte => (byte, false),
        };
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(if case == Case::Folded { byte.to_ascii_lowercase() } else { byte }));
            }
            byte if was_encoded => write!(out, "%{byte:02X}").ok()?,
            byte if b":/?#[]@!$&'()*+,;=".contains(&byte) => out.push(char::from(byte)),
            _ => return None,
        }
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::same;

    const SERVICE: &str = "https://gateway.example/service/Ydelse/TerminalAdgang/6";

    #[test]
    fn an_address_is_the_same_however_its_scheme_host_port_and_percent_encoding_are_spelt() {
        for other in [
            "https://gateway.example:443/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example:/service/Ydelse/TerminalAdgang/6",
            "HTTPS://Gateway.EXAMPLE/service/Ydelse/TerminalAdgang/6",
            "https://g%61teway.ex%41mple/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example/service/%59delse/Terminal%41dgang/%36",
        ] {
            assert!(same(SERVICE, other) && same(other, SERVICE), "{other}");
        }
        for (one, other) in [
            ("https://gateway.example", "https://gateway.example/"),
            ("https://gateway.example?a", "https://gateway.example:443/?a"),
            ("http://gateway.example:80/", "http://gateway.example"),
            ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
            ("https://[2001:db8::1]:8443/a", "https://[2001:DB8::1]:8443/a"),
            ("https://gateway.example/%c3%a6", "https://gateway.example/%C3%A6"),
            ("https://gateway.example/%2fa", "https://gateway.example/%2Fa"),
        ] {
            assert!(same(one, other) && same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn another_address_stays_another() {
        for other in [
            "http://gateway.example/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example:80/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example:0443/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example.:443/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example/service/ydelse/TerminalAdgang/6",
            "https://gateway.example/service/Ydelse/TerminalAdgang/6/",
            "https://gateway.example//service/Ydelse/TerminalAdgang/6",
            "https://gateway.example/service/./Ydelse/TerminalAdgang/6",
            "https://gateway.example/x/../service/Ydelse/TerminalAdgang/6",
            "https://gateway.example/service%2FYdelse/TerminalAdgang/6",
            "https://gateway.example/service/Ydelse/TerminalAdgang/6?",
            "https://gateway.example/service/Ydelse/TerminalAdgang/6#",
            "https://gateway.example/service/Ydelse/TerminalAdgang/6?wsdl",
            "https://user@gateway.example/service/Ydelse/TerminalAdgang/6",
            "https://@gateway.example/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example@other.example/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example\\@other.example/service/Ydelse/TerminalAdgang/6",
            "https:gateway.example/service/Ydelse/TerminalAdgang/6",
            "https:///service/Ydelse/TerminalAdgang/6",
            "//gateway.example/service/Ydelse/TerminalAdgang/6",
            "gateway.example/service/Ydelse/TerminalAdgang/6",
            " https://gateway.example/service/Ydelse/TerminalAdgang/6",
            "https://gateway.example/service/Ydelse/TerminalAdgang/6\t",
            "",
        ] {
            assert!(!same(SERVICE, other) && !same(other, SERVICE), "{other}");
        }
        for (one, other) in [
            ("https://gateway.example/%C3%A6", "https://gateway.example/æ"),
            ("https://gateway.example/%zz", "https://gateway.example/%ZZ"),
            ("https://gateway.example/%", "https://gateway.example:443/%"),
            ("https://gateway.example:443x/", "https://gateway.example/"),
            ("https://User@gateway.example/", "https://user@gateway.example/"),
            ("https://xn--rd-lka.example/", "https://rød.example/"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_name_that_is_no_http_address_is_the_same_only_letter_by_letter() {
        assert!(same("urn:example:a", "urn:example:a"));
        for (one, other) in [("urn:example:a", "URN:example:a"), ("ftp://a.example", "ftp://A.example"), ("", " ")] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
