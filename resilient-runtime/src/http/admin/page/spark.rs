//! Sparklines: errors by hour, as SVG without a style.

use std::fmt::Write as _;

use maud::{Markup, html};

/// The width of an hour, and the height of the highest bar.
const STEP: u64 = 4;
const HEIGHT: u64 = 16;

/// The errors of 24 hours, the oldest first.
pub(super) type Hours = [u64; 24];

/// Renders a number of errors and, if there are any, when they were.
pub(super) fn errors(hours: &Hours) -> Markup {
    let all: u64 = hours.iter().fold(0, |all, hour| all.saturating_add(*hour));
    html! { @if all > 0 { (line(hours)) " " } (all) }
}

fn line(hours: &Hours) -> Markup {
    let highest = hours.iter().copied().max().unwrap_or(0).max(1);
    let mut path = format!("M{} {HEIGHT}", STEP / 2);
    let (mut right, mut down) = (0, 0);
    for hour in hours {
        if *hour > 0 {
            // At least 1, and no overflow for any count.
            let height = (u128::from(*hour) * u128::from(HEIGHT)).div_ceil(u128::from(highest));
            // Writing to a `String` cannot fail.
            let _ = write!(path, "m{right} {down}v-{height}");
            (right, down) = (0, height);
        }
        right += STEP;
    }
    html! {
        svg.spark viewBox={ "0 0 " (24 * STEP) " " (HEIGHT) } aria-hidden="true" { path d=(path) {} }
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
            "<svg class=\"spark\" viewBox=\"0 0 96 16\" aria-hidden=\"true\">\
             <path d=\"M2 16m0 0v-2m12 2v-16m80 16v-8\"></path></svg> 13"
        );
        let most = errors(&[u64::MAX; 24]).into_string();
        assert!(most.ends_with(&format!(" {}", u64::MAX)) && most.contains("v-16"), "{most}");
    }
}
