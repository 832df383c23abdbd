//! The wire to the module of an entry: nothing is heard from one that has left, time passes only when somebody waits,
//! and whoever talks must come to an end and send a bounded amount.

use std::time::Duration;

use qpyflash_protocols::{Progress, Wire, WireError};

/// A module that hears.
pub trait Peer {
    /// Nobody has a reason to talk to it for longer.
    const LONGEST: Duration;
    /// Or to send it more bytes.
    const MOST_SENT: usize;

    /// Appends to `words` what it says to these bytes. False when it leaves the bus.
    fn hear(&mut self, bytes: &[u8], words: &mut Vec<u8>) -> bool;

    /// What it says by itself while it is waited for, and how often.
    fn sign_of_life(&self) -> Option<(Duration, &'static [u8])> {
        None
    }

    /// The most bytes that come at once.
    fn most_at_once(&self) -> usize {
        usize::MAX
    }
}

/// The wire to it.
pub struct Pipe<P> {
    pub peer: P,
    words: Vec<u8>,
    now: Duration,
    sent_bytes: usize,
    is_there: bool,
}

impl<P: Peer> Pipe<P> {
    pub fn to(peer: P) -> Self {
        Pipe {
            peer,
            words: Vec::new(),
            now: Duration::ZERO,
            sent_bytes: 0,
            is_there: true,
        }
    }
}

impl<P: Peer> Wire for Pipe<P> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if !self.is_there {
            return Err(WireError::Gone);
        }
        self.sent_bytes += bytes.len();
        assert!(self.sent_bytes < P::MOST_SENT, "an unbounded amount was sent");
        self.is_there = self.peer.hear(bytes, &mut self.words);
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        if !self.is_there {
            return Err(WireError::Gone);
        }
        if let Some((every, words)) = self.peer.sign_of_life()
            && self.words.is_empty()
            && within > every
        {
            self.now += every;
            self.words.extend(words);
        }
        let count = self.words.len().min(into.len()).min(self.peer.most_at_once());
        self.now += if count == 0 {
            within
        } else {
            Duration::from_micros(10)
        };
        assert!(self.now < P::LONGEST, "it does not end");
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
