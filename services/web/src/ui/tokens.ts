/**
 * Colours, type and space, as custom properties of a page's root element; everything inside inherits them.
 *
 * Light and dark come from `color-scheme`: the system's wish, or the `theme` attribute. Contrast of text on its ground is at
 * least 4.5 : 1 in both. Units: rem; steps of space are quarters of 1rem.
 */
import { css } from "lit";

export const tokens = css`
  :host {
    color-scheme: light dark;
    --canvas: light-dark(#f5f6f4, #10161b);
    --surface: light-dark(#ffffff, #182028);
    --raised: light-dark(#ffffff, #1e2831);
    --sunken: light-dark(#eef0ee, #131a20);
    --line: light-dark(#dfe3e0, #2b3742);
    --line-strong: light-dark(#c3cbc7, #3d4c59);
    --ink: light-dark(#18222b, #e8edf0);
    --ink-soft: light-dark(#52606b, #a5b4bf);
    --ink-faint: light-dark(#66737d, #8999a5);
    --accent: light-dark(#0b6e64, #46bfae);
    --accent-strong: light-dark(#085a52, #67d0c1);
    --on-accent: light-dark(#ffffff, #07231f);
    --accent-soft: light-dark(#e2f1ee, #17332f);
    --accent-ink: light-dark(#07554d, #8edfd2);
    --warn: light-dark(#9a4d04, #f0b465);
    --warn-soft: light-dark(#fdf1e2, #33281a);
    --warn-line: light-dark(#f0cfa4, #5b4526);
    --danger: light-dark(#b3261e, #ff9c92);
    --danger-soft: light-dark(#fdeceb, #3a2021);
    --ok: light-dark(#1c7a43, #6bcf95);
    --busy: light-dark(#b3261e, #ff8a7e);
    --away: light-dark(#a05a00, #f0b465);
    --off: light-dark(#7a868f, #7f8e99);
    --focus: light-dark(#0b6e64, #67d0c1);
    --shadow: 0 1px 2px light-dark(rgb(24 34 43 / 0.06), rgb(0 0 0 / 0.4));
    --shadow-lifted: 0 8px 28px light-dark(rgb(24 34 43 / 0.14), rgb(0 0 0 / 0.5));
    --radius: 0.625rem;
    --radius-small: 0.375rem;
    --font: "Segoe UI", Roboto, "Helvetica Neue", Arial, system-ui, sans-serif;
    --text-1: 0.75rem;
    --text-2: 0.8125rem;
    --text-3: 0.875rem;
    --text-4: 1rem;
    --text-5: 1.125rem;
    --text-6: 1.375rem;
    color: var(--ink);
    font: var(--text-3) / 1.5 var(--font);
    accent-color: var(--accent);
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
`;
