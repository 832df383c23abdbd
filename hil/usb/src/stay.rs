//! A module's stay on a bus: the pipes between module and device, and the thread that serves the device.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use qpyflash_virtual::{Enumerated, Pipe};

use crate::device::{Device, Seen};
use crate::layout::{Layout, Speed};
use crate::port::Fifo;

/// A USB port carries bytes as fast as it can, whatever line speed a host sets.
const ANY_LINE_SPEED: u32 = 115_200;

/// The module's end of a port, and a second descriptor of the other end, which tells what is still unread there.
struct ModuleEnd(UnixStream, UnixStream);

/// The device's end of a port.
pub struct DeviceEnd(UnixStream);

/// A device, and the ends of its ports that belong to the module.
pub type Built = (Device<DeviceEnd>, Vec<Box<dyn Pipe>>);

/// Makes a device of what enumeration finds.
///
/// # Errors
/// The operating system's, and that the module has more interfaces than USB has endpoints.
pub fn build(enumerated: &Enumerated, speed: Option<Speed>, seen: Arc<Mutex<Seen>>) -> io::Result<Built> {
    let layout = Layout::of(enumerated, speed)
        .map_err(|left| io::Error::other(format!("interface {} is left without endpoints", left.0)))?;
    let (mut pipes, mut fifos) = (Vec::<Box<dyn Pipe>>::new(), Vec::new());
    for _ in &layout.ports {
        let (module, device) = UnixStream::pair()?;
        module.set_nonblocking(true)?;
        device.set_nonblocking(true)?;
        pipes.push(Box::new(ModuleEnd(module, device.try_clone()?)));
        fifos.push(DeviceEnd(device));
    }
    Ok((Device::new(layout, fifos, seen), pipes))
}

/// The stay: when it is dropped, the device leaves the bus.
pub struct Stay {
    stop: PipeWriter,
    thread: Option<JoinHandle<()>>,
}

impl Stay {
    /// Starts the thread, which is to return soon after the pipe that it is given becomes readable.
    ///
    /// # Errors
    /// The operating system's.
    pub fn begin(topology: &str, serve: impl FnOnce(PipeReader) + Send + 'static) -> io::Result<Self> {
        let (reader, stop) = io::pipe()?;
        let name = format!("usb {topology}");
        let thread = std::thread::Builder::new().name(name).spawn(|| serve(reader))?;
        Ok(Stay {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let _ = self.stop.write_all(&[0]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Pipe for ModuleEnd {
    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        nothing_when_blocked((&self.0).read(into))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        nothing_when_blocked((&self.0).write(bytes))
    }

    fn line_speed(&self) -> io::Result<u32> {
        Ok(ANY_LINE_SPEED)
    }

    fn is_read_empty(&self) -> bool {
        rustix::io::ioctl_fionread(&self.1).unwrap_or(0) == 0
    }
}

impl AsFd for ModuleEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Fifo for DeviceEnd {
    fn take(&mut self, into: &mut [u8]) -> io::Result<usize> {
        nothing_when_blocked(self.0.read(into))
    }

    fn give(&mut self, bytes: &[u8]) -> io::Result<usize> {
        nothing_when_blocked(self.0.write(bytes))
    }
}

impl AsFd for DeviceEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn nothing_when_blocked(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(0)
        }
        other => other,
    }
}
