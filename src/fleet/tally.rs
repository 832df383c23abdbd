//! What has become of many modules.

use crate::flash::Outcome;

/// What has become of the modules of one slot.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many passed.
    pub passed: u32,
    /// How many did not.
    pub failed: u32,
    /// The exit code of the worst of them.
    pub exit_code: u8,
    /// How the last of them ended.
    pub last: Option<Outcome>,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome.exit_code {
            0 => self.passed += 1,
            _ => self.failed += 1,
        }
        self.exit_code = worst([self.exit_code, outcome.exit_code]);
        self.last = Some(outcome);
    }
}

/// The exit code of many is that of the worst: what needs a person most comes first.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 14] = [1, 12, 10, 11, 9, 6, 7, 3, 8, 5, 4, 2, 130, 0];
    let rank = |code: &u8| ORDER.iter().position(|other| other == code).unwrap_or(0);
    codes.into_iter().min_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_module_gives_the_exit_code() {
        assert_eq!(worst([0, 0]), 0);
        assert_eq!(worst([0, 4, 10, 6]), 10);
        assert_eq!(worst([130, 0]), 130);
        assert_eq!(worst([6, 1]), 1);
    }
}
