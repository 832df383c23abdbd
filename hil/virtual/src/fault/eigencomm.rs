//! Stages and requests of an Eigencomm module, as faults name them.

/// A stage of an Eigencomm module in download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EigencommStage {
    /// The mask ROM, DLBOOT.
    Rom,
    /// The agent's command loop.
    Lpc,
    /// The agent's image receiver, AGBOOT.
    Ag,
}

/// A request to an Eigencomm module in download mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EigencommRequest {
    /// Any of the others.
    Any,
    /// The sync of the stage.
    Sync,
    /// GET_VERSION.
    Version,
    /// SEL_IMAGE.
    Select,
    /// VERIFY_IMAGE.
    Verify,
    /// DATA_HEAD.
    Head,
    /// DOWNLOAD_DATA.
    Data,
    /// DONE.
    Done,
    /// BURN_ONE.
    BurnOne,
    /// GET_BURN_STATUS.
    Status,
    /// READ_MEM.
    Read,
    /// BULK_READ.
    BulkRead,
    /// FLASH_ERASE.
    Erase,
    /// SYS_RST.
    Reset,
    /// Every other command.
    Other,
}

impl EigencommStage {
    pub(super) const NAMED: [(&'static str, EigencommStage); 3] = [
        ("rom", EigencommStage::Rom),
        ("lpc", EigencommStage::Lpc),
        ("ag", EigencommStage::Ag),
    ];

    /// Its name in faults, in the log of commands, and in violations.
    pub(crate) fn name(self) -> &'static str {
        let [(rom, _), (lpc, _), (ag, _)] = Self::NAMED;
        match self {
            EigencommStage::Rom => rom,
            EigencommStage::Lpc => lpc,
            EigencommStage::Ag => ag,
        }
    }
}

impl EigencommRequest {
    pub(super) const NAMED: [(&'static str, EigencommRequest); 15] = [
        ("any", EigencommRequest::Any),
        ("sync", EigencommRequest::Sync),
        ("version", EigencommRequest::Version),
        ("select", EigencommRequest::Select),
        ("verify", EigencommRequest::Verify),
        ("head", EigencommRequest::Head),
        ("data", EigencommRequest::Data),
        ("done", EigencommRequest::Done),
        ("burn-one", EigencommRequest::BurnOne),
        ("status", EigencommRequest::Status),
        ("read", EigencommRequest::Read),
        ("bulk-read", EigencommRequest::BulkRead),
        ("erase", EigencommRequest::Erase),
        ("reset", EigencommRequest::Reset),
        ("other", EigencommRequest::Other),
    ];
}
