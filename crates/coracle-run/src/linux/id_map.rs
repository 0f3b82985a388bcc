//! The user and group IDs of a user namespace. Source: subuid(5), newuidmap(1), user_namespaces(7).

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, getegid, geteuid};

use crate::RunError;

/// A range of IDs that a user may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IdRange {
    start: u32,
    count: u32,
}

/// How IDs are mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IdMap {
    /// Root of the namespace is this user; the other IDs are ranges of the machine.
    Ranges { users: IdRange, groups: IdRange },
    /// Only root of the namespace exists.
    OnlySelf,
}

impl IdMap {
    /// Returns the map for this user.
    pub(super) fn for_this_user() -> Self {
        let id = geteuid();
        let name = User::from_uid(id).ok().flatten().map(|user| user.name);
        let range = |file: &str| {
            find_range(&fs::read_to_string(file).unwrap_or_default(), name.as_deref(), id.as_raw())
        };
        match (range("/etc/subuid"), range("/etc/subgid")) {
            (Some(users), Some(groups)) => Self::Ranges { users, groups },
            _ => Self::OnlySelf,
        }
    }

    /// Returns whether the namespace has this user and group.
    pub(super) fn contains(&self, user: u32, group: u32) -> bool {
        match self {
            Self::Ranges { users, groups } => user <= users.count && group <= groups.count,
            Self::OnlySelf => user == 0 && group == 0,
        }
    }

    /// Sets the IDs of the namespace of a process.
    pub(super) fn apply(&self, process: u32) -> Result<(), RunError> {
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        match self {
            Self::Ranges { users, groups } => {
                run_helper("newuidmap", process, user, *users)?;
                run_helper("newgidmap", process, group, *groups)
            }
            Self::OnlySelf => {
                let write = |file: &str, text: String| fs::write(format!("/proc/{process}/{file}"), text);
                write("setgroups", "deny".into())
                    .and_then(|()| write("uid_map", format!("0 {user} 1")))
                    .and_then(|()| write("gid_map", format!("0 {group} 1")))
                    .map_err(|source| RunError::Namespaces {
                        what: "a user namespace",
                        is_root: user == 0,
                        source,
                    })
            }
        }
    }
}

fn run_helper(helper: &'static str, process: u32, id: u32, range: IdRange) -> Result<(), RunError> {
    let numbers = [process, 0, id, 1, 1, range.start, range.count].map(|number| number.to_string());
    let output = Command::new(helper).args(numbers).output();
    let output =
        output.map_err(|source| RunError::Start { program: Path::new(helper).to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let why = io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    Err(RunError::Start { program: Path::new(helper).to_owned(), source: why })
}

/// Returns the first range of a user in the text of `/etc/subuid`.
fn find_range(text: &str, name: Option<&str>, id: u32) -> Option<IdRange> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let range = IdRange { start: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        (Some(owner) == name || owner.parse() == Ok(id)).then_some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ranges_by_name_and_by_number() {
        let text = "# users\nada:100000:65536\n1001:200000:1000\nbroken:1\n";
        assert_eq!(find_range(text, Some("ada"), 1000), Some(IdRange { start: 100_000, count: 65536 }));
        assert_eq!(find_range(text, Some("bob"), 1001), Some(IdRange { start: 200_000, count: 1000 }));
        assert_eq!(find_range(text, Some("broken"), 7), None);
        assert_eq!(find_range("", None, 0), None);
    }

    #[test]
    fn a_namespace_has_the_ids_of_its_ranges() {
        let range = IdRange { start: 100_000, count: 65536 };
        let map = IdMap::Ranges { users: range, groups: range };
        assert!(map.contains(65532, 65532) && map.contains(0, 0) && !map.contains(65537, 0));
        assert!(IdMap::OnlySelf.contains(0, 0) && !IdMap::OnlySelf.contains(65532, 65532));
    }
}
