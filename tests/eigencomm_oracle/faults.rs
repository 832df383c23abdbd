//! What goes wrong on the line, or with the supply: the flash is what the run says, or a second run makes it so.

use super::oracle::two_at_once;
use super::*;

/// Replies by their number within a stage: of the boot ROM, then of the agent. Each set is lost in one run.
const ROM_REPLIES: [&[&str]; 4] = [
    &["rom:1", "rom:6"],
    &["rom:2", "rom:7"],
    &["rom:3", "rom:8"],
    &["rom:13", "rom:82"],
];
/// LPC sync, BULK_READ, FLASH_ERASE, BURN_ONE, AGBOOT sync, a header and its DONE, a packet, the last DONE, a status;
/// then whatever comes there.
const AGENT_REPLIES: [&[&str]; 4] = [
    &["agent:1", "agent:8", "agent:30", "agent:62"],
    &["agent:3", "agent:24", "agent:36"],
    &["agent:23", "agent:39", "agent:70"],
    &["agent:29", "agent:40", "agent:90", "agent:150"],
];

fn survives(transport: &str, fault: &str, sets: &[Vec<&str>]) {
    let plan = small();
    for set in sets {
        let mut arguments = vec!["--exit-after-reset", "--transport", transport];
        arguments.extend(set.iter().flat_map(|reply| [fault, *reply]));
        let oracle = Oracle::start(&arguments);
        run(&oracle, &plan, &options(transport))
            .unwrap_or_else(|failure| panic!("{transport} {fault} {set:?}: {failure}\n{:#?}", failure.log));
        // The boot ROM's model calls a packet that comes again a breach.
        let strict = !set.iter().any(|reply| reply.starts_with("rom"));
        let (_, flash) = oracle.finish_with(strict);
        let blank = vec![0xFF; AP_BYTES + CP_BYTES];
        assert_flash(
            &flash.bytes(),
            &placed(&plan, &blank),
            &format!("{transport} {fault} {set:?}"),
        );
    }
}

fn all_replies() -> Vec<Vec<&'static str>> {
    let sets = ROM_REPLIES.iter().zip(AGENT_REPLIES);
    sets.map(|(rom, agent)| [rom, agent].concat()).collect()
}

#[test]
fn completes_over_usb_although_replies_are_lost() {
    court!();
    survives("usb", "--drop-reply", &all_replies());
}

#[test]
fn completes_over_usb_although_replies_are_damaged() {
    court!();
    survives("usb", "--corrupt-reply", &all_replies());
}

/// After a lost reply of the boot ROM the agent in RAM is compared, and the oracle has changed some bytes of that for
/// its own purposes; so only the agent's replies are lost here.
#[test]
fn completes_over_a_uart_although_replies_are_lost() {
    court!();
    survives("uart", "--drop-reply", &AGENT_REPLIES.map(<[&str]>::to_vec));
}

#[test]
fn completes_although_frames_are_damaged_on_the_way() {
    court!();
    // A packet of the agent to the boot ROM; packets of images.
    for (transport, at) in [("usb", 20_000), ("usb", 60_000), ("uart", 60_000)] {
        let oracle = Oracle::start(&["--exit-after-reset", "--transport", transport]);
        let mut wire = oracle.wire();
        wire.spoil_at = Some(at);
        write(&mut wire, &small(), &options(transport), &mut Safe::default())
            .unwrap_or_else(|failure| panic!("{transport} {at}: {failure}\n{:#?}", failure.log));
        drop(wire);
        let (_, flash) = oracle.finish_with(false);
        let blank = vec![0xFF; AP_BYTES + CP_BYTES];
        assert_flash(&flash.bytes(), &placed(&small(), &blank), transport);
    }
}

/// A run that ends well has written what it says; after any other a plain second one does. What was kept of the module
/// is what it has.
fn never_lies(faults: &[&str], stale_at: Option<usize>, cancel_at: &[u8], what: &str) {
    let folder = TempDir::new().expect("a folder");
    let (plan, before) = (small(), used());
    let used = used_file(&folder);
    let oracle = Oracle::start(&[&["--flash-in", &used][..], faults].concat());
    let mut wire = oracle.wire();
    (wire.stale_at, wire.cancel_at) = (stale_at, cancel_at.to_vec());
    let mut safe = Safe::default();
    let result = write(&mut wire, &plan, &options("usb"), &mut safe);
    let rf = safe.rf.as_deref().unwrap_or(&before[AP_BYTES + 0xC_0000..]);
    assert!(
        rf == &before[AP_BYTES + 0xC_0000..],
        "{what}: other RF data were kept"
    );
    if let Err(failure) = result {
        assert_ne!(failure.written, Written::Complete, "{what}: {failure}");
        oracle.power_cycle();
        wire.cancel_at = Vec::new();
        write(&mut wire, &plan, &options("usb"), &mut Safe::default())
            .unwrap_or_else(|why| panic!("{what}: {failure}; the second run: {why}"));
    }
    drop(wire);
    let (_, flash) = oracle.finish_with(false);
    assert_flash(&flash.bytes(), &placed(&plan, &before), what);
}

#[test]
fn never_lies_although_an_answer_comes_again_in_the_place_of_the_next() {
    court!();
    // Of the boot ROM; BULK_READ of the RF data; of the agent's sessions; BULK_READ of what was written.
    two_at_once(&[3, 40, 85, 87, 90, 107, 140, 237, 241], |answer| {
        never_lies(&[], Some(*answer), b"", &format!("answer {answer}"));
    });
}

#[test]
fn never_lies_although_the_supply_fails() {
    court!();
    // FLASH_ERASE; BURN_ONE; DATA_HEAD of the second block of the system.
    let commands: [&[u8]; 3] = [
        b"\x10\x00\x4c\xb3",
        b"\x42\x00\x4c\xb3",
        b"\x31\x00\xcd\x32\x04\x00\x00\x9e\x02\x80\x00\x00",
    ];
    for command in commands {
        never_lies(&[], None, command, &format!("{command:02x?}"));
    }
}

#[test]
fn completes_although_replies_come_in_pieces() {
    court!();
    never_lies(&["--piece-bytes", "509"], None, b"", "pieces");
}

#[test]
fn completes_in_a_second_run_after_the_module_vanished() {
    court!();
    let (plan, before) = (small(), used());
    // While the agent is loaded; in the boot loader; in the system; in the modem; in a file.
    two_at_once(&["20000", "45000", "100000", "180000", "235000"], |bytes| {
        let folder = TempDir::new().expect("a folder");
        let used = used_file(&folder);
        let oracle = Oracle::start(&["--strict", "--flash-in", &used, "--vanish-after-bytes", bytes]);
        let failure = run(&oracle, &plan, &options("usb")).expect_err("the module is gone");
        assert_eq!(failure.cause, Cause::Wire(WireError::Gone), "{failure}");
        assert_ne!(failure.written, Written::Complete);
        let (_, flash) = oracle.finish();
        let kept = AP_BYTES + 0xC_D000;
        assert_flash(&flash.bytes()[kept..], &before[kept..], bytes);
        let second = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", flash.path()]);
        run(&second, &plan, &options("usb")).unwrap_or_else(|failure| panic!("after {bytes}: {failure}"));
        let (_, flash) = second.finish_at_reset();
        assert_flash(&flash.bytes(), &placed(&plan, &before), bytes);
    });
}
