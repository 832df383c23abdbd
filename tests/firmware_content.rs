//! Content decides, whatever a file is called and wherever it lies.

mod firmware_support;

use firmware_support::guide::*;
use firmware_support::*;
use qpyflash::Platform;
use qpyflash::firmware::resolve;

#[test]
fn unpacked_folders_of_every_platform() {
    let bench = Bench::new();
    let asr = bench.tree("固件 包 (1)/EC800K", &asr(ASR_REV));
    let unisoc = bench.tree("unisoc build", &unisoc_build());
    let eigencomm = bench.tree(".hidden/QPY_OCPU_V0003_EC600E_CNLC_FW", &eigencomm(true));
    for path in [&asr, asr.parent().unwrap()] {
        let package = resolve(path).unwrap();
        assert_is_asr(&package);
        assert_eq!(package.origin(), [path.file_name().unwrap().to_str().unwrap()]);
    }
    assert_is_the_real_pac(&resolve(&unisoc).unwrap());
    let package = resolve(&eigencomm).unwrap();
    assert_is_eigencomm(&package);
    assert_eq!(package.sha256().len(), 64);
    assert_ne!(
        package.sha256(),
        resolve(eigencomm.parent().unwrap()).unwrap().sha256()
    );
}

#[test]
fn a_folder_with_the_public_zip_in_it() {
    let bench = Bench::new();
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    bench.file("downloads/readme.txt", b"hello");
    bench.file(
        &format!("downloads/{name}.zip"),
        &public_unisoc(name, "unisoc8850"),
    );
    let package = resolve(&bench.path().join("downloads")).unwrap();
    assert_is_the_real_pac(&package);
    assert_eq!(package.origin().len(), 4);
}

#[test]
fn the_same_payload_twice_is_one() {
    let pac = vector(REAL_PAC);
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    let zip = Zip::new()
        .with("a.pac", &pac)
        .with("b.pac", &pac)
        .with("c.zip", &public_unisoc(name, "unisoc8850"))
        .done();
    assert_is_the_real_pac(&resolve_bytes("x.zip", &zip).unwrap());
    let files = asr(ASR_REV);
    let both = Zip::new()
        .tree("unpacked", &files)
        .with("flash.zip", &Zip::new().tree("", &files).done())
        .done();
    assert_is_asr(&resolve_bytes("x.zip", &both).unwrap());
}

#[test]
fn different_payloads_are_listed_with_what_they_are() {
    let zip = Zip::new()
        .with("first/QPY.pac", &vector(REAL_PAC))
        .tree("second", &asr(ASR_REV))
        .tree("third", &eigencomm(false))
        .done();
    let (code, message) = code(resolve_bytes("many.zip", &zip));
    assert_eq!(code, "package.ambiguous");
    for word in [
        "first/QPY.pac",
        "EC800G_CNLD",
        "second",
        ASR_REV,
        "third/at_command.binpkg",
        "EC600E_CNLC",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_eq!(message.lines().count(), 4);
}

#[test]
fn names_never_decide() {
    let bench = Bench::new();
    assert_is_asr(&bench.resolve("thing.pac", &asr_zip(ASR_REV)).unwrap());
    assert_is_the_real_pac(&bench.resolve("thing.binpkg", &vector(REAL_PAC)).unwrap());
    assert_is_the_real_pac(&bench.resolve("download.json.zip", &vector(REAL_PAC)).unwrap());
    let name = "QPY_OCPU_V0003_EC800E_CNLC_FW";
    let zip = Zip::new().tree(name, &eigencomm(true)).done();
    assert_is_eigencomm(&bench.resolve("noext", &zip).unwrap());
}

#[test]
fn capitals_blanks_and_copies_work() {
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    let bin = Zip::new()
        .with(&format!("{name} (2).PAC"), &vector(REAL_PAC))
        .done();
    let outer = Zip::new().with(&format!("我的 固件/{name} (1).BIN"), &bin).done();
    let package = resolve_bytes(&format!("下载 {name} (1).ZIP"), &outer).unwrap();
    assert_is_the_real_pac(&package);
    let of_the_name = |warning: &&String| !warning.contains("FMT_FSMOD");
    assert_eq!(package.warnings().iter().find(of_the_name), None);
    let mut capitals = asr(ASR_REV);
    capitals
        .iter_mut()
        .find(|(name, _)| name == "download.json")
        .unwrap()
        .0 = "DOWNLOAD.JSON".into();
    assert_is_asr(&resolve_bytes("A.ZIP", &Zip::new().tree("目录 a", &capitals).done()).unwrap());
}

/// The real package with one byte of an image changed: as sound, and not the same.
fn other_pac() -> Vec<u8> {
    let change = |id: &str, data: &mut Vec<u8>| {
        if id == "CP" {
            data[1000] ^= 1;
        }
    };
    pac_without(&vector(REAL_PAC), &[], change)
}

#[test]
fn names_in_gbk_are_read() {
    // The archiver of a Chinese Windows: GBK, and no flag that says so.
    let gbk: &[u8] = &[0xB9, 0xCC, 0xBC, 0xFE, b'/', b'a', b'.', b'p', b'a', b'c'];
    let ascii = b"XXXX/a.pac";
    let mut zip = Zip::new().with("XXXX/a.pac", &vector(REAL_PAC)).done();
    let places: Vec<usize> = zip
        .windows(ascii.len())
        .enumerate()
        .filter(|(_, w)| w == ascii)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        zip[at..at + gbk.len()].copy_from_slice(gbk);
    }
    let bench = Bench::new();
    let path = bench.file("x.zip", &zip);
    assert_is_the_real_pac(&resolve(&path).unwrap());
    let both = Zip::new()
        .with("other.pac", &other_pac())
        .with("x.zip", &zip)
        .done();
    let (_, message) = code(bench.resolve("both.zip", &both));
    assert!(message.contains("x.zip > 固件/a.pac"), "{message}");
}

#[test]
fn junk_of_file_managers_is_ignored() {
    let zip = Zip::new()
        .with("__MACOSX/a/._x.pac", &other_pac())
        .with("a/.DS_Store", b"\0\0\0\x01Bud1")
        .with("a/x.pac", &vector(REAL_PAC))
        .done();
    assert_is_the_real_pac(&resolve_bytes("x.zip", &zip).unwrap());
}

#[test]
fn what_is_no_package_says_what_was_seen() {
    for (name, bytes, word) in [
        ("a.txt", b"hello".to_vec(), "is not a `download.json`"),
        ("empty", Vec::new(), "is not a `download.json`"),
        ("a.rar", b"Rar!\x1a\x07\x00rest".to_vec(), "rar archive"),
        (
            "a.zip",
            Zip::new()
                .with("b.7z", b"7z\xbc\xaf\x27\x1crest")
                .with("c", b"")
                .done(),
            "7z archive",
        ),
        ("a.zip", Zip::new().done(), "none of the 0 files"),
    ] {
        let (code, message) = code(resolve_bytes(name, &bytes));
        assert_eq!(code, "package.unknown");
        assert!(message.contains(word), "{message}");
    }
    let error = resolve(std::path::Path::new("/no/such/file")).unwrap_err();
    assert_eq!(error.kind.code(), "package.unreadable");
}

#[test]
fn chips_that_are_not_written_are_named() {
    let mut pac = vector("unisoc/demo8910.pac");
    pac[52..1076].fill(0);
    for (unit, letter) in "UDX710_MODEM".bytes().enumerate() {
        pac[52 + 2 * unit] = letter;
    }
    let (kind, message) = code(resolve_bytes("x.pac", &pac_without(&pac, &[], |_, _| {})));
    assert_eq!(kind, "package.unsupported");
    assert!(
        message.contains("UDX710") && message.contains("UIS8910"),
        "{message}"
    );

    let mut binpkg = vector("eigencomm/at_command.binpkg");
    binpkg[..3].copy_from_slice(b"111");
    let (kind, message) = code(resolve_bytes("x.binpkg", &binpkg));
    assert_eq!(kind, "package.unsupported");
    assert!(message.contains("EC718"), "{message}");
}

/// A script that starts a loader and writes five bytes. Source: specs/asr-aboot.md §5.4.
fn script() -> Vec<u8> {
    let step = |payload: &[u8], then: &str| {
        let size = format!("{:08x}", payload.len());
        [
            format!("download:{size}\nDATA{size}\n").as_bytes(),
            payload,
            b"\nOKAY\n",
            then.as_bytes(),
        ]
        .concat()
    };
    let body = [
        b"getvar:version-bootrom\nOKAY2021.10.16\n".to_vec(),
        step(
            &vector("asr/sdk/ASR1603/preboot.img"),
            "verify\nOKAY\ncall\nOKAY\n",
        ),
        step(
            &vector("asr/sdk/ASR1603/flasher.img"),
            "verify\nOKAY\ncall\nOKAY\n",
        ),
        step(&vector("asr/sparse/sparse_HELLO.bin"), "flash:user_app\nOKAY\n"),
    ]
    .concat();
    let whole = b"!CRANE! 00000000\n".len() + body.len();
    [format!("!CRANE! {whole:08x}\n").into_bytes(), body].concat()
}

#[test]
fn asr_script_alone() {
    let package = resolve_bytes("firmware.bin", &script()).unwrap();
    assert_eq!(package.platform(), Platform::Asr);
    assert_eq!(package.origin(), ["firmware.bin"]);
    assert_eq!(
        package.helpers()[0].data[..],
        vector("asr/sdk/ASR1603/preboot.img")
    );
}

#[test]
fn asr_script_gives_way_to_the_zip_beside_it() {
    let zip = Zip::new()
        .with("r/firmware.bin", &script())
        .with("r/x.zip", &asr_zip(ASR_REV))
        .done();
    assert_is_asr(&resolve_bytes("release.zip", &zip).unwrap());
    let apart = Zip::new()
        .with("q/firmware.bin", &script())
        .with("r/x.zip", &asr_zip(ASR_REV))
        .done();
    assert_eq!(code(resolve_bytes("release.zip", &apart)).0, "package.ambiguous");
}
