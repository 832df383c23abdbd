//! What a run does with a package, step by step, in the order of flashing: for a person to read before it begins.

use qpyflash_protocols::unisoc;
use serde::Serialize;

use super::package::Plan;

/// What happens to a part of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It runs in the module's RAM and serves the run; flash never holds it.
    Load,
    /// What it names is erased.
    Erase,
    /// It is written.
    Write,
    /// It is written with the module's own data among it.
    Merge,
    /// Nothing.
    Skip,
}

impl Action {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Action::Load => "loaded into RAM",
            Action::Erase => "erased",
            Action::Write => "written",
            Action::Merge => "merged, written",
            Action::Skip => "skipped",
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name in the package.
    pub name: String,
    /// What happens.
    pub action: Action,
    /// Why nothing happens, where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where: an address, a partition, or what else the module calls it.
    pub target: String,
    /// Bytes sent or erased; 0 where the module alone knows how many those are.
    pub size: u64,
}

/// The steps of a plan, in the order of flashing. Empty where the order of the images says it all.
pub(super) fn steps(plan: &Plan) -> Vec<Step> {
    match plan {
        Plan::Unisoc(plan) => plan.steps().iter().map(Step::from).collect(),
        Plan::Asr(_) | Plan::Eigencomm(_) => Vec::new(),
    }
}

/// What of its own a module keeps although it is written: NV items by number and name.
pub(super) fn kept(plan: &Plan) -> Vec<String> {
    match plan {
        Plan::Unisoc(plan) => unisoc::nv::kept_titles(plan.kept_items()),
        Plan::Asr(_) | Plan::Eigencomm(_) => Vec::new(),
    }
}

impl From<&unisoc::Step> for Step {
    fn from(step: &unisoc::Step) -> Step {
        let (action, why) = match step.action {
            unisoc::Action::Load => (Action::Load, None),
            unisoc::Action::Erase { .. } => (Action::Erase, None),
            unisoc::Action::Write => (Action::Write, None),
            unisoc::Action::MergeNv => (Action::Merge, None),
            unisoc::Action::Skip { why } => (Action::Skip, Some(why.to_owned())),
        };
        Step {
            name: step.id.clone(),
            action,
            why,
            target: step.target(),
            size: step.bytes(),
        }
    }
}
