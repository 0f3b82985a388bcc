//! A hint about servers that ignore their stop signal as process 1.

use crate::build::project::{HELLO, Project};

const HANDLER: &str = "
#include <signal.h>
#include <unistd.h>
static void end(int signal) { _exit(signal); }
int main(void) { signal(SIGTERM, end); pause(); }
";

#[test]
fn a_server_that_ignores_its_stop_signal_gets_a_hint() {
    let project = Project::hello(&[]);
    project
        .program("static", HELLO, &["-static"])
        .program("handler", HANDLER, &[])
        .script("waits", "#!/bin/sh\n./server\n")
        .script("execs", "#!/bin/sh\nset -e\nexec ./server\n")
        .script("traps", "#!/bin/sh\ntrap 'exit 0' TERM\n./server\n");
    let said = |args: &[&str]| {
        let run = project.coracle(["build", "--dry-run"]).command().args(args).output().unwrap();
        assert!(run.status.success());
        String::from_utf8(run.stderr).unwrap()
    };
    for (args, hint) in [
        (
            &["hello", "--expose", "80"][..],
            Some("hint: `hello` has no handler of signals, so that SIGTERM has"),
        ),
        (&["hello"], None),
        (&["hello", "--expose", "80", "--stop-signal", "SIGINT"], Some("so that SIGINT has no effect")),
        (&["hello", "--expose", "80", "--stop-signal", "SIGKILL"], None),
        (&["handler", "--expose", "80"], None),
        (&["static", "--expose", "80"], None),
        (&["waits", "--expose", "80"], Some("hint: `waits` waits for its last command in a shell")),
        (&["execs", "--expose", "80"], None),
        (&["traps", "--expose", "80"], None),
        (&["/usr/bin/env", "--expose", "80"], None),
    ] {
        let said = said(args);
        assert_eq!(said.contains("as process 1"), hint.is_some(), "{args:?}: {said}");
        assert!(said.contains(hint.unwrap_or_default()), "{args:?}: {said}");
    }
}
