/** What the desk says in Turkish about mail that is kept out of work. */
type Named = Readonly<Record<string, string>>;

export const keptOutTr = {
  title: "İş sayılmayanlar",
  about: "Bir makinenin yazdığı ya da öyle sayılan mesajlar. İş yaparsanız sıraya girer ve yazan kişi yanıtlanır.",
  open: "İş sayılmayanları göster",
  search: "Konu ya da gönderende ara",
  kind: "Tür",
  everything: "Hepsi",
  markedOnly: "Yalnızca işaretliler",
  kinds: {
    auto_reply: "Otomatik yanıt",
    out_of_office: "Ofis dışı bildirimi",
    bounce: "Ulaşmayan posta bildirimi",
    bulk: "Toplu gönderi",
    disposition: "Okundu bildirimi",
    feedback: "Şikâyet bildirimi",
    echo: "Kendi mesajımızın yankısı",
  } as Named,
  machine: "Bir makinenin yazdığını gösteren:",
  marked: "Yalnızca işaretli; makinenin yazdığını söyleyen başka bir şey yok:",
  unsaid: "eski bir sürüm ne gördüğünü yazmadı",
  found: (n: number, more: boolean) => (n === 0 ? "Hiçbir şey bulunamadı." : more ? `İlk ${n} mesaj` : `${n} mesaj`),
  more: "Daha fazlası",
  make: "İş yap",
  makeOf: (subject: string) => `İş yap: ${subject}`,
  person: "Bunu bir insan yazdı",
  personOf: (subject: string) => `Bunu bir insan yazdı, iş yap: ${subject}`,
  report: "Bir posta sunucusunun bildirimi: iş yapılırsa onu yazan yanıtlanmaz.",
  nobody: "Bu görüşmede bildirimi yazandan başka kimse yok. Bir insan yazdıysa “Bunu bir insan yazdı”ya basın.",
  made: (subject: string) => `İş oldu: ${subject}`,
  read: "Görüşmeyi aç",
  noSubject: "(konu yok)",
  digests: "Hiç görüşmediklerimizden toplu postalar, gün gün",
  digest: (mails: number, senders: number) => `${mails} posta, ${senders} gönderen`,
};

export type KeptOutMessages = typeof keptOutTr;
