//! Names, ordering codes and revisions: read or refused, and read again from what they print.

use qpyflash::firmware::FileName;
use qpyflash::identity::{OrderingCode, Revision};

/// One input.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(code) = text.parse::<OrderingCode>() {
        let again: OrderingCode = code.to_string().parse().expect("what it prints");
        assert!(again == code && again.same_submodel(&code));
        assert!(code.first_part().starts_with(code.series()), "{code}");
    }
    if let Ok(revision) = text.parse::<Revision>() {
        let again: Revision = revision.as_str().parse().expect("what it prints");
        assert_eq!(again, revision);
    }
    for found in Revision::find_in(bytes) {
        let place = bytes
            .windows(found.as_str().len())
            .any(|window| window == found.as_str().as_bytes());
        assert!(place, "{} stands nowhere", found.as_str());
    }
    if let Some(name) = FileName::parse(&text) {
        assert!(!name.series().is_empty());
        assert!(name.ordering_code().same_submodel(name.ordering_code()));
    }
}
