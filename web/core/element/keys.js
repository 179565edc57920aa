/** Which act a pressed key stands for, with what belongs to the browser and to fields left alone. */

/** By the key's name in small letters; one that gives false did nothing. @typedef {Record<string, () => unknown>} Acts */

/**
 * @param {KeyboardEvent} event
 * @param {Acts} acts
 * @returns {(() => unknown) | null}
 */
export function actOf(event, acts) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return null;
  const key = event.key.toLowerCase();
  const target = event.composedPath()[0];
  if (target instanceof HTMLElement && key !== 'escape') {
    if (target.matches('input, select, textarea')) return null;
    if (key === ' ' && target.matches('button, a, summary')) return null;
  }
  return Object.hasOwn(acts, key) ? acts[key] : null;
}
