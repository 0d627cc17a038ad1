/** What the demo shop says. It is a Turkish shop; English is there for guests. */
import type { Locale } from "./locale.ts";

const tr = {
  strap: "Taze kavrulmuş kahve",
  nav: ["Kahveler", "Ekipman", "Abonelik", "Yardım"],
  basket: "Sepet",
  headline: "Sabah kavruluyor, öğlen yola çıkıyor",
  lead: "Türkiye’nin küçük kahve çiftlikleriyle ve Anadolu’nun kavurma ustalarıyla çalışıyoruz. Siparişiniz verildiği gün kavrulur.",
  shopNow: "Kahveleri gör",
  ask: "Bize sorun",
  products: "Bu haftanın kahveleri",
  add: "Sepete ekle",
  added: "Eklendi",
  promises: [
    ["Aynı gün kargo", "14.00’e kadar verilen siparişler aynı gün çıkar."],
    ["Beğenmezseniz", "30 gün içinde koşulsuz iade ederiz."],
    ["Gerçek insanlar", "Sohbet, e-posta ve telefonla 09.00–18.00 arasında."],
  ],
  contact: "Bize ulaşın",
  contactMore: "Hangi kanaldan yazarsanız yazın, tek bir görüşme olarak kalır.",
  channels: { chat: "Canlı sohbet", email: "E-posta", phone: "Telefon", social: "WhatsApp" },
  demo: "Gösterim paneli",
  demoMore: "Bu mağaza Santral’in gösterimi için vardır. Aşağıda, müşterilere giden e-postalar görünür.",
  mails: "Giden e-postalar",
  mailsNone: "Henüz gönderilmiş e-posta yok. Bir temsilci e-postayı yanıtladığında burada görünür.",
  mailsFailed: "E-postalar okunamadı; yeniden denenecek.",
  to: "Kime",
  links: "Bağlantılar",
  desk: (name: string) => `${name} — temsilci masası`,
  docs: "API belgeleri",
  health: "Sistem durumu",
  smtp: "Gelen e-posta sunucusu",
  footer: "Yayla Kahve kurgusal bir mağazadır.",
};

export type ShopMessages = typeof tr;

const en: ShopMessages = {
  strap: "Freshly roasted coffee",
  nav: ["Coffee", "Equipment", "Subscription", "Help"],
  basket: "Basket",
  headline: "Roasted in the morning, on its way by noon",
  lead: "We work with small farms and with the master roasters of Anatolia. Your order is roasted the day you place it.",
  shopNow: "See the coffees",
  ask: "Ask us",
  products: "This week’s coffees",
  add: "Add to basket",
  added: "Added",
  promises: [
    ["Same-day shipping", "Orders placed by 14:00 leave the same day."],
    ["Not to your taste?", "Return it within 30 days, no questions."],
    ["Real people", "By chat, e-mail and phone from 09:00 to 18:00."],
  ],
  contact: "Get in touch",
  contactMore: "Whichever channel you write on, it stays one conversation.",
  channels: { chat: "Live chat", email: "E-mail", phone: "Phone", social: "WhatsApp" },
  demo: "Demo panel",
  demoMore: "This shop exists to show Santral. Below are the mails that went out to customers.",
  mails: "Mails sent",
  mailsNone: "No mail has been sent yet. When an agent answers a mail, it appears here.",
  mailsFailed: "The mails could not be read; trying again.",
  to: "To",
  links: "Links",
  desk: (name) => `${name} — agent desk`,
  docs: "API documentation",
  health: "System health",
  smtp: "Incoming mail server",
  footer: "Yayla Kahve is a made-up shop.",
};

const languages: Readonly<Record<Locale, ShopMessages>> = { tr, en };

export function shopMessages(locale: Locale): ShopMessages {
  return languages[locale];
}
