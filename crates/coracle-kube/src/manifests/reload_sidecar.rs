//! Native sidecars that watch a mounted directory and send a signal on changes, which the kubelet
//! does not do. The recipe names the image; docs/manifests.md documents its environment.

use serde_json::{Value, json};

use super::config_volumes::ConfigVolume;
use super::metadata::with_member;
use super::{Application, ManifestProblem, pod};

/// Returns a sidecar for each directory whose changes are signalled.
pub(super) fn reload_sidecars(
    application: &Application<'_>,
    places: &[ConfigVolume<'_>],
    problems: &mut Vec<ManifestProblem>,
) -> Vec<Value> {
    let told: Vec<_> = places.iter().filter_map(|place| Some((place, place.signal?))).collect();
    let Some((first, signal)) = told.first() else { return Vec::new() };
    let Some(reloader) = &application.settings.reload_sidecar else {
        problems.push(ManifestProblem::new(
            format!("nothing sends `{signal}` when `{}` changes: the kubelet does not send signals", first.path),
            "set `reload-image` in `[kubernetes]` to an image that sends it, or let the program watch the directory with \
             `reload = \"watch\"`",
        ).at_mount(first.path));
        return Vec::new();
    };
    let Some(process) = application.process_name else {
        problems.push(
            ManifestProblem::new(
                format!("cannot tell which process to send `{signal}` to"),
                "set `programs` in `[image]`",
            )
            .at_key("reload-image"),
        );
        return Vec::new();
    };
    let sidecar = |(index, (place, signal)): (usize, &(&ConfigVolume<'_>, &coracle_core::signal::Signal))| {
        let container = json!({
            "name": if index == 0 { "reload".to_owned() } else { format!("reload-{}", index + 1) },
            "image": reloader.image,
            // Makes an init container a native sidecar.
            "restartPolicy": "Always",
            "env": [
                { "name": "WATCH_DIR", "value": place.path.to_string() },
                { "name": "SIGNAL", "value": signal.to_string() },
                { "name": "PROCESS", "value": process },
            ],
            "securityContext": pod::container_security_context(),
            "volumeMounts": [place.volume_mount()],
        });
        with_member(with_member(container, "command", json!(reloader.command)), "args", json!(reloader.args))
    };
    told.iter().enumerate().map(sidecar).collect()
}
