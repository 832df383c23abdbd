//! The XML of a package. Source: specs/unisoc-pac-bsl.md §1.5.

use std::fmt::Write;

use super::PacEntry;
use super::container::names;
use crate::unisoc::UnisocChip;

/// An NV item that is kept: name, id, and whether it may be missing.
type Kept = (&'static str, u32, bool);

/// Place-holder of the items that tools know by name.
const BY_NAME: u32 = 0xFFFF_FFFF;

/// The lists of Quectel's packages. Source: §1.5.
const KEPT_8910: [Kept; 10] = [
    ("Calibration", BY_NAME, false),
    ("GSM Calibration", 0x26D, true),
    ("LTE Calibration", 0x26E, false),
    ("IMEI", BY_NAME, false),
    ("IMEI2", 0x179, false),
    ("BT_Config", 0x191, true),
    ("Simlock", 0x1F0, true),
    ("Simlock1", 0x1F1, true),
    ("Simlock2", 0x1F2, true),
    ("module_def", 0x300, true),
];
const KEPT_8850: [Kept; 8] = [
    ("Calibration", BY_NAME, false),
    ("LTE Calibration", 0x26E, false),
    ("Golden_Calib", 0x26F, false),
    ("IMEI", BY_NAME, false),
    ("IMEI2", 0x179, false),
    ("GPS_Aptsx", 0x1B4, true),
    ("Simlock", 0x1F0, true),
    ("module_def", 0x300, true),
];

/// The whole text, lines ended by CRLF.
pub(super) fn text(chip: UnisocChip, entries: &[PacEntry]) -> String {
    let product = names(chip)[0];
    let kept = match chip {
        UnisocChip::Uis8910 => &KEPT_8910[..],
        UnisocChip::Uis8850 => &KEPT_8850[..],
    };
    let mut lines = Lines::default();
    lines.line(0, r#"<?xml version="1.0" encoding="utf-8"?>"#);
    lines.inside("BMAConfig", |lines| {
        lines.inside("ProductList", |lines| {
            lines.inside(&format!(r#"Product name="{product}""#), |lines| {
                lines.element("SchemeName", product);
                lines.element("RebootByAT", "1");
                lines.element("FlashTypeID", "1");
                lines.element("Mode", "0");
                lines.inside(r#"NVBackup backup="1""#, |lines| {
                    kept.iter().for_each(|item| lines.kept(item));
                });
                lines.inside(r#"Chips enable="0""#, |lines| {
                    lines.here(r#"<ChipItem id="0x2222" name="L2"/>"#);
                });
            });
        });
        lines.inside("SchemeList", |lines| {
            lines.inside(&format!(r#"Scheme name="{product}""#), |lines| {
                entries.iter().for_each(|entry| lines.file(entry));
            });
        });
    });
    lines.text
}

#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, depth: usize, line: &str) {
        let _ = write!(self.text, "{}{line}\r\n", "\t".repeat(depth));
    }

    fn here(&mut self, line: &str) {
        self.line(self.depth, line);
    }

    fn inside(&mut self, tag: &str, write: impl FnOnce(&mut Self)) {
        self.here(&format!("<{tag}>"));
        self.depth += 1;
        write(self);
        self.depth -= 1;
        let name = tag.split(' ').next().unwrap_or_default();
        self.here(&format!("</{name}>"));
    }

    fn element(&mut self, name: &str, value: &str) {
        self.here(&format!("<{name}>{value}</{name}>"));
    }

    fn kept(&mut self, (name, id, may_be_missing): &Kept) {
        self.inside(&format!(r#"NVItem name="{name}" backup="1""#), |lines| {
            lines.element("ID", &format!("{id:#x}"));
            if *may_be_missing {
                lines.inside(r#"BackupFlag use="1""#, |lines| {
                    lines.here(r#"<NVFlag name="Continue" check="1"/>"#);
                });
            } else {
                lines.here(r#"<BackupFlag use="1"/>"#);
            }
        });
    }

    fn file(&mut self, entry: &PacEntry) {
        let must = matches!(entry.kind, "HOST_FDL" | "FDL" | "FDL2");
        self.inside("File", |lines| {
            lines.element("ID", &entry.id);
            lines.element("IDAlias", &entry.id);
            lines.element("Type", entry.kind);
            lines.inside("Block", |lines| {
                lines.element("Base", &format!("{:#x}", entry.address));
                lines.element("Size", &format!("{:#x}", entry.region));
            });
            lines.element("Flag", if entry.data.is_empty() { "0" } else { "1" });
            lines.element("CheckFlag", if must { "1" } else { "0" });
            lines.element("Description", &entry.id);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;
    use crate::pac::recipe;

    #[test]
    fn is_written_as_the_vendors_generator_writes_it() {
        let chip = UnisocChip::Uis8910;
        let entries = recipe::entries("EC600UCNLBR03A02M08_OCPU_QPY", chip, Scale::Small);
        let text = text(chip, &entries);
        assert!(text.len() >= 1024);
        let erase = "\t\t\t<File>\r\n\t\t\t\t<ID>ERASE_BOOT</ID>\r\n\t\t\t\t<IDAlias>ERASE_BOOT</IDAlias>\r\n\
            \t\t\t\t<Type>EraseFlash</Type>\r\n\t\t\t\t<Block>\r\n\t\t\t\t\t<Base>0x60000000</Base>\r\n\
            \t\t\t\t\t<Size>0x10000</Size>\r\n\t\t\t\t</Block>\r\n\t\t\t\t<Flag>0</Flag>\r\n\
            \t\t\t\t<CheckFlag>0</CheckFlag>\r\n";
        assert!(text.contains(erase), "{text}");
        assert!(
            text.contains("<Size>0x53595346</Size>"),
            "the name of a file system"
        );
        assert_eq!(text.matches("<NVItem ").count(), 10);
        assert_eq!(text.matches("<File>").count(), entries.len());
        assert!(!text.replace("\r\n", "").contains('\n'));
    }
}
