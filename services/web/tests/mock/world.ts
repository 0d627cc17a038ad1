/** A small made-up world for looking at the pages: one agent, two offers, some work, a visitor who waits. */
import type {
  Conversation,
  Customer,
  DeskSnapshot,
  DomainEvent,
  Item,
  Message,
  Offer,
  Profile,
} from "../../src/api/vocabulary.ts";

const now = Date.now();
export const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
export const ME = "0198aaaa-0000-7000-8000-000000000001";

const attribute = (value: unknown) => ({ value, source: "crm" });

export const profiles: Profile[] = [
  {
    id: "p1",
    name: "Ayşe Demir",
    handles: [
      { kind: "email", value: "ayse.demir@ornek.example", assurance: "authenticated" },
      { kind: "phone", value: "+905321112233", assurance: "channel_verified" },
      { kind: "visitor", value: "0198f3b2-11aa-7c1e-9f00-52a1c07e9d31", assurance: "asserted" },
    ],
    attributes: {
      name: attribute("Ayşe Demir"),
      tier: attribute("Altın"),
      tags: attribute(["sadık", "abonelik"]),
      language: attribute("tr"),
      city: attribute("İzmir"),
      son_sipariş: attribute("YK-20418"),
      sipariş_sayısı: attribute(14),
    },
  },
  person("p2", "Mehmet Kaya", "phone", "+905424445566"),
  person("p3", "Elif Şahin", "igsid", "elif.kahve"),
  person("p4", "James Cooper", "email", "james@cooper.example"),
  person("p5", "Zeynep Arslan", "email", "zeynep@ornek.example"),
];

function person(id: string, name: string, kind: string, value: string): Profile {
  return { id, name, handles: [{ kind, value, assurance: "channel_verified" }], attributes: {} };
}

function customer(id: string): Customer {
  const found = profiles.find((one) => one.id === id) as Profile;
  const handle = found.handles[0] as Profile["handles"][number];
  return {
    profile_id: id,
    name: found.name,
    kind: handle.kind,
    value: handle.value,
    assurance: handle.assurance ?? "asserted",
  };
}

const conversation = (id: string, channel: string, who: string, more: Partial<Conversation>): Conversation => ({
  id,
  channel,
  channels: [channel],
  state: "open",
  visibility: "private",
  language: "tr",
  seq: 8,
  subject: "",
  preview: "",
  item: null,
  opened_at: ago(5400),
  last_in_at: ago(200),
  last_out_at: null,
  customer: customer(who),
  ...more,
});

export const conversations: Conversation[] = [
  conversation("c1", "email", "p1", {
    channels: ["email", "phone", "chat"],
    subject: "Siparişim eksik geldi — YK-20418",
    last_in_at: ago(140),
  }),
  conversation("c2", "chat", "p2", { preview: "Abonelik günümü değiştirebilir miyim?", last_in_at: ago(40) }),
  conversation("c3", "social", "p3", {
    preview: "Mağazanız pazar günü açık mı?",
    last_in_at: ago(4000),
    last_out_at: ago(3600),
  }),
  conversation("c4", "email", "p4", {
    subject: "Wholesale prices for a café in London",
    last_in_at: ago(9800),
    last_out_at: ago(7000),
  }),
  conversation("c5", "chat", "p5", {
    preview: "Merhaba, öğütme derecesini yanlış seçtim, siparişim kargoya çıkmadan değiştirebilir miyiz?",
    last_in_at: ago(9),
  }),
  conversation("c6", "phone", "p1", { subject: "Geri arama isteği", state: "closed" }),
];

const why = {
  comparator: "load",
  personal: false,
  step: 0,
  waited_s: 11.2,
  key: { class: 1, due: Date.now() / 1000 + 3600 },
  candidates: [
    { agent_id: ME, load: 0.33, idle_s: 252 },
    { agent_id: "b", name: "Ada Yılmaz", load: 0.53, idle_s: 31 },
    { agent_id: "c", name: "Bora Kaya", load: 0.66, idle_s: 12 },
  ],
  excluded: { offline: 4, not_member: 3, cap_reached: 1, skill_missing: 2 },
};

const item = (id: string, conversationId: string, more: Partial<Item>): Item => {
  const found = conversations.find((one) => one.id === conversationId) as Conversation;
  return {
    id,
    conversation_id: found.id,
    state: "assigned",
    version: 2,
    queue: "destek",
    queue_title: "Destek",
    channel: found.channel,
    due_at: ago(-3500),
    enqueued_at: ago(5400),
    subject: found.subject,
    visibility: "private",
    seq: 8,
    last_in_at: found.last_in_at,
    last_out_at: found.last_out_at,
    preview: found.preview,
    customer: found.customer,
    offer: null,
    decision_id: "d1",
    why,
    ...more,
  };
};

export const offers: Offer[] = [
  { ...item("i5", "c5", { state: "offered" }), offer: { id: "o1", made_at: ago(0), until: ago(-45) } },
];

export const desk: DeskSnapshot = {
  incarnation: "0198aaaa-0000-7000-8000-00000000000f",
  agent: {
    id: ME,
    name: "Deniz Yıldız",
    presence: "online",
    used: 73,
    budget: 100,
    counts: { chat: 1, email: 2, social: 1 },
    agent_seq: 12,
  },
  offers,
  items: [
    item("i1", "c1", {
      sla: { kind: "first_response", target_s: 60, due_at: ago(-14), warn_at: ago(2), state: "warned" },
    }),
    item("i2", "c2", {
      sla: { kind: "first_response", target_s: 14_400, due_at: ago(-9000), warn_at: ago(-6000), state: "running" },
    }),
    item("i3", "c3", { state: "parked" }),
    item("i4", "c4", { state: "parked", queue: "toptan", queue_title: "Toptan satış" }),
  ],
  queues: [
    { name: "destek", title: "Destek", mode: "push", waiting: 2 },
    { name: "toptan", title: "Toptan satış", mode: "both", waiting: 1 },
  ],
};

const said = (id: string, conversationId: string, seq: number, more: Partial<Message>): Message => ({
  id,
  conversation_id: conversationId,
  seq,
  direction: "in",
  kind: "text",
  channel: "chat",
  visibility: "private",
  subject: "",
  text: "",
  text_stripped: null,
  html: false,
  files: [],
  call: null,
  automatic: null,
  authenticated: true,
  sender: null,
  agent_id: null,
  agent_name: null,
  at: ago(60),
  ...more,
});

const COMPLAINT =
  "Merhaba,\n\nDün gelen siparişimde Kaçkar Espresso iki paket olmalıydı, bir paket çıktı. Fatura ve kutunun fotoğrafı ektedir.\n" +
  "Takip: https://kargo.example/YK-20418\n\nTeşekkürler,\nAyşe";

export const routing = {
  summary: "",
  queue: "destek",
  rule: "Altın müşteri",
  matched: ["Altın müşteri"],
  boost_s: 900,
};

export const messages: Record<string, Message[]> = {
  c1: [
    said("m1", "c1", 1, {
      channel: "email",
      subject: "Siparişim eksik geldi — YK-20418",
      at: ago(94_000),
      html: true,
      text: `${COMPLAINT}\n\n> Siparişiniz yola çıktı …`,
      text_stripped: COMPLAINT,
      files: [
        { n: 1, name: "fatura-YK-20418.pdf", content_type: "application/pdf", size_bytes: 182_000 },
        { n: 2, name: "kutu.jpg", content_type: "image/jpeg", size_bytes: 1_420_000 },
      ],
    }),
    said("m3", "c1", 3, {
      direction: "out",
      channel: "email",
      at: ago(92_000),
      agent_id: ME,
      text: "Ayşe Hanım merhaba, eksik paketi bugün gönderiyoruz; takip numarasını bu yazışmadan ileteceğim.",
    }),
    said("m6", "c1", 7, {
      kind: "missed_call",
      channel: "phone",
      at: ago(2600),
      call: { direction: "in", answered: false, caller: "+905321112233", callee: "02125550140", wait_s: 42 },
    }),
    said("m7", "c1", 8, { at: ago(140), text: "Sizi aradım ama bağlanamadım. Paket bugün yola çıktı mı acaba?" }),
  ],
  c2: [
    said("n1", "c2", 1, { text: "Merhaba" }),
    said("n2", "c2", 2, { at: ago(40), text: "Abonelik günümü değiştirebilir miyim?" }),
  ],
};

export const events: Record<string, DomainEvent[]> = {
  c1: [
    { id: "e1", type: "message.received", at: ago(94_000), seq: 1 },
    { id: "e0", type: "item.queued", at: ago(93_900), seq: 1.5, data: { decision_id: "d0" } },
    { id: "e2", type: "item.assigned", at: ago(93_000), seq: 2, agent_id: ME },
    { id: "e3", type: "reply.queued", at: ago(92_000), seq: 3, data: { message_id: "m3" } },
    { id: "e4", type: "reply.delivered", at: ago(91_990), seq: 4, data: { message_id: "m3" } },
    { id: "e5", type: "item.parked", at: ago(91_980), seq: 5 },
    { id: "e6", type: "item.woken", at: ago(2600), seq: 6 },
  ],
};

events.c5 = [{ id: "f1", type: "item.queued", at: ago(20), seq: 2, data: { decision_id: "d0" } }];

export const mailHtml =
  "<h2>Merhaba,</h2><p>Dün gelen siparişimde <b>Kaçkar Espresso</b> iki paket olmalıydı, bir paket çıktı.</p><table border=1 cellpadding=6><tr><th>Ürün</th><th>Adet</th></tr><tr><td>Kaçkar Espresso</td><td>2</td></tr></table><p><script>alert(1)</script>Teşekkürler</p><img src='http://canary.example/x.png'>";

export const mails = [
  {
    to: "ayse.demir@ornek.example",
    from: "destek@yayla.example",
    subject: "Re: Siparişim eksik geldi — YK-20418",
    text: "Ayşe Hanım merhaba, eksik paketi bugün gönderiyoruz; takip numarasını bu yazışmadan ileteceğim.\n\nDeniz\nYayla Kahve",
    at: ago(600),
  },
];
