//! The forms of single values.

use jiff::civil::Date;

use super::codes::Code;
use super::field::{Kind, misshapen};
use crate::id::cpr::Cpr;

/// A CPR number of a cell.
pub(super) fn cpr(text: &str) -> Result<Cpr, Code> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        10 if digits => Cpr::parse(text).ok_or(Code::PER012),
        9 if digits => Err(Code::PER011),
        _ => Err(Code::PER010),
    }
}

/// A value of a kind, as it is kept.
pub(super) fn value(kind: Kind, text: &str) -> Result<String, Code> {
    let fits = match kind {
        Kind::Text => !text.is_empty(),
        Kind::Code => text.chars().all(|c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | '/')),
        Kind::Digits(least, most) => digits(text, least, most),
        Kind::Padded(most) if digits(text, 1, most) => return Ok(format!("{text:0>most$}")),
        Kind::Padded(_) => false,
        Kind::Among(values) => {
            let width = values.first().map_or(0, |value| value.len());
            let padded = format!("{text:0>width$}");
            match values.contains(&padded.as_str()) {
                true => return Ok(padded),
                false => false,
            }
        }
        Kind::Day => day(text).is_some(),
        Kind::Email => is_email(text),
        Kind::Phone => is_phone(text),
        Kind::Ean if digits(text, 13, 13) => match has_check_digit(text) {
            true => true,
            false => return Err(Code::PER014),
        },
        Kind::Ean => false,
        Kind::Country => {
            let upper = text.to_ascii_uppercase();
            match COUNTRIES.split(' ').any(|country| country == upper) {
                true => return Ok(upper),
                false => false,
            }
        }
        Kind::Cpr | Kind::Ignored => true,
    };
    if fits { Ok(text.to_owned()) } else { Err(misshapen(kind)) }
}

fn digits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A day as ISO 8601 writes it, all of it, in the years 1800 to 2199.
pub(super) fn day(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let written = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() });
    let day: Date = written.then(|| text.parse().ok())??;
    (1800..2200).contains(&day.year()).then_some(day)
}

/// An EAN-13: weights 1 and 3 in turn, the sum divisible by ten.
fn has_check_digit(digits: &str) -> bool {
    let weighted = digits.bytes().zip([1_u32, 3].into_iter().cycle()).map(|(byte, weight)| u32::from(byte - b'0') * weight);
    weighted.sum::<u32>() % 10 == 0
}

/// 3 to 15 digits (E.164 has no more), `+` in front where needed, single spaces between.
fn is_phone(text: &str) -> bool {
    let number = text.strip_prefix('+').unwrap_or(text);
    let grouped = number.split(' ').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    grouped && (3..=15).contains(&number.bytes().filter(u8::is_ascii_digit).count())
}

/// A mailbox as RFC 5321 (4.1.2) writes it: dot-string or quoted string; a domain of several labels, or an address literal.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let fits = (1..=64).contains(&local.len()) && domain.len() <= 255 && text.len() <= 254;
    fits && (is_dot_string(local) || is_quoted(local)) && (is_domain(domain) || is_literal(domain))
}

fn is_dot_string(local: &str) -> bool {
    let atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(atext))
}

fn is_quoted(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'\\' => bytes.next().is_some_and(|escaped| (32..=126).contains(&escaped)),
            b'"' => false,
            byte => (32..=126).contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    true
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(label)
}

fn is_literal(domain: &str) -> bool {
    let Some(inner) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    match inner.strip_prefix("IPv6:") {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

/// ISO 3166-1 alpha-2, the 249 codes that are assigned.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH \
GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB \
LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM \
PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

#[cfg(test)]
mod tests {
    use super::super::field::Field;
    use super::*;

    fn of(field: Field, text: &str) -> Result<String, &'static str> {
        value(field.spec().kind, text).map_err(|code| code.code())
    }

    #[test]
    fn a_cpr_number_has_ten_digits_and_a_possible_date_and_modulus_11_is_never_asked() {
        for (text, due) in [
            ("6101801234", Ok(())),
            ("0101801234", Ok(())), // modulus 11 fails
            ("101801234", Err("PER011")),
            ("610180-1234", Err("PER010")),
            ("61018012345", Err("PER010")),
            ("x", Err("PER010")),
            ("٦101801234", Err("PER010")),
            ("3201801234", Err("PER012")),
            ("9201801234", Err("PER012")),
            ("8902003234", Err("PER012")), // 29 February 1900
            ("8902004234", Ok(())),        // 29 February 2000
        ] {
            assert_eq!(cpr(text).map(drop).map_err(|code| code.code()), due, "{text}");
        }
    }

    #[test]
    fn codes_that_a_spreadsheet_took_zeros_from_get_them_back_and_others_do_not() {
        assert_eq!(of(Field::Overenskomstnummer, "44").unwrap(), "044");
        assert_eq!(of(Field::Overenskomstnummer, "4"), Ok("004".to_owned()));
        assert_eq!(of(Field::Overenskomstnummer, "x4"), Err("PER013"));
        assert_eq!(of(Field::Loenramme, "0"), Ok("00".to_owned()));
        assert_eq!(of(Field::Loenramme, "36"), Ok("36".to_owned()));
        assert_eq!(of(Field::Loenramme, "43"), Err("PER005"));
        assert_eq!(of(Field::Koen, "9"), Err("PER005"));
        assert_eq!(of(Field::Kommunekode, "11"), Err("PER013"));
        assert_eq!(of(Field::Medarbejdernummer, "A-7_Å/2"), Ok("A-7_Å/2".to_owned()));
        assert_eq!(of(Field::Medarbejdernummer, "A 7"), Err("PER013"));
    }

    #[test]
    fn days_numbers_phones_and_countries_are_as_their_standards_write_them() {
        for (field, text, due) in [
            (Field::Foedselsdato, "1980-02-29", Ok("1980-02-29")),
            (Field::Foedselsdato, "1981-02-29", Err("PER004")),
            (Field::Foedselsdato, "31-12-1981", Err("PER004")),
            (Field::Foedselsdato, "1981-12-31T00:00:00", Err("PER004")),
            (Field::Foedselsdato, "0181-12-31", Err("PER004")),
            (Field::EAN, "5798000420526", Ok("5798000420526")),
            (Field::EAN, "5798000420527", Err("PER014")),
            (Field::EAN, "579800042052", Err("PER013")),
            (Field::Nationalitet, "dk", Ok("DK")),
            (Field::Nationalitet, "UK", Err("PER015")),
            (Field::Telefon, "+45 12 34 56 78", Ok("+45 12 34 56 78")),
            (Field::Telefon, "112", Ok("112")),
            (Field::Telefon, "12 34  56", Err("PER017")),
            (Field::Telefon, "+4512345678901234", Err("PER017")),
            (Field::Telefon, "=cmd()", Err("PER017")),
        ] {
            assert_eq!(of(field, text), due.map(str::to_owned), "{text}");
        }
        assert_eq!(COUNTRIES.split_whitespace().count(), 249);
    }

    #[test]
    fn an_address_is_one_of_rfc_5321() {
        for good in [
            "a@b.dk",
            "fornavn.efternavn+x@afd.institution.dk",
            "\"a b\\\"c\"@b.dk",
            "o'hara@b.dk",
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
        ] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@b.dk", "a".repeat(65));
        for bad in [
            "",
            "a",
            "@b.dk",
            "a@",
            "a@b",
            "a.@b.dk",
            ".a@b.dk",
            "a..a@b.dk",
            "a b@b.dk",
            "A <a@b.dk>",
            "a@b..dk",
            "a@-b.dk",
            "å@b.dk",
            "a@b.dk;c@d.dk",
            "a@[1.2]",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
