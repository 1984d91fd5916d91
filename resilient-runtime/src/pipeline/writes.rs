//! Writes that invalidate kept answers.

#[cfg(feature = "cache")]
use crate::cache::Generations;
use crate::site::Site;

/// The invalidation by a call of a function with `invalidates`: when its body starts, and when the call ends, however
/// it ends. An answer whose read began before is not served after that.
#[derive(Debug)]
pub struct Writes {
    #[cfg(feature = "cache")]
    generations: Generations,
}

impl Writes {
    /// Prepares the invalidation by a call of this function.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        #[cfg(not(feature = "cache"))]
        let _ = site;
        Self {
            #[cfg(feature = "cache")]
            generations: Generations::new(std::sync::Arc::clone(&site.bind().cold.invalidated)),
        }
    }

    /// Invalidates what was read before the body starts.
    pub fn begin(&self) {
        #[cfg(feature = "cache")]
        self.generations.begin();
    }
}
