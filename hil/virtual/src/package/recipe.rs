//! The partitions of the generated packages and the images that go into them.
//!
//! An 8 MiB layout after the real one of specs/asr-aboot.md §6.1, with a `system` partition for `system.img` and
//! the names of the application partitions that the vendor's guide shows.

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub name: &'static str,
    pub kind: &'static str,
    pub start: u32,
    pub size: u32,
    pub depth: u32,
}

const fn partition(depth: u32, name: &'static str, kind: &'static str, start: u32, size: u32) -> Partition {
    Partition {
        name,
        kind,
        start,
        size,
        depth,
    }
}

/// The table, parents before children.
pub(super) const PARTITIONS: &[Partition] = &[
    partition(0, "all", "group", 0x00_0000, 0x80_0000),
    partition(1, "external", "flash", 0x00_0000, 0x80_0000),
    partition(2, "bootloader", "ubi", 0x00_0000, 0x02_4000),
    partition(2, "firmware", "part", 0x02_4000, 0x59_C000),
    partition(3, "ptable", "raw", 0x02_4000, 0x00_1000),
    partition(3, "fwcerts", "raw", 0x02_5000, 0x00_3000),
    partition(3, "rd", "raw", 0x02_8000, 0x01_0000),
    partition(3, "apn", "raw", 0x03_8000, 0x00_8000),
    partition(3, "cp", "raw", 0x04_0000, 0x33_0000),
    partition(3, "dsp", "raw", 0x37_0000, 0x10_0000),
    partition(3, "rfbin", "raw", 0x47_0000, 0x00_8000),
    partition(3, "logo", "raw", 0x47_8000, 0x00_8000),
    partition(3, "system", "raw", 0x48_0000, 0x14_0000),
    partition(2, "customer_app", "raw", 0x5C_0000, 0x08_0000),
    partition(2, "customer_fs", "raw", 0x64_0000, 0x09_0000),
    partition(2, "fota_param", "raw", 0x6D_0000, 0x00_4000),
    partition(2, "updater", "raw", 0x6D_4000, 0x01_C000),
    partition(2, "fota_pkg", "raw", 0x6F_0000, 0x07_0000),
    partition(2, "nvm", "raw", 0x76_0000, 0x08_0000),
    partition(2, "factory", "part", 0x7E_0000, 0x02_0000),
    partition(3, "factory_a", "raw", 0x7E_0000, 0x01_0000),
    partition(3, "factory_b", "raw", 0x7F_0000, 0x01_0000),
];

/// The partition of that name.
pub(super) fn find_partition(name: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().find(|partition| partition.name == name)
}

/// One image: its name in the package, where it goes, its realistic size in bytes.
#[derive(Debug)]
pub(super) struct Image {
    pub member: &'static str,
    pub partition: &'static str,
    pub size: usize,
    pub has_revision: bool,
}

const fn image(member: &'static str, partition: &'static str, size: usize) -> Image {
    Image {
        member,
        partition,
        size,
        has_revision: false,
    }
}

/// The images in the order in which they are written.
pub(super) const IMAGES: &[Image] = &[
    image("bootloader.ubi", "bootloader", 0x02_2000),
    image("partition.bin", "ptable", 0x88C),
    image("fwcerts.bin", "fwcerts", 0x7F4),
    image("ReliableData.bin", "rd", 0x01_0000),
    image("apn.bin", "apn", 0x6796),
    image("cp.bin", "cp", 0x2A_5A3C),
    image("dsp.bin", "dsp", 0x0F_F054),
    image("rf.bin", "rfbin", 0x7F10),
    image("logo.bin", "logo", 0x7B3B),
    Image {
        member: "system.img",
        partition: "system",
        size: 0x0F_C5A1,
        has_revision: true,
    },
    Image {
        member: "customer_app.bin",
        partition: "customer_app",
        size: 0x06_1234,
        has_revision: true,
    },
    image("customer_fs.bin", "customer_fs", 0x08_0000),
    image("updater.bin", "updater", 0x01_B648),
];
