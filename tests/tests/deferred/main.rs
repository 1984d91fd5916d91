//! The delivery of deferred writes, in paused time: what a worker claims, tries, postpones and ends.

mod clock;
mod end;
mod handler;
mod limits;
mod outage;
mod routers;
mod shop;
mod start;
mod stores;
mod untouched;
