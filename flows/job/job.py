"""One job: the request opened on this machine, its texts, its features, its folder.

Everything a flow needs is found again from the request alone, so each flow can run by itself,
after a restart or on another day, and nothing of it travels through Prefect.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flows.job.features import JobFeatures
from flows.job.folder import CHOICE, OUTCOME, JobFolder
from flows.job.texts import chosen_objective, require_reachable, require_readable
from flows.machine.console import current_progress
from flows.machine.home import open_home
from flows.machine.settings import Request, Settings, read_settings
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from registry.models.connection import Tracking, configure
from registry.models.store import ModelStore
from tuni import __version__
from tuni.detectors.registry import registered_names
from tuni.detectors.spec import DetectorSpec
from tuni.errors import PictureError, RequestError
from tuni.features.spec import FeatureSpec, GeometrySpec, InversionSpec, JacobianSpec, NoiseSpec
from tuni.hashing import digest
from tuni.judging.fits import too_long
from tuni.lists.labelled import Labelled, read_labelled, read_subjects
from tuni.lists.sets import NullSizes, TextSets, make_sets
from tuni.lists.split import Split
from tuni.model.load import limit_threads, load_target
from tuni.model.target import Target
from tuni.pictures.bank import Bank, load_bank
from tuni.progress import SILENT, Progress
from tuni.texts.gibberish import GibberishSpec
from tuni.texts.names import all_reference_parts, parse_name
from tuni.texts.text import PROMPTS_8, PROMPTS_24, canonical

T = TypeVar("T")
BANK_RANKS = (4, 16)  # ours
# A parameter that moves no result must not make a new job of it.
_NOT_IN_HASH = {"device", "threads"}

_shared: ContextVar["dict[Request, Job] | None"] = ContextVar("_shared", default=None)


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


def open_job(request: Request) -> "Job":
    """The job of a request, with this machine's settings and the terminal's progress."""
    jobs = _shared.get()
    if jobs is not None and request in jobs:
        return jobs[request]
    job = Job(request, read_settings(), current_progress.get())
    if jobs is not None:
        jobs[request] = job
    return job


class Job:
    """A request, opened.

    Args:
        request: What is asked, with absolute paths.
        settings: Where this machine keeps things.
        progress: Draws the stages.
    """

    def __init__(self, request: Request, settings: Settings, progress: Progress = SILENT) -> None:
        self.request = request
        self.settings = settings
        self.progress = progress
        self.home = open_home(settings)

    @cached_property
    def ledger(self) -> Ledger:
        """The home's ledger, set up at first use."""
        return Ledger.open(self.home)

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow, in the home or on a server."""
        return configure(self.home, self.settings.runs_uri)

    @cached_property
    def target(self) -> Target:
        """The audited checkpoint, bound to its name."""
        table = self.request.checkpoint
        target = load_target(
            table.folder,
            architecture=table.architecture,
            weights=table.weights,
            device=self.request.compute.device,
            precision=self.request.features.precision,
        )
        limit_threads(target, self.request.compute.threads)
        source = table.model_dump(mode="json", exclude={"name"})
        self.ledger.bind_checkpoint(table.name, target.fingerprint, source)
        return target

    @cached_property
    def labelled(self) -> Labelled | None:
        """The labelled texts, or None."""
        path = self.request.subjects.labelled
        return None if path is None else read_labelled(path)

    @cached_property
    def listed(self) -> tuple[str, ...]:
        """The unlabelled list, or nothing."""
        path = self.request.subjects.list_
        return () if path is None else read_subjects(path).texts

    @cached_property
    def bank(self) -> Bank | None:
        """Embeddings of the generic pictures, or None."""
        folder = self.request.bank.images
        if folder is None or not self.request.features.geometry:
            return None
        return load_bank(self.target, folder)

    @cached_property
    def spec(self) -> FeatureSpec:
        """All that is extracted, for the largest setting of the search."""
        asked = self.request.features
        seed = self.request.compute.seed
        return FeatureSpec(
            parts=all_reference_parts(),
            precision=asked.precision,
            batch=asked.batch,
            noise=NoiseSpec(seed=seed) if asked.stability else None,
            jacobian=JacobianSpec(seed=seed) if asked.stability else None,
            geometry=GeometrySpec(
                few_prompts=PROMPTS_8,
                many_prompts=PROMPTS_24,
                bank_digest=self.bank.digest if self.bank else None,
                bank_ranks=self._bank_ranks(),
            )
            if asked.geometry
            else None,
            inversion=InversionSpec(
                restarts=asked.inversion_restarts, steps=asked.inversion_steps, seed=seed
            )
            if asked.inversion
            else None,
        )

    @property
    def room(self) -> int:
        """Tokens that the longest prompt leaves for a text."""
        prompts = {prompt.format("x") for prompt in self.spec.prompts}
        return self.target.context_length - int(self.target.token_counts(sorted(prompts)).max()) + 1

    def _bank_ranks(self) -> tuple[int, ...]:
        """Numbers of principal axes that the bank's pictures suffice for."""
        if self.bank is None:
            return BANK_RANKS
        ranks = tuple(rank for rank in BANK_RANKS if rank < self.bank.count)
        if not ranks:
            raise PictureError(
                f"bank.images: {self.bank.count} distinct pictures, at least {BANK_RANKS[0] + 1} "
                "are needed",
                "add generic pictures that show none of the subjects, or leave [bank] out",
            )
        return ranks

    @cached_property
    def sets(self) -> TextSets:
        """Every text of the job in exactly one set."""
        asked = self.request.nulls
        low, high = asked.gibberish_length
        # A random character is about a token: a short context holds shorter gibberish.
        high = min(high, max(2, self.room // 2 - 1))
        gibberish = GibberishSpec(min_length=min(low, high), max_length=high)
        if asked.alphabet:
            gibberish = replace(gibberish, alphabet=asked.alphabet)
        return make_sets(
            self.labelled,
            self.listed,
            sizes=NullSizes(
                gibberish=asked.gibberish,
                decoy_fit=asked.decoy_fit,
                decoy_search=asked.decoy_search,
                decoy_calibration=asked.decoy_calibration,
                decoy_check=asked.decoy_check,
            ),
            gibberish_spec=gibberish,
            split=Split(self.ledger.keys.split_key),
            seed=self.request.compute.seed,
            source=asked.source,
            own_decoys=() if asked.decoys is None else read_subjects(asked.decoys).texts,
            token_length=lambda texts: self.target.token_counts(texts).tolist(),
            locale=asked.locale,
            fitting=self._fitting,
        )

    def _fitting(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Those of some texts that the model reads whole, with their neighbours."""
        over = too_long(self.target, texts, self.spec)
        return tuple(text for row, text in enumerate(texts) if row not in over)

    @cached_property
    def members(self) -> dict[str, bool]:
        """Label of each labelled text, by canonical text."""
        table = self.labelled
        return {} if table is None else _by_text(table, table.members)

    @cached_property
    def captions(self) -> dict[str, int | None]:
        """Training captions of each labelled text where the table knows them."""
        table = self.labelled
        return {} if table is None else _by_text(table, table.captions)

    @cached_property
    def groups(self) -> dict[str, str]:
        """Named group of each labelled text, by canonical text."""
        table = self.labelled
        return {} if table is None else _by_text(table, table.groups)

    @property
    def objective(self) -> str:
        """What the search maximises; ``"none"`` where there is nothing to search on."""
        # Names of one part are scored by a detector of their own, which nothing is searched for.
        labels = [self.members[key] for key in self._full_names(labelled=True)]
        listed = len(self._full_names(labelled=False))
        return chosen_objective(
            self.request.search.objective, sum(labels), len(labels) - sum(labels), listed
        )

    def _full_names(self, *, labelled: bool) -> dict[str, str]:
        """Labelled texts, or others of the list, that have two parts; by canonical text."""
        texts = self.listed
        if labelled:
            texts = self.labelled.texts if self.labelled else ()
        keys = {canonical(text): text for text in texts if parse_name(text).last}
        return {key: text for key, text in keys.items() if labelled or key not in self.members}

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

    @cached_property
    def hash(self) -> str:
        """Name of the job: equal for equal settings, file contents, weights and code version.

        The digests of the lists are keyed with the home's key, so that nobody who reads the hash
        can confirm a guessed list.
        """
        asked = self.request.model_dump(mode="json", exclude={"checkpoint", "subjects", "bank"})
        asked["compute"] = {
            key: value for key, value in asked["compute"].items() if key not in _NOT_IN_HASH
        }
        asked["nulls"].pop("decoys")
        return digest(
            {
                "request": asked,
                "name": self.request.checkpoint.name,
                "kind": self.request.subjects.kind,
                "fingerprint": self.target.fingerprint,
                "spec": self.spec.hash,
                "files": self.file_digests,
                "version": __version__,
                # A study goes on only with the kinds that it was begun with.
                **({"kinds": others} if (others := registered_names()) else {}),
            }
        )[:32]

    @cached_property
    def file_digests(self) -> dict[str, str | None]:
        """Digests of the lists, keyed with the home's key; None where there is no such file."""
        subjects = self.request.subjects
        return {
            name: None if path is None else self.ledger.keys.content_digest(path.read_bytes())
            for name, path in (
                ("labelled", subjects.labelled),
                ("list", subjects.list_),
                ("decoys", self.request.nulls.decoys),
            )
        }

    @cached_property
    def folder(self) -> JobFolder:
        """The job's own folder in the home."""
        return JobFolder.open(self.home.jobs / self.hash)

    @cached_property
    def cache(self) -> EncryptedFeatureCache:
        """Features already extracted, encrypted in the ledger."""
        return EncryptedFeatureCache(self.ledger)

    @cached_property
    def features(self) -> JobFeatures:
        """Features of the job's sets."""
        return JobFeatures(
            self.target,
            self.spec,
            self.sets,
            bank=self.bank,
            cache=self.cache,
            progress=self.progress,
            inverted=self.request.features.inversion_texts,
        )

    def prepare(self) -> None:
        """Open everything that the job reads, so that bad input is told before work begins."""
        _ = (self.labelled, self.listed, self.target, self.bank, self.objective)
        subjects = self.request.subjects
        for path in (subjects.labelled, subjects.list_, self.request.nulls.decoys):
            if path is not None:
                full = path == self.request.nulls.decoys
                require_readable(path, self.target, self.spec, full=full)
        require_reachable(self.request.operating_point, len(self.sets.decoy_calibration))

    @property
    def has_test_labels(self) -> bool:
        """Whether labelled-test holds members and non-members."""
        return bool(self.test_members.any()) and not self.test_members.all()

    @property
    def test_members(self) -> NDArray[np.bool_]:
        """Labels of labelled-test, in its order."""
        found = [self.members[canonical(text)] for text in self.sets.labelled_test]
        return np.array(found, dtype=bool)

    def is_registered(self) -> bool:
        """Whether the same inputs have already given a registered version."""
        if self.folder.kept(OUTCOME) is None:
            return False
        store = ModelStore(self.home, self.settings.runs_uri, self.ledger)
        return store.find_version(self.request.checkpoint.name, "job", self.hash) is not None

    def close(self) -> None:
        """Give the ledger's connections back."""
        if "ledger" in self.__dict__:
            self.ledger.close()

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


def _by_text(table: Labelled, values: Sequence[T]) -> dict[str, T]:
    return {canonical(text): value for text, value in zip(table.texts, values, strict=True)}
