//! Settings and regions are read or refused; whatever they say, a plan erases nothing twice and no calibration data.

use std::collections::HashSet;
use std::sync::Arc;

use qpyflash_protocols::eigencomm::{Companions, Extra, Flash, Plan, extras, regions};

use super::package;
use crate::read;

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(&[u8], &[u8], &[u8], Vec<(u16, u16, u16)>)>(bytes) else {
        return;
    };
    let (settings, format, config, places) = input;
    let _ = regions(format);
    let files = |extra: Extra| {
        let data = vec![0; (extra.limit as usize).clamp(1, 100)].into();
        (extra, data)
    };
    let named = extras(config).unwrap_or_default();
    let made = places.iter().map(|(address, limit, low)| Extra {
        file: "ap_application.bin",
        address: u32::from(*address) << 8 | u32::from(*low & 0xFF),
        limit: u32::from(*limit) << 6,
    });
    let companions = Companions {
        extras: named.into_iter().chain(made).take(5).map(files).collect(),
        usb_settings: Some(settings.into()),
        uart_settings: Some(config.into()),
        format: Some(format.into()),
        ..Companions::default()
    };
    let Ok(plan) = Plan::new(Arc::new(package::small()), companions) else {
        return;
    };
    let mut sectors = HashSet::new();
    for burn in plan.burns() {
        let rest = burn.rest();
        let body = &burn.erased[0];
        assert!(body.start == burn.address && rest.end == body.end && rest.start <= rest.end);
        for range in &burn.erased {
            for sector in range.clone().step_by(0x1000) {
                assert!(sectors.insert((burn.flash == Flash::Cp, sector)), "erased twice");
                let limit = if burn.flash == Flash::Cp {
                    0xC_D000
                } else {
                    0x3F_C000
                };
                assert!(sector < limit);
            }
        }
    }
}
