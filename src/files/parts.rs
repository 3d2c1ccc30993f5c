//! Which parts of a file something happened to: what was handed out of it, or was written.

/// Parts of a file that is written which may lie apart: clients that write out of order have some hundred under way.
pub(crate) const APART: usize = 4096;

/// Ranges of bytes that do not touch each other, in order.
#[derive(Debug, Default)]
pub(crate) struct Parts(Vec<(u64, u64)>);

impl Parts {
    /// Adds a range. Of more than `most` that lie apart the last are forgotten: that file is then not whole.
    pub(crate) fn add(&mut self, mut from: u64, mut to: u64, most: usize) {
        if from >= to {
            return;
        }
        // What goes on where the last one ended: nearly always.
        if let Some(last) = self.0.last_mut()
            && last.0 <= from
            && from <= last.1
        {
            last.1 = last.1.max(to);
            return;
        }
        self.0.retain(|&(begins, ends)| {
            let apart = ends < from || to < begins;
            if !apart {
                (from, to) = (from.min(begins), to.max(ends));
            }
            apart
        });
        let at = self.0.partition_point(|&(begins, _)| begins < from);
        self.0.insert(at, (from, to));
        self.0.truncate(most);
    }

    /// Nothing happened to what is behind `size`.
    pub(crate) fn cut(&mut self, size: u64) {
        self.0.retain(|&(begins, _)| begins < size);
        if let Some(last) = self.0.last_mut() {
            last.1 = last.1.min(size);
        }
    }

    /// Whether it happened to each byte of a file of this size.
    pub(crate) fn is_whole(&self, size: u64) -> bool {
        size == 0 || self.0.first().is_some_and(|&(begins, ends)| begins == 0 && ends >= size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 256;

    fn of(parts: &[(u64, u64)]) -> Parts {
        let mut of = Parts::default();
        parts.iter().for_each(|&(from, length)| of.add(from, from + length, MOST));
        of
    }

    #[test]
    fn a_file_is_whole_when_it_happened_to_each_of_its_bytes_in_whatever_order() {
        assert!(of(&[]).is_whole(0));
        for parts in [
            &[(0, 10)][..],
            &[(0, 5), (5, 5)],
            &[(5, 5), (0, 6)],
            &[(0, 10), (2, 3)],
            &[(3, 7), (3, 2), (0, 3)],
            &[(8, 2), (0, 2), (4, 2), (2, 2), (6, 2)],
        ] {
            assert!(of(parts).is_whole(10), "{parts:?}");
        }
        for parts in [&[][..], &[(9, 1)], &[(0, 9)], &[(10, 0)], &[(0, 4), (5, 5)], &[(1, 9)], &[(5, 0), (0, 5)]] {
            assert!(!of(parts).is_whole(10), "{parts:?}");
        }
    }

    #[test]
    fn of_what_lies_far_apart_no_more_is_kept_than_may_be_and_the_file_is_not_whole() {
        let scattered: Vec<(u64, u64)> = (0..10_000).map(|at| (at * 2, 1)).collect();
        let mut parts = of(&scattered);
        assert_eq!(parts.0.len(), MOST);
        (0..10_000).for_each(|at| parts.add(at * 2 + 1, at * 2 + 2, MOST));
        assert!(!parts.is_whole(20_000), "what was forgotten did not happen");
        parts.add(0, 20_000, MOST);
        assert!(parts.is_whole(20_000));
    }

    #[test]
    fn what_is_cut_off_and_longer_again_did_not_happen() {
        let mut parts = of(&[(0, 10), (20, 10)]);
        parts.cut(25);
        assert_eq!(parts.0, [(0, 10), (20, 25)]);
        parts.cut(5);
        assert_eq!(parts.0, [(0, 5)]);
        assert!(parts.is_whole(5) && !parts.is_whole(10));
        parts.cut(0);
        assert!(parts.0.is_empty() && parts.is_whole(0));
    }
}
