/** How `<eyelet-view>` looks. What others may change is a part or one of the `--eyelet-` properties at the top. */

export const STYLE = `
:host {
  --live: var(--eyelet-live, #3ecf8e);
  --warn: var(--eyelet-warn, #f0b44c);
  --lost: var(--eyelet-lost, #f26d6d);
  --well: var(--eyelet-background, #16191c);
  --ink: #f2f4f5;
  --soft: #c3c8cc;
  --glass: rgb(14 16 18 / 78%);
  --focus: var(--eyelet-focus, #7db4ff);
  --state: var(--soft);
  position: relative;
  display: block;
  aspect-ratio: var(--ratio, 1.3333);
  overflow: hidden;
  background: var(--well);
  color: var(--ink);
  font: 14px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  -webkit-tap-highlight-color: transparent;
}
:host([hidden]) { display: none; }
:host(:focus-visible), :focus-visible { outline: 2px solid var(--focus); outline-offset: -2px; }
:host([full]) { position: fixed !important; inset: 0; z-index: 2147483647; width: auto !important; height: auto !important; }
:host(:fullscreen), :host([full]) { aspect-ratio: auto; border-radius: 0; background: #000; }
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
.live { --state: var(--live); }
.no_signal { --state: var(--warn); }
.lost, .refused { --state: var(--lost); }
svg { fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }

.root, .picture { position: absolute; inset: 0; }
.root { container: root / size; }
.picture { container-type: size; overflow: hidden; }
canvas, img {
  position: absolute;
  top: 50%;
  left: 50%;
  width: 100cqw;
  height: 100cqh;
  object-fit: var(--eyelet-fit, contain);
  transform: translate(-50%, -50%) var(--turn, rotate(0deg)) var(--flip, scaleX(1));
  opacity: 0;
  transition: opacity .3s, filter .3s;
}
.sideways canvas, .sideways img { width: 100cqh; height: 100cqw; }
.has-picture canvas, .by-image img { opacity: 1; }
.by-image canvas, .picture:not(.by-image) img { display: none; }
/* An old picture must not be taken for a new one. */
.has-picture:is(.lost, .no_signal, .refused) :is(canvas, img) { filter: grayscale(1) brightness(.35); }

.notice {
  position: absolute;
  inset: 0;
  display: grid;
  align-content: center;
  justify-items: center;
  gap: 4px;
  padding: 16px;
  text-align: center;
  transition: opacity .3s, visibility .3s;
}
.has-picture .notice { background: radial-gradient(closest-side, rgb(0 0 0 / 55%), transparent); }
.live .notice { visibility: hidden; opacity: 0; }
/* A change of stream should not flash a message. */
.connecting :is(.notice, canvas) { transition-delay: .3s; }
.what { margin-top: 10px; font-size: 18px; font-weight: 600; letter-spacing: -.01em; }
.why { max-width: 44ch; color: var(--soft); text-wrap: balance; }
.why:empty { display: none; }
.lens { width: clamp(36px, 12cqmin, 64px); stroke-width: 2.5; }
.lens .track { stroke: var(--soft); opacity: .35; }
.lens .iris { fill: var(--state); stroke: none; }
.lens .slash { display: none; stroke: var(--state); }
.lens .sweep { stroke: var(--state); stroke-dasharray: 42 122; transform-origin: center; animation: turn 1.6s linear infinite; }
:is(.no_signal, .refused) .lens .slash { display: inline; }
:is(.no_signal, .refused) .lens .sweep { display: none; }
.paused .pause-mark { opacity: 1; }
.pause-mark {
  position: absolute;
  inset: 0;
  width: 64px;
  margin: auto;
  padding: 16px;
  border-radius: 50%;
  aspect-ratio: 1;
  background: var(--glass);
  opacity: 0;
  pointer-events: none;
  transition: opacity .2s;
}

.bar {
  position: absolute;
  inset: auto 0 0;
  display: flex;
  align-items: center;
  gap: 2px;
  padding: 28px max(8px, env(safe-area-inset-right)) max(6px, env(safe-area-inset-bottom)) max(8px, env(safe-area-inset-left));
  background: linear-gradient(transparent, rgb(0 0 0 / 62%));
  transition: opacity .25s;
}
.idle .bar:not(:focus-within) { opacity: 0; }
.idle { cursor: none; }
.room { flex: 1; }
.bar button {
  display: grid;
  flex: none;
  place-items: center;
  width: 44px;
  height: 44px;
  padding: 0;
  border: 0;
  border-radius: 10px;
  background: none;
  color: inherit;
  cursor: pointer;
}
.bar button:hover, .bar button[aria-pressed="true"], .bar button[aria-expanded="true"] { background: rgb(255 255 255 / 18%); }
.bar svg { width: 22px; height: 22px; filter: drop-shadow(0 0 2px rgb(0 0 0 / 50%)); }
.age { padding: 0 8px; font-size: 13px; font-variant-numeric: tabular-nums; white-space: nowrap; text-shadow: 0 0 4px rgb(0 0 0 / 60%); }
.age::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 7px; border-radius: 50%; background: var(--state); }

.menu, .statistics {
  position: absolute;
  padding: 12px 14px;
  border-radius: 12px;
  background: var(--glass);
  backdrop-filter: blur(12px);
}
.menu { right: 8px; bottom: 60px; display: grid; gap: 10px; width: min(260px, calc(100% - 16px)); max-height: calc(100% - 68px); overflow: auto; }
.menu label { display: grid; grid-template-columns: 5.5em 1fr; align-items: center; gap: 8px; }
.menu select {
  width: 100%;
  min-width: 0;
  height: 36px;
  padding: 0 8px;
  border: 1px solid rgb(255 255 255 / 24%);
  border-radius: 8px;
  background: rgb(255 255 255 / 10%);
  color: inherit;
  font: inherit;
}
.menu option { background: #16191c; color: var(--ink); }
.menu .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.menu button {
  display: flex;
  align-items: center;
  justify-content: center;
  gap: 6px;
  height: 40px;
  border: 1px solid rgb(255 255 255 / 24%);
  border-radius: 8px;
  background: none;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
.menu button:hover, .menu button[aria-pressed="true"] { background: rgb(255 255 255 / 18%); }
.menu svg { width: 18px; height: 18px; }

.statistics { top: 8px; left: 8px; width: min(270px, calc(100% - 16px)); max-height: calc(100% - 16px); overflow: auto; font-size: 12.5px; font-variant-numeric: tabular-nums; }
.statistics dl { display: grid; grid-template-columns: auto auto; gap: 2px 12px; }
.statistics dt { color: var(--soft); }
.statistics figure { margin-top: 8px; }
.statistics figcaption { color: var(--soft); }
.statistics .plot { display: block; width: 100%; height: 40px; stroke-width: 1.5; overflow: visible; }
.plot .latency { stroke: var(--live); }
.plot .fps { stroke: var(--warn); stroke-dasharray: 3 3; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@container root (max-width: 380px) { .age { overflow: hidden; width: 8px; padding: 0; margin: 0 6px; } }
@container root (max-height: 360px) {
  .statistics { width: auto; right: 8px; max-height: calc(100% - 66px); padding: 8px 10px; font-size: 11.5px; }
  .statistics dl { grid-template-columns: auto 1fr auto 1fr; gap: 1px 8px; }
}

@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { *, ::before { transition: none !important; animation: none !important; } }
`;
