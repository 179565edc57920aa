//! Figures over time as SVG, one panel below the other.
//!
//! The colours are those of the bench's plots: they can be read on white and on black pages.

use std::fmt::Write as _;

use super::report::{Pick, Sample};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 40.0;
const PANEL: f64 = 110.0;
/// Between panels, with the title of the next.
const GAP: f64 = 34.0;
const TEXT: &str = "#7d8590";
const COLOURS: [&str; 2] = ["#2f81f7", "#d29922"];

/// One panel: a title, and a line or two.
struct Panel {
    title: &'static str,
    lines: &'static [Pick],
}

const PANELS: [Panel; 5] = [
    Panel {
        title: "memory of the tree, MB, and in yellow its heaps and stacks",
        lines: &[|sample| sample.memory_mb, |sample| sample.heap_mb],
    },
    Panel { title: "descriptors", lines: &[|sample| sample.descriptors] },
    Panel { title: "processes", lines: &[|sample| sample.processes] },
    Panel {
        title: "age of the frames that were read, ms: p50, and p99 in yellow",
        lines: &[|sample| sample.p50_ms, |sample| sample.p99_ms],
    },
    Panel { title: "frames a second, all viewers together", lines: &[|sample| sample.rate] },
];

/// Draws all samples.
pub(super) fn draw(samples: &[Sample]) -> String {
    let count = PANELS.iter().map(|_| 1.0).sum::<f64>();
    let height = TOP + count * (PANEL + GAP) + 20.0;
    let title = "A soak: figures over minutes";
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{TEXT}\" role=\"img\">\n<title>{title}</title>\n\
         <text x=\"16\" y=\"22\" font-size=\"16\" font-weight=\"600\">{title}</text>\n"
    );
    let minutes = samples.last().map_or(1.0, |last| last.minutes).max(f64::MIN_POSITIVE);
    let mut y = TOP + 20.0;
    for panel in &PANELS {
        panel.draw(&mut svg, samples, minutes, y);
        y += PANEL + GAP;
    }
    let (end, y) = (WIDTH - RIGHT, y - 10.0);
    writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{y:.0}\">0</text><text x=\"{end}\" y=\"{y:.0}\" text-anchor=\"end\">{minutes:.0} minutes</text>\n</svg>"
    )
    .ok();
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, samples: &[Sample], minutes: f64, y: f64) {
        let most = self.lines.iter().flat_map(|pick| samples.iter().map(pick));
        // A little more than the most, and never nothing.
        let most = most.fold(0.0, f64::max).max(1e-9) * 1.05;
        let (bottom, end) = (y + PANEL, WIDTH - RIGHT);
        writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{above:.0}\">{title}</text>\n\
             <path d=\"M{LEFT} {y:.0}V{bottom:.0}H{end}\" fill=\"none\" stroke=\"{TEXT}\"/>\n\
             <text x=\"{beside:.0}\" y=\"{top:.0}\" text-anchor=\"end\">{most:.0}</text>\
             <text x=\"{beside:.0}\" y=\"{bottom:.0}\" text-anchor=\"end\">0</text>",
            above = y - 6.0,
            title = self.title,
            beside = LEFT - 6.0,
            top = y + 10.0,
        )
        .ok();
        for (pick, colour) in self.lines.iter().zip(COLOURS) {
            let mut points = String::new();
            for sample in samples {
                let x = LEFT + sample.minutes / minutes * (end - LEFT);
                let height = bottom - pick(sample) / most * PANEL;
                write!(points, "{x:.1},{height:.1} ").ok();
            }
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                points.trim_end()
            )
            .ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_from_the_first_sample_to_the_last() {
        let sample = |minutes, memory_mb| Sample { minutes, memory_mb, ..Sample::default() };
        let svg = draw(&[sample(0.0, 100.0), sample(10.0, 50.0)]);
        // From the left edge, near the top, to the right edge at half the height.
        assert!(svg.contains("points=\"60.0,65.2 704.0,117.6\""), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 7, "{svg}");
        assert!(svg.contains("10 minutes") && draw(&[]).ends_with("</svg>\n"));
    }
}
