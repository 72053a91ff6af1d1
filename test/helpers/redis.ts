/** A real Redis server on a free port of loopback, for tests to stop, freeze and start again. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { findFreePort } from './free-port.ts';

const PROGRAM = 'redis-server';

/** Why tests with a real server cannot run here; null: they can. */
export const redisIsMissing: string | null =
  spawnSync(PROGRAM, ['--version']).status === 0 ? null : `skipped: ${PROGRAM} is not installed`;

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  #child: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await findFreePort());
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Starts it empty. Resolves when it answers. */
  async start(): Promise<void> {
    const given = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const child = spawn(PROGRAM, given, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    let said = '';
    for await (const text of child.stdout) {
      said += String(text);
      if (said.includes('Ready to accept connections')) break;
    }
    // Its pipe must not fill up.
    child.stdout.resume();
  }

  /** As a machine that loses its power. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** It keeps its connections and answers nothing. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Waits until something is so; fails after a time that no test needs. */
export async function waitUntil(isSo: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  for (const untilMs = performance.now() + timeoutMs; !(await isSo()); await wait(5)) {
    if (performance.now() > untilMs) throw new Error(`this was not so within ${timeoutMs} ms: ${isSo}`);
  }
}
