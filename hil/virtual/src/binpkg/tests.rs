use super::*;
use crate::eigencomm::AgentKind;

const REVISION: &str = "EC600ECNLCR01A02M04_OCPU_QPY";

#[test]
fn is_of_realistic_size_and_the_same_each_time() {
    let package = EigencommPackage::generate(REVISION, Scale::Realistic);
    let bytes = package.binpkg();
    assert!((2_200_000..2_500_000).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!(
        EigencommPackage::generate(REVISION, Scale::Realistic).binpkg(),
        bytes
    );
    let small = EigencommPackage::generate(REVISION, Scale::Small);
    let all: usize = small.files().iter().map(|(_, bytes)| bytes.len()).sum();
    assert!((200_000..400_000).contains(&all), "{all}");
}

#[test]
fn its_container_is_read_back_with_vectors_that_point_into_the_images() {
    for scale in [Scale::Small, Scale::Realistic] {
        let package = EigencommPackage::generate(REVISION, scale);
        let bytes = package.binpkg();
        assert_eq!(bytes[..12], *b"106\0\0\0\0\0bpkg");
        assert_eq!(container::read(&bytes), package.entries());
        for kind in ["BL", "AP"] {
            let entry = package.entry(kind).unwrap();
            let reset = u32::from_le_bytes(entry.data[4..8].try_into().unwrap());
            let start = 0x80_0000 + entry.address;
            assert!(
                (start..start + entry.data.len() as u32).contains(&(reset & !1)),
                "{kind}"
            );
            assert_eq!(reset & 1, 1);
        }
        let ap = &package.entry("AP").unwrap().data;
        assert_eq!(find_revision(ap).as_deref(), Some(REVISION));
        assert!(ap.windows(12).any(|window| window == b"\0EC600E-CNLC"));
    }
}

#[test]
fn no_two_regions_overlap_and_none_reaches_calibration() {
    for scale in [Scale::Small, Scale::Realistic] {
        let mut regions = EigencommPackage::generate(REVISION, scale).expected_regions();
        assert_eq!(regions.len(), 9);
        regions.sort_by_key(|(_, chip, at, _)| (*chip == FlashChip::Cp, *at));
        for pair in regions.windows(2) {
            let end = pair[0].2 as usize + pair[0].3.len();
            assert!(
                pair[0].1 != pair[1].1 || end <= pair[1].2 as usize,
                "{} {}",
                pair[0].0,
                pair[1].0
            );
        }
        let last = regions.last().unwrap();
        assert!(last.1 == FlashChip::Cp && last.2 as usize + last.3.len() < 0xC_D000);
    }
}

#[test]
fn settings_follow_the_files() {
    let package = EigencommPackage::generate(REVISION, Scale::Small).with_file_count(3);
    let config = String::from_utf8(package.file(companions::CONFIG).unwrap()).unwrap();
    assert!(config.contains("File_Count = 3") && config.contains("[File_3]") && !config.contains("[File_4]"));
    assert!(config.contains("START_ADDR = 0x3B4000"));
    let moved = package.with_area("ap_updater.bin", 0x3C_0000, 0x8000);
    let config = String::from_utf8(moved.file(companions::CONFIG).unwrap()).unwrap();
    assert!(config.contains("START_ADDR = 0x3C0000\r\nMAX_SIZE = 0x8000"));
    let names: Vec<_> = moved
        .expected_regions()
        .into_iter()
        .map(|region| region.0)
        .collect();
    assert_eq!(
        names[5..],
        ["ap_application.bin", "ap_updater.bin", "customer_fs.bin"]
    );
    assert_eq!(
        moved.without_file(companions::CONFIG).file(companions::CONFIG),
        None
    );
}

#[test]
fn brings_an_agent_for_each_port() {
    let package = EigencommPackage::generate(REVISION, Scale::Small);
    assert_eq!(AgentKind::of(&package.usb_agent()), Some(AgentKind::Usb));
    assert_eq!(AgentKind::of(&package.uart_agent()), Some(AgentKind::Uart));
    assert!(package.without_file(companions::USB_AGENT).usb_agent().is_empty());
}

#[test]
fn can_be_broken_and_put_around_other_images() {
    let package = EigencommPackage::generate(REVISION, Scale::Small);
    let around = EigencommPackage::around(&package.binpkg(), b"usb", b"uart");
    assert_eq!(
        (around.revision(), around.entries()),
        (REVISION, package.entries())
    );
    assert_eq!(around.binpkg(), package.binpkg());
    assert_eq!(
        (around.usb_agent(), around.uart_agent()),
        (b"usb".to_vec(), b"uart".to_vec())
    );
    let broken = package.broken(|bytes| bytes[0x400] ^= 1);
    assert_ne!(broken, package.binpkg());
    let other = package.clone().with_entries(|entries| entries.truncate(1));
    assert_eq!(container::read(&other.binpkg()).len(), 1);
    assert_eq!(container::read(&other.binpkg()[..100]), []);
}
