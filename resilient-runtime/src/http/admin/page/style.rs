//! The style of the page, and the content security policy that admits it and nothing else.

/// The style. It is within the page, because another request would have to be authorised again.
pub(super) const STYLE: &str = include_str!("style.css");

/// The content security policy of the page: that of all routes, with this style and an empty icon.
pub(super) const POLICY: &str = concat!(
    "default-src 'none'; style-src 'sha256-YqzobbuHq4rSFS0T4GEhrwwpZqvUIgknCivw86N48Jg='; img-src data:; ",
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_has_the_hash_of_the_style() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "write {hash}");
        assert!(!STYLE.contains('<') && !STYLE.contains('\r'));
    }

    /// The relative luminance of a color, as the guidelines for accessibility (WCAG 2) define it.
    fn luminance(color: &str) -> f64 {
        let digits = color.trim_start_matches('#');
        let digits: String =
            if digits.len() == 3 { digits.chars().flat_map(|digit| [digit, digit]).collect() } else { digits.into() };
        let part = |index: usize| {
            let part = f64::from(u8::from_str_radix(&digits[index..index + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }

    #[test]
    fn texts_and_edges_have_contrast_in_light_and_dark() {
        let themes: Vec<_> = STYLE.split(":root {").skip(1).map(|theme| theme.split('}').next().unwrap()).collect();
        assert_eq!(themes.len(), 2);
        for theme in themes {
            let color =
                |name: &str| luminance(theme.split(&format!("--{name}: ")).nth(1).unwrap().split(';').next().unwrap());
            for back in ["back", "soft"] {
                // Large areas, such as the edges of inputs, need less than texts.
                for (name, least) in [
                    ("text", 4.5),
                    ("dim", 4.5),
                    ("good", 4.5),
                    ("warn", 4.5),
                    ("bad", 4.5),
                    ("link", 4.5),
                    ("edge", 3.0),
                ] {
                    let (one, other) = (color(name), color(back));
                    let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                    assert!(contrast >= least, "{name} on {back}: {contrast}");
                }
            }
        }
    }
}
