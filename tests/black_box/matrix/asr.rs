//! The ASR modules: the boot ROM of the ASR1603, boot2 of the ASR1601, and the boot ROM of the ASR1601, which speaks
//! ETHOS.

use std::cmp::Ordering;
use std::time::Duration;

use qpyflash_virtual::{
    Asr, AsrModule, AsrModuleBuilder, AsrPackage, BareModule, Chip, Fault, Flash, Mode, Scale, Variant,
};
use serde_json::Value;

use super::grid::{Grid, Runs, Way};
use super::{Subject, clocked};
use crate::bench::{Bench, PATIENCE};

/// What the dialogue loses is not asked for again: a flasher that was asked twice might do it twice. A bit that is
/// flipped in a name or a number is seen where it matters; HELLO agrees on a length that the loader then does not keep.
/// Source: specs/asr-aboot.md §4, §8.2.
const ROM_1603: &str = "
              wait   silence garbage noise refuse:no answer:MAYBE lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late    stop-reading vanish  move    power-loss
preamble      10000  silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
confirmation  100    silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
hello         100    silent0 ok      ok    ok        ok           ok         ok              ok          silentH       ok          ok      ok      silent0      gone0   gone0   gone0
getvar        10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       ok            ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@4      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       chip0         ok          ok      silent0 silent0      gone0   gone0   gone0
progress      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@7      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
download      30000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 stallH       gone0   gone0   gone0
after-data    60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
verify        30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call          300000 silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
getvar@8      10000  silentH ok      ok    nakH      junkH        ok         ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
download@2    30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH stallH       goneH   goneH   goneH
after-data@2  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call@2        300000 silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
getvar@9      10000  silentH ok      ok    nakH      junkH        ok         ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
after-data@3  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition     60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition@2   60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentP      goneH   goneH   goneH
erase         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@11     10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@12     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
erase@2       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@5    600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@5  60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@14     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@12   600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@12 60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@8       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@13      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
reboot        10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
complete      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP cycle        goneP   goneP   goneP
disconnect    1000   ok      ok      ok    cycle     ok           ok         ok              ok          ok            ok          ok      ok      ok           unseenC unseenC ok
";

/// While the bytes of a download arrive.
const DATA: &str = "
             wait  silence refuse:no stop-reading vanish move  power-loss
data:1       60000 silentH nakH      stallH       goneH  goneH goneH
data:9000@2  60000 silentH nakH      stallH       goneH  goneH goneH
data:100@5   60000 silentP nakP      silentP      goneP  goneP goneP
data:9000@11 60000 silentP nakP      silentP      goneP  goneP goneP
";

/// ETHOS sends packets that are acknowledged one by one.
const DATA_1601: &str = "
             wait  silence refuse:no stop-reading vanish move  power-loss
data:1       60000 silentH nakH      silentH      goneH  goneH goneH
data:9000@2  60000 silentH nakH      silentH      goneH  goneH goneH
data:100@5   60000 silentP nakP      silentP      goneP  goneP goneP
data:9000@11 60000 silentP nakP      silentP      goneP  goneP goneP
";

/// While the flasher works, which may be long after it has acknowledged. Source: §4.5, §8.1.
const WORK: &str = "
               wait   silence refuse:no stop-reading vanish move  power-loss
programming    900000 silentP nakP      silentP      goneP  goneP goneP
programming@3  900000 silentP nakP      silentP      goneP  goneP goneP
programming@15 900000 silentP nakP      silentP      goneP  goneP goneP
";

/// ETHOS is served by the program that has stopped. Source: §8.1.
const WORK_1601: &str = "
               wait   silence refuse:no stop-reading vanish move  power-loss
programming    900000 silentP silentP   silentP      goneP  goneP goneP
programming@3  900000 silentP silentP   silentP      goneP  goneP goneP
programming@15 900000 silentP silentP   silentP      goneP  goneP goneP
";

/// The flasher has three blocks: the fourth image waits for one, so long and no longer. Source: §4.5.
const SLOW_1603: &str = "
               wait   in-time late
programming    600000 ok      silentP
programming@3  600000 ok      silentP
programming@15 900100 ok      silentP
";

/// boot2 takes helpers for form's sake, and its flasher answers after the work. Source: §4.4.
const BOOT2_1601: &str = "
              wait   silence garbage noise refuse:no answer:MAYBE lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late    stop-reading vanish  move    power-loss
preamble      10000  silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
confirmation  100    silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
hello         100    silent0 ok      ok    ok        ok           ok         ok              ok          silentH       ok          ok      ok      silent0      gone0   gone0   gone0
getvar        10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       ok            ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@4      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       chip0         ok          ok      silent0 silent0      gone0   gone0   gone0
progress      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@7      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
download      30000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 stallH       gone0   gone0   gone0
after-data    60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
verify        30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call          10000  silentH silentH ok    ok        junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
getvar@8      10000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
download@2    30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH stallH       goneH   goneH   goneH
after-data@2  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call@2        10000  silentH silentH ok    ok        junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
getvar@9      10000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
after-data@3  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition     60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition@2   60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentP      goneH   goneH   goneH
erase         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@11     10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@12     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
erase@2       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@5    600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@5  60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@14     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@12   600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@12 60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@8       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@13      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
reboot        10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
complete      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP cycle        goneP   goneP   goneP
disconnect    1000   ok      ok      ok    cycle     ok           ok         ok              ok          ok            ok          ok      ok      ok           unseenC unseenC ok
";

/// Packets of ETHOS are numbered: what is lost or comes twice is sent again or dropped below the commands. Source: §3.7.
const ROM_1601: &str = "
              wait   silence refuse:no answer:MAYBE lose-reply in-time late    stop-reading vanish  power-loss
preamble      10000  silent0 nak0      junk0        ok         ok      ok      silent0      gone0   gone0
hello         100    silent0 nak0      junk0        ok         ok      ok      silent0      gone0   gone0
getvar        10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
getvar@4      10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
progress      10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
getvar@7      10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
download      30000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
after-data    60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
verify        30000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
call          300000 silentH nakH      junkH        silentH    ok      ok      silentH      goneH   goneH
getvar@8      10000  silentH nakH      junkH        ok         ok      ok      silentH      goneH   goneH
download@2    30000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
after-data@2  60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
call@2        300000 silentH nakH      junkH        silentH    ok      ok      silentH      goneH   goneH
getvar@9      10000  silentH nakH      junkH        ok         ok      ok      silentH      goneH   goneH
after-data@3  60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
partition     60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
partition@2   60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
erase         900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
getvar@11     10000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
getvar@12     10000  silentP ok        junkP        silentP    ok      silentP silentP      goneP   goneP
erase@2       900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
download@5    600000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
after-data@5  60000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
flash         900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
getvar@14     10000  silentP ok        junkP        silentP    ok      silentP silentP      goneP   goneP
download@12   600000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
after-data@12 60000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
flash@8       900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
flash@13      900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
reboot        10000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
complete      900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
disconnect    1000   ok      cycle     ok           ok         ok      ok      ok           unseenC ok
";

const fn grid(title: &'static str, runs: Runs, text: &'static str) -> Grid {
    Grid {
        title,
        arguments: "",
        runs,
        text,
    }
}

const GRIDS_1603: &[Grid] = &[
    grid("commands", Runs::Both, ROM_1603),
    grid("data", Runs::Both, DATA),
    grid("work", Runs::Both, WORK),
    grid("slow work", Runs::Session, SLOW_1603),
];

const GRIDS_BOOT2: &[Grid] = &[
    grid("commands", Runs::Session, BOOT2_1601),
    grid("data", Runs::Session, DATA),
    grid("work", Runs::Session, WORK),
];

const GRIDS_1601: &[Grid] = &[
    grid("commands", Runs::Session, ROM_1601),
    grid("data", Runs::Session, DATA_1601),
    grid("work", Runs::Session, WORK_1601),
];

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

    fn builder(&self) -> AsrModuleBuilder {
        AsrModule::builder(self.old)
            .variant(self.variant.clone())
            .crash_loop(Duration::from_secs(60), Duration::from_millis(50))
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

    fn attach(&self, bench: &Bench, fault: Fault) -> AsrModule {
        let module = self
            .builder()
            .fault(fault)
            .starts_in_download()
            .attach(&bench.bus)
            .unwrap();
        assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
        module
    }

    fn bare(&self) -> BareModule<Asr> {
        self.builder().bare().unwrap()
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

/// A flasher that shows signs of life is waited for so long. Source: §4.6.
const LONGEST: Duration = Duration::from_secs(901);

const ROM: Way = Way {
    title: "ASR1603",
    longest: LONGEST,
    grids: GRIDS_1603,
};

const BOOT2: Way = Way {
    title: "ASR1601, served by boot2",
    longest: LONGEST,
    grids: GRIDS_BOOT2,
};

const ETHOS: Way = Way {
    title: "ASR1601, boot ROM over ETHOS",
    longest: LONGEST,
    grids: GRIDS_1601,
};

/// Every way in.
pub(super) const WAYS: [Way; 3] = [ROM, BOOT2, ETHOS];

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
