/**
 * For tests that hold the program to a time by the clock on the wall. They share their machine with others: one that stalls for a
 * moment fails one try, a program that is too slow fails all of them. Not for anything else, and not for tests that do not
 * begin anew when they are run again.
 */
export const CLOCK_BOUND = { retry: 3 } as const;

/** For what comes a moment later, without anything that tells of it: a busy machine may take its time. */
export const PATIENT = { timeout: 15_000 } as const;
