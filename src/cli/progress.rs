//! What a person sees while a run goes on: bars on a terminal, plain lines elsewhere, JSON lines for machines.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use qpyflash::Phase;
use qpyflash::event::{Event, EventKind, Sink};

use super::printer::{Form, Printer};

/// Time between two plain progress lines.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The renderer for a question that has one answer: machines get the answer alone.
pub fn aside(printer: &Printer) -> Sink {
    if printer.form == Form::JsonLines {
        Box::new(|_| {})
    } else {
        sink(printer)
    }
}

/// The renderer for this run.
pub fn sink(printer: &Printer) -> Sink {
    let printer = printer.clone();
    if printer.form == Form::JsonLines {
        return Box::new(move |event| printer.json(event));
    }
    if printer.quiet {
        return Box::new(|_| {});
    }
    let mut screen = Screen::new(printer);
    Box::new(move |event| screen.show(event))
}

/// Phases and images as lines; the image in work as a bar, where there is a terminal.
struct Screen {
    printer: Printer,
    bar: ProgressBar,
    image: Option<Image>,
}

struct Image {
    name: String,
    total: u64,
    began: Instant,
    said: Instant,
}

impl Screen {
    fn new(printer: Printer) -> Self {
        let target = if printer.bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template(
            "    {msg:<22} {bar:30} {decimal_bytes:>10} / {decimal_total_bytes}, {decimal_bytes_per_sec}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Screen {
            printer,
            bar,
            image: None,
        }
    }

    fn show(&mut self, event: &Event) {
        match &event.kind {
            EventKind::PhaseStarted { phase } => {
                self.image_done();
                self.line(&format!("  {}", title(*phase)));
            }
            EventKind::Bytes { image, done, total } => self.bytes(image, *done, *total),
            EventKind::PhaseDone { .. } | EventKind::Identified { .. } => {}
            EventKind::Note { text } if self.printer.verbose > 0 => self.line(&format!("      {text}")),
            EventKind::Note { text } if text.starts_with("waiting for ") || text.starts_with("using ") => {
                self.line(&format!("    {text}"))
            }
            EventKind::Note { .. } => {}
            EventKind::Warning { text } => {
                self.line(&self.printer.labelled("1;33", "warning:", text));
            }
            EventKind::AttemptFailed { .. } | EventKind::Finished { .. } => self.image_done(),
            // A single run has no slot.
            EventKind::Plugged | EventKind::Waiting { .. } | EventKind::OutOfService { .. } => {}
        }
    }

    fn bytes(&mut self, name: &str, done: u64, total: u64) {
        if self.image.as_ref().is_none_or(|image| image.name != name) {
            self.image_done();
            let now = Instant::now();
            self.image = Some(Image {
                name: name.to_owned(),
                total,
                began: now,
                said: now,
            });
            self.bar.reset();
            self.bar.set_length(total);
            self.bar.set_message(name.to_owned());
        }
        self.bar.set_position(done);
        let due = |image: &&mut Image| done < total && image.said.elapsed() >= LINE_EVERY;
        if !self.printer.bars
            && let Some(image) = self.image.as_mut().filter(due)
        {
            image.said = Instant::now();
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
            self.printer
                .say(&format!("    {name}: {percent} % of {}", size(total)));
        }
    }

    fn image_done(&mut self) {
        if let Some(image) = self.image.take() {
            self.bar.finish_and_clear();
            let seconds = image.began.elapsed().as_secs_f64();
            self.line(&format!(
                "    {:<22} {:>10}  {seconds:.1} s",
                image.name,
                size(image.total)
            ));
        }
    }

    fn line(&self, text: &str) {
        if self.printer.bars {
            self.bar.suspend(|| self.printer.say(text));
        } else {
            self.printer.say(text);
        }
    }
}

/// What a phase does, in words.
pub fn title(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolve => "reading the package",
        Phase::Find => "finding the module",
        Phase::Identify => "asking the module what it is",
        Phase::Clear => "comparing package and module",
        Phase::EnterDownload => "entering download mode",
        Phase::Sync => "connecting to the boot ROM",
        Phase::LoadHelper => "loading helper code into RAM",
        Phase::CheckChip => "checking the chip",
        Phase::Erase => "erasing",
        Phase::Write => "writing",
        Phase::Verify => "verifying",
        Phase::Reset => "restarting the module",
        Phase::Confirm => "asking the module what it is now",
    }
}

/// Bytes for a person.
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b >= 1e6 => format!("{:.2} MB", b / 1e6),
        b if b >= 1e3 => format!("{:.1} kB", b / 1e3),
        b => format!("{b} B"),
    }
}
