//! A grid of text as cases: the columns are effects, the rows are points of the dialogue, and each cell names how
//! the run must end.

/// A fault, and how the run with it must end.
pub struct Case {
    /// As [`qpyflash_virtual::Fault`] is written.
    pub fault: String,
    pub ending: Ending,
    /// Of the command line.
    pub arguments: &'static str,
}

/// Effects after which no run waits in vain.
const HINDERS_NOBODY: [&str; 7] = [
    "noise",
    "nak",
    "duplicate-reply",
    "corrupt-reply",
    "split-reply",
    "slow",
    "power-loss",
];

impl Case {
    /// The name of what happens.
    pub fn effect(&self) -> &str {
        let (_, effect) = self.fault.split_once('=').unwrap_or_default();
        effect.split_once(':').map_or(effect, |(name, _)| name)
    }

    /// Whether the run must wait in vain at least once.
    pub fn makes_wait(&self) -> bool {
        !HINDERS_NOBODY.contains(&self.effect())
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fault)
    }
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    pub exit: i32,
    /// The verdict of a success, or the code of an error.
    pub said: &'static str,
    /// A part of an error's message.
    pub message: &'static str,
    pub written: &'static str,
    /// A part of an error's hint.
    pub hint: &'static str,
}

const fn succeeds(verdict: &'static str) -> Ending {
    Ending {
        exit: 0,
        said: verdict,
        message: "",
        written: "complete",
        hint: "",
    }
}

/// The codes of a failure, and what its message says.
const SILENT: [&str; 2] = ["module.silent", "no answer to `"];
const STALLED: [&str; 2] = ["module.silent", "the module has taken no byte for "];
const GONE: [&str; 2] = ["module.gone", "the module left the bus"];
const NAK: [&str; 2] = ["module.nak", "the module refused `"];
const JUNK: [&str; 2] = ["module.garbage", "the module answered `"];
const OTHER_CHIP: [&str; 2] = ["refused.chip", "nothing has been erased"];
const LOST: [&str; 2] = ["refused.unsafe", "it holds no NV items"];
const UNCONFIRMED: [&str; 2] = ["module.not-confirmed", "everything was written"];

/// What has been written, and what its hint says.
const NOTHING: [&str; 2] = ["nothing", "power-cycle the module: it starts its old firmware"];
const HELPERS: [&str; 2] = ["helpers-only", NOTHING[1]];
const PARTIAL: [&str; 2] = [
    "partial",
    "the module is half-written and will not start: power-cycle it",
];
const AGENT: [&str; 2] = [
    "partial",
    "While it has power, what is needed to write it still runs in it",
];
const COMPLETE: [&str; 2] = [
    "complete",
    "power-cycle the module, then ask it with `qpyflash identify`",
];

const fn fails(exit: i32, [said, message]: [&'static str; 2], [written, hint]: [&'static str; 2]) -> Ending {
    Ending {
        exit,
        said,
        message,
        written,
        hint,
    }
}

/// What a cell may say. Of a failure: its kind, then what was written: `0` nothing, `H` helpers, `P` a part, `A` a
/// part while an agent goes on running in the module.
const ENDINGS: [(&str, Ending); 21] = [
    ("ok", succeeds("confirmed")),
    ("cycle", succeeds("written-power-cycle")),
    ("new", fails(11, UNCONFIRMED, COMPLETE)),
    ("silent0", fails(4, SILENT, NOTHING)),
    ("silentH", fails(4, SILENT, HELPERS)),
    ("silentP", fails(10, SILENT, PARTIAL)),
    ("stallP", fails(10, STALLED, PARTIAL)),
    ("silentA", fails(10, SILENT, AGENT)),
    ("goneA", fails(10, GONE, AGENT)),
    ("nakA", fails(10, NAK, AGENT)),
    ("lostH", fails(6, LOST, ["helpers-only", "--nv-backup FILE"])),
    ("gone0", fails(4, GONE, NOTHING)),
    ("goneH", fails(4, GONE, HELPERS)),
    ("goneP", fails(10, GONE, PARTIAL)),
    ("nak0", fails(4, NAK, NOTHING)),
    ("nakH", fails(4, NAK, HELPERS)),
    ("nakP", fails(10, NAK, PARTIAL)),
    ("junk0", fails(4, JUNK, NOTHING)),
    ("junkH", fails(4, JUNK, HELPERS)),
    ("junkP", fails(10, JUNK, PARTIAL)),
    ("chipH", fails(6, OTHER_CHIP, HELPERS)),
];

/// The cases of a grid. A `-` is no case.
pub fn cases(arguments: &'static str, grid: &str) -> Vec<Case> {
    let mut lines = grid.lines().map(str::split_whitespace).map(Vec::from_iter);
    let effects = lines.find(|words| !words.is_empty()).expect("a head");
    let rows = lines.filter(|words| !words.is_empty());
    rows.flat_map(|words| {
        let (point, cells) = words.split_first().expect("a point");
        assert_eq!(cells.len(), effects.len(), "the row of {point}");
        let pairs = effects.iter().zip(cells).filter(|(_, cell)| **cell != "-");
        let case = |(effect, cell): (&&str, &&str)| Case {
            fault: format!("{point}={effect}"),
            ending: ending(cell),
            arguments,
        };
        pairs.map(case).collect::<Vec<_>>()
    })
    .collect()
}

fn ending(name: &str) -> Ending {
    let found = ENDINGS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("`{name}` is no ending")).1
}
