//! The contract's schema by our validator and by the JDK's: the same verdict on every changed delivery.
//!
//! `HJEMMEL_MUTANTS=10000 cargo test --test passthrough the_jdk -- --nocapture` judges more of them.

use std::fs;

use super::contract::judged;
use super::folder;
use super::mutate::mutant;
use crate::jdk::jdk;
use crate::not_run::did_not_run;

/// The one difference that is known: a length counts characters, and the JDK counts units of UTF-16, two for each character beyond
/// U+FFFF (`findings/jdk-length-counts-utf16.sh`). It is this where we too refuse the delivery with two characters in the place of each.
async fn is_of_utf_16(xml: &str) -> bool {
    let doubled: String = xml.chars().flat_map(|c| if c > '\u{ffff}' { vec!['x', 'x'] } else { vec![c] }).collect();
    doubled.chars().count() > xml.chars().count() && judged(&doubled, "FinansbilagLeverance").await.is_err()
}

#[tokio::test]
async fn the_jdk_s_validator_and_ours_say_the_same_of_every_changed_delivery() {
    let count = std::env::var("HJEMMEL_MUTANTS").map_or(2_000, |count| count.parse::<usize>().unwrap());
    let files = tempfile::tempdir().unwrap();
    let mut ours = Vec::new();
    for (at, seed) in (0..count).zip(0..) {
        let xml = mutant(seed);
        ours.push(judged(&xml, "FinansbilagLeverance").await);
        fs::write(files.path().join(format!("{at}.xml")), xml).unwrap();
    }
    let valid = ours.iter().filter(|verdict| verdict.is_ok()).count();
    assert!(valid > count / 6 && valid < count * 5 / 6, "{valid} of {count} are valid");
    let Some(theirs) = jdk(&folder().join("Finansbilag.xsd"), files.path(), count) else {
        return did_not_run("the JDK's judge", "apt-get install default-jdk-headless");
    };
    assert_eq!(theirs.len(), count);
    let (mut differ, mut known) = (Vec::new(), 0);
    for (seed, (ours, theirs)) in (0..).zip(ours.iter().zip(theirs)) {
        if ours.is_ok() == theirs {
            continue;
        }
        if ours.is_ok() && is_of_utf_16(&mutant(seed)).await {
            known += 1;
        } else {
            differ.push(format!("{seed}: ours {ours:?}, the JDK {theirs}\n{}", mutant(seed)));
        }
    }
    assert!(differ.is_empty(), "{} of {count}:\n{}", differ.len(), differ.join("\n\n"));
    println!("the JDK: {count} deliveries, {valid} of them valid; {known} verdicts differ in how long a text is, no other does");
}
