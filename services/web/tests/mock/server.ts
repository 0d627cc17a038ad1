/**
 * A stand-in for the API, for looking at the built pages by hand or with a headless browser. Loopback only, nothing is kept.
 *
 *     npm run build && npm run mock      # prints the address; /desk#code=mock, /chat/demo, /shop
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocket, WebSocketServer } from "ws";
import { ago, conversations, desk, events, mailHtml, mails, messages, offers, profiles, routing } from "./world.ts";

const dist = join(import.meta.dirname, "../../dist");
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const PAGES: Record<string, string> = {
  "/desk": "desk.html",
  "/shop": "shop.html",
  "/santral-chat.js": "santral-chat.js",
};
const CSP =
  "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; img-src 'self' data:; " +
  "connect-src 'self' ws: wss:; require-trusted-types-for 'script'";

let snapshot = {
  ...desk,
  offers: offers.map((one) => ({ ...one, offer: { ...one.offer, made_at: ago(0), until: ago(-45) } })),
};

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function api(path: string, method: string, response: ServerResponse): void {
  const [, , kind, id = "", sub = "", seq = ""] = path.split("/");
  if (path === "/v1/sessions/exchange")
    json(response, { token: "mock", agent_id: desk.agent.id, expires_at: ago(-36_000) });
  else if (path === "/v1/agents/me/desk") json(response, snapshot);
  else if (kind === "conversations" && sub === "messages" && seq)
    response.writeHead(200, { "content-type": "text/html" }).end(mailHtml);
  else if (kind === "conversations" && sub === "messages") json(response, { items: messages[id] ?? [], next: null });
  else if (kind === "conversations" && sub === "events") json(response, { items: events[id] ?? [], next: null });
  else if (kind === "conversations" && sub === "replies")
    json(response, { id: `r${Date.now()}`, seq: 99, state: "queued" }, 202);
  else if (kind === "conversations" && sub === "placements") json(response, { data: [] });
  else if (kind === "conversations")
    json(
      response,
      conversations.find((one) => one.id === id),
    );
  else if (kind === "decisions") json(response, { id, kind: "routing", record: routing });
  else if (kind === "profiles" && sub === "timeline")
    json(response, {
      profile_id: id,
      conversations: conversations.filter((one) => one.customer.profile_id === id),
      items: [],
      actors: {},
      next: null,
    });
  else if (kind === "profiles" && (sub === "links" || sub === "suggestions"))
    json(response, { items: [], actors: {}, next: null });
  else if (kind === "profiles" && sub === "consents") json(response, { effective: { granted: null }, items: [] });
  else if (kind === "profiles" && sub === "may-contact")
    json(response, { allowed: true, reason: "", not_before: null });
  else if (kind === "profiles")
    json(
      response,
      profiles.find((one) => one.id === id),
    );
  else if (kind === "offers" && method === "POST") {
    snapshot = { ...snapshot, offers: snapshot.offers.filter((one) => one.offer.id !== id) };
    json(response, {});
  } else if (kind === "chat" && sub === "config") json(response, { title: "Yayla Kahve destek", locale: "tr" });
  else if (kind === "chat") json(response, { token: "visitor", visitor_id: "v1", expires_at: ago(-86_400) });
  else json(response, {});
}

async function page(path: string, response: ServerResponse): Promise<void> {
  const name = PAGES[path] ?? (path.startsWith("/chat/") ? "chat.html" : path.slice(1));
  try {
    const body = await readFile(join(dist, normalize(name)));
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "text/plain", "content-security-policy": CSP });
    response.end(body);
  } catch {
    json(response, { title: "Not found", status: 404, detail: "" }, 404);
  }
}

const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  if (path === "/demo/mails") json(response, mails);
  else if (path === "/demo/info")
    json(response, {
      widget_token: "demo",
      api_docs: "/docs",
      health: "/healthz",
      smtp: "127.0.0.1:2525",
      agents: [
        { name: "Deniz Yıldız", page: "/desk#code=mock" },
        { name: "Can Öztürk", page: "/desk#code=mock2" },
      ],
    });
  else if (path.startsWith("/v1/")) api(path, request.method ?? "GET", response);
  else void page(path, response);
});

const sockets = new WebSocketServer({ server, handleProtocols: () => "santral.v1" });
sockets.on("connection", (socket: WebSocket, request: IncomingMessage) => {
  const say = (frame: unknown) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame));
  const visitor = request.url?.includes("/chat/");
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as { type: string; id?: string; text?: string };
    if (frame.type === "hello" && !visitor)
      say({ type: "welcome", incarnation: desk.incarnation, agent_seq: 12, desk: snapshot });
    else if (frame.type === "hello")
      say({
        type: "welcome",
        incarnation: desk.incarnation,
        conversation_id: null,
        seq: 0,
        messages: [],
        position: null,
        agent: null,
      });
    else if (visitor && frame.type === "message") answer(say, frame.id ?? "", frame.text ?? "");
  });
});

/** A visitor's line: accepted, echoed, a place in line; then, for a question, an agent who answers. */
function answer(say: (frame: unknown) => unknown, id: string, text: string): void {
  const at = new Date().toISOString();
  const seq = Date.now();
  say({ type: "accepted", id, message_id: `m${seq}` });
  say({ type: "message", message: { seq, direction: "in", text, at, client_id: id } });
  if (!text.endsWith("?")) {
    say({ type: "state", state: "waiting", agent: null });
    say({ type: "position", position: 3, wait: { p50_s: 130, p90_s: 290 } });
    return;
  }
  say({ type: "state", state: "with_agent", agent: "Deniz Yıldız" });
  const agent_name = "Deniz Yıldız";
  say({
    type: "message",
    message: {
      seq: seq + 1,
      direction: "out",
      text: "Merhaba, ben Deniz. Siparişinize hemen bakıyorum.",
      at,
      agent_name,
    },
  });
  setTimeout(() => {
    say({
      type: "message",
      message: {
        seq: seq + 2,
        direction: "out",
        text: "Paketiniz dün saat 16.40’ta kargoya verilmiş: https://kargo.example/YK-20418",
        at,
        agent_name,
      },
    });
  }, 800);
}

server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  const address = server.address();
  console.log(typeof address === "object" && address ? `http://127.0.0.1:${address.port}` : "");
});
