use super::*;
use bytes::BytesMut;
use proptest::prelude::*;

/// 24 x 16 pixels in colour, written by Pillow 13 with the standard tables, each in a segment of its own.
const PILLOW: &[u8] = include_bytes!("../../testdata/pillow_24x16_standard_tables.jpg");

fn segment(code: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, code], &len[..], payload].concat()
}

/// A picture whose metadata and scan are the given bytes.
fn picture(metadata: &[u8], scan: &[u8]) -> Vec<u8> {
    let stuffed: Vec<u8> = scan
        .iter()
        .flat_map(|&byte| if byte == 0xFF { vec![byte, 0] } else { vec![byte] })
        .collect();
    [
        vec![0xFF, 0xD8],
        segment(0xE1, metadata),
        vec![0xFF, 0xFF], // fill bytes
        segment(0xC0, &[8, 0, 16, 0, 24, 1, 1, 0x11, 0]),
        segment(0xDA, &[1, 1, 0, 0, 63, 0]),
        stuffed,
        vec![0xFF, 0xD0, 7, 0xFF, 0xD9],
    ]
    .concat()
}

/// The picture without its Huffman tables, as a camera sends it.
fn stripped(picture: &[u8]) -> Vec<u8> {
    let mut out = picture.to_vec();
    let tables: Vec<_> = segments(picture)
        .filter(|segment| segment.code == segments::DHT)
        .map(|segment| segment.start..segment.start + 4 + segment.payload.len())
        .collect();
    for table in tables.into_iter().rev() {
        out.drain(table);
    }
    out
}

struct Split {
    pictures: Vec<Vec<u8>>,
    damaged: u64,
    skipped: u64,
}

fn split(bytes: &[u8], max_len: usize, cuts: &[usize]) -> Split {
    let mut splitter = Splitter::new(max_len);
    let (mut pictures, mut input, mut rest) = (Vec::new(), BytesMut::new(), bytes);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (part, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        rest = behind;
        input.extend_from_slice(part);
        while let Some(picture) = splitter.next_picture(&mut input) {
            pictures.push(picture.to_vec());
        }
        assert!(input.len() <= max_len.max(2), "{} bytes are kept", input.len());
    }
    Split { pictures, damaged: splitter.damaged(), skipped: splitter.skipped() }
}

#[test]
fn a_real_picture_is_understood() {
    assert_eq!(dimensions(PILLOW), Some((24, 16)));
    assert!(has_huffman_tables(PILLOW) && is_complete(PILLOW));
    assert_eq!(picture_len(&[PILLOW, b"\0\0padding"].concat()), Some(PILLOW.len()));
}

#[test]
fn the_standard_tables_are_those_that_others_write() {
    let theirs: Vec<u8> = segments(PILLOW)
        .filter(|segment| segment.code == segments::DHT)
        .flat_map(|segment| segment.payload.to_vec())
        .collect();
    assert_eq!(STANDARD_HUFFMAN_TABLES[4..], theirs);
}

#[test]
fn tables_are_inserted_before_the_scan_and_only_where_they_lack() {
    assert!(matches!(insert_huffman_tables(PILLOW), std::borrow::Cow::Borrowed(_)));
    let bare = stripped(PILLOW);
    assert!(!has_huffman_tables(&bare) && is_complete(&bare));
    let whole = insert_huffman_tables(&bare);
    assert!(has_huffman_tables(&whole) && is_complete(&whole));
    assert_eq!(stripped(&whole), bare);
    assert_eq!(dimensions(&whole), Some((24, 16)));
    assert_eq!(insert_huffman_tables(&whole), whole);
}

#[test]
fn tables_are_not_inserted_where_they_cannot_be_used() {
    let mut progressive = stripped(PILLOW);
    let frame = segments(&progressive).find(|s| s.code == segments::SOF0).unwrap().start;
    progressive[frame + 1] = 0xC2;
    for bytes in [&progressive[..], b"", &[0xFF, 0xD8], &stripped(PILLOW)[..180]] {
        assert_eq!(huffman_tables_offset(bytes), None);
    }
}

#[test]
fn no_part_of_a_picture_is_complete() {
    for len in 0..PILLOW.len() {
        assert!(!is_complete(&PILLOW[..len]), "{len} bytes");
    }
    let (frame, scan) = (segment(0xC0, &[]), segment(0xDA, &[]));
    for (name, parts) in [
        ("nothing", vec![]),
        ("no scan", vec![&frame]),
        ("no frame header", vec![&scan]),
        ("two frame headers", vec![&frame, &frame, &scan]),
    ] {
        let parts: Vec<u8> = parts.into_iter().flatten().copied().collect();
        assert!(!is_complete(&[&SOI, &parts[..], &[0xFF, 0xD9]].concat()), "{name}");
    }
    assert!(is_complete(&[&SOI, &frame[..], &scan, &[0xFF, 0xD9]].concat()));
    assert!(!is_complete(&PILLOW[1..]), "no start");
}

#[test]
fn sizes_that_are_not_known() {
    let zero = [&[0xFF, 0xD8][..], &segment(0xC0, &[8, 0, 0, 0, 24, 1, 1, 0x11, 0])].concat();
    let table_first = [&[0xFF, 0xD8][..], &segment(0xC4, &[8, 0, 16, 0, 24])].concat();
    for bytes in [&zero[..], &table_first, &[], &PILLOW[..160]] {
        assert_eq!(dimensions(bytes), None);
    }
}

#[test]
fn a_thumbnail_neither_ends_nor_starts_a_picture() {
    let thumbnail = picture(b"", b"small");
    let big = picture(&thumbnail, b"big");
    let stream = [&big[..], &big].concat();
    let whole = split(&stream, 1000, &[7]);
    assert_eq!((whole.pictures, whole.skipped), (vec![big.clone(), big.clone()], 0));
    let too_long = split(&stream, big.len() - 1, &[7]);
    assert_eq!(too_long.pictures.len(), 0);
    assert_eq!((too_long.damaged, too_long.skipped), (2, stream.len() as u64));
}

#[test]
fn a_multipart_stream_is_split_and_its_heads_are_no_damage() {
    let part = "\r\n--foo\r\nContent-Type: image/jpeg\r\nContent-Length: 749\r\nX-Time: 1\r\n\r\n";
    let stream = [part.as_bytes(), PILLOW, part.as_bytes(), PILLOW, b"\r\n--foo--\r\n"].concat();
    let got = split(&stream, 1000, &[1]);
    assert_eq!((got.pictures.len(), got.damaged, got.skipped), (2, 0, 0));
}

#[test]
fn endless_text_is_damage() {
    let stream = [&vec![b'x'; 5000][..], PILLOW].concat();
    let got = split(&stream, 1000, &[100]);
    assert_eq!((got.pictures.len(), got.damaged, got.skipped), (1, 0, 5000));
}

#[test]
fn a_picture_that_is_cut_off_costs_itself_and_what_its_last_length_claims() {
    let after = PILLOW.repeat(90);
    let scan = PILLOW.len() - 40;
    for len in (3..PILLOW.len()).step_by(11).chain([4, 5, 6, scan]) {
        let stream = [&PILLOW[..len], &after].concat();
        let got = split(&stream, 2000, &[777]);
        // Here a table lacks as many bytes as the next picture has before one of its own: the joint fits.
        let joined = usize::from([69, 432].contains(&len));
        assert_eq!(got.pictures.iter().filter(|p| *p != PILLOW).count(), joined, "{len}");
        let given = got.pictures.concat().len();
        assert_eq!(got.skipped, (stream.len() - given) as u64, "{len}");
        let claimed = if len < scan { 65_535 + PILLOW.len() } else { 0 };
        let lost = after.len().saturating_sub(given);
        assert!(lost <= claimed, "{len}: {lost} bytes of whole pictures are lost");
    }
}

#[test]
fn damage_is_counted_and_skipped() {
    let garbage = [0x80, 0xFF, 0xD9, 0xFF, 0x00, b'x', 0xFF, 0xD8];
    let mut bad_marker = PILLOW.to_vec();
    bad_marker[2] = 0xFF;
    bad_marker[3] = 0x02;
    let stream = [&garbage[..], PILLOW, &bad_marker, PILLOW].concat();
    let got = split(&stream, 1000, &[5]);
    assert_eq!(got.pictures, [PILLOW, PILLOW]);
    // The start at the garbage's end is the second picture that comes to nothing.
    assert_eq!((got.damaged, got.skipped), (2, (garbage.len() + bad_marker.len()) as u64));
}

fn a_picture() -> impl Strategy<Value = Vec<u8>> {
    let byte = || prop_oneof![any::<u8>(), Just(0xFF), Just(0xD8), Just(0xD9)];
    let bytes = |max| prop::collection::vec(byte(), 0..max);
    (bytes(80), bytes(200)).prop_map(|(metadata, scan)| picture(&metadata, &scan))
}

proptest! {
    #[test]
    fn pictures_are_found_however_they_are_cut(
        pictures in prop::collection::vec((a_picture(), "([ -~\r\n]{0,40}|\0{0,9})"), 1..6),
        cuts in prop::collection::vec(1usize..90, 1..6),
    ) {
        let stream: Vec<u8> = pictures.iter().flat_map(|(p, gap)| [p, gap.as_bytes()].concat()).collect();
        let got = split(&stream, 1000, &cuts);
        let expected: Vec<_> = pictures.into_iter().map(|(picture, _)| picture).collect();
        prop_assert!(expected.iter().all(|picture| is_complete(picture)));
        prop_assert_eq!(got.pictures, expected);
        prop_assert_eq!((got.damaged, got.skipped), (0, 0));
    }

    #[test]
    fn garbage_neither_panics_nor_depends_on_cuts(
        parts in prop::collection::vec(
            prop_oneof![
                a_picture(),
                prop::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(0xD8)], 0..60),
                (a_picture(), any::<prop::sample::Index>()).prop_map(|(mut picture, at)| {
                    picture.truncate(at.index(picture.len()));
                    picture
                }),
            ],
            0..6,
        ),
        max_len in 0usize..300,
        cuts in prop::collection::vec(1usize..90, 1..6),
    ) {
        let stream = parts.concat();
        let (cut, single) = (split(&stream, max_len, &cuts), split(&stream, max_len, &[1]));
        prop_assert!(cut.pictures.iter().all(|p| p.len() <= max_len && picture_len(p) == Some(p.len())));
        prop_assert_eq!((cut.damaged, cut.skipped), (single.damaged, single.skipped));
        prop_assert_eq!(cut.pictures, single.pictures);
        let _any = (dimensions(&stream), insert_huffman_tables(&stream));
    }
}
