//! The EC618 by way of its boot ROM and the agent.

use std::cmp::Ordering;

use std::time::Duration;

use qpyflash_virtual::{
    Eigencomm, EigencommFlash, EigencommModule, EigencommModuleBuilder, EigencommPackage, FlashChip, Scale,
};

use super::grid::{Grid, Runs, Way};
use super::{Subject, clocked};

/// The first session of the ROM takes the header, the second the agent. Whatever is lost is asked for again; a
/// refusal of the end of either is the end. Source: specs/eigencomm-agentboot.md §3.
const ROM: &str = "
               wait silence garbage noise nak:9a lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late stop-reading vanish move  power-loss
ec.rom.sync    200  silent0 ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silent0      gone0  gone0 gone0
ec.rom.version 1200 silent0 ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silent0      gone0  gone0 gone0
ec.rom.select  1200 silent0 ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silent0      gone0  gone0 gone0
ec.rom.verify  1200 silent0 ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silent0      gone0  gone0 gone0
ec.rom.head    1200 silent0 ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silent0      gone0  gone0 gone0
ec.rom.data@2  1200 silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentH      goneH  goneH goneH
ec.rom.done    1200 silent0 ok      ok    nak0   ok         ok              ok          ok            ok          ok      ok   silent0      gone0  gone0 gone0
ec.rom.done@2  1200 silentH ok      ok    nakH   ok         ok              ok          ok            ok          ok      ok   silentH      goneH  goneH goneH
";

/// Image 1 is the boot loader, 3 the modem; DONE 1 is that of a header, 2 that of its body. Bulk reads 1 to 4 are the
/// RF data, 5 on are the images read back. An image that was broken off is begun again, three times in all. Source:
/// §4, §7.3.
const AGENT: &str = "
                   wait  silence garbage noise nak:9a lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late stop-reading vanish  move    power-loss
ec.lpc.sync        200   silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
ec.lpc.bulk-read   3000  silentH ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentH      goneH   goneH   goneH
ec.lpc.erase       10000 silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.lpc.burn-one    1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.lpc.burn-one@3  1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.sync@2       100   silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.version      1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.select       1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.verify       1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.head@3       1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.data         15000 silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.data@4       15000 silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.done         1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.ag.done@2       1200  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.lpc.status      1500  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.lpc.bulk-read@6 3000  silentA ok      ok    ok     ok         ok              ok          ok            ok          ok      ok   silentA      goneA   goneA   goneA
ec.lpc.reset       2000  ok      ok      ok    cycle  ok         ok              ok          ok            ok          ok      ok   ok           unseenC unseenC ok
";

/// What the line has spoilt is sent again; other refusals end the run. A status that can be good the next time is
/// asked for by burning again; a module that refuses BULK_READ is read with READ_MEM. Source: §7.1, §7.3.
const REFUSALS: &str = "
                 wait  nak:80 nak:81 nak:82 nak:94 nak:98 nak:9b nak:9c nak:9e nak:32
ec.rom.data@2    1200  nakH   nakH   nakH   nakH   nakH   ok     nakH   ok     nakH
ec.lpc.bulk-read 3000  ok     ok     ok     ok     ok     ok     ok     ok     ok
ec.lpc.erase     10000 nakA   nakA   nakA   nakA   nakA   ok     ok     ok     nakA
ec.lpc.burn-one  1200  nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.ag.head@3     1200  nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.ag.data@2     15000 nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.ag.done       1200  nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.lpc.status    1500  nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
";

/// Every code. Source: §7.1.
const CODES_ROM: &str = "
               wait nak:01+26+30+31+32+33+6f+80+81+82+83+84+85+94+96+98+99+9d+ff nak:9a nak:9b+9e nak:9c
ec.rom.sync    200  ok                                                           ok     ok        ok
ec.rom.version 1200 nak0                                                         ok     ok        nak0
ec.rom.select  1200 nak0                                                         ok     ok        nak0
ec.rom.verify  1200 nak0                                                         ok     ok        nak0
ec.rom.head    1200 nak0                                                         ok     ok        nak0
ec.rom.data@2  1200 nakH                                                         ok     ok        nakH
ec.rom.done    1200 nak0                                                         nak0   nak0      nak0
ec.rom.done@2  1200 nakH                                                         nakH   nakH      nakH
";

const CODES_AGENT: &str = "
                   wait  nak:01+26+6f+80+81+82+94+98 nak:30+31+32+33+83+84+85+96+99+9d+ff nak:9a+9b+9e nak:9c
ec.lpc.sync        200   ok                          ok                                   ok           ok
ec.lpc.bulk-read   3000  ok                          ok                                   ok           ok
ec.lpc.erase       10000 nakA                        nakA                                 ok           ok
ec.lpc.burn-one    1200  nakA                        ok                                   ok           ok
ec.lpc.burn-one@3  1200  nakA                        ok                                   ok           ok
ec.ag.sync@2       100   ok                          ok                                   ok           ok
ec.ag.version      1200  nakA                        ok                                   ok           ok
ec.ag.select       1200  nakA                        ok                                   ok           ok
ec.ag.verify       1200  nakA                        ok                                   ok           ok
ec.ag.head@3       1200  nakA                        ok                                   ok           ok
ec.ag.data         15000 nakA                        ok                                   ok           ok
ec.ag.data@4       15000 nakA                        ok                                   ok           ok
ec.ag.done         1200  nakA                        ok                                   ok           ok
ec.ag.done@2       1200  nakA                        ok                                   ok           ok
ec.lpc.status      1500  nakA                        ok                                   ok           ok
ec.lpc.bulk-read@6 3000  ok                          ok                                   ok           ok
ec.lpc.reset       2000  ok                          ok                                   ok           ok
";

const fn grid(title: &'static str, runs: Runs, text: &'static str) -> Grid {
    Grid {
        title,
        arguments: "",
        runs,
        text,
    }
}

const GRIDS: [Grid; 5] = [
    grid("boot ROM", Runs::Both, ROM),
    grid("agent", Runs::Both, AGENT),
    grid("refusals", Runs::Both, REFUSALS),
    grid("every code of the boot ROM", Runs::Session, CODES_ROM),
    grid("every code of the agent", Runs::Session, CODES_AGENT),
];

pub(super) const WAY: Way = Way {
    title: "EC618",
    longest: Duration::from_secs(48),
    grids: &GRIDS,
};

/// A module that runs one revision, and a package of the next.
#[derive(Debug)]
struct Upgrade {
    package: EigencommPackage,
    file: Vec<u8>,
}

const OLD: &str = "EC600ECNLCR01A01M04_OCPU_QPY";
const NEW: &str = "EC600ECNLCR01A02M04_OCPU_QPY";

impl Upgrade {
    fn new() -> Self {
        let package = EigencommPackage::generate(NEW, Scale::Small);
        Upgrade {
            file: package.folder_zip("QPY_BETA0003_EC600E_CNLC_FW").unwrap(),
            package,
        }
    }
}

impl Subject for Upgrade {
    type Platform = Eigencomm;

    /// Nothing but the boot pin keeps a boot ROM of this kind in download mode. Source: §7.4.
    const SHOWS_UP_HALF_WRITTEN: bool = false;

    fn way(&self) -> Way {
        WAY
    }

    fn builder(&self) -> EigencommModuleBuilder {
        EigencommModule::builder(OLD)
    }

    fn let_go(&self, commands: &[String]) -> bool {
        commands.iter().any(|command| command.contains("SYS_RST"))
    }

    fn package(&self) -> (&str, &[u8]) {
        ("fw.zip", &self.file)
    }

    fn label(&self) -> &str {
        &OLD[..10]
    }

    fn assert_written(&self, now: &EigencommFlash, before: &EigencommFlash) {
        for (name, chip, offset, bytes) in self.package.expected_regions() {
            let held = now.region(chip, offset, bytes.len());
            assert!(held == Some(&bytes[..]), "`{name}` at {offset:#x} differs");
        }
        assert!(now.calibration() == before.calibration());
    }

    fn assert_unchanged(&self, now: &EigencommFlash, before: &EigencommFlash) {
        for chip in [FlashChip::Ap, FlashChip::Cp] {
            assert!(
                now.bytes(chip) == before.bytes(chip),
                "the {chip:?} flash has changed"
            );
        }
    }

    fn order(&self) -> Vec<(String, u64)> {
        let regions = self.package.expected_regions().into_iter();
        let images = regions.filter(|(name, ..)| !name.ends_with(" header"));
        // The area of a file is longer than the file.
        let size = |name: &str, area: u64| self.package.file(name).map_or(area, |file| file.len() as u64);
        images
            .map(|(name, _, _, bytes)| (name.clone(), size(&name, bytes.len() as u64)))
            .collect()
    }

    /// All erasures come first.
    fn assert_acknowledged(&self, bytes: u64, (phase, image): (&str, &str)) {
        match phase {
            "erase" => assert_eq!(bytes, 0),
            _ => super::assert_in_order(&self.order(), image, bytes),
        }
    }

    fn assert_partly_written(
        &self,
        now: &EigencommFlash,
        before: &EigencommFlash,
        (phase, image): (&str, &str),
    ) {
        assert!(now.calibration() == before.calibration());
        let regions = self.package.expected_regions();
        let place = |name: &str| {
            let image = match name {
                "BL header" => "ap_bootloader",
                "AP header" => "ap_at_command",
                name => name,
            };
            regions.iter().position(|(name, ..)| name == image).unwrap()
        };
        for (name, chip, offset, bytes) in &regions {
            let expected = match place(name).cmp(&place(image)) {
                // The rests of all partitions are cleared before anything is written.
                Ordering::Less if phase != "erase" => Some(&bytes[..]),
                Ordering::Equal => continue,
                _ => before.region(*chip, *offset, bytes.len()),
            };
            let held = now.region(*chip, *offset, bytes.len());
            assert!(held == expected, "`{name}` at {offset:#x}, at {image}");
        }
    }
}

#[test]
fn ec618_every_fault_at_every_request() {
    super::runs(&Upgrade::new());
}

#[test]
fn ec618_every_fault_on_a_virtual_clock() {
    clocked::runs(&Upgrade::new());
}
