//! NV areas: reading them never panics, and a merge changes nothing but what is kept.

use qpyflash_protocols::unisoc::nv;
use qpyflash_protocols::unisoc::xml::KeptItem;

use crate::read;

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(&[u8], &[u8], u16, Vec<(u16, bool)>, bool)>(bytes) else {
        return;
    };
    let (own, package, room, kept, take_missing) = input;
    let kept: Vec<KeptItem> = kept
        .into_iter()
        .map(|(id, may_be_missing)| KeptItem {
            name: String::new(),
            id: Some(id),
            may_be_missing,
        })
        .collect();
    let _ = (nv::check(own), nv::imei(own), nv::byte_sum(own));
    let Ok(merged) = nv::merge(own, package, room.into(), &kept, take_missing) else {
        return;
    };
    assert!(merged.area.len() >= package.len());
    assert!(merged.area.len() <= package.len().max(room.into()));
    nv::check(&merged.area).expect("it is whole");
    let before = nv::items(package).expect("it was merged");
    let after = nv::items(&merged.area).expect("it is whole");
    assert_eq!(before.len(), after.len());
    for (old, new) in before.into_iter().zip(after) {
        assert_eq!(old.id, new.id, "the list is the package's");
        if !merged.kept.contains(&old.id) {
            assert_eq!(merged.area[new.place], package[old.place]);
        }
    }
    let _ = nv::difference(&merged.area, &merged.kept, own);
}
