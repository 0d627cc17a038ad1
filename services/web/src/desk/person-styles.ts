/** What the parts of the customer's panel have in common. */
import { css } from "lit";

export const personStyles = css`
  :host {
    display: block;
  }
  section {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 0.625rem;
    padding: 0.875rem 1.25rem;
    border-top: 1px solid var(--line);
  }
  h3 {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 0.5rem;
    color: var(--ink-faint);
    font-size: var(--text-1);
    font-weight: 600;
    letter-spacing: 0.02em;
  }
  p,
  li,
  dd {
    overflow-wrap: anywhere;
  }
  dl {
    display: grid;
    grid-template-columns: minmax(5.5rem, max-content) minmax(0, 1fr);
    gap: 0.3125rem 0.75rem;
    font-size: var(--text-2);
  }
  dt {
    color: var(--ink-faint);
  }
  .wait {
    display: grid;
    place-items: center;
    padding: 1rem;
  }
  .told,
  .notice {
    align-items: flex-start;
    line-height: 1.4;
  }
  .told {
    display: flex;
    gap: 0.5rem;
    margin: 0.875rem 1.25rem;
    padding: 0.5rem 0.75rem;
    border-radius: var(--radius-small);
    background: var(--accent-soft);
    color: var(--accent-ink);
    font-size: var(--text-2);
  }
  .card {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 0.5rem;
    padding: 0.75rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--raised);
    font-size: var(--text-2);
    line-height: 1.45;
  }
  .card.ask {
    border-color: var(--warn-line);
    background: var(--warn-soft);
  }
  .card strong {
    overflow-wrap: anywhere;
  }
  .list {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 0.5rem;
  }
  .bar {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }
  .bar .button,
  .card .button {
    min-height: 2rem;
  }
  .small {
    line-height: 1.4;
  }
  summary {
    padding: 0.125rem 0;
    border-radius: var(--radius-small);
    color: var(--ink-soft);
    font-size: var(--text-2);
    font-weight: 600;
    cursor: pointer;
  }
  details > :not(summary) {
    margin-top: 0.625rem;
  }
  label.field-of {
    display: grid;
    gap: 0.25rem;
    font-size: var(--text-2);
    font-weight: 600;
  }
  label.field-of .field,
  label.field-of .soft {
    font-weight: 400;
  }
  label.choice {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    gap: 0.5rem;
    align-items: start;
    font-size: var(--text-2);
    line-height: 1.4;
  }
  label.choice input {
    margin: 0.1875rem 0 0;
  }
  button.plain {
    justify-self: start;
    padding: 0;
    border: 0;
    background: transparent;
    color: var(--accent-ink);
    font-size: var(--text-1);
    font-weight: 600;
    text-decoration: underline;
    text-underline-offset: 0.15em;
    cursor: pointer;
  }
  .where {
    display: grid;
    gap: 0.125rem;
    margin: 0 -0.5rem;
  }
  .where button {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr) auto;
    gap: 0.5rem;
    align-items: center;
    width: 100%;
    padding: 0.375rem 0.5rem;
    border: 0;
    border-radius: var(--radius-small);
    background: transparent;
    font-size: var(--text-2);
    text-align: left;
    cursor: pointer;
  }
  .where button:hover {
    background: var(--sunken);
  }
  .where button[aria-current="true"] {
    background: var(--accent-soft);
  }
  .where span:nth-of-type(1) {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
`;
