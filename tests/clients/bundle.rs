//! What umoci unpacks for runc.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::place::Place;
use crate::process::stdout_of;

/// A bundle of the image, for a test without terminal, in the host's network, with these mounts.
pub(crate) fn bundle(place: &Place, image: &str, mounts: &[Value]) -> PathBuf {
    let bundle = directory(place);
    stdout_of(&mut unpack(place, image));
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["process"]["terminal"] = json!(false);
    // Raising a limit takes a capability that root may lack.
    config["process"].as_object_mut().unwrap().remove("rlimits");
    config["linux"]["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "network");
    config["mounts"].as_array_mut().unwrap().extend_from_slice(mounts);
    std::fs::write(&path, config.to_string()).unwrap();
    bundle
}

/// What unpacks the image into a bundle.
pub(crate) fn unpack(place: &Place, image: &str) -> Command {
    place.command(["umoci", "unpack", "--image", image, directory(place).to_str().unwrap()])
}

fn directory(place: &Place) -> PathBuf {
    place.shared().join("bundle")
}
