/** Buttons, fields, badges and the like, as every shadow root here includes them. */
import { css } from "lit";

export const controls = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  a {
    color: var(--accent-ink);
    text-underline-offset: 0.15em;
  }
  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
  }
  svg {
    display: block;
    flex: none;
  }
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.375rem;
    min-height: 2.125rem;
    padding: 0.25rem 0.875rem;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-small);
    background: var(--surface);
    font-weight: 600;
    font-size: var(--text-2);
    cursor: pointer;
    transition: background 120ms;
  }
  .button:hover {
    background: var(--sunken);
  }
  .button:disabled {
    opacity: 0.55;
    cursor: default;
  }
  .button.primary {
    border-color: transparent;
    background: var(--accent);
    color: var(--on-accent);
  }
  .button.primary:hover:not(:disabled) {
    background: var(--accent-strong);
  }
  .button.quiet {
    border-color: transparent;
    background: transparent;
    color: var(--ink-soft);
  }
  .button.quiet:hover {
    background: var(--sunken);
    color: var(--ink);
  }
  .button.icon {
    width: 2.125rem;
    padding: 0;
  }
  .field {
    width: 100%;
    padding: 0.5rem 0.75rem;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-small);
    background: var(--surface);
  }
  .field::placeholder {
    color: var(--ink-faint);
    opacity: 1;
  }
  .chip {
    display: inline-flex;
    align-items: center;
    gap: 0.25rem;
    padding: 0.0625rem 0.5rem;
    border-radius: 1rem;
    background: var(--sunken);
    color: var(--ink-soft);
    font-size: var(--text-1);
    font-weight: 600;
    line-height: 1.5;
    white-space: nowrap;
  }
  .chip.accent {
    background: var(--accent-soft);
    color: var(--accent-ink);
  }
  .chip.warn {
    background: var(--warn-soft);
    color: var(--warn);
  }
  .chip.danger {
    background: var(--danger-soft);
    color: var(--danger);
  }
  .soft {
    color: var(--ink-soft);
  }
  .faint {
    color: var(--ink-faint);
  }
  .small {
    font-size: var(--text-1);
  }
  .numbers {
    font-variant-numeric: tabular-nums;
  }
  .notice {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    padding: 0.5rem 0.75rem;
    border-radius: var(--radius-small);
    background: var(--warn-soft);
    color: var(--warn);
    font-size: var(--text-2);
  }
  .notice.danger {
    background: var(--danger-soft);
    color: var(--danger);
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .avatar {
    display: grid;
    place-items: center;
    flex: none;
    width: 2rem;
    height: 2rem;
    border-radius: 50%;
    background: var(--accent-soft);
    color: var(--accent-ink);
    font-size: var(--text-1);
    font-weight: 700;
    letter-spacing: 0.02em;
  }
  .empty {
    display: grid;
    justify-items: center;
    gap: 0.375rem;
    padding: 2rem 1.5rem;
    color: var(--ink-soft);
    text-align: center;
  }
  .empty strong {
    color: var(--ink);
    font-size: var(--text-4);
  }
  .empty svg {
    color: var(--line-strong);
    margin-bottom: 0.5rem;
  }
  @keyframes spin {
    to {
      transform: rotate(1turn);
    }
  }
  .spinner {
    width: 1.125rem;
    height: 1.125rem;
    border: 2px solid var(--line-strong);
    border-top-color: var(--accent);
    border-radius: 50%;
    animation: spin 0.8s linear infinite;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation-duration: 0.01ms !important;
      transition: none !important;
    }
    .spinner {
      animation-duration: 3s !important;
    }
  }
`;
