/**
 * A real PostgreSQL for a test: a server of its own in a temporary folder, on a free port of loopback, without a disk to wait
 * for. PostgreSQL refuses to run as root: there it is run as the user "postgres".
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findFreePort } from './free-port.ts';

export interface TestPostgres extends AsyncDisposable {
  /** postgres://… of an empty database; each call makes another one. */
  createDatabase(): Promise<string>;
  /** Stops the server at once, as a crash does; nothing happens where it is stopped already. */
  stop(): Promise<void>;
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>;
}

const USER = 'postgres';
const ROOT_FOLDER = '/usr/lib/postgresql';
/** Of a server that starts, at a busy moment. */
const START_TIMEOUT_MS = 30_000;

/** null where this machine has none, and the reason was printed. DATABASE_URL_TEST names a server instead of starting one. */
export async function startPostgres(): Promise<TestPostgres | null> {
  const given = process.env.DATABASE_URL_TEST;
  if (given) return useServer(given);
  const bin = findPrograms();
  if (bin === null) {
    console.warn(`No PostgreSQL in ${ROOT_FOLDER}/*/bin, and no DATABASE_URL_TEST: what needs one is left out.`);
    return null;
  }
  return startServer(bin);
}

/** The folder with the programs of the newest version. */
function findPrograms(): string | null {
  if (!existsSync(ROOT_FOLDER)) return null;
  const versions = readdirSync(ROOT_FOLDER).sort((one, other) => Number(other) - Number(one));
  const bins = versions.map((version) => join(ROOT_FOLDER, version, 'bin'));
  return bins.find((bin) => existsSync(join(bin, 'initdb'))) ?? null;
}

/** Who runs the server: the user "postgres" where this process is root, itself elsewhere. */
function findOwner(): { readonly uid: number; readonly gid: number } | null {
  if (userInfo().uid !== 0) return null;
  const [, uid, gid] = new RegExp(`^${USER}:[^:]*:(\\d+):(\\d+):`, 'm').exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`there must be a user "${USER}" to run PostgreSQL as`);
  return { uid: Number(uid), gid: Number(gid) };
}

async function startServer(bin: string): Promise<TestPostgres> {
  const owner = findOwner();
  const folder = mkdtempSync(join(tmpdir(), 'marketplace-postgres-'));
  chmodSync(folder, 0o700);
  if (owner !== null) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const options = { cwd: folder, env: { LC_ALL: 'C', PATH: bin }, ...owner };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...options,
    stdio: 'ignore',
  });
  const port = await findFreePort();
  const url = (database: string) => `postgres://${USER}@127.0.0.1:${port}/${database}`;
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`, '-F'];
    server = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
      ...options,
      stdio: 'ignore',
    });
    await waitUntilUp(url('postgres'));
  }

  async function stop(): Promise<void> {
    const running = server;
    server = null;
    if (running === null || running.exitCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    // Immediate shutdown: connections are cut, and the next start recovers.
    running.kill('SIGQUIT');
    await exited;
  }

  await start();
  return {
    createDatabase: () => createDatabase(url),
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A server that is there already is neither started nor stopped. */
function useServer(given: string): TestPostgres {
  const url = (database: string) => {
    const { href } = Object.assign(new URL(given), { pathname: `/${database}` });
    return href;
  };
  const refuse = () => Promise.reject(new Error('the server of DATABASE_URL_TEST is not stopped and started by tests'));
  return {
    createDatabase: () => createDatabase(url),
    start: refuse,
    stop: refuse,
    async [Symbol.asyncDispose]() {},
  };
}

async function createDatabase(url: (database: string) => string): Promise<string> {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`;
  await withClient(url('postgres'), (client) => client.query(`create database ${name}`));
  return url(name);
}

async function waitUntilUp(url: string): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await withClient(url, (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function withClient(url: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // A server that is cut off while nobody asks it anything.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
