import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChainSigner } from '../../src/audit/signature.ts';
import { verifyTrail } from '../../src/audit/verify.ts';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';
import { createRandom } from '../helpers/random.ts';
import { createDatabase, type DatabaseKind, SECRET, type TestDatabase } from './databases.ts';

const PROGRAM = fileURLToPath(new URL('./appending-process.ts', import.meta.url));
const ROUNDS = 3;
const random = createRandom(7);

let postgres: TestPostgres | null = null;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.[Symbol.asyncDispose]());

/** Runs the process until it has acknowledged so many events, kills it, and gives all that it acknowledged. */
async function runUntilKilled(name: string, { location }: TestDatabase, count: number): Promise<string[]> {
  const place = location.kind === 'sqlite' ? location.path : location.url;
  const child = spawn(process.execPath, [PROGRAM, name, SECRET, location.kind, place], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    lines += text.split('\n').length - 1;
    if (lines >= count) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
  // A line that was cut by the kill is no acknowledgement.
  return output.slice(0, output.lastIndexOf('\n')).split('\n');
}

describe.each<DatabaseKind>(['sqlite', 'postgres'])('kill -9 of gateways that append to %s', (kind) => {
  it('loses no acknowledged event, and leaves a chain that verifies', { timeout: 120_000 }, async ({ skip }) => {
    if (kind === 'postgres' && postgres === null) skip();
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const acknowledged: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // Two at once, as replicas that append to one chain.
      const runs = ['a', 'b'].map((name) =>
        runUntilKilled(`${round}${name}`, database, 20 + Math.floor(random() * 300)),
      );
      acknowledged.push(...(await Promise.all(runs)).flat());
      const verification = await verifyTrail(storage, new ChainSigner([SECRET]), {
        ...{ anchor: null, expected: null, fromSequence: 1 },
      });
      expect(verification.faults).toEqual([]);
      const rows = await storage.db.selectFrom('audit_events').select('template').execute();
      const kept = new Set(rows.map(({ template }) => template));
      expect(acknowledged.filter((template) => !kept.has(template))).toEqual([]);
      expect(verification.events).toBe(rows.length);
    }
    expect(acknowledged.length).toBeGreaterThan(ROUNDS * 40);
  });
});
