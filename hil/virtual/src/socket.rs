//! What a module is plugged into: the virtual bus of pseudo-terminals, or anything else that carries its ports.

use std::fmt::Debug;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::shared::Role;

/// A place where modules can be plugged in. It is shared by every module on it.
pub trait Socket: Debug + Send + Sync {
    /// Shows what enumeration finds at the topology path, and carries its ports until the returned value is dropped.
    ///
    /// # Errors
    /// The operating system's, and what the socket cannot show.
    fn plug(&self, topology: &str, enumerated: &Enumerated) -> io::Result<Plugged>;
}

/// What USB enumeration tells of a module in one mode.
#[derive(Debug, Clone)]
pub struct Enumerated {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Release number, four hexadecimal digits.
    pub bcd_device: &'static str,
    /// Manufacturer, product, serial number.
    pub strings: [Option<&'static str>; 3],
    /// `full` or `high`.
    pub speed: &'static str,
    /// Its interfaces, as far as its platform names them.
    pub interfaces: Vec<EnumeratedInterface>,
}

impl Enumerated {
    /// What the port behind that interface is for.
    pub fn role(&self, number: u8) -> Option<Role> {
        let interface = self.interfaces.iter().find(|known| known.number == number)?;
        interface.role
    }
}

/// One USB interface.
#[derive(Debug, Clone)]
pub struct EnumeratedInterface {
    /// bInterfaceNumber.
    pub number: u8,
    /// bInterfaceClass, two hexadecimal digits.
    pub class: &'static str,
    /// What the port behind it is for; none when there is no port.
    pub role: Option<Role>,
}

/// A module's presence at a socket.
pub struct Plugged {
    /// What carries each port, in the order of the interfaces that have one.
    pub pipes: Vec<Box<dyn Pipe>>,
    /// Interface numbers and tty nodes, where the socket knows them.
    pub nodes: Vec<(u8, PathBuf)>,
    /// The presence ends when this is dropped, which happens before the pipes are.
    pub presence: Box<dyn Send>,
}

/// The module's end of what carries the bytes of one port. Its descriptor can be polled.
pub trait Pipe: AsFd + Send {
    /// Reads what the host has sent; 0 when there is nothing.
    ///
    /// # Errors
    /// The operating system's.
    fn read(&self, into: &mut [u8]) -> io::Result<usize>;

    /// Writes to the host as much as is taken now.
    ///
    /// # Errors
    /// The operating system's.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// The line speed that the host has set, in baud; without meaning over USB.
    ///
    /// # Errors
    /// The operating system's.
    fn line_speed(&self) -> io::Result<u32>;

    /// Whether the host has read everything it was sent.
    fn is_read_empty(&self) -> bool;
}
