"""One job: the request opened on this machine, its texts, its features, its folder.

Everything a flow needs is found again from the request alone, so each flow can run by itself,
after a restart or on another day, and nothing of it travels through Prefect.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.job.features import JobFeatures, feature_spec
from flows.job.folder import CHOICE, OUTCOME, JobFolder
from flows.job.texts import JobTexts, chosen_objective, draw_sets, fitting_texts, read_texts
from flows.machine.console import current_progress
from flows.machine.home import open_home
from flows.machine.settings import Request, Settings, read_settings
from registry.home import Home
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.models.store import ModelStore
from tuni import __version__
from tuni.detectors.registry import other_names
from tuni.detectors.search import SPACE_REVISION
from tuni.detectors.spec import DetectorSpec
from tuni.errors import RequestError
from tuni.features.spec import FeatureSpec
from tuni.hashing import digest
from tuni.judging.scores import KeptFeatures
from tuni.lists.sets import TextSets
from tuni.lists.split import Split
from tuni.model.load import limit_threads, load_target
from tuni.model.target import Target
from tuni.pictures.bank import load_bank
from tuni.progress import SILENT, Progress
from tuni.statistics.p_values import Floats
from tuni.texts.text import canonical

# A parameter that moves no result must not make a new job of it.
_NOT_IN_HASH = {"device", "threads"}

_shared: ContextVar["dict[Request, Job] | None"] = ContextVar("_shared", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A request, opened: all that it names is read and checked.

    Attributes:
        request: What is asked, with absolute paths.
        settings: Where this machine keeps things.
        progress: Draws the stages.
        home: Where everything is kept.
        ledger: The home's ledger.
        target: The audited checkpoint, bound to its name.
        texts: What the request's files hold.
        spec: All that is extracted, for the largest setting of the search.
        sets: Every text of the job in exactly one set.
        objective: What the search maximises; ``"none"`` where there is nothing to search on.
        hash: Name of the job: equal for equal settings, file contents, weights and code version.
        folder: The job's own folder in the home.
        features: Features of the job's sets.
        test_scores: Scores of labelled-test that were judged already, by the digest of their
            bundle's settings.
    """

    request: Request
    settings: Settings
    progress: Progress
    home: Home
    ledger: Ledger
    target: Target
    texts: JobTexts
    spec: FeatureSpec
    sets: TextSets
    objective: str
    hash: str
    folder: JobFolder
    features: JobFeatures
    test_scores: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def open(cls, request: Request, settings: Settings, progress: Progress = SILENT) -> "Job":
        """Read what the request names, load the checkpoint, and make the sets of texts.

        Raises:
            InputError: A file, the checkpoint or a number of texts cannot be used.
            HomeError: The home or its ledger cannot be used.
        """
        home = open_home(settings)
        with ExitStack() as opened:
            ledger = Ledger.open(home)
            opened.callback(ledger.close)
            texts = read_texts(request, ledger.keys)
            target = _load(request, ledger)
            folder = request.bank.images if request.features.geometry else None
            bank = None if folder is None else load_bank(target, folder)
            spec = feature_spec(request, bank)
            texts = fitting_texts(request, texts, target, spec)
            labels, listed = texts.full_names
            members = sum(labels)
            asked = request.search.objective
            objective = chosen_objective(asked, texts.kind, members, len(labels) - members, listed)
            sets = draw_sets(request, texts, target, spec, Split(ledger.keys.split_key))
            name = _hash(request, texts, target, spec)
            cache = EncryptedFeatureCache(ledger) if texts.kind.kept else KeptFeatures(None)
            features = JobFeatures(
                target, spec, sets, bank, cache, progress,
                request.features.inversion_texts,
            )  # fmt: skip
            opened.pop_all()
        return cls(
            request=request, settings=settings, progress=progress, home=home, ledger=ledger,
            target=target, texts=texts, spec=spec, sets=sets, objective=objective, hash=name,
            folder=JobFolder.open(home.jobs / name), features=features,
        )  # fmt: skip

    def close(self) -> None:
        """Give the ledger's connections back."""
        self.ledger.close()

    @property
    def searched(self) -> tuple[str, ...]:
        """The sets whose features a search needs."""
        nulls = ("gibberish_fit", "gibberish_scale", "decoy_fit", "decoy_scale", "decoy_search")
        judged = {
            "labelled": ("labelled_dev",),
            "label-free": ("list_search", "list_judge", "control", "labelled_dev"),
            "none": (),
        }[self.objective]
        return (*nulls, *(name for name in judged if getattr(self.sets, name)))

    @property
    def test_members(self) -> NDArray[np.bool_]:
        """Labels of labelled-test, in its order."""
        labels = [self.texts.members[canonical(text)] for text in self.sets.labelled_test]
        return np.array(labels, dtype=bool)

    @property
    def test_set(self) -> str:
        """Name of labelled-test in the ledger, the same for every job with these texts and labels.

        It holds a keyed digest, so that nobody can confirm a guessed list by it.
        """
        whose = sorted(
            f"{canonical(text)} {member}"
            for text, member in zip(self.sets.labelled_test, self.test_members, strict=True)
        )
        return f"labelled_test {self.ledger.keys.content_digest(chr(10).join(whose).encode())[:32]}"

    @property
    def has_test_labels(self) -> bool:
        """Whether labelled-test holds members and non-members."""
        return bool(self.test_members.any()) and not self.test_members.all()

    @property
    def lacking_labels(self) -> str:
        """What labelled-test lacks for power to be measured, in words; empty where it lacks none.

        Part of the labels may stand in the file and have been left out.
        """
        if self.has_test_labels:
            return ""
        if not len(self.test_members):
            given = self.texts.labelled is not None
            return "labelled texts that can be judged" if given else "labelled texts"
        return "known non-members" if self.test_members.all() else "known members"

    def is_registered(self) -> bool:
        """Whether the same inputs have already given a registered version."""
        if self.folder.kept(OUTCOME) is None:
            return False
        store = ModelStore(self.home, self.settings.runs_uri, self.ledger)
        return store.find_version(self.request.checkpoint.name, "job", self.hash) is not None

    def chosen_detector(self) -> DetectorSpec:
        """What the search chose.

        Raises:
            RequestError: The search of this job has not ended.
        """
        choice = self.folder.kept(CHOICE)
        if choice is None:
            raise RequestError(
                "request: no detector was chosen for it yet", "let the flow `search` end first"
            )
        return DetectorSpec.from_json(choice["detector"])

    def logged_request(self) -> dict[str, Any]:  # Any: JSON values
        """The request without the paths of this machine."""
        return self.request.model_dump(
            mode="json",
            exclude={
                "checkpoint": {"folder", "weights"},
                "subjects": {"labelled", "list_"},
                "bank": {"images"},
                "nulls": {"decoys"},
            },
        )


@contextmanager
def shared_jobs() -> Iterator[None]:
    """Let all stages inside the block share what is loaded: checkpoint, texts, features."""
    if _shared.get() is not None:
        yield
        return
    jobs: dict[Request, Job] = {}
    token = _shared.set(jobs)
    try:
        yield
    finally:
        _shared.reset(token)
        for job in jobs.values():
            job.close()


def open_job(request: Request) -> Job:
    """The job of a request, with this machine's settings and the terminal's progress.

    Raises:
        TuniError: See `Job.open`.
    """
    jobs = _shared.get()
    if jobs is not None and request in jobs:
        return jobs[request]
    job = Job.open(request, read_settings(), current_progress.get())
    if jobs is not None:
        jobs[request] = job
    return job


def _load(request: Request, ledger: Ledger) -> Target:
    table = request.checkpoint
    target = load_target(
        table.folder,
        architecture=table.architecture,
        weights=table.weights,
        preprocess=table.preprocess,
        device=request.compute.device,
        precision=request.features.precision,
    )
    limit_threads(target, request.compute.threads)
    source = table.model_dump(mode="json", exclude={"name"})
    ledger.bind_checkpoint(table.name, target.fingerprint, source)
    return target


def _hash(request: Request, texts: JobTexts, target: Target, spec: FeatureSpec) -> str:
    asked = request.model_dump(mode="json", exclude={"checkpoint", "subjects", "bank"})
    asked["compute"] = {
        key: value for key, value in asked["compute"].items() if key not in _NOT_IN_HASH
    }
    asked["nulls"].pop("decoys")
    return digest(
        {
            "request": asked,
            "name": request.checkpoint.name,
            "kind": request.subjects.kind,
            "fingerprint": target.fingerprint,
            "spec": spec.hash,
            "files": dict(texts.digests),
            "version": __version__,
            "space": SPACE_REVISION,
            # A study goes on only with the kinds that it was begun with.
            **({"kinds": others} if (others := other_names()) else {}),
            # How the files are read, where it isn't as they stand.
            **({"region": told} if (told := request.subjects.region) else {}),
            **({"names": told} if (told := request.subjects.names) != "first-last" else {}),
        }
    )[:32]
