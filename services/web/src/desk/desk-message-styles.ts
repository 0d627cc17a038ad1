/** How a message looks at the desk. */
import { css } from "lit";

export const messageStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    align-items: flex-start;
  }
  :host(.out) {
    align-items: flex-end;
  }
  article {
    max-width: min(42rem, 88%);
    min-width: 8rem;
    padding: 0.5rem 0.875rem 0.625rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--surface);
  }
  :host(.out) article {
    border-color: transparent;
    background: var(--accent-soft);
  }
  :host(.note) {
    align-items: center;
  }
  :host(.note) article {
    border: 1px dashed var(--warn-line);
    background: var(--warn-soft);
  }
  article:has(iframe) {
    width: 88%;
  }
  header {
    display: flex;
    align-items: center;
    gap: 0.375rem;
    color: var(--ink-soft);
    font-size: var(--text-1);
  }
  header strong {
    color: var(--ink);
  }
  time {
    margin-left: auto;
    padding-left: 0.75rem;
  }
  h3 {
    margin: 0.25rem 0;
    font-size: var(--text-3);
  }
  .text {
    overflow-wrap: anywhere;
    white-space: pre-wrap;
  }
  .link {
    padding: 0.125rem 0;
    border: 0;
    background: none;
    color: var(--accent-ink);
    font-size: var(--text-1);
    font-weight: 600;
    cursor: pointer;
  }
  .link + .link {
    margin-left: 0.75rem;
  }
  .link:hover {
    text-decoration: underline;
  }
  iframe.mail {
    display: block;
    width: 100%;
    height: 15rem;
    margin-top: 0.5rem;
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
    background: #fff;
    color-scheme: light;
    resize: vertical;
  }
  .call {
    display: flex;
    align-items: center;
    gap: 0.75rem;
    padding: 0.25rem 0;
  }
  .disc {
    display: grid;
    place-items: center;
    width: 2.25rem;
    height: 2.25rem;
    border-radius: 50%;
    background: var(--accent-soft);
    color: var(--accent-ink);
  }
  .missed .disc {
    background: var(--danger-soft);
    color: var(--danger);
  }
  .files {
    display: flex;
    flex-wrap: wrap;
    gap: 0.375rem;
    margin-top: 0.5rem;
  }
  .files button {
    display: flex;
    align-items: center;
    gap: 0.375rem;
    max-width: 18rem;
    padding: 0.25rem 0.625rem;
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
    background: var(--canvas);
    font-size: var(--text-2);
    cursor: pointer;
  }
  .files img {
    max-width: 5rem;
    max-height: 5rem;
    border-radius: var(--radius-small);
  }
  .files button:hover {
    border-color: var(--line-strong);
  }
  .files button span:first-of-type {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .gone {
    border-style: dashed;
    background: transparent;
  }
  .gone .soft {
    display: flex;
    align-items: center;
    gap: 0.375rem;
    font-style: italic;
  }
  .earlier {
    display: grid;
    gap: 0.375rem;
    margin: 0.5rem 0 0.25rem;
    padding-left: 0.75rem;
    border-left: 2px solid var(--line-strong);
    font-size: var(--text-2);
  }
  .earlier li {
    display: flex;
    align-items: baseline;
    list-style: none;
  }
  .earlier time {
    color: var(--ink-faint);
    font-size: var(--text-1);
  }
  .reactions {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem;
    margin-top: 0.375rem;
  }
  .foot {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    padding: 0.1875rem 0.25rem 0;
    color: var(--ink-faint);
    font-size: var(--text-1);
  }
  .foot.read {
    color: var(--accent-ink);
  }
  .foot.failed {
    color: var(--danger);
  }
`;
