/** What is kept out of work, in a window over the desk: searched, each with its reason, and made work with one press. */
import { html, nothing, type TemplateResult } from "lit";
import { type BulkDigest, type KeptOut, KeptOutApi, type MadeWork } from "../api/kept-out.ts";
import { ApiError } from "../api/problem.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { keptOutStyles } from "./kept-out-styles.ts";
import { DeskPart } from "./part.ts";

const PAGE = 30;
const REPORTS: ReadonlySet<string> = new Set(["bounce", "disposition", "feedback"]);
const MARKED = "marked";

export class DeskKeptOut extends DeskPart {
  static override styles = [controls, keptOutStyles];

  #kept: readonly KeptOut[] = [];
  #next: string | null = null;
  #digests: readonly BulkDigest[] = [];
  #wanted = { q: "", kind: "", markedOnly: false };
  #problem = "";
  #made: { readonly work: MadeWork; readonly subject: string } | null = null;
  #reading = 0;
  #asked = 0;

  get #api(): KeptOutApi {
    return new KeptOutApi(this.store.api.client);
  }

  protected override render(): TemplateResult {
    const say = this.say.keptOut;
    return html`<button class="button opener" type="button" aria-haspopup="dialog" aria-label=${say.open} @click=${this.#open}>
        ${icon("tray", 16)} ${say.title}
      </button>
      <dialog aria-labelledby="title" aria-describedby="about">
        <header>
          <h1 id="title">${say.title}</h1>
          <button class="button quiet icon" type="button" aria-label=${this.say.dismiss} @click=${this.#close}>${icon("close")}</button>
          <p id="about">${say.about}</p>
        </header>
        <form role="search" @submit=${this.#search}>
          <label>${say.search}<input class="field" type="search" name="q" maxlength="200" autocomplete="off" autofocus @change=${this.#search} /></label>
          <label>${say.kind}
            <select class="field" name="kind" @change=${this.#search}>
              <option value="">${say.everything}</option>
              <option value=${MARKED}>${say.markedOnly}</option>
              ${Object.entries(say.kinds).map(([kind, name]) => html`<option value=${kind}>${name}</option>`)}
            </select>
          </label>
        </form>
        <div class="body">
          ${this.#told()}
          <ul>${this.#kept.map((one) => this.#entry(one))}</ul>
          ${
            this.#next
              ? html`<div class="center"><button class="button" type="button" ?disabled=${this.#reading > 0} @click=${() => void this.#read(this.#next)}>
                  ${say.more}
                </button></div>`
              : nothing
          }
          ${this.#days()}
        </div>
      </dialog>`;
  }

  #told(): TemplateResult {
    const say = this.say.keptOut;
    if (this.#problem) return html`<p class="told problem" role="alert">${this.#problem}</p>`;
    const made = this.#made;
    return html`<p class="told" role="status">
      ${this.#reading ? html`<span class="spinner"></span>` : nothing}
      ${made ? html`<span>${say.made(made.subject)}</span>` : say.found(this.#kept.length, this.#next !== null)}
      ${
        made
          ? html`<button class="button" type="button" @click=${() => this.#go(made.work.conversation_id)}>${say.read}</button>`
          : nothing
      }
    </p>`;
  }

  #entry(one: KeptOut): TemplateResult {
    const say = this.say.keptOut;
    const subject = one.subject || say.noSubject;
    const report = REPORTS.has(one.kind);
    const busy = this.store.busy.has(one.id);
    return html`<li class="kept" data-kept=${one.id}>
      <div>
        <h2 title=${subject}>${subject}</h2>
        <p class="who">${one.sender.name ? `${one.sender.name} · ` : ""}${one.sender.value ?? ""} · ${one.inbox} ·
          <time datetime=${one.at} title=${this.formats.full(one.at)}>${this.formats.ago(one.at)}</time></p>
        <p class="reason"><span class="chip">${say.kinds[one.kind] ?? one.kind}</span>
          ${one.marked_only ? say.marked : say.machine}
          ${one.evidence.length ? one.evidence.map((name) => html` <code>${name}</code>`) : say.unsaid}</p>
        ${one.reason && !one.preview.startsWith(one.reason) ? html`<p class="reason">${one.reason}</p>` : nothing}
        ${report ? html`<p class="reason">${say.report}</p>` : nothing}
        <p class="who">${this.preview(one)}</p>
      </div>
      <div class="does">
        <button class="button primary" type="button" ?disabled=${busy} aria-label=${say.makeOf(subject)}
          @click=${() => void this.#make(one)}>${say.make}</button>
        ${
          report
            ? html`<button class="button" type="button" ?disabled=${busy} aria-label=${say.personOf(subject)}
                @click=${() => void this.#make(one, true)}>${say.person}</button>`
            : nothing
        }
        <button class="button quiet" type="button" aria-label=${`${say.read}: ${subject}`}
          @click=${() => this.#go(one.conversation_id)}>${say.read}</button>
      </div>
    </li>`;
  }

  #days(): TemplateResult | typeof nothing {
    const say = this.say.keptOut;
    if (this.#digests.length === 0) return nothing;
    return html`<details>
      <summary>${say.digests}</summary>
      <ul>${this.#digests.map(
        (one) => html`<li><strong>${this.formats.day(one.day)}</strong> · ${say.digest(one.mails, one.senders)}
          <ul>${one.messages.map((mail) => html`<li class="soft">${mail.sender ?? ""}: ${mail.subject || say.noSubject}</li>`)}</ul>
        </li>`,
      )}</ul>
    </details>`;
  }

  readonly #open = (): void => {
    this.renderRoot.querySelector("dialog")?.showModal();
    this.#made = null;
    void this.#read(null);
    void this.#readDigests();
  };

  readonly #close = (): void => {
    this.renderRoot.querySelector("dialog")?.close();
  };

  readonly #search = (event: Event): void => {
    event.preventDefault();
    const form = this.renderRoot.querySelector("form");
    if (!form) return;
    const given = new FormData(form);
    const kind = String(given.get("kind") ?? "");
    this.#wanted = {
      q: String(given.get("q") ?? "").trim(),
      kind: kind === MARKED ? "" : kind,
      markedOnly: kind === MARKED,
    };
    this.#made = null;
    void this.#read(null);
  };

  #go(conversationId: string): void {
    this.#close();
    void this.store.select(conversationId);
  }

  /** Reads the first page anew, or one more after what is shown; an answer that a later question overtook is dropped. */
  async #read(cursor: string | null): Promise<void> {
    const asked = ++this.#asked;
    await this.#trying("", async () => {
      const page = await this.#api.list(this.#wanted, cursor, PAGE);
      if (asked !== this.#asked) return;
      this.#kept = cursor ? [...this.#kept, ...page.items] : page.items;
      this.#next = page.next ?? null;
    });
  }

  /** Digests are of the whole workspace: who does not see that is shown none. */
  async #readDigests(): Promise<void> {
    try {
      this.#digests = (await this.#api.digests()).items;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 403)) throw error;
      this.#digests = [];
    }
    this.requestUpdate();
  }

  async #make(one: KeptOut, person?: boolean): Promise<void> {
    this.store.busy.add(one.id);
    const nobody = REPORTS.has(one.kind) && !person ? this.say.keptOut.nobody : "";
    await this.#trying(nobody, async () => {
      const work = await this.#api.makeWork(one.id, person);
      const at = this.#kept.indexOf(one);
      this.#kept = this.#kept.filter((other) => other.id !== one.id);
      this.#made = { work, subject: one.subject || this.say.keptOut.noSubject };
      void this.#focusNear(at);
    });
    this.store.busy.delete(one.id);
    this.requestUpdate();
  }

  /** The pressed button is gone: the keyboard goes on with the entry that took its place, else with the search. */
  async #focusNear(at: number): Promise<void> {
    await this.updateComplete;
    const entries = this.renderRoot.querySelectorAll<HTMLElement>("li.kept .button.primary");
    const next = entries[Math.min(at, entries.length - 1)] ?? this.renderRoot.querySelector<HTMLElement>("input");
    next?.focus();
  }

  /** `conflict` is what a conflict is told as, where the page knows better than the answer. */
  async #trying(conflict: string, work: () => Promise<void>): Promise<void> {
    this.#reading += 1;
    this.#problem = "";
    this.requestUpdate();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { detail, title, remedy } = error.problem;
      const known = error.status === 409 ? conflict : "";
      this.#problem =
        error.status === 0 ? this.say.problemUnreachable : known || `${detail || title}${remedy ? ` — ${remedy}` : ""}`;
    } finally {
      this.#reading -= 1;
      this.requestUpdate();
    }
  }
}

customElements.define("santral-desk-kept-out", DeskKeptOut);
