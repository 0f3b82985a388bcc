//! Notes about the times of files that a web server sends.
//!
//! A browser asks a server whether a file has changed since it was sent. Servers compare the file's time and size: nginx
//! (`ngx_http_set_etag`), Apache (`ap_make_etag`), lighttpd (`http_etag_create`), Caddy (`calculateEtag`) and Go
//! (`http.ServeContent`, which with Caddy sends nothing if the time is 0). Files of an image have the time 0, so that
//! two releases of a file with the same size are equal for them.

use crate::recipe::{FileTimes, Recipe};
use crate::rootfs::{EntryNode, EntryReason, PlannedProgram, Rootfs};
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, escape_bytes};
use coracle_ld::elf::{self, Toolchain};

/// Web servers that recognize a changed file by its time.
const SERVERS: [&str; 5] = ["nginx", "apache2", "httpd", "lighttpd", "caddy"];
/// The function of Go's `net/http` that sends files, in the function table of programs that use it.
const GO_SERVE_CONTENT: &str = "net/http.serveContent";
/// Suffixes of web pages and of the files that they load.
const WEB_SUFFIXES: [&[u8]; 7] = [b".html", b".htm", b".css", b".js", b".mjs", b".wasm", b".svg"];

/// Returns a note if the times of included files have no effect, or if a web server needs them.
///
/// # Errors
/// Fails if a program cannot be read.
pub(super) fn file_times_note(
    recipe: &Recipe,
    epoch: u64,
    programs: &[PlannedProgram],
    rootfs: &Rootfs,
) -> fs::Result<Option<Note>> {
    let contents = &recipe.contents;
    let times = |own: FileTimes| contents.include_times.unwrap_or(own);
    if epoch == 0 && contents.includes.iter().any(|include| times(include.times) == FileTimes::Epoch) {
        return Ok(Some(Note::Warning(
            "the times of included files are to be the epoch, which is 0\n\
             set SOURCE_DATE_EPOCH or `--epoch`, such as to the time of the last commit: `git log -1 --format=%ct`"
                .into(),
        )));
    }
    let Some(page) = untimed_web_file(rootfs) else { return Ok(None) };
    Ok(web_server(programs)?.map(|server| {
        Note::Hint(format!(
            "browsers may keep an old `{page}`: {server} tells versions of a file apart by time and size, and the time of \
             files is 0\n\
             `--include-times epoch`, or `times = \"epoch\"` below `[[include]]`, makes it the time of SOURCE_DATE_EPOCH"
        ))
    }))
}

/// Returns the first included file of a web site that has no time.
fn untimed_web_file(rootfs: &Rootfs) -> Option<&ImagePath> {
    let is_untimed = |(path, entry): &(&ImagePath, &crate::rootfs::Entry)| {
        entry.modified == 0
            && matches!(entry.node, EntryNode::File(_))
            && matches!(entry.reason, EntryReason::Included(_))
            && WEB_SUFFIXES.iter().any(|suffix| path.file_name().is_some_and(|name| name.ends_with(suffix)))
    };
    rootfs.iter().find(is_untimed).map(|(path, _)| path)
}

/// Returns the name of the first program that is a web server.
fn web_server(programs: &[PlannedProgram]) -> fs::Result<Option<String>> {
    for program in programs {
        let Some(executed) = program.closure.executed.last() else { continue };
        let name = executed.raw_path.file_name();
        if SERVERS.iter().any(|server| server.as_bytes() == name) {
            return Ok(Some(escape_bytes(name)));
        }
        for elf in program.closure.elf_programs() {
            let Some(object) = elf.link_map.objects.first() else { continue };
            let file = object.file.content.open()?;
            let is_go = elf::detect_toolchain(&file, &object.object.header)? == Some(Toolchain::Go);
            if is_go && !elf::strings_containing(&file, &[GO_SERVE_CONTENT])?.is_empty() {
                return Ok(Some("Go's `http.FileServer`".into()));
            }
        }
    }
    Ok(None)
}
