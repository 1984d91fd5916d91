//! `#[resilient]`: parse → plan → check → expand. If there are mistakes, the unchanged item and the messages.

mod authorize;
mod block;
mod check;
mod expand;
mod handler;
mod hooked;
pub(crate) mod parse;
mod plan;
#[cfg(test)]
mod tests;

use darling::Error;
use darling::error::Accumulator;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use check::shape;
use parse::function::OpaqueFn;
use parse::item::{self, Item};
use parse::{args, half_typed};
use plan::Enforced;

use crate::project::Project;

/// Expands the attribute, in the crate that is being compiled.
pub(crate) fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    expand_in(&Project::current(), attribute, item)
}

/// Expands the attribute, in a crate with this file.
pub(crate) fn expand_in(project: &Project, attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let expanded = match item::of(item) {
        Item::Function => function(attribute, item.clone(), project),
        Item::Block => block::block(&attribute, item.clone(), project),
        Item::Other(span, found) => {
            let message = format!("expected an `async fn` or an `impl` block above `#[tool_router]`, found {found}");
            Err(Error::custom(message).with_span(&span))
        }
    };
    // The item comes first: editors treat the first one as the original.
    let mut tokens = expanded.unwrap_or_else(|errors| {
        let errors = errors.write_errors();
        quote!(#item #errors)
    });
    // The file belongs to the crate: its mistakes are reported beside the expansion.
    for problem in project.problems_once() {
        tokens.extend(Error::custom(problem).write_errors());
    }
    tokens
}

fn function(attribute: TokenStream, item: TokenStream, project: &Project) -> darling::Result<TokenStream> {
    let mut errors = Error::accumulator();
    let mut args = args::parse(attribute.clone(), &mut errors);
    let parsed = match syn::parse2::<OpaqueFn>(item.clone()) {
        // rustc has reported this at the same token, and will parse the item once more.
        Err(_) if half_typed::has_parameter_without_type(&item) => return errors.finish_with(item),
        parsed => parsed.map_err(Error::from),
    };
    let Some(mut function) = errors.handle(parsed) else {
        return errors.finish_with(TokenStream::new());
    };
    hooked::take_in(&mut args, &mut function);
    if let Some(skip) = args.skip {
        shape::skipped(&function, skip, args.inherited.is_some(), &mut errors);
        let Some(site) = hooked::skipped(&args, &function, project) else {
            return errors.finish_with(function.into_token_stream());
        };
        return Ok(with_errors(&quote!(#function #site), errors));
    }
    if hooked::is_limited(&args, &function) {
        return Ok(with_errors(&hooked::limited(&args, attribute, &function, project), errors));
    }
    shape::check(&function, &mut errors);
    shape::without_hook(&function, attribute, args.inherited.is_some(), &mut errors);
    let plan = plan::plan(&args, Enforced::ByFunction, &function, project, &mut errors);
    check::function(&plan, &args, &function, project, &mut errors);
    match errors.finish() {
        Ok(()) => {
            let beside = authorize::beside(&args, &plan, &function);
            let expanded = expand::expand(&plan, &hooked::hoisted(function), project);
            Ok(quote!(#expanded #beside))
        }
        // The block's router uses the record of each of its tools.
        Err(errors) if args.inherited.is_some() => Ok(expand::unguarded(&function, &plan.krate, errors)),
        Err(errors) => Err(errors),
    }
}

/// Returns the tokens followed by the messages.
fn with_errors(tokens: &TokenStream, errors: Accumulator) -> TokenStream {
    let errors = errors.finish().err().map(Error::write_errors);
    quote!(#tokens #errors)
}
