//! The sources of a key: the function's attribute, its block's, the file. For each key, the first source that sets it
//! wins; values are not merged.

use resilient_policy::{File, Override, Table};

use crate::resilient::parse::args::Args;
use crate::resilient::parse::value::{Setting, Text};

#[derive(Clone, Copy)]
enum Layer<'a> {
    Written(&'a Args),
    Table(&'a Table),
}

/// A value in an attribute or in the file.
pub(crate) enum Found<'a, A, F> {
    Written(&'a A),
    Table(F, &'a Table),
}

impl<'a, A, F> Found<'a, A, F> {
    /// Returns the value, if it is in the attribute.
    pub(crate) fn written(&self) -> Option<&'a A> {
        match self {
            Self::Written(written) => Some(written),
            Self::Table(..) => None,
        }
    }
}

/// The sources, from the strongest to the weakest.
pub(crate) struct Layers<'a> {
    layers: Vec<Layer<'a>>,
    /// The names of the profiles among the sources.
    pub(crate) profiles: Vec<&'a str>,
}

impl<'a> Layers<'a> {
    /// Returns the sources of a function, from the strongest to the weakest: its keys, `[tool.NAME]`, its profile, its
    /// block's keys, its block's profile, `[default]`. Settings at start follow the same order.
    pub(crate) fn of_function(own: &'a Args, inherited: &'a Args, tool: Option<&str>, file: Option<&'a File>) -> Self {
        let mut layers = Self { layers: vec![Layer::Written(own)], profiles: Vec::new() };
        if let Some(table) = tool.and_then(|tool| file?.tools.get(tool)) {
            layers.layers.push(Layer::Table(table));
        }
        layers.profile(own.profile.as_ref(), file);
        layers.layers.push(Layer::Written(inherited));
        if !matches!(own.profile, Some(Setting::None)) {
            layers.profile(inherited.profile.as_ref(), file);
        }
        layers.default(file)
    }

    /// Returns the sources of a block.
    pub(crate) fn of_block(args: &'a Args, file: Option<&'a File>) -> Self {
        let mut layers = Self { layers: vec![Layer::Written(args)], profiles: Vec::new() };
        layers.profile(args.profile.as_ref(), file);
        layers.default(file)
    }

    fn profile(&mut self, named: Option<&'a Setting<Text>>, file: Option<&'a File>) {
        let Some(Text(named)) = named.and_then(Setting::value) else { return };
        self.profiles.push(&named.value);
        if let Some(table) = file.and_then(|file| file.profiles.get(&named.value)) {
            self.layers.push(Layer::Table(table));
        }
    }

    fn default(mut self, file: Option<&'a File>) -> Self {
        self.layers.extend(file.map(|file| Layer::Table(&file.default)));
        self
    }

    /// Returns the value of a key in the first source that sets it.
    pub(crate) fn find<A, F>(
        &self,
        written: impl Fn(&'a Args) -> Option<&'a Setting<A>>,
        in_table: impl Fn(&'a Table) -> Option<Override<F>>,
    ) -> Option<Found<'a, A, F>> {
        for layer in &self.layers {
            match *layer {
                Layer::Written(args) => {
                    if let Some(setting) = written(args) {
                        return setting.value().map(Found::Written);
                    }
                }
                Layer::Table(table) => match in_table(table) {
                    Some(Override::Is(value)) => return Some(Found::Table(value, table)),
                    Some(Override::None) => return None,
                    None => {}
                },
            }
        }
        None
    }
}
