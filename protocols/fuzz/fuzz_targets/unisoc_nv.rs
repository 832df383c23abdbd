//! NV areas: reading them never panics, and a merge changes nothing but what is kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qpyflash_protocols::unisoc::nv;
use qpyflash_protocols::unisoc::xml::KeptItem;

fuzz_target!(|input: (&[u8], &[u8], Vec<(u16, bool)>, bool)| {
    let (own, package, kept, take_missing) = input;
    let kept: Vec<KeptItem> = kept
        .into_iter()
        .map(|(id, may_be_missing)| KeptItem {
            name: String::new(),
            id: Some(id),
            may_be_missing,
        })
        .collect();
    let _ = (nv::check(own), nv::imei(own), nv::byte_sum(own));
    let Ok(merged) = nv::merge(own, package, &kept, take_missing) else {
        return;
    };
    assert_eq!(merged.area.len(), package.len());
    let (before, after) = (nv::items(package), nv::items(&merged.area));
    assert_eq!(before, after, "the list is the package's");
    for item in after.expect("it was merged") {
        if !merged.kept.contains(&item.id) {
            assert_eq!(merged.area[item.place.clone()], package[item.place]);
        }
    }
    let _ = nv::difference(&merged.area, &merged.kept, own);
});
