//! The form for changes. All buttons of the page belong to it, so that the token is typed once.

use form_urlencoded::byte_serialize;
use maud::{Markup, html};

use super::text::visible;

/// Renders the fields that every change has. The buttons say what is changed.
pub(super) fn bar(can_reload: bool) -> Markup {
    html! {
        form #changes method="post" aria-label="Changes" {
            // The Enter key presses the first button of a form. This one does nothing.
            button disabled hidden { "Enter" }
            div {
                label for="by" { "Your name, for the log" }
                input #by type="text" name="by" maxlength="64" autocomplete="username";
            }
            div {
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password";
            }
            @if can_reload { (button("reload", None, "Reload the settings", "")) }
        }
    }
}

/// Renders a button that posts a field to a route, and whose label is followed by what it applies to.
pub(super) fn button(route: &str, field: Option<(&str, &str)>, label: &str, of: &str) -> Markup {
    let (name, value) = field.unzip();
    html! {
        button form="changes" formaction=(route) name=[name] value=[value] {
            (label) @if !of.is_empty() { span.vh { " " (visible(of)) } }
        }
    }
}

/// Returns a route with a name as its last segment.
pub(super) fn route(of: &str, name: &str) -> String {
    // A form writes a space as `+`, which a path does not.
    let name = byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
    format!("{of}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        assert_eq!(route("tools", "a b/../c?d#e+f%é\""), "tools/a%20b%2F..%2Fc%3Fd%23e%2Bf%25%C3%A9%22");
    }
}
