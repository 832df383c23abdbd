//! `fixture.toml` and scanned labels: read, or refused as usage.

use std::path::Path;

use qpyflash::Kind;
use qpyflash::fleet::config::Config;
use qpyflash::fleet::label::Scans;

use crate::read;

const STATION: &str = "line = \"L\"\nstation = \"S\"\nstate = \".\"\n\
    [[slot]]\nname = \"A\"\npath = \"1-1\"\n\
    [[slot]]\nname = \"B\"\npath = \"1-2\"\nordering_code = \"EC600NCNLA\"\n";

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((text, labels)) = read::<(&str, &[u8])>(bytes) else {
        return;
    };
    let file = Path::new("fixture.toml");
    for text in [text.to_owned(), format!("{STATION}{text}")] {
        match Config::parse(file, &text) {
            Ok(config) => {
                let places = config.slots.iter().map(|slot| &slot.place);
                assert!(
                    places
                        .clone()
                        .all(|place| places.clone().filter(|other| *other == place).count() == 1)
                );
            }
            Err(error) => assert_eq!(error.kind, Kind::Usage, "{error:?}"),
        }
    }
    let config = Config::parse(file, STATION).expect("a sound station");
    match Scans::read(&config, &config.slots, labels) {
        Ok(scans) => config.slots.iter().for_each(|slot| {
            if let Ok(label) = scans.expected(slot) {
                assert!(label.imei.is_none_or(|imei| imei.len() == 15));
                let own = slot.ordering_code.as_ref();
                assert!(own.is_none_or(|own| label.ordering_code.same_submodel(own)));
            }
        }),
        Err(error) => assert_eq!(error.kind, Kind::Usage, "{error:?}"),
    }
}
