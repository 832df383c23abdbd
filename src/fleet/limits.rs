//! What bounds the work of a station.

use std::time::Duration;

use serde::Deserialize;

/// More attempts than this wear the flash and not the fault.
const MOST_RETRIES: u32 = 10;

/// What bounds the work.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Modules written at once; all of them unless told.
    pub parallel: Option<u32>,
    /// Further attempts after one that went wrong.
    pub retries: u32,
    /// Seconds a module may take to come back before the next attempt.
    pub return_seconds: u32,
    /// Seconds without a single event after which a slot counts as hung. Longer than any wait of a run.
    pub silent_seconds: u32,
    /// Seconds a hook may take.
    pub hook_seconds: u32,
    /// In a loop: seconds that a place must have been empty before what comes there is another module.
    pub empty_seconds: u32,
}

/// A module that restarts is off the bus for 0.5 to 1 s, and one was seen to need up to 15 s; in less time nobody can
/// tell it from the next module. Source: specs/usb-and-hosts.md §2.1 [1], specs/eigencomm-agentboot.md §1.3 [1].
const EMPTY_SECONDS: u32 = 15;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            parallel: None,
            retries: 1,
            return_seconds: 30,
            silent_seconds: 600,
            hook_seconds: 10,
            empty_seconds: EMPTY_SECONDS,
        }
    }
}

impl Limits {
    /// Time a hook may take.
    pub fn hook(&self) -> Duration {
        Duration::from_secs(self.hook_seconds.into())
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// What is out of bounds.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let outside = |value: u32, from: u32, to: u32| !(from..=to).contains(&value);
        let longest = self.hook_seconds.max(self.return_seconds);
        let wrong = [
            (self.parallel == Some(0), "`parallel` must be at least 1"),
            (self.retries > MOST_RETRIES, "`retries` must be at most 10"),
            (
                outside(self.return_seconds, 1, 3600),
                "`return_seconds` must be 1 to 3600",
            ),
            (
                outside(self.silent_seconds, 60, 86_400),
                "`silent_seconds` must be 60 to 86400",
            ),
            (
                outside(self.hook_seconds, 1, 3600),
                "`hook_seconds` must be 1 to 3600",
            ),
            (
                outside(self.empty_seconds, 1, 600),
                "`empty_seconds` must be 1 to 600",
            ),
            (
                longest >= self.silent_seconds,
                "`silent_seconds` must be more than `hook_seconds` and `return_seconds`",
            ),
        ];
        match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, why)) => Err(why),
            None => Ok(()),
        }
    }
}
