//! The command line: which chip, which lines, what each of them is.

use std::ffi::OsString;
use std::time::Duration;

use gpiocdev::line::Bias;
use lexopt::Parser;
use lexopt::prelude::{Long, Short, ValueExt as _};

/// The command line's summary.
pub(crate) const USAGE: &str = "\
usage: eyelet --mule 'AREA=gpio([--chip CHIP] LINES)', LINES being one or more of
  --in [NAME=]LINE   an input, by its number on the chip or the chip's name for it
  --out [NAME=]LINE  an output, which is 0 at first
  --active-low       1 means low: behind the line that it is about, before the first one for all
  --bias BIAS        pull-up, pull-down or none, in the same way
  --debounce TIME    of inputs, in the same way: shorter changes count for nothing, as 5ms
CHIP is a path, a name as gpiochip0, or a label; /dev/gpiochip0 by default.
other uses: eyelet-gpio --list | --describe | --help";

/// The chip of most machines that have one.
const DEFAULT_CHIP: &str = "/dev/gpiochip0";
/// The most that one request of the kernel's takes. Source: `GPIO_V2_LINES_MAX`, include/uapi/linux/gpio.h.
const MAX_LINES: usize = 64;
/// Far longer than any switch bounces; the kernel's field ends at an hour.
const MAX_DEBOUNCE: Duration = Duration::from_secs(60);

/// What the program is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Say what it is.
    Describe,
    /// Say how it is used.
    Help,
    /// Say which chips and lines there are.
    List,
    /// Own an area.
    Run(Options),
}

/// Which lines of which chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// A path, a name or a label.
    pub(crate) chip: String,
    /// In the order in which they stand in the area; at least one.
    pub(crate) lines: Vec<Line>,
}

/// A line, as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What messages call it.
    pub(crate) name: String,
    /// Which of the chip's it is.
    pub(crate) place: Place,
    /// Who sets it.
    pub(crate) direction: Direction,
    /// How it is wired.
    pub(crate) wiring: Wiring,
}

/// Which of a chip's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By its number on the chip.
    Offset(u32),
    /// By the chip's name for it.
    Name(String),
}

/// Who sets a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The world.
    In,
    /// Whoever may write to the area.
    Out,
}

/// How a line is wired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// 1 means low.
    pub(crate) is_active_low: bool,
    /// What pulls it while nobody drives it; as it is where that is not said.
    pub(crate) bias: Option<Bias>,
    /// Of inputs: shorter changes count for nothing.
    pub(crate) debounce: Option<Duration>,
}

impl Options {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    /// If one is unknown or wrong; the error names it.
    pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Task, lexopt::Error> {
        let mut parser = Parser::from_args(arguments);
        let mut options = Self { chip: DEFAULT_CHIP.to_owned(), lines: Vec::new() };
        let mut common = Wiring::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("describe") => return Ok(Task::Describe),
                Long("help") | Short('h') => return Ok(Task::Help),
                Long("list") => return Ok(Task::List),
                Long("chip") => options.chip = parser.value()?.string()?,
                Long("in") => options.add(&mut parser, Direction::In, common)?,
                Long("out") => options.add(&mut parser, Direction::Out, common)?,
                Long("active-low") => options.wiring(&mut common).is_active_low = true,
                Long("bias") => options.wiring(&mut common).bias = Some(bias(&mut parser)?),
                Long("debounce") => {
                    options.check_input()?;
                    options.wiring(&mut common).debounce = Some(debounce(&mut parser)?);
                }
                other => return Err(other.unexpected()),
            }
        }
        check(&options.lines)?;
        Ok(Task::Run(options))
    }

    fn add(
        &mut self,
        parser: &mut Parser,
        direction: Direction,
        common: Wiring,
    ) -> Result<(), lexopt::Error> {
        self.lines.push(line(&parser.value()?.string()?, direction, common)?);
        Ok(())
    }

    /// What an option of one line is about: the line before it, else all.
    fn wiring<'a>(&'a mut self, common: &'a mut Wiring) -> &'a mut Wiring {
        self.lines.last_mut().map_or(common, |line| &mut line.wiring)
    }

    fn check_input(&self) -> Result<(), String> {
        match self.lines.last() {
            Some(Line { name, direction: Direction::Out, .. }) => {
                Err(format!("--debounce is for inputs, `{name}` is an output"))
            }
            _ => Ok(()),
        }
    }
}

fn line(text: &str, direction: Direction, common: Wiring) -> Result<Line, String> {
    let (name, place) = text.split_once('=').unwrap_or((text, text));
    if name.is_empty() || place.is_empty() || name.chars().any(char::is_control) {
        return Err(format!("`{text}` is no line: write NAME=LINE, as button=17"));
    }
    let place = match place.parse() {
        Ok(offset) => Place::Offset(offset),
        Err(_) => Place::Name(place.to_owned()),
    };
    Ok(Line { name: name.to_owned(), place, direction, wiring: common })
}

fn check(lines: &[Line]) -> Result<(), String> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(format!("1 to {MAX_LINES} lines are to be named by --in and --out"));
    }
    for (at, line) in lines.iter().enumerate() {
        if lines[..at].iter().any(|other| other.name == line.name) {
            return Err(format!("two lines are called `{}`", line.name));
        }
        if lines[..at].iter().any(|other| other.place == line.place) {
            return Err(format!("`{}` is named twice", line.name));
        }
    }
    Ok(())
}

fn bias(parser: &mut Parser) -> Result<Bias, lexopt::Error> {
    parser.value()?.parse_with(|text| match text {
        "pull-up" => Ok(Bias::PullUp),
        "pull-down" => Ok(Bias::PullDown),
        "none" => Ok(Bias::Disabled),
        _ => Err("--bias takes pull-up, pull-down or none"),
    })
}

fn debounce(parser: &mut Parser) -> Result<Duration, lexopt::Error> {
    parser
        .value()?
        .parse_with(|text| time(text).ok_or("--debounce takes a time up to 60s, as 5ms or 500us"))
}

fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        _ => return None,
    };
    let time = unit.checked_mul(digits.parse().ok()?)?;
    (!time.is_zero() && time <= MAX_DEBOUNCE).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, String> {
        let words = line.split_whitespace().map(OsString::from).collect();
        Options::parse(words).map_err(|e| e.to_string())
    }

    fn lines(line: &str) -> Options {
        match parse(line) {
            Ok(Task::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn lines_stand_in_the_order_of_the_command_line() {
        let options = lines("--out lamp=27 --in button=17 --in GPIO4 --out 5");
        assert_eq!(options.chip, DEFAULT_CHIP);
        let found: Vec<_> =
            options.lines.iter().map(|l| (l.name.as_str(), &l.place, l.direction)).collect();
        assert_eq!(
            found,
            [
                ("lamp", &Place::Offset(27), Direction::Out),
                ("button", &Place::Offset(17), Direction::In),
                ("GPIO4", &Place::Name("GPIO4".to_owned()), Direction::In),
                ("5", &Place::Offset(5), Direction::Out),
            ]
        );
    }

    #[test]
    fn wiring_is_that_of_the_line_before_or_of_all() {
        let options = lines(
            "--chip gpiochip4 --bias pull-down --in a=1 --active-low --bias pull-up --debounce 5ms --out b=2",
        );
        assert_eq!(options.chip, "gpiochip4");
        let own = Wiring {
            is_active_low: true,
            bias: Some(Bias::PullUp),
            debounce: Some(Duration::from_millis(5)),
        };
        let common = Wiring { bias: Some(Bias::PullDown), ..Wiring::default() };
        assert_eq!(options.lines.iter().map(|l| l.wiring).collect::<Vec<_>>(), [own, common]);
    }

    #[test]
    fn times_have_units() {
        let micros = |text| time(text).map(|time| time.as_micros());
        assert_eq!(
            [micros("500us"), micros("5ms"), micros("1s")].map(Option::unwrap),
            [500, 5000, 1_000_000]
        );
        for wrong in ["", "5", "ms", "0ms", "-1ms", "5m", "61s", "5 ms", "5mß", "99999999999s"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn other_tasks_are_understood() {
        assert_eq!(parse("--describe"), Ok(Task::Describe));
        assert_eq!(parse("--list"), Ok(Task::List));
        assert_eq!(parse("-h"), Ok(Task::Help));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many: String = (0..65).map(|n| format!(" --in {n}")).collect();
        for (line, part) in [
            ("", "1 to 64 lines"),
            ("--chip x", "1 to 64 lines"),
            (many.as_str(), "1 to 64 lines"),
            ("--in", "--in"),
            ("--in =3", "`=3`"),
            ("--in a=", "as button=17"),
            ("--in a=1 --out a=2", "two lines are called `a`"),
            ("--in a=1 --out b=1", "`b` is named twice"),
            ("--in a=1 --bias up", "pull-up, pull-down or none"),
            ("--in a=1 --debounce 5", "as 5ms"),
            ("--out a=1 --debounce 5ms", "`a` is an output"),
            ("--in a=1 --colour", "--colour"),
            ("17", "17"),
        ] {
            let problem = parse(line).unwrap_err();
            assert!(problem.contains(part), "{line}: {problem}");
        }
    }
}
