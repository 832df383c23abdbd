//! What a run does with a package, step by step, in the order of flashing: for a person to read before it begins.

use std::ops::Range;

use qpyflash_protocols::{eigencomm, unisoc};
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
        Plan::Eigencomm(plan) => eigencomm_steps(plan),
        Plan::Asr(_) => Vec::new(),
    }
}

/// What of its own a module keeps although it is written: NV items by number and name, regions of its flash.
pub(super) fn kept(plan: &Plan) -> Vec<String> {
    match plan {
        Plan::Unisoc(plan) => unisoc::nv::kept_titles(plan.kept_items()),
        Plan::Eigencomm(plan) => plan.kept().iter().map(region).collect(),
        Plan::Asr(_) => Vec::new(),
    }
}

/// One of the agents is loaded; then, image by image, its sectors are erased and it is written.
fn eigencomm_steps(plan: &eigencomm::Plan) -> Vec<Step> {
    let step = |name: &str, action, target: String, size: usize| Step {
        name: name.to_owned(),
        action,
        why: None,
        target,
        size: size as u64,
    };
    let agents = eigencomm::Transport::ALL.into_iter().filter_map(|transport| {
        let agent = plan.agent(transport).ok()?;
        let target = format!("if on {}", transport.title());
        Some(step(transport.agent_name(), Action::Load, target, agent.len()))
    });
    let burns = plan.burns().iter().flat_map(|burn| {
        let erased = burn.erased.iter().map(|range| {
            let target = range_of(burn.flash, range);
            step(&burn.name, Action::Erase, target, range.len())
        });
        let target = format!("{} 0x{:x}", burn.flash.name(), burn.address);
        erased.chain([step(&burn.name, Action::Write, target, burn.data.len())])
    });
    agents.chain(burns).collect()
}

/// `RF and calibration data (CP flash 0xcd000-0xfffff)`.
fn region(region: &eigencomm::Region) -> String {
    format!("{} ({})", region.name, range_of(region.flash, &region.range))
}

fn range_of(flash: eigencomm::Flash, range: &Range<u32>) -> String {
    format!(
        "{} 0x{:x}-0x{:x}",
        flash.name(),
        range.start,
        range.end.saturating_sub(1)
    )
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
