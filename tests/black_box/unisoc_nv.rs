//! What a Unisoc module has for itself alone, on its way out and back: `read nv`, `restore nv`.

use qpyflash_protocols::unisoc::nv;
use qpyflash_virtual::{Fault, Mode, UnisocChip, UnisocFlash, UnisocModule};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE};
use crate::harness::{Ended, each};
use crate::unisoc::{CHIPS, assert_holds, package};

const RESTORE: &str = "restore nv own.bin --package fw.pac --json --backup-dir kept";
pub const ERASE: &str = "erase all --package fw.pac --json --backup-dir kept";
const OTHER_IMEI: &str = "866327040830325";

/// A bus with a package in `fw.pac`, and a backup of a module of that kind in `own.bin`.
pub fn bench_with_backup(chip: UnisocChip, revision: &str) -> Bench {
    let bench = Bench::new();
    bench.file("fw.pac", package(chip, revision).bytes());
    let module = bench.attach(UnisocModule::builder(chip, revision));
    let read = bench
        .say("read nv --package fw.pac --json --backup-dir kept")
        .end();
    assert_eq!(read.code, Some(0), "{read:#?}");
    std::fs::copy(bench.path().join(backup(&read, 0)), bench.path().join("own.bin")).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    module.detach();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    bench
}

pub fn backup(ended: &Ended, number: usize) -> String {
    ended.outcome()["backups"][number].as_str().unwrap().to_owned()
}

/// What a module of that kind has for itself alone.
pub fn own(chip: UnisocChip, revision: &str) -> UnisocFlash {
    let bench = Bench::new();
    bench.attach(UnisocModule::builder(chip, revision)).flash()
}

/// Asserts that the module has these items. The UIS8910 shows all four places for an IMEI as soon as one is filled,
/// so a backup of it fills those with blanks that the module had not.
#[track_caller]
pub fn assert_has_again(module: &UnisocModule, own: &UnisocFlash) {
    let items = module.nv_items();
    for (id, data) in own.nv_items() {
        assert_eq!(items.get(id), Some(data), "NV item {id:#x}");
    }
    for (id, data) in items.iter().filter(|(id, _)| !own.nv_items().contains_key(id)) {
        assert!(
            [0x186, 0x1E4].contains(id) && *data == [0xFF; 8],
            "NV item {id:#x} is new"
        );
    }
}

#[test]
fn restores_what_a_module_has_lost() {
    each(&CHIPS, |&(chip, old, _, _)| {
        let bench = bench_with_backup(chip, old);
        let module = bench.attach(UnisocModule::builder(chip, old).blank_nv());
        let before = module.flash();
        let restored = bench.say(RESTORE).end().expect_written("nv-restored");
        assert_eq!(
            restored["backups"],
            Value::Array(vec![]),
            "there was nothing to save"
        );
        assert_has_again(&module, &own(chip, old));
        assert!(
            module.flash().bytes() == before.bytes(),
            "the firmware has changed"
        );
        assert!(module.violations().is_empty(), "{:?}", module.violations());
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        assert_eq!(module.revision().as_deref(), Some(old));
    });
}

#[test]
fn restores_over_what_a_write_has_changed_and_saves_that_first() {
    each(&CHIPS, |&(chip, old, new, _)| {
        let bench = bench_with_backup(chip, old);
        bench.file("new.pac", package(chip, new).bytes());
        let module = bench.attach(UnisocModule::builder(chip, old));
        bench
            .say("write new.pac --json --backup-dir kept")
            .end()
            .expect_written("confirmed");
        let written = module.nv_items();
        let ended = bench.say(&RESTORE.replace(" --json", "")).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(
            ended.stdout.starts_with("restored: the NV items of the backup"),
            "{ended:#?}"
        );
        assert_has_again(&module, &own(chip, old));
        let saved = ended
            .stderr
            .lines()
            .filter_map(|line| line.trim().strip_prefix("backup: "))
            .find(|path| path.contains("-nv"));
        let saved = std::fs::read(bench.path().join(saved.unwrap())).unwrap();
        for item in nv::items(&saved).unwrap() {
            let held = written
                .get(&item.id)
                .is_none_or(|held| *held == saved[item.place.clone()]);
            assert!(held, "NV item {:#x} was not saved as it was", item.id);
        }
    });
}

#[test]
fn refuses_a_damaged_backup_before_the_module_is_touched() {
    let (chip, old, ..) = CHIPS[0];
    let bench = bench_with_backup(chip, old);
    let whole = std::fs::read(bench.path().join("own.bin")).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    let mut long = whole.clone();
    long.resize(whole.len() + 0x2_0000, 0xFF);
    nv::seal(&mut long);
    let module = bench.attach(UnisocModule::builder(chip, old));
    for (case, bytes) in [
        ("flipped", &flipped[..]),
        ("short", &whole[..whole.len() / 2]),
        ("empty", &[]),
        ("package", &package(chip, old).bytes()),
        ("too long", &long),
    ] {
        bench.file("bad.bin", bytes);
        for line in [
            RESTORE.replace("own", "bad"),
            format!("{ERASE} --yes --nv-backup bad.bin"),
            "write fw.pac --json --nv-backup bad.bin".into(),
        ] {
            let outcome = bench.say(&line).end().expect(3, "backup.corrupt", "nothing");
            let message = outcome["error"]["message"].as_str().unwrap();
            assert!(message.contains("`bad.bin`"), "{case}: {message}");
        }
    }
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert_eq!(module.at_commands(), [""; 0]);
}

#[test]
fn refuses_the_backup_of_another_module_unless_the_label_says_it_is_its_own() {
    let (chip, old, ..) = CHIPS[0];
    let bench = bench_with_backup(chip, old);
    let own = own(chip, old);
    let other = UnisocModule::builder(chip, old).identity(|it| it.imei = OTHER_IMEI.into());
    let module = bench.attach(other);
    let before = module.nv_items();
    let imei = "866327040830317";
    for (label, wanted) in [
        (
            "",
            format!(
                "refused: the backup `own.bin` is of the module with the IMEI {imei}, the module on 1-4.2 ({}) has the \
                 IMEI {OTHER_IMEI}",
                module.ttys()[0].1.display()
            ),
        ),
        (
            " --imei 123456789012345",
            format!(
                "refused: the backup `own.bin` is of the module with the IMEI {imei}, the module on 1-4.2 ({}) has the \
                 IMEI 123456789012345 by its label",
                module.ttys()[0].1.display()
            ),
        ),
    ] {
        let outcome =
            bench
                .say(&format!("{RESTORE}{label}"))
                .end()
                .expect(6, "refused.contradiction", "nothing");
        let message = outcome["error"]["message"].as_str().unwrap();
        let place = message.split_once(" (").map(|(start, _)| start);
        assert_eq!(place, wanted.split_once(" (").map(|(start, _)| start));
        assert_eq!(
            message.rsplit_once(") ").unwrap().1,
            wanted.rsplit_once(") ").unwrap().1
        );
        let hint = outcome["error"]["hints"].to_string();
        assert_eq!(hint.contains("--imei"), label.is_empty(), "{hint}");
    }
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert_eq!(module.nv_items(), before);
    let outcome = bench
        .say(&format!("{RESTORE} --imei {imei}"))
        .end()
        .expect_written("nv-restored");
    assert!(
        outcome["warnings"].to_string().contains("the label decides"),
        "{outcome:#}"
    );
    assert_eq!(outcome["backups"].as_array().unwrap().len(), 2);
    assert_has_again(&module, &own);
}

#[test]
fn asks_the_nv_items_themselves_in_download_mode() {
    each(&CHIPS, |&(chip, old, _, code)| {
        let bench = bench_with_backup(chip, old);
        let restore = format!("{RESTORE} --oc {code}");
        let other = UnisocModule::builder(chip, old)
            .identity(|it| it.imei = OTHER_IMEI.into())
            .starts_in_download();
        let module = bench.attach(other);
        let before = module.nv_items();
        let outcome = bench
            .say(&restore)
            .end()
            .expect(6, "refused.contradiction", "helpers-only");
        let message = outcome["error"]["message"].as_str().unwrap();
        assert!(message.contains("by its own NV items"), "{message}");
        assert!(
            outcome["error"]["hints"].to_string().contains("--imei"),
            "{outcome:#}"
        );
        assert_eq!(module.nv_items(), before);
    });
}

#[test]
fn a_restore_that_breaks_off_is_completed_by_another() {
    each(&CHIPS, |&(chip, old, _, code)| {
        for fault in ["fdl2.end=nak:84", "fdl2.midst@2=vanish", "fdl2.end=power-loss"] {
            let bench = bench_with_backup(chip, old);
            let module =
                bench.attach(UnisocModule::builder(chip, old).fault(fault.parse::<Fault>().unwrap()));
            let ended = bench.say(RESTORE).hasty().end();
            let outcome = ended.outcome();
            assert_eq!(
                (ended.code, &outcome["written"]["state"]),
                (Some(10), &"partial".into()),
                "{outcome:#}"
            );
            let hints = outcome["error"]["hints"].to_string();
            assert!(
                hints.contains("`restore nv` again") && hints.contains("is kept in"),
                "{hints}"
            );
            module.detach();
            module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
            module.attach();
            module.wait_while_mode(Mode::Off, PATIENCE);
            let again = format!("{RESTORE} --path 1-4.2 --oc {code}");
            bench.say(&again).end().expect_written("nv-restored");
            assert_has_again(&module, &own(chip, old));
        }
    });
}

#[test]
fn a_write_keeps_calibration_that_is_longer_than_the_package_has_it() {
    each(&CHIPS, |&(chip, old, new, _)| {
        let bench = bench_with_backup(chip, old);
        let package = package(chip, new);
        bench.file("new.pac", package.bytes());
        let mut area = std::fs::read(bench.path().join("own.bin")).unwrap();
        let room = area.len();
        let item = nv::items(&area)
            .unwrap()
            .into_iter()
            .find(|item| item.id == 0x26E);
        let place = item.unwrap().place;
        let long: Vec<u8> = (0..place.len() + 0x124).map(|byte| (byte % 251) as u8).collect();
        let mut padded = long.clone();
        padded.resize(long.len().next_multiple_of(4), 0);
        area.splice(place.start..place.start + place.len().next_multiple_of(4), padded);
        area[place.start - 2..place.start].copy_from_slice(&(long.len() as u16).to_le_bytes());
        if chip == UnisocChip::Uis8910 {
            area.truncate(room);
        }
        nv::seal(&mut area);
        bench.file("own.bin", area);
        let module = bench.attach(UnisocModule::builder(chip, old));
        bench.say(RESTORE).end().expect_written("nv-restored");
        assert_eq!(module.nv_items().get(&0x26E), Some(&long));
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        let ended = bench.say("write new.pac --json -v --backup-dir kept").end();
        ended.expect_written("confirmed");
        assert!(ended.stderr.contains("it keeps its length"), "{}", ended.stderr);
        assert_eq!(module.nv_items().get(&0x26E), Some(&long));
        assert_holds(&module, &package);
        assert!(module.violations().is_empty(), "{:?}", module.violations());
    });
}

#[test]
fn warns_of_what_is_going_to_be_done_and_of_nothing_else() {
    let (chip, old, new, _) = CHIPS[0];
    let bench = bench_with_backup(chip, old);
    let name = "QPY_OCPU_BETA0002_EC600U_CNLB_FW.pac";
    bench.file(name, package(chip, new).bytes());
    let lines = [
        (format!("read nv --package {name}"), false, false),
        (format!("restore nv own.bin --package {name}"), false, false),
        (format!("erase all --yes --package {name}"), false, true),
        (format!("write {name}"), true, true),
    ];
    for (line, prerelease, loss) in lines {
        let bench_line = format!("{line} --json --backup-dir kept");
        let module = bench.attach(UnisocModule::builder(chip, old));
        let ended = bench.say(&bench_line).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let warnings = ended.outcome()["warnings"].to_string();
        assert_eq!(
            (
                warnings.contains("no release"),
                warnings.contains("will be lost"),
                warnings.contains("was flashed last")
            ),
            (prerelease, loss, true),
            "{line}: {warnings}"
        );
        module.detach();
        module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    }
}
