//! A repository at a registry.

use std::fmt;

use super::url::is_loopback;
use coracle_core::reference::Reference;

/// What Docker Hub calls itself in names, and the host that answers for it.
const HUB: &str = "docker.io";
const HUB_HOST: &str = "registry-1.docker.io";

/// A registry and the name of a repository there: `docker.io` and `library/shop`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Repository {
    registry: String,
    name: String,
}

impl Repository {
    /// The registry as names spell it, in lower case: `ghcr.io`, `localhost:5000`, `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry: `acme/shop`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host, with its port, that answers for the registry.
    pub(super) fn authority(&self) -> &str {
        if self.registry == HUB { HUB_HOST } else { &self.registry }
    }

    pub(super) fn is_local(&self) -> bool {
        is_loopback(super::url::host_of(&self.registry))
    }
}

impl From<&Reference> for Repository {
    fn from(reference: &Reference) -> Self {
        let full = reference.full_name();
        let name = full.strip_suffix(&format!(":{}", reference.tag())).unwrap_or(&full);
        let (registry, name) = name.split_once('/').unwrap_or((HUB, name));
        Self { registry: canonical(registry), name: name.to_owned() }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

/// One spelling for every name of a registry.
pub(super) fn canonical(registry: &str) -> String {
    let registry = registry.to_ascii_lowercase();
    if ["index.docker.io", HUB_HOST].contains(&registry.as_str()) {
        return HUB.into();
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_repositories() {
        for (text, registry, name, authority) in [
            ("shop", "docker.io", "library/shop", "registry-1.docker.io"),
            ("acme/shop:1", "docker.io", "acme/shop", "registry-1.docker.io"),
            ("index.docker.io/acme/shop", "docker.io", "acme/shop", "registry-1.docker.io"),
            ("ghcr.io/acme/shop:1.2", "ghcr.io", "acme/shop", "ghcr.io"),
            ("localhost:5000/shop", "localhost:5000", "shop", "localhost:5000"),
        ] {
            let repository = Repository::from(&text.parse::<Reference>().unwrap());
            let seen = (repository.registry(), repository.name(), repository.authority());
            assert_eq!(seen, (registry, name, authority), "{text}");
        }
    }
}
