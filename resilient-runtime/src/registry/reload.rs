//! Settings that change while functions are bound: checked as a whole, then applied to what the functions share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use resilient_policy::{BreakerSettings, File, FileProblem, Policy};

use super::bind::differs_from_others;
use super::declared::Settings;
use super::policies::Described;
use super::settings::{GateReload, is_static};
#[cfg(feature = "replicas")]
use super::unshared_parts;
use super::{EffectivePolicy, Registry};
use crate::Breaker;
use crate::gate::Changed;
use crate::settings::differences::{of_breaker_names, of_breakers, of_caches, of_gates, of_policies};
use crate::settings::{DeclaredNames, Names, Overrides, SettingChange, Source};
use crate::site::Site;

/// What a change of the settings has changed.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) changed: Vec<SettingChange>,
    /// What only a restart changes.
    pub(crate) needs_restart: Vec<String>,
    /// What has changed in the gate. Log it once no lock is held.
    pub(crate) of_gate: Option<Changed>,
}

/// Why settings are rejected: the problems with a place, and the others.
type Rejected = (Vec<FileProblem>, Vec<String>);

/// A known function, and the policy that it would have.
struct Planned {
    function: Described,
    policy: Policy,
    keeps_static: bool,
}

/// The effects of new settings on everything that is known.
struct Plan {
    functions: Vec<Planned>,
    breakers: BTreeMap<&'static str, BreakerSettings>,
}

impl Registry {
    /// Stores where the settings came from, once they are accepted.
    pub(crate) fn set_source(&self, source: Source) {
        let _ = self.source.set(Arc::new(source));
    }

    /// Returns where the settings came from, if they were accepted.
    pub(crate) fn source(&self) -> Option<Arc<Source>> {
        self.source.get().cloned()
    }

    /// Replaces the settings of the file, unless there is a problem with any of the known functions. If it sets other
    /// policies or breakers, functions that are bound already are bound again at their next call.
    pub(crate) fn replace_file(&self, file: File, known: &DeclaredNames) -> Result<Changes, Rejected> {
        // From here on, no function is bound that the check does not see.
        let _settings = self.hold_settings();
        let Some(before) = self.overrides() else { return Ok(Changes::default()) };
        let overrides = before.with_file(file);
        let plan = self.check(&overrides, known)?;
        let is_other = !overrides.have_policies_of(&before);
        let of_gate = self.reload_gate(Arc::new(overrides));
        let mut changes = Changes::default();
        self.apply_to_breakers(&plan, &mut changes);
        for planned in plan.functions {
            self.apply(planned, &mut changes);
        }
        if is_other {
            self.generation.fetch_add(1, Ordering::Relaxed);
            Self::vary_bindings();
        }
        let GateReload { before, after, needs_restart, changed } = of_gate;
        changes.changed.extend(of_gates(&before, &after));
        changes.needs_restart.extend(needs_restart);
        changes.of_gate = Some(changed);
        Ok(changes)
    }

    /// Checks everything that the start checks, and changes nothing.
    fn check(&self, overrides: &Overrides, known: &DeclaredNames) -> Result<Plan, Rejected> {
        let (mut problems, mut others) = Rejected::default();
        let functions: Vec<_> = self.described();
        let statics: BTreeSet<_> = functions.iter().filter_map(|it| it.site.breaker).map(Breaker::name).collect();
        let breakers: BTreeMap<_, _> = self
            .breaker_names()
            .into_iter()
            .filter(|name| !statics.contains(name))
            .map(|name| (name, overrides.breaker(name, self.compiled(name, &functions), &mut problems)))
            .collect();
        let plan = |function: Described| {
            let site = &function.site;
            let EffectivePolicy { policy, keeps_static } = overrides.policy(site, &mut problems);
            let settings = match site.breaker {
                Some(own) => keeps_static.then(|| own.settings()),
                None => policy.breaker.and_then(|breaker| breakers.get(breaker.name).copied()),
            };
            problems.extend(settings.map(|settings| overrides.suits(site, &policy, &settings)).unwrap_or_default());
            if let Some(own) = site.breaker.filter(|own| overrides.tunes_breaker(own.name())) {
                others.push(is_static(own.name()));
            }
            Planned { function, policy, keeps_static }
        };
        let functions: Vec<_> = functions.into_iter().map(plan).collect();
        self.check_shared(&functions, &mut others);
        #[cfg(feature = "replicas")]
        self.check_newly_distributed(&functions, &mut others);
        Names::of(known, self.breaker_names()).check(known, overrides, &mut problems);
        let _ = self.check_gate(overrides, known, &mut problems);
        if problems.is_empty() && others.is_empty() {
            Ok(Plan { functions, breakers })
        } else {
            Err((problems, others))
        }
    }

    /// Returns the settings that the code gives a breaker.
    fn compiled(&self, breaker: &str, functions: &[Described]) -> BreakerSettings {
        let declared = self.lock().declared.iter().find_map(|((what, name), (settings, _))| match settings {
            Settings::Breaker(settings) if *what == "breaker" && *name == breaker => Some(*settings),
            _ => None,
        });
        // One that the settings have disabled so far.
        let uses = || functions.iter().filter_map(|function| function.site.policy().breaker);
        let of_function = || uses().filter(|used| used.name == breaker).find_map(|used| used.settings);
        declared.or_else(of_function).unwrap_or_default()
    }

    /// Reports limits that functions share and that would have other settings for some of them.
    fn check_shared(&self, functions: &[Planned], others: &mut Vec<String>) {
        let mut known = HashMap::new();
        for Planned { function, policy, .. } in functions {
            let compiled = function.site.policy();
            let bulkhead = policy.bulkhead.zip(compiled.bulkhead).and_then(|(wanted, compiled)| {
                Some((
                    "bulkhead",
                    wanted.name?,
                    Settings::Bulkhead(compiled.settings),
                    Settings::Bulkhead(wanted.settings),
                ))
            });
            #[cfg(feature = "rate-limit")]
            let rate_limit = policy
                .rate_limit
                .zip(compiled.rate_limit)
                .and_then(|(wanted, compiled)| Some(("rate limit", wanted.name?, compiled.into(), wanted.into())));
            #[cfg(not(feature = "rate-limit"))]
            let rate_limit = None;
            for (what, name, compiled, wanted) in bulkhead.into_iter().chain(rate_limit) {
                if self.agrees(what, name, compiled) && *known.entry((what, name)).or_insert(wanted) != wanted {
                    others.push(differs_from_others(what, name, &function.site));
                }
            }
        }
    }

    /// Reports functions that would begin to share something with other replicas, if there is no shared state.
    #[cfg(feature = "replicas")]
    fn check_newly_distributed(&self, functions: &[Planned], others: &mut Vec<String>) {
        if !self.lacks_shared_state() {
            return;
        }
        for Planned { function: Described { site, policy: before, .. }, policy, .. } in functions {
            // What was there before was logged when the function was bound.
            let known = unshared_parts(site, before);
            others.extend(unshared_parts(site, policy).into_iter().filter(|line| !known.contains(line)));
        }
    }

    fn apply_to_breakers(&self, plan: &Plan, changes: &mut Changes) {
        for (name, settings) in &plan.breakers {
            let (breaker, keyed) = {
                let inner = self.lock();
                (inner.breakers.get(name).cloned(), inner.keyed_breakers.get(name).cloned())
            };
            let Some(breaker) = breaker else { continue };
            let before = breaker.settings();
            if before != *settings {
                changes.changed.extend(of_breakers(name, &before, settings));
                breaker.adjust(*settings);
                if let Some(keyed) = keyed {
                    keyed.adjust(*settings);
                }
            }
        }
    }

    fn apply(&self, planned: Planned, changes: &mut Changes) {
        let Planned {
            function: Described { site, policy: before, breaker: breaker_before, own },
            mut policy,
            keeps_static,
        } = planned;
        let name = site.name();
        let of_cache = of_caches(name, &before, &policy);
        changes.needs_restart.extend(of_cache.iter().map(ToString::to_string));
        policy.cache = before.cache;
        changes.changed.extend(of_policies(name, &before, &policy));
        let breaker = self.breaker_of(&site, &policy, keeps_static);
        let names = [&breaker_before, &breaker].map(|breaker| breaker.as_ref().map(|breaker| breaker.name()));
        changes.changed.extend(of_breaker_names(name, names[0], names[1]));
        own.adjust(&policy);
        self.adjust_shared(&site, &policy);
        self.describe(&site, &policy, breaker, own);
    }

    /// Returns whether settings in the code are those of the first declaration of that name, which takes precedence.
    fn agrees(&self, what: &'static str, name: &'static str, compiled: Settings) -> bool {
        self.lock().declared.get(&(what, name)).is_none_or(|(first, _)| *first == compiled)
    }

    /// Replaces the settings of the limits that a policy shares with others. A function whose code contradicts the first
    /// declaration of a limit has no say in it.
    fn adjust_shared(&self, site: &Site, policy: &Policy) {
        let agrees = |what, name: Option<&'static str>, compiled: Option<Settings>| {
            name.zip(compiled).is_none_or(|(name, compiled)| self.agrees(what, name, compiled))
        };
        if let Some(wanted) = policy.bulkhead
            && agrees("bulkhead", wanted.name, site.policy().bulkhead.map(|it| Settings::Bulkhead(it.settings)))
            && let Some(bulkheads) = wanted.name.and_then(|name| self.lock().bulkheads.get(name).cloned())
            && bulkheads.settings() != wanted.settings
        {
            bulkheads.adjust(wanted.settings);
        }
        #[cfg(feature = "rate-limit")]
        if let Some(wanted) = policy.rate_limit
            && agrees("rate limit", wanted.name, site.policy().rate_limit.map(Settings::from))
            && let Some(rate_limits) = wanted.name.and_then(|name| self.lock().rate_limits.get(name).cloned())
            && rate_limits.settings() != wanted.settings
        {
            rate_limits.adjust(wanted.settings);
        }
    }
}
