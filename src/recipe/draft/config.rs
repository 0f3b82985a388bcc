//! Mounted configuration: `[[config]]`, `[values]`, `[environments.NAME]` and their flags.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::schema::{self, Spanned};
use super::super::{ConfigOverrides, locate};
use super::{Check, Origin, Word};
use coracle_kube::config::{self, Configuration, File, Mount, ParseReloadError, Reload, SecretMount};
use coracle_core::fs;
use coracle_core::path::{ImagePath, printable};
use coracle_kube::template::Delimiters;
use coracle_kube::values::{KeyPath, Source};

impl Check<'_> {
    pub(super) fn config(
        &mut self,
        file: &schema::File,
        flags: &ConfigOverrides,
        folder: &Path,
    ) -> fs::Result<Configuration> {
        let at = |path: &Path| locate(folder, path);
        let mut found = Configuration {
            mounts: file.config.iter().filter_map(|table| self.mount(&table.0, &at)).collect(),
            secrets: file.secret.iter().filter_map(|table| self.secret(&table.0)).collect(),
            states: file.state.iter().filter_map(|table| self.state(&table.0)).collect(),
            variables: file.variable.iter().filter_map(|table| self.variable(&table.0)).collect(),
            values: file
                .values
                .0
                .files
                .iter()
                .map(|path| Source::File(at(path.get_ref().as_ref())))
                .collect(),
            schema: file.values.0.schema.as_ref().map(|path| at(path.get_ref().as_ref())),
        };
        if !flags.mounts.is_empty() {
            found.mounts.clear();
            for text in &flags.mounts {
                self.folder(text, &mut found)?;
            }
        }
        if !flags.secrets.is_empty() {
            found.secrets = flags.secrets.iter().filter_map(|text| self.secret_flag(text)).collect();
        }
        found.schema = flags.schema.clone().or(found.schema);
        found.values.extend(self.environment(file, flags, &at));
        found.values.extend(flags.values.iter().cloned().map(Source::File));
        found.values.extend(flags.sets.iter().filter_map(|text| self.set(text)));
        found.values.extend(flags.set_files.iter().filter_map(|text| self.set_file(text)));
        self.together(file, flags, &found);
        Ok(found)
    }

    /// Reports conflicts between mounts, keys and variables, each at the last table that takes part
    /// in it.
    fn together(&mut self, file: &schema::File, flags: &ConfigOverrides, found: &Configuration) {
        let words = super::places::mounts(file, flags);
        for config::Problem { message, hint, about } in config::problems(found) {
            let is_about = |word: &&&Spanned<String>| {
                ImagePath::parse(word.get_ref().as_bytes()).is_ok_and(|path| Some(path) == about)
            };
            let word = words.iter().rev().find(is_about);
            let flag = if flags.mounts.is_empty() { "--secret" } else { "--config" };
            let origin = word.map_or(Origin::Flag(flag), |word| Origin::File(word.span()));
            self.problem(&origin, message, Some(hint));
        }
    }

    fn mount(&mut self, table: &schema::Config, at: &dyn Fn(&Path) -> PathBuf) -> Option<Mount> {
        let origin = Origin::File(table.mount.span());
        let path = self.mount_path(&table.mount)?;
        if table.templates.is_empty() {
            let hint = "list them: `templates = [\"config/app.toml.j2\"]`";
            self.problem(&origin, format!("no file is listed for the mount `{path}`"), Some(hint.into()));
        }
        let files =
            table.templates.iter().filter_map(|template| self.template(template.get_ref(), at)).collect();
        let reload = self.reload(&table.reload);
        Some(Mount { path, files, reload, is_optional: table.optional.unwrap_or_default() })
    }

    pub(super) fn reload(&mut self, word: &Option<Spanned<String>>) -> Reload {
        let word = word.as_ref().map(Word::of);
        word.and_then(|word| self.parsed(&word, ParseReloadError::hint)).unwrap_or_default()
    }

    fn template(
        &mut self,
        template: &schema::PathOr<schema::TemplateTable>,
        at: &dyn Fn(&Path) -> PathBuf,
    ) -> Option<File> {
        let table = match template {
            schema::PathOr::Path(path) => return Some(config::file(at(path.as_ref()), None, false)),
            schema::PathOr::Table(table) => table,
        };
        let key = table.key.as_ref().map(|key| key.get_ref().clone());
        let verbatim = table.verbatim.unwrap_or_default();
        let mut file = config::file(at(table.from.get_ref().as_ref()), key, verbatim);
        if let Some(list) = &table.delimiters {
            let origin = Origin::File(list.span());
            if verbatim {
                self.problem(&origin, "`delimiters` has no effect with `verbatim = true`".into(), None);
            }
            file.delimiters = Some(self.delimiters(list.get_ref(), &origin)?);
        }
        Some(file)
    }

    /// Parses six strings: start and end of variables, blocks and comments.
    fn delimiters(&mut self, words: &[String], origin: &Origin) -> Option<Delimiters> {
        let [variable, variable_end, block, block_end, comment, comment_end] = words else {
            let hint = "write six: `[\"<<\", \">>\", \"<%\", \"%>\", \"<#\", \"#>\"]`";
            self.problem(
                origin,
                format!("`delimiters` has {} elements instead of 6", words.len()),
                Some(hint.into()),
            );
            return None;
        };
        let pair = |start: &String, end: &String| (start.clone(), end.clone());
        Some(Delimiters {
            variable: pair(variable, variable_end),
            block: pair(block, block_end),
            comment: pair(comment, comment_end),
        })
    }

    /// Returns the value files of the environment that `--environment` selects.
    fn environment(
        &mut self,
        file: &schema::File,
        flags: &ConfigOverrides,
        at: &dyn Fn(&Path) -> PathBuf,
    ) -> Vec<Source> {
        let Some(name) = &flags.environment else { return Vec::new() };
        match file.environments.get(name) {
            Some(table) => {
                let files = &table.get_ref().0.values;
                files.iter().map(|path| Source::File(at(path.get_ref().as_ref()))).collect()
            }
            None => {
                let known: Vec<String> = file.environments.keys().map(|name| format!("`{name}`")).collect();
                let hint = match known.as_slice() {
                    [] => {
                        "the recipe has no environments: write `[environments.NAME]` with `values = [\"FILE\"]`".into()
                    }
                    known => format!("the recipe has {}", known.join(", ")),
                };
                let message = format!("there is no environment `{}`", printable(name.as_bytes()));
                self.problem(&Origin::Flag("--environment"), message, Some(hint));
                Vec::new()
            }
        }
    }

    /// Adds the mount `MOUNT=FOLDER`: every file of the folder, with its value files and its
    /// schema.
    fn folder(&mut self, text: &OsStr, found: &mut Configuration) -> fs::Result<()> {
        let origin = Origin::Flag("--config");
        let Some((mount, folder)) = text.to_str().and_then(|text| text.split_once('=')) else {
            let message = format!("`{}` is not of the form `MOUNT=FOLDER`", text.display());
            self.problem(&origin, message, Some("write it as `--config /etc/app=config/`".into()));
            return Ok(());
        };
        let Some(path) = self.legal(ImagePath::parse(mount.as_bytes()), &origin, |_| None) else {
            return Ok(());
        };
        let config::Folder { files, values, schema } = config::folder(Path::new(folder))?;
        if files.is_empty() {
            let message = format!("`{}` has no file to mount at `{path}`", printable(folder.as_bytes()));
            self.problem(&origin, message, Some("name the directory that has the files".into()));
        }
        found.values.extend(values.into_iter().map(Source::File));
        found.schema = schema.or(found.schema.take());
        found.mounts.push(Mount { path, files, reload: Reload::default(), is_optional: false });
        Ok(())
    }

    /// Parses `MOUNT=KEY[,KEY]`.
    fn secret_flag(&mut self, text: &str) -> Option<SecretMount> {
        let origin = Origin::Flag("--secret");
        let (mount, keys) = text.split_once('=').unwrap_or((text, ""));
        let path = self.legal(ImagePath::parse(mount.as_bytes()), &origin, |_| None)?;
        let keys: Vec<String> = keys.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        if keys.is_empty() {
            let message = format!("`{}` is not of the form `MOUNT=KEY[,KEY]`", printable(text.as_bytes()));
            self.problem(
                &origin,
                message,
                Some("write it as `--secret /run/secrets/app=token,tls.key`".into()),
            );
            return None;
        }
        Some(SecretMount { path, name: None, keys, reload: Reload::default(), is_optional: false })
    }

    fn set(&mut self, text: &str) -> Option<Source> {
        let (key, value) = self.key_and("--set", text)?;
        Some(Source::Set { key, text: value })
    }

    fn set_file(&mut self, text: &OsStr) -> Option<Source> {
        let (key, path) = self.key_and("--set-file", &text.to_string_lossy())?;
        Some(Source::SetFile { key, path: path.into() })
    }

    fn key_and(&mut self, flag: &'static str, text: &str) -> Option<(KeyPath, String)> {
        let Some((key, value)) = text.split_once('=') else {
            let message = format!("`{}` has no value", printable(text.as_bytes()));
            self.problem(&Origin::Flag(flag), message, Some(format!("write it as `{flag} a.b=VALUE`")));
            return None;
        };
        let key = self.legal(key.parse(), &Origin::Flag(flag), |_| None)?;
        Some((key, value.to_owned()))
    }
}
