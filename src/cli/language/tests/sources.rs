//! Every sentence in the sources: string literals that hold words, outside of tests, logs and attributes.
//!
//! No list of calls and macros has to be kept: a literal with words in it is meant for a person, or it stands in
//! [`EXEMPT`] with the reason why it is not. A single word is not asked for: most of them are names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

use super::super::catalogue::has_words;
use super::super::template::Template;

/// Why what bytes mean stays English.
const TRANSCRIPT: &str = "transcripts of the wire, in the words of the specifications";

/// Words that no person reads as a sentence, and why: a file, a literal, or how literals begin, with `…` behind it.
const EXEMPT: &[(&str, &str)] = &[
    (
        "src/module/udev.rs",
        "the udev rules, a file for udev with its own comments",
    ),
    ("src/module/usb_page.rs", "a page of the documentation"),
    ("protocols/src/asr/describe.rs", TRANSCRIPT),
    ("protocols/src/eigencomm/describe.rs", TRANSCRIPT),
    ("protocols/src/unisoc/describe.rs", TRANSCRIPT),
    ("protocols/src/describe/words.rs", TRANSCRIPT),
    ("src/trace/rows.rs", TRANSCRIPT),
    ("src/fleet/schema.rs", "the tables of the record"),
    ("default-src…", "a policy for browsers"),
    (
        "open this page with…",
        "what the board answers a browser, whose language is not this one",
    ),
    (
        "this page can only…",
        "what the board answers a browser, whose language is not this one",
    ),
    (
        "this page is for…",
        "what the board answers a browser, whose language is not this one",
    ),
    ("SELECT …", "SQL"),
    ("{ATTEMPTS} WHERE…", "SQL"),
    ("INSERT …", "SQL"),
    ("UPDATE …", "SQL"),
    ("(other.exit_code…", "SQL"),
    ("date(other.began…", "SQL"),
    ("json_extract(…", "SQL"),
    ("other.package_sha256…", "SQL"),
    ("try:…", "Python for the module's REPL"),
    ("except …", "Python for the module's REPL"),
    ("Traceback (most…", "what a module says"),
    ("NameError", "what a module says"),
    ("REPL refuse", "what a module says"),
    ("Assertion failed", "what a module says"),
    ("The firmware will stop running…", "what a module says"),
    ("Virtual Machine", "what a hypervisor calls itself"),
    ("exclusive lock", "what the crate of serial ports says"),
    ("DLBOOT sync", "a wire command, shown between back-ticks"),
    ("LPC sync", "a wire command, shown between back-ticks"),
    ("AGBOOT sync", "a wire command, shown between back-ticks"),
    ("the pattern is valid", "of an `expect` on a constant"),
    ("sudo modprobe {module}…", "a command, shown between back-ticks"),
    ("$ qpyflash write {file}…", "a command"),
    ("read nv", "the name of a command, shown between back-ticks"),
    ("read rf", "the name of a command, shown between back-ticks"),
    ("erase all", "the name of a command, shown between back-ticks"),
    ("[[slot]]…", "what is written into a file"),
    ("{} ff…", "a part of a command"),
    ("| `{id}`…", "a page of the documentation"),
    ("option since Linux…", "a page of the documentation"),
    ("option, which does not list it", "a page of the documentation"),
    ("no driver known", "a page of the documentation"),
    ("restore nv", "the name of a command, shown between back-ticks"),
];

/// A sentence, as it is in the sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sentence {
    /// The text without the names of its holes.
    pub shape: String,
    /// The file, below the workspace.
    pub file: String,
    /// The literal.
    pub literal: String,
}

impl Sentence {
    /// Words that no exemption explains.
    pub fn is_for_a_person(&self) -> bool {
        self.shape.contains(' ') && has_words(&self.shape.replace("{}", " 0 ")) && !self.is_exempt()
    }

    fn is_exempt(&self) -> bool {
        EXEMPT.iter().any(|(what, _)| self.is(what))
    }

    fn is(&self, what: &str) -> bool {
        let literal = self.literal.trim();
        match what.strip_suffix('…') {
            Some(begin) => literal.starts_with(begin) || self.shape.starts_with(begin),
            None => self.file == what || literal == what,
        }
    }
}

/// Exemptions that exempt nothing any more.
pub fn idle_exemptions(all: &BTreeSet<Sentence>) -> Vec<&'static str> {
    let exemptions = EXEMPT.iter().map(|(what, _)| *what);
    exemptions
        .filter(|what| !all.iter().any(|one| one.is(what)))
        .collect()
}

/// All literals of the program, cut into lines and cells.
pub fn all() -> &'static BTreeSet<Sentence> {
    static ALL: OnceLock<BTreeSet<Sentence>> = OnceLock::new();
    ALL.get_or_init(read)
}

fn read() -> BTreeSet<Sentence> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "protocols/src"] {
        collect(&root.join(folder), &mut files);
    }
    let mut sentences = BTreeSet::new();
    for path in files {
        let file = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut literals = Vec::new();
        gather(text.parse().unwrap(), &mut literals);
        for literal in literals {
            sentences.extend(shapes(&literal).into_iter().map(|shape| Sentence {
                shape,
                file: file.clone(),
                literal: literal.clone(),
            }));
        }
    }
    sentences
}

/// The source files that are no tests and not this module itself.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_test =
            ["tests", "language", "fake.rs", "scripted.rs"].contains(&name) || name.ends_with("tests.rs");
        match path.is_dir() {
            _ if is_test => {}
            true => collect(&path, files),
            false if name.ends_with(".rs") => files.push(path),
            false => {}
        }
    }
}

/// String literals, without those of tests, logs and attributes; `#[error]` is a sentence.
fn gather(tokens: TokenStream, literals: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let group = tokens[at..]
                    .iter()
                    .take(2)
                    .position(|token| matches!(token, TokenTree::Group(_)));
                let Some(TokenTree::Group(attribute)) = group.and_then(|group| tokens.get(at + group)) else {
                    continue;
                };
                at += group.unwrap_or_default() + 1;
                let text = attribute.stream().to_string();
                if text.starts_with("error") {
                    gather(attribute.stream(), literals);
                } else if text.starts_with("cfg") && text.contains("test") {
                    at += item(&tokens[at..]);
                }
            }
            TokenTree::Ident(name) if name == "log" && tokens[at..].iter().take(2).all(is_colon) => at += 5,
            TokenTree::Literal(literal) => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                literals.extend(text.map(|text| text.value()));
            }
            TokenTree::Group(group) => gather(group.stream(), literals),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// Tokens of the item that begins here.
fn item(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':')
}

/// The sentences of a literal: its lines, and the cells of each. What begins with one blank or with punctuation, or ends
/// with a blank, is glued to something: it has a hole there.
pub fn shapes(literal: &str) -> Vec<String> {
    let padded = Regex::new(r"(\{[^{}]*:<[0-9a-z$]+\}) ").unwrap();
    let literal = padded.replace_all(literal, "$1  ");
    let gap = Regex::new(" {2,}").unwrap();
    let cells = literal.lines().flat_map(|line| gap.split(line));
    let shape = |cell: &str| {
        let shape = Template::parse(cell.to_owned().leak()).shape();
        let before = if shape.starts_with([' ', ',', ';', ':']) {
            "{}"
        } else {
            ""
        };
        let after = if shape.ends_with(' ') { "{}" } else { "" };
        format!("{before}{shape}{after}")
    };
    cells.filter(|cell| !cell.is_empty()).map(shape).collect()
}
