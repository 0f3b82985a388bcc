//! Repository names.

use std::fmt;

use super::url::{host_of, is_loopback};
use coracle_core::reference::ImageReference;

/// Docker Hub in image names, and the host of its API.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// A registry and the name of a repository there: `docker.io` and `library/shop`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Repository {
    registry: String,
    name: String,
}

impl Repository {
    /// The registry as in image names, in lower case: `ghcr.io`, `localhost:5000`, `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry: `acme/shop`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `HOST[:PORT]` of the registry's API.
    pub(super) fn api_authority(&self) -> &str {
        if self.registry == DOCKER_HUB { DOCKER_HUB_HOST } else { &self.registry }
    }

    /// Returns whether the registry is on the loopback interface.
    pub(super) fn is_on_loopback(&self) -> bool {
        is_loopback(host_of(&self.registry))
    }
}

impl From<&ImageReference> for Repository {
    fn from(reference: &ImageReference) -> Self {
        let full = reference.full_name();
        let name = full.strip_suffix(&format!(":{}", reference.tag())).unwrap_or(&full);
        let (registry, name) = name.split_once('/').unwrap_or((DOCKER_HUB, name));
        Self { registry: canonical_registry(registry), name: name.to_owned() }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

/// Normalizes a registry name: lower case, and `docker.io` for every name of Docker Hub.
pub(super) fn canonical_registry(registry: &str) -> String {
    let registry = registry.to_ascii_lowercase();
    if ["index.docker.io", DOCKER_HUB_HOST].contains(&registry.as_str()) {
        return DOCKER_HUB.into();
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_references() {
        for (text, registry, name, authority) in [
            ("shop", "docker.io", "library/shop", "registry-1.docker.io"),
            ("acme/shop:1", "docker.io", "acme/shop", "registry-1.docker.io"),
            ("index.docker.io/acme/shop", "docker.io", "acme/shop", "registry-1.docker.io"),
            ("ghcr.io/acme/shop:1.2", "ghcr.io", "acme/shop", "ghcr.io"),
            ("localhost:5000/shop", "localhost:5000", "shop", "localhost:5000"),
        ] {
            let repository = Repository::from(&text.parse::<ImageReference>().unwrap());
            let seen = (repository.registry(), repository.name(), repository.api_authority());
            assert_eq!(seen, (registry, name, authority), "{text}");
        }
    }
}
