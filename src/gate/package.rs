//! What a package is built for: every witness, the strongest first.

use crate::firmware::{BuiltFor, FileName, Package, Plan};
use crate::identity::{OrderingCode, Revision};

/// One witness, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    code: OrderingCode,
    /// `revision in system.img (`EC600N…`)`, for messages.
    by: String,
    /// The text is a whole revision, so it is more than a name.
    is_revision: bool,
}

/// What a package says about itself.
#[derive(Debug)]
pub(super) struct Testimony {
    said: Vec<Said>,
    /// A series without a submodel, when nothing more is known.
    series_only: Option<String>,
}

impl Testimony {
    pub(super) fn of(built_for: &BuiltFor) -> Testimony {
        let mut said: Vec<Said> = Vec::new();
        for evidence in &built_for.evidence {
            let is_revision = evidence.value.parse::<Revision>().is_ok();
            let by = format!("{} (`{}`)", evidence.from, evidence.value);
            said.extend(codes_in(&evidence.value).into_iter().map(|code| Said {
                code,
                by: by.clone(),
                is_revision,
            }));
        }
        // What the package was found to be built for counts even if its evidence should not be listed.
        let revision = built_for
            .revision
            .as_deref()
            .and_then(|text| text.parse::<Revision>().ok());
        let summary = revision
            .map(|revision| revision.ordering_code().clone())
            .or_else(|| {
                let (series, submodel) = (built_for.series.as_deref()?, built_for.submodel.as_deref()?);
                OrderingCode::from_parts(series, submodel).ok()
            });
        if let Some(code) = summary
            && !said.iter().any(|one| one.code.same_submodel(&code))
        {
            let is_revision = built_for.revision.is_some();
            said.insert(
                0,
                Said {
                    code,
                    by: "contents".into(),
                    is_revision,
                },
            );
        }
        let series_only = built_for.series.clone().filter(|_| said.is_empty());
        Testimony { said, series_only }
    }

    /// Nobody says anything.
    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Every different submodel that is named, the strongest witness first.
    pub(super) fn codes(&self) -> Vec<OrderingCode> {
        let mut codes: Vec<OrderingCode> = Vec::new();
        for one in &self.said {
            if !codes.iter().any(|known| known.same_submodel(&one.code)) {
                codes.push(one.code.clone());
            }
        }
        codes
    }

    /// Names alone speak; no revision confirms them.
    pub(super) fn is_name_only(&self) -> bool {
        !self.is_empty() && !self.said.iter().any(|one| one.is_revision)
    }

    /// What speaks against the operator's statement, for a message.
    pub(super) fn contradiction_to(&self, stated: &OrderingCode) -> Option<String> {
        let against = self
            .said
            .iter()
            .find(|one| !one.code.same_submodel(stated))
            .map(Said::shown);
        let series = self
            .series_only
            .as_ref()
            .filter(|series| *series != stated.series());
        against.or_else(|| series.map(|series| format!("{series} by its contents")))
    }

    /// The strongest witness for each submodel that is named, for a message.
    pub(super) fn shown(&self) -> Vec<String> {
        let first_for = |code: &OrderingCode| self.said.iter().find(|one| one.code.same_submodel(code));
        self.codes()
            .iter()
            .filter_map(first_for)
            .map(Said::shown)
            .collect()
    }
}

impl Said {
    fn shown(&self) -> String {
        format!(
            "{} {} by its {}",
            self.code.series(),
            self.code.submodel(),
            self.by
        )
    }
}

/// Every name the package was found under.
pub(super) fn names_of(package: &Package) -> impl Iterator<Item = FileName> {
    let evidence = package
        .built_for()
        .evidence
        .iter()
        .map(|evidence| &evidence.value);
    package
        .origin()
        .iter()
        .chain(evidence)
        .filter_map(|name| FileName::parse(name))
}

/// What a person knows the package by: the name of the file that was given, without its extension when it is a
/// firmware name.
pub(super) fn title_of(package: &Package) -> String {
    let given = package.origin().first().map_or("the package", String::as_str);
    let base = given
        .trim_end_matches(['/', '\\'])
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or(given);
    match base.rsplit_once('.') {
        Some((stem, _)) if FileName::parse(base).is_some() => stem.to_owned(),
        _ => base.to_owned(),
    }
}

/// The groups of a package that are for the factory.
pub(super) fn production_groups(package: &Package) -> Option<&[String]> {
    match package.plan() {
        Plan::Asr(plan) => plan
            .needs_production()
            .map(|production| production.groups.as_slice()),
        Plan::Unisoc(_) | Plan::Eigencomm(_) => None,
    }
}

/// Whether the package can be written with, or without, those groups; otherwise why not.
pub(super) fn production_allows(package: &Package, production: bool) -> Result<(), String> {
    match package.plan() {
        Plan::Asr(plan) => plan.check(production).map_err(|error| error.to_string()),
        Plan::Unisoc(_) | Plan::Eigencomm(_) => Ok(()),
    }
}

/// The submodels a witness names: whole revisions in it, else a firmware name, else an ordering code.
fn codes_in(text: &str) -> Vec<OrderingCode> {
    let revisions = Revision::find_in(text.to_ascii_uppercase().as_bytes());
    if !revisions.is_empty() {
        return revisions
            .iter()
            .map(|revision| revision.ordering_code().clone())
            .collect();
    }
    let name = FileName::parse(text).map(|name| name.ordering_code().clone());
    name.or_else(|| text.parse().ok()).into_iter().collect()
}
