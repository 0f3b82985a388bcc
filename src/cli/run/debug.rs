//! `coracle debug`: a tool of this machine in the namespaces of a program, or the command that does the
//! same for a pod.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use coracle_kube::contract::{CONTRACT_LABEL, Contract};
use coracle_kube::manifests::name_rules;
use coracle_run::{RootfsStore, RunRecord, enter_namespaces};
use serde_json::json;

use super::backend::own_executable;
use super::runs_directory;
use crate::cli::args::DebugArgs;
use crate::cli::environment::nonempty_env_var;
use crate::cli::error::{CliError, CliExit};
use crate::cli::image_reader::{ImageOpener, has_transport};
use crate::cli::manifest_image;
use crate::cli::missing_dependencies::shell_words;
use crate::cli::{cache, console_output};

/// Runs `coracle debug`. The process ends with the exit code of the tool.
pub(in crate::cli) fn run_debug(args: &DebugArgs) -> Result<CliExit, CliError> {
    if let Some(pod) = &args.pod {
        return print_pod_command(args, pod);
    }
    let base = runs_directory();
    let running = RunRecord::read_all(&base);
    if has_transport(&args.subject) {
        let of_image = running.iter().find(|run| run.image == args.subject);
        return match of_image {
            Some(run) => enter(run, args),
            None => show_files(args),
        };
    }
    enter(&super::background::find_run(&base, Some(&args.subject))?, args)
}

/// Runs the tool in the namespaces of a run.
fn enter(run: &RunRecord, args: &DebugArgs) -> Result<CliExit, CliError> {
    let Some(pid) = run.container_pid else {
        return Err(CliError::failed_with_hint(
            format!("the program of `{}` does not run at the moment", run.name),
            "wait until it has started again, or end it with `coracle stop`",
        ));
    };
    let (tool, tool_args) = tool_of(args)?;
    let status = enter_namespaces(&own_executable()?, pid, &tool, &tool_args)?;
    exit_with(status.code().unwrap_or(CliExit::Failed as i32))
}

/// Returns the tool and its arguments; gdb gets the directory with symbols, and the program's files.
fn tool_of(args: &DebugArgs) -> Result<(OsString, Vec<OsString>), CliError> {
    let shell = || nonempty_env_var("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let Some((tool, rest)) = args.tool.split_first() else { return Ok((shell(), Vec::new())) };
    let mut tool_args = rest.to_vec();
    if let Some(symbols) = &args.symbols {
        if Path::new(tool).file_name() != Some(OsStr::new("gdb")) {
            return Err(CliError::usage(
                "`--symbols` is for gdb, and the tool is another",
                "write `-- gdb -p 1`, or leave `--symbols` out",
            ));
        }
        let symbols = coracle_core::fs::absolute_path(symbols)?;
        let setting = format!("set debug-file-directory {}", symbols.display());
        let settings = ["-iex".into(), setting.into(), "-iex".into(), "set sysroot /proc/1/root".into()];
        tool_args.splice(0..0, settings);
    }
    Ok((tool.clone(), tool_args))
}

/// Runs the tool in the directory of the files of an image that does not run.
fn show_files(args: &DebugArgs) -> Result<CliExit, CliError> {
    let image = ImageOpener::new(&args.registry).open(&args.subject)?;
    let platform = image.image_for_platform(None).map_err(coracle::Error::from)?;
    let cache = args.cache.cache_dir.clone().or_else(cache::default_directory);
    let store = cache.unwrap_or_else(std::env::temp_dir).join("run");
    let rootfs = RootfsStore::open(store)?.unpack(&image, platform, &[])?;
    let (tool, tool_args) = tool_of(args)?;
    let said = format!(
        "nothing runs this image; `{}` starts in {}, with the image's files\n",
        Path::new(&tool).display(),
        rootfs.path.display()
    );
    if !args.quiet {
        console_output::print_message(&said);
    }
    let status = std::process::Command::new(&tool).args(tool_args).current_dir(&rootfs.path).status();
    let status = status
        .map_err(|error| CliError::failed(format!("cannot run `{}`: {error}", Path::new(&tool).display())))?;
    exit_with(status.code().unwrap_or(CliExit::Failed as i32))
}

/// Prints the `kubectl debug` command with the user and the mounts of the image.
fn print_pod_command(args: &DebugArgs, pod: &str) -> Result<CliExit, CliError> {
    let image = ImageOpener::new(&args.registry).open(&args.subject)?;
    let label = image.label(CONTRACT_LABEL, None).map_err(coracle::Error::from)?;
    let contract = label.map(Contract::parse).transpose().map_err(coracle::Error::from)?;
    let user = manifest_image::image_user(&image);
    let (mounts, state) = contract.map(|contract| (contract.mounts, contract.writable)).unwrap_or_default();
    let read_only = mounts.iter().map(|mount| (mount.path.as_str(), true));
    let writable = state.iter().map(|directory| (directory.path.as_str(), false));
    let volume_mounts = read_only.chain(writable).filter_map(|(path, is_read_only)| {
        let name = name_rules::path_label(&path.parse().ok()?);
        Some(json!({ "name": name, "mountPath": path, "readOnly": is_read_only }))
    });
    let mut security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    if let (Some(user), Some(members)) = (user, security.as_object_mut()) {
        members.insert("runAsUser".into(), json!(user.uid));
        members.insert("runAsGroup".into(), json!(user.gid));
    }
    let custom = json!({ "securityContext": security, "volumeMounts": volume_mounts.collect::<Vec<_>>() });
    let container =
        args.container.clone().unwrap_or_else(|| container_name(&image.source.names, &args.subject));
    let words: Vec<String> = [
        "kubectl",
        "debug",
        "-it",
        pod,
        "--image",
        &args.image,
        "--target",
        &container,
        "--profile",
        "restricted",
    ]
    .map(str::to_owned)
    .into();
    let custom = custom.to_string().replace('\'', r"'\''");
    console_output::print_data(&format!("{} --custom <(echo '{custom}') -- sh\n", shell_words(&words)))?;
    Ok(CliExit::Success)
}

/// Returns the container's name in manifests: the last part of the image's name.
fn container_name(names: &[String], subject: &str) -> String {
    let name = names.first().map_or(subject, String::as_str);
    super::image::short_name(name).replace(['_', '.'], "-")
}

/// Ends the process with the exit code of the tool.
#[allow(clippy::exit, reason = "the exit code is that of another program, which `CliExit` has no values for")]
fn exit_with(code: i32) -> Result<CliExit, CliError> {
    match code {
        0 => Ok(CliExit::Success),
        code => std::process::exit(code),
    }
}
