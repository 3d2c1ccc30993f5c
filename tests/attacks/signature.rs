//! Rows 1 to 14 and 16: the messages that `tests/signature` judges by the library, over TLS and with their fault codes.

use crate::arena::arena;
use crate::forge;

pub fn count() -> Vec<(u8, usize)> {
    forge::groups().iter().map(|group| (group.row, group.cases.len())).collect()
}

#[test]
fn every_forged_message_is_refused_with_its_fault_and_reaches_nobody() {
    let arena = arena();
    arena.serves();
    arena.all_refused(forge::groups());
}
