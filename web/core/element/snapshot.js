/** The picture as a file, turned as it is seen. */

/**
 * @typedef {object} Turn
 * @property {0 | 90 | 180 | 270} rotate clockwise
 * @property {boolean} flip left and right, before it is turned
 */

/**
 * @param {HTMLCanvasElement | HTMLImageElement} picture
 * @param {Turn} turn
 * @param {string} [type] `image/png`, `image/jpeg`, `image/webp`
 * @returns {Promise<Blob>}
 * @throws {Error} where there is no picture, or it is another site's
 */
export async function takeSnapshot(picture, { rotate, flip }, type = 'image/png') {
  const isImage = picture instanceof HTMLImageElement;
  const [width, height] = isImage ? [picture.naturalWidth, picture.naturalHeight] : [picture.width, picture.height];
  const isSideways = rotate % 180 !== 0;
  const copy = document.createElement('canvas');
  copy.width = isSideways ? height : width;
  copy.height = isSideways ? width : height;
  const context = copy.getContext('2d');
  if (!context || width === 0) throw new Error('there is no picture');
  context.translate(copy.width / 2, copy.height / 2);
  context.rotate((rotate * Math.PI) / 180);
  if (flip) context.scale(-1, 1);
  context.drawImage(picture, -width / 2, -height / 2);
  return new Promise((resolve, reject) => {
    copy.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(`no ${type} could be made`))), type, 0.92);
  });
}

/** Hands a file to the browser's downloads. @param {Blob} blob @param {string} name without its ending */
export function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `${fileName(name)}.${blob.type.split('/')[1].replace('jpeg', 'jpg')}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** What every system takes for a name. @param {string} name */
export const fileName = (name) => name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'eyelet';
