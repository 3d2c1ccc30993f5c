//! A hundred thousand agreements: a look-up and a page cost what they cost among a hundred.

use std::time::{Duration, Instant};

use hjemmel::agreements::page::Wanted;
use hjemmel::agreements::{Side, State, Store, Thumbprint, import::Import};
use uuid::Uuid;

use crate::agreements::{FRONT, NOW, SERVICE, SYSTEM, at, both_sides, exttest, korsbaek};
use crate::kept::Kept;

/// Fills a store with agreements of many authorities: `count` of them, each with a certificate and a decision.
async fn filled(kept: &Kept, count: usize) -> Store {
    let store = Store::open(&kept.settings).await.unwrap();
    store.import(&Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    let sqlite = matches!(kept.settings.at, hjemmel::store::At::Sqlite(_));
    let (numbers, id, authority, from) = match sqlite {
        true => (
            format!("WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})"),
            "printf('00000000-0000-4000-9000-%012d', n)",
            "printf('%08d', 20000000 + n % 98)",
            "'2026-01-01T00:00:00Z'",
        ),
        false => (
            format!("WITH number (n) AS (SELECT generate_series(1, {count}))"),
            "('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid",
            "(20000000 + n % 98)::text",
            "'2026-01-01T00:00:00Z'::timestamptz",
        ),
    };
    let thumbprint = if sqlite { "printf('%064d', n)" } else { "lpad(n::text, 64, '0')" };
    let cast = if sqlite { "" } else { "::uuid" };
    for statement in [
        format!("{numbers} INSERT INTO authority (cvr, name, role) SELECT DISTINCT {authority}, 'x', 'municipality' FROM number"),
        format!(
            "{numbers} INSERT INTO agreement (id, side, system, service, authority, environment, valid_from, state, legal_basis,
                 purpose, scope)
             SELECT {id}, CASE n % 2 WHEN 0 THEN 'front' ELSE 'back' END, '{SYSTEM}'{cast}, '{SERVICE}'{cast}, {authority}, 'exttest',
                 {from}, CASE n % 50 WHEN 0 THEN 'ANMODET' ELSE 'GODKENDT' END, 'x', 'y', '{{}}' FROM number"
        ),
        format!("{numbers} INSERT INTO agreement_certificate (agreement, thumbprint) SELECT {id}, {thumbprint} FROM number"),
        format!(
            "{numbers} INSERT INTO agreement_decision (agreement, to_state, at) SELECT {id}, 'GODKENDT', {from} FROM number"
        ),
    ] {
        kept.execute(&statement).await.unwrap();
    }
    if !sqlite {
        kept.execute("ANALYZE").await.unwrap();
    }
    store
}

/// What is asked of a store.
#[derive(Debug)]
enum Asked {
    ByCertificate,
    Decisions,
    NoneOfAnAuthority,
    Page(Wanted),
}

impl Asked {
    /// How many there are.
    async fn of(&self, store: &Store) -> usize {
        let certificate = Thumbprint::of_der(b"client");
        match self {
            Asked::ByCertificate => {
                store.front_by_certificate(&certificate, korsbaek(), SERVICE, &exttest()).await.unwrap().len()
            }
            Asked::Decisions => store.decisions(FRONT).await.unwrap().len(),
            Asked::NoneOfAnAuthority => store.back(Uuid::nil(), "20000007".parse().unwrap(), &exttest()).await.unwrap().len(),
            Asked::Page(wanted) => store.page(wanted).await.unwrap().len(),
        }
    }

    /// The least of many times, which no other work on the machine makes longer.
    async fn least(&self, store: &Store) -> Duration {
        let mut least = Duration::MAX;
        for _ in 0..40 {
            let began = Instant::now();
            self.of(store).await;
            least = least.min(began.elapsed());
        }
        least
    }
}

crate::on_both! {
    a_look_up_and_a_page_cost_what_they_cost_among_a_hundred;
}

async fn a_look_up_and_a_page_cost_what_they_cost_among_a_hundred(kept: Kept) {
    let another = kept.another();
    // Pages of so many that the few have them, too.
    let (few, many) = (filled(&another, 100).await, filled(&kept, 100_000).await);
    let page = |change: fn(&mut Wanted)| {
        let mut wanted = Wanted { limit: 51, ..Wanted::default() };
        change(&mut wanted);
        Asked::Page(wanted)
    };
    let all = [
        Asked::ByCertificate,
        Asked::Decisions,
        Asked::NoneOfAnAuthority,
        page(|_| {}),
        page(|wanted| wanted.after = Some("00000000-0000-4000-9000-000000000030".parse().unwrap())),
        page(|wanted| {
            wanted.authority = Some("20000007".parse().unwrap());
            wanted.limit = 1;
        }),
        page(|wanted| (wanted.service, wanted.environment) = (Some(SERVICE), Some(exttest()))),
        page(|wanted| wanted.system = Some(SYSTEM)),
        page(|wanted| wanted.state = Some(State::Approved)),
        page(|wanted| wanted.side = Some(Side::Front)),
    ];
    let (mut told, mut slower) = (Vec::new(), Vec::new());
    for asked in &all {
        assert_eq!(asked.of(&few).await, asked.of(&many).await, "{asked:?}");
        let (mut one, mut other) = (asked.least(&few).await, asked.least(&many).await);
        // A load that began between the two is no missing index, which shows each time.
        for _ in 0..4 {
            if !is_slower(one, other) {
                break;
            }
            (one, other) = (asked.least(&few).await, asked.least(&many).await);
        }
        told.push(format!("{one:?} {other:?} {:.2} {asked:?}", other.as_secs_f64() / one.as_secs_f64()));
        if is_slower(one, other) {
            slower.push(format!("{asked:?}"));
        }
    }
    println!("{}", told.join("\n"));
    assert!(slower.is_empty(), "{slower:?} take longer among many:\n{}", told.join("\n"));
}

/// Without an index it is more than ten times as long; a machine that others use is not that uneven.
fn is_slower(one: Duration, other: Duration) -> bool {
    other > one * 3 + Duration::from_micros(300)
}
