import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAudit } from '../../src/audit/open-audit.ts';
import { loadConfig } from '../../src/config/load.ts';
import { QUIET } from '../audit/databases.ts';

const PROJECT = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'marketplace-audit-cli-'));
const data = join(folder, 'data');
const environment = {
  MARKETPLACE_CONFIG: join(folder, 'marketplace.yaml'),
  MARKETPLACE_DATA: data,
  LOG_LEVEL: 'silent',
};

afterAll(() => rmSync(folder, { recursive: true }));

async function run(...given: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const child = spawn(process.execPath, [join(PROJECT, 'bin/marketplace.js'), 'audit', ...given], { cwd: folder, env });
  let [output, errorText] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorText += text;
  });
  const exitCode = await new Promise((resolve) => child.once('close', resolve));
  return { exitCode, lines: output.split('\n').slice(0, -1), errorText };
}

function change(sql: string): void {
  const database = new DatabaseSync(join(data, 'marketplace.sqlite'));
  database.exec(sql);
  database.close();
}

async function append(names: readonly string[]): Promise<void> {
  const opened = await openAudit(loadConfig({ path: environment.MARKETPLACE_CONFIG, environment }), QUIET);
  for (const template of names) {
    const entry = {
      action: 'content.download',
      registryName: 'uni',
      template,
      version: '1',
      outcome: 'SUCCEEDED',
    } as const;
    await opened.trail.append(entry, { actor: 'ada', requestId: 'r-1' });
  }
  await opened.close();
}

beforeAll(() => {
  writeFileSync(
    environment.MARKETPLACE_CONFIG,
    'registries: [{ name: uni, type: official, url: "https://uni.example" }]\n',
  );
});

describe('marketplace audit', () => {
  it('says that there is nothing yet, and makes nothing', async () => {
    const { exitCode, errorText } = await run('verify');
    expect([exitCode, errorText]).toEqual([1, expect.stringContaining('There is no audit trail yet')]);
    expect((await run('verify')).exitCode).toBe(1);
  });

  it('verifies a trail, and prints a place that can be noted', async () => {
    await append(['a', 'b\u001b[31m', 'c']);
    const { exitCode, lines } = await run('verify');
    expect(exitCode).toBe(0);
    expect(lines[0]).toContain('4 events from 1 on verified');
    const head = /ends with (\d+:[0-9a-f]{64})$/.exec(lines[1] ?? '')?.[1] ?? '';
    expect((await run('verify', '--expect', head)).exitCode).toBe(0);
    expect(
      (
        await run(
          'verify',
          '--expect',
          head.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
        )
      ).exitCode,
    ).toBe(1);
    const json = await run('verify', '--format', 'json', '--from', '3');
    expect(JSON.parse(json.lines[0] ?? '')).toMatchObject({ isWhole: true, firstSequence: 3, events: 2, faults: [] });
  });

  it('lists the newest events, and nothing that writes on a terminal', async () => {
    const { exitCode, lines } = await run('list', '--limit', '2', '--actor', 'ada');
    expect(exitCode).toBe(0);
    expect(lines).toEqual([
      expect.stringMatching(/^4 {2}\S+ {2}SUCCEEDED {2}content\.download {2}ada {2}uni\/c\/1$/),
      expect.stringMatching(/^3 {2}.* {2}uni\/b\ufffd\[31m\/1$/),
    ]);
    expect((await run('list', '--action', 'template.publish')).lines).toEqual([]);
  });

  it('exports events that any program can check: the hash is that of the line without it', async () => {
    const { lines } = await run('export');
    expect(lines).toHaveLength(4);
    let previousHash = '0'.repeat(64);
    for (const line of lines) {
      const hash = /,"hash":"([0-9a-f]{64})"}$/.exec(line)?.[1] ?? '';
      const hashed = line.replace(`,"hash":"${hash}"`, '');
      expect(createHash('sha256').update(hashed).digest('hex')).toBe(hash);
      expect(JSON.parse(line).previousHash).toBe(previousHash);
      previousHash = hash;
    }
    expect((await run('export', '--from', '4')).lines).toEqual(lines.slice(3));
  });

  it.each([
    ['verify', '--expect', 'x'],
    ['verify', '--from', '-1'],
    ['list', '--since', 'yesterday'],
    ['list', '--limit', '0'],
    ['export', '--from', 'x'],
  ])('%s %s %s is a wrong use, and ends with 2', async (...given) => {
    expect((await run(...given)).exitCode).toBe(2);
  });

  it('finds what was changed, says where, and ends with 1', async () => {
    change("UPDATE audit_events SET actor = 'eve' WHERE sequence = 3");
    const edited = await run('verify');
    expect([edited.exitCode, edited.errorText]).toEqual([1, expect.stringContaining('Event 3: it was changed')]);
    change("UPDATE audit_events SET actor = 'ada' WHERE sequence = 3");
    expect((await run('verify')).exitCode).toBe(0);
    change('DELETE FROM audit_events WHERE sequence = 4');
    const cut = await run('verify');
    expect([cut.exitCode, cut.errorText]).toEqual([1, expect.stringContaining('Event 4: it is missing')]);
  });

  it('finds that the whole database was put back, and so does a gateway that starts on it', async () => {
    rmSync(data, { recursive: true });
    await append(['a', 'b']);
    const before = new DatabaseSync(join(data, 'marketplace.sqlite'));
    before.exec(`VACUUM INTO '${join(folder, 'older.sqlite')}'`);
    before.close();
    await append(['c']);
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(data, `marketplace.sqlite${suffix}`), { force: true });
    const older = new DatabaseSync(join(folder, 'older.sqlite'));
    older.exec(`VACUUM INTO '${join(data, 'marketplace.sqlite')}'`);
    older.close();
    const found = await run('verify');
    expect([found.exitCode, found.errorText]).toEqual([1, expect.stringContaining('the trail reached 4 once')]);
    await append(['d', 'e']);
    const later = await run('verify');
    expect([later.exitCode, later.errorText]).toEqual([
      1,
      expect.stringContaining('Event 4: the gateway found the trail unproven'),
    ]);
  });
});
