//! What is not done to a Unisoc module, and what a person is told then.

use crc::{CRC_16_ARC, Crc};
use qpyflash_virtual::{Mode, UnisocChip, UnisocModule};

use crate::bench::{Bench, PATIENCE};
use crate::harness::each;
use crate::unisoc::{CHIPS, assert_holds, package};

const ARC: Crc<u16> = Crc::<u16>::new(&CRC_16_ARC);

fn replace(file: &mut [u8], old: &[u8], new: &[u8]) {
    let mut at = 0;
    while let Some(found) = file[at..].windows(old.len()).position(|window| window == old) {
        file[at + found..at + found + old.len()].copy_from_slice(new);
        at += found + old.len();
    }
    assert!(at > 0, "nothing to replace");
}

/// The package with another name for one of its operations, in its table and in its XML, sealed again.
fn renamed(mut pac: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    replace(&mut pac, &wide(old), &wide(new));
    replace(&mut pac, old.as_bytes(), new.as_bytes());
    let header = ARC.checksum(&pac[..2120]).to_le_bytes();
    let rest = ARC.checksum(&pac[2124..]).to_le_bytes();
    pac[2120..2122].copy_from_slice(&header);
    pac[2122..2124].copy_from_slice(&rest);
    pac
}

#[test]
fn an_unknown_operation_is_refused_before_the_module_is_touched() {
    each(&CHIPS, |&(chip, old, new, _)| {
        let bench = Bench::new();
        bench.file(
            "fw.pac",
            renamed(package(chip, new).bytes(), "ERASE_PY_FS_U", "ERASE_PY_FS_X"),
        );
        let module = bench.attach(UnisocModule::builder(chip, old));
        let ended = bench.say("write fw.pac --json").end();
        let outcome = ended.expect(3, "package.unsupported", "nothing");
        let message = outcome["error"]["message"].as_str().unwrap();
        assert!(message.contains("`ERASE_PY_FS_X`"), "{message}");
        assert_eq!(module.bytes_received_in_download_mode(), 0);
        assert_eq!(module.at_commands(), [""; 0]);
    });
}

#[test]
fn the_loaders_own_refusal_has_its_own_words_and_nothing_is_erased() {
    let (chip, old, new, _) = CHIPS[1];
    assert_eq!(chip, UnisocChip::Uis8850);
    let bench = Bench::new();
    bench.file("fw.pac", package(chip, new).bytes());
    let module = bench.attach(UnisocModule::builder(chip, old).model("EC800GCNGA"));
    let before = module.flash();
    for line in ["write fw.pac", "erase all --yes --package fw.pac"] {
        let outcome = bench.say(&format!("{line} --json --backup-dir kept")).end();
        let outcome = outcome.expect(6, "refused.chip", "helpers-only");
        let message = outcome["error"]["message"].as_str().unwrap();
        for words in ["0x97", "not in the list of models", "nothing has been erased"] {
            assert!(message.contains(words), "{words}: {message}");
        }
        assert!(module.flash().bytes() == before.bytes());
        assert_eq!(module.nv_items(), *before.nv_items());
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    }
}

#[test]
fn absent_nv_items_stop_a_write_that_says_what_would_be_lost() {
    each(&CHIPS, |&(chip, old, new, _)| {
        let bench = Bench::new();
        let package = package(chip, new);
        bench.file("fw.pac", package.bytes());
        let module = bench.attach(UnisocModule::builder(chip, old));
        let own = module.flash();
        let read = bench
            .say("read nv --package fw.pac --json --backup-dir kept")
            .end();
        let backup = read.outcome()["backups"][0].as_str().unwrap().to_owned();
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        module.detach();
        module.wait_for_mode(Mode::Off, PATIENCE).unwrap();

        let module = bench.attach(UnisocModule::builder(chip, old).blank_nv());
        let before = module.flash();
        let ended = bench.say("write fw.pac --json --backup-dir kept").end();
        let outcome = ended.expect(6, "refused.unsafe", "helpers-only");
        let error = outcome["error"].to_string();
        for words in ["0x96", "IMEI and calibration", "`--nv-backup FILE`"] {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert!(module.flash().bytes() == before.bytes());
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        let ended = bench
            .say(&format!(
                "write fw.pac --json --backup-dir kept --nv-backup {backup}"
            ))
            .end();
        ended.expect_written("confirmed");
        assert_holds(&module, &package);
        for id in [5, 0x179, 0x26E] {
            assert_eq!(
                module.nv_items().get(&id),
                own.nv_items().get(&id),
                "NV item {id:#x}"
            );
        }
    });
}

#[test]
fn options_that_cannot_work_are_refused_before_the_module_is_touched() {
    let (chip, old, ..) = CHIPS[0];
    let bench = Bench::new();
    bench.file("fw.pac", package(chip, old).bytes());
    let module = bench.attach(UnisocModule::builder(chip, old));
    for (options, words) in [
        ("--frame 0x3001", "12289 bytes"),
        ("--frame 0", "0 bytes"),
        ("--nv-backup missing.bin", "missing.bin"),
    ] {
        let ended = bench.say(&format!("write fw.pac {options}")).end();
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.stderr.contains(words), "{ended:#?}");
    }
    for options in [
        "write fw.pac --flash-baud 300",
        "restore nv own.bin --package fw.pac --imei 12",
    ] {
        assert_eq!(bench.say(options).end().code, Some(2), "{options}");
    }
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert_eq!(module.at_commands(), [""; 0]);
}
