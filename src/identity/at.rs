//! The questions to an AT port. Source: specs/identity.md §1.1-1.3, §1.6.
//!
//! ```text
//! host    (listens: a log port never hears a word from us)
//! host    AT                          module  OK
//! host    ATI                         module  Quectel / EC600N / Revision: EC600NCNLAR03A07M08 / OK
//! host    AT+CGMR                     module  EC600NCNLAR03A07M08 / OK
//! host    AT+CGSN (or AT+EGMR=0,7)    module  <IMEI> / OK
//! host    AT+EGMR=0,5                 module  +EGMR: "<serial number>" / OK
//! ```
//! Echo may be on or off, URCs may stand anywhere, replies may come late. A reply counts only when it has the
//! shape of an answer to what was asked.

use std::time::Duration;

use qpyflash_protocols::{Wire, WireError};

use super::dialogue::{Dialogue, escaped};
use super::{Identity, IdentityError, OrderingCode, Revision, Source, series_of};

/// Time to listen before the first byte is written.
pub(super) const LISTEN: Duration = Duration::from_millis(300);
/// Most times `AT` is sent to a port that is silent. Source: specs/identity.md §1.1.
const SYNC_TRIES: u32 = 3;
/// Most times `AT` is sent to a module that is alive and does not say `OK` yet: it boots.
const BOOTING_TRIES: u32 = 15;
/// Time for the answer to `AT`.
pub(super) const SYNC_WITHIN: Duration = Duration::from_secs(1);
/// Time for the answer to a question, and how often it is asked; the manual says 300 ms. Source: §1.1.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const QUESTION_TRIES: u32 = 2;
/// How often a question is asked that is answered with `ERROR`: a busy module says so, too.
const BUSY_TRIES: u32 = 3;
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// Silence before and after `+++`. Source: §1.1.
const GUARD: Duration = Duration::from_millis(1100);
/// Quiet that ends a burst of URCs; the longest burst, and the longest wait for a silent module to boot.
pub(super) const QUIET: Duration = Duration::from_millis(200);
const BOOT_QUIET: Duration = Duration::from_secs(1);
const BOOT_LONGEST: Duration = Duration::from_secs(10);
/// Time for the answer to a [`DownloadCommand`]; silence is fine. Source: specs/usb-and-hosts.md §2.1.
const DOWNLOAD_WITHIN: Duration = Duration::from_secs(3);

/// A command that makes a module leave run mode for download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadCommand {
    /// Quectel's own, of every platform. Some Eigencomm firmware does not have it.
    Qdownload,
    /// Restarts an Eigencomm module after 799 ms; its boot ROM then shows the download port for a short time, in
    /// which it can be caught. Source: specs/eigencomm-agentboot.md §1.3 (1), §11 no. 10 (?).
    Ecrst,
}

impl DownloadCommand {
    /// The command without its line end.
    pub const fn words(self) -> &'static str {
        match self {
            DownloadCommand::Qdownload => "AT+QDOWNLOAD=1",
            DownloadCommand::Ecrst => "AT+ECRST=delay,799",
        }
    }
}

/// What stands at the other end of a port that was asked `AT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// `OK`.
    At,
    /// A Python prompt or traceback.
    Repl,
    /// `REPL refuse`.
    LockedRepl,
    /// Nothing that makes sense; perhaps nothing at all.
    Nothing,
}

/// How a module took the order to enter download mode. Each of them is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It said `OK`.
    Acknowledged,
    /// It said nothing: a module that leaves may cut its answer off.
    Silent,
    /// It was gone before it could answer.
    Vanished,
}

/// Asks an AT port what the module is. Bounded, whatever comes back.
///
/// # Errors
/// [`IdentityError`] when the port is silent, carries logs, is a REPL, or fails.
pub fn read(wire: &mut dyn Wire) -> Result<Identity, IdentityError> {
    let mut port = Dialogue::new(wire);
    let began = port.now();
    let mut heard = synchronise(&mut port)?;
    if heard == Heard::Nothing && wait_for_boot(&mut port)? {
        heard = synchronise(&mut port)?;
    }
    match heard {
        Heard::At => ask_all(&mut port),
        Heard::LockedRepl => Err(IdentityError::ReplLocked),
        Heard::Repl => Err(IdentityError::Garbled {
            asked: "`AT`",
            answer: "a Python prompt".into(),
        }),
        Heard::Nothing => Err(IdentityError::Silent {
            asked: "`AT`".into(),
            waited: port.now() - began,
        }),
    }
}

/// Orders the module into download mode. Nothing may be asked of it on this port afterwards.
///
/// # Errors
/// [`IdentityError::Refused`] with the module's words; [`IdentityError::Wire`] when nothing could be sent.
pub fn enter_download_mode(wire: &mut dyn Wire, command: DownloadCommand) -> Result<Leaving, IdentityError> {
    let mut port = Dialogue::new(wire);
    port.settle(Duration::ZERO, QUIET)?;
    port.send(format!("{}\r\n", command.words()).as_bytes())?;
    let until = port.now() + DOWNLOAD_WITHIN;
    loop {
        match port.line(until) {
            Ok(Some(line)) if line == "OK" => return Ok(Leaving::Acknowledged),
            Ok(Some(line)) if is_refusal(&line) => {
                return Err(IdentityError::Refused {
                    command: command.words(),
                    answer: line,
                });
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Leaving::Silent),
            Err(IdentityError::Wire(WireError::Cancelled)) => return Err(WireError::Cancelled.into()),
            Err(IdentityError::Wire(_)) => return Ok(Leaving::Vanished),
            // The last words of a module that leaves may be noise.
            Err(_) => return Ok(Leaving::Silent),
        }
    }
}

/// Finds out who listens: up to three times `AT`, longer for a module that boots, then `+++`.
pub(super) fn synchronise(port: &mut Dialogue<'_>) -> Result<Heard, IdentityError> {
    port.listen(LISTEN)?;
    let mut tries = 0;
    let mut alive = false;
    while tries < if alive { BOOTING_TRIES } else { SYNC_TRIES } {
        port.send(b"AT\r\n")?;
        tries += 1;
        match answer_to_at(port, SYNC_WITHIN, &mut alive)? {
            Heard::Nothing => {}
            heard => return Ok(heard),
        }
    }
    leave_data_mode(port, &mut alive)
}

/// A port that is known to be the AT port and silent may belong to a module that boots: waits for its `RDY`.
fn wait_for_boot(port: &mut Dialogue<'_>) -> Result<bool, IdentityError> {
    let until = port.now() + BOOT_LONGEST;
    while let Some(line) = port.line(until)? {
        if line == "RDY" {
            port.settle(BOOT_QUIET, BOOT_LONGEST)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// `+++` between two guard times, for a port that is in data mode. Source: specs/identity.md §1.1.
fn leave_data_mode(port: &mut Dialogue<'_>, alive: &mut bool) -> Result<Heard, IdentityError> {
    match answer_to_at(port, GUARD, alive)? {
        Heard::Nothing => port.send(b"+++")?,
        late => return Ok(late),
    }
    port.listen(GUARD)?;
    // The first may be refused when `+++` was no escape but the beginning of a command line.
    for _ in 0..QUESTION_TRIES {
        port.send(b"AT\r\n")?;
        match answer_to_at(port, SYNC_WITHIN, alive)? {
            Heard::Nothing => {}
            heard => return Ok(heard),
        }
    }
    Ok(Heard::Nothing)
}

/// Waits for the answer to `AT`. `alive` becomes true when an AT engine has shown itself in another way.
pub(super) fn answer_to_at(
    port: &mut Dialogue<'_>,
    within: Duration,
    alive: &mut bool,
) -> Result<Heard, IdentityError> {
    let until = port.now() + within;
    while let Some(line) = port.line(until)? {
        match line.as_str() {
            "OK" => {
                port.settle(QUIET, BOOT_LONGEST)?;
                return Ok(Heard::At);
            }
            "RDY" => {
                *alive = true;
                port.settle(BOOT_QUIET, BOOT_LONGEST)?;
                return Ok(Heard::Nothing);
            }
            "REPL refuse" => return Ok(Heard::LockedRepl),
            _ if is_python(&line) => return Ok(Heard::Repl),
            _ if is_refusal(&line) => {
                *alive = true;
                port.pause(BUSY_PAUSE)?;
                return Ok(Heard::Nothing);
            }
            _ => *alive |= line.starts_with('+') && line.contains(": "),
        }
    }
    Ok(if port.at_prompt() {
        Heard::Repl
    } else {
        Heard::Nothing
    })
}

/// Source: specs/identity.md §2.3.
fn is_python(line: &str) -> bool {
    line.starts_with(">>>")
        || line.starts_with("Traceback (most recent call last)")
        || line.starts_with("NameError")
}

/// The lines that end a reply with no. Source: specs/identity.md §1.1.
pub(super) fn is_refusal(line: &str) -> bool {
    line == "ERROR" || line == "BUSY" || line.starts_with("+CME ERROR:") || line.starts_with("+CMS ERROR:")
}

/// What became of a question.
enum Reply<T> {
    Answer(T),
    Refused(String),
    Silent,
}

impl<T> Reply<T> {
    fn answer(self) -> Option<T> {
        match self {
            Reply::Answer(answer) => Some(answer),
            Reply::Refused(_) | Reply::Silent => None,
        }
    }
}

/// Sends a question until `read` finds its answer among the lines before an `OK`.
///
/// An `OK` without the answer belongs to something asked before, and is passed over.
fn ask<T>(
    port: &mut Dialogue<'_>,
    question: &str,
    read: impl Fn(&[String]) -> Option<T>,
) -> Result<Reply<T>, IdentityError> {
    let (mut silences, mut refusals) = (0, 0);
    loop {
        port.send(format!("{question}\r\n").as_bytes())?;
        let until = port.now() + ANSWER_WITHIN;
        let mut lines: Vec<String> = Vec::new();
        let refusal = loop {
            let Some(line) = port.line(until)? else { break None };
            match line.as_str() {
                "OK" => match read(&lines) {
                    Some(answer) => return Ok(Reply::Answer(answer)),
                    None => lines.clear(),
                },
                _ if line.eq_ignore_ascii_case(question) => lines.clear(),
                _ if is_refusal(&line) => break Some(line),
                _ => lines.push(line),
            }
        };
        match refusal {
            Some(words) => {
                refusals += 1;
                if refusals == BUSY_TRIES {
                    return Ok(Reply::Refused(words));
                }
                port.pause(BUSY_PAUSE)?;
            }
            None => {
                silences += 1;
                if silences == QUESTION_TRIES {
                    return Ok(Reply::Silent);
                }
            }
        }
    }
}

pub(super) fn ask_all(port: &mut Dialogue<'_>) -> Result<Identity, IdentityError> {
    let began = port.now();
    let information = ask(port, "ATI", information)?;
    let revision = ask(port, "AT+CGMR", revision_line)?;
    if let (Reply::Silent, Reply::Silent) = (&information, &revision) {
        let asked = "`ATI` and `AT+CGMR`".to_owned();
        return Err(IdentityError::Silent {
            asked,
            waited: port.now() - began,
        });
    }
    let mut identity = Identity::unknown(Source::At);
    compare(&mut identity, information, revision);
    identity.imei = match ask(port, "AT+CGSN", imei)?.answer() {
        Some(imei) => Some(imei),
        None => ask(port, "AT+EGMR=0,7", imei)?.answer(),
    };
    identity.serial_number = ask(port, "AT+EGMR=0,5", serial_number)?.answer();
    identity.note_default_imei();
    Ok(identity)
}

/// The lines of an `ATI` reply that matter.
struct Information {
    object_id: Option<String>,
    revision: String,
    /// Third line of some C SDK firmware. Source: specs/identity.md §1.3.
    custom: Option<String>,
}

fn information(lines: &[String]) -> Option<Information> {
    let value = |key: &str| {
        lines
            .iter()
            .find_map(|line| line.strip_prefix(key))
            .map(|value| value.trim().to_owned())
    };
    let revision = value("Revision:").filter(|text| !text.is_empty())?;
    let behind_maker = lines.iter().skip_while(|line| *line != "Quectel").nth(1);
    let object_id = lines
        .iter()
        .find(|line| series_of(line).is_some())
        .or(behind_maker)
        .cloned();
    Some(Information {
        object_id,
        revision,
        custom: value("CustRevision:"),
    })
}

/// `EC600NCNLAR03A07M08`, with or without `+CGMR: `; also what is no revision by our grammar.
fn revision_line(lines: &[String]) -> Option<String> {
    let bare = |line: &String| {
        let text = line
            .strip_prefix("+CGMR:")
            .or(line.strip_prefix("Revision:"))
            .unwrap_or(line);
        text.trim().trim_matches('"').to_owned()
    };
    let plausible = |text: &String| {
        text.len() >= 8
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    let candidates: Vec<String> = lines.iter().map(bare).filter(plausible).collect();
    let parsed = candidates.iter().find(|text| text.parse::<Revision>().is_ok());
    parsed.or(candidates.first()).cloned()
}

/// Fifteen digits, bare or as `+EGMR: "…"`.
fn imei(lines: &[String]) -> Option<String> {
    lines
        .iter()
        .map(|line| value_of(line))
        .find(|text| text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// `+EGMR: "D1Q20GM050038341P"`; empty when the factory wrote none.
fn serial_number(lines: &[String]) -> Option<String> {
    let text = lines
        .iter()
        .find(|line| line.starts_with("+EGMR:"))
        .map(|line| value_of(line))?;
    text.bytes().any(|b| b.is_ascii_alphanumeric()).then_some(text)
}

fn value_of(line: &str) -> String {
    let value = if line.starts_with('+') {
        line.split_once(':').map_or(line, |(_, value)| value)
    } else {
        line
    };
    value.trim().trim_matches('"').to_owned()
}

/// `ATI` and `AT+CGMR` must say the same; otherwise neither is trusted. Source: specs/identity.md §1.2.
fn compare(identity: &mut Identity, information: Reply<Information>, revision: Reply<String>) {
    let refused = match (&information, &revision) {
        (Reply::Refused(words), _) => Some(format!("`ATI` was answered with `{words}`")),
        (_, Reply::Refused(words)) => Some(format!("`AT+CGMR` was answered with `{words}`")),
        _ => None,
    };
    identity.notes.extend(refused);
    let (information, plain) = (information.answer(), revision.answer());
    let told = information.as_ref().map(|i| i.revision.clone());
    let custom = information.as_ref().and_then(|i| i.custom.clone());
    identity.object_id = information.and_then(|i| i.object_id);

    match (told, plain) {
        (Some(told), Some(plain)) if told == plain => {
            identity.set_revision(&told);
            identity.ordering_code = identity.revision.as_ref().map(|r| r.ordering_code().clone());
        }
        (Some(told), Some(plain)) => identity.notes.push(format!(
            "`ATI` says `{}`, `AT+CGMR` says `{}`: neither is trusted",
            escaped(&told),
            escaped(&plain)
        )),
        (Some(only), None) | (None, Some(only)) => {
            identity.set_revision(&only);
            identity
                .notes
                .push("only one of `ATI` and `AT+CGMR` was answered, so the revision is not trusted".into());
        }
        (None, None) => {}
    }
    if let Some(custom) = custom {
        identity
            .notes
            .push(format!("customer firmware: `CustRevision: {}`", escaped(&custom)));
        identity.revision = identity.revision.take().or_else(|| custom.parse().ok());
    }
    distrust_other_series(identity);
}

/// The object id is a cross-check only: it names the series, sometimes more. Source: specs/identity.md §1.3.
fn distrust_other_series(identity: &mut Identity) {
    let object_series = identity.object_id.as_deref().and_then(series_of);
    let series = identity.ordering_code.as_ref().map(OrderingCode::series);
    if let (Some(object), Some(told)) = (object_series, series)
        && object != told
    {
        identity.notes.push(format!(
            "the module calls itself {object}, its revision says {told}: neither is trusted"
        ));
        identity.ordering_code = None;
    }
}

#[cfg(test)]
#[path = "at_tests.rs"]
mod tests;
