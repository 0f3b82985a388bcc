//! The directories that scripts assign to `LD_LIBRARY_PATH` before they start a program.

use std::collections::BTreeSet;

use super::file_tree::Rootfs;
use super::plan_request::PlannedProgram;
use coracle_core::fs;
use coracle_core::path::ImagePath;
use coracle_ld::closure::ExecutedKind;

const VARIABLE: &str = "LD_LIBRARY_PATH=";
/// The maximum size of a script that is read, in bytes.
const MAX_SCRIPT_SIZE: usize = 1 << 20;

/// Returns the directories that scripts among `programs` assign to `LD_LIBRARY_PATH`, in the image.
pub(super) fn library_path_of_scripts(
    programs: &[PlannedProgram],
    rootfs: &Rootfs,
) -> fs::Result<BTreeSet<ImagePath>> {
    let mut directories = BTreeSet::new();
    for (program, path) in programs.iter().zip(rootfs.programs()) {
        let Some(executed) = program.closure.executed.first() else { continue };
        if let (ExecutedKind::Script, Some(directory)) = (&executed.kind, path.parent()) {
            let bytes = executed.file.content.open()?.read_bytes_at(0, MAX_SCRIPT_SIZE)?;
            directories.extend(assigned_directories(&String::from_utf8_lossy(&bytes), &directory));
        }
    }
    Ok(directories)
}

/// Returns the directories of all assignments in `script`. What a script computes is taken as its own `directory`.
fn assigned_directories(script: &str, directory: &ImagePath) -> Vec<ImagePath> {
    let values = script.match_indices(VARIABLE).filter_map(|(at, _)| script.get(at + VARIABLE.len()..));
    let paths = values.flat_map(|value| {
        let value = with_plain_variables(value);
        value.split(':').map(str::to_owned).collect::<Vec<_>>()
    });
    paths.filter_map(|path| assigned_directory(&path, directory)).collect()
}

/// Returns one directory of an assignment. `None` if it is relative, or computed other than from `directory`.
fn assigned_directory(path: &str, directory: &ImagePath) -> Option<ImagePath> {
    let (start, rest) = match path.strip_prefix(COMPUTED) {
        Some(rest) => (directory.clone(), rest),
        None => (ImagePath::root(), path),
    };
    // At the end it adds further directories, as `${OLD:+:$OLD}` does.
    let rest = rest.trim_end_matches(COMPUTED);
    let is_whole = rest.starts_with('/') || (rest.is_empty() && !path.is_empty());
    let names = rest.split('/').filter(|name| !matches!(*name, "" | "."));
    let known = is_whole && !rest.contains([COMPUTED, '\0']);
    let enter = |above: ImagePath, name: &str| match name {
        ".." => above.parent().unwrap_or_else(ImagePath::root),
        name => above.join(name.as_bytes()),
    };
    known.then(|| names.fold(start, enter))
}

/// Replaces a variable or substitution. Paths in scripts have no such character.
const COMPUTED: char = '\u{1}';

/// Returns the value at the start of `text` without quotes, and with [`COMPUTED`] for each variable or substitution.
fn with_plain_variables(text: &str) -> String {
    let (mut value, mut depth, mut quote) = (String::new(), 0_usize, None);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => break,
            '$' if depth == 0 => {
                value.push(COMPUTED);
                if !characters.peek().is_some_and(|next| "({".contains(*next)) {
                    while characters.next_if(|next| next.is_ascii_alphanumeric() || *next == '_').is_some() {}
                }
            }
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '"' | '\'' if quote.is_none() => quote = Some(character),
            _ if quote == Some(character) => quote = None,
            ' ' | '\t' | ';' | '&' | '|' if quote.is_none() => break,
            _ => value.push(character),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_assignments_of_scripts() {
        let directory = "/srv/app".parse().unwrap();
        for (script, expected) in [
            ("export LD_LIBRARY_PATH=/app/vend\nexec ./p", vec!["/app/vend"]),
            ("LD_LIBRARY_PATH='/a b:/c' exec p", vec!["/a b", "/c"]),
            ("LD_LIBRARY_PATH=\"$d/vend:$LD_LIBRARY_PATH\" ./p", vec!["/srv/app/vend", "/srv/app"]),
            ("LD_LIBRARY_PATH=\"$(dirname \"$0\")/vend\"; ./p", vec!["/srv/app/vend"]),
            ("LD_LIBRARY_PATH=${here}/../lib${x:+:$x}&& ./p", vec!["/srv/lib"]),
            ("LD_LIBRARY_PATH=/app/$x/lib ./p", vec![]),
            ("echo $LD_LIBRARY_PATH", vec![]),
            ("LD_LIBRARY_PATH=lib ./p", vec![]),
        ] {
            let found = assigned_directories(script, &directory);
            let found: Vec<String> =
                found.iter().map(|path| String::from_utf8_lossy(path.as_bytes()).into_owned()).collect();
            assert_eq!(found, expected, "{script}");
        }
    }
}
