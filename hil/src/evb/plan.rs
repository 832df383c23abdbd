//! What will be done, in which order, and what could be lost: printed before anything is touched.

use super::Arguments;
use super::bench::Bench;
use super::catalogue::{Event, Scenario, Step};

/// Prints it.
pub fn print(bench: &Bench, scenarios: &[Scenario], arguments: &Arguments) {
    let place = bench
        .path
        .as_deref()
        .map(str::to_owned)
        .or_else(|| Some(bench.uart.as_ref()?.display().to_string()));
    println!(
        "{}: {} ({}) on {}{}\n",
        bench.board.name,
        bench.label,
        bench.platform,
        place.unwrap_or_default(),
        if bench.subject.is_some() { ", virtual" } else { "" }
    );
    println!("0. identify, check, and back up the NV items or RF data where the protocol can read them");
    for (number, scenario) in scenarios.iter().enumerate() {
        println!(
            "{}. {}: {}",
            number + 1,
            scenario.name,
            scenario.title.in_chinese(arguments.chinese)
        );
        if let Some(lack) = bench.lacks(scenario) {
            println!("     SKIPPED: the board lacks {lack}");
            continue;
        }
        println!(
            "     may be lost: {}",
            scenario.may_lose.in_chinese(arguments.chinese)
        );
        if let Some(usual) = scenario.cycles {
            println!("     {} times:", arguments.cycles.unwrap_or(usual));
        }
        for step in &scenario.steps {
            println!("     - {}", words(step));
        }
    }
    println!();
}

fn words(step: &Step) -> String {
    match step {
        Step::Identify => "the module says what it is".into(),
        Step::Remember => "its revision and what can be read back are noted".into(),
        Step::Unchanged => "all that is as it was".into(),
        Step::Runs { package } => format!("it runs the package `{package}`"),
        Step::Recover => "a plain second run makes it whole".into(),
        Step::DownloadMode => "it is powered with its BOOT key held".into(),
        Step::Run(run) => {
            let meanwhile = run.then.map_or("", |event| match event {
                Event::CutPower => "; meanwhile its power is cut",
                Event::Unplug => "; meanwhile its cable is pulled",
                Event::Kill => "; meanwhile the program is killed",
                Event::Interrupt => "; meanwhile Ctrl-C",
                Event::SecondHost => "; meanwhile the same once more",
                Event::BootKey => "; meanwhile it is powered with its BOOT key held",
            });
            format!("qpyflash {}{meanwhile}", run.line)
        }
    }
}
