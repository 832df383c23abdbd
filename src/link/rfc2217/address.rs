//! Where a serial port on the network is: `rfc2217://host:port`.

use std::fmt;
use std::str::FromStr;

/// What the name of such a port begins with.
const SCHEME: &str = "rfc2217://";
/// The port that is meant where none is named: the number of the RFC, as other clients have it.
const DEFAULT_PORT: u16 = 2217;

/// A serial port that a server on the network serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteAddress {
    /// Name or number of the host, in lower case; an IPv6 number without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Not the name of a port on the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not like `rfc2217://host:2217` or `rfc2217://[::1]:2217`: {why}")]
pub struct NotARemoteAddress {
    text: String,
    why: &'static str,
}

impl RemoteAddress {
    /// The address in the name of a port; none when it names a port of this host.
    ///
    /// # Errors
    /// [`NotARemoteAddress`] for a name with this scheme that says something else.
    pub fn in_name(name: &str) -> Result<Option<Self>, NotARemoteAddress> {
        let is_meant = name
            .get(..SCHEME.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
        is_meant.then(|| name.parse()).transpose()
    }
}

impl FromStr for RemoteAddress {
    type Err = NotARemoteAddress;

    fn from_str(text: &str) -> Result<Self, NotARemoteAddress> {
        let wrong = |why| NotARemoteAddress {
            text: text.to_owned(),
            why,
        };
        let rest = text.get(SCHEME.len()..).unwrap_or_default();
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(wrong("the protocol knows no user and no password"));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(wrong("nothing may follow the port"));
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| wrong("`]` is missing"))?;
                host.parse::<std::net::Ipv6Addr>()
                    .map_err(|_| wrong("what is between the brackets is no IPv6 number"))?;
                (host, port)
            }
            None if rest.matches(':').count() > 1 => {
                return Err(wrong("an IPv6 number stands between brackets"));
            }
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("the host is missing"));
        }
        let port = match port.strip_prefix(':') {
            Some(number) => number.parse().ok().filter(|port| *port > 0),
            None if port.is_empty() => Some(DEFAULT_PORT),
            None => None,
        };
        Ok(RemoteAddress {
            host: host.to_ascii_lowercase(),
            port: port.ok_or_else(|| wrong("the port is a number from 1 to 65535"))?,
        })
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RemoteAddress { host, port } = self;
        match host.contains(':') {
            true => write!(f, "{SCHEME}[{host}]:{port}"),
            false => write!(f, "{SCHEME}{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_names_numbers_and_brackets() {
        for (text, shown) in [
            ("rfc2217://Rack-7:4001", "rfc2217://rack-7:4001"),
            ("RFC2217://rack-7", "rfc2217://rack-7:2217"),
            ("rfc2217://10.0.0.7:4001/", "rfc2217://10.0.0.7:4001"),
            ("rfc2217://[::1]:4001", "rfc2217://[::1]:4001"),
            ("rfc2217://[FE80::1]", "rfc2217://[fe80::1]:2217"),
        ] {
            let address = RemoteAddress::in_name(text).unwrap().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(RemoteAddress::in_name(shown), Ok(Some(address)));
        }
    }

    #[test]
    fn leaves_the_ports_of_this_host_alone() {
        for name in ["/dev/ttyUSB0", "COM10", "usb:1-4.2", "rfc2217", "", "ü"] {
            assert_eq!(RemoteAddress::in_name(name), Ok(None), "{name}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (name, why) in [
            ("rfc2217://", "host is missing"),
            ("rfc2217://:4001", "host is missing"),
            ("rfc2217://rack:0", "1 to 65535"),
            ("rfc2217://rack:65536", "1 to 65535"),
            ("rfc2217://rack:", "1 to 65535"),
            ("rfc2217://::1", "between brackets"),
            ("rfc2217://[::1", "`]`"),
            ("rfc2217://[rack]:1", "no IPv6 number"),
            ("rfc2217://[::1]4001", "1 to 65535"),
            ("rfc2217://me:secret@rack:4001", "no password"),
            ("rfc2217://rack:4001?logging=debug", "nothing may follow"),
        ] {
            let text = RemoteAddress::in_name(name).unwrap_err().to_string();
            assert!(text.contains(why), "{text}");
        }
    }
}
