// What a visitor downloads must stay small: fails the build when the loader or the chat page outgrows its budget.
// Units: bytes after gzip. The chat page counts its script with everything that it imports, and its style sheets.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";

const dist = resolve(import.meta.dirname, "dist");
if (!existsSync(resolve(dist, ".vite/manifest.json"))) {
  console.error("nothing is built yet: run `npm run build` first");
  process.exit(1);
}
const manifest = JSON.parse(readFileSync(resolve(dist, ".vite/manifest.json"), "utf8"));
const size = (file) => gzipSync(readFileSync(resolve(dist, file)), { level: 9 }).length;

/** The files that an entry of the manifest loads, itself included. */
function files(entry, seen = new Set()) {
  const chunk = manifest[entry];
  seen.add(chunk.file);
  for (const style of chunk.css ?? []) seen.add(style);
  for (const name of chunk.imports ?? []) files(name, seen);
  return seen;
}

const total = (entry) => [...files(entry)].reduce((sum, file) => sum + size(file), 0);
const budgets = [
  ["loader", size("santral-chat.js"), 1_750],
  ["chat page", total("chat.html"), 25_000],
  ["desk page", total("desk.html"), 60_000],
];
let over = false;
for (const [name, bytes, most] of budgets) {
  over ||= bytes > most;
  console.log(`${bytes > most ? "OVER" : "ok  "}  ${name.padEnd(10)} ${bytes} of ${most} bytes`);
}
process.exit(over ? 1 : 0);
