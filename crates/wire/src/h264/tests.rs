use super::bits::BitWriter;
use super::*;
use bytes::BytesMut;
use proptest::prelude::*;

/// Six pictures of two slices each, 34 x 18 pixels, two of them key pictures; by x264, baseline profile, with delimiters.
const BASELINE: &[u8] = include_bytes!("../../testdata/x264_34x18_baseline.h264");
/// The same in high profile, with parameters of a reference decoder.
const HIGH: &[u8] = include_bytes!("../../testdata/x264_34x18_high.h264");
/// With B frames.
const B_FRAMES: &[u8] = include_bytes!("../../testdata/x264_34x18_b_frames.h264");

const BT601: Colour = Colour { primaries: 1, transfer: 13, matrix: 6, is_full_range: false };

fn split(stream: &[u8], max_len: usize, cuts: &[usize]) -> (Vec<Vec<u8>>, u64) {
    let mut splitter = Splitter::new(max_len);
    let (mut found, mut input, mut rest) = (Vec::new(), BytesMut::new(), stream);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (part, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        rest = behind;
        input.extend_from_slice(part);
        while let Some(unit) = splitter.next_access_unit(&mut input) {
            found.push(unit.to_vec());
        }
        assert!(input.len() <= max_len.saturating_add(6), "{} bytes wait", input.len());
    }
    found.extend(splitter.finish(&mut input).map(|unit| unit.to_vec()));
    (found, splitter.damaged())
}

fn sps_of(stream: &[u8]) -> Vec<u8> {
    units(stream).find(|unit| unit[0] & 31 == 7).unwrap().to_vec()
}

/// A set of baseline profile without any word on how it is shown, 64 x 48 pixels.
fn bare_sps() -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.number(0x42_c0_1e, 24);
    for number in [0, 0, 2, 1] {
        bits.unsigned(number);
    }
    bits.bit(false);
    bits.unsigned(3);
    bits.unsigned(2);
    bits.number(0b1100, 4);
    let mut unit = vec![0x67];
    bits.finish(&mut unit);
    unit
}

#[test]
fn a_stream_is_split_at_its_pictures_however_it_is_cut() {
    for stream in [BASELINE, HIGH] {
        let (whole, damaged) = split(stream, 1 << 20, &[usize::MAX]);
        assert_eq!((whole.len(), damaged), (6, 0));
        assert_eq!(whole.concat(), stream);
        let keys: Vec<_> = whole.iter().map(|unit| is_key(unit)).collect();
        assert_eq!(keys, [true, false, false, true, false, false]);
        for cut in [1, 2, 3, 7, 100] {
            assert!(split(stream, 1 << 20, &[cut]).0 == whole);
        }
    }
}

#[test]
fn what_is_too_long_or_stands_before_the_first_is_skipped() {
    let (whole, _) = split(BASELINE, 1 << 20, &[usize::MAX]);
    let longest = whole.iter().map(Vec::len).max().unwrap();
    let fitting: Vec<_> = whole.iter().filter(|unit| unit.len() < longest).cloned().collect();
    for cut in [1, 50, usize::MAX] {
        let (found, damaged) = split(BASELINE, longest - 1, &[cut]);
        assert!(found == fitting, "{} of {}", found.len(), fitting.len());
        assert_eq!(damaged, (whole.len() - fitting.len()) as u64);
        let behind_noise = [b"noise \0\0", BASELINE].concat();
        assert_eq!(split(&behind_noise, 1 << 20, &[cut]).0.len(), 6);
    }
}

#[test]
fn parameter_sets_are_read() {
    let baseline = Sps::parse(&sps_of(BASELINE)).unwrap();
    assert_eq!((baseline.width, baseline.height, baseline.reordered), (34, 18, Some(0)));
    assert_eq!((baseline.colour, baseline.id), (None, 0));
    let bare = Sps::parse(&bare_sps()).unwrap();
    assert_eq!((bare.width, bare.height, bare.max_ref_frames), (64, 48, 1));
    assert_eq!(Sps::parse(&[0x68, 1, 2, 3]), None);
    assert_eq!(Sps::parse(&[]), None);
}

#[test]
fn sets_are_completed_and_all_else_stays() {
    for unit in [sps_of(BASELINE), sps_of(HIGH), bare_sps()] {
        let before = Sps::parse(&unit).unwrap();
        let completed = before.complete(&unit, BT601);
        let after = Sps::parse(&completed).unwrap();
        assert_eq!((after.colour, after.reordered), (Some(BT601), Some(0)));
        let same = |sps: &Sps| (sps.id, sps.width, sps.height, sps.max_ref_frames);
        assert_eq!(same(&after), same(&before));
        let again = after.complete(&completed, Colour { matrix: 1, ..BT601 });
        assert_eq!(again, completed, "what is said stays");
        assert!(units(&[&[0, 0, 1][..], &completed].concat()).eq([&completed[..]]));
    }
}

#[test]
fn the_codec_is_that_of_the_bytes() {
    assert_eq!(codec(BASELINE).unwrap()[..8], *"avc1.42C");
    assert_eq!(codec(HIGH).unwrap()[..7], *"avc1.64");
    assert_eq!(codec(&BASELINE[BASELINE.len() - 40..]), None);
}

#[test]
fn every_key_picture_has_its_sets_also_where_the_stream_has_them_once() {
    let (all, _) = split(BASELINE, 1 << 20, &[usize::MAX]);
    let without_sets = |unit: &[u8]| -> Vec<u8> {
        let kept = units(unit).filter(|unit| !matches!(unit[0] & 31, 7 | 8));
        kept.flat_map(|unit| [&[0, 0, 1], unit].concat()).collect()
    };
    let mut mender = Mender::new(BT601);
    let mut out = Vec::new();
    assert_eq!(mender.mend(&all[1], &mut out), Ok(Mended::Unusable));
    assert_eq!(mender.mend(&all[0], &mut out), Ok(Mended::Picture { is_key: true }));
    assert_eq!(mender.mend(&all[1], &mut out), Ok(Mended::Picture { is_key: false }));
    assert_eq!(units(&out).count(), 3, "a delimiter and two slices");
    assert_eq!(mender.mend(&without_sets(&all[3]), &mut out), Ok(Mended::Picture { is_key: true }));
    let kinds: Vec<_> = units(&out).map(|unit| unit[0] & 31).collect();
    assert_eq!(kinds, [9, 7, 8, 5, 5]);
    assert_eq!(Sps::parse(&sps_of(&out)).unwrap().colour, Some(BT601));
    assert_eq!(mender.colour(), BT601);
    mender.lose();
    assert_eq!(mender.mend(&all[4], &mut out), Ok(Mended::Unusable));
    assert_eq!(mender.mend(&all[0], &mut out), Ok(Mended::Picture { is_key: true }));
}

#[test]
fn b_frames_are_refused() {
    let (all, _) = split(B_FRAMES, 1 << 20, &[usize::MAX]);
    let mut mender = Mender::new(BT601);
    let refused = all.iter().find_map(|unit| mender.mend(unit, &mut Vec::new()).err());
    assert!(refused.unwrap().to_string().contains("-bf 0"));
}

proptest! {
    #[test]
    fn nothing_that_comes_panics(
        seed in prop::sample::select(vec![BASELINE, HIGH, B_FRAMES]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in 1usize..200,
        max_len in 1usize..2000,
    ) {
        let mut stream = seed.to_vec();
        for (at, byte) in changes {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let mut mender = Mender::new(BT601);
        let mut out = Vec::new();
        for unit in split(&stream, max_len, &[cut]).0 {
            prop_assert!(unit.len() <= max_len);
            if let Ok(Mended::Picture { is_key }) = mender.mend(&unit, &mut out) {
                prop_assert_eq!(is_key, super::is_key(&out));
                prop_assert_eq!(is_key, is_key && codec(&out).is_some());
            }
        }
    }

    #[test]
    fn any_set_that_is_read_is_completed_so_that_it_is_read_again(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        seed in prop::sample::select(vec![sps_of(BASELINE), sps_of(HIGH), bare_sps()]),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut changed = seed;
        let at = at.index(changed.len() - 1) + 1;
        changed[at] = byte;
        for unit in [[&[0x67], &bytes[..]].concat(), changed] {
            let Some(sps) = Sps::parse(&unit) else { continue };
            let completed = sps.complete(&unit, BT601);
            let again = Sps::parse(&completed).unwrap();
            prop_assert!(again.colour.is_some() && again.reordered.is_some());
            prop_assert_eq!((again.width, again.height), (sps.width, sps.height));
        }
    }
}
