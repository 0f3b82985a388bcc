//! Ctrl-C during a build: the old image stays, and no other file does.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use coracle::recipe::RecipeOverrides;
use coracle::{Observer, Plan, Recipe, Settings};

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A directory with a program, and with two gigabytes that take no block on disk: time enough to be interrupted in.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::write(at.join("m.c"), "int main(void) { return 0; }\n").unwrap();
    assert!(Command::new("cc").args(["-o", "m", "m.c"]).current_dir(at).status().unwrap().success());
    fs::File::create(at.join("big")).unwrap().set_len(2 << 30).unwrap();
    directory
}

fn build(at: &Path, args: &[&str]) -> Command {
    let mut build = Command::new(env!("CARGO_BIN_EXE_coracle"));
    build.args(["build", "--quiet"]).args(args).current_dir(at);
    build.stdout(Stdio::null()).stderr(Stdio::piped());
    build
}

/// Interrupts a build when it packs in `place`; it says so once.
#[track_caller]
fn interrupt(mut build: Command, place: &Path) {
    let child = build.spawn().unwrap();
    while names(place).iter().all(|name| !name.starts_with(".coracle-")) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), talk.as_str()),
        (Some(130), "error: interrupted; nothing was written\n")
    );
}

#[test]
fn an_interrupted_build_leaves_the_old_image() {
    let directory = directory();
    let at = directory.path();
    let args = ["m", "-o", "oci:m.oci"];
    assert!(build(at, &args).status().unwrap().success());
    let (before, index) = (names(at), fs::read(at.join("m.oci/index.json")).unwrap());
    interrupt(build(at, &[&args[..], &["--include", "big:/big"]].concat()), &at.join("m.oci"));
    assert_eq!(names(at), before);
    assert_eq!(names(&at.join("m.oci")), ["blobs", "index.json", "oci-layout"]);
    assert_eq!(fs::read(at.join("m.oci/index.json")).unwrap(), index);
}

/// Cancels a build when it has asked so often whether to go on, and counts what it has begun.
#[derive(Default)]
struct CancelAfter {
    polls: AtomicUsize,
    limit: usize,
    is_planned: AtomicBool,
}

impl Observer for CancelAfter {
    fn on_planned(&self, _: &[Plan]) {
        self.is_planned.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.polls.fetch_add(1, Ordering::Relaxed) >= self.limit
    }
}

#[test]
fn planning_is_cancelled_between_any_two_files() {
    let directory = directory();
    let at = directory.path();
    fs::create_dir(at.join("many")).unwrap();
    for number in 0..300 {
        fs::write(at.join(format!("many/{number}")), "").unwrap();
    }
    let flags = RecipeOverrides {
        programs: vec![at.join("m").into()],
        includes: vec![format!("{}:/many", at.join("many").display()).into()],
        destinations: vec![format!("oci:{}", at.join("m.oci").display())],
        ..RecipeOverrides::default()
    };
    let recipe = Recipe::from_flags(&flags).unwrap();
    for limit in [0, 10, 200, 400] {
        let observer = CancelAfter { limit, ..CancelAfter::default() };
        for error in [
            coracle::plan(&recipe, &Settings::default(), &observer).err(),
            coracle::build(&recipe, &Settings::default(), &observer).err(),
        ] {
            assert!(matches!(error, Some(coracle::Error::Cancelled { .. })), "{limit}: {error:?}");
        }
        assert!(!observer.is_planned.load(Ordering::Relaxed), "{limit}");
    }
    assert!(!at.join("m.oci").exists());
}

#[test]
fn an_interrupt_ends_several_builds() {
    let directory = directory();
    let at = directory.path();
    let mut args = Vec::new();
    for recipe in ["one.toml", "two.toml", "three.toml"] {
        let image = format!("[image]\nname = \"{}\"\nprograms = [\"m\"]\n", recipe.trim_end_matches(".toml"));
        fs::write(at.join(recipe), image + "[[include]]\nfrom = \"big\"\nto = \"/big\"\n").unwrap();
        args.extend(["-f", recipe]);
    }
    let before = names(at);
    interrupt(build(at, &args), at);
    assert_eq!(names(at), before);
}
