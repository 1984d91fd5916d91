//! The level of service, and what is switched off.

use maud::{Markup, html};
use resilient_policy::Level;

use super::super::changes::AUTOMATIC;
use super::Page;
use super::changes::{button, route};
use super::head::{level_look, word};
use super::text::name;
use super::time::lasting;
use crate::gate::{GateState, LevelSource, SwitchedBy, SwitchedOff};

/// The maximum number of tools in the list of those that are off. The table has the rest.
const MOST: usize = 50;

pub(super) fn section(page: &Page<'_>, state: &GateState) -> Markup {
    html! {
        section #level aria-labelledby="level-h" {
            h2 #level-h { "Level and switches" }
            dl {
                div {
                    dt { "Level" }
                    dd {
                        (word(level_look(state.level.as_str()), state.level.as_str()))
                        ", by " (source(state.level_source)) ", " (lasting(state.level_since, page.now))
                    }
                }
                div { dt { "Writes" } dd { (writes(page, state)) } }
                div { dt { "Reads" } dd { @if state.cache_only { "only from the cache" } @else { "on" } } }
                div {
                    dt { "Calls in flight" }
                    dd { (state.in_flight) @if let Some(most) = state.concurrency { " of at most " (most) } }
                }
                div { dt { "Tools that are off" } dd { (tools(page, &state.tools_off)) } }
            }
            @if page.has_forms { (levels(state)) }
            @if !state.features.is_empty() { (features(page, state)) }
        }
    }
}

fn writes(page: &Page<'_>, state: &GateState) -> Markup {
    html! {
        @match &state.read_only {
            Some(off) => { (word("warn", "off")) ", by " (by(off.by)) ", " (lasting(off.since, page.now)) }
            None => "on",
        }
    }
}

fn tools(page: &Page<'_>, off: &[SwitchedOff]) -> Markup {
    html! {
        @if off.is_empty() { "none" }
        @for (index, tool) in off.iter().take(MOST).enumerate() {
            @if index > 0 { br; }
            (name(&tool.name)) ", by " (by(tool.by)) ", " (lasting(tool.since, page.now))
        }
        @if off.len() > MOST { br; "and " (off.len() - MOST) " more" }
    }
}

fn levels(state: &GateState) -> Markup {
    html! {
        h3 { "Set the level" }
        p.buttons {
            @for level in Level::ALL {
                (button("level", Some(("level", level.as_str())), level.as_str(), ""))
            }
            @if state.level_source == LevelSource::Admin {
                (button("level", Some(("level", AUTOMATIC)), AUTOMATIC, ""))
            }
        }
    }
}

fn features(page: &Page<'_>, state: &GateState) -> Markup {
    html! {
        div.scroll {
            table #features {
                caption { "Features" }
                thead {
                    tr {
                        th scope="col" { "Feature" }
                        th scope="col" { "State" }
                        @if page.has_forms { th scope="col" { "Change" } }
                    }
                }
                tbody {
                    @for feature in &state.features {
                        @let off = state.features_off.iter().find(|off| off.name == *feature);
                        tr {
                            th scope="row" { (name(feature)) }
                            td { (switch(page, off)) }
                            @if page.has_forms {
                                td { (change("features", feature, off.map(|off| off.by))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn switch(page: &Page<'_>, off: Option<&SwitchedOff>) -> Markup {
    html! {
        @match off {
            Some(off) => { (word("off", "off")) ", by " (by(off.by)) ", " (lasting(off.since, page.now)) }
            None => (word("good", "on")),
        }
    }
}

/// Renders the button of a switch, unless the page cannot change it.
pub(super) fn change(of: &str, which: &str, off: Option<SwitchedBy>) -> Markup {
    match off {
        None => button(&route(of, which), Some(("enabled", "false")), "Turn off", which),
        Some(SwitchedBy::Admin) => button(&route(of, which), Some(("enabled", "true")), "Turn on", which),
        Some(off) => html! { "off by " (by(off)) },
    }
}

/// Returns what switched something off, as a part of a sentence.
pub(super) const fn by(by: SwitchedBy) -> &'static str {
    match by {
        SwitchedBy::Start => "the settings at start",
        SwitchedBy::Settings => "the file",
        SwitchedBy::Admin => "an operator",
        SwitchedBy::Level => "the level",
    }
}

const fn source(source: LevelSource) -> &'static str {
    match source {
        LevelSource::Default => "default",
        LevelSource::Admin => "an operator",
        LevelSource::Settings => "the settings",
        LevelSource::Health => "the health of the server",
    }
}
