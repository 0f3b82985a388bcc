//! Metadata of host files, and detection of changed files by their metadata.

/// Identifies a file regardless of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileId {
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// A time on the clock of a file system, since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Timestamp {
    /// Whole seconds; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds after the whole second.
    pub nanoseconds: i64,
}

impl Timestamp {
    fn total_nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds)
    }
}

/// File metadata. If it is equal before and after an operation, the file did not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Device and inode.
    pub file_id: FileId,
    /// Size in bytes.
    pub size: u64,
    /// Permission and set-ID bits (`0o7777` mask).
    pub mode: u32,
    /// Number of hard links.
    pub hard_links: u64,
    /// Time of the last change of the contents.
    pub mtime: Timestamp,
    /// Time of the last change of contents or metadata.
    pub ctime: Timestamp,
}

impl Stat {
    /// The metadata of a file that is not on the host, such as a planned file: one hard link, and
    /// all times zero.
    pub fn synthetic(file_id: FileId, size: u64, mode: u32) -> Self {
        let epoch = Timestamp::default();
        Self { file_id, size, mode, hard_links: 1, mtime: epoch, ctime: epoch }
    }

    /// Returns whether a change of the file after `moment` is sure to change `mtime` or `ctime`.
    ///
    /// Both must be older than `moment` by more than the resolution of the file system's timestamps. That is
    /// assumed to be 20 ms, and two seconds if the timestamp has no fraction of a second.
    pub fn detects_changes_after(&self, moment: Timestamp) -> bool {
        [self.mtime, self.ctime].into_iter().all(|time| {
            let granularity = if time.nanoseconds == 0 { 2_000_000_000 } else { 20_000_000 };
            time.total_nanoseconds() + granularity < moment.total_nanoseconds()
        })
    }

    /// Returns whether an execute bit is set, for the owner, the group or others.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// The kind of file at a path, with links not followed.
#[derive(Debug)]
pub enum PathMetadata {
    /// A regular file.
    File(Stat),
    /// A directory.
    Directory,
    /// A symbolic link, by its target.
    Link(Vec<u8>),
    /// A device, socket or pipe, by a readable name.
    Special(&'static str),
}
