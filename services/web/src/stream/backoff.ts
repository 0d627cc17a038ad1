/**
 * How long to wait before the next attempt: exponential with full jitter, so that a restarted server is not met by
 * everybody in the same instant. Units: milliseconds.
 */
const FIRST_MS = 500;
const MOST_MS = 20_000;

/** `attempt` counts from 0; `random` is in [0, 1). At least 200 ms, at most 20 s. */
export function backoffMs(attempt: number, random: number = Math.random()): number {
  const ceiling = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.max(200, Math.round(ceiling * random));
}
