//! What a fault does to a write of an ASR module.

use std::time::Duration;

use super::grid::{Grid, Runs, Way};

/// What the dialogue loses is not asked for again: a flasher that was asked twice might do it twice. A bit that is
/// flipped in a name or a number is seen where it matters. Source: specs/asr-aboot.md §4, §8.2.
const ROM_1603: &str = "
              wait   silence garbage noise refuse:no answer:MAYBE lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late    stop-reading vanish  move    power-loss
preamble      10000  silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
confirmation  100    silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
hello         100    silent0 ok      ok    ok        ok           ok         ok              ok          -             ok          ok      ok      silent0      gone0   gone0   gone0
getvar        10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       ok            ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@4      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       chip0         ok          ok      silent0 silent0      gone0   gone0   gone0
progress      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@7      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
download      30000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 stallH       gone0   gone0   gone0
after-data    60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
verify        30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call          300000 silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
getvar@8      10000  silentH ok      ok    nakH      junkH        ok         ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
download@2    30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH stallH       goneH   goneH   goneH
after-data@2  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call@2        300000 silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
getvar@9      10000  silentH ok      ok    nakH      junkH        ok         ok              ok          junkH         ok          ok      ok      silentH      goneH   goneH   goneH
after-data@3  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition     60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition@2   60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentP      goneH   goneH   goneH
erase         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@11     10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@12     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
erase@2       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@5    600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@5  60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@14     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@12   600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@12 60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@8       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@13      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
reboot        10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
complete      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP cycle        goneP   goneP   goneP
disconnect    1000   ok      ok      ok    cycle     ok           ok         ok              ok          ok            ok          ok      ok      ok           unseenC unseenC ok
";

/// The loader drops frames that are longer than it has said. A host in haste asks again, and hears the right length.
const WRONG_LENGTH: &str = "
      wait corrupt-reply
hello 100  silentH
";

/// While the bytes of a download arrive.
const DATA: &str = "
             wait  silence refuse:no stop-reading vanish move  power-loss
data:1       60000 silentH nakH      stallH       goneH  goneH goneH
data:9000@2  60000 silentH nakH      stallH       goneH  goneH goneH
data:100@5   60000 silentP nakP      silentP      goneP  goneP goneP
data:9000@11 60000 silentP nakP      silentP      goneP  goneP goneP
";

/// ETHOS sends packets that are acknowledged one by one.
const DATA_1601: &str = "
             wait  silence refuse:no stop-reading vanish move  power-loss
data:1       60000 silentH nakH      silentH      goneH  goneH goneH
data:9000@2  60000 silentH nakH      silentH      goneH  goneH goneH
data:100@5   60000 silentP nakP      silentP      goneP  goneP goneP
data:9000@11 60000 silentP nakP      silentP      goneP  goneP goneP
";

/// While the flasher works, which may be long after it has acknowledged. Source: §4.5, §8.1.
const WORK: &str = "
               wait   silence refuse:no stop-reading vanish move  power-loss
programming    900000 silentP nakP      silentP      goneP  goneP goneP
programming@3  900000 silentP nakP      silentP      goneP  goneP goneP
programming@15 900000 silentP nakP      silentP      goneP  goneP goneP
";

/// ETHOS is served by the program that has stopped. Source: §8.1.
const WORK_1601: &str = "
               wait   silence refuse:no stop-reading vanish move  power-loss
programming    900000 silentP silentP   silentP      goneP  goneP goneP
programming@3  900000 silentP silentP   silentP      goneP  goneP goneP
programming@15 900000 silentP silentP   silentP      goneP  goneP goneP
";

/// The flasher has three blocks: the fourth image waits for one, so long and no longer. Source: §4.5.
const SLOW_1603: &str = "
               wait   in-time late
programming    600000 ok      silentP
programming@3  600000 ok      silentP
programming@15 900100 ok      silentP
";

/// boot2 takes helpers for form's sake, and its flasher answers after the work. Source: §4.4.
const BOOT2_1601: &str = "
              wait   silence garbage noise refuse:no answer:MAYBE lose-reply duplicate-reply stale-reply corrupt-reply split-reply in-time late    stop-reading vanish  move    power-loss
preamble      10000  silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
confirmation  100    silent0 ok      ok    ok        ok           ok         ok              ok          ok            ok          ok      ok      silent0      gone0   gone0   gone0
hello         100    silent0 ok      ok    ok        ok           ok         ok              ok          silentH       ok          ok      ok      silent0      gone0   gone0   gone0
getvar        10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       ok            ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@4      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              chip0       chip0         ok          ok      silent0 silent0      gone0   gone0   gone0
progress      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
getvar@7      10000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 silent0      gone0   gone0   gone0
download      30000  silent0 silent0 ok    nak0      junk0        silent0    ok              ok          junk0         ok          ok      silent0 stallH       gone0   gone0   gone0
after-data    60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
verify        30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call          10000  silentH silentH ok    ok        junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
getvar@8      10000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
download@2    30000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH stallH       goneH   goneH   goneH
after-data@2  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
call@2        10000  silentH silentH ok    ok        junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
getvar@9      10000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
after-data@3  60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition     60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentH      goneH   goneH   goneH
partition@2   60000  silentH silentH ok    nakH      junkH        silentH    ok              ok          junkH         ok          ok      silentH silentP      goneH   goneH   goneH
erase         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@11     10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@12     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
erase@2       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@5    600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@5  60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash         900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
getvar@14     10000  silentP silentP ok    ok        junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
download@12   600000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
after-data@12 60000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@8       900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
flash@13      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
reboot        10000  silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP silentP      goneP   goneP   goneP
complete      900000 silentP silentP ok    nakP      junkP        silentP    ok              ok          junkP         ok          ok      silentP cycle        goneP   goneP   goneP
disconnect    1000   ok      ok      ok    cycle     ok           ok         ok              ok          ok            ok          ok      ok      ok           unseenC unseenC ok
";

/// Packets of ETHOS are numbered: what is lost or comes twice is sent again or dropped below the commands. Source: §3.7.
const ROM_1601: &str = "
              wait   silence refuse:no answer:MAYBE lose-reply in-time late    stop-reading vanish  power-loss
preamble      10000  silent0 nak0      junk0        ok         ok      ok      silent0      gone0   gone0
hello         100    silent0 nak0      junk0        ok         ok      ok      silent0      gone0   gone0
getvar        10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
getvar@4      10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
progress      10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
getvar@7      10000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
download      30000  silent0 nak0      junk0        silent0    ok      silent0 silent0      gone0   gone0
after-data    60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
verify        30000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
call          300000 silentH nakH      junkH        silentH    ok      ok      silentH      goneH   goneH
getvar@8      10000  silentH nakH      junkH        ok         ok      ok      silentH      goneH   goneH
download@2    30000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
after-data@2  60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
call@2        300000 silentH nakH      junkH        silentH    ok      ok      silentH      goneH   goneH
getvar@9      10000  silentH nakH      junkH        ok         ok      ok      silentH      goneH   goneH
after-data@3  60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
partition     60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
partition@2   60000  silentH nakH      junkH        silentH    ok      silentH silentH      goneH   goneH
erase         900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
getvar@11     10000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
getvar@12     10000  silentP ok        junkP        silentP    ok      silentP silentP      goneP   goneP
erase@2       900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
download@5    600000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
after-data@5  60000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
flash         900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
getvar@14     10000  silentP ok        junkP        silentP    ok      silentP silentP      goneP   goneP
download@12   600000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
after-data@12 60000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
flash@8       900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
flash@13      900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
reboot        10000  silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
complete      900000 silentP nakP      junkP        silentP    ok      silentP silentP      goneP   goneP
disconnect    1000   ok      cycle     ok           ok         ok      ok      ok           unseenC ok
";

const fn grid(title: &'static str, runs: Runs, text: &'static str) -> Grid {
    Grid {
        title,
        arguments: "",
        runs,
        text,
    }
}

const GRIDS_1603: &[Grid] = &[
    grid("commands", Runs::Both, ROM_1603),
    grid("data", Runs::Both, DATA),
    grid("work", Runs::Both, WORK),
    grid("slow work", Runs::Session, SLOW_1603),
    grid("a wrong length", Runs::Session, WRONG_LENGTH),
];

const GRIDS_BOOT2: &[Grid] = &[
    grid("commands", Runs::Session, BOOT2_1601),
    grid("data", Runs::Session, DATA),
    grid("work", Runs::Session, WORK),
];

const GRIDS_1601: &[Grid] = &[
    grid("commands", Runs::Session, ROM_1601),
    grid("data", Runs::Session, DATA_1601),
    grid("work", Runs::Session, WORK_1601),
];

/// A flasher that shows signs of life is waited for so long. Source: §4.6.
const LONGEST: Duration = Duration::from_secs(901);

pub(super) const ROM: Way = Way {
    title: "ASR1603",
    longest: LONGEST,
    grids: GRIDS_1603,
};

pub(super) const BOOT2: Way = Way {
    title: "ASR1601, served by boot2",
    longest: LONGEST,
    grids: GRIDS_BOOT2,
};

pub(super) const ETHOS: Way = Way {
    title: "ASR1601, boot ROM over ETHOS",
    longest: LONGEST,
    grids: GRIDS_1601,
};

/// Every way in.
pub(super) const WAYS: [Way; 3] = [ROM, BOOT2, ETHOS];
