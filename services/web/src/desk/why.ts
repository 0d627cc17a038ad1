/** A decision record in sentences: which rule chose the queue, why this agent, who else was looked at, who was not. Pure. */
import type { Candidate, Why } from "../api/vocabulary.ts";
import type { DeskMessages } from "../i18n/desk.ts";

export interface Reason {
  readonly label: string;
  readonly text: string;
}

/**
 * The sentences in reading order; empty parts are left out. `routing` is the record
 * of the queue (`why` itself, where no agent was chosen yet), `me` the reader's agent id,
 * `full` tells an ISO time as the reader's language does.
 */
export function reasons(
  why: Why,
  routing: Why,
  me: string,
  say: DeskMessages,
  full: (iso: string) => string,
): Reason[] {
  const who = (one: Candidate) => (one.agent_id === me ? say.whyYou : (one.name ?? say.whySomebody));
  const found: Reason[] = [];
  const add = (label: string, text: string) => {
    if (text) found.push({ label, text });
  };
  const none = routing.bulk ? say.whyBulk : routing.queue || routing.summary ? say.whyRuleNone : "";
  add(say.whyRule, routing.rule ? say.whyRuleIs(routing.rule) : none);
  if (routing.made_work_by) add(say.whyMadeWork, routing.made_work_by_name ?? say.whyMadeByNobody);
  const [winner, ...others] = why.candidates ?? [];
  if (winner) {
    add(
      say.whyAgent,
      why.transfer
        ? say.whyTransfer
        : why.personal
          ? say.whyPersonal
          : say.whyChosen(who(winner), percent(winner.load, say), duration(winner.idle_s, say)),
    );
    add(say.whyOrder, why.comparator ? (say.comparators[why.comparator] ?? why.comparator) : "");
  }
  if (typeof why.waited_s === "number") add(say.whyWaited, duration(why.waited_s, say));
  if (typeof why.step === "number") add(say.whyStep, String(why.step + 1));
  add(say.whyUnmet, (why.unmet ?? []).map((step) => String(step + 1)).join(" · "));
  if (why.key?.due) {
    const at = full(new Date(why.key.due * 1000).toISOString());
    add(say.whyKey, why.key.class === 0 ? say.whyEmergency(at) : say.whyDue(at));
  }
  if (routing.boost_s) add(say.whyBoost, duration(routing.boost_s, say));
  if (others.length > 0) {
    const list = others
      .slice(0, 3)
      .map((one) => say.whyOther(who(one), percent(one.load, say), duration(one.idle_s, say)));
    add(say.whyOthers, list.join(" · ") + (others.length > 3 ? ` +${others.length - 3}` : ""));
  }
  const excluded = Object.entries(why.excluded ?? {}).filter(([, count]) => count > 0);
  add(say.whyExcluded, excluded.map(([reason, count]) => `${count} ${say.exclusions[reason] ?? reason}`).join(" · "));
  return found;
}

function percent(load: number, say: DeskMessages): string {
  return say.percent(Math.round(load * 100));
}

/** Seconds as people say them, in the largest unit that fits. */
export function duration(seconds: number, say: DeskMessages): string {
  if (seconds < 90) return say.seconds(Math.round(seconds));
  if (seconds < 5400) return say.minutes(Math.round(seconds / 60));
  return say.hours(Math.round(seconds / 3600));
}
