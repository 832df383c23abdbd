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

/// Bytes that an UIS8910 takes.
const ROOM: usize = 0x2_0000;
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
            (2, b"other"),
            (0x186, &[9; 8]),
            (0x301, b"z"),
        ],
        256,
    );
    let merged = merge(
        &own,
        &package,
        ROOM,
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
    let merged = merge(&own, &package, ROOM, &[listed(0x26E, false)], false).unwrap();
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
    let merged = merge(&own, &package, ROOM, &kept, false).unwrap();
    assert_eq!(data(&merged.area, 0x191).unwrap(), b"lon");
    assert_eq!(data(&merged.area, 0x1F0).unwrap(), b"shortnd long");
    assert_eq!(data(&merged.area, 0x300).unwrap(), b"next");
    assert_eq!(merged.warnings.len(), 2, "{:?}", merged.warnings);
}

#[test]
fn lets_calibration_keep_its_length_but_not_its_padding() {
    let with = |own: &[u8], size: usize, room: usize| {
        let own = area(&[(5, OWN_IMEI), (0x26D, own)], 128);
        let package = area(&[(5, &[0; 8]), (0x26D, b"1234"), (0x300, b"next")], size);
        merge(&own, &package, room, &[listed(0x26D, true)], false)
    };
    let merged = with(b"abcd\0\0\0\0\0\0", 128, ROOM).unwrap();
    assert_eq!(
        (data(&merged.area, 0x26D).unwrap(), merged.warnings),
        (b"abcd".to_vec(), vec![])
    );
    // 32 bytes of items, the end mark, and what is blank: the blank end is used up before the area grows.
    for (size, long, grown) in [
        (128, 40, 128),
        (128, 96, 128),
        (128, 97, 132),
        (36, 5, 40),
        (32, 5, 36),
    ] {
        let own = vec![b'a'; long];
        let merged = with(&own, size, ROOM).unwrap();
        assert_eq!(merged.area.len(), grown, "{long} bytes in {size}");
        check(&merged.area).unwrap();
        assert_eq!(data(&merged.area, 0x26D), Some(own));
        assert_eq!(data(&merged.area, 0x300).as_deref(), Some(&b"next"[..]));
        assert_eq!(ids(&merged.area).unwrap(), [5, 0x26D, 0x300]);
        assert!(
            merged.warnings[0].contains("keeps its length"),
            "{:?}",
            merged.warnings
        );
    }
    let refused = with(&[b'a'; 97], 128, 128).unwrap_err();
    assert_eq!(refused, MergeRefusal::NoRoom { size: 132, room: 128 });
}

#[test]
fn refuses_an_imei_that_has_no_room() {
    let own = area(&[(5, OWN_IMEI)], 64);
    let refused = merge(&own, &area(&[(5, &[0; 7])], 64), ROOM, &[], false).unwrap_err();
    assert!(matches!(
        refused,
        MergeRefusal::TooLong {
            module: 8,
            package: 7,
            ..
        }
    ));
}

#[test]
fn refuses_to_replace_what_the_module_lacks() {
    let own = area(&[(7, b"x")], 64);
    let package = area(&[(5, &[0; 8]), (0x26E, b"defaults"), (0x191, b"bt")], 128);
    let kept = [listed(0x26E, false), listed(0x191, true)];
    let error = merge(&own, &package, ROOM, &kept, false).unwrap_err();
    let MergeRefusal::Missing(missing) = &error else {
        panic!("{error}")
    };
    assert_eq!(missing, &["0x5 (IMEI)", "0x26e (listed)"]);
    let merged = merge(&own, &package, ROOM, &kept, true).unwrap();
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
    packed(items, 2048)
}

/// The items with so many blank bytes behind them.
fn packed(items: &[(u16, Vec<u8>)], blank: usize) -> Vec<u8> {
    let size: usize = items
        .iter()
        .map(|(_, data)| 4 + data.len().next_multiple_of(4))
        .sum();
    let items: Vec<_> = items.iter().map(|(id, data)| (*id, &data[..])).collect();
    area(&items, FIRST_ITEM + size + blank)
}

proptest! {
    #[test]
    fn never_panics_on_noise(noise in proptest::collection::vec(any::<u8>(), 0..200), other in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&noise);
        let _ = imei(&noise);
        let _ = merge(&noise, &other, ROOM, &[listed(1, true)], true);
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
    fn changes_nothing_but_kept_items(
        own in some_items(),
        package in some_items(),
        kept in proptest::collection::vec(0..0x300u16, 0..5),
        blank in prop_oneof![Just(0), 2..200usize],
        room in 0..1500usize,
    ) {
        let kept: Vec<_> = kept.into_iter().chain([0x191, 0x26D]).map(|id| listed(id, true)).collect();
        let (own_area, new_area) = (built(&own), packed(&package, blank));
        match merge(&own_area, &new_area, room, &kept, true) {
            Err(MergeRefusal::NoRoom { size, .. }) => prop_assert!(size > room && size > new_area.len()),
            Err(MergeRefusal::TooLong { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
            Ok(merged) => {
                prop_assert!(merged.area.len() >= new_area.len());
                prop_assert!(merged.area.len() <= new_area.len().max(room));
                prop_assert!(check(&merged.area).is_ok());
                let order: Vec<u16> = package.iter().map(|(id, _)| *id).collect();
                prop_assert_eq!(ids(&merged.area).unwrap(), order);
                for (id, new) in &package {
                    let now = data(&merged.area, *id).unwrap();
                    match own.iter().find(|(other, _)| other == id) {
                        Some((_, own)) if merged.kept.contains(id) => {
                            let common = own.len().min(new.len());
                            prop_assert_eq!(&now[..common], &own[..common]);
                            if now.len() == new.len() {
                                prop_assert_eq!(&now[common..], &new[common..]);
                                let padded = own[common..].iter().all(|byte| *byte == 0);
                                prop_assert!(!NEVER_SHORTENED.contains(id) || padded);
                            } else {
                                prop_assert_eq!(&now, own);
                            }
                        }
                        _ => prop_assert_eq!(&now, new),
                    }
                }
                prop_assert_eq!(difference(&merged.area, &merged.kept, &merged.area).unwrap(), None);
                let again = merge(&own_area, &merged.area, room, &kept, true).unwrap();
                prop_assert_eq!(again.area, merged.area);
            }
        }
    }
}
