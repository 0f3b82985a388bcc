//! Real programs: packed and run in their images, which are unpacked as a runtime does, they print what they print on
//! the host, as the same user, in the same directory, with the same variables.
//!
//! A program that is not installed is skipped aloud, or fails the test.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

#[path = "../clients/bundle.rs"]
mod bundle;
#[allow(dead_code, reason = "the rules of loaders need the rest")]
#[path = "../support/launch.rs"]
mod launch;
#[allow(dead_code, reason = "the real clients need the rest")]
#[path = "../clients/place.rs"]
mod place;
#[allow(dead_code, reason = "the real clients need the rest")]
#[path = "../clients/process.rs"]
mod process;
#[allow(dead_code, reason = "the real clients need the rest")]
#[path = "../clients/requirement.rs"]
mod requirement;
mod run;
mod table;
#[allow(dead_code, reason = "images of other machines need the rest")]
#[path = "../support/unpacked.rs"]
mod unpacked;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use place::Place;
use run::{Ran, in_container, in_image, on_host};
use table::{PROGRAMS, Program};

/// Programs that a runtime runs, too.
const IN_CONTAINERS: &[&str] = &[
    "/usr/bin/git",
    "/usr/bin/node",
    "/usr/bin/openssl",
    "/usr/bin/perl",
    "/usr/bin/rsync",
    "/usr/sbin/nginx",
];

#[test]
fn forty_real_programs_print_in_their_images_what_they_print_on_the_host() {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let findings: Vec<String> = thread::scope(|scope| {
        let work = || {
            let programs = std::iter::from_fn(|| PROGRAMS.get(next.fetch_add(1, Ordering::Relaxed)));
            programs.filter(|program| is_installed(program)).filter_map(compare).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn some_of_them_do_so_in_containers_of_runc() {
    let runtime = [requirement::Program("umoci", "umoci"), requirement::Program("runc", "runc")];
    if !requirement::met("runc", &runtime) {
        return;
    }
    let place = Place::new();
    let subjects = PROGRAMS.iter().filter(|program| IN_CONTAINERS.contains(&program.path));
    let mut findings: Vec<String> = Vec::new();
    for program in subjects.filter(|program| is_installed(program)) {
        let (host, container) = (on_host(program), in_container(program, &place));
        findings.extend(difference(program, &host, &container));
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

fn is_installed(program: &Program) -> bool {
    requirement::met(program.path, &[requirement::Program(program.path, program.package)])
}

/// A program in its unpacked image, and how long that took.
fn compare(program: &Program) -> Option<String> {
    let start = Instant::now();
    let difference = difference(program, &on_host(program), &in_image(program));
    let line = format!("{:6.2} s  {}\n", start.elapsed().as_secs_f64(), program.path);
    // Past the test harness, which would keep it to itself.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    difference
}

/// Nothing, if the program does its job on the host and says the same elsewhere. Two failures may well look alike.
fn difference(program: &Program, host: &Ran, elsewhere: &Result<Ran, String>) -> Option<String> {
    let works = host.status == Some(0) && !(host.stdout.is_empty() && host.stderr.is_empty());
    let same = works && elsewhere.as_ref() == Ok(host);
    (!same).then(|| format!("{}\n  host  {host:.1000?}\n  image {elsewhere:.1000?}", program.path))
}
