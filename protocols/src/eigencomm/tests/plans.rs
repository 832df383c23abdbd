//! What a package with its companions may and may not be.

use proptest::prelude::*;

use super::*;
use crate::FormatError;
use crate::eigencomm::ini::Ini;
use crate::eigencomm::{Burn, Flash, Kind, Settings, Transport, regions};

fn refused(binpkg: Binpkg, companions: Companions) -> FormatError {
    Plan::new(Arc::new(binpkg), companions).expect_err("refused")
}

fn with_extra(address: u32, limit: u32, size: usize) -> Companions {
    let file = "ap_application.bin";
    Companions {
        extras: vec![(Extra { file, address, limit }, pattern(1, size))],
        ..companions()
    }
}

#[test]
fn plans_the_real_package_as_the_placement_table_says() {
    let plan = plan_of(real(), companions());
    let row = |burn: &Burn| {
        let erased: Vec<(u32, u32)> = burn.erased.iter().map(|range| (range.start, range.end)).collect();
        (
            burn.name.clone(),
            burn.kind,
            burn.flash,
            burn.address,
            burn.limit,
            erased,
        )
    };
    let table: Vec<_> = plan.burns().iter().map(row).collect();
    let expected = [
        (
            "ap_bootloader",
            Kind::Bootloader,
            Flash::Ap,
            0x4000,
            0x8000,
            vec![(0x4000, 0xA000), (0, 0x2000)],
        ),
        (
            "ap_at_command",
            Kind::System,
            Flash::Ap,
            0x24000,
            0x2D_C000,
            vec![(0x24000, 0x20_4000), (0x2000, 0x4000)],
        ),
        (
            "cp-demo-flash",
            Kind::Modem,
            Flash::Cp,
            0,
            0x80000,
            vec![(0, 0x66000)],
        ),
        (
            "ap_application.bin",
            Kind::File,
            Flash::Ap,
            0x30_0000,
            0x6_0000,
            vec![(0x30_0000, 0x36_0000)],
        ),
        (
            "ap_updater.bin",
            Kind::File,
            Flash::Ap,
            0x3B_4000,
            0x1_8000,
            vec![(0x3B_4000, 0x3C_C000)],
        ),
        (
            "customer_fs.bin",
            Kind::File,
            Flash::Ap,
            0x36_0000,
            0x5_4000,
            vec![(0x36_0000, 0x3B_4000)],
        ),
    ];
    let expected = expected.map(|(name, kind, flash, address, limit, erased)| {
        (name.to_owned(), kind, flash, address, limit, erased)
    });
    assert_eq!(table, expected);
    let rest: Vec<_> = plan.burns().iter().map(Burn::rest).collect();
    assert!(rest[..3].iter().all(std::ops::Range::is_empty));
    assert_eq!(
        rest[3..],
        [0x32_2000..0x36_0000, 0x3B_C000..0x3C_C000, 0x36_1000..0x3B_4000]
    );
    assert!(plan.warnings().is_empty(), "{:?}", plan.warnings());
    let kept: Vec<_> = plan
        .kept()
        .iter()
        .map(|region| (region.flash, region.range.clone()))
        .collect();
    assert_eq!(
        kept,
        [
            (Flash::Cp, 0xC_D000..0x10_0000),
            (Flash::Ap, 0x3F_C000..0x40_0000)
        ]
    );
}

#[test]
fn names_the_agent_that_is_missing() {
    let plan = plan_of(
        real(),
        Companions {
            uart_agent: None,
            ..companions()
        },
    );
    assert_eq!(plan.agent(Transport::Usb).map(|agent| agent.len()), Ok(35568));
    let error = plan.agent(Transport::Uart).expect_err("it is missing");
    assert!(
        error.to_string().contains("agentboot_uart/agentboot.bin"),
        "{error}"
    );
}

#[test]
fn refuses_agents_of_a_strange_size() {
    for size in [0, 2, 35566, 0x10004] {
        let agent = Some(pattern(1, size));
        let error = refused(
            real(),
            Companions {
                usb_agent: agent,
                ..companions()
            },
        );
        assert!(
            error.to_string().contains("agentboot_usb/agentboot.bin"),
            "{error}"
        );
    }
}

#[test]
fn takes_speed_and_pull_ups_from_the_settings_of_the_transport() {
    let uart = b"[Config]\nAgBaud=0x1E8480 ; 2 M\n[control]\npullup_qspi = 0\n".to_vec();
    let plan = plan_of(
        real(),
        Companions {
            uart_settings: Some(uart.into()),
            ..companions()
        },
    );
    let settings = |agent_baud, pullup_qspi| Settings {
        agent_baud,
        pullup_qspi,
    };
    assert_eq!(
        plan.settings(Transport::Usb),
        settings(115_200, true),
        "as the real file says"
    );
    assert_eq!(plan.settings(Transport::Uart), settings(2_000_000, false));
    let plan = plan_of(real(), companions());
    assert_eq!(plan.settings(Transport::Uart), settings(921_600, true));
    for baud in ["fast", "921650", "0", "3276800"] {
        let ini: Vec<u8> = format!("[config]\nagbaud = {baud}").into();
        let error = refused(
            real(),
            Companions {
                uart_settings: Some(ini.into()),
                ..companions()
            },
        );
        assert!(error.to_string().contains("agbaud"), "{error}");
    }
}

#[test]
fn refuses_places_that_overlap() {
    // The last sector of the system; the boot loader's; another file's partition, though not its image.
    for (address, limit) in [(0x20_3000, 0x1000), (0x9000, 0x2000)] {
        let error = refused(real(), with_extra(address, limit, 16));
        assert!(
            error.to_string().contains("ap_application.bin"),
            "{address:x}: {error}"
        );
        assert!(matches!(error, FormatError::Corrupt { .. }), "{error}");
    }
    let mut both = with_extra(0x30_0000, 0x1_0001, 16);
    let (mut other, data) = both.extras[0].clone();
    (other.file, other.address) = ("ap_updater.bin", 0x31_0000);
    both.extras.push((other, data));
    assert!(refused(real(), both).to_string().contains("ap_updater.bin"));
    let mut twice = real();
    twice.entries.push(twice.entries[0].clone());
    assert!(refused(twice, companions()).to_string().contains("ap_bootloader"));
    assert!(Plan::new(Arc::new(real()), with_extra(0x20_4000, 0x1000, 16)).is_ok());
}

#[test]
fn refuses_places_outside_of_what_may_be_written() {
    for (address, limit, size) in [
        (0x30_0100, 0x1000, 16),
        (0x3000, 0x1000, 16),
        (0x3F_B000, 0x1001, 16),
        (0x3F_C000, 0x1000, 16),
        (0xFFFF_F000, 0xFFFF_FFFF, 16),
        (0x80_0000, 0x1000, 16),
        (0x30_0000, 15, 16),
        (0x30_0000, 0, 16),
        (0x30_0000, 0x1000, 0),
    ] {
        refused(real(), with_extra(address, limit, size));
    }
    assert!(Plan::new(Arc::new(real()), with_extra(0x3F_B000, 0x1000, 0x1000)).is_ok());
    let changed = |index: usize, address, flash_size, size: usize| {
        let mut package = real();
        let entry = &mut package.entries[index];
        (entry.address, entry.flash_size) = (address, flash_size);
        entry.data = pattern(1, size);
        refused(package, companions()).to_string()
    };
    assert!(changed(0, 0x5000, 0, 16).contains("0x4000 in any case"));
    assert!(changed(2, 0, 0, 0xC_D001).contains("0xcd000"));
    assert!(changed(2, 0xC_E000, 0, 16).contains("0xcd000"));
    assert!(changed(1, 0, 0, 16).contains("0x4000"));
    let mut package = real();
    package.entries[2].data = pattern(1, 0xC_D000);
    package.entries[2].flash_size = 0;
    assert!(Plan::new(Arc::new(package), companions()).is_ok());
}

#[test]
fn refuses_code_that_cannot_start_where_it_lies() {
    for index in [0, 1] {
        for start in [
            0u32,
            0x80_0000 + [0x3FFF, 0x2_3FFF][index],
            0x80_0000 + [0x4000 + 21312, 0x2_4000 + 1_965_332][index],
        ] {
            let mut package = real();
            let mut data = package.entries[index].data.to_vec();
            data[4..8].copy_from_slice(&start.to_le_bytes());
            package.entries[index].data = data.into();
            let error = refused(package, companions());
            assert!(error.to_string().contains("starts at"), "{start:x}: {error}");
        }
        let mut package = real();
        package.entries[index].data = package.entries[index].data[..7].into();
        assert!(refused(package, companions()).to_string().contains("nothing"));
    }
}

#[test]
fn lists_the_types_it_does_not_write() {
    let mut package = real();
    package.entries[0].kind = "PKGFLX1".into();
    package.entries[2].kind = "EF".into();
    let error = refused(package, companions()).to_string();
    for word in ["PKGFLX1", "EF", "ap_bootloader", "cp-demo-flash"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn says_what_a_package_does_not_hold() {
    let mut package = real();
    package.entries.remove(2);
    let plan = plan_of(package, companions());
    assert!(plan.warnings()[0].contains("modem"), "{:?}", plan.warnings());
}

/// The reference file. Source: specs/eigencomm-agentboot.md §2.7.
const REFERENCE: &str = r#"{
    "fs": { "begin": "0xB84000", "length": "0x48000" }, // LittleFS, "NVM"
    "fraw": { "begin": "0xBFC000", "length": 4096 },
    "rr": { "begin": "0x88E7000", "length": "0x19000" },
    "drr": { "begin": "0x88CE000", "length": "0x19000" },
    "hfd": { "begin": "0x8880000", "length": "0x4D000" },
    "url": "http://not.a/comment \" // nor this",
    "cal": [ { "stor_type": "cp_flash", "offst_flag": "1", "begin": "0xE7000", "length": "102400" } ],
    "erallum": [ { "stor_type": "ap_flash", "offst_flag": "1", "begin": "0", "length": "0x3CC000" } ]
}"#;

fn with_format(text: &str) -> Companions {
    Companions {
        format: Some(text.as_bytes().into()),
        ..companions()
    }
}

#[test]
fn reads_the_regions_of_the_package() {
    let found: Vec<_> = regions(REFERENCE.as_bytes())
        .expect("it is sound")
        .into_iter()
        .map(|named| (named.region.flash, named.region.range, named.precious))
        .collect();
    let expected = [
        (Flash::Cp, 0xE_7000..0x10_0000, true),
        (Flash::Cp, 0xC_E000..0xE_7000, true),
        (Flash::Cp, 0xE_7000..0x10_0000, true),
        (Flash::Ap, 0x38_4000..0x3C_C000, false),
        (Flash::Ap, 0x3F_C000..0x3F_D000, false),
    ];
    assert_eq!(found, expected);
}

#[test]
fn lets_files_lie_in_the_reference_file_system_and_protects_calibration() {
    let plan = plan_of(real(), with_format(REFERENCE));
    let names: Vec<&str> = plan.kept().iter().map(|region| region.name.as_str()).collect();
    assert!(!names.iter().any(|name| name.contains("`fs`")), "{names:?}");
    for key in ["`rr`", "`drr`", "`cal`", "`fraw`"] {
        assert!(names.iter().any(|name| name.contains(key)), "{key}: {names:?}");
    }
    let moved = REFERENCE.replace("0x88CE000", "0xB10000");
    let error = refused(real(), with_format(&moved)).to_string();
    assert!(
        error.contains("ap_application.bin") && error.contains("`drr`"),
        "{error}"
    );
}

#[test]
fn says_when_the_regions_cannot_be_read() {
    let absent = REFERENCE.replace("\"0x19000\"", "\"0\"");
    assert_eq!(regions(absent.as_bytes()).map(|found| found.len()), Ok(3));
    for broken in [
        "{",
        "",
        &REFERENCE.replace("0x88CE000", "0x9000000"),
        &REFERENCE.replace("0x48000", "long"),
        &REFERENCE.replace("0xB84000", "0x700000"),
        &REFERENCE.replace("\"begin\": \"0xBFC000\", ", ""),
    ] {
        let plan = plan_of(real(), with_format(broken));
        assert!(
            plan.warnings()
                .iter()
                .any(|warning| warning.contains("format_ec618.json")),
            "{broken}"
        );
        assert_eq!(
            plan.kept().len(),
            2,
            "what is known without the file stays protected"
        );
    }
}

proptest! {
    #[test]
    fn never_panics(file in proptest::collection::vec(any::<u8>(), 0..300), at in 0..600usize, byte: u8) {
        let _ = Ini::parse("any.ini", &file).number("a", "b");
        let _ = regions(&file);
        let mut json = REFERENCE.as_bytes().to_vec();
        if let Some(old) = json.get_mut(at) {
            *old = byte;
        }
        let _ = regions(&json);
        let _ = Settings::parse(Transport::Usb, &file);
    }

    #[test]
    fn erases_nothing_twice_and_nothing_precious(address: u32, limit: u32, size in 1..0x3000usize) {
        let address = address % 0x50 * 0x10000 + address % 3 * 0x800;
        if let Ok(plan) = Plan::new(Arc::new(real()), with_extra(address, limit % 0x20_0000, size)) {
            let mut sectors = std::collections::HashSet::new();
            for burn in plan.burns() {
                for range in &burn.erased {
                    for sector in range.clone().step_by(0x1000) {
                        prop_assert!(sectors.insert((burn.flash.name(), sector)));
                        prop_assert!(burn.flash == Flash::Ap || sector < 0xC_D000);
                    }
                }
            }
        }
    }
}
