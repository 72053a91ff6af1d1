/** A gateway as its operators run it: a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../bin/marketplace.js', import.meta.url));

export interface Asked {
  readonly data: Record<string, unknown> | null;
  readonly errors: unknown;
  readonly tookMs: number;
}

export class GatewayProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #url: string;
  #errorText: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
    this.#errorText = '';
    child.stderr?.on('data', (text) => {
      this.#errorText += String(text);
    });
  }

  /** Resolves when it answers and is ready. */
  static async start(folder: string, name: string, environment: Record<string, string>): Promise<GatewayProcess> {
    const child = spawn(process.execPath, [PROGRAM, 'serve'], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', PORT: '0', MARKETPLACE_DATA: join(folder, name), ...environment },
    });
    let said = '';
    const note = (text: unknown) => {
      said += String(text);
    };
    child.stderr.on('data', note);
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([
      once(lines, 'line'),
      once(child, 'close').then(() => Promise.reject(new Error(`it ended: ${said}`))),
    ]);
    child.stderr.off('data', note);
    const gateway = new GatewayProcess(child, /http:\/\/\S+/.exec(String(line))?.[0] ?? '');
    await gateway.#whenReady();
    return gateway;
  }

  /** What it has logged. */
  get errorText(): string {
    return this.#errorText;
  }

  async ask(query: string, variables: Record<string, unknown> = {}, apiKey: string | null = null): Promise<Asked> {
    const startedMs = performance.now();
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(apiKey !== null && { 'x-api-key': apiKey }) },
      body: JSON.stringify({ query, variables }),
    });
    const { data = null, errors = null } = JSON.parse(await response.text());
    return { data, errors, tookMs: performance.now() - startedMs };
  }

  /** The state of its sharing. */
  async readSharing(): Promise<{ state: string; replicas: number; untoldInvalidations: number }> {
    const { data } = await this.ask('{ gateway { sharing { state replicas untoldInvalidations } } }');
    return JSON.parse(JSON.stringify(data)).gateway.sharing;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #whenReady(): Promise<void> {
    const url = new URL('/readyz', this.#url);
    while ((await fetch(url).then((response) => response.status)) !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
