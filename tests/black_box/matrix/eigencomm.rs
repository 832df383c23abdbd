//! The EC618 by way of its boot ROM and the agent.

use std::cmp::Ordering;

use qpyflash_virtual::{
    Eigencomm, EigencommFlash, EigencommModule, EigencommPackage, Fault, FlashChip, Mode, Scale,
};

use super::Subject;
use crate::bench::{Bench, PATIENCE};

/// The first session of the ROM takes the header, the second the agent. Whatever is lost is asked for again; a
/// refusal of the end of either is the end. Source: specs/eigencomm-agentboot.md §3.
const ROM: &str = "
               silence garbage noise nak:9a lose-reply duplicate-reply corrupt-reply split-reply stop-reading vanish power-loss slow:150
ec.rom.sync    silent0 ok      ok    ok     ok         ok              ok            ok          silent0      gone0  gone0      ok
ec.rom.version silent0 ok      ok    ok     ok         ok              ok            ok          silent0      gone0  gone0      ok
ec.rom.select  silent0 ok      ok    ok     ok         ok              ok            ok          silent0      gone0  gone0      ok
ec.rom.verify  silent0 ok      ok    ok     ok         ok              ok            ok          silent0      gone0  gone0      ok
ec.rom.head    silent0 ok      ok    ok     ok         ok              ok            ok          silent0      gone0  gone0      ok
ec.rom.data@2  silentH ok      ok    ok     ok         ok              ok            ok          silentH      goneH  goneH      ok
ec.rom.done    silent0 ok      ok    nak0   ok         ok              ok            ok          silent0      gone0  gone0      ok
ec.rom.done@2  silentH ok      ok    nakH   ok         ok              ok            ok          silentH      goneH  goneH      ok
";

/// Image 1 is the boot loader, 3 the modem; DONE 1 is that of a header, 2 that of its body. Bulk reads 1 to 4 are the
/// RF data, 5 on are the images read back. An image that was broken off is begun again, three times in all. Source:
/// §4, §7.3.
const AGENT: &str = "
                   silence garbage noise nak:9a lose-reply duplicate-reply corrupt-reply split-reply stop-reading vanish power-loss slow:150
ec.lpc.sync        silentH ok      ok    ok     ok         ok              ok            ok          silentH      goneH  goneH      ok
ec.lpc.bulk-read   silentH ok      ok    ok     ok         ok              ok            ok          silentH      goneH  goneH      ok
ec.lpc.erase       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.lpc.burn-one    silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.lpc.burn-one@3  silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.sync@2       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.version      silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.select       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.verify       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.head@3       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.data         silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.data@4       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.done         silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.ag.done@2       silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.lpc.status      silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.lpc.bulk-read@6 silentA ok      ok    ok     ok         ok              ok            ok          silentA      goneA  goneA      ok
ec.lpc.reset       ok      ok      ok    cycle  ok         ok              ok            ok          ok           new    ok         ok
";

/// What the line has spoilt is sent again; other refusals end the run. A status that can be good the next time is
/// asked for by burning again; a module that refuses BULK_READ is read with READ_MEM. Source: §7.1, §7.3.
const REFUSALS: &str = "
                 nak:80 nak:81 nak:82 nak:94 nak:98 nak:9b nak:9c nak:9e nak:32
ec.rom.data@2    nakH   nakH   nakH   nakH   nakH   ok     nakH   ok     nakH
ec.lpc.bulk-read ok     ok     ok     ok     ok     ok     ok     ok     ok
ec.lpc.erase     nakA   nakA   nakA   nakA   nakA   ok     ok     ok     nakA
ec.lpc.burn-one  nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.ag.head@3     nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.ag.data@2     nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.ag.done       nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
ec.lpc.status    nakA   nakA   nakA   nakA   nakA   ok     ok     ok     ok
";

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

    fn held(module: &EigencommModule, chip: FlashChip, offset: u32, length: usize) -> Option<Vec<u8>> {
        match chip {
            FlashChip::Ap => module.ap(offset, length),
            FlashChip::Cp => module.cp(offset, length),
        }
    }
}

impl Subject for Upgrade {
    type Platform = Eigencomm;

    /// Nothing but the boot pin keeps a boot ROM of this kind in download mode. Source: §7.4.
    const SHOWS_UP_HALF_WRITTEN: bool = false;

    fn attach(&self, bench: &Bench, fault: Fault) -> EigencommModule {
        let module = EigencommModule::builder(OLD)
            .starts_in_download()
            .fault(fault)
            .attach(&bench.bus)
            .unwrap();
        assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
        module
    }

    fn was_let_go(&self, module: &EigencommModule) -> bool {
        module
            .commands()
            .iter()
            .any(|command| command.contains("SYS_RST"))
    }

    fn package(&self) -> (&str, &[u8]) {
        ("fw.zip", &self.file)
    }

    fn label(&self) -> &str {
        &OLD[..10]
    }

    fn assert_written(&self, module: &EigencommModule, before: &EigencommFlash) {
        for (name, chip, offset, bytes) in self.package.expected_regions() {
            let held = Upgrade::held(module, chip, offset, bytes.len());
            assert!(held.as_ref() == Some(&bytes), "`{name}` at {offset:#x} differs");
        }
        assert!(module.flash().calibration() == before.calibration());
    }

    fn assert_unchanged(&self, module: &EigencommModule, before: &EigencommFlash) {
        let now = module.flash();
        for chip in [FlashChip::Ap, FlashChip::Cp] {
            assert!(
                now.bytes(chip) == before.bytes(chip),
                "the {chip:?} flash has changed"
            );
        }
    }

    fn assert_partly_written(
        &self,
        module: &EigencommModule,
        before: &EigencommFlash,
        (phase, image): (&str, &str),
    ) {
        assert!(module.flash().calibration() == before.calibration());
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
                Ordering::Less if phase != "erase" => Some(bytes.clone()),
                Ordering::Equal => continue,
                _ => before.region(*chip, *offset, bytes.len()).map(<[u8]>::to_vec),
            };
            let held = Upgrade::held(module, *chip, *offset, bytes.len());
            assert!(held == expected, "`{name}` at {offset:#x}, at {image}");
        }
    }
}

#[test]
fn ec618_every_fault_at_every_request() {
    let grids = [("", ROM), ("", AGENT), ("", REFUSALS)];
    super::runs(&Upgrade::new(), &grids);
}
