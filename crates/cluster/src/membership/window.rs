//! Which numbers have come, of those that were counted up: a sliding window over the last ones.

const WORDS: usize = 16;
const BITS: u64 = u64::BITS as u64;

/// How far a number may be behind the greatest; those further behind count as come.
pub(super) const WIDTH: u64 = WORDS as u64 * BITS;

/// Which numbers have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// One more than the greatest that has come.
    end: u64,
    /// Whether each of the last numbers has come; that of a number is at its remainder by the width.
    come: [u64; WORDS],
}

impl Window {
    /// Whether none as great has come.
    pub(super) fn is_latest(&self, number: u64) -> bool {
        number >= self.end
    }

    /// Takes a number; false if it has come before, or might have.
    pub(super) fn take(&mut self, number: u64) -> bool {
        if number == u64::MAX || number.saturating_add(WIDTH) < self.end {
            return false;
        }
        if self.is_latest(number) {
            if number - self.end >= WIDTH {
                self.come = [0; WORDS];
            } else {
                for skipped in self.end..number {
                    self.mark(skipped, false);
                }
            }
            self.end = number + 1;
        } else if self.has_come(number) {
            return false;
        }
        self.mark(number, true);
        true
    }

    fn has_come(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.come.get(word).is_none_or(|word| word & bit != 0)
    }

    fn mark(&mut self, number: u64, come: bool) {
        let (word, bit) = place(number);
        if let Some(word) = self.come.get_mut(word) {
            *word = if come { *word | bit } else { *word & !bit };
        }
    }
}

/// The word and the bit of a number.
fn place(number: u64) -> (usize, u64) {
    let place = number % WIDTH;
    // Less than the width, so it is lossless.
    ((place / BITS) as usize, 1 << (place % BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_number_is_taken_twice_and_none_is_refused_that_is_new_and_near(
            steps in prop::collection::vec(-1200_i64..1200, 1..200),
        ) {
            let (mut window, mut taken) = (Window::default(), BTreeSet::new());
            let mut number = 5_000_u64;
            for step in steps {
                number = number.saturating_add_signed(step);
                let greatest = taken.last().copied().unwrap_or_default();
                let is_near = number + WIDTH > greatest;
                let is_taken = window.take(number);
                prop_assert!(!(is_taken && taken.contains(&number)), "{number} twice");
                if is_near {
                    prop_assert_eq!(is_taken, !taken.contains(&number), "{}", number);
                }
                if is_taken {
                    taken.insert(number);
                }
            }
        }
    }

    #[test]
    fn what_is_far_behind_counts_as_come() {
        let mut window = Window::default();
        assert!(window.take(WIDTH * 3));
        assert!(window.take(WIDTH * 2 + 1));
        assert!(!window.take(WIDTH * 2 - 1));
        assert!(!window.take(0));
        assert!(!window.take(u64::MAX));
    }
}
