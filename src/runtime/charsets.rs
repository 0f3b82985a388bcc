//! Character sets of `iconv`: glibc opens a module for each that is not built in, as `gconv-modules` says.
//!
//! The image gets a `gconv-modules` with the lines for its character sets alone. Source: `iconv/gconv_conf.c`.

use std::collections::{BTreeMap, BTreeSet};

use super::program::Program;
use super::wants::{ExtraNode, Wants};
use super::{Error, c_library};
use crate::closure::Opening;
use crate::elf::{self, Priority};
use crate::path::{ImagePath, Spelled};

/// What glibc converts without a module (`iconv/gconv_builtin.h`), as names without punctuation at their ends.
const BUILT_IN: [&str; 12] = [
    "INTERNAL",
    "UTF-8",
    "UTF8",
    "ASCII",
    "US-ASCII",
    "ANSI_X3.4-1968",
    "UCS-2",
    "UCS-4",
    "UCS4",
    "UCS-4LE",
    "WCHAR_T",
    "ISO-10646/UTF8",
];
/// A configuration has some thousand lines.
const MAX_CONFIGURATION: usize = 4 << 20;

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let Some(charsets) = program.policy.charsets.as_ref().filter(|charsets| !charsets.is_empty()) else {
        return Ok(());
    };
    let Some(libc) = program.glibc() else {
        if program.is_entrypoint {
            wants.lack(
                "no glibc is mapped, and other C libraries have no modules for character sets",
                "leave `charsets` out",
            );
        }
        return Ok(());
    };
    let Some(directory) = directory(program)? else {
        wants.lack("cannot tell where glibc keeps its modules for character sets", "leave `charsets` out");
        return Ok(());
    };
    let configuration = Configuration::read(program, &directory)?;
    let mut chosen = Chosen::default();
    for charset in charsets {
        if !configuration.choose(charset, &mut chosen) {
            wants.lack(
                format!("cannot find the character set `{charset}` in `{directory}/gconv-modules`"),
                "install `libc-bin` or the package that has the modules, or check the spelling with `iconv --list`",
            );
        }
    }
    for module in &chosen.modules {
        let file = Spelled::in_directory(directory.as_bytes(), format!("{module}.so").as_bytes());
        wants.openings.push(Opening {
            by: c_library::opener(libc),
            names: vec![file.as_bytes().to_vec()],
            why: "a character set".into(),
            priority: Priority::Required,
        });
    }
    let path = ImagePath::parse(Spelled::in_directory(directory.as_bytes(), b"gconv-modules").as_bytes());
    if let (Ok(path), false) = (path, chosen.modules.is_empty()) {
        wants.make(path, chosen.text(), "which module converts which character set");
    }
    Ok(())
}

/// Where glibc keeps the modules: the directory of its cache for them, which is built into it.
fn directory(program: &Program<'_>) -> Result<Option<Spelled>, Error> {
    let Some(libc) = program.glibc() else { return Ok(None) };
    let words = elf::words_with(&libc.file.content.open()?, &["/gconv/gconv-modules.cache"])?;
    Ok(words.into_iter().find(|word| word.starts_with(b"/")).map(|word| Spelled::new(word).directory()))
}

/// `gconv-modules` and the files below `gconv-modules.d`.
#[derive(Default)]
struct Configuration {
    /// Other names of a character set.
    aliases: BTreeMap<String, String>,
    /// Lines by both character sets that they convert between.
    modules: BTreeMap<String, Vec<Line>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    from: String,
    to: String,
    module: String,
    cost: String,
}

/// Lines that an image needs.
#[derive(Default)]
struct Chosen {
    aliases: BTreeSet<(String, String)>,
    lines: BTreeSet<Line>,
    modules: BTreeSet<String>,
}

impl Configuration {
    fn read(program: &Program<'_>, directory: &Spelled) -> Result<Self, Error> {
        let mut configuration = Self::default();
        let main = program.data(&Spelled::in_directory(directory.as_bytes(), b"gconv-modules"), "")?;
        let more =
            program.folder(&Spelled::in_directory(directory.as_bytes(), b"gconv-modules.d"), &[], "")?;
        for extra in main.into_iter().chain(more) {
            let ExtraNode::File(file) = extra.node else { continue };
            let text = file.content.open()?.bytes_at(0, MAX_CONFIGURATION)?;
            configuration.add(&String::from_utf8_lossy(&text));
        }
        Ok(configuration)
    }

    fn add(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["alias", from, to] => {
                    self.aliases.entry(plain(from)).or_insert_with(|| plain(to));
                }
                ["module", from, to, module, cost @ ..] => {
                    let line = Line {
                        from: plain(from),
                        to: plain(to),
                        module: module.trim_end_matches(".so").to_owned(),
                        cost: cost.first().map_or("1", |cost| *cost).to_owned(),
                    };
                    self.modules.entry(line.from.clone()).or_default().push(line.clone());
                    self.modules.entry(line.to.clone()).or_default().push(line);
                }
                _ => {}
            }
        }
    }

    /// Adds what converts from and to `charset`; whether that is known.
    fn choose(&self, charset: &str, chosen: &mut Chosen) -> bool {
        let wanted = plain(charset);
        if BUILT_IN.contains(&wanted.as_str()) {
            return true;
        }
        let name = self.aliases.get(&wanted).cloned().unwrap_or_else(|| wanted.clone());
        if BUILT_IN.contains(&name.as_str()) {
            return true;
        }
        let Some(lines) = self.modules.get(&name) else { return false };
        if name != wanted {
            chosen.aliases.insert((wanted, name.clone()));
        }
        for line in lines {
            let is_new = chosen.lines.insert(line.clone());
            chosen.modules.insert(line.module.clone());
            let other = if line.from == name { &line.to } else { &line.from };
            if is_new && !BUILT_IN.contains(&other.as_str()) {
                self.choose(other, chosen);
            }
        }
        true
    }
}

impl Chosen {
    fn text(&self) -> String {
        let aliases = self.aliases.iter().map(|(from, to)| format!("alias {from}// {to}//\n"));
        let modules = self.lines.iter().map(|line| {
            let slashes = |name: &str| if name == "INTERNAL" { name.to_owned() } else { format!("{name}//") };
            format!("module {} {} {} {}\n", slashes(&line.from), slashes(&line.to), line.module, line.cost)
        });
        aliases.chain(modules).collect()
    }
}

/// A name as the configuration compares it: capitals, without the slashes at its end.
fn plain(name: &str) -> String {
    name.trim_end_matches('/').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_a_character_set_are_chosen() {
        let mut configuration = Configuration::default();
        configuration.add(
            "# comment\nalias UTF16// UTF-16//\nmodule UTF-16// INTERNAL UTF-16 1\nmodule INTERNAL UTF-16// UTF-16 1\n\
             module X// Y// XY 2\nmodule Y// INTERNAL Y.so\nalias TWICE// UTF-8//",
        );
        let choose = |name: &str| {
            let mut chosen = Chosen::default();
            configuration.choose(name, &mut chosen).then(|| chosen.text())
        };
        assert_eq!(
            choose("utf16").unwrap(),
            "alias UTF16// UTF-16//\nmodule INTERNAL UTF-16// UTF-16 1\nmodule UTF-16// INTERNAL UTF-16 1\n"
        );
        assert_eq!(choose("X").unwrap(), "module X// Y// XY 2\nmodule Y// INTERNAL Y 1\n");
        assert_eq!(choose("UTF-8").unwrap(), "");
        assert_eq!(choose("TWICE").unwrap(), "");
        assert_eq!(choose("none"), None);
    }
}
