//! Programs that cannot be recorded, or not completely.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use coracle_testing::SyntheticElf;
use snapbox::str;

use super::{has_path, record, report};
use crate::build::project::Project;

#[test]
fn missing_programs() {
    let project = Project::new();
    project.file("text", "no program").file("bin/.keep", "");
    project.coracle(["record", "--", "./missing"]).ends(
        2,
        str![],
        str![[r#"
error: cannot run `./missing`: there is no such file

hint: check the path; a name without `/` is searched in PATH

"#]],
    );
    project.coracle(["record", "--", "./text"]).ends(
        1,
        str![],
        str![[r#"
error: cannot run `./text`: permission denied

hint: make it executable with `chmod +x`

"#]],
    );
    project.coracle(["record"]).ends(
        2,
        str![],
        str![[r#"
error: nothing to record: no PROGRAM is given and there is no recipe

hint: name a command, as in `coracle record -- ./app`, or a recipe with `--file`

"#]],
    );
}

#[test]
fn a_program_for_another_machine() {
    let project = Project::new();
    let elf = SyntheticElf { machine: 183, ..SyntheticElf::default() }.bytes();
    project.file("app", elf);
    std::fs::set_permissions(project.path("app"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = record(&project, &["--", "./app"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("cannot record `./app`: it is for arm64, but this process is for x86-64"),
        "{stderr}"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn static_programs_are_recorded() {
    let project = Project::new();
    let source = "#include <stdio.h>\nint main(void) { return !fopen(\"data\", \"r\"); }";
    project.program("app", source, &["-static"]).file("data", "x");
    let report = report(&project, 0, &["--", "./app"]);
    assert_eq!(report["proposals"]["include"][0]["from"], "data");
}

/// A program that runs as another user, which root has to make; others use one of the system.
fn set_user_id_program(project: &Project) -> Option<PathBuf> {
    let program = project.path("app");
    if std::fs::metadata(&program).unwrap().uid() != 0 {
        let system = PathBuf::from("/usr/bin/passwd");
        return system.exists().then_some(system);
    }
    std::os::unix::fs::chown(&program, Some(1), None).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755)).unwrap();
    Some(program)
}

#[test]
fn set_user_id_programs() {
    let project = Project::hello(&[]);
    project.program("app", "int main(void) { return 0; }", &[]);
    let Some(program) = set_user_id_program(&project) else {
        return coracle_testing::skipped("there is no set-user-ID program");
    };
    let program = program.to_str().unwrap();
    let output = record(&project, &["--", program]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("it is set-user-ID, and the kernel ignores that while a program is traced"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: record it as the user that it runs as: `sudo -u '#"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
    // A child is recorded without its privileges.
    let script = format!("{program} --help > /dev/null 2>&1; true");
    let report = report(&project, 0, &["--", "/bin/sh", "-c", &script]);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("is set-user-ID or set-group-ID, and ran without that"), "{warnings}");
}

#[test]
fn programs_with_a_broken_interpreter_are_errors() {
    let project = Project::new();
    project
        .script("app", "#!/no/such/interpreter\n")
        .file("coracle.toml", "[image]\nprograms = [\"/bin/true\"]\n");
    let output = record(&project, &["--", "./app"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("/app`: No such file or directory (os error 2)"), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn noise_is_not_proposed() {
    let project = Project::new();
    let script = "cat /proc/self/status /etc/passwd /etc/resolv.conf > /dev/null; read x < /dev/urandom; \
                  t=$(mktemp); echo x > $t; cat $t; rm $t; LC_ALL=C.UTF-8 sort < /dev/null; date; ls /sys/kernel > /dev/null";
    let report = report(&project, 0, &["--", "/bin/sh", "-c", script]);
    assert!(has_path(&report, "programs_executed", "/usr/bin/mktemp"), "{report}");
    let proposals = &report["proposals"];
    assert_eq!(proposals["include"], serde_json::json!([]), "{proposals}");
    assert_eq!(proposals["config"], serde_json::json!([]), "{proposals}");
    assert_eq!(proposals["remarks"], serde_json::json!([]), "{proposals}");
    assert_eq!(proposals["state"], serde_json::json!(["/tmp"]), "{proposals}");
}
