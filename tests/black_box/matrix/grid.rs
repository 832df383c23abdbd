//! A grid of text as cases: the columns are effects, the rows are points of the dialogue, each with how long the host
//! waits for an answer there, in milliseconds; and each cell names how the run must end.

use std::time::Duration;

/// A grid, as it stands in the sources and in the report.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    pub title: &'static str,
    /// Of the command line of the run that has the fault.
    pub arguments: &'static str,
    /// Who runs it.
    pub runs: Runs,
    pub text: &'static str,
}

/// A way into a chip, and what can happen on it.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub title: &'static str,
    /// No single fault holds a session up for longer, by the module's clock.
    pub longest: Duration,
    pub grids: &'static [Grid],
}

/// How the cases of a grid are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// By the program over a pseudo-terminal, and by the session against a virtual clock.
    Both,
    /// By the session alone.
    Session,
}

/// A fault, and how the run with it must end.
#[derive(Clone, Copy)]
pub struct Case {
    pub point: &'static str,
    /// As the grid has it: that of a [`qpyflash_virtual::Fault`], or `late` or `in-time`.
    pub effect: &'static str,
    /// How long the host waits for the answer.
    pub wait: Duration,
    pub ending: Ending,
    pub grid: Grid,
}

/// Effects after which no run waits in vain.
const HINDERS_NOBODY: [&str; 10] = [
    "noise",
    "nak",
    "refuse",
    "answer",
    "duplicate-reply",
    "corrupt-reply",
    "split-reply",
    "slow",
    "in-time",
    "power-loss",
];
/// Effects that a module may show while its heartbeats go on: they are waited for as long as the host waits at most.
const KEEPS_THE_LINK: [&str; 4] = ["garbage", "lose-reply", "late", "corrupt-reply"];
/// Nobody waits longer for a program in a test.
const LONGEST: Duration = Duration::from_secs(60);

impl Case {
    /// The name of what happens.
    pub fn effect(&self) -> &'static str {
        self.effect.split_once(':').map_or(self.effect, |(name, _)| name)
    }

    /// Whether the run must wait in vain at least once.
    pub fn makes_wait(&self) -> bool {
        !HINDERS_NOBODY.contains(&self.effect()) || self.ending.said == "module.silent"
    }

    /// Whether the program can be waited for, and what it meets does not depend on who is faster.
    pub fn is_for_the_program(&self) -> bool {
        match self.effect() {
            "stale-reply" => false,
            // How much is taken before it blocks is the pseudo-terminal's affair.
            "stop-reading" if self.point.starts_with("data:") => false,
            // It is the next request that is not heard.
            "stop-reading" => self.grid.rows().iter().all(|row| row.wait <= LONGEST),
            effect => self.wait <= LONGEST || !KEEPS_THE_LINK.contains(&effect),
        }
    }

    /// As a [`qpyflash_virtual::Fault`] is written; `late` and `in_time` are when such answers come.
    pub fn fault(&self, late: Duration, in_time: Duration) -> String {
        let slow = |time: Duration| format!("{}=slow:{}", self.point, time.as_millis());
        match self.effect {
            "late" => slow(late),
            "in-time" => slow(in_time),
            effect => format!("{}={effect}", self.point),
        }
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={} {}", self.point, self.effect, self.grid.arguments)
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

/// What a cell begins with when the run fails: its word, the code of the error, a part of its message.
pub const CAUSES: [(&str, &str, &str); 9] = [
    ("silent", "module.silent", "no answer to `"),
    ("stall", "module.silent", "the module has taken no byte for "),
    ("gone", "module.gone", "the module left the bus"),
    ("nak", "module.nak", "the module refused `"),
    ("junk", "module.garbage", "the module answered `"),
    ("chip", "refused.chip", "is for another chip"),
    ("erased", "refused.chip", "nothing has been erased"),
    ("lost", "refused.unsafe", "it holds no NV items"),
    ("unseen", "module.not-confirmed", "everything was written"),
];

const POWER_CYCLE: &str = "power-cycle the module: it starts its old firmware";

/// What it ends with: what has been written, and a part of the hint.
pub const STATES: [(char, &str, &str); 5] = [
    ('0', "nothing", POWER_CYCLE),
    ('H', "helpers-only", POWER_CYCLE),
    (
        'P',
        "partial",
        "the module is half-written and will not start: power-cycle it",
    ),
    (
        'A',
        "partial",
        "While it has power, what is needed to write it still runs in it",
    ),
    (
        'C',
        "complete",
        "power-cycle the module, then ask it with `qpyflash identify`",
    ),
];

/// What a cell may say when the run succeeds, and the verdict.
pub const SUCCESSES: [(&str, &str); 2] = [("ok", "confirmed"), ("cycle", "written-power-cycle")];

impl Ending {
    fn named(name: &str) -> Option<Ending> {
        if let Some((_, said)) = SUCCESSES.iter().find(|(known, _)| *known == name) {
            return Some(Ending {
                exit: 0,
                said,
                message: "",
                written: "complete",
                hint: "",
            });
        }
        let (cause, state) = name.split_at_checked(name.len().checked_sub(1)?)?;
        let (_, said, message) = *CAUSES.iter().find(|(known, ..)| *known == cause)?;
        let (_, written, hint) = *STATES.iter().find(|(known, ..)| state.starts_with(*known))?;
        Some(Ending {
            exit: match written {
                _ if said.starts_with("refused") => 6,
                "partial" => 10,
                "complete" => 11,
                _ => 4,
            },
            said,
            message,
            written,
            hint: if cause == "lost" { "--nv-backup FILE" } else { hint },
        })
    }
}

/// A row of a grid.
pub struct Row {
    pub point: &'static str,
    pub wait: Duration,
    pub cells: Vec<&'static str>,
}

impl Grid {
    fn lines(self) -> impl Iterator<Item = Vec<&'static str>> {
        let lines = self.text.lines().map(|line| line.split_whitespace().collect());
        lines.filter(|words: &Vec<_>| !words.is_empty())
    }

    /// Its columns.
    pub fn effects(self) -> Vec<&'static str> {
        let head = self.lines().next().expect("a head");
        assert_eq!(head[0], "wait", "the head of {}", self.title);
        head[1..].to_vec()
    }

    pub fn rows(self) -> Vec<Row> {
        let row = |words: Vec<&'static str>| Row {
            point: words[0],
            wait: Duration::from_millis(words[1].parse().expect("milliseconds")),
            cells: words[2..].to_vec(),
        };
        self.lines().skip(1).map(row).collect()
    }

    /// Every case. A `-` is no case; a column may name several codes: `nak:82+83`.
    pub fn cases(self) -> Vec<Case> {
        let effects = self.effects();
        let mut cases = Vec::new();
        for row in self.rows() {
            assert_eq!(row.cells.len(), effects.len(), "the row of {}", row.point);
            let pairs = effects.iter().zip(&row.cells).filter(|(_, cell)| **cell != "-");
            for (effect, cell) in pairs {
                let ending = Ending::named(cell).unwrap_or_else(|| panic!("`{cell}` is no ending"));
                cases.extend(each_effect(effect).into_iter().map(|effect| Case {
                    point: row.point,
                    effect,
                    wait: row.wait,
                    ending,
                    grid: self,
                }));
            }
        }
        cases
    }
}

/// `nak:82+83` as `nak:82` and `nak:83`.
fn each_effect(effects: &'static str) -> Vec<&'static str> {
    let Some((_, codes)) = effects.split_once(':').filter(|(_, codes)| codes.contains('+')) else {
        return vec![effects];
    };
    codes.split('+').map(nak).collect()
}

/// A refusal with that code, as a fault is written.
fn nak(code: &str) -> &'static str {
    format!("nak:{code}").leak()
}
