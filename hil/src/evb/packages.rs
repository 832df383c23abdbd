//! The packages that a module must refuse, made where the board file names none.
//!
//! What is generated holds no program that a chip could run. Where the refusal fails, a boot ROM that is given such a
//! helper hangs before it touches flash, until it is powered anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use qpyflash::identity::OrderingCode;
use qpyflash_usb_rig::subject::Kind;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Packages by the names that stand for them in braces.
pub type Stock = BTreeMap<String, PathBuf>;

/// A submodel that no module has.
const NO_SUBMODEL: &str = "CNZZ";

/// The label of another module of the same series.
pub fn other_label(label: &OrderingCode) -> String {
    format!("{}{NO_SUBMODEL}", label.series())
}

/// Makes in `folder` what `stock` lacks. `platform` is what the good package is for.
///
/// # Errors
/// A package that cannot be read, written or made.
pub fn complete(
    stock: &mut Stock,
    folder: &Path,
    platform: &str,
    label: &OrderingCode,
) -> Result<(), String> {
    let io = |why: std::io::Error| format!("cannot make a package in `{}`: {why}", folder.display());
    let (own, other, others_series) = relatives(platform, label.series())?;
    let mut add = |name: &str, file: String, bytes: Vec<u8>| -> Result<(), String> {
        if !stock.contains_key(name) {
            let path = folder.join(file);
            fs::write(&path, bytes).map_err(io)?;
            stock.insert(name.to_owned(), path);
        }
        Ok(())
    };
    let wrong = |series: &str, submodel: &str| {
        let name = format!("QPY_OCPU_V0001_{series}_{submodel}_FW");
        let revision = format!("{series}{submodel}R01A01M08_OCPU_QPY");
        own.archive_of(&revision, &name, false)
            .map(|bytes| (format!("{name}.zip"), bytes))
            .map_err(io)
    };
    add(
        "other-platform",
        format!("{}.zip", other.package),
        other.archive(false).map_err(io)?,
    )?;
    let (file, bytes) = wrong(others_series, "CNLA")?;
    add("other-series", file, bytes)?;
    let (file, bytes) = wrong(label.series(), NO_SUBMODEL)?;
    add("other-submodel", file, bytes)?;
    let good = stock.get("good").ok_or("there is no good package")?;
    // An unpacked folder cannot be damaged in one place.
    let Ok(bytes) = fs::read(good) else {
        return Ok(());
    };
    let name = good
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    for (what, bytes) in [
        ("damaged", damaged(bytes.clone())),
        ("truncated", bytes[..bytes.len() / 3 * 2].to_vec()),
        ("hostile", hostile(&name, &bytes)?),
    ] {
        let ending = if what == "hostile" { ".zip" } else { "" };
        let path = folder.join(format!("{what}-{name}{ending}"));
        fs::write(&path, bytes).map_err(io)?;
        stock.insert(what.to_owned(), path);
    }
    Ok(())
}

/// The kind of the module itself, of a module of another platform, and another series of its own platform.
fn relatives(platform: &str, series: &str) -> Result<(&'static Kind, &'static Kind, &'static str), String> {
    let (own, other, [one, another]) = match platform {
        "asr" => ("asr1603", "uis8910", ["EC600N", "EC800N"]),
        "unisoc8910" => ("uis8910", "asr1603", ["EC600U", "EC200U"]),
        "unisoc8850" => ("uis8850", "asr1603", ["EC600G", "EC800G"]),
        "eigencomm618" => ("ec618", "asr1603", ["EC600E", "EC800E"]),
        _ => {
            return Err(format!(
                "no wrong packages are known for the platform `{platform}`"
            ));
        }
    };
    let others = if series == one { another } else { one };
    Ok((Kind::named(own)?, Kind::named(other)?, others))
}

/// One bit in the middle is another.
fn damaged(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes
}

/// The good package in an archive with a member that leads out of any folder it is unpacked to.
fn hostile(name: &str, good: &[u8]) -> Result<Vec<u8>, String> {
    let words = |why: zip::result::ZipError| why.to_string();
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (member, bytes) in [(name, good), ("../../qpyflash-was-here", b"x")] {
        archive
            .start_file(member, SimpleFileOptions::default())
            .map_err(words)?;
        archive.write_all(bytes).map_err(|why| why.to_string())?;
    }
    Ok(archive.finish().map_err(words)?.into_inner())
}
