//! The page above the line: what it tells over HTTP, and what a real browser makes of it.
//!
//! Needs Debian's `chromium` and `chromium-driver` for the second; without them that part says that it was skipped.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

#[path = "../black_box/bench.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod bench;
mod browser;
mod command;
#[path = "../black_box/harness.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod harness;
mod http;
mod page;
mod stage;
