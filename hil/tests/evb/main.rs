//! `qpyflash-hil evb` from the command line, in a fresh folder, on virtual boards: every scenario on every platform,
//! every scenario with something sabotaged, and what the report holds.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod desk;
mod replays;
mod report;
mod runner;
mod sabotage;
mod scenarios;
