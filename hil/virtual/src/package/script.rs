//! `firmware.bin`: the package flattened into commands, expected replies and payloads. Source:
//! specs/asr-aboot.md §5.3-5.4.

use serde_json::Value;

use super::recipe::find_partition;
use crate::crc::Crc32;

const BLOCK: usize = 4096;
/// Largest payload of a `flash`. Source: specs/asr-aboot.md §5.4.
const FLASH_MAX: usize = 0x10_0000;
/// Payload blocks of one segment. Source: specs/asr-aboot.md §5.3.
const SEGMENT_BLOCKS: usize = (FLASH_MAX - 32 - 16 - 2 * 16 - 20) / BLOCK;
const HEADER_BYTES: usize = "!CRANE! 00000000\n".len();

/// The script of a package's entries. Entries a script cannot hold are left out.
pub(super) fn firmware_bin(entries: &[Value], members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut script = Vec::new();
    for entry in entries {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        let image = members
            .iter()
            .find(|(name, _)| name == text("image"))
            .map(|(_, bytes)| bytes);
        let partition = text("partition");
        match (text("command"), image) {
            ("require", _) => line(
                &mut script,
                &format!("getvar:{}", text("name")),
                &format!("OKAY{}", text("value")),
            ),
            ("progress", _) => {
                let weight = entry.get("value").and_then(Value::as_u64).unwrap_or_default();
                line(&mut script, &format!("progress:{weight:08x}"), "OKAY");
            }
            ("call", Some(image)) => {
                line(&mut script, "getvar:max-download-size", "OKAY0xf000");
                download(&mut script, image);
                line(&mut script, "verify", "OKAY");
                line(&mut script, "call", "OKAY");
            }
            ("partition", Some(image)) => {
                download(&mut script, image);
                line(&mut script, "partition", "OKAY");
            }
            ("erase", _) => line(&mut script, &format!("erase:{partition}"), "OKAY"),
            ("flash", Some(image)) => {
                line(
                    &mut script,
                    "getvar:max-download-size",
                    &format!("OKAY0x{FLASH_MAX:x}"),
                );
                if find_partition(partition).is_some_and(|partition| partition.kind == "ubi") {
                    line(&mut script, &format!("erase:{partition}"), "OKAY");
                }
                for segment in sparse_segments(image) {
                    download(&mut script, &segment);
                    line(&mut script, &format!("flash:{partition}"), "OKAY");
                }
            }
            _ => {}
        }
    }
    let mut file = format!("!CRANE! {:08x}\n", script.len() + HEADER_BYTES).into_bytes();
    file.extend(script);
    file
}

fn line(script: &mut Vec<u8>, command: &str, reply: &str) {
    script.extend(format!("{command}\n{reply}\n").bytes());
}

fn download(script: &mut Vec<u8>, payload: &[u8]) {
    line(
        script,
        &format!("download:{:08x}", payload.len()),
        &format!("DATA{:08x}", payload.len()),
    );
    script.extend_from_slice(payload);
    script.extend(b"\nOKAY\n");
}

/// The image as sparse segments: RAW blocks, runs of one repeated word as FILL.
fn sparse_segments(image: &[u8]) -> Vec<Vec<u8>> {
    let mut padded = image.to_vec();
    padded.resize(image.len().next_multiple_of(BLOCK), 0);
    let total = padded.len() / BLOCK;
    let segments = padded.chunks(SEGMENT_BLOCKS * BLOCK).enumerate();
    segments
        .map(|(number, data)| segment(data, number * SEGMENT_BLOCKS, total))
        .collect()
}

fn segment(data: &[u8], before: usize, total: usize) -> Vec<u8> {
    let mut chunks = Vec::new();
    let mut count = 0;
    let mut crc = Crc32::new();
    crc.update(data);
    let mut chunk = |kind: u16, blocks: usize, body: &[u8]| {
        count += 1;
        chunks.extend(u32::from(kind).to_le_bytes());
        for number in [blocks, 16 + body.len(), 0] {
            chunks.extend((number as u32).to_le_bytes());
        }
        chunks.extend_from_slice(body);
    };
    if before > 0 {
        chunk(0xCAC3, before, &[]);
    }
    for run in runs(data) {
        match fill_word(run) {
            Some(word) => chunk(
                0xCAC2,
                run.len() / BLOCK,
                &[word[0], word[1], word[2], word[3], 0, 0, 0, 0],
            ),
            None => chunk(0xCAC1, run.len() / BLOCK, run),
        }
    }
    let after = total - before - data.len() / BLOCK;
    if after > 0 {
        chunk(0xCAC3, after, &[]);
    }
    chunk(0xCAC4, 0, &crc.value().to_le_bytes());

    let mut segment = vec![0x3A, 0xFF, 0x26, 0xED, 1, 0, 0, 0, 32, 0, 16, 0];
    for number in [BLOCK, total, count, 0, 0] {
        segment.extend((number as u32).to_le_bytes());
    }
    segment.extend(chunks);
    segment
}

/// The word a run of blocks repeats, if it does.
fn fill_word(blocks: &[u8]) -> Option<&[u8]> {
    let word = blocks.get(..4)?;
    blocks.chunks(4).all(|other| other == word).then_some(word)
}

/// Runs of blocks that are alike: each repeats the same word, or none does.
fn runs(data: &[u8]) -> Vec<&[u8]> {
    let mut runs = Vec::new();
    let mut start = 0;
    let word = |block: usize| data.get(block * BLOCK..(block + 1) * BLOCK).and_then(fill_word);
    let blocks = data.len() / BLOCK;
    for block in 1..=blocks {
        if block == blocks || word(block) != word(start) {
            runs.push(&data[start * BLOCK..block * BLOCK]);
            start = block;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::check_sparse;

    #[test]
    fn splits_seven_hundred_blocks_as_the_specification_says() {
        let image = crate::package::contents::Noise::new("blocks").bytes(700 * BLOCK);
        let segments = sparse_segments(&image);
        let lengths: Vec<_> = segments.iter().map(Vec::len).collect();
        assert_eq!(lengths, [0xFF054, 0xFF064, 32 + 16 + 16 + 190 * BLOCK + 20]);
        assert!(
            segments
                .iter()
                .all(|segment| check_sparse(segment, 700 * BLOCK) == Ok(700 * BLOCK))
        );
    }

    #[test]
    fn writes_the_worked_example_of_two_zero_blocks() {
        let segments = sparse_segments(&[0; 2 * BLOCK]);
        assert_eq!(segments.len(), 1);
        assert_eq!(segments[0].len(), 76);
        assert_eq!(segments[0][72..], [0x94, 0x99, 0xF4, 0xD8]);
    }

    #[test]
    fn mixes_raw_and_fill_runs() {
        let mut image = vec![0; 5 * BLOCK];
        image[BLOCK + 7] = 1;
        image[3 * BLOCK..].fill(0xFF);
        let segment = &sparse_segments(&image)[0];
        assert_eq!(segment[20], 5);
        assert_eq!(check_sparse(segment, 5 * BLOCK), Ok(5 * BLOCK));
    }

    #[test]
    fn names_its_own_length() {
        let file = firmware_bin(
            &[serde_json::json!({"command": "erase", "partition": "nvm"})],
            &[],
        );
        assert_eq!(
            file,
            format!("!CRANE! {:08x}\nerase:nvm\nOKAY\n", file.len()).into_bytes()
        );
    }
}
