use super::*;
use proptest::prelude::*;

fn header(line: &str) -> Result<StreamHeader, Y4mError> {
    parse_stream_header(format!("YUV4MPEG2{line}\n").as_bytes()).map(|header| header.unwrap().0)
}

#[test]
fn headers_that_are_read() {
    let plain = StreamHeader {
        width: 5,
        height: 3,
        rate: None,
        interlace: Interlace::Progressive,
        layout: Layout::Yuv420,
        range: None,
    };
    let cases = [
        (" W5 H3", plain),
        (" H3 W5 A1:1 C420jpeg", plain),
        (" W5 H3 F30000:1001 C420mpeg2", StreamHeader { rate: Some((30_000, 1001)), ..plain }),
        (" W5 H3 F0:0 I? C420", plain),
        (" W5 H3 It", StreamHeader { interlace: Interlace::TopFirst, ..plain }),
        (" W5 H3 Ib", StreamHeader { interlace: Interlace::BottomFirst, ..plain }),
        (" W5 H3 Im", StreamHeader { interlace: Interlace::Mixed, ..plain }),
        (" W5 H3 C422", StreamHeader { layout: Layout::Yuv422, ..plain }),
        (" W5 H3 C444", StreamHeader { layout: Layout::Yuv444, ..plain }),
        (" W5 H3 Cmono", StreamHeader { layout: Layout::Mono, ..plain }),
        (
            " W5 H3 XCOLORRANGE=FULL XYSCSS=420JPEG",
            StreamHeader { range: Some(Range::Full), ..plain },
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(header(line), Ok(expected), "{line}");
    }
}

#[test]
fn frames_have_room_for_odd_sides() {
    for (layout, len) in [("420", 15 + 2 * 6), ("422", 15 + 2 * 9), ("444", 45), ("mono", 15)] {
        assert_eq!(header(&format!(" W5 H3 C{layout}")).unwrap().frame_len(), len, "{layout}");
    }
}

#[test]
fn headers_that_are_refused() {
    for bad in ["W0", "W16385", "W-1", "Wx", "H", "F30", "F30:", "Ix", "C420p10", "C411", "C"] {
        let error = header(&format!(" W5 H3 {bad}")).unwrap_err();
        assert_eq!(error, Y4mError::Parameter(bad.into()), "{bad}");
    }
    assert_eq!(header(" W5"), Err(Y4mError::NoSize));
    for bad in [&b"YUV4MPEG3 "[..], b"\xFF\xD8", b"YUV4MPEG2X"] {
        assert_eq!(parse_stream_header(bad), Err(Y4mError::NotY4m));
    }
    let long = format!("YUV4MPEG2 {}", "X".repeat(MAX_STREAM_HEADER_LEN));
    assert_eq!(parse_stream_header(long.as_bytes()), Err(Y4mError::LongHeader));
    assert_eq!(parse_frame_header(b"FRAMES\n"), Err(Y4mError::NotAFrame));
}

#[test]
fn too_long_frames_are_refused_with_the_header() {
    let mut input = BytesMut::from("YUV4MPEG2 W16384 H16384 C444\n");
    let error = Parser::new(1000).next_frame(&mut input).unwrap_err();
    assert_eq!(error.to_string(), "frames of 805306368 bytes are longer than the limit of 1000");
}

/// All frames of a stream that is read in pieces, and the error that ended it.
fn run(bytes: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Option<Y4mError>) {
    let mut parser = Parser::new(1000);
    let (mut frames, mut input, mut rest) = (Vec::new(), BytesMut::new(), bytes);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (part, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        rest = behind;
        input.extend_from_slice(part);
        loop {
            match parser.next_frame(&mut input) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(input.len() < 1000 + MAX_STREAM_HEADER_LEN);
    }
    (frames, None)
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 24), 1..6),
        params in prop::sample::select(&["", " Ip", " Xabc"][..]),
        cuts in prop::collection::vec(1usize..60, 1..6),
    ) {
        let mut stream = b"YUV4MPEG2 W4 H4 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n".to_vec();
        for frame in &frames {
            stream.extend([b"FRAME", params.as_bytes(), b"\n", frame].concat());
        }
        prop_assert_eq!(run(&stream, &cuts), (frames, None));
    }

    #[test]
    fn garbage_neither_panics_nor_depends_on_cuts(
        tail in prop::collection::vec(any::<u8>(), 0..300),
        head in prop::sample::select(&["", "YUV4MPEG2 ", "YUV4MPEG2 W4 H4\n", "YUV4MPEG2 W4 H4\nFRAME\n"][..]),
        cuts in prop::collection::vec(1usize..60, 1..6),
    ) {
        let bytes = [head.as_bytes(), &tail].concat();
        let (whole, cut) = (run(&bytes, &[usize::MAX]), run(&bytes, &cuts));
        prop_assert_eq!(whole, cut);
    }
}
