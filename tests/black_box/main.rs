//! Black-box tests: the built `qpyflash` against virtual modules over pseudo-terminals. Each looks at what a person
//! or a script would see (stdout, stderr, exit code) and at what the module holds afterwards.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod attached;
mod bench;
mod captures;
mod commands;
mod eigencomm;
mod faults;
mod fixture;
mod fixture_hooks;
mod fixture_labels;
mod fixture_loop;
mod harness;
mod hosts;
mod interrupts;
mod language;
mod matrix;
mod neighbours;
mod outbox;
mod output;
mod packages;
mod ports;
mod pty;
mod refusals;
mod remote;
mod resets;
mod run_mode;
mod sdk;
mod traces;
mod unisoc;
mod unisoc_erase;
mod unisoc_nv;
mod unisoc_refusals;
mod writes;
