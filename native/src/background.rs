//! Work on a thread of its own, with a promise for its end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use napi::bindgen_prelude::{PromiseRaw, ToNapiValue};
use napi::{Env, Result};

/// Bulk work yields to the event loop: at this priority control calls stay quick and nothing is slower.
const NICE: i32 = 10;

/// What settles a promise, on the thread that owns it.
type Settle<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

/// Runs `work` on a new thread named `name`. The promise keeps the process alive and never rejects:
/// a failure is a value of `T`, and a panic (or a thread that cannot be made) becomes one by `on_panic`.
///
/// A naked thread that panicked would leave its promise pending for ever, so every thread that owes
/// JavaScript an answer is made here.
/// # Errors
/// The promise could not be made; nothing ran.
pub fn in_background<T: ToNapiValue + Send + 'static>(
    env: &Env,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    on_panic: impl FnOnce(String) -> T + Clone + Send + 'static,
) -> Result<PromiseRaw<'static, T>> {
    let (deferred, promise) = env.create_deferred::<T, Settle<T>>()?;
    let promise = PromiseRaw::new(env.raw(), napi::JsValue::raw(&promise));
    let (never_ran, tell) = (deferred.clone(), on_panic.clone());
    let body = move || {
        sys::threads::block_signals();
        // Being as important as before is no reason not to work.
        let _ = sys::threads::be_nice(NICE);
        let answer =
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| on_panic(text_of(&*panic)));
        deferred.resolve(Box::new(move |_| Ok(answer)));
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(body) {
        let answer = tell(format!("no thread for {name}: {error}"));
        never_ran.resolve(Box::new(move |_| Ok(answer)));
    }
    Ok(promise)
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
        .to_owned()
}
