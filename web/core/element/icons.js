/** The pictures on buttons: paths of 24 by 24, drawn with lines. */

export const ICONS = {
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5.5v13l10.5-6.5z',
  statistics: 'M4 19V9m5.3 10V5m5.4 14v-7M20 19V8',
  settings: 'M4 7h9m4 0h3M4 17h3m4 0h9M15 4.5v5M9 14.5v5',
  snapshot:
    'M4 8.5A1.5 1.5 0 0 1 5.5 7H8l1.5-2.5h5L16 7h2.5A1.5 1.5 0 0 1 20 8.5v9a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5z' +
    'M15.2 12.8a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0z',
  full: 'M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5',
  window: 'M9 4v5H4m16 0h-5V4m0 16v-5h5M4 15h5v5',
  rotate: 'M19.5 12a7.5 7.5 0 1 1-2.6-5.7M20 3v4h-4',
  mirror: 'M12 4v16M9 8l-5 8h5zM15 8l5 8h-5z',
};

/** @typedef {keyof typeof ICONS} Icon */

const SVG = 'http://www.w3.org/2000/svg';

/** @param {Icon} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = svg.appendChild(document.createElementNS(SVG, 'path'));
  path.setAttribute('d', ICONS[name]);
  return svg;
}
