/**
 * The demo's shop: a page like a customer's own, with the chat embedded as any site embeds it, and under it a panel that shows the
 * mails which went out and where the agents sit. Served only by the demo.
 */
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { Client } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { Formats, localeOf } from "../i18n/locale.ts";
import { shopMessages } from "../i18n/shop.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { bag, hills, PRODUCTS } from "./products.ts";
import { shopStyles } from "./santral-shop-styles.ts";

const MAILS_EVERY_MS = 2000;

interface SentMail {
  readonly to: string;
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly at: string;
}

interface DemoInfo {
  readonly agents?: ReadonlyArray<{ readonly name: string; readonly page: string }>;
  readonly widget_token?: string;
  readonly support_email?: string;
  readonly support_phone?: string;
  readonly api_docs?: string;
  readonly health?: string;
  readonly smtp?: string;
}

export class SantralShop extends LitElement {
  static override styles = shopStyles;

  readonly #locale = localeOf(new URLSearchParams(location.search).get("lang"), "tr");
  readonly #say = shopMessages(this.#locale);
  readonly #formats = new Formats(this.#locale);
  readonly #client = new Client();
  readonly #price = new Intl.NumberFormat(this.#locale, {
    style: "currency",
    currency: "TRY",
    maximumFractionDigits: 0,
  });
  #info: DemoInfo = {};
  #mails: readonly SentMail[] | null = null;
  #failed = false;
  #basket: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    document.documentElement.lang = this.#locale;
    void this.#start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  async #start(): Promise<void> {
    try {
      this.#info = await this.#client.json<DemoInfo>("/demo/info");
      if (this.#info.widget_token) this.#embed(this.#info.widget_token);
      this.requestUpdate();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#failed = true;
    }
    await this.#watch();
  }

  /** The same line that the documentation gives to a site's owner, made by hand because the token is known only now. */
  #embed(token: string): void {
    const script = document.createElement("script");
    script.async = true;
    script.dataset.inbox = token;
    script.dataset.lang = this.#locale;
    script.src = loader("/santral-chat.js");
    document.head.append(script);
  }

  async #watch(): Promise<void> {
    try {
      const found = await this.#client.json<readonly SentMail[] | { readonly items: readonly SentMail[] }>(
        "/demo/mails",
      );
      this.#mails = "items" in found ? found.items : found;
      this.#failed = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#failed = true;
    }
    this.requestUpdate();
    if (this.isConnected) this.#timer = setTimeout(() => void this.#watch(), MAILS_EVERY_MS);
  }

  protected override render(): TemplateResult {
    const say = this.#say;
    return html`<header>
        <a class="brand" href="#top">${bean()}<span>Yayla Kahve<small>${say.strap}</small></span></a>
        <nav>${say.nav.map((one) => html`<a href="#products">${one}</a>`)}</nav>
        <span class="basket" aria-live="polite">${say.basket} <b>${this.#basket.length}</b></span>
      </header>
      <section class="hero" id="top">
        <div>
          <h1>${say.headline}</h1>
          <p>${say.lead}</p>
          <div class="calls">
            <a class="call" href="#products">${say.shopNow}</a>
            <button class="call light" type="button" @click=${openChat}>${icon("chat", 18)} ${say.ask}</button>
          </div>
        </div>
        ${hills()}
      </section>
      <section class="promises">
        ${say.promises.map(([title, text]) => html`<div><strong>${title}</strong><p>${text}</p></div>`)}
      </section>
      <section id="products">
        <h2>${say.products}</h2>
        <ul class="products">${PRODUCTS.map((one) => this.#product(one))}</ul>
      </section>
      ${this.#contact()} ${this.#panel()}
      <footer>${say.footer}</footer>`;
  }

  #product(product: (typeof PRODUCTS)[number]): TemplateResult {
    const taken = this.#basket.includes(product.name);
    return html`<li>
      <div class="picture">${product.tag ? html`<span class="tag">${product.tag}</span>` : nothing}${bag(product)}</div>
      <h3>${product.name}</h3>
      <p>${product.note}</p>
      <div class="buy">
        <strong>${this.#price.format(product.price)}</strong><small>${product.weight}</small>
        <button type="button" @click=${() => this.#add(product.name)}>${taken ? this.#say.added : this.#say.add}</button>
      </div>
    </li>`;
  }

  #contact(): TemplateResult {
    const say = this.#say;
    const mail = this.#info.support_email ?? "destek@yayla.example";
    return html`<section class="contact">
      <div><h2>${say.contact}</h2><p>${say.contactMore}</p></div>
      <ul>
        <li><button type="button" @click=${openChat}>${channelIcon("chat", 20)} ${say.channels.chat}</button></li>
        <li><a href="mailto:${mail}">${channelIcon("email", 20)} ${mail}</a></li>
        <li><span>${channelIcon("phone", 20)} ${this.#info.support_phone ?? "0212 555 01 40"}</span></li>
      </ul>
    </section>`;
  }

  #panel(): TemplateResult {
    const say = this.#say;
    return html`<section class="demo" aria-label=${say.demo}>
      <div class="note">
        <h2>${say.demo}</h2>
        <p>${say.demoMore}</p>
        <ul class="links">
          ${(this.#info.agents ?? []).map((one) => this.#link(say.desk(one.name), one.page))}
          ${this.#link(say.docs, this.#info.api_docs)} ${this.#link(say.health, this.#info.health)}
          ${this.#info.smtp ? html`<li>${say.smtp}: <code>${this.#info.smtp}</code></li>` : nothing}
        </ul>
      </div>
      <div class="mails" aria-live="polite">
        <h3>${say.mails}</h3>
        ${this.#failed ? html`<p class="quiet">${say.mailsFailed}</p>` : this.#mails?.length ? nothing : html`<p class="quiet">${say.mailsNone}</p>`}
        <ol>${(this.#mails ?? []).map((mail) => this.#mail(mail))}</ol>
      </div>
    </section>`;
  }

  #link(label: string, address: string | undefined): TemplateResult | typeof nothing {
    if (!address) return nothing;
    return html`<li><a href=${address} target="_blank" rel="noopener">${label}</a></li>`;
  }

  #mail(mail: SentMail): TemplateResult {
    return html`<li>
      <p><strong>${mail.subject}</strong><time datetime=${mail.at}>${this.#formats.time(mail.at)}</time></p>
      <p class="quiet">${this.#say.to}: ${mail.to}</p>
      <p class="text">${mail.text}</p>
    </li>`;
  }

  #add(name: string): void {
    this.#basket = [...this.#basket, name];
    this.requestUpdate();
  }
}

interface ScriptPolicy {
  createScriptURL(address: string): string;
}

/** A script's address as the page's trusted-types policy wants it; only our own loader can be named. */
function loader(address: "/santral-chat.js"): string {
  const factory = (
    globalThis as {
      trustedTypes?: { createPolicy(name: string, rules: Record<string, (text: string) => string>): ScriptPolicy };
    }
  ).trustedTypes;
  return factory?.createPolicy("santral-shop", { createScriptURL: (text) => text }).createScriptURL(address) ?? address;
}

/** A click before the loader is here opens the chat as soon as it is. */
async function openChat(): Promise<void> {
  await customElements.whenDefined("santral-chat");
  document.querySelector<HTMLElement & { toggle(open: boolean): void }>("santral-chat")?.toggle(true);
}

function bean(): TemplateResult {
  return html`<svg width="36" height="36" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="16" fill="#7a3e1d"></circle>
    <path d="M16 6c6 3 6 17 0 20-6-3-6-17 0-20z" fill="#f3e4d3"></path>
    <path d="M16 7c-3 6 3 12 0 18" fill="none" stroke="#7a3e1d" stroke-width="2"></path></svg>`;
}

customElements.define("santral-shop", SantralShop);
