//! The location of each setting of a policy. A problem is reported at the setting's token, or with its line in
//! `resilient.toml`.

use darling::Error;
use proc_macro2::Span;
use resilient_policy::{Problem, SourceLocation, SourceLocations};

/// The location of a setting.
#[derive(Debug, Clone)]
enum Origin {
    Here(Span),
    File(SourceLocation),
}

/// The locations by the path of a problem.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<(&'static str, Origin)>);

impl Origins {
    /// Records the location of a setting. The last one wins.
    pub(crate) fn put(&mut self, path: &'static str, span: Span) {
        self.0.push((path, Origin::Here(span)));
    }

    /// Records that the settings below this key come from the file.
    pub(crate) fn put_file(&mut self, key: &str, places: &SourceLocations) {
        self.0.extend(places.under(key).map(|(path, place)| (path, Origin::File(place.clone()))));
    }

    /// Returns the problem as an error: at the setting's token, or at the token with which it conflicts. A problem with
    /// a setting of the file is reported at the name that refers to the file's table.
    pub(crate) fn error(&self, problem: &Problem, clash: Option<Span>, otherwise: Span) -> Error {
        let Problem { path, message, .. } = problem;
        let parent = path.split_once('.').map(|(parent, _)| parent);
        match self.find(path).or_else(|| self.find(parent?)) {
            Some(Origin::Here(span)) => Error::custom(message).with_span(&clash.unwrap_or(*span)),
            Some(Origin::File(place)) => {
                let span = match self.find("breaker.name") {
                    Some(Origin::Here(name)) if parent == Some("breaker") => *name,
                    _ => clash.unwrap_or(otherwise),
                };
                Error::custom(format!("{message} (`{path}` stands in {place})")).with_span(&span)
            }
            None => Error::custom(message).with_span(&otherwise),
        }
    }

    /// Returns the location of a setting in the attribute.
    pub(crate) fn span_of(&self, path: &str) -> Option<Span> {
        match self.find(path)? {
            Origin::Here(span) => Some(*span),
            Origin::File(_) => None,
        }
    }

    fn find(&self, path: &str) -> Option<&Origin> {
        self.0.iter().rev().find(|(known, _)| *known == path).map(|(_, origin)| origin)
    }
}
