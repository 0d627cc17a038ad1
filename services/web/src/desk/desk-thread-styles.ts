/** How the open conversation is laid out. */
import { css } from "lit";

export const threadStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-height: 0;
    background: var(--canvas);
  }
  .middle {
    margin: auto;
    font-size: var(--text-3);
  }
  header {
    display: flex;
    align-items: center;
    gap: 0.625rem;
    padding: 0.625rem 1.25rem;
    border-bottom: 1px solid var(--line);
    background: var(--surface);
  }
  .title {
    flex: 1;
    min-width: 0;
  }
  h1 {
    overflow: hidden;
    font-size: var(--text-5);
    font-weight: 650;
    line-height: 1.3;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .title p {
    display: flex;
    gap: 0.75rem;
    overflow: hidden;
    color: var(--ink-soft);
    font-size: var(--text-2);
    white-space: nowrap;
  }
  .with {
    display: inline-flex;
    align-items: center;
    gap: 0.25rem;
  }
  .subject {
    overflow: hidden;
    text-overflow: ellipsis;
  }
  .title .also {
    color: var(--ink-faint);
    font-size: var(--text-1);
  }
  .also span {
    overflow: hidden;
    text-overflow: ellipsis;
  }
  .back,
  .details {
    display: none;
  }
  .log {
    display: flex;
    flex: 1;
    flex-direction: column;
    gap: 0.75rem;
    min-height: 0;
    padding: 1rem 1.25rem;
    overflow-y: auto;
    overscroll-behavior: contain;
    outline-offset: -2px;
  }
  .log > :first-child {
    margin-top: auto;
  }
  .day,
  .event {
    display: flex;
    align-items: center;
    gap: 0.75rem;
    color: var(--ink-faint);
    font-size: var(--text-1);
  }
  .day::before,
  .day::after {
    flex: 1;
    height: 1px;
    background: var(--line);
    content: "";
  }
  .event {
    justify-content: center;
    gap: 0.5rem;
    text-align: center;
  }
  .pick {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    gap: 0.75rem;
    align-items: center;
  }
  .pick input {
    width: 1.125rem;
    height: 1.125rem;
    margin: 0;
  }
  .gone {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem 1rem;
    align-items: center;
    justify-content: space-between;
    padding: 0.625rem 1.25rem;
    border-bottom: 1px solid var(--line);
    background: var(--warn-soft);
    color: var(--warn);
    font-size: var(--text-2);
  }
  .gone span {
    display: inline-flex;
    gap: 0.5rem;
    align-items: center;
  }
  .sending {
    align-self: flex-end;
    max-width: min(42rem, 88%);
    padding: 0.5rem 0.875rem;
    border: 1px dashed var(--line-strong);
    border-radius: var(--radius);
    color: var(--ink-soft);
    overflow-wrap: anywhere;
    white-space: pre-wrap;
  }
  .sending span {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    font-size: var(--text-1);
  }
  @media (max-width: 1180px) {
    .details {
      display: inline-flex;
    }
  }
  @media (max-width: 900px) {
    header {
      padding: 0.5rem 0.75rem;
    }
    .back {
      display: inline-flex;
    }
    header .chip,
    .subject {
      display: none;
    }
    .log {
      padding: 0.75rem;
    }
  }
`;
