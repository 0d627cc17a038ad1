/** The list of what is kept out of work: a window over the desk, all of the screen on a small one. */
import { css } from "lit";

export const keptOutStyles = css`
  :host {
    display: block;
  }
  .opener {
    width: calc(100% - 2rem);
    margin: 0 1rem 1rem;
  }
  dialog {
    width: min(52rem, 100%);
    max-width: 100%;
    height: min(46rem, 100%);
    max-height: 100%;
    margin: auto;
    padding: 0;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--surface);
    color: var(--ink);
    box-shadow: var(--shadow-lifted);
  }
  dialog[open] {
    display: flex;
    flex-direction: column;
  }
  dialog::backdrop {
    background: rgb(10 16 20 / 0.45);
  }
  header {
    display: grid;
    grid-template-columns: 1fr auto;
    gap: 0.25rem 1rem;
    padding: 1.25rem 1.25rem 0.75rem;
  }
  header p {
    grid-column: 1 / -1;
    color: var(--ink-soft);
    font-size: var(--text-2);
  }
  h1 {
    font-size: var(--text-5);
    font-weight: 650;
  }
  form {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    gap: 0.75rem;
    padding: 0 1.25rem 0.875rem;
    border-bottom: 1px solid var(--line);
  }
  label {
    display: grid;
    gap: 0.25rem;
    font-size: var(--text-2);
    font-weight: 600;
  }
  label:first-of-type {
    flex: 1;
    min-width: 12rem;
  }
  label .field {
    font-weight: 400;
  }
  .body {
    flex: 1;
    overflow-y: auto;
    padding-bottom: 1rem;
  }
  .told {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem;
    min-height: 2.125rem;
    padding: 0.5rem 1.25rem;
    color: var(--ink-soft);
    font-size: var(--text-2);
  }
  .told.problem {
    color: var(--danger);
  }
  li.kept {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto;
    gap: 0.25rem 1rem;
    padding: 0.75rem 1.25rem;
    border-top: 1px solid var(--line);
  }
  li.kept > div {
    min-width: 0;
  }
  h2 {
    overflow: hidden;
    font-size: var(--text-3);
    font-weight: 650;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .who,
  .reason {
    color: var(--ink-soft);
    font-size: var(--text-2);
    overflow-wrap: anywhere;
  }
  code {
    padding: 0 0.25rem;
    border-radius: var(--radius-small);
    background: var(--sunken);
    font-size: var(--text-1);
  }
  .does {
    display: grid;
    gap: 0.375rem;
    align-content: start;
    justify-items: stretch;
  }
  details {
    margin: 0.75rem 1.25rem 0;
    padding: 0.625rem 0.875rem;
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
    font-size: var(--text-2);
  }
  summary {
    cursor: pointer;
    font-weight: 600;
  }
  details li {
    padding-top: 0.5rem;
    overflow-wrap: anywhere;
  }
  .center {
    display: flex;
    justify-content: center;
    padding-top: 0.75rem;
  }
  @media (width < 40rem) {
    li.kept {
      grid-template-columns: minmax(0, 1fr);
    }
  }
`;
