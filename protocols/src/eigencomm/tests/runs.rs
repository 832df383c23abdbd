//! Runs in which nothing, or nothing that matters, goes wrong.

use std::time::Duration;

use super::module::Bulk;
use super::*;
use crate::eigencomm::{After, Pacing, Proof, Transport, read_rf};
use crate::{Phase, Written};

fn uart() -> Options {
    Options {
        transport: Transport::Uart,
        ..Options::default()
    }
}

fn with(options: &Options, mut module: Module) -> Module {
    let plan = small();
    write(&mut module, &plan, options, &mut Safe::default())
        .unwrap_or_else(|failure| panic!("{failure}\n{:#?}", module.notes));
    assert_written(&module, &plan);
    module
}

#[test]
fn writes_every_image_and_leaves_everything_else() {
    for (options, mut module) in [(Options::default(), Module::new()), (uart(), Module::uart())] {
        let (plan, mut safe) = (small(), Safe::default());
        let before = module.flash.clone();
        let report = write(&mut module, &plan, &options, &mut safe).expect("it is written");
        assert_written(&module, &plan);
        let bytes = plan.burns().iter().map(|burn| burn.data.len() as u64).sum();
        let (written, proof) = (Written::Complete, Proof::BulkRead);
        assert_eq!(
            report,
            Report {
                written,
                bytes,
                proof
            }
        );
        assert_eq!(safe.rf, [&before[module::AP_BYTES + 0xC_0000..]]);
        let phases = [
            Phase::Sync,
            Phase::LoadHelper,
            Phase::CheckChip,
            Phase::Erase,
            Phase::Write,
            Phase::Verify,
            Phase::Reset,
        ];
        assert_eq!((&module.phases[..], module.stage), (&phases[..], Stage::Run));
    }
}

#[test]
fn stores_headers_that_name_the_images() {
    let module = with(&Options::default(), Module::new());
    for (at, burn) in [0, 0x2000].into_iter().zip(small().burns()) {
        let header = &module.flash[at..at + 272];
        let hash = <sha2::Sha256 as sha2::Digest>::digest(&burn.data);
        assert_eq!((&header[4..8], &header[96..128]), (&b"HMIT"[..], &hash[..]));
        assert_eq!(header[68..72], burn.address.to_le_bytes());
        assert_eq!(header[24..28], [4, 0, 0, 0], "bit 1 is never set");
    }
}

#[test]
fn names_the_flash_of_every_file_and_of_the_modem() {
    let module = with(&Options::default(), Module::new());
    let burns: Vec<&str> = module
        .names()
        .into_iter()
        .filter(|name| name.starts_with("BURN_ONE"))
        .collect();
    assert_eq!(
        burns,
        [
            "BURN_ONE IMBO",
            "BURN_ONE IBKD",
            "BURN_ONE IBPC\\x01\\xe1",
            "BURN_ONE IXLF\\x01\\xe0"
        ]
    );
}

#[test]
fn keeps_the_rf_data_before_anything_is_erased() {
    let module = with(&Options::default(), Module::new());
    let names = module.names();
    let at = |beginning: &str| names.iter().position(|name| name.starts_with(beginning));
    assert!(at("BULK_READ f0000 e1") < at("FLASH_ERASE"));
    assert!(at("FLASH_ERASE") < at("BURN_ONE"));
    let mut module = Module::new();
    let mut safe = Safe {
        refuses: true,
        ..Safe::default()
    };
    let before = module.flash.clone();
    let failure = write(&mut module, &small(), &Options::default(), &mut safe).expect_err("not kept");
    assert!(failure.to_string().contains("the disk is full"), "{failure}");
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::CheckChip, Written::HelpersOnly)
    );
    assert!(module.flash == before);
    assert_eq!(module.stage, Stage::Run, "the untouched module is let go");
}

#[test]
fn clears_a_partition_behind_its_file_in_aligned_pieces() {
    let module = with(&Options::default(), Module::new());
    let erases: Vec<&str> = module
        .names()
        .into_iter()
        .filter(|name| name.starts_with("FLASH_ERASE"))
        .collect();
    assert_eq!(
        erases,
        [
            "FLASH_ERASE b22000 e000",
            "FLASH_ERASE b30000 10000",
            "FLASH_ERASE b40000 10000",
            "FLASH_ERASE b50000 10000"
        ]
    );
}

#[test]
fn changes_the_line_speed_when_the_agent_starts() {
    assert_eq!(
        with(&Options::default(), Module::new()).bauds,
        [0; 0],
        "USB has none"
    );
    assert_eq!(with(&uart(), Module::uart()).bauds, [115_200, 921_600]);
    let fast = Options {
        agent_baud: Some(2_000_000),
        ..uart()
    };
    let module = with(&fast, Module::uart());
    assert_eq!(module.bauds, [115_200, 2_000_000]);
    let header = &module
        .sent
        .iter()
        .find(|write| write.len() == 284)
        .expect("the agent's header")[8..];
    assert_eq!(header[22..24], [0x20, 0xCE]);
}

#[test]
fn refuses_a_speed_that_no_header_can_carry() {
    for baud in [0, 99, 921_650, 3_276_800] {
        let mut module = Module::uart();
        let options = Options {
            agent_baud: Some(baud),
            ..uart()
        };
        let failure = write(&mut module, &small(), &options, &mut Safe::default()).expect_err("refused");
        assert_eq!((failure.phase, failure.written), (Phase::Clear, Written::Nothing));
        assert!(module.sent.is_empty());
    }
}

#[test]
fn refuses_to_begin_without_the_agent() {
    let companions = Companions {
        uart_agent: None,
        ..companions()
    };
    let mut module = Module::uart();
    let plan = plan_of(real(), companions);
    let failure = write(&mut module, &plan, &uart(), &mut Safe::default()).expect_err("refused");
    assert!(
        failure.to_string().contains("agentboot_uart/agentboot.bin"),
        "{failure}"
    );
    assert!(module.sent.is_empty());
}

#[test]
fn writes_one_frame_with_one_write_unless_paced() {
    let module = with(&Options::default(), Module::new());
    assert_eq!(module.sent.len(), module.heard.len());
    let largest = module.sent.iter().map(Vec::len).max();
    assert_eq!(largest, Some(0x4000 + 12));
    let pause = Duration::from_millis(1);
    let paced = Options {
        pacing: Some(Pacing { bytes: 64, pause }),
        ..Options::default()
    };
    let module = with(&paced, Module::new());
    assert!(module.sent.iter().all(|write| write.len() <= 64));
}

#[test]
fn obeys_the_packet_size_that_is_granted() {
    let mut module = Module::new();
    module.packet = 0x1001;
    let module = with(&Options::default(), module);
    assert_eq!(module.count("DATA of block 15"), 4, "each full block takes 16");
    assert_eq!(with(&uart(), Module::uart()).count("DATA of block 1"), 0);
}

#[test]
fn reads_back_in_small_pieces_where_the_agent_has_no_bulk() {
    for bulk in [Bulk::Refuses, Bulk::Ignores] {
        let mut module = Module::new();
        module.bulk = bulk;
        let mut safe = Safe::default();
        let before = module.flash.clone();
        let report = write(&mut module, &small(), &Options::default(), &mut safe)
            .unwrap_or_else(|failure| panic!("{bulk:?}: {failure}\n{:#?}", module.notes));
        assert_written(&module, &small());
        assert_eq!(report.proof, Proof::MemoryRead);
        assert!(safe.rf[0] == before[module::AP_BYTES + 0xC_0000..]);
        assert!(module.count("BULK_READ") <= 3);
    }
}

#[test]
fn reads_nothing_back_when_told_so_and_says_it() {
    let options = Options {
        verify: false,
        ..Options::default()
    };
    let mut module = Module::new();
    let report = write(&mut module, &small(), &options, &mut Safe::default()).expect("it is written");
    assert_eq!(report.proof, Proof::AgentOnly);
    assert_eq!(module.count("BULK_READ"), 4, "the RF data");
    assert_eq!(module.count("GET_BURN_STATUS"), 4);
    assert!(!module.phases.contains(&Phase::Verify));
}

#[test]
fn stays_when_told_to_and_is_found_by_the_next_run() {
    let stay = Options {
        after: After::Stay,
        ..Options::default()
    };
    let mut module = with(&stay, Module::new());
    assert_eq!((module.stage, module.count("SYS_RST")), (Stage::Loop, 0));
    module.heard.clear();
    run(&mut module, &small()).expect("the second run");
    assert_written(&module, &small());
    assert_eq!(module.count("ROM"), 0, "the agent is not loaded again");
    assert_eq!(module.count("READ_MEM 42"), 13, "but compared");
}

#[test]
fn refuses_an_agent_that_is_not_the_packages() {
    let stay = Options {
        after: After::Stay,
        ..Options::default()
    };
    let mut module = with(&stay, Module::new());
    // Its variables are its own.
    module.ram[2999] ^= 1;
    run(&mut module, &small()).expect("the same agent");
    let mut module = with(&stay, Module::new());
    module.ram[2000] ^= 1;
    let before = module.flash.clone();
    let failure = run(&mut module, &small()).expect_err("another agent");
    assert!(failure.to_string().contains("from 0x780"), "{failure}");
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::CheckChip, Written::HelpersOnly)
    );
    assert!(module.flash == before);
}

#[test]
fn finds_an_agent_that_listens_at_its_own_speed() {
    let stay = Options {
        after: After::Stay,
        ..uart()
    };
    let mut module = with(&stay, Module::uart());
    module.bauds.clear();
    for nth in 1..=10 {
        // At the speed of the boot ROM it understands nothing.
        module = module.on("DL SYNC", nth, Instead::Deaf);
    }
    write(&mut module, &small(), &uart(), &mut Safe::default()).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(module.bauds, [115_200, 921_600]);
}

#[test]
fn refuses_another_family_before_anything_is_loaded() {
    let mut module = Module::new();
    module.rom_version = 0x0300_0000;
    let failure = run(&mut module, &small()).expect_err("an EC7xx");
    assert!(
        matches!(failure.cause, crate::Cause::WrongChip { .. }),
        "{failure}"
    );
    assert!(failure.to_string().contains("0x03000000"), "{failure}");
    assert_eq!(failure.written, Written::Nothing);
    assert_eq!(module.count("ROM DATA"), 0);
}

#[test]
fn waits_for_slow_flash() {
    for seconds in [1, 5, 12] {
        let mut module = Module::new();
        module.block_time = Duration::from_secs(seconds);
        with(&Options::default(), module);
    }
}

#[test]
fn understands_replies_in_single_bytes_and_garbage_before_them() {
    let mut module = Module::new().on("GET_VERSION", 1, Instead::After(b"\0\xAE~noise~".to_vec()));
    module.piece = 1;
    with(&Options::default(), module);
}

#[test]
fn takes_noise_behind_the_boot_roms_echo_for_noise() {
    let after = |bytes: &[u8]| Instead::After([&[0x00, 0xD3, 0x02, 0x2B], bytes].concat());
    for (noise, syncs) in [(&b"noise"[..], 3), (&[], 2), (&[0, 0, 0, 0], 2)] {
        let module = with(&Options::default(), Module::new().on("DL SYNC", 1, after(noise)));
        assert_eq!(module.count("DL SYNC"), syncs, "{noise:?}");
    }
}

#[test]
fn reports_only_bytes_that_were_acknowledged() {
    let module = with(&Options::default(), Module::new());
    let system: Vec<u64> = module
        .acknowledged
        .iter()
        .filter(|(image, ..)| image == "ap_at_command")
        .map(|(_, done, total)| {
            assert_eq!(*total, 0x1_2345);
            *done
        })
        .collect();
    let written = [0, 0x4000, 0x8000, 0xC000, 0x1_0000, 0x1_2345];
    let read_back = [0x1_0000, 0x1_2345];
    assert_eq!(system, [&written[..], &read_back].concat());
}

#[test]
fn reads_the_rf_data_and_changes_nothing() {
    let mut module = Module::new();
    let before = module.flash.clone();
    let rf = read_rf(&mut module, &small(), &Options::default()).expect("it can be read");
    assert!(rf == before[module::AP_BYTES + 0xC_0000..]);
    assert!(module.flash == before);
    assert_eq!(module.stage, Stage::Run);
}
