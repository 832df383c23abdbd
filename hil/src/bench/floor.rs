//! What the measuring costs: a pseudo-terminal is there and back only when two threads have been woken, and no
//! program over it can be faster than that.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};

use super::Outcome;
use super::terminal::Terminal;

/// A word as long as a command, and its answer.
const WORD: &[u8] = b"~}#getvar:version~";
const ROUNDS: u32 = 300;

/// The mean time that a word takes over a pseudo-terminal to another thread and back, when nobody thinks.
pub fn round_trip() -> Outcome<Duration> {
    let Terminal { master, slave, .. } = Terminal::open()?;
    let echo = thread::spawn(move || -> Result<(), Errno> {
        let mut word = [0; WORD.len()];
        while receive(&master, &mut word)? {
            write(&master, &word)?;
        }
        Ok(())
    });
    let began = Instant::now();
    for _ in 0..ROUNDS {
        write(&slave, WORD)?;
        receive(&slave, &mut [0; WORD.len()])?;
    }
    let mean = began.elapsed() / ROUNDS;
    drop(slave);
    echo.join().map_err(|_| "the echo failed")??;
    Ok(mean)
}

/// Waits for a whole word as a serial port is waited for: poll, then read. False when the other end has closed.
fn receive(end: &impl AsFd, word: &mut [u8]) -> Result<bool, Errno> {
    let mut filled = 0;
    while filled < word.len() {
        poll(&mut [PollFd::new(end, PollFlags::IN)], None)?;
        match read(end, &mut word[filled..]) {
            Ok(0) | Err(Errno::IO) => return Ok(false),
            Ok(count) => filled += count,
            Err(other) => return Err(other),
        }
    }
    Ok(true)
}
