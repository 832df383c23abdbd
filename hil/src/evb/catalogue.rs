//! The catalogue: scenarios as data, `hil/scenarios/*.toml`, in the order in which they are played.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

macro_rules! scenario {
    ($name:literal) => {
        ($name, include_str!(concat!("../../scenarios/", $name, ".toml")))
    };
}

/// Every scenario of the catalogue, the harmless ones first.
const FILES: [(&str, &str); 19] = [
    scenario!("identify"),
    scenario!("refuse-other-platform"),
    scenario!("refuse-other-series"),
    scenario!("refuse-other-submodel"),
    scenario!("refuse-label"),
    scenario!("refuse-damaged"),
    scenario!("refuse-hostile"),
    scenario!("write"),
    scenario!("write-twice"),
    scenario!("change-version"),
    scenario!("two-hosts"),
    scenario!("boot-key"),
    scenario!("wrong-speed"),
    scenario!("interrupt"),
    scenario!("kill-host"),
    scenario!("unplug"),
    scenario!("unplug-erase"),
    scenario!("power-cut"),
    scenario!("soak"),
];

/// A scenario, as its file says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The name of the file.
    #[serde(skip)]
    pub name: String,
    /// What it proves.
    pub title: Text,
    /// What a module can lose in it.
    pub may_lose: Text,
    /// How often the steps are done, unless told otherwise.
    pub cycles: Option<u32>,
    /// What is done, in this order. The first step that does not hold ends the scenario.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// A sentence in both languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub en: String,
    pub zh: String,
}

impl Text {
    pub fn in_chinese(&self, chinese: bool) -> &str {
        if chinese { &self.zh } else { &self.en }
    }
}

/// One step.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Step {
    /// The module says what it is, and its label says the same.
    Identify,
    /// Notes what the module is: its revision, its NV items or RF data, the flash of a virtual module.
    Remember,
    /// All that was noted is as it was.
    Unchanged,
    /// `qpyflash` is run, and ends as it must.
    Run(Run),
    /// The module runs this package; every part of a virtual module's flash holds it.
    Runs { package: String },
    /// The module gets its supply and its cable back, and a plain second run writes it.
    Recover,
    /// The module is put into download mode with its BOOT key.
    DownloadMode,
}

/// A command line, what happens meanwhile, and how it must end.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Without `qpyflash`. Names in braces stand for the packages and the label of the board.
    pub line: String,
    /// A phase, or a part of the image bytes: `erase`, `50%`.
    #[serde(default)]
    pub when: Option<Moment>,
    /// What happens then.
    #[serde(default)]
    pub then: Option<Event>,
    #[serde(default)]
    pub exit: Option<OneOf<i32>>,
    #[serde(default)]
    pub error: Option<OneOf<String>>,
    #[serde(default)]
    pub verdict: Option<OneOf<String>>,
    #[serde(default)]
    pub written: Option<OneOf<String>>,
    /// Whether the rate of the transfer is reported.
    #[serde(default)]
    pub rate: bool,
}

/// When something happens in a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Moment {
    /// A phase begins, or one after it where the protocol has no such phase.
    Phase(qpyflash::Phase),
    /// So many percent of the image bytes have been acknowledged.
    Percent(u64),
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
        let phase = || {
            qpyflash::Phase::ALL
                .into_iter()
                .find(|phase| phase.name() == text)
        };
        match (percent, phase()) {
            (Some(percent), _) if percent <= 100 => Ok(Moment::Percent(percent)),
            (_, Some(phase)) => Ok(Moment::Phase(phase)),
            _ => Err(format!("`{text}` is no phase, and no part like `50%`")),
        }
    }
}

/// What happens in the middle of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    CutPower,
    Unplug,
    /// The program is killed, without a chance to say a word.
    Kill,
    /// Ctrl-C.
    Interrupt,
    /// The same command line is run a second time, and must end with exit code 8.
    SecondHost,
    /// The module is powered anew with its BOOT key held.
    BootKey,
}

/// One allowed value, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOf<T> {
    One(T),
    Any(Vec<T>),
}

impl<T: PartialEq> OneOf<T> {
    pub fn allows(&self, found: &T) -> bool {
        match self {
            OneOf::One(one) => one == found,
            OneOf::Any(all) => all.contains(found),
        }
    }
}

/// What a scenario cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A package, by its name in braces.
    Package(String),
    Power,
    Cable,
    BootKey,
    Uart,
    /// The module's own USB, on which it is followed through download mode.
    Usb,
}

impl Scenario {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut scenario: Scenario =
            toml::from_str(text).map_err(|why| format!("the scenario `{name}`: {why}"))?;
        name.clone_into(&mut scenario.name);
        match scenario.steps.iter().find_map(Step::mistake) {
            None => Ok(scenario),
            Some(mistake) => Err(format!("the scenario `{name}`: {mistake}")),
        }
    }

    /// What it cannot do without, as its steps tell.
    pub fn needs(&self) -> BTreeSet<Need> {
        let mut needs: BTreeSet<Need> = self.steps.iter().flat_map(Step::needs).collect();
        if !needs.contains(&Need::Uart) {
            needs.insert(Need::Usb);
        }
        needs
    }
}

impl Step {
    fn mistake(&self) -> Option<String> {
        match self {
            Step::Run(run) if run.when.is_some() != run.then.is_some() => {
                Some("`when` and `then` belong together".into())
            }
            Step::Run(run) if run.exit.is_none() && run.then != Some(Event::Kill) => {
                Some(format!("`{}` lacks `exit`", run.line))
            }
            _ => None,
        }
    }

    fn needs(&self) -> Vec<Need> {
        match self {
            Step::Runs { package } => vec![Need::Package(package.clone())],
            Step::Recover | Step::Remember => vec![Need::Package("good".into())],
            Step::DownloadMode => vec![Need::BootKey, Need::Power],
            Step::Run(run) => {
                let words = run.line.split_whitespace().filter_map(placeholder);
                let mut needs: Vec<Need> = words.filter_map(need).collect();
                needs.extend(match run.then {
                    Some(Event::CutPower) => vec![Need::Power],
                    Some(Event::Unplug) => vec![Need::Cable],
                    Some(Event::BootKey) => vec![Need::BootKey, Need::Power],
                    _ => Vec::new(),
                });
                needs
            }
            Step::Identify | Step::Unchanged => Vec::new(),
        }
    }
}

/// The name of a word in braces.
pub fn placeholder(word: &str) -> Option<&str> {
    word.strip_prefix('{')?.strip_suffix('}')
}

fn need(name: &str) -> Option<Need> {
    match name {
        "oc" | "other-oc" => None,
        "uart" => Some(Need::Uart),
        package => Some(Need::Package(package.to_owned())),
    }
}

/// The scenarios of these names, or all; a name that ends in `.toml` is a file of one's own.
///
/// # Errors
/// An unknown name, and a file that is no scenario.
pub fn chosen(names: &[String]) -> Result<Vec<Scenario>, String> {
    if names.is_empty() {
        return FILES
            .iter()
            .map(|(name, text)| Scenario::parse(name, text))
            .collect();
    }
    names.iter().map(|name| one(name)).collect()
}

fn one(name: &str) -> Result<Scenario, String> {
    let path = Path::new(name);
    if path.extension().is_some_and(|ending| ending == "toml") {
        let text = fs::read_to_string(path).map_err(|why| format!("cannot read `{name}`: {why}"))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        return Scenario::parse(&stem.unwrap_or_default(), &text);
    }
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => Scenario::parse(name, text),
        None => {
            let known: Vec<&str> = FILES.iter().map(|(known, _)| *known).collect();
            Err(format!(
                "there is no scenario `{name}`; there are {}",
                known.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_catalogue_and_is_a_scenario() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let mut names: Vec<String> = chosen(&[])
            .unwrap()
            .into_iter()
            .map(|scenario| scenario.name)
            .collect();
        files.sort();
        names.sort();
        assert_eq!(files, names);
    }

    #[test]
    fn a_scenario_with_a_mistake_is_refused() {
        let head = "title.en = ''\ntitle.zh = ''\nmay-lose.en = ''\nmay-lose.zh = ''\n";
        for (step, words) in [
            (
                "do = 'run'\nline = 'write {good}'\nexit = 0\nwhen = '50%'",
                "belong together",
            ),
            ("do = 'run'\nline = 'write {good}'", "lacks `exit`"),
            (
                "do = 'run'\nline = 'write {good}'\nexit = 0\nwhen = 'soon'\nthen = 'kill'",
                "`soon`",
            ),
            (
                "do = 'run'\nline = 'write {good}'\nexit = 0\nwriten = 'nothing'",
                "writen",
            ),
            ("do = 'hope'", "hope"),
        ] {
            let why = Scenario::parse("x", &format!("{head}[[step]]\n{step}\n")).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn what_a_scenario_needs_follows_from_its_steps() {
        let needs = |name: &str| one(name).unwrap().needs();
        assert!(needs("power-cut").contains(&Need::Power));
        assert!(needs("unplug").contains(&Need::Cable));
        assert!(needs("boot-key").contains(&Need::BootKey));
        assert!(needs("change-version").contains(&Need::Package("older".into())));
        assert!(needs("wrong-speed").contains(&Need::Uart) && !needs("wrong-speed").contains(&Need::Usb));
    }
}
