//! OpenSSL's configuration file: its sections, with the files that it includes.
//!
//! Source: `def_load_bio`, `crypto/conf/conf_def.c`; config(5).

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::program_context::ProgramContext;
use super::requested_dependencies::{DataContent, DataFile};
use coracle_core::path::RawPath;

/// The values of each section by name.
#[derive(Default, Debug)]
pub(super) struct OpensslConf {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// The section that the next line belongs to.
    current: String,
    /// The size of all values that were read.
    values_size: usize,
    include_count: usize,
    /// The directory of relative `.include` lines.
    include_directory: Option<RawPath>,
    /// The configuration file itself and the files that it includes, in the order of reading.
    pub(super) files: Vec<DataFile>,
}

/// The name of the section before the first header.
const DEFAULT_SECTION: &str = "default";

/// The section with the variables of the environment: here those of the image.
const ENVIRONMENT: &str = "ENV";

/// The largest file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 1 << 20;

/// The number of files at which reading stops: more than any distribution has.
const MAX_FILES: usize = 256;

/// The number of `.include` lines at which reading stops.
const MAX_INCLUDES: usize = 4096;

/// The size of a value at which OpenSSL rejects a file. Source: `MAX_CONF_VALUE_LENGTH`.
const MAX_VALUE_SIZE: usize = 1 << 16;

/// The size of all values at which lines are ignored, in bytes.
const MAX_VALUES_SIZE: usize = 16 << 20;

/// Endings of the files that are read of an included directory.
const INCLUDED_EXTENSIONS: [&[u8]; 2] = [b".cnf", b".conf"];

const PURPOSE: &str = "OpenSSL's configuration";

/// A line of the file.
#[derive(PartialEq, Eq, Debug)]
enum ConfLine {
    Section(String),
    Include(String),
    Pragma(String),
    Value { section: Option<String>, name: String, value: String },
}

impl OpensslConf {
    /// Reads the file at `path` and what it includes. Missing files are ignored, as OpenSSL does.
    pub(super) fn read(
        program: &ProgramContext<'_>,
        path: &RawPath,
        include_directory: Option<RawPath>,
    ) -> Result<Self, Error> {
        let environment = program.sources.options.variables.clone();
        let mut conf = Self {
            sections: BTreeMap::from([(ENVIRONMENT.to_owned(), environment)]),
            current: DEFAULT_SECTION.to_owned(),
            include_directory,
            ..Self::default()
        };
        conf.read_file(program, path, &mut BTreeSet::new())?;
        Ok(conf)
    }

    /// Returns the values of a section, in the order of their names.
    pub(super) fn section_values(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.sections.get(name).into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the values of the section before the first header.
    pub(super) fn default_section(&self) -> impl Iterator<Item = (&str, &str)> {
        self.section_values(DEFAULT_SECTION)
    }

    /// Returns a value of a section.
    pub(super) fn value_in_section(&self, section: &str, name: &str) -> Option<&str> {
        self.sections.get(section)?.get(name).map(String::as_str)
    }

    fn read_file(
        &mut self,
        program: &ProgramContext<'_>,
        path: &RawPath,
        reading: &mut BTreeSet<RawPath>,
    ) -> Result<(), Error> {
        if self.files.len() >= MAX_FILES || !reading.insert(path.clone()) {
            return Ok(());
        }
        if let Some(file) = program.data_file(path, PURPOSE)? {
            let text = match &file.content {
                DataContent::File(file) => file.content.read_whole(path.as_bytes(), MAX_FILE_SIZE)?,
                _ => Vec::new(),
            };
            self.files.push(file);
            for line in logical_lines(&String::from_utf8_lossy(&text)) {
                if let Some(included) = self.add_line(&line) {
                    self.read_included(program, &included, reading)?;
                }
            }
        }
        reading.remove(path);
        Ok(())
    }

    /// Reads an included file, or the files of an included directory.
    fn read_included(
        &mut self,
        program: &ProgramContext<'_>,
        path: &str,
        reading: &mut BTreeSet<RawPath>,
    ) -> Result<(), Error> {
        self.include_count += 1;
        if self.include_count > MAX_INCLUDES || self.files.len() >= MAX_FILES {
            return Ok(());
        }
        let path = match &self.include_directory {
            Some(directory) if !path.starts_with('/') => {
                RawPath::join_bytes(directory.as_bytes(), path.as_bytes())
            }
            _ => RawPath::new(path),
        };
        self.read_file(program, &path, reading)?;
        for file in program.sources.data_files_in(&path, PURPOSE)? {
            if INCLUDED_EXTENSIONS.iter().any(|end| file.raw_path.as_bytes().ends_with(end)) {
                self.read_file(program, &file.raw_path, reading)?;
            }
        }
        Ok(())
    }

    /// Adds one line. Returns the path if it is an `.include` line.
    fn add_line(&mut self, line: &str) -> Option<String> {
        match parse_line(line)? {
            ConfLine::Section(name) => self.current = name,
            ConfLine::Include(path) => return self.expand_variables(&path),
            ConfLine::Pragma(pragma) => {
                if let Some(directory) = pragma.strip_prefix("includedir:") {
                    self.include_directory = Some(RawPath::new(directory.trim()));
                }
            }
            ConfLine::Value { section, name, value } => {
                let value = self.expand_variables(&value)?;
                self.values_size += name.len() + value.len();
                if self.values_size > MAX_VALUES_SIZE {
                    return None;
                }
                let section = section.unwrap_or_else(|| self.current.clone());
                self.sections.entry(section).or_default().insert(name, value);
            }
        }
        None
    }

    /// Replaces `$name`, `${name}`, `$(name)` and `$section::name`. `None` if there is no such value, or
    /// the text becomes too long: OpenSSL then rejects the whole file.
    fn expand_variables(&self, value: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, after) = match (after.strip_prefix('{'), after.strip_prefix('(')) {
                (Some(inner), _) => inner.split_once('}')?,
                (_, Some(inner)) => inner.split_once(')')?,
                _ => {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                    after.split_at(after.find(|c| !is_part(c)).unwrap_or(after.len()))
                }
            };
            let found = match name.split_once("::") {
                Some((section, name)) => self.value_in_section(section, name),
                None => self
                    .value_in_section(&self.current, name)
                    .or_else(|| self.value_in_section(DEFAULT_SECTION, name)),
            };
            expanded.push_str(found?);
            if expanded.len() > MAX_VALUE_SIZE {
                return None;
            }
            rest = after;
        }
        expanded.push_str(rest);
        Some(expanded)
    }
}

/// Returns the lines without comments; those that end with a backslash are joined with the next one.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = String::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        match line.strip_suffix('\\') {
            Some(part) => start.push_str(part),
            None => lines.push(std::mem::take(&mut start) + line),
        }
    }
    lines.push(start);
    lines
}

fn parse_line(line: &str) -> Option<ConfLine> {
    let line = line.trim();
    let directive = |name: &str| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '\t', '=']))?;
        Some(strip_quotes(rest.trim_start().trim_start_matches('=').trim()))
    };
    if let Some(name) = line.strip_prefix('[') {
        return Some(ConfLine::Section(name.split(']').next()?.trim().to_owned()));
    }
    if let Some(path) = directive(".include") {
        return Some(ConfLine::Include(path));
    }
    if let Some(pragma) = directive(".pragma") {
        return Some(ConfLine::Pragma(pragma));
    }
    let (name, value) = line.split_once('=')?;
    let (section, name) = match name.trim().split_once("::") {
        Some((section, name)) => (Some(section.to_owned()), name),
        None => (None, name.trim()),
    };
    Some(ConfLine::Value { section, name: name.to_owned(), value: strip_quotes(value.trim()) })
}

/// Returns a value without its quotes.
fn strip_quotes(value: &str) -> String {
    value.chars().filter(|c| !['"', '\'', '`'].contains(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(text: &str) -> OpensslConf {
        let mut conf = OpensslConf { current: DEFAULT_SECTION.to_owned(), ..OpensslConf::default() };
        for line in logical_lines(text) {
            conf.add_line(&line);
        }
        conf
    }

    #[test]
    fn limits_the_expansion_of_values() {
        // 2^60 bytes without a limit.
        let conf = read_lines(&("a = x\n".to_owned() + &"a = $a$a\n".repeat(60)));
        assert_eq!(conf.value_in_section(DEFAULT_SECTION, "a").map(str::len), Some(1 << 16));
        let long = format!("a = {}\n", "x".repeat(60_000));
        let many: String = (0..20_000).map(|number| format!("b{number} = $a\n")).collect();
        let conf = read_lines(&(long + &many));
        let size: usize = conf.default_section().map(|(name, value)| name.len() + value.len()).sum();
        assert!((MAX_VALUES_SIZE - 70_000..=MAX_VALUES_SIZE).contains(&size), "{size}");
    }

    #[test]
    fn many_values_are_looked_up_in_linear_time() {
        let values: String = (0..60_000).map(|number| format!("a{number}=${{a0}}\n")).collect();
        let conf = read_lines(&("a0=1\n".to_owned() + &values.replacen("a0=${a0}\n", "", 1)));
        assert_eq!(conf.default_section().count(), 60_000);
        assert_eq!(conf.value_in_section(DEFAULT_SECTION, "a59999"), Some("1"));
    }

    #[test]
    fn reads_sections_values_and_includes() {
        let mut conf = OpensslConf { current: DEFAULT_SECTION.to_owned(), ..OpensslConf::default() };
        let text = "dir = /etc/ssl # here\nopenssl_conf = \\\n  init\n.include = $dir/a.cnf\n.include ${dir}/b\n\
                    .pragma includedir: /x\n[ init ]\nproviders = \"p\"\np::one = $default::dir/one\nkey = $ENV::HOME\n";
        let included: Vec<String> =
            logical_lines(text).iter().filter_map(|line| conf.add_line(line)).collect();
        assert_eq!(included, ["/etc/ssl/a.cnf", "/etc/ssl/b"]);
        assert_eq!(conf.value_in_section(DEFAULT_SECTION, "openssl_conf"), Some("init"));
        assert_eq!(conf.section_values("init").collect::<Vec<_>>(), [("providers", "p")]);
        assert_eq!(conf.section_values("p").collect::<Vec<_>>(), [("one", "/etc/ssl/one")]);
        assert_eq!(conf.include_directory, Some(RawPath::new("/x")));
    }
}
