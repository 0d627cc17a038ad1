import { afterEach, expect, test, vi } from "vitest";
import { Client } from "../../src/api/client.ts";
import { DeskApi } from "../../src/api/desk.ts";
import { ApiError } from "../../src/api/problem.ts";
import { agentSession, takeCode } from "../../src/desk/session.ts";

const asked: Array<{ path: string; init: RequestInit }> = [];

/** A server that answers in turn. */
function answers(...given: Array<Response | Error>): void {
  asked.length = 0;
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    asked.push({ path, init });
    const next = given.shift();
    if (next instanceof Error) throw next;
    return next ?? new Response("{}");
  });
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

test("the token travels in a header and never in an address", async () => {
  answers(json({ items: [] }));
  const client = new Client("", "secret");
  await client.json("/v1/items", { query: { queue: "çağrı", state: undefined } });
  expect(asked[0]?.path).toBe("/v1/items?queue=%C3%A7a%C4%9Fr%C4%B1");
  expect(asked[0]?.init.headers).toMatchObject({ authorization: "Bearer secret" });
});

test("a problem becomes an error that knows whether trying again helps", async () => {
  answers(json({ title: "Conflict", detail: "this offer is accepted", remedy: "take the next one" }, 409));
  const error = await new Client().json("/x").catch((one: unknown) => one);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409, passing: false, message: "this offer is accepted" });
  answers(new TypeError("failed to fetch"));
  await expect(new Client().json("/x")).rejects.toMatchObject({ status: 0, passing: true });
  answers(new Response("<html>", { status: 502 }));
  await expect(new Client().json("/x")).rejects.toMatchObject({ status: 502, passing: true });
});

test("a refused token tells once that the session is over", async () => {
  answers(json({}, 401));
  const client = new Client();
  const over = vi.fn();
  client.signIn("old", over);
  await expect(client.json("/x")).rejects.toBeInstanceOf(ApiError);
  expect(over).toHaveBeenCalledOnce();
});

test("a long conversation is read page by page", async () => {
  const page = (from: number, count: number, next: string | null) =>
    json({ items: Array.from({ length: count }, (_, n) => ({ seq: from + n })), next });
  answers(page(1, 200, "200"), page(201, 30, null));
  const found = await new DeskApi(new Client()).messages("c");
  expect(found).toHaveLength(230);
  expect(asked.map((one) => one.path)).toEqual([
    "/v1/conversations/c/messages?limit=200",
    "/v1/conversations/c/messages?limit=200&cursor=200",
  ]);
});

test("the code is taken out of the address and exchanged once; a reload finds the session", async () => {
  location.hash = "#code=santral_code_x";
  const session = { token: "t", agent_id: "a", expires_at: new Date(Date.now() + 60_000).toISOString() };
  answers(json(session, 201));
  const api = new DeskApi(new Client());
  const code = takeCode();
  expect(code).toBe("santral_code_x");
  expect(location.hash).toBe("");
  expect(await agentSession(api, code)).toEqual(session);
  expect(await agentSession(api, takeCode())).toEqual(session);
  expect(asked).toHaveLength(1);
});

test("a session that ran out is none", async () => {
  sessionStorage.setItem("santral-desk:session", JSON.stringify({ token: "t", expires_at: "2020-01-01T00:00:00Z" }));
  expect(await agentSession(new DeskApi(new Client()), null)).toBeNull();
});
