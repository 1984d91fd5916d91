//! The executable in front of real processes, and what it says of wrong settings.

mod client;
mod servers;
mod settings;
mod writes;
