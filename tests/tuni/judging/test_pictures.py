"""Names beside pictures: exact where nothing was learnt, strong where something was."""

import numpy as np
import pytest
from scipy.stats import binom, kstest

from tuni.errors import TooFewTexts, UnusableScores
from tuni.judging.pictures import LEAST_OTHERS, DecoyNames, PictureJudge


def units(draw, *shape):
    values = draw.normal(size=(*shape, 16))
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def setting(seed, people=40, each=3, decoys=99):
    draw = np.random.default_rng(seed)
    judge = PictureJudge(
        DecoyNames(units(draw, decoys), draw.normal(size=decoys)),
        [units(draw, each) for _ in range(people)],
    )
    return judge, draw


def test_p_is_uniform_where_name_and_pictures_have_nothing_to_do_with_each_other():
    p = []
    for seed in range(400):  # new decoys each time: those of one list share their luck
        judge, draw = setting(seed, people=8)
        p.append(judge.judge(0, units(draw), float(draw.normal())).p)
    assert kstest(p, "uniform").pvalue > 0.01
    assert sum(one <= 0.05 for one in p) <= binom(400, 0.05).ppf(0.999)


def test_p_stays_uniform_beside_pictures_that_the_model_takes_for_many_names():
    p = []
    for seed in range(400):
        draw = np.random.default_rng(seed)
        decoys = units(draw, 99)
        friendly = decoys.mean(axis=0)[None] / np.linalg.norm(decoys.mean(axis=0))
        judge = PictureJudge(
            DecoyNames(decoys, draw.normal(size=99)),
            [friendly.astype(np.float32), *(units(draw, 3) for _ in range(10))],
        )
        p.append(judge.judge(0, units(draw), float(draw.normal())).p)
    assert sum(one <= 0.05 for one in p) <= binom(400, 0.05).ppf(0.999)


@pytest.mark.parametrize("groups", [2, 5])
def test_p_holds_where_faces_go_with_names_against_names_of_the_same_group_alone(groups):
    """A model that prefers any name of a face's group: strangers, 99 decoys of each group."""
    held, broken = [], []
    for seed in range(400):
        draw = np.random.default_rng(seed)
        centres = 4.0 * draw.normal(size=(groups, 16)) / 4
        group = np.repeat(np.arange(groups), 99)

        def shown(count, which, centres=centres, draw=draw):
            values = draw.normal(size=(count, 16)) / 4 + centres[which]
            return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)

        decoys = DecoyNames(shown(len(group), group), draw.normal(size=len(group)))
        pictures = [shown(3, which % groups) for which in range(10)]
        name, score = shown(1, 0)[0], float(draw.normal())
        broken.append(PictureJudge(decoys, pictures).judge(0, name, score).p <= 0.05)
        own = PictureJudge(decoys.part(group == 0), pictures)
        held.append(own.judge(0, name, score).p <= 0.05)
    assert sum(held) <= binom(400, 0.05).ppf(0.999)
    assert sum(broken) > binom(400, 0.05).ppf(0.999)


def test_a_name_that_fits_its_pictures_stands_out():
    judge, draw = setting(1)
    name = units(draw)
    pictures = [*judge._pictures]
    pictures[5] = np.repeat(name[None], 3, axis=0)
    told = PictureJudge(judge._decoys, pictures).judge(5, name, 0.0)
    assert (told.name_rank, told.picture_rank, told.p) == (1, 1, 1 / 100)
    assert told.score > judge.judge(5, name, 0.0).score


def test_figures_are_those_of_the_long_way():
    judge, draw = setting(2)
    name, score = units(draw), 0.7
    names = np.vstack([name, judge._decoys.embeddings]).astype(float)
    own = judge._pictures[3].astype(float)
    others = np.concatenate([p for k, p in enumerate(judge._pictures) if k != 3]).astype(float)
    cosines, elsewhere = (names @ own.T).mean(axis=1), names @ others.T

    def z(values):
        return (values - values.mean()) / values.std()

    total = z(np.array([score, *judge._decoys.scores])) + z(cosines)
    total += z((cosines - elsewhere.mean(axis=1)) / elsewhere.std(axis=1))
    told = judge.judge(3, name, score)
    assert told.score == pytest.approx(total[0], abs=1e-9)
    assert told.p == (1 + (total[1:] >= total[0]).sum()) / 100
    assert told.name_rank == 1 + (cosines[1:] >= cosines[0]).sum()
    assert told.picture_rank == 1 + (elsewhere[0] >= cosines[0]).sum()


def test_one_person_with_pictures_is_judged_among_names_alone():
    judge, draw = setting(3, people=1, each=4)
    told = judge.judge(0, units(draw), 0.0)
    assert told.picture_rank is None
    assert 0 < told.p <= 1
    assert LEAST_OTHERS > 1


def test_the_order_of_the_people_moves_nothing_that_matters():
    judge, draw = setting(4)
    name = units(draw)
    turned = PictureJudge(judge._decoys, list(reversed(judge._pictures)))
    assert turned.judge(39, name, 0.1).score == pytest.approx(judge.judge(0, name, 0.1).score)


def test_no_decoy_and_no_number_are_refused():
    draw = np.random.default_rng(0)
    with pytest.raises(TooFewTexts):
        PictureJudge(DecoyNames(units(draw, 0), np.empty(0)), [units(draw, 2)])
    judge, _ = setting(5)
    with pytest.raises(UnusableScores):
        judge.judge(0, units(draw), float("nan"))
