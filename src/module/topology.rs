//! Where on the USB tree a module sits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A USB topology path as the Linux kernel writes it: `1-4.2` is bus 1, root port 4, port 2 of the hub there.
///
/// It is the only name that stays with a module through download mode: serial numbers are constant or absent, and
/// port names are given anew. Source: specs/usb-and-hosts.md §2.2.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopologyPath {
    bus: u8,
    chain: Vec<u8>,
}

impl TopologyPath {
    /// A path of a bus number and the ports from the root hub on.
    pub fn new(bus: u8, chain: &[u8]) -> Self {
        TopologyPath {
            bus,
            chain: chain.to_vec(),
        }
    }

    /// The bus.
    pub fn bus(&self) -> u8 {
        self.bus
    }

    /// The ports from the root hub on.
    pub fn chain(&self) -> &[u8] {
        &self.chain
    }

    /// The same socket? The port chain decides: a module that changes its speed can show up under another bus
    /// number on some hubs. Source: specs/usb-and-hosts.md §2.2 [?].
    pub fn same_socket(&self, other: &TopologyPath) -> bool {
        self.chain == other.chain
    }
}

impl fmt::Display for TopologyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain: Vec<String> = self.chain.iter().map(u8::to_string).collect();
        write!(f, "{}-{}", self.bus, chain.join("."))
    }
}

/// The text is not a topology path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a USB topology path like `1-4.2`")]
pub struct NotATopologyPath(String);

impl FromStr for TopologyPath {
    type Err = NotATopologyPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no = || NotATopologyPath(text.to_owned());
        let (bus, chain) = text.split_once('-').ok_or_else(no)?;
        let chain: Vec<u8> = chain
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| no())?;
        Ok(TopologyPath {
            bus: bus.parse().map_err(|_| no())?,
            chain,
        })
    }
}

impl TryFrom<String> for TopologyPath {
    type Error = NotATopologyPath;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TopologyPath> for String {
    fn from(path: TopologyPath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_kernels_form() {
        for text in ["1-4", "1-4.2", "12-1.2.3.4"] {
            assert_eq!(text.parse::<TopologyPath>().unwrap().to_string(), text);
        }
        for text in [
            "", "1", "1-", "-1", "a-1", "1-4.", "1-4.x", "usb1", "1-4:1.0", "300-1",
        ] {
            assert!(text.parse::<TopologyPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_socket_is_the_port_chain_whatever_the_bus() {
        let path = |text: &str| text.parse::<TopologyPath>().unwrap();
        assert!(path("1-4.2").same_socket(&path("3-4.2")));
        assert!(!path("1-4.2").same_socket(&path("1-4.3")));
        assert!(!path("1-4").same_socket(&path("1-4.2")));
    }
}
