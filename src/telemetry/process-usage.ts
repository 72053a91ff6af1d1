/** What the process uses, as the program's entry reads it. Bytes and seconds. */
export interface ProcessUsage {
  readonly nodeVersion: string;
  /** Seconds since 1970. */
  readonly startedAtSeconds: number;
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly heapTotalBytes: number;
  /** Of objects outside of V8's heap. */
  readonly externalBytes: number;
  /** How late the event loop came to its timers since the last reading: what a request may have to wait before it begins. */
  readonly eventLoopLag: {
    readonly meanSeconds: number;
    readonly p99Seconds: number;
    readonly maxSeconds: number;
  };
}
