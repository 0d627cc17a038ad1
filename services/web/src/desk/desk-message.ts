/** One message of any channel: a bubble, a mail, a call record; with its files and what became of it. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { ApiError } from "../api/problem.ts";
import type { Message, MessageFile } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, type IconName, icon } from "../ui/icons.ts";
import { words } from "../ui/text.ts";
import { messageStyles } from "./desk-message-styles.ts";
import { mailFrame } from "./mail-frame.ts";
import { DeskPart } from "./part.ts";
import { mayBePicture, pictureOf, withPictures } from "./pictures.ts";
import type { Delivery } from "./thread.ts";
import { duration } from "./why.ts";

const TICKS: Readonly<Record<Delivery["state"], IconName>> = {
  queued: "clock",
  sent: "check",
  delivered: "checks",
  read: "checks",
  failed: "warning",
};

const THUMBNAIL_EDGE = 160;
/** Contents that the list of files shows already. */
const OF_FILES: ReadonlySet<string> = new Set(["photo", "video", "audio", "file", "invitation"]);

export class DeskMessage extends DeskPart {
  static override properties = {
    ...DeskPart.properties,
    message: { attribute: false },
    delivery: { attribute: false },
    customer: {},
  };
  static override styles = [controls, messageStyles];

  declare message: Message;
  declare delivery: Delivery | null;
  declare customer: string;
  #frame: HTMLIFrameElement | null = null;
  #quoted = false;
  #earlier = false;
  #problem = "";
  readonly #pictures = new Map<number, string | null>();

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("message")) this.className = this.message.direction;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("message")) void this.#fetchPictures();
  }

  protected override render(): TemplateResult {
    const { message } = this;
    const call =
      message.call || message.kind === "call" || message.kind === "missed_call" || message.kind === "voicemail";
    if (message.gone)
      return html`<article class="gone">${this.#head()}<p class="soft">${icon("close", 14)} ${this.contents([message.gone])}</p></article>`;
    return html`<article>
      ${this.#head()}
      ${message.reply_to && message.direction === "in" ? html`<p class="soft small asks">${this.say.asksReplyAt(message.reply_to)}</p>` : nothing}
      ${message.subject && message.channel === "email" ? html`<h3>${message.subject}</h3>` : nothing}
      ${call ? this.#call() : nothing} ${this.#frame ?? this.#body()} ${this.#files()} ${this.#before()} ${this.#tools()} ${this.#reactions()}
      ${this.#problem ? html`<p class="notice danger">${this.#problem}</p>` : nothing}
    </article>
    ${this.#foot()}`;
  }

  #head(): TemplateResult {
    const { message } = this;
    const out = message.direction !== "in";
    const mine = out && message.agent_id === this.store.me?.id;
    const who = out
      ? mine
        ? this.say.you
        : (message.agent_name ?? this.say.agent)
      : message.sender?.name || this.customer;
    return html`<header>
      <span title=${this.channel(message.channel)}>${channelIcon(message.channel, 14)}</span>
      <strong>${who}</strong>
      ${message.direction === "note" ? html`<span class="chip warn">${this.say.internal}</span>` : nothing}
      ${unverified(message) ? html`<span class="chip warn">${this.say.unverified}</span>` : nothing}
      ${message.aside ? html`<span class="chip warn">${this.say.aside}</span>` : nothing}
      ${message.automatic ? html`<span class="chip">${this.say.automatic}</span>` : nothing}
      ${
        message.marks?.length && !message.automatic
          ? html`<span class="chip" title=${message.marks.join(", ")}>${this.say.markedChip}</span>`
          : nothing
      }
      ${
        message.filtered && this.say.filtered[message.filtered.verdict]
          ? html`<span class="chip warn" title=${message.filtered.by}>${this.say.filtered[message.filtered.verdict]}</span>`
          : nothing
      }
      ${message.group ? html`<span class="chip" title=${this.say.groupMore}>${this.say.group}</span>` : nothing}
      ${message.edited_at ? html`<span class="chip" title=${this.formats.full(message.edited_at)}>${this.say.edited}</span>` : nothing}
      <time datetime=${message.at} title=${this.formats.full(message.at)}>${this.formats.time(message.at)}</time>
    </header>`;
  }

  #body(): TemplateResult | typeof nothing {
    const { text = "", text_stripped: stripped } = this.message;
    const short = stripped && stripped !== text ? stripped : null;
    const { contents = [], about, files, call, subject, html: formatted } = this.message;
    // A call's and a file's own block says what it is.
    const told = contents.filter((one) => !(call && one === "call") && !(files.length && OF_FILES.has(one)));
    const other = text || contents.length || files.length || call || subject || formatted;
    const made = [this.contents(other ? told : ["empty"]), about ?? ""].filter(Boolean).join(": ");
    const beside = made ? html`<p class="soft small">${words(made)}</p>` : nothing;
    if (!text && !short) return beside;
    return html`<p class="text">${words(short && !this.#quoted ? short : text)}</p>${beside}
      ${
        short
          ? html`<button class="link" type="button" @click=${this.#toggleQuoted}>
              ${this.#quoted ? this.say.unquoted : this.say.quoted}
            </button>`
          : nothing
      }`;
  }

  #call(): TemplateResult {
    const { call, kind } = this.message;
    const name =
      kind === "voicemail"
        ? "voicemail"
        : call?.answered === false || kind === "missed_call"
          ? "missed"
          : (call?.direction ?? "in");
    const facts = [
      call?.caller && call.callee ? `${call.caller} → ${call.callee}` : (call?.caller ?? ""),
      call?.talk_s ? this.say.talked(duration(call.talk_s, this.say)) : "",
      call?.wait_s ? this.say.waited(duration(call.wait_s, this.say)) : "",
    ].filter(Boolean);
    return html`<div class="call ${name === "missed" ? "missed" : ""}">
      <span class="disc">${icon("phone", 18)}</span>
      <div><strong>${this.say.call[name] ?? name}</strong><p class="soft small numbers">${facts.join(" · ")}</p></div>
    </div>`;
  }

  /** What it said before it was edited, on demand. */
  #before(): TemplateResult | typeof nothing {
    const { earlier = [] } = this.message;
    if (earlier.length === 0) return nothing;
    const shown = this.#earlier
      ? html`<ol class="earlier">${earlier.map(
          (one) =>
            html`<li><p class="text soft">${words(one.text)}</p>
              <time datetime=${one.at} title=${this.formats.full(one.at)}>${this.formats.time(one.at)}</time></li>`,
        )}</ol>`
      : nothing;
    return html`${shown}<button class="link" type="button" aria-expanded=${this.#earlier} @click=${this.#toggleEarlier}>
      ${this.#earlier ? this.say.noEarlier : this.say.earlier}</button>`;
  }

  #reactions(): TemplateResult | typeof nothing {
    const { reactions = [] } = this.message;
    if (reactions.length === 0) return nothing;
    return html`<ul class="reactions" aria-label=${this.say.reactions}>
      ${reactions.map((one) => html`<li class="chip" title=${this.formats.full(one.at)}>${one.text}</li>`)}
    </ul>`;
  }

  #files(): TemplateResult | typeof nothing {
    const { files } = this.message;
    if (files.length === 0) return nothing;
    return html`<ul class="files" aria-label=${this.say.attachments}>
      ${files.map((file) => {
        const name = file.name || file.content_type || "…";
        return html`<li><button type="button" aria-label=${this.say.download(name)} @click=${() => void this.#save(file.n, name)}>
          ${this.#picture(file)} <span>${name}</span> <span class="faint small">${size(file.size_bytes)}</span></button></li>`;
      })}
    </ul>`;
  }

  #picture(file: MessageFile): TemplateResult {
    const picture = this.#pictures.get(file.n);
    return picture ? html`<img src=${picture} alt="" />` : icon("clip", 16);
  }

  /** Thumbnails of its pictures, asked for once; what has none keeps its clip. */
  async #fetchPictures(): Promise<void> {
    const { conversation_id: conversation, seq, files } = this.message;
    for (const file of files.filter(mayBePicture)) {
      if (this.#pictures.has(file.n)) continue;
      this.#pictures.set(file.n, null);
      const picture = await pictureOf(this.store.api, { conversation, seq, n: file.n, edge: THUMBNAIL_EDGE });
      if (picture) this.#pictures.set(file.n, picture);
      this.requestUpdate();
    }
  }

  #tools(): TemplateResult | typeof nothing {
    const { message } = this;
    if (!message.html || message.direction === "out") return nothing;
    return html`<button class="link" type="button" @click=${() => void this.#toggleMail()}>
      ${this.#frame ? this.say.hideMail : this.say.showMail}
    </button>`;
  }

  #foot(): TemplateResult | typeof nothing {
    if (!this.delivery) return nothing;
    const { state, reason } = this.delivery;
    return html`<p class="foot ${state}">${icon(TICKS[state], 14)} ${this.say.delivery[state] ?? state}${reason ? `: ${reason}` : ""}</p>`;
  }

  readonly #toggleQuoted = (): void => {
    this.#quoted = !this.#quoted;
    this.requestUpdate();
  };

  readonly #toggleEarlier = (): void => {
    this.#earlier = !this.#earlier;
    this.requestUpdate();
  };

  async #toggleMail(): Promise<void> {
    this.#problem = "";
    if (this.#frame) {
      this.#frame = null;
    } else {
      await this.#fetched(async (id, seq) => {
        const html = await withPictures(this.store.api, await this.store.api.mailHtml(id, seq), id, seq);
        this.#frame = mailFrame(html, this.message.subject || this.say.noSubject);
      });
    }
    this.requestUpdate();
  }

  /** Attachments are saved, never opened in the page. */
  async #save(n: number, name: string): Promise<void> {
    await this.#fetched(async (id, seq) => {
      const address = URL.createObjectURL(await this.store.api.file(id, seq, n));
      const link = document.createElement("a");
      link.href = address;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    });
    this.requestUpdate();
  }

  async #fetched(work: (conversationId: string, seq: number) => Promise<void>): Promise<void> {
    try {
      await work(this.message.conversation_id, this.message.seq);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem = error.problem.detail || this.say.mailFailed;
    }
  }
}

/** A mail whose sender nobody vouches for: it may come from anybody. */
function unverified(message: Message): boolean {
  return message.direction === "in" && message.channel === "email" && !message.authenticated;
}

function size(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

customElements.define("santral-desk-message", DeskMessage);
