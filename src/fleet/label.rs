//! The labels that were scanned for the slots: lines `slot OC [IMEI [SN]]`, the fields apart by blanks, tabs, commas
//! or semicolons.

use std::io::BufRead;

use super::config::{Config, Slot};
use crate::error::{Error, Kind};
use crate::identity::OrderingCode;

/// Digits of an IMEI. Source: specs/identity.md §3.1.
const IMEI_DIGITS: usize = 15;

/// Between two fields; no slot has one of them in its name.
pub(super) fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';')
}

/// What is known of a module before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its ordering code, of the label or of the slot.
    pub ordering_code: OrderingCode,
    /// The IMEI on the label.
    pub imei: Option<String>,
    /// The serial number on the label.
    pub serial_number: Option<String>,
}

/// The label that the next module of each slot gets.
#[derive(Debug, Clone, Default)]
pub struct Scans(Vec<(String, Result<Label, String>)>);

/// What came of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scanned {
    /// Nothing stood in it.
    Nothing,
    /// Its first word is no slot.
    NoSlot(String),
    /// What these slots have now: the one that the line names, and another whose label it has made doubtful.
    For(Vec<(String, Result<Label, String>)>),
}

impl Scans {
    /// Reads labels until each of the slots has one, or an empty line, or the end of the input.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a line that names no slot, and when the input cannot be read. A line that names a slot and
    /// is wrong otherwise is that slot's alone.
    pub fn read(config: &Config, slots: &[Slot], input: impl BufRead) -> Result<Self, Error> {
        let mut scans = Scans::default();
        for (number, line) in input.lines().enumerate() {
            let line =
                line.map_err(|why| Error::new(Kind::Usage, format!("cannot read the labels: {why}")))?;
            match scans.scan(&config.slots, &line) {
                Scanned::Nothing => break,
                Scanned::NoSlot(name) => {
                    let file = config.file.display();
                    let text = format!("label {}: `{name}` is no slot of `{file}`", number + 1);
                    return Err(Error::new(Kind::Usage, text).hint("a line is `slot OC [IMEI [SN]]`"));
                }
                Scanned::For(_) => {}
            }
            if slots.iter().all(|slot| scans.of(&slot.name).is_some()) {
                break;
            }
        }
        Ok(scans)
    }

    /// Takes one line.
    pub(super) fn scan(&mut self, slots: &[Slot], line: &str) -> Scanned {
        let mut words = line.split(is_separator).filter(|word| !word.is_empty());
        let Some(name) = words.next() else {
            return Scanned::Nothing;
        };
        if !slots.iter().any(|slot| slot.name == name) {
            return Scanned::NoSlot(name.to_owned());
        }
        Scanned::For(self.add(name, parse(&words.collect::<Vec<_>>())))
    }

    /// A second label for a slot, or one IMEI for two of them, makes all of them doubtful; what is doubtful is as good
    /// as none, and gives way to the next label.
    fn add(&mut self, name: &str, label: Result<Label, String>) -> Vec<(String, Result<Label, String>)> {
        let imei = label.as_ref().ok().and_then(|label| label.imei.clone());
        let (mut label, mut touched) = (label, Vec::new());
        for (other, known) in &mut self.0 {
            let Ok(first) = known else { continue };
            if other == name && label.as_ref().is_ok_and(|label| label != first) {
                label = Err("two different labels were scanned for it".into());
            } else if other != name && imei.is_some() && first.imei == imei {
                let text = format!("one label was scanned for `{other}` and `{name}`");
                (*known, label) = (Err(text.clone()), Err(text));
                touched.push((other.clone(), known.clone()));
            }
        }
        self.0.retain(|(slot, _)| slot != name);
        self.0.push((name.to_owned(), label));
        touched.extend(self.0.last().cloned());
        touched
    }

    /// What was scanned for a slot.
    pub(super) fn of(&self, name: &str) -> Option<&Result<Label, String>> {
        self.0
            .iter()
            .find(|(slot, _)| slot == name)
            .map(|(_, label)| label)
    }

    /// The label for the slot's next module, which is used up with it.
    pub(super) fn take(&mut self, name: &str) -> Scan {
        let place = self.0.iter().position(|(slot, _)| slot == name);
        Scan(place.map(|place| self.0.swap_remove(place).1))
    }

    /// What must be in a slot: its own ordering code and that of the label, which must agree.
    ///
    /// # Errors
    /// [`Kind::RefusedContradiction`] when they do not, or the label is none; [`Kind::UnknownModule`] when there is
    /// neither.
    pub fn expected(&self, slot: &Slot) -> Result<Label, Error> {
        Scan(self.of(&slot.name).cloned()).expected(slot)
    }
}

/// The label that was scanned for one module, if one was.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan(Option<Result<Label, String>>);

impl Scan {
    /// What stands on it, whatever comes of it.
    pub fn label(&self) -> Option<&Label> {
        self.0.as_ref()?.as_ref().ok()
    }

    /// As [`Scans::expected`].
    pub fn expected(&self, slot: &Slot) -> Result<Label, Error> {
        let refused = |kind, why: String| {
            Error::new(kind, format!("refused: slot `{}`: {why}", slot.name)).at(&*slot.name)
        };
        match (&self.0, &slot.ordering_code) {
            (Some(Err(why)), _) => {
                Err(refused(Kind::RefusedContradiction, why.clone()).hint("scan the label again"))
            }
            (Some(Ok(label)), Some(code)) if !label.ordering_code.same_submodel(code) => {
                let why = format!("the label says {}, the slot is for {code}", label.ordering_code);
                Err(refused(Kind::RefusedContradiction, why)
                    .hint("this module does not belong into this slot"))
            }
            (Some(Ok(label)), _) => Ok(label.clone()),
            (None, Some(code)) => Ok(Label {
                ordering_code: code.clone(),
                imei: None,
                serial_number: None,
            }),
            (None, None) => Err(refused(Kind::UnknownModule, "no label was scanned for it".into())
                .hint("give the labels with `--labels` or `--scanner`, or the slot an `ordering_code`")),
        }
    }
}

fn parse(words: &[&str]) -> Result<Label, String> {
    let (code, imei, serial_number) = match words {
        [code] => (code, None, None),
        [code, imei] => (code, Some(imei), None),
        [code, imei, serial_number] => (code, Some(imei), Some(serial_number)),
        [] => return Err("the label has no ordering code".into()),
        _ => return Err("the label has more than ordering code, IMEI and serial number".into()),
    };
    let is_imei = |imei: &&&str| imei.len() == IMEI_DIGITS && imei.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(imei) = imei.filter(|imei| !is_imei(imei)) {
        return Err(format!("`{imei}` is no IMEI of fifteen digits"));
    }
    let text = |word: Option<&&str>| word.map(|word| (*word).to_owned());
    Ok(Label {
        ordering_code: code.parse().map_err(|why| format!("{why}"))?,
        imei: text(imei),
        serial_number: text(serial_number),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn scans(labels: &str) -> (Config, Result<Scans, Error>) {
        let text = "line = \"L\"\nstation = \"S\"\nstate = \".\"\n\
            [[slot]]\nname = \"A\"\npath = \"1-1\"\n\
            [[slot]]\nname = \"B\"\npath = \"1-2\"\nordering_code = \"EC600NCNLA\"\n";
        let config = Config::parse(Path::new("fixture.toml"), text).unwrap();
        let scans = Scans::read(&config, &config.slots, labels.as_bytes());
        (config, scans)
    }

    fn expected(labels: &str) -> Vec<Result<String, Kind>> {
        let (config, scans) = scans(labels);
        let scans = scans.unwrap();
        let words = |label: Label| format!("{} {:?}", label.ordering_code, label.imei);
        let of = |slot| scans.expected(slot).map(words).map_err(|error| error.kind);
        config.slots.iter().map(of).collect()
    }

    #[test]
    fn label_and_slot_must_agree() {
        let contradiction = || Err(Kind::RefusedContradiction);
        let own = || Ok("EC600NCNLA None".to_owned());
        let with_imei = || Ok("EC600NCNLA Some(\"866327040830317\")".to_owned());
        assert_eq!(expected(""), [Err(Kind::UnknownModule), own()]);
        assert_eq!(expected("A EC600NCNLA 866327040830317\n"), [with_imei(), own()]);
        assert_eq!(
            expected("B EC600NCNLF\n"),
            [Err(Kind::UnknownModule), contradiction()]
        );
        assert_eq!(expected("A EC600N\n"), [contradiction(), own()]);
        assert_eq!(
            expected("A EC600NCNLA 86632704083031\n"),
            [contradiction(), own()]
        );
        assert_eq!(expected("A EC600NCNLA\nA EC600NCNLF\n"), [contradiction(), own()]);
        let twice = "A EC600NCNLA 866327040830317\nB EC600NCNLA 866327040830317\n";
        assert_eq!(expected(twice), [contradiction(), contradiction()]);
    }

    #[test]
    fn fields_stand_apart_by_blanks_tabs_commas_and_semicolons() {
        let known = || Ok("EC600NCNLA Some(\"866327040830317\")".to_owned());
        for line in [
            "A;EC600NCNLA;866327040830317;SN-1",
            "A,EC600NCNLA, 866327040830317",
            " A\tEC600NCNLA\t866327040830317\r",
        ] {
            assert_eq!(expected(line)[0], known(), "{line}");
        }
    }

    #[test]
    fn a_label_is_used_up_and_a_doubtful_one_gives_way() {
        let (config, _) = scans("");
        let mut scans = Scans::default();
        let mut scan = |line: &str| match scans.scan(&config.slots, line) {
            Scanned::For(slots) => slots
                .iter()
                .map(|(slot, label)| format!("{slot} {}", label.is_ok()))
                .collect::<Vec<_>>()
                .join(", "),
            Scanned::Nothing => "nothing".into(),
            Scanned::NoSlot(name) => format!("no slot {name}"),
        };
        let twice = "EC600NCNLA 866327040830317";
        assert_eq!(scan("A EC600NCNLA"), "A true");
        assert_eq!(scan("A EC600NCNLA"), "A true");
        assert_eq!(scan("A EC600NCNLF"), "A false");
        assert_eq!(scan(" \r"), "nothing");
        assert_eq!(scan("C EC600NCNLA"), "no slot C");
        assert_eq!(scan(&format!("A {twice}")), "A true");
        assert_eq!(scan(&format!("B {twice}")), "A false, B false");
        assert_eq!(scan("A EC600NCNLF"), "A true");
        let taken = scans.take("A");
        assert_eq!(taken.label().unwrap().ordering_code.to_string(), "EC600NCNLF");
        assert_eq!(scans.take("A").label(), None);
    }

    #[test]
    fn an_unknown_slot_stops_everything() {
        assert_eq!(scans("C EC600NCNLA\n").1.unwrap_err().kind, Kind::Usage);
    }
}
