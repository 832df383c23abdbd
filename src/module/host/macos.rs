//! Serial ports of macOS: which of them may be looked at, and what their names say about the socket.
//! Source: specs/usb-and-hosts.md §3.5 \[1\], [?].

use super::Place;

/// Names that no module has and whose opening may hang. Source: specs/usb-and-hosts.md §3.5 \[1\].
const NEVER: [&str; 3] = ["Bluetooth-Incoming-Port", "debug-console", "wlan-debug"];

/// The place of a port by its node, or nothing for a node that must be left alone: `tty.` waits for a carrier when it
/// is opened, so `cu.` stands for both.
pub fn place(node: &str) -> Option<Place> {
    let name = node.strip_prefix("/dev/cu.")?;
    if NEVER.contains(&name) {
        return None;
    }
    // A module with a serial number has it in the name instead of the location, and all have the same.
    let digits = name.strip_prefix("usbmodem").filter(|rest| is_hex(rest));
    Some(digits.map_or(Place::Unknown, |digits| {
        Place::Digits(digits.to_ascii_lowercase())
    }))
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_only_at_call_out_nodes_that_may_be_a_modules() {
        for node in [
            "/dev/tty.usbmodem14201",
            "/dev/cu.Bluetooth-Incoming-Port",
            "/dev/cu.debug-console",
            "/dev/cu.wlan-debug",
        ] {
            assert_eq!(place(node), None, "{node}");
        }
    }

    #[test]
    fn reads_the_location_from_a_name_and_no_location_from_a_serial_number() {
        assert_eq!(
            place("/dev/cu.usbmodem14201"),
            Some(Place::Digits("14201".into()))
        );
        assert_eq!(place("/dev/cu.usbmodemarom01234567891"), Some(Place::Unknown));
        assert_eq!(place("/dev/cu.usbserial-1420"), Some(Place::Unknown));
    }
}
