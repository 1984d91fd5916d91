//! Parses the type, its attributes and the texts in them.

mod ast;
mod attrs;
mod display;
mod errors;
mod keys;
mod pieces;
mod value;

pub(crate) use ast::{Field, Input, Variant};
pub(crate) use attrs::{Attr, Attrs};
pub(crate) use display::Display;
pub(crate) use errors::{Errors, error};
pub(crate) use keys::Key;
pub(crate) use pieces::{Piece, pieces};
pub(crate) use value::Value;

use keys::{Form, KeyEntry, Owner};
use value::Written;
