/**
 * One connection of the socket protocol `santral.v1`, kept alive: hello with a resume position, frames, reconnect.
 *
 * The first frame carries the token, never the address. What a page has seen is the caller's: it is asked for the hello
 * anew at each connect. Nothing is queued here while there is no connection: `send` says no, and the caller, who knows
 * what is still wanted, says it again on `open`.
 * Units: milliseconds, bytes. Identity: one `Stream` is one logical connection over any number of sockets.
 */
import { backoffMs } from "./backoff.ts";

const SUBPROTOCOL = "santral.v1";
const WELCOME_MS_MAX = 10_000;
const UNSENT_BYTES_MAX = 256 * 1024;
const STEADY_MS = 10_000;

/** Close codes of the protocol. */
export const CLOSED = { unauthenticated: 4401, revoked: 4403, slow: 4409 } as const;

export type StreamState = "connecting" | "open" | "waiting" | "refused" | "stopped";

export interface Frame {
  readonly type: string;
}

export interface StreamOptions<In extends Frame> {
  readonly address: () => string;
  /** The hello frame, made anew for every connection from what has been seen so far. */
  readonly hello: () => Frame | Promise<Frame>;
  readonly onFrame: (frame: In) => void;
  readonly onState: (state: StreamState, code?: number) => void;
  readonly connect?: (address: string, subprotocol: string) => WebSocket;
}

export class Stream<In extends Frame, Out extends Frame> {
  readonly #options: StreamOptions<In>;
  #socket: WebSocket | null = null;
  #state: StreamState = "stopped";
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #openedAt = 0;

  constructor(options: StreamOptions<In>) {
    this.#options = options;
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Connects and stays connected until `stop`, or until the server refuses the token. Calling twice changes nothing. */
  start(): void {
    if (this.#state !== "stopped" && this.#state !== "refused") return;
    window.addEventListener("online", this.#soon);
    document.addEventListener("visibilitychange", this.#soon);
    this.#attempt = 0;
    this.#open();
  }

  stop(): void {
    window.removeEventListener("online", this.#soon);
    document.removeEventListener("visibilitychange", this.#soon);
    clearTimeout(this.#timer);
    this.#become("stopped");
    this.#drop();
  }

  /** Whether the frame was handed to an open connection; `false` also when too much waits to be sent already. */
  send(frame: Out): boolean {
    const socket = this.#socket;
    if (this.#state !== "open" || !socket || socket.bufferedAmount > UNSENT_BYTES_MAX) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#become("connecting");
    const connect = this.#options.connect ?? ((address, protocol) => new WebSocket(address, protocol));
    const socket = connect(this.#options.address(), SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = async () => {
      const hello = await this.#options.hello();
      if (socket === this.#socket && socket.readyState === 1) socket.send(JSON.stringify(hello));
    };
    socket.onmessage = (message) => {
      if (socket === this.#socket) this.#receive(String(message.data));
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    };
    this.#timer = setTimeout(() => this.#closed(0), WELCOME_MS_MAX);
  }

  #receive(text: string): void {
    let frame: In;
    try {
      frame = JSON.parse(text) as In;
    } catch {
      console.warn("a frame that is not JSON was left out");
      return;
    }
    if (frame.type === "welcome") {
      clearTimeout(this.#timer);
      this.#openedAt = Date.now();
      this.#become("open");
    }
    this.#options.onFrame(frame);
  }

  #closed(code: number): void {
    clearTimeout(this.#timer);
    this.#drop();
    if (this.#state === "stopped") return;
    if (code === CLOSED.unauthenticated || code === CLOSED.revoked) {
      this.#become("refused", code);
      return;
    }
    // A connection that held for a while was a good one: the next attempt starts from the shortest wait again.
    if (this.#state === "open" && Date.now() - this.#openedAt > STEADY_MS) this.#attempt = 0;
    const wait = backoffMs(this.#attempt);
    this.#attempt += 1;
    this.#become("waiting", code);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** The network or the person came back: no reason to wait out the rest of a long pause. */
  readonly #soon = (): void => {
    if (this.#state !== "waiting" || document.visibilityState === "hidden") return;
    this.#attempt = 0;
    this.#open();
  };

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState <= 1) socket.close();
  }

  #become(state: StreamState, code?: number): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state, code);
  }
}
