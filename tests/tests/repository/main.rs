//! What the repository offers besides code: its pages, the steps of the README, the packages for crates.io.

mod documents;
mod five_steps;
mod packages;
