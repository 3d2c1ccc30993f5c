//! What a policy's rules are set to, as its file spells them: for whoever reads a policy, at the command line and in the console.

use super::diff;
use super::document::Policy;

impl Policy {
    /// What a rule about what may be asked is set to.
    pub fn asked(&self, rule: &str) -> String {
        let rules = self.request();
        match rule {
            "reading" => diff::reading(rules.reading).0.to_owned(),
            "naive" => diff::naive(rules.naive).0.to_owned(),
            "outside" => diff::outside(rules.outside).0.to_owned(),
            "direct-lookup" => rules.direct_lookup.to_string(),
            "include" => rules.include.to_string(),
            _ => rules.page_cap.to_string(),
        }
    }

    /// What a reason for removal is set to; none: it holds always.
    pub fn guarded(&self, reason: &str) -> Option<String> {
        let rules = self.release();
        match reason {
            "person" => Some(diff::person_check(rules.person_check()).0.to_owned()),
            "future" => Some(diff::future(rules.future()).0.to_owned()),
            "silence" => Some(rules.empty_status().to_string()),
            _ => None,
        }
    }
}
