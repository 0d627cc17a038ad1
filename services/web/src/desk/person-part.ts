/** A part of the customer's panel: it has the person, reads what it needs when they change, and tells what went wrong. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { PeopleApi } from "../api/people.ts";
import { ApiError } from "../api/problem.ts";
import type { Handle, Profile } from "../api/vocabulary.ts";
import type { PersonMessages } from "../i18n/desk-person-tr.ts";
import { icon } from "../ui/icons.ts";
import { DeskPart } from "./part.ts";

export abstract class PersonPart extends DeskPart {
  static override properties = { ...DeskPart.properties, profile: { attribute: false } };

  declare profile: Profile;
  protected problem = "";
  protected told = "";
  #shown = "";
  #conversation: string | null = null;

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    // A merge may give the person another id; what was told of it stays as long as the conversation does.
    if (this.#conversation !== this.store.selected) this.told = "";
    this.#conversation = this.store.selected;
    const shown = `${this.profile.id}:${this.profile.version ?? 0}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    void this.read();
  }

  /** Reads what this part shows, anew. What comes late for somebody who is no longer shown is dropped: see `reading`. */
  protected abstract read(): Promise<void>;

  /** Runs a read of this person; what it gives goes to `keep` while they are still shown. Problems are told in place. */
  protected async reading<T>(read: () => Promise<T>, keep: (found: T) => void): Promise<void> {
    const shown = this.#shown;
    this.problem = "";
    try {
      const found = await read();
      if (shown === this.#shown) keep(found);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (shown === this.#shown) this.problem = this.problemText(error);
    }
    this.requestUpdate();
  }

  /** Does something about the person, told in the page's manner; afterwards everything is read anew. */
  protected async doing(command: () => Promise<string>): Promise<boolean> {
    let told = "";
    const done = await this.store.perform(`person:${this.profile.id}`, async () => {
      told = await command();
    });
    if (done) {
      this.told = told;
      await this.store.select(this.store.selected);
    }
    this.requestUpdate();
    return done;
  }

  protected get busy(): boolean {
    return this.store.busy.has(`person:${this.profile.id}`);
  }

  protected get people(): PeopleApi {
    return new PeopleApi(this.store.api.client);
  }

  protected get words(): PersonMessages {
    return this.say.person;
  }

  protected problemText(error: ApiError): string {
    const { status, detail, title, remedy } = error.problem;
    if (status === 0) return this.say.problemUnreachable;
    return `${detail || title}${remedy ? ` — ${remedy}` : ""}`;
  }

  /** What stands for what is not read yet, or could not be. */
  protected waiting(): TemplateResult {
    if (!this.problem)
      return html`<p class="wait"><span class="spinner"></span><span class="unseen">${this.say.loading}</span></p>`;
    return html`<div class="notice danger" role="alert">${icon("warning", 16)}<span>${this.problem}</span></div>
      <button class="button" type="button" @click=${() => void this.read()}>${this.words.again}</button>`;
  }

  protected tellings(): TemplateResult | typeof nothing {
    return this.told ? html`<p class="told" role="status">${icon("check", 16)}<span>${this.told}</span></p>` : nothing;
  }

  /** Who wrote or did something: me, an agent by name, or a system. Nobody in particular is the empty text. */
  protected actor(actor: unknown, actors: Readonly<Record<string, string>>): string {
    if (typeof actor !== "string" || !actor) return "";
    if (actor === `agent:${this.store.me?.id}`) return this.say.you;
    if (actor.startsWith("agent:")) return actors[actor] ?? this.words.somebody;
    return this.words.system;
  }

  /** A handle as it is read aloud: a visitor's id is long and says nothing, so its end stands for it. */
  protected handleText(handle: Handle): string {
    return handle.kind === "visitor" ? `${this.kind(handle)} ${handle.value.slice(-8)}` : handle.value;
  }

  protected kind(handle: Handle): string {
    return this.say.kinds[handle.kind] ?? handle.kind;
  }
}
