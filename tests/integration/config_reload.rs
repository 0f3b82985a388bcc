//! Programs that reload a ConfigMap while they run: those of docs/configuration.md.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use coracle_testing::config_map_volume::AtomicWriter;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs, and the lines that it prints.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    #[track_caller]
    fn says(&self, expected: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(expected));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program in this language that stands in the documentation.
fn documented(language: &str) -> String {
    let text = fs::read_to_string("docs/configuration.md").unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Whether the program can be run; `package` has it on Debian.
fn is_there(program: &str, package: &str) -> bool {
    let there = Command::new(program).arg("--help").output().is_ok();
    if !there {
        coracle_testing::skipped(&format!("there is no {program} (on Debian: {package})"));
    }
    there
}

/// Lets a program see three contents, one after the other.
#[track_caller]
fn takes_up_changes(program: impl FnOnce(&Path) -> Command) {
    let volume = tempfile::tempdir().unwrap();
    let mut writer = AtomicWriter::new(volume.path());
    writer.write(&[("greeting", "Hello\n")]);
    let running = Running::start(&mut program(volume.path()));
    running.says("Hello");
    for text in ["Good day", "Good night"] {
        writer.write(&[("greeting", text)]);
        running.says(text);
    }
}

#[test]
fn rust_program_of_the_documentation_reloads() {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("watch.rs"), folder.path().join("watch"));
    fs::write(&source, documented("rust")).unwrap();
    let compiled = Command::new("rustc").args(["--edition=2024", "-o"]).arg(&program).arg(&source).status();
    assert!(compiled.unwrap().success());
    takes_up_changes(|volume| {
        let mut command = Command::new(program);
        command.arg(volume);
        command
    });
}

#[test]
fn go_program_of_the_documentation_reloads() {
    if !is_there("go", "golang-go") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("watch.go"), documented("go")).unwrap();
    let built = Command::new("go")
        .args(["build", "watch.go"])
        .current_dir(folder.path())
        .env("GOCACHE", folder.path().join("cache"))
        .env("GOFLAGS", "-mod=mod")
        .status();
    assert!(built.unwrap().success());
    takes_up_changes(|volume| {
        let mut command = Command::new(folder.path().join("watch"));
        command.arg(volume);
        command
    });
}

#[test]
fn python_program_of_the_documentation_reloads() {
    if !is_there("python3.11", "python3.11") {
        return;
    }
    takes_up_changes(|volume| {
        let mut command = Command::new("python3.11");
        command.arg("-c").arg(documented("python")).arg(volume);
        command
    });
}
