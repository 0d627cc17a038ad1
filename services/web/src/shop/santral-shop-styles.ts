/** How the shop looks: its own brand, on purpose unlike Santral's. */
import { css } from "lit";

export const shopStyles = css`
  :host {
    display: block;
    color-scheme: light;
    background: #fbf7f0;
    color: #2e2119;
    font: 1rem/1.55 "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  svg {
    display: block;
  }
  a,
  button {
    color: inherit;
    font: inherit;
  }
  :focus-visible {
    outline: 2px solid #7a3e1d;
    outline-offset: 3px;
  }
  header,
  section,
  footer {
    max-width: 72rem;
    margin: 0 auto;
    padding: 0 1.5rem;
  }
  header {
    display: flex;
    align-items: center;
    gap: 2rem;
    height: 4.5rem;
  }
  .brand {
    display: flex;
    align-items: center;
    gap: 0.75rem;
    font: 700 1.25rem/1.1 Georgia, "Liberation Serif", serif;
    text-decoration: none;
  }
  .brand small {
    display: block;
    color: #7b6656;
    font: 0.75rem/1.4 "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  }
  nav {
    display: flex;
    flex: 1;
    gap: 1.5rem;
    justify-content: center;
  }
  nav a {
    color: #5d4939;
    text-decoration: none;
  }
  nav a:hover {
    color: #7a3e1d;
  }
  .basket b {
    display: inline-block;
    min-width: 1.5rem;
    margin-left: 0.25rem;
    padding: 0 0.375rem;
    border-radius: 1rem;
    background: #7a3e1d;
    color: #fff;
    font-size: 0.8125rem;
    text-align: center;
  }
  .hero {
    position: relative;
    display: grid;
    align-items: center;
    min-height: 25rem;
    max-width: 69rem;
    padding: 3rem;
    overflow: hidden;
    border-radius: 1.25rem;
    background: linear-gradient(#f7e7cd, #f3dcb9);
  }
  .hero > div {
    position: relative;
    z-index: 1;
    max-width: 27rem;
  }
  .hills {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
  }
  h1 {
    font: 700 2.75rem/1.12 Georgia, "Liberation Serif", serif;
    letter-spacing: -0.015em;
    text-wrap: balance;
  }
  .hero p {
    margin: 1rem 0 1.5rem;
    color: #4d3a2c;
    font-size: 1.0625rem;
  }
  .calls {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem;
  }
  .call {
    display: inline-flex;
    align-items: center;
    gap: 0.5rem;
    padding: 0.6875rem 1.25rem;
    border: 0;
    border-radius: 2rem;
    background: #7a3e1d;
    color: #fff;
    font-weight: 600;
    text-decoration: none;
    cursor: pointer;
  }
  .call:hover {
    background: #653215;
  }
  .call.light {
    background: #fffaf2;
    color: #5f2f14;
  }
  .promises {
    display: grid;
    grid-template-columns: repeat(3, 1fr);
    gap: 2rem;
    padding-block: 2.25rem;
  }
  .promises p {
    color: #6b5646;
    font-size: 0.9375rem;
  }
  h2 {
    font: 700 1.625rem/1.25 Georgia, "Liberation Serif", serif;
  }
  .products {
    display: grid;
    grid-template-columns: repeat(4, 1fr);
    gap: 1.25rem;
    margin-top: 1.25rem;
  }
  .picture {
    position: relative;
    padding: 1.25rem;
    border-radius: 1rem;
    background: #f1e7d8;
  }
  .picture svg {
    width: 100%;
    height: 12rem;
  }
  .tag {
    position: absolute;
    top: 0.75rem;
    left: 0.75rem;
    padding: 0.125rem 0.625rem;
    border-radius: 1rem;
    background: #fffaf2;
    color: #5f2f14;
    font-size: 0.75rem;
    font-weight: 600;
  }
  .products h3 {
    margin-top: 0.75rem;
    font-size: 1.0625rem;
  }
  .products p {
    color: #6b5646;
    font-size: 0.875rem;
  }
  .buy {
    display: flex;
    align-items: baseline;
    gap: 0.5rem;
    margin-top: 0.5rem;
  }
  .buy small {
    flex: 1;
    color: #7b6656;
  }
  .buy button {
    padding: 0.3125rem 0.875rem;
    border: 1px solid #7a3e1d;
    border-radius: 1rem;
    background: transparent;
    color: #7a3e1d;
    font-size: 0.875rem;
    font-weight: 600;
    cursor: pointer;
  }
  .buy button:hover {
    background: #7a3e1d;
    color: #fff;
  }
  .contact {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 1.5rem;
    padding-block: 3rem;
  }
  .contact p {
    color: #6b5646;
  }
  .contact ul {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem;
  }
  .contact li > * {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    padding: 0.5625rem 1rem;
    border: 1px solid #e0cfb8;
    border-radius: 2rem;
    background: #fffaf2;
    text-decoration: none;
  }
  .contact button {
    cursor: pointer;
  }
  .demo {
    display: grid;
    grid-template-columns: 19rem 1fr;
    gap: 2rem;
    max-width: 69rem;
    padding: 1.75rem 2rem;
    border: 1px dashed #bca98f;
    border-radius: 1rem;
    background: #fff;
    font-size: 0.875rem;
  }
  .demo h2 {
    font: 700 1.0625rem/1.4 "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  }
  .demo h3 {
    font-size: 0.9375rem;
  }
  .links {
    display: grid;
    gap: 0.375rem;
    margin-top: 0.75rem;
  }
  .links a {
    color: #0b5f57;
    font-weight: 600;
  }
  .quiet {
    color: #6b5646;
  }
  .mails ol {
    display: grid;
    gap: 0.625rem;
    max-height: 22rem;
    margin-top: 0.625rem;
    overflow-y: auto;
  }
  .mails li {
    padding: 0.625rem 0.875rem;
    border-radius: 0.5rem;
    background: #f7f5f1;
  }
  .mails li p:first-child {
    display: flex;
    gap: 1rem;
    justify-content: space-between;
  }
  .text {
    margin-top: 0.25rem;
    overflow-wrap: anywhere;
    white-space: pre-line;
  }
  footer {
    padding-block: 2rem 6rem;
    color: #7b6656;
    font-size: 0.8125rem;
  }
  @media (max-width: 820px) {
    nav {
      display: none;
    }
    header {
      justify-content: space-between;
    }
    h1 {
      font-size: 2rem;
    }
    .hero {
      min-height: 34rem;
      margin: 0 1rem;
      padding: 2rem 1.5rem;
      align-items: start;
    }
    .hills {
      top: auto;
      height: 17rem;
    }
    .promises,
    .demo {
      grid-template-columns: 1fr;
      gap: 1rem;
    }
    .demo {
      margin: 0 1rem;
    }
    .products {
      grid-template-columns: repeat(2, 1fr);
    }
    .buy {
      flex-wrap: wrap;
    }
  }
  @media (max-width: 460px) {
    .products {
      grid-template-columns: 1fr;
    }
  }
`;
