//! Checks of mount paths: reserved directories, and files of the image that a mount hides.

use super::files::Look;
use super::finding::{Report, Rule};
use super::map::shown;
use super::volume::{Source, Volume};
use coracle_core::path::ImagePath;

/// Directories that the container runtime needs.
const TAKEN: [&str; 5] = ["/", "/etc", "/dev", "/proc", "/sys"];
/// The most hidden files that a message lists.
const LISTED: usize = 3;

impl Look<'_, '_> {
    /// Checks every mount of the container.
    pub(super) fn places(&self, report: &mut Report) {
        for mount in self.mounts {
            let path = mount.path.to_string();
            if TAKEN.contains(&path.as_str()) || path.starts_with("/proc/") {
                let message = format!("cannot mount on `{path}`: the container runtime needs this directory");
                report.findings.push(self.container.finding(Rule::Taken, mount.place, message));
                continue;
            }
            if let Some(files) = self.expected.files {
                let is_file = mount.is_file(self.container, self.maps);
                let hidden = files.hidden_by(&mount.path, is_file);
                if !hidden.is_empty() {
                    let names: Vec<String> =
                        hidden.iter().take(LISTED).map(|path| format!("`{path}`")).collect();
                    let more = hidden.len() - names.len();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let message =
                        format!("a mount on `{path}` hides files of the image: {}{more}", names.join(", "));
                    report.findings.push(self.container.finding(Rule::Hidden, mount.place, message));
                }
            }
            if let Volume::Files { sources, .. } = &mount.volume {
                sources.iter().for_each(|source| self.items(source, report));
            }
        }
    }

    /// Reports keys that a volume lists but the object does not have: the pod would not start.
    fn items(&self, source: &Source<'_>, report: &mut Report) {
        let Some(map) = source.map(&self.container.object, self.maps) else { return };
        for item in source.items.unwrap_or_default() {
            let key = item.text_of("key").unwrap_or_default();
            if map.entry(key).is_none() && !source.is_optional {
                let place = item.get("key").map_or(item.place, |key| key.place);
                let message = format!(
                    "the {} `{}` has no key `{}`, so the pod cannot start",
                    source.kind(),
                    shown(source.name),
                    shown(key)
                );
                report.findings.push(self.container.finding(Rule::MissingKey, place, message));
            }
        }
    }
}
