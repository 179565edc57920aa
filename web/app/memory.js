/** What the page remembers of each camera in this browser: how it is turned, its format, saved controls. */

/** @typedef {{rotate?: string | null, flip?: boolean, format?: string | null, controls?: Record<string, unknown>}} Kept */

/** @param {string} camera */
const key = (camera) => `eyelet:${camera}`;

/** @param {string} camera its name @returns {Kept} */
export function recall(camera) {
  try {
    const kept = JSON.parse(localStorage.getItem(key(camera)) ?? '{}');
    return kept !== null && typeof kept === 'object' ? kept : {};
  } catch {
    return {}; // a browser that keeps nothing, or somebody else's text
  }
}

/** @param {string} camera @param {Kept} changes */
export function keep(camera, changes) {
  try {
    localStorage.setItem(key(camera), JSON.stringify({ ...recall(camera), ...changes }));
  } catch {
    // private windows of some browsers
  }
}
