//! The questions to a Python prompt, in raw REPL. Source: specs/identity.md §2.1, §2.2.
//!
//! ```text
//! host    \r                          module  >>>              (or nothing: a program runs)
//! host    \r ^C ^C                    module  >>>              (the program is stopped)
//! host    ^A                          module  raw REPL; CTRL-B to exit\r\n>
//! host    <questions> ^D              module  OK <answers> ^D <errors> ^D >
//! host    ^B                          module  >>>
//! ```
//! A lone `^D` in raw REPL restarts the interpreter, so none is ever sent there. A program that was stopped
//! stays stopped when the questions were answered, because a write may follow; whoever writes nothing calls
//! [`restart_program`]. When the questions fail, it is restarted here.

use std::time::Duration;

use qpyflash_protocols::Wire;

use super::dialogue::{Dialogue, escaped};
use super::{Identity, IdentityError, OrderingCode, Source};

/// Time to listen before the first byte is written.
const LISTEN: Duration = Duration::from_millis(300);
/// Time for a prompt that is already there, and for one that must first stop a program.
const PROMPT_WITHIN: Duration = Duration::from_secs(1);
const INTERRUPT_WITHIN: Duration = Duration::from_secs(2);
const INTERRUPT_TRIES: u32 = 3;
/// Time for the change into and out of raw REPL, and for the answers: old modules take seconds for an import.
const MODE_WITHIN: Duration = Duration::from_secs(2);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// Bytes sent at once, and the rest between: the interpreter's input buffer is small.
const CHUNK_BYTES: usize = 128;
const CHUNK_PAUSE: Duration = Duration::from_millis(10);

const PROMPT: &[u8] = b">>> ";
const LOCKED: &[u8] = b"REPL refuse";
const RAW_BANNER: &[u8] = b"raw REPL; CTRL-B to exit\r\n>";
const INTERRUPT: &[u8] = b"\r\x03\x03";
const ENTER_RAW: &[u8] = b"\x01";
const LEAVE_RAW: &[u8] = b"\x02";
const END: &[u8] = b"\x04";

/// Old builds have `os` and `sys`, newer ones `uos` and `usys`. Source: specs/identity.md §2.1.
const IMPORTS: &str = "\
try:
 import modem
except Exception:
 pass
try:
 import uos
except Exception:
 import os as uos
try:
 import usys
except Exception:
 import sys as usys
";

/// What is asked, and the expression that answers it.
const QUESTIONS: [(&str, &str); 7] = [
    ("rev", "modem.getDevFwVersion()"),
    ("model", "modem.getDevModel()"),
    ("imei", "modem.getDevImei()"),
    ("sn", "modem.getDevSN()"),
    ("sysname", "uos.uname()[0]"),
    ("qpyver", "uos.uname()[5]"),
    ("platform", "usys.platform"),
];

/// Asks a REPL port what the module is, stopping the program that runs there. Bounded, whatever comes back.
///
/// # Errors
/// [`IdentityError`] when the port is silent, carries logs, is locked, or fails.
pub fn read(wire: &mut dyn Wire) -> Result<Identity, IdentityError> {
    let mut port = Dialogue::new(wire);
    port.listen(LISTEN)?;
    ask_all(&mut port)
}

/// Restarts the interpreter, and with it the program that was stopped. For a module that will not be written.
///
/// # Errors
/// [`IdentityError`] when the prompt is not there any more, or the port fails.
pub fn restart_program(wire: &mut dyn Wire) -> Result<(), IdentityError> {
    let mut port = Dialogue::new(wire);
    port.send(b"\r")?;
    expect(&mut port, PROMPT, PROMPT_WITHIN, "a line end")?;
    port.send(END)?;
    // Long enough for the byte to leave a port that is closed next; what the program says is its own affair.
    let _ = port.listen(LISTEN);
    Ok(())
}

pub(super) fn ask_all(port: &mut Dialogue<'_>) -> Result<Identity, IdentityError> {
    let program_stopped = reach_prompt(port)?;
    match answers(port) {
        Ok(text) => Ok(identity_from(&text, program_stopped)),
        Err(error) => {
            give_back(port, program_stopped);
            Err(error)
        }
    }
}

/// Leaves raw REPL and restarts the program, on a port that has just failed: best effort.
fn give_back(port: &mut Dialogue<'_>, program_stopped: bool) {
    let left = port
        .send(LEAVE_RAW)
        .and_then(|()| expect(port, PROMPT, MODE_WITHIN, "`CTRL-B`"));
    if left.is_ok() && program_stopped {
        let _ = port.send(END);
    }
}

/// Reaches the friendly prompt; true when a running program had to be stopped.
fn reach_prompt(port: &mut Dialogue<'_>) -> Result<bool, IdentityError> {
    let began = port.now();
    port.send(b"\r")?;
    if prompt_comes(port, PROMPT_WITHIN)? {
        return Ok(false);
    }
    for _ in 0..INTERRUPT_TRIES {
        port.send(INTERRUPT)?;
        if prompt_comes(port, INTERRUPT_WITHIN)? {
            return Ok(true);
        }
        // Somebody may have left the port in raw REPL, which has no `>>> `.
        port.send(LEAVE_RAW)?;
        if prompt_comes(port, PROMPT_WITHIN)? {
            return Ok(false);
        }
    }
    Err(IdentityError::Silent {
        asked: "the Python prompt".into(),
        waited: port.now().saturating_sub(began),
    })
}

fn prompt_comes(port: &mut Dialogue<'_>, within: Duration) -> Result<bool, IdentityError> {
    let until = port.now() + within;
    match port.until_any(&[PROMPT, LOCKED], until)? {
        Some((0, _)) => Ok(true),
        Some(_) => Err(IdentityError::ReplLocked),
        None => Ok(false),
    }
}

/// Runs the questions in raw REPL and returns what they printed.
fn answers(port: &mut Dialogue<'_>) -> Result<String, IdentityError> {
    port.settle(Duration::from_millis(50), PROMPT_WITHIN)?;
    port.send(ENTER_RAW)?;
    expect(port, RAW_BANNER, MODE_WITHIN, "`CTRL-A`")?;
    for chunk in questions().as_bytes().chunks(CHUNK_BYTES) {
        port.send(chunk)?;
        port.pause(CHUNK_PAUSE)?;
    }
    port.send(END)?;
    expect(port, b"OK", ANSWERS_WITHIN, "the questions")?;
    let printed = expect(port, END, ANSWERS_WITHIN, "the questions")?;
    expect(port, b"\x04>", MODE_WITHIN, "the questions")?;
    port.send(LEAVE_RAW)?;
    expect(port, PROMPT, MODE_WITHIN, "`CTRL-B`")?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Waits for `mark` and returns what stood before it.
fn expect(
    port: &mut Dialogue<'_>,
    mark: &[u8],
    within: Duration,
    asked: &'static str,
) -> Result<Vec<u8>, IdentityError> {
    let until = port.now() + within;
    match port.until_any(&[mark, LOCKED], until)? {
        Some((0, before)) => Ok(before),
        Some(_) => Err(IdentityError::ReplLocked),
        None => Err(IdentityError::Garbled {
            asked,
            answer: port.rest(),
        }),
    }
}

/// One guarded statement for each question, so that one that fails does not lose the others.
fn questions() -> String {
    let asked = QUESTIONS.map(|(key, expression)| {
        format!("try:\n print('{key}=' + str({expression}))\nexcept Exception:\n pass\n")
    });
    IMPORTS.to_owned() + &asked.concat()
}

fn identity_from(printed: &str, program_stopped: bool) -> Identity {
    let value = |key: &str| {
        let line = printed
            .lines()
            .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        // `-1` is what every call of `modem` returns when it fails. Source: specs/identity.md §2.1.
        Some(line.trim().to_owned()).filter(|text| !matches!(text.as_str(), "" | "-1" | "None"))
    };
    let named = |text: String, key: &str| text.strip_prefix(key).unwrap_or(&text).to_owned();
    let mut identity = Identity::unknown(Source::Repl);
    identity.object_id = value("model");
    identity.sysname = value("sysname").map(|text| named(text, "sysname="));
    identity.qpy_version = value("qpyver").map(|text| named(text, "qpyver="));
    identity.board = value("platform");
    identity.imei = value("imei").filter(|text| text.len() == 15 && text.bytes().all(|b| b.is_ascii_digit()));
    identity.serial_number = value("sn");
    identity.program_stopped = program_stopped;
    if program_stopped {
        identity
            .notes
            .push("a Python program was running and has been stopped to ask".into());
    }
    if let Some(revision) = value("rev") {
        identity.set_revision(&revision);
    }
    compare(&mut identity);
    identity.note_default_imei();
    identity
}

/// The revision counts when the system or board name agrees with it. Source: specs/identity.md §2.1, §3.3.
fn compare(identity: &mut Identity) {
    let Some(revision) = &identity.revision else {
        identity
            .notes
            .push("the module does not tell its revision".into());
        return;
    };
    let code = revision.ordering_code().clone();
    let names = [&identity.sysname, &identity.board];
    let second: Vec<OrderingCode> = names
        .into_iter()
        .flatten()
        .filter_map(|name| name.parse().ok())
        .collect();
    if second.is_empty() {
        identity
            .notes
            .push("no second statement confirms the revision, so it is not trusted".into());
    } else if let Some(other) = second.iter().find(|other| !other.same_submodel(&code)) {
        let (other, revision) = (other.first_part(), escaped(revision.as_str()));
        let note =
            format!("the module calls itself {other}, its revision is `{revision}`: neither is trusted");
        identity.notes.push(note);
    } else {
        identity.ordering_code = Some(code);
    }
}

#[cfg(test)]
#[path = "repl_tests.rs"]
pub(super) mod tests;
