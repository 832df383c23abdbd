//! A small wire over the oracle's pseudo-terminal.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use qpyflash_protocols::{Progress, Wire, WireError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::COURT;

/// A pause is silence that the module's own clock must see; no loader needs more.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The host's end.
pub(crate) struct Pty {
    fd: OwnedFd,
    began: Instant,
    skipped: Duration,
    sent: usize,
    /// The run is cancelled instead of sending what begins so.
    pub cancel_at: Vec<u8>,
    /// From this byte of a run on, the next large frame arrives with one bit changed.
    pub spoil_at: Option<usize>,
    /// The answer of that number, counted from 1, comes once more in the place of the next one.
    pub stale_at: Option<usize>,
    answers: usize,
    /// What has come since the last command, and what is to come again.
    answer: Vec<u8>,
    stale: Vec<u8>,
}

impl Pty {
    pub fn open(path: &Path) -> Pty {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).expect("the port can be opened");
        let mut mode = tcgetattr(&fd).expect("it is a terminal");
        mode.make_raw();
        mode.set_speed(115_200).expect("a standard speed");
        tcsetattr(&fd, OptionalActions::Now, &mode).expect("it can be made raw");
        Pty {
            fd,
            began: Instant::now(),
            skipped: Duration::ZERO,
            sent: 0,
            cancel_at: Vec::new(),
            spoil_at: None,
            stale_at: None,
            answers: 0,
            answer: Vec::new(),
            stale: Vec::new(),
        }
    }

    /// Whether the port is ready within that time.
    fn ready(&self, flags: PollFlags, within: Duration) -> Result<bool, WireError> {
        let mut fds = [PollFd::new(&self.fd, flags)];
        let within = Timespec {
            tv_sec: within.as_secs() as i64,
            tv_nsec: within.subsec_nanos().into(),
        };
        loop {
            match poll(&mut fds, Some(&within)) {
                Err(Errno::INTR) => {}
                Err(why) => return Err(failed(why)),
                Ok(count) => return Ok(count > 0),
            }
        }
    }
}

impl Wire for Pty {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if !self.cancel_at.is_empty() && bytes.starts_with(&self.cancel_at) {
            return Err(WireError::Cancelled);
        }
        let answer = std::mem::take(&mut self.answer);
        self.answers += usize::from(!answer.is_empty());
        if !answer.is_empty() && self.stale_at == Some(self.answers) {
            self.stale = answer;
        }
        let mut bytes = bytes.to_vec();
        self.sent += bytes.len();
        if bytes.len() > 1000 && self.spoil_at.is_some_and(|at| self.sent > at) {
            self.spoil_at = None;
            let at = bytes
                .iter()
                .rposition(|byte| ![0x7C, 0x7D, 0x7E, 0x7F].contains(byte));
            bytes[at.expect("a plain byte")] ^= 1;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match rustix::io::write(&self.fd, rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::AGAIN | Errno::INTR) => {
                    if !self.ready(PollFlags::OUT, Duration::from_secs(10))? {
                        return Err(WireError::Stalled {
                            waited: Duration::from_secs(10),
                        });
                    }
                }
                Err(why) => return Err(failed(why)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        if !self.stale.is_empty() {
            let count = self.stale.len().min(into.len());
            into[..count].copy_from_slice(&self.stale[..count]);
            self.stale.drain(..count);
            return Ok(count);
        }
        let wait = within.min(COURT.longest_wait);
        if !self.ready(PollFlags::IN, wait)? {
            self.skipped += within - wait;
            return Ok(0);
        }
        match rustix::io::read(&self.fd, &mut *into) {
            Ok(0) => Err(WireError::Gone),
            Ok(count) => {
                self.answer.extend_from_slice(&into[..count]);
                Ok(count)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(why) => Err(failed(why)),
        }
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        let mut mode = tcgetattr(&self.fd).map_err(failed)?;
        mode.set_speed(baud).map_err(failed)?;
        tcsetattr(&self.fd, OptionalActions::Now, &mode).map_err(failed)
    }

    fn now(&self) -> Duration {
        self.began.elapsed() + self.skipped
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        std::thread::sleep(how_long.min(LONGEST_PAUSE));
        Ok(())
    }

    fn report(&mut self, _: Progress<'_>) {}
}

fn failed(why: Errno) -> WireError {
    match why {
        Errno::IO | Errno::NODEV | Errno::NOENT => WireError::Gone,
        other => WireError::Failed(other.to_string()),
    }
}
