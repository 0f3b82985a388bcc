//! Files that somebody writes to while they are packed.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use coracle_testing::listing;

use crate::build::project::Project;

#[test]
fn rejects_a_file_that_grows_while_packed() {
    let project = Project::hello(&["-static"]);
    project.file("data", vec![7; 16 << 20]);
    let (done, mut file) =
        (AtomicBool::new(false), OpenOptions::new().append(true).open(project.path("data")).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        });
        let output =
            project.coracle(["build", "hello", "-q", "--include=data:/data"]).command().output().unwrap();
        done.store(true, Ordering::Relaxed);
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!(
            "error: cannot read `{}`: the file changed while it was being read; run the same command again once it is complete\n",
            project.path("data").display()
        );
        assert_eq!((said.as_str(), output.status.code()), (expected.as_str(), Some(1)));
    });
    let names: Vec<_> = listing(project.folder()).into_keys().collect();
    assert_eq!(names, [std::path::Path::new("data"), std::path::Path::new("hello")]);
}
