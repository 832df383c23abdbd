//! The Unisoc modules: UIS8910 by way of PDL, FDL1 and FDL2, UIS8850 by way of its boot ROM and FDL.

use qpyflash_virtual::{Fault, Mode, Scale, Unisoc, UnisocChip, UnisocFlash, UnisocModule, UnisocPackage};

use super::Subject;
use crate::bench::{Bench, PATIENCE};

/// PDL may be begun anew, and a lost answer to EXEC is a good one. Source: specs/unisoc-pac-bsl.md §4.1, §9.1.
const ROM_8910: &str = "
             silence garbage noise nak:9 lose-reply duplicate-reply corrupt-reply split-reply stop-reading vanish power-loss slow:150
rom.connect  silent0 ok      ok    ok    ok         ok              ok            ok          silentH      gone0  gone0      ok
rom.start    silentH ok      ok    ok    ok         ok              ok            ok          silentH      goneH  goneH      ok
rom.midst@2  silentH ok      ok    ok    ok         ok              ok            ok          silentH      goneH  goneH      ok
rom.end      silentH ok      ok    ok    ok         ok              ok            ok          silentH      goneH  goneH      ok
rom.exec     silentH ok      ok    ok    ok         ok              ok            ok          silentH      goneH  goneH      ok
";

/// Of FDL1 on, an answer that was lost or damaged is asked for again, or the object begun anew; silence, and most
/// refusals, are the end. Reads 1 to 11 are the NV area, 12 is the record of production, 13 on are the NV area
/// read back; object 4 is NV, 6 the bootloader. Source: §9.1, §9.2.
const LOADERS_8910: &str = "
             silence garbage noise nak:84 lose-reply duplicate-reply corrupt-reply split-reply stop-reading vanish power-loss slow:150
fdl1.sync    silentH ok      ok    ok     ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl1.connect silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl1.baud    silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl1.start   silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl1.midst@2 silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl1.end     silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl1.exec    silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl2.connect silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl2.read@2  silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl2.read@12 silentH ok      ok    ok     ok         ok              ok            ok          silentP      goneH  goneH      ok
fdl2.erase   silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl2.start   silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl2.midst@9 silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl2.end@4   silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl2.read@14 silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl2.end@6   silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl2.reset   ok      ok      ok    cycle  ok         ok              ok            ok          ok           new    ok         ok
";

/// This ROM goes on counting over a second START_DATA, so that nothing is begun anew. Source: §6.4.
const ROM_8850: &str = "
             silence garbage noise nak:82  lose-reply duplicate-reply corrupt-reply split-reply stop-reading vanish power-loss slow:150
rom.sync     silent0 silent0 ok    silent0 silent0    ok              silent0       ok          silent0      gone0  gone0      ok
rom.connect  silent0 ok      ok    nak0    ok         ok              ok            ok          silentH      gone0  gone0      ok
rom.start    silentH silentH ok    nakH    silentH    ok              junkH         ok          silentH      goneH  goneH      ok
rom.midst@2  silentH silentH ok    nakH    silentH    ok              junkH         ok          silentH      goneH  goneH      ok
rom.end      silentH silentH ok    nakH    silentH    ok              junkH         ok          silentH      goneH  goneH      ok
rom.exec     silentH silentH ok    nakH    silentH    ok              junkH         ok          silentH      goneH  goneH      ok
";

/// Reads 1 to 6 are the NV area, 7 is the record of production, 8 on are the NV area read back; object 2 is NV, 7
/// the SPL.
const LOADER_8850: &str = "
             silence garbage noise nak:84 lose-reply duplicate-reply corrupt-reply split-reply stop-reading vanish power-loss slow:150
fdl.sync     silentH ok      ok    ok     ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl.connect  silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl.read@2   silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
fdl.read@7   silentH ok      ok    ok     ok         ok              ok            ok          silentP      goneH  goneH      ok
fdl.erase    silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl.start    silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl.midst@9  silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl.end@2    silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl.read@9   silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl.end@7    silentP ok      ok    nakP   ok         ok              ok            ok          silentP      goneP  goneP      ok
fdl.reset    ok      ok      ok    cycle  ok         ok              ok            ok          ok           new    ok         ok
";

/// Wrong sizes, and what reads back differently, are sent anew. At the first erase a model that the loader does not
/// know is another module. Source: §7, §9.1.
const REFUSALS: &str = "
             nak:82 nak:83 nak:89 nak:8a nak:8b nak:96 nak:97 nak:aa
fdl.read     nakH   nakH   nakH   nakH   nakH   lostH  nakH   nakH
fdl.erase    nakP   nakP   nakP   nakP   nakP   nakP   chipH  nakP
fdl.erase@2  nakP   nakP   nakP   nakP   nakP   nakP   nakP   nakP
fdl.start    nakP   nakP   nakP   ok     ok     nakP   nakP   nakP
fdl.midst@9  nakP   nakP   nakP   ok     ok     nakP   nakP   nakP
fdl.end@2    nakP   nakP   nakP   ok     ok     nakP   nakP   nakP
";

/// The frames are longer than what the terminal takes ahead, so that the write itself blocks. The UIS8910 takes none
/// that are.
const BLOCKED: &str = "
            stop-reading
fdl.start@2 stallP
fdl.start@3 stallP
";
const LARGE: &str = "--frame 0xFC00";

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

    fn attach(&self, bench: &Bench, fault: Fault) -> UnisocModule {
        let module = UnisocModule::builder(self.chip, self.old)
            .flash_bytes(FLASH_BYTES)
            .starts_in_download()
            .fault(fault)
            .attach(&bench.bus)
            .unwrap();
        assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
        module
    }

    fn was_let_go(&self, module: &UnisocModule) -> bool {
        module
            .commands()
            .iter()
            .any(|command| command.ends_with(" RESET"))
    }

    fn package(&self) -> (&str, &[u8]) {
        ("fw.pac", &self.file)
    }

    fn label(&self) -> &str {
        &self.old[..10]
    }

    fn assert_written(&self, module: &UnisocModule, before: &UnisocFlash) {
        for (name, address, bytes) in self.package.expected_regions() {
            let held = module.region(address, bytes.len());
            assert!(held.as_ref() == Some(&bytes), "`{name}` at {address:#x} differs");
        }
        let now = module.flash();
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

    fn assert_unchanged(&self, module: &UnisocModule, before: &UnisocFlash) {
        let now = module.flash();
        assert!(now.bytes() == before.bytes(), "the flash has changed");
        assert_eq!(now.nv_items(), before.nv_items());
        assert_eq!(now.phase_check(), before.phase_check());
    }

    fn assert_partly_written(&self, module: &UnisocModule, before: &UnisocFlash, (_, image): (&str, &str)) {
        let entries = self.package.entries();
        let place = |id: &str| entries.iter().position(|entry| entry.id == id).unwrap();
        for (name, address, bytes) in self.package.expected_regions() {
            let held = module.region(address, bytes.len());
            let expected = match place(&name).cmp(&place(image)) {
                std::cmp::Ordering::Less => Some(bytes),
                std::cmp::Ordering::Greater if address != BOOT_AREA => {
                    before.region(address, bytes.len()).map(<[u8]>::to_vec)
                }
                _ => continue,
            };
            assert!(held == expected, "`{name}` at {address:#x}, at {image}");
        }
    }
}

#[test]
fn uis8910_every_fault_at_every_request() {
    let grids = [("", ROM_8910), ("", LOADERS_8910), ("", REFUSALS)];
    super::runs(&Upgrade::new(UnisocChip::Uis8910), &grids);
}

#[test]
fn uis8850_every_fault_at_every_request() {
    let grids = [
        ("", ROM_8850),
        ("", LOADER_8850),
        ("", REFUSALS),
        (LARGE, BLOCKED),
    ];
    super::runs(&Upgrade::new(UnisocChip::Uis8850), &grids);
}
