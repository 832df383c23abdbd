//! Questions to a module that says what it likes: they end, they are bounded, and an ordering code is one that the
//! module has said.

use std::time::Duration;

use qpyflash::identity;
use qpyflash_protocols::{Progress, Wire, WireError};

use crate::read;

/// Both kinds of question, with all their time-outs.
const LONGEST: Duration = Duration::from_secs(600);
const MOST_SENT: usize = 1 << 16;

/// Words after each question, and whether they come in one piece.
type Replies<'f> = (Vec<&'f [u8]>, bool, bool);

struct Module<'f> {
    replies: std::vec::IntoIter<&'f [u8]>,
    in_pieces: bool,
    words: Vec<u8>,
    said: Vec<u8>,
    now: Duration,
    sent_bytes: usize,
}

impl Wire for Module<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.sent_bytes += bytes.len();
        assert!(self.sent_bytes < MOST_SENT, "an unbounded amount was sent");
        match self.replies.next() {
            Some(b"gone") => return Err(WireError::Gone),
            Some(words) => {
                self.words.extend(words);
                self.said.extend(words);
            }
            None => {}
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        let most = if self.in_pieces { 3 } else { into.len() };
        let count = self.words.len().min(most).min(into.len());
        self.now += if count == 0 {
            within
        } else {
            Duration::from_micros(10)
        };
        assert!(self.now < LONGEST, "the questions do not end");
        into[..count].copy_from_slice(&self.words[..count]);
        self.words.drain(..count);
        Ok(count)
    }

    fn set_baud(&mut self, _: u32) -> Result<(), WireError> {
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.now += how_long;
        Ok(())
    }

    fn report(&mut self, _: Progress<'_>) {}
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((replies, in_pieces, repl)) = read::<Replies<'_>>(bytes) else {
        return;
    };
    let mut module = Module {
        replies: replies.into_iter(),
        in_pieces,
        words: Vec::new(),
        said: Vec::new(),
        now: Duration::ZERO,
        sent_bytes: 0,
    };
    let answer = if repl {
        identity::repl::read(&mut module)
    } else {
        identity::at::read(&mut module)
    };
    let Ok(identity) = answer else {
        return;
    };
    if let Some(revision) = &identity.revision_text {
        assert!(is_said(&module, revision), "`{revision}` was not said");
    }
    if let Some(imei) = &identity.imei {
        assert!(
            imei.len() == 15 && is_said(&module, imei),
            "`{imei}` was not said"
        );
    }
    if let Some(code) = &identity.ordering_code {
        assert!(
            is_said(&module, code.submodel()),
            "the submodel of {code} was not said"
        );
    }
}

fn is_said(module: &Module<'_>, words: &str) -> bool {
    String::from_utf8_lossy(&module.said)
        .to_ascii_uppercase()
        .contains(&words.to_ascii_uppercase())
}
