/** What the customer's chat says. The Turkish record fixes the keys; a key that another language lacks is a type error. */
import type { Locale } from "./locale.ts";

const tr = {
  title: "Canlı destek",
  subtitle: "Birkaç dakika içinde yanıt veririz",
  open: "Sohbeti aç",
  close: "Sohbeti küçült",
  greeting: "Merhaba! Size nasıl yardımcı olabiliriz?",
  greetingMore: "Mesajınızı yazın; sizi hemen uygun bir temsilciye bağlayalım.",
  placeholder: "Mesajınızı yazın…",
  send: "Gönder",
  log: "Mesajlar",
  you: "Siz",
  agent: "Temsilci",
  sending: "Gönderiliyor",
  accepted: "İletildi",
  failed: "Gönderilemedi",
  retry: "Yeniden dene",
  waiting: "Temsilci bekleniyor",
  position: (n: number) => `Sıradaki yeriniz: ${n}`,
  wait: (usual: number, most: number) =>
    most <= 1 ? "bir dakikadan az" : usual === most ? `yaklaşık ${most} dk` : `yaklaşık ${usual}–${most} dk`,
  yourAgent: "Temsilciniz",
  next: "Sıra sizde, birazdan bağlanıyorsunuz",
  ended: "Sohbet sona erdi",
  endedMore: "Yeniden yazarsanız yeni bir görüşme başlar.",
  leave: "Sohbeti bitir",
  leaveAsk: "Sohbet bitsin mi?",
  leaveMore: "Sıradaki yeriniz ve bu görüşme kapanır.",
  leaveYes: "Bitir",
  leaveNo: "Vazgeç",
  connecting: "Bağlanıyor…",
  offline: "Bağlantı koptu, yeniden deneniyor",
  unavailable: "Sohbet şu anda açılamıyor",
  unavailableMore: "Birkaç saniye sonra yeniden denenecek.",
  unknownInbox: "Bu sohbet penceresi tanınmıyor",
  unknownInboxMore: "Site sahibinin yerleştirme kodunu denetlemesi gerekir.",
  tooLong: (most: number) => `Mesaj en çok ${most} karakter olabilir`,
  poweredBy: "Santral ile",
  unread: (n: number) => `${n} okunmamış mesaj`,
};

export type ChatMessages = typeof tr;

const en: ChatMessages = {
  title: "Live support",
  subtitle: "We usually answer within a few minutes",
  open: "Open chat",
  close: "Minimise chat",
  greeting: "Hello! How can we help?",
  greetingMore: "Write your message and we will connect you with the right person.",
  placeholder: "Write a message…",
  send: "Send",
  log: "Messages",
  you: "You",
  agent: "Agent",
  sending: "Sending",
  accepted: "Delivered",
  failed: "Not sent",
  retry: "Try again",
  waiting: "Waiting for an agent",
  position: (n) => `Your place in line: ${n}`,
  wait: (usual, most) =>
    most <= 1 ? "less than a minute" : usual === most ? `about ${most} min` : `about ${usual}–${most} min`,
  yourAgent: "Your agent",
  next: "You are next, connecting shortly",
  ended: "The chat has ended",
  endedMore: "Write again to start a new one.",
  leave: "End chat",
  leaveAsk: "End this chat?",
  leaveMore: "You give up your place in line and this conversation closes.",
  leaveYes: "End",
  leaveNo: "Keep it",
  connecting: "Connecting…",
  offline: "Connection lost, trying again",
  unavailable: "The chat cannot be opened right now",
  unavailableMore: "We will try again in a few seconds.",
  unknownInbox: "This chat is not known",
  unknownInboxMore: "The owner of this site should check the embedding code.",
  tooLong: (most) => `A message may have at most ${most} characters`,
  poweredBy: "By Santral",
  unread: (n) => (n === 1 ? "1 unread message" : `${n} unread messages`),
};

const languages: Readonly<Record<Locale, ChatMessages>> = { tr, en };

export function chatMessages(locale: Locale): ChatMessages {
  return languages[locale];
}
