/**
 * Pictures of a message: thumbnails that the server made of its files. They are fetched with the agent's token and shown as data, because
 * an address alone carries no token, and the frame of a mail may fetch nothing.
 */
import type { DeskApi } from "../api/desk.ts";
import { ApiError } from "../api/problem.ts";
import type { MessageFile } from "../api/vocabulary.ts";

const KINDS = new Set(["image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/webp"]);
const BYTES_MAX = 25_000_000;
const PICTURES_MAX = 40;

/** Whether the server may be asked for a thumbnail; what a file says of itself decides nothing more. */
export function mayBePicture(file: MessageFile): boolean {
  return KINDS.has((file.content_type ?? "").toLowerCase()) && file.size_bytes <= BYTES_MAX;
}

/** A thumbnail as a `data:` address; null where the file is none, or the server has no answer. */
export async function pictureOf(
  api: DeskApi,
  at: { readonly conversation: string; readonly seq: number; readonly n: number; readonly edge: number },
): Promise<string | null> {
  try {
    return await asData(await api.thumbnail(at.conversation, at.seq, at.n, at.edge));
  } catch (error) {
    if (error instanceof ApiError) return null;
    throw error;
  }
}

/** A mail's HTML with the pictures in it that came with the mail; the server points each to its thumbnail. */
export async function withPictures(api: DeskApi, html: string, conversation: string, seq: number): Promise<string> {
  const base = `/v1/conversations/${conversation}/messages/${seq}/parts/`;
  const asked = new Map<string, Promise<string | null>>();
  for (const [, address = "", n = "", edge = ""] of html.matchAll(
    / src="([^"]+\/parts\/(\d+)\/thumbnail\?edge=(\d+))"/g,
  )) {
    if (!address.startsWith(base) || asked.has(address) || asked.size >= PICTURES_MAX) continue;
    asked.set(address, pictureOf(api, { conversation, seq, n: Number(n), edge: Number(edge) }));
  }
  let shown = html;
  for (const [address, picture] of asked) {
    const data = await picture;
    if (data) shown = shown.replaceAll(` src="${address}"`, ` src="${data}"`);
  }
  return shown;
}

function asData(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("unreadable"));
    reader.readAsDataURL(blob);
  });
}
