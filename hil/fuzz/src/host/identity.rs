//! Questions to a module that says what it likes: they end, they are bounded, and an ordering code is one that the
//! module has said.

use std::time::Duration;

use qpyflash::identity;

use crate::pipe::{Peer, Pipe};
use crate::read;

/// Words after each question, and whether they come in one piece.
type Replies<'f> = (Vec<&'f [u8]>, bool, bool);

struct Module<'f> {
    replies: std::vec::IntoIter<&'f [u8]>,
    in_pieces: bool,
    said: Vec<u8>,
}

impl Peer for Module<'_> {
    // Both kinds of question, with all their time-outs.
    const LONGEST: Duration = Duration::from_secs(600);
    const MOST_SENT: usize = 1 << 16;

    fn hear(&mut self, _: &[u8], words: &mut Vec<u8>) -> bool {
        match self.replies.next() {
            Some(b"gone") => return false,
            Some(reply) => {
                words.extend(reply);
                self.said.extend(reply);
            }
            None => {}
        }
        true
    }

    fn most_at_once(&self) -> usize {
        if self.in_pieces { 3 } else { usize::MAX }
    }
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((replies, in_pieces, repl)) = read::<Replies<'_>>(bytes) else {
        return;
    };
    let mut module = Pipe::to(Module {
        replies: replies.into_iter(),
        in_pieces,
        said: Vec::new(),
    });
    let answer = if repl {
        identity::repl::read(&mut module)
    } else {
        identity::at::read(&mut module)
    };
    let Ok(identity) = answer else {
        return;
    };
    if let Some(revision) = &identity.revision_text {
        assert!(is_said(&module.peer, revision), "`{revision}` was not said");
    }
    if let Some(imei) = &identity.imei {
        assert!(
            imei.len() == 15 && is_said(&module.peer, imei),
            "`{imei}` was not said"
        );
    }
    if let Some(code) = &identity.ordering_code {
        assert!(
            is_said(&module.peer, code.submodel()),
            "the submodel of {code} was not said"
        );
    }
}

fn is_said(module: &Module<'_>, words: &str) -> bool {
    String::from_utf8_lossy(&module.said)
        .to_ascii_uppercase()
        .contains(&words.to_ascii_uppercase())
}
