//! Faults a virtual module can be given: at a named point, the nth time it is reached, this happens.

use std::time::Duration;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it strikes.
    pub at: Point,
    /// At which occurrence of that point, counted from 1. For [`Point::Data`]: in which download.
    pub nth: u32,
    /// What happens.
    pub what: Effect,
}

/// A point of the download dialogue. Source: DESIGN §11, specs/asr-aboot.md §3-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The preamble `UUUU~` has arrived.
    Preamble,
    /// The confirmation `~UABT~` has arrived.
    Confirmation,
    /// HELLO has arrived.
    Hello,
    /// Any command has arrived.
    Command,
    /// `getvar` has arrived.
    Getvar,
    /// `progress` has arrived.
    Progress,
    /// `download` has arrived: `DATA` is due.
    Download,
    /// That many bytes of one download have arrived.
    Data(u64),
    /// That many bytes have arrived in all downloads since the module was powered.
    AllData(u64),
    /// The last byte of a download has arrived: `OKAY` is due.
    AfterData,
    /// `verify` has arrived.
    Verify,
    /// `call` or `nop` has arrived.
    Call,
    /// `partition` has arrived.
    Partition,
    /// `erase` has arrived.
    Erase,
    /// `flash` has arrived.
    Flash,
    /// The worker begins to erase or to program, after `erase` or `flash` was answered.
    Programming,
    /// `reboot` has arrived.
    Reboot,
    /// `complete` has arrived.
    Complete,
    /// `disconnect` has arrived.
    Disconnect,
}

/// What happens at the point of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Never says a byte again: no answer, no heartbeat.
    Silence,
    /// Does what it was asked, and its answer is lost; heartbeats go on.
    LoseReply,
    /// Answers twice.
    DuplicateReply,
    /// These raw bytes go out instead of the answer.
    Garbage(Vec<u8>),
    /// These raw bytes go out before the answer.
    Noise(Vec<u8>),
    /// A well-formed answer with this text instead of the right one.
    Answer(String),
    /// `FAIL` with this text; what was asked is not done. At [`Point::Programming`] it comes late, after the
    /// command was acknowledged.
    Refuse(String),
    /// The answer, or the erase and programming, takes so much longer.
    Slow(Duration),
    /// From here on the host gets one byte at a time.
    ShortReads,
    /// From here on no byte is taken from the host, whose writes block. Heartbeats go on.
    StopReading,
    /// The cable is pulled: the module leaves the bus until it is attached again.
    Vanish,
    /// The supply fails and comes back: RAM is lost, the module boots.
    PowerLoss,
}

/// The faults given to one module, and how often each point was reached.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<(Fault, u32)>,
}

impl Faults {
    pub fn arm(&mut self, fault: Fault) {
        self.armed.push((fault, 0));
    }

    /// `point` has been reached once more.
    pub fn strike(&mut self, point: Point) -> Option<Effect> {
        let mut struck = None;
        for (fault, reached) in self.armed.iter_mut().filter(|(fault, _)| fault.at == point) {
            *reached += 1;
            if *reached == fault.nth {
                struck = Some(fault.what.clone());
            }
        }
        struck
    }

    /// Bytes have arrived: `received` in the `download`th download, `all` since power-on. Each strikes once.
    pub fn strike_data(&mut self, download: u32, received: u64, all: u64) -> Option<Effect> {
        let is_reached = |fault: &Fault| match fault.at {
            Point::Data(count) => fault.nth == download && received >= count,
            Point::AllData(count) => all >= count,
            _ => false,
        };
        let place = self.armed.iter().position(|(fault, _)| is_reached(fault))?;
        Some(self.armed.swap_remove(place).0.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_at_the_nth_occurrence_only() {
        let mut faults = Faults::default();
        faults.arm(Fault {
            at: Point::Flash,
            nth: 2,
            what: Effect::Silence,
        });
        assert_eq!(faults.strike(Point::Flash), None);
        assert_eq!(faults.strike(Point::Erase), None);
        assert_eq!(faults.strike(Point::Flash), Some(Effect::Silence));
        assert_eq!(faults.strike(Point::Flash), None);
    }

    #[test]
    fn strikes_once_when_that_many_bytes_of_a_download_have_arrived() {
        let mut faults = Faults::default();
        faults.arm(Fault {
            at: Point::Data(100),
            nth: 2,
            what: Effect::Vanish,
        });
        assert_eq!(faults.strike_data(1, 500, 500), None);
        assert_eq!(faults.strike_data(2, 99, 599), None);
        assert_eq!(faults.strike_data(2, 120, 620), Some(Effect::Vanish));
        assert_eq!(faults.strike_data(2, 140, 640), None);
    }
}
