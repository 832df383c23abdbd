//! Keeping ModemManager off one module while it is worked on, also while the module changes its id: what is inhibited
//! is the place on the bus. Source: specs/usb-and-hosts.md §3.2 [?]; ModemManager's D-Bus interface, `InhibitDevice`.

/// ModemManager leaves the module alone until this is dropped, or the program ends however it ends.
#[derive(Debug)]
pub struct Inhibited {
    #[cfg(target_os = "linux")]
    _connection: super::dbus::Connection,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use super::super::dbus::{Connection, Method, put_flag, put_text, system_bus};
    use super::super::{TopologyPath, sysfs};
    use super::Inhibited;

    const INHIBIT: Method = Method {
        destination: "org.freedesktop.ModemManager1",
        path: "/org/freedesktop/ModemManager1",
        interface: "org.freedesktop.ModemManager1",
        member: "InhibitDevice",
    };

    impl Inhibited {
        /// Asks ModemManager to leave the device at `place` alone.
        ///
        /// # Errors
        /// Its own words: it refuses what it does not know as a modem yet, and users who are not at the host's seat.
        /// Also what the bus and the operating system say.
        pub fn begin(place: &TopologyPath) -> std::io::Result<Self> {
            // ModemManager knows a device by its place in sysfs.
            let device = sysfs::device(Path::new("/sys"), place).canonicalize()?;
            Self::at(&system_bus(), &device)
        }

        pub(super) fn at(socket: &Path, device: &Path) -> std::io::Result<Self> {
            let mut arguments = Vec::new();
            put_text(&mut arguments, &device.display().to_string());
            put_flag(&mut arguments, true);
            let mut connection = Connection::open(socket)?;
            connection.call(INHIBIT, "sb", &arguments)?;
            Ok(Inhibited {
                _connection: connection,
            })
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Inhibited {
    /// There is no ModemManager here.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn begin(_: &super::TopologyPath) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::thread::JoinHandle;

    use super::*;

    /// A bus that takes one caller, answers its first call, and its second with `answer`; returns the second call and
    /// whether the caller has gone at the end.
    fn bus(socket: &Path, answer: &'static [u8]) -> JoinHandle<(Vec<u8>, bool)> {
        let listener = UnixListener::bind(socket).unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut from = BufReader::new(stream.try_clone().unwrap());
            let mut to = stream;
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            assert!(line.starts_with("\0AUTH EXTERNAL 3"), "{line:?}");
            to.write_all(b"OK 0123456789abcdef\r\n").unwrap();
            line.clear();
            from.read_line(&mut line).unwrap();
            assert_eq!(line, "BEGIN\r\n");
            message(&mut from);
            to.write_all(
                b"l\x02\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x05\x01u\x00\x01\x00\x00\x00",
            )
            .unwrap();
            // A word to everybody, as a bus says to whom it greets.
            to.write_all(
                b"l\x04\x00\x01\x00\x00\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00\x03\x01s\x00\x00\x00\x00\x00",
            )
            .unwrap();
            let asked = message(&mut from);
            to.write_all(answer).unwrap();
            let gone = from.read(&mut [0]).unwrap() == 0;
            (asked, gone)
        })
    }

    fn message(from: &mut BufReader<UnixStream>) -> Vec<u8> {
        let mut head = [0; 16];
        from.read_exact(&mut head).unwrap();
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize;
        let mut rest = vec![0; number(12).next_multiple_of(8) + number(4)];
        from.read_exact(&mut rest).unwrap();
        [&head[..], &rest].concat()
    }

    const YES: &[u8] =
        b"l\x02\x00\x01\x00\x00\x00\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x01u\x00\x02\x00\x00\x00";

    #[test]
    fn modem_manager_is_asked_for_the_device_and_held_off_until_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let bus = bus(&socket, YES);
        let device = Path::new("/sys/devices/pci0/usb1/1-4");
        let held = Inhibited::at(&socket, device).unwrap();
        drop(held);
        let (asked, gone) = bus.join().unwrap();
        assert!(gone);
        let body = b"\x1a\x00\x00\x00/sys/devices/pci0/usb1/1-4\x00\x00\x01\x00\x00\x00";
        assert!(asked.ends_with(body), "{}", asked.escape_ascii());
        for words in ["InhibitDevice\0", "org.freedesktop.ModemManager1\0", "\x02sb\0"] {
            let found = asked.windows(words.len()).any(|part| part == words.as_bytes());
            assert!(found, "{words:?} in {}", asked.escape_ascii());
        }
    }

    #[test]
    fn its_refusal_is_told_in_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let no =
            b"l\x03\x00\x01\x0e\x00\x00\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x01u\x00\x02\x00\x00\x00\
                   \x09\x00\x00\x00not found\x00";
        let bus = bus(&socket, no);
        let error = Inhibited::at(&socket, Path::new("/sys/x")).unwrap_err();
        assert_eq!(error.to_string(), "not found");
        assert!(bus.join().unwrap().1);
    }

    #[test]
    fn a_host_without_a_bus_is_an_error() {
        assert!(Inhibited::at(Path::new("/nowhere/bus"), Path::new("/sys/x")).is_err());
    }
}
