/** Somebody else's words on the page: text nodes and anchors, never markup. */
import { html, type TemplateResult } from "lit";
import { linkify } from "./linkify.ts";

export function words(text: string): TemplateResult[] {
  return linkify(text).map((piece) =>
    piece.href
      ? html`<a href=${piece.href} target="_blank" rel="noopener noreferrer nofollow">${piece.text}</a>`
      : html`${piece.text}`,
  );
}
