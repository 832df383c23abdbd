//! The highest court: the vendor's own agents, executed behind a pseudo-terminal by `../shared/oracles/eigencomm.py`,
//! are written through by our session.
//!
//! Needs Python 3 with `venv`; the one package the oracle wants is put into a virtual environment below `target`
//! (or name an interpreter that has it with `QPYFLASH_ORACLE_PYTHON`).

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod faults;
#[path = "../oracle_support/oracle.rs"]
mod oracle;
#[path = "../oracle_support/pty.rs"]
mod pty;

use std::sync::Arc;
use std::time::Duration;

use oracle::{Court, Oracle, court, vector};
use qpyflash_protocols::eigencomm::{
    After, Binpkg, Companions, Extra, Keeper, Options, Plan, Proof, Report, Transport, read_rf, write,
};
use qpyflash_protocols::{Cause, Failure, Phase, WireError, Written};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const COURT: Court = Court {
    program: "eigencomm.py",
    vectors: "eigencomm",
    at_once: 2,
    longest_wait: Duration::from_millis(700),
};

/// Keeps in memory what a run hands over.
#[derive(Default)]
struct Safe {
    rf: Option<Vec<u8>>,
}

impl Keeper for Safe {
    fn keep(&mut self, rf: &[u8]) -> Result<(), String> {
        assert!(self.rf.is_none(), "kept twice");
        self.rf = Some(rf.to_vec());
        Ok(())
    }
}

/// Bytes that repeat late, so that a piece in the wrong place is seen.
fn pattern(seed: u32, size: usize) -> Vec<u8> {
    let byte = |n: usize| ((n as u32).wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..size).map(byte).collect()
}

/// Flash of a module that has been used: no byte of it is blank.
const AP_BYTES: usize = 0x40_0000;
const CP_BYTES: usize = 0x10_0000;

/// A module with something everywhere, AP flash then CP flash.
fn used() -> Vec<u8> {
    pattern(7, AP_BYTES + CP_BYTES)
}

/// Files beside the package: one that begins with a whole aligned block, two that do not.
fn companions(scale: usize) -> Companions {
    let extra = |file, address, limit, size| (Extra { file, address, limit }, pattern(address, size).into());
    Companions {
        usb_agent: Some(vector("agentboot_usb.bin").into()),
        uart_agent: Some(vector("agentboot_uart.bin").into()),
        extras: vec![
            extra("ap_application.bin", 0x30_0000, 0x6_0000, 0x2_1234 / scale),
            extra("ap_updater.bin", 0x3B_4000, 0x1_8000, 0x7001 / scale),
            extra("customer_fs.bin", 0x36_0000, 0x5_4000, 0x1_0000 / scale),
        ],
        ..Companions::default()
    }
}

/// The real package.
fn real() -> Plan {
    let binpkg = Binpkg::parse(&vector("at_command.binpkg")).expect("the real package is sound");
    Plan::new(Arc::new(binpkg), companions(1)).expect("the real package can be written")
}

/// The real package cut short, with the system's start moved into what is left of it.
fn small() -> Plan {
    let mut binpkg = Binpkg::parse(&vector("at_command.binpkg")).expect("the real package is sound");
    let mut system = binpkg.entries[1].data[..0x1_8002].to_vec();
    system[4..8].copy_from_slice(&0x82_5001u32.to_le_bytes());
    binpkg.entries[1].data = system.into();
    binpkg.entries[2].data = binpkg.entries[2].data[..0x1_0801].into();
    Plan::new(Arc::new(binpkg), companions(16)).expect("it can be written")
}

/// The header that the agent stores, by the table of the specification.
fn header(id: &[u8; 4], address: u32, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| value.to_le_bytes().to_vec();
    let sha = |bytes: &[u8]| Sha256::digest(bytes).to_vec();
    let head = [word(0x1000_0001), b"HMIT".to_vec(), word(0x2018_0507), word(0)].concat();
    let flags = [word(1), word(0xEE), word(4), word(0)].concat();
    let place = [
        id.to_vec(),
        word(address),
        word(0x0401_0000),
        word(body.len() as u32),
    ]
    .concat();
    let after = [place, vec![0; 16], sha(body), vec![0; 144]].concat();
    let hash = sha(&[&head[..], &flags, &[0; 32], &after].concat());
    [head, flags, hash, after].concat()
}

/// What a flash must hold after the plan was written over `before`: the placement table of the specification.
fn placed(plan: &Plan, before: &[u8]) -> Vec<u8> {
    let mut flash = before.to_vec();
    let mut erase = |at: usize, bytes: usize| {
        flash[at..at + bytes.next_multiple_of(0x1000)].fill(0xFF);
    };
    for burn in plan.burns() {
        match burn.name.as_str() {
            "ap_bootloader" => {
                erase(0, 0x2000);
                erase(0x4000, burn.data.len());
            }
            "ap_at_command" => {
                erase(0x2000, 0x2000);
                erase(0x24000, burn.data.len());
            }
            "cp-demo-flash" => erase(AP_BYTES, burn.data.len()),
            "ap_application.bin" => erase(0x30_0000, 0x6_0000),
            "ap_updater.bin" => erase(0x3B_4000, 0x1_8000),
            "customer_fs.bin" => erase(0x36_0000, 0x5_4000),
            other => panic!("`{other}` has no place"),
        }
    }
    let mut put = |at: usize, bytes: &[u8]| flash[at..at + bytes.len()].copy_from_slice(bytes);
    for burn in plan.burns() {
        match burn.name.as_str() {
            "ap_bootloader" => {
                put(0, &header(b"IMBO", 0x4000, &burn.data));
                put(0x4000, &burn.data);
            }
            "ap_at_command" => {
                put(0x2000, &header(b"IBKD", 0x24000, &burn.data));
                put(0x24000, &burn.data);
            }
            "cp-demo-flash" => put(AP_BYTES, &burn.data),
            "ap_application.bin" => put(0x30_0000, &burn.data),
            "ap_updater.bin" => put(0x3B_4000, &burn.data),
            _ => put(0x36_0000, &burn.data),
        }
    }
    flash
}

/// Every byte of both chips, also of those that nobody may touch.
fn assert_flash(held: &[u8], wanted: &[u8], what: &str) {
    let differs = held.iter().zip(wanted).position(|(held, wanted)| held != wanted);
    assert_eq!((differs, held.len()), (None, wanted.len()), "{what}");
}

/// A file with the flash of a used module.
fn used_file(folder: &TempDir) -> String {
    let path = folder.path().join("used.bin");
    std::fs::write(&path, used()).expect("there is room");
    path.into_os_string().into_string().expect("a plain path")
}

fn options(transport: &str) -> Options {
    Options {
        transport: if transport == "uart" {
            Transport::Uart
        } else {
            Transport::Usb
        },
        ..Options::default()
    }
}

fn run(oracle: &Oracle, plan: &Plan, options: &Options) -> Result<Report, Failure> {
    write(&mut oracle.wire(), plan, options, &mut Safe::default())
}

fn writes_the_real_package(transport: &str) {
    let folder = TempDir::new().expect("a folder");
    let plan = real();
    let oracle = Oracle::start(&[
        "--strict",
        "--exit-after-reset",
        "--transport",
        transport,
        "--flash-in",
        &used_file(&folder),
    ]);
    let mut safe = Safe::default();
    let report = write(&mut oracle.wire(), &plan, &options(transport), &mut safe).expect("it is written");
    let bytes = 21_312 + 1_965_332 + 417_470 + 0x2_1234 + 0x7001 + 0x1_0000;
    let expected = Report {
        written: Written::Complete,
        bytes,
        proof: Proof::BulkRead,
    };
    assert_eq!(report, expected);
    let before = used();
    assert_eq!(safe.rf.as_deref(), Some(&before[AP_BYTES + 0xC_0000..]));
    let (summary, flash) = oracle.finish_at_reset();
    assert_eq!(
        (&summary["bl_consistent"], &summary["ap_consistent"]),
        (&true.into(), &true.into())
    );
    assert_flash(&flash.bytes(), &placed(&plan, &before), transport);
}

#[test]
fn writes_the_real_package_over_usb() {
    court!();
    writes_the_real_package("usb");
}

#[test]
fn writes_the_real_package_over_a_uart() {
    court!();
    writes_the_real_package("uart");
}

#[test]
fn refuses_a_running_agent_that_is_not_the_packages() {
    court!();
    let stay = Options {
        after: After::Stay,
        ..options("uart")
    };
    let oracle = Oracle::start(&["--transport", "uart"]);
    read_rf(&mut oracle.wire(), &small(), &stay).expect("it can be read");
    // The oracle has changed eight bytes of the agent, at 0x65DC.
    let failure = run(&oracle, &small(), &stay).expect_err("it differs");
    assert!(failure.to_string().contains("from 0x6540"), "{failure}");
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::CheckChip, Written::HelpersOnly)
    );
    let (_, flash) = oracle.finish_with(false);
    assert_flash(
        &flash.bytes(),
        &vec![0xFF; AP_BYTES + CP_BYTES],
        "nothing was written",
    );
}

#[test]
fn goes_on_with_the_agent_that_an_interrupted_run_has_left() {
    court!();
    let plan = small();
    let oracle = Oracle::start(&["--exit-after-reset"]);
    // DATA_HEAD of the second block of the system.
    let mut wire = oracle.wire();
    wire.cancel_at = b"\x31\x00\xcd\x32\x04\x00\x00\x9e\x02\x80\x00\x00".to_vec();
    let failure = write(&mut wire, &plan, &options("usb"), &mut Safe::default()).expect_err("cancelled");
    assert_eq!(failure.cause, Cause::Wire(WireError::Cancelled));
    let bytes = 21_312 + 0x1_0000;
    let image = "ap_at_command".to_owned();
    assert_eq!(failure.written, Written::Partial { image, bytes });
    wire.cancel_at = Vec::new();
    write(&mut wire, &plan, &options("usb"), &mut Safe::default()).expect("the second run completes");
    drop(wire);
    let (_, flash) = oracle.finish_with(false);
    let blank = vec![0xFF; AP_BYTES + CP_BYTES];
    assert_flash(&flash.bytes(), &placed(&plan, &blank), "after an interruption");
}

#[test]
fn needs_a_power_cycle_after_half_an_agent() {
    court!();
    let plan = small();
    let oracle = Oracle::start(&[]);
    let mut wire = oracle.wire();
    // DATA_HEAD of the last kilobyte of the agent.
    wire.cancel_at = b"\x31\x00\xcd\x32\x04\x00\x00\x00\xf0\x02\x00\x00".to_vec();
    let failure = write(&mut wire, &plan, &options("usb"), &mut Safe::default()).expect_err("cancelled");
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::LoadHelper, Written::HelpersOnly)
    );
    wire.cancel_at = Vec::new();
    let failure = write(&mut wire, &plan, &options("usb"), &mut Safe::default()).expect_err("out of step");
    assert!(failure.to_string().contains("power-cycle"), "{failure}");
    assert_eq!(failure.written, Written::Nothing);
    oracle.power_cycle();
    let report = write(&mut wire, &plan, &options("usb"), &mut Safe::default()).expect("it is written now");
    assert_eq!(report.written, Written::Complete);
    drop(wire);
    oracle.finish_with(false);
}

#[test]
fn reads_the_rf_data_and_writes_nothing() {
    court!();
    let folder = TempDir::new().expect("a folder");
    let used_file = used_file(&folder);
    let oracle = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", &used_file]);
    let rf = read_rf(&mut oracle.wire(), &small(), &options("usb")).expect("it can be read");
    assert!(rf == used()[AP_BYTES + 0xC_0000..]);
    let (_, flash) = oracle.finish_at_reset();
    assert_flash(&flash.bytes(), &used(), "untouched");
}
