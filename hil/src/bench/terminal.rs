//! A raw pseudo-terminal, and peers on it that cost next to nothing.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::Outcome;

/// Bytes that are taken at once.
const READ_BYTES: usize = 64 * 1024;
/// A thread that sleeps wakes this much late, or less: the rest of a turn-round time is spent looking at the clock.
const WAKES_LATE: Duration = Duration::from_micros(150);

/// Both ends of a raw pseudo-terminal.
pub struct Terminal {
    pub master: OwnedFd,
    pub slave: OwnedFd,
    /// What a host opens.
    pub path: PathBuf,
}

impl Terminal {
    pub fn open() -> Outcome<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = PathBuf::from(OsStr::from_bytes(ptsname(&master, Vec::new())?.to_bytes()));
        let slave = open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
        let mut settings = tcgetattr(&slave)?;
        settings.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        Ok(Terminal { master, slave, path })
    }
}

/// What a module says to what it hears, decided in as little time as can be.
pub trait Responder: Send + 'static {
    /// Takes bytes from the host, and appends to `answer` what is said when the last of them calls for one.
    fn hear(&mut self, bytes: &[u8], answer: &mut Vec<u8>);
}

/// Responders on pseudo-terminals, all served by one thread, until dropped.
pub struct Peers {
    /// What hosts open, in the order of the responders.
    pub ports: Vec<PathBuf>,
    slaves: Vec<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Peers {
    /// Peers that answer when `turn_round` has passed since the last byte was there.
    pub fn start(responders: Vec<impl Responder>, turn_round: Duration) -> Outcome<Self> {
        let (mut ports, mut slaves, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for responder in responders {
            let terminal = Terminal::open()?;
            ports.push(terminal.path);
            slaves.push(terminal.slave);
            lines.push(Served {
                master: terminal.master,
                responder,
                answer: Vec::new(),
                due: None,
            });
        }
        Ok(Peers {
            ports,
            slaves,
            thread: Some(thread::spawn(move || serve(lines, turn_round))),
        })
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.slaves.clear();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One line in service.
struct Served<R> {
    master: OwnedFd,
    responder: R,
    answer: Vec<u8>,
    /// When the answer leaves.
    due: Option<Instant>,
}

impl<R: Responder> Served<R> {
    /// Takes what is there. An error when the other end has closed.
    fn hear(&mut self, buffer: &mut [u8], turn_round: Duration) -> Result<(), Errno> {
        let count = read(&self.master, &mut *buffer)?;
        let now = Instant::now();
        self.responder.hear(&buffer[..count], &mut self.answer);
        if !self.answer.is_empty() {
            self.due = Some(now + turn_round);
        }
        Ok(())
    }

    fn say(&mut self) -> Result<(), Errno> {
        self.due = None;
        let mut bytes = &self.answer[..];
        while !bytes.is_empty() {
            let count = write(&self.master, bytes)?;
            bytes = &bytes[count..];
        }
        self.answer.clear();
        Ok(())
    }
}

/// Serves every line until its other end has closed.
fn serve<R: Responder>(mut lines: Vec<Served<R>>, turn_round: Duration) {
    let mut buffer = vec![0; READ_BYTES];
    while !lines.is_empty() {
        let due = lines.iter().filter_map(|line| line.due).min();
        let timeout = due.map(|due| {
            let asleep = due.saturating_duration_since(Instant::now() + WAKES_LATE);
            Timespec {
                tv_sec: asleep.as_secs().cast_signed(),
                tv_nsec: asleep.subsec_nanos().into(),
            }
        });
        let mut events: Vec<_> = lines
            .iter()
            .map(|line| PollFd::new(&line.master, PollFlags::IN))
            .collect();
        let polled = poll(&mut events, timeout.as_ref());
        let heard: Vec<bool> = events.iter().map(|event| !event.revents().is_empty()).collect();
        drop(events);
        if !matches!(polled, Ok(_) | Err(Errno::INTR)) {
            return;
        }
        let now = Instant::now();
        let mut heard = heard.into_iter();
        lines.retain_mut(|line| {
            let heard = match heard.next() {
                Some(true) => line.hear(&mut buffer, turn_round),
                _ => Ok(()),
            };
            let said = match line.due {
                Some(due) if due <= now || turn_round.is_zero() => line.say(),
                _ => Ok(()),
            };
            heard.is_ok() && said.is_ok()
        });
    }
}
