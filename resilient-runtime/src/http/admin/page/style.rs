//! The style of the page, and the content security policy that admits it and nothing else.

/// The style. It is within the page, because another request would have to be authorised again.
pub(super) const STYLE: &str = include_str!("style.css");

/// The content security policy of the page: that of all routes, with this style and an empty icon.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'sha256-@@@'; img-src data:; form-action 'self'; \
                                 frame-ancestors 'none'; base-uri 'none'";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_has_the_hash_of_the_style() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "write 'sha256-{hash}'");
        assert!(!STYLE.contains('<') && !STYLE.contains('\r'));
    }
}
