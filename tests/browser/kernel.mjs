/** Makes `web/core/simd/kernel.js` from `kernel.wat` beside it; with `--check` only says whether it is up to date. */
import { readFile, writeFile } from 'node:fs/promises';
import wabt from 'wabt';

const folder = new URL('../../web/core/simd/', import.meta.url);
const source = new URL('kernel.wat', folder);
const made = new URL('kernel.js', folder);

const { parseWat } = await wabt();
const binary = parseWat('kernel.wat', await readFile(source, 'utf8'), { simd: true }).toBinary({}).buffer;
// Hexadecimal, as what is packed on its way becomes smaller so than base64.
const lines = Buffer.from(binary).toString('hex').match(/.{1,110}/g) ?? [];
const text = `/** Made from \`kernel.wat\`, not written; ${binary.length} bytes of WebAssembly. */
export const KERNEL =
\`
${lines.join('\n')}\`;
`;

if (!process.argv.includes('--check')) {
  await writeFile(made, text);
} else if ((await readFile(made, 'utf8')) !== text) {
  console.error('web/core/simd/kernel.js is not what kernel.wat makes: `npm run kernel` in tests/browser');
  process.exit(1);
}
