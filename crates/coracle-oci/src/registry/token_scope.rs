//! Scopes of tokens. Source: distribution, `docs/spec/auth/scope.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::Repository;

/// The access to a repository that a token must grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read access.
    Pull,
    /// Read and write access.
    Push {
        /// Repositories at the same registry to mount blobs from, such as `acme/base`.
        mounts: Vec<String>,
    },
}

impl Access {
    /// Read and write access, without mounts.
    pub fn push() -> Self {
        Self::Push { mounts: Vec::new() }
    }
}

/// The scopes of `access`: that of the repository, then those of the mounts, sorted. Equal accesses
/// have equal scopes.
pub(super) fn token_scopes(repository: &Repository, access: &Access) -> Vec<String> {
    let name = repository.name();
    match access {
        Access::Pull => vec![format!("repository:{name}:pull")],
        Access::Push { mounts } => {
            let others: BTreeSet<&String> = mounts.iter().filter(|mount| *mount != name).collect();
            let own = format!("repository:{name}:pull,push");
            std::iter::once(own)
                .chain(others.into_iter().map(|mount| format!("repository:{mount}:pull")))
                .collect()
        }
    }
}

/// Merges `ours` with the scopes that the registry asks for, separated by spaces.
pub(super) fn merge_scopes(ours: &[String], asked: &str) -> Vec<String> {
    let mut order: Vec<&str> = Vec::new();
    let mut actions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for scope in ours.iter().map(String::as_str).chain(asked.split(' ')) {
        let Some((resource, wanted)) = scope.rsplit_once(':').filter(|(resource, _)| !resource.is_empty())
        else {
            continue;
        };
        if !actions.contains_key(resource) {
            order.push(resource);
        }
        actions.entry(resource).or_default().extend(wanted.split(','));
    }
    let scope = |resource: &str| {
        let wanted: Vec<&str> = actions.get(resource).into_iter().flatten().copied().collect();
        format!("{resource}:{}", wanted.join(","))
    };
    order.into_iter().map(scope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::reference::ImageReference;

    #[test]
    fn returns_scopes_of_an_access() {
        let repository = Repository::from(&"r.io/a/b".parse::<ImageReference>().unwrap());
        assert_eq!(token_scopes(&repository, &Access::Pull), ["repository:a/b:pull"]);
        let mounts = ["z", "a/b", "c", "z"].map(str::to_owned).into();
        assert_eq!(
            token_scopes(&repository, &Access::Push { mounts }),
            ["repository:a/b:pull,push", "repository:c:pull", "repository:z:pull"]
        );
    }

    #[test]
    fn merges_scopes_of_the_registry() {
        let ours = ["repository:a:pull".to_owned()];
        assert_eq!(merge_scopes(&ours, "repository:a:pull"), ours);
        assert_eq!(
            merge_scopes(&ours, "repository:a:delete,pull registry:catalog:* x"),
            ["repository:a:delete,pull", "registry:catalog:*"]
        );
    }
}
