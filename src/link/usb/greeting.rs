//! The class requests a host says to a serial function before the first byte, by platform.
//!
//! ```text
//! 21 22 03 00 00 00 00 00    SET_CONTROL_LINE_STATE: DTR and RTS, interface 0
//! 21 20 00 00 00 00 07 00    SET_LINE_CODING, then 00 C2 01 00 00 00 08: 115200 8N1
//! 21 22 01 02 02 00 00 00    the same request as a UIS8850 in run mode wants it: OUT endpoint 2, interface 2
//! ```

use super::function::Function;

/// Host to interface, class request. Source: USB 2.0 §9.3.
pub(super) const TO_INTERFACE: u8 = 0x21;
/// Source: USB CDC PSTN 1.2 §6.3.
const SET_LINE_CODING: u8 = 0x20;
const SET_CONTROL_LINE_STATE: u8 = 0x22;
/// DTR and RTS, as a driver raises them when its port is opened.
const DTR_AND_RTS: u16 = 0x0003;

/// One class request to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassRequest {
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex: the interface.
    pub index: u16,
    pub data: Vec<u8>,
}

/// What a platform expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// Nothing: bytes may come at once.
    Nothing,
    /// The line's state.
    State,
    /// The line's state, with the OUT endpoint in the high byte.
    StateWithEndpoint,
    /// The line's speed, then its state: what CDC asks for.
    CodingAndState,
}

fn expects(vid: u16, pid: u16, function: &Function) -> Expects {
    match (vid, pid, function.control) {
        // Source: specs/asr-aboot.md §1.1 [V-lin]: the state to interface 0, and no line coding.
        (0x2ecc, ..) => Expects::State,
        // Source: specs/unisoc-pac-bsl.md §2.2 [V].
        (0x0525, 0xa4a7, _) | (0x1782, 0x4d16, _) => Expects::Nothing,
        (0x2c7c, 0x0904, None) => Expects::StateWithEndpoint,
        // Source: specs/eigencomm-agentboot.md §1.1 [?]; it is what `cdc_acm` does.
        (_, _, Some(_)) => Expects::CodingAndState,
        // What `option` does when its port is opened.
        (_, _, None) => Expects::State,
    }
}

/// What is said when the function is opened.
pub(super) fn greeting(vid: u16, pid: u16, function: &Function, baud: u32) -> Vec<ClassRequest> {
    let state = |value| ClassRequest {
        request: SET_CONTROL_LINE_STATE,
        value,
        index: index(function),
        data: Vec::new(),
    };
    match expects(vid, pid, function) {
        Expects::Nothing => Vec::new(),
        Expects::State => vec![state(DTR_AND_RTS)],
        Expects::StateWithEndpoint => vec![state(u16::from(function.bulk_out.address) << 8 | 1)],
        Expects::CodingAndState => vec![line_coding(function, baud), state(DTR_AND_RTS)],
    }
}

/// What is said when the speed changes; nothing where it has no meaning.
pub(super) fn new_speed(vid: u16, pid: u16, function: &Function, baud: u32) -> Option<ClassRequest> {
    (expects(vid, pid, function) == Expects::CodingAndState).then(|| line_coding(function, baud))
}

/// 8N1. Source: USB CDC PSTN 1.2 §6.3.10.
fn line_coding(function: &Function, baud: u32) -> ClassRequest {
    let (stop_bits, parity, data_bits) = (0, 0, 8);
    let data = [&baud.to_le_bytes()[..], &[stop_bits, parity, data_bits]].concat();
    ClassRequest {
        request: SET_LINE_CODING,
        value: 0,
        index: index(function),
        data,
    }
}

fn index(function: &Function) -> u16 {
    function.control.unwrap_or(function.data).into()
}

#[cfg(test)]
mod tests {
    use super::super::function::Endpoint;
    use super::*;

    fn function(control: Option<u8>, data: u8) -> Function {
        Function {
            control,
            data,
            setting: 0,
            bulk_in: Endpoint {
                address: 0x84,
                packet: 512,
            },
            bulk_out: Endpoint {
                address: 0x02,
                packet: 512,
            },
        }
    }

    fn said(vid: u16, pid: u16, control: Option<u8>, data: u8) -> Vec<(u8, u16, u16)> {
        let requests = greeting(vid, pid, &function(control, data), 115_200);
        requests
            .iter()
            .map(|one| (one.request, one.value, one.index))
            .collect()
    }

    #[test]
    fn every_platform_hears_what_it_expects() {
        assert_eq!(said(0x2ecc, 0x3004, Some(0), 1), [(0x22, 3, 0)]);
        assert_eq!(said(0x0525, 0xa4a7, Some(0), 1), []);
        assert_eq!(said(0x1782, 0x4d16, None, 1), []);
        assert_eq!(said(0x2c7c, 0x0904, None, 2), [(0x22, 0x0201, 2)]);
        assert_eq!(said(0x17d1, 0x0001, Some(0), 1), [(0x20, 0, 0), (0x22, 3, 0)]);
        assert_eq!(said(0x2c7c, 0x0901, None, 2), [(0x22, 3, 2)]);
        assert_eq!(said(0x2c7c, 0x6001, Some(5), 6), [(0x20, 0, 5), (0x22, 3, 5)]);
    }

    #[test]
    fn a_speed_is_said_where_the_line_has_one() {
        let coding = new_speed(0x17d1, 0x0001, &function(Some(0), 1), 921_600).unwrap();
        assert_eq!(coding.data, [0x00, 0x10, 0x0E, 0x00, 0, 0, 8]);
        assert_eq!(new_speed(0x2ecc, 0x3004, &function(Some(0), 1), 921_600), None);
        assert_eq!(new_speed(0x2c7c, 0x0901, &function(None, 2), 921_600), None);
    }
}
