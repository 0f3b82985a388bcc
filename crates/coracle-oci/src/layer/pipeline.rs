//! Compresses blocks of a tar on several threads and writes them to the file in their order.
//!
//! A fixed number of blocks is reused, so memory does not depend on the size of the layer or the
//! number of cores. An error at any stage closes that stage's channels, which ends the others.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Error;
use super::encoder::{Encoder, Plan};
use super::output::Output;
use super::stream::{Blocks, Halt};

/// A block of the tar and its compressed form. The buffers are reused.
struct Block {
    index: u64,
    plain: Vec<u8>,
    filled: usize,
    packed: Vec<u8>,
    used: usize,
}

/// Compresses the `total` bytes that `produce` writes, and writes them to `output`.
pub(super) fn run<T>(
    cores: usize,
    plan: Plan,
    total: u64,
    output: &mut Output,
    produce: impl FnOnce(&mut Blocks<'_>) -> Result<T, Halt>,
) -> Result<T, Error> {
    match usize::try_from(total) {
        Ok(size) if size <= plan.block => one_block(plan, size, output, produce),
        _ => many_blocks(cores, plan, total, output, produce),
    }
}

fn one_block<T>(
    plan: Plan,
    size: usize,
    output: &mut Output,
    produce: impl FnOnce(&mut Blocks<'_>) -> Result<T, Halt>,
) -> Result<T, Error> {
    let mut no_more = |_, _| None;
    let mut blocks = Blocks::new(vec![0; size], &mut no_more);
    let produced = produce(&mut blocks)?;
    let (plain, filled) = blocks.last();
    let mut block = Block { index: 0, plain, filled, packed: Vec::new(), used: 0 };
    block.encode(&mut plan.encoder()?)?;
    output.write(block.packed())?;
    Ok(produced)
}

fn many_blocks<T>(
    cores: usize,
    plan: Plan,
    total: u64,
    output: &mut Output,
    produce: impl FnOnce(&mut Blocks<'_>) -> Result<T, Halt>,
) -> Result<T, Error> {
    let (to_encoders, work) = channel();
    let (to_writer, packed) = channel();
    let (to_producer, empty) = channel();
    let work = &Mutex::new(work);
    let blocks = usize::try_from(total.div_ceil(plan.block as u64)).unwrap_or(usize::MAX).min(plan.in_flight);
    for _ in 1..blocks {
        let _ = to_producer.send(Block::empty(plan.block));
    }
    thread::scope(|scope| {
        for _ in 0..cores.clamp(1, blocks) {
            let to_writer = to_writer.clone();
            scope.spawn(move || encode_all(plan, work, &to_writer));
        }
        drop(to_writer);
        let writer = scope.spawn(move || write_all(&packed, &to_producer, output));
        let produced = produce_all(plan.block, to_encoders, &empty, produce);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (produced, written) {
            (Err(Halt::Failed(error)), _) | (_, Err(error)) => Err(error),
            (produced, Ok(())) => Ok(produced?),
        }
    })
}

/// Runs `produce`, numbers its blocks and sends them to the encoders.
fn produce_all<T>(
    block: usize,
    to_encoders: Sender<Block>,
    empty: &Receiver<Block>,
    produce: impl FnOnce(&mut Blocks<'_>) -> Result<T, Halt>,
) -> Result<T, Halt> {
    let first = Block::empty(block);
    let (mut index, mut packed) = (0, first.packed);
    let mut exchange = |plain, filled| {
        let full = Block { index, plain, filled, packed: std::mem::take(&mut packed), used: 0 };
        index += 1;
        to_encoders.send(full).ok()?;
        let next = empty.recv().ok()?;
        packed = next.packed;
        Some(next.plain)
    };
    let mut blocks = Blocks::new(first.plain, &mut exchange);
    let produced = produce(&mut blocks)?;
    let (plain, filled) = blocks.last();
    to_encoders.send(Block { index, plain, filled, packed, used: 0 }).map_err(|_| Halt::Deserted)?;
    Ok(produced)
}

/// Runs one encoder thread until there are no more blocks.
fn encode_all(plan: Plan, work: &Mutex<Receiver<Block>>, to_writer: &Sender<Result<Block, Error>>) {
    let mut encoder = match plan.encoder() {
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
fn write_all(
    packed: &Receiver<Result<Block, Error>>,
    to_producer: &Sender<Block>,
    output: &mut Output,
) -> Result<(), Error> {
    let (mut early, mut due) = (BTreeMap::new(), 0);
    for block in packed {
        let block = block?;
        early.insert(block.index, block);
        while let Some(block) = early.remove(&due) {
            output.write(block.packed())?;
            due += 1;
            // The producer may have finished already.
            let _ = to_producer.send(block);
        }
    }
    Ok(())
}

impl Block {
    fn empty(size: usize) -> Self {
        Self { index: 0, plain: vec![0; size], filled: 0, packed: Vec::new(), used: 0 }
    }

    fn encode(&mut self, encoder: &mut Encoder) -> Result<(), Error> {
        let bound = encoder.bound(self.plain.len());
        if self.packed.len() != bound {
            self.packed = vec![0; bound];
        }
        self.used = encoder.encode(self.plain.get(..self.filled).unwrap_or_default(), &mut self.packed)?;
        Ok(())
    }

    fn packed(&self) -> &[u8] {
        self.packed.get(..self.used).unwrap_or_default()
    }
}
