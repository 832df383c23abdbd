//! A UART adapter: one port that stays, whatever the module behind it becomes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::pty::Pty;
use crate::shared::Role;
use crate::socket::{Enumerated, Pipe, Plugged, Socket};

/// An adapter on a module's main UART: the AT port in run mode, the loader's in download mode. It has no place on any
/// bus, and its port neither leaves nor hangs up while the module restarts. The module's other ports lead nowhere.
#[derive(Debug, Clone)]
pub struct UartAdapter {
    pty: Arc<Pty>,
}

impl UartAdapter {
    /// An adapter with nothing behind it yet.
    ///
    /// # Errors
    /// The operating system's when there is no pseudo-terminal.
    pub fn new() -> io::Result<Self> {
        Ok(UartAdapter {
            pty: Arc::new(Pty::open()?),
        })
    }

    /// The host's port.
    pub fn node(&self) -> &Path {
        self.pty.slave_path()
    }

    /// The line speed that the host has set, in baud.
    ///
    /// # Errors
    /// The operating system's.
    pub fn line_speed(&self) -> io::Result<u32> {
        self.pty.line_speed()
    }

    /// What was sent to a module without supply is lost.
    fn forget(&self) -> io::Result<()> {
        let mut scrap = [0; 4096];
        while self.pty.read(&mut scrap)? > 0 {}
        Ok(())
    }
}

impl Socket for UartAdapter {
    fn plug(&self, _: &str, enumerated: &Enumerated) -> io::Result<Plugged> {
        self.forget()?;
        let with_port = enumerated
            .interfaces
            .iter()
            .filter_map(|interface| Some((interface.number, interface.role?)));
        let mut nodes: Vec<(u8, PathBuf)> = Vec::new();
        let mut pipes: Vec<Box<dyn Pipe>> = Vec::new();
        for (number, role) in with_port {
            let is_main = matches!(role, Role::At | Role::Download);
            if is_main && nodes.is_empty() {
                nodes.push((number, self.node().to_owned()));
                pipes.push(Box::new(Main(Arc::clone(&self.pty))));
            } else {
                pipes.push(Box::new(Pty::open()?));
            }
        }
        Ok(Plugged {
            pipes,
            nodes,
            presence: Box::new(()),
        })
    }
}

/// The module's end of the line.
struct Main(Arc<Pty>);

impl Pipe for Main {
    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn line_speed(&self) -> io::Result<u32> {
        self.0.line_speed()
    }

    fn is_read_empty(&self) -> bool {
        self.0.is_read_empty()
    }
}

impl AsFd for Main {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;
    use crate::{AsrModule, Mode};

    #[test]
    fn the_port_outlives_the_modules_restart() {
        let adapter = UartAdapter::new().unwrap();
        let module = AsrModule::builder("EC600NCNLAR03A07M08_OCPU_QPY")
            .attach(&adapter)
            .unwrap();
        let patience = Duration::from_secs(20);
        module.wait_for_mode(Mode::Run, patience).unwrap();
        let mut host = File::options()
            .read(true)
            .write(true)
            .open(adapter.node())
            .unwrap();
        host.write_all(b"AT+QDOWNLOAD=1\r\n").unwrap();
        module.wait_for_mode(Mode::Download, patience).unwrap();
        assert_eq!(module.tty(Role::Download).as_deref(), Some(adapter.node()));
        module.power_cycle();
        module.wait_while_mode(Mode::Download, patience);
        module.wait_for_mode(Mode::Run, patience).unwrap();
        let mut said = Vec::new();
        host.write_all(b"AT\r\n").unwrap();
        while !said.ends_with(b"OK\r\n") {
            let mut byte = [0];
            host.read_exact(&mut byte).unwrap();
            said.extend(byte);
        }
    }
}
