//! Runs a program on the host, in the unpacked image and in a container.

use std::fs;
use std::path::Path;
use std::process::Command;

use coracle_testing::bundle::bundle;
use coracle_testing::launch::{launch, retry_while_busy};
use coracle_testing::process::{Finished, start};
use coracle_testing::sandbox::Sandbox;
use coracle_testing::unpacked::Image;

use crate::programs::program_table::Program;

/// A process's output and exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProcessOutcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program on the host with the user, directory and environment of its image.
pub(crate) fn run_on_host(program: &Program) -> ProcessOutcome {
    let mut command = launch(Path::new("/"), "/", program.user);
    run_command(command.args(["--", program.path]).args(program.args))
}

/// Builds an image of the program and runs its entrypoint in the unpacked root.
pub(crate) fn run_in_image(program: &Program) -> Result<ProcessOutcome, String> {
    let directory = tempfile::tempdir().unwrap();
    let (layout, root) = (directory.path().join("layout"), directory.path().join("root"));
    build(program, &layout)?;
    let image = Image::read_single(&layout);
    image.unpack(&root);
    for mount in program.mounts {
        fs::create_dir(root.join(mount)).unwrap();
    }
    let mut command = launch(&root, image.working_dir(), image.user());
    Ok(run_command(command.args(image.variables()).arg("--").args(image.command())))
}

/// Builds an image of the program, unpacks it with umoci and runs it with runc.
pub(crate) fn run_in_container(program: &Program, sandbox: &Sandbox) -> Result<ProcessOutcome, String> {
    let layout = sandbox.shared().join("layout");
    build(program, &layout)?;
    let bundle = bundle(sandbox, &format!("{}:latest", layout.display()), &[]);
    let ran = run_command(&mut sandbox.command([
        "runc",
        "run",
        "--bundle",
        bundle.to_str().unwrap(),
        &sandbox.cgroup,
    ]));
    fs::remove_dir_all(bundle).unwrap();
    fs::remove_dir_all(layout).unwrap();
    Ok(ran)
}

/// Builds the image with `coracle`.
pub(crate) fn build(program: &Program, layout: &Path) -> Result<(), String> {
    let mut coracle = Command::new(env!("CARGO_BIN_EXE_coracle"));
    coracle.args([
        "build",
        program.path,
        "--quiet",
        "--no-cache",
        "--output",
        &format!("oci:{}", layout.display()),
    ]);
    coracle.args(["--user", program.user, "--tag", "program"]);
    coracle.args(program.data.iter().map(|path| format!("--include={path}:{path}")));
    let finished = start(coracle.arg("--").args(program.args)).finish();
    if finished.status.success() { Ok(()) } else { Err(finished.stderr) }
}

fn run_command(command: &mut Command) -> ProcessOutcome {
    let finished =
        retry_while_busy(|| start(command).finish(), |finished: &Finished| finished.stderr.clone());
    ProcessOutcome { status: finished.status.code(), stdout: finished.stdout, stderr: finished.stderr }
}
