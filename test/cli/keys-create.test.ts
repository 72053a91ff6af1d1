import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createAuthenticator } from '../../src/access/authenticate.ts';
import { runProgram } from '../../src/cli/program.ts';
import { parseConfigObject } from '../../src/config/load.ts';

async function run(...given: string[]) {
  const lines: string[] = [];
  const errors: string[] = [];
  const exitCode = await runProgram(['keys', 'create', ...given], {
    environment: {},
    printLine: (line) => void lines.push(line),
    printErrorLine: (line) => void errors.push(line),
    onStop: () => undefined,
    onReload: () => undefined,
  });
  return { exitCode, lines, text: lines.join('\n'), errors };
}

describe('marketplace keys create', () => {
  it('shows a key once, and the entry by which a gateway knows it', async () => {
    const { exitCode, lines, text } = await run(
      '--id',
      'dashboards',
      '--roles',
      'viewer, researcher',
      '--groups',
      'physics',
    );
    expect(exitCode).toBe(0);
    const key = lines.find((line) => line.startsWith('mkt_')) ?? '';
    expect(key).toMatch(/^mkt_[A-Za-z0-9_-]{43}$/);
    expect(text.split(key)).toHaveLength(2);
    const { auth } = parse(text.slice(text.indexOf('auth:')));
    const config = parseConfigObject({
      server: { secret: 'for tests alone: 0123456789abcdef' },
      registries: [{ name: 'official', type: 'official', url: 'https://registry.example' }],
      auth,
    });
    expect(createAuthenticator(config.auth)({ authorization: `Bearer ${key}`, apiKey: undefined })).toEqual({
      authenticated: true,
      subject: 'dashboards',
      roles: ['viewer', 'researcher'],
      groups: ['physics'],
    });
  });

  it('makes another key and id each time, as JSON too', async () => {
    const made = await Promise.all([run('--format', 'json'), run('--format', 'json')]);
    const [one, other] = made.map(({ text }) => JSON.parse(text));
    expect(one.key).not.toBe(other.key);
    expect(one.apiKey.id).not.toBe(other.apiKey.id);
    expect(one.apiKey.sha256).toBe(createHash('sha256').update(one.key).digest('hex'));
  });

  it.each([
    ['--id', ''],
    ['--roles', 'viewer,,admin'],
    ['--id', 'two\nlines'],
  ])('refuses a name that the configuration would refuse: %s %j', async (option, value) => {
    const { exitCode, lines, errors } = await run(option, value);
    expect([exitCode, lines, errors.length]).toEqual([2, [], 1]);
  });
});
