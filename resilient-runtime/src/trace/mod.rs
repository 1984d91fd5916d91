//! Parses and validates the W3C Trace Context headers of clients.

#[cfg(feature = "otel")]
pub(crate) mod otel;

/// The longest `tracestate` that is propagated, in bytes. The specification requires at least this much.
const LONGEST: usize = 512;
const MOST_MEMBERS: usize = 32;

/// Returns the trace id of a `traceparent`, if it is valid.
pub(crate) fn id(header: &str) -> Option<u128> {
    let mut parts = header.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let valid = lower_hex(version, 2)
        && version != "ff"
        && lower_hex(trace, 32)
        && lower_hex(parent, 16)
        && lower_hex(flags, 2)
        // Version 00 has four parts; later versions may have more.
        && (version != "00" || parts.next().is_none())
        && parent.bytes().any(|byte| byte != b'0');
    let number = u128::from_str_radix(trace, 16).ok().filter(|number| *number != 0)?;
    valid.then_some(number)
}

/// Returns a valid `traceparent` in the form in which it is propagated: unchanged, or, for a later version, reduced to
/// the parts of version 00.
pub(crate) fn parent(header: &str) -> Option<String> {
    const VERSION: usize = 2;
    const LENGTH: usize = 55;
    id(header)?;
    Some(format!("00{}", header.get(VERSION..LENGTH)?))
}

/// Returns a `tracestate`, if it is valid and short enough to be propagated.
pub(crate) fn state(header: &str) -> Option<&str> {
    let header = header.trim_matches([' ', '\t']);
    let key = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let member = |member: &str| {
        let pair = member.trim_matches([' ', '\t']).split_once('=');
        pair.is_some_and(|(name, text)| {
            !name.is_empty() && name.bytes().all(key) && !text.is_empty() && text.bytes().all(value)
        })
    };
    let valid = header.len() <= LONGEST && header.split(',').count() <= MOST_MEMBERS && header.split(',').all(member);
    valid.then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn a_traceparent_leaves_as_it_came_or_as_version_00_has_it() {
        let sent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(parent(&sent), Some(sent.clone()));
        assert_eq!(parent(&format!("cc{}-more\r\nx: y", &sent[2..])), Some(sent.clone()));
        assert_eq!(parent(&format!("{sent}\r\nx: y")), None);
        assert_eq!(parent(&format!("{sent}-")), None);
    }

    #[test]
    fn a_tracestate_that_is_long_or_no_list_is_not_passed_on() {
        assert_eq!(state("a=1,b@c=2 3"), Some("a=1,b@c=2 3"));
        assert_eq!(state(" a=1 ,\tb=2 "), Some("a=1 ,\tb=2"));
        for bad in ["", "a", "a=", "=1", "A=1", "a=1\r\nx: y", "a=é", "a=1,,b=2", "a=b=c"] {
            assert_eq!(state(bad), None, "{bad:?}");
        }
        assert_eq!(state(&format!("a={}", "x".repeat(511))), None);
        assert_eq!(state(&vec!["a=1"; 33].join(",")), None);
    }
}
