//! Mounted configuration: `[[config]]`, `[[secret]]`, `[[state]]`, `[[variable]]`, `[values]`,
//! `[environments.NAME]` and their flags.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::mount_files::values_and_schema;
use super::source_and_target::SourceAndTarget;
use super::validator::{RawValue, Validator, ValueOrigin, from_flag, split_name_and_path};
use crate::recipe::flag_overrides::ConfigOverrides;
use crate::recipe::recipe_paths::resolve_path;
use crate::recipe::schema::{self, Spanned};
use crate::recipe::source_positions;
use coracle_core::fs;
use coracle_core::hint::Hint as _;
use coracle_core::path::{ImagePath, ParseImagePathError, escape_bytes};
use coracle_kube::config::{
    self, ConfigMount, Configuration, FileVariable, ParseReloadError, ReloadMethod, SecretFile, SecretMount,
    WritableDirectory,
};
use coracle_kube::values::ValueSource;
use coracle_kube::{LocatedProblem, Quantity, RecipePart};

impl Validator<'_> {
    pub(super) fn parse_configuration(
        &mut self,
        file: &schema::RecipeFile,
        flags: &ConfigOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<Configuration> {
        let resolve = |path: &Path| resolve_path(recipe_dir, path);
        let values_and_schema = values_and_schema(file, &resolve);
        let config_mount = |table: &schema::StrictTable<schema::ConfigTable>| {
            self.parse_config_mount(&table.0, &resolve, &values_and_schema)
        };
        let mut configuration = Configuration {
            mounts: file.config.iter().filter_map(config_mount).collect(),
            secrets: file.secret.iter().filter_map(|table| self.parse_secret_mount(&table.0)).collect(),
            writable_directories: self.parse_writable_directories(&file.state, &flags.state),
            variables: file.variable.iter().filter_map(|table| self.parse_file_variable(&table.0)).collect(),
            values: file
                .values
                .0
                .files
                .iter()
                .map(|path| ValueSource::File(resolve(path.get_ref().as_ref())))
                .collect(),
            schema: file.values.0.schema.as_ref().map(|path| resolve(path.get_ref().as_ref())),
        };
        if !flags.mounts.is_empty() {
            configuration.mounts.clear();
            for text in &flags.mounts {
                self.add_mount_of_flag(text, &mut configuration)?;
            }
        }
        if !flags.secrets.is_empty() {
            configuration.secrets =
                flags.secrets.iter().filter_map(|text| self.parse_secret_flag(text)).collect();
        }
        configuration.schema = flags.schema.clone().or(configuration.schema);
        configuration.values.extend(self.parse_environment(file, flags, &resolve));
        configuration.values.extend(flags.values.iter().cloned().map(ValueSource::File));
        configuration.values.extend(flags.sets.iter().filter_map(|text| self.parse_set_flag(text)));
        let files = flags.set_files.iter().map(|text| (text, false));
        let files = files.chain(flags.exact_set_files.iter().map(|text| (text, true)));
        configuration
            .values
            .extend(files.filter_map(|(text, is_exact)| self.parse_set_file_flag(text, is_exact)));
        self.report_conflicts(file, flags, &configuration);
        Ok(configuration)
    }

    /// Reports conflicts between mounts, keys and variables, each at the last table that takes part
    /// in it.
    fn report_conflicts(
        &mut self,
        file: &schema::RecipeFile,
        flags: &ConfigOverrides,
        configuration: &Configuration,
    ) {
        let mount_paths = source_positions::mount_paths(file, flags);
        for LocatedProblem { message, hint, location } in config::configuration_problems(configuration) {
            let is_problem_path = |path: &&&Spanned<String>| {
                ImagePath::parse(path.get_ref().as_bytes())
                    .is_ok_and(|path| location == Some(RecipePart::Mount(path)))
            };
            let path = mount_paths.iter().rev().find(is_problem_path);
            let is_at = |path: &ImagePath| location == Some(RecipePart::Mount(path.clone()));
            let flag = if configuration.writable_directories.iter().any(|directory| is_at(&directory.path)) {
                "--state"
            } else if configuration.mounts.iter().any(|mount| is_at(&mount.path)) {
                "--config"
            } else {
                "--secret"
            };
            let origin = path.map_or(ValueOrigin::Flag(flag), |path| ValueOrigin::File(path.span()));
            self.report(&origin, message, Some(hint));
        }
    }

    fn parse_config_mount(
        &mut self,
        table: &schema::ConfigTable,
        resolve: &dyn Fn(&Path) -> PathBuf,
        values_and_schema: &BTreeSet<PathBuf>,
    ) -> Option<ConfigMount> {
        let origin = ValueOrigin::File(table.mount.span());
        let path = self.parse_mount_path(&table.mount)?;
        if table.templates.is_empty() {
            let hint = "list them: `templates = [\"config/app.toml.j2\"]`";
            self.report(&origin, format!("no file is listed for the mount `{path}`"), Some(hint.into()));
        }
        let files = self.mount_files(table, resolve, values_and_schema);
        let reload = self.parse_reload_method(&table.reload);
        Some(ConfigMount { path, files, reload, is_optional: table.optional.unwrap_or_default() })
    }

    fn parse_reload_method(&mut self, raw: &Option<Spanned<String>>) -> ReloadMethod {
        let raw = raw.as_ref().map(RawValue::from_file);
        raw.and_then(|raw| self.parse_value(&raw, ParseReloadError::hint)).unwrap_or_default()
    }

    fn parse_secret_mount(&mut self, table: &schema::SecretTable) -> Option<SecretMount> {
        let path = self.parse_mount_path(&table.mount)?;
        let file = |key: &schema::KeyOrTable| match key {
            schema::KeyOrTable::Key(key) => SecretFile::from_key(key),
            schema::KeyOrTable::Table(table) => {
                SecretFile { key: table.key.clone(), path: table.path.clone() }
            }
        };
        let files: Vec<SecretFile> = table.keys.get_ref().iter().map(file).collect();
        if files.is_empty() {
            let origin = ValueOrigin::File(table.keys.span());
            let hint = "list what the program reads: `keys = [\"password\"]`";
            self.report(&origin, format!("no key is listed for the Secret at `{path}`"), Some(hint.into()));
        }
        let name = table.name.as_ref().and_then(|name| self.parse_subdomain(name, "a Secret"));
        let reload = self.parse_reload_method(&table.reload);
        Some(SecretMount { path, name, files, reload, is_optional: table.optional.unwrap_or_default() })
    }

    /// Parses the tables `[[state]]`, or the paths of flags.
    fn parse_writable_directories(
        &mut self,
        tables: &[schema::StrictTable<schema::StateTable>],
        flags: &[String],
    ) -> Vec<WritableDirectory> {
        if flags.is_empty() {
            return tables.iter().filter_map(|table| self.parse_state_dir(&table.0)).collect();
        }
        let raw_values = from_flag(flags, "--state");
        let path = |raw| self.parse_value(&raw, |_: &ParseImagePathError| None);
        let paths = raw_values.into_iter().filter_map(path);
        paths.map(|path| WritableDirectory { path, size: None, is_shared: false }).collect()
    }

    fn parse_state_dir(&mut self, table: &schema::StateTable) -> Option<WritableDirectory> {
        let path = self.parse_mount_path(&table.mount)?;
        let size = table.size.as_ref().and_then(|size| {
            let origin = ValueOrigin::File(size.span());
            let hint = || Some("write it as `10Gi` or `500Mi`".into());
            let quantity: Quantity = self.ok_or_report(size.get_ref().parse(), &origin, |_| hint())?;
            if quantity.is_zero() {
                let message = format!("the size of the claim for `{path}` is zero");
                self.report(&origin, message, hint());
            }
            Some(size.get_ref().clone())
        });
        let is_shared = table.shared.as_ref().is_some_and(|shared| *shared.get_ref());
        if let (true, None, Some(shared)) = (is_shared, &table.size, &table.shared) {
            let message = format!("`{path}` cannot be shared without a size: each pod would get its own");
            self.report(&ValueOrigin::File(shared.span()), message, Some("add `size = \"10Gi\"`".into()));
        }
        Some(WritableDirectory { path, size, is_shared })
    }

    fn parse_file_variable(&mut self, table: &schema::VariableTable) -> Option<FileVariable> {
        let (name, origin) = (table.name.get_ref(), ValueOrigin::File(table.name.span()));
        if !is_variable_name(name) {
            let message = format!("`{}` is not a valid variable name", escape_bytes(name.as_bytes()));
            self.report(&origin, message, Some("write letters, digits, `_`, `-` and `.`".into()));
            return None;
        }
        let from = self.parse_mount_path(&table.from)?;
        let is_secret_allowed = table.secret_in_environment.unwrap_or_default();
        Some(FileVariable { name: name.clone(), file: from, is_secret_allowed })
    }

    fn parse_mount_path(&mut self, path: &Spanned<String>) -> Option<ImagePath> {
        self.parse_value(&RawValue::from_file(path), |_: &ParseImagePathError| None)
    }

    /// Returns the value files of the environment that `--environment` selects.
    fn parse_environment(
        &mut self,
        file: &schema::RecipeFile,
        flags: &ConfigOverrides,
        resolve: &dyn Fn(&Path) -> PathBuf,
    ) -> Vec<ValueSource> {
        let Some(name) = &flags.environment else { return Vec::new() };
        match file.environments.get(name) {
            Some(table) => {
                let files = &table.get_ref().0.values;
                files.iter().map(|path| ValueSource::File(resolve(path.get_ref().as_ref()))).collect()
            }
            None => {
                let known: Vec<String> = file.environments.keys().map(|name| format!("`{name}`")).collect();
                let hint = match known.as_slice() {
                    [] => {
                        "the recipe has no environments: write `[environments.NAME]` with `values = [\"FILE\"]`".into()
                    }
                    known => format!("the recipe has {}", known.join(", ")),
                };
                let message = format!("there is no environment `{}`", escape_bytes(name.as_bytes()));
                self.report(&ValueOrigin::Flag("--environment"), message, Some(hint));
                Vec::new()
            }
        }
    }

    /// Adds the mount `FOLDER:TO`: every file of the folder, with its value files and its schema.
    fn add_mount_of_flag(&mut self, text: &OsStr, configuration: &mut Configuration) -> fs::Result<()> {
        let origin = ValueOrigin::Flag("--config");
        let SourceAndTarget { from: folder, to } =
            SourceAndTarget::split(&fs::path_to_bytes(Path::new(text)));
        let Some(mount) = to.filter(|_| !folder.as_os_str().is_empty()) else {
            let message = format!("`{}` is not of the form `FOLDER:TO`", text.display());
            let hint = "write it as `--config config/:/etc/app`, with an absolute TO";
            self.report(&origin, message, Some(hint.into()));
            return Ok(());
        };
        let Some(path) = self.ok_or_report(ImagePath::parse(&mount), &origin, |_| None) else {
            return Ok(());
        };
        let config::ConfigDir { files, values, schema } = config::read_config_dir(&folder)?;
        if files.is_empty() {
            self.report_empty_folder(&origin, &folder, &path.to_string());
        }
        configuration.values.extend(values.into_iter().map(ValueSource::File));
        configuration.schema = schema.or(configuration.schema.take());
        configuration.mounts.push(ConfigMount {
            path,
            files,
            reload: ReloadMethod::default(),
            is_optional: false,
        });
        Ok(())
    }

    /// Parses `KEY[,KEY]:TO`.
    fn parse_secret_flag(&mut self, text: &str) -> Option<SecretMount> {
        let origin = ValueOrigin::Flag("--secret");
        let SourceAndTarget { from, to } = SourceAndTarget::split(text.as_bytes());
        let from = from.to_string_lossy();
        let files: Vec<SecretFile> =
            from.split(',').filter(|key| !key.is_empty()).map(SecretFile::from_key).collect();
        let Some(mount) = to.filter(|_| !files.is_empty()) else {
            let message = format!("`{}` is not of the form `KEY[,KEY]:TO`", escape_bytes(text.as_bytes()));
            let hint = "write it as `--secret token,tls.key:/run/secrets/app`, with an absolute TO";
            self.report(&origin, message, Some(hint.into()));
            return None;
        };
        let path = self.ok_or_report(ImagePath::parse(&mount), &origin, |_| None)?;
        Some(SecretMount { path, name: None, files, reload: ReloadMethod::default(), is_optional: false })
    }

    fn parse_set_flag(&mut self, text: &str) -> Option<ValueSource> {
        let Some((key, value)) = text.split_once('=') else {
            self.report_missing_value("--set", text);
            return None;
        };
        let key = self.ok_or_report(key.parse(), &ValueOrigin::Flag("--set"), |_| None)?;
        Some(ValueSource::Set { key, text: value.to_owned() })
    }

    fn parse_set_file_flag(&mut self, text: &OsStr, is_exact: bool) -> Option<ValueSource> {
        let flag = if is_exact { "--set-file-exact" } else { "--set-file" };
        let Some((key, path)) = split_name_and_path(text) else {
            self.report_missing_value(flag, &text.to_string_lossy());
            return None;
        };
        let key = self.ok_or_report(key.parse(), &ValueOrigin::Flag(flag), |_| None)?;
        Some(ValueSource::SetFile { key, path, is_exact })
    }

    fn report_missing_value(&mut self, flag: &'static str, text: &str) {
        let message = format!("`{}` has no value", escape_bytes(text.as_bytes()));
        self.report(&ValueOrigin::Flag(flag), message, Some(format!("write it as `{flag} a.b=VALUE`")));
    }
}

/// Returns whether every version of Kubernetes accepts `name` as the name of a variable.
fn is_variable_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c);
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}
