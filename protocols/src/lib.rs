//! File formats and wire protocols of Quectel's Cat.1 modules.
//!
//! This crate knows bytes only. It never opens a port or a file, never reads a clock of its own and never
//! starts a thread: a session is straight-line code over a [`Wire`], and the clock is part of the wire. That
//! makes every time-out a test of some microseconds, and every parser a function from bytes to a value.
//!
//! | folder | what it speaks |
//! |---|---|
//! | [`asr`] | ASR1601/1603/1606: `download.json` packages over aboot |
//! | [`unisoc`] | UIS8910 and UIS8850: `.pac` packages |
//! | [`eigencomm`] | EC618: `.binpkg` packages |
//! | [`describe`] | what the bytes of any of them mean, in words |

mod account;
pub mod asr;
pub mod describe;
pub mod eigencomm;
mod format;
mod platform;
pub mod unisoc;
mod wire;

pub use format::FormatError;
pub use platform::Platform;
pub use wire::{Cause, Failure, Phase, Progress, Wire, WireError, Written};
