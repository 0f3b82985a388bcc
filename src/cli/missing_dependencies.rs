//! Formats what images may lack: the most likely things after a build, all with the arguments that add
//! them in a dry run.

use coracle_core::note::DependencyNote;
use indicatif::DecimalBytes;

/// The number of missing dependencies in the summary.
const MAX_IN_SUMMARY: usize = 4;

/// Formats the dependencies that are most likely missing, and the number of the others.
pub(super) fn to_summary(notes: &[&DependencyNote]) -> String {
    let mut lines = vec!["the program may need what the image lacks; `--complete` adds it:".to_owned()];
    lines.extend(notes.iter().take(MAX_IN_SUMMARY).map(|note| dependency_line(note)));
    lines.push(match notes.len().saturating_sub(MAX_IN_SUMMARY) {
        0 => "`--dry-run` shows the arguments that add each one".to_owned(),
        more => format!("and {more} more; `--dry-run` lists all, with the arguments that add each one"),
    });
    lines.join("\n")
}

/// Formats all missing dependencies, each followed by the arguments that add it.
pub(super) fn to_list(notes: &[&DependencyNote]) -> String {
    let mut lines = vec!["the program may need what the image lacks; `--complete` adds it:".to_owned()];
    for note in notes {
        lines.push(dependency_line(note));
        let advice = note.advice.clone().unwrap_or_else(|| shell_words(&note.args));
        lines.push(format!("      {advice}"));
    }
    lines.join("\n")
}

fn dependency_line(note: &DependencyNote) -> String {
    let size = note.size.map(|size| format!(" ({})", DecimalBytes(size))).unwrap_or_default();
    format!("  {}{size}: {}", note.subject, note.reason)
}

/// Joins arguments, quoted for a shell where needed.
pub(super) fn shell_words(args: &[String]) -> String {
    let is_plain = |arg: &String| {
        !arg.is_empty()
            && arg.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-:=,@".contains(&byte))
    };
    let quoted = args.iter().map(|arg| match is_plain(arg) {
        true => arg.clone(),
        false => format!("'{}'", arg.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(subject: &str) -> DependencyNote {
        DependencyNote {
            kind: "file".into(),
            subject: subject.into(),
            reason: "named in /app/p".into(),
            size: Some(1500),
            args: vec!["--include".into(), format!("{subject}:{subject}")],
            advice: None,
        }
    }

    #[test]
    fn formats_few_and_all() {
        let notes: Vec<DependencyNote> = ["/a", "/b b", "/c", "/d", "/e"].map(note).to_vec();
        let notes: Vec<&DependencyNote> = notes.iter().collect();
        let heading = "the program may need what the image lacks; `--complete` adds it:";
        assert_eq!(
            to_summary(&notes),
            format!(
                "{heading}
  /a (1.50 kB): named in /app/p
  /b b (1.50 kB): named in /app/p
  /c (1.50 kB): named in /app/p
  /d (1.50 kB): named in /app/p
and 1 more; `--dry-run` lists all, with the arguments that add each one"
            )
        );
        assert_eq!(
            to_list(&notes[..2]),
            format!(
                "{heading}
  /a (1.50 kB): named in /app/p
      --include /a:/a
  /b b (1.50 kB): named in /app/p
      --include '/b b:/b b'"
            )
        );
    }
}
