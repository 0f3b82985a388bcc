//! Bounded reads of the files of package databases.

use coracle_core::content::Content;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::path::ImagePath;

use crate::error::InventoryError;

/// The maximum size of one text file of a database, in bytes.
const MAX_TEXT_SIZE: u64 = 64 << 20;
/// The maximum number of packages that are read from one database.
pub(crate) const MAX_PACKAGES: usize = 100_000;

/// A file of a database.
pub(crate) struct DatabaseFile {
    /// The path, with links resolved.
    pub(crate) path: ImagePath,
    pub(crate) content: Content,
}

/// Returns the file at `path`, following links inside the root. `None` if there is none.
///
/// # Errors
/// Fails if there is something else than a file, or links are circular.
pub(crate) fn find_file(
    file_system: &dyn FileSystem,
    path: &[u8],
) -> Result<Option<DatabaseFile>, InventoryError> {
    let actual = match file_system::resolve_path(file_system, &ImagePath::root(), path)?.end {
        ResolutionEnd::File(path, file) => return Ok(Some(DatabaseFile { path, content: file.content })),
        ResolutionEnd::Missing(_) | ResolutionEnd::NotDirectory(_) => return Ok(None),
        ResolutionEnd::Directory(_) => "a directory",
        ResolutionEnd::Special(_, kind) => kind,
        ResolutionEnd::TooManyLinks => "a circular link",
    };
    let path = ImagePath::parse(path).unwrap_or_else(|_| ImagePath::root());
    Err(InventoryError::NotFile { path, actual })
}

/// Returns the text of the file at `path`. `None` if there is none.
///
/// # Errors
/// Fails like [`find_file`], and if the file is too large.
pub(crate) fn read_text(
    file_system: &dyn FileSystem,
    path: &[u8],
) -> Result<Option<Vec<u8>>, InventoryError> {
    match find_file(file_system, path)? {
        None => Ok(None),
        Some(file) => file.read(MAX_TEXT_SIZE).map(Some),
    }
}

impl DatabaseFile {
    /// Returns all bytes of the file, which must be at most `limit`.
    pub(crate) fn read(&self, limit: u64) -> Result<Vec<u8>, InventoryError> {
        let size = self.content.size();
        if size > limit {
            return Err(InventoryError::TooLarge { path: self.path.clone(), size, limit });
        }
        Ok(self.content.read_whole(self.path.as_bytes(), limit)?)
    }
}

/// The names in a directory, with the directory's resolved path.
pub(crate) struct DirectoryListing {
    pub(crate) path: ImagePath,
    pub(crate) names: Vec<Vec<u8>>,
}

/// Returns the names in the directory at `path`, with the directory's resolved path. `None` if there
/// is no directory.
pub(crate) fn list_directory(
    file_system: &dyn FileSystem,
    path: &[u8],
) -> Result<Option<DirectoryListing>, InventoryError> {
    match file_system::resolve_path(file_system, &ImagePath::root(), path)?.end {
        ResolutionEnd::Directory(path) => {
            let names = file_system.list(&path)?;
            Ok(Some(DirectoryListing { path, names }))
        }
        _ => Ok(None),
    }
}

/// Splits `text` into lines without line feeds.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text).filter(|text| !text.is_empty());
    std::iter::from_fn(move || {
        let text = rest?;
        let (line, after) = match memchr::memchr(b'\n', text).and_then(|end| text.split_at_checked(end)) {
            Some((line, after)) => (line, after.get(1..).filter(|after| !after.is_empty())),
            None => (text, None),
        };
        rest = after;
        Some(line)
    })
}

/// Converts a value of a database to text. Invalid UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}
