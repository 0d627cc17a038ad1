/** The page inside the iframe: header, messages, composer. Its address is `/chat/{widget_token}?lang=tr`. */
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { chatMessages } from "../i18n/chat.ts";
import { Formats, localeOf } from "../i18n/locale.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { initials } from "../ui/names.ts";
import { words } from "../ui/text.ts";
import { tokens } from "../ui/tokens.ts";
import { Host } from "./host.ts";
import { Memory } from "./memory.ts";
import { Room, TEXT_CHARS_MAX } from "./room.ts";
import { roomStyles } from "./room-styles.ts";
import { minutes, type Pending, type PublicMessage } from "./talk.ts";

const GROUP_MS = 180_000;

interface Line {
  readonly key: string;
  readonly mine: boolean;
  readonly text: string;
  readonly at: string;
  readonly who: string;
  readonly pending?: Pending;
}

export class SantralRoom extends LitElement {
  static override styles = [tokens, controls, roomStyles];

  readonly #locale = localeOf(new URLSearchParams(location.search).get("lang"), navigator.language);
  readonly #say = chatMessages(this.#locale);
  readonly #formats = new Formats(this.#locale);
  readonly #host = new Host();
  readonly #inbox = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
  readonly #room = new Room({
    inbox: this.#inbox,
    locale: this.#locale,
    memory: new Memory(this.#inbox),
    onChange: () => this.requestUpdate(),
    onForget: () => this.#forget(),
    onIdentityWanted: () => this.#host.tell({ santral: "identity" }),
  });
  #asking = false;
  #draft = "";
  #lines = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    document.documentElement.lang = this.#locale;
    void this.#enter();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#room.leaveRoom();
  }

  async #enter(): Promise<void> {
    const word = await this.#host.greet((later) => {
      this.#room.show(later.shown);
      void (later.logout ? this.#room.logout() : this.#room.identify(later.identity));
      if (later.shown) this.#focus();
    });
    this.#room.show(word.shown);
    await (word.logout ? this.#room.logout() : this.#room.enter(word.identity));
    if (word.shown) this.#focus();
  }

  protected override updated(): void {
    this.#host.tell({ santral: "unread", unread: this.#room.unread });
    const count = this.#room.talk.messages.length + this.#room.talk.pending.length;
    if (count !== this.#lines) {
      this.#lines = count;
      if (count > 0) this.#host.tell({ santral: "session" });
      const log = this.renderRoot.querySelector(".log");
      if (log) log.scrollTop = log.scrollHeight;
    }
  }

  protected override render(): TemplateResult {
    const say = this.#say;
    if (this.#room.door === "unknown") return this.#shut(say.unknownInbox, say.unknownInboxMore);
    const lines = this.#transcript();
    return html`${this.#header()} ${this.#status()}
      <div class="log" role="log" aria-live="polite" aria-label=${say.log} tabindex="0">
        ${this.#greeting()}
        ${lines.map((line, index) => this.#line(line, lines[index - 1], lines[index + 1]))} ${this.#ending()}
      </div>
      ${this.#asking ? this.#ask() : nothing} ${this.#composer()}`;
  }

  #header(): TemplateResult {
    const say = this.#say;
    const { agent, state } = this.#room.talk;
    const open = state === "waiting" || state === "with_agent";
    return html`<header>
      <span class="avatar" aria-hidden="true">${agent ? initials(agent, this.#locale) : icon("chat", 20)}</span>
      <div class="who">
        <h1>${agent ?? (this.#room.title || say.title)}</h1>
        <p>${agent ? this.#room.title || say.yourAgent : say.subtitle}</p>
      </div>
      ${
        open
          ? html`<button class="tool" type="button" title=${say.leave} aria-label=${say.leave} @click=${this.#askToLeave}>
              ${icon("exit")}
            </button>`
          : nothing
      }
      ${
        this.#host.embedded
          ? html`<button class="tool" type="button" title=${say.close} aria-label=${say.close}
              @click=${() => this.#host.tell({ santral: "close" })}>${icon("down")}</button>`
          : nothing
      }
    </header>`;
  }

  #status(): TemplateResult {
    const say = this.#say;
    const { link, door, talk } = this.#room;
    let content: TemplateResult | typeof nothing = nothing;
    if (door === "unavailable") {
      content = html`<p class="strip warn">${icon("warning", 16)} ${say.unavailable}. ${say.unavailableMore}</p>`;
    } else if (link === "waiting" || (link === "connecting" && talk.incarnation)) {
      content = html`<p class="strip warn"><span class="spinner"></span>${say.offline}</p>`;
    } else if (talk.state === "waiting") {
      const place = talk.position;
      content = html`<p class="strip wait"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>
        <span>${say.waiting}</span>
        ${place === null ? nothing : html`<strong>${place <= 1 ? say.next : say.position(place)}</strong>`}
        ${talk.wait === null ? nothing : html`<span>${say.wait(...minutes(talk.wait))}</span>`}</p>`;
    }
    return html`<div role="status">${content}</div>`;
  }

  #greeting(): TemplateResult {
    if (this.#room.door === "opening")
      return html`<p class="opening"><span class="spinner"></span>${this.#say.connecting}</p>`;
    return html`<div class="hello">
      <strong>${this.#say.greeting}</strong>
      <p>${this.#say.greetingMore}</p>
    </div>`;
  }

  #transcript(): Line[] {
    const { messages, pending } = this.#room.talk;
    const said = messages.map((one: PublicMessage): Line => {
      const mine = one.direction === "in";
      return {
        key: `${one.seq}`,
        mine,
        text: one.text,
        at: one.at,
        who: mine ? this.#say.you : (one.agent_name ?? this.#say.agent),
      };
    });
    return [
      ...said,
      ...pending.map(
        (one): Line => ({ key: one.id, mine: true, text: one.text, at: one.at, who: this.#say.you, pending: one }),
      ),
    ];
  }

  #line(line: Line, before: Line | undefined, after: Line | undefined): TemplateResult {
    const starts = !before || !together(before, line);
    const ends = !after || !together(line, after);
    const newDay = !before || this.#formats.day(before.at) !== this.#formats.day(line.at);
    const day = newDay && before ? html`<p class="day">${this.#formats.day(line.at)}</p>` : nothing;
    return html`${day}
      <div class="line ${line.mine ? "mine" : "theirs"} ${starts ? "starts" : ""} ${ends ? "ends" : ""}">
        ${starts && !line.mine ? html`<p class="name">${line.who}</p>` : html`<span class="unseen">${line.who}: </span>`}
        <p class="bubble">${words(line.text)}</p>
        ${ends || line.pending?.state === "failed" ? this.#underLine(line) : nothing}
      </div>`;
  }

  #underLine(line: Line): TemplateResult {
    const say = this.#say;
    const state = line.pending?.state;
    if (state === "failed") {
      return html`<p class="under failed">${icon("warning", 14)} ${line.pending?.reason || say.failed}
        <button class="link" type="button" @click=${() => this.#room.retry(line.key)}>${say.retry}</button></p>`;
    }
    const label = state === "sending" ? say.sending : say.accepted;
    return html`<p class="under">
      ${this.#formats.time(line.at)}
      ${line.mine ? html`<span title=${label}>${icon(state === "sending" ? "clock" : "check", 14)}</span><span class="unseen">${label}</span>` : nothing}
    </p>`;
  }

  #ending(): TemplateResult | typeof nothing {
    if (this.#room.talk.state !== "closed" || this.#room.talk.messages.length === 0) return nothing;
    return html`<div class="ended"><strong>${this.#say.ended}</strong><span>${this.#say.endedMore}</span></div>`;
  }

  #ask(): TemplateResult {
    const say = this.#say;
    return html`<div class="ask" role="alertdialog" aria-labelledby="ask" aria-describedby="ask-more"
      @keydown=${(event: KeyboardEvent) => event.key === "Escape" && this.#answer(false)}>
      <div>
        <strong id="ask">${say.leaveAsk}</strong>
        <p id="ask-more" class="soft">${say.leaveMore}</p>
      </div>
      <button class="button" type="button" @click=${() => this.#answer(false)}>${say.leaveNo}</button>
      <button class="button primary" type="button" @click=${() => this.#answer(true)}>${say.leaveYes}</button>
    </div>`;
  }

  #composer(): TemplateResult {
    const say = this.#say;
    const tooLong = this.#draft.length > TEXT_CHARS_MAX;
    return html`<form @submit=${this.#send}>
        <label class="unseen" for="text">${say.placeholder}</label>
        <textarea id="text" rows="1" placeholder=${say.placeholder} .value=${this.#draft} enterkeyhint="send"
          @input=${this.#typed} @keydown=${this.#key}></textarea>
        <button class="send" type="submit" aria-label=${say.send} title=${say.send} ?disabled=${!this.#draft.trim() || tooLong}>
          ${icon("send", 20)}
        </button>
      </form>
      ${tooLong ? html`<p class="under failed foot" role="alert">${say.tooLong(TEXT_CHARS_MAX)}</p>` : html`<p class="foot">${say.poweredBy}</p>`}`;
  }

  #shut(title: string, more: string): TemplateResult {
    return html`${this.#header()}
      <div class="empty">${icon("warning", 32)}<strong>${title}</strong><span>${more}</span></div>`;
  }

  #forget(): void {
    this.#asking = false;
    this.#draft = "";
    this.#lines = 0;
  }

  readonly #askToLeave = async (): Promise<void> => {
    this.#asking = true;
    this.requestUpdate();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLButtonElement>(".ask .button")?.focus();
  };

  #answer(leave: boolean): void {
    this.#asking = false;
    if (leave) this.#room.end();
    this.requestUpdate();
    this.#focus();
  }

  readonly #typed = (event: Event): void => {
    this.#draft = (event.target as HTMLTextAreaElement).value;
    this.requestUpdate();
  };

  readonly #key = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    this.#send(event);
  };

  readonly #send = (event: Event): void => {
    event.preventDefault();
    if (!this.#room.write(this.#draft)) return;
    this.#draft = "";
    this.requestUpdate();
    this.#focus();
  };

  #focus(): void {
    this.renderRoot.querySelector<HTMLTextAreaElement>("textarea")?.focus({ preventScroll: true });
  }
}

function together(a: Line, b: Line): boolean {
  return a.mine === b.mine && a.who === b.who && Date.parse(b.at) - Date.parse(a.at) < GROUP_MS;
}

customElements.define("santral-room", SantralRoom);
