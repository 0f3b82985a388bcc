//! Without the permission to trace.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::build::project::Project;

/// Runs its arguments with a seccomp filter that rejects a system call, as a container may have.
const WITHOUT_CALL: &str = r#"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **args) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REJECTED, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 125;
    execv(args[1], args + 1);
    return 126;
}
"#;

/// Records `program` where the system call `call` is rejected.
fn record_without(project: &Project, call: &str, program: &str) -> Output {
    project.program("without-call", WITHOUT_CALL, &[&format!("-DREJECTED={call}")]);
    let mut command = Command::new(project.path("without-call"));
    command.arg(env!("CARGO_BIN_EXE_coracle")).args(["record", "--no-cache", "--", program]);
    command.current_dir(project.folder()).output().unwrap()
}

#[test]
fn without_seccomp_filters_every_system_call_is_looked_at() {
    let project = Project::new();
    let source =
        "#include <stdio.h>\nint main(void) { return !fopen(\"data\", \"r\") || system(\"/bin/true\"); }";
    project.program("app", &format!("#include <stdlib.h>\n{source}"), &[]).file("data", "x");
    let output = record_without(&project, "SYS_seccomp", "./app");
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("from = \"data\"") && stdout.contains("\"/bin/true\","), "{stdout}");
}

#[test]
fn without_ptrace_the_error_says_what_to_allow() {
    let project = Project::hello(&[]);
    let output = record_without(&project, "SYS_ptrace", "./hello");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("this process is not permitted to trace it with ptrace"), "{stderr}");
    assert!(
        stderr.contains("--cap-add SYS_PTRACE") && stderr.contains("kernel.yama.ptrace_scope"),
        "{stderr}"
    );
    assert!(!stderr.contains("hello\n") && output.stdout.is_empty(), "the program ran: {stderr}");
}

/// Makes itself untraceable, and opens a file.
const NOT_DUMPABLE: &str = r#"
#include <stdio.h>
#include <sys/prctl.h>
int main(void) {
    if (prctl(PR_SET_DUMPABLE, 0)) return 1;
    return !fopen("data", "r");
}
"#;

#[test]
fn a_program_that_refuses_to_be_traced_runs_with_a_warning() {
    let project = Project::new();
    project.program("app", NOT_DUMPABLE, &[]).file("data", "x");
    let coracle = project.path("coracle");
    std::fs::copy(env!("CARGO_BIN_EXE_coracle"), &coracle).unwrap();
    std::fs::set_permissions(project.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    // root may read every process.
    let mut command = match is_root {
        true => Command::new("setpriv"),
        false => Command::new("env"),
    };
    if is_root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(&coracle).args(["record", "--no-cache", "--", "./app"]).current_dir(project.folder());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("/app` refuses to be traced (PR_SET_DUMPABLE)"), "{stderr}");
    assert!(stderr.contains("hint: run the command as root"), "{stderr}");
}
