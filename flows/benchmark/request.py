"""What a benchmark was asked, and what came out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.machine.show import fields_of
from flows.pages.kinds.benchmark_facts import Figures
from tuni import __version__
from tuni.bench.peers import OURS, PEERS, BenchSizes, Peer
from tuni.bench.testbed.settings import Captions, Size, TestbedSettings
from tuni.errors import RequestError
from tuni.hashing import digest

FORMAT = 1


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """What `tuni benchmark` was asked.

    Attributes:
        out: Folder of the tables and of the cells.
        beds: The testbeds; those of other seeds and regimes stand beside each other in the tables.
        methods: Keys of `tuni.bench.peers.PEERS`; ours is always among them.
        pictures: New pictures of each person.
        sizes: Comparison texts and the paper's budget.
        testbeds: Where testbeds are kept; None is the home.
    """

    out: Path
    beds: tuple[TestbedSettings, ...]
    methods: tuple[str, ...] = tuple(peer.key for peer in PEERS)
    pictures: int = 4
    sizes: BenchSizes = field(default_factory=BenchSizes)
    testbeds: Path | None = None

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The methods, ours among them.

        Raises:
            RequestError: There is no such method.
        """
        known = {peer.key for peer in PEERS}
        if unknown := sorted(set(self.methods) - known):
            raise RequestError(
                f"--method: {unknown[0]!r} is unknown", f"name one of {', '.join(sorted(known))}"
            )
        return tuple(peer for peer in PEERS if peer.key in {*self.methods, OURS})

    def identity(self, made_from: TestbedSettings, peer: Peer) -> str:
        """Hash of all that a method's cell depends on."""
        particular = {"asked": peer.asked, "revision": peer.revision}
        return digest(
            {
                "format": FORMAT,
                "version": __version__,
                "testbed": made_from.hash,
                "pictures": self.pictures,
                "sizes": asdict(peer.sizes(self.sizes)),
                # Left out where there is nothing particular: cells kept before still count.
                **{name: value for name, value in particular.items() if value},
            }
        )


def beds_of(
    size: Size, seeds: Sequence[int], captions: Sequence[Captions]
) -> tuple[TestbedSettings, ...]:
    """Testbeds of one size, seed by seed in every regime."""
    return tuple(
        replace(TestbedSettings.of_size(size, seed), captions=regime)
        for seed in seeds
        for regime in captions
    )


@dataclass(frozen=True, slots=True)
class BenchmarkOutcome:
    """What came out.

    Attributes:
        out: The folder.
        figures: One per testbed and method.
        computed: Cells that were not there before.
    """

    out: Path
    figures: tuple[Figures, ...]
    computed: int

    def record(self) -> dict[str, Any]:  # Any: JSON values
        """One JSON object."""
        return fields_of(self)

    def text(self) -> str:
        """A few lines for people."""
        beds = len({(one.seed, one.captions) for one in self.figures})
        lines = [
            f"{self.out / 'benchmark.html'}: {len(self.figures)} rows over {beds} testbeds, "
            f"{self.computed} of them computed now",
            "  beside it benchmark.csv, benchmark.md, benchmark.json",
        ]
        lines += [
            f"  seed {one.seed}, {one.captions}: {one.title}: AUC {one.auc:.3f}, strangers accused "
            f"by its own rule {one.strangers_accused.value:.3f}"
            for one in self.figures
        ]
        return "\n".join(lines)
