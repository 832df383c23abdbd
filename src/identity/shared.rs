//! Firmware that several submodels share. Source: the vendor's guide; specs/identity.md §4.5.

use super::OrderingCode;

/// The modules on the left may take the firmware on the right. Nothing says that the reverse holds.
#[rustfmt::skip]
const SHARED: [(&[&str], &str); 7] = [
    (&["EC600MCNLA", "EC600MCNLE"],                                           "EC600M_CNLE"),
    (&["EC800MCNLA", "EC800MCNLE"],                                           "EC800M_CNLE"),
    (&["EC600MCNLC", "EC600MCNLF"],                                           "EC600M_CNLF"),
    (&["EC800MCNLC", "EC800MCNLF"],                                           "EC800M_CNLF"),
    (&["EC800MCNGC", "EC800MCNGD"],                                           "EC800M_CNGD"),
    (&["EC600ECNLC", "EC600ECNLE", "EC600ECNLQ", "EC600ECNLD", "EC600ECNCG"], "EC600E_CNLC"),
    (&["EC800ECNLC", "EC800ECNLE", "EC800ECNLQ", "EC800ECNLD", "EC800ECNCG"], "EC800E_CNLC"),
];

/// The group a module belongs to, and the firmware that the group shares.
fn group_of(code: &OrderingCode) -> Option<&'static (&'static [&'static str], &'static str)> {
    SHARED
        .iter()
        .find(|(modules, _)| modules.contains(&code.first_part()))
}

/// The firmware a module may take although it is named for another submodel.
pub fn shared_firmware(module: &OrderingCode) -> Option<OrderingCode> {
    let (_, firmware) = group_of(module)?;
    firmware
        .parse()
        .ok()
        .filter(|firmware| !module.same_submodel(firmware))
}

/// Both belong to one group: their firmware reports one and the same ordering code.
pub fn same_group(one: &OrderingCode, other: &OrderingCode) -> bool {
    group_of(one).is_some_and(|(modules, _)| modules.contains(&other.first_part()))
}

/// What a module may take: its own firmware, then the shared one. Source: specs/identity.md §4.7.
pub fn acceptable(module: &OrderingCode) -> Vec<OrderingCode> {
    let own = OrderingCode::from_parts(module.series(), module.submodel());
    own.into_iter().chain(shared_firmware(module)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> OrderingCode {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    /// The guide's table, written down a second time by hand.
    const GUIDE: [(&str, &str); 20] = [
        ("EC600MCNLA", "QPY_OCPU_EC600M_CNLE_FW"),
        ("EC600MCNLE", "QPY_OCPU_EC600M_CNLE_FW"),
        ("EC800MCNLA", "QPY_OCPU_EC800M_CNLE_FW"),
        ("EC800MCNLE", "QPY_OCPU_EC800M_CNLE_FW"),
        ("EC600MCNLC", "QPY_OCPU_EC600M_CNLF_FW"),
        ("EC600MCNLF", "QPY_OCPU_EC600M_CNLF_FW"),
        ("EC800MCNLC", "QPY_OCPU_EC800M_CNLF_FW"),
        ("EC800MCNLF", "QPY_OCPU_EC800M_CNLF_FW"),
        ("EC800MCNGC", "QPY_OCPU_EC800M_CNGD_FW"),
        ("EC800MCNGD", "QPY_OCPU_EC800M_CNGD_FW"),
        ("EC600ECNLC", "QPY_OCPU_EC600E_CNLC_FW"),
        ("EC600ECNLE", "QPY_OCPU_EC600E_CNLC_FW"),
        ("EC600ECNLQ", "QPY_OCPU_EC600E_CNLC_FW"),
        ("EC600ECNLD", "QPY_OCPU_EC600E_CNLC_FW"),
        ("EC600ECNCG", "QPY_OCPU_EC600E_CNLC_FW"),
        ("EC800ECNLC", "QPY_OCPU_EC800E_CNLC_FW"),
        ("EC800ECNLE", "QPY_OCPU_EC800E_CNLC_FW"),
        ("EC800ECNLQ", "QPY_OCPU_EC800E_CNLC_FW"),
        ("EC800ECNLD", "QPY_OCPU_EC800E_CNLC_FW"),
        ("EC800ECNCG", "QPY_OCPU_EC800E_CNLC_FW"),
    ];

    #[test]
    fn holds_the_guides_seven_groups_and_twenty_codes() {
        assert_eq!(
            SHARED.iter().map(|(modules, _)| modules.len()).sum::<usize>(),
            GUIDE.len()
        );
        for (module, file) in GUIDE {
            let firmware = crate::firmware::FileName::parse(file)
                .unwrap()
                .ordering_code()
                .clone();
            assert!(
                acceptable(&code(module)).contains(&firmware),
                "{module} takes {file}"
            );
        }
    }

    #[test]
    fn sharing_has_one_direction() {
        assert_eq!(shared_firmware(&code("EC600MCNLA")), Some(code("EC600MCNLE")));
        assert_eq!(shared_firmware(&code("EC600MCNLE")), None);
        assert_eq!(acceptable(&code("EC600MCNLE")), [code("EC600MCNLE")]);
        assert_eq!(
            acceptable(&code("EC600MCNLA-I05")),
            [code("EC600MCNLA"), code("EC600MCNLE")]
        );
    }

    #[test]
    fn a_group_never_crosses_series() {
        for (modules, firmware) in SHARED {
            assert!(
                modules
                    .iter()
                    .all(|module| code(module).series() == code(firmware).series())
            );
        }
        assert!(!same_group(&code("EC600MCNLA"), &code("EC800MCNLA")));
        assert!(same_group(&code("EC600ECNLQ"), &code("EC600ECNCG")));
        assert!(!same_group(&code("EC600NCNLA"), &code("EC600NCNLA")));
    }
}
