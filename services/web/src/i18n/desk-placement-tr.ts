/** What the desk says in Turkish about messages that go from one conversation to another. */
type Named = Readonly<Record<string, string>>;

export const placementTr = {
  open: "Görüşmeyi düzenle",
  modes: { merge: "Birleştir", pick: "Ayır / taşı", list: "Yapılanlar" } as Named,
  mergeWill:
    "Bu görüşmedeki bütün mesajlar seçtiğiniz görüşmeye geçer; müşterinin sonraki mesajları da oraya düşer. İkisinde de açık iş varsa bu görüşmeninki kapanır. Sonradan geri alınabilir.",
  pickWill:
    "Mesajları işaretleyin. Kendilerine ait yeni bir görüşme olurlar; tek mesaj başka bir görüşmeye de taşınabilir. Sonradan geri alınabilir.",
  into: "Hangi görüşmeyle?",
  to: "Nereye?",
  newOne: "Yeni bir görüşme",
  byId: "Başka bir görüşme, kimliğiyle",
  id: "Görüşme kimliği",
  reason: "Neden (isteğe bağlı)",
  merge: "Görüşmeleri birleştir",
  split: "Yeni görüşme yap",
  move: "Mesajı taşı",
  picked: (n: number) => (n === 0 ? "Hiç mesaj seçilmedi" : `${n} mesaj seçildi`),
  pick: (text: string) => `Mesajı seç: ${text}`,
  none: "Bu görüşmede taşınmış mesaj yok.",
  kinds: { merge: "Birleştirme", split: "Ayırma", move: "Taşıma" } as Named,
  outOf: "bu görüşmeden",
  hither: "bu görüşmeye",
  messages: (n: number) => `${n} mesaj`,
  undo: "Geri al",
  undone: "geri alındı",
  other: "Diğer görüşmeyi aç",
  blocked: "Önce sonraki işlem geri alınmalı.",
  done: {
    merge: "Görüşmeler birleştirildi.",
    split: "Mesajlar yeni bir görüşme oldu.",
    move: "Mesaj taşındı.",
    undo: "Geri alındı; her şey eskisi gibi.",
  } as Named,
  goneInto: "Bu görüşme başka bir görüşmeyle birleştirildi; mesajları artık orada.",
  goneShort: "başka bir görüşmede",
  because: { merged: "görüşme birleştirildi" } as Named,
  goThere: "O görüşmeyi aç",
};

export type PlacementMessages = typeof placementTr;
