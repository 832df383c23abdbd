//! One pseudo-terminal: the module holds the master, the host opens the slave as its serial port.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::socket::Pipe;

/// Descriptors must not be inherited by a host program that a test starts, or the port would never hang up.
#[cfg(target_os = "linux")]
const OPEN: OpenptFlags = OpenptFlags::RDWR
    .union(OpenptFlags::NOCTTY)
    .union(OpenptFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const OPEN: OpenptFlags = OpenptFlags::RDWR.union(OpenptFlags::NOCTTY);

/// A pseudo-terminal in raw mode. Dropping it hangs up the host's side at once.
///
/// A slave descriptor is kept here too: without it the terminal would be reset, and would hang up, each time the
/// host closes its port.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
    slave_path: PathBuf,
}

impl Pty {
    /// Opens a pseudo-terminal whose slave is raw and does not echo.
    pub fn open() -> io::Result<Self> {
        let master = openpt(OPEN)?;
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let slave_path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
        let slave = rustix::fs::open(
            &slave_path,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut line = tcgetattr(&slave)?;
        line.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &line)?;
        Ok(Pty {
            master,
            slave,
            slave_path,
        })
    }

    /// The path the host opens.
    pub fn slave_path(&self) -> &Path {
        &self.slave_path
    }
}

impl Pipe for Pty {
    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        nothing_when_blocked(rustix::io::read(&self.master, into))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        nothing_when_blocked(rustix::io::write(&self.master, bytes))
    }

    fn line_speed(&self) -> io::Result<u32> {
        Ok(tcgetattr(&self.slave)?.output_speed())
    }

    fn is_read_empty(&self) -> bool {
        rustix::io::ioctl_fionread(&self.slave).unwrap_or(0) == 0
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

fn nothing_when_blocked(result: Result<usize, Errno>) -> io::Result<usize> {
    match result {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn carries_every_byte_both_ways_unchanged() {
        let pty = Pty::open().unwrap();
        let mut host = File::options()
            .read(true)
            .write(true)
            .open(pty.slave_path())
            .unwrap();
        let every_byte: Vec<u8> = (0..=255).collect();

        host.write_all(&every_byte).unwrap();
        let mut received = [0; 512];
        assert_eq!(pty.read(&mut received).unwrap(), 256);
        assert_eq!(&received[..256], every_byte);

        assert_eq!(pty.write(&every_byte).unwrap(), 256);
        let mut answer = vec![0; 256];
        host.read_exact(&mut answer).unwrap();
        assert_eq!(answer, every_byte);
    }

    #[test]
    fn survives_that_the_host_closes_and_opens_again() {
        let pty = Pty::open().unwrap();
        drop(
            File::options()
                .read(true)
                .write(true)
                .open(pty.slave_path())
                .unwrap(),
        );
        let mut host = File::options()
            .read(true)
            .write(true)
            .open(pty.slave_path())
            .unwrap();
        host.write_all(b"AT\r").unwrap();
        let mut received = [0; 8];
        assert_eq!(pty.read(&mut received).unwrap(), 3);
    }

    #[test]
    fn hangs_up_when_dropped() {
        let pty = Pty::open().unwrap();
        let mut host = File::options()
            .read(true)
            .write(true)
            .open(pty.slave_path())
            .unwrap();
        drop(pty);
        assert_eq!(host.read(&mut [0; 8]).unwrap_or(0), 0);
        assert!(host.write(b"AT\r").is_err());
    }
}
