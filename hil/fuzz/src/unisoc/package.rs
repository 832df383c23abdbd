//! A sound package with everything in little, to begin from.

use qpyflash_protocols::Platform;
use qpyflash_protocols::unisoc::{Entry, Pac, nv};

/// Bytes of the NV area of a module.
pub const NV_BYTES: usize = 0x3800;

/// An NV area with an IMEI.
pub fn nv_area(size: usize) -> Vec<u8> {
    let mut area = vec![0xFF; size];
    area[4..16].copy_from_slice(&[5, 0, 8, 0, 0x8A, 0x66, 0x18, 0x29, 0x40, 0x50, 0x61, 0x72]);
    nv::seal(&mut area);
    area
}

/// ID, type, address, size of the place, and the file.
type File = (&'static str, &'static str, u32, u32, Vec<u8>);

fn files(platform: Platform) -> Vec<File> {
    let uimage = [&[0x27, 0x05, 0x19, 0x56][..], &[0; 300]].concat();
    let image: Vec<u8> = (0..3000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let nv = nv_area(64);
    match platform {
        Platform::Unisoc8850 => vec![
            ("FDL", "FDL", 0x5080_0000, 0x14000, uimage),
            ("ERASE_SPL", "EraseFlash", 0x6000_0000, 0x20000, Vec::new()),
            ("NV", "NV", 0xFE00_0003, NV_BYTES as u32, nv),
            ("AP", "CODE", 0x6003_0000, 0x10000, image.clone()),
            ("SPL", "CODE", 0x6000_0000, 0x20000, image),
        ],
        _ => vec![
            ("HOST_FDL", "HOST_FDL", 0x0080_00C0, 0xFF40, uimage.clone()),
            ("FDL2", "FDL2", 0x0081_0000, 0x30000, uimage),
            ("ERASE_BOOT", "EraseFlash", 0x6000_0000, 0x10000, Vec::new()),
            ("AP", "CODE", 0x6001_0000, 0x10000, image.clone()),
            ("FLASH", "EraseFlash", 0xFE00_0001, 0, Vec::new()),
            ("NV", "NV", 0xFE00_0003, NV_BYTES as u32, nv),
            ("BOOTLOADER", "CODE", 0x6000_0000, 0x10000, image),
        ],
    }
}

/// The package as its parser would give it.
pub fn small(platform: Platform) -> Pac {
    let mut xml = String::from("<BMAConfig><SchemeList><Scheme>");
    let mut entries = Vec::new();
    for (id, kind, address, size, data) in files(platform) {
        let flag = u8::from(!data.is_empty());
        xml += &format!(
            "<File><IDAlias>{id}</IDAlias><Type>{kind}</Type><Block><Base>{address:#x}</Base><Size>{size:#x}</Size></Block>\
             <Flag>{flag}</Flag><CheckFlag>0</CheckFlag></File>"
        );
        entries.push(Entry {
            id: id.into(),
            file_name: String::new(),
            address,
            selected: true,
            can_omit: true,
            data: data.into(),
        });
    }
    xml += "</Scheme></SchemeList></BMAConfig>";
    xml += &" ".repeat(1024);
    Pac {
        platform,
        product: "UIX8910_MODEM".into(),
        product_version: String::new(),
        alias: String::new(),
        entries,
        xml: xml.into_bytes().into(),
        warnings: Vec::new(),
    }
}
