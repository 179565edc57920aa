/** What `docs/ref/element.md` says of the element, against its source: neither may have what the other lacks. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const FOLDER = new URL('../core/element/', import.meta.url);
const source = readdirSync(FOLDER).map((name) => readFileSync(new URL(name, FOLDER), 'utf8')).join('\n');
const docs = readFileSync(new URL('../../docs/ref/element.md', import.meta.url), 'utf8');

/** The names in the first column of the table under a heading, and of the n-th table there. @param {string} heading @param {number} [nth] */
function documented(heading, nth = 0) {
  const section = docs.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? assert.fail(`no section ${heading}`);
  const tables = section.split(/\n(?!\|)/).filter((text) => text.includes('|---|'));
  const rows = tables[nth].split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => [...row.split('|')[1].matchAll(/`([^`(]+)[^`]*`/g)].map(([, name]) => name)).sort();
}

/** @param {RegExp} pattern */
const found = (pattern) => [...new Set([...source.matchAll(pattern)].map(([, name]) => name))].sort();

test('attributes', () => {
  const observed = /observedAttributes = \[([^\]]+)\]/.exec(source)?.[1] ?? assert.fail();
  const names = [...observed.matchAll(/'([^']+)'/g)].map(([, name]) => name);
  assert.deepEqual(documented('Attributes'), [...names, 'no-worker'].sort());
});

test('events', () => {
  assert.deepEqual(documented('Events'), found(/#tell\('(\w+)'/g));
});

test('parts and properties to style', () => {
  assert.deepEqual(documented('Style'), found(/part: '([\w-]+)'/g));
  assert.deepEqual(documented('Style', 1), found(/var\((--eyelet-[\w-]+)/g));
});

test('properties and methods', () => {
  const element = readFileSync(new URL('element.js', FOLDER), 'utf8');
  const getters = [...element.matchAll(/^ {2}get (\w+)\(/gm)].map(([, name]) => name);
  const methods = [...element.matchAll(/^ {2}(?:async )?(\w+)\([^)]*\) \{$/gm)].map(([, name]) => name);
  const own = ['constructor', 'connectedCallback', 'disconnectedCallback', 'attributeChangedCallback'];
  const names = [...getters, ...methods].filter((name) => !own.includes(name));
  assert.deepEqual(documented('Properties and methods'), names.sort());
});
