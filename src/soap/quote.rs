//! What a caller wrote, where a fault may say it back: it makes the fault plain, but goes into logs and records too.

/// The longest that is said back, in bytes.
const LONGEST: usize = 200;
/// So many digits could be a person's number, whatever stands between them.
const NUMBER: usize = 10;

/// `text` where it looks like an address or a name and holds nothing that could be a person's number; else `None`.
pub fn quotable(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%{}".contains(&byte);
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(plain) {
        return None;
    }
    // Letters, slashes and colons part one number from the next; a percent sign could stand for a digit.
    let numbers = text.split(|c: char| c.is_ascii_alphabetic() || c == '/' || c == ':');
    let long = |run: &str| run.bytes().filter(|byte| byte.is_ascii_digit() || *byte == b'%').count() >= NUMBER;
    (!numbers.into_iter().any(long)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::quotable;

    #[test]
    fn addresses_and_actions_are_said_back() {
        for text in [
            "http://kombit.dk/sts/ydelseindeks/slet",
            "https://127.0.0.1:18443/service/Ydelse/TerminalAdgang/5",
            "http://www.w3.org/2005/08/addressing/none",
            "urn:another",
        ] {
            assert_eq!(quotable(text), Some(text));
        }
    }

    #[test]
    fn nothing_that_could_be_a_persons_number_or_is_no_address_is_said_back() {
        for text in [
            "urn:oio:cpr-nr:6101801234",
            "https://gateway.example/610180-1234",
            "https://gateway.example/61.01.80-1234",
            "https://gateway.example/%36%31%30%31%38%30%31%32%33%34",
            "a person's name",
            "Søren",
            "<x/>",
            "",
            &"a".repeat(201),
        ] {
            assert_eq!(quotable(text), None, "{text}");
        }
    }
}
