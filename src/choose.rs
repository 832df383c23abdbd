//! What `resolve --oc OC PATH…` shows: which packages in files and folders a module may take.
//!
//! Packages are read one after the other, so the memory does not grow with their number. What fits is the
//! gate's word, not ours.

use std::cmp::Reverse;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use qpyflash_protocols::unisoc::Contents;
use serde::Serialize;

use crate::Kind;
use crate::firmware::inspect::{self, module};
use crate::firmware::{FileName, Package, Plan, Version, resolve};
use crate::firmware::{is_byproduct, looks_like_heart, looks_like_package};
use crate::gate::{Verdict, would_accept};
use crate::identity::{OrderingCode, Revision};

/// Files and folders that are looked at.
pub const LOOK_LIMIT: usize = 20_000;
/// Folders inside folders that are entered.
pub const FOLDER_DEPTH_LIMIT: usize = 16;

/// How a package fits; the better fit first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Built for this submodel.
    Exact,
    /// Built for another submodel of the vendor's shared-firmware table.
    Shared,
}

/// A package the module may take.
#[derive(Debug, Clone, Serialize)]
pub struct Fitting {
    /// Where it lies.
    pub path: String,
    /// How it fits.
    pub fit: Fit,
    /// `EC600M_CNLE`, and the variant if there is one.
    pub built_for: String,
    /// `V0003`, of its public name.
    pub version: Option<Version>,
    /// The revision found inside.
    pub revision: Option<Revision>,
    /// What a person should know before writing it.
    pub warnings: Vec<String>,
}

/// A package the module must not take, or a file that should be one and is not.
#[derive(Debug, Clone, Serialize)]
pub struct Misfit {
    /// Where it lies.
    pub path: String,
    /// What it is built for, when that could be read.
    pub built_for: Option<String>,
    /// Why not.
    pub why: String,
}

/// What was found for one ordering code.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    /// [`SCHEMA`](inspect::SCHEMA).
    pub schema: u32,
    /// The module's.
    pub ordering_code: OrderingCode,
    /// What it may take: exact before shared, newest version first.
    pub fitting: Vec<Fitting>,
    /// Everything else that was met, in the order of the search.
    pub others: Vec<Misfit>,
}

/// Searches files and folders for packages and says which of them the module may take. What cannot be read is
/// listed with its reason; it does not end the search.
pub fn choose(ordering_code: &OrderingCode, paths: &[PathBuf]) -> Choice {
    let schema = inspect::SCHEMA;
    let choice = Choice {
        schema,
        ordering_code: ordering_code.clone(),
        fitting: Vec::new(),
        others: Vec::new(),
    };
    let mut search = Search { choice, looked: 0 };
    for path in paths {
        if path.is_dir() {
            search.folder(path, 0);
        } else {
            search.package(path, true);
        }
    }
    search.choice.fitting.sort_by_cached_key(rank);
    search.choice
}

/// Exact before shared, then versions of the vendor's page, then the application version of the revision; a
/// finished build before the tests of the same version.
fn rank(one: &Fitting) -> impl Ord + use<> {
    let build = one.revision.as_ref().map(|revision| {
        (
            revision.application(),
            revision.minor(),
            revision.prerelease().is_none(),
            revision.to_string(),
        )
    });
    (one.fit, Reverse(one.version), Reverse(build), one.path.clone())
}

struct Search {
    choice: Choice,
    looked: usize,
}

impl Search {
    /// A folder that is itself an unpacked package, or one to look into. Links are not followed.
    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(why) => return self.misfit(folder, None, format!("it cannot be read: {why}")),
        };
        entries.sort_by_key(fs::DirEntry::path);
        self.looked = self.looked.saturating_add(entries.len());
        if self.looked > LOOK_LIMIT {
            return self.misfit(
                folder,
                None,
                format!("the search ends here, after {LOOK_LIMIT} files"),
            );
        }
        let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let is_unpacked = entries
            .iter()
            .any(|entry| is_file(entry) && looks_like_heart(&entry.path()));
        // Several packages in one folder are looked at one by one; any other outcome stands for the folder.
        if is_unpacked && self.package(folder, true) != Some(Kind::PackageAmbiguous) {
            return;
        }
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type());
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) && !is_byproduct(&format!("{name}/")) {
                match depth < FOLDER_DEPTH_LIMIT {
                    true => self.folder(&path, depth + 1),
                    false => self.misfit(&path, None, "it lies too deep".into()),
                }
            } else if is_file(&entry) && !is_byproduct(&name) && looks_like_package(&path) {
                self.package(&path, false);
            }
        }
    }

    /// Reads one package and files it; returns why it is none.
    fn package(&mut self, path: &Path, asked_for: bool) -> Option<Kind> {
        match resolve(path) {
            Ok(package) => {
                self.judge(path, &package);
                None
            }
            Err(why) => {
                // Any zip is looked into; that one holds no firmware is no news.
                if asked_for || why.kind != Kind::PackageUnknown {
                    self.misfit(path, None, why.message);
                }
                Some(why.kind)
            }
        }
    }

    fn judge(&mut self, path: &Path, package: &Package) {
        let built_for = module(package.built_for());
        if matches!(package.plan(), Plan::Unisoc(plan) if plan.pac().contents() == Contents::CoreOnly) {
            return self.misfit(
                path,
                Some(built_for),
                "it is a core without an application".into(),
            );
        }
        let fit = match would_accept(
            package.platform(),
            package.built_for(),
            &self.choice.ordering_code,
        ) {
            Verdict::Exact => Fit::Exact,
            Verdict::Shared => Fit::Shared,
            Verdict::No(why) => return self.misfit(path, Some(built_for), why.to_string()),
        };
        let evidence = package.built_for().evidence.iter().map(|one| one.value.as_str());
        let names = package.origin().iter().map(String::as_str).chain(evidence);
        self.choice.fitting.push(Fitting {
            path: path.display().to_string(),
            fit,
            built_for,
            version: names.filter_map(FileName::parse).find_map(|name| name.version()),
            revision: package
                .built_for()
                .revision
                .as_ref()
                .and_then(|text| text.parse().ok()),
            warnings: package.warnings().to_vec(),
        });
    }

    fn misfit(&mut self, path: &Path, built_for: Option<String>, why: String) {
        self.choice.others.push(Misfit {
            path: path.display().to_string(),
            built_for,
            why,
        });
    }
}

/// The choice for a person.
pub fn render(choice: &Choice) -> String {
    let code = choice.ordering_code.first_part();
    let mut text = match choice.fitting.len() {
        0 => format!("nothing here fits {code}\n"),
        count => format!("{count} for {code}, the best first\n"),
    };
    // Writing to a string cannot fail.
    for one in &choice.fitting {
        let fit = match one.fit {
            Fit::Exact => "exact",
            Fit::Shared => "shared",
        };
        let version = one
            .version
            .map_or(String::new(), |version| format!("  {version}"));
        let revision = one
            .revision
            .as_ref()
            .map_or(String::new(), |revision| format!("  {revision}"));
        let _ = writeln!(
            text,
            "  {fit:<6}  {}{version}{revision}\n          {}",
            one.built_for, one.path
        );
        one.warnings.iter().for_each(|warning| {
            let _ = writeln!(text, "          warning: {warning}");
        });
    }
    if !choice.others.is_empty() {
        text.push_str("not for it\n");
    }
    for one in &choice.others {
        let what = one
            .built_for
            .as_ref()
            .map_or(String::new(), |built_for| format!(" ({built_for})"));
        let why = one.why.replace('\n', "\n    ");
        let _ = writeln!(text, "  {}{what}\n    {why}", one.path);
    }
    text
}
