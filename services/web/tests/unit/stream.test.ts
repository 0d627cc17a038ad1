import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backoffMs } from "../../src/stream/backoff.ts";
import { type Frame, Stream, type StreamState } from "../../src/stream/stream.ts";

/** A socket that does what the test tells it. */
class FakeSocket {
  static made: FakeSocket[] = [];
  readyState = 1;
  bufferedAmount = 0;
  sent: Frame[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor() {
    FakeSocket.made.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Frame);
  }
  close(): void {
    this.readyState = 3;
  }
  async open(): Promise<void> {
    this.onopen?.();
    await vi.advanceTimersByTimeAsync(0);
  }
  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  fail(code: number): void {
    this.onclose?.({ code });
  }
}

const newest = (): FakeSocket => FakeSocket.made.at(-1) as FakeSocket;
let states: StreamState[];
let frames: Frame[];
let seen: number;
let stream: Stream<Frame, Frame>;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.made = [];
  states = [];
  frames = [];
  seen = 0;
  stream = new Stream<Frame, Frame>({
    address: () => "ws://localhost/v1/stream",
    hello: () => ({ type: "hello", seq: seen }) as Frame,
    onFrame: (frame) => frames.push(frame),
    onState: (state) => states.push(state),
    connect: () => new FakeSocket() as unknown as WebSocket,
  });
});

afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

test("says hello first, and is open only after the welcome", async () => {
  stream.start();
  await newest().open();
  expect(newest().sent).toEqual([{ type: "hello", seq: 0 }]);
  expect(stream.send({ type: "x" })).toBe(false);
  newest().say({ type: "welcome" });
  expect(states).toEqual(["connecting", "open"]);
  expect(stream.send({ type: "x" })).toBe(true);
});

test("reconnects with what it has seen meanwhile", async () => {
  stream.start();
  await newest().open();
  newest().say({ type: "welcome" });
  seen = 7;
  newest().fail(1012);
  expect(stream.send({ type: "x" })).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(FakeSocket.made).toHaveLength(2);
  await newest().open();
  expect(newest().sent).toEqual([{ type: "hello", seq: 7 }]);
});

test("without a place for its socket it comes again, later each time", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0.999);
  stream.start();
  for (const [attempt, code] of [1013, 1006, 1013].entries()) {
    await newest().open();
    newest().fail(code);
    expect(states.at(-1)).toBe("waiting");
    await vi.advanceTimersByTimeAsync(500 * 2 ** attempt - 100);
    expect(FakeSocket.made).toHaveLength(attempt + 1);
    await vi.advanceTimersByTimeAsync(100);
    expect(FakeSocket.made).toHaveLength(attempt + 2);
  }
  vi.mocked(Math.random).mockRestore();
});

test("a refused token ends it; starting again tries again", async () => {
  stream.start();
  await newest().open();
  newest().fail(4401);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.made).toHaveLength(1);
  expect(states.at(-1)).toBe("refused");
  stream.start();
  expect(FakeSocket.made).toHaveLength(2);
});

test("a server that accepts and never answers is left", async () => {
  stream.start();
  await newest().open();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(states).toEqual(["connecting", "waiting"]);
  expect(newest().readyState).toBe(3);
});

test("frames of a socket that was left are not heard", async () => {
  stream.start();
  const left = newest();
  await left.open();
  left.fail(1006);
  await vi.advanceTimersByTimeAsync(1000);
  left.say({ type: "welcome" });
  expect(frames).toEqual([]);
});

test("too much unsent is refused, and no JSON is left out", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  stream.start();
  await newest().open();
  newest().say({ type: "welcome" });
  newest().bufferedAmount = 300_000;
  expect(stream.send({ type: "x" })).toBe(false);
  newest().onmessage?.({ data: "{" });
  expect(frames).toHaveLength(1);
});

test("stops for good", async () => {
  stream.start();
  await newest().open();
  stream.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.made).toHaveLength(1);
});

test("waits longer with every attempt, never more than twenty seconds", () => {
  expect([0, 1, 2, 3].map((attempt) => backoffMs(attempt, 0.999))).toEqual([500, 999, 1998, 3996]);
  expect(backoffMs(1000, 0.999)).toBeLessThanOrEqual(20_000);
  expect(backoffMs(0, 0)).toBe(200);
});
