//! The writer of the access log: one thread takes blocks of lines from all workers and writes them. A blocked
//! file, pipe or terminal holds up this thread only.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use menshen_config::document::LogTo;
use menshen_proxy::access_log::{Block, LogEnds};

/// Blocks waiting for the writer: with 32 KiB each, 8 MiB.
const QUEUE: usize = 256;

/// Where lines go, and the counters of the writer.
#[derive(Debug, Default)]
pub struct LogControl {
    to: Mutex<(u64, LogTo)>,
    generation: AtomicU64,
    /// Lines that could not be written.
    pub failed: AtomicU64,
}

impl LogControl {
    /// Sends further lines elsewhere.
    pub fn set(&self, to: LogTo) {
        let mut current = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if current.1 != to {
            current.1 = to;
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file anew, for log rotation.
    pub fn reopen(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self) -> LogTo {
        self.to.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// A running writer.
#[derive(Debug)]
pub struct LogWriter {
    /// Where lines go.
    pub control: Arc<LogControl>,
    thread: JoinHandle<()>,
}

impl LogWriter {
    /// Starts the writer; the second part of the result are the ends for the workers.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(workers: usize, to: LogTo) -> io::Result<(Self, Vec<LogEnds>)> {
        let control = Arc::new(LogControl::default());
        control.set(to);
        let (full, blocks) = sync_channel::<Block>(QUEUE);
        let mut ends = Vec::new();
        let mut returns = Vec::new();
        for worker in 0..workers {
            let (give, empty) = sync_channel(4);
            returns.push(give);
            ends.push(LogEnds { worker, full: full.clone(), empty });
        }
        let shared = control.clone();
        let thread = std::thread::Builder::new()
            .name("menshen-log".to_owned())
            .spawn(move || write_all(&blocks, &returns, &shared))?;
        Ok((Self { control, thread }, ends))
    }

    /// Waits until the last lines are written; gives up on a blocked log. The workers must have ended.
    pub fn finish(self, patience: Duration) {
        let end = std::time::Instant::now() + patience;
        while !self.thread.is_finished() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn write_all(blocks: &Receiver<Block>, returns: &[SyncSender<Vec<u8>>], control: &LogControl) {
    let mut output = Output::Nowhere;
    let mut generation = u64::MAX;
    loop {
        let block = match blocks.recv_timeout(Duration::from_secs(1)) {
            Ok(block) => block,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let wanted = control.generation.load(Ordering::Relaxed);
        if generation != wanted {
            generation = wanted;
            output = Output::open(&control.current());
        }
        if let Err(error) = output.write(&block.bytes) {
            control.failed.fetch_add(u64::from(block.lines), Ordering::Relaxed);
            tracing::warn!(%error, lines = block.lines, "the access log cannot be written");
        }
        let mut memory = block.bytes;
        memory.clear();
        if let Some(give) = returns.get(block.worker) {
            let _ = give.try_send(memory);
        }
    }
}

enum Output {
    Nowhere,
    Stdout,
    Stderr,
    File(File),
    Failed(PathBuf),
}

impl Output {
    fn open(to: &LogTo) -> Self {
        match to {
            LogTo::Off => Self::Nowhere,
            LogTo::Stdout => Self::Stdout,
            LogTo::Stderr => Self::Stderr,
            LogTo::File(path) => match OpenOptions::new().create(true).append(true).open(&**path) {
                Ok(file) => Self::File(file),
                Err(error) => {
                    tracing::error!(%error, path = %path, "the access log cannot be opened; its lines are dropped");
                    Self::Failed(path.to_string().into())
                }
            },
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().lock().flush()),
            Self::Stderr => io::stderr().lock().write_all(bytes),
            Self::File(file) => file.write_all(bytes),
            Self::Failed(path) => match OpenOptions::new().create(true).append(true).open(&*path) {
                Ok(file) => {
                    *self = Self::File(file);
                    self.write(bytes)
                }
                Err(e) => Err(e),
            },
        }
    }
}
