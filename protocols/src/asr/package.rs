//! `download.json`: an array of entries, run in the order of the file. Source: specs/asr-aboot.md §5.2 (V).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::{Action, Condition, Entry, Image, Plan, Production, Route, rehearse, selection};
use super::rehearsal::{LONGEST_PARTITION, LONGEST_VARIABLE, check_name};
use super::sparse::{Reader, Sparse};
use super::tables::Table;
use super::{corrupt, fip, unsupported};
use crate::FormatError;

/// The name of the file that these entries come from.
const FILE: &str = "download.json";
/// Bytes to which all sparse images of one package may expand together; the largest flash of these modules has
/// 16 MB. The limit is ours.
pub(super) const MOST_EXPANDED: u64 = 512 << 20;
/// Fields of an entry that are known; the vendor's tools ignore some of them. Source: §5.2 (V).
const FIELDS: [&str; 10] = [
    "command",
    "group",
    "name",
    "value",
    "image",
    "partition",
    "weight",
    "productionOnly",
    "version-bootrom",
    "imageSize",
];

type Members<'m> = &'m mut dyn FnMut(&str) -> Option<Arc<[u8]>>;

impl Plan {
    /// Reads `download.json` and the images it names. `image` gives a member of the package by its exact name:
    /// `flasher.img`, or `2020.07.30/flasher.img` for an entry with `version-bootrom`.
    ///
    /// # Errors
    /// [`FormatError`] with the first thing that would fail, or that we refuse to do.
    pub fn from_download_json(json: &[u8], image: Members<'_>) -> Result<Plan, FormatError> {
        let rows = rows(json)?;
        let mut production = production_groups(&rows)?;
        let mut package = Package {
            members: image,
            cache: HashMap::new(),
            expandable: MOST_EXPANDED,
        };
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            let for_production = production.groups.contains(&row.group()?);
            match row.entry(&mut package, for_production) {
                Ok(entry) => entries.push(entry),
                Err(why) if for_production => production.blocked.push(why.to_string()),
                Err(why) => return Err(why),
            }
        }
        production.required = required(&rows, &entries, &production)?;
        let mut warnings: Vec<String> = rows.iter().flat_map(Row::unknown_fields).collect();
        if !production.groups.is_empty() {
            warnings.push(format!(
                "for production only: group `{}`",
                production.groups.join("`, `")
            ));
        }
        rehearse_all(&entries, &mut production, &mut warnings)?;
        let (images, helpers) = collect(&entries);
        let production = (!production.groups.is_empty()).then_some(production);
        Ok(Plan {
            route: Route::Entries(entries),
            images,
            helpers,
            warnings,
            production,
        })
    }
}

/// Goes through the entries for every boot ROM they name, in both modes.
fn rehearse_all(
    entries: &[Entry],
    production: &mut Production,
    warnings: &mut Vec<String>,
) -> Result<(), FormatError> {
    let named: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry.version_bootrom.as_deref())
        .collect();
    let versions: Vec<Option<&str>> = if named.is_empty() {
        vec![None]
    } else {
        named.into_iter().map(Some).collect()
    };
    for version in versions {
        if !production.groups.is_empty()
            && production.blocked.is_empty()
            && let Err(why) = rehearse(selection(entries, version, true))
        {
            production.blocked.push(why.to_string());
        }
        let whole = production.required.is_some();
        for warning in rehearse(selection(entries, version, whole))? {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(())
}

/// Why the package cannot be written without its production groups, if so. Source: §5.2: productionOnly.
fn required(rows: &[Row], entries: &[Entry], production: &Production) -> Result<Option<String>, FormatError> {
    let of_production = entries.iter().filter(|entry| entry.production);
    let mut helpers =
        of_production.filter(|entry| matches!(entry.action, Action::Call(_) | Action::Partition(..)));
    let zero = production.groups.iter().any(|group| group == "0");
    if !zero && helpers.next().is_none() {
        return Ok(None);
    }
    let why = "without its production groups the flash entries would run without a flasher";
    if production.blocked.is_empty() {
        return Ok(Some(why.to_owned()));
    }
    let row = rows
        .first()
        .map_or_else(|| FILE.to_owned(), |row| row.what.clone());
    Err(unsupported(
        row,
        format!("{why}; {}", production.blocked.join("; ")),
    ))
}

fn collect(entries: &[Entry]) -> (Vec<Image>, Vec<Image>) {
    let (mut images, mut helpers) = (Vec::new(), Vec::new());
    for entry in entries {
        match &entry.action {
            Action::Flash(image) => images.push(image.clone()),
            Action::Call(image) | Action::Partition(image, _) => helpers.push(image.clone()),
            _ => {}
        }
    }
    (images, helpers)
}

/// An object of the array, with its place for messages.
struct Row {
    what: String,
    fields: Map<String, Value>,
}

fn rows(json: &[u8]) -> Result<Vec<Row>, FormatError> {
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    let value: Value =
        serde_json::from_slice(json).map_err(|error| corrupt(FILE, format!("not JSON: {error}")))?;
    let Value::Array(values) = value else {
        return Err(FormatError::NotThis {
            what: FILE.to_owned(),
            expected: "an array of entries",
            found: "it is another JSON value".to_owned(),
        });
    };
    let row = |(number, value)| {
        let what = format!("{FILE} entry {}", number + 1);
        match value {
            Value::Object(fields) => Ok(Row { what, fields }),
            _ => Err(corrupt(what, "it is not an object")),
        }
    };
    values.into_iter().enumerate().map(row).collect()
}

/// The groups of which any entry is for production only.
fn production_groups(rows: &[Row]) -> Result<Production, FormatError> {
    let mut production = Production::default();
    for row in rows {
        let group = row.group()?;
        match row.fields.get("productionOnly") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) if production.groups.contains(&group) => {}
            Some(Value::Bool(true)) => production.groups.push(group),
            Some(_) => return Err(corrupt(&row.what, "`productionOnly` is not true or false")),
        }
    }
    Ok(production)
}

impl Row {
    fn entry(&self, package: &mut Package<'_>, production: bool) -> Result<Entry, FormatError> {
        let version_bootrom = self.text("version-bootrom")?;
        for ignored in ["weight", "imageSize"] {
            self.text(ignored)?;
        }
        let image = |package: &mut Package<'_>| -> Result<(String, Arc<[u8]>), FormatError> {
            let name = self.required_text("image")?;
            let name = version_bootrom
                .as_ref()
                .map_or(name.clone(), |version| format!("{version}/{name}"));
            Ok((name.clone(), package.member(&name)?))
        };
        let ram = |(name, data)| Image {
            name,
            target: String::new(),
            data,
            production,
        };
        let command = self.required_text("command")?;
        let action = match command.as_str() {
            "require" => Action::Require(self.condition()?),
            "reject" => Action::Reject(self.condition()?),
            "progress" => Action::Progress(self.weight()?),
            "call" => {
                let (name, data) = image(package)?;
                fip::check(&format!("`{name}`"), &data)?;
                Action::Call(ram((name, data)))
            }
            "partition" => {
                let (name, data) = image(package)?;
                let table = Table::parse(&format!("`{name}`"), &data)?;
                Action::Partition(ram((name, data)), table)
            }
            "erase" => Action::Erase(self.required_text("partition")?),
            "flash" => {
                let (name, data) = image(package)?;
                let data = package.expanded(&name, data)?;
                Action::Flash(Image {
                    name,
                    target: self.required_text("partition")?,
                    data,
                    production,
                })
            }
            "go" => Action::Go,
            "enable" => Action::Enable,
            other => return Err(unsupported(format!("{}: `{other}`", self.what), refusal(other))),
        };
        if let Action::Erase(partition)
        | Action::Flash(Image {
            target: partition, ..
        }) = &action
        {
            check_name("partition", partition, LONGEST_PARTITION)?;
        }
        Ok(Entry {
            version_bootrom,
            production,
            action,
        })
    }

    fn condition(&self) -> Result<Condition, FormatError> {
        let variable = self.required_text("name")?;
        check_name("variable", &variable, LONGEST_VARIABLE)?;
        Ok(Condition {
            variable,
            value: self.required_text("value")?,
        })
    }

    /// The vendor's tool takes a number only.
    fn weight(&self) -> Result<u32, FormatError> {
        let value = self.fields.get("value").and_then(Value::as_u64);
        let weight = value.and_then(|value| u32::try_from(value).ok());
        weight.ok_or_else(|| {
            corrupt(
                &self.what,
                "`value` of `progress` is not a whole number of 32 bits",
            )
        })
    }

    fn group(&self) -> Result<String, FormatError> {
        Ok(self.text("group")?.unwrap_or_default())
    }

    fn required_text(&self, field: &str) -> Result<String, FormatError> {
        self.text(field)?
            .ok_or_else(|| corrupt(&self.what, format!("it has no `{field}`")))
    }

    /// A field that is text; a number counts as its digits.
    fn text(&self, field: &str) -> Result<Option<String>, FormatError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(corrupt(
                &self.what,
                format!("`{field}` is neither text nor a number"),
            )),
        }
    }

    fn unknown_fields(&self) -> Vec<String> {
        let unknown = self
            .fields
            .keys()
            .filter(|field| !FIELDS.contains(&field.as_str()));
        unknown
            .map(|field| format!("{}: unknown field `{field}` is ignored", self.what))
            .collect()
    }
}

/// Why we do not run a command. Source: §4.3, §5.2, §11 no. 18.
pub(super) fn refusal(command: &str) -> &'static str {
    match command {
        "fuse" => "it burns fuses, which can never be undone",
        "boot" => "it leaves the loader, so that nothing could prove what was written",
        "upload" | "ulstage" => "it reads flash, which is no part of writing a package",
        "upgrade" => "it upgrades a modem behind this one, which these modules do not have",
        "reboot" | "complete" | "disconnect" => "we end the run ourselves, after everything is proven",
        _ => "unknown command",
    }
}

/// The members of a package, each read and expanded once.
struct Package<'m> {
    members: Members<'m>,
    cache: HashMap<(String, bool), Arc<[u8]>>,
    /// Bytes that sparse images may still expand to.
    expandable: u64,
}

impl Package<'_> {
    fn member(&mut self, name: &str) -> Result<Arc<[u8]>, FormatError> {
        let key = (name.to_owned(), false);
        if let Some(data) = self.cache.get(&key) {
            return Ok(data.clone());
        }
        let data = (self.members)(name).ok_or_else(|| FormatError::Missing {
            what: format!("`{name}`"),
        })?;
        self.cache.insert(key, data.clone());
        Ok(data)
    }

    /// The image itself, if the package has it in sparse form.
    fn expanded(&mut self, name: &str, data: Arc<[u8]>) -> Result<Arc<[u8]>, FormatError> {
        if !Sparse::is_sparse(&data) {
            return Ok(data);
        }
        let key = (name.to_owned(), true);
        if let Some(expanded) = self.cache.get(&key) {
            return Ok(expanded.clone());
        }
        let sparse = Sparse::parse(&format!("`{name}`"), &data, self.expandable, Reader::Host)?;
        self.expandable -= sparse.expanded_bytes();
        let expanded: Arc<[u8]> = sparse.expand().into();
        self.cache.insert(key, expanded.clone());
        Ok(expanded)
    }
}
