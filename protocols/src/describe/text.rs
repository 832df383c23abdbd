//! Lines to a module in run mode are their own description.

use super::{Words, quoted};

/// Each line that is not empty, with control characters shown.
pub(super) fn describe(bytes: &[u8], words: &mut Words) {
    bytes
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .filter(|line| !line.is_empty())
        .for_each(|line| words.say(quoted(line)));
}
