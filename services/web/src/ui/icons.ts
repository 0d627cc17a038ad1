/** Line icons on a 24 × 24 grid, drawn in the text's colour. They say nothing to a screen reader: the label beside them does. */
import { html, type TemplateResult } from "lit";

const PATHS = {
  email: "M3.5 6.5h17v11h-17zM4 7l8 6.5L20 7",
  chat: "M4 5.5h16v10.5h-9l-4.5 3.5V16H4z",
  phone:
    "M6.5 3.5l3 .5 1 4-2 1.5c1 2.5 3 4.500 5.500 5.500L15.500 13l4 1 .5 3c0 2-1.500 3.500-3.500 3.500C9.500 20 4 14 3.500 7c0-2 1-3.500 3-3.500z",
  social:
    "M12 20s-7.500-4.600-7.500-10A4.200 4.200 0 0 1 12 7.500 4.200 4.200 0 0 1 19.500 10c0 5.400-7.500 10-7.500 10z",
  other: "M4 12h16M12 4v16M6.500 6.500l11 11M17.500 6.500l-11 11",
  send: "M4 12l16-8-5 16-3.500-6.500z",
  check: "M5 12.500l4.500 4.500L19 7.500",
  checks: "M2.500 12.500l4.500 4.500L15 8M11 16l1 1 9.500-9",
  clock: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 8v4.500l3 1.500",
  warning: "M12 4l9 15.500H3zM12 10v4.500M12 17v.2",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9.500l6 6 6-6",
  back: "M14.500 6l-6 6 6 6",
  clip: "M19 11l-7.500 7.500a4.500 4.500 0 0 1-6.400-6.400l7.800-7.800a3 3 0 0 1 4.300 4.300l-7.700 7.700a1.500 1.500 0 0 1-2.200-2.200L14 7.500",
  person: "M12 4.500a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4.500 20c.6-3.600 3.700-5.500 7.500-5.500s6.900 1.900 7.500 5.500",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.500v2.500M12 19v2.500M2.500 12H5M19 12h2.500M5.300 5.300l1.700 1.700M17 17l1.700 1.700M5.300 18.700L7 17M17 7l1.700-1.700",
  moon: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z",
  pause: "M9 6v12M15 6v12",
  tray: "M4 13l2.500-7.500h11L20 13v5.500H4zM4 13h4.500l1.500 2.500h4l1.500-2.500H20",
  keyboard: "M3 7h18v10.500H3zM7 10.500h.1M10.500 10.500h.1M14 10.500h.1M17 10.500h.1M8 14.500h8",
  link: "M10 14l4-4M9 11l-2.500 2.500a3 3 0 0 0 4 4L13 15M15 13l2.500-2.500a3 3 0 0 0-4-4L11 9",
  arrange:
    "M4 7h4c5 0 5 10 10 10h2M4 17h4c1.500 0 2.600-.9 3.500-2.200M14.500 9.200C15.400 7.900 16.500 7 18 7h2M18 4.500L20.500 7 18 9.500M18 14.500l2.500 2.500-2.500 2.500",
  pencil: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  exit: "M10 5H5v14h5M14 8l4 4-4 4M18 12H9",
} as const;

export type IconName = keyof typeof PATHS;

/** `size` in CSS pixels. */
export function icon(name: IconName, size = 18): TemplateResult {
  return html`<svg width=${size} height=${size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;
}

const CHANNELS: ReadonlySet<string> = new Set(["email", "chat", "phone", "social"]);

/** The icon of a channel; channels are an open set, so what we have no drawing for gets a neutral one. */
export function channelIcon(channel: string, size = 18): TemplateResult {
  return icon(CHANNELS.has(channel) ? (channel as IconName) : "other", size);
}
