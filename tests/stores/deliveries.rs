//! The memory of deliveries: its statements, which differ by dialect, on both databases.

use std::time::{Duration, Instant};

use hjemmel::services::passthrough::deliveries::Mark;
use hjemmel::services::passthrough::deliveries::rows::{Asked, Elsewhere, Rows, may_be_more};
use hjemmel::store::{Access, Database};
use uuid::Uuid;

use crate::kept::Kept;
use crate::on_both;

on_both! {
    a_delivery_is_one_attempts_until_it_is_answered_and_its_answer_stays;
    an_item_belongs_to_the_first_delivery_that_has_it_until_that_one_is_answered_without_it;
    what_was_not_passed_on_is_free_and_what_nobody_knows_of_is_asked_for_again_where_that_may_be;
    what_is_asked_for_again_is_kept_for_its_full_time_from_then_on;
    a_claim_that_its_call_left_is_free_or_unknown_where_an_earlier_attempt_may_have_passed_it_on;
    what_nobody_has_any_more_is_unknown_and_what_is_over_is_forgotten;
    within_a_transaction_items_are_let_go_and_a_delivery_is_answered;
}

const LONG: Duration = Duration::from_secs(3600);
const CONTENT: Mark = [9; 32];
const SERVICE: Uuid = Uuid::from_u128(3);

fn mark(number: u8) -> Mark {
    [number; 32]
}

fn marks<const N: usize>(numbers: [u8; N]) -> [Mark; N] {
    numbers.map(mark)
}

async fn rows_in(kept: &Kept) -> Rows {
    Rows(Database::open(&kept.settings, Access::Make).await.unwrap())
}

fn asked(delivery: u8, items: &[Mark], refers: &[Mark]) -> Asked {
    Asked {
        mark: mark(delivery),
        content: CONTENT,
        holder: Uuid::new_v4(),
        call: Uuid::from_u128(u128::from(delivery)),
        service: SERVICE,
        lease: LONG,
        keep: LONG,
        again: true,
        items: items.to_vec(),
        refers: refers.to_vec(),
    }
}

async fn a_delivery_is_one_attempts_until_it_is_answered_and_its_answer_stays(kept: Kept) {
    let rows = rows_in(&kept).await;
    let first = asked(1, &[], &[]);
    let found = rows.claim(&first).await.unwrap();
    assert_eq!((found.mine, found.same, found.tries, found.unknown), (true, true, 1, false));
    let found = rows.claim(&first).await.unwrap();
    assert_eq!((found.mine, found.tries), (true, 1), "the same attempt, which did not hear the answer");
    let found = rows.claim(&asked(1, &[], &[])).await.unwrap();
    assert_eq!((found.mine, found.same, found.unknown, found.receipt), (false, true, false, None), "another attempt");
    let found = rows.claim(&Asked { content: [8; 32], ..asked(1, &[], &[]) }).await.unwrap();
    assert_eq!((found.mine, found.same), (false, false), "other content");
    assert!(rows.is_held_by(mark(1), first.holder).await.unwrap());
    assert!(!rows.is_held_by(mark(1), Uuid::new_v4()).await.unwrap());
    assert!(rows.renew(mark(1), first.holder, LONG).await.unwrap());
    assert!(!rows.renew(mark(1), Uuid::new_v4(), LONG).await.unwrap());

    rows.answer(mark(1), b"kvittering", &[], LONG).await.unwrap();
    rows.answer(mark(1), b"en anden", &[], LONG).await.unwrap();
    assert_eq!(rows.receipt(mark(1)).await.unwrap().as_deref(), Some(&b"kvittering"[..]));
    assert_eq!(rows.receipt(mark(2)).await.unwrap(), None);
    let found = rows.claim(&Asked { content: [8; 32], ..asked(1, &[], &[]) }).await.unwrap();
    assert_eq!((found.mine, found.same, found.receipt.as_deref()), (false, false, Some(&b"kvittering"[..])));
    assert!(!rows.renew(mark(1), first.holder, LONG).await.unwrap() && !rows.is_held_by(mark(1), first.holder).await.unwrap());
    rows.free(mark(1), first.holder).await.unwrap();
    rows.unknown(mark(1), first.holder).await.unwrap();
    let found = rows.look(mark(1), CONTENT).await.unwrap().unwrap();
    assert_eq!((found.mine, found.same, found.unknown, found.receipt.is_some()), (false, true, false, true));
    assert_eq!(rows.look(mark(2), CONTENT).await.unwrap(), None);
}

async fn an_item_belongs_to_the_first_delivery_that_has_it_until_that_one_is_answered_without_it(kept: Kept) {
    let rows = rows_in(&kept).await;
    let found = rows.claim(&asked(1, &marks([10, 11]), &marks([20]))).await.unwrap();
    assert_eq!((found.mine, found.elsewhere, found.known), (true, vec![], vec![]));
    let waits = |item, delivery| Elsewhere { item: mark(item), delivery: mark(delivery), accepted_us: None };
    let found = rows.claim(&asked(2, &marks([11, 12]), &marks([10, 12]))).await.unwrap();
    assert_eq!((found.mine, found.elsewhere, found.known), (true, vec![waits(11, 1)], vec![]));
    let found = rows.claim(&asked(1, &marks([13]), &marks([10]))).await.unwrap();
    assert_eq!((found.mine, found.elsewhere, found.known), (false, vec![], vec![]), "who has it not takes no items");
    assert_eq!(rows.count(mark(1), None).await.unwrap(), 2);
    assert_eq!(rows.count(mark(1), Some(&marks([10, 12, 13]))).await.unwrap(), 1);
    assert_eq!(rows.count(mark(1), Some(&[])).await.unwrap(), 0);

    rows.answer(mark(1), b"kvittering", &marks([10, 12]), LONG).await.unwrap();
    assert_eq!(rows.count(mark(1), None).await.unwrap(), 1, "11 is free, and 12 was never its own");
    assert_eq!(rows.known(&marks([10, 11, 12, 13])).await.unwrap(), marks([10]));
    assert_eq!(rows.known(&[]).await.unwrap(), Vec::<Mark>::new());
    let found = rows.claim(&asked(3, &marks([10, 13]), &marks([10, 13, 20]))).await.unwrap();
    let [Elsewhere { item, delivery, accepted_us: Some(accepted) }] = found.elsewhere[..] else { panic!("{found:?}") };
    assert_eq!((item, delivery, found.known), (mark(10), mark(1), marks([10]).to_vec()));
    // By the database's own clock, which is not this process's: some day of this century, in microseconds.
    assert!((1_000_000_000_000_000..4_102_444_800_000_000).contains(&accepted), "{accepted}");

    assert_eq!(rows.take(mark(2), &marks([11]), LONG).await.unwrap(), vec![]);
    assert_eq!(rows.take(mark(3), &marks([11, 13]), LONG).await.unwrap(), vec![waits(11, 2)]);
    assert_eq!(rows.take(mark(3), &[], LONG).await.unwrap(), vec![]);
    assert_eq!([rows.count(mark(2), None).await.unwrap(), rows.count(mark(3), None).await.unwrap()], [2, 1]);
    rows.answer(mark(1), b"en anden", &[], LONG).await.unwrap();
    assert_eq!(rows.known(&marks([10])).await.unwrap(), marks([10]), "what was accepted stays so");
}

async fn what_was_not_passed_on_is_free_and_what_nobody_knows_of_is_asked_for_again_where_that_may_be(kept: Kept) {
    let rows = rows_in(&kept).await;
    let items = marks([10, 11]);
    let first = asked(1, &items, &[]);
    rows.claim(&first).await.unwrap();
    rows.free(mark(1), Uuid::new_v4()).await.unwrap();
    assert_eq!(rows.count(mark(1), None).await.unwrap(), 2, "it is another attempt's");
    rows.free(mark(1), first.holder).await.unwrap();
    assert_eq!((rows.look(mark(1), CONTENT).await.unwrap(), rows.count(mark(1), None).await.unwrap()), (None, 0));

    let first = asked(1, &items, &[]);
    rows.claim(&first).await.unwrap();
    rows.unknown(mark(1), Uuid::new_v4()).await.unwrap();
    assert!(!rows.look(mark(1), CONTENT).await.unwrap().unwrap().unknown, "another attempt knows nothing of it");
    rows.unknown(mark(1), first.holder).await.unwrap();
    let not_again = rows.claim(&Asked { again: false, ..asked(1, &items, &[]) }).await.unwrap();
    assert_eq!((not_again.mine, not_again.unknown), (false, true));
    let second = asked(1, &items, &[]);
    let found = rows.claim(&second).await.unwrap();
    assert_eq!((found.mine, found.tries, found.elsewhere), (true, 2, vec![]), "its items are its own");
    assert!(rows.is_held_by(mark(1), second.holder).await.unwrap() && !rows.is_held_by(mark(1), first.holder).await.unwrap());
}

async fn what_is_asked_for_again_is_kept_for_its_full_time_from_then_on(kept: Kept) {
    let rows = rows_in(&kept).await;
    let items = marks([10]);
    let first = Asked { keep: Duration::ZERO, ..asked(1, &items, &[]) };
    rows.claim(&first).await.unwrap();
    rows.unknown(mark(1), first.holder).await.unwrap();
    // The time of the first attempt is over.
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(rows.claim(&asked(1, &items, &[])).await.unwrap().mine);
    assert_eq!(rows.forget().await.unwrap(), 0);
    rows.answer(mark(1), b"kvittering", &items, LONG).await.unwrap();
    assert_eq!(rows.forget().await.unwrap(), 0);
    assert_eq!(rows.receipt(mark(1)).await.unwrap().as_deref(), Some(&b"kvittering"[..]));
    assert_eq!(rows.known(&items).await.unwrap(), items);
}

async fn a_claim_that_its_call_left_is_free_or_unknown_where_an_earlier_attempt_may_have_passed_it_on(kept: Kept) {
    let rows = rows_in(&kept).await;
    let first = asked(1, &marks([10]), &[]);
    rows.claim(&first).await.unwrap();
    rows.left(mark(1), Uuid::new_v4()).await.unwrap();
    assert!(rows.is_held_by(mark(1), first.holder).await.unwrap(), "another attempt left nothing of it");
    rows.left(mark(1), first.holder).await.unwrap();
    assert_eq!((rows.look(mark(1), CONTENT).await.unwrap(), rows.count(mark(1), None).await.unwrap()), (None, 0));

    rows.claim(&first).await.unwrap();
    rows.unknown(mark(1), first.holder).await.unwrap();
    let second = asked(1, &marks([10]), &[]);
    assert_eq!(rows.claim(&second).await.unwrap().tries, 2);
    rows.left(mark(1), second.holder).await.unwrap();
    let found = rows.look(mark(1), CONTENT).await.unwrap().unwrap();
    assert_eq!((found.unknown, rows.count(mark(1), None).await.unwrap()), (true, 1));
    assert_eq!(rows.claim(&asked(1, &marks([10]), &[])).await.unwrap().tries, 3, "asked for once more");
}

async fn what_nobody_has_any_more_is_unknown_and_what_is_over_is_forgotten(kept: Kept) {
    let rows = rows_in(&kept).await;
    let zero = Duration::ZERO;
    assert!(rows.claim(&asked(1, &marks([10]), &[])).await.unwrap().mine);
    assert!(rows.claim(&Asked { lease: zero, ..asked(2, &marks([20]), &[]) }).await.unwrap().mine);
    assert!(rows.claim(&Asked { lease: zero, keep: zero, ..asked(3, &marks([30]), &[]) }).await.unwrap().mine);
    // The database's clock goes on by itself.
    let until = Instant::now() + Duration::from_secs(60);
    let (mut calls, mut forgotten) = (Vec::new(), 0);
    while (calls.len() < 2 || forgotten < 1) && Instant::now() < until {
        calls.extend(rows.abandoned().await.unwrap());
        if calls.len() == 2 {
            forgotten += rows.forget().await.unwrap();
        }
    }
    calls.sort_unstable();
    assert_eq!(calls, [2, 3].map(|call| (Uuid::from_u128(call), Some(SERVICE))), "and to which service");
    assert!(rows.abandoned().await.unwrap().is_empty(), "each is told once");
    assert!(!may_be_more(forgotten) && may_be_more(1_000));
    let state = async |number: u8| rows.look(mark(number), CONTENT).await.unwrap().map(|found| found.unknown);
    assert_eq!([state(1).await, state(2).await, state(3).await], [Some(false), Some(true), None]);
    let counts = [
        rows.count(mark(1), None).await.unwrap(),
        rows.count(mark(2), None).await.unwrap(),
        rows.count(mark(3), None).await.unwrap(),
    ];
    assert_eq!(counts, [1, 1, 0]);
    // Another attempt takes what is unknown, and only that.
    assert!(!rows.claim(&asked(1, &[], &[])).await.unwrap().mine);
    let taken = rows.claim(&asked(2, &[], &[])).await.unwrap();
    assert_eq!((taken.mine, taken.tries), (true, 2));
}

async fn within_a_transaction_items_are_let_go_and_a_delivery_is_answered(kept: Kept) {
    let rows = rows_in(&kept).await;
    let (one, other) = (marks([10, 11, 12]), marks([20, 21]));
    let (first, second) = (asked(1, &one, &[]), asked(2, &other, &[]));
    rows.claim(&first).await.unwrap();
    rows.claim(&second).await.unwrap();
    let mut transaction = rows.0.begin().await.unwrap();
    Rows::let_go(&mut transaction, mark(1), &marks([10, 20])).await.unwrap();
    Rows::let_go(&mut transaction, mark(1), &[]).await.unwrap();
    Rows::answered_with(&mut transaction, mark(1), b"kvittering", LONG, LONG).await.unwrap();
    Rows::let_all_go(&mut transaction, mark(1)).await.unwrap();
    Rows::free_with(&mut transaction, mark(2), first.holder).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(rows.known(&marks([10, 11, 12, 20])).await.unwrap().len(), 2, "what it still had is accepted, and is not let go");
    assert_eq!(rows.receipt(mark(1)).await.unwrap().as_deref(), Some(&b"kvittering"[..]));
    assert_eq!(rows.count(mark(2), None).await.unwrap(), 2, "neither another's item nor another's attempt");
    let mut transaction = rows.0.begin().await.unwrap();
    Rows::free_with(&mut transaction, mark(2), second.holder).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((rows.look(mark(2), CONTENT).await.unwrap(), rows.count(mark(2), None).await.unwrap()), (None, 0));
}
