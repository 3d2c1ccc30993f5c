//! Lower-case hexadecimal, as digests and thumbprints are written in files, records and on screens.

/// Writes `bytes` as lower-case hexadecimal.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend([byte >> 4, byte & 0x0f].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    text
}

/// Reads exactly `N` bytes from `2 * N` hexadecimal digits of either case; `None` for anything else.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let high = char::from(*high).to_digit(16)?;
        let low = char::from(*low).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let every: [u8; 256] = std::array::from_fn(|i| i as u8);
        assert_eq!(decode(&encode(&every)), Some(every));
        assert_eq!(encode(&[0, 15, 255]), "000fff");
        assert_eq!(decode("0AfF"), Some([0x0a, 0xff]), "tools print thumbprints in either case");
    }

    #[test]
    fn another_length_or_another_character_is_no_value() {
        for wrong in ["", "0", "000", "0g", "é", "0x", " 0", "00 0", "+1"] {
            assert_eq!(decode::<1>(wrong), None, "{wrong:?}");
        }
    }
}
