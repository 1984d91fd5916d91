//! Checks the names in `invalidates`, in the block whose tools they are.

use darling::Error;
use darling::error::Accumulator;
use resilient_policy::{Override, Source, one_of};
use syn::ext::IdentExt;
use syn::{Attribute, Meta};

use crate::project::Project;
use crate::resilient::parse::args::{self, Args};
use crate::resilient::parse::block::OpaqueImpl;
use crate::resilient::parse::tool::{self, Tool};
use crate::resilient::parse::value::{At, FallbackStep};
use crate::resilient::plan::layers::{Found, Layers};

/// Rejects a name that no tool of the block has, and the name of a tool that serves no cached answer without an error.
pub(crate) fn check(block: &OpaqueImpl, of_block: &Args, project: &Project, errors: &mut Accumulator) {
    let tools = block.functions().filter_map(|function| {
        let tool = Tool::find(&function.attrs).filter(|tool| !tool.is_prompt)?;
        let is_denied = tool.denies_reading();
        let name = tool.name.unwrap_or_else(|| function.sig.ident.unraw().to_string());
        let own = own(&function.attrs);
        // What could not be read, or is not seen here, may set `fresh`. A contradiction is reported elsewhere.
        let is_unknown = own.is_incomplete || project.is_wrong() || function.attrs.iter().any(may_be_ours);
        let is_cached = own.skip.is_none() && is_cached(&own, of_block, &name, project);
        Some((name, own, (!(is_unknown || is_cached && is_denied)).then_some(is_cached)))
    });
    let tools: Vec<_> = tools.collect();
    let cached: Vec<_> =
        tools.iter().filter(|(.., is_cached)| *is_cached == Some(true)).map(|(name, ..)| &**name).collect();
    for At { value: wanted, span } in tools.iter().filter_map(|(_, own, _)| own.invalidates.as_ref()).flatten() {
        // Functions under different conditions may have one name.
        let named = || tools.iter().filter(|(name, ..)| name == wanted);
        if named().any(|(.., is_cached)| *is_cached != Some(false)) || block.has_half_typed_function() {
            continue;
        }
        let message = if named().next().is_some() {
            format!(
                "`{wanted}` serves no cached answer before its body runs; add `cache(fresh = \"30s\")` to it, or remove \
                 its name here"
            )
        } else if cached.is_empty() {
            format!(
                "no tool of this block is called `{wanted}`; expected one with `cache(fresh = ..)`, or remove \
                 `invalidates`"
            )
        } else {
            format!("no tool of this block is called `{wanted}`{}", one_of(wanted, &cached))
        };
        errors.push(Error::custom(message).with_span(span));
    }
}

/// Returns the keys of a tool. Its own attribute reports the mistakes in them.
fn own(attrs: &[Attribute]) -> Args {
    match attrs.iter().find(|attr| tool::last_is(attr, "resilient")).map(|own| &own.meta) {
        Some(Meta::List(list)) => args::parse_silently(list.tokens.clone()),
        _ => Args::default(),
    }
}

/// Returns whether `fresh` is set for a tool, by its attribute or in the file.
fn is_cached(own: &Args, of_block: &Args, name: &str, project: &Project) -> bool {
    let steps = own.fallback.as_ref().and_then(Override::value);
    let falls_back = steps.into_iter().flatten().any(|step| FallbackStep::source(step) == Source::Cache);
    let layers = Layers::of(own, of_block, Some(name), project.file.as_ref());
    match layers.find(|args| &args.cache, |table| &table.cache) {
        Some(Found::Written(written)) => written.parts.has("fresh"),
        Some(Found::Table(named, _)) => falls_back && named.parts.has("fresh"),
        None => false,
    }
}

/// Returns whether an attribute may be `#[resilient]` under a condition or another name.
fn may_be_ours(attr: &Attribute) -> bool {
    const OTHERS: &[&str] = &["doc", "allow", "expect", "warn", "deny", "cfg", "instrument", "resilient", "tool"];
    !OTHERS.iter().any(|other| tool::last_is(attr, other))
}
