//! The handle to the settings of a running server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::InvalidSettings;
use super::reload::{ReloadReport, other_content, reload};
use crate::registry::Registry;
use crate::settings::Content;

/// The shortest time between two checks of the file.
const SHORTEST_PERIOD: Duration = Duration::from_millis(100);

/// How long a new content has to stay the same before it is applied by itself.
const SETTLED_AFTER: Duration = Duration::from_millis(200);

/// A handle to the settings of a running server, from [`Resilience::start`](super::Resilience::start).
///
/// The file that `RESILIENT_CONFIG` names can be read again while the server runs. Variables are those of the start, and
/// still take precedence over the file. What a reload does:
///
/// - It applies the whole file or nothing. If there is any problem with it (it is missing or not TOML, has an unknown
///   name, or breaks a rule for any known function together with the variables), all settings stay as they are. The
///   problems are returned, and logged as the event `settings.rejected`, each with its file and line.
/// - Otherwise the event `settings.changed` lists each difference. There is no event if nothing differs.
/// - Running calls keep their policy: their timeout, retries and limits of attempts. Calls that begin later have the new
///   one.
/// - **Breakers** keep their state, their clock and their counters. If the window, or the time from which an attempt
///   counts as slow, changes, the window starts empty.
/// - **Bulkheads** keep their permits. A lower `max` cuts no call off: permits are withheld as calls end. A higher one
///   admits waiting calls at once. `queue` and `wait` apply to attempts that queue later.
/// - **Rate limits** keep what was taken, at most a full burst. It comes back at the new rate. What was taken beyond a
///   lower burst is forgotten: raising the burst again does not bring it back.
/// - Retry budgets, statistics, cached answers, and the breakers and limits of partition keys stay.
///
/// What cannot change while the process runs is in [`ReloadReport::needs_restart`]: the keys of `cache`, and static
/// switches that were removed. The settings of a `static` breaker belong to the code: they are rejected, as at the start.
/// The policies in the `_meta` of `tools/list` stay those of the start, since clients keep the list.
///
/// Replace the file by renaming another one: a file that is being written may be read half, and half of it may be valid.
/// [`reload_every`](Self::reload_every) waits until the content stays the same; the other ways read the file once. It
/// has to be a regular file of at most 1 MiB.
///
/// Cloning the handle is cheap, and dropping it stops nothing.
///
/// ```no_run
/// use std::time::Duration;
/// use resilient_runtime::Resilience;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Resilience::from_env().start()?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # #[cfg(unix)]
/// settings.reload_on_hangup()?;
/// settings.reload_every(Duration::from_secs(30))?;
/// // .. serve ..
/// settings.shutdown().await;
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct Handle {
    registry: Option<Arc<Registry>>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Handle {
    /// Creates the handle to a registry, or to that of the process.
    pub(super) fn new(registry: Option<&Arc<Registry>>) -> Self {
        Self { registry: registry.cloned(), stop: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// Reads the file again and applies its settings: see [`Handle`] for what that does to calls and to what they share.
    /// Without `RESILIENT_CONFIG`, it does nothing.
    ///
    /// This reads a small file and blocks the thread meanwhile, as the start does. In async code, use
    /// [`tokio::task::spawn_blocking`] if the file may be on a slow file system. Several reloads run one after the other.
    ///
    /// # Errors
    /// [`InvalidSettings`], with every problem. All settings are then as they were.
    pub fn reload(&self) -> Result<ReloadReport, InvalidSettings> {
        reload(self.registry(), None)
    }

    pub(super) fn registry(&self) -> &Registry {
        self.registry.as_deref().unwrap_or_else(|| Registry::global())
    }

    /// Starts a task that reloads the settings whenever the process receives SIGHUP. Call it once.
    ///
    /// The signal no longer ends the process then, even after [`shutdown`](Self::shutdown). For a server on stdio, SIGHUP
    /// also means that its terminal was closed: only call this if the operator asks for it.
    ///
    /// # Errors
    /// If the signal cannot be received: outside of a Tokio runtime, or in one without
    /// [`enable_io`](tokio::runtime::Builder::enable_io).
    #[cfg(unix)]
    pub fn reload_on_hangup(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let runtime = runtime()?;
        let no_driver = || io::Error::other("the Tokio runtime was built without `enable_io`");
        // Tokio panics there.
        let mut hangups = crate::panics::catch_panic(|| signal(SignalKind::hangup())).ok_or_else(no_driver)??;
        let (handle, stop) = (self.clone(), self.stop.clone());
        let task = async move {
            while let Some(Some(())) = stop.run_until_cancelled(hangups.recv()).await {
                handle.in_background(Self::reload).await;
            }
        };
        self.tasks.spawn_on(task, &runtime);
        Ok(())
    }

    /// Starts a task that reads the file every `period`, at least 100 ms, and reloads the settings if its content is
    /// another one than at the last time and stays the same for 200 ms. This also notices a file that a symbolic link replaces, as in Kubernetes. A file
    /// with problems is reported once.
    ///
    /// # Errors
    /// Outside of a Tokio runtime.
    pub fn reload_every(&self, period: Duration) -> io::Result<()> {
        let runtime = runtime()?;
        let (handle, stop) = (self.clone(), self.stop.clone());
        let task = async move {
            while stop.run_until_cancelled(sleep(period.max(SHORTEST_PERIOD))).await.is_some() {
                let content = handle.in_background(|handle| other_content(handle.registry())).await;
                let Some(content) = content.flatten() else { continue };
                if stop.run_until_cancelled(sleep(SETTLED_AFTER)).await.is_none() {
                    break;
                }
                handle.reload_if_still(content).await;
            }
        };
        self.tasks.spawn_on(task, &runtime);
        Ok(())
    }

    /// Runs a task of the current runtime until [`shutdown`](Self::shutdown).
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stop.clone().run_until_cancelled_owned(task);
        self.tasks.spawn(async move {
            stopped.await;
        });
    }

    /// Reloads the settings if the file still has this content. Another one may be half of what is being written.
    async fn reload_if_still(&self, content: Content) {
        self.in_background(move |handle| reload(handle.registry(), Some(&content))).await;
    }

    /// Runs a piece of work on a thread for blocking work. Problems with settings are logged there. Returns `None` if the
    /// runtime shuts down.
    async fn in_background<T: Send + 'static>(&self, run: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let handle = self.clone();
        tokio::task::spawn_blocking(move || run(&handle)).await.ok()
    }

    /// Stops the tasks that reload the settings, the one that makes the level follow the health, the one that delivers
    /// deferred writes, and those of alerts. Waits until a running reload and the running deliveries have ended, and up to
    /// 5 s for sinks to accept the alerts that are not sent yet. No other task starts
    /// afterwards, for any clone of the handle; [`reload`](Self::reload) still works. Dropping the future stops the
    /// waiting only: a file system that does not answer keeps a reload waiting, so put a timeout around this.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn runtime() -> io::Result<Runtime> {
    Runtime::try_current().map_err(io::Error::other)
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}
