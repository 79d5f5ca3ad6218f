"""Words with a role in names: particles, suffixes, family names of two characters.

The one law: every list is general knowledge about writing names; nothing here comes from data that
is audited. All words are case-folded.
"""


def _words(text: str) -> frozenset[str]:
    """A set of words from a line of text."""
    return frozenset(text.split())


# Belong to the family name that follows them.
PARTICLES = _words(
    "van von vom der den des del della dello degli dei di da das do dos de du d' la las le les los "
    "lo li al el ul bin ibn bint abu abd abdul abdel ben bar ter ten te tho thor zu zum zur af av "
    "st st. saint sainte mac 't op in in't 's o' ap fitz santa santo "
    "фон ван де дер ден дель ди да ла ле аль эль бин ибн "
    "بن ابن بنت أبو ابو أبي آل عبد ال בן בר אבו אל दे डी बिन"
)
# Also given names or other words: particles only when written small.
SMALL_PARTICLES = _words("mac in te lo do op bar ten li tho thor fitz ap")
# Join the family name before them to the one after.
CONNECTORS = _words("y e i und")
# Belong to the family name before them.
SUFFIXES = _words(
    "jr jr. sr sr. ii iii iv vi jnr jnr. snr snr. junior phd ph.d. md m.d. esq esq. filho neto "
    "оглы оғлы кызы"
)
# Endings of Russian and Ukrainian patronymics.
PATRONYMICS = ("вич", "вна", "ична", "інична", "івна", "ївна")
# Stand between the parts of a transcribed name.
DOTS = "·・•‧"
# Chinese, Korean and a few Japanese family names of several characters.
DOUBLE_FAMILIES = _words(
    "欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 司徒 东方 東方 独孤 獨孤 南宫 南宮 夏侯 尉迟 尉遲 皇甫 公孙 "
    "公孫 慕容 令狐 宇文 长孙 長孫 轩辕 軒轅 端木 百里 呼延 东郭 東郭 太史 申屠 淳于 单于 單于 钟离 "
    "鍾離 佐々木 長谷川 五十嵐 鮮于 西門 남궁 황보 제갈 사공 선우 서문 독고 동방"
)
