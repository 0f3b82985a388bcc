//! What umoci unpacks for runc.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::place::Place;

/// A bundle of the image, for a test without terminal, in the host's network, with these mounts.
pub(crate) fn bundle(place: &Place, image: &str, mounts: &[Value]) -> PathBuf {
    let bundle = place.shared().join("bundle");
    place.run(["umoci", "unpack", "--image", image, bundle.to_str().unwrap()]);
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
