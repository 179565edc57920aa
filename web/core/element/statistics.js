/** The panel of numbers. */
import { make } from './make.js';
import { createPlot } from './plot.js';

/** @typedef {import('../tally.js').Stats} Stats */

/** @param {number | null} value */
const ms = (value) => (value === null ? '–' : `${value.toFixed(value < 10 ? 1 : 0)} ms`);

/** Each with what people call it. @type {[string, string, (stats: Stats) => string][]} */
const ROWS = [
  ['size', 'Picture', ({ config }) => (config ? `${config.width} × ${config.height}` : '–')],
  ['format', 'Format', ({ config }) => (config ? `${config.fourcc || config.format}${config.codec ? ` ${config.codec}` : ''}` : '–')],
  ['fps', 'Rate', ({ fps, fpsIn }) => `${fps.toFixed(1)} of ${fpsIn.toFixed(1)} fps`],
  ['latency', 'Latency', ({ latencyMs, latencyP95Ms }) => `${ms(latencyMs)}, 95 % ${ms(latencyP95Ms)}`],
  ['trip', 'Round trip', ({ roundTripMs }) => ms(roundTripMs)],
  ['decode', 'Decoding', ({ decodeMs, inWorker }) => `${ms(decodeMs)}${inWorker ? '' : ', on the page'}`],
  ['data', 'Data', ({ bytesPerSecond }) => `${((bytesPerSecond * 8) / 1e6).toFixed(1)} Mbit/s`],
  ['drawn', 'Frames', ({ drawn }) => String(drawn)],
  ['dropped', 'Dropped', ({ dropped }) => String(dropped)],
  ['skipped', 'Skipped', ({ skipped, corrupt }) => (corrupt > 0 ? `${skipped}, ${corrupt} corrupt` : String(skipped))],
  ['reconnects', 'Reconnects', ({ reconnects }) => String(reconnects)],
];

export function createStatistics() {
  const plot = createPlot();
  const list = make('dl');
  const values = ROWS.map(([name, title]) => {
    const value = make('dd', { 'data-name': name }, '–');
    list.append(make('dt', {}, title), value);
    return value;
  });
  return {
    element: make('section', { class: 'statistics', part: 'statistics', 'aria-label': 'Details', hidden: true }, list, plot.element),
    /** @param {Stats} stats */
    show(stats) {
      ROWS.forEach(([, , read], i) => (values[i].textContent = read(stats)));
      plot.add(stats.latencyMs, stats.fps);
    },
  };
}
