//! Who sends a signal when configuration changes: a kubelet never does. A native sidecar watches the directory; its image
//! is named by the recipe, and docs/manifests.md says what it is given.

use serde_json::{Value, json};

use super::object::with;
use super::place::Place;
use super::{Application, Problem, pod};

/// A sidecar for each directory whose changes are told by a signal.
pub(super) fn sidecars(
    application: &Application<'_>,
    places: &[Place<'_>],
    problems: &mut Vec<Problem>,
) -> Vec<Value> {
    let told: Vec<_> = places.iter().filter_map(|place| Some((place, place.signal?))).collect();
    let Some((first, signal)) = told.first() else { return Vec::new() };
    let Some(reloader) = &application.settings.reload else {
        problems.push(Problem::new(
            format!("nobody sends `{signal}` when `{}` changes: a kubelet sends no signals", first.path),
            "name an image that does: `reload-image` below `[kubernetes]`; or let the program watch the directory with \
             `reload = \"watch\"`",
        ).at_mount(first.path));
        return Vec::new();
    };
    let Some(process) = application.process else {
        problems.push(
            Problem::new(
                format!("nothing says which process is sent `{signal}`"),
                "name the program: `programs` below `[image]`",
            )
            .at_key("reload-image"),
        );
        return Vec::new();
    };
    let sidecar = |(index, (place, signal)): (usize, &(&Place<'_>, &coracle_core::signal::Signal))| {
        let container = json!({
            "name": if index == 0 { "reload".to_owned() } else { format!("reload-{}", index + 1) },
            "image": reloader.image,
            // What makes a container of this list a sidecar.
            "restartPolicy": "Always",
            "env": [
                { "name": "WATCH_DIR", "value": place.path.to_string() },
                { "name": "SIGNAL", "value": signal.to_string() },
                { "name": "PROCESS", "value": process },
            ],
            "securityContext": pod::container_security(),
            "volumeMounts": [place.mount()],
        });
        with(with(container, "command", json!(reloader.command)), "args", json!(reloader.args))
    };
    told.iter().enumerate().map(sidecar).collect()
}
