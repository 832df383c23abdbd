//! COM-PORT-OPTION: what a client asks of a serial port, and what the server says about it. Source: RFC 2217.

/// The option's number. Source: RFC 2217 §1.
pub(super) const OPTION: u8 = 44;
/// What a server's answer has more than the request, in the first byte. Source: RFC 2217 §3.
const ANSWER: u8 = 100;

const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;
const FLOWCONTROL_SUSPEND: u8 = 8;
const FLOWCONTROL_RESUME: u8 = 9;
const SET_LINESTATE_MASK: u8 = 10;
const SET_MODEMSTATE_MASK: u8 = 11;
const PURGE_DATA: u8 = 12;

/// SET-DATASIZE: eight bits.
const EIGHT_BITS: u8 = 8;
/// SET-PARITY: none.
const NO_PARITY: u8 = 1;
/// SET-STOPSIZE: one.
const ONE_STOP_BIT: u8 = 1;
/// SET-CONTROL: no flow control, either way.
const NO_FLOW_CONTROL: u8 = 1;
/// SET-CONTROL: all values about flow control of what is sent: none, XON/XOFF, RTS/CTS, DCD, DSR.
const FLOW_CONTROL: [u8; 5] = [NO_FLOW_CONTROL, 2, 3, 17, 19];
const DTR_ON: u8 = 8;
const RTS_ON: u8 = 11;
/// PURGE-DATA: what has come in and what is to go out.
const BOTH_BUFFERS: u8 = 3;

/// A setting of the port that the server must confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Eight bits a byte.
    DataSize,
    /// None.
    Parity,
    /// One stop bit.
    StopSize,
    /// None, either way.
    FlowControl,
}

impl Setting {
    /// All of them, in the order in which they are asked for.
    pub const ALL: [Setting; 4] = [
        Setting::DataSize,
        Setting::Parity,
        Setting::StopSize,
        Setting::FlowControl,
    ];

    const fn command(self) -> u8 {
        match self {
            Setting::DataSize => SET_DATASIZE,
            Setting::Parity => SET_PARITY,
            Setting::StopSize => SET_STOPSIZE,
            Setting::FlowControl => SET_CONTROL,
        }
    }

    /// What a module needs: 8N1 without flow control.
    pub const fn wanted(self) -> u8 {
        match self {
            Setting::DataSize => EIGHT_BITS,
            Setting::Parity => NO_PARITY,
            Setting::StopSize => ONE_STOP_BIT,
            Setting::FlowControl => NO_FLOW_CONTROL,
        }
    }

    /// The RFC's name of the request.
    pub const fn name(self) -> &'static str {
        match self {
            Setting::DataSize => "SET-DATASIZE",
            Setting::Parity => "SET-PARITY",
            Setting::StopSize => "SET-STOPSIZE",
            Setting::FlowControl => "SET-CONTROL (flow control)",
        }
    }
}

/// The payload that sets the line speed; 0 asks for it.
pub(super) fn baud_request(baud: u32) -> [u8; 5] {
    let [a, b, c, d] = baud.to_be_bytes();
    [SET_BAUDRATE, a, b, c, d]
}

/// The payloads that make the port what a module needs: every setting, DTR and RTS raised, no word about modem and
/// line states, and nothing left of what came before.
pub(super) fn preparation() -> impl Iterator<Item = [u8; 2]> {
    let settings = Setting::ALL
        .into_iter()
        .map(|setting| [setting.command(), setting.wanted()]);
    settings.chain([
        [SET_CONTROL, DTR_ON],
        [SET_CONTROL, RTS_ON],
        [SET_LINESTATE_MASK, 0],
        [SET_MODEMSTATE_MASK, 0],
        [PURGE_DATA, BOTH_BUFFERS],
    ])
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The line speed, set or asked for.
    Baud(u32),
    /// A setting, and its value.
    Is(Setting, u8),
    /// Send no more data.
    Suspend,
    /// Go on.
    Resume,
}

impl Notice {
    /// None for what changes nothing here: its name, modem and line states, DTR and RTS, and what no server says.
    pub fn of(payload: &[u8]) -> Option<Self> {
        let (&first, value) = payload.split_first()?;
        let command = first.checked_sub(ANSWER)?;
        match (command, value) {
            (SET_BAUDRATE, value) => Some(Notice::Baud(u32::from_be_bytes(value.try_into().ok()?))),
            (FLOWCONTROL_SUSPEND, _) => Some(Notice::Suspend),
            (FLOWCONTROL_RESUME, _) => Some(Notice::Resume),
            (SET_CONTROL, [value]) => FLOW_CONTROL
                .contains(value)
                .then_some(Notice::Is(Setting::FlowControl, *value)),
            (command, [value]) => {
                let setting = Setting::ALL
                    .into_iter()
                    .find(|setting| setting.command() == command)?;
                Some(Notice::Is(setting, *value))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_in_the_words_of_the_rfc() {
        assert_eq!(baud_request(115_200), [1, 0, 1, 0xC2, 0]);
        let asked: Vec<[u8; 2]> = preparation().collect();
        let wanted = [
            [2, 8],
            [3, 1],
            [4, 1],
            [5, 1],
            [5, 8],
            [5, 11],
            [10, 0],
            [11, 0],
            [12, 3],
        ];
        assert_eq!(asked, wanted);
    }

    #[test]
    fn understands_a_servers_words() {
        for (payload, notice) in [
            (&[101, 0, 1, 0xC2, 0][..], Some(Notice::Baud(115_200))),
            (&[102, 7], Some(Notice::Is(Setting::DataSize, 7))),
            (&[103, 2], Some(Notice::Is(Setting::Parity, 2))),
            (&[104, 2], Some(Notice::Is(Setting::StopSize, 2))),
            (&[105, 3], Some(Notice::Is(Setting::FlowControl, 3))),
            (&[105, 19], Some(Notice::Is(Setting::FlowControl, 19))),
            (&[105, 8], None),
            (&[105, 14], None),
            (&[108], Some(Notice::Suspend)),
            (&[109], Some(Notice::Resume)),
            (&[107, 0xB0], None),
            (&[112, 3], None),
            (&[100, b's'], None),
            (&[101, 0, 1], None),
            (&[1, 0, 0, 0, 1], None),
            (&[], None),
        ] {
            assert_eq!(Notice::of(payload), notice, "{payload:?}");
        }
    }
}
