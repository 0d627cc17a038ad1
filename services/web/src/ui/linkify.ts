/**
 * Finds web addresses in plain text. The result is data, never markup: the page makes text nodes and anchors from it.
 * Only http and https become links.
 */
export interface Piece {
  readonly text: string;
  readonly href?: string;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`]+/giu;
const TRAILING = ".,;:!?…)]}»”’";
const ADDRESS_CHARS_MAX = 2000;

/** The text in order, cut into plain pieces and links. Joining every `text` gives the input back. */
export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const bare = trimmed(found[0]);
    const href = safe(bare);
    if (!href) continue;
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: bare, href });
    from = found.index + bare.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** A sentence's full stop or closing bracket after an address is not part of it, unless the bracket was opened inside. */
function trimmed(address: string): string {
  if (address.length > ADDRESS_CHARS_MAX) return "";
  let end = address.length;
  while (end > 0 && TRAILING.includes(address.charAt(end - 1))) end -= 1;
  const tail = address.slice(end);
  if (!tail) return address;
  if (tail.startsWith(")") && address.includes("(")) return address.slice(0, address.length - tail.length + 1);
  return address.slice(0, address.length - tail.length);
}

function safe(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
