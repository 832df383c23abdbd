//! What a module says about itself, and the revision in a flash image.

/// Everything a module in run mode reports about itself. Source: specs/identity.md §1-2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The revision string: `EC600NCNLAR03A07M08_OCPU_QPY`.
    pub revision: String,
    /// The second line of `ATI`: `EC600N`.
    pub object_id: String,
    /// The optional `CustRevision:` line of `ATI`.
    pub cust_revision: Option<String>,
    /// What `AT+CGMR` says when it differs from `ATI`.
    pub cgmr: Option<String>,
    /// 15 digits.
    pub imei: String,
    /// The serial number.
    pub serial_number: String,
    /// `uname()[0]` without its key: `EC600N-CNLA`.
    pub sysname: String,
    /// `uname()[5]` without its key: `V0006`.
    pub qpyver: String,
    /// `usys.platform`: `EC600NCN_LA`.
    pub board: String,
    /// What each of the REPL's answers is instead, by key; an empty text means that the call fails.
    pub repl_overrides: Vec<(String, String)>,
}

impl Identity {
    /// What firmware of that revision reports on a module with this IMEI and serial number.
    pub fn of(revision: &str) -> Self {
        let part = |range: std::ops::Range<usize>| revision.get(range).unwrap_or_default();
        let (series, region, submodel) = (part(0..6), part(6..8), part(8..10));
        Identity {
            revision: revision.to_owned(),
            object_id: series.to_owned(),
            cust_revision: None,
            cgmr: None,
            imei: "866327040830317".to_owned(),
            serial_number: "D1Q20GM050038341P".to_owned(),
            sysname: format!("{series}-{region}{submodel}"),
            qpyver: "V0006".to_owned(),
            board: format!("{series}{region}_{submodel}"),
            repl_overrides: Vec::new(),
        }
    }

    /// The same hardware after firmware of another revision was written.
    pub(crate) fn with_revision(&self, revision: &str) -> Self {
        let hardware = (self.imei.clone(), self.serial_number.clone());
        let (imei, serial_number) = hardware;
        Identity {
            imei,
            serial_number,
            ..Identity::of(revision)
        }
    }

    /// Whether the revision names QuecPython firmware. Source: specs/identity.md §1.4.
    pub(crate) fn is_quecpython(&self) -> bool {
        self.revision
            .split('_')
            .skip(1)
            .any(|token| token == "QPY" || token == "PY")
    }
}

/// Shortest revision: `EC600NCNLAR01A01`.
const SHORTEST: usize = 16;

/// Finds the first revision string in `bytes`. Source: specs/identity.md §1.4.
pub(crate) fn find_revision(bytes: &[u8]) -> Option<String> {
    let starts = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'E')
        .map(|(start, _)| start);
    starts
        .filter_map(|start| bytes.get(start..))
        .find_map(revision_at)
}

fn revision_at(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..SHORTEST)?;
    let fits = head
        .iter()
        .zip(b"EC000AAAAAR00A00")
        .enumerate()
        .all(|(place, (byte, kind))| match (place, kind) {
            (0, _) => *byte == b'E',
            (1, _) => matches!(byte, b'C' | b'G'),
            (10, _) => *byte == b'R',
            (13, _) => *byte == b'A',
            (_, b'0') => byte.is_ascii_digit(),
            _ => byte.is_ascii_uppercase(),
        });
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        .count();
    fits.then(|| String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_what_the_firmware_reports_from_its_revision() {
        let identity = Identity::of("EC600NCNLAR03A07M08_OCPU_QPY");
        assert_eq!(identity.object_id, "EC600N");
        assert_eq!(identity.sysname, "EC600N-CNLA");
        assert_eq!(identity.board, "EC600NCN_LA");
        assert!(identity.is_quecpython());
        assert!(!Identity::of("EC600NCNLAR03A07M08").is_quecpython());
    }

    #[test]
    fn finds_a_whole_revision_among_lookalikes() {
        let image = b"\0EC600E\0EECNLA EC600NCNLAR0xA07\0EC600NCNLDR03A03V02M16_OCPU_QPY_BETA0313\0after";
        assert_eq!(
            find_revision(image).as_deref(),
            Some("EC600NCNLDR03A03V02M16_OCPU_QPY_BETA0313")
        );
        assert_eq!(find_revision(b"EC600NCNLDR03A0"), None);
    }
}
