/** What the desk says in English about messages that go from one conversation to another. */
import type { PlacementMessages } from "./desk-placement-tr.ts";

export const placementEn: PlacementMessages = {
  open: "Arrange the conversation",
  modes: { merge: "Merge", pick: "Split / move", list: "Done so far" },
  mergeWill:
    "All messages of this conversation go into the one you choose, and so does what the customer writes next. If both have open work, this one's ends. It can be undone.",
  pickWill:
    "Mark messages. They become a conversation of their own; a single one can also go into another conversation. It can be undone.",
  into: "With which conversation?",
  to: "Where to?",
  newOne: "A new conversation",
  byId: "Another conversation, by its id",
  id: "The conversation's id",
  reason: "Why (optional)",
  merge: "Merge the conversations",
  split: "Make a new conversation",
  move: "Move the message",
  picked: (n) => (n === 0 ? "No message chosen" : n === 1 ? "1 message chosen" : `${n} messages chosen`),
  pick: (text) => `Choose the message: ${text}`,
  none: "No message of this conversation was moved.",
  kinds: { merge: "Merge", split: "Split", move: "Move" },
  outOf: "out of this conversation",
  hither: "into this conversation",
  messages: (n) => (n === 1 ? "1 message" : `${n} messages`),
  undo: "Undo",
  undone: "undone",
  other: "Open the other conversation",
  blocked: "What was done later is to be undone first.",
  done: {
    merge: "The conversations are merged.",
    split: "The messages are a conversation of their own.",
    move: "The message was moved.",
    undo: "Undone; everything is as it was.",
  },
  goneInto: "This conversation was merged into another one; its messages are there now.",
  goneShort: "in another conversation",
  because: { merged: "the conversation was merged" },
  goThere: "Open that conversation",
};
