//! How a virtual Eigencomm module takes images, right ones and wrong ones, as measured on the genuine agents of 2021.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod dlboot;

use client::PATIENCE;
use dlboot::stages::{builder, in_block, in_lpc, in_lpc_over_uart};
use dlboot::{
    AG, AP_ID, BL_ID, CP_ID, DL, FLEX_AT, FLEX_ID, Host, LPC, NOTHING, QUIET, Said, TO_CP, WRONG_STATE, ag,
    burn_header, done, hex, lpc, nak, pattern, words,
};
use qpyflash_virtual::{Mode, Role};

#[test]
fn burn_one_knows_its_ids_and_chips() {
    let (_bus, module, mut host) = in_lpc(builder());
    let burn = |host: &mut Host, data: &[u8]| host.ask(&lpc(0x42, data));
    for wrong in [&b"IBPC"[..], b"IXLF\x01", b"IXLF\x01\xE2", b"XXXX", b"IXL", b""] {
        assert_eq!(burn(&mut host, wrong), nak(0x98), "{wrong:02X?}");
        assert_eq!(host.status(), Ok(0xFF), "stays in LPC");
    }
    assert_eq!(
        host.exchange(&hex("42 00 4C B3 06 00 00 D1 49 42 50 43 01 E1 36 57 D1 F2"))
            .len(),
        10
    );
    // Asked again, as by a host whose ACK was lost.
    assert_eq!(burn(&mut host, b"IBPC\x01\xE1"), done());
    assert_eq!(host.exchange(&[AG, AG].concat()), NOTHING);
    assert_eq!(host.exchange(&[AG, AG].concat()), AG);
    assert_eq!(host.exchange(&[AG, AG].concat()), AG, "until the first command");
    assert_eq!(host.ask(&ag(0x21, 0, &[])), Said::Ack(b"HMIT".to_vec()));
    assert_eq!(host.exchange(&[AG, AG].concat()), WRONG_STATE);
    assert_eq!(
        host.ask(&ag(0x20, 7, &[])),
        Said::Ack(words(&[0x0100_0001, 1, 0x2021_2611]))
    );
    assert_eq!(host.exchange(&[LPC, LPC].concat()), NOTHING);
    assert_eq!(host.status(), Ok(0x83));
    assert_eq!(module.violations(), Vec::<String>::new());
}

#[test]
fn what_comes_instead_of_the_first_ag_sync() {
    let (_bus, _module, mut host) = in_lpc(builder());
    let named = lpc(0x42, FLEX_ID);
    let begin = |host: &mut Host| {
        host.sync(LPC);
        assert_eq!(host.ask(&named), done());
    };
    begin(&mut host);
    assert_eq!(host.exchange(&[LPC, LPC].concat()), NOTHING);
    assert_eq!(host.status(), Ok(0x300));
    begin(&mut host);
    assert_eq!(host.exchange(&[DL, DL].concat()), WRONG_STATE);
    assert_eq!(host.status(), Ok(0x300));
    begin(&mut host);
    assert_eq!(host.exchange(&lpc(0x44, &[])), NOTHING, "stays");
    assert_eq!(
        host.exchange(&ag(0x20, 0, &[])),
        hex("20 00 CD 32 01 04 81 00 00 00 00 29 B1 19")
    );
    assert_eq!(
        host.exchange(&[0x11; 8]),
        hex("11 11 11 11 01 04 9B 00 00 00 9D 61 78 B5")
    );
    assert_eq!(host.exchange(&[AG, AG].concat()), NOTHING);
    assert_eq!(host.exchange(&ag(0x20, 0, &[])), NOTHING, "no session yet");
    assert_eq!(host.exchange(&[[0; 4], AG].concat()), AG, "either half");
    begin_again(&mut host);
}

fn begin_again(host: &mut Host) {
    assert_eq!(host.exchange(&lpc(0x44, &[])), NOTHING, "aborts in silence");
    assert_eq!(host.status(), Ok(0x83));
}

#[test]
fn pipelined_syncs_are_dropped_over_usb() {
    let (_bus, _module, mut host) = in_lpc(builder());
    assert_eq!(host.ask(&lpc(0x42, FLEX_ID)), done());
    assert_eq!(host.exchange(&[AG; 6].concat()), AG);
}

#[test]
fn data_packets_are_checked_by_index_and_crc_only() {
    let (_bus, module, mut host) = in_lpc(builder());
    let body = pattern(0x100);
    in_block(&mut host, &body);
    let head = host.exchange(&ag(0x31, 0, &words(&[0x100])));
    let stale = head[10..14].to_vec();
    let refused = |index: u8| {
        [&hex("32 00 CD 32 01 04 9C 00 00 00")[..], &stale[..]]
            .concat()
            .tap(1, index)
    };
    assert_eq!(host.exchange(&ag(0x32, 1, &body[..16])), refused(0));
    assert_eq!(host.ask(&ag(0x32, 0, &body[..0x40])), done());
    assert_eq!(
        host.exchange(&ag(0x32, 0, &body[..0x40])),
        refused(1),
        "sent again"
    );
    let mut wrong = ag(0x32, 1, &body[0x40..]);
    wrong[20] ^= 1;
    assert_eq!(
        host.exchange(&wrong),
        hex("AA D3 02 2B 01 04 9A 00 00 00 2C 91 C4 13")
    );
    assert_eq!(host.ask(&ag(0x32, 1, &body[0x40..])), done());
    assert_eq!(host.ask(&ag(0x3A, 0, &[])), done());
    assert_eq!(host.status(), Ok(0));
    assert_eq!(module.ap(FLEX_AT, 0x100).unwrap(), body);
}

trait Tap {
    fn tap(self, at: usize, byte: u8) -> Self;
}

impl Tap for Vec<u8> {
    fn tap(mut self, at: usize, byte: u8) -> Self {
        self[at] = byte;
        self
    }
}

#[test]
fn packets_are_limited_by_the_port() {
    let (_bus, _module, mut host) = in_lpc(builder());
    in_block(&mut host, &pattern(0x1_0000));
    assert_eq!(
        host.ask(&ag(0x31, 0, &words(&[0x1_0000]))),
        Said::Ack(words(&[0x4000]))
    );
    assert_eq!(host.ask(&ag(0x31, 0, &words(&[0]))), Said::Ack(words(&[0])));
    assert_eq!(host.exchange(&[LPC, LPC].concat()), NOTHING);
    host.begin(FLEX_ID, &[]);
    assert_eq!(
        host.ask(&ag(0x31, 0, &words(&[0x2000]))),
        Said::Ack(words(&[0x2000]))
    );
    assert_eq!(
        host.exchange(&ag(0x31, 0, &words(&[0x2001]))),
        hex("31 00 CD 32 01 04 94 00 00 00 7B 64 1A B6")
    );
    assert_eq!(host.status(), Ok(0x94), "the session is over");

    let (_bus, module, mut host) = in_lpc_over_uart();
    let body = pattern(0x1_0000);
    in_block(&mut host, &body);
    assert_eq!(
        host.ask(&ag(0x31, 0, &words(&[0x1_0000]))),
        Said::Ack(words(&[0x1_0000]))
    );
    assert_eq!(host.ask(&ag(0x32, 0, &body)), done(), "17 bits of length");
    assert_eq!(host.ask(&ag(0x32, 0, &body)), done(), "sent again");
    let mut wrong = ag(0x32, 1, &body[..16]);
    wrong[20] ^= 1;
    assert_eq!(host.ask(&wrong), Said::Nak(1, 0x9A), "a proper header");
    assert_eq!(host.rest(), NOTHING, "the agent flushes its input meanwhile");
    assert_eq!(host.ask(&ag(0x3A, 0, &[])), done());
    assert_eq!(host.status(), Ok(0));
    assert_eq!(module.ap(FLEX_AT, 0x1_0000).unwrap(), body);
}

#[test]
fn images_go_where_the_placement_table_says() {
    let (_bus, module, mut host) = in_lpc(builder());
    let body = pattern(0x1800);
    for (id, suffix, address, status) in [
        (FLEX_ID, &[][..], 0, 0x32),
        (FLEX_ID, &[][..], 0x3000, 1),
        (FLEX_ID, &[][..], 0x4001, 1),
        (FLEX_ID, &[][..], 0x40_0000, 0x32),
        (FLEX_ID, &[][..], 0xB8_0000, 0x32),
        (FLEX_ID, &TO_CP[..], 0, 0x32),
        (FLEX_ID, &TO_CP[..], 0x10_0000, 0x32),
        (CP_ID, &TO_CP[..], 0x101, 1),
        (AP_ID, &[][..], 0x3000, 1),
    ] {
        host.begin(id, suffix);
        host.session(&burn_header(id, address, &body)).unwrap();
        assert_eq!(host.exchange(&[AG, AG].concat()), WRONG_STATE, "{address:#x}");
        assert_eq!(host.status(), Ok(status), "{address:#x}");
    }
    for (id, suffix, address, at) in [
        (BL_ID, &[][..], 0x5000, 0x4000),
        (AP_ID, &[][..], 0, 0x2_0000),
        (FLEX_ID, &[][..], 0x3F_C000, 0x3F_C000),
        (CP_ID, &TO_CP[..], 0, 0),
        (FLEX_ID, &TO_CP[..], 0x8_0000, 0x8_0000),
    ] {
        let head = burn_header(id, address, &body);
        assert_eq!(host.burn_with(&head, id, suffix, &body), Ok(0), "{address:#x}");
        let found = if suffix.is_empty() {
            module.ap(at, 0x1800)
        } else {
            module.cp(at, 0x1800)
        };
        assert_eq!(found.unwrap(), body, "{address:#x}");
        let stored = if id == BL_ID { 0 } else { 0x2000 };
        if id == BL_ID || id == AP_ID {
            let sectors = [head, vec![0xFF; 0x2000 - 272]].concat();
            assert_eq!(module.ap(stored, 0x2000).unwrap(), sectors);
        }
    }
    assert!(module.flash().boots(), "though no revision stands in it");
}

#[test]
fn what_the_agents_do_not_notice_is_noted() {
    let (_bus, module, mut host) = in_lpc(builder());
    let body = pattern(0x200);
    let mut wrong = burn_header(FLEX_ID, FLEX_AT, &body);
    wrong[40] ^= 1;
    assert_eq!(host.burn_with(&wrong, FLEX_ID, &[], &body), Ok(0));
    let other = burn_header(FLEX_ID, FLEX_AT, &pattern(0x201)[1..]);
    assert_eq!(host.burn_with(&other, FLEX_ID, &[], &body), Ok(0));
    in_block(&mut host, &body);
    assert_eq!(host.ask(&ag(0x32, 0, &[0x55; 16])), done());
    assert_eq!(host.ask(&ag(0x3A, 0, &[])), done());
    assert_eq!(host.status(), Ok(0), "what was in the buffer is written");
    assert_eq!(module.ap(FLEX_AT, 16).unwrap(), [0x55; 16]);
    assert_eq!(
        module.violations(),
        [
            "ag: a header that does not match its own hash",
            "ag: an image that is not the one its header announces",
            "ag: a packet of 16 bytes that was not granted",
            "ag: DONE after 16 of 512 bytes",
            "ag: an image that is not the one its header announces"
        ]
    );
}

#[test]
fn headers_name_the_image_and_may_skip_it() {
    let (_bus, module, mut host) = in_lpc(builder());
    let (body, before) = (pattern(0x200), module.ap(FLEX_AT, 0x200));
    host.begin(FLEX_ID, &[]);
    host.session(&burn_header(AP_ID, FLEX_AT, &body)).unwrap();
    assert_eq!(host.status(), Ok(0x98));
    let mut skipped = burn_header(FLEX_ID, FLEX_AT, &body);
    skipped[21] = 1;
    host.begin(FLEX_ID, &[]);
    host.session(&skipped).unwrap();
    assert_eq!(host.status(), Ok(0));
    assert_eq!(module.ap(FLEX_AT, 0x200), before);
    host.begin(FLEX_ID, &[]);
    assert_eq!(host.ask(&ag(0x22, 0, &[1])), done());
    assert_eq!(host.exchange(&ag(0x20, 0, &[])), WRONG_STATE);
    assert_eq!(host.status(), Ok(0x98));
}

#[test]
fn an_image_that_begins_inside_a_sector_spoils_its_tail() {
    let (_bus, module, mut host) = in_lpc(builder());
    let place = FLEX_AT + 0x800;
    assert_eq!(host.burn(FLEX_ID, &[], FLEX_AT, &vec![0; 0x2000]), Ok(0));
    assert_eq!(
        host.burn(FLEX_ID, &[], place, &pattern(0x1000)),
        Ok(0x33),
        "read back"
    );
    assert_eq!(
        module.ap(FLEX_AT, 0x800).unwrap(),
        [0xFF; 0x800],
        "its whole first sector is erased"
    );
    assert!(
        module
            .violations()
            .iter()
            .all(|text| text.contains("inside a sector"))
    );
}

#[test]
fn done_may_be_repeated() {
    let (_bus, module, mut host) = in_lpc(builder());
    let body = pattern(0x1_0040);
    host.begin(FLEX_ID, &[]);
    host.session(&burn_header(FLEX_ID, FLEX_AT, &body)).unwrap();
    assert_eq!(host.ask(&ag(0x3A, 0, &[])), done(), "after the header");
    host.sync(AG);
    assert_eq!(host.ask(&ag(0x21, 0, &[])), Said::Ack(FLEX_ID.to_vec()));
    host.session(&body[..0x1_0000]).unwrap();
    assert_eq!(host.ask(&ag(0x3A, 0, &[])), done(), "after a middle block");
    host.sync(AG);
    host.session(&body[0x1_0000..]).unwrap();
    assert_eq!(
        host.exchange(&ag(0x3A, 0, &[])),
        hex("3A 00 CD 32 00 00"),
        "after the last: no CRC"
    );
    assert_eq!(
        host.exchange(&lpc(0x44, &[])),
        hex("50 76 B8 07 01 04 9B 00 00 00 3D B4 0E 4D")
    );
    assert_eq!(host.status(), Ok(0));
    assert_eq!(module.ap(FLEX_AT, body.len()).unwrap(), body);
}

#[test]
fn five_wrong_lengths_end_a_session() {
    let (_bus, _module, mut host) = in_lpc(builder());
    host.begin(FLEX_ID, &[]);
    let mut wrong = ag(0x31, 0, &words(&[4]));
    wrong[7] = 0;
    for _ in 0..5 {
        assert_eq!(
            host.exchange(&wrong),
            hex("31 00 CD 32 01 04 9B 00 00 00 2D 74 79 EE")
        );
    }
    let misread = host.exchange(&[LPC, LPC].concat());
    assert_eq!(misread, hex("04 00 00 00 01 04 9B 00 00 00 CC DB FC BE"));
    host.sync(LPC);
    assert_eq!(host.status(), Ok(0x9B));
}

#[test]
fn a_module_comes_back_only_with_consistent_headers() {
    let (_bus, module, mut host) = in_lpc(builder());
    host.begin(BL_ID, &[]);
    host.session(&burn_header(BL_ID, 0x4000, &pattern(0x1000)))
        .unwrap();
    assert_eq!(
        host.exchange(&[LPC, LPC].concat()),
        NOTHING,
        "between header and body"
    );
    host.reset();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert_eq!(module.wait_while_mode(Mode::Off, QUIET), Mode::Off);
    assert_eq!(module.counters().failed_boots, 1);
    module.set_boot_pin(true);
    module.power_cycle();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    Host::open(module.tty(Role::Download).unwrap()).sync(DL);
}

#[test]
fn a_flex_without_its_chip_goes_to_the_one_that_was_named_last() {
    let (_bus, module, mut host) = in_lpc(builder());
    let body = pattern(300);
    assert_eq!(host.burn(CP_ID, &TO_CP, 0, &pattern(500)), Ok(0));
    host.sync(LPC);
    assert_eq!(host.burn(FLEX_ID, b"", 0x1_0000, &body), Ok(0));
    assert_eq!(module.cp(0x1_0000, 300).as_ref(), Some(&body));
    assert_eq!(module.violations().len(), 1, "{:?}", module.violations());
    host.sync(LPC);
    assert_eq!(host.burn(FLEX_ID, b"\x01\xE0", 0x1_0000, &body), Ok(0));
    assert_eq!(module.ap(0x1_0000, 300).as_ref(), Some(&body));
}
