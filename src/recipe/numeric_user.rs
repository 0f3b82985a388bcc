//! The numeric user and group of an image.

use coracle_core::hint::Hint;

use crate::rootfs::Owner;

/// The default user and group: `nonroot` of distroless images.
pub const DEFAULT_USER: Owner = Owner { uid: 65532, gid: 65532 };

/// The largest ID that engines and Kubernetes accept.
const MAX_ID: u32 = i32::MAX.unsigned_abs();

/// Why a user or group is invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseUserError {
    #[error("the user `{}` is not numeric", coracle_core::path::escape_bytes(.0.as_bytes()))]
    NotNumeric(String),
    #[error("`{}` is not a {id_kind} ID: it must be a number from 0 to {MAX_ID}", coracle_core::path::escape_bytes(.text.as_bytes()))]
    InvalidId { id_kind: &'static str, text: String },
    #[error("the group is given twice, in `user` and in `group`")]
    GroupTwice,
}

impl Hint for ParseUserError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotNumeric(name) => Some(format!(
                "write it by number as `UID[:GID]`, such as `65532`: Kubernetes can't tell whether `{}` is root",
                coracle_core::path::escape_bytes(name.as_bytes())
            )),
            Self::InvalidId { .. } => {
                Some("write the user as `UID[:GID]`, such as `65532` or `1000:100`".into())
            }
            Self::GroupTwice => Some("remove one of them".into()),
        }
    }
}

/// Parses `UID[:GID]` and the separate group. The default GID is the UID; without either,
/// [`DEFAULT_USER`].
pub(super) fn parse_user(user: Option<&str>, group: Option<&str>) -> Result<Owner, ParseUserError> {
    let Some(user) = user else {
        let gid = group.map_or(Ok(DEFAULT_USER.gid), |group| parse_id("group", group))?;
        return Ok(Owner { gid, ..DEFAULT_USER });
    };
    let (user, own_group) = Owner::split(user);
    if user.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return Err(ParseUserError::NotNumeric(user.into()));
    }
    let uid = parse_id("user", user)?;
    let gid = match (own_group, group) {
        (Some(_), Some(_)) => return Err(ParseUserError::GroupTwice),
        (Some(group), None) | (None, Some(group)) => parse_id("group", group)?,
        (None, None) => uid,
    };
    Ok(Owner { uid, gid })
}

fn parse_id(id_kind: &'static str, text: &str) -> Result<u32, ParseUserError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|&number| digits && number <= MAX_ID)
        .ok_or_else(|| ParseUserError::InvalidId { id_kind, text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_defaults_to_user() {
        for (user, group, printed) in [
            (None, None, "65532:65532"),
            (None, Some("5"), "65532:5"),
            (Some("1000"), None, "1000:1000"),
            (Some("1000"), Some("5"), "1000:5"),
            (Some("0:0"), None, "0:0"),
            (Some("2147483647"), None, "2147483647:2147483647"),
        ] {
            assert_eq!(parse_user(user, group).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn rejects_names_and_large_ids() {
        for user in ["", ":", "1:", ":1", "-1", "+1", "nobody", "1:staff", "4294967295", "1:2:3", "1.5"] {
            assert!(parse_user(Some(user), None).is_err(), "{user:?}");
        }
        assert!(parse_user(Some("1:2"), Some("2")).is_err());
    }
}
