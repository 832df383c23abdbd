//! A serial port where poll(2) is not at hand (Windows).

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use qpyflash_protocols::WireError;
use serialport::SerialPort;

use super::{OpenError, Pipe};

/// A COM port, opened raw, 8N1, without flow control.
pub struct Serial {
    port: Box<dyn SerialPort>,
}

impl Serial {
    /// Opens `port` as it is named.
    ///
    /// # Errors
    /// [`OpenError`] tells a missing port from a forbidden and a busy one.
    pub fn open(port: &Path, baud: u32) -> Result<Self, OpenError> {
        let name = port.display().to_string();
        let mut com = serialport::new(name, baud)
            .dtr_on_open(true)
            .open()
            .map_err(|error| OpenError::sort(port, &error))?;
        let _ = com.write_request_to_send(true);
        Ok(Serial { port: com })
    }

    fn within(&mut self, within: Duration) -> Result<(), WireError> {
        let at_least = within.max(Duration::from_millis(1));
        self.port
            .set_timeout(at_least)
            .map_err(|error| WireError::Failed(error.to_string()))
    }
}

impl Pipe for Serial {
    fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, WireError> {
        self.within(within)?;
        counted(self.port.write(bytes))
    }

    fn read(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.within(within)?;
        counted(self.port.read(into))
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.port
            .set_baud_rate(baud)
            .map_err(|error| WireError::Failed(format!("cannot set {baud} baud: {error}")))
    }
}

fn counted(result: std::io::Result<usize>) -> Result<usize, WireError> {
    match result {
        Ok(count) => Ok(count),
        Err(error) => match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(0),
            ErrorKind::NotFound | ErrorKind::BrokenPipe | ErrorKind::PermissionDenied => Err(WireError::Gone),
            _ => Err(WireError::Failed(error.to_string())),
        },
    }
}
