//! ETHOS: the transport of the ASR1601 mask ROM. The commands and replies of aboot travel as fastboot-over-UDP
//! packets, in IPv6 over Ethernet, in byte-stuffed frames.
//!
//! ```text
//! H ~ 7D 22 <MAC> ~                 M ~ 7D 23 <MAC> ~        HELLO, HELLO_REPLY
//! H neighbour solicitation          M neighbour advertisement
//! H 01 00 0000                      M 01 00 0000 1234        query: the sequence the module expects
//! H 02 00 1234 0001 0800            M 02 00 1234 0001 05AC   init: version and largest packet
//! H 03 00 1235 getvar:version       M 03 00 1235             a command, acknowledged
//! H 03 00 1236                      M 03 00 1236 OKAY0.5     a poll, and the status
//! ```
//!
//! Framing ([`Kind`]), packets ([`packet`]), sequence and polling (`channel.rs`) are ours; Ethernet, IPv6, neighbour
//! discovery and UDP are smoltcp's (`stack.rs`). Source: specs/asr-aboot.md §3.7 (V).

mod channel;
pub mod packet;
mod stack;

pub(super) use channel::{Channel, LOSS};
#[cfg(test)]
pub(super) use stack::Stack;

use super::smux::FrameKind;

/// Payload bytes of the largest frame. Source: specs/asr-aboot.md §3.7 (V).
pub const LARGEST_FRAME: usize = 2048;
/// The address of one end of the link on Ethernet.
pub type Mac = [u8; 6];

/// What a frame carries. The number is the type on the wire. Source: specs/asr-aboot.md §3.7 (V).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An Ethernet frame without its check sequence; or the greeting `UUUU`.
    Ethernet = 0,
    /// The module's log; from the host, the announcement of raw bytes.
    Text = 1,
    /// The sender's MAC: six bytes.
    Hello = 2,
    /// The answer to a HELLO, with the own MAC: six bytes.
    HelloReply = 3,
    /// Sign of life of the module.
    HeartBeat = 4,
    /// Progress of an upload.
    UploadProgress = 5,
}

impl Kind {
    /// Every kind, in the order of its number on the wire.
    pub const ALL: [Kind; 6] = [
        Kind::Ethernet,
        Kind::Text,
        Kind::Hello,
        Kind::HelloReply,
        Kind::HeartBeat,
        Kind::UploadProgress,
    ];
}

impl FrameKind for Kind {
    const PLAIN: Self = Kind::Ethernet;

    fn number(self) -> u8 {
        self as u8
    }

    fn of_number(number: u8) -> Option<Self> {
        Kind::ALL.get(usize::from(number)).copied()
    }
}
