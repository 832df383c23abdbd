//! The table a person reads.

use std::error::Error;
use std::time::Duration;

use qpyflash_usb_rig::{Report, SCENARIOS};

/// A table that grows row by row.
pub struct Table {
    passed: usize,
    rows: usize,
}

impl Table {
    /// Prints the head.
    pub fn begin() -> Self {
        println!("{:<5} {:<22} {:<6} {:>6}  shows", "bus", "scenario", "", "s");
        Table { passed: 0, rows: 0 }
    }

    /// Prints what came of one scenario.
    pub fn row(&mut self, report: Report) {
        let shows = SCENARIOS
            .iter()
            .find(|scenario| scenario.name == report.scenario)
            .map_or("", |scenario| scenario.shows);
        let verdict = if report.passed { "passed" } else { "FAILED" };
        let (hub, name) = (report.hub, report.scenario);
        println!("{hub:<5} {name:<22} {verdict} {:>6.1}  {shows}", report.seconds);
        for figure in report.figures {
            println!("{:<43}{figure}", "");
        }
        if let Some(why) = report.why {
            println!("      {}", why.replace('\n', "\n      "));
        }
        self.rows += 1;
        self.passed += usize::from(report.passed);
    }

    /// Prints the sum.
    pub fn end(&self, took: Duration) {
        println!(
            "{} of {} passed, {:.1} s in all",
            self.passed,
            self.rows,
            took.as_secs_f64()
        );
    }

    /// Whether all of the `wanted` scenarios have passed.
    pub fn judge(&self, wanted: usize) -> Result<(), Box<dyn Error>> {
        if self.passed == wanted {
            return Ok(());
        }
        Err(format!(
            "{} of {wanted} scenarios have passed, {} were played",
            self.passed, self.rows
        )
        .into())
    }
}
