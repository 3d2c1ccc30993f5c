//! What is counted of the console: log-ons, what was answered, sessions. No user, no authority.

use prometheus::{IntCounterVec, IntGauge};

use super::{Maker, Metrics, gauge_value};

/// The outcome of a log-on that opened a session.
const OPENED: &str = "opened";

pub(super) struct ConsoleMetrics {
    log_ons: IntCounterVec,
    requests: IntCounterVec,
    sessions: IntGauge,
}

impl ConsoleMetrics {
    pub(super) fn register(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        let registered = Self {
            log_ons: make.counters(
                "hjemmel_console_log_ons_total",
                "Log-ons to the console, by how the person was proven and what became of it: opened, or the refusal's code.",
                &["means", "outcome"],
            )?,
            requests: make.counters("hjemmel_console_requests_total", "Requests to the console, by status.", &["status"])?,
            sessions: make.gauge(
                "hjemmel_console_sessions",
                "Sessions of the console that go on; of the store, so the same on each node.",
            )?,
        };
        // There from the start, so that the first is seen to be one more.
        for means in ["link", "saml"] {
            registered.log_ons.with_label_values(&[means, OPENED]);
        }
        Ok(registered)
    }
}

impl Metrics {
    /// Counts a log-on that opened a session.
    pub fn logged_on(&self, means: &'static str) {
        self.console.log_ons.with_label_values(&[means, OPENED]).inc();
    }

    /// Counts a log-on that was refused, by the refusal's code; what is no refusal of a log-on is not counted.
    pub fn log_on_refused(&self, code: &'static str) {
        let means = match code {
            "ConsoleLinkInvalid" => "link",
            _ if code.starts_with("LogOn") => "saml",
            _ => return,
        };
        self.console.log_ons.with_label_values(&[means, code]).inc();
    }

    /// Counts a request to the console.
    pub fn console_answered(&self, status: u16) {
        self.console.requests.with_label_values(&[status.to_string().as_str()]).inc();
    }

    /// Shows how many sessions go on.
    pub fn observe_sessions(&self, many: u64) {
        self.console.sessions.set(gauge_value(many));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_ons_are_counted_by_outcome_and_requests_by_status() {
        let metrics = Metrics::new().unwrap();
        metrics.logged_on("saml");
        metrics.log_on_refused("LogOnReplayed");
        metrics.log_on_refused("ConsoleLinkInvalid");
        metrics.log_on_refused("ApiNotAllowed");
        metrics.console_answered(503);
        metrics.observe_sessions(3);
        let text = metrics.render().unwrap();
        for line in [
            r#"hjemmel_console_log_ons_total{means="saml",outcome="opened"} 1"#,
            r#"hjemmel_console_log_ons_total{means="link",outcome="opened"} 0"#,
            r#"hjemmel_console_log_ons_total{means="saml",outcome="LogOnReplayed"} 1"#,
            r#"hjemmel_console_log_ons_total{means="link",outcome="ConsoleLinkInvalid"} 1"#,
            r#"hjemmel_console_requests_total{status="503"} 1"#,
            "hjemmel_console_sessions 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nnot in\n{text}");
        }
        assert!(!text.contains("ApiNotAllowed"));
    }
}
