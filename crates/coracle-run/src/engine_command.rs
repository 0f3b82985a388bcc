//! The same container for Podman and Docker, Compose and Quadlet.

use std::fmt::Write as _;

use crate::container::{BindMount, Container};

/// A target whose command line or file is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineFormat {
    /// `podman run`.
    Podman,
    /// `docker run`.
    Docker,
    /// A `compose.yaml`.
    Compose,
    /// A `.container` file of systemd.
    Quadlet,
}

/// Returns the arguments of `podman run` like [`docker_arguments`]. Podman mounts nothing on `/tmp` and
/// `/run` by itself, as in a pod.
pub fn podman_arguments(container: &Container, image: &str, flags: &[&str]) -> Vec<String> {
    let flags: Vec<&str> = flags.iter().copied().chain(["--read-only-tmpfs=false"]).collect();
    docker_arguments(container, image, &flags)
}

/// Returns the arguments of `docker run`, without the program's name. `flags` come first, such as `--rm`.
pub fn docker_arguments(container: &Container, image: &str, flags: &[&str]) -> Vec<String> {
    let mut args = vec!["run".to_owned()];
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
    flag("--name", container.name.clone());
    flag("--user", format!("{}:{}", container.uid, container.gid));
    if let Some(group) = container.volume_group {
        flag("--group-add", group.to_string());
    }
    flag("--cap-drop", "ALL".into());
    flag("--security-opt", "no-new-privileges".into());
    for (name, value) in &container.env {
        flag("--env", format!("{name}={value}"));
    }
    if container.working_dir != "/" {
        flag("--workdir", container.working_dir.clone());
    }
    for mount in &container.mounts {
        flag("--volume", volume(mount));
    }
    // A volume without a name gets the owner that the directory has in the image.
    for directory in &container.temporary_directories {
        flag("--volume", directory.clone());
    }
    for port in &container.ports {
        flag("--publish", port.to_string());
    }
    if let Some(signal) = &container.stop_signal {
        flag("--stop-signal", signal.clone());
    }
    // The image may declare another entrypoint.
    let (entrypoint, rest) =
        container.args.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
    if let Some(entrypoint) = entrypoint {
        flag("--entrypoint", entrypoint.clone());
    }
    args.push("--read-only".into());
    args.push(image.to_owned());
    args.extend(rest.iter().cloned());
    args
}

/// Returns the mounts, and volumes without a name for temporary directories.
fn volumes(container: &Container) -> Vec<String> {
    container.mounts.iter().map(volume).chain(container.temporary_directories.iter().cloned()).collect()
}

fn volume(mount: &BindMount) -> String {
    let access = if mount.is_writable { "rw" } else { "ro" };
    format!("{}:{}:{access}", mount.source.display(), mount.destination)
}

/// Returns a `compose.yaml` with one service.
pub fn compose_file(container: &Container, image: &str) -> String {
    let mut text = format!("services:\n  {}:\n", quoted(&container.name));
    let mut line = |text_line: String| {
        // Writing to a string never fails.
        let _ = writeln!(text, "    {text_line}");
    };
    line(format!("image: {}", quoted(image)));
    line(format!("user: {}", quoted(&format!("{}:{}", container.uid, container.gid))));
    line("read_only: true".into());
    line("cap_drop: [ALL]".into());
    line("security_opt: [\"no-new-privileges:true\"]".into());
    if let Some(group) = container.volume_group {
        line(format!("group_add: [{}]", quoted(&group.to_string())));
    }
    if let Some((first, rest)) = container.args.split_first() {
        line(format!("entrypoint: [{}]", quoted_dollars(first)));
        line(format!(
            "command: [{}]",
            rest.iter().map(|arg| quoted_dollars(arg)).collect::<Vec<_>>().join(", ")
        ));
    }
    if container.working_dir != "/" {
        line(format!("working_dir: {}", quoted(&container.working_dir)));
    }
    if let Some(signal) = &container.stop_signal {
        line(format!("stop_signal: {signal}"));
    }
    let mut list = |name: &str, items: Vec<String>| {
        if !items.is_empty() {
            line(format!("{name}:"));
            items.into_iter().for_each(|item| line(format!("  - {item}")));
        }
    };
    list(
        "environment",
        container.env.iter().map(|(name, value)| quoted_dollars(&format!("{name}={value}"))).collect(),
    );
    list("ports", container.ports.iter().map(|port| quoted(&port.to_string())).collect());
    list("volumes", volumes(container).iter().map(|volume| quoted_dollars(volume)).collect());
    text
}

/// Returns the `.container` file for `systemd`. Source: podman-systemd.unit(5).
pub fn quadlet_file(container: &Container, image: &str) -> String {
    let mut text = format!("[Unit]\nDescription={}\n\n[Container]\n", container.name);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key}={value}");
    };
    line("ContainerName", container.name.clone());
    line("Image", image.to_owned());
    line("User", container.uid.to_string());
    line("Group", container.gid.to_string());
    line("ReadOnly", "true".into());
    line("ReadOnlyTmpfs", "false".into());
    line("DropCapability", "all".into());
    line("NoNewPrivileges", "true".into());
    if let Some(group) = container.volume_group {
        line("PodmanArgs", format!("--group-add={group}"));
    }
    if let Some((first, rest)) = container.args.split_first() {
        line("PodmanArgs", format!("--entrypoint={}", unit_word(first)));
        if !rest.is_empty() {
            line("Exec", rest.iter().map(|arg| unit_word(arg)).collect::<Vec<_>>().join(" "));
        }
    }
    for (name, value) in &container.env {
        line("Environment", unit_word(&format!("{name}={value}")));
    }
    if container.working_dir != "/" {
        line("WorkingDir", container.working_dir.clone());
    }
    for volume in volumes(container) {
        line("Volume", volume.replace('%', "%%"));
    }
    for port in &container.ports {
        line("PublishPort", port.to_string());
    }
    if let Some(signal) = &container.stop_signal {
        line("PodmanArgs", format!("--stop-signal={signal}"));
    }
    text + "\n[Install]\nWantedBy=default.target\n"
}

/// Returns a YAML scalar in double quotes, which are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns a scalar in which Compose replaces no variable.
fn quoted_dollars(text: &str) -> String {
    quoted(&text.replace('$', "$$"))
}

/// Returns a word of a systemd unit, quoted if needed. Source: systemd.syntax(7).
fn unit_word(text: &str) -> String {
    let text = text.replace('%', "%%");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Container {
        Container {
            args: vec!["/app/shop".into(), "--price".into(), "5 $".into()],
            env: vec![("MODE".into(), "a b".into())],
            volume_group: Some(1000),
            mounts: vec![BindMount {
                source: "/out/etc".into(),
                destination: "/etc/shop".into(),
                is_writable: false,
            }],
            ports: vec!["8080:80".parse().unwrap()],
            stop_signal: Some("SIGINT".into()),
            working_dir: "/srv".into(),
            uid: 1000,
            gid: 1000,
            ..Container::new("shop")
        }
    }

    #[test]
    fn engines_get_every_restriction() {
        let args = podman_arguments(&shop(), "localhost/shop:1.2", &["--rm"]).join(" ");
        assert_eq!(
            args,
            "run --rm --read-only-tmpfs=false --name shop --user 1000:1000 --group-add 1000 --cap-drop ALL \
             --security-opt no-new-privileges --env MODE=a b --workdir /srv --volume /out/etc:/etc/shop:ro \
             --publish 8080:80/tcp --stop-signal SIGINT --entrypoint /app/shop --read-only localhost/shop:1.2 --price 5 $"
        );
    }

    #[test]
    fn compose_keeps_dollars_and_quotes_everything() {
        let text = compose_file(&shop(), "shop:1.2");
        for line in [
            "    user: \"1000:1000\"",
            "    read_only: true",
            "    cap_drop: [ALL]",
            "    command: [\"--price\", \"5 $$\"]",
            "      - \"MODE=a b\"",
            "      - \"8080:80/tcp\"",
            "      - \"/out/etc:/etc/shop:ro\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn quadlets_escape_specifiers_and_spaces() {
        let text = quadlet_file(&shop(), "localhost/shop:1.2");
        for line in
            ["DropCapability=all", "Exec=--price \"5 $$\"", "Environment=\"MODE=a b\"", "ReadOnlyTmpfs=false"]
        {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(unit_word("100%"), "100%%");
    }
}
