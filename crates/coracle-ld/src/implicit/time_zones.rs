//! Time zones for `localtime`. Without any, local time is UTC. Source: `time/tzfile.c`.

use super::Error;
use super::policy::TimeZones;
use super::program::Program;
use super::wants::Wants;
use coracle_core::path::Spelled;

const DIRECTORY: &str = "/usr/share/zoneinfo";
/// Copies of all zones, without and with leap seconds.
const DOUBLES: [&str; 2] = ["posix", "right"];

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let directory = Spelled::new(DIRECTORY);
    let hint = "install `tzdata` where the image is built, or check the spelling";
    match &program.policy.time_zones {
        None => {}
        Some(TimeZones::All) => {
            let zones = program.folder(&directory, &DOUBLES, "time zone")?;
            if zones.is_empty() {
                wants.lack(format!("cannot find time zones in `{DIRECTORY}`"), hint);
            }
            wants.extras.extend(zones);
        }
        Some(TimeZones::Some(names)) => {
            for name in names {
                let file = Spelled::in_directory(directory.as_bytes(), name.as_bytes());
                match program.data(&file, "time zone")? {
                    Some(zone) => wants.extras.push(zone),
                    None => wants.lack(format!("cannot find the time zone `{name}` in `{DIRECTORY}`"), hint),
                }
            }
        }
    }
    Ok(())
}
