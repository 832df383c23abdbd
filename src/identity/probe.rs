//! Is this an AT port, and the order to restart that is given there.

use std::time::Duration;

use qpyflash_protocols::{Wire, WireError};

use super::at::{self, Heard, LISTEN, Leaving, QUIET, SYNC_WITHIN, answer_to_at, is_refusal, synchronise};
use super::dialogue::Dialogue;
use super::{Identity, IdentityError};

/// The order to restart: full functionality, after a reset. Source: 3GPP TS 27.007 §8.2; not seen on these modules
/// in specs/identity.md [?], so an answer is not relied on, only that the module leaves the bus and comes back.
pub const RESTART: &str = "AT+CFUN=1,1";
/// Time for the answer to [`RESTART`]; silence is fine, since the module goes.
const RESTART_WITHIN: Duration = Duration::from_secs(3);

/// Does this port answer `AT`? Asks as often as it takes with a module that boots.
///
/// # Errors
/// [`IdentityError`] when the port is silent, carries logs, is a REPL, or fails.
pub fn answers(wire: &mut dyn Wire) -> Result<(), IdentityError> {
    let mut port = Dialogue::new(wire);
    let began = port.now();
    let heard = synchronise(&mut port)?;
    is_at(heard, &port, began)
}

/// The same, with a single `AT`: for a port that may carry somebody's data.
///
/// # Errors
/// As [`answers`].
pub fn answers_at_once(wire: &mut dyn Wire) -> Result<(), IdentityError> {
    ask_once(&mut Dialogue::new(wire))
}

/// Asks what the module is on a port that may carry somebody's data: nothing follows if a single `AT` is not
/// answered.
///
/// # Errors
/// As [`answers`].
pub fn read_at_once(wire: &mut dyn Wire) -> Result<Identity, IdentityError> {
    let mut port = Dialogue::new(wire);
    ask_once(&mut port)?;
    at::ask_all(&mut port)
}

fn ask_once(port: &mut Dialogue<'_>) -> Result<(), IdentityError> {
    let began = port.now();
    port.listen(LISTEN)?;
    port.send(b"AT\r\n")?;
    let heard = answer_to_at(port, SYNC_WITHIN, &mut false)?;
    is_at(heard, port, began)
}

fn is_at(heard: Heard, port: &Dialogue<'_>, began: Duration) -> Result<(), IdentityError> {
    match heard {
        Heard::At => Ok(()),
        Heard::LockedRepl => Err(IdentityError::ReplLocked),
        Heard::Repl => Err(IdentityError::Garbled {
            asked: "`AT`",
            answer: "a Python prompt".into(),
        }),
        Heard::Nothing => Err(IdentityError::Silent {
            asked: "`AT`".into(),
            waited: port.now().saturating_sub(began),
        }),
    }
}

/// Orders a module whose port has answered `AT` to restart.
///
/// # Errors
/// [`IdentityError::RestartRefused`] with the module's words; [`IdentityError::Wire`] when nothing could be sent.
pub fn restart(wire: &mut dyn Wire) -> Result<Leaving, IdentityError> {
    let mut port = Dialogue::new(wire);
    port.settle(Duration::ZERO, QUIET)?;
    port.send(format!("{RESTART}\r\n").as_bytes())?;
    let until = port.now() + RESTART_WITHIN;
    loop {
        match port.line(until) {
            Ok(Some(line)) if line == "OK" => return Ok(Leaving::Acknowledged),
            Ok(Some(line)) if is_refusal(&line) => {
                return Err(IdentityError::RestartRefused { answer: line });
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

#[cfg(test)]
mod tests {
    use super::super::scripted::{Replies, Scripted};
    use super::*;

    fn saying(answer: &'static str) -> impl FnMut(&[u8]) -> Replies {
        move |_| match answer.is_empty() {
            true => Vec::new(),
            false => vec![(10, answer.as_bytes().to_vec())],
        }
    }

    #[test]
    fn a_port_that_may_carry_data_hears_one_at_and_no_escape() {
        let mut wire = Scripted::new(saying(""));
        assert!(matches!(
            answers_at_once(&mut wire),
            Err(IdentityError::Silent { .. })
        ));
        assert_eq!(wire.sent, b"AT\r\n");
        let mut wire = Scripted::new(saying(""));
        assert!(matches!(
            read_at_once(&mut wire),
            Err(IdentityError::Silent { .. })
        ));
        assert_eq!(wire.sent, b"AT\r\n");
        assert!(answers_at_once(&mut Scripted::new(saying("\r\nOK\r\n"))).is_ok());
    }

    #[test]
    fn a_log_port_hears_nothing() {
        let mut wire = Scripted::new(saying("")).saying(100, [0xFF, 0x00, 0x7E, 0x01].repeat(8));
        assert!(matches!(answers(&mut wire), Err(IdentityError::LogPort { .. })));
        assert_eq!(wire.sent, b"");
    }

    #[test]
    fn a_python_prompt_is_no_at_port() {
        let mut wire = Scripted::new(saying("\r\nNameError: name 'AT' isn't defined\r\n>>> "));
        assert!(matches!(answers(&mut wire), Err(IdentityError::Garbled { .. })));
    }

    #[test]
    fn silence_and_leaving_are_as_good_as_ok_and_a_refusal_is_told() {
        let order = |answer| restart(&mut Scripted::new(saying(answer)));
        assert_eq!(order("\r\nOK\r\n"), Ok(Leaving::Acknowledged));
        assert_eq!(order(""), Ok(Leaving::Silent));
        let mut leaves = Scripted::new(saying("")).leaving_at(1000);
        assert_eq!(restart(&mut leaves), Ok(Leaving::Vanished));
        let Err(IdentityError::RestartRefused { answer }) = order("\r\n+CME ERROR: 4\r\n") else {
            panic!("a refusal is no success");
        };
        assert_eq!(answer, "+CME ERROR: 4");
    }
}
