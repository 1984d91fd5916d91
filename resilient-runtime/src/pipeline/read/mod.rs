//! A call of a function with `cache(fresh ..)`: a kept answer, or a run of the body that concurrent calls share.
//!
//! ```text
//! kept: a fresh answer ends the call          (a stale one too, and one refresh begins)
//!   → New ─▶ Leads ─▶ the attempts, whose answer is kept and shared
//!      ▲ └─▶ Follows ─▶ the answer of the leader
//!      │       │ └─▶ Leads, if the leader ends without an answer to share
//!      └───────┘
//! ```
//!
//! Only these functions run this code; the others pay nothing for it.

mod guarded;
mod landing;
mod refresh;
mod sharing;

use std::mem::replace;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::AnswerKey;
use super::body::StoresAnswer;
use super::call::{AttemptResult, Call, CallCell, Layer, Tree};
use super::fallback::Sides;
use crate::answer::{Fallible, Meaning};
use crate::cache::{Followed, Follower, Freshness, Joined, Kept, Landed, Landing, Lead, Reported, Wait};
use crate::clock::Moment;
use crate::context::Records;
use crate::error::{Refusal, RefusalReason, ToolError};
use crate::outcomes::CacheResult;
use crate::panics::{catch_panic, catch_panic_inline};
use crate::site::Site;
pub use guarded::{once_read, repeat_read, repeat_read_before};
pub use refresh::Refresh;
use refresh::Ticket;
pub use sharing::ErrorSharing;

/// What a call knows of the answer that it reads.
pub struct Read<G, E> {
    /// `None`: the principal is unknown, or the key panicked. Nothing is kept or shared.
    key: Option<u128>,
    /// The generation in which the present run begins.
    generation: u64,
    copy: fn(&G) -> G,
    size: fn(&G) -> u64,
    errors: ErrorSharing<E>,
    stage: Stage,
    /// Whether the call is a refresh.
    is_refresh: bool,
    /// Whether the call is counted as a miss.
    has_missed: bool,
    /// The number of warnings in the report before the run.
    warnings_before: usize,
}

enum Stage {
    New,
    /// The call leads already: it is a refresh.
    Refreshes(Box<Ticket>),
    Leads(Leading),
    Follows(Follower),
    /// The call runs the body for itself.
    Alone,
}

/// The run that a call leads.
struct Leading {
    lead: Lead,
    layer: Option<Layer>,
    /// The right of a refresh to run.
    _ticket: Option<refresh::Permit>,
}

/// The copy of a kept answer has panicked.
struct CannotBeCopied;

impl<G, E> Read<G, E>
where
    G: Send + Sync + 'static,
    E: ToolError,
{
    /// Prepares a call that has not begun. `measure` returns the size of an answer, `copy` copies it, and `errors` shares
    /// errors.
    #[must_use]
    pub fn new<R>(
        site: &Site,
        _: Sides<R, G, E>,
        key: impl FnOnce(&Site) -> Option<AnswerKey>,
        measure: fn(&G) -> u64,
        errors: ErrorSharing<E>,
        copy: fn(&G) -> G,
    ) -> Self {
        let ticket = refresh::take(site);
        let is_refresh = ticket.is_some();
        let key = match &ticket {
            Some(ticket) => Some(ticket.key),
            None => key(site).map(AnswerKey::hash),
        };
        let stage = ticket.map_or(Stage::New, Stage::Refreshes);
        Self {
            key,
            generation: 0,
            copy,
            size: measure,
            errors,
            stage,
            is_refresh,
            has_missed: false,
            warnings_before: 0,
        }
    }

    /// Returns the key of the answer.
    #[must_use]
    pub fn key(&self) -> Option<AnswerKey> {
        self.key.map(AnswerKey::of_hash)
    }

    /// Begins the call, and ends it with a kept answer, if there is one that is fresh, or stale and refreshed by
    /// `refresh`.
    pub fn kept<R>(&self, call: Pin<&mut CallCell<'_>>, refresh: impl FnOnce(Refresh)) -> Option<R>
    where
        R: Fallible<Good = G, Error = E>,
    {
        let mut key = self.key.filter(|_| !self.is_refresh);
        if let Some((hash, site)) = key.zip(call.plain()) {
            match self.fresh(hash, site) {
                Ok(Some(good)) => return Some(R::close(Ok(good))),
                Ok(None) => {}
                Err(CannotBeCopied) => key = None,
            }
        }
        self.kept_otherwise(call.begin()?, key, refresh)
    }

    /// Like [`kept`](Self::kept), for a call that has begun.
    #[inline(never)]
    fn kept_otherwise<R>(
        &self,
        mut call: Pin<&mut Call<'_>>,
        key: Option<u128>,
        refresh: impl FnOnce(Refresh),
    ) -> Option<R>
    where
        R: Fallible<Good = G, Error = E>,
    {
        if self.is_refresh {
            call.as_mut().becomes_refresh();
        }
        let key = key?;
        let refusal = call.refusal();
        // In cache-only mode, a kept answer is served; other refusals are for every answer.
        let is_cache_only = |refusal| matches!(refusal, Refusal::Switched { reason: RefusalReason::CacheOnly, .. });
        if !refusal.is_none_or(is_cache_only) || call.is_given_up() {
            return None;
        }
        let kept = call.answers()?.find(key, call.started())?;
        let result = match kept.freshness {
            Freshness::Fresh => CacheResult::Hit,
            Freshness::Stale => CacheResult::Stale,
            // Only a fallback may serve it.
            Freshness::Old => return None,
        };
        let good = self.copied(&kept)?;
        if result == CacheResult::Stale && refusal.is_none() {
            let generation = call.answers()?.generation();
            // Copying the arguments may panic.
            catch_panic(|| Refresh::admit(&call, key, generation).map(refresh));
        }
        call.count_cache(result);
        call.end_with_kept(kept.age, kept.warnings());
        Some(R::close(Ok(good)))
    }

    /// Returns a fresh answer that ends a call before it begins, and counts the call.
    fn fresh(&self, key: u128, site: &Site) -> Result<Option<G>, CannotBeCopied> {
        let binding = site.bind();
        let started = Moment::now_inline();
        let Some(answers) = &binding.cold.answers else { return Ok(None) };
        let Some(kept) = answers.find(key, started) else { return Ok(None) };
        if kept.freshness != Freshness::Fresh {
            return Ok(None);
        }
        // Without a request, its warnings have no reader.
        let good = self.copied(&kept).ok_or(CannotBeCopied)?;
        binding.cold.statistics.hit(Moment::now_inline().micros_since(started));
        Ok(Some(good))
    }

    /// Copies a kept answer.
    fn copied(&self, kept: &Kept) -> Option<G> {
        let good = kept.answer()?.downcast_ref::<G>()?;
        catch_panic_inline(|| (self.copy)(good))
    }

    /// Drives the call to its result. The answer is left in `body`.
    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut call: Pin<&mut Call<'_>>,
        mut body: Pin<&mut impl StoresAnswer<R>>,
    ) -> Poll<AttemptResult>
    where
        R: Fallible<Good = G, Error = E>,
    {
        loop {
            let stage = match &mut self.stage {
                Stage::Leads(_) | Stage::Alone => {
                    let result = ready!(call.as_mut().drive(cx, body.as_mut(), None));
                    let leading = match replace(&mut self.stage, Stage::Alone) {
                        Stage::Leads(leading) => Some(leading),
                        _ => None,
                    };
                    self.settle(leading, &call, &result, body.as_mut().last_answer().as_ref());
                    return Poll::Ready(result);
                }
                Stage::New => self.join(call.as_mut(), body.as_mut()),
                Stage::Refreshes(_) => match replace(&mut self.stage, Stage::Alone) {
                    Stage::Refreshes(ticket) => {
                        let Ticket { lead, permit, .. } = *ticket;
                        Ok(self.leads(call.as_mut(), lead, Some(permit)))
                    }
                    _ => Ok(Stage::Alone),
                },
                Stage::Follows(follower) => match follower.poll(cx) {
                    Poll::Pending => {
                        let ended = ready!(call.as_mut().poll_following(cx));
                        self.stage = Stage::Alone;
                        return Poll::Ready(ended);
                    }
                    Poll::Ready(end) => {
                        self.stage = Stage::Alone;
                        self.followed(end, call.as_mut(), body.as_mut())
                    }
                },
            };
            match stage {
                Ok(stage) => self.stage = stage,
                Err(result) => return Poll::Ready(result),
            }
        }
    }

    /// Leads or follows the run of the key.
    fn join<R>(
        &mut self,
        call: Pin<&mut Call<'_>>,
        body: Pin<&mut impl StoresAnswer<R>>,
    ) -> Result<Stage, AttemptResult>
    where
        R: Fallible<Good = G, Error = E>,
    {
        let Some((key, answers)) = self.key.zip(call.answers()) else {
            self.misses(&call);
            return Ok(Stage::Alone);
        };
        if call.refusal().is_some() || call.is_given_up() {
            // Its end is not far, and says nothing to others.
            self.key = None;
            return Ok(Stage::Alone);
        }
        self.generation = answers.generation();
        let tree = call.tree();
        let wait = |flight| match &tree {
            Tree::Leads(flights) => Wait::begin(flights, flight),
            Tree::HoldsPermit => None,
        };
        match answers.flights().join((key, self.generation), wait) {
            Joined::Follows(follower) => Ok(Stage::Follows(follower)),
            Joined::Leads(lead) => self.leads_unless_kept(call, body, lead),
            Joined::Alone => {
                self.misses(&call);
                Ok(Stage::Alone)
            }
        }
    }

    /// Continues after the wait for another call.
    fn followed<R>(
        &mut self,
        followed: Followed,
        mut call: Pin<&mut Call<'_>>,
        body: Pin<&mut impl StoresAnswer<R>>,
    ) -> Result<Stage, AttemptResult>
    where
        R: Fallible<Good = G, Error = E>,
    {
        match followed {
            // The leader had no time for another attempt, and this call has.
            Followed::Landed(landing) if landing.records.cut.is_some_and(|due| call.allows_retry(due)) => {
                drop(landing);
                call.resumes()?;
                Ok(Stage::New)
            }
            Followed::Landed(landing) => {
                if let Some(result) = self.take(&landing, &call, body.last_answer()) {
                    call.count_cache(CacheResult::Shared);
                    return Err(result);
                }
                drop(landing);
                self.misses(&call);
                call.resumes()?;
                Ok(Stage::Alone)
            }
            Followed::Leads(lead) => {
                call.as_mut().resumes()?;
                if call.answers().is_none_or(|answers| answers.generation() != lead.generation()) {
                    // A write has ended meanwhile: what is read now is for the calls of the new generation.
                    lead.dissolve();
                    return Ok(Stage::New);
                }
                self.leads_unless_kept(call, body, lead)
            }
            Followed::Again => {
                call.resumes()?;
                Ok(Stage::New)
            }
        }
    }

    /// Leads a run, unless another one has ended with an answer since this call looked for one.
    fn leads_unless_kept<R>(
        &mut self,
        call: Pin<&mut Call<'_>>,
        body: Pin<&mut impl StoresAnswer<R>>,
        mut lead: Lead,
    ) -> Result<Stage, AttemptResult>
    where
        R: Fallible<Good = G, Error = E>,
    {
        let kept = self.key.and_then(|key| call.answers()?.find(key, Moment::now()));
        let kept = kept.filter(|kept| kept.freshness == Freshness::Fresh);
        let Some((good, kept)) = kept.and_then(|kept| Some((self.copied(&kept)?, kept))) else {
            return Ok(self.leads(call, lead, None));
        };
        call.count_cache(CacheResult::Hit);
        call.report_kept(kept.age, kept.warnings());
        if !lead.ends_alone()
            && let Some(answer) = kept.answer()
        {
            let landed = Landed::Value(Arc::clone(answer), Meaning::Good);
            let warnings = kept.warnings().into();
            let reported = Reported { warnings, kept: Some(kept.age), ..Reported::default() };
            lead.land(Landing { landed, reported, records: Records::default() });
        }
        *body.last_answer() = Some(R::close(Ok(good)));
        Err(AttemptResult::Answered(Meaning::Good))
    }

    fn leads(&mut self, call: Pin<&mut Call<'_>>, lead: Lead, permit: Option<refresh::Permit>) -> Stage {
        self.misses(&call);
        self.generation = lead.generation();
        self.warnings_before = call.warnings();
        let layer = call.lead(lead.id());
        Stage::Leads(Leading { lead, layer, _ticket: permit })
    }

    /// Counts the call as a miss, once.
    fn misses(&mut self, call: &Call<'_>) {
        if !replace(&mut self.has_missed, true) && !self.is_refresh {
            call.count_cache(CacheResult::Miss);
        }
    }
}

impl<G, E> std::fmt::Debug for Read<G, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Read").field("generation", &self.generation).finish_non_exhaustive()
    }
}
