//! The mounted directories.

use core::ffi::CStr;

use crate::message::Message;
use crate::settings::Settings;
use crate::system::{self, Descriptor};

const IN_MOVED_TO: u32 = 0x80;
const IN_CREATE: u32 = 0x100;
const IN_DELETE_SELF: u32 = 0x400;
const IN_MOVE_SELF: u32 = 0x800;
const IN_UNMOUNT: u32 = 0x2000;
const IN_Q_OVERFLOW: u32 = 0x4000;
const IN_ONLYDIR: u32 = 0x100_0000;
/// The link that a kubelet replaces (`..data`, `pkg/volume/util/atomic_writer.go`).
const DATA_LINK: &[u8] = b"..data";
/// Linux' `PATH_MAX`.
const PATH_CAPACITY: usize = 4096;
/// The size of `struct inotify_event` without the name.
const EVENT_SIZE: usize = 16;

/// Watches all directories. Fails if one cannot be watched.
pub(crate) fn add_all(inotify: &Descriptor, settings: &Settings<'_>) -> Result<(), Message> {
    for directory in settings.directories() {
        let mut path = [0; PATH_CAPACITY];
        let is_watched = match path.get_mut(..directory.len()) {
            Some(start) => {
                start.copy_from_slice(directory);
                let events = IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
                CStr::from_bytes_until_nul(&path).is_ok_and(|path| system::add_watch(inotify, path, events))
            }
            None => false,
        };
        if !is_watched {
            return Err(Message::new().text(b"cannot watch the directory ").text(directory));
        }
    }
    Ok(())
}

/// What has happened to the directories.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    None,
    Updated,
    DirectoryRemoved,
}

/// Reads all pending events. Returns the most important change.
pub(crate) fn read_changes(inotify: &Descriptor) -> Change {
    let mut all = Change::None;
    let mut buffer = [0; 4096];
    while let Some(events) = inotify.read(&mut buffer).filter(|events| !events.is_empty()) {
        let mut rest = events;
        while let Some((change, next)) = next_change(rest) {
            all = all.max(change);
            rest = next;
        }
    }
    all
}

/// Parses the first event. Returns its change and the other events.
fn next_change(events: &[u8]) -> Option<(Change, &[u8])> {
    let (header, rest) = events.split_first_chunk::<EVENT_SIZE>()?;
    let [_, _, _, _, m0, m1, m2, m3, _, _, _, _, l0, l1, l2, l3] = *header;
    let mask = u32::from_ne_bytes([m0, m1, m2, m3]);
    let (name, rest) = rest.split_at_checked(u32::from_ne_bytes([l0, l1, l2, l3]) as usize)?;
    let is_data_link = name.strip_prefix(DATA_LINK).is_some_and(|padding| padding.first() == Some(&0));
    let change = if mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) != 0 {
        Change::DirectoryRemoved
    } else if mask & IN_Q_OVERFLOW != 0 || is_data_link {
        // Lost events may have been an update.
        Change::Updated
    } else {
        Change::None
    };
    Some((change, rest))
}
