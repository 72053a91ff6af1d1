/** The gateway as a process of its own, with a configuration file, as an operator runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

export interface RunningGateway extends AsyncDisposable {
  /** "http://127.0.0.1:<port>" */
  readonly origin: string;
  readonly pid: number;
  /** The file that it reads; a test may write it anew. */
  readonly configPath: string;
  /** Its log so far, a line each. */
  readonly logLines: () => readonly string[];
  signal(name: 'SIGTERM' | 'SIGHUP' | 'SIGKILL'): void;
  /** Resolves when it has ended, with its exit code; null: a signal ended it. */
  readonly exitCode: Promise<number | null>;
}

/** Starts it and waits until it answers. Rejects with its log when it ends before. Ends with the scope that it is used in. */
export async function runGateway(
  config: object,
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'marketplace-run-'));
  const configPath = join(folder, 'marketplace.yaml');
  writeFileSync(configPath, stringify(config));
  const child = spawn(process.execPath, [join(PROJECT, 'bin/marketplace.js'), 'serve'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH: process.env.PATH ?? '', PORT: '0', MARKETPLACE_DATA: join(folder, 'data') },
      ...{ MARKETPLACE_CONFIG: configPath, ...environment },
    },
  });
  let errorText = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorText += text;
  });
  const exitCode = once(child, 'close').then(([code]: unknown[]) => (typeof code === 'number' ? code : null));
  const end = async () => {
    child.kill('SIGKILL');
    await exitCode;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const line = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line').then(([text]) => String(text)),
      exitCode.then((code) => Promise.reject(new Error(`the gateway ended with ${code}: ${errorText}`))),
    ]);
    return {
      origin: /http:\/\/[^/\s]+/.exec(line)?.[0] ?? '',
      pid: child.pid ?? 0,
      configPath,
      logLines: () => errorText.split('\n').filter((text) => text !== ''),
      signal: (name) => void child.kill(name),
      exitCode,
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}
