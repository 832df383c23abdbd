//! The script understood: every line is one we run, every download is used, every image fits.

use std::ops::Range;
use std::sync::Arc;

use super::{Expected, FILE, Line, Purpose};
use crate::FormatError;
use crate::asr::package::{MOST_EXPANDED, refusal};
use crate::asr::plan::Image;
use crate::asr::rehearsal::{LONGEST_VARIABLE, Rehearsal, check_name};
use crate::asr::sparse::{Reader, Sparse};
use crate::asr::tables::Table;
use crate::asr::{corrupt, fip, unsupported};

/// First byte of an LZMA-alone payload as packers write it: lc=3, lp=0, pb=2. Source: specs/asr-aboot.md §5.3 (1).
const LZMA: u8 = 0x5D;
/// Bytes of the header of such a payload.
const LZMA_HEADER: usize = 13;

/// Images, helpers and warnings of a script, whose lines are given their purposes.
type Understood = (Vec<Image>, Vec<Image>, Vec<String>);

/// Goes through the lines as the module would.
pub(super) fn walk(bytes: &[u8], lines: &mut [Line]) -> Result<Understood, FormatError> {
    let mut walk = Walk {
        expandable: MOST_EXPANDED,
        ..Walk::default()
    };
    // The download that waits for the command that uses it, with what came between.
    let mut download: Option<Vec<usize>> = None;
    for at in 0..lines.len() {
        let line = &lines[at];
        match (
            line.command.split_once(':').unwrap_or((&line.command, "")),
            &mut download,
        ) {
            (("download", _), None) => download = Some(vec![at]),
            (("download", _), Some(_)) => {
                return Err(corrupt(
                    FILE,
                    format!("the download before `{}` is not used", line.command),
                ));
            }
            (("verify", ""), Some(waiting)) => waiting.push(at),
            ((word @ ("call" | "nop" | "partition" | "flash" | "verify"), argument), _) => {
                let waiting = download.take().unwrap_or_default();
                let payload = waiting.first().and_then(|&start| lines[start].payload.clone());
                let payload = payload.and_then(|place| bytes.get(place));
                let payload = payload.ok_or_else(|| corrupt(FILE, format!("`{word}` without download")))?;
                let purpose = walk.use_download(word, argument, payload)?;
                for place in waiting.into_iter().chain([at]) {
                    lines[place].purpose = purpose.clone();
                }
            }
            ((word, argument), _) => lines[at].purpose = walk.command(word, argument, &line.expected)?,
        }
    }
    match download {
        Some(_) => Err(corrupt(FILE, "its last download is not used")),
        None => walk.finish(),
    }
}

#[derive(Default)]
struct Walk {
    rehearsal: Rehearsal,
    images: Vec<Image>,
    helpers: Vec<Image>,
    run: Option<Run>,
    compressed: bool,
    /// Bytes that sparse images may still expand to.
    expandable: u64,
}

/// An image that is being put together from its segments.
struct Run {
    partition: String,
    data: Vec<u8>,
    /// Where the next segment's data must begin; unknown after a compressed one.
    end: Option<u64>,
}

impl Walk {
    /// A command without a download.
    fn command(&mut self, word: &str, argument: &str, expected: &Expected) -> Result<Purpose, FormatError> {
        match (word, argument) {
            ("getvar", variable) => {
                check_name("variable", variable, LONGEST_VARIABLE)?;
                if matches!(expected, Expected::OneOf(_)) {
                    self.rehearsal.require(variable);
                }
            }
            ("progress", weight) if u32::from_str_radix(weight, 16).is_ok() => {}
            ("enable" | "go" | "loadpt", "") => {}
            ("useflash", name) => check_name("flash", name, LONGEST_VARIABLE)?,
            ("erase", partition) => {
                self.rehearsal.erase(partition)?;
                return Ok(Purpose::Erase(partition.to_owned()));
            }
            (word, _) => return Err(unsupported(format!("{FILE}: `{word}`"), refusal(word))),
        }
        Ok(Purpose::Ask)
    }

    /// A command that uses the download before it.
    fn use_download(&mut self, word: &str, argument: &str, payload: &[u8]) -> Result<Purpose, FormatError> {
        match (word, argument) {
            ("call" | "nop", "") => {
                let name = format!("helper {}", self.helpers.len() + 1);
                fip::check(&format!("{FILE}: {name}"), payload)?;
                self.rehearsal.call();
                Ok(Purpose::Call(self.helper(name, payload)))
            }
            ("partition", "") => {
                let table = Table::parse(&format!("{FILE}: table"), payload)?;
                let name = match table {
                    Table::Flash(_) => "flash information",
                    Table::Partitions(_) => "partition table",
                };
                self.rehearsal.partition(name, &table)?;
                Ok(Purpose::Partition(self.helper(name.to_owned(), payload)))
            }
            // The image is listed when its last segment is known.
            ("flash", partition) => {
                let bytes = self.flash(partition, payload)?;
                let image = self.images.len();
                Ok(Purpose::Flash { image, bytes })
            }
            (word, _) => Err(corrupt(FILE, format!("`{word}:{argument}` after a download"))),
        }
    }

    /// Which bytes of its image a segment brings.
    fn flash(&mut self, partition: &str, payload: &[u8]) -> Result<Range<u64>, FormatError> {
        let what = format!("{FILE}: segment for `{partition}`");
        if self.run.as_ref().is_none_or(|run| run.partition != partition) {
            self.close_run();
            self.run = Some(Run {
                partition: partition.to_owned(),
                data: Vec::new(),
                end: Some(0),
            });
        }
        let Some(run) = &mut self.run else {
            return Ok(0..0);
        };
        let before = run.data.len() as u64;
        if Sparse::is_sparse(payload) {
            let sparse = Sparse::parse(&what, payload, self.expandable, Reader::Flasher)?;
            self.rehearsal
                .flash_segment(&what, partition, sparse.expanded_bytes())?;
            let data = sparse
                .data_bytes_range()
                .ok_or_else(|| corrupt(&what, "its data has a hole"))?;
            if run.end.is_some_and(|end| end != data.start) {
                let why = format!(
                    "its data begins at {:#x}, the segment before ended elsewhere",
                    data.start
                );
                return Err(corrupt(what, why));
            }
            run.end = Some(data.end);
            self.expandable = self.expandable.saturating_sub(data.end - data.start);
            sparse.append_data(&mut run.data);
        } else if payload.first() == Some(&LZMA) && payload.len() > LZMA_HEADER {
            run.end = None;
            run.data.extend_from_slice(payload);
            self.compressed = true;
            self.rehearsal.flash_segment(&what, partition, 1)?;
        } else {
            let found = format!("it begins with {:02X?}", &payload[..payload.len().min(4)]);
            return Err(FormatError::NotThis {
                what,
                expected: "a sparse or LZMA segment",
                found,
            });
        }
        Ok(before..run.data.len() as u64)
    }

    /// Keeps what only goes to RAM; returns its place among the helpers.
    fn helper(&mut self, name: String, payload: &[u8]) -> usize {
        self.helpers.push(Image {
            name,
            target: String::new(),
            data: Arc::from(payload),
            production: false,
        });
        self.helpers.len() - 1
    }

    fn close_run(&mut self) {
        if let Some(run) = self.run.take() {
            let Run { partition, data, .. } = run;
            let (name, target) = (partition.clone(), partition);
            self.images.push(Image {
                name,
                target,
                data: data.into(),
                production: false,
            });
        }
    }

    fn finish(mut self) -> Result<Understood, FormatError> {
        self.close_run();
        let mut warnings = self.rehearsal.finish()?;
        if self.compressed {
            warnings.push("compressed segments cannot be compared with their partitions".to_owned());
        }
        Ok((self.images, self.helpers, warnings))
    }
}
