//! The command layer: fastboot-like text, one command outstanding at a time.
//!
//! ```text
//! H getvar:product        M OKAYarom-tiny
//! H download:00001044     M DATA00001044
//! H <4164 bytes>          M OKAY
//! H flash:user_app        M INFO..., PROG55, OKAY     queued; FAIL may follow at any time
//! H complete              M PROG100, OKAY             the only proof
//! ```
//!
//! Source: specs/asr-aboot.md §4.

use std::fmt;
use std::time::Duration;

use super::link::Link;
use crate::{Cause, WireError};

/// Waits, each bounded although the module may show signs of life for ever. Source: specs/asr-aboot.md §4.6.
pub(super) mod patience {
    use std::time::Duration;

    /// `getvar`, `progress`, `reboot` and other questions that need no work.
    pub const QUESTION: Duration = Duration::from_secs(10);
    /// DATA after `download` while the boot ROM serves.
    pub const ROM_DATA: Duration = Duration::from_secs(30);
    /// DATA after `download` while the flasher serves: it may have to free a block first.
    pub const FLASHER_DATA: Duration = Duration::from_secs(600);
    /// OKAY after the bytes of a download.
    pub const STORED: Duration = Duration::from_secs(60);
    /// `verify`.
    pub const VERIFY: Duration = Duration::from_secs(30);
    /// `call`: preboot sets up RAM and clocks.
    pub const CALL: Duration = Duration::from_secs(300);
    /// A command whose answer was interrupted by a new handshake. The length is ours.
    pub const AFTER_REVIVAL: Duration = Duration::from_secs(30);
    /// `partition`: the flasher probes the flash. The spec names no limit (?); that of stored bytes is taken.
    pub const PARTITION: Duration = Duration::from_secs(60);
    /// `erase`, `flash`, `complete`: as long as the module shows signs of life, but not for ever.
    pub const WORK: Duration = Duration::from_secs(900);
    /// `disconnect`: answered or not, everything is written by then.
    pub const DISCONNECT: Duration = Duration::from_secs(1);
    /// Before `complete`: an answer that comes twice, or late, has come by then, and cannot be taken for the proof. The
    /// length is ours.
    pub const SETTLED: Duration = Duration::from_millis(100);
    /// After a FAIL to a harmless question while work is queued: if it was the work that failed, the question's
    /// own answer still comes. The length is ours.
    pub const SECOND_ANSWER: Duration = Duration::from_millis(500);
}

/// What the module answers with. Source: §4.1 (V).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Done, with the value asked for.
    Okay(String),
    /// Refused or failed.
    Fail(String),
    /// Ready for this many bytes.
    Data(u32),
    /// Text on the way.
    Info(String),
    /// Percent done of everything, at most 100.
    Progress(u8),
    /// Not of this protocol.
    Malformed(String),
}

impl Reply {
    /// Reads a reply from the payload of a command frame.
    pub fn parse(payload: &[u8]) -> Reply {
        let text = String::from_utf8_lossy(payload);
        let malformed = || {
            Reply::Malformed(format!(
                "`{}`",
                text.chars().take(60).collect::<String>().escape_debug()
            ))
        };
        let Some((word, rest)) = text.split_at_checked(4) else {
            return malformed();
        };
        match word {
            "OKAY" => Reply::Okay(rest.to_owned()),
            "FAIL" => Reply::Fail(rest.to_owned()),
            "INFO" => Reply::Info(rest.to_owned()),
            "PROG" => Reply::Progress(
                rest.trim()
                    .parse::<u32>()
                    .map_or(0, |percent| percent.min(100) as u8),
            ),
            "DATA" => u32::from_str_radix(rest, 16).map_or_else(|_| malformed(), Reply::Data),
            _ => malformed(),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Okay(value) => write!(f, "`OKAY{value}`"),
            Reply::Fail(why) => write!(f, "`FAIL{why}`"),
            Reply::Data(bytes) => write!(f, "`DATA{bytes:08x}`"),
            Reply::Info(text) => write!(f, "`INFO{text}`"),
            Reply::Progress(percent) => write!(f, "`PROG{percent}`"),
            Reply::Malformed(text) => f.write_str(text),
        }
    }
}

/// A number published by the module: `\t 0x100000`. Without prefix it is hex if only hex fits or if it has eight
/// digits; otherwise the smaller reading, decimal, which can only make a download shorter.
/// Source: §4.2, §11 no. 6 (?).
pub(super) fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    let decimal = text.parse().ok().filter(|_| text.len() != 8);
    decimal.or_else(|| u32::from_str_radix(text, 16).ok())
}

/// The chip family behind a boot ROM's date, where it is known. Source: specs/asr-aboot.md §9 (1),
/// specs/identity.md §3.2 (V).
pub fn chip_name(version_bootrom: &str) -> Option<&'static str> {
    Some(match version_bootrom {
        "2019.01.15" => "ASR1601",
        "2020.07.30" => "ASR1603, CRANEGM",
        "2021.10.16" => "CRANEL",
        "2021.10.10" | "2022.07.28" | "2022.08.08" => "CRANEW",
        "2022.11.06" => "CRANEL",
        "2022.11.11" => "CRANEG",
        _ => return None,
    })
}

/// So many answers to nothing are let pass where the answer waited for cannot be mistaken.
const STALE_ANSWERS: u32 = 3;

/// Commands over a link.
impl Link<'_> {
    /// Sends a command and waits for its OKAY; returns the value after it.
    pub fn command(&mut self, text: &str, patience: Duration) -> Result<String, Cause> {
        self.clear_to_send(text)?;
        self.command_now(text, patience)
    }

    /// Fails when work queued earlier has failed: then `text` must not be sent any more.
    pub fn clear_to_send(&mut self, text: &str) -> Result<(), Cause> {
        match self.unasked_refusal(text)? {
            Some(why) => Err(unexpected("work queued earlier", Reply::Fail(why))),
            None => Ok(()),
        }
    }

    /// [`Link::command`] after [`Link::clear_to_send`].
    pub fn command_now(&mut self, text: &str, patience: Duration) -> Result<String, Cause> {
        self.send_text(text, patience)?;
        match self.reply(text, patience)? {
            Reply::Okay(value) => Ok(value),
            other => Err(unexpected(text, other)),
        }
    }

    /// The same for a command after which the module may have fallen silent for good reason: helper code has
    /// been started. After 9 s without any frame one new handshake is tried, then `text` is said again if
    /// `repeat` allows. Source: §11 no. 9.
    pub fn command_across_silence(
        &mut self,
        text: &str,
        patience: Duration,
        repeat: bool,
    ) -> Result<String, Cause> {
        let answered = match repeat {
            true => self.value(text, patience),
            false => self.command(text, patience),
        };
        match answered {
            Err(Cause::Silent { .. }) => {}
            answered => return answered,
        }
        let reply = match self.revive()? {
            Some(late) => late,
            None => {
                if repeat {
                    self.send_command(text)?;
                }
                self.reply(text, patience::AFTER_REVIVAL)?
            }
        };
        match reply {
            Reply::Okay(value) => Ok(value),
            other => Err(unexpected(text, other)),
        }
    }

    /// The answer to `text`, which has been sent. An answer that comes twice is let pass when `is_stale` tells it from
    /// the one that is waited for; it is the answer if no other comes.
    fn fresh_reply(
        &mut self,
        text: &str,
        patience: Duration,
        is_stale: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, Cause> {
        let mut reply = self.reply(text, patience)?;
        for _ in 0..STALE_ANSWERS {
            if !is_stale(&reply) {
                break;
            }
            self.note(&format!("dropped an answer to nothing: {reply}"));
            reply = match self.reply(text, patience) {
                Err(Cause::Silent { .. }) => break,
                answer => answer?,
            };
        }
        Ok(reply)
    }

    /// [`Link::command`] for a question that is never answered with OKAY alone.
    pub fn value(&mut self, text: &str, patience: Duration) -> Result<String, Cause> {
        self.send_command(text)?;
        let is_stale = |reply: &Reply| *reply == Reply::Okay(String::new());
        match self.fresh_reply(text, patience, is_stale)? {
            Reply::Okay(value) => Ok(value),
            other => Err(unexpected(text, other)),
        }
    }

    /// The value of a variable, trimmed.
    pub fn variable(&mut self, name: &str) -> Result<String, Cause> {
        Ok(self
            .command(&format!("getvar:{name}"), patience::QUESTION)?
            .trim()
            .to_owned())
    }

    /// Sends a command that may be refused: nothing is the answer then. With work queued in the module, a FAIL
    /// may be the work's own, and then the command's own answer still follows. Source: §4.1, §4.4, §4.5.
    pub fn optional(&mut self, text: &str, work_is_queued: bool) -> Result<Option<String>, Cause> {
        self.send_command(text)?;
        let refusal = match self.reply(text, patience::QUESTION)? {
            Reply::Okay(value) => return Ok(Some(value.trim().to_owned())),
            Reply::Fail(why) => Reply::Fail(why),
            other => return Err(unexpected(text, other)),
        };
        self.note(&format!("{refusal} to `{text}`"));
        if work_is_queued {
            match self.reply(text, patience::SECOND_ANSWER) {
                Err(Cause::Silent { .. }) => {}
                Err(other) => return Err(other),
                Ok(_) => return Err(unexpected("work queued earlier", refusal)),
            }
        }
        Ok(None)
    }

    /// Announces a download; the module is ready for it when this returns.
    pub fn announce(&mut self, len: u32, patience: Duration) -> Result<(), Cause> {
        let text = format!("download:{len:08x}");
        self.send_command(&text)?;
        match self.fresh_reply(&text, patience, |reply| matches!(reply, Reply::Okay(_)))? {
            Reply::Data(agreed) if agreed == len => Ok(()),
            other => Err(unexpected(&text, other)),
        }
    }

    /// Waits until the module has all bytes that were announced and sent.
    pub fn stored(&mut self, len: u32) -> Result<(), Cause> {
        let sent = format!("{len} bytes");
        match self.fresh_reply(&sent, patience::STORED, |reply| *reply == Reply::Data(len))? {
            Reply::Okay(_) => Ok(()),
            other => Err(unexpected(&sent, other)),
        }
    }

    /// Says goodbye. By now everything is written: no answer, and a module that has left, are fine.
    /// Source: §4.3, §4.6 (V).
    pub fn disconnect(&mut self) -> Result<(), Cause> {
        match self.command("disconnect", patience::DISCONNECT) {
            Err(cause @ Cause::Wire(WireError::Cancelled)) => Err(cause),
            _ => Ok(()),
        }
    }

    fn send_command(&mut self, text: &str) -> Result<(), Cause> {
        self.clear_to_send(text)?;
        self.send_text(text, patience::QUESTION)
    }
}

fn unexpected(sent: &str, reply: Reply) -> Cause {
    match reply {
        Reply::Fail(why) => Cause::Refused {
            sent: sent.to_owned(),
            answer: format!("`FAIL{why}`"),
        },
        other => Cause::Malformed {
            sent: sent.to_owned(),
            answer: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_reply() {
        assert_eq!(Reply::parse(b"OKAY"), Reply::Okay(String::new()));
        assert_eq!(Reply::parse(b"OKAY\t 0xf000"), Reply::Okay("\t 0xf000".into()));
        assert_eq!(Reply::parse(b"DATA0000088c"), Reply::Data(0x88C));
        assert_eq!(Reply::parse(b"INFOerase"), Reply::Info("erase".into()));
        assert_eq!(Reply::parse(b"FAIL"), Reply::Fail(String::new()));
    }

    #[test]
    fn clamps_percentages() {
        for (text, percent) in [
            ("PROG0", 0),
            ("PROG 55", 55),
            ("PROG100", 100),
            ("PROG120", 100),
            ("PROG65535", 100),
        ] {
            assert_eq!(Reply::parse(text.as_bytes()), Reply::Progress(percent), "{text}");
        }
        assert_eq!(Reply::parse(b"PROGmany"), Reply::Progress(0));
    }

    #[test]
    fn calls_anything_else_malformed() {
        for text in [
            &b""[..],
            b"OKA",
            b"okay",
            b"DATA",
            b"DATAxyz",
            b"DATA123456789",
            b"\xff\xfe\xfd\xfc",
        ] {
            assert!(matches!(Reply::parse(text), Reply::Malformed(_)), "{text:?}");
        }
    }

    #[test]
    fn reads_numbers_as_modules_publish_them() {
        for (text, value) in [
            ("\t 0xf000", Some(0xF000)),
            ("0x100000", Some(0x10_0000)),
            ("0X1C0000", Some(0x1C_0000)),
            ("00100000", Some(0x10_0000)),
            ("f000", Some(0xF000)),
            ("61440", Some(61_440)),
            ("", None),
            ("0x", None),
            ("0x1ffffffff", None),
            ("lots", None),
        ] {
            assert_eq!(number(text), value, "{text:?}");
        }
    }
}
