//! The `#!` line of a script. Source: `load_script`, `fs/binfmt_script.c`, and `env` of coreutils.

use super::error::Error;
use super::resolve_options::ResolveOptions;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::path::RawPath;

/// The number of bytes of a script that the kernel reads (`BINPRM_BUF_SIZE`).
pub(super) const SCRIPT_HEADER_SIZE: usize = 256;

/// Returns the files that are executed for a script that starts with `line`, in reverse order: if
/// the interpreter is `env`, the program that it starts, then the interpreter.
pub(super) fn script_interpreters(
    tree: &dyn FileSystem,
    script: &RawPath,
    line: &[u8],
    options: &ResolveOptions,
) -> Result<Vec<RawPath>, Error> {
    let invalid = |why: &str| Error::InvalidShebang { script: script.clone(), why: why.into() };
    let line = line.strip_prefix(b"#!").unwrap_or(line);
    let end = line.iter().position(|&byte| byte == b'\n' || byte == 0);
    let whole = trim_blanks(line.get(..end.unwrap_or(line.len())).unwrap_or_default());
    let split = whole.iter().position(is_blank).unwrap_or(whole.len());
    let (interpreter, argument) = whole.split_at(split);
    if interpreter.is_empty() {
        return Err(invalid("it names no interpreter"));
    }
    if interpreter.ends_with(b"\r") || interpreter.ends_with(b"/env") && whole.ends_with(b"\r") {
        return Err(invalid("it ends with a carriage return, which the kernel treats as part of the name"));
    }
    if end.is_none() && argument.is_empty() && line.len() + 2 >= SCRIPT_HEADER_SIZE {
        return Err(invalid("it is longer than the 256 bytes that the kernel reads"));
    }
    let interpreter = RawPath::new(interpreter);
    if interpreter.file_name() != b"env" {
        return Ok(vec![interpreter]);
    }
    let name = env_program(argument.trim_ascii()).ok_or_else(|| {
        invalid("the program that `env` starts can't be determined; write `#!/usr/bin/env NAME` or `#!/usr/bin/env -S NAME ARGUMENTS`")
    })?;
    let found =
        find_in_path_variable(tree, name, options)?.ok_or_else(|| Error::MissingScriptInterpreter {
            script: script.clone(),
            interpreter: RawPath::new(name),
            why: format!("`env` would search for it in `{}`", options.path_variable),
            is_env_lookup: true,
        })?;
    Ok(vec![found, interpreter])
}

/// Returns whether the kernel treats `byte` as white space (`spacetab`).
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Trims blanks at both ends.
fn trim_blanks(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or_default()
}

/// Returns the program that `env` starts, given the one argument that the kernel passes.
fn env_program(argument: &[u8]) -> Option<&[u8]> {
    let split = ["-S", "--split-string=", "--split-string "]
        .iter()
        .find_map(|flag| argument.strip_prefix(flag.as_bytes()));
    let words = match split {
        Some(rest) => rest,
        // Without `-S` the rest of the line is one name.
        None => {
            return (!argument.is_empty() && !argument.starts_with(b"-") && !argument.contains(&b'='))
                .then_some(argument);
        }
    };
    let mut words = words.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.find(|word| !word.contains(&b'=') && *word != b"-i").filter(|word| !word.starts_with(b"-"))
}

/// Returns the first executable file called `name` in the directories of `PATH`.
pub(super) fn find_in_path_variable(
    tree: &dyn FileSystem,
    name: &[u8],
    options: &ResolveOptions,
) -> Result<Option<RawPath>, Error> {
    if name.contains(&b'/') {
        return Ok(Some(RawPath::new(name)));
    }
    for directory in options.path_variable.split(':').filter(|directory| !directory.is_empty()) {
        let path = RawPath::join_bytes(directory.as_bytes(), name);
        if let ResolutionEnd::File(_, file) =
            file_system::resolve_path(tree, &options.working_dir, path.as_bytes())?.end
            && file.stat.is_executable()
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::MemoryFs;

    fn read_line(line: &str) -> Result<Vec<String>, String> {
        let tree = MemoryFs::from_text("/usr/bin/python3 = x");
        let options = ResolveOptions { path_variable: "/bin:/usr/bin".into(), ..ResolveOptions::default() };
        let read = script_interpreters(&tree, &RawPath::new("/s"), line.as_bytes(), &options);
        read.map(|paths| paths.iter().map(RawPath::to_string).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn parses_first_lines() {
        for (line, expected) in [
            ("#!/bin/sh\necho", vec!["/bin/sh"]),
            ("#! /bin/sh -e -u \n", vec!["/bin/sh"]),
            ("#!/usr/bin/env python3\n", vec!["/usr/bin/python3", "/usr/bin/env"]),
            ("#!/usr/bin/env -S A=1 python3 -u\n", vec!["/usr/bin/python3", "/usr/bin/env"]),
            ("#!/usr/bin/env /opt/x", vec!["/opt/x", "/usr/bin/env"]),
        ] {
            assert_eq!(read_line(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn rejects_invalid_first_lines() {
        for line in [
            "#!\n",
            "#!   \n",
            "#!/bin/sh\r\n",
            "#!/usr/bin/env python3\r\n",
            "#!/usr/bin/env\n",
            "#!/usr/bin/env -u X python3",
            "#!/usr/bin/env python9",
        ] {
            assert!(read_line(line).is_err(), "{line}");
        }
        assert!(read_line(&format!("#!/{}", "x".repeat(300))[..SCRIPT_HEADER_SIZE]).is_err());
    }
}
