//! The runtime on which everything waits that waits for the outside.

use fulmar_ports::BoxFuture;
use fulmar_ports::background::Background;
use tokio::runtime::{Builder, Handle, Runtime};

/// A handle for the actors.
#[derive(Debug, Clone)]
pub struct IoRuntime(pub Handle);

impl Background for IoRuntime {
    fn spawn(&self, work: BoxFuture<'static, ()>) {
        self.0.spawn(work);
    }
}

/// Threads of the runtime: waiting needs few.
const THREADS: usize = 2;

/// Starts it.
///
/// # Errors
/// The system's, when no thread can be made.
pub fn start() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(THREADS).thread_name("io").enable_all().build()
}
