"""The demonstration: train a testbed, do the whole job on it, compare verdicts with the truth."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.job.estimate import estimate
from flows.job.job import shared_jobs
from flows.machine.console import current_progress
from flows.machine.home import open_home
from flows.machine.settings import FeaturesTable, Request, SearchTable, Settings, read_request
from flows.machine.show import fields_of, say
from flows.run import Outcome, run_request
from flows.scoring.score import ScoreOutcome, ScoreRequest, score_file
from tuni.bench.testbed.build import Testbed, make_testbed
from tuni.bench.testbed.settings import Captions, Looks, Size, TestbedSettings, Vocabulary
from tuni.bench.testbed.unseen import write_pictures
from tuni.files import check_new_folder, making, output_errors
from tuni.lists.csv_rows import CsvRows
from tuni.lists.labelled import read_labelled
from tuni.statistics.intervals import Rate, rate
from tuni.statistics.p_values import EVIDENCE
from tuni.texts.text import canonical

DEMO_SEED = 7
DEMO_TRIALS = 20
DEMO_INVERTED = 80  # texts per null set: inversion would take half of the demo's time


@dataclass(frozen=True, slots=True)
class TestbedRequest:
    """A testbed to be written out.

    Attributes:
        out: Folder to make.
        size: Its size.
        seed: Its seed.
        captions: Its regime of captions.
        vocabulary: Whether people share name parts.
        looks: Whether faces go with names.
        namesakes: Strangers who share a member's whole name.
        pictures: New pictures of each person of the watch list and of each namesake.
        fields: Contact data in captions.
    """

    __test__ = False  # the name starts with Test, and pytest would collect it

    out: Path
    size: Size
    seed: int
    captions: Captions = "short"
    vocabulary: Vocabulary = "closed"
    looks: Looks = "free"
    namesakes: int = 0
    pictures: int = 0
    fields: tuple[str, ...] = ()

    @property
    def settings(self) -> TestbedSettings:
        """What the testbed is made from."""
        sized = TestbedSettings.of_size(self.size, self.seed)
        if self.vocabulary == "own":
            sized = sized.with_own_names()
        return replace(
            sized,
            captions=self.captions,
            looks=self.looks,
            namesakes=self.namesakes,
            fields=self.fields,
        )


@dataclass(frozen=True, slots=True)
class TestbedOutcome:
    """A testbed that was written out.

    Attributes:
        folder: Where it lies.
        size: Its size.
        seed: Its seed.
    """

    folder: Path
    size: str
    seed: int

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return fields_of(self)

    def text(self) -> str:
        """A few lines for people."""
        return (
            f"testbed ({self.size}, seed {self.seed}) in {self.folder}\n"
            "  truth.csv says who was trained; labelled.csv and watch.csv are an auditor's lists\n"
            f"  next: tuni run {self.folder / 'request.toml'}"
        )


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """The demonstration's figures.

    Attributes:
        job: What `tuni run` came to.
        scored: What `tuni score` came to on the watch list.
        members: Trained people of the watch list with a finding.
        strangers: Other people of the watch list with the same finding.
        home: Where runs and models are kept.
    """

    job: Outcome
    scored: ScoreOutcome
    members: Rate
    strangers: Rate
    home: Path

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return {
            "job": self.job.record(),
            "scored": self.scored.record(),
            "watch_members_found": _interval(self.members),
            "watch_nonmember_fpr": _interval(self.strangers),
        }

    def text(self) -> str:
        """The summary."""
        return "\n".join(
            [
                "",
                "Detector",
                _indent(self.job.text()),
                "Watch list",
                _indent(self.scored.text()),
                "Truth (known here, because the testbed's training set is ours)",
                f"  trained people found:         {_told(self.members)}",
                f"  strangers accused nevertheless: {_told(self.strangers)}; "
                f"allowed were {self.scored.operating_point:.0%}",
                "",
                "This is a small testbed and a short search; docs/results.md has the full figures.",
                f"Report page: {self.job.report}",
                f"MLflow pages: `make up`, then the address that it prints (home {self.home})",
            ]
        )


def write_testbed(asked: TestbedRequest, settings: Settings) -> TestbedOutcome:
    """Make a testbed, or take it from the cache, and copy it to a folder.

    Raises:
        RequestError: The folder exists, or cannot be made there.
    """
    out = check_new_folder(asked.out)
    bed = _testbed(asked.settings, settings)
    with output_errors(asked.out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with making(out) as draft:
            shutil.copytree(bed.folder, draft, dirs_exist_ok=True)
            if asked.pictures:
                write_pictures(Testbed(draft, bed.settings), asked.pictures, current_progress.get())
    return TestbedOutcome(asked.out, asked.size, asked.seed)


def run_demo(settings: Settings, size: Size) -> DemoOutcome:
    """Train a testbed of a size, run the job on it and score its watch list."""
    say("1/3 a small CLIP whose training set is known (about a minute, then cached)")
    bed = _testbed(TestbedSettings.of_size(size, DEMO_SEED), settings)
    say("2/3 tuni run: search, calibrate, evaluate, register")
    request = demo_request(bed)
    with shared_jobs():
        say(estimate(request).text())
        job = run_request(request)
    say("3/3 tuni score: the watch list, with the registered champion")
    out = settings.home / "demo-verdicts.csv"
    scored = score_file(
        ScoreRequest(checkpoint=request.checkpoint.name, subjects=bed.watch, out=out,
                     version=str(job.version)),
        settings,
    )  # fmt: skip
    members, strangers = compare(scored.out, bed)
    return DemoOutcome(job, scored, members, strangers, settings.home)


def demo_request(bed: Testbed) -> Request:
    """The testbed's own request with a shorter search and fewer features."""
    request = read_request(bed.request)
    features = FeaturesTable(geometry=False, inversion_texts=DEMO_INVERTED)
    search = SearchTable(trials=DEMO_TRIALS)
    return request.model_copy(update={"features": features, "search": search})


def compare(verdicts: Path, bed: Testbed) -> tuple[Rate, Rate]:
    """Shares of trained people and of others, among those scored, that got a finding."""
    truth = read_labelled(bed.truth)
    trained = {
        canonical(text) for text, member in zip(truth.texts, truth.members, strict=True) if member
    }
    rows = [
        (canonical(row["text"]) in trained, row["verdict"] == EVIDENCE)
        for _, row in CsvRows(verdicts).rows()
    ]
    shares = []
    for kind in (True, False):
        marks = [found for member, found in rows if member is kind]
        shares.append(rate(sum(marks), len(marks)))
    return shares[0], shares[1]


def _testbed(made_from: TestbedSettings, settings: Settings) -> Testbed:
    return make_testbed(made_from, open_home(settings).testbeds, current_progress.get())


def _told(share: Rate) -> str:
    return f"{share.hits} of {share.n} ({share.value:.0%}, {share.low:.0%} to {share.high:.0%})"


def _interval(share: Rate) -> dict[str, float]:
    return {"hits": share.hits, "n": share.n, "low": share.low, "high": share.high}


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
