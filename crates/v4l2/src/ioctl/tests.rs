//! Proves the layout of every structure on all four machines, whichever this test runs on.
//!
//! Each structure is described once more, field by field, in terms of what the rules of an ABI say about its types. Then:
//! the description laid out by the rules of this machine is what the Rust compiler made of the structure (so it describes
//! the right thing), and laid out by the rules of each machine it is what a C compiler made of the kernel's header there
//! (so the Rust structure is right on all). The numbers in the table were taken from `linux/videodev2.h` of Linux 6.1 with
//! a C compiler, offsets by `offsetof`, for 64-bit x86 and for a 32-bit ABI that aligns 64-bit integers to 8 bytes as
//! 32-bit ARM does. aarch64 has the rules of the former, armv7 and armv6 those of the latter.
//!
//! Source: System V Application Binary Interface, AMD64 supplement, "Data Representation"; Procedure Call Standard for the
//! Arm 64-bit Architecture and for the Arm Architecture, "Fundamental Data Types" and "Composite Types".

use rustix::ioctl::Opcode;

use super::{
    buffer, capability, control_query, control_value, enumerate, event, format, input, parameters,
    stream, timings,
};

/// What the layout rules of a machine depend on.
#[derive(Debug, Clone, Copy)]
struct Abi {
    /// Bytes of a pointer and of a C `long`.
    pointer: usize,
    /// Bytes of each half of a `timeval` or `timespec`.
    time: usize,
}

/// x86-64, aarch64.
const LP64: Abi = Abi { pointer: 8, time: 8 };
/// armv7, armv6, as the kernel since 5.6 and this crate have it.
const ARM: Abi = Abi { pointer: 4, time: 8 };
/// The same with the time of older kernels.
const ARM_TIME32: Abi = Abi { pointer: 4, time: 4 };

/// The machine that this test runs on.
#[cfg(target_pointer_width = "64")]
const HERE: Abi = LP64;
#[cfg(target_pointer_width = "32")]
const HERE: Abi = ARM;

/// A type, as far as its size and alignment go.
#[derive(Debug, Clone, Copy)]
enum Ty {
    U8,
    U16,
    U32,
    U64,
    Time,
    Pointer,
    Array(&'static Ty, usize),
    Struct(&'static [Ty]),
    Union(&'static [Ty]),
    /// A union or structure of packing 4.
    Packed(&'static Ty),
    /// A field that exists on 64-bit machines only.
    Only64(&'static Ty),
}
use Ty::{Array, Only64, Packed, Pointer, Struct, Time, U8, U16, U32, U64, Union};

const fn bytes(count: usize) -> Ty {
    Array(&U8, count)
}

const fn words(count: usize) -> Ty {
    Array(&U32, count)
}

impl Ty {
    /// Size and alignment; natural for numbers, the greatest of the parts for composites.
    fn layout(self, abi: Abi) -> (usize, usize) {
        match self {
            U8 => (1, 1),
            U16 => (2, 2),
            U32 => (4, 4),
            U64 => (8, 8),
            Time => (abi.time, abi.time),
            Pointer => (abi.pointer, abi.pointer),
            Array(element, count) => {
                let (size, align) = element.layout(abi);
                (size * count, align)
            }
            Struct(fields) => {
                let (_, size, align) = place(fields, abi);
                (size, align)
            }
            Union(members) => {
                let layouts = members.iter().map(|member| member.layout(abi));
                let (size, align) = layouts.fold((0, 1), |a, b| (a.0.max(b.0), a.1.max(b.1)));
                (size.next_multiple_of(align), align)
            }
            Packed(inner) => {
                let (size, align) = inner.layout(abi);
                (size.next_multiple_of(align.min(4)), align.min(4))
            }
            Only64(inner) if abi.pointer == 8 => inner.layout(abi),
            Only64(_) => (0, 1),
        }
    }
}

/// Offsets, size and alignment of a structure with these fields.
fn place(fields: &[Ty], abi: Abi) -> (Vec<usize>, usize, usize) {
    let (mut offsets, mut end, mut greatest) = (Vec::new(), 0, 1);
    for field in fields {
        let (size, align) = field.layout(abi);
        end = usize::next_multiple_of(end, align);
        if !(size == 0 && matches!(field, Only64(_))) {
            offsets.push(end);
        }
        end += size;
        greatest = greatest.max(align);
    }
    (offsets, end.next_multiple_of(greatest), greatest)
}

/// One structure: as Rust has it, as described, and as C has it.
struct Case {
    name: &'static str,
    /// Offsets by the Rust compiler, then the size.
    rust: Vec<usize>,
    fields: Vec<Ty>,
    /// Offsets by the C compiler, then the size.
    c64: Vec<usize>,
    c32: Vec<usize>,
}

/// `struct_name: RustType { field: Ty, … } [numbers on 64 bit] [on 32 bit, if others]`
macro_rules! case {
    ($name:literal: $type:ty { $($(#[$only:meta])? $field:ident: $ty:expr),+ $(,)? } $c64:expr) => {
        case!($name: $type { $($(#[$only])? $field: $ty),+ } $c64, $c64)
    };
    ($name:literal: $type:ty { $($(#[$only:meta])? $field:ident: $ty:expr),+ $(,)? } $c64:expr, $c32:expr) => {
        Case {
            name: $name,
            rust: vec![
                $($(#[$only])? std::mem::offset_of!($type, $field),)+
                size_of::<$type>(),
            ],
            fields: vec![$($ty),+],
            c64: $c64.to_vec(),
            c32: $c32.to_vec(),
        }
    };
}

const FOUR: [usize; 4] = [0, 4, 8, 12];

fn with<const N: usize>(start: &[usize], rest: [usize; N]) -> Vec<usize> {
    start.iter().copied().chain(rest).collect()
}

/// `struct v4l2_plane_pix_format`.
const PLANE_FORMAT: Ty = Struct(&[U32, U32, Array(&U16, 6)]);
/// `struct v4l2_pix_format_mplane`.
const FORMAT_MPLANE: Ty = Struct(&[words(5), Array(&PLANE_FORMAT, 8), bytes(12)]);
/// `struct v4l2_captureparm`.
const CAPTURE: Ty = words(10);
/// `struct v4l2_timecode`.
const TIMECODE: Ty = Struct(&[U32, U32, U8, U8, U8, U8, bytes(4)]);

fn capabilities_and_lists() -> Vec<Case> {
    vec![
        case!("v4l2_capability": capability::Capability {
            driver: bytes(16), card: bytes(32), bus_info: bytes(32), version: U32,
            capabilities: U32, device_caps: U32, reserved: words(3),
        } [0, 16, 48, 80, 84, 88, 92, 104]),
        case!("v4l2_fmtdesc": enumerate::FmtDesc {
            index: U32, type_: U32, flags: U32, description: bytes(32), pixelformat: U32,
            mbus_code: U32, reserved: words(3),
        } [0, 4, 8, 12, 44, 48, 52, 64]),
        case!("v4l2_frmsizeenum": enumerate::FrmSizeEnum {
            index: U32, pixel_format: U32, type_: U32, size: words(6), reserved: words(2),
        } [0, 4, 8, 12, 36, 44]),
        case!("v4l2_frmivalenum": enumerate::FrmIvalEnum {
            index: U32, pixel_format: U32, width: U32, height: U32, type_: U32,
            interval: words(6), reserved: words(2),
        } [0, 4, 8, 12, 16, 20, 44, 52]),
        case!("v4l2_input": input::Input {
            index: U32, name: bytes(32), type_: U32, audioset: U32, tuner: U32, std: U64,
            status: U32, capabilities: U32, reserved: words(3),
        } [0, 4, 36, 40, 44, 48, 56, 60, 64, 80]),
        case!("int": input::Index { value: U32 } [0, 4]),
        case!("int": stream::Type { value: U32 } [0, 4]),
    ]
}

fn formats() -> Vec<Case> {
    let all_words: Vec<usize> = (0..=12).map(|word| word * 4).collect();
    vec![
        case!("v4l2_pix_format": format::PixFormat {
            width: U32, height: U32, pixelformat: U32, field: U32, bytesperline: U32,
            sizeimage: U32, colorspace: U32, priv_: U32, flags: U32, ycbcr_enc: U32,
            quantization: U32, xfer_func: U32,
        } all_words),
        case!("v4l2_plane_pix_format": format::PlanePixFormat {
            sizeimage: U32, bytesperline: U32, reserved: Array(&U16, 6),
        } [0, 4, 8, 20]),
        case!("v4l2_pix_format_mplane": format::PixFormatMplane {
            width: U32, height: U32, pixelformat: U32, field: U32, colorspace: U32,
            plane_fmt: Array(&PLANE_FORMAT, 8), num_planes: U8, flags: U8, ycbcr_enc: U8,
            quantization: U8, xfer_func: U8, reserved: bytes(7),
        } with(&FOUR, [16, 20, 180, 181, 182, 183, 184, 185, 192])),
        case!("v4l2_format, pix": format::SingleFormat {
            type_: U32, #[cfg(target_pointer_width = "64")] align: Only64(&U32), pix: words(12),
            rest: words(38),
        } [0, 4, 8, 56, 208], [0, 4, 52, 204]),
        case!("v4l2_format, pix_mp": format::MultiFormat {
            type_: U32, #[cfg(target_pointer_width = "64")] align: Only64(&U32),
            pix_mp: FORMAT_MPLANE, rest: words(2),
        } [0, 4, 8, 200, 208], [0, 4, 196, 204]),
        case!("v4l2_captureparm": parameters::CaptureParm {
            capability: U32, capturemode: U32, numerator: U32, denominator: U32,
            extendedmode: U32, readbuffers: U32, reserved: words(4),
        } with(&FOUR, [16, 20, 24, 40])),
        case!("v4l2_streamparm": parameters::StreamParm {
            type_: U32, capture: CAPTURE, rest: words(40),
        } [0, 4, 44, 204]),
        case!("v4l2_dv_timings": timings::DvTimings {
            type_: U32, width: U32, height: U32, interlaced: U32, polarities: U32,
            pixelclock: words(2), hfrontporch: U32, hsync: U32, hbackporch: U32, vfrontporch: U32,
            vsync: U32, vbackporch: U32, il_vfrontporch: U32, il_vsync: U32, il_vbackporch: U32,
            standards: U32, flags: U32, picture_aspect: words(2), cea861_vic: U8, hdmi_vic: U8,
            reserved: bytes(46), rest: U32,
        } with(&FOUR, [
            16, 20, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 80, 81, 82, 128, 132,
        ])),
    ]
}

fn controls_and_events() -> Vec<Case> {
    vec![
        case!("v4l2_query_ext_ctrl": control_query::QueryExtCtrl {
            id: U32, type_: U32, name: bytes(32), minimum: U64, maximum: U64, step: U64,
            default_value: U64, flags: U32, elem_size: U32, elems: U32, nr_of_dims: U32,
            dims: words(4), reserved: words(32),
        } [0, 4, 8, 40, 48, 56, 64, 72, 76, 80, 84, 88, 104, 232]),
        case!("v4l2_queryctrl": control_query::QueryCtrl {
            id: U32, type_: U32, name: bytes(32), minimum: U32, maximum: U32, step: U32,
            default_value: U32, flags: U32, reserved: words(2),
        } [0, 4, 8, 40, 44, 48, 52, 56, 60, 68]),
        case!("v4l2_querymenu": control_query::QueryMenu {
            id: U32, index: U32, item: bytes(32), reserved: U32,
        } [0, 4, 8, 40, 44]),
        case!("v4l2_control": control_value::Control { id: U32, value: U32 } [0, 4, 8]),
        case!("v4l2_ext_control": control_value::ExtControl {
            id: U32, size: U32, reserved2: U32, value: Packed(&Union(&[U32, U64, Pointer])),
        } with(&FOUR, [20])),
        case!("v4l2_ext_controls": control_value::ExtControls {
            which: U32, count: U32, error_idx: U32, request_fd: U32, reserved: U32,
            controls: Pointer,
        } with(&FOUR, [16, 24, 32]), with(&FOUR, [16, 20, 24])),
        case!("v4l2_event": event::Event {
            type_: U32, data: Array(&U64, 8), pending: U32, sequence: U32,
            timestamp: Array(&Time, 2), id: U32, reserved: words(8),
        } [0, 8, 72, 76, 80, 96, 100, 136]),
        case!("v4l2_event_subscription": event::EventSubscription {
            type_: U32, id: U32, flags: U32, reserved: words(5),
        } with(&FOUR, [32])),
    ]
}

fn buffers() -> Vec<Case> {
    vec![
        case!("v4l2_requestbuffers": buffer::RequestBuffers {
            count: U32, type_: U32, memory: U32, capabilities: U32, flags: U8, reserved: bytes(3),
        } with(&FOUR, [16, 17, 20])),
        case!("v4l2_timecode": buffer::Timecode {
            type_: U32, flags: U32, frames: U8, seconds: U8, minutes: U8, hours: U8,
            userbits: bytes(4),
        } [0, 4, 8, 9, 10, 11, 12, 16]),
        case!("v4l2_plane": buffer::Plane {
            bytesused: U32, length: U32, mem_offset: U32,
            #[cfg(target_pointer_width = "64")] rest: Only64(&U32), data_offset: U32,
            reserved: words(11),
        } with(&FOUR, [16, 20, 64]), with(&FOUR, [16, 60])),
        case!("v4l2_buffer": buffer::Buffer {
            index: U32, type_: U32, bytesused: U32, flags: U32, field: U32,
            timestamp: Array(&Time, 2), timecode: TIMECODE, sequence: U32, memory: U32,
            m: Union(&[U32, Pointer]), length: U32, reserved2: U32, request_fd: U32,
        } with(&FOUR, [16, 24, 40, 56, 60, 64, 72, 76, 80, 88]),
          with(&FOUR, [16, 24, 40, 56, 60, 64, 68, 72, 76, 80])),
    ]
}

fn all() -> Vec<Case> {
    let mut all = capabilities_and_lists();
    all.extend(formats());
    all.extend(controls_and_events());
    all.extend(buffers());
    all
}

impl Case {
    /// Offsets by the rules of a machine, then the size.
    fn by_rules(&self, abi: Abi) -> Vec<usize> {
        let (mut numbers, size, _) = place(&self.fields, abi);
        numbers.push(size);
        numbers
    }
}

#[test]
fn descriptions_are_of_the_structures_that_are_used() {
    for case in all() {
        assert_eq!(case.by_rules(HERE), case.rust, "struct {}", case.name);
    }
}

#[test]
fn structures_are_the_kernels_on_64_bit_machines() {
    for case in all() {
        assert_eq!(case.by_rules(LP64), case.c64, "struct {}", case.name);
    }
}

#[test]
fn structures_are_the_kernels_on_32_bit_arm() {
    for case in all() {
        assert_eq!(case.by_rules(ARM), case.c32, "struct {}", case.name);
    }
}

/// The structures that kernels before 5.6 want from 32-bit programs are others, so those kernels do not know our numbers
/// and refuse them; they do not misread.
#[test]
fn old_time_gives_other_sizes_and_so_other_requests() {
    let size = |name: &str| {
        let all = all();
        let case = all.iter().find(|case| case.name == name).expect("in the table");
        (case.by_rules(ARM_TIME32).pop(), case.by_rules(ARM).pop(), case.by_rules(LP64).pop())
    };
    assert_eq!(size("v4l2_buffer"), (Some(68), Some(80), Some(88)));
    assert_eq!(size("v4l2_event"), (Some(128), Some(136), Some(136)));
    for case in all().iter().filter(|case| !["v4l2_buffer", "v4l2_event"].contains(&case.name)) {
        assert_eq!(case.by_rules(ARM_TIME32), case.c32, "struct {} has no time", case.name);
    }
}

/// `_IOC(direction, 'V', number, size)`: 1 the kernel reads, 2 it writes, 3 both.
fn request(direction: u64, number: u64, size: u64) -> u64 {
    direction << 30 | size << 16 | 0x56 << 8 | number
}

/// Name, ours, direction, number, size on 64 bit, size on 32-bit ARM, the number on 64 bit, and on 32-bit ARM.
type Row = (&'static str, Opcode, u64, u64, u64, u64, u64, u64);

/// Numbers as the C compiler made them of the header's macros.
#[rustfmt::skip]
const REQUESTS: &[Row] = &[
    ("QUERYCAP", capability::QUERYCAP, 2, 0, 104, 104, 0x8068_5600, 0x8068_5600),
    ("ENUM_FMT", enumerate::ENUM_FMT, 3, 2, 64, 64, 0xc040_5602, 0xc040_5602),
    ("G_FMT", format::G_FMT, 3, 4, 208, 204, 0xc0d0_5604, 0xc0cc_5604),
    ("S_FMT", format::S_FMT, 3, 5, 208, 204, 0xc0d0_5605, 0xc0cc_5605),
    ("REQBUFS", buffer::REQBUFS, 3, 8, 20, 20, 0xc014_5608, 0xc014_5608),
    ("QUERYBUF", buffer::QUERYBUF, 3, 9, 88, 80, 0xc058_5609, 0xc050_5609),
    ("QBUF", buffer::QBUF, 3, 15, 88, 80, 0xc058_560f, 0xc050_560f),
    ("DQBUF", buffer::DQBUF, 3, 17, 88, 80, 0xc058_5611, 0xc050_5611),
    ("STREAMON", stream::STREAMON, 1, 18, 4, 4, 0x4004_5612, 0x4004_5612),
    ("STREAMOFF", stream::STREAMOFF, 1, 19, 4, 4, 0x4004_5613, 0x4004_5613),
    ("G_PARM", parameters::G_PARM, 3, 21, 204, 204, 0xc0cc_5615, 0xc0cc_5615),
    ("S_PARM", parameters::S_PARM, 3, 22, 204, 204, 0xc0cc_5616, 0xc0cc_5616),
    ("ENUMINPUT", input::ENUMINPUT, 3, 26, 80, 80, 0xc050_561a, 0xc050_561a),
    ("G_CTRL", control_value::G_CTRL, 3, 27, 8, 8, 0xc008_561b, 0xc008_561b),
    ("S_CTRL", control_value::S_CTRL, 3, 28, 8, 8, 0xc008_561c, 0xc008_561c),
    ("QUERYCTRL", control_query::QUERYCTRL, 3, 36, 68, 68, 0xc044_5624, 0xc044_5624),
    ("QUERYMENU", control_query::QUERYMENU, 3, 37, 44, 44, 0xc02c_5625, 0xc02c_5625),
    ("G_INPUT", input::G_INPUT, 2, 38, 4, 4, 0x8004_5626, 0x8004_5626),
    ("S_INPUT", input::S_INPUT, 3, 39, 4, 4, 0xc004_5627, 0xc004_5627),
    ("TRY_FMT", format::TRY_FMT, 3, 64, 208, 204, 0xc0d0_5640, 0xc0cc_5640),
    ("G_EXT_CTRLS", control_value::G_EXT_CTRLS, 3, 71, 32, 24, 0xc020_5647, 0xc018_5647),
    ("S_EXT_CTRLS", control_value::S_EXT_CTRLS, 3, 72, 32, 24, 0xc020_5648, 0xc018_5648),
    ("ENUM_FRAMESIZES", enumerate::ENUM_FRAMESIZES, 3, 74, 44, 44, 0xc02c_564a, 0xc02c_564a),
    ("ENUM_FRAMEINTERVALS", enumerate::ENUM_FRAMEINTERVALS, 3, 75, 52, 52, 0xc034_564b, 0xc034_564b),
    ("S_DV_TIMINGS", timings::S_DV_TIMINGS, 3, 87, 132, 132, 0xc084_5657, 0xc084_5657),
    ("G_DV_TIMINGS", timings::G_DV_TIMINGS, 3, 88, 132, 132, 0xc084_5658, 0xc084_5658),
    ("DQEVENT", event::DQEVENT, 2, 89, 136, 136, 0x8088_5659, 0x8088_5659),
    ("SUBSCRIBE_EVENT", event::SUBSCRIBE_EVENT, 1, 90, 32, 32, 0x4020_565a, 0x4020_565a),
    ("UNSUBSCRIBE_EVENT", event::UNSUBSCRIBE_EVENT, 1, 91, 32, 32, 0x4020_565b, 0x4020_565b),
    ("QUERY_DV_TIMINGS", timings::QUERY_DV_TIMINGS, 2, 99, 132, 132, 0x8084_5663, 0x8084_5663),
    ("QUERY_EXT_CTRL", control_query::QUERY_EXT_CTRL, 3, 103, 232, 232, 0xc0e8_5667, 0xc0e8_5667),
];

#[test]
fn requests_have_the_kernels_numbers() {
    for &(name, ours, direction, number, size64, size32, c64, c32) in REQUESTS {
        assert_eq!(request(direction, number, size64), c64, "VIDIOC_{name} on 64 bit");
        assert_eq!(request(direction, number, size32), c32, "VIDIOC_{name} on 32-bit ARM");
        let here = if HERE.pointer == 8 { c64 } else { c32 };
        assert_eq!(u64::from(ours), here, "VIDIOC_{name} here");
    }
}

/// The rules themselves, on something that everybody can count.
#[test]
fn rules_align_and_pad() {
    let mixed = [U8, U64, U16, Pointer];
    assert_eq!(place(&mixed, LP64), (vec![0, 8, 16, 24], 32, 8));
    assert_eq!(place(&mixed, ARM), (vec![0, 8, 16, 20], 24, 8));
    const NUMBER_OR_TEXT: Ty = Union(&[U32, bytes(5)]);
    assert_eq!(NUMBER_OR_TEXT.layout(ARM), (8, 4));
    assert_eq!(Packed(&U64).layout(ARM), (8, 4));
}
