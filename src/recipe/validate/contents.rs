//! The files of the image: `programs` and `[[include]]`, or `PROGRAM[:TO]` and `--include FROM:TO`,
//! with their paths in the image.

use std::ffi::OsStr;
use std::path::Path;

use super::source_and_target::SourceAndTarget;
use super::validator::{RawValue, Validator, ValueOrigin, from_flag};
use crate::recipe::flag_overrides::RecipeOverrides;
use crate::recipe::recipe_paths::resolvable_from;
use crate::recipe::recipe_settings::{
    Contents, FileTimes, Inventory, ParseFileTimesError, RecipeInclude, RecipeProgram,
};
use crate::recipe::schema::{self, RecipeFile};
use crate::rootfs::{ExcludePattern, ParseExcludePatternError};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath, escape_bytes};

impl Validator<'_> {
    /// Parses the programs, the includes and how their dependencies are found.
    pub(super) fn parse_contents(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<Contents> {
        Ok(Contents {
            programs: self.parse_programs(file, flags, recipe_dir)?,
            includes: self.parse_includes(file, flags, recipe_dir)?,
            exclude: self.parse_exclude_patterns(&from_flag(&flags.exclude, "--exclude")),
            include_times: flags.include_times.iter().find_map(|times| {
                self.parse_file_times(&RawValue {
                    value: times.clone(),
                    origin: ValueOrigin::Flag("--include-times"),
                })
            }),
            strip: flags.strip || file.image.0.strip.unwrap_or_default(),
            inventory: Inventory {
                packages: !flags.no_inventory && file.image.0.inventory.unwrap_or(true),
                licences: flags.licences || file.image.0.licences.unwrap_or_default(),
            },
            implicit: self.parse_implicit_policy(&file.runtime.0, &flags.runtime),
            complete: flags.runtime.complete || file.runtime.0.complete.unwrap_or_default(),
            hwcaps: self.parse_hwcaps(&file.runtime.0, &flags.runtime),
            root_overrides: self.parse_root_overrides(file, flags, recipe_dir)?,
        })
    }

    fn parse_programs(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<Vec<RecipeProgram>> {
        let mut raw_values = Vec::new();
        for text in &flags.programs {
            let SourceAndTarget { from, to } = split_program(text)?;
            if to.is_none()
                && let Some(hint) = relative_target_hint(&from)?
            {
                let message = format!("`{}` is not a file, and its TO is not absolute", from.display());
                self.report(&ValueOrigin::Flag("PROGRAM"), message, Some(hint));
                continue;
            }
            let value = SourceAndTarget { from: resolvable_from(recipe_dir, from)?, to };
            raw_values.push(RawValue { value, origin: ValueOrigin::Flag("PROGRAM") });
        }
        if raw_values.is_empty() {
            raw_values.extend(file.image.0.programs.iter().map(|program| {
                let value = match program.get_ref() {
                    schema::PathOr::Path(from) => SourceAndTarget { from: from.into(), to: None },
                    schema::PathOr::Table(placed) => SourceAndTarget {
                        from: placed.from.get_ref().into(),
                        to: placed.to.as_ref().map(|to| to.get_ref().clone().into_bytes()),
                    },
                };
                RawValue { value, origin: ValueOrigin::File(program.span()) }
            }));
        }
        Ok(raw_values.into_iter().filter_map(|raw| self.parse_program(raw)).collect())
    }

    fn parse_program(
        &mut self,
        RawValue { value: SourceAndTarget { from, to }, origin }: RawValue<SourceAndTarget>,
    ) -> Option<RecipeProgram> {
        self.check_source(&from, &origin)?;
        let Some(mut to) = to else { return Some(RecipeProgram { from, to: None }) };
        if to.ends_with(b"/") {
            to.extend(from.file_name().map(|name| fs::path_to_bytes(Path::new(name))).unwrap_or_default());
        }
        let path = self.ok_or_report(ImagePath::parse(&to), &origin, |_| None)?;
        if path.file_name().is_none() {
            self.report(&origin, "a program cannot replace the root directory".into(), None);
            return None;
        }
        Some(RecipeProgram { from, to: Some(path) })
    }

    fn parse_includes(
        &mut self,
        file: &RecipeFile,
        flags: &RecipeOverrides,
        recipe_dir: &Path,
    ) -> fs::Result<Vec<RecipeInclude>> {
        let mut includes = Vec::new();
        for text in &flags.includes {
            let SourceAndTarget { from, to } = SourceAndTarget::split(&fs::path_to_bytes(Path::new(text)));
            let value = SourceAndTarget { from: resolvable_from(recipe_dir, from)?, to };
            includes.extend(self.parse_include(RawValue { value, origin: ValueOrigin::Flag("--include") }));
        }
        if flags.includes.is_empty() {
            includes.extend(file.include.iter().filter_map(|table| self.parse_include_table(&table.0)));
        }
        Ok(includes)
    }

    fn parse_include_table(&mut self, table: &schema::IncludeTable) -> Option<RecipeInclude> {
        let to = table.to.get_ref().clone().into_bytes();
        let value = SourceAndTarget { from: table.from.get_ref().into(), to: Some(to) };
        let include = self.parse_include(RawValue { value, origin: ValueOrigin::File(table.to.span()) });
        let patterns: Vec<RawValue> = table.exclude.iter().map(RawValue::from_file).collect();
        let exclude = self.parse_exclude_patterns(&patterns);
        let times = table.times.as_ref().and_then(|times| self.parse_file_times(&RawValue::from_file(times)));
        include.map(|include| RecipeInclude { exclude, times: times.unwrap_or_default(), ..include })
    }

    fn parse_exclude_patterns(&mut self, patterns: &[RawValue]) -> Vec<ExcludePattern> {
        patterns.iter().filter_map(|raw| self.parse_value(raw, ParseExcludePatternError::hint)).collect()
    }

    fn parse_file_times(&mut self, raw: &RawValue) -> Option<FileTimes> {
        self.parse_value(raw, |_: &ParseFileTimesError| {
            Some(
                "write `epoch` for the time of SOURCE_DATE_EPOCH or `--epoch`, or `zero` for 1970-01-01"
                    .into(),
            )
        })
    }

    fn parse_include(
        &mut self,
        RawValue { value: SourceAndTarget { from, to }, origin }: RawValue<SourceAndTarget>,
    ) -> Option<RecipeInclude> {
        self.check_source(&from, &origin)?;
        let Some(to) = to else {
            let message = format!("`{}` has no path in the image", from.display());
            let hint = "write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`";
            self.report(&origin, message, Some(hint.into()));
            return None;
        };
        self.ok_or_report(ImagePath::parse(&to), &origin, |_| None)?;
        Some(RecipeInclude { from, to: RawPath::new(to), ..RecipeInclude::default() })
    }

    fn check_source(&mut self, from: &Path, origin: &ValueOrigin) -> Option<()> {
        if from.as_os_str().is_empty() {
            self.report(origin, "the path of a file is empty".into(), None);
            return None;
        }
        Some(())
    }
}

/// Splits `PROGRAM[:TO]`, unless a file with the whole value as its name exists.
fn split_program(text: &OsStr) -> fs::Result<SourceAndTarget> {
    let path = Path::new(text);
    let placed = SourceAndTarget::split(&fs::path_to_bytes(path));
    if placed.to.is_some()
        && matches!(fs::symlink_metadata(path)?, Some(fs::PathMetadata::File(_) | fs::PathMetadata::Link(_)))
    {
        return Ok(SourceAndTarget { from: path.to_owned(), to: None });
    }
    Ok(placed)
}

/// Returns a hint if `path` looks like `FROM:TO` with a relative TO.
fn relative_target_hint(path: &Path) -> fs::Result<Option<String>> {
    let text = fs::path_to_bytes(path);
    let Some(colon) = text.iter().rposition(|&byte| byte == b':') else { return Ok(None) };
    let (from, to) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    if fs::symlink_metadata(path)?.is_some()
        || !matches!(fs::symlink_metadata(&fs::path_from_bytes(from))?, Some(fs::PathMetadata::File(_)))
    {
        return Ok(None);
    }
    Ok(Some(format!("write it with an absolute TO, as in `{}:/{}`", escape_bytes(from), escape_bytes(to))))
}
