"""The pages say what was found and what they do not say, and need nothing but a browser."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import threading
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from flows.pages.kinds.job_facts import Chart, Gate, Search, Trial, findings
from flows.pages.model_card import model_card
from flows.pages.publish import render_evidence, write_report
from tuni.errors import RequestError
from tuni.visible import one_line, visible

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
KINDS = ("job", "audit", "comparison", "benchmark")


class Page(HTMLParser):
    """What a browser or a screen reader would meet."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).replace("\u00a0", " ").split())


def words(evidence):
    return Page(render_evidence(evidence)).words


def with_facts(evidence, **changes):
    return replace(evidence, facts=replace(evidence.facts, **changes))


def test_every_number_of_the_opening_has_its_interval_and_its_count(job_evidence):
    opening = " ".join(findings(job_evidence.facts)).replace("\u00a0", " ")
    assert "68 % (41 of 60; 95 % interval 55 % to 80 %)" in opening
    assert "3.3 % (2 of 60; 95 % interval 0.4 % to 12 %)" in opening
    assert "with 1 caption 8.3 %" in opening
    assert "with 2 to 4 captions 36 %" in opening


def test_the_page_says_that_it_is_about_texts_and_what_no_evidence_means(job_evidence):
    told = words(job_evidence)
    assert "A verdict is about the text, not the person. A namesake" in told
    assert "does not mean that the text was not in the training data" in told
    assert "60 non-members are too few to say" in told


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_ends_with_what_it_rests_on(every_evidence, kind):
    evidence = every_evidence[kind]
    told = words(evidence)
    for what in (evidence.command, *evidence.inputs.values(), *evidence.settings.values()):
        assert what in told
    assert "is a member" not in told


def test_labels_that_were_read_before_are_said_to_flatter(job_evidence):
    assert "have read these very texts" not in render_evidence(job_evidence)
    power = replace(job_evidence.facts.power, looks=30, optimism=0.0481)
    page = render_evidence(replace(job_evidence, facts=replace(job_evidence.facts, power=power)))
    assert "30 jobs have read these very texts. The best of them flatters by up to 0.048" in page


def test_without_labels_power_is_stated_as_unknown_with_the_reason(job_evidence):
    why = "Power is unknown: all labelled texts that were kept aside are members."
    told = words(with_facts(job_evidence, power=None, unknown=why, charts=()))
    assert f"not known. {why}" in told
    assert "Members found" not in told


def test_a_withheld_claim_is_told_first_and_not_made_beside(job_evidence):
    evidence = with_facts(job_evidence, withheld="The labels can be told apart without the model.")
    assert "No claim is made about power. The labels can be told apart" in words(evidence)
    assert not any("were found" in line for line in findings(evidence.facts))


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=y>',
    "{{7*7}}",
    "a\u202egnp.exe\u2066\u200b",
    "\x1b[2J\x9b31m\x07",
    "`x` ![x](http://x.test) <b> &#x202e; $\\frac$",
)


def filled(evidence, hostile):
    """Evidence whose every fact in words is a foreign text."""
    facts, kind = evidence.facts, evidence.facts.kind
    if kind == "job":
        evidence = with_facts(
            evidence,
            checkpoint=hostile,
            fingerprint=hostile,
            written=hostile,
            detector=hostile,
            version=hostile,
            asked=((hostile, hostile),),
            gates=(Gate(hostile, True, hostile),),
            search=Search(hostile, 1, (Trial(hostile, 0.5),), hostile),
            charts=(Chart("power", hostile, hostile, hostile, facts.charts[0].svg),),
            withheld=hostile,
        )
    elif kind == "audit":
        names = ("audit", "watchlist", "checkpoint", "fingerprint", "state", "ended")
        names += ("measured_power", "withheld")
        evidence = with_facts(evidence, **dict.fromkeys(names, hostile))
    elif kind == "comparison":
        names = ("audit", "watchlist", "checkpoint", "fingerprint")
        side = replace(facts.first, **dict.fromkeys(names, hostile))
        evidence = with_facts(evidence, first=side, second=side, differing=(hostile,))
    else:
        rows = (replace(row, title=hostile, source=hostile, rule=hostile) for row in facts.figures)
        evidence = with_facts(evidence, figures=tuple(rows))
    return replace(
        evidence, command=hostile, settings={hostile: hostile}, inputs={hostile: hostile}
    )


def acting(text):
    """Characters that steer a terminal or a line, or hide in it."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"}


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_markup_and_controls_in_a_fact_are_shown_and_not_run(every_evidence, kind, hostile):
    text = render_evidence(filled(every_evidence[kind], hostile))
    page = Page(text)
    known = {tag for tag, _ in Page(render_evidence(every_evidence[kind])).tags}
    assert {tag for tag, _ in page.tags} <= known | {"div"}  # a notice
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert not acting(text)
    assert visible(hostile) in page.words


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", ["job", "audit"])
def test_a_card_shows_markup_and_controls_as_text(every_evidence, kind, hostile):
    card = model_card(filled(every_evidence[kind], hostile))
    assert not acting(card)
    inner = [part for token in MarkdownIt().parse(card) for part in token.children or ()]
    assert {part.type for part in inner} <= {
        "text", "text_special", "softbreak", "code_inline", "strong_open", "strong_close",
    }  # fmt: skip
    assert one_line(hostile) in "".join(part.content for part in inner)


# What an SVG can try: a script, other hosts, another address for the page, a cover over it.
ATTACK = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 width="20" height="90000" viewBox="0 0 20 90000" style="position:fixed;inset:0;z-index:9"
 onload="document.title='run'">
<style>@import url(HOST/import); body { background: url(HOST/style) }</style>
<image href="HOST/image" width="9" height="9"/><use xlink:href="HOST/use#x"/>
<foreignObject width="9" height="9"><meta xmlns="http://www.w3.org/1999/xhtml"
 http-equiv="refresh" content="0;url=HOST/refresh"/>
<img xmlns="http://www.w3.org/1999/xhtml" src="HOST/img"/></foreignObject>
<script>document.title = 'run'; fetch('HOST/fetch')</script><rect width="20" height="90000"/>
</svg>"""


@pytest.fixture
def listener():
    """A server of this machine, and the paths that it was asked for."""
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def browse(page, profile, *options):
    """What a fresh browser makes of a file."""
    return subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-quic", f"--user-data-dir={profile}", "--window-size=1400,1000",
         *options, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_foreign_figure_shows_at_most_a_wrong_picture_in_its_box(
    job_evidence, tmp_path, listener
):
    host, asked = listener
    attack = ATTACK.replace("HOST", host)
    chart = replace(job_evidence.facts.charts[0], svg=attack)
    text = render_evidence(with_facts(job_evidence, charts=(chart,)))
    # In the same place without the image around it, it does all that.
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text).group()
    raw = re.sub(r"<img [^>]*>", lambda _: attack, text).replace(policy, "")
    told = []
    for name, content in (("image", text), ("raw", raw)):
        harness = tmp_path / f"{name}.html"
        harness.write_text(
            f'<iframe style="width:1280px;height:900px" srcdoc="{html.escape(content)}"></iframe>'
            "<script>addEventListener('load', () => setTimeout(() => {"
            "const inner = document.querySelector('iframe').contentDocument;"
            "const box = inner.querySelector('figure > :nth-child(2)').getBoundingClientRect();"
            "document.body.textContent = JSON.stringify({title: inner.title, top: inner"
            ".elementFromPoint(150, 60).tagName, height: box.height, loaded: [...inner.images]"
            ".every(one => one.naturalWidth > 0)})}, 300))</script>",
            encoding="utf-8",
        )
        printed = browse(harness, tmp_path / name, "--virtual-time-budget=2000")
        found = re.search(r'\{"title".*\}', printed)
        told.append((json.loads(html.unescape(found.group())) if found else None, asked[:]))
    (image, silent), (covered, loud) = told
    assert silent == []
    assert loud
    assert image["top"] in ("H1", "HEADER")
    assert "Were these names" in image["title"]
    assert image["height"] < 720
    assert image["loaded"]
    assert covered is None or covered["title"] == "run" or covered["top"] not in ("H1", "HEADER")


def test_a_figure_that_is_none_is_refused_before_anything_is_written(
    tuni, refused, job_evidence, tmp_path
):
    chart = replace(job_evidence.facts.charts[0], svg="<p>no figure</p>")
    file, page = tmp_path / "\x1b[31mevidence.json", tmp_path / "page.html"
    write_report(with_facts(job_evidence, charts=(chart,)), file, None)
    refused(tuni("report", file, "--out", page), "figure: is no SVG document")
    assert not page.exists()
    file.write_text("{}")
    done = tuni("report", file, "--out", page)
    refused(done, "\\u001b[31mevidence.json")
    assert not acting(done.err)


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_asks_for_anything_and_each_forbids_it(every_evidence, kind):
    text = render_evidence(every_evidence[kind])
    tags = Page(text).tags
    assert not [tag for tag, _ in tags if tag in {"link", "iframe", "svg", "object", "embed"}]
    sources = [attrs[a] for _, attrs in tags for a in attrs if a in {"src", "srcset", "href"}]
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.search(r"url\(|@import", text)
    policy = next(a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    # The one script is the one that sorts tables, and the policy lets no other one run.
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    seen = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{seen}'")
    assert len(text.encode()) < 3_000_000
    assert text == render_evidence(every_evidence[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_can_be_read_with_a_screen_reader(every_evidence, kind):
    tags = Page(render_evidence(every_evidence[kind])).tags
    assert dict(tags)["html"]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a} <= set(ids)
    assert any(tag == "img" for tag, _ in tags)
    assert all(a.get("alt") for tag, a in tags if tag == "img")
    assert all(a.get("scope") for tag, a in tags if tag == "th")


def test_the_page_is_written_whole_or_not_at_all(job_evidence, tmp_path):
    path = tmp_path / "report.html"
    write_report(job_evidence, None, path)
    assert path.read_text(encoding="utf-8") == render_evidence(job_evidence)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(RequestError, match="cannot be written"):
        write_report(job_evidence, tmp_path / "absent" / "evidence.json", None)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_shows_every_page_without_sideways_scrolling(every_evidence, tmp_path):
    shown = [(kind, width) for kind in KINDS for width in (390, 1280)]
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{html.escape(render_evidence(every_evidence[kind]))}"></iframe>'
        for kind, width in shown
    )
    harness = tmp_path / "harness.html"
    harness.write_text(
        f"{frames}<script>addEventListener('load', () => {{"
        "const told = [...document.querySelectorAll('iframe')].map(frame => {"
        "const inner = frame.contentDocument;"
        "const figures = [...inner.querySelectorAll('figure img')];"
        "const table = inner.querySelector('table:has(thead button)');"
        "const column = () => table ? [...table.tBodies[0].rows].map(r => r.cells[1].textContent)"
        " : [];"
        "const before = column();"
        "if (table) { const head = table.tHead.querySelectorAll('button')[1];"
        " head.click(); head.click(); }"
        "const heads = () => inner.querySelectorAll('thead button').length; const shown = heads();"
        "frame.contentWindow.dispatchEvent(new Event('beforeprint')); const printed = heads();"
        "frame.contentWindow.dispatchEvent(new Event('afterprint'));"
        "return {buttons: [shown, printed, heads()], before: before, after: column(),"
        "width: inner.documentElement.scrollWidth,"
        "heading: inner.querySelector('h1').textContent,"
        "wide: [...inner.querySelectorAll('.scroll')].some(s => s.scrollWidth > s.clientWidth),"
        "drawn: figures.every(f => f.getBoundingClientRect().height > 150)}});"
        "document.body.textContent = JSON.stringify(told)})</script>",
        encoding="utf-8",
    )
    printed = browse(harness, tmp_path / "profile")
    told = json.loads(html.unescape(re.search(r"\[\{.*\}\]", printed).group()))
    for (kind, width), one in zip(shown, told, strict=True):
        assert one["width"] <= width, (kind, width)
        assert one["drawn"], (kind, width)
        assert width == 390 or not one["wide"], (kind, "a table is cut off")
        assert one["heading"]
    shown, printed, again = told[0]["buttons"]
    assert (printed, again) == (0, shown)  # a button is not printed where a head is repeated
    sorted_by_value = told[0]
    assert sorted_by_value["after"] == sorted_by_value["before"][::-1]
