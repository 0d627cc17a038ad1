/** The page's language, and dates and numbers as that language writes them. Times come as ISO 8601 text in UTC. */
export type Locale = "tr" | "en";

export const LOCALES: readonly Locale[] = ["tr", "en"];

/** The first of the wishes that we speak; English for everybody else. */
export function localeOf(...wishes: ReadonlyArray<string | null | undefined>): Locale {
  for (const wish of wishes) {
    const known = LOCALES.find((locale) => wish?.toLowerCase().startsWith(locale));
    if (known) return known;
  }
  return "en";
}

export class Formats {
  readonly #time: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #date: Intl.DateTimeFormat;
  readonly #full: Intl.DateTimeFormat;
  readonly #number: Intl.NumberFormat;
  readonly #relative: Intl.RelativeTimeFormat;

  constructor(locale: Locale) {
    this.#time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", weekday: "long" });
    this.#date = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
    this.#full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
    this.#number = new Intl.NumberFormat(locale);
    this.#relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  }

  time(at: string): string {
    return this.#time.format(new Date(at));
  }

  day(at: string): string {
    return this.#day.format(new Date(at));
  }

  date(at: string): string {
    return this.#date.format(new Date(at));
  }

  full(at: string): string {
    return this.#full.format(new Date(at));
  }

  number(value: number): string {
    return this.#number.format(value);
  }

  /** "5 min. ago", "in 2 hr.": the largest unit that fits. */
  ago(at: string, now: number = Date.now()): string {
    const seconds = Math.round((new Date(at).getTime() - now) / 1000);
    const size = Math.abs(seconds);
    if (size < 60) return this.#relative.format(size < 10 ? 0 : seconds, "second");
    if (size < 3600) return this.#relative.format(Math.trunc(seconds / 60), "minute");
    if (size < 86_400) return this.#relative.format(Math.trunc(seconds / 3600), "hour");
    return this.#relative.format(Math.trunc(seconds / 86_400), "day");
  }
}
