//! `gconv-modules`: the modules of glibc that convert character sets. Selects the lines that given
//! character sets need.
//!
//! Source: `iconv/gconv_conf.c`, `iconv/gconv_builtin.h`.

use std::collections::{BTreeMap, BTreeSet};

/// Character sets that glibc converts without a module, without trailing slashes.
const BUILT_IN_CHARSETS: [&str; 43] = [
    "10646-1:1993",
    "10646-1:1993/UCS4",
    "ANSI_X3.4",
    "ANSI_X3.4-1968",
    "ANSI_X3.4-1986",
    "ASCII",
    "CP367",
    "CSASCII",
    "CSUCS4",
    "IBM367",
    "INTERNAL",
    "ISO-10646",
    "ISO-10646/UCS2",
    "ISO-10646/UCS4",
    "ISO-10646/UTF-8",
    "ISO-10646/UTF8",
    "ISO-IR-193",
    "ISO-IR-6",
    "ISO646-US",
    "ISO_646.IRV:1991",
    "OSF00010020",
    "OSF00010100",
    "OSF00010101",
    "OSF00010102",
    "OSF00010104",
    "OSF00010105",
    "OSF00010106",
    "OSF05010001",
    "UCS-2",
    "UCS-2BE",
    "UCS-2LE",
    "UCS-4",
    "UCS-4BE",
    "UCS-4LE",
    "UCS2",
    "UCS4",
    "UNICODEBIG",
    "UNICODELITTLE",
    "US",
    "US-ASCII",
    "UTF-8",
    "UTF8",
    "WCHAR_T",
];

/// The parsed configuration files.
#[derive(Default)]
pub(super) struct GconvConfiguration {
    /// Character sets by alias.
    aliases: BTreeMap<String, String>,
    /// Modules by each of the two character sets that they convert between.
    modules: BTreeMap<String, Vec<GconvModule>>,
}

/// A module that converts from one character set to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct GconvModule {
    from: String,
    to: String,
    module: String,
    cost: String,
}

/// The lines of `gconv-modules` that were selected.
#[derive(Default)]
pub(super) struct SelectedModules {
    aliases: BTreeSet<(String, String)>,
    modules: BTreeSet<GconvModule>,
}

impl GconvConfiguration {
    /// Adds the lines of one file.
    pub(super) fn add_file(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["alias", from, to] => {
                    self.aliases.entry(normalize_charset(from)).or_insert_with(|| normalize_charset(to));
                }
                ["module", from, to, module, cost @ ..] => self.add_module(GconvModule {
                    from: normalize_charset(from),
                    to: normalize_charset(to),
                    module: module.trim_end_matches(".so").to_owned(),
                    cost: cost.first().map_or("1", |cost| *cost).to_owned(),
                }),
                _ => {}
            }
        }
    }

    fn add_module(&mut self, line: GconvModule) {
        self.modules.entry(line.from.clone()).or_default().push(line.clone());
        if line.from != line.to {
            self.modules.entry(line.to.clone()).or_default().push(line);
        }
    }

    /// Selects the modules that convert from and to `charset`, with all aliases. Returns false if
    /// it is unknown.
    pub(super) fn select_charset(&self, charset: &str, selected: &mut SelectedModules) -> bool {
        let asked = normalize_charset(charset);
        if BUILT_IN_CHARSETS.contains(&asked.as_str()) {
            return true;
        }
        let name = self.aliases.get(&asked).cloned().unwrap_or(asked.clone());
        if BUILT_IN_CHARSETS.contains(&name.as_str()) {
            selected.aliases.insert((asked, name));
            return true;
        }
        if !self.modules.contains_key(&name) {
            return false;
        }
        // A module may convert to a character set that needs another module.
        let (mut names, mut next) = (BTreeSet::new(), vec![name]);
        while let Some(name) = next.pop() {
            if BUILT_IN_CHARSETS.contains(&name.as_str()) || names.contains(&name) {
                continue;
            }
            for line in self.modules.get(&name).into_iter().flatten() {
                selected.modules.insert(line.clone());
                next.extend([line.from.clone(), line.to.clone()]);
            }
            names.insert(name);
        }
        let aliases = self.aliases.iter().filter(|(_, to)| names.contains(*to));
        selected.aliases.extend(aliases.map(|(from, to)| (from.clone(), to.clone())));
        true
    }
}

impl SelectedModules {
    /// Returns whether no configuration is needed.
    pub(super) fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.aliases.is_empty()
    }

    /// Returns the names of the modules, without `.so`.
    pub(super) fn module_names(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|line| line.module.as_str()).collect()
    }

    /// Formats a configuration with the selected lines.
    pub(super) fn to_configuration(&self) -> String {
        let aliases = self.aliases.iter().map(|(from, to)| format!("alias {from}// {to}//\n"));
        let modules = self.modules.iter().map(|line| {
            let slashes = |name: &str| if name == "INTERNAL" { name.to_owned() } else { format!("{name}//") };
            format!("module {} {} {} {}\n", slashes(&line.from), slashes(&line.to), line.module, line.cost)
        });
        aliases.chain(modules).collect()
    }
}

/// Normalizes a name for comparison: upper case, without trailing slashes.
fn normalize_charset(name: &str) -> String {
    name.trim_end_matches('/').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> GconvConfiguration {
        let mut configuration = GconvConfiguration::default();
        configuration.add_file(text);
        configuration
    }

    fn select(configuration: &GconvConfiguration, name: &str) -> Option<String> {
        let mut selected = SelectedModules::default();
        configuration.select_charset(name, &mut selected).then(|| selected.to_configuration())
    }

    #[test]
    fn selects_lines_for_a_character_set() {
        let configuration = parse(
            "# comment\nalias UTF16// UTF-16//\nmodule UTF-16// INTERNAL UTF-16 1\nmodule INTERNAL UTF-16// UTF-16 1\n\
             module X// Y// XY 2\nmodule Y// INTERNAL Y.so\nalias TWICE// UTF-8//",
        );
        let utf16 =
            "alias UTF16// UTF-16//\nmodule INTERNAL UTF-16// UTF-16 1\nmodule UTF-16// INTERNAL UTF-16 1\n";
        // Aliases are kept, because programs may use any of them.
        assert_eq!(select(&configuration, "utf16").unwrap(), utf16);
        assert_eq!(select(&configuration, "UTF-16").unwrap(), utf16);
        assert_eq!(select(&configuration, "X").unwrap(), "module X// Y// XY 2\nmodule Y// INTERNAL Y 1\n");
        assert_eq!(select(&configuration, "TWICE").unwrap(), "alias TWICE// UTF-8//\n");
        for built_in in ["UTF-8", "ucs-2le"] {
            assert_eq!(select(&configuration, built_in).unwrap(), "");
        }
        assert_eq!(select(&configuration, "none"), None);
    }

    #[test]
    fn follows_long_chains() {
        let lines: String = (0..100_000).map(|n| format!("module C{n}// C{}// M\n", n + 1)).collect();
        assert_eq!(select(&parse(&lines), "C0").unwrap().lines().count(), 100_000);
    }

    proptest! {
        #[test]
        fn selection_is_idempotent(
            text in "((alias|module) [A-D]/{0,2} ([A-D]|INTERNAL)/{0,2}( [xy](.so)?( [0-9])?)?(#.?)?\n|.{0,9}\n){0,20}",
            name in "[A-D]",
        ) {
            if let Some(selected) = select(&parse(&text), &name) {
                prop_assert_eq!(select(&parse(&selected), &name).unwrap_or_default(), selected);
            }
        }
    }
}
