//! Faults a virtual module can be given: at a named point, the nth time it is reached, this happens.

use std::str::FromStr;
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

/// A point of the download dialogue. Source: DESIGN §11, specs/asr-aboot.md §3-4, specs/unisoc-pac-bsl.md §4-5.
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
    /// The worker begins a job: an `erase` or a `flash`, counted in the order in which they were queued.
    Programming,
    /// `reboot` has arrived.
    Reboot,
    /// `complete` has arrived.
    Complete,
    /// `disconnect` has arrived.
    Disconnect,
    /// That request has arrived in that stage of a Unisoc module.
    Unisoc(Stage, Request),
}

/// A stage of a Unisoc module in download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The mask ROM: PDL on the UIS8910, BSL with a CRC on the UIS8850.
    Rom,
    /// FDL1 of the UIS8910.
    Fdl1,
    /// The loader that writes the flash: FDL2 of the UIS8910, FDL of the UIS8850.
    Fdl2,
}

/// A request to a Unisoc module in download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Any of the others.
    Any,
    /// The flags that the stage waits for.
    Sync,
    /// CONNECT.
    Connect,
    /// START_DATA.
    Start,
    /// MIDST_DATA, or MID_DATA of PDL.
    Midst,
    /// END_DATA.
    End,
    /// EXEC_DATA. Its answer from an 8910's FDL1 is the ACK with which FDL2 starts.
    Exec,
    /// NORMAL_RESET.
    Reset,
    /// READ_FLASH.
    ReadFlash,
    /// CHANGE_BAUD.
    ChangeBaud,
    /// ERASE_FLASH.
    EraseFlash,
    /// Every other command.
    Other,
}

impl Stage {
    const NAMED: [(&'static str, Stage); 4] = [
        ("rom", Stage::Rom),
        ("fdl1", Stage::Fdl1),
        ("fdl2", Stage::Fdl2),
        ("fdl", Stage::Fdl2),
    ];
}

impl Request {
    const NAMED: [(&'static str, Request); 12] = [
        ("any", Request::Any),
        ("sync", Request::Sync),
        ("connect", Request::Connect),
        ("start", Request::Start),
        ("midst", Request::Midst),
        ("end", Request::End),
        ("exec", Request::Exec),
        ("reset", Request::Reset),
        ("read", Request::ReadFlash),
        ("baud", Request::ChangeBaud),
        ("erase", Request::EraseFlash),
        ("other", Request::Other),
    ];
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
    /// One bit of the answer is flipped, none that makes or breaks a 7D or 7E.
    CorruptReply,
    /// The answer of a Unisoc module is this code, and what was asked is not done.
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
    /// The supply fails and comes back: RAM is lost, the module boots.
    PowerLoss,
}

/// A fault as a person writes it: `point[@nth]=effect`, as in `flash@3=refuse:no room`, `data:4096@2=power-loss`,
/// `programming=slow:2500` (milliseconds), `getvar=noise`; on a Unisoc module `fdl2.erase@2=nak:84`.
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
            at: parse_point(at)?,
            nth,
            what: parse_effect(what)?,
        })
    }
}

fn parse_point(text: &str) -> Result<Point, String> {
    if let Some((stage, request)) = text.split_once('.') {
        let stage = Stage::NAMED.iter().find(|(name, _)| *name == stage);
        let request = Request::NAMED.iter().find(|(name, _)| *name == request);
        let (Some((_, stage)), Some((_, request))) = (stage, request) else {
            return Err(format!("`{text}` is no stage and request of a Unisoc module"));
        };
        return Ok(Point::Unisoc(*stage, *request));
    }
    let (name, count) = text.split_once(':').unwrap_or((text, "0"));
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` is not a number of bytes"))?;
    Ok(match name {
        "preamble" => Point::Preamble,
        "confirmation" => Point::Confirmation,
        "hello" => Point::Hello,
        "command" => Point::Command,
        "getvar" => Point::Getvar,
        "progress" => Point::Progress,
        "download" => Point::Download,
        "data" => Point::Data(count),
        "all-data" => Point::AllData(count),
        "after-data" => Point::AfterData,
        "verify" => Point::Verify,
        "call" => Point::Call,
        "partition" => Point::Partition,
        "erase" => Point::Erase,
        "flash" => Point::Flash,
        "programming" => Point::Programming,
        "reboot" => Point::Reboot,
        "complete" => Point::Complete,
        "disconnect" => Point::Disconnect,
        _ => return Err(format!("`{name}` is no point of the download dialogue")),
    })
}

fn parse_effect(text: &str) -> Result<Effect, String> {
    let (name, detail) = text.split_once(':').unwrap_or((text, ""));
    Ok(match name {
        "silence" => Effect::Silence,
        "lose-reply" => Effect::LoseReply,
        "duplicate-reply" => Effect::DuplicateReply,
        "corrupt-reply" => Effect::CorruptReply,
        "nak" => {
            let code = u16::from_str_radix(detail, 16)
                .map_err(|_| format!("`{detail}` is not a hexadecimal reply code"))?;
            Effect::Nak(code)
        }
        "garbage" => Effect::Garbage(NOISE.to_vec()),
        "noise" => Effect::Noise(NOISE.to_vec()),
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
        "power-loss" => Effect::PowerLoss,
        _ => return Err(format!("`{name}` is no effect of a fault")),
    })
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
        for wrong in [
            "fdl3.erase=silence",
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
