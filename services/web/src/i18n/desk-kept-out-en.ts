/** What the desk says in English about mail that is kept out of work. */
import type { KeptOutMessages } from "./desk-kept-out-tr.ts";

export const keptOutEn: KeptOutMessages = {
  title: "Kept out of work",
  about:
    "Messages that a machine wrote, or that count as one's. Made work, they wait in a queue and their author is answered.",
  open: "Show what is kept out of work",
  search: "Search subject or sender",
  kind: "Kind",
  everything: "Everything",
  markedOnly: "Only marked",
  kinds: {
    auto_reply: "Automatic answer",
    out_of_office: "Out of office",
    bounce: "Undelivered mail report",
    bulk: "Bulk mail",
    disposition: "Read receipt",
    feedback: "Complaint report",
    echo: "Echo of our own message",
  },
  machine: "What shows that a machine wrote it:",
  marked: "Only marked; nothing else says that a machine wrote it:",
  unsaid: "an earlier release did not keep what it saw",
  found: (n, more) =>
    n === 0 ? "Nothing was found." : more ? `The first ${n} messages` : n === 1 ? "1 message" : `${n} messages`,
  more: "More",
  make: "Make it work",
  makeOf: (subject) => `Make it work: ${subject}`,
  person: "A person wrote this",
  personOf: (subject) => `A person wrote this, make it work: ${subject}`,
  report: "A mail server's report: made work, its author is not answered.",
  nobody: "Nobody but the report's author is in its conversation. If a person wrote it, press “A person wrote this”.",
  made: (subject) => `It is work now: ${subject}`,
  read: "Open the conversation",
  noSubject: "(no subject)",
  digests: "Bulk mail from nobody we know, by day",
  digest: (mails, senders) =>
    `${mails === 1 ? "1 mail" : `${mails} mails`}, ${senders === 1 ? "1 sender" : `${senders} senders`}`,
};
