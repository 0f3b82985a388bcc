//! Compresses blocks of a tar on several threads and writes them to the file in their order.
//!
//! A fixed number of blocks is reused, so memory does not depend on the size of the layer or the
//! number of cores. An error at any stage closes that stage's channels, which ends the others.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::encoder::{Encoder, EncoderSettings};
use super::error::LayerError;
use super::hashing_file_writer::HashingFileWriter;
use super::tar_stream::{BlockFiller, StreamError};

/// A block of the tar and its compressed form. The buffers are reused.
struct PipelineBlock {
    index: u64,
    plain: Vec<u8>,
    plain_len: usize,
    compressed: Vec<u8>,
    compressed_len: usize,
}

/// Compresses the `total` bytes that `produce` writes, and writes them to `output`.
pub(super) fn compress_blocks<T>(
    cores: usize,
    settings: EncoderSettings,
    total: u64,
    output: &mut HashingFileWriter,
    produce: impl FnOnce(&mut BlockFiller<'_>) -> Result<T, StreamError>,
) -> Result<T, LayerError> {
    match usize::try_from(total) {
        Ok(size) if size <= settings.block_size => compress_one_block(settings, size, output, produce),
        _ => compress_in_parallel(cores, settings, total, output, produce),
    }
}

fn compress_one_block<T>(
    settings: EncoderSettings,
    size: usize,
    output: &mut HashingFileWriter,
    produce: impl FnOnce(&mut BlockFiller<'_>) -> Result<T, StreamError>,
) -> Result<T, LayerError> {
    let mut no_more = |_, _| None;
    let mut blocks = BlockFiller::new(vec![0; size], &mut no_more);
    let produced = produce(&mut blocks)?;
    let (plain, filled) = blocks.into_last_block();
    let mut block =
        PipelineBlock { index: 0, plain, plain_len: filled, compressed: Vec::new(), compressed_len: 0 };
    block.encode(&mut settings.encoder()?)?;
    output.write(block.compressed_bytes())?;
    Ok(produced)
}

fn compress_in_parallel<T>(
    cores: usize,
    settings: EncoderSettings,
    total: u64,
    output: &mut HashingFileWriter,
    produce: impl FnOnce(&mut BlockFiller<'_>) -> Result<T, StreamError>,
) -> Result<T, LayerError> {
    let (to_encoders, work) = channel();
    let (to_writer, packed) = channel();
    let (to_producer, empty) = channel();
    let work = &Mutex::new(work);
    let blocks = usize::try_from(total.div_ceil(settings.block_size as u64))
        .unwrap_or(usize::MAX)
        .min(settings.max_blocks);
    for _ in 1..blocks {
        let _ = to_producer.send(PipelineBlock::new_empty(settings.block_size));
    }
    thread::scope(|scope| {
        for _ in 0..cores.clamp(1, blocks) {
            let to_writer = to_writer.clone();
            scope.spawn(move || encode_blocks(settings, work, &to_writer));
        }
        drop(to_writer);
        let writer = scope.spawn(move || write_in_order(&packed, &to_producer, output));
        let produced = send_blocks(settings.block_size, to_encoders, &empty, produce);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (produced, written) {
            (Err(StreamError::Failed(error)), _) | (_, Err(error)) => Err(error),
            (produced, Ok(())) => Ok(produced?),
        }
    })
}

/// Runs `produce`, numbers its blocks and sends them to the encoders.
fn send_blocks<T>(
    block: usize,
    to_encoders: Sender<PipelineBlock>,
    empty: &Receiver<PipelineBlock>,
    produce: impl FnOnce(&mut BlockFiller<'_>) -> Result<T, StreamError>,
) -> Result<T, StreamError> {
    let first = PipelineBlock::new_empty(block);
    let (mut index, mut packed) = (0, first.compressed);
    let mut exchange = |plain, filled| {
        let full = PipelineBlock {
            index,
            plain,
            plain_len: filled,
            compressed: std::mem::take(&mut packed),
            compressed_len: 0,
        };
        index += 1;
        to_encoders.send(full).ok()?;
        let next = empty.recv().ok()?;
        packed = next.compressed;
        Some(next.plain)
    };
    let mut blocks = BlockFiller::new(first.plain, &mut exchange);
    let produced = produce(&mut blocks)?;
    let (plain, filled) = blocks.into_last_block();
    to_encoders
        .send(PipelineBlock { index, plain, plain_len: filled, compressed: packed, compressed_len: 0 })
        .map_err(|_| StreamError::ConsumerStopped)?;
    Ok(produced)
}

/// Runs one encoder thread until there are no more blocks.
fn encode_blocks(
    settings: EncoderSettings,
    work: &Mutex<Receiver<PipelineBlock>>,
    to_writer: &Sender<Result<PipelineBlock, LayerError>>,
) {
    let mut encoder = match settings.encoder() {
        Ok(encoder) => encoder,
        Err(error) => return drop(to_writer.send(Err(error))),
    };
    let next = || work.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(mut block) = next() {
        let encoded = block.encode(&mut encoder).map(|()| block);
        if to_writer.send(encoded).is_err() {
            return;
        }
    }
}

/// Writes the blocks by index, in whatever order they arrive, and returns them to the producer.
fn write_in_order(
    packed: &Receiver<Result<PipelineBlock, LayerError>>,
    to_producer: &Sender<PipelineBlock>,
    output: &mut HashingFileWriter,
) -> Result<(), LayerError> {
    let (mut early, mut due) = (BTreeMap::new(), 0);
    for block in packed {
        let block = block?;
        early.insert(block.index, block);
        while let Some(block) = early.remove(&due) {
            output.write(block.compressed_bytes())?;
            due += 1;
            // The producer may have finished already.
            let _ = to_producer.send(block);
        }
    }
    Ok(())
}

impl PipelineBlock {
    fn new_empty(size: usize) -> Self {
        Self { index: 0, plain: vec![0; size], plain_len: 0, compressed: Vec::new(), compressed_len: 0 }
    }

    fn encode(&mut self, encoder: &mut Encoder) -> Result<(), LayerError> {
        let bound = encoder.max_encoded_size(self.plain.len());
        if self.compressed.len() != bound {
            self.compressed = vec![0; bound];
        }
        self.compressed_len =
            encoder.encode(self.plain.get(..self.plain_len).unwrap_or_default(), &mut self.compressed)?;
        Ok(())
    }

    fn compressed_bytes(&self) -> &[u8] {
        self.compressed.get(..self.compressed_len).unwrap_or_default()
    }
}
