/** The panel of ready lines for other programs, with the address that this page was opened by. */
import { make } from '../core/element/make.js';

/**
 * @typedef {object} Line
 * @property {string} title
 * @property {string} text what is copied
 * @property {string} [note]
 */

/**
 * @param {string} home the server's address with the last `/`
 * @param {string | null} stream its name, null where there is but one
 * @param {string} name the camera's
 * @returns {Line[]}
 */
export function lines(home, stream, name) {
  /** @param {string} path @param {Record<string, string>} [more] */
  const at = (path, more = {}) => {
    const url = new URL(path, home);
    for (const [key, value] of Object.entries({ ...more, ...(stream === null ? {} : { stream }) })) url.searchParams.set(key, value);
    return url.href;
  };
  const video = at('-/stream.mjpg');
  const still = at('-/snapshot.jpg');
  const quoted = JSON.stringify(name);
  const attribute = stream === null ? '' : ` stream="${escape(stream)}"`;
  return [
    { title: 'Video, for an <img> and most programs', text: video },
    { title: 'Picture', text: still },
    {
      title: 'On a page of yours',
      text: `<script type="module" src="${new URL('-/eyelet.js', home)}"></script>\n<eyelet-view src="${home}"${attribute} controls></eyelet-view>`,
      note: 'A page of another site has to be allowed by the server: --allow-origin.',
    },
    {
      title: 'Home Assistant',
      text: `camera:\n  - platform: mjpeg\n    name: ${quoted}\n    mjpeg_url: ${video}\n    still_image_url: ${still}`,
      note: 'Or add the integration “MJPEG IP Camera” with these two addresses.',
    },
    { title: 'OctoPrint', text: `Stream URL: ${video}\nSnapshot URL: ${at('-/snapshot.jpg', { max_age: '0' })}`, note: 'Settings, Classic Webcam.' },
    {
      title: 'Mainsail and Fluidd, in the place of crowsnest',
      text: `[webcam ${name.replace(/[^\p{L}\p{N}_-]+/gu, '-')}]\nservice: mjpegstreamer\nstream_url: ${video}\nsnapshot_url: ${still}`,
      note: 'In moonraker.conf.',
    },
    { title: 'ffmpeg', text: `ffmpeg -use_wallclock_as_timestamps 1 -i '${video}' -c copy recording.mkv` },
  ];
}

/** @param {string} text */
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** @param {Line[]} all */
export const createShare = (all) => all.map(({ title, text, note }) => {
  const copy = make('button', { type: 'button', class: 'plain', 'aria-label': `Copy: ${title}` }, 'Copy');
  const code = make('code', { tabindex: '0' }, text);
  copy.addEventListener('click', async () => {
    const isCopied = await copyText(text, code);
    copy.textContent = isCopied ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => (copy.textContent = 'Copy'), 2000);
  });
  return make(
    'section', { class: 'line' },
    make('div', { class: 'line-head' }, make('h3', {}, title), copy),
    make('pre', {}, code),
    ...(note ? [make('p', { class: 'note' }, note)] : []),
  );
});

/**
 * Browsers give a page the clipboard on https and on this machine only; else the text is selected for a key.
 *
 * @param {string} text
 * @param {HTMLElement} shown
 */
async function copyText(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(shown);
    return document.execCommand('copy');
  }
}
