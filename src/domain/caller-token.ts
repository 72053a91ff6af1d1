/**
 * The token by which a caller proved who it is, for registries that are asked in the caller's own name. Neither JSON nor a log
 * shows it: it is had by `reveal` alone.
 */
export class CallerToken {
  /** Stands for the token in keys. It is made with a key of this process: nothing can be read off it, and nobody can make it. */
  readonly fingerprint: string;
  readonly #value: string;

  constructor(value: string, fingerprint: string) {
    this.#value = value;
    this.fingerprint = fingerprint;
  }

  /** The token itself, to be sent to a registry that the configuration says may have it, and nowhere else. */
  reveal(): string {
    return this.#value;
  }
}
