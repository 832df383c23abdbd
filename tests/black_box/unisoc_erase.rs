//! `erase all`: nothing is left of a Unisoc module's firmware, and everything of what it has for itself alone.

use std::io::Write;
use std::process::Stdio;

use qpyflash_virtual::{Fault, Mode, UnisocModule};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::bench::{Bench, PATIENCE};
use crate::harness::each;
use crate::unisoc::{CHIPS, assert_holds, package};
use crate::unisoc_nv::{ERASE, assert_has_again, backup, bench_with_backup, own};

#[test]
fn erases_all_but_what_nobody_else_has_and_the_module_can_be_written_again() {
    each(&CHIPS, |&(chip, old, new, code)| {
        let bench = bench_with_backup(chip, old);
        let package = package(chip, new);
        bench.file("new.pac", package.bytes());
        let module = bench.attach(UnisocModule::builder(chip, old));
        let own = module.flash();
        let erased = bench
            .say(&format!("{} --yes", ERASE.replace(" --json", "")))
            .end();
        assert_eq!(erased.code, Some(0), "{erased:#?}");
        for words in [
            "has no firmware now",
            "stays in download mode until it is written",
            &format!("`qpyflash write FILE --oc {code}`"),
        ] {
            assert!(erased.stdout.contains(words), "{words}: {erased:#?}");
        }
        assert_eq!(erased.stderr.matches("backup: ").count(), 2, "{erased:#?}");
        assert!(
            module.flash().bytes().iter().all(|byte| *byte == 0xFF),
            "something is left"
        );
        assert_has_again(&module, &own);
        assert_eq!(module.flash().phase_check(), own.phase_check());
        assert!(own.phase_check().is_some());
        assert!(module.violations().is_empty(), "{:?}", module.violations());
        module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
        bench
            .say(&format!("write new.pac --json --backup-dir kept --oc {code}"))
            .end()
            .expect_written("confirmed");
        assert_holds(&module, &package);
        assert_eq!(module.flash().phase_check(), own.phase_check());
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
fn erases_nothing_without_a_yes() {
    let (chip, old, ..) = CHIPS[0];
    let bench = bench_with_backup(chip, old);
    let module = bench.attach(UnisocModule::builder(chip, old));
    let before = module.flash();
    for line in [
        "erase all --package fw.pac",
        "erase all --package fw.pac --non-interactive",
    ] {
        let ended = bench.say(line).end();
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.stderr.contains("`--yes`"), "{ended:#?}");
    }
    assert_eq!(bench.say("erase all --yes").end().code, Some(2), "which package?");
    assert_eq!(module.at_commands(), [""; 0]);
    assert!(module.flash().bytes() == before.bytes());
}

/// Answers the question at a terminal.
fn erase_at_a_terminal(bench: &Bench, answer: &str) -> Option<i32> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = ptsname(&master, Vec::new()).unwrap();
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(slave.to_str().unwrap())
        .unwrap();
    let mut master = std::fs::File::from(master);
    master.write_all(answer.as_bytes()).unwrap();
    let mut run = bench.say("erase all --package fw.pac --json --backup-dir kept").0;
    run.stdin(terminal).stdout(Stdio::null()).stderr(Stdio::null());
    run.status().unwrap().code()
}

#[test]
fn asks_at_a_terminal_and_goes_on_after_a_yes_alone() {
    let (chip, old, ..) = CHIPS[0];
    let bench = bench_with_backup(chip, old);
    let module = bench.attach(UnisocModule::builder(chip, old));
    for answer in ["no\n", "\n", "y\n"] {
        assert_eq!(erase_at_a_terminal(&bench, answer), Some(130), "{answer:?}");
    }
    assert_eq!(module.at_commands(), [""; 0]);
    assert_eq!(erase_at_a_terminal(&bench, "yes\n"), Some(0));
    assert!(module.flash().bytes().iter().all(|byte| *byte == 0xFF));
}

#[test]
fn erases_a_module_that_has_lost_its_nv_items_only_with_a_backup() {
    each(&CHIPS, |&(chip, old, _, _)| {
        let bench = bench_with_backup(chip, old);
        let module = bench.attach(UnisocModule::builder(chip, old).blank_nv());
        let before = module.flash();
        let outcome = bench.say(&format!("{ERASE} --yes")).end();
        let outcome = outcome.expect(6, "refused.unsafe", "helpers-only");
        let error = outcome["error"].to_string();
        assert!(
            error.contains("IMEI and calibration") && error.contains("--nv-backup"),
            "{error}"
        );
        assert!(module.flash().bytes() == before.bytes());
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        bench
            .say(&format!("{ERASE} --yes --nv-backup own.bin"))
            .end()
            .expect_written("erased");
        assert_has_again(&module, &own(chip, old));
    });
}

#[test]
fn an_erase_that_loses_power_is_made_good_with_its_own_backup() {
    each(&CHIPS, |&(chip, old, new, code)| {
        let bench = bench_with_backup(chip, old);
        let package = package(chip, new);
        bench.file("new.pac", package.bytes());
        let fault: Fault = "fdl2.midst=power-loss".parse().unwrap();
        let module = bench.attach(UnisocModule::builder(chip, old).fault(fault));
        let ended = bench.say(&format!("{ERASE} --yes")).hasty().end();
        let outcome = ended.outcome();
        assert_eq!(
            (ended.code, &outcome["written"]["state"]),
            (Some(10), &"partial".into()),
            "{outcome:#}"
        );
        let hints = outcome["error"]["hints"].to_string();
        let kept = backup(&ended, 0);
        assert!(hints.contains(&format!("`--nv-backup {kept}`")), "{hints}");
        module.detach();
        module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
        module.attach();
        module.wait_while_mode(Mode::Off, PATIENCE);
        assert_eq!(module.nv_items().get(&5), None, "its NV items are lost");
        let again = format!("write new.pac --json --backup-dir kept --oc {code} --nv-backup {kept}");
        bench.say(&again).end().expect_written("confirmed");
        assert_holds(&module, &package);
        for id in [5, 0x179, 0x26E] {
            let own = own(chip, old);
            assert_eq!(
                module.nv_items().get(&id),
                own.nv_items().get(&id),
                "NV item {id:#x}"
            );
        }
    });
}
