import type { ProcessUsage } from '../telemetry/process-usage.ts';

/** What a command may ask of the process it runs in, so that only the program's entry touches the process itself. */
export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** One line to standard output: what the command is for. */
  printLine(line: string): void;
  /** One line to standard error: what went wrong. */
  printErrorLine(line: string): void;
  /** Calls the listener once, when the process is asked to stop (SIGTERM, SIGINT). */
  onStop(listener: () => void): void;
  /** Begins to watch what the process uses, and gives the function that reads it; absent: nobody can tell. */
  watchProcess?(): () => ProcessUsage;
  /** Calls the listener whenever the process is asked to read its configuration again (SIGHUP). */
  onReload(listener: () => void): void;
}

/** The contract's exit codes, as far as this version uses them. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** Registries were unavailable. */
export const EXIT_UNAVAILABLE = 5;
