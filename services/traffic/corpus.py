"""What customers write: complaints, questions, follow-ups, thanks, in Turkish and English; and what their machines answer.

``{order}``, ``{product}``, ``{city}``, ``{amount}`` and ``{day}`` are filled in by whoever sends. Each line is a different message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["question", "complaint", "follow_up", "thanks", "auto_reply", "bounce"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message before its blanks are filled in. The subject matters to mail only."""

    kind: Kind
    language: str
    subject: str
    text: str


_TR: Final[Mapping[Kind, str]] = {
    "question": """
Siparişim nerede?|Merhaba, {order} numaralı siparişim ne zaman elime ulaşır?
Kargo takip|İyi günler, {order} için kargo takip numarası hâlâ gelmedi. Hangi firmayla gönderdiniz?
Stok sorusu|{product} tekrar stoklara girecek mi? Girince haber verebilir misiniz?
Fatura|Merhaba, {order} numaralı siparişin faturasını şirketimiz adına kestirmek istiyorum. Ne yapmam gerekiyor?
Beden|{product} dar mı kalıp? Normalde M giyiyorum, 172 boyundayım.
Teslimat adresi|Siparişim kargoya verilmeden adresi {city} olarak değiştirebilir miyiz? Sipariş no {order}.
İade süresi|İade için kaç günüm var? Ürünü {day} günü teslim aldım, hiç kullanmadım.
Değişim|{product} küçük geldi, bir büyük bedenle değişim yapabilir miyim? Kargo ücreti kime ait?
Taksit|{amount} TL'lik alışverişte kaç taksit yapılıyor, hangi kartlar geçerli?
Kampanya|Sepette %20 indirim kampanyası {product} için de geçerli mi? Kodu girince hata veriyor.
Mağaza|{city} şubeniz pazar günü açık mı, saat kaça kadar?
Garanti|{product} garanti kapsamında mı, servis {city} içinde var mı?
Hediye paketi|{order} numaralı siparişi hediye paketi yapıp içine not koyabilir misiniz? "İyi ki doğdun anne" yazsa yeter 🎂
Üyelik|Şifremi sıfırlayamıyorum, e-posta hiç gelmiyor. Spam klasörüne de baktım.
Toplu alım|Ofis için 40 adet {product} almak istiyoruz, kurumsal fiyat verebilir misiniz?
Kapıda ödeme|{city} için kapıda ödeme var mı?
""",
    "complaint": """
Siparişim gelmedi!|Siparişim 9 gündür gelmedi, her gün "dağıtıma çıktı" yazıyor. {order}. Artık bir cevap istiyorum.
Kırık ürün|{product} kutudan kırık çıktı. Fotoğrafları ekte gönderiyorum, paramın iadesini istiyorum.
Yanlış ürün|{order} numaralı siparişte bambaşka bir ürün gelmiş. Bu kadar özensizlik olmaz, çok mağdur oldum.
Para iadesi|İade edeli 3 hafta oldu, {amount} TL hâlâ hesabıma yatmadı. Tüketici hakem heyetine başvuracağım.
Kurye|Kurye evde olmama rağmen "adreste yok" yazıp gitmiş. Telefonumu bile aramadı, rezalet.
İki kez çekim|Kartımdan {amount} TL iki kez çekilmiş! Acil dönüş yapın lütfen.
Müşteri hizmetleri|Yarım saattir hatta bekliyorum, kimse açmıyor. Bu nasıl müşteri hizmetleri?
Eksik parça|{product} içinden vida torbası çıkmadı, monte edemiyoruz. Çocuk odası darmadağın.
Kalite|İki yıkamada rengi soldu, bu fiyata bu kalite şikayetvar'lık oldunuz.
İptal edilmedi|{order} siparişini {day} günü iptal ettim, yine de kargolamışsınız. Teslim almayacağım.
""",
    "follow_up": """
|Bir gelişme var mı acaba? {order} ile ilgili yazmıştım.
|Eklemeyi unuttum: teslimat {city} olacaktı.
|Telefonla da aradım ama ulaşamadım, buradan devam edelim.
|İstediğiniz fotoğrafı da gönderdim, yeterli mi?
|Tamam ama ne zaman? {day} gününe kadar lazım bana.
|Hâlâ bekliyorum...
|Kargo firması "gönderici iptal etti" diyor, siz öyle demediniz. Hangisi doğru?
""",
    "thanks": """
|Çok teşekkürler, sorun çözüldü 👍
|Elinize sağlık, ürün bugün geldi. İyi çalışmalar.
|Teşekkür ederim, ilginiz için sağ olun.
|Süpersiniz, bu kadar hızlı beklemiyordum 🙏
""",
    "auto_reply": """
Otomatik yanıt: Ofis dışındayım|{day} gününe kadar izindeyim, e-postalarıma dönüşte bakacağım. Acil durumlarda {city} ofisini arayabilirsiniz.
Otomatik Yanıt|Mesajınız alınmıştır. En kısa sürede dönüş yapılacaktır. Bu e-posta otomatik olarak oluşturulmuştur.
""",
}
_EN: Final[Mapping[Kind, str]] = {
    "question": """
Where is my order?|Hi, could you tell me when order {order} will arrive? I'm away from {day}.
Tracking number|Hello, I haven't received a tracking number for {order} yet. Which courier do you use?
Back in stock|Will the {product} be available again soon? Happy to wait a couple of weeks.
International shipping|Do you ship to {city}, and roughly what would it cost for a {product}?
Invoice needed|Could you send me a VAT invoice for {order}? My accountant needs it by {day}.
Change of address|I've just moved. Can {order} go to {city} instead, or has it shipped already?
Return window|How long do I have to return an unopened {product}?
Size guide|I'm between sizes for the {product}. Does it run small?
Promo code|The code at checkout says "not applicable" for the {product}. Is that right?
Warranty|Is the {product} covered if the zip breaks after four months?
Delete my account|Please delete my account and my data, and confirm when that's done.
Gift note|Can you add a note to {order}? "Happy birthday Sam" would be perfect.
""",
    "complaint": """
Parcel never arrived|Tracking says delivered on {day}, but nothing arrived and nobody rang. Order {order}. This is really disappointing.
Damaged on arrival|The {product} arrived with a huge crack. I want a full refund of {amount}, not a voucher.
Charged twice|You've charged my card twice for {order} ({amount} each). Please fix this urgently.
Wrong item|I ordered a {product} and got somebody else's socks. Third mistake this year, this is unacceptable.
Refund overdue|It's been 21 days since you got my return and still no refund. I'll open a dispute with my bank on {day}.
No reply|This is my fourth message about {order}. Does anybody read these?
Faulty|The {product} stopped working after two days. Terrible quality for {amount}.
Subscription|I cancelled in March and was charged again. Stop taking money from my account!
""",
    "follow_up": """
|Any news on this? It's about {order}.
|Sorry, forgot to say: it should go to {city}.
|As requested, here are the photos. Let me know if you need more.
|That link doesn't work for me, it says expired.
|So is it {day} or not? I need to plan around it.
|Still waiting...
""",
    "thanks": """
|Thanks so much, that worked!
|Perfect, thank you. Have a nice day.
|Brilliant service, cheers 👍
|Got it today, all good now. Thanks!
""",
    "auto_reply": """
Automatic reply: Out of office|I'm out of the office until {day} with limited access to email. For urgent matters call the {city} desk.
Auto: We have received your message|Thank you for your email. This mailbox is checked once a day. Please do not reply to this message.
""",
}
_BOUNCES: Final = """
Undelivered Mail Returned to Sender|The address could not be found: 550 5.1.1 user unknown in {city}
Delivery Status Notification (Failure)|The recipient's mailbox is full (552 5.2.2) and cannot take order {order} now.
"""


def _read(kind: Kind, language: str, block: str) -> list[Said]:
    lines = [line.partition("|") for line in block.strip().splitlines()]
    return [Said(kind=kind, language=language, subject=subject, text=text) for subject, _, text in lines]


CORPUS: Final[tuple[Said, ...]] = tuple(
    said
    for language, blocks in (("tr", _TR), ("en", _EN))
    for kind, block in blocks.items()
    for said in _read(kind, language, block)
) + tuple(_read("bounce", "en", _BOUNCES))  # fmt: skip

PRODUCTS: Final[Mapping[str, tuple[str, ...]]] = {
    "tr": ("bakır cezve", "yün kazak", "kahve değirmeni", "seramik tabak seti", "keten gömlek", "çocuk montu", "ahşap sandalye"),
    "en": ("copper coffee pot", "wool jumper", "coffee grinder", "set of plates", "linen shirt", "kids' coat", "wooden chair"),
}
CITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "tr": ("İstanbul", "Ankara", "İzmir", "Şanlıurfa", "Çanakkale", "Muğla", "Eskişehir"),
    "en": ("London", "Leeds", "Dublin", "Berlin", "Bristol", "Cardiff"),
}
DAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "tr": ("pazartesi", "salı", "çarşamba", "perşembe", "cuma"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
}
