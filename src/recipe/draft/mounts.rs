//! Secrets, state directories and variables: `[[secret]]`, `[[state]]` and `[[variable]]`.

use super::super::schema::{self, Spanned};
use super::{Check, Origin, Word};
use coracle_kube::config::{SecretMount, State, Variable};
use coracle_core::path::{ImagePath, printable};
use coracle_core::quantity;

/// Whether every version of Kubernetes accepts `name` as the name of a variable.
fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c);
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl Check<'_> {
    pub(super) fn secret(&mut self, table: &schema::Secret) -> Option<SecretMount> {
        let path = self.mount_path(&table.mount)?;
        let keys = table.keys.get_ref().clone();
        if keys.is_empty() {
            let origin = Origin::File(table.keys.span());
            let hint = "list what the program reads: `keys = [\"password\"]`";
            self.problem(&origin, format!("no key is listed for the Secret at `{path}`"), Some(hint.into()));
        }
        let name = table.name.as_ref().and_then(|name| self.subdomain(name, "a Secret"));
        let reload = self.reload(&table.reload);
        Some(SecretMount { path, name, keys, reload, is_optional: table.optional.unwrap_or_default() })
    }

    pub(super) fn state(&mut self, table: &schema::State) -> Option<State> {
        let path = self.mount_path(&table.mount)?;
        let size = table.size.as_ref().and_then(|size| {
            let origin = Origin::File(size.span());
            self.legal(quantity::check(size.get_ref()), &origin, |_| {
                Some("write it as `10Gi` or `500Mi`".into())
            })?;
            Some(size.get_ref().clone())
        });
        let is_shared = table.shared.as_ref().is_some_and(|shared| *shared.get_ref());
        if let (true, None, Some(shared)) = (is_shared, &table.size, &table.shared) {
            let message = format!("`{path}` cannot be shared without a size: each pod would get its own");
            self.problem(&Origin::File(shared.span()), message, Some("add `size = \"10Gi\"`".into()));
        }
        Some(State { path, size, is_shared })
    }

    pub(super) fn variable(&mut self, table: &schema::Variable) -> Option<Variable> {
        let (name, origin) = (table.name.get_ref(), Origin::File(table.name.span()));
        if !is_name(name) {
            let message = format!("`{}` is not a valid variable name", printable(name.as_bytes()));
            self.problem(&origin, message, Some("write letters, digits, `_`, `-` and `.`".into()));
            return None;
        }
        let from = self.mount_path(&table.from)?;
        let may_be_secret = table.secret_in_environment.unwrap_or_default();
        Some(Variable { name: name.clone(), from, may_be_secret })
    }

    pub(super) fn mount_path(&mut self, path: &Spanned<String>) -> Option<ImagePath> {
        self.parsed(&Word::of(path), |_: &coracle_core::path::ParsePathError| None)
    }
}
