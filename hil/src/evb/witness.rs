//! What a module is, noted so that a change shows: its revision, what the protocol reads back, and of a virtual
//! module every byte that it keeps.

use std::path::Path;

use serde_json::Value;

/// What was noted.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    pub revision: Option<String>,
    pub imei: Option<String>,
    /// NV items or RF data, by what each backup is of.
    pub kept: Vec<(String, Vec<u8>)>,
    /// All that a virtual module keeps without supply.
    pub contents: Option<Vec<u8>>,
}

impl Witness {
    /// The identity that `qpyflash identify --json` has printed.
    pub fn of(identity: &Value) -> Self {
        let text = |name: &str| identity[name].as_str().map(str::to_owned);
        Witness {
            revision: text("revision_text"),
            imei: text("imei"),
            ..Witness::default()
        }
    }

    /// Adds the backups that a run has made.
    pub fn keep(&mut self, outcome: &Value) -> std::io::Result<()> {
        for backup in outcome["backups"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let stem = Path::new(backup)
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            // `20261122T101530Z-nv`, and `-1` after it where two were made within a second.
            let what = stem
                .as_deref()
                .and_then(|stem| stem.split('-').nth(1))
                .unwrap_or_default();
            self.kept.push((what.to_owned(), std::fs::read(backup)?));
        }
        Ok(())
    }

    /// What was noted, in words.
    pub fn describe(&self) -> String {
        let mut words = vec![format!(
            "revision `{}`",
            self.revision.as_deref().unwrap_or("unknown")
        )];
        words.extend(
            self.kept
                .iter()
                .map(|(what, bytes)| format!("{what} ({} bytes)", bytes.len())),
        );
        words.extend(
            self.contents
                .as_ref()
                .map(|bytes| format!("virtual flash ({} bytes)", bytes.len())),
        );
        words.join(", ")
    }

    /// What differs from what was noted earlier.
    pub fn differs_from(&self, earlier: &Witness) -> Vec<String> {
        let mut differing = Vec::new();
        if self.contents != earlier.contents {
            differing.push(format!(
                "the virtual module's flash{}",
                place(&self.contents, &earlier.contents)
            ));
        }
        if self.revision != earlier.revision {
            let known = |revision: &Option<String>| revision.clone().unwrap_or_else(|| "nothing".into());
            let (was, is) = (known(&earlier.revision), known(&self.revision));
            differing.push(format!("the revision, which was `{was}` and is `{is}`"));
        }
        if self.imei != earlier.imei {
            differing.push("the IMEI".into());
        }
        if self.kept.len() != earlier.kept.len() {
            differing.push(format!(
                "what is read back: {} parts, and {} now",
                earlier.kept.len(),
                self.kept.len()
            ));
        }
        for ((what, is), (_, was)) in self.kept.iter().zip(&earlier.kept) {
            if is != was {
                differing.push(format!("{what}{}", place(&Some(is.clone()), &Some(was.clone()))));
            }
        }
        differing
    }
}

fn place(is: &Option<Vec<u8>>, was: &Option<Vec<u8>>) -> String {
    let (Some(is), Some(was)) = (is, was) else {
        return String::new();
    };
    match is.iter().zip(was).position(|(is, was)| is != was) {
        Some(at) => format!(", first at byte 0x{at:x}"),
        None => format!(", of {} bytes and {} now", was.len(), is.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_shows() {
        let noted = Witness {
            revision: Some("EC600UCNLBR03A02M08".into()),
            imei: Some("866327040830317".into()),
            kept: vec![("nv".into(), vec![1, 2, 3])],
            contents: Some(vec![0; 8]),
        };
        assert!(noted.differs_from(&noted).is_empty());
        let changes: [fn(&mut Witness); 5] = [
            |now| now.revision = None,
            |now| now.imei = None,
            |now| now.kept[0].1[2] = 4,
            |now| now.kept.clear(),
            |now| now.contents = Some(vec![1; 8]),
        ];
        for change in changes {
            let mut now = noted.clone();
            change(&mut now);
            assert_eq!(now.differs_from(&noted).len(), 1);
        }
    }
}
