//! Reads all layers of an image once, as streams: their members, what each adds to the blob, and
//! the merged file system. Contents are kept only where they are asked for.
//!
//! A layer that cannot be read does not end the reading of the image: it is encrypted, not stored
//! with the image, or damaged.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::compressed_shares::{CompressedOffsets, CountingReader, OffsetRecorder};
use super::image_fs::{ImageFs, StoredTar};
use super::image_source::ImageSource;
use super::layer_changes::{self, LayerChanges};
use super::parsed_image::ParsedImage;
use super::parsed_platform::{ParsedLayer, ParsedPlatform};
use super::read_failure::{ReadFailure, invalid_data};
use super::tar_header_reader::{TarHeader, TarHeaderReader, TarMemberKind, UnseekableReader};
use crate::layer::Codec;
use crate::layout::error::LayoutError;
use crate::layout::staging::Staging;
use coracle_core::digest::{Digest, DigestHasher, HashingReader};
use coracle_core::escape::escape_text;
use coracle_core::fs::{self, Context as _};
use coracle_core::path::ImagePath;
use coracle_core::progress::{Progress, ProgressReader};

/// What is read of an image's layers.
pub struct UnpackOptions<'a> {
    /// The directory for the contents that are kept.
    pub temp_dir: &'a Path,
    /// Returns whether the content of a file is kept, so that the image's file system has it.
    pub keeps_content: &'a dyn Fn(&TarHeader) -> bool,
    /// `true` if a digest of each file's content is computed.
    pub hashes_files: bool,
    /// Returns a layer with this digest that was read before, which is not read again. An empty one
    /// leaves the layer out. The image that it was read for must not be dropped.
    pub known_layer: &'a dyn Fn(&Digest) -> Option<UnpackedLayer>,
    /// Receives the number of compressed bytes that were read.
    pub progress: &'a dyn Progress,
}

/// An image whose layers have been read.
#[derive(Debug)]
pub struct UnpackedImage {
    /// The merged layers. Files whose content was not kept are missing.
    pub file_system: ImageFs,
    /// The layers, the lowest first.
    pub layers: Vec<UnpackedLayer>,
    _staging: Staging,
}

/// A layer that has been read.
#[derive(Clone, Debug, Default)]
pub struct UnpackedLayer {
    /// The members in the order of the tar. Empty if the layer cannot be read, or was skipped.
    pub members: Vec<LayerMember>,
    /// The size of the blob in bytes; 0 if it is unknown.
    pub size: u64,
    /// The size of the tar in bytes.
    pub unpacked_size: u64,
    /// The kept contents.
    tar: Option<StoredTar>,
    /// Why the layer cannot be read.
    pub problem: Option<LayerProblem>,
}

/// A member of a layer's tar.
#[derive(Clone, Debug)]
pub struct LayerMember {
    /// The path. That of a whiteout ends with the name of its mark.
    pub path: ImagePath,
    /// The header.
    pub header: TarHeader,
    /// The estimated number of bytes that header and content take in the blob.
    pub compressed: u64,
    /// The digest of the content of a file, if it was asked for.
    pub digest: Option<Digest>,
}

/// Why a layer cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LayerProblem {
    /// The cause.
    pub why: String,
    /// `true` if the layer is damaged, not only in a form that cannot be read here.
    pub is_damaged: bool,
}

impl ParsedImage {
    /// Reads all layers of `image`.
    ///
    /// # Errors
    /// Fails if a request to a registry fails, a temporary file cannot be written, or the operation
    /// is cancelled. A layer that cannot be read is reported in its [`UnpackedLayer::problem`].
    pub fn unpack(
        &self,
        image: &ParsedPlatform,
        options: &UnpackOptions<'_>,
    ) -> Result<UnpackedImage, LayoutError> {
        let staging = Staging::new_in(options.temp_dir)?;
        let mut unpacked =
            UnpackedImage { file_system: ImageFs::default(), layers: Vec::new(), _staging: staging };
        for layer in &image.layers {
            let read = unpacked.add_layer(&self.source, layer, options);
            read.map_err(|why| why.into_layout_error(&self.source.location))?;
        }
        Ok(unpacked)
    }
}

impl UnpackedImage {
    fn add_layer(
        &mut self,
        source: &ImageSource,
        layer: &ParsedLayer,
        options: &UnpackOptions<'_>,
    ) -> Result<(), Stop> {
        let size = layer.descriptor.as_ref().map_or(0, |descriptor| descriptor.size);
        let skipped = UnpackedLayer { size, ..UnpackedLayer::default() };
        let known =
            layer.descriptor.as_ref().and_then(|descriptor| (options.known_layer)(&descriptor.digest));
        if let Some(known) = known {
            self.add_known_layer(known);
            return Ok(());
        }
        let problem = match unreadable_kind(layer) {
            Some(why) => Some(LayerProblem { why, is_damaged: false }),
            None => match self.read_layer(source, layer, options) {
                Ok(read) => {
                    self.layers.push(read);
                    return Ok(());
                }
                Err(Failure::Layer(why)) => Some(LayerProblem { why, is_damaged: true }),
                Err(Failure::Stop(stop)) => return Err(stop),
            },
        };
        // A layer that was read but cannot be applied is counted already.
        if self.file_system.files().next_layer() == self.layers.len() {
            self.file_system.skip_layer();
        }
        self.layers.push(UnpackedLayer { problem, ..skipped });
        Ok(())
    }

    /// Applies a layer that was read before.
    fn add_known_layer(&mut self, mut known: UnpackedLayer) {
        let mut changes = LayerChanges::empty(self.file_system.files().next_layer());
        changes.unpacked_size = known.unpacked_size;
        let added = known.members.iter().try_for_each(|member| changes.add_member(&member.header));
        let added = added.map_err(|error| error.to_string());
        if let Err(why) = added.and_then(|()| self.file_system.apply_changes(changes, known.tar.clone())) {
            known.problem.get_or_insert(LayerProblem { why, is_damaged: true });
        }
        self.layers.push(known);
    }

    fn read_layer(
        &mut self,
        source: &ImageSource,
        layer: &ParsedLayer,
        options: &UnpackOptions<'_>,
    ) -> Result<UnpackedLayer, Failure> {
        let blob = source.open_layer(layer)?;
        let expected = layer.descriptor.as_ref();
        if let Some(expected) = expected.filter(|expected| expected.size != blob.size) {
            return Err(Failure::Layer(format!(
                "it has {} bytes, but its descriptor says {}",
                blob.size, expected.size
            )));
        }
        let codec = source.layer_codec(layer)?;
        let limit = self.file_system.unpacked_size_left();
        let mut reading = LayerReading {
            changes: LayerChanges::empty(self.file_system.files().next_layer()),
            members: Vec::new(),
            tar: None,
            kept: Vec::new(),
            options,
            path: self._staging.temporary_path(),
        };
        let mut hashed = HashingReader::new(ProgressReader::new(blob.reader, options.progress));
        let read = reading.read_tar(&mut hashed, codec, limit, blob.size);
        let (offsets, unpacked_size) = read.map_err(|error| classify(error, options.progress))?;
        // Bytes after the end of the compressed tar are part of the blob.
        io::copy(&mut hashed, &mut io::sink()).map_err(|error| classify(error, options.progress))?;
        let found = hashed.finish();
        if let Some(expected) = expected.filter(|expected| expected.digest != found) {
            return Err(Failure::Layer(format!(
                "the content of `{}` has the digest `{found}`",
                expected.digest
            )));
        }
        let tar = reading.finish_tar(unpacked_size)?;
        let mut changes = reading.changes;
        changes.unpacked_size = unpacked_size;
        self.file_system.apply_changes(changes, tar.clone()).map_err(Failure::Layer)?;
        let mut members = reading.members;
        for member in &mut members {
            let header = &member.header;
            let end = offsets.compressed_offset((header.position + header.size).next_multiple_of(512));
            member.compressed = end - offsets.compressed_offset(header.header_position);
        }
        Ok(UnpackedLayer { members, size: blob.size, unpacked_size, tar, problem: None })
    }
}

/// What has been read of one layer.
struct LayerReading<'a> {
    changes: LayerChanges,
    members: Vec<LayerMember>,
    tar: Option<File>,
    /// The offsets of the contents that are kept.
    kept: Vec<u64>,
    options: &'a UnpackOptions<'a>,
    path: PathBuf,
}

impl LayerReading<'_> {
    /// Reads the tar of at most `limit` bytes in a blob of `size` bytes. Returns which part of the
    /// blob each part of the tar takes, and the size of the tar.
    fn read_tar(
        &mut self,
        blob: impl Read,
        codec: Codec,
        limit: u64,
        size: u64,
    ) -> io::Result<(CompressedOffsets, u64)> {
        let counted = CountingReader::new(BufReader::with_capacity(BUFFER_SIZE, blob));
        let count = counted.count();
        let blocks = BufReader::with_capacity(BLOCK_SIZE, counted);
        let recorder = OffsetRecorder::new(codec.decompress_buffered(blocks)?, count);
        let mut headers = TarHeaderReader::new(UnseekableReader(recorder.take(limit)));
        while let Some(header) = headers.next_header()? {
            self.add_member(header, &mut headers)?;
        }
        let mut rest = headers.into_inner();
        io::copy(&mut rest, &mut io::sink())?;
        if rest.0.limit() == 0 {
            return Err(invalid_data("the image unpacks to more than 16 GiB"));
        }
        let recorder = rest.0.into_inner();
        let unpacked_size = recorder.unpacked();
        Ok((recorder.finish(size), unpacked_size))
    }

    fn add_member<R: Read>(
        &mut self,
        header: TarHeader,
        headers: &mut TarHeaderReader<UnseekableReader<R>>,
    ) -> io::Result<()> {
        self.changes.add_member(&header)?;
        let is_file = header.kind == TarMemberKind::File;
        let keeps = is_file && (self.options.keeps_content)(&header);
        let mut digest = None;
        if keeps || (is_file && self.options.hashes_files) {
            digest = self.read_content(&header, headers, keeps)?;
        }
        let path = layer_changes::member_path(&header)?;
        self.members.push(LayerMember { path, header, compressed: 0, digest });
        Ok(())
    }

    fn read_content<R: Read>(
        &mut self,
        header: &TarHeader,
        headers: &mut TarHeaderReader<UnseekableReader<R>>,
        keeps: bool,
    ) -> io::Result<Option<Digest>> {
        let mut hasher = self.options.hashes_files.then(DigestHasher::default);
        let mut content = headers.content(header);
        let mut buffer = vec![0; BUFFER_SIZE];
        let mut position = header.position;
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            if let Some(hasher) = &mut hasher {
                hasher.update(bytes);
            }
            // Zeros stay a hole of the file, so that a bomb takes no space.
            if keeps && bytes.iter().any(|byte| *byte != 0) {
                self.write_at(position, bytes)?;
            }
            position += read as u64;
        }
        if keeps {
            self.kept.push(header.position);
            self.write_at(header.position, &[])?;
        }
        Ok(hasher.map(DigestHasher::finish))
    }

    fn write_at(&mut self, position: u64, bytes: &[u8]) -> io::Result<()> {
        let failed = |error| io::Error::other(fs::Error::new("write", &self.path, error));
        let file = match &mut self.tar {
            Some(file) => file,
            empty => empty.insert(File::create_new(&self.path).map_err(failed)?),
        };
        file.seek(SeekFrom::Start(position)).and_then(|_| file.write_all(bytes)).map_err(failed)
    }

    /// Returns the path and the metadata of the file with the kept contents, if there are any.
    fn finish_tar(&mut self, size: u64) -> Result<Option<StoredTar>, Failure> {
        let Some(file) = self.tar.take() else { return Ok(None) };
        let finished = file.set_len(size).context("write", &self.path);
        drop(file);
        let stat = finished.and_then(|()| fs::stat(&self.path));
        let stat = stat.map_err(|error| Failure::Stop(Stop::Layout(error.into())))?;
        let stored = Some(std::mem::take(&mut self.kept));
        Ok(Some(StoredTar { path: self.path.clone(), stat, stored }))
    }
}

/// The size of the blocks that a decoder reads, in bytes: the smaller, the more exact is the size of
/// each member.
const BLOCK_SIZE: usize = 256;

/// Buffer size for reading contents, in bytes.
const BUFFER_SIZE: usize = 64 << 10;

/// Why the reading of an image ends.
enum Stop {
    Read(ReadFailure),
    Layout(LayoutError),
}

impl Stop {
    fn into_layout_error(self, location: &str) -> LayoutError {
        match self {
            Self::Read(why) => why.into_layout_error(location),
            Self::Layout(error) => error,
        }
    }
}

/// Why one layer is not read.
enum Failure {
    /// The layer is damaged or missing.
    Layer(String),
    /// No further layer is read.
    Stop(Stop),
}

impl From<ReadFailure> for Failure {
    fn from(why: ReadFailure) -> Self {
        match why {
            ReadFailure::Message(why) => Self::Layer(why),
            why => Self::Stop(Stop::Read(why)),
        }
    }
}

fn classify(error: io::Error, progress: &dyn Progress) -> Failure {
    if progress.is_cancelled() {
        return Failure::Stop(Stop::Layout(LayoutError::Cancelled));
    }
    ReadFailure::from(error).into()
}

/// Returns why layers of this media type cannot be read; `None` if they can.
fn unreadable_kind(layer: &ParsedLayer) -> Option<String> {
    let kind = &*layer.descriptor.as_ref()?.media_type;
    let name = escape_text(kind);
    if kind.contains("+encrypted") {
        return Some(format!("it is encrypted (`{name}`)"));
    }
    if kind.contains(".foreign.") || kind.contains(".nondistributable.") {
        return Some(format!("it is not distributed with the image (`{name}`)"));
    }
    let is_layer = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];
    let is_known = ["tar", "gzip", "zstd"].iter().any(|end| kind.ends_with(end));
    (!is_known || !is_layer.iter().any(|start| kind.starts_with(start)))
        .then(|| format!("`{name}` is not a file system layer"))
}
