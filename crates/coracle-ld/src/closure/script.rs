//! The `#!` line of a script. Source: `load_script`, `fs/binfmt_script.c`, and `env` of coreutils.

use super::{Error, Surroundings};
use coracle_core::path::Spelled;
use coracle_core::file_system::{self, End, Tree};

/// The number of bytes of a script that the kernel reads (`BINPRM_BUF_SIZE`).
pub(super) const MAX_LINE: usize = 256;

/// Returns the files that are executed for a script that starts with `line`, in reverse order: if
/// the interpreter is `env`, the program that it starts, then the interpreter.
pub(super) fn interpreters(
    tree: &dyn Tree,
    script: &Spelled,
    line: &[u8],
    options: &Surroundings,
) -> Result<Vec<Spelled>, Error> {
    let wrong = |why: &str| Error::Script { script: script.clone(), why: why.into() };
    let line = line.strip_prefix(b"#!").unwrap_or(line);
    let end = line.iter().position(|&byte| byte == b'\n' || byte == 0);
    let whole = trimmed(line.get(..end.unwrap_or(line.len())).unwrap_or_default());
    let split = whole.iter().position(is_blank).unwrap_or(whole.len());
    let (interpreter, argument) = whole.split_at(split);
    if interpreter.is_empty() {
        return Err(wrong("it names no interpreter"));
    }
    if interpreter.ends_with(b"\r") || interpreter.ends_with(b"/env") && whole.ends_with(b"\r") {
        return Err(wrong("it ends with a carriage return, which the kernel treats as part of the name"));
    }
    if end.is_none() && argument.is_empty() && line.len() + 2 >= MAX_LINE {
        return Err(wrong("it is longer than the 256 bytes that the kernel reads"));
    }
    let interpreter = Spelled::new(interpreter);
    if interpreter.name() != b"env" {
        return Ok(vec![interpreter]);
    }
    let name = env_program(argument.trim_ascii()).ok_or_else(|| {
        wrong("the program that `env` starts can't be determined; write `#!/usr/bin/env NAME` or `#!/usr/bin/env -S NAME ARGUMENTS`")
    })?;
    let found = look_up(tree, name, options)?.ok_or_else(|| Error::ScriptInterpreter {
        script: script.clone(),
        interpreter: Spelled::new(name),
        why: format!("`env` would search for it in `{}`", options.search_path),
        by_env: true,
    })?;
    Ok(vec![found, interpreter])
}

/// Returns whether the kernel treats `byte` as white space (`spacetab`).
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Trims blanks at both ends.
fn trimmed(line: &[u8]) -> &[u8] {
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
pub(super) fn look_up(
    tree: &dyn Tree,
    name: &[u8],
    options: &Surroundings,
) -> Result<Option<Spelled>, Error> {
    if name.contains(&b'/') {
        return Ok(Some(Spelled::new(name)));
    }
    for directory in options.search_path.split(':').filter(|directory| !directory.is_empty()) {
        let path = Spelled::in_directory(directory.as_bytes(), name);
        if let End::File(_, file) = file_system::walk(tree, &options.working_dir, path.as_bytes())?.end
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
    use coracle_core::file_system::memory::MemoryTree;

    fn read(line: &str) -> Result<Vec<String>, String> {
        let tree = MemoryTree::new("/usr/bin/python3 = x");
        let options = Surroundings { search_path: "/bin:/usr/bin".into(), ..Surroundings::default() };
        let read = interpreters(&tree, &Spelled::new("/s"), line.as_bytes(), &options);
        read.map(|all| all.iter().map(Spelled::to_string).collect()).map_err(|e| e.to_string())
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
            assert_eq!(read(line).unwrap(), expected, "{line}");
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
            assert!(read(line).is_err(), "{line}");
        }
        assert!(read(&format!("#!/{}", "x".repeat(300))[..MAX_LINE]).is_err());
    }
}
