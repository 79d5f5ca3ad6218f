"""Words with a role in names: particles, suffixes, family names of two characters.

The one law: every list is general knowledge about writing names; nothing here comes from data that
is audited. All words are case-folded, except common names.
"""
# ruff: noqa: RUF001 - other alphabets are the matter of this file

from collections.abc import Mapping


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
    "欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 司徒 东方 東方 独孤 獨孤 南宫 南宮 夏侯 尉迟 尉遲 "
    "皇甫 公孙 公孫 慕容 令狐 宇文 长孙 長孫 轩辕 軒轅 端木 百里 呼延 东郭 東郭 太史 申屠 淳于 "
    "单于 單于 钟离 鍾離 佐々木 長谷川 五十嵐 鮮于 西門 남궁 황보 제갈 사공 선우 서문 독고 동방"
)
# Common given and family names, where Faker's list has another order than by frequency (ours).
COMMON: Mapping[str, tuple[str, str]] = {
    "de_DE": (
        "Michael Sabine Thomas Susanne Peter Petra Andreas Monika Stefan Claudia Christian Birgit "
        "Markus Andrea Martin Stefanie Frank Anna Jürgen Julia Klaus Katharina Daniel Karin "
        "Alexander Ursula Wolfgang Sarah Hans Christine Matthias Laura",
        "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch "
        "Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann "
        "Hartmann Lange Schmitt Werner Krause Meier Lehmann Schmid Walter",
    ),
    "fr_FR": (
        "Pierre Marie Jean Nathalie Michel Isabelle Philippe Catherine Nicolas Sophie Thomas Julie "
        "Antoine Anne Olivier Camille François Claire Laurent Céline Guillaume Valérie Julien "
        "Sandrine Christophe Monique Alain Aurélie Patrick Élodie David Charlotte",
        "",
    ),
    "es_ES": (
        "Antonio María José Carmen Manuel Ana Francisco Laura Juan Isabel David Marta Javier "
        "Cristina Daniel Lucía Carlos Elena Jesús Paula Alejandro Pilar Miguel Sara Rafael Raquel "
        "Pedro Rosa Pablo Teresa Sergio Beatriz",
        "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez "
        "Ruiz Hernández Díaz Moreno Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez "
        "Vázquez Ramos Gil Ramírez Serrano Blanco Molina Morales Suárez",
    ),
    "it_IT": (
        "Giuseppe Maria Marco Giulia Antonio Anna Andrea Francesca Francesco Laura Luca Paola "
        "Giovanni Chiara Roberto Sara Stefano Elena Alessandro Valentina Mario Silvia Luigi "
        "Martina Matteo Federica Paolo Alessandra Lorenzo Angela Davide Giorgia",
        "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti "
        "Costa Giordano Mancini Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi "
        "Caruso Ferrara Galli Martini Leone Longo Gentile Martinelli",
    ),
    "pl_PL": (
        "Piotr Anna Krzysztof Maria Andrzej Katarzyna Tomasz Małgorzata Jan Agnieszka Paweł Ewa "
        "Michał Magdalena Marcin Monika Jakub Joanna Adam Aleksandra Marek Zuzanna Mateusz Julia",
        "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański "
        "Woźniak Dąbrowski Kozłowski Mazur Jankowski Kwiatkowski Krawczyk Kaczmarek Piotrowski "
        "Grabowski Zając Pawłowski Król Michalski Wróbel",
    ),
    "nl_NL": (
        "Jan Anna Peter Maria Johan Sophie Thomas Emma Tim Julia Daan Lisa Lars Sanne Ruben Anne "
        "Max Laura Bram Eva Niels Fleur Jeroen Iris",
        "Jansen Bakker Visser Smit Meijer Mulder Bos Vos Peters Hendriks Dekker Brouwer Dijkstra "
        "Smits Kok Jacobs Vermeulen Schouten Willems Hoekstra Koster Verhoeven Prins Huisman",
    ),
    "pt_BR": (
        "João Maria Pedro Ana Lucas Juliana Gabriel Beatriz Rafael Mariana Bruno Larissa Felipe "
        "Camila Gustavo Fernanda Daniel Letícia Rodrigo Isabela Thiago Gabriela Vinicius Luana",
        "Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Costa Ribeiro "
        "Martins Carvalho Almeida Lopes Soares Fernandes Vieira Barbosa Rocha Dias Nunes Moreira",
    ),
    "tr_TR": (
        "Mehmet Fatma Mustafa Ayşe Ahmet Emine Ali Zeynep Hüseyin Elif Hasan Meryem İbrahim "
        "Merve Murat Özlem Ömer Esra Yusuf Büşra Osman Hatice Emre Selin",
        "Yılmaz Demir Yıldırım Şahin Çelik Kaya Öztürk Aydın Arslan Doğan",
    ),
    "cs_CZ": (
        "Jan Jana Petr Marie Josef Eva Pavel Hana Martin Anna Tomáš Lenka Jaroslav Kateřina Jiří "
        "Lucie Miroslav Věra Zdeněk Alena Václav Petra Michal Veronika",
        "Novák Nováková Svoboda Svobodová Novotný Novotná Dvořák Dvořáková Černý Černá Procházka "
        "Procházková Kučera Kučerová Veselý Veselá Horák Horáková Němec Němcová Marek Marková",
    ),
    "ru_RU": (
        "Александр Анна Сергей Мария Дмитрий Елена Андрей Ольга Алексей Наталья Иван Екатерина "
        "Михаил Татьяна Николай Ирина Владимир Светлана Павел Юлия",
        "",
    ),
    "uk_UA": (
        "Олександр Марія Андрій Олена Іван Наталія Сергій Ірина Микола Оксана Василь Анна Петро "
        "Тетяна Михайло Юлія",
        "Шевченко Бондаренко Ткаченко Кравченко Олійник Шевчук Коваленко Мельник Савченко Марченко",
    ),
    "ar_AA": (
        "محمد فاطمة أحمد مريم علي نور محمود سارة حسن ليلى خالد عائشة عمر هدى يوسف زينب إبراهيم "
        "ياسمين",
        "العلي الأحمد الحسن السيد المصري الشامي الهاشمي القحطاني العتيبي الحربي الغامدي الزهراني "
        "الدوسري الشمري العنزي المطيري",
    ),
    "el_GR": (
        "Γιώργος Μαρία Γιάννης Ελένη Δημήτρης Κατερίνα Νίκος Βασιλική Κώστας Σοφία Παναγιώτης "
        "Αγγελική Βασίλης Γεωργία Χρήστος Αναστασία",
        "Παπαδόπουλος Παπαδοπούλου Βασιλείου Γεωργίου Παπαδάκης Παπαδάκη Δημητρίου Νικολάου "
        "Οικονόμου Ιωάννου Κωνσταντίνου Αθανασίου Χριστοδούλου Μακρής Αντωνίου Παππάς",
    ),
}
