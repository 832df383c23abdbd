//! What faults have done to a loader, and what becomes of its answers.

use std::time::{Duration, Instant};

use crate::fault::Effect;
use crate::outbox::Outbox;
use crate::port::{Ending, Manners};

/// After a stale answer the others come so late: a host that has taken it for the next one has gone on by then.
const LAG: Duration = Duration::from_millis(50);

/// The lasting state of a loader's faults; everything in it ends with the loader.
#[derive(Debug, Default)]
pub(crate) struct Afflictions {
    /// The effect on the answer to the command in work.
    answering: Option<Effect>,
    /// Never says a byte again.
    pub mute: bool,
    pub manners: Manners,
    /// Only the answer before was to drip.
    dripped: bool,
    /// An answer that is given once more in place of the next; and when the last of the late ones comes.
    stale: Option<Vec<u8>>,
    lags_until: Option<Instant>,
    ending: Option<(Instant, Ending)>,
}

impl Afflictions {
    /// Lets an effect happen that does not depend on an answer; gives back the others.
    pub fn suffer(&mut self, effect: Effect, now: Instant, out: &mut Outbox) -> Option<Effect> {
        match effect {
            Effect::Silence => {
                self.mute = true;
                out.clear();
            }
            Effect::Noise(bytes) => out.say(now, bytes),
            Effect::ShortReads => self.manners.dripping = true,
            Effect::StopReading => self.manners.deaf = true,
            Effect::Vanish => self.end(now, Ending::Vanish),
            Effect::Move => self.end(now, Ending::Move),
            Effect::PowerLoss => self.end(now, Ending::PowerLoss),
            other => return Some(other),
        }
        None
    }

    /// What befalls the next answer.
    pub fn befall(&mut self, effect: Option<Effect>) {
        self.answering = effect;
    }

    /// Ends the module's presence at that time, unless something else has ended it.
    pub fn end(&mut self, at: Instant, ending: Ending) {
        self.ending.get_or_insert((at, ending));
    }

    pub fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// When the presence ends.
    pub fn ends_at(&self) -> Option<Instant> {
        self.ending.map(|(at, _)| at)
    }

    /// What has ended by now.
    pub fn ended(&self, now: Instant) -> Option<Ending> {
        self.ending.filter(|(at, _)| *at <= now).map(|(_, ending)| ending)
    }

    /// How late an answer comes: later than a host needs to go on, and after the one before it.
    fn lag(&mut self, now: Instant) -> Duration {
        let Some(last) = &mut self.lags_until else {
            return Duration::ZERO;
        };
        *last = (now + LAG).max(*last + Duration::from_millis(1));
        *last - now
    }

    /// Sends an answer after `delay`, or what a fault makes of it. `replace` gives the answer of an effect that
    /// replaces it.
    pub fn answer(
        &mut self,
        frame: &[u8],
        replace: impl FnOnce(&Effect) -> Option<Vec<u8>>,
        delay: Duration,
        now: Instant,
        out: &mut Outbox,
    ) {
        if self.mute || self.ended(now).is_some() {
            return;
        }
        if std::mem::take(&mut self.dripped) {
            self.manners.dripping = false;
        }
        if let Some(stale) = self.stale.take() {
            self.lags_until = Some(now);
            out.say(now, stale);
        }
        let delay = delay + self.lag(now);
        match self.answering.take() {
            Some(Effect::SplitReply) => {
                (self.dripped, self.manners.dripping) = (!self.manners.dripping, true);
                out.say_after(now, delay, frame);
            }
            Some(Effect::LoseReply) => {}
            Some(Effect::DuplicateReply) => out.say_after(now, delay, [frame, frame].concat()),
            Some(Effect::StaleReply) => {
                self.stale = Some(frame.to_vec());
                out.say_after(now, delay, frame);
            }
            Some(Effect::CorruptReply) => out.say_after(now, delay, flip_one_bit(frame)),
            Some(Effect::Garbage(bytes)) => out.say_after(now, delay, bytes),
            Some(Effect::Slow(time)) => out.say_after(now, delay + time, frame),
            Some(effect) => {
                let other = replace(&effect);
                out.say_after(now, delay, other.unwrap_or_else(|| frame.to_vec()));
            }
            None => out.say_after(now, delay, frame),
        }
    }
}

/// Flips a bit near the middle; never one that makes or breaks a flag or an escape.
fn flip_one_bit(frame: &[u8]) -> Vec<u8> {
    let mut flipped = frame.to_vec();
    let middle = frame.len() / 2;
    let is_plain = |byte: u8| !matches!(byte, 0x7D | 0x7E);
    let place = (0..frame.len())
        .filter(|place| is_plain(frame[*place]) && is_plain(frame[*place] ^ 1))
        .min_by_key(|place| place.abs_diff(middle));
    if let Some(place) = place {
        flipped[place] ^= 1;
    }
    flipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_one_answer_and_not_the_next() {
        let (mut afflictions, mut out, now) = (Afflictions::default(), Outbox::default(), Instant::now());
        for (effect, drips) in [(Some(Effect::SplitReply), true), (None, false)] {
            afflictions.befall(effect);
            afflictions.answer(b"OKAY", |_| None, Duration::ZERO, now, &mut out);
            assert_eq!(afflictions.manners.dripping, drips);
        }
        assert_eq!(out.ready(now), b"OKAYOKAY");
    }

    #[test]
    fn gives_a_stale_answer_for_the_next_one() {
        let (mut afflictions, mut out, now) = (Afflictions::default(), Outbox::default(), Instant::now());
        let mut answer = |effect, frame: &[u8]| {
            afflictions.befall(effect);
            afflictions.answer(frame, |_| None, Duration::ZERO, now, &mut out);
        };
        answer(Some(Effect::StaleReply), b"ONE");
        answer(None, b"TWO");
        answer(None, b"THREE");
        assert_eq!(out.ready(now), b"ONEONE");
        assert_eq!(out.ready(now + LAG), b"ONEONETWO");
        assert_eq!(out.ready(now + 2 * LAG), b"ONEONETWOTHREE");
    }

    #[test]
    fn flips_exactly_one_bit_and_no_flag() {
        let frame = [0x7E, 0x00, 0x80, 0x7D, 0x5E, 0xFF, 0x7E];
        let flipped = flip_one_bit(&frame);
        let differences = frame.iter().zip(&flipped).filter(|(one, other)| one != other);
        assert_eq!(differences.count(), 1);
        assert_eq!((flipped[0], flipped[3], flipped[6]), (0x7E, 0x7D, 0x7E));
        assert!(!flipped[1..6].contains(&0x7E));
    }
}
