//! The words for one read or write: short, whatever was in it.

use std::fmt::Write as _;

/// Most characters that are shown of one text of a module.
const LONGEST_TEXT: usize = 120;
/// Most pieces that are shown of one read or write.
const MOST_PIECES: usize = 12;

/// Pieces, of which equal neighbours are counted and data frames are summed.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pieces: Vec<Piece>,
    left_out: usize,
}

#[derive(Debug)]
enum Piece {
    Said {
        text: String,
        times: usize,
    },
    Data {
        name: &'static str,
        bytes: usize,
        frames: usize,
    },
}

impl Words {
    /// Adds a frame.
    pub fn say(&mut self, text: impl Into<String>) {
        let new = text.into();
        match self.pieces.last_mut() {
            Some(Piece::Said { text, times }) if *text == new => *times += 1,
            _ => self.push(Piece::Said { text: new, times: 1 }),
        }
    }

    /// Adds a frame of data.
    pub fn data(&mut self, new: &'static str, count: usize) {
        match self.pieces.last_mut() {
            Some(Piece::Data { name, bytes, frames }) if *name == new => {
                *bytes += count;
                *frames += 1;
            }
            _ => self.push(Piece::Data {
                name: new,
                bytes: count,
                frames: 1,
            }),
        }
    }

    fn push(&mut self, piece: Piece) {
        if self.pieces.len() < MOST_PIECES {
            self.pieces.push(piece);
        } else {
            self.left_out += 1;
        }
    }

    pub fn into_text(self) -> String {
        let mut out = String::new();
        for piece in self.pieces {
            if !out.is_empty() {
                out.push_str(", ");
            }
            let _ = match piece {
                Piece::Said { text, times: 1 } => write!(out, "{text}"),
                Piece::Said { text, times } => write!(out, "{text} ×{times}"),
                Piece::Data {
                    name,
                    bytes,
                    frames: 1,
                } => write!(out, "{name} 0x{bytes:x} bytes"),
                Piece::Data { name, bytes, frames } => {
                    write!(out, "{name} 0x{bytes:x} bytes in {frames} frames")
                }
            };
        }
        if self.left_out > 0 {
            let _ = write!(out, ", and {} more", self.left_out);
        }
        out
    }
}

/// A module's text, shortened, with control characters shown.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for character in text.trim_end_matches(['\0', '\r', '\n']).chars() {
        if shown.len() >= LONGEST_TEXT {
            shown.push('…');
            break;
        }
        match character {
            '\t' => shown.push_str("\\t"),
            character if character.is_control() => shown.extend(character.escape_default()),
            character => shown.push(character),
        }
    }
    shown
}
