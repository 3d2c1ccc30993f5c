//! Today: what is asked of whoever looks, how the calls go, what ends before long and what is stuck.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::seen_agreements;
use crate::agreements::State as Stands;
use crate::agreements::page::Wanted;
use crate::console::Console;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::metrics::summary::Summary;
use crate::store::jobs;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place { href: "/", name: ("I dag", "Today"), for_whom: |_| true };

/// What the platform shows that this one stands beside: of all time, and of an average answer (docs/operations.md).
const UPTIME: f64 = 97.9;
const ANSWER_MS: f64 = 516.0;
/// What ends within so long is shown.
const BEFORE_LONG: SignedDuration = SignedDuration::from_hours(60 * 24);
/// The most lines of each list.
const MOST: u32 = 20;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/", get(today))
}

#[derive(Template)]
#[template(path = "console/today.html")]
struct TodayPage {
    frame: Frame,
    since: Timestamp,
    calls: Option<Figures>,
    waiting: Vec<Waits>,
    may_approve: bool,
    ending: Vec<Ends>,
    stuck: Option<Vec<Stuck>>,
}

/// The calls of this node.
struct Figures {
    closed: u64,
    refused: u64,
    /// The part of the calls that did not fail at the gateway or behind it, in percent.
    up: String,
    good: bool,
    p50: Option<String>,
    p95: Option<String>,
    average: Option<String>,
    fast: bool,
    causes: Vec<Cause>,
}

struct Cause {
    code: String,
    text: String,
    many: u64,
}

/// An agreement that waits for an answer.
struct Waits {
    id: Uuid,
    authority: String,
    purpose: String,
}

/// What ends before long.
struct Ends {
    what: String,
    href: Option<String>,
    at: Timestamp,
    days: i64,
}

/// Work that does not get on.
struct Stuck {
    kind: String,
    waiting: u64,
    dead: u64,
    minutes: u64,
}

impl Figures {
    fn of(summary: Summary, frame: &Frame) -> Self {
        let all = summary.all;
        // A call that is refused with good reason is no failure; one that the caller gave up tells nothing of the gateway.
        let told = all.served + all.refused;
        let failed: u64 = all.by_cause.iter().filter(|(code, _)| super::is_of_the_gateway(code)).map(|(_, many)| many).sum();
        let share = if told == 0 { 100.0 } else { told.saturating_sub(failed) as f64 / told as f64 * 100.0 };
        let ms = |ms: Option<f64>| ms.map(|ms| frame.decimal(ms, if ms < 10.0 { 1 } else { 0 }));
        let mut causes: Vec<_> = all.by_cause.iter().map(|(code, many)| (code.clone(), *many)).collect();
        causes.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let causes = causes.into_iter().take(10).map(|(code, many)| Cause { text: super::meaning(&code, frame), code, many });
        Self {
            closed: all.closed,
            refused: all.refused,
            up: frame.decimal(share, 1),
            good: share >= UPTIME,
            p50: ms(all.quantile_ms(0.5)),
            p95: ms(all.quantile_ms(0.95)),
            average: ms(all.average_ms()),
            fast: all.average_ms().is_none_or(|ms| ms <= ANSWER_MS),
            causes: causes.collect(),
        }
    }
}

async fn today(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    let frame = visit.frame(&console, "I dag", "Today");
    let now = console.clock.now();
    // The figures and what is stuck are of all services together.
    let operates = visit.actor().scope().is_everything();
    let calls = operates.then(|| Figures::of(console.metrics.summary(), &frame));
    let names = super::authority_names(&console).await?;
    let waiting = Wanted { state: Some(Stands::Requested), limit: MOST, ..seen_agreements(visit.actor())? };
    let waiting = console.store.page(&waiting).await?;
    let waiting = waiting.into_iter().map(|agreement| Waits {
        id: agreement.id,
        authority: super::named(&names, agreement.authority),
        purpose: agreement.purpose,
    });
    let soon = now.checked_add(BEFORE_LONG).unwrap_or(now);
    let ending =
        Wanted { state: Some(Stands::Approved), ends: Some((now, soon)), limit: MOST, ..seen_agreements(visit.actor())? };
    let ends =
        |what: String, href: Option<String>, at: Timestamp| Ends { what, href, at, days: at.duration_since(now).as_hours() / 24 };
    let mut ending: Vec<_> = console
        .store
        .page(&ending)
        .await?
        .into_iter()
        .filter_map(|agreement| {
            let what =
                format!("{}: {}", frame.t("Serviceaftale", "Service agreement"), super::named(&names, agreement.authority));
            Some(ends(what, Some(format!("/agreements/{}", agreement.id)), agreement.valid_to?))
        })
        .collect();
    let mut stuck = None;
    if operates {
        let expiries = console.known.expiries().await.into_iter().filter(|(_, at)| *at < soon);
        ending.extend(expiries.map(|(setting, at)| {
            ends(format!("{}: {setting}", frame.t("Gatewayens certifikat", "The gateway's certificate")), None, at)
        }));
        let figures = jobs::figures(console.store.database()).await?;
        let held = figures.into_iter().filter(|(_, of)| of.dead > 0 || of.oldest.as_secs() >= 300);
        stuck = Some(
            held.map(|(kind, of)| Stuck { kind, waiting: of.waiting, dead: of.dead, minutes: of.oldest.as_secs() / 60 })
                .collect(),
        );
    }
    ending.sort_by_key(|ends| ends.at);
    ending.truncate(MOST as usize);
    page(&TodayPage {
        since: console.since,
        calls,
        waiting: waiting.collect(),
        may_approve: visit.actor().may(Action::ApproveAgreement).is_ok(),
        ending,
        stuck,
        frame,
    })
}
