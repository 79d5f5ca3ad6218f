"""The page says what was found and what it does not say, and needs nothing but a browser."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from flows import plots
from flows.report import render_report, write_report
from flows.report_facts import (
    Chart,
    Gate,
    ListCounts,
    Power,
    ReportFacts,
    Search,
    Trial,
    findings,
)
from flows.svg import render
from tuni.errors import HomeError
from tuni.intervals import Interval, rate

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
GENERATOR = np.random.default_rng(0)
ROC = render(
    plots.draw_roc, plots.roc_table(GENERATOR.normal(1, 1, 60), GENERATOR.normal(0, 1, 60))
)
POWER = Power(
    members=60,
    nonmembers=60,
    auc=0.93,
    auc_interval=Interval(0.88, 0.97),
    found=rate(41, 60),
    accused=rate(2, 60),
    found_at=((0.05, rate(43, 60)), (0.001, None)),
    by_captions=(("1", rate(1, 12)), ("2 to 4", rate(5, 14)), ("20 or more", rate(15, 15))),
    groups=(("hard negatives", rate(4, 50), 0.9, Interval(0.85, 0.94)),),
    agreement=(("precision", rate(41, 43)),),
)
FACTS = ReportFacts(
    checkpoint="ours-vit-b-32",
    fingerprint="ab" * 32,
    written="24 November 2026",
    detector="H: pair residual and Jacobian stability",
    operating_point=0.05,
    asked=(("Kind of text", "name"),),
    power=POWER,
    version="3 (champion)",
    counts=ListCounts(texts=500, evidence=64, refused=2, after_correction=40, smallest_findable=3),
    search=Search(
        "the partial AUC up to 10 % of non-members",
        60,
        (Trial("H", 0.93, "chosen"), Trial("vote on S and D", 0.61, "paper"), Trial("x", None)),
        "The default stays.",
    ),
    gates=(Gate("blind gate", True, "better by 0.3"), Gate("control", None, "no second source")),
    charts=(
        Chart("power", "Title one", "Caption one", "A curve", ROC),
        Chart("search", "Title two", "Caption two", "Another", ROC),
    ),
    settings={"search.trials": "60", "compute.seed": "0"},
    versions={"tuni": "0.1.0"},
    command="tuni run request.toml",
)


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


def test_every_number_of_the_opening_has_its_interval_and_its_count():
    opening = " ".join(findings(FACTS)).replace("\u00a0", " ")
    assert "68 % (41 of 60; 95 % interval 55 % to 80 %)" in opening
    assert "3.3 % (2 of 60; 95 % interval 0.4 % to 12 %)" in opening
    assert "with 1 caption 8.3 %" in opening
    assert "with 2 to 4 captions 36 %" in opening
    assert "64 show evidence consistent with training membership" in opening
    assert "about 25 or fewer by chance" in opening


def test_the_page_says_that_it_is_about_texts_and_what_no_evidence_means():
    words = Page(render_report(FACTS)).words
    assert "A verdict is about the text, not the person. A namesake" in words
    assert "does not mean that the text was not in the training data" in words
    assert "60 non-members are too few to say" in words
    assert FACTS.fingerprint in words


def test_without_labels_power_is_stated_as_unknown():
    words = Page(render_report(replace(FACTS, power=None, charts=()))).words
    assert "is unknown: no labelled texts were given" in words
    assert "Members found" not in words


def test_a_withheld_claim_is_told_first_and_not_made_beside():
    facts = replace(FACTS, withheld="The labels can be told apart without the model.")
    words = Page(render_report(facts)).words
    assert "No claim is made about power. The labels can be told apart" in words
    assert not any("were found" in line for line in findings(facts))


def test_a_withheld_list_gets_no_counts():
    facts = replace(FACTS, counts=ListCounts(500, 0, withheld="decoys differ from the list."))
    assert findings(facts)[0] == "No verdicts are given for the list: decoys differ from the list."


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "{{7*7}}"]
)
def test_markup_in_a_fact_is_shown_and_not_run(hostile):
    facts = replace(
        FACTS,
        checkpoint=hostile,
        asked=((hostile, hostile),),
        settings={hostile: hostile},
        gates=(Gate(hostile, True, hostile),),
        search=Search(hostile, 1, (Trial(hostile, 0.5),), hostile),
        charts=(Chart("power", hostile, hostile, hostile, ROC),),
        withheld=hostile,
    )
    page = Page(render_report(facts))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(render_report(FACTS)).tags} | {
        "div"
    }
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert hostile in page.words


def test_the_page_asks_for_nothing_and_forbids_it():
    text = render_report(FACTS)
    tags = Page(text).tags
    assert not [tag for tag, _ in tags if tag in {"link", "iframe", "img"}]
    assert not [a for _, attrs in tags for a in attrs if a in {"src", "srcset"}]
    assert not re.search(r"url\((?!#)|@import", text)
    policy = next(a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    # The one script is the one that sorts tables, and the policy lets no other one run.
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    seen = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{seen}'")


def test_the_page_can_be_read_with_a_screen_reader():
    tags = Page(render_report(FACTS)).tags
    assert dict(tags)["html"]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a} <= set(ids)
    assert all(a.get("aria-label") for tag, a in tags if tag == "svg")
    assert all(a.get("scope") for tag, a in tags if tag == "th")


def test_the_page_is_small_and_the_same_every_time():
    text = render_report(FACTS)
    assert text == render_report(FACTS)
    assert len(text.encode()) < 3_000_000


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    path = write_report(FACTS, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render_report(FACTS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(HomeError, match="cannot be written"):
        write_report(FACTS, tmp_path / "absent" / "report.html")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_page_without_sideways_scrolling(tmp_path, width):
    harness = tmp_path / "harness.html"
    page = html.escape(render_report(FACTS))
    harness.write_text(
        f'<iframe id="page" style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>'
        "<script>addEventListener('load', () => {"
        "const inner = document.getElementById('page').contentDocument;"
        "const figures = [...inner.querySelectorAll('svg')];"
        "const table = inner.querySelector('table:has(thead button)');"
        "const column = () => [...table.tBodies[0].rows].map(r => r.cells[1].textContent);"
        "const before = column(); const buttons = table.tHead.querySelectorAll('button');"
        "buttons[1].click(); buttons[1].click();"
        "document.body.textContent = JSON.stringify({before: before, after: column(),"
        "width: inner.documentElement.scrollWidth, heading: inner.querySelector('h1').textContent,"
        "drawn: figures.every(f => f.getBoundingClientRect().height > 150)"
        "})})</script>",
        encoding="utf-8",
    )
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-quic", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000",
         "--dump-dom", harness.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    measured = json.loads(re.search(r"\{.*\}", shown).group())
    assert measured["width"] <= width
    assert "ours-vit-b-32" in measured["heading"]
    assert measured["drawn"]
    assert measured["after"] == measured["before"][::-1]
