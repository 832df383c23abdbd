//! The parts of a `.pac` as files: one for each entry with data, and the XML.

use std::collections::HashSet;
use std::sync::Arc;

use qpyflash_protocols::unisoc::Pac;

use super::format_error;
use crate::firmware::archive::{checked, folded};
use crate::firmware::error::PackageError;
use crate::firmware::survey::Candidate;

/// Longest name of a file, in bytes; any file system takes it.
const NAME_LIMIT: usize = 200;

/// A name and the bytes under it.
type Part = (String, Arc<[u8]>);

/// The parts with a name for each. A name is the one in the package where that is harmless and not taken.
pub(crate) fn parts(candidate: &Candidate) -> Result<Vec<Part>, PackageError> {
    let file = candidate.tree.read(candidate.index)?;
    let pac = Pac::parse(&file).map_err(|source| format_error(candidate, source))?;
    let mut taken = HashSet::new();
    let mut parts = Vec::new();
    for (number, entry) in pac.entries.iter().enumerate() {
        if !entry.data.is_empty() {
            let own = harmless(&entry.file_name);
            let with_id = own
                .as_ref()
                .and_then(|own| harmless(&format!("{}-{own}", entry.id)));
            let wanted = [own, with_id, harmless(&format!("{}.bin", entry.id))];
            let name = free(wanted, format!("entry-{number}.bin"), &mut taken);
            parts.push((name, Arc::clone(&entry.data)));
        }
    }
    let xml = [harmless(&format!("{}.xml", pac.product))];
    parts.push((free(xml, "package.xml".into(), &mut taken), pac.xml));
    Ok(parts)
}

/// The last component of a name that some other system has made.
fn base(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

fn harmless(name: &str) -> Option<String> {
    let name = checked(base(name)).ok()?;
    let kept = |c: char| !matches!(c, '<' | '>' | '"' | '|' | '?' | '*');
    (name.len() <= NAME_LIMIT && name.chars().all(kept)).then_some(name)
}

/// The first of the wanted names that no other part has, on any file system; else the last resort, which is one of
/// a kind by its number.
fn free<const N: usize>(
    wanted: [Option<String>; N],
    last_resort: String,
    taken: &mut HashSet<String>,
) -> String {
    let mut names = wanted.into_iter().flatten();
    let name = names.find(|name| !taken.contains(&folded(name)));
    let mut name = name.unwrap_or(last_resort);
    while !taken.insert(folded(&name)) {
        name.insert(0, '_');
    }
    name
}
