#!/usr/bin/env node
// Where the program begins. Without a command it shows what there is; `npm start` says `serve`.
// As a whole: an older Node lacks what is used of it, and would end here without a word of ours.
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

if (process.argv.length === 2) process.argv.push('--help');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `marketplace must run on Node 22.19 or newer, but this is ${process.version}. ` +
      'In the checkout, "npx marketplace" brings its own.\n',
  );
  process.exit(1);
}
// What was compiled and stripped of its types once is not so again: most of the time to the first answer. Turned on in front of
// the first file that has types, since Node loads its compiler of them, and keeps its 11 MB, for a single one. The cache is in the
// checkout, since whoever can write to a shared folder could plant code there; without the right to write, it is left off.
nodeModule.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)));
await import('../src/main.ts');
