/**
 * The agent's page, and the element for pages of others: `<santral-desk>` takes the whole box it is given.
 *
 * Attributes: `api` (the API's origin, empty for the page's own), `lang`, `theme` (light, dark; else the system's). A page that
 * embeds it may set the property `token` instead of opening it with a `#code=` fragment.
 */
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { deskMessages } from "../i18n/desk.ts";
import { Formats, type Locale, localeOf } from "../i18n/locale.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { tokens } from "../ui/tokens.ts";
import "./desk-customer.ts";
import { mark } from "./desk-header.ts";
import "./desk-items.ts";
import "./desk-kept-out.ts";
import "./desk-offers.ts";
import "./desk-queues.ts";
import "./desk-thread.ts";
import type { DeskContext } from "./part.ts";
import { deskStyles } from "./santral-desk-styles.ts";
import { DeskStore } from "./store.ts";

const LOCALE_KEY = "santral-desk:locale";
const THEME_KEY = "santral-desk:theme";

export class SantralDesk extends LitElement {
  static override styles = [tokens, controls, deskStyles];
  static override properties = { api: {}, token: { attribute: false } };

  declare api: string;
  declare token: string;
  #desk!: DeskContext;
  #help = false;
  #customer = false;

  override connectedCallback(): void {
    super.connectedCallback();
    const locale = localeOf(localStorage.getItem(LOCALE_KEY), this.lang, navigator.language);
    const store = new DeskStore(this.api ?? "");
    store.addEventListener("change", () => this.#changed());
    this.#speak(store, locale);
    this.#paint(localStorage.getItem(THEME_KEY));
    window.addEventListener("keydown", this.#key);
    this.addEventListener("desk-ask", this.#asked);
    void store.start(this.token ?? "");
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.#key);
    this.removeEventListener("desk-ask", this.#asked);
    this.#desk.store.stop();
  }

  protected override render(): TemplateResult {
    const { store, say } = this.#desk;
    if (store.door === "signed_out")
      return this.#closed(say.signedOut, store.problem?.detail || say.signedOutMore, false);
    if (store.door === "failed") return this.#closed(say.failed, say.failedMore, true);
    if (!store.desk) return html`<div class="opening"><span class="spinner"></span>${say.loading}</div>`;
    const state = `${store.selected ? "reading" : ""} ${this.#customer ? "customer" : ""}`;
    return html`<santral-desk-header .desk=${this.#desk}></santral-desk-header>
      ${this.#problem()}
      <main class=${state}>
        <nav aria-label=${say.myWork}>
          ${
            store.offers.length > 0
              ? html`<h2>${say.offers} <span class="chip warn numbers">${store.offers.length}</span></h2>
                  <santral-desk-offers .desk=${this.#desk}></santral-desk-offers>`
              : nothing
          }
          <h2>${say.myWork} <span class="chip numbers">${store.desk.items.length}</span></h2>
          <santral-desk-items .desk=${this.#desk}></santral-desk-items>
          ${
            store.desk.queues?.length
              ? html`<h2>${say.queues}</h2><santral-desk-queues .desk=${this.#desk}></santral-desk-queues>`
              : nothing
          }
          <santral-desk-kept-out .desk=${this.#desk}></santral-desk-kept-out>
        </nav>
        <santral-desk-thread .desk=${this.#desk}></santral-desk-thread>
        <aside aria-label=${say.profile}>
          <button class="button quiet icon shut" type="button" aria-label=${say.dismiss} @click=${() => this.#show("customer")}>
            ${icon("close")}
          </button>
          <santral-desk-customer .desk=${this.#desk}></santral-desk-customer>
        </aside>
      </main>
      ${this.#help ? this.#shortcuts() : nothing}`;
  }

  #problem(): TemplateResult | typeof nothing {
    const { store, say } = this.#desk;
    const problem = store.problem;
    if (!problem) return nothing;
    const text = problem.status === 0 ? say.problemUnreachable : problem.detail || problem.title;
    return html`<div class="notice danger" role="alert">${icon("warning")} <span>${text}${problem.remedy ? ` — ${problem.remedy}` : ""}</span>
      <button class="button quiet icon" type="button" aria-label=${say.dismiss} @click=${() => store.forget()}>${icon("close", 16)}</button></div>`;
  }

  #closed(title: string, more: string, again: boolean): TemplateResult {
    const { say } = this.#desk;
    return html`<div class="closed">
      <div class="card">
        ${mark(44)}
        <h1>${title}</h1>
        <p>${more}</p>
        ${again ? html`<button class="button primary" type="button" @click=${() => location.reload()}>${say.retry}</button>` : nothing}
      </div>
    </div>`;
  }

  #shortcuts(): TemplateResult {
    const { say } = this.#desk;
    return html`<div class="veil" @click=${() => this.#show("help")}>
      <div class="card" role="dialog" aria-modal="true" aria-label=${say.shortcuts}>
        <h1>${say.shortcuts}</h1>
        <dl>${Object.entries(say.keys).map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
        <button class="button" type="button" @click=${() => this.#show("help")}>${say.dismiss}</button>
      </div>
    </div>`;
  }

  #changed(): void {
    const { store, say } = this.#desk;
    const waiting = store.offers.length + store.unread.size;
    if (this.matches("body > *"))
      document.title = waiting > 0 ? `(${waiting}) ${say.desk} · Santral` : `${say.desk} · Santral`;
    this.requestUpdate();
  }

  #speak(store: DeskStore, locale: Locale): void {
    this.#desk = { store, locale, say: deskMessages(locale), formats: new Formats(locale) };
    this.lang = locale;
    if (this.matches("body > *")) document.documentElement.lang = locale;
    this.requestUpdate();
  }

  #paint(theme: string | null): void {
    if (theme === "light" || theme === "dark") this.setAttribute("theme", theme);
  }

  readonly #asked = (event: Event): void => {
    const what = (event as CustomEvent<string>).detail;
    if (what === "help" || what === "customer") this.#show(what);
    if (what === "language") {
      const locale: Locale = this.#desk.locale === "tr" ? "en" : "tr";
      localStorage.setItem(LOCALE_KEY, locale);
      this.#speak(this.#desk.store, locale);
    }
    if (what === "theme") {
      const dark =
        this.getAttribute("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
      const next = dark === "dark" ? "light" : "dark";
      localStorage.setItem(THEME_KEY, next);
      this.#paint(next);
    }
  };

  #show(what: "help" | "customer"): void {
    if (what === "help") this.#help = !this.#help;
    else this.#customer = !this.#customer;
    this.requestUpdate();
  }

  readonly #key = (event: KeyboardEvent): void => {
    const target = event.composedPath()[0];
    if (event.key === "Escape") {
      this.#help = false;
      this.#customer = false;
      if (target instanceof HTMLElement && isText(target)) target.blur();
      this.requestUpdate();
      return;
    }
    if (event.composedPath().some((one) => one instanceof HTMLDialogElement)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || (target instanceof HTMLElement && isText(target))) return;
    const command = this.#commands[event.key.toLowerCase()];
    if (!command) return;
    event.preventDefault();
    command();
  };

  readonly #commands: Readonly<Record<string, () => void>> = {
    "?": () => this.#show("help"),
    a: () => {
      const [first] = this.#desk.store.offers;
      if (first) void this.#desk.store.accept(first);
    },
    j: () => this.#step(1),
    k: () => this.#step(-1),
    r: () => this.renderRoot.querySelector("santral-desk-thread")?.focusReply(),
    e: () => this.renderRoot.querySelector("santral-desk-thread")?.openDone(),
  };

  #step(by: number): void {
    const { store } = this.#desk;
    const ids = store.desk?.items.map((one) => one.conversation_id) ?? [];
    if (ids.length === 0) return;
    const at = ids.indexOf(store.selected ?? "");
    const next = at < 0 ? (by > 0 ? 0 : ids.length - 1) : (at + by + ids.length) % ids.length;
    void store.select(ids[next] ?? null);
  }
}

function isText(element: HTMLElement): boolean {
  return element.matches("textarea, select, [contenteditable], input:not([type='radio'])");
}

customElements.define("santral-desk", SantralDesk);
