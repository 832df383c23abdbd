//! The entries of the generated packages. Source: specs/unisoc-pac-bsl.md §1.6-1.7; the 8850's addresses are those
//! of the real EC800G package, the 8910's those of §1.7 and specs/identity.md §5.4.

use super::PacEntry;
use crate::Scale;
use crate::identity::Identity;
use crate::package::contents::code;
use crate::unisoc::{UnisocChip, cpio, factory, images, nv};

const NOR: u32 = 0x6000_0000;
const RUNNING_NV: u32 = 0xFE00_0001;
const PHASE_CHECK: u32 = 0xFE00_0002;
const NV: u32 = 0xFE00_0003;
const CPIO: u32 = 0xFE00_0004;
const FILE_SYSTEM: u32 = 0xFE00_0006;
/// Images of small packages are so many times smaller.
const SMALLER: usize = 64;
const SMALLEST: usize = 0x1800;
/// What firmware that has lost its NV calls itself. Source: specs/identity.md §3.1.
const DEFAULT_IMEI: &str = "864430010001091";

/// The entries of `_merge.pac` in the order of flashing.
pub(super) fn entries(revision: &str, chip: UnisocChip, scale: Scale) -> Vec<PacEntry> {
    let recipe = Recipe {
        revision,
        chip,
        scale,
    };
    match chip {
        UnisocChip::Uis8910 => recipe.entries_8910(),
        UnisocChip::Uis8850 => recipe.entries_8850(),
    }
}

/// A step without data.
pub(super) fn operation(id: &str, address: u32, region: u32) -> PacEntry {
    PacEntry {
        id: id.into(),
        file: String::new(),
        kind: if id == "PhaseCheck" { "CODE" } else { "EraseFlash" },
        address,
        region,
        data: Vec::new(),
        is_selected: true,
        can_omit: true,
    }
}

/// The formatting of a file system.
fn format(id: &str, name: &[u8; 4], is_selected: bool) -> PacEntry {
    PacEntry {
        is_selected,
        ..operation(id, FILE_SYSTEM, u32::from_le_bytes(*name))
    }
}

fn file(id: &str, name: &str, (address, region): (u32, u32), data: Vec<u8>) -> PacEntry {
    let kind = match id {
        "HOST_FDL" => "HOST_FDL",
        "FDL" => "FDL",
        "FDL2" => "FDL2",
        "NV" => "NV",
        _ => "CODE",
    };
    PacEntry {
        id: id.into(),
        file: name.into(),
        kind,
        address,
        region,
        data,
        is_selected: true,
        can_omit: id == "NV",
    }
}

struct Recipe<'a> {
    revision: &'a str,
    chip: UnisocChip,
    scale: Scale,
}

impl Recipe<'_> {
    fn entries_8910(&self) -> Vec<PacEntry> {
        let loader = |name: &str, load: u32, entry: u32, length: usize| {
            images::uimage(
                name,
                load,
                entry,
                &code(&format!("{name} {}", self.revision), length),
            )
        };
        let fdl1 = loader("fdl1", 0x0080_0100, 0x0080_02A4, 0x34E0);
        let fdl2 = loader("fdl2", 0x0081_0040, 0x0081_01E4, 0xCDC0);
        let sign = format!("{}.sign.img", self.revision);
        vec![
            file("HOST_FDL", "fdl1.sign.img", (0x0080_00C0, 0xFF40), fdl1),
            file("FDL2", "fdl2.sign.img", (0x0081_0000, 0x3_0000), fdl2),
            operation("ERASE_BOOT", NOR, 0x1_0000),
            file(
                "AP",
                "8915DM_cat1_open.sign.img",
                (NOR + 0x1_0000, 0x22_0000),
                self.application(0x1E_5A38),
            ),
            file(
                "APPIMG",
                &sign,
                (NOR + 0x23_0000, 0x1F_0000),
                self.application_image(0x14_1230),
            ),
            operation("ERASE_PY_FS_U", NOR + 0x42_0000, 0x6_0000),
            operation("ERASE_PY_FS_B", NOR + 0x48_0000, 0x2_0000),
            file(
                "PS",
                "8915DM_cat1_open.img",
                (NOR + 0x4A_0000, 0x34_0000),
                self.body("PS", 0x2B_C004),
            ),
            format("FMT_FSSYS", b"FSYS", false),
            operation("PhaseCheck", PHASE_CHECK, 0x100),
            operation("FLASH", RUNNING_NV, 0),
            file(
                "NV",
                "8915DM_cat1_open_nvitem.bin",
                (NV, 0x2_0000),
                self.nv(0x8000),
            ),
            file("PREPACK", "prepack.cpio", (CPIO, 0), self.prepack()),
            file(
                "BOOTLOADER",
                "boot.sign.img",
                (NOR, 0x1_0000),
                self.code("BOOTLOADER", 0xA3C0),
            ),
        ]
    }

    fn entries_8850(&self) -> Vec<PacEntry> {
        let sign = format!("{}.sign.img", self.revision);
        vec![
            file("FDL", "norfdl.sign.img", (0x5080_0000, 0x1_4000), self.fdl()),
            operation("ERASE_SPL", NOR, 0x2_0000),
            file(
                "BOOT",
                "boot.sign.img",
                (NOR + 0x2_0000, 0x1_0000),
                self.code("BOOT", 0x2A40),
            ),
            operation("PhaseCheck", PHASE_CHECK, 0x100),
            format("FMT_FSSYS", b"FSYS", false),
            format("FMT_FSMOD", b"FMOD", true),
            format("FMT_FSEXT", b"FEXT", false),
            file(
                "NV",
                "8850XM_cat1bis_ds_ab_nvitem.bin",
                (NV, 0x2_8000),
                self.nv(0x2_8000),
            ),
            operation("ERASE_PY_FS_U", NOR + 0x25_8000, 0x2_0000),
            operation("ERASE_PY_FS_B", NOR + 0x27_8000, 0x1_0000),
            operation("ERASE_PY_FS_C", NOR + 0x25_0000, 0x8000),
            file(
                "AP",
                "8850XM_cat1_open.sign.img",
                (NOR + 0x3_0000, 0x13_6000),
                self.application(0x12_BFC0),
            ),
            file(
                "APPIMG",
                &sign,
                (NOR + 0x16_6000, 0x5_9000),
                self.application_image(0x5_2780),
            ),
            file("CP", "8850XM_cat1bis_ds_ab_modem.cpio", (CPIO, 0), self.modem()),
            file(
                "INDELTANV",
                "8850XM_cat1bis_ds_ab_indeltanv.cpio",
                (CPIO, 0),
                self.delta_nv(),
            ),
            operation("FLASH", RUNNING_NV, 0),
            file("SPL", "spl.sign.img", (NOR, 0x2_0000), self.code("SPL", 0xF880)),
        ]
    }

    fn length(&self, realistic: usize) -> usize {
        match self.scale {
            Scale::Realistic => realistic,
            Scale::Small => (realistic / SMALLER).max(SMALLEST.min(realistic)),
        }
    }

    fn body(&self, name: &str, realistic: usize) -> Vec<u8> {
        code(&format!("{name} {}", self.revision), self.length(realistic))
    }

    /// An image with the header that the chip knows.
    fn wrap(&self, name: &str, data: &[u8]) -> Vec<u8> {
        match self.chip {
            UnisocChip::Uis8910 => images::uimage(name, 0x6001_0040, 0x6001_0040, data),
            UnisocChip::Uis8850 => images::simage(name, data),
        }
    }

    fn code(&self, name: &str, realistic: usize) -> Vec<u8> {
        self.wrap(name, &self.body(name, realistic))
    }

    /// The application: its strings name series, submodel and revision as those of the real packages do.
    fn application(&self, realistic: usize) -> Vec<u8> {
        let (revision, identity) = (self.revision, Identity::of(self.revision));
        let (series, submodel) = (identity.object_id, identity.sysname);
        let run = format!("\0{series}\0FFF\0V01\0Quectel\0{submodel}\0{revision}\0{revision}\0");
        self.with_text("AP", realistic, &run)
    }

    /// The application image: QuecPython, whose strings name the board.
    fn application_image(&self, realistic: usize) -> Vec<u8> {
        let board = Identity::of(self.revision).board;
        self.with_text("APPIMG", realistic, &format!("\0{board}\x003.4.0\0"))
    }

    fn with_text(&self, name: &str, realistic: usize, text: &str) -> Vec<u8> {
        let mut body = self.body(name, realistic);
        let at = body.len() / 4 * 3 / 4 * 4;
        body[at..at + text.len()].copy_from_slice(text.as_bytes());
        self.wrap(name, &body)
    }

    /// The 8850's loader with its list of models: the one of the revision, and a neighbour.
    fn fdl(&self) -> Vec<u8> {
        let model = self.revision.get(..10).unwrap_or_default();
        let mut body = self.body("FDL", 0x1_08C0);
        let list = format!("\0{model}\0EC800GCNZZ\0");
        body[0x400..0x400 + list.len()].copy_from_slice(list.as_bytes());
        images::simage("FDL", &body)
    }

    /// NV items of a module that nobody calibrated, with the ids and lengths of one that somebody did.
    fn nv(&self, realistic: usize) -> Vec<u8> {
        let mut nobody = Identity::of(self.revision);
        nobody.imei = DEFAULT_IMEI.into();
        nobody.serial_number = "package".into();
        let size = match self.scale {
            Scale::Realistic => realistic,
            Scale::Small => 0,
        };
        nv::build(factory::nv_items(self.chip, &nobody), size)
    }

    fn prepack(&self) -> Vec<u8> {
        cpio::pack(&[("factory/prepack.txt", b"generated\n".to_vec())])
    }

    fn modem(&self) -> Vec<u8> {
        let largest = self.length(0x10_0000);
        cpio::pack(&[
            ("modem/mem_index_list", b"0 cp.bin\n".to_vec()),
            ("modem/cp.bin", code(&format!("CP {}", self.revision), largest)),
        ])
    }

    fn delta_nv(&self) -> Vec<u8> {
        cpio::pack(&[("factory/indeltanv_024063_7.bin", self.body("INDELTANV", 0x2E00))])
    }
}
