/** A process that fills a cache's file: `writer.ts <file> <name>`. Exits with 1 when anything was logged. */
import { AnswerCache } from '../../src/cache/answer-cache.ts';
import { findValue, makeAnswer } from './answers.ts';

const [, , path = '', name = ''] = process.argv;
let logged = 0;
const log = {
  warn(detail: object, message: string) {
    logged += 1;
    process.stderr.write(`${message} ${JSON.stringify(detail)}\n`);
  },
};
const cache = new AnswerCache({ memoryBytes: 50_000_000, disk: { path, maxBytes: 50_000_000 }, log });
for (let number = 0; number < 100; number += 1) {
  const key = `${name}-${number}`;
  cache.keep(makeAnswer(cache, key, { names: [key], padding: 3_000 }));
  await findValue(cache, key);
  if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}
await cache.close();
process.exitCode = logged === 0 ? 0 : 1;
