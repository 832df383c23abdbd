//! Recordings of the exchange with a module: read, shown, said again, and made of USB captures.
//!
//! ```text
//! write --trace FILE ──► link::Trace ──► FILE ──► Recording ──► rows        what was said, in words
//! vendor's tool ──► usbmon, USBPcap ──► import ──► FILE     ├─► replay      the first difference to what we say now
//!                                                           └─► redact      the same without IMEI and serial number
//! ```
//!
//! Nothing here opens a port: a [`Replay`] is the only wire that a recorded session meets.

mod difference;
pub mod import;
pub mod record;
mod recording;
mod redact;
mod replay;
mod rows;
#[cfg(test)]
mod tests;
mod wire;

pub use difference::{Difference, Said};
pub use recording::{Line, Moment, Recording};
pub use redact::redact_text;
pub use replay::{Replayed, With, replay};
pub use rows::{Row, rows};
pub use wire::Replay;
