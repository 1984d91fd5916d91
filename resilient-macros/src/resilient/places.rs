//! Where each setting of a policy was written, so that a problem with it lands on its token.

use proc_macro2::Span;

/// Spans by the path of a problem.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<(&'static str, Span)>);

impl Places {
    /// Notes where a setting was written. The last note counts.
    pub(crate) fn put(&mut self, path: &'static str, span: Span) {
        self.0.push((path, span));
    }

    /// Where the setting was written, or what it belongs to.
    pub(crate) fn find(&self, path: &str) -> Option<Span> {
        let exact = self.0.iter().rev().find(|(known, _)| *known == path);
        let owner = || {
            let (owner, _) = path.split_once('.')?;
            self.0.iter().rev().find(|(known, _)| *known == owner)
        };
        exact.or_else(owner).map(|(_, span)| *span)
    }
}
