/** What the agent's page says. */
import { en } from "./desk-en.ts";
import { type DeskMessages, tr } from "./desk-tr.ts";
import type { Locale } from "./locale.ts";

export type { DeskMessages };

const languages: Readonly<Record<Locale, DeskMessages>> = { tr, en };

export function deskMessages(locale: Locale): DeskMessages {
  return languages[locale];
}
