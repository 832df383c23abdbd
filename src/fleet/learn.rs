//! Where the slots are: a module is plugged into one after the other, and each place gets the next name.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};
use crate::link::Cancel;
use crate::module::{Bus, Change, TopologyPath, attached, follow};

/// What a person should know while it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// A module may be plugged in now.
    Plug {
        /// The slot that will be found.
        name: String,
    },
    /// A slot was found, and is in the file.
    Found(Found),
}

/// A place that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The name it was given.
    pub name: String,
    /// Where it is.
    pub path: TopologyPath,
}

/// What a file may already say of slots, whatever else is in it.
#[derive(Default, Deserialize)]
struct Known {
    #[serde(default)]
    slot: Vec<KnownSlot>,
}

#[derive(Deserialize)]
struct KnownSlot {
    name: String,
    path: Option<TopologyPath>,
}

/// Adds a slot to `file` for each name, as modules are plugged into places that are no slot yet; what is plugged in
/// when it begins counts as no slot. Each is in the file before `tell` hears of it. Ends with the last name, or when
/// `cancel` is set. The file is made if there is none, and nothing that is in it changes.
///
/// # Errors
/// [`Kind::Usage`] for a file that cannot be read or written, and a name that is taken or is none.
pub fn learn(
    file: &Path,
    names: &[String],
    cancel: &Cancel,
    mut tell: impl FnMut(Step),
) -> Result<Vec<Found>, Error> {
    let known = known(file)?;
    check_names(file, names, &known)?;
    let mut taken: HashSet<TopologyPath> = known.slot.into_iter().filter_map(|slot| slot.path).collect();
    taken.extend(attached()?.into_iter().map(|module| module.topology));
    let mut left = names.iter();
    let (mut found, mut failed) = (Vec::new(), None);
    let plug = |name: &String| Step::Plug { name: name.clone() };
    let Some(mut next) = left.next() else {
        return Ok(found);
    };
    tell(plug(next));
    follow(&Bus::current(), cancel, |change| {
        let Change::Attached(module) = change else {
            return true;
        };
        if !taken.insert(module.topology.clone()) {
            return true;
        }
        let one = Found {
            name: next.clone(),
            path: module.topology,
        };
        if let Err(why) = append(file, &one) {
            failed = Some(usage(format!("cannot write `{}`: {why}", file.display())));
            return false;
        }
        tell(Step::Found(one.clone()));
        found.push(one);
        match left.next() {
            Some(name) => {
                next = name;
                tell(plug(next));
            }
            None => return false,
        }
        true
    })?;
    failed.map_or(Ok(found), Err)
}

fn usage(text: String) -> Error {
    Error::new(Kind::Usage, text)
}

fn known(file: &Path) -> Result<Known, Error> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            toml::from_str(&text).map_err(|why| usage(format!("`{}`: {}", file.display(), why.message())))
        }
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Known::default()),
        Err(why) => Err(usage(format!("cannot read `{}`: {why}", file.display()))),
    }
}

fn check_names(file: &Path, names: &[String], known: &Known) -> Result<(), Error> {
    let mut seen: HashSet<&str> = known.slot.iter().map(|slot| slot.name.as_str()).collect();
    for name in names {
        // Such a name needs no quotes that could go wrong, and stands in a line of labels.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(usage(format!(
                "`{name}` is no name for a slot: letters, digits, `-`, `_` and `.`"
            )));
        }
        if !seen.insert(name) {
            return Err(usage(format!(
                "`{name}` is twice the name of a slot, in `{}` or here",
                file.display()
            )));
        }
    }
    Ok(())
}

fn append(file: &Path, found: &Found) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    // A file need not end with a line end.
    write!(
        file,
        "\n[[slot]]\nname = \"{}\"\npath = \"{}\"\n",
        found.name, found.path
    )?;
    file.sync_all()
}
