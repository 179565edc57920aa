/** What the attributes of an `<eyelet-view>` say. */

/** The server that this module came from, below `-/`. */
const HOME = new URL(import.meta.url.replace(/\/-\/.*$/, '/'));

/** The address of the server, up to the last `/`. @param {Element} element */
export function serverOf(element) {
  const src = element.getAttribute('src');
  return src ? new URL(src.replace(/-\/ws$/, ''), document.baseURI) : HOME;
}

/** @param {Element} element @returns {import('./snapshot.js').Turn} */
export function turnOf(element) {
  const quarters = Math.round((Number(element.getAttribute('rotate')) || 0) / 90);
  const rotate = /** @type {0 | 90 | 180 | 270} */ ((((quarters % 4) + 4) % 4) * 90);
  return { rotate, flip: element.hasAttribute('flip') };
}

/** Whether the pictures are wanted by plain HTTP. @param {Element} element */
export const wantsImage = (element) => element.getAttribute('format') === 'mjpeg';

/**
 * @param {Element} element
 * @param {string} rendition the id of a stream that is shown in the place of the camera's own; empty for none
 * @returns {import('../view.js').Choice}
 */
export function choiceOf(element, rendition) {
  const number = (/** @type {string} */ name) => Number(element.getAttribute(name)) || undefined;
  return {
    stream: rendition || element.getAttribute('stream'),
    format: rendition || wantsImage(element) ? 'auto' : element.getAttribute('format') || 'auto',
    maxfps: number('maxfps'),
    maxLatencyMs: number('max-latency'),
  };
}
