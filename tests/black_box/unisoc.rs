//! Unisoc modules, from the published file to the restarted module: the flash is compared entry by entry, and what a
//! module has for itself alone survives.

use qpyflash_protocols::unisoc::Pac;
use qpyflash_virtual::{Mode, Scale, UnisocChip, UnisocModule, UnisocPackage};

use crate::bench::{Bench, PATIENCE, vector};
use crate::harness::each;

pub const CHIPS: [(UnisocChip, &str, &str, &str); 2] = [
    (
        UnisocChip::Uis8910,
        "EC600UCNLBR03A02M08_OCPU_QPY",
        "EC600UCNLBR03A04M08_OCPU_QPY",
        "EC600UCNLB",
    ),
    (
        UnisocChip::Uis8850,
        "EC800GCNLDR02A01M04_OCPU_QPY",
        "EC800GCNLDR02A02M04_OCPU_QPY",
        "EC800GCNLD",
    ),
];

pub fn package(chip: UnisocChip, revision: &str) -> UnisocPackage {
    UnisocPackage::generate(revision, chip, Scale::Small)
}

#[track_caller]
pub fn assert_holds(module: &UnisocModule, package: &UnisocPackage) {
    for (name, address, bytes) in package.expected_regions() {
        let held = module.region(address, bytes.len());
        assert!(held.as_ref() == Some(&bytes), "`{name}` at {address:#x} differs");
    }
    assert_eq!(module.revision().as_deref(), Some(package.revision()));
}

#[test]
fn writes_every_entry_and_keeps_what_only_the_module_has() {
    each(&CHIPS, |&(chip, old, new, _)| {
        let bench = Bench::bare();
        let package = package(chip, new);
        bench.file("fw.zip", package.public_bin_zip("QPY_OCPU_V0004_FW").unwrap());
        let module = bench.attach(UnisocModule::builder(chip, old));
        let imei = module.nv_items();
        let outcome = bench
            .say("write fw.zip --json --backup-dir kept")
            .end()
            .expect_written("confirmed");
        assert_holds(&module, &package);
        assert!(module.violations().is_empty(), "{:?}", module.violations());
        for id in [0x179, 0x26E] {
            assert_eq!(module.nv_items().get(&id), imei.get(&id), "NV item {id:#x}");
        }
        let backups = outcome["backups"].as_array().unwrap();
        assert!(!backups.is_empty(), "{outcome:#}");
        for backup in backups {
            let size = std::fs::metadata(bench.path().join(backup.as_str().unwrap()))
                .unwrap()
                .len();
            assert!(size > 0, "{backup}");
        }
    });
}

#[test]
fn writes_the_real_published_package_in_both_layouts() {
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    let pac = vector(&format!("packages/{name}.pac"));
    let wraps = [
        UnisocPackage::wrap_old(name, &pac).unwrap(),
        UnisocPackage::wrap_new(name, UnisocChip::Uis8850, &pac).unwrap(),
    ];
    for zip in wraps {
        let bench = Bench::bare();
        bench.file("fw.zip", zip);
        let module = bench.attach(UnisocModule::builder(UnisocChip::Uis8850, "EC800GCNLDR01A01M04"));
        bench
            .say("write fw.zip --json --backup-dir kept --frame 0x3000")
            .end()
            .expect_written("confirmed");
        assert_eq!(module.revision().as_deref(), Some("EC800GCNLDR02A01M04_OCPU_QPY"));
        let pac = Pac::parse(&pac).unwrap();
        let code = pac
            .entries
            .iter()
            .filter(|entry| entry.address >> 24 == 0x60 && !entry.data.is_empty());
        let mut compared = 0;
        for entry in code {
            let held = module.region(entry.address, entry.data.len());
            assert!(held.as_deref() == Some(&entry.data[..]), "`{}` differs", entry.id);
            compared += 1;
        }
        assert!(compared >= 4, "{compared}");
    }
}

#[test]
fn a_package_for_another_submodel_leaves_the_module_alone() {
    for (chip, old, _, _) in CHIPS {
        let bench = Bench::bare();
        let other = match chip {
            UnisocChip::Uis8910 => "EC600UCNLCR03A01M08_OCPU_QPY",
            UnisocChip::Uis8850 => "EC800GCNGAR01A01M08_OCPU_QPY",
        };
        bench.file("fw.pac", package(chip, other).bytes());
        let module = bench.attach(UnisocModule::builder(chip, old));
        let before = module.flash();
        bench
            .say("write fw.pac --json --backup-dir kept")
            .end()
            .expect(6, "refused.submodel", "nothing");
        assert_eq!(module.bytes_received_in_download_mode(), 0);
        assert!(module.flash().bytes() == before.bytes());
    }
}

#[test]
fn reads_the_nv_area_into_a_backup_and_lets_the_module_run_again() {
    each(&CHIPS, |&(chip, old, _, _)| {
        let bench = Bench::bare();
        bench.file("fw.pac", package(chip, old).bytes());
        let module = bench.attach(UnisocModule::builder(chip, old));
        let before = module.flash();
        let read = bench
            .say("read nv --package fw.pac --json --backup-dir kept")
            .end();
        assert_eq!(read.code, Some(0), "{read:#?}");
        let outcome = read.outcome();
        assert_eq!(outcome["written"]["state"], "helpers-only");
        let backup = bench.path().join(outcome["backups"][0].as_str().unwrap());
        assert!(std::fs::metadata(backup).unwrap().len() > 0x4000);
        assert!(module.flash().bytes() == before.bytes(), "flash has changed");
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    });
}
