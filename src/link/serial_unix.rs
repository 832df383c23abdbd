//! A tty on Linux and macOS.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use qpyflash_protocols::WireError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};
use serialport::{SerialPort, TTYPort};

use super::{OpenError, Pipe};

/// A tty, opened raw, 8N1, without flow control, by one program only.
pub struct Serial {
    port: TTYPort,
}

impl Serial {
    /// Opens `port` as it is named; it need not be listed anywhere. DTR and RTS are raised: CDC-ACM and `option`
    /// ports may stay silent without (specs/identity.md §1.1). Pseudo-terminals have neither.
    ///
    /// # Errors
    /// [`OpenError`] tells a missing port from a forbidden and a busy one.
    pub fn open(port: &Path, baud: u32) -> Result<Self, OpenError> {
        let failed = |why: String| OpenError::Failed {
            port: port.display().to_string(),
            why,
        };
        let name = port
            .to_str()
            .ok_or_else(|| failed("its name is not valid text".into()))?;
        let mut tty = serialport::new(name, baud)
            .dtr_on_open(true)
            .open_native()
            .map_err(|error| OpenError::sort(port, &error))?;
        let _ = tty.write_request_to_send(true);
        let serial = Serial { port: tty };
        serial.prepare().map_err(|errno| failed(errno.to_string()))?;
        Ok(serial)
    }

    /// serialport leaves writes blocking without end, and the kernel's default hangs up (drops DTR) on close.
    fn prepare(&self) -> Result<(), Errno> {
        let fd = self.fd();
        fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
        let mut settings = tcgetattr(fd)?;
        settings.control_modes.remove(ControlModes::HUPCL);
        tcsetattr(fd, OptionalActions::Now, &settings)
    }

    #[allow(unsafe_code)]
    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to `self.port`, which lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(self.port.as_raw_fd()) }
    }

    /// Waits for `wanted`; false when the time is up.
    fn wait(&self, wanted: PollFlags, within: Duration) -> Result<bool, WireError> {
        let timeout = Timespec {
            tv_sec: i64::try_from(within.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: within.subsec_nanos().into(),
        };
        let fd = self.fd();
        let mut fds = [PollFd::new(&fd, wanted)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => Ok(false),
            Ok(_) => Ok(true),
            Err(errno) => Err(failure(errno)),
        }
    }
}

impl Pipe for Serial {
    fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, WireError> {
        let mut waited = false;
        loop {
            match rustix::io::write(self.fd(), bytes) {
                Ok(count) if count > 0 => return Ok(count),
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) if waited => return Ok(0),
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(failure(errno)),
            }
            waited = true;
            if !self.wait(PollFlags::OUT, within)? {
                return Ok(0);
            }
        }
    }

    fn read(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        if !self.wait(PollFlags::IN, within)? {
            return Ok(0);
        }
        match rustix::io::read(self.fd(), into) {
            // A tty that is readable and empty has been hung up.
            Ok(0) => Err(WireError::Gone),
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(errno) => Err(failure(errno)),
        }
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.port
            .set_baud_rate(baud)
            .map_err(|error| WireError::Failed(format!("cannot set {baud} baud: {error}")))
    }
}

/// What an errno on an open tty means.
fn failure(errno: Errno) -> WireError {
    match errno {
        Errno::IO | Errno::NXIO | Errno::NODEV | Errno::NOENT | Errno::PIPE | Errno::BADF => WireError::Gone,
        other => WireError::Failed(other.to_string()),
    }
}
