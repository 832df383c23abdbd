//! What the module says of its own accord: its last lines are kept for the error report.

use std::collections::VecDeque;

/// Lines kept. Source: specs/asr-aboot.md §3.5.
const LINES: usize = 20;
/// Bytes after which a line without end is taken as a line.
const LONGEST: usize = 256;
/// Texts after which the loader runs no more. Source: §3.5: the last two are in the real flasher (V-img).
const LAST_WORDS: [&str; 3] = ["Exception", "Assertion failed", "The firmware will stop running"];

/// The module's last log lines.
#[derive(Debug, Default)]
pub(super) struct ModuleLog {
    lines: VecDeque<String>,
    /// A line whose end has not come yet.
    open: String,
}

impl ModuleLog {
    /// Takes free-form text, which may begin and end within a line; `whole` sees each line that is complete.
    pub fn text(&mut self, text: &[u8], mut whole: impl FnMut(&str)) {
        for character in String::from_utf8_lossy(text).chars() {
            if character != '\n' && character != '\r' {
                self.open
                    .push(if character.is_control() { ' ' } else { character });
            }
            let ended = character == '\n' || self.open.len() >= LONGEST;
            if ended && !self.open.trim().is_empty() {
                let line = std::mem::take(&mut self.open);
                whole(line.trim());
                self.line(line.trim());
            }
        }
    }

    /// Keeps a whole line.
    pub fn line(&mut self, line: &str) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The line in which the loader says that it runs no more, if it did.
    pub fn last_words(&self) -> Option<&str> {
        let open = std::iter::once(self.open.as_str());
        let mut newest_first = open.chain(self.lines.iter().rev().map(String::as_str));
        newest_first.find(|line| LAST_WORDS.iter().any(|words| line.contains(words)))
    }

    /// Forgets everything: what came before the handshake is not this loader's.
    pub fn clear(&mut self) {
        *self = ModuleLog::default();
    }

    /// The lines, oldest first, with the one that has no end yet.
    pub fn lines(&self) -> Vec<String> {
        let open = std::iter::once(&self.open).filter(|line| !line.trim().is_empty());
        self.lines.iter().chain(open).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_text_that_is_cut_within_a_line() {
        let mut log = ModuleLog::default();
        let mut seen = Vec::new();
        for part in ["[INFO: Fla", "sher   ] er", "ase\r\nnext", " \n\n"] {
            log.text(part.as_bytes(), |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["[INFO: Flasher   ] erase", "next"]);
        assert_eq!(log.lines(), seen);
    }

    #[test]
    fn keeps_the_last_twenty_lines() {
        let mut log = ModuleLog::default();
        (0..50).for_each(|number| log.line(&number.to_string()));
        assert_eq!(
            log.lines(),
            (30..50).map(|number| number.to_string()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn ends_a_line_that_never_ends() {
        let mut log = ModuleLog::default();
        log.text(&[b'x'; 10_000], |line| assert_eq!(line.len(), LONGEST));
        assert!(log.lines().iter().all(|line| line.len() <= LONGEST));
    }

    #[test]
    fn hears_last_words_cut_in_two() {
        let mut log = ModuleLog::default();
        log.text(b"[ERR : Core      ] Asser", |_| {});
        assert_eq!(log.last_words(), None);
        log.text(b"tion failed in main.c", |_| {});
        assert_eq!(
            log.last_words(),
            Some("[ERR : Core      ] Assertion failed in main.c")
        );
    }
}
