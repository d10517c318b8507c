//! Threads that write pieces while the next one is received.
//!
//! Two of them keep two writes under way: enough that a disk always has one, and the connection never waits for
//! the one before. They work at the priority of the thread that made them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sys::direct::BLOCK;
use sys::{Errno, Result};

use super::disk_file::DiskFile;

/// Bytes received, and written, at once: measured, a third less CPU than 1 MiB, and no slower than 4.
pub(crate) const PIECE: usize = 2 << 20;
const BUFFERS: usize = 8;
const THREADS: usize = 2;

/// Memory for one piece at an address that direct I/O takes.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        let memory = vec![0u8; PIECE + BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self { memory, start }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + PIECE]
    }
}

/// One piece on its way to a file.
struct Job {
    file: Arc<DiskFile>,
    buffer: Buffer,
    length: usize,
    offset: u64,
}

/// The threads, and the buffers that are not with them.
pub(crate) struct Writers {
    jobs: Option<Sender<Job>>,
    done: Receiver<(Buffer, Result<()>)>,
    free: Vec<Buffer>,
    under_way: usize,
    failed: Option<Errno>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Writers {
    /// @throws the kernel's reason for no thread
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let (tell, done) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (queue, tell) = (Arc::clone(&queue), tell.clone());
            let name = "sealyard-write".to_owned();
            let work = move || write_pieces(&queue, &tell);
            threads.push(thread::Builder::new().name(name).spawn(work)?);
        }
        Ok(Self {
            jobs: Some(jobs),
            done,
            free: Vec::new(),
            under_way: 0,
            failed: None,
            threads,
        })
    }

    /// An empty buffer, once there is one. Fails with what a write before has failed with.
    pub(crate) fn take(&mut self) -> Result<Buffer> {
        while let Ok(done) = self.done.try_recv() {
            self.took_back(done);
        }
        if self.free.is_empty() && self.under_way < BUFFERS {
            self.free.push(Buffer::new());
        }
        if self.free.is_empty() {
            self.wait_for_one();
        }
        match (self.failed, self.free.pop()) {
            (None, Some(buffer)) => Ok(buffer),
            (failed, _) => Err(failed.unwrap_or(Errno::IO)),
        }
    }

    /// A buffer that was not needed.
    pub(crate) fn give_back(&mut self, buffer: Buffer) {
        self.free.push(buffer);
    }

    /// Writes the first `length` bytes of a buffer, soon.
    pub(crate) fn submit(
        &mut self,
        file: &Arc<DiskFile>,
        buffer: Buffer,
        length: usize,
        offset: u64,
    ) {
        let file = Arc::clone(file);
        let job = Job {
            file,
            buffer,
            length,
            offset,
        };
        match self.jobs.as_ref().map(|jobs| jobs.send(job)) {
            Some(Ok(())) => self.under_way += 1,
            _ => self.failed = Some(Errno::IO),
        }
    }

    /// Waits until everything submitted has been written. Fails with the first write that failed, ever.
    pub(crate) fn settle(&mut self) -> Result<()> {
        while self.under_way > 0 {
            self.wait_for_one();
        }
        self.failed.map_or(Ok(()), Err)
    }

    fn wait_for_one(&mut self) {
        match self.done.recv() {
            Ok(done) => self.took_back(done),
            // Both threads are gone, which only a bug of ours does; what they had is not written.
            Err(_) => {
                self.under_way = 0;
                self.failed = Some(Errno::IO);
            }
        }
    }

    fn took_back(&mut self, (buffer, result): (Buffer, Result<()>)) {
        self.under_way -= 1;
        self.free.push(buffer);
        if let Err(errno) = result {
            self.failed.get_or_insert(errno);
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.jobs.take();
        for thread in self.threads.drain(..) {
            // A panic in it was told as a failed write.
            let _ = thread.join();
        }
    }
}

fn write_pieces(queue: &Mutex<Receiver<Job>>, tell: &Sender<(Buffer, Result<()>)>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = job else { return };
        // A bug here must not leave the receiving thread waiting for this piece for ever.
        let result = catch_unwind(AssertUnwindSafe(|| {
            job.file
                .write_piece(job.buffer.bytes(), job.length, job.offset)
        }));
        // The file is closed by whoever waits for this.
        drop(job.file);
        if tell
            .send((job.buffer, result.unwrap_or(Err(Errno::IO))))
            .is_err()
        {
            return;
        }
    }
}
