//! Manners of threads that move bulk data.

use crate::Result;

/// Lowers the calling thread's priority. On Linux the call is per thread, and it may only go down.
pub fn be_nice(nice: i32) -> Result<()> {
    rustix::process::setpriority_process(None, nice)
}

/// Leaves signals to the threads that were there before: Node's, which expect them.
pub fn block_signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set before it is read; only this thread's mask changes.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}
