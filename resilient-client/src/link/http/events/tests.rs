use super::*;

/// Reads all events of a stream that comes in parts of `size` bytes.
fn events(parser: &mut Parser, text: &[u8], size: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for part in text.chunks(size) {
        parser.push(part);
        events.extend(std::iter::from_fn(|| parser.next()));
    }
    events
}

fn data(texts: &[&str]) -> Vec<Event> {
    texts.iter().map(|text| Event::Data(text.as_bytes().to_vec())).collect()
}

#[test]
fn events_are_the_same_however_the_bytes_are_divided() {
    let text = b"\xEF\xBB\xBFdata: one\n\n: comment\r\ndata:two\r\ndata: and\r\n\r\nevent: message\rdata:  three\r\r";
    for size in 1..=text.len() {
        let mut parser = Parser::new(100);
        assert_eq!(events(&mut parser, text, size), data(&["one", "two\nand", " three"]), "parts of {size} bytes");
    }
}

#[test]
fn an_event_without_its_blank_line_does_not_count() {
    let mut parser = Parser::new(100);
    assert_eq!(events(&mut parser, b"id: 1\ndata: a\n\nid: 2\ndata: b\n", 100), data(&["a"]));
    assert_eq!(parser.last_id.as_deref(), Some(&b"1"[..]));
}

#[test]
fn ids_and_waits_are_kept_and_events_without_messages_are_not_passed() {
    let mut parser = Parser::new(100);
    let text = b"id: 7\nretry: 1500\ndata:\n\nevent: ping\ndata: now\n\nretry: soon\nid: 0\0\ndata: x\n\n";
    assert_eq!(events(&mut parser, text, 100), data(&["x"]));
    assert_eq!((parser.last_id.as_deref(), parser.retry), (Some(&b"7"[..]), Some(Duration::from_millis(1500))));
    assert_eq!(events(&mut parser, b"id\n\n", 100), []);
    assert_eq!(parser.last_id, None, "an empty id removes it");
}

#[test]
fn what_is_not_an_event_stream_does_not_end_it() {
    let mut parser = Parser::new(100);
    let text = b"garbage\nunknown: field\n\xFF\xFE\n\ndata: \xFF\n\ndata: next\n\n";
    assert_eq!(events(&mut parser, text, 7), [Event::Data(vec![0xFF]), Event::Data(b"next".to_vec())]);
}

#[test]
fn an_over_long_event_is_reported_once_and_skipped() {
    for size in [1, 5, 1000] {
        let mut parser = Parser::new(20);
        let long = ["data: ", &"x".repeat(30), "\ndata: ", &"y".repeat(30), "\n\ndata: next\n\n"].concat();
        let events = events(&mut parser, long.as_bytes(), size);
        let [Event::TooLong { start, bytes }, next] = &events[..] else { panic!("{events:?}") };
        assert!(start.starts_with(b"data: xxx") && *bytes > 20, "{start:?}, {bytes}");
        assert_eq!(*next, Event::Data(b"next".to_vec()));
    }
}

#[test]
fn many_short_lines_of_one_event_are_limited_too() {
    let mut parser = Parser::new(100);
    let events = events(&mut parser, "data: a\n".repeat(50).as_bytes(), 9);
    assert!(matches!(&events[..], [Event::TooLong { start, .. }] if start.starts_with(b"a\na\n")), "{events:?}");
    assert!(parser.line.capacity() + parser.current.bytes < 300, "nothing more is kept");
}

#[test]
fn comments_do_not_count() {
    let mut parser = Parser::new(20);
    let text = [&": still here\n".repeat(50), "data: a\n\n"].concat();
    assert_eq!(events(&mut parser, text.as_bytes(), 100), data(&["a"]));
}
