/** How the chat looks. It fills its iframe; there is nothing wider than a phone to lay out for. */
import { css } from "lit";

export const roomStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    height: 100dvh;
    background: var(--surface);
    font-size: var(--text-3);
  }
  header {
    display: flex;
    align-items: center;
    gap: 0.75rem;
    padding: 0.875rem 0.75rem 0.875rem 1rem;
    background: #0b6e64;
    color: #fff;
  }
  header .avatar {
    width: 2.5rem;
    height: 2.5rem;
    background: rgb(255 255 255 / 0.18);
    color: #fff;
    font-size: var(--text-3);
  }
  .who {
    flex: 1;
    min-width: 0;
  }
  h1 {
    overflow: hidden;
    font-size: var(--text-4);
    font-weight: 650;
    line-height: 1.3;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .who p {
    color: #e0f2ef;
    font-size: var(--text-2);
    line-height: 1.35;
  }
  .tool {
    display: grid;
    place-items: center;
    width: 2.25rem;
    height: 2.25rem;
    border: 0;
    border-radius: 50%;
    background: transparent;
    color: #fff;
    cursor: pointer;
  }
  .tool:hover {
    background: rgb(255 255 255 / 0.16);
  }
  .tool:focus-visible {
    outline-color: #fff;
    outline-offset: -2px;
  }
  .strip {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    padding: 0.5rem 1rem;
    border-bottom: 1px solid var(--line);
    font-size: var(--text-2);
  }
  .strip.wait {
    background: var(--accent-soft);
    color: var(--accent-ink);
  }
  .strip.wait strong {
    margin-left: auto;
  }
  .strip.warn {
    background: var(--warn-soft);
    color: var(--warn);
  }
  .dots {
    display: inline-flex;
    gap: 3px;
  }
  .dots i {
    width: 5px;
    height: 5px;
    border-radius: 50%;
    background: currentColor;
    animation: beat 1.2s infinite ease-in-out;
  }
  .dots i:nth-child(2) {
    animation-delay: 0.15s;
  }
  .dots i:nth-child(3) {
    animation-delay: 0.3s;
  }
  @keyframes beat {
    50% {
      opacity: 0.25;
    }
  }
  .log {
    display: flex;
    flex: 1;
    flex-direction: column;
    padding: 1rem;
    overflow-y: auto;
    overscroll-behavior: contain;
    outline-offset: -2px;
  }
  .hello {
    align-self: flex-start;
    max-width: 85%;
    padding: 0.75rem 1rem;
    border-radius: 1rem 1rem 1rem 0.25rem;
    background: var(--sunken);
  }
  .hello p {
    color: var(--ink-soft);
  }
  .opening {
    display: flex;
    gap: 0.625rem;
    align-items: center;
    justify-content: center;
    margin: auto;
    color: var(--ink-soft);
  }
  .day {
    margin: 1rem 0 0.25rem;
    color: var(--ink-faint);
    font-size: var(--text-1);
    text-align: center;
  }
  .line {
    display: flex;
    flex-direction: column;
    align-items: flex-start;
    margin-top: 0.1875rem;
  }
  .line.starts {
    margin-top: 0.875rem;
  }
  .line.mine {
    align-items: flex-end;
  }
  .name {
    margin: 0 0 0.1875rem 0.25rem;
    color: var(--ink-soft);
    font-size: var(--text-1);
    font-weight: 600;
  }
  .bubble {
    max-width: 84%;
    padding: 0.5rem 0.8125rem;
    border-radius: 1rem;
    background: var(--sunken);
    overflow-wrap: anywhere;
    white-space: pre-wrap;
  }
  .theirs.ends .bubble {
    border-bottom-left-radius: 0.25rem;
  }
  .mine .bubble {
    background: var(--accent);
    color: var(--on-accent);
  }
  .mine .bubble a {
    color: inherit;
  }
  .mine.ends .bubble {
    border-bottom-right-radius: 0.25rem;
  }
  .under {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    margin: 0.25rem 0.25rem 0;
    color: var(--ink-faint);
    font-size: var(--text-1);
    line-height: 1.3;
  }
  .failed {
    color: var(--danger);
  }
  .link {
    padding: 0;
    border: 0;
    background: none;
    color: inherit;
    font-weight: 600;
    text-decoration: underline;
    cursor: pointer;
  }
  .ended {
    display: grid;
    gap: 0.125rem;
    margin: 1.5rem auto 0.5rem;
    color: var(--ink-soft);
    font-size: var(--text-2);
    text-align: center;
  }
  .ended strong {
    color: var(--ink);
  }
  .ask {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: flex-end;
    gap: 0.5rem;
    padding: 0.75rem 1rem;
    border-top: 1px solid var(--line);
    background: var(--canvas);
  }
  .ask div {
    flex: 1 1 100%;
  }
  .ask p {
    font-size: var(--text-2);
  }
  form {
    display: flex;
    align-items: flex-end;
    gap: 0.5rem;
    padding: 0.75rem 0.75rem 0.25rem 1rem;
    border-top: 1px solid var(--line);
  }
  textarea {
    flex: 1;
    max-height: 7.5rem;
    padding: 0.5rem 0.75rem;
    border: 1px solid var(--line-strong);
    border-radius: 1.25rem;
    background: var(--surface);
    line-height: 1.4;
    resize: none;
    field-sizing: content;
  }
  textarea::placeholder {
    color: var(--ink-faint);
    opacity: 1;
  }
  textarea:focus-visible {
    border-color: var(--focus);
    outline-width: 1px;
    outline-offset: 0;
  }
  .send {
    display: grid;
    place-items: center;
    width: 2.375rem;
    height: 2.375rem;
    border: 0;
    border-radius: 50%;
    background: var(--accent);
    color: var(--on-accent);
    cursor: pointer;
  }
  .send:disabled {
    background: var(--sunken);
    color: var(--ink-faint);
    cursor: default;
  }
  .foot {
    padding: 0 1rem 0.5rem;
    color: var(--ink-faint);
    font-size: 0.6875rem;
    text-align: center;
  }
  .foot.failed {
    justify-content: center;
    color: var(--danger);
    font-size: var(--text-1);
  }
  @media (pointer: coarse) {
    textarea {
      font-size: 1rem; /* smaller would make a telephone zoom in */
    }
  }
`;
