//! The AT port of a module in run mode. Source: specs/identity.md §1.
//!
//! ```text
//! ATI<CR>                 ATI<CR>  <CR><LF>Quectel<CR><LF>EC600N<CR><LF>Revision: EC600NCNLAR03A07M08<CR><LF><CR><LF>OK<CR><LF>
//! AT+QDOWNLOAD=1<CR>      ... OK, and the module leaves the bus
//! AT+CFUN=1,1<CR>         ... OK, and the module restarts (3GPP TS 27.007 §8.2)
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::identity::Identity;
use crate::outbox::Outbox;
use crate::port::{Ending, Talker};
use crate::shared::Shared;

/// How the AT port behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtOptions {
    /// Echoes what it hears, until `ATE0`.
    pub echo: bool,
    /// Puts unsolicited lines before and after its replies.
    pub unsolicited: bool,
    /// Time from a command to its reply.
    pub reply_delay: Duration,
    /// Silent for so long after power-on, then `RDY`.
    pub boots_for: Duration,
    /// Starts in data mode (PPP): answers nothing until `+++` stands alone in one second of silence each side.
    pub data_mode: bool,
    /// Answers so many commands with `+CME ERROR: 515` (busy) first.
    pub busy_commands: u32,
    /// These commands, in capitals, are answered `ERROR`.
    pub refused: Vec<String>,
    /// Never answers at all.
    pub silent: bool,
    /// What `AT+QDOWNLOAD=1` does.
    pub qdownload: QdownloadReply,
    /// Whether `AT+ECRST=delay,N` leads to download mode after N milliseconds, as on Eigencomm modules.
    pub ecrst: bool,
    /// Time from the reply to `AT+QDOWNLOAD=1` until the module leaves the bus.
    pub leaves_after: Duration,
}

impl Default for AtOptions {
    fn default() -> Self {
        AtOptions {
            echo: true,
            unsolicited: false,
            reply_delay: Duration::ZERO,
            boots_for: Duration::ZERO,
            data_mode: false,
            busy_commands: 0,
            refused: Vec::new(),
            silent: false,
            qdownload: QdownloadReply::Ok,
            ecrst: false,
            leaves_after: Duration::from_millis(50),
        }
    }
}

/// What `AT+QDOWNLOAD=1` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QdownloadReply {
    /// `OK`, then leaves the bus.
    Ok,
    /// Half an `OK`, then leaves the bus.
    CutOff,
    /// Leaves the bus without a word.
    Silent,
    /// `ERROR`, and stays.
    Error,
    /// `OK`, and stays all the same.
    OkButStays,
}

/// Silence each side of `+++`. Source: specs/identity.md §1.1.
const GUARD: Duration = Duration::from_secs(1);
const UNSOLICITED: [&str; 4] = [
    "\r\n+CPIN: READY\r\n",
    "\r\n+QUSIM: 1\r\n",
    "\r\n+QIND: SMS DONE\r\n",
    "\r\n+QIND: PB DONE\r\n",
];

/// One AT port.
pub(crate) struct At {
    options: AtOptions,
    identity: Identity,
    shared: Arc<Shared>,
    ready_at: Option<Instant>,
    line: Vec<u8>,
    escape: Escape,
    data_mode: bool,
    echo: bool,
    commands: u32,
    leaves_at: Option<Instant>,
    leaves_for: Ending,
}

/// How much of `+++` with its silences has been seen.
#[derive(Debug, Clone, Copy)]
struct Escape {
    last_byte: Instant,
    pluses: u32,
    guarded: bool,
}

impl At {
    pub fn new(options: AtOptions, identity: Identity, shared: Arc<Shared>, now: Instant) -> Self {
        let long_ago = now.checked_sub(GUARD).unwrap_or(now);
        At {
            ready_at: (!options.boots_for.is_zero()).then(|| now + options.boots_for),
            data_mode: options.data_mode,
            echo: options.echo,
            line: Vec::new(),
            escape: Escape {
                last_byte: long_ago,
                pluses: 0,
                guarded: false,
            },
            commands: 0,
            leaves_at: None,
            leaves_for: Ending::EnterDownload,
            options,
            identity,
            shared,
        }
    }

    fn hear_data(&mut self, bytes: &[u8], now: Instant) {
        for byte in bytes {
            if now.saturating_duration_since(self.escape.last_byte) >= GUARD {
                self.escape.guarded = true;
                self.escape.pluses = 0;
            }
            self.escape.last_byte = now;
            match byte {
                b'+' => self.escape.pluses += 1,
                _ => self.escape.guarded = false,
            }
        }
    }

    /// When the silence after `+++` is complete.
    fn escapes_at(&self) -> Option<Instant> {
        let complete = self.data_mode && self.escape.guarded && self.escape.pluses == 3;
        complete.then(|| self.escape.last_byte + GUARD)
    }

    fn command(&mut self, line: &str, now: Instant, out: &mut Outbox) {
        let command = line.trim().to_ascii_uppercase();
        if !command.starts_with("AT") {
            return;
        }
        self.shared.log_at_command(line.trim());
        self.commands += 1;
        let unsolicited = UNSOLICITED[self.commands as usize % UNSOLICITED.len()];
        if self.options.unsolicited {
            out.say_after(now, self.options.reply_delay / 2, unsolicited);
        }
        let reply = self.reply(&command, now);
        out.say_after(now, self.options.reply_delay, reply);
        if self.options.unsolicited {
            out.say_after(now, self.options.reply_delay, "\r\n+CREG: 2\r\n");
        }
    }

    fn reply(&mut self, command: &str, now: Instant) -> String {
        if self.commands <= self.options.busy_commands {
            return "\r\n+CME ERROR: 515\r\n".into();
        }
        if self.options.refused.iter().any(|refused| refused == command) {
            return ERROR.into();
        }
        let identity = &self.identity;
        match command {
            "AT" => OK.into(),
            "ATE0" | "ATE1" | "ATE" => {
                self.echo = command == "ATE1";
                OK.into()
            }
            "ATI" => {
                let custom = identity
                    .cust_revision
                    .as_ref()
                    .map(|text| format!("CustRevision: {text}\r\n"));
                let (object, revision) = (&identity.object_id, &identity.revision);
                format!(
                    "\r\nQuectel\r\n{object}\r\nRevision: {revision}\r\n{}{OK}",
                    custom.unwrap_or_default()
                )
            }
            "AT+CGMR" | "AT+GMR" => information(identity.cgmr.as_ref().unwrap_or(&identity.revision)),
            "AT+CGMM" | "AT+GMM" => information(&identity.object_id),
            "AT+CGMI" | "AT+GMI" => information("Quectel"),
            "AT+CGSN" | "AT+GSN" => information(&identity.imei),
            "AT+EGMR=0,5" => information(&format!("+EGMR: \"{}\"", identity.serial_number)),
            "AT+EGMR=0,7" => information(&format!("+EGMR: \"{}\"", identity.imei)),
            "AT+QDOWNLOAD=1" => self.enter_download(now).into(),
            "AT+CFUN=1,1" => {
                self.leaves_at = Some(now + self.options.reply_delay + self.options.leaves_after);
                self.leaves_for = Ending::Restart;
                OK.into()
            }
            _ => match command.strip_prefix("AT+ECRST=DELAY,").map(str::parse) {
                Some(Ok(delay)) if self.options.ecrst => {
                    self.leaves_at = Some(now + Duration::from_millis(delay));
                    self.leaves_for = Ending::EnterDownload;
                    OK.into()
                }
                _ => ERROR.into(),
            },
        }
    }

    fn enter_download(&mut self, now: Instant) -> &'static str {
        let leaves_at = now + self.options.reply_delay + self.options.leaves_after;
        let (leaves, reply) = match self.options.qdownload {
            QdownloadReply::Ok => (true, OK),
            QdownloadReply::CutOff => (true, "\r\nO"),
            QdownloadReply::Silent => (true, ""),
            QdownloadReply::Error => (false, ERROR),
            QdownloadReply::OkButStays => (false, OK),
        };
        self.leaves_at = leaves.then_some(leaves_at);
        reply
    }
}

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";

fn information(text: &str) -> String {
    format!("\r\n{text}\r\n{OK}")
}

impl Talker for At {
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.shared
            .count(|counters| counters.at_bytes += bytes.len() as u64);
        if self.data_mode {
            return self.hear_data(bytes, now);
        }
        if self.options.silent || self.ready_at.is_some() || self.leaves_at.is_some() {
            return;
        }
        for byte in bytes {
            if self.echo {
                out.say(now, [*byte]);
            }
            match byte {
                b'\r' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    self.command(&line, now, out);
                }
                b'\n' => {}
                _ => self.line.push(*byte),
            }
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox) {
        if self.ready_at.take_if(|ready_at| *ready_at <= now).is_some() && !self.data_mode {
            out.say(now, "\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n");
        }
        if self.escapes_at().is_some_and(|at| at <= now) {
            self.data_mode = false;
            out.say(now, OK);
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        [self.ready_at, self.escapes_at(), self.leaves_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn ending(&self, now: Instant) -> Option<Ending> {
        self.leaves_at.filter(|at| *at <= now).map(|_| self.leaves_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(options: AtOptions) -> At {
        let identity = Identity::of("EC600NCNLAR03A07M08_OCPU_QPY");
        At::new(options, identity, Shared::for_tests(), Instant::now())
    }

    fn ask(at: &mut At, text: &str, now: Instant) -> String {
        let mut out = Outbox::default();
        at.hear(text.as_bytes(), now, &mut out);
        at.tick(now, &mut out);
        String::from_utf8(out.ready(now + Duration::from_secs(60)).to_vec()).unwrap()
    }

    #[test]
    fn echoes_and_answers_as_the_real_modules_do() {
        let mut at = port(AtOptions::default());
        let now = Instant::now();
        assert_eq!(
            ask(&mut at, "ATI\r\n", now),
            "ATI\r\r\nQuectel\r\nEC600N\r\nRevision: EC600NCNLAR03A07M08_OCPU_QPY\r\n\r\nOK\r\n\n"
        );
        assert_eq!(ask(&mut at, "ATE0\r", now), "ATE0\r\r\nOK\r\n");
        assert_eq!(
            ask(&mut at, "at+cgsn\r", now),
            "\r\n866327040830317\r\n\r\nOK\r\n"
        );
        assert_eq!(
            ask(&mut at, "AT+EGMR=0,5\r", now),
            "\r\n+EGMR: \"D1Q20GM050038341P\"\r\n\r\nOK\r\n"
        );
        assert_eq!(ask(&mut at, "AT+NONSENSE\r", now), "\r\nERROR\r\n");
    }

    #[test]
    fn leaves_the_bus_after_the_download_command_in_any_spelling() {
        let mut at = port(AtOptions {
            echo: false,
            ..AtOptions::default()
        });
        let now = Instant::now();
        assert_eq!(ask(&mut at, "AT+QDownLOAD=1\r", now), "\r\nOK\r\n");
        assert_eq!(at.ending(now), None);
        assert_eq!(
            at.ending(now + Duration::from_millis(50)),
            Some(Ending::EnterDownload)
        );
    }

    #[test]
    fn leaves_data_mode_only_after_guarded_pluses() {
        let mut at = port(AtOptions {
            data_mode: true,
            echo: false,
            ..AtOptions::default()
        });
        let now = Instant::now();
        let later = |ms| now + Duration::from_millis(ms);
        assert_eq!(ask(&mut at, "AT\r", later(0)), "");
        assert_eq!(ask(&mut at, "+++", later(500)), "");
        assert_eq!(ask(&mut at, "", later(2000)), "");
        assert_eq!(ask(&mut at, "+++", later(2500)), "");
        assert_eq!(ask(&mut at, "", later(3500)), "\r\nOK\r\n");
        assert_eq!(ask(&mut at, "AT\r", later(3600)), "\r\nOK\r\n");
    }

    #[test]
    fn is_deaf_until_it_has_booted() {
        let mut at = port(AtOptions {
            boots_for: Duration::from_secs(3),
            echo: false,
            ..AtOptions::default()
        });
        let now = Instant::now();
        assert_eq!(ask(&mut at, "AT\r", now), "");
        assert!(ask(&mut at, "", now + Duration::from_secs(4)).starts_with("\r\nRDY\r\n"));
        assert_eq!(ask(&mut at, "AT\r", now + Duration::from_secs(4)), "\r\nOK\r\n");
    }

    #[test]
    fn is_busy_for_the_first_commands_and_refuses_what_it_is_told_to_refuse() {
        let refused = vec!["AT+CGSN".to_owned()];
        let mut at = port(AtOptions {
            busy_commands: 1,
            refused,
            echo: false,
            ..AtOptions::default()
        });
        let now = Instant::now();
        assert_eq!(ask(&mut at, "AT\r", now), "\r\n+CME ERROR: 515\r\n");
        assert_eq!(ask(&mut at, "AT\r", now), "\r\nOK\r\n");
        assert_eq!(ask(&mut at, "AT+CGSN\r", now), "\r\nERROR\r\n");
    }
}
