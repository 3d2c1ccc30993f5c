//! Numbers that could be a person's, and how they become impossible ones.

/// Runs of ten digits, or six and four with a hyphen between, by their places.
fn numbers(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut start, mut run) = (Vec::new(), 0, String::new());
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if c.is_ascii_digit() || (c == '-' && run.len() == 6) {
            if run.is_empty() {
                start = at;
            }
            run.push(c);
        } else {
            found.push((start, std::mem::take(&mut run)));
        }
    }
    found.retain(|(_, run)| run.chars().filter(char::is_ascii_digit).count() == 10);
    found
}

/// Whether a text holds a number that could be a person's: ten digits that begin with a day and a month.
pub(super) fn could_be_real(text: &str) -> bool {
    numbers(text).iter().any(|(_, run)| {
        let part = |from: usize| run.get(from..from + 2).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        // No century has a 29 February in a year whose last two digits four does not divide.
        let leapless = (part(0), part(2)) == (29, 2) && part(4) % 4 != 0;
        (1..=31).contains(&part(0)) && (1..=12).contains(&part(2)) && !leapless
    })
}

/// The text itself, or in its place what it becomes with impossible numbers: the day 61–91, 29 February of a year without
/// one, and nothing but noughts. Which of them its type takes is for the type to say.
pub(super) fn unreal(text: String) -> Vec<String> {
    if !could_be_real(&text) {
        return vec![text];
    }
    let replaced = |change: fn(&str) -> String| {
        let mut new = text.clone();
        for (at, run) in numbers(&text) {
            new.replace_range(at..at + run.len(), &change(&run));
        }
        new
    };
    vec![
        replaced(|run| {
            let day = run.get(..2).and_then(|day| day.parse::<u32>().ok()).unwrap_or(1);
            format!("{:02}{}", day + 60, run.get(2..).unwrap_or_default())
        }),
        replaced(|run| format!("290201{}", run.get(6..).unwrap_or_default())),
        replaced(|run| run.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_digits_that_begin_with_a_day_and_a_month_could_be_a_persons() {
        for real in ["0101901234", "010190-1234", "nr. 3112991234.", "2902001234"] {
            assert!(could_be_real(real), "{real}");
        }
        for unreal in ["6101901234", "610190-1234", "2902011234", "0000000000", "01019012345", "2026-11-29"] {
            assert!(!could_be_real(unreal), "{unreal}");
        }
    }
}
