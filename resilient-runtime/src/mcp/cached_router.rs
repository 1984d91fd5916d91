//! Routers that are built once per process instead of once per request.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};

use super::authorize::{Authorizations, Authorize};
use super::explain::{Explain, Explanations};
use super::gated::RouteSite;
#[cfg(feature = "config")]
use super::operator::schemas;
use super::{hooked, routes, tool_meta};
use crate::registry::Registry;
use crate::site::Site;

/// A tool that `resilient.toml` configures, and where.
type Table = (&'static str, &'static str);

/// The parts of a block of tools.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "config"), expect(dead_code, reason = "without `config` only the router is used"))]
struct Block {
    router: &'static (dyn Any + Send + Sync),
    /// Whether all routes of the router are enabled. They have the hook in any case.
    is_complete: bool,
    guarded: &'static [&'static Site],
    tables: &'static [Table],
    /// The text of the compiled file, if it has levels, features or switches.
    file: Option<&'static str>,
    explained: &'static [(&'static str, Explain)],
    /// The functions that authorize calls of the tools, without the type of the server.
    authorized: &'static (dyn Any + Send + Sync),
}

/// Sorted, so that problems are reported in the same order in every run.
type Blocks = BTreeMap<(TypeId, &'static str), Block>;

fn blocks() -> MutexGuard<'static, Blocks> {
    static BLOCKS: LazyLock<Mutex<Blocks>> = LazyLock::new(Mutex::default);
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A router that is built once.
#[derive(Clone, Copy)]
struct Recent {
    server: TypeId,
    label: &'static str,
    router: &'static (dyn Any + Send + Sync),
    /// See [`Block`].
    is_complete: bool,
}

thread_local! {
    /// The router that this thread used last.
    static RECENT: Cell<Option<Recent>> = const { Cell::new(None) };
}

/// Returns the router that this thread used last, if it is the one of server `S` with this label.
fn recent<S: 'static>(label: &'static str) -> Option<&'static ToolRouter<S>> {
    let last = RECENT.try_with(Cell::get).ok().flatten()?;
    let is_this = last.server == TypeId::of::<S>() && (std::ptr::eq(last.label, label) || last.label == label);
    if is_this { last.router.downcast_ref() } else { None }
}

/// Returns whether all routes of a router are known to be enabled and to have the hook: it is the one that this thread
/// used last, and it is built once.
pub(super) fn is_complete<S>(router: &ToolRouter<S>) -> bool {
    let address = std::ptr::from_ref(router).cast::<()>();
    let is_this = |last: Recent| last.is_complete && std::ptr::from_ref(last.router).cast::<()>() == address;
    RECENT.try_with(Cell::get).ok().flatten().is_some_and(is_this)
}

/// Returns the router of server `S` with this label. The first call builds and instruments it.
///
/// The first call also binds the guarded tools to their shared state, and publishes their policies to clients.
///
/// A `static` cannot do this in a generic impl, where all type arguments would share it. The router is never freed;
/// there is one for each server type and label in the code.
pub fn cached_router<S>(
    label: &'static str,
    build: fn() -> ToolRouter<S>,
    guarded: &[fn() -> &'static Site],
    tables: &'static [Table],
    file: Option<&'static str>,
    describe: fn(&mut ToolFunctions<S>),
) -> &'static ToolRouter<S>
where
    S: Send + Sync + 'static,
{
    let key = (TypeId::of::<S>(), label);
    let find = || {
        let blocks = blocks();
        let block = blocks.get(&key)?;
        Some((block.router.downcast_ref::<ToolRouter<S>>()?, block.is_complete))
    };
    let known = recent(label).or_else(|| {
        let (found, is_complete) = find()?;
        let _ = RECENT.try_with(|last| last.set(Some(Recent { server: key.0, label, router: found, is_complete })));
        Some(found)
    });
    if let Some(found) = known {
        #[cfg(feature = "testing")]
        bind_in_lab::<S>();
        return found;
    }
    // Bind first, so that the state that tools share has its settings before the first call.
    let guarded: Vec<_> = guarded.iter().map(|site| site()).collect();
    for site in guarded.iter().filter(|site| site.has_policy()) {
        site.bind();
    }
    // Build outside the lock, because building runs the user's code, which may request another router.
    let plain = build();
    // A router may be combined from those of other blocks, which contain the guards of their tools.
    let others = blocks_of::<S>();
    let of_others = others.iter().flat_map(|block| block.guarded.iter().copied());
    let all: Vec<_> = guarded.iter().copied().chain(of_others).collect();
    let site_of = |tool: &str| all.iter().copied().find(|site| site.tool() == Some(tool));
    let mut functions = ToolFunctions::default();
    describe(&mut functions);
    let explained: &'static [(&'static str, Explain)] = Box::leak(functions.explained.into_boxed());
    let authorized = functions.authorized.leak(plain.map.keys().map(AsRef::as_ref));
    let all_explained = others.iter().flat_map(|block| block.explained).chain(explained);
    let route_site = |route: &ToolRoute<S>| match *of_this_name(&guarded, route) {
        // A block has routes to its own functions alone.
        [own] => RouteSite::Certain(own),
        [own, ..] => RouteSite::ByName(own),
        // A handler has no functions, and any routes.
        [] => certain_site(&others, route),
    };
    declare_tools(Registry::global(), &guarded, &plain, file);
    // Shared by all registries, so that only the settings of the process take tools off the list.
    let gate = Registry::global().gate();
    let explained_of = |tool: &str| of_tool(all_explained.clone(), tool);
    let authorized_of = |route: &ToolRoute<S>| {
        let own = Authorizations::of_tool(authorized, &route.attr.name);
        // The function of this block, and not one of another block with the same name.
        let is_own = !own.is_empty() || !of_this_name(&guarded, route).is_empty();
        if is_own { own } else { authorized_by(route, &others) }
    };
    let mut router = hooked::hooked(plain, site_of, route_site, explained_of, authorized_of, gate);
    tool_meta::publish_policies(&mut router, &guarded);
    let made: &'static ToolRouter<S> = Box::leak(Box::new(router));
    let is_complete = made.map.keys().all(|tool| made.has_route(tool));
    let guarded = Box::leak(guarded.into_boxed_slice());
    let block = Block { router: made, is_complete, guarded, tables, file, explained, authorized };
    blocks().entry(key).or_insert(block);
    find().map_or(made, |(found, _)| found)
}

/// Wraps every route of a router: disabled routes and the notifier stay as they are.
///
/// `#[resilient]` above `#[tool_router]` does this by itself. A router that is wrapped twice, or
/// that is put together from wrapped ones, hooks each call once.
///
/// ```
/// use resilient_runtime::mcp;
/// use rmcp::{tool, tool_router};
///
/// struct Shop;
///
/// #[tool_router]
/// impl Shop {
///     /// Lists the products.
///     #[tool]
///     async fn list(&self) -> String {
///         "tea, milk".into()
///     }
/// }
///
/// // For `#[tool_handler(router = ..)]`, or a router that is put together by hand.
/// let router = mcp::instrument(Shop::tool_router());
/// assert!(router.has_route("list"));
/// ```
#[must_use]
pub fn instrument<S: Send + Sync + 'static>(router: ToolRouter<S>) -> ToolRouter<S> {
    // The hook of the outermost router serves the call, so it needs the limits that inner ones have.
    let blocks = blocks_of::<S>();
    let route_site = |route: &ToolRoute<S>| certain_site(&blocks, route);
    Registry::here(|registry| {
        declare_tools(registry, &[], &router, None);
        let authorized_of = |route: &ToolRoute<S>| authorized_by(route, &blocks);
        hooked::hooked(router, limited_by_hook::<S>, route_site, explained::<S>, authorized_of, registry.gate())
    })
}

/// The functions of a block's tools that the hook calls.
#[derive(Debug)]
pub struct ToolFunctions<S> {
    explained: Explanations,
    authorized: Authorizations<S>,
}

impl<S> Default for ToolFunctions<S> {
    fn default() -> Self {
        Self { explained: Explanations::default(), authorized: Authorizations::default() }
    }
}

impl<S: 'static> ToolFunctions<S> {
    /// Returns the functions that explain arguments.
    pub fn explained(&mut self) -> &mut Explanations {
        &mut self.explained
    }

    /// Registers a function that authorizes the calls of every tool of the block.
    pub fn authorize_all(&mut self, by: Authorize<S>) {
        self.authorized.add_for_all(by);
    }

    /// Registers a function that authorizes the calls of a tool.
    pub fn authorize(&mut self, tool: &'static str, by: Authorize<S>) {
        self.authorized.add(tool, by);
    }
}

/// Returns the functions that authorize the calls of a route: those of its inner hook, or else all that belong to a tool
/// with its name. By its name alone, the route may be another one, and is authorized all the same.
fn authorized_by<S: 'static>(route: &ToolRoute<S>, blocks: &[Block]) -> Vec<Authorize<S>> {
    let of_route = routes::authorized_by(route);
    if !of_route.is_empty() {
        return of_route;
    }
    blocks.iter().flat_map(|block| Authorizations::of_tool(block.authorized, &route.attr.name)).collect()
}

/// Lets the settings at start find the tools of a router before its routes are published.
#[cfg_attr(not(feature = "config"), expect(unused_variables, reason = "without `config` there are no settings"))]
fn declare_tools<S: Send + Sync + 'static>(
    registry: &Registry,
    guarded: &[&'static Site],
    router: &ToolRouter<S>,
    file: Option<&'static str>,
) {
    #[cfg(feature = "config")]
    registry.declare_tools(&crate::settings::DeclaredNames {
        hooked: guarded.to_vec(),
        files: file.into_iter().collect(),
        tools: router.map.keys().map(ToString::to_string).collect(),
        ..crate::settings::DeclaredNames::default()
    });
}

/// Returns the record of the function that a route is certain to be, or else that of a function with its name.
fn certain_site<S: 'static>(blocks: &[Block], route: &ToolRoute<S>) -> RouteSite {
    if let Some(site) = routes::function_of(route) {
        return RouteSite::Certain(site);
    }
    let by_name = blocks.iter().find_map(|block| of_this_name(block.guarded, route).first().copied());
    by_name.map_or(RouteSite::Unknown, RouteSite::ByName)
}

/// Returns the records of functions with the name of a route.
fn of_this_name<S>(sites: &[&'static Site], route: &ToolRoute<S>) -> Vec<&'static Site> {
    sites.iter().copied().filter(|site| site.tool() == Some(&*route.attr.name)).collect()
}

/// Returns the blocks of this server.
fn blocks_of<S: 'static>() -> Vec<Block> {
    blocks().iter().filter(|((server, _), _)| *server == TypeId::of::<S>()).map(|(_, block)| *block).collect()
}

/// Returns the record of a tool of this server whose timeout the hook enforces.
fn limited_by_hook<S: 'static>(tool: &str) -> Option<&'static Site> {
    let mut all = blocks_of::<S>().into_iter().flat_map(|block| block.guarded.iter().copied());
    all.find(|site| site.is_limited_by_hook() && site.tool() == Some(tool))
}

/// Returns the functions that explain misfit arguments of a tool of this server.
fn explained<S: 'static>(tool: &str) -> Box<[Explain]> {
    of_tool(blocks_of::<S>().iter().flat_map(|block| block.explained), tool)
}

fn of_tool<'a>(all: impl Iterator<Item = &'a (&'static str, Explain)>, tool: &str) -> Box<[Explain]> {
    all.filter(|(name, _)| *name == tool).map(|(_, explain)| *explain).collect()
}

/// In a test's lab, binds the tools of a router to the lab's registry, even if the router was built before.
#[cfg(feature = "testing")]
fn bind_in_lab<S: 'static>() {
    if let Some(registry) = Registry::scoped() {
        for site in blocks_of::<S>().iter().flat_map(|block| block.guarded).filter(|site| site.has_policy()) {
            site.bind_in(&registry);
        }
    }
}

/// Returns the tools of a router, and the guarded tools of all blocks of its server.
#[cfg(feature = "config")]
pub(crate) fn known<S: Send + Sync + 'static>(router: fn() -> ToolRouter<S>) -> crate::settings::DeclaredNames {
    let router = router();
    let unhooked =
        router.map.values().filter(|route| !routes::is_hooked(route) && !schemas::is_ready_made(&route.attr));
    let unhooked = unhooked.map(|route| route.attr.name.to_string()).collect();
    let tools = router.map.keys().map(ToString::to_string).collect();
    let mine = blocks_of::<S>();
    crate::settings::DeclaredNames {
        sites: mine.iter().flat_map(|block| block.guarded).copied().filter(|site| site.has_policy()).collect(),
        hooked: mine.iter().flat_map(|block| block.guarded).copied().collect(),
        files: mine.iter().filter_map(|block| block.file).collect(),
        tables: mine.iter().flat_map(|block| block.tables).copied().collect(),
        tools,
        unhooked,
        ..crate::settings::DeclaredNames::default()
    }
}
