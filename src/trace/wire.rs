//! A wire that leads into a recording: what is sent is compared with it, what is received comes out of it.
//!
//! The order of the recording is the truth, and its clock is the session's: it stands still while the session thinks,
//! and jumps to the next thing that happened. That makes a session deterministic, since its clock is the only thing
//! beside the module's bytes that it does not get from its options. Bytes are compared, not calls: reads and writes
//! may be cut in other ways than they were.

use std::collections::VecDeque;
use std::time::Duration;

use qpyflash_protocols::describe::{Describer, Side};
use qpyflash_protocols::{Platform, Progress, Wire, WireError};

use super::difference::{Difference, Said};
use super::record::{Bytes, Call, Direction, Event, POLL, What};
use super::recording::{Line, Moment};

/// How much later than expected bytes may come that were waited for, while nothing was sent in between: a busy host is
/// late, other tools wait longer, and a recording of our own tells of every silence anyway.
const LATE: Duration = Duration::from_secs(1);
/// Two lengths of one wait differ by no more: the clock stands still where the recorded one went on.
const SAME_WAIT: Duration = Duration::from_millis(2);

/// One line of a recording, as a wire.
pub struct Replay<'r> {
    line: &'r Line<'r>,
    /// The next entry, how many bytes of it are used, and how much of its silence has passed.
    next: usize,
    used: usize,
    passed: Duration,
    now: Duration,
    /// Bytes of the module that nobody has asked for yet.
    arrived: VecDeque<u8>,
    /// The recording is of a capture: it knows neither silences, nor looks, nor the line speed.
    is_capture: bool,
    theirs: Describer,
    ours: Describer,
    /// What the entry in work means.
    meaning: String,
    sent: u64,
    difference: Option<Difference>,
    at_cut: bool,
}

impl<'r> Replay<'r> {
    /// The beginning of a line; `platform` tells whose protocol is spoken, if not text.
    pub fn new(line: &'r Line<'r>, platform: Option<Platform>, is_capture: bool) -> Self {
        let describer = || platform.map_or_else(Describer::of_text, Describer::of);
        Replay {
            line,
            next: 0,
            used: 0,
            passed: Duration::ZERO,
            now: Duration::ZERO,
            arrived: VecDeque::new(),
            is_capture,
            theirs: describer(),
            ours: describer(),
            meaning: String::new(),
            sent: 0,
            difference: None,
            at_cut: false,
        }
    }

    /// Bytes that were sent and are those of the recording.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The recording was cut off before the session had ended.
    pub fn is_cut_off(&self) -> bool {
        self.at_cut
    }

    /// The first difference, once the session has ended; `because` is how it ended, if it failed.
    pub fn into_difference(mut self, because: Option<String>) -> Option<Difference> {
        if self.difference.is_none() && !self.at_cut {
            self.find_unsaid();
        }
        let difference = self.difference?;
        let because = because.filter(|_| difference.now.is_none());
        Some(Difference {
            port: self.line.port.to_owned(),
            talk: self.line.talk.to_owned(),
            because,
            ..difference
        })
    }

    /// What the recording still says to the module is not said now.
    fn find_unsaid(&mut self) {
        while let Some(moment) = self.peek() {
            if let What::Bytes(Bytes {
                direction: Direction::ToModule,
                bytes,
                ..
            }) = moment.what
            {
                self.begin(Side::Host, bytes);
                let recorded = Said::new(bytes, self.used, self.meaning.clone());
                self.difference = Some(Difference::at(Some(&moment), Some(recorded), None));
                return;
            }
            self.skip(&moment);
        }
    }

    fn peek(&self) -> Option<Moment<'r>> {
        self.line.entries.get(self.next).copied()
    }

    fn advance(&mut self) {
        self.next += 1;
        self.used = 0;
        self.passed = Duration::ZERO;
    }

    /// Passes over what is not said to the module; bytes of the module have arrived then.
    fn skip(&mut self, moment: &Moment<'r>) {
        if let What::Bytes(bytes) = moment.what {
            self.begin(Side::Module, &bytes.bytes);
            self.arrived.extend(&bytes.bytes[self.used..]);
            self.now = self.now.max(moment.at);
        }
        self.advance();
    }

    /// Tells the describers of an entry, once.
    fn begin(&mut self, side: Side, bytes: &[u8]) {
        if self.used == 0 {
            self.meaning = self.theirs.describe(side, bytes);
            if side == Side::Module {
                self.ours.describe(side, bytes);
            }
        }
    }

    fn check(&self) -> Result<(), WireError> {
        match (&self.difference, self.at_cut) {
            (Some(_), _) => Err(WireError::Failed("this differs from the recording".into())),
            (None, true) => Err(WireError::Failed("the recording ends here".into())),
            (None, false) => Ok(()),
        }
    }

    fn differ(&mut self, moment: Option<&Moment<'r>>, recorded: Option<Said>, now: Said) -> WireError {
        let mut difference = Difference::at(moment, recorded, Some(now));
        if moment.is_none() {
            difference.t = self.line.entries.last().map_or(0.0, |last| last.t);
        }
        self.difference = Some(difference);
        WireError::Failed("this differs from the recording".into())
    }

    /// The recorded failure of that call, if it comes next.
    fn failure(&mut self, call: Call) -> Result<(), WireError> {
        if let Some(moment) = self.peek()
            && let What::Event(Event::Failed { during, fault }) = moment.what
            && *during == call
        {
            self.advance();
            return Err(fault.into());
        }
        Ok(())
    }

    /// Hands out bytes of the module.
    fn give(&mut self, into: &mut [u8]) -> usize {
        let count = self.arrived.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.arrived.drain(..count)) {
            *place = byte;
        }
        count
    }

    /// Whether bytes of the module would have been seen by who waits until then, or only looks.
    fn reaches(&self, moment: &Moment<'r>, bytes: &Bytes, wait_until: Option<Duration>) -> bool {
        match wait_until {
            Some(until) => moment.at <= until + LATE,
            // Who looks wants to be sure that nothing has come before the next command.
            None if self.is_capture => moment.at <= self.now || self.host_speaks_next(),
            None => bytes.polled,
        }
    }

    fn host_speaks_next(&self) -> bool {
        let said = self.line.entries[self.next..]
            .iter()
            .filter_map(|moment| match moment.what {
                What::Bytes(bytes) => Some(bytes.direction),
                What::Event(_) => None,
            });
        let mut after = said.skip_while(|direction| *direction == Direction::FromModule);
        after.next().is_some()
    }

    /// Waits, or only looks: true when bytes have arrived.
    fn hear(&mut self, wait_until: Option<Duration>) -> Result<bool, WireError> {
        loop {
            self.failure(if wait_until.is_some() {
                Call::Receive
            } else {
                Call::Poll
            })?;
            let Some(moment) = self.peek() else {
                self.at_cut = !self.line.is_whole && wait_until.is_some();
                self.check()?;
                break;
            };
            match (moment.what, wait_until) {
                (What::Bytes(bytes), _) if bytes.direction == Direction::FromModule => {
                    if !self.reaches(&moment, bytes, wait_until) {
                        break;
                    }
                    self.skip(&moment);
                    return Ok(true);
                }
                (What::Event(Event::Silence { within }), Some(until)) => {
                    let within = Duration::try_from_secs_f64(*within).unwrap_or_default();
                    let left = within.saturating_sub(self.passed);
                    let wait = until.saturating_sub(self.now);
                    if wait + SAME_WAIT < left {
                        self.passed += wait;
                        break;
                    }
                    self.now = self.now.max(moment.at);
                    self.advance();
                    if self.now >= until {
                        break;
                    }
                }
                (What::Bytes(_) | What::Event(Event::Silence { .. }), _) => break,
                (What::Event(_), _) => self.advance(),
            }
        }
        self.now = self.now.max(wait_until.unwrap_or_default());
        Ok(false)
    }

    /// Compares with one entry, and says how many bytes are equal.
    fn compare(
        &mut self,
        moment: &Moment<'r>,
        recorded: &[u8],
        bytes: &[u8],
        from: usize,
        words: &str,
    ) -> Result<usize, WireError> {
        self.begin(Side::Host, recorded);
        let (theirs, ours) = (&recorded[self.used..], &bytes[from..]);
        let equal = theirs
            .iter()
            .zip(ours)
            .take_while(|(one, other)| one == other)
            .count();
        self.sent += equal as u64;
        self.now = self.now.max(moment.at);
        if equal < theirs.len().min(ours.len()) {
            let recorded = Said::new(recorded, self.used + equal, self.meaning.clone());
            let now = Said::new(bytes, from + equal, words.to_owned());
            return Err(self.differ(Some(moment), Some(recorded), now));
        }
        self.used += equal;
        if self.used == recorded.len() {
            self.advance();
        }
        Ok(equal)
    }
}

impl Wire for Replay<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.check()?;
        let words = self.ours.describe(Side::Host, bytes);
        let mut done = 0;
        while done < bytes.len() {
            let Some(moment) = self.peek() else {
                self.at_cut = !self.line.is_whole;
                self.check()?;
                return Err(self.differ(None, None, Said::new(bytes, done, words)));
            };
            match moment.what {
                What::Bytes(recorded) if recorded.direction == Direction::ToModule => {
                    done += self.compare(&moment, &recorded.bytes, bytes, done, &words)?;
                }
                _ => self.skip(&moment),
            }
        }
        self.failure(Call::Send)
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.check()?;
        if self.arrived.is_empty() {
            let heard = self.hear((within >= POLL).then(|| self.now + within))?;
            if !heard && within < POLL {
                // Who waits for the last fraction of a millisecond in looks would wait forever otherwise.
                self.now += within;
            }
        }
        Ok(self.give(into))
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.check()?;
        while !self.is_capture
            && let Some(moment) = self.peek()
        {
            match moment.what {
                What::Event(Event::Baud { baud: recorded }) if *recorded == baud => {
                    self.advance();
                    return self.failure(Call::Baud);
                }
                What::Bytes(Bytes {
                    direction: Direction::ToModule,
                    ..
                }) => break,
                What::Event(Event::Baud { baud: recorded }) => {
                    let said = |baud: u32| Said::new(&[], 0, format!("the line speed becomes {baud}"));
                    return Err(self.differ(Some(&moment), Some(said(*recorded)), said(baud)));
                }
                _ => self.skip(&moment),
            }
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.check()?;
        self.failure(Call::Pause)?;
        self.now += how_long;
        Ok(())
    }

    fn report(&mut self, _: Progress<'_>) {}
}
