//! The Unisoc modules: UIS8910 by way of PDL, FDL1 and FDL2, UIS8850 by way of its boot ROM and FDL.

use std::time::Duration;

use qpyflash_virtual::{
    PacEntry, Scale, Unisoc, UnisocChip, UnisocFlash, UnisocModule, UnisocModuleBuilder, UnisocPackage,
};

use super::grid::{Grid, Runs, Way};
use super::{Subject, clocked};

/// PDL may be begun anew, and a lost answer to EXEC is a good one. Source: specs/unisoc-pac-bsl.md §4.1, §9.1.
const ROM_8910: &str = "
            wait  silence garbage noise nak:9 lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late stop-reading vanish move  power-loss
rom.connect 3000  silent0 ok      ok    ok    ok         ok              ok          ok            ok          ok      ok   silentH      gone0  gone0 gone0
rom.start   10000 silentH ok      ok    ok    ok         ok              ok          ok            ok          ok      ok   silentH      goneH  goneH goneH
rom.midst@2 10000 silentH ok      ok    ok    ok         ok              ok          ok            ok          ok      ok   silentH      goneH  goneH goneH
rom.end     10000 silentH ok      ok    ok    ok         ok              ok          ok            ok          ok      ok   silentH      goneH  goneH goneH
rom.exec    1000  silentH ok      ok    ok    ok         ok              ok          ok            ok          ok      ok   silentH      goneH  goneH goneH
";

/// Of FDL1 on, an answer that was lost or damaged is asked for again, or the object begun anew; silence, and most
/// refusals, are the end. Reads 1 to 11 are the NV area, 12 is the record of production, 13 on are the NV area
/// read back; object 4 is NV, 6 the bootloader. Source: §9.1, §9.2.
const LOADERS_8910: &str = "
               wait  silence garbage noise nak:84 lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late stop-reading vanish  move    power-loss
fdl1.sync      500   silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl1.connect   3000  silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl1.baud      2000  silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl1.start     30000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl1.midst@2   15000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl1.end       60000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl1.exec      15000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl2.connect   15000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl2.read@2    15000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl2.read@12   15000 silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentP      goneH   goneH   goneH
fdl2.erase     60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl2.start     30000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl2.midst@9   60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl2.end@4     60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl2.read@14   15000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl2.end@6     60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl2.connect@2 3000  silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   cycle        goneP   goneP   goneP
fdl2.reset     3000  ok      ok      ok    cycle  ok         ok              ok          ok            ok          ok      ok   ok           unseenC unseenC ok
";

/// This ROM goes on counting over a second START_DATA, so that nothing is begun anew. It says its version once, and is
/// known by how it refuses a loader's frame when that was lost; a lost answer to EXEC is a good one. Source: §6.4.
const ROM_8850: &str = "
            wait  silence garbage noise nak:82 lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late    stop-reading vanish move  power-loss
rom.sync    1000  silent0 ok      ok    ok     ok         ok              ok          ok            ok          ok      ok      silent0      gone0  gone0 gone0
rom.connect 3000  silent0 ok      ok    nak0   ok         ok              ok          ok            ok          ok      ok      silentH      gone0  gone0 gone0
rom.start   30000 silentH silentH ok    nakH   silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH  goneH goneH
rom.midst@2 15000 silentH silentH ok    nakH   silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH  goneH goneH
rom.end     60000 silentH silentH ok    nakH   silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH  goneH goneH
rom.exec    15000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok      silentH      goneH  goneH goneH
";

/// Reads 1 to 6 are the NV area, 7 is the record of production, 8 on are the NV area read back; object 2 is NV, 7
/// the SPL.
const LOADER_8850: &str = "
              wait  silence garbage noise nak:84 lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late stop-reading vanish  move    power-loss
fdl.sync      500   silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl.connect   3000  silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl.read@2    15000 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
fdl.read@7    15000 silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentP      goneH   goneH   goneH
fdl.erase     60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl.start     30000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl.midst@9   60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl.end@2     60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl.read@9    15000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl.end@7     60000 silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   silentP      goneP   goneP   goneP
fdl.connect@3 3000  silentP ok      ok    nakP   ok         ok              ok          ok            ok          ok      ok   cycle        goneP   goneP   goneP
fdl.reset     3000  ok      ok      ok    cycle  ok         ok              ok          ok            ok          ok      ok   ok           unseenC unseenC ok
";

/// Wrong sizes, and what reads back differently, are sent anew. At the first erase a model that the loader does not
/// know is another module. Source: §7, §9.1.
const REFUSALS: &str = "
            wait  nak:82 nak:83 nak:89 nak:8a+8b nak:96 nak:97  nak:aa
fdl.read    15000 nakH   nakH   nakH   nakH      lostH  nakH    nakH
fdl.erase   60000 nakP   nakP   nakP   nakP      nakP   erasedH nakP
fdl.erase@2 60000 nakP   nakP   nakP   nakP      nakP   nakP    nakP
fdl.start   30000 nakP   nakP   nakP   ok        nakP   nakP    nakP
fdl.midst@9 60000 nakP   nakP   nakP   ok        nakP   nakP    nakP
fdl.end@2   60000 nakP   nakP   nakP   ok        nakP   nakP    nakP
";

/// The frames are longer than what the terminal takes ahead, so that the write itself blocks. The UIS8910 takes none
/// that are.
const BLOCKED: &str = "
            wait  stop-reading
fdl.start@2 30000 stallP
fdl.start@3 30000 stallP
";
/// Every other code of PDL. Source: §4.1.
const CODES_PDL: &str = "
            wait  nak:1+2+3+4+5+6+7+8+9+a+b+c+d+e+f+ff
rom.connect 3000  ok
rom.start   10000 ok
rom.midst@2 10000 ok
rom.end     10000 ok
rom.exec    1000  ok
";

/// Every code of BSL, 93 in the place of an answer without data. Source: §5.2.
const CODES_8910: &str = "
               wait  nak:83+84+85+86+87+88+89+8c+8d+8e+8f+98+a0+a1+a2+a3+a4+a6+aa+ac+ad+b3+b4+fe nak:82 nak:8a+8b nak:93  nak:96  nak:97
fdl1.sync      500   ok                                                                          ok     ok        ok      ok      ok
fdl1.connect   3000  nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl1.baud      2000  nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl1.start     30000 nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl1.midst@2   15000 nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl1.end       60000 nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl1.exec      15000 nakH                                                                        nakH   nakH      silentH silentH nakH
fdl2.connect   15000 nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl2.read@2    15000 nakH                                                                        nakH   nakH      ok      nakH    nakH
fdl2.read@12   15000 ok                                                                          ok     ok        ok      ok      ok
fdl2.erase     60000 nakP                                                                        nakP   nakP      ok      nakP    erasedH
fdl2.start     30000 nakP                                                                        nakP   ok        ok      nakP    nakP
fdl2.midst@9   60000 nakP                                                                        nakP   ok        ok      nakP    nakP
fdl2.end@4     60000 nakP                                                                        nakP   ok        ok      nakP    nakP
fdl2.read@14   15000 nakP                                                                        nakP   nakP      ok      nakP    nakP
fdl2.end@6     60000 nakP                                                                        nakP   ok        ok      nakP    nakP
fdl2.connect@2 3000  nakP                                                                        nakP   nakP      ok      nakP    nakP
fdl2.reset     3000  ok                                                                          ok     ok        ok      ok      ok
fdl2.erase@2   60000 nakP                                                                        nakP   nakP      ok      nakP    nakP
";

const CODES_ROM_8850: &str = "
            wait  nak:83+84+85+86+87+88+89+8c+8d+8e+8f+98+a0+a1+a2+a3+a4+a6+aa+ac+ad+b3+b4+fe nak:82 nak:8a+8b nak:93  nak:96 nak:97
rom.sync    1000  ok                                                                          ok     ok        ok      ok     ok
rom.connect 3000  nak0                                                                        nak0   nak0      ok      nak0   nak0
rom.start   30000 nakH                                                                        nakH   nakH      silentH nakH   nakH
rom.midst@2 15000 nakH                                                                        nakH   nakH      silentH nakH   nakH
rom.end     60000 nakH                                                                        nakH   nakH      silentH nakH   nakH
rom.exec    15000 nakH                                                                        nakH   nakH      silentH nakH   nakH
";

const CODES_8850: &str = "
              wait  nak:83+84+85+86+87+88+89+8c+8d+8e+8f+98+a0+a1+a2+a3+a4+a6+aa+ac+ad+b3+b4+fe nak:82 nak:8a+8b nak:93 nak:96 nak:97
fdl.sync      500   ok                                                                          ok     ok        ok     ok     ok
fdl.connect   3000  nakH                                                                        nakH   nakH      ok     nakH   nakH
fdl.read@2    15000 nakH                                                                        ok     nakH      ok     nakH   nakH
fdl.read@7    15000 ok                                                                          ok     ok        ok     ok     ok
fdl.erase     60000 nakP                                                                        nakP   nakP      ok     nakP   erasedH
fdl.start     30000 nakP                                                                        nakP   ok        ok     nakP   nakP
fdl.midst@9   60000 nakP                                                                        nakP   ok        ok     nakP   nakP
fdl.end@2     60000 nakP                                                                        nakP   ok        ok     nakP   nakP
fdl.read@9    15000 nakP                                                                        ok     nakP      ok     nakP   nakP
fdl.end@7     60000 nakP                                                                        nakP   ok        ok     nakP   nakP
fdl.connect@3 3000  nakP                                                                        nakP   nakP      ok     nakP   nakP
fdl.reset     3000  ok                                                                          ok     ok        ok     ok     ok
fdl.erase@2   60000 nakP                                                                        nakP   nakP      ok     nakP   nakP
";

const fn both(title: &'static str, text: &'static str) -> Grid {
    Grid {
        title,
        arguments: "",
        runs: Runs::Both,
        text,
    }
}

const fn codes(title: &'static str, text: &'static str) -> Grid {
    Grid {
        title,
        arguments: "",
        runs: Runs::Session,
        text,
    }
}

const GRIDS_8910: [Grid; 5] = [
    both("boot ROM", ROM_8910),
    both("FDL1 and FDL2", LOADERS_8910),
    both("refusals", REFUSALS),
    codes("every code of the boot ROM", CODES_PDL),
    codes("every code of FDL1 and FDL2", CODES_8910),
];

const GRIDS_8850: [Grid; 6] = [
    both("boot ROM", ROM_8850),
    both("FDL", LOADER_8850),
    both("refusals", REFUSALS),
    Grid {
        title: "frames that are longer than what the port takes ahead",
        arguments: "--frame 0xFC00",
        runs: Runs::Both,
        text: BLOCKED,
    },
    codes("every code of the boot ROM", CODES_ROM_8850),
    codes("every code of FDL", CODES_8850),
];

/// The longest that a loader may take for one thing, and what precedes it.
const LONGEST: Duration = Duration::from_secs(64);

/// Both chips.
pub(super) const WAYS: [Way; 2] = [
    Way {
        title: "UIS8910",
        longest: LONGEST,
        grids: &GRIDS_8910,
    },
    Way {
        title: "UIS8850",
        longest: LONGEST,
        grids: &GRIDS_8850,
    },
];

/// A module that runs one revision, and a package of the next.
#[derive(Debug)]
struct Upgrade {
    chip: UnisocChip,
    old: &'static str,
    package: UnisocPackage,
    file: Vec<u8>,
}

impl Upgrade {
    fn new(chip: UnisocChip) -> Self {
        let (old, new) = match chip {
            UnisocChip::Uis8910 => ("EC600UCNLBR03A02M08_OCPU_QPY", "EC600UCNLBR03A04M08_OCPU_QPY"),
            UnisocChip::Uis8850 => ("EC800GCNLDR02A01M04_OCPU_QPY", "EC800GCNLDR02A02M04_OCPU_QPY"),
        };
        let package = UnisocPackage::generate(new, chip, Scale::Small);
        Upgrade {
            chip,
            old,
            file: package.bytes(),
            package,
        }
    }
}

/// Holds the last image of either package.
const FLASH_BYTES: usize = 0x50_0000;
/// IMEI, second IMEI, calibration of LTE. Source: specs/unisoc-pac-bsl.md §6.6.
const ITS_OWN: [u16; 3] = [5, 0x179, 0x26E];
/// Where the boot ROM starts from: erased first, written last.
const BOOT_AREA: u32 = 0x6000_0000;

impl Subject for Upgrade {
    type Platform = Unisoc;

    fn way(&self) -> Way {
        let [uis8910, uis8850] = WAYS;
        match self.chip {
            UnisocChip::Uis8910 => uis8910,
            UnisocChip::Uis8850 => uis8850,
        }
    }

    fn builder(&self) -> UnisocModuleBuilder {
        UnisocModule::builder(self.chip, self.old).flash_bytes(FLASH_BYTES)
    }

    fn let_go(&self, commands: &[String]) -> bool {
        commands.iter().any(|command| command.ends_with(" RESET"))
    }

    fn package(&self) -> (&str, &[u8]) {
        ("fw.pac", &self.file)
    }

    fn label(&self) -> &str {
        &self.old[..10]
    }

    fn assert_written(&self, now: &UnisocFlash, before: &UnisocFlash) {
        for (name, address, bytes) in self.package.expected_regions() {
            let held = now.region(address, bytes.len());
            assert!(held == Some(&bytes[..]), "`{name}` at {address:#x} differs");
        }
        assert!(!now.is_torn());
        for id in ITS_OWN {
            assert_eq!(
                now.nv_items().get(&id),
                before.nv_items().get(&id),
                "NV item {id:#x}"
            );
        }
        assert_eq!(now.phase_check(), before.phase_check());
    }

    fn assert_unchanged(&self, now: &UnisocFlash, before: &UnisocFlash) {
        assert!(now.bytes() == before.bytes(), "the flash has changed");
        assert_eq!(now.nv_items(), before.nv_items());
        assert_eq!(now.phase_check(), before.phase_check());
    }

    fn order(&self) -> Vec<(String, u64)> {
        let entries = self.package.entries().iter().filter(|entry| entry.is_selected);
        let size = |entry: &PacEntry| match entry.kind {
            "HOST_FDL" | "FDL" | "FDL2" => 0,
            _ => entry.data.len() as u64,
        };
        entries.map(|entry| (entry.id.clone(), size(entry))).collect()
    }

    fn assert_partly_written(&self, now: &UnisocFlash, before: &UnisocFlash, (_, image): (&str, &str)) {
        let entries = self.package.entries();
        let place = |id: &str| entries.iter().position(|entry| entry.id == id).unwrap();
        for (name, address, bytes) in self.package.expected_regions() {
            let held = now.region(address, bytes.len());
            let expected = match place(&name).cmp(&place(image)) {
                std::cmp::Ordering::Less => Some(&bytes[..]),
                std::cmp::Ordering::Greater if address != BOOT_AREA => before.region(address, bytes.len()),
                _ => continue,
            };
            assert!(held == expected, "`{name}` at {address:#x}, at {image}");
        }
    }
}

#[test]
fn uis8910_every_fault_at_every_request() {
    super::runs(&Upgrade::new(UnisocChip::Uis8910));
}

#[test]
fn uis8850_every_fault_at_every_request() {
    super::runs(&Upgrade::new(UnisocChip::Uis8850));
}

#[test]
fn uis8910_every_fault_on_a_virtual_clock() {
    clocked::runs(&Upgrade::new(UnisocChip::Uis8910));
}

#[test]
fn uis8850_every_fault_on_a_virtual_clock() {
    clocked::runs(&Upgrade::new(UnisocChip::Uis8850));
}
