//! Pseudo-terminals of the tests: a person's terminal, or something on a serial port.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The end that the test holds, and the path of the other.
pub fn open() -> (File, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    // A program that inherits it would keep it open.
    rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = ptsname(&master, Vec::new()).unwrap();
    (master.into(), slave.to_str().unwrap().into())
}

/// A terminal of that many rows and columns, for a program to draw on.
pub fn terminal(rows: u16, columns: u16) -> (Screen, File) {
    let (master, slave) = open();
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).unwrap();
    let slave = node(&slave);
    (Screen(master, String::new()), slave)
}

fn node(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// All that was ever drawn.
pub struct Screen(File, String);

impl Screen {
    /// Waits until a text has been drawn after all that was waited for before.
    pub fn wait_for(&mut self, text: &str) {
        let mut chunk = [0; 4096];
        let patience = Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        loop {
            if let Some(place) = self.1.find(text) {
                self.1.drain(..place + text.len());
                return;
            }
            let drawn = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience)).unwrap();
            match (drawn > 0).then(|| self.0.read(&mut chunk).unwrap_or(0)) {
                Some(count) if count > 0 => self.1 += &String::from_utf8_lossy(&chunk[..count]),
                ended => panic!("{ended:?} before `{text}` was drawn\n{}", self.1.escape_debug()),
            }
        }
    }
}
