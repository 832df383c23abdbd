use proptest::prelude::*;

use super::super::Pac;
use super::super::tests::{demo, vector};
use super::*;

/// An area with these items, sealed.
pub(crate) fn area(items: &[(u16, &[u8])], size: usize) -> Vec<u8> {
    let mut area = vec![0xFF; 4];
    for (id, data) in items {
        area.extend(id.to_le_bytes());
        area.extend((data.len() as u16).to_le_bytes());
        area.extend_from_slice(data);
        area.resize(area.len().next_multiple_of(4), 0);
    }
    assert!(area.len() <= size, "the items fit");
    area.resize(size, 0xFF);
    seal(&mut area);
    area
}

fn listed(id: u16, may_be_missing: bool) -> KeptItem {
    KeptItem {
        name: "listed".into(),
        id: Some(id),
        may_be_missing,
    }
}

fn data(area: &[u8], id: u16) -> Option<Vec<u8>> {
    let item = items(area).unwrap().into_iter().find(|item| item.id == id)?;
    Some(area[item.place].to_vec())
}

const OWN_IMEI: &[u8] = &[0x8A, 0x66, 0x18, 0x29, 0x40, 0x50, 0x61, 0x72];

#[test]
fn seals_and_sums_the_worked_example() {
    let imei_item = [0x8A, 0x66, 0x81, 0x92, 0x40, 0x50, 0x60, 0x71];
    let area = area(&[(5, &imei_item)], 32);
    assert_eq!(area[..2], [0x07, 0x02]);
    assert_eq!(byte_sum(&area), 0x1568);
    assert_eq!(imei(&area).as_deref(), Some("866182904050617"));
    check(&area).unwrap();
}

#[test]
fn reads_the_imei_digit_by_digit() {
    let with = |data: &[u8]| imei(&area(&[(5, data)], 64));
    assert_eq!(with(OWN_IMEI).as_deref(), Some("866819204051627"));
    assert_eq!(with(&[0xFF; 8]), None);
    assert_eq!(with(&OWN_IMEI[..7]), None);
    assert_eq!(imei(&area(&[], 64)), None);
}

#[test]
fn refuses_a_wrong_crc_and_a_list_that_leaves_the_area() {
    let good = area(&[(5, OWN_IMEI)], 32);
    for at in 0..32 {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(check(&bad).unwrap_err().to_string().contains("CRC-16"), "{at}");
    }
    for broken in [
        &[0, 0, 0, 0, 5, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8][..],
        &[0, 0, 0, 0, 5, 0, 5, 0, 1, 2, 3, 4, 5],
        &[0, 0, 0, 0, 5, 0, 0],
        &[0, 0, 0],
        &[],
    ] {
        let mut broken = broken.to_vec();
        seal(&mut broken);
        assert!(check(&broken).is_err(), "{broken:02X?}");
    }
    assert!(items(&vec![0; 4 + 4 * 2000]).is_err());
    assert_eq!(items(&[0, 0, 0, 0]).unwrap(), []);
}

#[test]
fn refuses_an_area_of_several_blocks() {
    let error = check(&area(&[(0, b"INDX\0\0\x02\0")], 64)).unwrap_err();
    assert!(matches!(error, FormatError::Unsupported { .. }), "{error}");
}

#[test]
fn reads_the_area_of_a_published_package() {
    let pac = Pac::parse(&vector("packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac")).unwrap();
    let nv = pac.entries.iter().find(|entry| entry.id == "NV").unwrap();
    let items = items(&nv.data).unwrap();
    assert_eq!(items.len(), 36);
    assert_eq!(
        data(&nv.data, 0x300).unwrap()[4..].get(..8),
        Some(&b"EC80GCN"[..]).map(|_| &nv.data[items[34].place.clone()][4..12])
    );
    assert!(check(&nv.data).is_err(), "the host is expected to seal it");
}

#[test]
fn keeps_the_modules_own_items() {
    let own = area(
        &[
            (5, OWN_IMEI),
            (0x26E, b"calibrated"),
            (0x191, b"own"),
            (0x7, b"x"),
            (2, b"radio"),
            (0x186, b"12345678"),
        ],
        128,
    );
    let nv = demo()
        .entries
        .iter()
        .find(|entry| entry.id == "NV")
        .unwrap()
        .data
        .clone();
    let package = area(
        &[
            (5, &[0; 8]),
            (0x26E, b"defaults!!"),
            (0x191, b"new"),
            (0x7, b"y"),
            (2, b"XXXXX"),
            (0x186, &[9; 8]),
            (0x301, b"z"),
        ],
        256,
    );
    let merged = merge(
        &own,
        &package,
        &[listed(0x26E, false), listed(0x191, true)],
        false,
    )
    .unwrap();
    assert_eq!(merged.kept, [5, 2, 0x26E, 0x191, 0x186]);
    assert_eq!(merged.warnings, [""; 0]);
    assert_eq!(merged.area.len(), 256);
    check(&merged.area).unwrap();
    for (id, bytes) in [
        (5, OWN_IMEI),
        (0x26E, b"calibrated"),
        (0x191, b"own"),
        (7, b"y"),
        (2, b"radio"),
        (0x186, b"12345678"),
        (0x301, b"z"),
    ] {
        assert_eq!(data(&merged.area, id).as_deref(), Some(bytes), "0x{id:x}");
    }
    assert!(check(&nv).is_ok());
}

#[test]
fn leaves_out_what_the_package_lacks() {
    let own = area(&[(5, OWN_IMEI), (0x26E, b"calibrated")], 64);
    let package = area(&[(7, b"new")], 64);
    let merged = merge(&own, &package, &[listed(0x26E, false)], false).unwrap();
    assert_eq!((merged.kept, merged.area), (vec![], package));
}

#[test]
fn copies_as_far_as_both_reach() {
    let own = area(
        &[(5, OWN_IMEI), (0x191, b"longer than new"), (0x1F0, b"short")],
        64,
    );
    let package = area(
        &[
            (5, &[0; 8]),
            (0x191, b"new"),
            (0x1F0, b"new and long"),
            (0x300, b"next"),
        ],
        128,
    );
    let kept = [listed(0x191, true), listed(0x1F0, true)];
    let merged = merge(&own, &package, &kept, false).unwrap();
    assert_eq!(data(&merged.area, 0x191).unwrap(), b"lon");
    assert_eq!(data(&merged.area, 0x1F0).unwrap(), b"shortnd long");
    assert_eq!(data(&merged.area, 0x300).unwrap(), b"next");
    assert_eq!(merged.warnings.len(), 2, "{:?}", merged.warnings);
}

#[test]
fn refuses_to_shorten_calibration_but_not_its_padding() {
    let with = |own: &[u8]| {
        let own = area(&[(5, OWN_IMEI), (0x26D, own)], 128);
        let package = area(&[(5, &[0; 8]), (0x26D, b"1234")], 128);
        merge(&own, &package, &[listed(0x26D, true)], false)
    };
    let merged = with(b"abcd\0\0\0\0\0\0").unwrap();
    assert_eq!(
        (data(&merged.area, 0x26D).unwrap(), merged.warnings),
        (b"abcd".to_vec(), vec![])
    );
    assert!(matches!(
        with(b"abcde"),
        Err(MergeRefusal::TooLong {
            module: 5,
            package: 4,
            ..
        })
    ));
}

#[test]
fn refuses_to_replace_what_the_module_lacks() {
    let own = area(&[(7, b"x")], 64);
    let package = area(&[(5, &[0; 8]), (0x26E, b"defaults"), (0x191, b"bt")], 128);
    let kept = [listed(0x26E, false), listed(0x191, true)];
    let error = merge(&own, &package, &kept, false).unwrap_err();
    let MergeRefusal::Missing(missing) = &error else {
        panic!("{error}")
    };
    assert_eq!(missing, &["0x5 (IMEI)", "0x26e (listed)"]);
    let merged = merge(&own, &package, &kept, true).unwrap();
    assert_eq!((merged.area, merged.warnings.len()), (package, 2));
}

#[test]
fn sees_what_was_not_stored() {
    let written = area(&[(5, OWN_IMEI), (0x26D, b"abcd"), (0x1F0, b"running")], 64);
    let read = |items: &[(u16, &[u8])]| difference(&written, &[5, 0x26D], &area(items, 128)).unwrap();
    assert_eq!(
        read(&[(5, OWN_IMEI), (0x26D, b"abcd\0\0\0\0"), (9, b"other")]),
        None
    );
    assert!(read(&[(5, OWN_IMEI)]).unwrap().contains("0x26d"));
    assert!(read(&[(5, &[0; 8]), (0x26D, b"abcd")]).unwrap().contains("0x5"));
    assert!(
        read(&[(5, OWN_IMEI), (0x26D, b"abcdX")])
            .unwrap()
            .contains("0x26d")
    );
    assert!(
        read(&[(5, OWN_IMEI), (0x26D, b"abcd"), (0x1F0, b"RUNNING")])
            .unwrap()
            .contains("0x1f0")
    );
}

/// Items with distinct ids.
fn some_items() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let item = (
        prop_oneof![Just(5u16), Just(2), Just(0x26D), Just(0x191), 0..0xFFFEu16],
        proptest::collection::vec(any::<u8>(), 0..40),
    );
    proptest::collection::vec(item, 0..20).prop_map(|mut items| {
        let mut seen = HashSet::new();
        items.retain(|(id, _)| seen.insert(*id));
        items
    })
}

fn built(items: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<_> = items.iter().map(|(id, data)| (*id, &data[..])).collect();
    area(&items, 2048)
}

proptest! {
    #[test]
    fn never_panics_on_noise(noise in proptest::collection::vec(any::<u8>(), 0..200), other in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&noise);
        let _ = imei(&noise);
        let _ = merge(&noise, &other, &[listed(1, true)], true);
        let _ = difference(&noise, &[1], &other);
    }

    #[test]
    fn reads_what_was_built(all in some_items()) {
        let area = built(&all);
        prop_assert!(check(&area).is_ok());
        let read: Vec<_> = items(&area).unwrap().into_iter().map(|item| (item.id, area[item.place].to_vec())).collect();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn changes_nothing_but_kept_items(own in some_items(), package in some_items(), kept in proptest::collection::vec(0..0x300u16, 0..5)) {
        let kept: Vec<_> = kept.into_iter().chain([0x191]).map(|id| listed(id, true)).collect();
        let (own_area, new_area) = (built(&own), built(&package));
        if let Ok(merged) = merge(&own_area, &new_area, &kept, true) {
            prop_assert_eq!(merged.area.len(), new_area.len());
            prop_assert!(check(&merged.area).is_ok());
            for (id, new) in &package {
                let now = data(&merged.area, *id).unwrap();
                prop_assert_eq!(now.len(), new.len());
                match own.iter().find(|(other, _)| other == id) {
                    Some((_, own)) if merged.kept.contains(id) => {
                        let common = own.len().min(new.len());
                        prop_assert_eq!(&now[..common], &own[..common]);
                        prop_assert_eq!(&now[common..], &new[common..]);
                    }
                    _ => prop_assert_eq!(&now, new),
                }
            }
            prop_assert_eq!(difference(&merged.area, &merged.kept, &merged.area).unwrap(), None);
            let again = merge(&own_area, &merged.area, &kept, true).unwrap();
            prop_assert_eq!(again.area, merged.area);
        }
    }
}
