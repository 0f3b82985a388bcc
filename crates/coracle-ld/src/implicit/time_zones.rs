//! Time zones for `localtime`. Without any, local time is UTC. Source: `time/tzfile.c`.

use super::Error;
use super::policy::TimeZones;
use super::program_context::ProgramContext;
use super::requests::Requests;
use coracle_core::path::RawPath;

const ZONEINFO_DIRECTORY: &str = "/usr/share/zoneinfo";
/// Copies of all zones, without and with leap seconds.
const DUPLICATE_DIRECTORIES: [&str; 2] = ["posix", "right"];

pub(super) fn add_time_zones(program: &ProgramContext<'_>, wants: &mut Requests) -> Result<(), Error> {
    let directory = RawPath::new(ZONEINFO_DIRECTORY);
    let hint = "install `tzdata` where the image is built, or check the spelling";
    match &program.policy.time_zones {
        None => {}
        Some(TimeZones::All) => {
            let zones = program.data_files_below(&directory, &DUPLICATE_DIRECTORIES, "time zone")?;
            if zones.is_empty() {
                wants.add_unmet(format!("cannot find time zones in `{ZONEINFO_DIRECTORY}`"), hint);
            }
            wants.data_files.extend(zones);
        }
        Some(TimeZones::Listed(names)) => {
            for name in names {
                let file = RawPath::join_bytes(directory.as_bytes(), name.as_bytes());
                match program.data_file(&file, "time zone")? {
                    Some(zone) => wants.data_files.push(zone),
                    None => wants.add_unmet(
                        format!("cannot find the time zone `{name}` in `{ZONEINFO_DIRECTORY}`"),
                        hint,
                    ),
                }
            }
        }
    }
    Ok(())
}
