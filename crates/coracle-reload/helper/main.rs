//! The program of the reload sidecar: sends a signal to another program when Kubernetes has updated
//! a mounted directory.
//!
//! A kubelet updates a ConfigMap or Secret volume by renaming a link over `DIR/..data`. This
//! program waits for that with inotify, finds the other program in the pod's shared PID namespace,
//! and sends it one signal. It uses no library, so its bytes depend on the compiler alone.
//!
//! Its variables are those of docs/manifests.md: `WATCH_DIRS`, `SIGNAL` and `PROCESS`.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod memory;
mod message;
mod process;
mod settings;
mod system;
mod watch;

use message::Message;
use process::Delivery;
use settings::Settings;
use system::{Descriptor, Wake};
use watch::Change;

/// How long changes are collected, because a kubelet updates the volumes of a pod one after another.
const COLLECT_MS: u32 = 200;
/// How often a program without a handler is looked at again, and for how long: it is starting.
const RETRY_MS: u32 = 100;
const MAX_RETRIES: u32 = 600;

/// Runs the program. Returns its exit code.
fn run(environment: system::Environment<'_>) -> i32 {
    match Settings::from_environment(&environment) {
        Ok(settings) => run_with(&settings),
        Err(message) => {
            message.print();
            2
        }
    }
}

fn run_with(settings: &Settings<'_>) -> i32 {
    let (Some(stop), Some(inotify)) = (system::stop_signals(), system::inotify()) else {
        Message::new().text(b"cannot create file descriptors for signals and inotify").print();
        return 1;
    };
    if let Err(message) = watch::add_all(&inotify, settings) {
        message.print();
        return 1;
    }
    Message::new().text(b"watching ").text(settings.directories).print();
    let mut retries_left = MAX_RETRIES;
    // A program that runs already may have read its files before they were watched.
    let mut is_pending = process::is_running(settings) && deliver(settings, &mut retries_left);
    loop {
        let timeout = is_pending.then_some(RETRY_MS);
        match system::wait(&stop, Some(&inotify), timeout) {
            Wake::Stop => return 0,
            Wake::TimedOut => is_pending = deliver(settings, &mut retries_left),
            Wake::Readable => match collect(&stop, &inotify) {
                Collected::Stop => return 0,
                Collected::Nothing => {}
                Collected::Updated => {
                    retries_left = MAX_RETRIES;
                    is_pending = deliver(settings, &mut retries_left);
                }
                Collected::DirectoryRemoved => {
                    Message::new().text(b"a directory in WATCH_DIRS was removed").print();
                    return 1;
                }
            },
        }
    }
}

/// What has happened to the directories.
enum Collected {
    Updated,
    DirectoryRemoved,
    Nothing,
    Stop,
}

/// Reads the pending events, and after an update those that follow it shortly.
fn collect(stop: &Descriptor, inotify: &Descriptor) -> Collected {
    match watch::read_changes(inotify) {
        Change::None => return Collected::Nothing,
        Change::DirectoryRemoved => return Collected::DirectoryRemoved,
        Change::Updated => {}
    }
    if let Wake::Stop = system::wait(stop, None, Some(COLLECT_MS)) {
        return Collected::Stop;
    }
    match watch::read_changes(inotify) {
        Change::DirectoryRemoved => Collected::DirectoryRemoved,
        Change::Updated | Change::None => Collected::Updated,
    }
}

/// Sends the signal, if the program runs. Returns whether to try again, because it has no handler
/// yet.
fn deliver(settings: &Settings<'_>, retries_left: &mut u32) -> bool {
    match process::send_signal(settings) {
        Delivery::Sent(pid) => {
            Message::new()
                .text(b"sent ")
                .text(settings.signal_name)
                .text(b" to ")
                .text(settings.process)
                .text(b", PID ")
                .number(pid)
                .print();
            false
        }
        Delivery::NotRunning => {
            Message::new()
                .text(settings.process)
                .text(b" is not running and reads the new files when it starts")
                .print();
            false
        }
        Delivery::NoHandler if *retries_left > 0 => {
            if *retries_left == MAX_RETRIES {
                Message::new()
                    .text(settings.process)
                    .text(b" does not handle ")
                    .text(settings.signal_name)
                    .text(b" yet: the signal waits")
                    .print();
            }
            *retries_left -= 1;
            true
        }
        Delivery::NoHandler => {
            Message::new()
                .text(settings.process)
                .text(b" does not handle ")
                .text(settings.signal_name)
                .text(b", which would end it: not sent")
                .print();
            false
        }
    }
}
