//! Where each setting of a policy was written, so that a problem with it lands on its token, or
//! says its line in `resilient.toml`.

use darling::Error;
use proc_macro2::Span;
use resilient_policy::{Problem, Table};

/// Where a setting was written.
#[derive(Debug, Clone)]
enum Spot {
    Here(Span),
    File(resilient_policy::Place),
}

/// Spots by the path of a problem.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<(String, Spot)>);

impl Places {
    /// Notes where a setting was written. The last note counts.
    pub(crate) fn put(&mut self, path: &str, span: Span) {
        self.0.push((path.into(), Spot::Here(span)));
    }

    /// Notes that what is under this key comes from a file's table.
    pub(crate) fn put_file(&mut self, key: &str, table: &Table) {
        for (path, place) in table.places.under(key) {
            self.0.push((path.into(), Spot::File(place.clone())));
        }
    }

    /// The problem at the token that was written; one with what stands in the file, at the token
    /// through which the file came in.
    pub(crate) fn error(&self, problem: &Problem, otherwise: Span) -> Error {
        let message = &problem.message;
        match self.find(problem.path) {
            Some(Spot::Here(span)) => Error::custom(message).with_span(span),
            Some(Spot::File(place)) => {
                Error::custom(format!("{message} (`{}` stands in {place})", problem.path)).with_span(&otherwise)
            }
            None => Error::custom(message).with_span(&otherwise),
        }
    }

    /// Where the setting was written, or what it belongs to.
    fn find(&self, path: &str) -> Option<&Spot> {
        let spot = |wanted: &str| self.0.iter().rev().find(|(known, _)| known == wanted).map(|(_, spot)| spot);
        spot(path).or_else(|| spot(path.split_once('.')?.0))
    }
}
