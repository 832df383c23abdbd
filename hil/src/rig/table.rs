//! The table a person reads.

use std::time::Duration;

use qpyflash_usb_rig::{Report, SCENARIOS};

/// A table that grows row by row.
pub struct Table {
    passed: usize,
    rows: usize,
}

impl Table {
    pub fn begin() -> Self {
        println!("{:<28} {:<6} {:>6}  shows", "scenario", "", "s");
        Table { passed: 0, rows: 0 }
    }

    pub fn row(&mut self, report: &Report) {
        let shows = SCENARIOS
            .iter()
            .find(|scenario| scenario.name == report.scenario)
            .map_or("", |scenario| scenario.shows);
        let verdict = if report.passed { "passed" } else { "FAILED" };
        println!(
            "{:<28} {verdict} {:>6.1}  {shows}",
            report.scenario, report.seconds
        );
        for figure in &report.figures {
            println!("{:<44}{figure}", "");
        }
        if let Some(why) = &report.why {
            println!("    {}", why.replace('\n', "\n    "));
        }
        self.rows += 1;
        self.passed += usize::from(report.passed);
    }

    pub fn end(self, took: Duration) {
        println!(
            "{} of {} passed, {:.1} s in all",
            self.passed,
            self.rows,
            took.as_secs_f64()
        );
    }
}
