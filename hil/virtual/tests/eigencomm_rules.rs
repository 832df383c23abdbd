//! What a virtual Eigencomm module takes, refuses and lets pass in ROM and LPC, as measured on the genuine agents of
//! 2021.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod dlboot;

use client::PATIENCE;
use dlboot::stages::{builder, generated, in_block, in_lpc, in_lpc_over_uart, in_rom};
use dlboot::{
    AG, BL_ID, DL, FLEX_AT, FLEX_ID, LPC, NOTHING, Said, TO_AP, TO_CP, WRONG_STATE, ag, burn_header, done,
    frame, header, hex, lpc, nak, pattern, words,
};

#[test]
fn the_rom_refuses_what_is_not_whole() {
    let (_bus, module, mut host) = in_rom(builder());
    let agent = generated().usb_agent();
    let good = header(BL_ID, 0, &agent, 921_600, 1);
    let mut wrong = good.clone();
    wrong[76] ^= 1;
    assert_eq!(host.rom_image(b"HMIT", &wrong), Err(nak(0x84)));
    host.rom_image(b"HMIT", &good).unwrap();
    let mut damaged = agent.clone();
    damaged[5000] ^= 1;
    assert_eq!(host.rom_image(BL_ID, &damaged), Err(nak(0x84)));
    host.rom_image(b"HMIT", &good).unwrap();
    host.sync(DL);
    assert_eq!(
        host.rom(0x31, 0, &words(&[agent.len() as u32])),
        Said::Ack(words(&[0x400]))
    );
    assert_eq!(host.rom(0x32, 0, &agent[..0x400]), done());
    assert_eq!(host.rom(0x3A, 0, &[]), nak(0x84), "only 1 KiB of it has come");
    assert_eq!(module.violations().len(), 3, "{:?}", module.violations());
    host.load(&agent);
}

#[test]
fn the_rom_knows_sums_indexes_and_grants() {
    let (_bus, _module, mut host) = in_rom(builder());
    let quiet = host.exchange(&hex("20 00 CD 32 00 00 00 00"));
    assert_eq!(quiet, NOTHING, "no command before a sync");
    host.sync(DL);
    assert_eq!(host.rom(0x31, 0, &words(&[100])), nak(0x82));
    assert_eq!(host.rom(0x31, 0, &words(&[272])), Said::Ack(words(&[272])));
    let mut packet = hex("32 00 CD 32 04 00 00 00 01 02 03 04 00 00 00 00");
    assert_eq!(host.exchange(&packet), hex("32 00 CD 32 01 04 9A 00 00 00"));
    let sum: u32 = packet[..12].iter().map(|byte| u32::from(*byte)).sum();
    packet[12..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(host.exchange(&packet), hex("32 00 CD 32 01 04 94 00 00 00"));
    assert_eq!(host.rom(0x32, 3, &[0; 272]), Said::Nak(0, 0x9C));
    assert_eq!(host.rom(0x55, 0, &[]), nak(0x80));
    assert_eq!(host.exchange(&[&b"\x11\x22"[..], &DL, &DL].concat()), DL);
}

#[test]
fn an_agent_fresh_from_the_rom_knows_nothing_but_syncs() {
    let (_bus, _module, mut host) = in_rom(builder());
    let agent = generated().usb_agent();
    host.rom_image(b"HMIT", &header(BL_ID, 0, &agent, 921_600, 1))
        .unwrap();
    host.rom_image(BL_ID, &agent).unwrap();
    assert_eq!(host.exchange(&[0x44; 8]), NOTHING);
    assert_eq!(host.exchange(&[AG, AG].concat()), WRONG_STATE);
    assert_eq!(host.exchange(&[DL, DL].concat()), WRONG_STATE);
    assert_eq!(host.exchange(&[[0; 4], LPC].concat()), LPC);
    assert_eq!(host.status(), Ok(0));
}

#[test]
fn lpc_refuses_wrong_checks_orders_commands_and_parameters() {
    let (_bus, _module, mut host) = in_lpc(builder());
    let good = lpc(0x21, &words(&[16, 0x80_0000]));
    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(host.ask(&wrong), nak(0x9A));
    assert_eq!(host.rest(), NOTHING);
    let mut wrong = good.clone();
    wrong[7] ^= 1;
    assert_eq!(
        host.exchange(&wrong),
        hex("21 00 4C B3 01 04 9B 00 00 00 C7 91 27 78")
    );
    let other = frame([0x11, 0x22], 0x44, 0, &[]);
    assert_eq!(
        host.exchange(&other),
        hex("44 00 11 22 01 04 81 00 00 00 97 72 D1 F7")
    );
    assert_eq!(
        host.exchange(&lpc(0xA1, &[])),
        hex("A1 00 4C B3 01 04 80 00 00 00 58 48 3A 19")
    );
    assert_eq!(host.exchange(&ag(0x20, 0, &[])), WRONG_STATE);
    let half = [LPC, [1, 2, 3, 4]].concat();
    assert_eq!(
        host.exchange(&half),
        hex("CD D3 02 2B 01 04 9B 00 00 00 40 E9 43 98")
    );
    assert_eq!(host.read(0x80_0000, 256), nak(0x82));
    assert_eq!(host.ask(&lpc(0x21, &words(&[4]))), nak(0x82));
    assert_eq!(
        host.ask(&lpc(0x24, &[&words(&[2, 0])[..], &[1, 0xE0]].concat())),
        nak(0x82)
    );
    assert_eq!(host.ask(&lpc(0x31, &words(&[0]))), nak(0x26));
    assert_eq!(host.read(0x80_0000, 0), done());
    assert_eq!(host.status(), Ok(0));
}

#[test]
fn erases_by_xip_address_and_length_first() {
    let (_bus, module, mut host) = in_lpc(builder());
    let rf = module.cp(0xC_D000, 0x3_3000).unwrap();
    for (address, length, said) in [
        (0xB8_0000, 0x1000, done()),
        (0x38_0000, 0x1000, nak(0x32)),
        (0xB8_0000, 0, done()),
        (0, 0, nak(0x32)),
        (0xB8_0001, 0x1000, nak(0x32)),
        (0xBF_F000, 0x2000, nak(0x32)),
        (0x8FF_F000, 0x1000, nak(0x32)),
        (0x880_0000, 0x2000, done()),
    ] {
        assert_eq!(host.erase(address, length), said, "{address:#x} {length:#x}");
    }
    assert_eq!(host.ask(&lpc(0x10, &words(&[0x1000]))), nak(0x82));
    assert_eq!(module.violations(), Vec::<String>::new());
    assert_eq!(module.cp(0, 0x2000).unwrap(), [0xFF; 0x2000]);
    assert_ne!(module.cp(0x2000, 0x100).unwrap(), [0xFF; 0x100]);
    assert_eq!(module.cp(0xC_D000, 0x3_3000).unwrap(), rf);

    assert_eq!(host.erase(0xB8_0800, 0x1000), done());
    assert_eq!(host.erase(0x88E_7000, 0x1000), done());
    assert_eq!(host.erase(0x80_0000, 0x50_0000), done());
    assert_eq!(
        module.violations(),
        [
            "lpc: an erase of half a sector",
            "lpc: an erase of RF data",
            "lpc: the erase of a whole chip"
        ]
    );
    assert!(module.ap(0, 0x40_0000).unwrap().iter().all(|byte| *byte == 0xFF));
}

#[test]
fn a_strict_module_refuses_what_harms_it() {
    let (_bus, module, mut host) = in_lpc(builder().strict());
    let before = (module.ap(0, 0x40_0000), module.cp(0, 0x10_0000));
    for (address, length) in [
        (0x80_0000, 0x40_0000),
        (0x880_0000, 0x10_0000),
        (0x88C_0000, 0x1_0000),
        (0xB8_0800, 0x800),
    ] {
        assert_eq!(host.erase(address, length), nak(0x32), "{address:#x}");
    }
    let body = pattern(0x100);
    let over_rf = burn_header(FLEX_ID, 0xE_7000, &body);
    let mut wrong_hash = burn_header(FLEX_ID, FLEX_AT, &body);
    wrong_hash[40] ^= 1;
    for (head, suffix, status) in [(&over_rf, &TO_CP[..], 0x32), (&wrong_hash, &TO_AP[..], 0x82)] {
        host.begin(FLEX_ID, suffix);
        host.session(head).unwrap();
        assert_eq!(host.status(), Ok(status));
    }
    assert_eq!((module.ap(0, 0x40_0000), module.cp(0, 0x10_0000)), before);
    in_block(&mut host, &body);
    assert_eq!(host.ask(&ag(0x32, 0, &body)), nak(0x82), "not granted");
    assert_eq!(host.ask(&ag(0x3A, 0, &[])), nak(0x82), "not whole");
    host.session(&body).unwrap();
    assert_eq!(host.status(), Ok(0));
}

#[test]
fn reads_memory_and_whole_blocks() {
    let (_bus, module, mut host) = in_lpc(builder());
    assert_eq!(
        host.read(0x80_2000, 240),
        Said::Ack(module.ap(0x2000, 240).unwrap())
    );
    assert_eq!(
        host.read(0x88E_7000, 255),
        Said::Ack(module.cp(0xE_7000, 255).unwrap())
    );
    host.client
        .send(&hex(
            "24 00 4C B3 0A 00 00 6A 01 00 00 00 00 00 0E 00 01 E1 63 9B C8 38",
        ))
        .unwrap();
    let bulk = host.bytes(6 + 0x1_0000 + 4, PATIENCE);
    assert_eq!(bulk[..6], hex("24 00 4C B3 00 FA"));
    let (covered, check) = bulk.split_at(6 + 0x1_0000);
    assert_eq!(covered[6..], module.cp(0xE_0000, 0x1_0000).unwrap());
    assert_eq!(check, dlboot::ieee(covered).to_le_bytes());
    assert_eq!(module.violations(), Vec::<String>::new());
    assert_eq!(host.read(0x42_0000, 8), Said::Ack(vec![0; 8]));
    assert_eq!(module.violations().len(), 1);
}

#[test]
fn a_uart_module_hears_only_its_own_line_speed() {
    let (_bus, module, mut host) = in_lpc_over_uart();
    assert_eq!(module.violations(), Vec::<String>::new());
    host.client.set_baud(115_200);
    assert_eq!(host.exchange(&[LPC, LPC].concat()), NOTHING);
    assert_eq!(
        module.violations(),
        ["lpc: the host speaks at 115200 baud, the module at 921600"]
    );
    host.client.set_baud(921_600);
    host.sync(LPC);
}
