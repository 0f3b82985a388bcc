//! Text of programs that is made to cost time, memory or a failure.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::build::project::Project;
use crate::implicit::built_image::{Image, hints};

/// A program with these bytes among its constants.
fn program_with(project: &Project, text: &[u8]) {
    project.file("text.bin", text);
    let path = project.path("text.bin");
    let source = format!(
        "__asm__(\".section .rodata\\n.incbin \\\"{}\\\"\\n.byte 0\\n.text\\n\");\nint main(void) {{ return 0; }}\n",
        path.display()
    );
    project.program("app", &source, &[]);
}

#[test]
fn megabytes_of_paths_cost_bounded_time_and_memory() {
    let project = Project::new();
    let text: String = (0..300_000).map(|number| format!("/usr/share/none-{number}/file\0")).collect();
    assert!(text.len() > 7 << 20);
    program_with(&project, text.as_bytes());
    let start = Instant::now();
    let coracle = coracle_testing::program("coracle");
    // In kilobytes; the program itself is mapped as a whole.
    let limited = format!("ulimit -v 1500000; exec {} build app --dry-run", coracle.display());
    let output = Command::new("sh").args(["-c", &limited]).current_dir(project.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn one_long_text_without_separators_costs_bounded_time() {
    let project = Project::new();
    program_with(&project, &b"/usr/share".repeat(1 << 20));
    let start = Instant::now();
    hints(&project, &["app"]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn names_longer_than_those_of_files_are_not_looked_up() {
    let project = Project::new();
    let name = "n".repeat(300);
    let text = format!(
        "/usr/share/{name}\0/usr/share/{name}/%s.dat\0/usr/share/{}\0/usr/share/{name}:/usr/{name}\0/{}\0",
        "d/".repeat(3000),
        "../".repeat(2000)
    );
    program_with(&project, text.as_bytes());
    let image = Image::of(&project, &["app"]);
    assert!(!image.said.contains("hint"), "{}", image.said);
}
