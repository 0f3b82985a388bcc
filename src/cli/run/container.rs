//! The container of a run, from the image's config, the recipe and the flags.

use std::path::{Path, PathBuf};

use coracle_core::port::{Port, Protocol};
use coracle_run::{BindMount, Container, ParsePortMappingError, PortMapping};
use serde_json::Value;

use super::configuration::RunConfiguration;
use super::image::PreparedImage;
use crate::cli::args::RunArgs;
use crate::cli::environment::env_var;
use crate::cli::error::{CliError, CliExit};

/// The PATH of containers whose image sets none. Source: containerd, `oci.WithDefaultPathEnv`.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the container, without its mounts.
pub(super) fn container_of(
    prepared: &PreparedImage,
    configuration: &RunConfiguration,
    name: &str,
    args: &RunArgs,
) -> Result<Container, CliError> {
    let (uid, gid) = prepared.user()?;
    let config = prepared.platform.config.get("config").cloned().unwrap_or_default();
    let texts = |key: &str| -> Vec<String> {
        let values = config.get(key).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let text = |key: &str| config.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut command = texts("Entrypoint");
    command.extend(if args.args.is_empty() { texts("Cmd") } else { args.args.clone() });
    if command.is_empty() {
        return Err(CliError {
            exit: CliExit::Usage,
            message: format!("the image `{}` names no program", prepared.location),
            hint: Some("name it after `--`: `coracle run IMAGE -- /PROGRAM`".into()),
        });
    }
    Ok(Container {
        args: command,
        env: environment(&texts("Env"), configuration, name, args)?,
        working_dir: text("WorkingDir").unwrap_or("/").to_owned(),
        uid,
        gid,
        volume_group: configuration.volume_group(gid),
        ports: published_ports(prepared, args)?,
        stop_signal: text("StopSignal").map(str::to_owned),
        ..Container::new(name)
    })
}

/// Adds the mounts: `volume` and `state` return the directories on this machine.
pub(super) fn add_mounts(
    container: &mut Container,
    configuration: &RunConfiguration,
    volume: impl Fn(&str) -> PathBuf,
    state: &[PathBuf],
) {
    let volumes = configuration.volumes.iter().map(|mounted| BindMount {
        source: volume(&mounted.name),
        destination: mounted.path.to_string(),
        is_writable: false,
    });
    let states = configuration.state.iter().zip(state).map(|(path, directory)| BindMount {
        source: directory.clone(),
        destination: path.to_string(),
        is_writable: true,
    });
    container.mounts.extend(volumes.chain(states));
    // A mount below another one comes after it.
    container.mounts.sort_by(|a, b| Path::new(&a.destination).cmp(Path::new(&b.destination)));
}

/// Returns the environment: what the image sets, then files, then flags, each in place of the one before.
fn environment(
    image: &[String],
    configuration: &RunConfiguration,
    name: &str,
    args: &RunArgs,
) -> Result<Vec<(String, String)>, CliError> {
    let split = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut env: Vec<(String, String)> =
        vec![("PATH".into(), DEFAULT_PATH.into()), ("HOSTNAME".into(), name.to_owned())];
    let mut set = |(name, value): (String, String)| match env.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => env.push((name, value)),
    };
    image.iter().filter_map(split).for_each(&mut set);
    configuration.variables.iter().cloned().for_each(&mut set);
    for text in &args.env {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text.as_str(), env_var(text).map(|value| value.to_string_lossy().into_owned())),
        };
        if name.is_empty() {
            return Err(CliError::usage(
                format!("`--env`: `{text}` has no name"),
                "write `NAME=VALUE`, or `NAME` for a variable of this machine",
            ));
        }
        match value {
            Some(value) => set((name.to_owned(), value)),
            None => {
                return Err(CliError::usage(
                    format!("`--env`: `{name}` is not set in this environment"),
                    format!("write its value: `--env {name}=VALUE`"),
                ));
            }
        }
    }
    Ok(env)
}

/// Returns the ports that the flags publish.
fn published_ports(prepared: &PreparedImage, args: &RunArgs) -> Result<Vec<PortMapping>, CliError> {
    let parse = |text: &String| {
        text.parse::<PortMapping>().map_err(|error: ParsePortMappingError| {
            CliError::with_message(CliExit::Usage, format!("`--publish`: {error}"), &error)
        })
    };
    let mut ports = args.publish.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if args.publish_all {
        for container in declared_ports(prepared) {
            if !ports.iter().any(|known| known.container == container) {
                ports.push(PortMapping { host: container.number, container });
            }
        }
    }
    Ok(ports)
}

/// Returns the ports that the image declares.
pub(super) fn declared_ports(prepared: &PreparedImage) -> Vec<Port> {
    let ports = prepared.platform.config.pointer("/config/ExposedPorts").and_then(Value::as_object);
    let of_image = ports.into_iter().flat_map(|ports| ports.keys()).filter_map(|text| text.parse().ok());
    let mut found: Vec<Port> = of_image.chain(prepared.recipe.image.exposed_ports.iter().copied()).collect();
    found.sort();
    found.dedup();
    found
}

/// Returns the addresses of this machine where the program listens. On the network of this machine,
/// declared ports need not be published.
pub(super) fn addresses(
    container: &Container,
    prepared: &PreparedImage,
    has_host_network: bool,
) -> Vec<String> {
    let published = container.ports.iter().filter(|port| port.container.protocol == Protocol::Tcp);
    let mut ports: Vec<u16> = published.map(|port| port.host).collect();
    if has_host_network {
        let declared = declared_ports(prepared).into_iter().filter(|port| port.protocol == Protocol::Tcp);
        let is_mapped = |port: &Port| container.ports.iter().any(|mapping| mapping.container == *port);
        ports.extend(declared.filter(|port| !is_mapped(port)).map(|port| port.number));
    }
    ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
}
