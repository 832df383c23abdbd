//! The XML at the end of a package: what each entry is, where it goes, and which NV items the vendor keeps.
//!
//! ```text
//! BMAConfig
//!   ProductList / Product: SchemeName, NVBackup / NVItem: ID, BackupFlag / NVFlag     the first product counts
//!   SchemeList / Scheme / File: ID, IDAlias, Type, Block{Base, Size}, Flag, CheckFlag  the first scheme counts
//! ```
//!
//! Source: specs/unisoc-pac-bsl.md §1.5 (V).

use roxmltree::{Document, Node, ParsingOptions};

use super::corrupt;
use crate::FormatError;

/// Nodes the document may have; the largest published one has some 1000.
const NODE_LIMIT: u32 = 100_000;
/// Files of a scheme. Source: §1.4: a package has at most 256 entries.
const FILE_LIMIT: usize = 256;
/// Items of the backup list; the NV area itself holds at most so many. Source: §6.6.
const ITEM_LIMIT: usize = 1024;
/// Longest ID, in characters. Source: §1.5 (V).
const ID_CHARS: usize = 31;
/// Longest type and number, in characters. Source: §1.5 (V).
const WORD_CHARS: usize = 15;
/// The ID of "Calibration" and "IMEI", which are meant by name.
const BY_NAME: u32 = 0xFFFF_FFFF;

/// The description of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// In the order of flashing.
    pub files: Vec<File>,
    /// The NV items that a module keeps, in the order of the document.
    pub kept_items: Vec<KeptItem>,
}

/// One `File` of the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The `IDAlias`: the ID of the entry it belongs to.
    pub id: String,
    /// `CODE`, `NV`, `EraseFlash`.
    pub kind: String,
    /// Where it goes.
    pub base: u32,
    /// The size of that place in bytes, 0 when it has none; for a file system its name as four letters.
    pub size: u32,
    /// Whether it has a file.
    pub has_file: bool,
    /// 0 optional, 1 must be selected, 2 not selected by default. Another scale than the entry's own flag.
    pub check_flag: u32,
}

/// One `NVItem` of the backup list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptItem {
    /// `IMEI2`.
    pub name: String,
    /// The item; nothing where the vendor means it by name.
    pub id: Option<u16>,
    /// Its absence in the module is no error.
    pub may_be_missing: bool,
}

impl Scheme {
    /// Reads the XML of a package.
    ///
    /// # Errors
    /// [`FormatError`] when it is no XML, breaks a limit, or lacks what every package has.
    pub fn parse(xml: &[u8]) -> Result<Scheme, FormatError> {
        let text = std::str::from_utf8(xml).map_err(|why| broken(format!("it is not UTF-8: {why}")))?;
        let text = text.trim_start_matches('\u{feff}').trim_end_matches('\0');
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODE_LIMIT,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options).map_err(|why| broken(why.to_string()))?;
        let root = document.root_element();
        if !root.has_tag_name("BMAConfig") {
            return Err(broken(format!(
                "its root is `{}`, not `BMAConfig`",
                root.tag_name().name()
            )));
        }
        let product = inside(root, &["ProductList", "Product"]);
        let scheme = inside(root, &["SchemeList", "Scheme"]).ok_or_else(|| missing("SchemeList/Scheme"))?;
        let mut files = Vec::new();
        for node in elements(scheme, "File") {
            let file = file(node)?;
            if files.iter().any(|other: &File| other.id == file.id) {
                return Err(broken(format!("`{}` is in it twice", file.id)));
            }
            files.push(file);
        }
        if files.len() > FILE_LIMIT {
            return Err(broken(format!("it has more than {FILE_LIMIT} files")));
        }
        let backup = product.and_then(|product| child(product, "NVBackup"));
        let kept_items = backup.map_or(Ok(Vec::new()), kept_items)?;
        Ok(Scheme { files, kept_items })
    }

    /// The file of an entry.
    pub fn file(&self, id: &str) -> Option<&File> {
        self.files.iter().find(|file| file.id == id)
    }
}

fn file(node: Node<'_, '_>) -> Result<File, FormatError> {
    let name = text(node, "IDAlias")
        .filter(|alias| !alias.is_empty())
        .or_else(|| text(node, "ID"));
    let id = name
        .filter(|id| !id.is_empty())
        .ok_or_else(|| missing("File/ID"))?;
    if id.chars().count() > ID_CHARS {
        return Err(broken(format!(
            "the ID `{id}` is longer than {ID_CHARS} characters"
        )));
    }
    let wanted = |field: &str| format!("`{field}` of `{id}`");
    let block = child(node, "Block").ok_or_else(|| missing(&wanted("Block")))?;
    if block
        .attribute("id")
        .is_some_and(|partition| !partition.is_empty())
    {
        let why = "it addresses flash by the names of partitions: it is for another chip";
        return Err(broken(why.into()));
    }
    let value = |parent, field: &str| {
        let text = text(parent, field).ok_or_else(|| missing(&wanted(field)))?;
        number(text).ok_or_else(|| broken(format!("{} is `{text}`, which is no number", wanted(field))))
    };
    let kind = text(node, "Type").ok_or_else(|| missing(&wanted("Type")))?;
    if kind.chars().count() > WORD_CHARS {
        return Err(broken(format!("{} is too long", wanted("Type"))));
    }
    Ok(File {
        id: id.to_owned(),
        kind: kind.to_owned(),
        base: value(block, "Base")?,
        size: value(block, "Size")?,
        has_file: value(node, "Flag")? != 0,
        check_flag: value(node, "CheckFlag")?,
    })
}

fn kept_items(backup: Node<'_, '_>) -> Result<Vec<KeptItem>, FormatError> {
    let used = |node: Node<'_, '_>, attribute: &str| node.attribute(attribute) == Some("1");
    if !used(backup, "backup") {
        return Ok(Vec::new());
    }
    let mut items = Vec::new();
    for node in elements(backup, "NVItem").filter(|node| used(*node, "backup")) {
        let Some(flag) = child(node, "BackupFlag").filter(|flag| used(*flag, "use")) else {
            continue;
        };
        let name = node.attribute("name").unwrap_or_default().to_owned();
        let id = text(node, "ID")
            .and_then(number)
            .ok_or_else(|| broken(format!("the NV item `{name}` has no `ID` that is a number")))?;
        let id = match id {
            BY_NAME => None,
            id => Some(
                u16::try_from(id)
                    .ok()
                    .filter(|id| *id < 0xFFFE)
                    .ok_or_else(|| broken(format!("the NV item `{name}` has the ID 0x{id:x}")))?,
            ),
        };
        let may_be_missing = elements(flag, "NVFlag")
            .any(|flag| flag.attribute("name") == Some("Continue") && used(flag, "check"));
        items.push(KeptItem {
            name,
            id,
            may_be_missing,
        });
    }
    match items.len() > ITEM_LIMIT {
        true => Err(broken(format!("it keeps more than {ITEM_LIMIT} NV items"))),
        false => Ok(items),
    }
}

fn elements<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    elements(node, name).next()
}

fn inside<'a, 'i>(node: Node<'a, 'i>, path: &[&'static str]) -> Option<Node<'a, 'i>> {
    path.iter().try_fold(node, |node, name| child(node, name))
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.has_tag_name(name))?;
    Some(child.text().unwrap_or_default().trim())
}

/// Hexadecimal behind `0x`, else decimal.
fn number(text: &str) -> Option<u32> {
    if text.len() > WORD_CHARS || text.starts_with('+') {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if hex.starts_with('+') => None,
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn broken(why: String) -> FormatError {
    corrupt("the XML of the .pac file", why)
}

fn missing(what: &str) -> FormatError {
    FormatError::Missing {
        what: format!("{what} of the XML of the .pac file"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Pac;
    use super::super::tests::{demo, vector};
    use super::*;

    fn demo_xml() -> String {
        String::from_utf8(demo().xml.to_vec()).unwrap()
    }

    fn item(name: &str, id: Option<u16>, may_be_missing: bool) -> KeptItem {
        let name = name.to_owned();
        KeptItem {
            name,
            id,
            may_be_missing,
        }
    }

    #[test]
    fn reads_the_vendor_generators_xml() {
        let scheme = Scheme::parse(&demo().xml).unwrap();
        let nv = scheme.file("NV").unwrap();
        assert_eq!(
            (nv.kind.as_str(), nv.base, nv.size, nv.has_file, nv.check_flag),
            ("NV", 0xFE00_0003, 0x20000, true, 0)
        );
        assert_eq!(scheme.file("FMT_FSSYS").unwrap().size, 0x5359_5346);
        assert_eq!(
            scheme.kept_items,
            [
                item("Calibration", None, false),
                item("GSM Calibration", Some(0x26D), true),
                item("LTE Calibration", Some(0x26E), false),
                item("IMEI", None, false),
                item("IMEI2", Some(0x179), false),
                item("BT_Config", Some(0x191), true),
            ]
        );
    }

    #[test]
    fn reads_a_published_packages_xml() {
        let pac = Pac::parse(&vector("packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac")).unwrap();
        let scheme = Scheme::parse(&pac.xml).unwrap();
        let order: Vec<_> = scheme.files.iter().map(|file| file.id.as_str()).collect();
        let entries: Vec<_> = pac.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(order, entries);
        let ids: Vec<_> = scheme.kept_items.iter().filter_map(|item| item.id).collect();
        assert_eq!(ids, [0x26E, 0x26F, 0x179, 0x1B4, 0x1F0, 0x300]);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (from, to, word) in [
            ("<BMAConfig>", "<Other>", "XML"),
            ("0x8000c0", "C0FFEE", "no number"),
            ("0x8000c0", "0x8000c0000", "no number"),
            ("0x8000c0", "0x0000000000008000c0", "no number"),
            ("<Type>NV</Type>", "<Type>NVNVNVNVNVNVNVNV</Type>", "too long"),
            ("<Type>NV</Type>", "", "`Type` of `NV`"),
            ("<IDAlias>AP</IDAlias>", "<IDAlias>PS</IDAlias>", "twice"),
            ("<ID>0x179</ID>", "<ID>0xFFFE</ID>", "0xfffe"),
            ("<ID>0x179</ID>", "<ID/>", "IMEI2"),
            ("SchemeList", "Schemes", "SchemeList"),
            ("<Block>", "<Block id=\"boot\">", "partitions"),
            (
                "<BMAConfig>",
                "<!DOCTYPE a [<!ENTITY b \"c\">]><BMAConfig>",
                "XML",
            ),
        ] {
            let xml = demo_xml().replace(from, to);
            let error = Scheme::parse(xml.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(word), "{from} -> {to}: {error}");
        }
        assert!(Scheme::parse(b"\xFF\xFE<BMAConfig/>").is_err());
    }

    #[test]
    fn takes_no_items_when_backup_is_off() {
        let off = demo_xml().replace("<NVBackup backup=\"1\">", "<NVBackup backup=\"0\">");
        assert_eq!(Scheme::parse(off.as_bytes()).unwrap().kept_items, []);
        let unused = demo_xml().replacen("<BackupFlag use=\"1\"/>", "<BackupFlag use=\"0\"/>", 1);
        assert_eq!(Scheme::parse(unused.as_bytes()).unwrap().kept_items.len(), 5);
    }

    proptest! {
        #[test]
        fn never_panics_on_changed_text(at in 0..4000usize, bytes in proptest::collection::vec(any::<u8>(), 0..8), cut in 0..4100usize) {
            let mut xml = demo().xml.to_vec();
            let end = (at + bytes.len()).min(xml.len());
            xml.splice(at..end, bytes);
            xml.truncate(cut);
            let _ = Scheme::parse(&xml);
        }
    }
}
