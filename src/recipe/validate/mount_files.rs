//! The files of `[[config]]`: those that are listed, and those in listed folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::validator::{RawValue, Validator, ValueOrigin};
use crate::recipe::schema::{self, Spanned};
use coracle_core::fs;
use coracle_core::hint::Hint as _;
use coracle_core::path::escape_bytes;
use coracle_kube::config::{self, MountFileSource};
use coracle_kube::template::{Delimiters, ParseFormatError, TemplateSyntax};

impl Validator<'_> {
    /// Returns the listed files, and those of the listed folders except values, the schema, and what
    /// other templates include.
    pub(super) fn mount_files(
        &mut self,
        table: &schema::ConfigTable,
        resolve: &dyn Fn(&Path) -> PathBuf,
        values_and_schema: &BTreeSet<PathBuf>,
    ) -> Vec<MountFileSource> {
        let (mut files, mut in_folders) = (Vec::new(), Vec::new());
        for template in &table.templates {
            let Some(file) = self.parse_mount_file_source(template.get_ref(), resolve) else { continue };
            if file.source.is_dir() {
                in_folders.extend(self.folder_files(template, &file, &table.mount));
            } else {
                files.push(file);
            }
        }
        if in_folders.is_empty() {
            return files;
        }
        in_folders.retain(|file| !values_and_schema.contains(&file.source));
        let count = files.len();
        files.extend(in_folders);
        let included = config::included_files(&files);
        let mut index = 0;
        files.retain(|file| {
            index += 1;
            index <= count || !included.contains(&file.source)
        });
        files
    }

    /// Returns the files of a listed folder, with the options of its table.
    fn folder_files(
        &mut self,
        template: &Spanned<schema::PathOr<schema::TemplateTable>>,
        folder: &MountFileSource,
        mount: &Spanned<String>,
    ) -> Vec<MountFileSource> {
        let origin = ValueOrigin::File(template.span());
        let is_verbatim = match template.get_ref() {
            schema::PathOr::Path(_) => false,
            schema::PathOr::Table(table) => table.verbatim.unwrap_or_default(),
        };
        let to = if folder.path == "." { "" } else { folder.path.trim_end_matches('/') };
        let listed = config::read_folder(&folder.source, to, is_verbatim);
        let Some(mut files) = self.ok_or_report(listed, &origin, |_| None) else { return Vec::new() };
        if files.is_empty() {
            self.report_empty_folder(&origin, &folder.source, mount.get_ref());
        }
        for file in &mut files {
            file.format = folder.format;
            if let (Some(_), Some(syntax)) = (&file.syntax, &folder.syntax) {
                file.syntax = Some(syntax.clone());
            }
        }
        files
    }

    pub(super) fn report_empty_folder(&mut self, origin: &ValueOrigin, folder: &Path, mount: &str) {
        let message = format!(
            "`{}` has no file to mount at `{}`",
            escape_bytes(&fs::path_to_bytes(folder)),
            escape_bytes(mount.as_bytes())
        );
        self.report(origin, message, Some("name the directory that has the files".into()));
    }

    fn parse_mount_file_source(
        &mut self,
        template: &schema::PathOr<schema::TemplateTable>,
        resolve: &dyn Fn(&Path) -> PathBuf,
    ) -> Option<MountFileSource> {
        let table = match template {
            schema::PathOr::Path(path) => {
                return Some(MountFileSource::from_path(resolve(path.as_ref()), None, false));
            }
            schema::PathOr::Table(table) => table,
        };
        let path = table.path.as_ref().map(|path| path.get_ref().clone());
        let verbatim = table.verbatim.unwrap_or_default();
        let mut file = MountFileSource::from_path(resolve(table.from.get_ref().as_ref()), path, verbatim);
        if let Some(format) = &table.format {
            file.format = self.parse_value(&RawValue::from_file(format), ParseFormatError::hint)?;
        }
        file.syntax = self.parse_template_syntax(table, verbatim)?.or(file.syntax);
        Some(file)
    }

    /// Returns the syntax of a template, `Some(None)` if the table does not specify it, and `None`
    /// if it is invalid.
    fn parse_template_syntax(
        &mut self,
        table: &schema::TemplateTable,
        verbatim: bool,
    ) -> Option<Option<TemplateSyntax>> {
        let spans = [
            ("delimiters", table.delimiters.as_ref().map(|value| value.span())),
            ("trim-blocks", table.trim_blocks.as_ref().map(|value| value.span())),
            ("lstrip-blocks", table.lstrip_blocks.as_ref().map(|value| value.span())),
        ];
        let mut given = spans.into_iter().filter_map(|(key, span)| Some((key, span?))).peekable();
        if given.peek().is_none() {
            return Some(None);
        }
        for (key, span) in given.filter(|_| verbatim) {
            self.report(
                &ValueOrigin::File(span),
                format!("`{key}` has no effect with `verbatim = true`"),
                None,
            );
        }
        let is_set = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| *flag.get_ref());
        let delimiters = match &table.delimiters {
            Some(list) => self.parse_delimiters(list.get_ref(), &ValueOrigin::File(list.span()))?,
            None => Delimiters::default(),
        };
        let (trim_blocks, lstrip_blocks) = (is_set(&table.trim_blocks), is_set(&table.lstrip_blocks));
        Some(Some(TemplateSyntax { delimiters, trim_blocks, lstrip_blocks }))
    }

    /// Parses six strings: start and end of variables, blocks and comments.
    fn parse_delimiters(&mut self, texts: &[String], origin: &ValueOrigin) -> Option<Delimiters> {
        let Ok(delimiters) = <[String; 6]>::try_from(texts.to_vec()) else {
            let hint = "write six: `[\"<<\", \">>\", \"<%\", \"%>\", \"<#\", \"#>\"]`";
            self.report(
                origin,
                format!("`delimiters` has {} elements instead of 6", texts.len()),
                Some(hint.into()),
            );
            return None;
        };
        Some(delimiters.into())
    }
}

/// Returns the recipe's values files and schema, which are not files of a mount.
pub(super) fn values_and_schema(
    file: &schema::RecipeFile,
    resolve: &dyn Fn(&Path) -> PathBuf,
) -> BTreeSet<PathBuf> {
    let environments = file.environments.values().flat_map(|table| &table.get_ref().0.values);
    let values = file.values.0.files.iter().chain(environments);
    values.chain(&file.values.0.schema).map(|path| resolve(path.get_ref().as_ref())).collect()
}
