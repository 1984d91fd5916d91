//! The contents of the repository besides code: its pages and their language, the steps of the README, the runbooks, the
//! packages for crates.io and their public API.

mod documents;
mod five_steps;
mod language;
mod layers;
mod packages;
mod public_api;
mod runbooks;
