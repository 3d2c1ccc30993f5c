//! Pages of a list: so many at a time, in the order of their ids, and a cursor to go on from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::input::wrong_parameter;
use crate::decisions::shown::sha256;
use crate::refusal::api::ApiRefusal;

/// The most of a page.
pub const MOST: u32 = 200;
/// So many where nothing is asked for.
pub const USUAL: u32 = 50;

/// How many a page has.
///
/// # Errors
/// [`ApiRefusal::ApiQueryInvalid`].
pub fn limit(asked: Option<&str>) -> Result<u32, ApiRefusal> {
    let Some(asked) = asked else { return Ok(USUAL) };
    let plain = !asked.starts_with('0') && asked.bytes().all(|byte| byte.is_ascii_digit());
    asked
        .parse()
        .ok()
        .filter(|limit| plain && (1..=MOST).contains(limit))
        .ok_or_else(|| wrong_parameter("limit", format!("det skal være 1 til {MOST}"), format!("it must be 1 to {MOST}")))
}

/// The list that a cursor is of: its name, its filters and who asked. A cursor serves for no other.
pub fn list(name: &str, filters: &impl std::fmt::Debug, user: Uuid) -> String {
    sha256(&format!("{name} {filters:?} {user}"))
}

/// Where the next page begins. It tells nothing but a place: what is shown there is judged by the query as ever.
pub fn cursor(last: Uuid, list: &str) -> String {
    let check = sha256(&format!("cursor v1 {last} {list}"));
    URL_SAFE_NO_PAD.encode(format!("{last}{}", check.get(..16).unwrap_or_default()))
}

/// What of `found` stands on the page, where one more than `many` was asked for, and the cursor of the next.
pub fn cut<T>(mut found: Vec<T>, many: u32, list: &str, id: impl Fn(&T) -> Uuid) -> (Vec<T>, Option<String>) {
    let more = found.len() > many as usize;
    found.truncate(many as usize);
    let next = found.last().filter(|_| more).map(|last| cursor(id(last), list));
    (found, next)
}

/// The id after which the page begins.
///
/// # Errors
/// [`ApiRefusal::ApiCursorInvalid`] for a cursor that was not made of this list.
pub fn after(asked: Option<&str>, list: &str) -> Result<Option<Uuid>, ApiRefusal> {
    let Some(asked) = asked else { return Ok(None) };
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(asked).ok()?).ok()?;
        let last: Uuid = text.get(..36)?.parse().ok()?;
        (cursor(last, list) == asked).then_some(last)
    };
    read().map(Some).ok_or(ApiRefusal::ApiCursorInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_in_its_own_list_alone() {
        let (id, user) = (Uuid::from_u128(7), Uuid::from_u128(1));
        let own = list("agreements", &("11111111", None::<&str>), user);
        let made = cursor(id, &own);
        assert_eq!(after(Some(&made), &own).unwrap(), Some(id));
        assert_eq!(after(None, &own).unwrap(), None);
        let others = [
            list("agreements", &("22222222", None::<&str>), user),
            list("agreements", &("11111111", None::<&str>), Uuid::from_u128(2)),
            list("routes", &("11111111", None::<&str>), user),
        ];
        for other in others {
            assert_eq!(after(Some(&made), &other), Err(ApiRefusal::ApiCursorInvalid));
        }
        let forged = URL_SAFE_NO_PAD.encode(format!("{}{}", Uuid::from_u128(8), "0".repeat(16)));
        for bad in [forged.as_str(), "", "!", "AAAA", &made.to_uppercase(), &format!("{made}=")] {
            assert_eq!(after(Some(bad), &own), Err(ApiRefusal::ApiCursorInvalid), "{bad:?}");
        }
    }

    #[test]
    fn a_page_has_one_to_two_hundred() {
        assert_eq!((limit(None).unwrap(), limit(Some("1")).unwrap(), limit(Some("200")).unwrap()), (50, 1, 200));
        for bad in ["0", "201", "-1", "+5", "05", "5 ", "", "1e2", "5.0", "٥", "99999999999999999999"] {
            assert!(limit(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
