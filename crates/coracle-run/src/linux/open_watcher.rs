//! Finds out whether a program opens files after they have changed.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Instant;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::protocol::{OpenedFile, SandboxEvent};
use super::sandbox_init::EventSender;
use crate::VolumeFile;

/// Reports each file in `directory` when a process opens it for the first time. The files are watched
/// when this function returns, and no process knows them yet.
pub(super) fn report_opens(directory: &Path, files: &[VolumeFile], events: EventSender) -> io::Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    let mut watched = Vec::new();
    for file in files {
        let watch = inotify
            .add_watch(&directory.join(&file.path), AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ONESHOT)?;
        watched.push((watch, file.path.clone()));
    }
    let start = Instant::now();
    thread::spawn(move || {
        while let Ok(found) = inotify.read_events() {
            for event in found.iter().filter(|event| event.mask.contains(AddWatchFlags::IN_OPEN)) {
                let Some((_, path)) = watched.iter().find(|(watch, _)| *watch == event.wd) else { continue };
                let microseconds = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                events.send(&SandboxEvent::Opened(OpenedFile { path: path.clone(), microseconds }));
            }
        }
    });
    Ok(())
}
