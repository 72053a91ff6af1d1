#!/usr/bin/env node
// The command line in a checkout. Without a command it shows what there is, while `npm start` starts the gateway.
if (process.argv.length === 2) process.argv.push('--help');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `marketplace must run on Node 22.19 or newer, but this is ${process.version}. ` +
      'In the checkout, "npx marketplace" brings its own.\n',
  );
  process.exit(1);
}
await import('../src/main.ts');
