//! Faults a virtual module can be given: at a named point, the nth time it is reached, this happens.

mod eigencomm;
mod point;
mod unisoc;

use std::str::FromStr;
use std::time::Duration;

pub use eigencomm::{EigencommRequest, EigencommStage};
pub use point::Point;
pub use unisoc::{Request, Stage};

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

/// What happens at the point of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Never says a byte again: no answer, no heartbeat.
    Silence,
    /// Does what it was asked, and its answer is lost; heartbeats go on.
    LoseReply,
    /// Answers twice.
    DuplicateReply,
    /// Answers twice: the second time in the place of the answer to the next request. That answer and every later one
    /// come so late that the host has gone on.
    StaleReply,
    /// One bit of the answer is flipped, none that makes or breaks a 7D or 7E.
    CorruptReply,
    /// The answer of a Unisoc or Eigencomm module is this code, and what was asked is not done.
    Nak(u16),
    /// These raw bytes go out instead of the answer.
    Garbage(Vec<u8>),
    /// These raw bytes go out before the answer.
    Noise(Vec<u8>),
    /// A well-formed answer with this text instead of the right one.
    Answer(String),
    /// `FAIL` with this text; what was asked is not done. At [`Point::Programming`] it comes late, after the
    /// command was acknowledged.
    Refuse(String),
    /// This sync of an Eigencomm module and the following ones, so many in all, are not answered.
    IgnoreSyncs(u32),
    /// The answer, or the erase and programming, takes so much longer.
    Slow(Duration),
    /// The answer reaches the host one byte at a time.
    SplitReply,
    /// From here on the host gets one byte at a time.
    ShortReads,
    /// From here on no byte is taken from the host, whose writes block. Heartbeats go on.
    StopReading,
    /// The cable is pulled: the module leaves the bus until it is attached again.
    Vanish,
    /// The cable is pulled and put in elsewhere: the module boots at another topology path, with other port names.
    Move,
    /// The supply fails and comes back: RAM is lost, the module boots.
    PowerLoss,
}

/// A fault as a person writes it: `point[@nth]=effect`, as in `flash@3=refuse:no room`, `data:4096@2=power-loss`,
/// `programming=slow:2500` (milliseconds), `getvar=noise`; on a Unisoc module `fdl2.erase@2=nak:84`; on an Eigencomm
/// module `ec.rom.data@2=corrupt-reply`, `ec.lpc.burn-one=nak:80`, `ec.ag.sync=ignore-syncs:3`, `ec.ag.done=garbage:2b02d3ee`.
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, what) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not a fault: write `point@nth=effect`"))?;
        let (at, nth) = place.split_once('@').unwrap_or((place, "1"));
        let nth = nth
            .parse()
            .map_err(|_| format!("`{nth}` is not a number: write `point@nth=effect`"))?;
        Ok(Fault {
            at: at.parse()?,
            nth,
            what: parse_effect(what)?,
        })
    }
}

fn parse_effect(text: &str) -> Result<Effect, String> {
    let (name, detail) = text.split_once(':').unwrap_or((text, ""));
    Ok(match name {
        "silence" => Effect::Silence,
        "lose-reply" => Effect::LoseReply,
        "duplicate-reply" => Effect::DuplicateReply,
        "stale-reply" => Effect::StaleReply,
        "corrupt-reply" => Effect::CorruptReply,
        "nak" => {
            let code = u16::from_str_radix(detail, 16)
                .map_err(|_| format!("`{detail}` is not a hexadecimal reply code"))?;
            Effect::Nak(code)
        }
        "garbage" => Effect::Garbage(parse_bytes(detail)?),
        "noise" => Effect::Noise(parse_bytes(detail)?),
        "ignore-syncs" => {
            let count = detail
                .parse()
                .map_err(|_| format!("`{detail}` is not a number of syncs"))?;
            Effect::IgnoreSyncs(count)
        }
        "answer" => Effect::Answer(detail.to_owned()),
        "refuse" => Effect::Refuse(detail.to_owned()),
        "slow" => {
            let time = detail
                .parse()
                .map_err(|_| format!("`{detail}` is not a time in milliseconds"))?;
            Effect::Slow(Duration::from_millis(time))
        }
        "split-reply" => Effect::SplitReply,
        "short-reads" => Effect::ShortReads,
        "stop-reading" => Effect::StopReading,
        "vanish" => Effect::Vanish,
        "move" => Effect::Move,
        "power-loss" => Effect::PowerLoss,
        _ => return Err(format!("`{name}` is no effect of a fault")),
    })
}

/// Hexadecimal digits; [`NOISE`] when there are none.
fn parse_bytes(text: &str) -> Result<Vec<u8>, String> {
    if text.is_empty() {
        return Ok(NOISE.to_vec());
    }
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len().is_multiple_of(2));
    let pairs = pairs.ok_or_else(|| format!("`{text}` is not a number of whole bytes in hexadecimal"))?;
    Ok(pairs
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect())
}

/// Bytes that are no frame, and end without leaving one open.
const NOISE: &[u8] = b"\x00\xFF\x13rubbish\x80\r\n";

/// The faults given to one module, and how often each point was reached.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Vec<(Fault, u32)>,
}

impl Faults {
    pub fn arm(&mut self, fault: Fault) {
        self.armed.push((fault, 0));
    }

    /// Whether each of them has struck.
    pub fn have_struck(&self) -> bool {
        self.armed.iter().all(|(fault, reached)| *reached >= fault.nth)
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
        assert!(!faults.have_struck());
        assert_eq!(faults.strike(Point::Flash), Some(Effect::Silence));
        assert!(faults.have_struck());
        assert_eq!(faults.strike(Point::Flash), None);
    }

    #[test]
    fn is_read_as_a_person_writes_it() {
        let fault = |text: &str| text.parse::<Fault>();
        let refuse = Effect::Refuse("no room: full".into());
        assert_eq!(
            fault("flash@3=refuse:no room: full"),
            Ok(Fault {
                at: Point::Flash,
                nth: 3,
                what: refuse
            })
        );
        let loss = Fault {
            at: Point::Data(4096),
            nth: 1,
            what: Effect::PowerLoss,
        };
        assert_eq!(fault("data:4096=power-loss"), Ok(loss));
        let slow = Effect::Slow(Duration::from_millis(2500));
        assert_eq!(
            fault("programming=slow:2500"),
            Ok(Fault {
                at: Point::Programming,
                nth: 1,
                what: slow
            })
        );
        let nak = Fault {
            at: Point::Unisoc(Stage::Fdl2, Request::EraseFlash),
            nth: 2,
            what: Effect::Nak(0x8A),
        };
        assert_eq!(fault("fdl2.erase@2=nak:8a"), Ok(nak.clone()));
        assert_eq!(fault("fdl.erase@2=nak:8A"), Ok(nak));
        let point = Point::Eigencomm(EigencommStage::Lpc, EigencommRequest::BurnOne);
        let at = |what| Fault {
            at: point,
            nth: 1,
            what,
        };
        assert_eq!(fault("ec.lpc.burn-one@1=nak:80"), Ok(at(Effect::Nak(0x80))));
        assert_eq!(
            fault("ec.lpc.burn-one=ignore-syncs:3"),
            Ok(at(Effect::IgnoreSyncs(3)))
        );
        let wrong_state = vec![0x2B, 0x02, 0xD3, 0xEE];
        assert_eq!(
            fault("ec.lpc.burn-one=garbage:2b02D3ee"),
            Ok(at(Effect::Garbage(wrong_state)))
        );
        for wrong in [
            "fdl3.erase=silence",
            "ec.fdl2.erase=silence",
            "ec.rom=silence",
            "ec.lpc.baud=silence",
            "flash=garbage:2b0",
            "flash=noise:xy",
            "flash=ignore-syncs:few",
            "fdl2.flash=silence",
            "flash=nak:no",
            "flash",
            "flash@x=silence",
            "nowhere=silence",
            "flash=nothing",
            "flash=slow:soon",
            "data:x=vanish",
        ] {
            assert!(fault(wrong).is_err(), "{wrong}");
        }
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
