//! Input: a message of an area, as an owner and as a subscriber would get it.
#![no_main]

use eyelet_area::message::{
    ANSWER_HEAD_LEN, CREDIT_MESSAGE_LEN, FRAME_MESSAGE_LEN, MAX_ANSWER_LEN, MAX_REQUEST_LEN,
    OwnerMessage, REQUEST_HEAD_LEN, STATE_MESSAGE_LEN, SubscriberMessage, decode_owner,
    decode_subscriber, encode_answer, encode_credit, encode_frame, encode_request, encode_state,
};
use eyelet_area::{Credit, Format, MAX_CREDIT, Outcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match decode_owner(data) {
        Ok(OwnerMessage::Frame { info, missed }) => {
            assert_eq!(data.len(), FRAME_MESSAGE_LEN);
            let format = info.format;
            assert!(format.width.max(format.height) <= Format::MAX_SIDE_PX);
            assert!(format.packed_len().is_none_or(|len| len <= info.len));
            let again = decode_owner(&encode_frame(&info, missed));
            assert_eq!(again.ok(), Some(OwnerMessage::Frame { info, missed }));
        }
        Ok(OwnerMessage::State(state)) => {
            assert_eq!(data.len(), STATE_MESSAGE_LEN);
            assert_eq!(decode_owner(&encode_state(&state)).ok(), Some(OwnerMessage::State(state)));
        }
        Ok(OwnerMessage::Answer(answer)) => {
            assert!((ANSWER_HEAD_LEN..=MAX_ANSWER_LEN).contains(&data.len()));
            match answer.outcome {
                Outcome::Done => {}
                Outcome::Refused => assert_eq!(answer.why().as_bytes(), answer.payload),
                _ => assert!(answer.payload.is_empty()),
            }
            let again = decode_owner(&encode_answer(&answer)).ok();
            assert_eq!(again, Some(OwnerMessage::Answer(answer)));
        }
        Err(error) => short(&error),
    }
    match decode_subscriber(data) {
        Ok(SubscriberMessage::Credit { frames, wants_key }) => {
            assert_eq!(data.len(), CREDIT_MESSAGE_LEN);
            let again = decode_subscriber(&encode_credit(frames, wants_key)).ok();
            assert_eq!(again, Some(SubscriberMessage::Credit { frames, wants_key }));
        }
        Ok(SubscriberMessage::Request(request)) => {
            // It has no reserved bytes, so that there is one way to say it.
            assert!((REQUEST_HEAD_LEN..=MAX_REQUEST_LEN).contains(&data.len()));
            assert_eq!(encode_request(&request), data);
        }
        Err(error) => short(&error),
    }
    // The same bytes as a series of credit.
    let mut credit = Credit::new(MAX_CREDIT);
    for &byte in data {
        match byte {
            0..=3 => drop(credit.grant(byte.into())),
            _ if byte % 2 == 0 => credit.publish(),
            _ if credit.is_due() => credit.sent(),
            _ => {}
        }
        credit.check_invariants();
    }
});

fn short(error: &eyelet_area::Error) {
    let text = error.to_string();
    assert!(text.len() < 200 && !text.contains(char::is_control), "{text}");
}
