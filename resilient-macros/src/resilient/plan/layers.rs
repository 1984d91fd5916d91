//! The sources of a key: the function's attribute, its block's, the file. For each key, the first source that sets it
//! wins; values are not merged.

use resilient_policy::{File, Override, SourceLocations, Table};

use crate::resilient::parse::args::Args;
use crate::resilient::parse::value::At;

#[derive(Clone, Copy)]
enum Layer<'a> {
    Written(&'a Args),
    Table(&'a Table),
}

/// A value in an attribute, or in the file with the locations of its table.
pub(crate) enum Found<'a, A, F> {
    Written(&'a A),
    Table(&'a F, &'a SourceLocations),
}

/// The sources, from the strongest to the weakest.
pub(crate) struct Layers<'a> {
    all: Vec<Layer<'a>>,
    pub(crate) file: Option<&'a File>,
    /// The names of the profiles among the sources.
    pub(crate) profiles: Vec<&'a str>,
}

impl<'a> Layers<'a> {
    /// Returns the sources of a function, from the strongest to the weakest: its keys, `[tool.NAME]`, its profile, its
    /// block's keys, its block's profile, `[default]`. Settings at start follow the same order.
    pub(crate) fn of(own: &'a Args, inherited: &'a Args, tool: Option<&str>, file: Option<&'a File>) -> Self {
        let mut layers = Self { all: vec![Layer::Written(own)], file, profiles: Vec::new() };
        layers.table(tool.and_then(|tool| file?.tools.get(tool)));
        layers.profile(own);
        layers.all.push(Layer::Written(inherited));
        if !matches!(own.profile, Some(Override::None)) {
            layers.profile(inherited);
        }
        layers.table(file.map(|file| &file.default));
        layers
    }

    /// Adds the profile that these keys name.
    fn profile(&mut self, args: &'a Args) {
        let Some(At { value: name, .. }) = args.profile.as_ref().and_then(Override::value) else { return };
        self.profiles.push(name);
        self.table(self.file.and_then(|file| file.profiles.get(name)));
    }

    fn table(&mut self, table: Option<&'a Table>) {
        self.all.extend(table.map(Layer::Table));
    }

    /// Returns the value of a key in the first source that sets it.
    pub(crate) fn find<A, F>(
        &self,
        written: impl Fn(&'a Args) -> &'a Option<Override<A>>,
        in_table: impl Fn(&'a Table) -> &'a Option<Override<F>>,
    ) -> Option<Found<'a, A, F>> {
        let found = self.all.iter().find_map(|layer| match *layer {
            Layer::Written(args) => Some(written(args).as_ref()?.value().map(Found::Written)),
            Layer::Table(table) => {
                Some(in_table(table).as_ref()?.value().map(|value| Found::Table(value, &table.places)))
            }
        });
        found.flatten()
    }
}
