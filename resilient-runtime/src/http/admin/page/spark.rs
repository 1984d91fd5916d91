//! Sparklines: errors by hour, as SVG without a style.

use std::fmt::Write as _;

use maud::{Markup, html};

/// The width of an hour, and the height of the highest bar.
const STEP: u64 = 4;
const HEIGHT: u64 = 16;

/// The errors of 24 hours, the oldest first.
pub(super) type Hours = [u64; 24];

/// Renders a number of errors and, if there are any, when they were. The number says the same to those who see no image.
pub(super) fn errors(hours: &Hours) -> Markup {
    let all: u64 = hours.iter().fold(0, |all, hour| all.saturating_add(*hour));
    html! { (all) @if all > 0 { " " (line(hours)) } }
}

fn line(hours: &Hours) -> Markup {
    let highest = hours.iter().copied().max().unwrap_or(0).max(1);
    let mut path = String::with_capacity(256);
    let mut skipped = STEP / 2;
    for hour in hours {
        if *hour > 0 {
            // At least 1, and no overflow for any count.
            let height = (u128::from(*hour) * u128::from(HEIGHT)).div_ceil(u128::from(highest));
            // Writing to a `String` cannot fail.
            let _ = write!(path, "m{skipped} 0v-{height}m0 {height}");
            skipped = 0;
        }
        skipped += STEP;
    }
    html! {
        svg.spark viewBox={ "0 0 " (24 * STEP) " " (HEIGHT) } aria-hidden="true" {
            path d={ "M0 " (HEIGHT) (path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hour_with_errors_is_a_bar_in_proportion_to_the_highest() {
        let mut hours = [0; 24];
        assert_eq!(errors(&hours).into_string(), "0");
        (hours[0], hours[3], hours[23]) = (1, 8, 4);
        assert_eq!(
            errors(&hours).into_string(),
            "13 <svg class=\"spark\" viewBox=\"0 0 96 16\" aria-hidden=\"true\">\
             <path d=\"M0 16m2 0v-2m0 2m12 0v-16m0 16m80 0v-8m0 8\"></path></svg>"
        );
        let most = errors(&[u64::MAX; 24]).into_string();
        assert!(most.starts_with(&u64::MAX.to_string()) && most.contains("v-16"), "{most}");
    }
}
