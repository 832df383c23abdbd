//! Stages and requests of a Unisoc module, as faults name them.

/// A stage of a Unisoc module in download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The mask ROM: PDL on the UIS8910, BSL with a CRC on the UIS8850.
    Rom,
    /// FDL1 of the UIS8910.
    Fdl1,
    /// The loader that writes the flash: FDL2 of the UIS8910, FDL of the UIS8850.
    Fdl2,
}

/// A request to a Unisoc module in download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Any of the others.
    Any,
    /// The flags that the stage waits for.
    Sync,
    /// CONNECT.
    Connect,
    /// START_DATA.
    Start,
    /// MIDST_DATA, or MID_DATA of PDL.
    Midst,
    /// END_DATA.
    End,
    /// EXEC_DATA. Its answer from an 8910's FDL1 is the ACK with which FDL2 starts.
    Exec,
    /// NORMAL_RESET.
    Reset,
    /// READ_FLASH.
    ReadFlash,
    /// CHANGE_BAUD.
    ChangeBaud,
    /// ERASE_FLASH.
    EraseFlash,
    /// Every other command.
    Other,
}

impl Stage {
    pub(super) const NAMED: [(&'static str, Stage); 4] = [
        ("rom", Stage::Rom),
        ("fdl1", Stage::Fdl1),
        ("fdl2", Stage::Fdl2),
        ("fdl", Stage::Fdl2),
    ];
}

impl Request {
    pub(super) const NAMED: [(&'static str, Request); 12] = [
        ("any", Request::Any),
        ("sync", Request::Sync),
        ("connect", Request::Connect),
        ("start", Request::Start),
        ("midst", Request::Midst),
        ("end", Request::End),
        ("exec", Request::Exec),
        ("reset", Request::Reset),
        ("read", Request::ReadFlash),
        ("baud", Request::ChangeBaud),
        ("erase", Request::EraseFlash),
        ("other", Request::Other),
    ];
}
