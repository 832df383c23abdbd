//! `hil/reports/faults.md`: the grids for a reader. They are proven by being run; this only prints them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::grid::{CAUSES, Grid, Runs, STATES, SUCCESSES, Way};
use super::{asr_grids, eigencomm, unisoc};

const HEAD: &str = "# What a fault does to a write

Every table is one way into one chip: a row is a request of the download dialogue (`@3`: the third time it is made), a \
column is what goes wrong there, a cell is how the run ends. Every cell is a test. The session meets it on a virtual \
clock, where each time-out has its true length; the tables that are not marked otherwise are also run by the program \
over a pseudo-terminal, with shorter time-outs, except for `stale-reply`, where it would depend on who is faster, and \
for waits of many minutes. Each test asserts the error, what was written, \
and the flash: all of it after a success, and where nothing was written; where a part was, what comes before and after \
the image in work. A run by the program asserts the exit code and the hint, too; for tables that only the session runs \
these follow from error and state by the same rule. Then a plain second run makes the module whole. No fault ends as a success with other contents of the \
flash than the package's. `longest` is how long the session of any case takes at most, by the module's clock.

This page is printed by

```
QPYFLASH_UPDATE_REPORTS=1 cargo test -p qpyflash --test black_box matrix::report
```

and the same test, without the variable, fails when it differs from what is tested.
";

/// The effects, in words.
const EFFECTS: [(&str, &str); 18] = [
    ("silence", "the module never says a byte again"),
    ("garbage", "bytes that are no frame come instead of the answer"),
    ("noise", "bytes that are no frame come before the answer"),
    ("nak:CODE", "the module refuses with this code, and does nothing"),
    ("refuse", "the module answers `FAIL`, and does nothing"),
    ("answer", "a well-formed answer that makes no sense"),
    ("lose-reply", "what was asked is done, and its answer is lost"),
    ("duplicate-reply", "the answer comes twice, at once"),
    (
        "stale-reply",
        "the answer comes again in the place of the next one, and all later ones come late",
    ),
    ("corrupt-reply", "one bit of the answer is flipped"),
    ("split-reply", "the answer comes one byte at a time"),
    (
        "in-time",
        "the answer comes one millisecond before the host's time-out",
    ),
    (
        "late",
        "the answer comes one millisecond after the host's time-out",
    ),
    (
        "stop-reading",
        "the module takes no byte any more, and the host's writes block",
    ),
    ("vanish", "the cable is pulled"),
    (
        "move",
        "the cable is pulled and put in elsewhere: another topology path, another port name",
    ),
    ("power-loss", "the supply fails and comes back"),
    ("-", "there is no such case"),
];

/// What follows from what was written.
fn recovery(state: char) -> &'static str {
    match state {
        '0' | 'H' => "power-cycle; the old firmware is whole; run again",
        'P' => "power-cycle, with the boot pin if it does not show up; run again",
        'A' => "leave it powered and run again: the agent still runs; else power-cycle with the boot pin",
        _ => "power-cycle, then `qpyflash identify`",
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let ways = [&asr_grids::WAYS[..], &unisoc::WAYS, &[eigencomm::WAY]].concat();
    legend(&mut page);
    totals(&mut page, &ways);
    for way in ways {
        let _ = write!(page, "\n## {}\n", way.title);
        for grid in way.grids {
            table(&mut page, *grid);
        }
    }
    page
}

fn legend(page: &mut String) {
    page.push_str("\n## Effects\n\n| Column | What happens |\n|---|---|\n");
    for (name, words) in EFFECTS {
        let _ = writeln!(page, "| `{name}` | {words} |");
    }
    page.push_str("\n## Endings\n\nA cell is `ok`, `cycle`, or a cause and then what was written.\n\n");
    page.push_str("| Cell | Exit code | Verdict or error | What it means |\n|---|---|---|---|\n");
    for (name, verdict) in SUCCESSES {
        let words = match name {
            "ok" => "the run gets over it; the module runs the new firmware and has said so",
            _ => "everything is written; the module waits in download mode for a power cycle",
        };
        let _ = writeln!(page, "| `{name}` | 0 | `{verdict}` | {words} |");
    }
    for (name, code, message) in CAUSES {
        let exit = match code {
            code if code.starts_with("refused") => "6",
            "module.not-confirmed" => "11",
            _ => "4 or 10",
        };
        let _ = writeln!(
            page,
            "| `{name}…` | {exit} | `{code}` | says “{}” |",
            message.trim_end_matches(['`', ' '])
        );
    }
    page.push_str("\n| Last letter | Exit code | Written | Hint begins or contains | Recovery |\n|---|---|---|---|---|\n");
    for (letter, written, hint) in STATES {
        let exit = match written {
            "partial" => "10",
            "complete" => "11",
            _ => "4, or 6",
        };
        let _ = writeln!(
            page,
            "| `{letter}` | {exit} | `{written}` | {hint} | {} |",
            recovery(letter)
        );
    }
}

fn totals(page: &mut String, ways: &[Way]) {
    page.push_str("\n## Cases\n\n| Chip | Cases | by the program, too | ends well | nothing written | helpers only | half-written | written, not confirmed | longest, s |\n");
    page.push_str("|---|---|---|---|---|---|---|---|---|\n");
    let mut line = |title: &str, grids: &[Grid], longest: Duration| {
        let cases: Vec<_> = grids.iter().flat_map(|grid| grid.cases()).collect();
        let by_program = cases
            .iter()
            .filter(|case| case.grid.runs == Runs::Both && case.is_for_the_program());
        let mut ends = BTreeMap::<(bool, &str), usize>::new();
        cases.iter().for_each(|case| {
            *ends
                .entry((case.ending.exit == 0, case.ending.written))
                .or_default() += 1
        });
        let count = |well, written| ends.get(&(well, written)).copied().unwrap_or_default();
        let _ = writeln!(
            page,
            "| {title} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cases.len(),
            by_program.count(),
            count(true, "complete"),
            count(false, "nothing"),
            count(false, "helpers-only"),
            count(false, "partial"),
            count(false, "complete"),
            longest.as_secs()
        );
    };
    ways.iter()
        .for_each(|way| line(way.title, way.grids, way.longest));
    let all: Vec<Grid> = ways.iter().flat_map(|way| way.grids.iter().copied()).collect();
    let longest = ways.iter().map(|way| way.longest).max().unwrap_or_default();
    line("**all**", &all, longest);
}

fn table(page: &mut String, grid: Grid) {
    let marks = match (grid.runs, grid.arguments) {
        (Runs::Session, _) => " (session only)".into(),
        (Runs::Both, "") => String::new(),
        (Runs::Both, arguments) => format!(" (`{arguments}`)"),
    };
    let _ = write!(page, "\n### {}{marks}\n\n| Request | Time-out, s |", grid.title);
    let effects = grid.effects();
    for effect in &effects {
        let _ = write!(page, " {} |", effect.replace('+', " "));
    }
    let _ = writeln!(page, "\n|---|---|{}", "---|".repeat(effects.len()));
    for row in grid.rows() {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            row.point,
            row.wait.as_secs_f64(),
            row.cells.join(" | ")
        );
    }
}

#[test]
fn the_report_says_what_is_tested() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("hil/reports/faults.md");
    let page = page();
    if std::env::var_os("QPYFLASH_UPDATE_REPORTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(written.lines()).find(|(new, old)| new != old);
    assert!(
        written == page,
        "{} is not of today: run `QPYFLASH_UPDATE_REPORTS=1 cargo test -p qpyflash --test black_box matrix::report`; \
         first difference: {differs:#?}",
        path.display()
    );
}
