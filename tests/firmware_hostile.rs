//! Every hostile or damaged input ends in its own clear error, before any module could be touched.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod firmware_support;

use std::time::{Duration, Instant};

use firmware_support::*;
use proptest::prelude::*;
use qpyflash::firmware::resolve;

/// Where the records of a zip's directory begin.
fn directory(zip: &[u8]) -> Vec<usize> {
    zip.windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect()
}

/// Changes one field, given by its offset in the directory record, and its twin in the local header.
fn set_field(zip: &mut [u8], member: usize, in_directory: usize, in_local: usize, value: &[u8]) {
    let record = directory(zip)[member];
    zip[record + in_directory..][..value.len()].copy_from_slice(value);
    let local = u32::from_le_bytes(zip[record + 42..record + 46].try_into().unwrap()) as usize;
    zip[local + in_local..][..value.len()].copy_from_slice(value);
}

/// Replaces a name by one of the same length, in the directory and in the local header.
fn renamed(mut zip: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = zip
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(places.len() >= 2);
    places
        .into_iter()
        .for_each(|at| zip[at..at + to.len()].copy_from_slice(to.as_bytes()));
    zip
}

fn refused(zip: &[u8]) -> (&'static str, String) {
    code(resolve_bytes("package.zip", zip))
}

fn assert_refused(zip: &[u8], kind: &str, words: &[&str]) {
    let (code, message) = refused(zip);
    assert_eq!(code, kind, "{message}");
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
}

fn small_asr() -> Vec<u8> {
    Zip::new()
        .tree("", &asr("EC800KCNCCR07A01M02_OCPY_QPY_BETA1202"))
        .done()
}

#[test]
fn refuses_a_truncated_zip_wherever_it_is_cut() {
    let zip = small_asr();
    for cut in [
        4,
        5,
        30,
        100,
        zip.len() / 2,
        zip.len() - 22,
        zip.len() - 21,
        zip.len() - 1,
    ] {
        assert_refused(
            &zip[..cut],
            "package.corrupt",
            &["package.zip", "truncated or damaged zip"],
        );
    }
}

#[test]
fn refuses_a_truncated_inner_zip_and_names_it() {
    let inner = small_asr();
    let outer = Zip::new().with("a/QPY.bin", &inner[..inner.len() / 2]).done();
    assert_refused(
        &outer,
        "package.corrupt",
        &["package.zip > QPY.bin", "truncated or damaged zip"],
    );
}

#[test]
fn refuses_a_damaged_directory() {
    let mut zip = small_asr();
    let record = directory(&zip)[3];
    zip[record] = b'X';
    assert_refused(&zip, "package.corrupt", &["truncated or damaged zip"]);
}

#[test]
fn refuses_a_wrong_check_sum() {
    let pac = vector("unisoc/demo8910.pac");
    let mut zip = Zip::new().stored("a/x.pac", &pac).done();
    zip[100_000] ^= 1;
    assert_refused(&zip, "package.corrupt", &["a/x.pac", "package.zip", "CRC-32"]);
}

#[test]
fn refuses_damaged_compression() {
    let whole = Zip::new().with("x.pac", &vector("unisoc/demo8910.pac")).done();
    let mut codes = Vec::new();
    for at in (100..whole.len() - 200).step_by(whole.len() / 20) {
        let mut zip = whole.clone();
        zip[at] ^= 0x55;
        let (code, message) = refused(&zip);
        assert!(message.contains("x.pac"), "{message}");
        codes.push(code);
    }
    // A changed bit may also make it longer than declared.
    assert!(
        codes
            .iter()
            .all(|code| ["package.corrupt", "package.hostile"].contains(code)),
        "{codes:?}"
    );
    assert!(codes.contains(&"package.corrupt"));
}

#[test]
fn refuses_an_encrypted_member() {
    let mut zip = Zip::new().stored("x.pac", &vector("unisoc/demo8910.pac")).done();
    set_field(&mut zip, 0, 8, 6, &[1, 0]);
    assert_refused(&zip, "package.unreadable", &["x.pac", "encrypted"]);
}

#[test]
fn refuses_an_unknown_compression() {
    let mut zip = Zip::new().stored("x.pac", &vector("unisoc/demo8910.pac")).done();
    set_field(&mut zip, 0, 10, 8, &[14, 0]);
    assert_refused(&zip, "package.unreadable", &["x.pac", "only deflate"]);
}

#[test]
fn refuses_names_that_reach_out() {
    for (name, word) in [
        ("../../etc/cron.d/x", "leads out"),
        ("a/../../x", "leads out"),
        ("/etc/passwd", "absolute"),
        ("C:/x.pac", "drive"),
        ("C:x.pac", "drive"),
        ("..\\x.pac", "backslash"),
        ("a\\b.pac", "backslash"),
        ("CON", "device"),
        ("a/nul.pac", "device"),
        ("com1.bin", "device"),
        ("a//b", "empty"),
        ("a\u{1}b", "control"),
        (".. /x", "leads out"),
    ] {
        let zip = Zip::new()
            .with("good.pac", &vector("unisoc/demo8910.pac"))
            .with(name, b"x")
            .done();
        assert_refused(&zip, "package.hostile", &["dangerous name", word]);
    }
}

#[test]
fn refuses_the_same_name_twice() {
    let zip = Zip::new()
        .with("a/1.pac", &vector("unisoc/demo8910.pac"))
        .with("a/2.pac", b"other");
    assert_refused(
        &renamed(zip.done(), "a/2.pac", "a/1.pac"),
        "package.hostile",
        &["twice"],
    );
}

#[test]
fn refuses_names_that_differ_in_capitals_only() {
    let zip = Zip::new()
        .with("a/X.pac", &vector("unisoc/demo8910.pac"))
        .with("A/x.PAC", b"other");
    assert_refused(&zip.done(), "package.hostile", &["twice"]);
}

#[test]
fn refuses_a_file_that_is_a_folder_too() {
    let zip = Zip::new()
        .with("a", b"file")
        .with("a/x.pac", &vector("unisoc/demo8910.pac"));
    assert_refused(&zip.done(), "package.hostile", &["`a`", "twice"]);
}

#[test]
fn refuses_a_link_in_a_zip() {
    let zip = Zip::new()
        .with("x.pac", &vector("unisoc/demo8910.pac"))
        .link("y.pac", "/etc/passwd");
    assert_refused(&zip.done(), "package.hostile", &["y.pac", "symbolic link"]);
}

#[cfg(unix)]
#[test]
fn refuses_links_and_special_files_in_a_folder() {
    for inside in [true, false] {
        let bench = Bench::new();
        let target = bench.file(
            if inside { "p/a.pac" } else { "elsewhere" },
            &vector("unisoc/demo8910.pac"),
        );
        let root = bench.tree("p", &owned(&[("b.txt", b"x")]));
        std::os::unix::fs::symlink(&target, root.join("link.pac")).unwrap();
        let (kind, message) = code(resolve(&root));
        assert_eq!(kind, "package.hostile");
        assert!(
            message.contains("link.pac") && message.contains("symbolic link"),
            "{message}"
        );
    }
    let bench = Bench::new();
    let root = bench.tree("p", &owned(&[("b.txt", b"x")]));
    let _socket = std::os::unix::net::UnixListener::bind(root.join("s")).unwrap();
    let (kind, message) = code(resolve(&root));
    assert_eq!(kind, "package.hostile");
    assert!(message.contains("special file"), "{message}");
    assert_eq!(
        code(resolve(std::path::Path::new("/dev/null"))).0,
        "package.hostile"
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_the_package_itself_is_followed() {
    let bench = Bench::new();
    let target = bench.file("real.pac", &vector("unisoc/demo8910.pac"));
    let link = bench.path().join("link.pac");
    std::os::unix::fs::symlink(target, &link).unwrap();
    assert_eq!(resolve(&link).unwrap().origin(), ["link.pac"]);
}

#[test]
fn reads_four_archives_deep_and_no_deeper() {
    let mut zip = vector("unisoc/demo8910.pac");
    for depth in 1..=5 {
        zip = Zip::new().with("inner.zip", &zip).done();
        match resolve_bytes("package.zip", &zip) {
            Ok(package) => assert_eq!((depth <= 4, package.origin().len()), (true, depth + 1)),
            Err(error) => {
                assert_eq!((depth, error.kind.code()), (5, "package.hostile"));
                assert!(error.message.contains("nested more than 4 deep"), "{error}");
            }
        }
    }
}

#[test]
fn refuses_too_many_members_in_all() {
    let many = |count: usize| {
        (0..count)
            .fold(Zip::new(), |zip, n| zip.stored(&format!("{n}"), b""))
            .done()
    };
    assert_refused(&many(4097), "package.hostile", &["4096"]);
    assert_refused(&many(4095), "package.unknown", &[]);
    let halves = Zip::new()
        .with("a.zip", &many(2100))
        .with("b.zip", &many(2100))
        .done();
    assert_refused(&halves, "package.hostile", &["b.zip", "4096"]);
}

#[test]
fn refuses_too_many_files_in_a_folder() {
    let bench = Bench::new();
    let root = bench.path().join("p");
    std::fs::create_dir(&root).unwrap();
    for number in 0..4097 {
        std::fs::write(root.join(number.to_string()), b"").unwrap();
    }
    assert_eq!(code(resolve(&root)).0, "package.hostile");
}

#[test]
fn refuses_too_many_bytes_in_all_before_it_expands_any() {
    let mut zip = Zip::new()
        .stored("a", b"x")
        .stored("b", b"y")
        .with("x.pac", b"z")
        .done();
    for member in 0..2 {
        set_field(&mut zip, member, 24, 22, &(300u32 << 20).to_le_bytes());
    }
    let began = Instant::now();
    assert_refused(&zip, "package.hostile", &["536870912"]);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn refuses_a_member_that_expands_beyond_its_size() {
    let pac = vector(REAL_PAC);
    for declared in [pac.len() - 1, 4096, 2200] {
        let mut zip = Zip::new().with("x.pac", &pac).done();
        set_field(&mut zip, 0, 24, 22, &(declared as u32).to_le_bytes());
        assert_refused(
            &zip,
            "package.hostile",
            &["x.pac", "beyond its declared", &declared.to_string()],
        );
    }
}

#[test]
fn refuses_a_member_that_ends_early() {
    let pac = vector("unisoc/demo8910.pac");
    let mut zip = Zip::new().with("x.pac", &pac).done();
    set_field(&mut zip, 0, 24, 22, &(pac.len() as u32 + 1).to_le_bytes());
    assert_refused(&zip, "package.corrupt", &["x.pac", "ends after"]);
}

#[test]
fn a_bomb_costs_neither_time_nor_memory() {
    let bomb = Zip::new().with("zeros", &vec![0; 100 << 20]).done();
    assert!(bomb.len() < 1 << 20);
    let began = Instant::now();
    let layers = (0..6)
        .fold(Zip::new(), |zip, n| zip.with(&format!("{n}.zip"), &bomb))
        .done();
    assert_refused(&layers, "package.hostile", &["536870912"]);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn refuses_a_package_whose_image_is_missing() {
    let files: Vec<_> = asr("").into_iter().filter(|(name, _)| name != "cp.bin").collect();
    assert_refused(
        &Zip::new().tree("x", &files).done(),
        "package.corrupt",
        &["cp.bin", "missing"],
    );
}

#[test]
fn refuses_an_image_larger_than_its_partition() {
    let mut files = asr("");
    files.iter_mut().find(|(name, _)| name == "rf.bin").unwrap().1 = noise(7, 0x8001, "");
    let zip = Zip::new().tree("", &files).done();
    assert_refused(&zip, "package.corrupt", &["rf.bin", "rfbin", "32768"]);
}

#[test]
fn refuses_a_partition_table_with_a_stale_check_sum() {
    let mut files = asr("");
    let swap = |files: &mut Vec<(String, Vec<u8>)>, name: &str, with: &str| {
        files.iter_mut().find(|(known, _)| known == name).unwrap().1 = vector(with);
    };
    swap(&mut files, "partition.bin", "asr/sdk/partition_16M.bin");
    swap(&mut files, "flashinfo.bin", "asr/sdk/flashinfo_16M.bin");
    assert_refused(
        &Zip::new().tree("", &files).done(),
        "package.corrupt",
        &["partition.bin", "CRC"],
    );
}

#[test]
fn refuses_an_image_that_is_damaged_and_says_so() {
    let mut zip = Zip::new();
    for (name, bytes) in asr("") {
        zip = zip.stored(&name, &bytes);
    }
    let mut zip = zip.done();
    let cp = noise(2, 40_000, "");
    let at = zip
        .windows(64)
        .position(|window| window == &cp[1000..1064])
        .unwrap();
    zip[at] ^= 1;
    assert_refused(&zip, "package.corrupt", &["cp.bin", "CRC-32"]);
}

fn sample() -> impl Strategy<Value = Vec<u8>> {
    let tiny = Zip::new()
        .with("a.pac", &[1; 3000])
        .stored("b/download.json", b"[]")
        .done();
    let nested = Zip::new()
        .with("x/y.bin", &tiny)
        .stored("platform_config.json", b"{}")
        .done();
    let mutate = move |(nested_one, changes, cut): (bool, Vec<(usize, u8)>, usize)| {
        let mut bytes = if nested_one { nested.clone() } else { tiny.clone() };
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let length = bytes.len();
        bytes.truncate(if cut < length { cut } else { length });
        bytes
    };
    (
        any::<bool>(),
        proptest::collection::vec((any::<usize>(), any::<u8>()), 0..8),
        0..4000usize,
    )
        .prop_map(mutate)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn never_panics_on_changed_zips(bytes in sample()) {
        let _ = resolve_bytes("x.zip", &bytes);
    }

    #[test]
    fn never_panics_on_noise(kind in 0..5usize, noise in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let starts: [&[u8]; 5] = [b"", b"PK\x03\x04", b"!CRANE! ", b"105\0\0\0\0\0", b"B\0P\0_\0R\0"];
        let _ = resolve_bytes("x", &[starts[kind], &noise].concat());
    }
}
