/**
 * A typed fetch: JSON in and out, the bearer in a header, problems as `ApiError`. One attempt per call; who may repeat a
 * call decides the caller, with an idempotency key where the call writes.
 */
import { ApiError, problemOf, unreachable } from "./problem.ts";

const ANSWER_MS_MAX = 15_000;

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly idempotencyKey?: string;
  /** For this call only, in the place of the client's own. */
  readonly token?: string;
}

export class Client {
  readonly #origin: string;
  #token: string | null;
  #onUnauthenticated: () => void = () => {};

  /** `origin` is empty for the page's own. `token` may be given later with `signIn`. */
  constructor(origin = "", token: string | null = null) {
    this.#origin = origin;
    this.#token = token;
  }

  signIn(token: string, onUnauthenticated: () => void = () => {}): void {
    this.#token = token;
    this.#onUnauthenticated = onUnauthenticated;
  }

  async json<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.#fetch(path, call);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
  }

  async text(path: string): Promise<string> {
    return (await this.#fetch(path, {})).text();
  }

  async blob(path: string): Promise<Blob> {
    return (await this.#fetch(path, {})).blob();
  }

  /** The address of a socket on the same origin as the API. */
  socketAddress(path: string): string {
    const address = new URL(path, this.#origin || location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    return address.href;
  }

  async #fetch(path: string, call: Call): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json" };
    const token = call.token ?? this.#token;
    if (token) headers.authorization = `Bearer ${token}`;
    if (call.body !== undefined) headers["content-type"] = "application/json";
    if (call.idempotencyKey) headers["idempotency-key"] = call.idempotencyKey;
    let response: Response;
    try {
      response = await fetch(this.#origin + withQuery(path, call.query), {
        method: call.method ?? "GET",
        headers,
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
    } catch (cause) {
      throw unreachable(cause);
    }
    if (response.ok) return response;
    if (response.status === 401) this.#onUnauthenticated();
    throw new ApiError(await problemOf(response));
  }
}

function withQuery(path: string, query: Call["query"]): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  if (pairs.length === 0) return path;
  return `${path}?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}
