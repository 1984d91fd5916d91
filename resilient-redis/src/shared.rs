//! Rate limits and the news of breakers, for the runtime.

use ::redis::RedisError;
use resilient_runtime::replicas::{Opening, OpeningId, PermitRequest, SharedError, SharedFuture, SharedState, Taken};

use crate::Redis;
use crate::link::describe;
use crate::{limit, news};

impl SharedState for Redis {
    fn take<'a>(&'a self, request: &'a PermitRequest) -> SharedFuture<'a, Taken> {
        Box::pin(async move { limit::take(self, request).await.map_err(shared_error) })
    }

    fn publish<'a>(&'a self, opening: &'a Opening) -> SharedFuture<'a, ()> {
        Box::pin(async move { news::publish(self, opening).await.map_err(shared_error) })
    }

    fn openings<'a>(&'a self, breakers: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>> {
        Box::pin(async move { news::openings(self, breakers).await.map_err(shared_error) })
    }

    fn secret(&self) -> [u8; 16] {
        Self::secret(self)
    }

    fn connect(&self) {
        // Outside of a runtime, the first request connects.
        let _ = self.quick().and_then(|link| link.start());
    }

    fn problems(&self) -> Vec<String> {
        self.problem().map(str::to_owned).into_iter().collect()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` needs")]
fn shared_error(error: RedisError) -> SharedError {
    SharedError::new(describe(&error))
}
