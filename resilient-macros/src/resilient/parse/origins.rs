//! The location of each setting of a policy. A problem is reported at the setting's token, or with its line in
//! `resilient.toml`.

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::Span;
use resilient_policy::{Problem, Table};

/// The location of a setting.
#[derive(Debug, Clone)]
enum Origin {
    Here(Span),
    File(resilient_policy::SourceLocation),
}

/// The locations by the path of a problem.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<(String, Origin)>);

impl Origins {
    /// Records the location of a setting. The last one wins.
    pub(crate) fn put(&mut self, path: &str, span: Span) {
        self.0.push((path.into(), Origin::Here(span)));
    }

    /// Records that the settings below this key come from a table of the file.
    pub(crate) fn put_file(&mut self, key: &str, table: &Table) {
        self.put_file_places(key, &table.places);
    }

    /// Like [`put_file`](Self::put_file), with the locations alone.
    pub(crate) fn put_file_places(&mut self, key: &str, places: &resilient_policy::SourceLocations) {
        for (path, place) in places.under(key) {
            self.0.push((path.into(), Origin::File(place.clone())));
        }
    }

    /// Returns the problem as an error: at the setting's token, or at the token with which it conflicts. A problem with
    /// a setting of the file is reported at the name that refers to the file's table.
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

    /// Returns all problems as errors, each at its token.
    pub(crate) fn tell(&self, problems: &[Problem], otherwise: Span, errors: &mut Accumulator) {
        for problem in problems {
            errors.push(self.error(problem, None, otherwise));
        }
    }

    /// Returns the location of the setting, or of its parent.
    fn find(&self, path: &str) -> Option<&Origin> {
        let spot = |wanted: &str| self.0.iter().rev().find(|(known, _)| known == wanted).map(|(_, spot)| spot);
        spot(path).or_else(|| spot(path.split_once('.')?.0))
    }
}
