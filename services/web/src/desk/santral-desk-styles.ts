/** The desk's three columns; two below 1180 px (the customer slides in), one below 900 px. */
import { css } from "lit";

export const deskStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    height: 100dvh;
    background: var(--canvas);
  }
  main {
    position: relative;
    display: grid;
    flex: 1;
    grid-template-columns: 20.5rem minmax(0, 1fr) 19.5rem;
    min-height: 0;
  }
  nav {
    border-right: 1px solid var(--line);
    background: var(--surface);
    overflow-y: auto;
  }
  aside {
    position: relative;
    display: grid;
    min-height: 0;
    border-left: 1px solid var(--line);
    background: var(--surface);
  }
  h2 {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    padding: 0.875rem 1rem 0.625rem;
    font-size: var(--text-2);
    font-weight: 650;
  }
  .shut {
    position: absolute;
    top: 0.5rem;
    right: 0.5rem;
    display: none;
  }
  .notice {
    border-radius: 0;
    padding-left: 1rem;
  }
  .notice span {
    flex: 1;
  }
  .opening,
  .closed {
    display: flex;
    gap: 0.75rem;
    align-items: center;
    justify-content: center;
    height: 100%;
    padding: 1.5rem;
    color: var(--ink-soft);
  }
  .card {
    display: grid;
    gap: 0.75rem;
    justify-items: start;
    width: min(26rem, 100%);
    padding: 2rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--surface);
    box-shadow: var(--shadow-lifted);
    color: var(--ink-soft);
  }
  .card h1 {
    color: var(--ink);
    font-size: var(--text-6);
    font-weight: 650;
    line-height: 1.25;
  }
  .veil {
    position: fixed;
    inset: 0;
    z-index: 10;
    display: grid;
    place-items: center;
    padding: 1rem;
    background: rgb(10 16 20 / 0.45);
  }
  dl {
    display: grid;
    grid-template-columns: max-content 1fr;
    gap: 0.5rem 1rem;
    color: var(--ink);
  }
  kbd {
    padding: 0.125rem 0.5rem;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-small);
    background: var(--sunken);
    font: inherit;
    font-size: var(--text-2);
  }
  @media (max-width: 1180px) {
    main {
      grid-template-columns: 18.5rem minmax(0, 1fr);
    }
    aside {
      position: absolute;
      inset: 0 0 0 auto;
      z-index: 5;
      width: min(21rem, 100%);
      visibility: hidden;
      box-shadow: var(--shadow-lifted);
      transform: translateX(100%);
      transition: transform 160ms;
    }
    .customer aside {
      visibility: visible;
      transform: none;
    }
    .shut {
      z-index: 1;
      display: inline-flex;
    }
  }
  @media (max-width: 900px) {
    main {
      grid-template-columns: minmax(0, 1fr);
    }
    nav {
      border: 0;
    }
    santral-desk-thread,
    .reading nav {
      display: none;
    }
    .reading santral-desk-thread {
      display: flex;
    }
  }
`;
