//! Base64 as XML Schema means it: the alphabet, right padding, XML white space anywhere, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::soap::strict::is_space_byte;

/// The bytes behind `text`; `None` where it is not strict base64 (wrong padding, stray bits or characters).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    // Most of it has no white space, which the decoder would refuse.
    STANDARD.decode(text).ok().or_else(|| {
        let dense: Vec<u8> = text.bytes().filter(|byte| !is_space_byte(*byte)).collect();
        STANDARD.decode(dense).ok()
    })
}

/// One line of base64 with padding.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_strict_base64_is_read() {
        assert_eq!(super::decode(" aGVq\r\n").as_deref(), Some(&b"hej"[..]));
        for bad in ["aGVqZA", "aGVqZA=", "aGVqZB==", "aG-_", "aGVq=", "aGVq\u{a0}", " aG!Vq", "aGVq\n\u{a0}", "=aGVq", "a"] {
            assert_eq!(super::decode(bad), None, "{bad}");
        }
    }
}
