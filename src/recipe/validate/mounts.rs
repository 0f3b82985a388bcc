//! Secrets, state directories and variables: `[[secret]]`, `[[state]]` and `[[variable]]`.

use super::super::schema::{self, Spanned};
use super::{RawValue, Validator, ValueOrigin};
use coracle_core::path::{ImagePath, escape_bytes};
use coracle_kube::config::{FileVariable, SecretMount, WritableDirectory};
use coracle_kube::quantity;

/// Whether every version of Kubernetes accepts `name` as the name of a variable.
fn is_variable_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c);
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl Validator<'_> {
    pub(super) fn secret_mount(&mut self, table: &schema::SecretTable) -> Option<SecretMount> {
        let path = self.mount_path(&table.mount)?;
        let keys = table.keys.get_ref().clone();
        if keys.is_empty() {
            let origin = ValueOrigin::File(table.keys.span());
            let hint = "list what the program reads: `keys = [\"password\"]`";
            self.report(&origin, format!("no key is listed for the Secret at `{path}`"), Some(hint.into()));
        }
        let name = table.name.as_ref().and_then(|name| self.subdomain(name, "a Secret"));
        let reload = self.reload(&table.reload);
        Some(SecretMount { path, name, keys, reload, is_optional: table.optional.unwrap_or_default() })
    }

    pub(super) fn state_dir(&mut self, table: &schema::StateTable) -> Option<WritableDirectory> {
        let path = self.mount_path(&table.mount)?;
        let size = table.size.as_ref().and_then(|size| {
            let origin = ValueOrigin::File(size.span());
            self.ok_or_report(quantity::validate_quantity(size.get_ref()), &origin, |_| {
                Some("write it as `10Gi` or `500Mi`".into())
            })?;
            Some(size.get_ref().clone())
        });
        let is_shared = table.shared.as_ref().is_some_and(|shared| *shared.get_ref());
        if let (true, None, Some(shared)) = (is_shared, &table.size, &table.shared) {
            let message = format!("`{path}` cannot be shared without a size: each pod would get its own");
            self.report(&ValueOrigin::File(shared.span()), message, Some("add `size = \"10Gi\"`".into()));
        }
        Some(WritableDirectory { path, size, is_shared })
    }

    pub(super) fn variable(&mut self, table: &schema::VariableTable) -> Option<FileVariable> {
        let (name, origin) = (table.name.get_ref(), ValueOrigin::File(table.name.span()));
        if !is_variable_name(name) {
            let message = format!("`{}` is not a valid variable name", escape_bytes(name.as_bytes()));
            self.report(&origin, message, Some("write letters, digits, `_`, `-` and `.`".into()));
            return None;
        }
        let from = self.mount_path(&table.from)?;
        let may_be_secret = table.secret_in_environment.unwrap_or_default();
        Some(FileVariable { name: name.clone(), file: from, is_secret_allowed: may_be_secret })
    }

    pub(super) fn mount_path(&mut self, path: &Spanned<String>) -> Option<ImagePath> {
        self.parse_value(&RawValue::from_file(path), |_: &coracle_core::path::ParseImagePathError| None)
    }
}
