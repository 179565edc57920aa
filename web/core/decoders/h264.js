/**
 * H.264: WebCodecs decodes it, which browsers have on https and on this machine only.
 *
 * Payloads are Annex B with parameter sets before each key frame, so that the decoder needs no description. A picture
 * is handed over in the decoder's own callback. A frame that refers to one that did not come is skipped until the next
 * key frame.
 */
import { FLAG_DISCONTINUITY, FLAG_KEY } from '../protocol.js';

/** @typedef {import('../channel.js').Frame} Frame */

/** Of a stream that says nothing: the level that 1080p at 30 fps needs. */
const USUAL_CODEC = 'avc1.42E028';
/** Frames in the decoder beyond which it is taken for stuck and made anew. */
const MOST_PENDING = 30;

/** Whether this browser can. */
export async function isSupported() {
  try {
    return Boolean((await VideoDecoder.isConfigSupported({ codec: USUAL_CODEC, optimizeForLatency: true })).supported);
  } catch {
    return false;
  }
}

/** @type {import('./index.js').CreateDecoder} */
export function create(format, output) {
  /** What is being decoded, by the number that goes through the decoder as its time. @type {Map<number, Frame>} */
  const pending = new Map();
  let count = 0;
  let needsKey = true;
  /** @type {VideoDecoder | null} */
  let decoder = null;

  const open = () => {
    const opened = new VideoDecoder({
      output(picture) {
        const frame = pending.get(picture.timestamp);
        pending.delete(picture.timestamp);
        if (frame) output.image(frame, picture, picture.displayWidth, picture.displayHeight);
        picture.close();
      },
      error: (error) => opened === decoder && fail(error.message),
    });
    opened.configure({ codec: format.codec || USUAL_CODEC, optimizeForLatency: true, ...colourSpace(format) });
    return opened;
  };

  /** Gives up what is in the decoder, and goes on with the next key frame. @param {string} why */
  function fail(why) {
    if (decoder && decoder.state !== 'closed') decoder.close();
    decoder = null;
    needsKey = true;
    const given = [...pending.values()];
    pending.clear();
    given.forEach((frame) => output.corrupt(frame, why));
    output.wantKey();
  }

  return {
    decode(frame) {
      const isKey = (frame.flags & FLAG_KEY) !== 0;
      if (pending.size >= MOST_PENDING) fail('the decoder does not come to an end');
      if (frame.flags & FLAG_DISCONTINUITY) needsKey = true;
      if (needsKey && !isKey) {
        output.skipped(frame);
        return output.wantKey();
      }
      needsKey = false;
      count += 1;
      pending.set(count, frame);
      try {
        decoder ??= open();
        decoder.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp: count, data: frame.payload }));
      } catch (error) {
        fail(String(error));
      }
    },
    close() {
      const closed = decoder;
      decoder = null;
      if (closed && closed.state !== 'closed') closed.close();
      const given = [...pending.values()];
      pending.clear();
      given.forEach((frame) => output.skipped(frame));
    },
  };
}

/**
 * For streams whose parameter sets do not say it: browsers take what is untagged as BT.709.
 *
 * @param {import('./index.js').Format} format
 * @returns {{colorSpace?: VideoColorSpaceInit}}
 */
function colourSpace({ matrix, range }) {
  /** @type {Record<string, VideoMatrixCoefficients>} */
  const names = { bt601: 'smpte170m', bt709: 'bt709' };
  if (!Object.hasOwn(names, matrix)) return {};
  return {
    colorSpace: { matrix: names[matrix], primaries: 'bt709', transfer: 'iec61966-2-1', fullRange: range === 'full' },
  };
}
