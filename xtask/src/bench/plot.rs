//! Bars as SVG: what a frame costs each server.
//!
//! Text and lines are of a grey that can be read on white and on black pages, as there is no way to know which it is.

use std::fmt::Write as _;

use super::figures::Spread;

const WIDTH: f64 = 720.0;
const ROW: f64 = 34.0;
const TOP: f64 = 62.0;
const LEFT: f64 = 130.0;
/// Space for the values, right of the longest bar.
const RIGHT: f64 = 150.0;
const TEXT: &str = "#7d8590";
const OURS: &str = "#2f81f7";
const BARE: &str = "#57ab5a";
const PEER: &str = "#d29922";

/// One bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) name: &'static str,
    pub(super) value: Spread,
}

/// Draws bars in their order, with their values and a line from the least to the most.
pub(super) fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let height = TOP + ROW * bars.iter().map(|_| 1.0).sum::<f64>() + 40.0;
    let most = bars.iter().map(|bar| bar.value.max).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / most;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\" fill=\"{TEXT}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"600\">{title}</text>\n\
         <text x=\"16\" y=\"47\" font-size=\"12\">{unit}; less is better</text>\n"
    );
    let mut y = TOP;
    for Bar { name, value } in bars {
        let Spread { median, min, max } = *value;
        let (from, to, length) = (LEFT + min * scale, LEFT + max * scale, median * scale);
        let (middle, colour, digits) = (y + ROW / 2.0, colour(name), digits(median));
        let text = middle + 5.0;
        write!(
            svg,
            "<text x=\"{name_end}\" y=\"{text:.1}\" text-anchor=\"end\">{name}</text>\n\
             <rect x=\"{LEFT}\" y=\"{bar:.1}\" width=\"{length:.1}\" height=\"20\" rx=\"3\" fill=\"{colour}\"/>\n",
            name_end = LEFT - 10.0,
            bar = middle - 10.0,
        )
        .ok();
        let has_several = min < max;
        if has_several {
            let low = middle - 4.0;
            writeln!(
                svg,
                "<path d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {low:.1}v8M{to:.1} {low:.1}v8\" stroke=\"{TEXT}\" stroke-width=\"1.5\"/>"
            )
            .ok();
        }
        let range =
            if has_several { format!("{min:.digits$}..{max:.digits$}") } else { String::new() };
        writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{text:.1}\"><tspan font-weight=\"600\">{median:.digits$}</tspan> \
             <tspan font-size=\"11\">{range}</tspan></text>",
            to.max(LEFT + length) + 8.0
        )
        .ok();
        y += ROW;
    }
    legend(&mut svg, y + 24.0, bars);
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, y: f64, bars: &[Bar]) {
    let mut x = LEFT;
    for (colour, text) in [(OURS, "Eyelet"), (BARE, "a bare loop"), (PEER, "another server")] {
        if !bars.iter().any(|bar| self::colour(bar.name) == colour) {
            continue;
        }
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y:.1}\" font-size=\"12\">{text}</text>",
            y - 11.0,
            x + 18.0
        )
        .ok();
        x += 140.0;
    }
}

fn colour(name: &str) -> &'static str {
    match name.split(' ').next() {
        Some("eyelet") => OURS,
        Some("bare") => BARE,
        _ => PEER,
    }
}

/// Three figures that count.
pub(super) fn digits(value: f64) -> usize {
    if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else if value >= 1.0 {
        2
    } else {
        3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_has_its_name_and_its_value() {
        let value = |median| Spread { median, min: median / 2.0, max: median * 2.0 };
        let all = [
            Bar { name: "eyelet", value: value(12.345) },
            Bar { name: "uwsgi 5 ms", value: value(133.3) },
        ];
        let svg = bars("Cost", "microseconds", &all);
        for part in ["<svg ", "</svg>", ">eyelet<", ">12.3<", ">133<", OURS, PEER, "Cost"] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert!(bars("Nothing", "", &[]).contains("</svg>"));
    }
}
