//! The ASR modules: the boot ROM of the ASR1603, boot2 of the ASR1601, and the boot ROM of the ASR1601, which speaks
//! ETHOS.

use std::cmp::Ordering;
use std::time::Duration;

use qpyflash_virtual::{Asr, AsrModule, AsrModuleBuilder, AsrPackage, Chip, Flash, Scale, Variant};
use serde_json::Value;

use super::asr_grids::{BOOT2, ETHOS, ROM};
use super::grid::Way;
use super::{Subject, clocked};

/// A module that runs one revision, and a package of the next.
#[derive(Debug)]
struct Upgrade {
    variant: Variant,
    old: &'static str,
    package: AsrPackage,
    file: Vec<u8>,
    way: Way,
}

impl Upgrade {
    fn new(variant: Variant, way: Way) -> Self {
        let (chip, old, new) = match variant {
            Variant::Rom1603 => (
                Chip::Asr1603,
                "EC600NCNLAR03A07M08_OCPU_QPY",
                "EC600NCNLAR03A08M08_OCPU_QPY",
            ),
            _ => (
                Chip::Asr1601,
                "EC600SCNAAR01A01M16_OCPU_PY",
                "EC600SCNAAR01A02M16_OCPU_PY",
            ),
        };
        let package = AsrPackage::generate(new, chip, Scale::Small);
        Upgrade {
            variant,
            old,
            file: package.zip().unwrap(),
            package,
            way,
        }
    }

    /// What a run changes, in its order: a partition, and the name by which a run calls it.
    fn changes(&self) -> Vec<(String, String)> {
        let entries = self.package.member("download.json").unwrap();
        let entries: Vec<Value> = serde_json::from_slice(&entries).unwrap();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        let changes = entries
            .iter()
            .filter_map(|entry| match entry["command"].as_str() {
                Some("erase") => Some((text(entry, "partition"), text(entry, "partition"))),
                Some("flash") => Some((text(entry, "partition"), text(entry, "image"))),
                _ => None,
            });
        changes.collect()
    }
}

impl Subject for Upgrade {
    type Platform = Asr;

    fn way(&self) -> Way {
        self.way
    }

    fn builder(&self) -> AsrModuleBuilder {
        AsrModule::builder(self.old)
            .variant(self.variant.clone())
            .crash_loop(Duration::from_secs(60), Duration::from_millis(50))
    }

    fn let_go(&self, commands: &[String]) -> bool {
        commands.iter().any(|command| command == "disconnect")
    }

    fn package(&self) -> (&str, &[u8]) {
        ("fw.zip", &self.file)
    }

    fn label(&self) -> &str {
        &self.old[..10]
    }

    /// Nothing but the package's partitions has changed.
    fn assert_written(&self, now: &Flash, before: &Flash) {
        let expected = self.package.expected_partitions();
        assert!(expected.len() >= 13, "{} partitions", expected.len());
        let mut bytes = before.bytes().to_vec();
        for (name, image) in expected {
            let place = now.place(&name).expect("a partition");
            assert!(now.bytes()[place.clone()] == image, "`{name}` differs");
            bytes[place].copy_from_slice(&image);
        }
        assert!(now.bytes() == bytes, "something else has changed");
        assert!(!now.is_torn());
    }

    fn assert_unchanged(&self, now: &Flash, before: &Flash) {
        assert!(now.bytes() == before.bytes(), "the flash has changed");
    }

    /// Some partitions are erased before their image comes.
    fn order(&self) -> Vec<(String, u64)> {
        let size = |name: &str| self.package.member(name).map_or(0, |image| image.len() as u64);
        let changes = self.changes().into_iter();
        changes
            .flat_map(|(partition, name)| [(partition, 0), (name.clone(), size(&name))])
            .collect()
    }

    /// The flasher acknowledges before it works: the last changes before the one in work may be still to be made.
    fn assert_partly_written(&self, now: &Flash, before: &Flash, (_, image): (&str, &str)) {
        let expected = self.package.expected_partitions();
        let changes = self.changes();
        let is_in_work = |(partition, name): &(String, String)| partition == image || name == image;
        let in_work = changes
            .iter()
            .position(is_in_work)
            .expect("a change of the package");
        for (number, (partition, _)) in changes.iter().enumerate() {
            let place = now.place(partition).expect("a partition");
            let (old, new) = (&before.bytes()[place.clone()], &expected[partition][..]);
            let held = &now.bytes()[place];
            let may_wait = number + QUEUED >= in_work;
            let is_right = match number.cmp(&in_work) {
                Ordering::Less => held == new || (may_wait && (held == old || is_erased(held))),
                Ordering::Equal => true,
                Ordering::Greater => held == old,
            };
            assert!(is_right, "`{partition}`, at `{image}`");
        }
    }
}

/// Changes that the flasher may have before it: a download for each of its three blocks, and the erasures between them.
/// Source: specs/asr-aboot.md §4.5.
const QUEUED: usize = 5;

fn is_erased(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0xFF)
}

fn rom_1603() -> Upgrade {
    Upgrade::new(Variant::Rom1603, ROM)
}

fn boot2_1601() -> Upgrade {
    let boot2 = Variant::Boot2Of1601("2021.01.17".into());
    Upgrade::new(boot2, BOOT2)
}

fn rom_1601() -> Upgrade {
    Upgrade::new(Variant::Rom1601, ETHOS)
}

#[test]
fn asr1603_every_fault_at_every_request() {
    super::runs(&rom_1603());
}

#[test]
fn asr1603_every_fault_on_a_virtual_clock() {
    clocked::runs(&rom_1603());
}

#[test]
fn boot2_every_fault_on_a_virtual_clock() {
    clocked::runs(&boot2_1601());
}

#[test]
fn ethos_every_fault_on_a_virtual_clock() {
    clocked::runs(&rom_1601());
}
