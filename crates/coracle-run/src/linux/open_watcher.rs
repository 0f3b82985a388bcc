//! Finds out whether a program opens files after they have changed.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Instant;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::protocol::{OpenedFile, SandboxEvent};
use crate::volume::VolumeFile;

/// Calls `report` from a thread when a process opens one of the files in `directory` for the first
/// time. They are watched when this function returns. To be called before programs can see them.
///
/// # Errors
/// Fails if a file cannot be watched.
pub fn report_opens(
    directory: &Path,
    files: &[VolumeFile],
    report: impl Fn(SandboxEvent) + Send + 'static,
) -> io::Result<()> {
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
                report(SandboxEvent::Opened(OpenedFile { path: path.clone(), microseconds }));
            }
        }
    });
    Ok(())
}
