//! Resolves the names of guarded functions in tests.

use std::collections::BTreeMap;

use resilient_policy::one_of;

use crate::registry::Registry;

/// Returns whether faults for the name `wanted` apply to the function with the name `name`, and the name `tool` if it
/// is a tool.
pub(super) fn is_meant(registry: &Registry, wanted: &str, name: &str, tool: Option<&str>) -> bool {
    let is_exact = || FunctionNames::guarded(registry).0.iter().any(|(name, tool)| is_exactly(wanted, name, *tool));
    is_exactly(wanted, name, tool) || fits(wanted, name, tool) && !is_exact()
}

fn fits(wanted: &str, name: &str, tool: Option<&str>) -> bool {
    is_exactly(wanted, name, tool) || name.strip_suffix(wanted).is_some_and(|path| path.ends_with("::"))
}

fn is_exactly(wanted: &str, name: &str, tool: Option<&str>) -> bool {
    name == wanted || tool == Some(wanted)
}

/// The functions that a registry knows, by their name in the statistics, with the name of the tool if it differs.
struct FunctionNames(BTreeMap<String, Option<&'static str>>);

impl FunctionNames {
    /// All functions with statistics, including tools that only have the hook.
    fn in_registry(registry: &Registry) -> Self {
        let counted = registry.tools().into_iter().chain(registry.functions());
        let mut known: BTreeMap<_, _> = counted.map(|(name, _)| (name.to_string(), None)).collect();
        known.extend(Self::guarded(registry).0);
        Self(known)
    }

    /// The functions that have a policy.
    fn guarded(registry: &Registry) -> Self {
        Self(registry.policies().iter().map(|policy| (policy.name.to_owned(), policy.tool)).collect())
    }

    /// Returns the functions that match this name, or only those that have exactly this name if there are any.
    fn find(&self, wanted: &str) -> Vec<&str> {
        let by = |is_meant: fn(&str, &str, Option<&str>) -> bool| -> Vec<&str> {
            let meant = self.0.iter().filter(|(name, tool)| is_meant(wanted, name, **tool));
            meant.map(|(name, _)| name.as_str()).collect()
        };
        let exactly = by(is_exactly);
        if exactly.is_empty() { by(fits) } else { exactly }
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, tool)| tool.unwrap_or(name)).collect()
    }
}

/// Resolves a name to the function's name in the statistics, or returns an error message.
pub(super) fn resolve(registry: &Registry, wanted: &str) -> Result<String, String> {
    let known = FunctionNames::in_registry(registry);
    match known.find(wanted)[..] {
        [one] => Ok(one.to_owned()),
        [] => Err(format!(
            "no guarded function `{wanted}` is known to this lab{}; a tool is known once its router was built \
             in it, any other function once it was called",
            instead(wanted, &known)
        )),
        ref several => Err(format!("`{wanted}` may be any of `{}`; write more of the path", several.join("`, `"))),
    }
}

/// Returns an error message if a name of unmet faults matches no function.
pub(super) fn unknown(registry: &Registry, unmet: &[String]) -> Option<String> {
    let known = FunctionNames::guarded(registry);
    let missing = unmet.iter().find(|wanted| known.find(wanted).is_empty())?;
    let instead = instead(missing, &known);
    Some(format!("there are faults for `{missing}`, and no guarded function of that name was called{instead}"))
}

/// Suggests another name.
fn instead(wanted: &str, known: &FunctionNames) -> String {
    let names = known.names();
    if names.is_empty() { "; none is".to_owned() } else { one_of(wanted, &names) }
}
