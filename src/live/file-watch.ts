/**
 * Files that may change under a running process: written in place, replaced by another of the same name (as editors and
 * configuration tools do), or exchanged with the folder that a symbolic link leads to (as mounted configuration maps are).
 */
import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/** A look at the files follows so long after a word of the system. */
const LOOK_AFTER_MS = 100;
/** A file must have been left alone for so long: who writes it may be at it still. */
const SETTLED_MS = 200;
/** Some file systems (networks, mounted single files) say nothing of changes: they are looked at by the clock. */
const LOOK_EVERY_MS = 2_000;

export class FileWatch {
  readonly #onChange: () => void;
  /** What each file looked like when it was last told of; absent: it is not watched. */
  readonly #known = new Map<string, string>();
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #clock: NodeJS.Timeout;
  #timer: NodeJS.Timeout | null = null;
  /** What was seen at the last look, where that is not what is known. */
  #seen: string | null = null;

  /** `onChange` is called when a file is another than before and has settled. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#clock = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#clock.unref();
  }

  /** Watches these files (absolute paths) and no others. Those that were watched before are compared with what they were then. */
  watch(paths: Iterable<string>): void {
    const wanted = new Set(paths);
    for (const path of this.#known.keys()) if (!wanted.has(path)) this.#known.delete(path);
    for (const path of wanted) if (!this.#known.has(path)) this.#known.set(path, describeFile(path));
    const folders = new Set([...wanted].flatMap((path) => [dirname(path), dirname(resolveLinks(path))]));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#listen(folder);
  }

  close(): void {
    clearInterval(this.#clock);
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#known.clear();
  }

  /** What happens in a folder may happen to a file of it. Without the system's word the clock will do. */
  #listen(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookAfter(LOOK_AFTER_MS));
      watcher.on('error', () => {
        watcher.close();
        if (this.#watchers.get(folder) === watcher) this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }

  #lookAfter(delayMs: number): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, delayMs);
    this.#timer.unref();
  }

  #look(): void {
    const now = new Map([...this.#known.keys()].map((path) => [path, describeFile(path)]));
    const changed = [...now].filter(([path, description]) => this.#known.get(path) !== description);
    if (changed.length === 0) {
      this.#seen = null;
      return;
    }
    const seen = JSON.stringify(changed);
    if (this.#seen !== seen) {
      this.#seen = seen;
      this.#lookAfter(SETTLED_MS);
      return;
    }
    this.#seen = null;
    for (const [path, description] of changed) this.#known.set(path, description);
    this.#onChange();
  }
}

/** Another text for every file that may have another content; of one that cannot be looked at, why. */
function describeFile(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}

function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return path;
  }
}
