/**
 * The script that a customer's site names: a launcher button and, once it is wanted, an iframe with the chat in it.
 *
 *     <script src="https://santral.example/santral-chat.js" data-inbox="WIDGET_TOKEN" async></script>
 *
 * or, with the same script, `<santral-chat inbox="WIDGET_TOKEN">` anywhere in the page. The conversation lives in the iframe on
 * our origin, out of the host page's sight; only "open", "closed" and the number of unread messages cross. A visitor's
 * identity, a token signed by the host's server, goes in as a message (`data-identity`, `element.identity = jwt` or
 * `santral.identify(jwt)`), never in an address. It counts as long as the page gives it: a page without one is nobody's, whoever was
 * there before. `santral.logout()` ends the session. The event `santral-identity` asks for a fresh token.
 * No framework and no markup from text: the host's own content security policy may be strict.
 */
/** The element, and what the host page's storage remembers that the chat was used. */
const NAME = "santral-chat";
/** By its own getter: an element of the page whose `name` is `currentScript` stands before the property, and would be our home. */
const own: HTMLScriptElement | null = Object.getOwnPropertyDescriptor(Document.prototype, "currentScript")?.get?.call(
  document,
);
const home = own?.src ? new URL(own.src).origin : location.origin;

const styles =
  ":host{position:fixed;right:20px;bottom:20px;z-index:2147483000}" +
  "button{all:unset;position:relative;display:grid;place-items:center;width:56px;height:56px;margin-left:auto;border-radius:50%;background:var(--santral-accent,#0b6e64);cursor:pointer;box-shadow:0 9px 40px #18222b40}" +
  "button:focus-visible{outline:3px solid #fff}" +
  'i{width:24px;height:24px;background:#fff;clip-path:path("M5 4h14a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z")}' +
  "b{position:absolute;top:-2px;right:-2px;min-width:10px;padding:0 5px;border-radius:10px;background:#c62f26;color:#fff;font:12px/20px Arial;text-align:center}" +
  "iframe{display:block;width:380px;height:min(620px,100vh - 120px);margin-bottom:9px;border:0;border-radius:16px;box-shadow:0 9px 40px #18222b40}" +
  "[hidden]{display:none}" +
  "@media(max-width:480px){:host(.open){inset:0}:host(.open) button{display:none}iframe{width:100%;height:100%;border-radius:0;margin:0}}";

class SantralChat extends HTMLElement {
  #identity = "";
  #button = document.createElement("button");
  #badge = document.createElement("b");
  #frame?: HTMLIFrameElement;
  #labels: string[] = [];

  get identity() {
    return this.#identity;
  }

  /** Who the visitor is now; empty for nobody. */
  set identity(token) {
    this.#identity = token || "";
    this.#tell();
  }

  connectedCallback() {
    if (this.shadowRoot) return;
    this.#identity ||= this.dataset.identity ?? "";
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    this.#labels = this.#language().startsWith("tr") ? ["Sohbeti aç", "Sohbeti kapat"] : ["Open chat", "Close chat"];
    this.#badge.hidden = true;
    this.#button.append(document.createElement("i"), this.#badge);
    this.#button.onclick = () => this.toggle();
    root.append(this.#button);
    this.#show(false);
    addEventListener("message", this.#told);
    // Who has talked here before hears of answers without opening the chat first.
    if (remembered()) this.#load();
  }

  disconnectedCallback() {
    removeEventListener("message", this.#told);
  }

  /** Opens the chat, or closes it when it is open. */
  toggle(open = !this.classList.contains("open")) {
    if (open) this.#load();
    this.#show(open);
    this.#tell();
    if (open) this.#frame?.focus();
    else this.#button.focus();
  }

  /** The visitor logged out: their session ends on the server, and this browser forgets them. */
  logout() {
    this.#identity = "";
    remembered("");
    this.#tell(true);
  }

  #language() {
    return this.dataset.lang || document.documentElement.lang || navigator.language;
  }

  #load() {
    if (this.#frame) return;
    const frame = document.createElement("iframe");
    frame.title = "Chat";
    frame.src = `${home}/chat/${encodeURIComponent(this.getAttribute("inbox") ?? "")}?lang=${this.#language().slice(0, 2)}`;
    frame.hidden = true;
    this.#frame = frame;
    this.shadowRoot?.prepend(frame);
  }

  #show(open: boolean) {
    this.classList.toggle("open", open);
    if (this.#frame) this.#frame.hidden = !open;
    this.#button.ariaLabel = this.#labels[+open] ?? "";
    this.#button.ariaExpanded = `${open}`;
  }

  #tell(logout = false) {
    const shown = this.classList.contains("open");
    this.#frame?.contentWindow?.postMessage({ santral: "host", shown, identity: this.#identity, logout }, home);
  }

  #told = (event: MessageEvent) => {
    if (event.origin !== home || event.source !== this.#frame?.contentWindow) return;
    const { santral, unread } = event.data;
    if (santral === "ready") this.#tell();
    if (santral === "close") this.toggle(false);
    if (santral === "session") remembered("1");
    if (santral === "identity") this.dispatchEvent(new Event("santral-identity", { bubbles: true }));
    if (santral === "unread") {
      this.#badge.hidden = !unread;
      this.#badge.textContent = unread > 9 ? "9+" : unread;
    }
  };
}

function remembered(write?: string) {
  try {
    if (write !== undefined) localStorage.setItem(NAME, write);
    return localStorage.getItem(NAME);
  } catch {
    return null; // storage may be forbidden here; the chat works without
  }
}

if (!customElements.get(NAME)) customElements.define(NAME, SantralChat);

const all = () => document.querySelectorAll<SantralChat>(NAME);
Object.assign(window, {
  santral: {
    identify: (token: string) => {
      for (const one of all()) one.identity = token;
    },
    logout: () => {
      for (const one of all()) one.logout();
    },
  },
});

if (own?.dataset.inbox) {
  const element = document.createElement(NAME);
  element.setAttribute("inbox", own.dataset.inbox);
  Object.assign(element.dataset, { lang: own.dataset.lang ?? "", identity: own.dataset.identity ?? "" });
  const place = () => document.body.append(element);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
}
