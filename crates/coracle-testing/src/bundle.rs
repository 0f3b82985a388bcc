//! Bundles for runc, unpacked by umoci.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::stdout_of;
use crate::sandbox::Sandbox;

/// A bundle of the image, for a test without terminal, in the host's network, with these mounts.
pub fn bundle(sandbox: &Sandbox, image: &str, mounts: &[Value]) -> PathBuf {
    let bundle = directory(sandbox);
    stdout_of(&mut unpack(sandbox, image));
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

/// Returns the command that unpacks the image into a bundle.
pub fn unpack(sandbox: &Sandbox, image: &str) -> Command {
    sandbox.command(["umoci", "unpack", "--image", image, directory(sandbox).to_str().unwrap()])
}

fn directory(sandbox: &Sandbox) -> PathBuf {
    sandbox.shared().join("bundle")
}
