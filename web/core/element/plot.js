/** A small live plot of the last minute: latency as a line, the rate as a dashed one. */
import { make } from './make.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 240;
const HEIGHT = 40;
/** At four numbers a second, a minute. */
const POINTS = 240;

export function createPlot() {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'plot');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const caption = make('figcaption', {}, '');
  /** @type {Record<'latency' | 'fps', {line: Element, values: (number | null)[]}>} */
  const lines = { latency: createLine('latency'), fps: createLine('fps') };
  svg.append(lines.fps.line, lines.latency.line);
  return {
    element: make('figure', {}, svg, caption),
    /** @param {number | null} latencyMs @param {number} fps */
    add(latencyMs, fps) {
      const most = draw(lines.latency, latencyMs);
      draw(lines.fps, fps);
      caption.textContent = `latency, at most ${most.toFixed(0)} ms; rate dashed`;
    },
  };
}

/** @param {string} name */
function createLine(name) {
  const line = document.createElementNS(SVG, 'polyline');
  line.setAttribute('class', name);
  line.setAttribute('vector-effect', 'non-scaling-stroke');
  return { line, values: /** @type {(number | null)[]} */ ([]) };
}

/**
 * Draws a line to its own scale, from zero.
 *
 * @param {{line: Element, values: (number | null)[]}} plotted
 * @param {number | null} value
 * @returns {number} the most
 */
function draw({ line, values }, value) {
  values.push(value);
  if (values.length > POINTS) values.shift();
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  const points = values.flatMap((value, i) => {
    if (value === null) return [];
    const x = WIDTH - (values.length - 1 - i) * (WIDTH / (POINTS - 1));
    return `${x.toFixed(1)},${(HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1)}`;
  });
  line.setAttribute('points', points.join(' '));
  return most;
}
