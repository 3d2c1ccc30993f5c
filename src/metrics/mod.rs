//! What Prometheus scrapes, derived from the audit record where it can be, so that the two never disagree.
//!
//! Label values are bounded in number and in kind: they are names of services, rules, steps and codes, never a CVR number
//! (a stranger could claim a million of them), never anything about a person. `Labels` holds that line whatever a
//! record carries.

mod console;
pub mod summary;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError, RwLock},
};

use jiff::Timestamp;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::audit::{About, Counts, Record, Stats, Tally};
use crate::revocation::domain::ListState;
use crate::store::jobs::Figures;
use crate::{outbound, replay, saml, sts, work};

/// Whole calls, in seconds: from an answer out of memory to the longest deadline. The service that this one replaces
/// shows 516 ms, so there is a bound just below.
const CALL_SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Single steps, in seconds: from parsing to waiting for a peer.
const STEP_SECONDS: [f64; 13] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 30.0];

const BREAKER_STATES: [(&str, Breaker); 3] =
    [("closed", Breaker::Closed), ("half_open", Breaker::HalfOpen), ("open", Breaker::Open)];

/// State of the circuit breaker in front of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Calls pass.
    Closed,
    /// One call tries.
    HalfOpen,
    /// The peer is left alone.
    Open,
}

/// The gateway's metrics. Share it in an `Arc`.
pub struct Metrics {
    registry: Registry,
    labels: Labels,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    step_seconds: HistogramVec,
    /// The histogram of each step met so far: every call has ten, and looking one up by its label costs more than counting.
    steps: RwLock<BTreeMap<String, Histogram>>,
    objects: IntCounterVec,
    fields: IntCounterVec,
    in_flight: IntGauge,
    working: IntGauge,
    overload_refusals: IntCounter,
    log_dropped: IntCounter,
    traces_lost: IntCounter,
    refused_before_call: IntCounterVec,
    api_requests: IntCounterVec,
    connections_opened: IntCounterVec,
    connections_closed: IntCounterVec,
    resent: IntCounterVec,
    certificate_expiry: GaugeVec,
    breaker: IntGaugeVec,
    /// The peers that were shown last.
    peers: Mutex<HashSet<String>>,
    token_cache: IntCounterVec,
    token_cache_entries: IntGauge,
    token_cache_last: Mutex<sts::cache::Stats>,
    assertions: IntCounterVec,
    assertions_entries: IntGauge,
    assertions_last: Mutex<saml::memory::Stats>,
    console: console::ConsoleMetrics,
    /// What services count in their own words, by the name of the family.
    own: HashMap<&'static str, IntCounterVec>,
    replay: IntGauge,
    replay_capacity: IntGauge,
    shared_replay: SharedReplay,
    deliveries: IntCounterVec,
    deliveries_last: Mutex<BTreeMap<&'static str, u64>>,
    jobs: IntGaugeVec,
    jobs_oldest: GaugeVec,
    hears_changes: IntGauge,
    asked_ago: Gauge,
    put_back: IntGauge,
    reloads: IntCounterVec,
    reloaded: Gauge,
    crl_next_update: GaugeVec,
    crl_fetched: GaugeVec,
    crl_failures: IntGaugeVec,
    ocsp_response_ends: Gauge,
    audit: AuditMetrics,
}

struct SharedReplay {
    messages: IntCounter,
    statements: IntCounter,
    wait_seconds: Counter,
    failures: IntCounterVec,
    forgotten: IntCounter,
    last: Mutex<replay::Stats>,
}

struct AuditMetrics {
    ready: IntGauge,
    records: IntCounter,
    commits: IntCounter,
    failures: IntCounter,
    commit_seconds: Counter,
    sequence: Gauge,
    waiting: IntGauge,
    open_calls: IntGauge,
    archived: IntCounter,
    archive_failures: IntCounter,
    archive_waiting: IntGauge,
    archive_waiting_seconds: IntGauge,
    anchored: Gauge,
    anchor_failures: IntCounter,
    last: Mutex<Stats>,
}

impl Metrics {
    /// Where a part of the gateway registers metrics of its own.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers every metric.
    ///
    /// # Errors
    /// Only when two metrics had one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let make = Maker(&registry);
        let build = make.gauges("hjemmel_build_info", "The version that runs; always 1.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            labels: Labels::default(),
            calls: make.counters(
                "hjemmel_calls_total",
                "Calls closed, by outcome and refusal code.",
                &["service", "operation", "binding", "outcome", "code"],
            )?,
            call_seconds: make.histograms(
                "hjemmel_call_duration_seconds",
                "Duration of whole calls.",
                &["service", "operation", "outcome"],
                &CALL_SECONDS,
            )?,
            step_seconds: make.histograms(
                "hjemmel_step_duration_seconds",
                "Duration of the steps of calls.",
                &["step"],
                &STEP_SECONDS,
            )?,
            steps: RwLock::default(),
            objects: make.counters(
                "hjemmel_objects_total",
                "Objects of answers, by what was done and the rule that decided.",
                &["action", "rule"],
            )?,
            fields: make.counters(
                "hjemmel_fields_total",
                "Fields of objects in answers, by what was done and the rule that decided.",
                &["action", "rule"],
            )?,
            in_flight: make.gauge("hjemmel_inflight_requests", "Calls that are open, from the head of the request on.")?,
            working: make
                .gauge("hjemmel_working_requests", "Calls being worked on: the whole request is here, and no peer waited for.")?,
            overload_refusals: make.counter("hjemmel_overload_refusals_total", "Calls refused with 503 for want of room.")?,
            refused_before_call: make.counters(
                "hjemmel_refused_before_call_total",
                "Connections and requests refused before there was a call, in TCP, TLS or the head of HTTP, by cause.",
                &["listener", "cause"],
            )?,
            log_dropped: make.counter(
                "hjemmel_log_lines_dropped_total",
                "Log lines dropped because nothing read stderr, or because it could not be written.",
            )?,
            traces_lost: make.counter(
                "hjemmel_trace_batches_lost_total",
                "Batches of spans that no collector took; 0 where nothing is traced.",
            )?,
            api_requests: make.counters(
                "hjemmel_api_requests_total",
                "Requests to the API, by path as the contract names it, and by status.",
                &["path", "status"],
            )?,
            connections_opened: make.counters(
                "hjemmel_outbound_connections_opened_total",
                "Connections opened to others.",
                &["peer"],
            )?,
            connections_closed: make.counters(
                "hjemmel_outbound_connections_closed_total",
                "Connections to others that take no more calls, by cause.",
                &["peer", "cause"],
            )?,
            resent: make.counters(
                "hjemmel_outbound_requests_resent_total",
                "Requests sent once more because the peer had processed nothing of them, by how that was known.",
                &["peer", "cause"],
            )?,
            certificate_expiry: make.float_gauges(
                "hjemmel_certificate_expiry_timestamp_seconds",
                "When a certificate expires, in seconds since the Unix epoch.",
                &["name"],
            )?,
            breaker: make.gauges(
                "hjemmel_breaker_state",
                "State of a circuit breaker: 1 for the one it is in.",
                &["target", "state"],
            )?,
            peers: Mutex::default(),
            token_cache: make.counters(
                "hjemmel_token_cache_requests_total",
                "Requests for a token, by what the cache did.",
                &["result"],
            )?,
            token_cache_entries: make.gauge("hjemmel_token_cache_entries", "Tokens held.")?,
            token_cache_last: Mutex::default(),
            assertions: make.counters(
                "hjemmel_assertion_memory_lookups_total",
                "Tokens of callers, by whether they were verified before and remembered.",
                &["result"],
            )?,
            assertions_entries: make.gauge("hjemmel_assertion_memory_entries", "Verified tokens of callers remembered.")?,
            assertions_last: Mutex::default(),
            replay: make.gauge("hjemmel_replay_memory_messages", "Messages remembered against replay.")?,
            replay_capacity: make
                .gauge("hjemmel_replay_memory_capacity", "Messages that can be remembered; full means that calls are refused.")?,
            shared_replay: SharedReplay {
                messages: make
                    .counter("hjemmel_replay_database_messages_total", "Messages that the shared memory was asked about.")?,
                statements: make.counter(
                    "hjemmel_replay_database_statements_total",
                    "Statements sent to the shared memory, each for one or more messages.",
                )?,
                wait_seconds: make.float_counter(
                    "hjemmel_replay_database_wait_seconds_total",
                    "Time that calls waited for the shared memory.",
                )?,
                failures: make.counters(
                    "hjemmel_replay_database_failures_total",
                    "Messages refused because the shared memory could not tell whether they were there before, by cause.",
                    &["cause"],
                )?,
                forgotten: make.counter(
                    "hjemmel_replay_database_forgotten_total",
                    "Expired messages that this node deleted from the shared memory.",
                )?,
                last: Mutex::default(),
            },
            deliveries: make.counters(
                "hjemmel_deliveries_total",
                "Deliveries that were known before or whose answer was lost, by what became of them; \"unknown\": nobody here knows whether the receiver has it.",
                &["what"],
            )?,
            deliveries_last: Mutex::default(),
            jobs: make.gauges(
                "hjemmel_jobs",
                "Jobs in the store by kind and state: waiting, or dead, which is given up and waits for somebody to look at it.",
                &["kind", "state"],
            )?,
            jobs_oldest: make.float_gauges(
                "hjemmel_jobs_oldest_seconds",
                "For how long the oldest job of a kind that is not done has waited.",
                &["kind"],
            )?,
            hears_changes: make.gauge(
                "hjemmel_store_hears_changes",
                "Whether the node hears at once what others change in PostgreSQL: 1. At 0 it asks, and sees it within a second. 1 too with SQLite.",
            )?,
            asked_ago: make.float_gauge(
                "hjemmel_store_asked_seconds",
                "How long ago the store last answered whether anything was decided, which it is asked four times a second. What was decided since then by others may not hold here yet.",
            )?,
            put_back: make.gauge(
                "hjemmel_store_put_back",
                "Whether the store is an earlier state than this node has seen, so that nothing of it is believed and calls are refused: 1.",
            )?,
            own: About::families()
                .map(|family| Ok((family.name, make.counters(family.name, family.help, &["service", family.label])?)))
                .collect::<Result<_, prometheus::Error>>()?,
            console: console::ConsoleMetrics::register(&make)?,
            reloads: make.counters(
                "hjemmel_reload_total",
                "Reloads of the configuration and of revocation lists, by what became of them.",
                &["what", "result"],
            )?,
            reloaded: make.float_gauge(
                "hjemmel_reload_timestamp_seconds",
                "When the configuration in force was read, in seconds since the Unix epoch.",
            )?,
            crl_fetched: make.float_gauges(
                "hjemmel_crl_fetched_timestamp_seconds",
                "When a revocation list was last got from its source and believed, in seconds since the Unix epoch; 0: not yet.",
                &["name"],
            )?,
            crl_failures: make.gauges(
                "hjemmel_crl_failures_in_a_row",
                "How many times in a row a revocation list has not been got from its source.",
                &["name"],
            )?,
            ocsp_response_ends: make.float_gauge(
                "hjemmel_ocsp_response_next_update_timestamp_seconds",
                "Until when the stapled OCSP response holds, in seconds since the Unix epoch; 0: none is stapled.",
            )?,
            crl_next_update: make.float_gauges(
                "hjemmel_crl_next_update_timestamp_seconds",
                "When the next edition of a revocation list is due, in seconds since the Unix epoch.",
                &["name"],
            )?,
            audit: AuditMetrics {
                ready: make.gauge("hjemmel_audit_ready", "Whether the last write of the audit log succeeded.")?,
                records: make.counter("hjemmel_audit_records_total", "Audit records on disk.")?,
                commits: make
                    .counter("hjemmel_audit_commits_total", "Synced writes of the audit log, each of one or more records.")?,
                failures: make.counter("hjemmel_audit_commit_failures_total", "Writes of the audit log that failed.")?,
                commit_seconds: make
                    .float_counter("hjemmel_audit_commit_seconds_total", "Time spent in synced writes of the audit log.")?,
                sequence: make.float_gauge("hjemmel_audit_sequence", "Number of the last entry of the audit log on disk.")?,
                waiting: make.gauge("hjemmel_audit_waiting_records", "Closing records that wait for the disk to come back.")?,
                open_calls: make.gauge("hjemmel_audit_open_calls", "Calls whose record is open.")?,
                archived: make.counter("hjemmel_audit_archived_segments_total", "Segments put in the archive and read back.")?,
                archive_failures: make
                    .counter("hjemmel_audit_archive_failures_total", "Segments that could not be put in the archive, by tries.")?,
                archive_waiting: make.gauge(
                    "hjemmel_audit_archive_waiting_segments",
                    "Segments that have ended and are not in the archive; 0 where there is none.",
                )?,
                archive_waiting_seconds: make
                    .gauge("hjemmel_audit_archive_waiting_seconds", "How long ago the first of them ended.")?,
                anchored: make.float_gauge(
                    "hjemmel_audit_anchored_timestamp_seconds",
                    "When the log's last checkpoint was last known to be anchored in the store, in seconds since the Unix epoch; 0: never.",
                )?,
                anchor_failures: make
                    .counter("hjemmel_audit_anchor_failures_total", "Checkpoints that could not be anchored, by tries.")?,
                last: Mutex::default(),
            },
            registry,
        };
        // A series that is there from the start can be alerted on before its first event.
        for result in ["hit", "miss", "renewed", "failed"] {
            metrics.token_cache.with_label_values(&[result]);
        }
        for result in ["hit", "miss"] {
            metrics.assertions.with_label_values(&[result]);
        }
        for cause in replay::CAUSES {
            metrics.shared_replay.failures.with_label_values(&[cause]);
        }
        for what in [Reload::Configuration, Reload::RevocationLists, Reload::OcspResponse] {
            for result in ["applied", "refused"] {
                metrics.reloads.with_label_values(&[what.name(), result]);
            }
        }
        Ok(metrics)
    }

    /// Takes over what became of deliveries that were known before. Call it before [`render`](Self::render).
    pub fn observe_deliveries(&self, stats: &[(&'static str, u64)]) {
        let mut last = self.deliveries_last.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, count) in stats {
            let before = last.insert(what, *count).unwrap_or_default();
            self.deliveries.with_label_values(&[*what]).inc_by(count.saturating_sub(before));
        }
    }

    /// Counts a call by the record that closes it. Give this to [`crate::audit::Audit::start`].
    pub fn observe(&self, record: &Record) {
        let service = self.labels.bound("service", &record.service);
        let operation = self.labels.bound("operation", record.operation.as_deref().unwrap_or("none"));
        let binding = record.binding.map_or("none", |binding| binding.name());
        let outcome = record.outcome.map_or("none", |outcome| outcome.name());
        let code = self.labels.bound("code", record.refusal.as_deref().unwrap_or("none"));
        self.calls.with_label_values(&[service, operation, binding, outcome, code]).inc();
        if let Some(micros) = record.duration_us {
            self.call_seconds.with_label_values(&[service, operation, outcome]).observe(seconds(micros));
        }
        for (step, micros) in &record.timings_us {
            self.step(step, seconds(*micros));
        }
        for Tally { family, value, by } in record.tallies() {
            let value = self.labels.bound(family.label, value);
            if let Some(counters) = self.own.get(family.name) {
                counters.with_label_values(&[service, value]).inc_by(by);
            }
        }
        if let Some((released, removed)) = record.about.counts() {
            self.count("released", released);
            self.count("removed", removed);
        }
    }

    fn count(&self, action: &str, counts: &Counts) {
        for (family, by_rule) in [(&self.objects, &counts.objects), (&self.fields, &counts.fields)] {
            for (rule, count) in by_rule {
                family.with_label_values(&[action, self.labels.bound("rule", rule)]).inc_by(*count);
            }
        }
    }

    /// A segment was put in the archive.
    pub fn audit_segment_archived(&self) {
        self.audit.archived.inc();
    }

    /// A segment could not be put in the archive.
    pub fn audit_archive_failed(&self) {
        self.audit.archive_failures.inc();
    }

    /// How many segments wait for the archive, and since how many seconds the first of them does.
    pub fn audit_waits_for_archive(&self, segments: u64, seconds: i64) {
        self.audit.archive_waiting.set(gauge_value(segments));
        self.audit.archive_waiting_seconds.set(seconds);
    }

    /// The audit log's checkpoints are anchored as of now, or (`None`) could not be.
    pub fn audit_anchored(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.audit.anchored.set(at.as_second() as f64),
            None => self.audit.anchor_failures.inc(),
        }
    }

    /// Takes over the figures of the audit writer. Call it before [`render`](Self::render).
    pub fn observe_audit(&self, stats: &Stats) {
        let audit = &self.audit;
        let mut last = audit.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        audit.records.inc_by(stats.records.saturating_sub(last.records));
        audit.commits.inc_by(stats.commits.saturating_sub(last.commits));
        audit.failures.inc_by(stats.failures.saturating_sub(last.failures));
        audit.commit_seconds.inc_by(seconds(stats.commit_us.saturating_sub(last.commit_us)));
        audit.ready.set(i64::from(stats.ready));
        audit.sequence.set(stats.sequence as f64);
        audit.waiting.set(gauge_value(stats.waiting));
        audit.open_calls.set(gauge_value(stats.open_calls));
        *last = *stats;
    }

    /// Counts a request as being worked on until the guard is dropped.
    #[must_use = "the request counts as in flight while this is held"]
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Takes over what became of the connections to `peer`. Call it before [`render`](Self::render).
    pub fn observe_connections(&self, peer: &str, counts: &outbound::counts::Counts) {
        let grow = |counter: IntCounter, now: u64| counter.inc_by(now.saturating_sub(counter.get()));
        grow(self.connections_opened.with_label_values(&[peer]), counts.opened());
        for (cause, count) in counts.closed() {
            grow(self.connections_closed.with_label_values(&[peer, cause]), count);
        }
        for (cause, count) in counts.resent() {
            grow(self.resent.with_label_values(&[peer, cause]), count);
        }
    }

    /// Shows when one of the gateway's certificates, by its name in the configuration, expires.
    pub fn certificate_expires(&self, name: &str, at: Timestamp) {
        self.certificate_expiry.with_label_values(&[self.labels.bound("name", name)]).set(at.as_second() as f64);
    }

    /// Shows for every certificate when it expires, and forgets those that are not configured any more.
    pub fn certificates_expire(&self, all: &[(String, Timestamp)]) {
        self.certificate_expiry.reset();
        all.iter().for_each(|(name, at)| self.certificate_expires(name, *at));
    }

    /// Takes over the state of each peer, and forgets those that are not configured any more. Call it before
    /// [`render`](Self::render).
    pub fn observe_peers<'p>(&self, all: impl Iterator<Item = (&'p str, Breaker, &'p outbound::counts::Counts)>) {
        let mut known = self.peers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *known);
        for (peer, state, counts) in all {
            self.breaker(peer, state);
            self.observe_connections(peer, counts);
            gone.remove(peer);
            known.insert(peer.to_owned());
        }
        gone.iter().for_each(|peer| self.forget(peer));
    }

    /// A series that is not there cannot be removed, which is as well.
    fn forget(&self, peer: &str) {
        let none = outbound::counts::Counts::default();
        BREAKER_STATES.iter().for_each(|(state, _)| drop(self.breaker.remove_label_values(&[peer, state])));
        drop(self.connections_opened.remove_label_values(&[peer]));
        none.closed().for_each(|(cause, _)| drop(self.connections_closed.remove_label_values(&[peer, cause])));
        none.resent().for_each(|(cause, _)| drop(self.resent.remove_label_values(&[peer, cause])));
    }

    fn breaker(&self, target: &str, state: Breaker) {
        let target = self.labels.bound("target", target);
        for (name, of) in BREAKER_STATES {
            self.breaker.with_label_values(&[target, name]).set(i64::from(of == state));
        }
    }

    /// Takes over what the token cache did, and how many tokens it holds. Call it before [`render`](Self::render).
    pub fn observe_tokens(&self, stats: sts::cache::Stats, entries: u64) {
        let mut last = self.token_cache_last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let grown = [
            ("hit", stats.hits, last.hits),
            ("miss", stats.misses, last.misses),
            ("renewed", stats.renewed, last.renewed),
            ("failed", stats.failed, last.failed),
        ];
        for (result, now, before) in grown {
            self.token_cache.with_label_values(&[result]).inc_by(now.saturating_sub(before));
        }
        self.token_cache_entries.set(gauge_value(entries));
        *last = stats;
    }

    /// Takes over what the memory of verified tokens did, and how many it holds. Call it before [`render`](Self::render).
    pub fn observe_assertions(&self, stats: saml::memory::Stats, entries: u64) {
        let mut last = self.assertions_last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (result, now, before) in [("hit", stats.hits, last.hits), ("miss", stats.misses, last.misses)] {
            self.assertions.with_label_values(&[result]).inc_by(now.saturating_sub(before));
        }
        self.assertions_entries.set(gauge_value(entries));
        *last = stats;
    }

    /// Takes over how many calls are worked on, and how many were refused for want of room.
    pub fn observe_work(&self, stats: work::Stats) {
        self.working.set(stats.working);
        self.overload_refusals.inc_by(stats.refused.saturating_sub(self.overload_refusals.get()));
    }

    /// Takes over how many log lines were dropped since the process began.
    pub fn observe_log(&self, dropped: u64) {
        self.log_dropped.inc_by(dropped.saturating_sub(self.log_dropped.get()));
    }

    /// Takes over how many batches of spans were lost since the process began.
    pub fn observe_traces(&self, lost: u64) {
        self.traces_lost.inc_by(lost.saturating_sub(self.traces_lost.get()));
    }

    fn step(&self, step: &str, seconds: f64) {
        if let Some(known) = self.steps.read().unwrap_or_else(PoisonError::into_inner).get(step) {
            return known.observe(seconds);
        }
        let name = self.labels.bound("step", step);
        let histogram = self.step_seconds.with_label_values(&[name]);
        histogram.observe(seconds);
        if name == step {
            self.steps.write().unwrap_or_else(PoisonError::into_inner).insert(step.to_owned(), histogram);
        }
    }

    /// Shows the causes for which a listener may refuse somebody before there is a call.
    pub fn may_refuse_before_call(&self, listener: &'static str, causes: impl Iterator<Item = &'static str>) {
        causes.for_each(|cause| drop(self.refused_before_call.with_label_values(&[listener, cause])));
    }

    /// Counts somebody who was refused before there was a call.
    pub fn refused_before_call(&self, listener: &'static str, cause: &'static str) {
        self.refused_before_call.with_label_values(&[listener, cause]).inc();
    }

    /// Takes over what the shared memory against replay did. Call it before [`render`](Self::render).
    pub fn observe_shared_replay(&self, stats: &replay::Stats) {
        let shared = &self.shared_replay;
        let mut last = shared.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.messages.inc_by(stats.messages.saturating_sub(last.messages));
        shared.statements.inc_by(stats.statements.saturating_sub(last.statements));
        shared.wait_seconds.inc_by(seconds(stats.waited_us.saturating_sub(last.waited_us)));
        for ((cause, now), before) in replay::CAUSES.iter().zip(stats.failures).zip(last.failures) {
            shared.failures.with_label_values(&[cause]).inc_by(now.saturating_sub(before));
        }
        shared.forgotten.inc_by(stats.forgotten.saturating_sub(last.forgotten));
        *last = *stats;
    }

    /// Counts a request to the API.
    pub fn api_answered(&self, path: &str, status: u16) {
        self.api_requests.with_label_values(&[path, status.to_string().as_str()]).inc();
    }

    /// Shows the state of jobs, by kind; a kind that has none any more is shown as none.
    pub fn observe_jobs(&self, kinds: &[(String, Figures)]) {
        self.jobs.reset();
        self.jobs_oldest.reset();
        for (kind, figures) in kinds {
            self.jobs.with_label_values(&[kind, "waiting"]).set(gauge_value(figures.waiting));
            self.jobs.with_label_values(&[kind, "dead"]).set(gauge_value(figures.dead));
            self.jobs_oldest.with_label_values(&[kind]).set(figures.oldest.as_secs_f64());
        }
    }

    /// Shows whether others' changes of the store are heard of at once, and how long ago it was asked for them.
    pub fn observe_notices(&self, heard: bool, asked_ago: Option<std::time::Duration>) {
        self.hears_changes.set(i64::from(heard));
        self.asked_ago.set(asked_ago.map_or(0.0, |ago| ago.as_secs_f64()));
    }

    /// Shows whether the store is an earlier state that was put back.
    pub fn observe_put_back(&self, is: bool) {
        self.put_back.set(i64::from(is));
    }

    /// Shows how many messages are remembered against replay, and how many can be.
    pub fn observe_replay(&self, messages: usize, capacity: usize) {
        self.replay.set(gauge_value(messages as u64));
        self.replay_capacity.set(gauge_value(capacity as u64));
    }

    /// Counts a reload that was applied at the given instant, or refused (`None`): then what was in force stays so.
    pub fn reloaded(&self, what: Reload, applied: Option<Timestamp>) {
        self.reloads.with_label_values(&[what.name(), if applied.is_some() { "applied" } else { "refused" }]).inc();
        if let (Reload::Configuration, Some(at)) = (what, applied) {
            self.in_force_since(at);
        }
    }

    /// Shows when the configuration in force was read.
    pub fn in_force_since(&self, at: Timestamp) {
        self.reloaded.set(at.as_second() as f64);
    }

    /// Shows of every revocation list when its successor is due (0: there is no list), when its source last gave one that
    /// was believed, and how many times in a row it has not.
    pub fn revocation_lists(&self, all: &[ListState]) {
        self.crl_next_update.reset();
        self.crl_fetched.reset();
        self.crl_failures.reset();
        let seconds = |at: Option<Timestamp>| at.map_or(0.0, |at| at.as_second() as f64);
        for list in all {
            let name = self.labels.bound("name", &list.name);
            self.crl_next_update.with_label_values(&[name]).set(seconds(list.next_update));
            self.crl_fetched.with_label_values(&[name]).set(seconds(list.fetched));
            self.crl_failures.with_label_values(&[name]).set(list.failures.into());
        }
    }

    /// Shows until when the OCSP response holds that is stapled now; `None`: none is.
    pub fn ocsp_response_ends(&self, at: Option<Timestamp>) {
        self.ocsp_response_ends.set(at.map_or(0.0, |at| at.as_second() as f64));
    }

    /// All of it in Prometheus' text format, version 0.0.4 (`text/plain; version=0.0.4`).
    ///
    /// # Errors
    /// When a metric cannot be written, which a registered one always can.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// What is read anew while the gateway runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The configuration file and what it names.
    Configuration,
    /// Revocation lists alone.
    RevocationLists,
    /// The OCSP response to be stapled, alone.
    OcspResponse,
}

impl Reload {
    fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::RevocationLists => "crls",
            Self::OcspResponse => "ocsp",
        }
    }
}

/// A request that is being worked on.
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The line that no label value passes: at most [`Labels::LIMIT`] values a label, each a short name, and none with a run of
/// digits as long as a CVR or CPR number. What does not fit is counted as `other`.
#[derive(Default)]
struct Labels(Mutex<HashMap<&'static str, HashSet<String>>>);

impl Labels {
    const LIMIT: usize = 200;

    fn bound<'v>(&self, label: &'static str, value: &'v str) -> &'v str {
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let values = seen.entry(label).or_default();
        // What is in it was looked at when it came.
        if values.contains(value) {
            return value;
        }
        let name = (1..=80).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./:".contains(&b));
        let digits = value.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= 6);
        if !name || digits || values.len() >= Self::LIMIT {
            return "other";
        }
        values.insert(value.to_owned());
        value
    }
}

/// Makes metrics and registers them.
struct Maker<'r>(&'r Registry);

impl Maker<'_> {
    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }
    fn float_counter(&self, name: &str, help: &str) -> Result<Counter, prometheus::Error> {
        self.register(Counter::new(name, help)?)
    }
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }
    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }
    fn float_gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::new(name, help)?)
    }
    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }
    fn float_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }
    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Result<HistogramVec, prometheus::Error> {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

fn gauge_value(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{AboutFinance, AboutPassThrough, AboutPersons, AboutTerminalAdgang, Binding, FinanceFigures, Outcome, PolicyRef},
        id::cvr::Cvr,
    };

    fn record() -> Record {
        let mut record = Record::new(uuid::Uuid::nil(), "2026-11-22T12:00:00Z".parse().unwrap(), "a-service");
        record.operation = Some("fremsoeg".into());
        record.binding = Some(Binding::Token);
        record.outcome = Some(Outcome::Served);
        record.duration_us = Some(120_000);
        record
    }

    /// Of a service that judges an answer, with what it released and removed.
    fn judged(count: impl FnOnce(&mut Counts, &mut Counts)) -> About {
        let policy = PolicyRef { id: "a".into(), version: "1".into(), digest: "00".into() };
        let mut about = AboutTerminalAdgang::new(policy, std::collections::BTreeMap::new());
        count(&mut about.released, &mut about.removed);
        about.into()
    }

    #[test]
    fn an_import_is_counted_by_what_became_of_it_and_its_persons_by_their_status_once() {
        let metrics = Metrics::new().unwrap();
        let counts = |counts: &[(&str, u64)]| counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let about = AboutPersons {
            persons: 5,
            statuses: counts(&[("OPRETTET", 3), ("AFVIST", 2)]),
            // What a caller wrote of a person's stays out.
            findings: counts(&[("PI003", 2), ("6101801234", 1)]),
            repeated: false,
        };
        for (about, outcome) in [
            (about.clone(), Outcome::Served),
            (AboutPersons { repeated: true, ..about.clone() }, Outcome::Served),
            (AboutPersons { persons: 501, ..AboutPersons::default() }, Outcome::Refused),
        ] {
            metrics.observe(&Record { about: about.into(), outcome: Some(outcome), ..record() });
        }
        let text = metrics.render().unwrap();
        for line in [
            r#"hjemmel_persons_imports_total{outcome="answered",service="a-service"} 1"#,
            r#"hjemmel_persons_imports_total{outcome="repeated",service="a-service"} 1"#,
            r#"hjemmel_persons_imports_total{outcome="refused",service="a-service"} 1"#,
            r#"hjemmel_persons_total{service="a-service",status="OPRETTET"} 3"#,
            r#"hjemmel_persons_total{service="a-service",status="AFVIST"} 2"#,
            r#"hjemmel_persons_findings_total{code="PI003",service="a-service"} 2"#,
            r#"hjemmel_persons_findings_total{code="other",service="a-service"} 1"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_delivery_is_counted_by_what_became_of_it_and_its_errors_by_whom_they_are_for() {
        let metrics = Metrics::new().unwrap();
        let figures = |receipt: Option<&str>, findings: &[&str], audiences: &[(&str, u64)]| FinanceFigures {
            delivery: uuid::Uuid::nil(),
            vouchers: 4,
            postings: 8,
            debit: "1.00".into(),
            credit: "1.00".into(),
            list: uuid::Uuid::nil(),
            list_version: None,
            trial: false,
            findings: findings.iter().map(|code| ((*code).to_owned(), 1)).collect(),
            audiences: audiences.iter().map(|(audience, count)| ((*audience).to_owned(), *count)).collect(),
            repeated: false,
            findings_left_out: 0,
            receipt: receipt.map(str::to_owned),
            accepted: receipt.map(|_| 1),
            rejected: receipt.map(|_| 3),
        };
        for (figures, refusal) in [
            (figures(Some("ACCEPTERET"), &[], &[]), None),
            (figures(Some("AFVIST"), &["FB020"], &[("SLUTBRUGER", 3), ("ADMINISTRATOR", 1)]), None),
            (figures(None, &["FB010"], &[("SLUTBRUGER", 1)]), Some("FB010")),
            (figures(None, &["FB020"], &[("DRIFT", 1)]), Some("PeerTimeout")),
            // Its answer was lost before, and its ledger may not be asked.
            (figures(None, &[], &[("DRIFT", 1)]), Some("DeliveryUnknown")),
            (figures(None, &[], &[("ADMINISTRATOR", 1)]), Some("FB032")),
            (FinanceFigures { repeated: true, ..figures(Some("ACCEPTERET"), &["FB020"], &[("SLUTBRUGER", 9)]) }, None),
            // What a ledger wrote of a person's stays out.
            (figures(Some("MODTAGET"), &[], &[("6101801234", 1)]), None),
        ] {
            let pass = AboutPassThrough::new("00".to_owned());
            let outcome = if refusal.is_some() { Outcome::Refused } else { Outcome::Served };
            let refusal = refusal.map(Into::into);
            let about = AboutFinance { pass, figures }.into();
            metrics.observe(&Record { about, outcome: Some(outcome), refusal, ..record() });
        }
        let text = metrics.render().unwrap();
        for line in [
            r#"hjemmel_finance_deliveries_total{outcome="accepted",service="a-service"} 1"#,
            r#"hjemmel_finance_deliveries_total{outcome="rejected",service="a-service"} 1"#,
            r#"hjemmel_finance_deliveries_total{outcome="refused",service="a-service"} 1"#,
            r#"hjemmel_finance_deliveries_total{outcome="unanswered",service="a-service"} 2"#,
            r#"hjemmel_finance_deliveries_total{outcome="under_way",service="a-service"} 1"#,
            r#"hjemmel_finance_deliveries_total{outcome="received",service="a-service"} 1"#,
            r#"hjemmel_finance_deliveries_total{outcome="repeated",service="a-service"} 1"#,
            r#"hjemmel_finance_vouchers_total{outcome="accepted",service="a-service"} 3"#,
            r#"hjemmel_finance_vouchers_total{outcome="rejected",service="a-service"} 9"#,
            r#"hjemmel_finance_findings_total{code="FB020",service="a-service"} 2"#,
            r#"hjemmel_finance_errors_total{audience="SLUTBRUGER",service="a-service"} 4"#,
            r#"hjemmel_finance_errors_total{audience="ADMINISTRATOR",service="a-service"} 2"#,
            r#"hjemmel_finance_errors_total{audience="DRIFT",service="a-service"} 2"#,
            r#"hjemmel_finance_errors_total{audience="other",service="a-service"} 1"#,
        ] {
            assert!(text.contains(line), "{line}\nin\n{text}");
        }
        assert!(!text.contains("6101801234"));
    }

    #[test]
    fn a_served_call_is_counted_with_its_time_steps_objects_and_fields() {
        let metrics = Metrics::new().unwrap();
        let mut record = record();
        record.timings_us.insert("forward".into(), 90_000);
        record.about = judged(|released, removed| {
            released.objects.insert("released".into(), 3);
            removed.fields.insert("not-named".into(), 40);
        });
        metrics.observe(&record);
        let text = metrics.render().unwrap();
        for line in [
            r#"hjemmel_calls_total{binding="token",code="none",operation="fremsoeg",outcome="served",service="a-service"} 1"#,
            r#"hjemmel_call_duration_seconds_bucket{operation="fremsoeg",outcome="served",service="a-service",le="0.1"} 0"#,
            r#"hjemmel_call_duration_seconds_bucket{operation="fremsoeg",outcome="served",service="a-service",le="0.25"} 1"#,
            r#"hjemmel_step_duration_seconds_sum{step="forward"} 0.09"#,
            r#"hjemmel_objects_total{action="released",rule="released"} 3"#,
            r#"hjemmel_fields_total{action="removed",rule="not-named"} 40"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn every_refusal_has_its_own_code() {
        let metrics = Metrics::new().unwrap();
        let every = crate::services::refusals();
        for refusal in &every {
            metrics.observe(&Record { outcome: Some(Outcome::Refused), refusal: Some(refusal.code().to_owned()), ..record() });
        }
        let text = metrics.render().unwrap();
        for refusal in &every {
            assert!(text.contains(&format!(r#"code="{}""#, refusal.code())), "{}", refusal.code());
        }
        assert!(!text.contains(r#"code="other""#), "the bound leaves room for the whole table");
    }

    #[test]
    fn no_number_of_an_authority_or_a_person_becomes_a_label() {
        let metrics = Metrics::new().unwrap();
        let mut record = record();
        record.authority = Some("99999981".parse::<Cvr>().unwrap());
        record.operation = Some("urn:oio:cpr-nr:6101801234".into());
        record.refusal = Some("99999982".into());
        record.about = judged(|_, removed| removed.objects.extend([("6101801234".into(), 1)]));
        metrics.observe(&record);
        let text = metrics.render().unwrap();
        for number in ["99999981", "99999982", "6101801234"] {
            assert!(!text.contains(number), "{number}");
        }
        assert!(text.contains(r#"operation="other""#));
    }

    #[test]
    fn the_number_of_series_is_bounded_whatever_comes() {
        let metrics = Metrics::new().unwrap();
        for n in 0..1000 {
            let mut record = record();
            record.about = judged(|_, removed| removed.fields.extend([(format!("rule-{n}"), 1)]));
            record.operation = Some("x\"} evil 1\n".into());
            metrics.observe(&record);
        }
        let text = metrics.render().unwrap();
        let series = text.lines().filter(|line| line.starts_with("hjemmel_fields_total")).count();
        assert_eq!(series, Labels::LIMIT + 1);
        assert!(!text.contains("evil"));
    }

    #[test]
    fn the_audits_figures_are_taken_over_as_they_grow() {
        let metrics = Metrics::new().unwrap();
        metrics.observe_audit(&Stats { ready: true, records: 10, commits: 4, commit_us: 4000, ..Stats::default() });
        metrics.observe_audit(&Stats {
            ready: false,
            records: 15,
            commits: 5,
            failures: 1,
            waiting: 2,
            commit_us: 8000,
            ..Stats::default()
        });
        let text = metrics.render().unwrap();
        for line in [
            "hjemmel_audit_ready 0",
            "hjemmel_audit_records_total 15",
            "hjemmel_audit_commits_total 5",
            "hjemmel_audit_commit_failures_total 1",
            "hjemmel_audit_commit_seconds_total 0.008",
            "hjemmel_audit_waiting_records 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn connections_to_others_are_counted_by_peer_and_cause_as_they_grow() {
        use crate::outbound::counts::{Closed, Counts, Unprocessed};
        let (metrics, counts) = (Metrics::new().unwrap(), Counts::default());
        counts.open();
        metrics.observe_connections("register", &counts);
        counts.open();
        counts.close(Closed::NoPong);
        counts.resend(Unprocessed::Refused);
        metrics.observe_connections("register", &counts);
        let text = metrics.render().unwrap();
        for line in [
            r#"hjemmel_outbound_connections_opened_total{peer="register"} 2"#,
            r#"hjemmel_outbound_connections_closed_total{cause="no_pong",peer="register"} 1"#,
            r#"hjemmel_outbound_connections_closed_total{cause="timed_out",peer="register"} 0"#,
            r#"hjemmel_outbound_requests_resent_total{cause="refused",peer="register"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn gauges_tell_the_present() {
        let metrics = Metrics::new().unwrap();
        metrics.breaker("register", Breaker::Closed);
        metrics.breaker("register", Breaker::Open);
        metrics.certificate_expires("gateway", "2029-01-01T00:00:00Z".parse().unwrap());
        metrics.observe_tokens(sts::cache::Stats { hits: 1, ..Default::default() }, 2);
        metrics.observe_tokens(sts::cache::Stats { hits: 3, ..Default::default() }, 2);
        metrics.observe_assertions(saml::memory::Stats { hits: 4, misses: 1 }, 1);
        metrics.observe_assertions(saml::memory::Stats { hits: 9, misses: 1 }, 1);
        metrics.observe_replay(7, 100);
        let jobs = Figures { waiting: 3, dead: 1, oldest: std::time::Duration::from_millis(2500) };
        metrics.observe_jobs(&[("gone".to_owned(), Figures::default())]);
        metrics.observe_jobs(&[("delivery".to_owned(), jobs)]);
        metrics.observe_notices(true, Some(std::time::Duration::from_millis(250)));
        metrics.observe_put_back(true);
        metrics.observe_work(work::Stats { working: 3, refused: 4 });
        metrics.observe_work(work::Stats { working: 2, refused: 5 });
        metrics.observe_log(6);
        metrics.observe_log(8);
        metrics.reloaded(Reload::Configuration, None);
        let request = metrics.in_flight();
        let text = metrics.render().unwrap();
        for line in [
            r#"hjemmel_breaker_state{state="closed",target="register"} 0"#,
            r#"hjemmel_breaker_state{state="open",target="register"} 1"#,
            r#"hjemmel_certificate_expiry_timestamp_seconds{name="gateway"} 1861920000"#,
            r#"hjemmel_token_cache_requests_total{result="hit"} 3"#,
            "hjemmel_token_cache_entries 2",
            r#"hjemmel_assertion_memory_lookups_total{result="hit"} 9"#,
            r#"hjemmel_assertion_memory_lookups_total{result="miss"} 1"#,
            "hjemmel_assertion_memory_entries 1",
            "hjemmel_replay_memory_messages 7",
            "hjemmel_jobs{kind=\"delivery\",state=\"dead\"} 1",
            "hjemmel_jobs{kind=\"delivery\",state=\"waiting\"} 3",
            "hjemmel_jobs_oldest_seconds{kind=\"delivery\"} 2.5",
            "hjemmel_store_hears_changes 1",
            "hjemmel_store_asked_seconds 0.25",
            "hjemmel_store_put_back 1",
            "hjemmel_replay_memory_capacity 100",
            r#"hjemmel_reload_total{result="refused",what="configuration"} 1"#,
            r#"hjemmel_reload_total{result="applied",what="configuration"} 0"#,
            r#"hjemmel_token_cache_requests_total{result="failed"} 0"#,
            "hjemmel_inflight_requests 1",
            "hjemmel_working_requests 2",
            "hjemmel_overload_refusals_total 5",
            "hjemmel_log_lines_dropped_total 8",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nnot in\n{text}");
        }
        drop(request);
        assert!(metrics.render().unwrap().contains("hjemmel_inflight_requests 0"));
        assert!(text.contains(concat!("hjemmel_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")));
    }
}
