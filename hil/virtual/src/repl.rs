//! The QuecPython REPL of a module in run mode. Source: specs/identity.md §2.
//!
//! No Python runs here. Code sent in the raw REPL is searched for `print('KEY='`, and each known key is printed
//! as an interpreter would print it, in the order of the code.
//!
//! ```text
//! <CR> ^C ^C      >>>
//! ^A              raw REPL; CTRL-B to exit<CR><LF>>
//! code ^D         OK rev=EC600NCNLAR03A07M08_OCPU_QPY<CR><LF> ... ^D ^D >
//! ^B              banner, >>>
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::identity::Identity;
use crate::outbox::Outbox;
use crate::port::{Ending, Talker};
use crate::shared::Shared;

/// How the REPL port behaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplOptions {
    /// `main.py` runs and prints now and then; ctrl-C stops it, a soft reset starts it again.
    pub running_script: bool,
    /// The REPL is locked: everything is answered `REPL refuse`.
    pub locked: bool,
}

const CTRL_A: u8 = 1;
const CTRL_B: u8 = 2;
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const SCRIPT_PERIOD: Duration = Duration::from_millis(500);
const PROMPT: &str = ">>> ";
const RAW_PROMPT: &str = "raw REPL; CTRL-B to exit\r\n>";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Script { prints_at: Instant, count: u32 },
    Prompt,
    Raw,
}

/// One REPL port.
pub(crate) struct Repl {
    options: ReplOptions,
    identity: Identity,
    shared: Arc<Shared>,
    state: State,
    input: Vec<u8>,
    restarts_at: Option<Instant>,
}

impl Repl {
    pub fn new(options: ReplOptions, identity: Identity, shared: Arc<Shared>, now: Instant) -> Self {
        let mut repl = Repl {
            options,
            identity,
            shared,
            state: State::Prompt,
            input: Vec::new(),
            restarts_at: None,
        };
        repl.start_script(now);
        repl
    }

    fn start_script(&mut self, now: Instant) {
        let script = State::Script {
            prints_at: now + SCRIPT_PERIOD,
            count: 0,
        };
        self.set_state(if self.options.running_script {
            script
        } else {
            State::Prompt
        });
    }

    fn set_state(&mut self, state: State) {
        self.state = state;
        self.input.clear();
        let running = matches!(state, State::Script { .. });
        self.shared.set_script_running(running);
    }

    fn banner(&self) -> String {
        let board = &self.identity.board;
        format!(
            "Quecpython v1.12 on 2024-03-05 ; {board} with QUECTEL\r\nType \"help()\" for more information.\r\n{PROMPT}"
        )
    }

    fn key(&mut self, key: u8, now: Instant) -> String {
        match (self.state, key) {
            (State::Script { .. }, CTRL_C) => {
                self.set_state(State::Prompt);
                let trace =
                    "Traceback (most recent call last):\r\n  File \"main.py\", line 3, in <module>\r\n";
                format!("{trace}KeyboardInterrupt: \r\n{}", self.banner())
            }
            (State::Script { .. }, _) => String::new(),
            (State::Prompt, CTRL_A) => {
                self.set_state(State::Raw);
                format!("\r\n{RAW_PROMPT}")
            }
            (State::Raw, CTRL_A) => {
                self.input.clear();
                RAW_PROMPT.into()
            }
            (_, CTRL_B) => {
                self.set_state(State::Prompt);
                format!("\r\n{}", self.banner())
            }
            (State::Prompt, CTRL_C) => {
                self.input.clear();
                format!("\r\n{PROMPT}")
            }
            (State::Raw, CTRL_C) => {
                self.input.clear();
                String::new()
            }
            (State::Prompt, CTRL_D) => self.soft_reset(now),
            (State::Raw, CTRL_D) if self.input.is_empty() => format!("OK\r\n{}", self.soft_reset(now)),
            (State::Raw, CTRL_D) => self.run_raw(now),
            (State::Prompt, b'\r') => self.run_line(),
            (State::Prompt, b'\n') => String::new(),
            (_, key) => {
                self.input.push(key);
                let echo = self.state == State::Prompt;
                if echo {
                    char::from(key).to_string()
                } else {
                    String::new()
                }
            }
        }
    }

    fn soft_reset(&mut self, now: Instant) -> String {
        self.start_script(now);
        let prompt = if self.state == State::Prompt {
            self.banner()
        } else {
            String::new()
        };
        format!("MPY: soft reboot\r\n{prompt}")
    }

    fn run_line(&mut self) -> String {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.input))
            .trim()
            .to_owned();
        if line.is_empty() {
            return format!("\r\n{PROMPT}");
        }
        let name: String = line
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let trace = "Traceback (most recent call last):\r\n  File \"<stdin>\", line 1, in <module>\r\n";
        format!("\r\n{trace}NameError: name '{name}' isn't defined\r\n{PROMPT}")
    }

    fn run_raw(&mut self, now: Instant) -> String {
        let code = String::from_utf8_lossy(&std::mem::take(&mut self.input)).into_owned();
        self.shared.log_repl_code(&code);
        if code.contains("powerRestart") {
            self.restarts_at = Some(now + Duration::from_millis(50));
        }
        let printed: String = code
            .match_indices("print('")
            .filter_map(|(place, call)| code.get(place + call.len()..)?.split_once("='"))
            .filter_map(|(key, _)| self.value(key).map(|value| format!("{key}={value}\r\n")))
            .collect();
        format!("OK{printed}\x04\x04>")
    }

    /// What `print` shows for a key of the identity probe; none when the call fails.
    fn value(&self, key: &str) -> Option<String> {
        let identity = &self.identity;
        if let Some((_, value)) = identity.repl_overrides.iter().find(|(known, _)| known == key) {
            return (!value.is_empty()).then(|| value.clone());
        }
        match key {
            "rev" => Some(identity.revision.clone()),
            "model" => Some(identity.object_id.clone()),
            "imei" => Some(identity.imei.clone()),
            "sn" => Some(identity.serial_number.clone()),
            "sysname" => Some(format!("sysname={}", identity.sysname)),
            "qpyver" => Some(format!("qpyver={}", identity.qpyver)),
            "platform" => Some(identity.board.clone()),
            _ => None,
        }
    }
}

impl Talker for Repl {
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.shared
            .count(|counters| counters.repl_bytes += bytes.len() as u64);
        if self.options.locked {
            return out.say(now, "REPL refuse\r\n");
        }
        let said: String = bytes.iter().map(|byte| self.key(*byte, now)).collect();
        out.say(now, said);
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox) {
        let State::Script { prints_at, count } = self.state else {
            return;
        };
        if now >= prints_at {
            out.say(now, format!("main.py is alive, {count}\r\n"));
            self.state = State::Script {
                prints_at: now + SCRIPT_PERIOD,
                count: count + 1,
            };
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        let prints_at = match self.state {
            State::Script { prints_at, .. } => Some(prints_at),
            _ => None,
        };
        [prints_at, self.restarts_at].into_iter().flatten().min()
    }

    fn ending(&self, now: Instant) -> Option<Ending> {
        self.restarts_at.filter(|at| *at <= now).map(|_| Ending::Restart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(options: ReplOptions) -> Repl {
        let identity = Identity::of("EC600NCNLAR03A07M08_OCPU_QPY");
        Repl::new(options, identity, Shared::for_tests(), Instant::now())
    }

    fn type_in(repl: &mut Repl, text: &str) -> String {
        let mut out = Outbox::default();
        let now = Instant::now();
        repl.hear(text.as_bytes(), now, &mut out);
        String::from_utf8(out.ready(now).to_vec()).unwrap()
    }

    #[test]
    fn answers_the_identity_probe_in_the_raw_repl() {
        let mut repl = port(ReplOptions::default());
        assert!(type_in(&mut repl, "\r\x03\x03").ends_with("\r\n>>> "));
        assert_eq!(type_in(&mut repl, "\x01"), "\r\nraw REPL; CTRL-B to exit\r\n>");
        let code = "try:\n print('rev=' + str(modem.getDevFwVersion()))\nexcept Exception:\n pass\n\
                    print('imei=' + str(modem.getDevImei()))\nprint('other=' + 'x')\x04";
        assert_eq!(
            type_in(&mut repl, code),
            "OKrev=EC600NCNLAR03A07M08_OCPU_QPY\r\nimei=866327040830317\r\n\x04\x04>"
        );
        assert!(
            type_in(&mut repl, "\x02")
                .ends_with("with QUECTEL\r\nType \"help()\" for more information.\r\n>>> ")
        );
    }

    #[test]
    fn a_running_script_hears_only_ctrl_c_and_returns_with_a_soft_reset() {
        let mut repl = port(ReplOptions {
            running_script: true,
            ..ReplOptions::default()
        });
        assert_eq!(type_in(&mut repl, "\r\n\x01print()\x04"), "");
        assert!(type_in(&mut repl, "\r\x03").contains("KeyboardInterrupt: \r\n"));
        assert_eq!(repl.state, State::Prompt);
        assert_eq!(type_in(&mut repl, "\x04"), "MPY: soft reboot\r\n");
        assert!(matches!(repl.state, State::Script { .. }));
    }

    #[test]
    fn does_not_know_at_commands() {
        let answer = type_in(&mut port(ReplOptions::default()), "AT\r");
        assert!(answer.starts_with("AT\r\nTraceback"), "{answer:?}");
        assert!(
            answer.ends_with("NameError: name 'AT' isn't defined\r\n>>> "),
            "{answer:?}"
        );
    }

    #[test]
    fn refuses_everything_when_locked() {
        let mut repl = port(ReplOptions {
            locked: true,
            ..ReplOptions::default()
        });
        assert_eq!(type_in(&mut repl, "\r\x03\x03"), "REPL refuse\r\n");
    }
}
