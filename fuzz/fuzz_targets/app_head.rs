//! Input: the payload of `head`.
#![no_main]

use eyelet_wire::head::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(head) = parse(data) else { return };
    assert!((200..=599).contains(&head.status));
    let mut text = format!("HTTP/1.1 {} -\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        assert!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
        );
        assert!(!value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
        text.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    let again = parse(&text).expect("what was accepted is a head");
    assert_eq!((again.status, again.headers), (head.status, head.headers));
});
