//! Where each setting of a policy was written, so that a problem with it lands on its token, or
//! says its line in `resilient.toml`.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{Problem, Table};

/// Where a setting was written.
#[derive(Debug, Clone)]
enum Origin {
    Here(Span),
    File(resilient_policy::Place),
}

/// Origins by the path of a problem.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<(String, Origin)>);

impl Origins {
    /// Notes where a setting was written. The last note counts.
    pub(crate) fn put(&mut self, path: &str, span: Span) {
        self.0.push((path.into(), Origin::Here(span)));
    }

    /// Notes that what is under this key comes from a file's table.
    pub(crate) fn put_file(&mut self, key: &str, table: &Table) {
        self.put_file_places(key, &table.places);
    }

    /// As [`put_file`](Self::put_file), by the places alone.
    pub(crate) fn put_file_places(&mut self, key: &str, places: &resilient_policy::Places) {
        for (path, place) in places.under(key) {
            self.0.push((path.into(), Origin::File(place.clone())));
        }
    }

    /// The problem at the token that was written, or at that with which it clashes; one with what
    /// is in the file, at the name through which the file came in.
    pub(crate) fn error(&self, problem: &Problem, clash: Option<Span>, otherwise: Span) -> Error {
        let message = &problem.message;
        match self.find(problem.path) {
            Some(Origin::Here(span)) => Error::custom(message).with_span(&clash.unwrap_or(*span)),
            Some(Origin::File(place)) => {
                let name = self.0.iter().rev().find_map(|(known, spot)| match spot {
                    Origin::Here(span) if known == "breaker.name" && problem.path.starts_with("breaker.") => {
                        Some(*span)
                    }
                    _ => None,
                });
                Error::custom(format!("{message} (`{}` stands in {place})", problem.path))
                    .with_span(&name.or(clash).unwrap_or(otherwise))
            }
            None => Error::custom(message).with_span(&otherwise),
        }
    }

    /// All these problems, each at its token.
    pub(crate) fn tell(&self, problems: &[Problem], otherwise: Span, errors: &mut Accumulator) {
        for problem in problems {
            errors.push(self.error(problem, None, otherwise));
        }
    }

    /// Where the setting was written, or what it belongs to.
    fn find(&self, path: &str) -> Option<&Origin> {
        let spot = |wanted: &str| self.0.iter().rev().find(|(known, _)| known == wanted).map(|(_, spot)| spot);
        spot(path).or_else(|| spot(path.split_once('.')?.0))
    }
}
