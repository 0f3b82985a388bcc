//! Where its output goes: a terminal, a reader that leaves, a disk that is full.

use coracle_testing::coracle;
use snapbox::str;

#[test]
fn escapes_control_characters_of_file_names() {
    coracle(["build", "-f", "\x1b[2Jx"]).ends(
        2,
        str![],
        str![[r#"
error: cannot read `\u{1b}[2Jx`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}

#[test]
fn a_broken_pipe_is_success() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    coracle(["--help"]).writing_to(writer).ends(0, str![], str![]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    coracle(["--help"]).writing_to(full).ends(
        1,
        str![],
        str![[r#"
error: cannot write to stdout: No space left on device (os error 28)

"#]],
    );
}
