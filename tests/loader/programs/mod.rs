//! Real programs print the same in their unpacked images as on the host, as the same user, in the
//! same directory, with the same variables.
//!
//! A program that is not installed is skipped (see `coracle_testing::requirement`).

mod program_table;
mod runs;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use coracle_testing::requirement;
use coracle_testing::sandbox::Sandbox;

use program_table::{PROGRAMS, Program};
use runs::{ProcessOutcome, run_in_container, run_in_image, run_on_host};

/// Programs that are also run in a container.
const IN_CONTAINERS: &[&str] = &[
    "/usr/bin/git",
    "/usr/bin/node",
    "/usr/bin/openssl",
    "/usr/bin/perl",
    "/usr/bin/rsync",
    "/usr/sbin/nginx",
];

#[test]
fn real_programs_print_the_same_in_their_images() {
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
fn real_programs_print_the_same_under_runc() {
    let runtime = [requirement::Program("umoci", "umoci"), requirement::Program("runc", "runc")];
    if !requirement::programs_installed("runc", &runtime) {
        return;
    }
    let sandbox = Sandbox::new();
    let subjects = PROGRAMS.iter().filter(|program| IN_CONTAINERS.contains(&program.path));
    let mut findings: Vec<String> = Vec::new();
    for program in subjects.filter(|program| is_installed(program)) {
        let (host, container) = (run_on_host(program), run_in_container(program, &sandbox));
        findings.extend(difference(program, &host, &container));
    }
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

fn is_installed(program: &Program) -> bool {
    requirement::programs_installed(program.path, &[requirement::Program(program.path, program.package)])
}

/// Runs a program on the host and in its unpacked image; returns the difference, if any.
fn compare(program: &Program) -> Option<String> {
    let start = Instant::now();
    let difference = difference(program, &run_on_host(program), &run_in_image(program));
    let line = format!("{:6.2} s  {}\n", start.elapsed().as_secs_f64(), program.path);
    // Past the test harness, which would keep it to itself.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    difference
}

/// Returns how the outcomes differ. `None` if the program succeeds on the host and prints the same
/// elsewhere; equal failures count as a difference.
fn difference(
    program: &Program,
    host: &ProcessOutcome,
    elsewhere: &Result<ProcessOutcome, String>,
) -> Option<String> {
    let works = host.status == Some(0) && !(host.stdout.is_empty() && host.stderr.is_empty());
    let same = works && elsewhere.as_ref() == Ok(host);
    (!same).then(|| format!("{}\n  host  {host:.1000?}\n  image {elsewhere:.1000?}", program.path))
}
